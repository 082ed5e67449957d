//! A share of a whole as a short bar.
//!
//! Anything above nothing shows at least the smallest step, and what exceeds the whole fills the bar.

/// Places between the two ends.
const PLACES: u64 = 8;
/// Steps of one place that is drawn in blocks.
const STEPS: u64 = 8;
/// One to seven eighths of a place.
const PARTS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// `part` of `whole`: in Unicode blocks, `▕█▌      ▏`, or in ASCII, `[##......]`.
pub(crate) fn bar(part: u64, whole: u64, blocks: bool) -> String {
    if blocks { in_blocks(part, whole) } else { in_ascii(part, whole) }
}

fn in_blocks(part: u64, whole: u64) -> String {
    let steps = share(part, whole, PLACES * STEPS);
    let full = (steps / STEPS) as usize;
    let mut filled = "█".repeat(full);
    filled.extend((steps % STEPS).checked_sub(1).map(|at| PARTS[at as usize]));
    format!("▕{filled:<width$}▏", width = PLACES as usize)
}

fn in_ascii(part: u64, whole: u64) -> String {
    let filled = "#".repeat(share(part, whole, PLACES) as usize);
    format!("[{filled:.<width$}]", width = PLACES as usize)
}

/// How many of `steps` are filled, rounded up.
fn share(part: u64, whole: u64, steps: u64) -> u64 {
    if whole == 0 {
        return 0;
    }
    let filled = (u128::from(part) * u128::from(steps)).div_ceil(u128::from(whole));
    u64::try_from(filled).unwrap_or(steps).min(steps)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::width::columns;

    #[test]
    fn bars_grow_from_the_left() {
        for (part, whole, blocks, ascii) in [
            (0, 100, "▕        ▏", "[........]"),
            (1, 1_000_000, "▕▏       ▏", "[#.......]"),
            (50, 100, "▕████    ▏", "[####....]"),
            (60, 100, "▕████▉   ▏", "[#####...]"),
            (99, 100, "▕████████▏", "[########]"),
            (u64::MAX, 100, "▕████████▏", "[########]"),
            (5, 0, "▕        ▏", "[........]"),
        ] {
            assert_eq!((bar(part, whole, true), bar(part, whole, false)), (blocks.into(), ascii.into()));
        }
    }

    #[test]
    fn every_bar_is_as_wide_as_any_other() {
        for part in 0..=130 {
            assert_eq!(columns(&bar(part, 128, true)), 10, "{part}");
            assert_eq!(bar(part, 128, false).len(), 10, "{part}");
        }
    }
}

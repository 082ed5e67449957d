//! How much of a line a text takes on a terminal.

/// Columns of a terminal that `text` takes; East Asian wide characters take two.
pub(crate) fn columns(text: &str) -> usize {
    let is_wide = |ch: char| matches!(u32::from(ch), 0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f | 0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd);
    let is_mark = |ch: char| matches!(u32::from(ch), 0x300..=0x36f | 0xfe00..=0xfe0f);
    text.chars().map(|ch| if is_mark(ch) { 0 } else { 1 + usize::from(is_wide(ch)) }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_take_nothing_and_wide_characters_two() {
        for (text, expect) in [("", 0), ("abc", 3), ("é", 1), ("e\u{301}", 1), ("漢字", 4), ("█▌", 2)]
        {
            assert_eq!(columns(text), expect, "{text}");
        }
    }
}

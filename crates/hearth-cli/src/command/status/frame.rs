//! One picture after the other at the same place of a terminal, without flicker.
//!
//! A frame goes over the one before: each line clears what was left of the old one, and the last clears what
//! was below. It is never taller than the terminal, which would scroll, and its lines are cut, not wrapped.

/// Goes to the first place; long lines are cut from here on.
const BEGIN: &[u8] = b"\x1b[?7l\x1b[H";
/// Clears to the end of the line.
const END_LINE: &[u8] = b"\x1b[K\n";
/// Clears what is below; long lines wrap again.
const END: &[u8] = b"\x1b[J\x1b[?7h";

/// Lines of the terminal on standard output; `usize::MAX` if it has no size.
pub(super) fn height() -> usize {
    let size = rustix::termios::tcgetwinsize(rustix::stdio::stdout());
    match size.map_or(0, |size| usize::from(size.ws_row)) {
        0 => usize::MAX,
        rows => rows,
    }
}

/// Appends `text` as a frame on a terminal of so many lines. The last line stays free for the cursor.
pub(super) fn push_frame(out: &mut Vec<u8>, text: &[u8], height: usize) {
    let lines: Vec<&[u8]> = text.split_inclusive(|&byte| byte == b'\n').collect();
    let room = height.saturating_sub(1).max(1);
    let shown = if lines.len() <= room { lines.len() } else { room - 1 };
    out.extend_from_slice(BEGIN);
    for line in &lines[..shown] {
        out.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        out.extend_from_slice(END_LINE);
    }
    if shown < lines.len() {
        out.extend_from_slice(format!("{} more lines", lines.len() - shown).as_bytes());
        out.extend_from_slice(END_LINE);
    }
    out.extend_from_slice(END);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, height: usize, expect: &[&str]) {
        let mut out = Vec::new();
        push_frame(&mut out, text.as_bytes(), height);
        let out = String::from_utf8(out).expect("all is text");
        let inner = out.strip_prefix("\x1b[?7l\x1b[H").and_then(|out| out.strip_suffix("\x1b[J\x1b[?7h"));
        let lines: Vec<&str> = inner.expect("both ends").split_terminator("\x1b[K\n").collect();
        assert_eq!(lines, expect, "{text:?} in {height}");
    }

    #[test]
    fn a_frame_fits_the_terminal() {
        check("a\nb\nc\n", usize::MAX, &["a", "b", "c"]);
        check("a\nb\nc\n", 4, &["a", "b", "c"]);
        check("a\nb\nc\n", 3, &["a", "2 more lines"]);
        check("a\nb\n", 1, &["2 more lines"]);
        check("", 5, &[]);
    }
}

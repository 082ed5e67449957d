//! Names as a terminal may show them.
//!
//! A name can hold any byte but NUL and `/`, including escape sequences that would drive the terminal
//! and direction marks that make one name look like another. Such a name is shown as `$'…'`, which
//! bash, zsh and ksh read back to exactly the same bytes; every other name is shown as it is.

/// True if every byte may reach a terminal unchanged.
pub(crate) fn is_plain(name: &[u8]) -> bool {
    if name.iter().all(|&byte| (0x20..0x7f).contains(&byte)) {
        return !name.starts_with(b"$'");
    }
    std::str::from_utf8(name).is_ok_and(|text| text.chars().all(is_printable)) && !name.starts_with(b"$'")
}

/// Appends `name`, quoted if it is not plain.
pub(crate) fn push_visible(out: &mut Vec<u8>, name: &[u8]) {
    if is_plain(name) {
        out.extend_from_slice(name);
        return;
    }
    out.extend_from_slice(b"$'");
    for chunk in name.utf8_chunks() {
        chunk.valid().chars().for_each(|ch| push_char(out, ch));
        chunk.invalid().iter().for_each(|&byte| push_hex(out, byte));
    }
    out.push(b'\'');
}

/// `name` as text for a message: quoted where needed, never with a control character.
pub(crate) fn visible(name: &[u8]) -> String {
    let mut out = Vec::with_capacity(name.len());
    push_visible(&mut out, name);
    String::from_utf8_lossy(&out).into_owned()
}

fn push_char(out: &mut Vec<u8>, ch: char) {
    match ch {
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\x1b' => out.extend_from_slice(b"\\e"),
        '\'' | '\\' => out.extend_from_slice(&[b'\\', ch as u8]),
        _ => {
            let mut utf8 = [0; 4];
            let bytes = ch.encode_utf8(&mut utf8).as_bytes();
            if is_printable(ch) {
                out.extend_from_slice(bytes);
            } else {
                bytes.iter().for_each(|&byte| push_hex(out, byte));
            }
        }
    }
}

fn push_hex(out: &mut Vec<u8>, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(&[b'\\', b'x', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
}

/// False for control characters, line separators and marks that reorder or hide text.
pub(crate) fn is_printable(ch: char) -> bool {
    !(ch.is_control()
        || matches!(ch, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(ch, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{61c}' | '\u{e0000}'..='\u{e007f}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &[u8], expect: &str) {
        assert_eq!(visible(name), expect);
        assert_eq!(is_plain(name), visible(name).as_bytes() == name);
    }

    #[test]
    fn ordinary_names_are_unchanged() {
        for name in ["", "a b.txt", "Grüße 漢字 🦀", "dev-disk\\x2duuid.device", "it's", "a$'b"] {
            check(name.as_bytes(), name);
        }
    }

    #[test]
    fn control_characters_are_quoted() {
        check(b"a\nb", r"$'a\nb'");
        check(b"a\tb\r", r"$'a\tb\r'");
        check(b"\x1b]0;title\x07", r"$'\e]0;title\x07'");
        check(b"\x7f", r"$'\x7f'");
        check("\u{9b}31m".as_bytes(), r"$'\xc2\x9b31m'");
    }

    #[test]
    fn invalid_unicode_is_quoted_byte_by_byte() {
        check(b"caf\xe9", r"$'caf\xe9'");
        check(b"\xff\xfe ok \xc3", r"$'\xff\xfe ok \xc3'");
    }

    #[test]
    fn text_direction_marks_are_quoted() {
        check("exe\u{202e}txt".as_bytes(), r"$'exe\xe2\x80\xaetxt'");
    }

    #[test]
    fn quotes_and_backslashes_inside_a_quoted_name_are_escaped() {
        check(b"it's\\\n", r"$'it\'s\\\n'");
    }

    #[test]
    fn a_name_that_looks_quoted_is_quoted() {
        check(b"$'a'", r"$'$\'a\''");
    }

    #[test]
    fn a_shell_reads_the_same_bytes_back() {
        let name: Vec<u8> = (1..=255).filter(|&byte| byte != b'/').collect();
        let script = format!("printf %s {}", visible(&name));
        let Ok(shell) = std::process::Command::new("bash").args(["-c", &script]).env("LC_ALL", "C").output()
        else {
            return;
        };
        assert_eq!(shell.stdout, name);
    }
}

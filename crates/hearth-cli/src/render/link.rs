//! Hyperlinks of a terminal (OSC 8) from a name to its file.
//!
//! The target is a `file://` URL with the machine's name, as the convention asks, so that a terminal
//! showing a remote session does not open a local file. Every byte outside the unreserved set is
//! percent-encoded: no name can end the sequence early.

use std::sync::LazyLock;

static HOST: LazyLock<Vec<u8>> = LazyLock::new(|| rustix::system::uname().nodename().to_bytes().to_vec());

const CLOSE: &[u8] = b"\x1b]8;;\x1b\\";

/// Appends what `text` appends, as a link to the absolute `path` if `linked`.
pub(crate) fn wrap(out: &mut Vec<u8>, linked: bool, path: &[u8], text: impl FnOnce(&mut Vec<u8>)) {
    if !linked {
        return text(out);
    }
    out.extend_from_slice(b"\x1b]8;;file://");
    push_encoded(out, &HOST);
    push_encoded(out, path);
    out.extend_from_slice(b"\x1b\\");
    text(out);
    out.extend_from_slice(CLOSE);
}

fn push_encoded(out: &mut Vec<u8>, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'.' | b'_' | b'~') {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_carry_host_and_encoded_path() {
        let mut out = Vec::new();
        wrap(&mut out, true, b"/a b/\x1b\xff%", |out| out.extend_from_slice(b"text"));
        let text = String::from_utf8(out).expect("all is encoded");
        assert!(text.starts_with("\x1b]8;;file://"), "{text:?}");
        assert!(text.ends_with("/a%20b/%1B%FF%25\x1b\\text\x1b]8;;\x1b\\"), "{text:?}");
    }

    #[test]
    fn unlinked_text_is_bare() {
        let mut out = Vec::new();
        wrap(&mut out, false, b"/a", |out| out.extend_from_slice(b"text"));
        assert_eq!(out, b"text");
    }
}

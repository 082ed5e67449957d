//! File modes as text: the ten characters of `ls -l`, and octal permission bits.
//!
//! Whatever the bits are, the width is the same. What has no mode, as an entry of NTFS, has the letter of its kind.

use hearth_core::EntryKind;

/// `drwxr-sr-x`: kind, then the three triplets with set-id and sticky bits folded in.
pub(crate) fn symbolic(kind: EntryKind, mode: u32) -> String {
    let mut text = String::with_capacity(10);
    text.push(kind_letter(kind));
    for (shift, special, set, bare) in [(6, 0o4000, 's', 'S'), (3, 0o2000, 's', 'S'), (0, 0o1000, 't', 'T')] {
        let bits = mode >> shift;
        text.push(if bits & 4 != 0 { 'r' } else { '-' });
        text.push(if bits & 2 != 0 { 'w' } else { '-' });
        text.push(match (bits & 1 != 0, mode & special != 0) {
            (true, true) => set,
            (false, true) => bare,
            (true, false) => 'x',
            (false, false) => '-',
        });
    }
    text
}

/// The twelve permission bits in octal, four digits: `0644`.
pub(crate) fn octal(mode: u32) -> String {
    format!("{:04o}", mode & 0o7777)
}

/// The first letter of a row of `ls -l`.
pub(crate) fn kind_letter(kind: EntryKind) -> char {
    match kind {
        EntryKind::File => '-',
        EntryKind::Dir => 'd',
        EntryKind::Link => 'l',
        EntryKind::Fifo => 'p',
        EntryKind::Socket => 's',
        EntryKind::Block => 'b',
        EntryKind::Char => 'c',
        EntryKind::Stream => '+',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_read_like_ls() {
        for (kind, mode, expect) in [
            (EntryKind::File, 0o100_644, "-rw-r--r--"),
            (EntryKind::Dir, 0o41_777, "drwxrwxrwt"),
            (EntryKind::File, 0o104_755, "-rwsr-xr-x"),
            (EntryKind::File, 0o106_644, "-rwSr-Sr--"),
            (EntryKind::Dir, 0o41_770, "drwxrwx--T"),
            (EntryKind::Fifo, 0o10_000, "p---------"),
        ] {
            assert_eq!(symbolic(kind, mode), expect);
        }
        assert_eq!(octal(0o104_755), "4755");
        assert_eq!(octal(0o100_044), "0044");
    }
}

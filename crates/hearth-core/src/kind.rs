//! What a directory entry is.
//!
//! One closed set for every file system; its order is the order of `sort: type`. The words are the same
//! in queries, in JSON and on the command line, and the type bits of a Unix mode are read in one place.
//! Named streams, which no Unix mode knows, have type bits that no Linux file system uses.

/// Kind of a directory entry. `Stream` is a named data stream of NTFS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum EntryKind {
    /// Regular file.
    File,
    /// Directory.
    Dir,
    /// Symbolic link (or NTFS reparse link); never followed.
    Link,
    /// Named pipe.
    Fifo,
    /// Unix socket.
    Socket,
    /// Block device.
    Block,
    /// Character device.
    Char,
    /// Named data stream.
    Stream,
}

impl EntryKind {
    /// Every kind, in the order of `sort: type`.
    pub const ALL: [EntryKind; 8] = [
        EntryKind::File,
        EntryKind::Dir,
        EntryKind::Link,
        EntryKind::Fifo,
        EntryKind::Socket,
        EntryKind::Block,
        EntryKind::Char,
        EntryKind::Stream,
    ];

    /// The word of the query language and of the JSON field `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            EntryKind::File => "file",
            EntryKind::Dir => "dir",
            EntryKind::Link => "link",
            EntryKind::Fifo => "fifo",
            EntryKind::Socket => "socket",
            EntryKind::Block => "block",
            EntryKind::Char => "char",
            EntryKind::Stream => "stream",
        }
    }

    /// Reverse of [`EntryKind::as_str`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Kind held in the type bits of a Unix mode (`stat(2)`, `S_IFMT`); unknown bits count as a file.
    pub fn from_mode(mode: u32) -> Self {
        match mode & 0o170_000 {
            0o040_000 => EntryKind::Dir,
            0o120_000 => EntryKind::Link,
            0o010_000 => EntryKind::Fifo,
            0o140_000 => EntryKind::Socket,
            0o060_000 => EntryKind::Block,
            0o020_000 => EntryKind::Char,
            0o150_000 => EntryKind::Stream,
            _ => EntryKind::File,
        }
    }

    /// Type bits of a Unix mode for this kind; different for each.
    pub fn type_bits(self) -> u32 {
        match self {
            EntryKind::File => 0o100_000,
            EntryKind::Dir => 0o040_000,
            EntryKind::Link => 0o120_000,
            EntryKind::Fifo => 0o010_000,
            EntryKind::Socket => 0o140_000,
            EntryKind::Block => 0o060_000,
            EntryKind::Char => 0o020_000,
            EntryKind::Stream => 0o150_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_modes_round_trip() {
        for kind in EntryKind::ALL {
            assert_eq!(EntryKind::from_word(kind.as_str()), Some(kind));
            assert_eq!(EntryKind::from_mode(kind.type_bits() | 0o755), kind);
            assert_eq!(kind.type_bits() & !0o170_000, 0);
        }
        assert_eq!(EntryKind::from_word("folder"), None);
    }
}

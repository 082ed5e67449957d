//! Which fields of an entry a client wants.
//!
//! One table gives each field its name in JSON and its place in a row; sets of them are a few bits, so
//! that rendering asks without searching. Fields marked "only on request" cost the daemon extra work.

use serde::{Deserialize, Serialize};

macro_rules! columns {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
        /// One field of an [`Entry`](crate::Entry).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Column { $($(#[$doc])* #[serde(rename = $word)] $name,)* }

        impl Column {
            /// Every field, in the order in which an entry shows them.
            pub const ALL: &[Column] = &[$(Column::$name,)*];

            /// Name of the field in JSON.
            pub fn as_str(self) -> &'static str {
                match self { $(Column::$name => $word,)* }
            }
        }
    };
}

columns! {
    /// Absolute path.
    Path = "path";
    /// Last component of the path.
    Name = "name";
    /// Kind of entry, in words.
    Kind = "kind";
    /// Logical size, bytes.
    Size = "size";
    /// Bytes allocated on disk.
    Allocated = "allocated";
    /// Last modification.
    Modified = "modified_ns";
    /// Birth.
    Created = "created_ns";
    /// Last access.
    Accessed = "accessed_ns";
    /// Type and permission bits; not of NTFS.
    Mode = "mode";
    /// Owner; not of NTFS.
    Uid = "uid";
    /// Group; not of NTFS.
    Gid = "gid";
    /// NTFS: attributes as letters.
    Attributes = "attributes";
    /// Inode number; NTFS: number of the file record.
    FileId = "file_id";
    /// NTFS: which use of the record it is.
    Sequence = "sequence";
    /// Hard links.
    Links = "links";
    /// NTFS: that it was deleted; only where it was.
    Deleted = "deleted";
    /// Source that holds the entry.
    Source = "source";
    /// Components of the path. Only on request.
    Depth = "depth";
    /// Folder: entries directly in it. Only on request.
    Children = "children";
    /// Folder: entries anywhere below. Only on request.
    Descendants = "descendants";
    /// Folder: sum of sizes below. Only on request.
    TreeSize = "tree_size";
    /// Folder: sum of allocated bytes below. Only on request.
    TreeAllocated = "tree_allocated";
}

impl Column {
    /// Reverse of [`Column::as_str`].
    pub fn from_word(word: &str) -> Option<Column> {
        Column::ALL.iter().copied().find(|column| column.as_str() == word)
    }
}

/// A set of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns(u32);

impl Columns {
    /// No column.
    pub const NONE: Columns = Columns(0);
    /// The fields that every entry has: all but those marked "only on request".
    pub const DEFAULT: Columns = Columns((1 << Column::Depth as u32) - 1);

    /// The same set with `column`.
    #[must_use]
    pub const fn with(self, column: Column) -> Columns {
        Columns(self.0 | 1 << column as u32)
    }

    /// True if `column` is in the set.
    pub const fn has(self, column: Column) -> bool {
        self.0 >> column as u32 & 1 == 1
    }

    /// True if any of `other` is in the set.
    pub const fn intersects(self, other: Columns) -> bool {
        self.0 & other.0 != 0
    }
}

impl FromIterator<Column> for Columns {
    fn from_iter<I: IntoIterator<Item = Column>>(columns: I) -> Self {
        columns.into_iter().fold(Columns::NONE, Columns::with)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_ends_where_requests_begin() {
        assert!(Columns::DEFAULT.has(Column::Path) && Columns::DEFAULT.has(Column::Source));
        assert!(!Columns::DEFAULT.has(Column::Depth) && !Columns::DEFAULT.has(Column::TreeAllocated));
    }

    #[test]
    fn words_are_the_serde_names() {
        for &column in Column::ALL {
            assert_eq!(Column::from_word(column.as_str()), Some(column));
            assert_eq!(serde_json::to_value(column).unwrap(), column.as_str());
        }
    }
}

//! The rows of a chunk, packed: what a scan found takes a third of the memory until the index is built.
//!
//! Each field is a sequence of its own, so that a pass which needs one field reads only that one. Neighbours
//! are alike (one folder, one unpacking, inodes given out in order), so most fields are kept as what they differ by, in as
//! few bytes as that takes. What always holds: a row comes out as it went in, and rows come out in order only.

use super::{Meta, NOT_A_DIR, RawRow, ScanDir};
use crate::index::expected_allocation;
use crate::index::stored::numbers::{Numbers, put, put_signed};
use hearth_core::UnixNanos;

/// Mode, user, group, links, attributes.
type Class = [u32; 5];

/// Classes among which a row looks for its own; a chunk has few, and one that is kept twice does no harm.
const CLASSES_SEARCHED: usize = 32;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    len: usize,
    parents: Vec<u8>,
    /// Twice the length of the name, one more for a folder.
    names: Vec<u8>,
    /// Numbers of the folders among the rows.
    dirs: Vec<ScanDir>,
    sizes: Vec<u8>,
    allocated: Vec<u8>,
    modified: Vec<UnixNanos>,
    created: Vec<u8>,
    accessed: Vec<u8>,
    inodes: Vec<u8>,
    class_of: Vec<u8>,
    classes: Vec<Class>,
    last_parent: ScanDir,
    last_inode: u64,
}

impl Rows {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The rows, in the order in which they were added.
    pub fn iter(&self) -> RowIter<'_> {
        RowIter::new(self)
    }

    pub(super) fn push(&mut self, parent: ScanDir, dir: ScanDir, name_len: usize, meta: &Meta) {
        put_signed(&mut self.parents, i64::from(parent) - i64::from(self.last_parent));
        put(&mut self.names, (name_len as u64) << 1 | u64::from(dir != NOT_A_DIR));
        if dir != NOT_A_DIR {
            self.dirs.push(dir);
        }
        put(&mut self.sizes, meta.size);
        let expected = expected_allocation(meta.size as i64);
        put_signed(&mut self.allocated, (meta.allocated as i64).wrapping_sub(expected));
        self.modified.push(meta.modified_ns);
        put_signed(&mut self.created, meta.created_ns.wrapping_sub(meta.modified_ns));
        put_signed(&mut self.accessed, meta.accessed_ns.wrapping_sub(meta.created_ns));
        put_signed(&mut self.inodes, meta.inode.wrapping_sub(self.last_inode) as i64);
        let class = self.class(meta);
        put(&mut self.class_of, class as u64);
        (self.last_parent, self.last_inode) = (parent, meta.inode);
        self.len += 1;
    }

    fn class(&mut self, meta: &Meta) -> usize {
        let class = [meta.mode, meta.uid, meta.gid, meta.links, meta.attributes];
        let from = self.classes.len().saturating_sub(CLASSES_SEARCHED);
        let known = self.classes[from..].iter().rposition(|known| *known == class);
        known.map_or_else(
            || {
                self.classes.push(class);
                self.classes.len() - 1
            },
            |at| from + at,
        )
    }

    pub(super) fn shrink_to_fit(&mut self) {
        let Self { parents, names, sizes, allocated, created, accessed, inodes, class_of, .. } = self;
        for bytes in [parents, names, sizes, allocated, created, accessed, inodes, class_of] {
            bytes.shrink_to_fit();
        }
        self.dirs.shrink_to_fit();
        self.modified.shrink_to_fit();
        self.classes.shrink_to_fit();
    }

    /// Folders that hold the rows.
    pub(crate) fn parents(&self) -> impl Iterator<Item = ScanDir> + '_ {
        let mut last = 0;
        signed(&self.parents, self.len).map(move |step| {
            last += step;
            last as ScanDir
        })
    }

    /// Length of each name, bytes, and whether the row is a folder.
    pub(crate) fn names(&self) -> impl Iterator<Item = (usize, bool)> + '_ {
        unsigned(&self.names, self.len).map(|name| ((name >> 1) as usize, name & 1 == 1))
    }

    /// Numbers of folders; of other rows [`NOT_A_DIR`].
    pub(crate) fn dirs(&self) -> impl Iterator<Item = ScanDir> + '_ {
        let mut dirs = self.dirs.iter();
        self.names()
            .map(move |(_, is_dir)| if is_dir { next(&mut dirs.by_ref().copied()) } else { NOT_A_DIR })
    }

    pub(crate) fn sizes(&self) -> impl Iterator<Item = i64> + '_ {
        unsigned(&self.sizes, self.len).map(|size| size as i64)
    }

    pub(crate) fn allocated(&self) -> impl Iterator<Item = i64> + '_ {
        let differences = signed(&self.allocated, self.len);
        self.sizes().zip(differences).map(|(size, by)| expected_allocation(size).wrapping_add(by))
    }

    pub(crate) fn modified(&self) -> impl Iterator<Item = UnixNanos> + '_ {
        self.modified.iter().copied()
    }

    pub(crate) fn created(&self) -> impl Iterator<Item = UnixNanos> + '_ {
        self.modified().zip(signed(&self.created, self.len)).map(|(modified, by)| modified.wrapping_add(by))
    }

    pub(crate) fn accessed(&self) -> impl Iterator<Item = UnixNanos> + '_ {
        self.created().zip(signed(&self.accessed, self.len)).map(|(created, by)| created.wrapping_add(by))
    }

    pub(crate) fn inodes(&self) -> impl Iterator<Item = i64> + '_ {
        let mut last = 0i64;
        signed(&self.inodes, self.len).map(move |step| {
            last = last.wrapping_add(step);
            last
        })
    }

    /// Mode, user, group, links, attributes.
    pub(crate) fn classes(&self) -> impl Iterator<Item = Class> + '_ {
        unsigned(&self.class_of, self.len).map(|class| self.classes[class as usize])
    }
}

fn unsigned(bytes: &[u8], len: usize) -> impl Iterator<Item = u64> + '_ {
    let mut numbers = Numbers::new(bytes);
    (0..len).map(move |_| numbers.take().expect("a number for each row"))
}

fn signed(bytes: &[u8], len: usize) -> impl Iterator<Item = i64> + '_ {
    let mut numbers = Numbers::new(bytes);
    (0..len).map(move |_| numbers.take_signed().expect("a number for each row"))
}

fn next<T>(values: &mut impl Iterator<Item = T>) -> T {
    values.next().expect("a value for each row")
}

type Values<'r, T> = Box<dyn Iterator<Item = T> + 'r>;

/// Rows as they went in.
pub struct RowIter<'r> {
    left: usize,
    name_start: u32,
    parents: Values<'r, ScanDir>,
    dirs: Values<'r, ScanDir>,
    names: Values<'r, (usize, bool)>,
    bytes: Values<'r, (i64, i64)>,
    times: Values<'r, ((UnixNanos, UnixNanos), UnixNanos)>,
    inodes: Values<'r, i64>,
    classes: Values<'r, Class>,
}

impl<'r> RowIter<'r> {
    fn new(rows: &'r Rows) -> Self {
        Self {
            left: rows.len,
            name_start: 0,
            parents: Box::new(rows.parents()),
            dirs: Box::new(rows.dirs()),
            names: Box::new(rows.names()),
            bytes: Box::new(rows.sizes().zip(rows.allocated())),
            times: Box::new(rows.modified().zip(rows.created()).zip(rows.accessed())),
            inodes: Box::new(rows.inodes()),
            classes: Box::new(rows.classes()),
        }
    }
}

impl Iterator for RowIter<'_> {
    type Item = RawRow;

    fn next(&mut self) -> Option<RawRow> {
        self.left = self.left.checked_sub(1)?;
        let (name_start, (name_len, _)) = (self.name_start, next(&mut self.names));
        self.name_start += name_len as u32;
        let (size, allocated) = next(&mut self.bytes);
        let ((modified_ns, created_ns), accessed_ns) = next(&mut self.times);
        let [mode, uid, gid, links, attributes] = next(&mut self.classes);
        let meta = Meta {
            size: size as u64,
            allocated: allocated as u64,
            modified_ns,
            created_ns,
            accessed_ns,
            inode: next(&mut self.inodes) as u64,
            mode,
            uid,
            gid,
            links,
            attributes,
        };
        let (parent, dir) = (next(&mut self.parents), next(&mut self.dirs));
        Some(RawRow { parent, dir, name_start, name_len: name_len as u16, meta })
    }
}

impl<'r> IntoIterator for &'r Rows {
    type Item = RawRow;
    type IntoIter = RowIter<'r>;

    fn into_iter(self) -> RowIter<'r> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Chunk;
    use hearth_core::NO_TIME;
    use proptest::prelude::*;

    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![
            0u64..9000,
            any::<u64>(),
            Just(u64::MAX),
            Just(NO_TIME as u64),
            Just(1_700_000_000_000_000_000)
        ]
    }

    fn meta() -> impl Strategy<Value = Meta> {
        let classed = prop::array::uniform5(prop_oneof![0u32..3, any::<u32>()]);
        (prop::array::uniform6(number()), classed).prop_map(|(numbers, classed)| {
            let [size, allocated, inode, modified, created, accessed] = numbers;
            let [mode, uid, gid, links, attributes] = classed;
            let (modified_ns, created_ns, accessed_ns) = (modified as i64, created as i64, accessed as i64);
            Meta {
                size,
                allocated,
                modified_ns,
                created_ns,
                accessed_ns,
                inode,
                mode,
                uid,
                gid,
                links,
                attributes,
            }
        })
    }

    proptest! {
        #[test]
        fn rows_come_out_as_they_went_in(
            rows in prop::collection::vec((any::<u32>(), any::<Option<u32>>(), "[a-z]{0,9}", meta()), 0..120)
        ) {
            let mut chunk = Chunk::default();
            for (parent, dir, name, meta) in &rows {
                chunk.push(*parent, dir.unwrap_or(NOT_A_DIR), name.as_bytes(), *meta);
            }
            chunk.shrink_to_fit();
            prop_assert_eq!(chunk.rows.len(), rows.len());
            prop_assert_eq!(chunk.rows.is_empty(), rows.is_empty());
            let mut found = 0;
            for (row, (parent, dir, name, meta)) in chunk.rows.iter().zip(&rows) {
                prop_assert_eq!((row.parent, row.dir, row.meta), (*parent, dir.unwrap_or(NOT_A_DIR), *meta));
                prop_assert_eq!(chunk.name(&row), name.as_bytes());
                found += 1;
            }
            prop_assert_eq!(found, rows.len());
        }
    }
}

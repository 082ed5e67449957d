//! A volume of any size in the likeness of a real tree.
//!
//! The real tree is repeated under new top folders. In every copy but the first about half of the
//! names are changed (see [`Spelling`]), which gives the share of unique names that real volumes of
//! that size show. Sizes, modes, owners and hard links are those of the originals; times move by up
//! to 30 days at random to the nanosecond, the same for the three times of one entry; inode numbers
//! keep the real gaps, copy after copy. Same seed, same volume.

use crate::corpus::Corpus;
use crate::options::Times;
use crate::random::Random;
use crate::spelling::Spelling;
use hearth_core::{EntryKind, NO_TIME, UnixNanos};
use hearth_files::entry::{Chunk, Meta, NOT_A_DIR, RawRow, ScanDir};
use rayon::prelude::*;
use std::sync::Arc;

/// Rows of one chunk: about what one folder listing after the other adds up to in a scan.
const CHUNK_ROWS: usize = 64 * 1024;
const NANOS_OF_30_DAYS: usize = 30 * 86_400 * 1_000_000_000;

/// What to generate.
#[derive(Clone, Copy)]
pub(crate) struct Recipe {
    pub(crate) entries: usize,
    pub(crate) seed: u64,
    pub(crate) times: Times,
}

/// One chunk's worth of one copy.
struct Piece {
    copy: usize,
    first: usize,
    rows: usize,
}

/// Generates the volume: `recipe.entries` rows, not counting the root.
pub(crate) fn generate(corpus: &Corpus, recipe: Recipe) -> Vec<Arc<Chunk>> {
    let pieces = pieces(corpus.chunk.rows.len(), recipe.entries);
    pieces.par_iter().map(|piece| Arc::new(generate_piece(corpus, recipe, piece))).collect()
}

/// Cuts the wanted rows into copies and the copies into chunks. A copy begins with its top folder.
fn pieces(corpus_rows: usize, entries: usize) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut left = entries;
    for copy in 0.. {
        if left == 0 {
            break;
        }
        let in_copy = left.min(corpus_rows + 1);
        left -= in_copy;
        let starts = (0..in_copy).step_by(CHUNK_ROWS);
        pieces.extend(starts.map(|first| Piece { copy, first, rows: CHUNK_ROWS.min(in_copy - first) }));
    }
    pieces
}

fn generate_piece(corpus: &Corpus, recipe: Recipe, piece: &Piece) -> Chunk {
    let mut random = Random::new(recipe.seed, (piece.copy as u64) << 32 | piece.first as u64);
    let mut copy =
        Copy { corpus, recipe, number: piece.copy, folder: NOT_A_DIR, spelling: Spelling::default() };
    let mut chunk = Chunk::default();
    let mut name = Vec::new();
    for at in piece.first..piece.first + piece.rows {
        match at.checked_sub(1) {
            None => copy.push_top(&mut chunk),
            Some(original) => copy.push(&mut chunk, &corpus.rows[original], &mut name, &mut random),
        }
    }
    chunk.shrink_to_fit();
    chunk
}

/// One copy of the real tree.
struct Copy<'a> {
    corpus: &'a Corpus,
    recipe: Recipe,
    number: usize,
    /// Original folder that `spelling` is for.
    folder: ScanDir,
    spelling: Spelling,
}

impl Copy<'_> {
    fn push_top(&self, chunk: &mut Chunk) {
        let meta = Meta { mode: EntryKind::Dir.type_bits() | 0o755, size: 4096, ..self.corpus.rows[0].meta };
        let meta = Meta { inode: self.inode(2), links: 2, ..meta };
        chunk.push(0, self.dir(0), format!("disk-{:04}", self.number).as_bytes(), meta);
    }

    fn push(&mut self, chunk: &mut Chunk, row: &RawRow, name: &mut Vec<u8>, random: &mut Random) {
        name.clear();
        name.extend_from_slice(self.corpus.chunk.name(row));
        self.enter(row.parent);
        self.spelling.apply(name);
        let dir = if row.dir == NOT_A_DIR { NOT_A_DIR } else { self.dir(row.dir) };
        chunk.push(self.dir(row.parent), dir, name, self.meta(&row.meta, random));
    }

    /// Makes `spelling` that of a folder of the original. The first copy keeps every name.
    fn enter(&mut self, folder: ScanDir) {
        if folder != self.folder && self.number > 0 {
            let stream = (self.number as u64) << 32 | u64::from(folder);
            self.spelling = Spelling::random(&mut Random::new(!self.recipe.seed, stream));
        }
        self.folder = folder;
    }

    /// Number of an original folder in this copy; the original root is the copy's top folder.
    fn dir(&self, original: ScanDir) -> ScanDir {
        1 + self.number as u32 * self.corpus.dirs + original
    }

    fn inode(&self, original: u64) -> u64 {
        self.number as u64 * (self.corpus.last_inode + 1) + original
    }

    fn meta(&self, original: &Meta, random: &mut Random) -> Meta {
        let shift = match self.recipe.times {
            Times::Scattered => random.below(NANOS_OF_30_DAYS) as i64,
            Times::Copied => 0,
        };
        Meta {
            modified_ns: earlier(original.modified_ns, shift),
            created_ns: earlier(original.created_ns, shift),
            accessed_ns: earlier(original.accessed_ns, shift),
            inode: self.inode(original.inode),
            ..*original
        }
    }
}

fn earlier(time: UnixNanos, by: i64) -> UnixNanos {
    if time == NO_TIME { NO_TIME } else { time.saturating_sub(by).max(NO_TIME + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn corpus() -> Corpus {
        let mut chunk = Chunk::default();
        let meta = |inode| Meta { modified_ns: 77, ..Meta::unknown(EntryKind::File, inode) };
        chunk.push(0, 1, b"etc", Meta::unknown(EntryKind::Dir, 11));
        for inode in 20..40 {
            chunk.push(1, NOT_A_DIR, format!("settings{inode}.conf").as_bytes(), meta(inode));
        }
        Corpus { rows: chunk.rows.iter().collect(), chunk, dirs: 2, last_inode: 40 }
    }

    fn rows(entries: usize, seed: u64) -> Vec<(u32, u32, Vec<u8>, u64)> {
        let chunks = generate(&corpus(), Recipe { entries, seed, times: Times::Scattered });
        let row =
            |chunk: &Chunk, row: &RawRow| (row.parent, row.dir, chunk.name(row).to_vec(), row.meta.inode);
        chunks
            .iter()
            .flat_map(|chunk| chunk.rows.iter().map(|it| row(chunk, &it)).collect::<Vec<_>>())
            .collect()
    }

    #[test]
    fn has_the_wanted_size_and_is_a_tree_with_distinct_folders() {
        for entries in [1, 21, 22, 23, 100] {
            let rows = rows(entries, 1);
            assert_eq!(rows.len(), entries);
            let mut known = HashSet::from([0]);
            for (parent, dir, name, _) in rows {
                assert!(known.contains(&parent), "{parent} comes before {name:?}");
                assert!(dir == NOT_A_DIR || known.insert(dir), "{dir} is new");
                assert!(!name.is_empty() && !name.contains(&b'/'));
            }
        }
    }

    #[test]
    fn no_folder_holds_a_name_twice() {
        let rows = rows(2000, 3);
        let distinct: HashSet<_> = rows.iter().map(|(parent, _, name, _)| (parent, name)).collect();
        assert_eq!(distinct.len(), rows.len());
    }

    #[test]
    fn same_seed_same_volume_and_inodes_are_distinct() {
        assert_eq!(rows(200, 5), rows(200, 5));
        assert_ne!(rows(200, 5), rows(200, 6));
        let inodes: HashSet<u64> = rows(200, 5).into_iter().map(|(.., inode)| inode).collect();
        assert_eq!(inodes.len(), 200);
    }
}

//! Which folders a source had when it left memory, so that what happens elsewhere in its file system is no news of it.
//!
//! A Bloom filter over inodes: it may take a folder for one of the source's, never the other way round. What comes later
//! lies in a folder that was there before, so the first change of a source is told from others surely.

use hearth_files::follow::Look;
use hearth_files::index::Body;

/// Bits of each folder, as many as make one in a hundred others look like one.
const BITS: usize = 10;
const HASHES: u32 = 7;

/// See the module.
#[derive(Debug)]
pub(super) struct Remembered {
    words: Box<[u64]>,
}

impl Remembered {
    /// The folders of a body.
    pub(super) fn of(body: &Body) -> Self {
        let bits = body.folder_inodes().count() * BITS;
        let mut remembered = Self { words: vec![0; bits / 64 + 1].into() };
        for inode in body.folder_inodes() {
            remembered.places(inode).for_each(|(word, bit)| remembered.words[word] |= bit);
        }
        remembered
    }

    /// Whether something that is to be looked at may lie in the source.
    pub(super) fn may_hold(&self, look: &Look) -> bool {
        match look {
            Look::Name { folder, .. } | Look::Folder { folder } => {
                self.places(*folder).all(|(word, bit)| self.words[word] & bit != 0)
            }
            // Of these the folder is not known.
            Look::Object { .. } => true,
        }
    }

    fn places(&self, inode: u64) -> impl Iterator<Item = (usize, u64)> + use<> {
        let hash = mix(inode);
        let (first, step, bits) = (hash >> 32, (hash & 0xffff_ffff) | 1, self.words.len() as u64 * 64);
        (0..u64::from(HASHES)).map(move |turn| {
            let at = first.wrapping_add(turn.wrapping_mul(step)) % bits;
            ((at / 64) as usize, 1 << (at % 64))
        })
    }
}

/// Spreads neighbouring inodes over all values (the finisher of SplitMix64).
fn mix(inode: u64) -> u64 {
    let mut hash = inode.wrapping_add(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ hash >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_core::{CancelToken, EntryKind};
    use hearth_files::entry::{Chunk, Meta};
    use hearth_files::index::Root;
    use std::sync::Arc;

    #[test]
    fn all_folders_are_known_and_few_others_are_taken_for_them() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let mut chunk = Chunk::default();
        for dir in 1..5000u32 {
            let meta = Meta::unknown(EntryKind::Dir, u64::from(dir) * 3);
            chunk.push(0, dir, format!("d{dir}").as_bytes(), meta);
        }
        let root = Root { path: b"/r".to_vec(), meta: Meta::unknown(EntryKind::Dir, 2) };
        let body = Body::build(&root, &[Arc::new(chunk)], &pool, &CancelToken::new()).unwrap();
        let remembered = Remembered::of(&body);
        let may = |folder| remembered.may_hold(&Look::Folder { folder });
        assert!(may(2) && (1..5000).all(|dir| may(dir * 3)));
        let wrong = (0..100_000).filter(|number| may(1_000_000 + number)).count();
        assert!(wrong < 3000, "{wrong}");
    }
}

//! What stays of a body that left memory: enough to say "certainly not here".
//!
//! A digest holds, of every name of a volume: the folded name, its extension and its grams (three-byte
//! windows of `NUL name NUL`, the ones that the engine's gram index knows), as three sets that can be wrong
//! in one direction only. What was built is static and shared: binary fuse filters of about nine bits per
//! key, since nothing smaller is as fast and takes no second look; grams become a bitmap where that is
//! smaller. What was added later is a small growing Bloom filter beside them, and holds only keys that the
//! static sets do not. A name costs 9 to 10 bits, and all grams together as a rule less than the names.
//!
//! What always holds: if an entry matches a query, [`Digest::refutes`] is false for it, for the body that
//! the digest was built from and for every later one whose changes it absorbed. Removed entries are not
//! taken out: they only make "maybe" more frequent. Once more was added than there is room for, the digest is
//! saturated and refutes nothing until it is built again.
//!
//! Cloning shares everything; absorbing copies at most the last layer of what was added.

mod fresh;
mod fuse;
mod grams;
mod keys;
mod refute;
mod stored;
mod summary;

pub use summary::{FolderShare, Summary};

use crate::fold::fold_into;
use crate::index::{Body, Change};
use fresh::Fresh;
use fuse::FuseFilter;
use grams::{GramCollector, GramSet};
use hearth_core::HeapSize;
use keys::{Key, for_each_key};
use std::collections::HashSet;
use std::sync::Arc;

/// Keys that can always be absorbed (16 bits each).
const LEAST_ROOM: usize = 1 << 16;

/// Of a large volume: one new key for this many names of the base.
const NAMES_PER_NEW_KEY: usize = 8;

/// See the module.
#[derive(Clone, Debug)]
pub struct Digest {
    known: Arc<Known>,
    fresh: Fresh,
    summary: Arc<Summary>,
}

/// What a body's names have. `None` of a filter: anything may be in the set.
#[derive(Debug)]
struct Known {
    /// Path of the volume's root; "" for `/`.
    root: Box<[u8]>,
    names: Option<FuseFilter>,
    extensions: Option<FuseFilter>,
    grams: GramSet,
}

impl Digest {
    /// The digest of a body, its base and its changes. Reads every distinct name; takes 8 bytes per name
    /// and some 40 MiB at most beside the result while it works.
    pub fn of(body: &Body) -> Digest {
        let mut names = Vec::with_capacity(body.base.names.len());
        let mut extensions = HashSet::new();
        let mut grams = GramCollector::new();
        body.for_each_name(|folded| {
            for_each_key(folded, |key| match key {
                Key::Name(hash) => names.push(hash),
                Key::Extension(hash) => {
                    extensions.insert(hash);
                }
                Key::Gram(gram) => grams.add(gram),
            });
        });
        let room = LEAST_ROOM.max(names.len() / NAMES_PER_NEW_KEY);
        let known = Known {
            root: body.base.root.clone(),
            names: FuseFilter::build(names),
            extensions: FuseFilter::build(extensions.into_iter().collect()),
            grams: grams.finish(),
        };
        Digest { known: Arc::new(known), fresh: Fresh::new(room), summary: Arc::new(Summary::of(body)) }
    }

    /// Follows a batch of changes, placed or not. Leaves the summary as it is.
    pub fn absorb(&mut self, changes: &[Change]) {
        let mut folded = Vec::new();
        for change in changes {
            let (Change::Put { name, .. } | Change::Move { to_name: name, .. }) = change else { continue };
            folded.clear();
            fold_into(name, &mut folded);
            self.absorb_name(&folded);
        }
    }

    /// Follows a body that came out of an earlier one by changes: takes in the names that are new in it. Does nothing if
    /// the two have no base in common.
    pub fn follow(&mut self, earlier: &Body, later: &Body) {
        let mut folded = Vec::new();
        later.for_each_name_since(earlier, |name| {
            folded.clear();
            fold_into(name, &mut folded);
            self.absorb_name(&folded);
        });
    }

    fn absorb_name(&mut self, folded: &[u8]) {
        for_each_key(folded, |key| {
            if !self.known.may_hold(key) {
                self.fresh.add(key.hash());
            }
        });
    }

    /// True if so much was absorbed that nothing is refuted any more; only a new digest helps.
    pub fn is_saturated(&self) -> bool {
        self.fresh.is_saturated()
    }

    /// Figures of the volume when the digest was built or last summarised.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Brings the summary up to a body, whose changes must have been absorbed.
    pub fn summarise(&mut self, body: &Body) {
        self.summary = Arc::new(Summary::of(body));
    }

    /// Path of the volume's root; "" for `/`.
    fn root(&self) -> &[u8] {
        &self.known.root
    }

    /// False only if no name has the key.
    fn may_hold(&self, key: Key) -> bool {
        self.known.may_hold(key) || self.fresh.contains(key.hash())
    }
}

impl Known {
    fn may_hold(&self, key: Key) -> bool {
        let in_filter =
            |filter: &Option<FuseFilter>, hash| filter.as_ref().is_none_or(|filter| filter.contains(hash));
        match key {
            Key::Name(hash) => in_filter(&self.names, hash),
            Key::Extension(hash) => in_filter(&self.extensions, hash),
            Key::Gram(gram) => self.grams.contains(gram),
        }
    }
}

impl HeapSize for Digest {
    /// Parts that clones share are counted in each.
    fn heap_bytes(&self) -> usize {
        let known = &self.known;
        size_of::<Known>()
            + size_of::<Summary>()
            + known.root.heap_bytes()
            + known.names.heap_bytes()
            + known.extensions.heap_bytes()
            + known.grams.heap_bytes()
            + self.fresh.heap_bytes()
            + self.summary.heap_bytes()
    }
}

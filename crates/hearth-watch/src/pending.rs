//! Dirt that was read and not handed out yet: merged, and bounded in memory.
//!
//! When the bound is reached, folders with many dirty names become dirty as a whole, the largest first. If even
//! the folders are too many, everything is declared lost.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use crate::batch::{Act, Batch, Dirt};
use crate::cookie::Cookie;

/// What a name takes beside its bytes: its box, its place in a table that is half full, the allocator's share.
const NAME_BYTES: usize = 56;
/// What a folder or an object takes.
const FOLDER_BYTES: usize = 128;

/// An object of a file system. Inodes are used again; with the generation they are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ObjectId {
    /// Subvolume (btrfs), else 0.
    pub(crate) subvolume: u64,
    pub(crate) inode: u64,
    pub(crate) generation: u64,
}

impl ObjectId {
    /// An object of which only the inode is known.
    pub(crate) fn of_inode(inode: u64) -> Self {
        Self { subvolume: 0, inode, generation: 0 }
    }
}

#[derive(Debug)]
enum Names {
    Some(HashSet<Box<[u8]>>),
    All,
}

/// The dirt of one batch, in the making.
#[derive(Debug)]
pub(crate) struct Pending {
    folders: HashMap<u64, Names>,
    objects: HashSet<ObjectId>,
    bytes: usize,
    bytes_most: usize,
    acts_most: usize,
    rest: Rest,
}

#[derive(Debug, Default)]
struct Rest {
    /// Too much dirt for the memory: there is no use in more.
    flooded: bool,
    overflowed: bool,
    cookies: Vec<Cookie>,
    since: Option<Instant>,
    acts: Vec<Act>,
    acts_dropped: u64,
    events: u64,
    elsewhere: u64,
}

impl Pending {
    /// `bytes_most`: memory for dirt; `acts_most`: acts in one batch.
    pub(crate) fn new(bytes_most: usize, acts_most: usize) -> Self {
        let (folders, objects) = (HashMap::new(), HashSet::new());
        Self { folders, objects, bytes: 0, bytes_most, acts_most, rest: Rest::default() }
    }

    /// Whether there is anything to tell, also what is not worth a batch of its own.
    pub(crate) fn has_something(&self) -> bool {
        !self.is_empty() || self.rest.elsewhere > 0
    }

    /// Whether there is nothing to hand out.
    pub(crate) fn is_empty(&self) -> bool {
        self.since().is_none() && !self.is_urgent()
    }

    /// Whether somebody waits for it, so that gathering more would be wrong.
    pub(crate) fn is_urgent(&self) -> bool {
        self.rest.overflowed || !self.rest.cookies.is_empty()
    }

    pub(crate) fn has_cookies(&self) -> bool {
        !self.rest.cookies.is_empty()
    }

    /// When the first event that makes a difference was read.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.rest.since
    }

    /// Notes that events were read, whether or not they make dirt.
    pub(crate) fn count_events(&mut self, events: u64) {
        self.rest.events += events;
    }

    /// Notes an event for which there is no dirt.
    pub(crate) fn count_elsewhere(&mut self) {
        self.rest.elsewhere += 1;
    }

    pub(crate) fn add_name(&mut self, folder: u64, name: &[u8]) {
        if self.rest.flooded {
            return;
        }
        let names = self.folders.entry(folder).or_insert_with(|| {
            self.bytes += FOLDER_BYTES;
            Names::Some(HashSet::new())
        });
        if let Names::Some(names) = names
            && !names.contains(name)
        {
            names.insert(name.into());
            self.bytes += NAME_BYTES + name.len();
        }
        self.touched();
    }

    pub(crate) fn add_folder(&mut self, folder: u64) {
        if self.rest.flooded {
            return;
        }
        let freed = match self.folders.insert(folder, Names::All) {
            Some(Names::Some(names)) => bytes_of(&names),
            Some(Names::All) => 0,
            None => {
                self.bytes += FOLDER_BYTES;
                0
            }
        };
        self.bytes -= freed;
        self.touched();
    }

    pub(crate) fn add_object(&mut self, object: ObjectId) {
        if self.rest.flooded {
            return;
        }
        if self.objects.insert(object) {
            self.bytes += FOLDER_BYTES;
        }
        self.touched();
    }

    /// The object is no more; what became of its names is said by their own events.
    pub(crate) fn forget_object(&mut self, object: ObjectId) {
        if self.objects.remove(&object) {
            self.bytes -= FOLDER_BYTES;
        }
    }

    /// Something was lost.
    pub(crate) fn overflow(&mut self) {
        self.rest.overflowed = true;
        self.rest.since.get_or_insert_with(Instant::now);
    }

    pub(crate) fn pass(&mut self, cookie: Cookie) {
        self.rest.cookies.push(cookie);
    }

    /// Takes a cookie out again.
    pub(crate) fn take_cookie(&mut self, cookie: Cookie) -> bool {
        let before = self.rest.cookies.len();
        self.rest.cookies.retain(|passed| *passed != cookie);
        self.rest.cookies.len() < before
    }

    pub(crate) fn add_act(&mut self, act: Act) {
        if self.rest.acts.len() < self.acts_most {
            self.rest.acts.push(act);
        } else {
            self.rest.acts_dropped += 1;
        }
    }

    fn touched(&mut self) {
        self.rest.since.get_or_insert_with(Instant::now);
        if self.bytes > self.bytes_most {
            self.shrink();
        }
    }

    /// Names folders instead of names until half of the memory is free, else gives up.
    fn shrink(&mut self) {
        let mut sizes: Vec<(usize, u64)> = self.folders.iter().filter_map(size_of).collect();
        sizes.sort_unstable();
        while self.bytes > self.bytes_most / 2
            && let Some((size, folder)) = sizes.pop()
        {
            self.folders.insert(folder, Names::All);
            self.bytes -= size;
        }
        if self.bytes > self.bytes_most / 2 {
            self.flood();
        }
    }

    fn flood(&mut self) {
        (self.folders, self.objects) = Default::default();
        self.bytes = 0;
        self.rest.flooded = true;
        self.overflow();
    }

    /// Takes over a batch that is newer than all that is here.
    pub(crate) fn absorb(&mut self, batch: Batch) {
        self.rest.since.get_or_insert(batch.since);
        for dirt in batch.dirt {
            match dirt {
                Dirt::Name { folder, name } => self.add_name(folder, &name),
                Dirt::Folder { folder } => self.add_folder(folder),
                Dirt::Object { inode } => self.add_object(ObjectId::of_inode(inode)),
            }
        }
        self.rest.overflowed |= batch.overflowed;
        self.rest.cookies.extend(batch.cookies);
        batch.acts.into_iter().for_each(|act| self.add_act(act));
        self.rest.acts_dropped += batch.acts_dropped;
        self.rest.elsewhere += batch.elsewhere;
    }

    /// Everything, as a batch; `clock` is moved on by what it holds.
    pub(crate) fn take(&mut self, clock: &mut u64) -> Batch {
        let mut rest = std::mem::take(&mut self.rest);
        *clock += rest.events.max(1);
        rest.cookies.sort_unstable();
        self.bytes = 0;
        Batch {
            dirt: self.take_dirt(),
            overflowed: rest.overflowed,
            cookies: rest.cookies,
            since: rest.since.unwrap_or_else(Instant::now),
            acts: rest.acts,
            acts_dropped: rest.acts_dropped,
            clock: *clock,
            elsewhere: rest.elsewhere,
        }
    }

    fn take_dirt(&mut self) -> Vec<Dirt> {
        let mut dirt = Vec::new();
        for (folder, names) in std::mem::take(&mut self.folders) {
            match names {
                Names::All => dirt.push(Dirt::Folder { folder }),
                Names::Some(names) => dirt.extend(names.into_iter().map(|name| Dirt::Name { folder, name })),
            }
        }
        let objects = std::mem::take(&mut self.objects);
        let inodes: HashSet<u64> = objects.into_iter().map(|object| object.inode).collect();
        dirt.extend(inodes.into_iter().map(|inode| Dirt::Object { inode }));
        dirt
    }
}

fn bytes_of(names: &HashSet<Box<[u8]>>) -> usize {
    names.iter().map(|name| NAME_BYTES + name.len()).sum()
}

fn size_of((folder, names): (&u64, &Names)) -> Option<(usize, u64)> {
    match names {
        Names::Some(names) => Some((bytes_of(names), *folder)),
        Names::All => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn covers(dirt: &HashSet<Dirt>, wanted: &Dirt) -> bool {
        let whole = match wanted {
            Dirt::Name { folder, .. } => dirt.contains(&Dirt::Folder { folder: *folder }),
            Dirt::Folder { .. } | Dirt::Object { .. } => false,
        };
        whole || dirt.contains(wanted)
    }

    fn dirt() -> impl Strategy<Value = Dirt> {
        let name = proptest::collection::vec(any::<u8>(), 1..20);
        prop_oneof![
            20 => (0..6_u64, name).prop_map(|(folder, name)| Dirt::Name { folder, name: name.into() }),
            1 => (0..6_u64).prop_map(|folder| Dirt::Folder { folder }),
            2 => (0..20_u64).prop_map(|inode| Dirt::Object { inode }),
        ]
    }

    fn add(pending: &mut Pending, dirt: &Dirt) {
        match dirt {
            Dirt::Name { folder, name } => pending.add_name(*folder, name),
            Dirt::Folder { folder } => pending.add_folder(*folder),
            Dirt::Object { inode } => pending.add_object(ObjectId::of_inode(*inode)),
        }
    }

    proptest! {
        #[test]
        fn whatever_is_added_is_covered_or_lost_within_the_memory(
            added in proptest::collection::vec(dirt(), 0..300),
            bytes_most in 300..20_000_usize,
        ) {
            let mut pending = Pending::new(bytes_most, 0);
            for dirt in &added {
                add(&mut pending, dirt);
                prop_assert!(pending.bytes <= bytes_most);
            }
            prop_assert_eq!(pending.is_empty(), added.is_empty());
            let batch = pending.take(&mut 0);
            let out: HashSet<Dirt> = batch.dirt.iter().cloned().collect();
            prop_assert_eq!(out.len(), batch.dirt.len(), "each piece once");
            prop_assert!(batch.overflowed || added.iter().all(|dirt| covers(&out, dirt)));
            prop_assert!(pending.is_empty() && pending.bytes == 0);
        }

        #[test]
        fn absorbing_batches_covers_the_same(added in proptest::collection::vec(dirt(), 0..100), cut in 0..100_usize) {
            let (mut first, mut whole, mut clock) = (Pending::new(1 << 20, 0), Pending::new(1 << 20, 0), 0);
            for part in [&added[..cut.min(added.len())], &added[cut.min(added.len())..]] {
                part.iter().for_each(|dirt| add(&mut first, dirt));
                whole.absorb(first.take(&mut clock));
            }
            let out: HashSet<Dirt> = whole.take(&mut clock).dirt.into_iter().collect();
            prop_assert!(added.iter().all(|dirt| covers(&out, dirt)));
        }
    }

    #[test]
    fn the_folder_with_the_most_names_is_named_as_a_whole_first() {
        let mut pending = Pending::new(20_000, 0);
        (0..10_u32).for_each(|n| pending.add_name(1, &n.to_ne_bytes()));
        (0..1000_u32).for_each(|n| pending.add_name(2, &n.to_ne_bytes()));
        let batch = pending.take(&mut 0);
        assert!(!batch.overflowed);
        assert_eq!(batch.dirt.len(), 11);
        assert!(batch.dirt.contains(&Dirt::Folder { folder: 2 }));
    }

    #[test]
    fn too_many_folders_are_an_overflow_and_the_next_batch_is_whole_again() {
        let mut pending = Pending::new(1000, 0);
        (0..100).for_each(|folder| pending.add_folder(folder));
        let mut clock = 0;
        let lost = pending.take(&mut clock);
        assert!(lost.overflowed && lost.dirt.is_empty());
        pending.add_name(1, b"x");
        let next = pending.take(&mut clock);
        assert!(!next.overflowed && next.clock > lost.clock);
        assert_eq!(next.dirt, [Dirt::Name { folder: 1, name: b"x"[..].into() }]);
    }

    #[test]
    fn an_object_that_is_gone_is_no_dirt_but_its_successor_is() {
        let mut pending = Pending::new(1000, 0);
        let old = ObjectId { subvolume: 0, inode: 7, generation: 1 };
        let new = ObjectId { generation: 2, ..old };
        pending.add_object(old);
        pending.add_object(new);
        pending.forget_object(old);
        assert_eq!(pending.take(&mut 0).dirt, [Dirt::Object { inode: 7 }]);
        pending.add_object(old);
        pending.forget_object(old);
        assert_eq!(pending.take(&mut 0).dirt, []);
    }
}

//! One folder, or a part of one, on disk and in the index: what differs becomes findings.
//!
//! A comparer never changes the index; it reads one instant of it. Folders that are new are entered, those
//! that merely moved are not (what is below them moved along); in a deep walk all are. Every entry is looked at
//! with `statx(2)`, because changes in place leave no trace in the folder. Its names are read only where
//! they may have changed: see [`Walk`].

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use hearth_core::limits::NAME_BYTES;
use hearth_core::{Cancelled, EntryKind};
use rustix::io::Errno;

use super::finding::{FIRST_NEW, Finding, There};
use super::ground::{are_one_folder, may_be_same_folder};
use super::walk::Walk;
use crate::entry::{Meta, ScanDir};
use crate::index::{DirId, Known, ROOT, RowId};
use crate::scan::dents;
use crate::scan::opener::Opener;
use crate::scan::queue::{Batch, Queued, Work};
use crate::scan::stat::{self, Folder, Place};
use crate::scan::tree::{Dir, Handle};
use crate::scan::{ScanCounters, Tally, is_gone};

/// The name under which a folder that is at hand itself is queued.
pub(super) const ITSELF: &CStr = c".";
/// Entries looked at between two looks at the cancel token.
const ENTRIES_PER_CHECK: usize = 256;
/// Entries of a part of a large folder.
const PART_ENTRIES: usize = 1024;
/// Findings that are sent together.
const FINDINGS_SENT: usize = 512;

/// An entry to look at, on disk or in the index or both.
#[derive(Clone, Copy)]
struct Item {
    /// Start of the name in [`Part::names`].
    name: u32,
    inode: u64,
    /// Kind as far as known without a look.
    kind: EntryKind,
    row: Option<RowId>,
}

/// Entries of one folder.
pub(super) struct Part {
    dir: Arc<Dir>,
    handle: Arc<Handle>,
    /// Names, each with its NUL.
    names: Arc<[u8]>,
    items: Vec<Item>,
}

fn name_at(names: &[u8], start: u32) -> &CStr {
    CStr::from_bytes_until_nul(&names[start as usize..]).expect("a name is stored with its NUL")
}

/// Counts of one comparer.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) tally: Tally,
    pub(super) listed: usize,
}

/// See the module.
pub(super) struct Comparer<'a> {
    walk: &'a Walk<'a>,
    me: usize,
    opener: Opener,
    buffer: Vec<u8>,
    /// Findings that nobody has yet.
    pub(super) out: Vec<Finding>,
    outlet: Option<SyncSender<Vec<Finding>>>,
    pub(super) counts: Counts,
    /// What of it was published.
    published: Tally,
}

impl<'a> Comparer<'a> {
    /// Comparer number `me`, which sends its findings through `outlet` if there is one.
    pub(super) fn new(walk: &'a Walk<'a>, me: usize, outlet: Option<SyncSender<Vec<Finding>>>) -> Self {
        let opener = Opener::new(Arc::clone(&walk.ground.budget));
        let (out, counts, published) = Default::default();
        Self { walk, me, opener, buffer: Vec::new(), out, outlet, counts, published }
    }

    /// Adds what was counted since the last time.
    pub(super) fn publish(&mut self, counters: &ScanCounters) {
        counters.add(&self.counts.tally.since(&self.published));
        self.published = self.counts.tally;
    }

    /// Takes over the counts of another comparer, which published them.
    pub(super) fn take_over(&mut self, other: &Counts) {
        self.counts.tally.add(&other.tally);
        self.counts.listed += other.listed;
        self.published.add(&other.tally);
    }

    /// Sends what was found so far. Without a receiver the walk is over.
    pub(super) fn flush(&mut self) {
        if let Some(outlet) = &self.outlet
            && !self.out.is_empty()
            && outlet.send(std::mem::take(&mut self.out)).is_err()
        {
            self.walk.queue.stop();
        }
    }

    fn found(&mut self, finding: Finding) {
        self.out.push(finding);
        if self.out.len() >= FINDINGS_SENT {
            self.flush();
        }
    }

    /// Does a piece of work; says whether it was a part.
    pub(super) fn step(&mut self, known: Known<'_>, work: Work<Part>) -> Result<bool, Cancelled> {
        match work {
            Work::List(queued) => self.folder(known, queued).map(|()| false),
            Work::Look(part) => self.part(known, &part).map(|()| true),
        }
    }

    fn folder(&mut self, known: Known<'_>, queued: Queued) -> Result<(), Cancelled> {
        let Queued { parent, number, name, .. } = queued;
        let opened = self.opener.open(&parent, &name);
        match opened.and_then(|handle| Ok((stat::folder(handle.as_fd())?, handle))) {
            Ok((now, handle)) => {
                let at_hand = name.as_c_str() == ITSELF;
                let child = || Arc::new(Dir::child(Arc::clone(&parent), number, name.clone(), &handle));
                let dir = if at_hand { Arc::clone(&parent) } else { child() };
                self.opener.remember(&dir, &handle);
                self.opened(known, &dir, &handle, &now)
            }
            Err(error) => {
                self.unopened(known, number, error);
                Ok(())
            }
        }
    }

    fn opened(
        &mut self,
        known: Known<'_>,
        dir: &Arc<Dir>,
        handle: &Arc<Handle>,
        now: &Folder,
    ) -> Result<(), Cancelled> {
        let is_known = dir.number < FIRST_NEW;
        let another = is_known && !may_be_same_folder(&known.folder_meta(dir.number), &now.meta);
        if another || !self.walk.ground.holds(&now.place) {
            self.found(Finding::Again { folder: self.folder_of(dir) });
            return Ok(());
        }
        let folder = dir.number;
        if !is_known || known.folder_meta(folder) != now.meta {
            self.found(Finding::Itself { folder, meta: now.meta });
        }
        if self.is_quiet(known, dir, now) {
            return self.look_at(known, dir, handle, self.known_part(known, dir));
        }
        self.counts.tally.directories += 1;
        self.counts.listed += 1;
        match self.list(handle.as_fd()) {
            Ok(listing) => {
                let part = self.merge(known, dir, listing);
                self.look_at(known, dir, handle, part)?;
                self.note_motion(dir, handle, now);
                Ok(())
            }
            Err(error) => {
                self.unopened(known, folder, error);
                Ok(())
            }
        }
    }

    /// The folder to look at again if this one is not what it was.
    fn folder_of(&self, dir: &Dir) -> ScanDir {
        dir.parent().map_or(ROOT, |parent| parent.number)
    }

    /// A folder that cannot be entered. One that may not be read has, for the index, nothing in it.
    fn unopened(&mut self, known: Known<'_>, number: ScanDir, error: Errno) {
        self.counts.tally.count(error);
        match error {
            gone if is_gone(gone) => self.found(Finding::Again { folder: number }),
            Errno::ACCESS | Errno::PERM if number < FIRST_NEW => {
                for row in known.body.children_of(number) {
                    self.gone(known, number, row);
                }
            }
            _ => {}
        }
    }

    fn gone(&mut self, known: Known<'_>, folder: ScanDir, row: RowId) {
        let mut name = Vec::new();
        known.body.name_into(row, &mut name);
        self.found(Finding::Gone { folder, name: name.into() });
    }

    /// Whether the names in the folder must be those in the index. One without entries is listed all the same:
    /// it may be one that could not be entered before.
    fn is_quiet(&self, known: Known<'_>, dir: &Dir, now: &Folder) -> bool {
        let Some(before) = self.walk.quiet_before_ns.filter(|_| dir.number < FIRST_NEW) else { return false };
        let meta = known.folder_meta(dir.number);
        let kept = (meta.modified_ns, meta.size, meta.links)
            == (now.meta.modified_ns, now.meta.size, now.meta.links);
        kept && now.changed_ns < before && known.body.dir_totals(dir.number).children > 0
    }

    /// All entries of a folder as the index has them.
    fn known_part(&self, known: Known<'_>, dir: &Dir) -> (Vec<u8>, Vec<Item>) {
        let (mut names, mut items) = (Vec::new(), Vec::new());
        for row in known.body.children_of(dir.number) {
            let name = start(&names);
            known.body.name_into(row, &mut names);
            names.push(0);
            let inode = known.inode(row);
            items.push(Item { name, inode, kind: known.body.kind(row), row: Some(row) });
        }
        (names, items)
    }

    /// Reads the names of an open folder.
    fn list(&mut self, fd: BorrowedFd<'_>) -> Result<(Vec<u8>, Vec<Item>), Errno> {
        let (mut names, mut items) = (Vec::new(), Vec::new());
        self.buffer.resize(dents::BUFFER_BYTES, 0);
        loop {
            let filled = dents::read(fd, &mut self.buffer)?;
            if filled == 0 {
                return Ok((names, items));
            }
            for dent in dents::records(&self.buffer[..filled]) {
                let name = start(&names);
                names.extend_from_slice(dent.name.to_bytes_with_nul());
                items.push(Item { name, inode: dent.inode, kind: dent.kind, row: None });
            }
        }
    }

    /// Joins what is on disk with what is in the index; what is only there is gone.
    fn merge(
        &mut self,
        known: Known<'_>,
        dir: &Dir,
        (names, mut items): (Vec<u8>, Vec<Item>),
    ) -> (Vec<u8>, Vec<Item>) {
        if dir.number >= FIRST_NEW {
            return (names, items);
        }
        let (known_names, mut known_items) = self.known_part(known, dir);
        known_items.sort_unstable_by_key(|item| name_at(&known_names, item.name));
        items.sort_unstable_by_key(|item| name_at(&names, item.name));
        // A folder that changes may list a name twice.
        items.dedup_by_key(|item| name_at(&names, item.name));
        let mut there = items.iter_mut().peekable();
        for item in known_items {
            let wanted = name_at(&known_names, item.name);
            while there.next_if(|other| name_at(&names, other.name) < wanted).is_some() {}
            match there.next_if(|other| name_at(&names, other.name) == wanted) {
                Some(other) => other.row = item.row,
                None => self.found(Finding::Gone { folder: dir.number, name: wanted.to_bytes().into() }),
            }
        }
        (names, items)
    }

    /// Looks at entries, in the order of their inodes; whoever has time takes parts of a large folder.
    fn look_at(
        &mut self,
        known: Known<'_>,
        dir: &Arc<Dir>,
        handle: &Arc<Handle>,
        (names, mut items): (Vec<u8>, Vec<Item>),
    ) -> Result<(), Cancelled> {
        items.sort_unstable_by_key(|item| item.inode);
        let names: Arc<[u8]> = names.into();
        let part = |items| Part {
            dir: Arc::clone(dir),
            handle: Arc::clone(handle),
            names: Arc::clone(&names),
            items,
        };
        while items.len() > PART_ENTRIES {
            let rest = items.split_off(items.len() - PART_ENTRIES);
            if self.walk.queue.wants_blocks() {
                self.flush();
                self.walk.queue.push_block(self.me, part(rest));
            } else {
                self.part(known, &part(rest))?;
            }
        }
        self.part(known, &part(items))
    }

    fn part(&mut self, known: Known<'_>, part: &Part) -> Result<(), Cancelled> {
        let mut batch = Batch::new(Arc::clone(&part.dir));
        for (index, item) in part.items.iter().enumerate() {
            if index % ENTRIES_PER_CHECK == ENTRIES_PER_CHECK - 1 {
                self.walk.cancel.check()?;
            }
            let name = name_at(&part.names, item.name);
            let entry = Entry { dir: &part.dir, name, row: item.row };
            match stat::entry_at(part.handle.as_fd(), name) {
                _ if name.count_bytes() > NAME_BYTES => self.counts.tally.failed += 1,
                Ok((meta, place)) => self.entry(known, entry, meta, &place, &mut batch),
                Err(error) => self.unreadable(known, entry, item, error),
            }
        }
        self.push(batch);
        Ok(())
    }

    /// Queues folders, after everything that was found about them was sent.
    fn push(&mut self, batch: Batch) {
        self.flush();
        self.walk.queue.push(self.me, batch);
    }

    /// Looks at one name of a folder.
    pub(super) fn name(
        &mut self,
        known: Known<'_>,
        dir: &Arc<Dir>,
        fd: BorrowedFd<'_>,
        name: &CStr,
        row: Option<RowId>,
    ) {
        match stat::entry_at(fd, name) {
            Ok((meta, place)) => {
                let mut batch = Batch::new(Arc::clone(dir));
                self.entry(known, Entry { dir, name, row }, meta, &place, &mut batch);
                self.push(batch);
            }
            Err(error) => {
                self.counts.tally.count(error);
                if let Some(row) = row.filter(|_| is_gone(error)) {
                    self.gone(known, dir.number, row);
                }
            }
        }
    }

    fn entry(&mut self, known: Known<'_>, entry: Entry<'_>, meta: Meta, place: &Place, batch: &mut Batch) {
        self.counts.tally.entries += 1;
        if meta.kind() == EntryKind::Dir {
            self.subfolder(known, entry, meta, place, batch);
        } else if entry.row.is_none_or(|row| known.body.meta(row) != meta) {
            self.there(entry, meta, None, false);
        }
    }

    fn there(&mut self, entry: Entry<'_>, meta: Meta, dir: Option<ScanDir>, barred: bool) {
        let (folder, name) = (entry.dir.number, entry.name.to_bytes().into());
        self.found(Finding::There(There { folder, name, meta, dir, barred }));
    }

    fn subfolder(
        &mut self,
        known: Known<'_>,
        entry: Entry<'_>,
        meta: Meta,
        place: &Place,
        batch: &mut Batch,
    ) {
        let Entry { dir: parent, name, row } = entry;
        let barred = self.walk.is_barred(parent, name, place);
        let stands = row.and_then(|row| known.body.dir_of(row).map(|dir| (dir, known.body.meta(row))));
        let stands = stands.filter(|(_, before)| may_be_same_folder(before, &meta));
        if let Some((dir, before)) = stands {
            self.standing(known, entry, dir, &before, meta, barred);
            if !barred && (self.walk.deep || self.may_have_opened(known, dir, &before, &meta)) {
                batch.push(dir, name, meta.inode);
            }
            return;
        }
        let moved = if barred { None } else { self.walk.moved_from(known, &meta, parent, name) };
        let number = moved.unwrap_or_else(|| self.walk.new_number());
        self.there(entry, meta, Some(number), barred);
        let is_sure = moved.is_some_and(|dir| are_one_folder(&known.folder_meta(dir), &meta));
        if !barred && (self.walk.deep || !is_sure) {
            batch.push(number, name, meta.inode);
        }
    }

    fn standing(
        &mut self,
        known: Known<'_>,
        entry: Entry<'_>,
        dir: DirId,
        before: &Meta,
        meta: Meta,
        barred: bool,
    ) {
        let has_contents = known.body.dir_totals(dir).children > 0;
        if *before != meta || (barred && has_contents) {
            self.there(entry, meta, Some(dir), barred);
        }
    }

    /// Whether a folder that stands where it stood may be readable now, or no more.
    pub(super) fn may_have_opened(&self, known: Known<'_>, dir: DirId, before: &Meta, now: &Meta) -> bool {
        let access = |meta: &Meta| (meta.mode, meta.uid, meta.gid);
        let empty = known.body.dir_totals(dir).children == 0;
        access(before) != access(now) && (empty || !self.walk.privileged)
    }

    /// A row from the name alone where reading is forbidden; what is known stays on other errors.
    fn unreadable(&mut self, known: Known<'_>, entry: Entry<'_>, item: &Item, error: Errno) {
        self.counts.tally.count(error);
        if is_gone(error) {
            if let Some(row) = entry.row {
                self.gone(known, entry.dir.number, row);
            }
            return;
        }
        let denied = matches!(error, Errno::ACCESS | Errno::PERM);
        if !denied && entry.row.is_some() {
            return;
        }
        let is_folder = item.kind == EntryKind::Dir;
        let stands = entry.row.and_then(|row| known.body.dir_of(row)).filter(|_| is_folder);
        let dir = is_folder.then(|| stands.unwrap_or_else(|| self.walk.new_number()));
        self.there(entry, Meta::unknown(item.kind, item.inode), dir, is_folder);
    }

    /// Says that a folder changed while it was listed.
    fn note_motion(&mut self, dir: &Dir, handle: &Handle, before: &Folder) {
        let after = stat::folder(handle.as_fd()).ok().map(|folder| folder.changed_ns);
        if after != Some(before.changed_ns) {
            self.found(Finding::Again { folder: dir.number });
        }
    }
}

/// An entry of a folder, with its row if the index has one of that name.
#[derive(Clone, Copy)]
struct Entry<'e> {
    dir: &'e Arc<Dir>,
    name: &'e CStr,
    row: Option<RowId>,
}

fn start(names: &[u8]) -> u32 {
    u32::try_from(names.len()).expect("the names of one folder are less than 4 GiB")
}

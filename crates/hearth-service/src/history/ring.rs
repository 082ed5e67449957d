//! The ring of acts: the newest push the oldest out.
//!
//! Bounded by number and by bytes. Equal acts in a row, each within a second of the one before, are one with a
//! count, so that a program that writes a log line by line does not push everything else out.

use super::{Folder, Folders};
use hearth_core::UnixNanos;
use hearth_watch::{Act, ActKind};
use std::collections::VecDeque;
use std::sync::Arc;

/// Bytes that an act may take on average.
const BYTES_PER_ACT: usize = 512;
/// Longest time between two equal acts that are counted as one.
const IN_A_ROW_NS: i64 = 1_000_000_000;
/// Stands for the path of a folder that was never seen.
const UNSEEN: &[u8] = "…".as_bytes();

/// An act, or several equal ones in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(super) folder: Folder,
    pub(crate) name: Box<[u8]>,
    pub(crate) kind: ActKind,
    pub(crate) pid: u32,
    pub(crate) command: Arc<str>,
    pub(crate) uid: Option<u32>,
    /// When it was done first.
    pub(crate) first_ns: UnixNanos,
    /// When it was done last.
    pub(crate) at_ns: UnixNanos,
    /// How often.
    pub(crate) times: u64,
}

impl Noted {
    pub(super) fn of(act: &Act, folder: Folder) -> Self {
        Self {
            folder,
            name: act.name.clone(),
            kind: act.kind,
            pid: act.pid,
            command: Arc::clone(&act.command),
            uid: act.uid,
            first_ns: act.at_ns,
            at_ns: act.at_ns,
            times: 1,
        }
    }

    /// Absolute path; `…/name` after `root` in a folder that was never seen.
    pub(super) fn path(&self, root: &[u8]) -> Vec<u8> {
        match &self.folder.path {
            Some(path) => [path, &b"/"[..], &self.name].concat(),
            None => [root, UNSEEN, b"/", &self.name].concat(),
        }
    }

    /// Bytes it takes, its folder's path counted as if it had that for itself.
    fn bytes(&self) -> usize {
        let folder = self.folder.path.as_ref().map_or(0, |path| path.len());
        size_of::<Self>() + self.name.len() + folder + self.command.len()
    }

    fn repeats(&self, earlier: &Self) -> bool {
        let what = |noted: &Self| (noted.kind, noted.pid, noted.uid);
        what(self) == what(earlier)
            && self.command == earlier.command
            && self.name == earlier.name
            && self.folder == earlier.folder
            && self.at_ns.saturating_sub(earlier.at_ns) <= IN_A_ROW_NS
    }
}

/// What is kept at one instant.
#[derive(Clone, Debug)]
pub(crate) struct Recent {
    /// Newest first.
    pub(crate) acts: Vec<Arc<Noted>>,
    /// Acts that were told of and could not be taken.
    pub(crate) dropped: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ring {
    entries: usize,
    whole: bool,
    /// Oldest first. A reader shares them.
    acts: VecDeque<Arc<Noted>>,
    bytes: usize,
    dropped: u64,
}

impl Ring {
    pub(super) fn keep(&mut self, entries: usize, whole: bool) {
        (self.entries, self.whole) = (entries, whole);
        self.shrink();
    }

    pub(super) fn entries(&self) -> usize {
        self.entries
    }

    pub(super) fn drop_acts(&mut self, dropped: u64) {
        self.dropped = self.dropped.saturating_add(dropped);
    }

    /// Adds the newest act. One in a folder that was never seen is about this source only if there is nothing
    /// beside it in the file system.
    pub(super) fn push(&mut self, act: Noted) {
        if !self.whole && act.folder.path.is_none() {
            return;
        }
        if let Some(last) = self.acts.back_mut()
            && act.repeats(last)
        {
            let last = Arc::make_mut(last);
            last.at_ns = last.at_ns.max(act.at_ns);
            last.times += 1;
            return;
        }
        self.bytes += act.bytes();
        self.acts.push_back(Arc::new(act));
        self.shrink();
    }

    /// The folders of acts, as far as earlier acts tell.
    pub(super) fn folders(&self, acts: &[Act]) -> Folders {
        Folders::among(self.acts.iter().map(|noted| &noted.folder), acts)
    }

    pub(super) fn recent(&self) -> Recent {
        Recent { acts: self.acts.iter().rev().cloned().collect(), dropped: self.dropped }
    }

    fn shrink(&mut self) {
        let most_bytes = self.entries.saturating_mul(BYTES_PER_ACT);
        while self.acts.len() > self.entries || self.bytes > most_bytes {
            let Some(oldest) = self.acts.pop_front() else { break };
            self.bytes -= oldest.bytes();
        }
        if self.acts.is_empty() {
            self.acts.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn act(name: &str, kind: ActKind, pid: u32, at_ns: i64) -> Noted {
        Noted {
            folder: Folder { inode: 2, path: Some(Arc::from(*b"/a")) },
            name: name.as_bytes().into(),
            kind,
            pid,
            command: "sh".into(),
            uid: Some(0),
            first_ns: at_ns,
            at_ns,
            times: 1,
        }
    }

    fn ring(entries: usize) -> Ring {
        let mut ring = Ring::default();
        ring.keep(entries, true);
        ring
    }

    #[test]
    fn nothing_is_kept_until_it_is_switched_on() {
        let mut ring = Ring::default();
        ring.push(act("a", ActKind::Created, 1, 0));
        assert!(ring.recent().acts.is_empty());
        ring.keep(1, false);
        ring.push(act("a", ActKind::Created, 1, 0));
        assert_eq!(ring.recent().acts.len(), 1);
        ring.keep(0, false);
        assert!(ring.recent().acts.is_empty());
    }

    #[test]
    fn equal_acts_in_a_row_are_counted() {
        let mut ring = ring(9);
        for (name, kind, pid, at_ns) in [
            ("a", ActKind::Modified, 1, 0),
            ("a", ActKind::Modified, 1, IN_A_ROW_NS),
            ("a", ActKind::Modified, 1, 2 * IN_A_ROW_NS),
            ("a", ActKind::Modified, 1, 3 * IN_A_ROW_NS + 1),
            ("a", ActKind::Removed, 1, 3 * IN_A_ROW_NS + 1),
            ("a", ActKind::Removed, 2, 3 * IN_A_ROW_NS + 1),
            ("b", ActKind::Removed, 2, 3 * IN_A_ROW_NS + 1),
        ] {
            ring.push(act(name, kind, pid, at_ns));
        }
        let acts = ring.recent().acts;
        let times: Vec<u64> = acts.iter().map(|act| act.times).collect();
        assert_eq!(times, [1, 1, 1, 1, 3]);
        assert_eq!((acts[4].first_ns, acts[4].at_ns), (0, 2 * IN_A_ROW_NS));
    }

    #[test]
    fn what_may_lie_outside_of_the_source_is_not_kept() {
        let unseen = Noted { folder: Folder { inode: 7, path: None }, ..act("a", ActKind::Created, 1, 0) };
        let mut ring = ring(9);
        ring.push(unseen.clone());
        assert_eq!(ring.recent().acts[0].path(b"/r/"), "/r/…/a".as_bytes());
        ring.keep(9, false);
        ring.push(Noted { at_ns: i64::MAX, ..unseen });
        assert_eq!(ring.recent().acts.len(), 1);
    }

    proptest! {
        #[test]
        fn the_newest_acts_stay_within_the_bounds(
            entries in 0usize..20,
            acts in prop::collection::vec((0u8..3, 0u32..2, 0i64..3, 0usize..2000), 0..60),
        ) {
            let (mut ring, mut now, mut all) = (ring(entries), 0, Vec::<Noted>::new());
            for (name, pid, pause, len) in acts {
                now += pause * IN_A_ROW_NS * 2 / 3;
                let name = char::from(b'a' + name).to_string().repeat(len + 1);
                let next = act(&name, ActKind::Created, pid, now);
                // An act that is larger than everything that may be kept is gone at once.
                let in_a_row = !ring.acts.is_empty();
                ring.push(next.clone());
                match all.last_mut() {
                    Some(last) if in_a_row && next.repeats(last) => (last.times, last.at_ns) = (last.times + 1, now),
                    _ => all.push(next),
                }
                let bytes: usize = ring.acts.iter().map(|act| act.bytes()).sum();
                prop_assert_eq!(bytes, ring.bytes);
                prop_assert!(bytes <= entries * BYTES_PER_ACT && ring.acts.len() <= entries);
            }
            let kept: Vec<Noted> = ring.recent().acts.iter().map(|act| (**act).clone()).collect();
            let newest: Vec<Noted> = all.iter().rev().take(kept.len()).cloned().collect();
            if entries > 0 && kept.len() < all.len() {
                let one_more: usize = all.iter().rev().take(kept.len() + 1).map(Noted::bytes).sum();
                prop_assert!(kept.len() == entries || one_more > entries * BYTES_PER_ACT);
            }
            prop_assert_eq!(kept, newest);
        }
    }
}

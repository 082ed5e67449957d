//! Where the watched folders are: a tree of watches, each under its parent's and with its name there.
//!
//! The tree follows the events, so it is as old as the last event that was read; whoever opens one of its paths must check
//! what was found there. A folder that was moved away is kept aside until its other half comes or does not come.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// One watched folder.
#[derive(Debug)]
pub(super) struct Folder {
    pub(super) inode: u64,
    /// Watch of its parent; `None` for the root and for what was moved away.
    parent: Option<i32>,
    name: Box<[u8]>,
    children: HashMap<Box<[u8]>, i32>,
}

/// The parent is unknown, or lies below what is to be put there: events that say otherwise are still to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoWay;

/// All watched folders of a tree.
#[derive(Debug)]
pub(super) struct Places {
    root_path: PathBuf,
    root: i32,
    folders: HashMap<i32, Folder>,
}

impl Places {
    /// Only the root, under its path.
    pub(super) fn new(root_path: &Path, root: i32, inode: u64) -> Self {
        let mut places = Self { root_path: root_path.to_owned(), root, folders: HashMap::new() };
        places
            .folders
            .insert(root, Folder { inode, parent: None, name: Box::default(), children: HashMap::new() });
        places
    }

    pub(super) fn root(&self) -> i32 {
        self.root
    }

    pub(super) fn root_path(&self) -> &Path {
        &self.root_path
    }

    pub(super) fn len(&self) -> usize {
        self.folders.len()
    }

    pub(super) fn get(&self, watch: i32) -> Option<&Folder> {
        self.folders.get(&watch)
    }

    /// The watched folder of that name.
    pub(super) fn child(&self, parent: i32, name: &[u8]) -> Option<i32> {
        self.folders.get(&parent)?.children.get(name).copied()
    }

    pub(super) fn watches(&self) -> impl Iterator<Item = i32> {
        self.folders.keys().copied()
    }

    /// Puts a folder, known or not, under a parent. What had that name there before loses its place and is returned.
    ///
    /// # Errors
    /// [`NoWay`], and nothing is changed.
    pub(super) fn put(
        &mut self,
        watch: i32,
        inode: u64,
        parent: i32,
        name: &[u8],
    ) -> Result<Option<i32>, NoWay> {
        if !self.folders.contains_key(&parent) || self.is_below(parent, watch) {
            return Err(NoWay);
        }
        self.unlink(watch);
        let displaced = self.take(parent, name);
        let new = || Folder { inode, parent: None, name: Box::default(), children: HashMap::new() };
        let folder = self.folders.entry(watch).or_insert_with(new);
        (folder.parent, folder.name, folder.inode) = (Some(parent), name.into(), inode);
        if let Some(parent) = self.folders.get_mut(&parent) {
            parent.children.insert(name.into(), watch);
        }
        Ok(displaced)
    }

    /// Takes the folder of that name out of its place, with everything below it; it stays known.
    pub(super) fn take(&mut self, parent: i32, name: &[u8]) -> Option<i32> {
        let watch = self.child(parent, name)?;
        self.unlink(watch);
        Some(watch)
    }

    /// Forgets a folder whose watch is gone. Folders below it lose their place and stay known: their watches
    /// end by themselves, or they were moved elsewhere.
    pub(super) fn forget(&mut self, watch: i32) {
        self.unlink(watch);
        let children = self.folders.remove(&watch).map(|folder| folder.children).unwrap_or_default();
        for child in children.values() {
            if let Some(child) = self.folders.get_mut(child) {
                child.parent = None;
            }
        }
    }

    fn unlink(&mut self, watch: i32) {
        let Some(folder) = self.folders.get_mut(&watch) else { return };
        let (parent, name) = (folder.parent.take(), std::mem::take(&mut folder.name));
        if let Some(parent) = parent.and_then(|parent| self.folders.get_mut(&parent)) {
            parent.children.remove(&name);
        }
    }

    /// A folder and all below it.
    pub(super) fn subtree(&self, watch: i32) -> Vec<i32> {
        let mut found = vec![watch];
        let mut at = 0;
        while let Some(folder) = found.get(at) {
            let children = self.folders.get(folder).into_iter().flat_map(|folder| folder.children.values());
            found.extend(children.copied().collect::<Vec<_>>());
            at += 1;
        }
        found
    }

    /// Whether a folder has a way up to the root.
    pub(super) fn is_placed(&self, watch: i32) -> bool {
        self.is_below(watch, self.root)
    }

    fn is_below(&self, watch: i32, above: i32) -> bool {
        let mut at = Some(watch);
        while let Some(watch) = at {
            if watch == above {
                return true;
            }
            at = self.folders.get(&watch).and_then(|folder| folder.parent);
        }
        false
    }

    /// Path of a folder, as far as the events tell; `None` without a way up to the root.
    pub(super) fn path(&self, watch: i32) -> Option<PathBuf> {
        let mut names = Vec::new();
        let mut at = watch;
        while at != self.root {
            let folder = self.folders.get(&at)?;
            names.push(&folder.name);
            at = folder.parent?;
        }
        let mut path = self.root_path.clone();
        names.iter().rev().for_each(|name| path.push(OsStr::from_bytes(name)));
        Some(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Debug)]
    enum Step {
        Put(i32, i32, u8),
        Take(i32, u8),
        Forget(i32),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (1..8_i32, 0..8_i32, 0..4_u8).prop_map(|(watch, parent, name)| Step::Put(watch, parent, name)),
            1 => (0..8_i32, 0..4_u8).prop_map(|(parent, name)| Step::Take(parent, name)),
            1 => (1..8_i32).prop_map(Step::Forget),
        ]
    }

    /// Place of each known folder, as plainly as can be.
    #[derive(Default)]
    struct Oracle(BTreeMap<i32, Option<(i32, u8)>>);

    impl Oracle {
        fn chain(&self, watch: i32) -> Vec<i32> {
            let mut chain = vec![watch];
            while let Some(Some((parent, _))) = self.0.get(chain.last().expect("not empty")) {
                chain.push(*parent);
            }
            chain
        }

        fn run(&mut self, step: &Step) {
            match *step {
                Step::Put(watch, parent, name) => {
                    if self.0.contains_key(&parent) && !self.chain(parent).contains(&watch) {
                        self.run(&Step::Take(parent, name));
                        self.0.insert(watch, Some((parent, name)));
                    }
                }
                Step::Take(parent, name) => {
                    self.0.values_mut().filter(|at| **at == Some((parent, name))).for_each(|at| *at = None);
                }
                Step::Forget(watch) => {
                    self.0.remove(&watch);
                    self.0
                        .values_mut()
                        .filter(|at| at.is_some_and(|at| at.0 == watch))
                        .for_each(|at| *at = None);
                }
            }
        }

        fn path(&self, watch: i32) -> Option<PathBuf> {
            let chain = self.chain(watch);
            let mut path = PathBuf::from("/r");
            for watch in chain.iter().rev().skip(1) {
                path.push(self.0[watch].expect("placed").1.to_string());
            }
            (chain.last() == Some(&0) && self.0.contains_key(&watch)).then_some(path)
        }
    }

    proptest! {
        #[test]
        fn places_are_those_of_the_plain_model(steps in proptest::collection::vec(step(), 0..60)) {
            let mut places = Places::new(Path::new("/r"), 0, 1);
            let mut oracle = Oracle(BTreeMap::from([(0, None)]));
            for step in &steps {
                match *step {
                    Step::Put(watch, parent, name) => {
                        let _ = places.put(watch, 9, parent, name.to_string().as_bytes());
                    }
                    Step::Take(parent, name) => _ = places.take(parent, name.to_string().as_bytes()),
                    Step::Forget(watch) => places.forget(watch),
                }
                oracle.run(step);
                prop_assert_eq!(places.len(), oracle.0.len());
                for watch in 0..8 {
                    prop_assert_eq!(places.path(watch), oracle.path(watch), "{} after {:?}", watch, step);
                    prop_assert_eq!(places.is_placed(watch), oracle.path(watch).is_some());
                    let mut below = places.subtree(watch);
                    below.sort_unstable();
                    let wanted: Vec<i32> = (0..8).filter(|other| oracle.chain(*other).contains(&watch)).collect();
                    prop_assert_eq!(below, wanted);
                }
            }
        }
    }
}

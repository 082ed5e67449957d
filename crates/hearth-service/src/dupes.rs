//! `dupes`: files of equal content.
//!
//! Sizes come from the index; only files that share theirs are read. Sets of equal size are taken in
//! the order of what they may waste, a wave at a time: first every file's first block, then, of those
//! that still agree, the whole content. Within a wave files are read in the order of their inodes,
//! which on most file systems is near the order on the disk. Hard links of one inode are one file.
//! Equal means equal BLAKE3 of the whole content.

use crate::Service;
use crate::api::{DupeGroup, DupesAnswer, DupesRequest, Progress, SourceKind};
use crate::asking::{Held, Part, Question, refuse_if_all_failed};
use crate::error::ServiceError;
use crate::hashing::{Hashed, Job, hash_all};
use crate::paths::shown;
use crate::reading::Expected;
use hearth_core::{CancelToken, EntryKind};
use hearth_files::index::{Body, RowId};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::time::Instant;

/// Bytes of the first look at a file.
const BLOCK_BYTES: u64 = 4096;
/// Files that one wave holds at most, unless a single set is larger.
const WAVE_FILES: usize = 16_384;

/// A file that may have a duplicate: its inode under its first path.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    size: u64,
    inode: u64,
    /// Place in the list of parts.
    part: u32,
    row: RowId,
}

/// The bookkeeping of one search.
struct Search<'a> {
    open: &'a [Option<Held>],
    cancel: &'a CancelToken,
    progress: &'a mut dyn FnMut(Progress),
    /// Bytes of all files that are compared, and of those that are settled.
    total: u64,
    done: u64,
    budget: u64,
    read: u64,
    unreadable: u64,
    exhaustive: bool,
    groups: Vec<DupeGroup>,
}

impl Service {
    /// Finds files of equal content, reading no more than the budget (0 = the configured one).
    ///
    /// # Errors
    /// As [`Service::find`]; [`ServiceError::BadRequest`] where only NTFS disks and images are asked. A file that cannot be read
    /// is counted, not an error.
    pub fn dupes(
        &self,
        req: &DupesRequest,
        cancel: &CancelToken,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<DupesAnswer, ServiceError> {
        let began = Instant::now();
        let question = Question {
            query: &req.query,
            cwd: req.cwd.as_deref(),
            within: &req.within,
            wait_fresh: req.wait_fresh,
        };
        let mut parts = self.ask(question)?;
        // What lies inside a disk or image cannot be opened by its path.
        let asked = parts.len();
        parts.retain(|part| part.shard.source.info.kind == SourceKind::Volume);
        if parts.is_empty() && asked > 0 {
            return Err(ServiceError::BadRequest {
                field: "within",
                message:
                    "files inside NTFS disks and images are not opened, so their contents are not compared"
                        .to_owned(),
                hint: "`hearth find dupe:size` finds files of equal size there".to_owned(),
            });
        }
        self.expect(&parts, cancel)?;
        let open = parts.iter().map(|part| self.read(part, cancel)).collect::<Result<Vec<_>, _>>()?;
        refuse_if_all_failed(&mut parts)?;
        let sets = self.sets_of_equal_size(&parts, &open, req.min_size.max(1), cancel)?;
        let budget = if req.read_budget == 0 { self.config.dupes.read_budget } else { req.read_budget };
        let total = bytes_of(&sets);
        let mut search = Search {
            open: &open,
            cancel,
            progress,
            total,
            done: 0,
            budget,
            read: 0,
            unreadable: 0,
            exhaustive: true,
            groups: Vec::new(),
        };
        for wave in waves(&sets) {
            search.wave(wave)?;
        }
        search.report();
        let (read, unreadable, exhaustive) = (search.read, search.unreadable, search.exhaustive);
        let mut groups = search.groups;
        groups.sort_by(|a, b| wasted(b).cmp(&wasted(a)).then_with(|| a.paths.cmp(&b.paths)));
        let answer = DupesAnswer {
            groups_total: groups.len() as u64,
            wasted: groups.iter().map(wasted).sum(),
            groups: groups.into_iter().take(req.limit).collect(),
            read,
            exhaustive,
            unreadable,
            sources: self.describe(&parts),
            elapsed_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        };
        Ok(answer)
    }

    /// Sets of at least two files of one size, those that may waste most first.
    fn sets_of_equal_size(
        &self,
        parts: &[Part],
        open: &[Option<Held>],
        min_size: u64,
        cancel: &CancelToken,
    ) -> Result<Vec<Vec<Candidate>>, ServiceError> {
        let mut all = Vec::new();
        for (number, (part, held)) in (0_u32..).zip(parts.iter().zip(open)) {
            let Some(held) = held else { continue };
            let rows = self.matching_rows(part, &held.body, cancel)?;
            all.extend(rows.into_iter().filter_map(|row| candidate(&held.body, number, row, min_size)));
            cancel.check()?;
        }
        // Stable, so that files of one size stay in the order of parts and paths.
        all.sort_by_key(|candidate: &Candidate| Reverse(candidate.size));
        let equal = all.chunk_by(|a, b| a.size == b.size).filter(|set| set.len() > 1);
        let mut sets: Vec<Vec<Candidate>> = equal.map(|set| distinct(open, set)).collect();
        sets.retain(|set| set.len() > 1);
        sets.sort_by_key(|set| Reverse(u128::from(set[0].size) * (set.len() as u128 - 1)));
        Ok(sets)
    }
}

fn candidate(body: &Body, part: u32, row: RowId, min_size: u64) -> Option<Candidate> {
    let meta = body.meta(row);
    let wanted = meta.kind() == EntryKind::File && meta.size >= min_size;
    wanted.then_some(Candidate { size: meta.size, inode: meta.inode, part, row })
}

/// The files of a set, each inode once.
fn distinct(open: &[Option<Held>], set: &[Candidate]) -> Vec<Candidate> {
    let device = |candidate: &Candidate| open[candidate.part as usize].as_ref().map_or(0, |held| held.device);
    let mut seen = HashSet::with_capacity(set.len());
    set.iter().filter(|candidate| seen.insert((device(candidate), candidate.inode))).copied().collect()
}

/// Consecutive sets that are read together.
fn waves(sets: &[Vec<Candidate>]) -> impl Iterator<Item = &[Vec<Candidate>]> {
    let mut rest = sets;
    std::iter::from_fn(move || {
        let mut files = 0;
        let fits = |set: &&Vec<Candidate>| {
            files += set.len();
            files <= WAVE_FILES
        };
        let count = rest.iter().take_while(fits).count().max(1).min(rest.len());
        let (wave, after) = rest.split_at(count);
        rest = after;
        (!wave.is_empty()).then_some(wave)
    })
}

fn bytes_of(sets: &[Vec<Candidate>]) -> u64 {
    sets.iter().flatten().fold(0, |sum, file| sum.saturating_add(file.size))
}

fn bytes(done: u64, total: u64) -> Progress {
    Progress { done, total: Some(total), unit: "bytes" }
}

fn wasted(group: &DupeGroup) -> u64 {
    group.size.saturating_mul(group.paths.len() as u64 - 1)
}

impl Search<'_> {
    /// Compares the sets of one wave.
    fn wave(&mut self, sets: &[Vec<Candidate>]) -> Result<(), ServiceError> {
        let end = self.done.saturating_add(bytes_of(sets));
        let first: Vec<&[Candidate]> = sets.iter().map(Vec::as_slice).collect();
        let same_block = self.refine(&first, BLOCK_BYTES)?;
        let (whole, rest): (Vec<_>, Vec<_>) =
            same_block.into_iter().partition(|(_, set)| set[0].size <= BLOCK_BYTES);
        let rest: Vec<&[Candidate]> = rest.iter().map(|(_, set)| set.as_slice()).collect();
        let same_content = self.refine(&rest, u64::MAX)?;
        for (hash, set) in whole.into_iter().chain(same_content) {
            let group = self.group(hash, &set);
            self.groups.push(group);
        }
        self.done = end;
        self.report();
        Ok(())
    }

    /// Splits sets by the hash of their files' first bytes; what is alone is dropped. A set that the
    /// budget cannot pay for as a whole is left out.
    fn refine(
        &mut self,
        sets: &[&[Candidate]],
        most: u64,
    ) -> Result<Vec<(blake3::Hash, Vec<Candidate>)>, ServiceError> {
        let mut jobs = Vec::new();
        for (number, set) in sets.iter().enumerate() {
            let cost = set[0].size.min(most).saturating_mul(set.len() as u64);
            if cost > self.budget {
                self.exhaustive = false;
                continue;
            }
            self.budget -= cost;
            jobs.extend(set.iter().enumerate().map(|(at, file)| self.job((number, at), file, most)));
        }
        let same = self.hash(jobs)?;
        let mut same: Vec<_> = same.into_iter().filter(|(_, files)| files.len() > 1).collect();
        same.sort_by_key(|((number, _), files)| (*number, files.iter().min().copied()));
        let pick = |((number, hash), mut files): ((usize, blake3::Hash), Vec<usize>)| {
            files.sort_unstable();
            (hash, files.into_iter().map(|at| sets[number][at]).collect())
        };
        Ok(same.into_iter().map(pick).collect())
    }

    fn job(&self, label: (usize, usize), file: &Candidate, most: u64) -> Job {
        let device = self.open[file.part as usize].as_ref().map_or(0, |held| held.device);
        let expected = Expected { inode: file.inode, size: file.size };
        Job { label, order: (device, file.inode), path: self.path(file), expected, most }
    }

    /// Hashes files; the answer maps set and hash to the places in the set.
    fn hash(&mut self, jobs: Vec<Job>) -> Result<HashMap<(usize, blake3::Hash), Vec<usize>>, ServiceError> {
        let mut same: HashMap<(usize, blake3::Hash), Vec<usize>> = HashMap::new();
        let (mut read, mut unreadable) = (0, 0);
        let (done, total) = (self.done, self.total);
        let progress = &mut self.progress;
        let ended = hash_all(jobs, self.cancel, &mut |event| match event {
            Hashed::File { label, hash, bytes: got } => {
                read += got;
                same.entry((label.0, hash)).or_default().push(label.1);
            }
            Hashed::Unreadable => unreadable += 1,
            Hashed::Tick => progress(bytes(done.saturating_add(read).min(total), total)),
        });
        self.read += read;
        self.done = self.done.saturating_add(read).min(self.total);
        self.unreadable += unreadable;
        ended?;
        Ok(same)
    }

    fn group(&self, hash: blake3::Hash, set: &[Candidate]) -> DupeGroup {
        let mut paths: Vec<Vec<u8>> = set.iter().map(|file| self.path(file)).collect();
        paths.sort_unstable();
        DupeGroup { size: set[0].size, hash: hash.to_hex().to_string(), paths }
    }

    fn path(&self, file: &Candidate) -> Vec<u8> {
        let mut path = Vec::new();
        if let Some(held) = &self.open[file.part as usize] {
            held.body.path_into(file.row, &mut path);
        }
        shown(&path).to_vec()
    }

    fn report(&mut self) {
        (self.progress)(bytes(self.done, self.total));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(files: usize, size: u64) -> Vec<Candidate> {
        (0..files as u64).map(|inode| Candidate { size, inode, part: 0, row: 0 }).collect()
    }

    #[test]
    fn waves_hold_every_set_once_and_few_files() {
        let sets = [set(WAVE_FILES - 1, 1), set(2, 2), set(WAVE_FILES + 9, 3), set(2, 4), set(3, 5)];
        let sizes: Vec<Vec<u64>> =
            waves(&sets).map(|wave| wave.iter().map(|set| set[0].size).collect()).collect();
        assert_eq!(sizes, [vec![1], vec![2], vec![3], vec![4, 5]]);
        assert_eq!(waves(&[]).count(), 0);
    }
}

//! `stats`: how many entries and bytes there are per group.
//!
//! The matching rows are found as `find` finds them, then tallied on all cores. Groups by a number
//! (kind, classes, owner) are counted without touching names; extension and folder need the path,
//! which is written out for many rows at once.

use crate::Service;
use crate::api::{StatsAnswer, StatsBy, StatsRequest, StatsRow};
use crate::asking::{Part, Question, refuse_if_all_failed};
use crate::clock;
use crate::error::ServiceError;
use crate::paths::shown;
use crate::people::Names;
use crate::selection::Scope;
use hearth_core::{CancelToken, EntryKind, NO_TIME, UnixNanos};
use hearth_files::engine::{self, Find};
use hearth_files::entry::Meta;
use hearth_files::fold::fold_into;
use hearth_files::index::{Body, RowId, extension};
use rayon::prelude::*;
use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

/// Rows tallied between two looks at the cancellation token.
const BATCH_ROWS: usize = 8192;
/// Group of folders where groups are about files: no name can be this.
const FOLDERS: &[u8] = b"/";
/// Bounds of the age classes, seconds, with their names.
const AGES: [(i64, &str); 8] = [
    (3600, "last hour"),
    (86_400, "last day"),
    (7 * 86_400, "last 7 days"),
    (30 * 86_400, "last 30 days"),
    (90 * 86_400, "last 90 days"),
    (365 * 86_400, "last year"),
    (730 * 86_400, "last 2 years"),
    (1826 * 86_400, "last 5 years"),
];

/// Counts of one group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tally {
    entries: u64,
    size: u64,
    allocated: u64,
}

impl Tally {
    fn count(&mut self, meta: &Meta) {
        self.entries += 1;
        self.size += if meta.kind() == EntryKind::Dir { 0 } else { meta.size };
        self.allocated += meta.allocated;
    }

    fn add(&mut self, other: &Tally) {
        self.entries += other.entries;
        self.size += other.size;
        self.allocated += other.allocated;
    }

    fn row(self, key: Vec<u8>) -> StatsRow {
        StatsRow { key, entries: self.entries, size: self.size, allocated: self.allocated }
    }
}

type Tallies<K> = HashMap<K, Tally>;

fn merge<K: Eq + Hash>(mut into: Tallies<K>, from: Tallies<K>) -> Tallies<K> {
    for (key, tally) in from {
        into.entry(key).or_default().add(&tally);
    }
    into
}

impl Service {
    /// Counts entries and bytes per group.
    ///
    /// # Errors
    /// As [`Service::find`].
    pub fn stats(&self, req: &StatsRequest, cancel: &CancelToken) -> Result<StatsAnswer, ServiceError> {
        let began = Instant::now();
        let question = Question {
            query: &req.query,
            cwd: req.cwd.as_deref(),
            within: &req.within,
            wait_fresh: req.wait_fresh,
        };
        let mut parts = self.ask(question)?;
        self.expect(&parts, cancel)?;
        let rows = match req.by {
            StatsBy::Ext => by_bytes(self.tally(&parts, cancel, &|_| tally_extensions)?),
            StatsBy::Folder => by_bytes(self.tally(&parts, cancel, &|part| {
                let roots = asked_roots(part);
                move |body: &Body, rows: &[RowId], tallies: &mut Tallies<Vec<u8>>| {
                    tally_folders(&roots, body, rows, tallies);
                }
            })?),
            StatsBy::Owner => {
                let users = self.people.users();
                let tallies = self.tally(&parts, cancel, &|_| numbered(|meta| meta.uid))?;
                by_bytes(tallies.into_iter().map(|(uid, tally)| (owner_name(&users, uid), tally)))
            }
            StatsBy::Type => {
                let tallies = self.tally(&parts, cancel, &|_| numbered(|meta| meta.kind() as u32))?;
                by_class(tallies, |class| EntryKind::ALL[class as usize].as_str().into())
            }
            StatsBy::Size => by_class(self.tally(&parts, cancel, &|_| numbered(size_class))?, size_name),
            StatsBy::Age => {
                let now_ns = clock::now_ns();
                let class = move |meta: &Meta| age_class(now_ns, meta.modified_ns);
                by_class(self.tally(&parts, cancel, &|_| numbered(class))?, age_name)
            }
        };
        refuse_if_all_failed(&mut parts)?;
        let mut total = Tally::default();
        for row in &rows {
            total.add(&Tally { entries: row.entries, size: row.size, allocated: row.allocated });
        }
        Ok(StatsAnswer {
            groups: rows.len() as u64,
            rows: rows.into_iter().take(req.limit).collect(),
            total: total.row(b"total".to_vec()),
            sources: self.describe(&parts),
            elapsed_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        })
    }

    /// Tallies the matching rows of every part; `counter` gives what counts one batch of a part.
    fn tally<K, C>(
        &self,
        parts: &[Part],
        cancel: &CancelToken,
        counter: &dyn Fn(&Part) -> C,
    ) -> Result<Tallies<K>, ServiceError>
    where
        K: Eq + Hash + Send,
        C: Fn(&Body, &[RowId], &mut Tallies<K>) + Sync,
    {
        let mut all = Tallies::new();
        for part in parts {
            let Some(held) = self.read(part, cancel)? else { continue };
            let rows = self.matching_rows(part, &held.body, cancel)?;
            let (body, count) = (&*held.body, counter(part));
            let batch = |mut tallies: Tallies<K>, rows: &[RowId]| {
                cancel.check().map(|()| {
                    count(body, rows, &mut tallies);
                    tallies
                })
            };
            let tallies = self.pools.bulk.install(|| {
                let batches = rows.par_chunks(BATCH_ROWS).try_fold(Tallies::new, batch);
                batches.try_reduce(Tallies::new, |a, b| {
                    Ok(if a.len() < b.len() { merge(b, a) } else { merge(a, b) })
                })
            })?;
            all = merge(all, tallies);
        }
        Ok(all)
    }

    /// Every row of a body that matches the part's query, in path order.
    pub(crate) fn matching_rows(
        &self,
        part: &Part,
        body: &Arc<Body>,
        cancel: &CancelToken,
    ) -> Result<Vec<RowId>, ServiceError> {
        let mut rows = Vec::new();
        let find = Find { query: &part.query, sort: &[], skip: 0, limit: None, total: false };
        engine::find(body, &find, &self.pools.bulk, cancel, &mut |more| {
            rows.extend_from_slice(more);
            ControlFlow::Continue(())
        })?;
        Ok(rows)
    }
}

/// Counts by a number of the metadata.
fn numbered(class: impl Fn(&Meta) -> u32 + Sync) -> impl Fn(&Body, &[RowId], &mut Tallies<u32>) + Sync {
    move |body, rows, tallies| {
        for row in rows {
            let meta = body.meta(*row);
            tallies.entry(class(&meta)).or_default().count(&meta);
        }
    }
}

fn tally_extensions(body: &Body, rows: &[RowId], tallies: &mut Tallies<Vec<u8>>) {
    let (mut name, mut folded) = (Vec::new(), Vec::new());
    for row in rows {
        let meta = body.meta(*row);
        if meta.kind() == EntryKind::Dir {
            entry(tallies, FOLDERS).count(&meta);
            continue;
        }
        name.clear();
        folded.clear();
        body.name_into(*row, &mut name);
        fold_into(&name, &mut folded);
        entry(tallies, extension(&folded).unwrap_or_default()).count(&meta);
    }
}

/// Counts by the first component below the asked root that holds the entry. What lies directly in
/// the root and is no folder counts for the root.
fn tally_folders(roots: &[Vec<u8>], body: &Body, rows: &[RowId], tallies: &mut Tallies<Vec<u8>>) {
    for_paths(body, rows, |row, path| {
        let meta = body.meta(row);
        let root = roots.iter().find(|root| crate::paths::holds(root, path)).map_or(0, Vec::len);
        let below = path.get(root + 1..).unwrap_or_default();
        let end = match below.iter().position(|byte| *byte == b'/') {
            Some(end) => root + 1 + end,
            None if meta.kind() == EntryKind::Dir => path.len(),
            None => root,
        };
        entry(tallies, shown(&path[..end])).count(&meta);
    });
}

/// Calls back with each row and its path.
fn for_paths(body: &Body, rows: &[RowId], mut each: impl FnMut(RowId, &[u8])) {
    let mut paths = Vec::new();
    body.paths_into(rows, 0, &mut paths);
    for (row, path) in rows.iter().zip(paths.split(|byte| *byte == 0)) {
        each(*row, path.strip_suffix(b"/").unwrap_or(path));
    }
}

/// The tally of a key, which is copied only if it is new.
fn entry<'a>(tallies: &'a mut Tallies<Vec<u8>>, key: &[u8]) -> &'a mut Tally {
    if !tallies.contains_key(key) {
        tallies.insert(key.to_vec(), Tally::default());
    }
    tallies.get_mut(key).expect("it is there by now")
}

fn asked_roots(part: &Part) -> Vec<Vec<u8>> {
    let mut roots = match &part.scope {
        Scope::Whole => vec![part.shard.source.root.clone()],
        Scope::Folders(folders) => folders.clone(),
    };
    // Of nested folders the deepest counts.
    roots.sort_by_key(|root| Reverse(root.len()));
    roots
}

/// Largest bytes first, then most entries, then by key.
fn by_bytes(tallies: impl IntoIterator<Item = (Vec<u8>, Tally)>) -> Vec<StatsRow> {
    let mut rows: Vec<StatsRow> = tallies.into_iter().map(|(key, tally)| tally.row(key)).collect();
    rows.sort_by(|a, b| (b.size, b.entries).cmp(&(a.size, a.entries)).then_with(|| a.key.cmp(&b.key)));
    rows
}

/// In the order of the classes.
fn by_class(tallies: Tallies<u32>, name: impl Fn(u32) -> String) -> Vec<StatsRow> {
    let mut classes: Vec<_> = tallies.into_iter().collect();
    classes.sort_by_key(|(class, _)| *class);
    classes.into_iter().map(|(class, tally)| tally.row(name(class).into_bytes())).collect()
}

fn owner_name(users: &Names, uid: u32) -> Vec<u8> {
    users.name(uid).map_or_else(|| uid.to_string().into_bytes(), <[u8]>::to_vec)
}

/// 0 = empty, n = at most n digits, [`u32::MAX`] = a folder.
fn size_class(meta: &Meta) -> u32 {
    match meta.kind() {
        EntryKind::Dir => u32::MAX,
        _ => meta.size.checked_ilog10().map_or(0, |digits| digits + 1),
    }
}

/// The class as a value of `size:`.
fn size_name(class: u32) -> String {
    match class {
        0 => "0".to_owned(),
        u32::MAX => String::from_utf8_lossy(FOLDERS).into_owned(),
        class => {
            let most = 10_u64.checked_pow(class).map_or(u64::MAX, |bound| bound - 1);
            format!("{}..{most}", 10_u64.saturating_pow(class - 1))
        }
    }
}

/// 0 = in the future, n = the n-th of [`AGES`], then older, then unknown.
fn age_class(now_ns: UnixNanos, at_ns: UnixNanos) -> u32 {
    let last = AGES.len() + 1;
    let age_s = now_ns.saturating_sub(at_ns) / 1_000_000_000;
    let class = match at_ns {
        NO_TIME => last + 1,
        at_ns if at_ns > now_ns => 0,
        _ => 1 + AGES.iter().position(|(bound, _)| age_s < *bound).unwrap_or(AGES.len()),
    };
    u32::try_from(class).expect("there are few classes")
}

fn age_name(class: u32) -> String {
    let class = class as usize;
    let name = match class.checked_sub(1) {
        None => "in the future",
        Some(age) if age < AGES.len() => AGES[age].1,
        Some(age) if age == AGES.len() => "older",
        Some(_) => "unknown",
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_classes_are_powers_of_ten() {
        let of = |size| size_name(size_class(&Meta { size, ..Meta::unknown(EntryKind::File, 1) }));
        for (size, want) in [(0, "0"), (1, "1..9"), (9, "1..9"), (10, "10..99"), (999, "100..999")] {
            assert_eq!(of(size), want);
        }
        assert_eq!(of(u64::MAX), "10000000000000000000..18446744073709551615");
        assert_eq!(size_name(size_class(&Meta::unknown(EntryKind::Dir, 1))), "/");
    }

    #[test]
    fn ages_have_an_order_and_ends() {
        let (now, day) = (4_000 * 86_400 * 1_000_000_000_i64, 86_400 * 1_000_000_000);
        let of = |at| age_name(age_class(now, at));
        assert_eq!(of(now), "last hour");
        assert_eq!(of(now + 1), "in the future");
        assert_eq!(of(now - day), "last 7 days");
        assert_eq!(of(now - day + 1), "last day");
        assert_eq!(of(0), "older");
        assert_eq!(of(NO_TIME), "unknown");
        assert_eq!(of(NO_TIME + 1), "older");
    }

    #[test]
    fn largest_first_with_a_stable_end() {
        let tally = |entries, size| Tally { entries, size, allocated: 0 };
        let rows = by_bytes([
            (b"b".to_vec(), tally(1, 5)),
            (b"a".to_vec(), tally(1, 5)),
            (b"c".to_vec(), tally(2, 5)),
            (b"d".to_vec(), tally(1, 9)),
        ]);
        let keys: Vec<_> = rows.iter().map(|row| row.key.as_slice()).collect();
        assert_eq!(keys, [b"d", b"c", b"a", b"b"]);
    }

    #[test]
    fn tallies_of_threads_add_up() {
        let one = Tally { entries: 1, size: 2, allocated: 3 };
        let merged = merge(Tallies::from([(1, one), (2, one)]), Tallies::from([(2, one)]));
        assert_eq!(merged[&2], Tally { entries: 2, size: 4, allocated: 6 });
        assert_eq!(merged[&1], one);
    }
}

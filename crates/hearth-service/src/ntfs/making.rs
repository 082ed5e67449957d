//! How the index of an NTFS volume is made: from the whole file table, or from the last one and the change journal.
//!
//! A replay reads again every record that the journal names, the folders that they were in, and the system's own
//! records; what it makes of an index equals what reading everything would. Where that is in doubt, everything is read, and
//! the reason is kept.

use super::medium::{Media, Spot, Stamp};
use super::opening::{OpenError, Opened};
use super::position::{Position, VolumeState};
use super::reread::{Reread, Way, check_bitmap, way};
use super::rows::{Collector, Folders, Plan, Rows, Seen, Writer};
use super::track::{How, Update};
use crate::api::{ScanOutcome, SourceKind};
use crate::catalogue::Source;
use crate::clock;
use crate::forecast::working_bytes;
use crate::journal;
use crate::maker::{Comparison, Failure, Made, Present, Renewed};
use crate::pools::Pools;
use crate::run::{ScanRun, millis};
use hearth_core::CancelToken;
use hearth_files::digest::Digest;
use hearth_files::follow::{Seen as Places, take_records};
use hearth_files::index::{Body, Root, Volume};
use hearth_ntfs::usn::{Journal, Touched};
use hearth_ntfs::{Counters, NtfsError, ReadReport, Which, details};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;
use tracing::info;

/// Records that the system keeps for itself and changes without a word: they are always read again.
const SYSTEM_RECORDS: u64 = 24;
/// Times that the journal is read on before what came meanwhile is left to the next comparison.
const ROUNDS: usize = 8;
/// Times that a table is read until it is known where its journal is.
const TABLE_ROUNDS: usize = 3;
/// Records that are worth reading one by one, at least, and as a part of all.
const TOUCHED_LEAST: u64 = 4096;
const TOUCHED_PART: u64 = 4;

/// Makes indexes of NTFS volumes.
pub(crate) struct Disks {
    pub(crate) media: Arc<Media>,
    pub(crate) pools: Arc<Pools>,
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Cancelled(_) => Failure::Cancelled,
            error => Failure::Failed(error.to_string()),
        }
    }
}

impl From<NtfsError> for Failure {
    fn from(error: NtfsError) -> Self {
        match error {
            NtfsError::Cancelled(_) => Failure::Cancelled,
            error => Failure::Failed(error.to_string()),
        }
    }
}

impl Disks {
    /// Reads the whole file table.
    pub(crate) fn make(&self, source: &Source, run: &ScanRun) -> Result<Made, Failure> {
        let first = source.disk.describe().is_none();
        self.read(source, run, if first { Reread::First } else { Reread::Asked })
    }

    fn read(&self, source: &Source, run: &ScanRun, why: Reread) -> Result<Made, Failure> {
        let opened = self.media.volume(&Spot::of(&source.info.root), true, &run.cancel)?;
        let rows = match source.info.kind {
            SourceKind::NtfsDeleted => Rows::Deleted,
            SourceKind::Volume | SourceKind::Ntfs => Rows::Present,
        };
        let read = self.read_known(source, &opened, rows, run)?;
        let root = Root { path: source.root.clone(), meta: read.table.root };
        let building = Instant::now();
        let chunks = run.drain_chunks();
        let pool = &self.pools.build;
        let body = Arc::new(match rows {
            Rows::Present => Body::build(&root, &chunks, pool, &run.cancel)?,
            Rows::Deleted => Body::build_with_repeats(&root, &chunks, pool, &run.cancel)?,
        });
        drop(chunks);
        run.cancel.check()?;
        let digest = Digest::of(&body);
        run.cancel.check()?;
        let built_in = building.elapsed();
        let position =
            Position { stamp: read.stamp, volume: read.state.clone(), orphans: read.table.orphans };
        source.disk.put(&body, position);
        let took_ms = millis(run.began.elapsed());
        let records = read.table.report.records;
        source.disk.note(Update { how: How::Read(why), records, files: body.entries(), changed: 0, took_ms });
        Ok(Made {
            peak_bytes: working_bytes(body.entries()),
            outcome: outcome(&read.table, &body, took_ms, millis(built_in)),
            body,
            digest: Arc::new(digest),
            began: run.began,
            began_ns: run.began_ns,
            made_ns: clock::now_ns(),
            built_in,
            device: 0,
            closed: Arc::default(),
            compared: true,
            behind: false,
            folded: false,
        })
    }

    /// Reads the table, and how far that is: the journal's end of before, so that what is written meanwhile comes after it. Where
    /// the journal is, is known from the last time or from the table itself; then the table is read again, unless nothing
    /// was written meanwhile.
    fn read_known(
        &self,
        source: &Source,
        opened: &Opened,
        rows: Rows,
        run: &ScanRun,
    ) -> Result<Read, Failure> {
        let mut journal = source.disk.journal();
        let mut stamp = opened.stamp;
        let mut round = 1;
        loop {
            let before = opened.state(journal, &run.cancel)?;
            let table = self.read_table(opened, rows, run)?;
            let now = self.media.stamp(&Spot::of(&source.info.root));
            let untouched = stamp.zip(now).is_some_and(|(before, now)| now.is_same(&before));
            // One that comes and goes is believed to be where it was, and missed the next time.
            if journal == table.journal || !opened.follows || round == TABLE_ROUNDS {
                return Ok(Read { table, stamp, state: before });
            }
            journal = table.journal;
            source.disk.know_journal(journal);
            if untouched {
                let state = opened.state(journal, &run.cancel)?;
                return Ok(Read { table, stamp, state });
            }
            drop(run.drain_chunks());
            stamp = now;
            round += 1;
        }
    }

    /// Reads all records into rows, once more if something hangs in the air.
    fn read_table(&self, opened: &Opened, rows: Rows, run: &ScanRun) -> Result<Table, Failure> {
        let records =
            u32::try_from(opened.volume.record_count()).ok().filter(|records| *records < u32::MAX - 2);
        let records =
            records.ok_or_else(|| Failure::Failed("the file table is too long to be real".to_owned()))?;
        let folders = Folders::new(records);
        let (seen, report) = self.pass(opened, rows, run, &folders, None)?;
        let root = seen.iter().find_map(|seen| seen.root);
        let root = root.ok_or_else(|| Failure::Failed("the file table has no root directory".to_owned()))?;
        if report.unread > report.records / 2 {
            let (unread, records) = (report.unread, report.records);
            return Err(Failure::Failed(format!(
                "{unread} of {records} records cannot be read from the disk"
            )));
        }
        let journal = seen.iter().find_map(|seen| seen.journal);
        let plan = Plan::of(rows, &folders, &seen);
        if !plan.is_needed() {
            return Ok(Table { root, report, orphans: 0, journal });
        }
        drop(run.drain_chunks());
        let (seen, report) = self.pass(opened, rows, run, &folders, Some(&plan))?;
        let orphans = seen.iter().map(|seen| seen.orphans).sum();
        if orphans > 0 {
            run.take(plan.folder_row());
        }
        Ok(Table { root, report, orphans, journal })
    }

    fn pass(
        &self,
        opened: &Opened,
        rows: Rows,
        run: &ScanRun,
        folders: &Folders,
        plan: Option<&Plan>,
    ) -> Result<(Vec<Seen>, ReadReport), Failure> {
        let threads = self.pools.build.current_num_threads();
        let writers = (0..threads).map(|_| Writer::new(rows, run, folders, plan)).collect();
        let which = if rows == Rows::Deleted { Which::All } else { Which::InUse };
        let (writers, report) = opened.volume.read_all(writers, which, &Counters::default(), &run.cancel)?;
        Ok((writers.into_iter().map(Writer::finish).collect(), report))
    }

    /// Brings an index up to its volume.
    pub(crate) fn compare(
        &self,
        source: &Source,
        run: &ScanRun,
        present: &Present,
    ) -> Result<Comparison, Failure> {
        let was = source.disk.position_of(&present.body);
        let spot = Spot::of(&source.info.root);
        let stamp = self.media.stamp(&spot);
        let same = |was: &Stamp| was.settled && stamp.is_some_and(|now| now.is_same(was));
        if let Some(position) = was.as_ref().filter(|was| was.stamp.as_ref().is_some_and(same)) {
            let position = (**position).clone();
            return Ok(Comparison::Renewed(self.unchanged(source, run, present, position)));
        }
        let replayed = match source.info.kind {
            SourceKind::NtfsDeleted => Err(Reread::Asked),
            SourceKind::Volume | SourceKind::Ntfs => self.replay(source, run, present, was.as_deref())?,
        };
        match replayed {
            Ok(renewed) => Ok(Comparison::Renewed(renewed)),
            Err(why) => {
                info!(source = source.info.name, reason = why.word(), "the whole file table is read: {why}");
                run.begin_scan();
                self.read(source, run, why).map(Comparison::Anew)
            }
        }
    }

    fn unchanged(&self, source: &Source, run: &ScanRun, present: &Present, position: Position) -> Renewed {
        source.disk.put(&present.body, position);
        let took_ms = millis(run.began.elapsed());
        source.disk.note(Update { how: How::Unchanged, records: 0, files: 0, changed: 0, took_ms });
        renewed(present, Arc::clone(&present.body), Places::default(), false, run)
    }

    /// Replays the journal; the inner error is why that cannot be done.
    fn replay(
        &self,
        source: &Source,
        run: &ScanRun,
        present: &Present,
        was: Option<&Position>,
    ) -> Result<Result<Renewed, Reread>, Failure> {
        let spot = Spot::of(&source.info.root);
        let mut opened = self.media.volume(&spot, true, &run.cancel)?;
        let number = was.and_then(Position::journal);
        let mut state = opened.state(number, &run.cancel)?;
        let unsettled = |was: &Position| {
            let (before, now) = (was.stamp.as_ref()?, opened.stamp.as_ref()?);
            (now.is_same(before) && was.volume == state).then_some(())
        };
        if let Some(was) = was.filter(|was| unsettled(was).is_some()) {
            let position = Position { stamp: opened.stamp, volume: state, orphans: was.orphans };
            return Ok(Ok(self.unchanged(source, run, present, position)));
        }
        let mut replay = match (way(was, state.as_ref()), was) {
            (Ok(Way::Replay(from)), Some(was)) => Replay::new(from, was, &present.body),
            (Ok(_), Some(was)) => {
                let position = Position { stamp: opened.stamp, volume: state, orphans: was.orphans };
                return Ok(Ok(self.unchanged(source, run, present, position)));
            }
            (Err(why), _) => return Ok(Err(why)),
            (Ok(_), None) => return Ok(Err(Reread::NoPosition)),
        };
        for _ in 0..ROUNDS {
            if let Err(why) = replay.round(&opened, &run.cancel)? {
                return Ok(Err(why));
            }
            // What was read may be newer than the journal was: it is read on until nothing is added.
            opened = self.media.volume(&spot, true, &run.cancel)?;
            state = opened.state(number, &run.cancel)?;
            let end = state.as_ref().and_then(|state| state.journal).map(|journal| journal.next_usn);
            if end == Some(replay.from) {
                break;
            }
        }
        let now = state.as_ref().map_or(&[][..], |state: &VolumeState| &state.bitmap);
        if let Err(why) = replay.check(&opened, now) {
            return Ok(Err(why));
        }
        Ok(Ok(replay.finish(source, run, present, &opened, state)))
    }
}

/// What reading a table gave besides rows.
struct Table {
    root: hearth_files::entry::Meta,
    report: ReadReport,
    orphans: u64,
    /// Record of the change journal.
    journal: Option<u64>,
}

/// A table, and how far it was read.
struct Read {
    table: Table,
    stamp: Option<Stamp>,
    state: Option<VolumeState>,
}

/// A replay under way.
struct Replay<'a> {
    /// Read up to here.
    from: u64,
    was: &'a Position,
    volume: Volume,
    touched: BTreeSet<u64>,
    places: Places,
    /// Journal records read.
    records: u64,
    most: u64,
}

impl<'a> Replay<'a> {
    fn new(from: u64, was: &'a Position, body: &Body) -> Self {
        let volume = Volume::new(body);
        let most = TOUCHED_LEAST.max(body.entries() / TOUCHED_PART);
        Self { from, was, volume, touched: BTreeSet::new(), places: Places::default(), records: 0, most }
    }

    /// Takes in what the journal holds now.
    fn round(&mut self, opened: &Opened, cancel: &CancelToken) -> Result<Result<(), Reread>, Failure> {
        let journal = match self.was.journal() {
            Some(number) => Journal::at(&opened.volume, number, cancel)?,
            None => None,
        };
        let Some(journal) = journal else { return Ok(Err(Reread::JournalAbsent)) };
        let mut touched = Touched::new(usize::try_from(self.most).unwrap_or(usize::MAX));
        let read = match journal.read(self.from, cancel, &mut |record| touched.take(record)) {
            Ok(read) => read,
            Err(hearth_ntfs::usn::JournalError::Ntfs(error)) => return Err(error.into()),
            Err(error) => return Ok(Err(error.into())),
        };
        if read.skipped_bytes > 0 {
            return Ok(Err(Reread::Unreadable(format!("{} bytes of it are no records", read.skipped_bytes))));
        }
        self.records += read.records;
        let own = (0..SYSTEM_RECORDS).chain([journal.number()]);
        let mut numbers: BTreeSet<u64> = own.collect();
        let too_much = Reread::TooMuch { records: read.records };
        let Some(files) = touched.files() else { return Ok(Err(too_much)) };
        numbers.extend(files);
        // The times of a folder change with what is in it, of which the journal says nothing.
        let Some(parents) = touched.parents() else { return Ok(Err(too_much)) };
        numbers.extend(parents);
        numbers.retain(|number| *number < opened.volume.record_count());
        let numbers: Vec<u64> = numbers.into_iter().collect();
        let mut collector = Collector::default();
        let report = opened.volume.read_some(&numbers, &mut collector, cancel)?;
        if report.unreadable.iter().any(|number| *number >= SYSTEM_RECORDS) {
            return Ok(Err(Reread::Unreadable("records that it names are damaged".to_owned())));
        }
        let taken = take_records(&mut self.volume, &collector.records, cancel)?;
        if taken.misplaced > 0 {
            return Ok(Err(Reread::Inconsistent { misplaced: taken.misplaced }));
        }
        let applied = self.places.applied + taken.seen.applied;
        journal::add(&mut self.places, &taken.seen);
        self.places.applied = applied;
        self.touched.extend(numbers);
        self.from = read.next_usn;
        Ok(Ok(()))
    }

    /// Looks for what the journal did not tell.
    fn check(&self, opened: &Opened, now: &[u8]) -> Result<(), Reread> {
        let was = self.was.volume.as_ref().map_or(&[][..], |volume| &volume.bitmap);
        let belongs = |number| {
            let header = details::of(&opened.volume, number).ok().and_then(|details| details.header);
            let base = header.and_then(|header| header.base);
            base.is_some_and(|base| self.touched.contains(&base.number()))
        };
        check_bitmap(was, now, &self.touched, belongs)
    }

    fn finish(
        self,
        source: &Source,
        run: &ScanRun,
        present: &Present,
        opened: &Opened,
        mut state: Option<VolumeState>,
    ) -> Renewed {
        let journal = state.as_mut().and_then(|state| state.journal.as_mut());
        // What came after the last round is for the next comparison.
        journal.into_iter().for_each(|journal| journal.next_usn = self.from);
        let changed = self.places.applied > 0;
        let body = if changed { Arc::new(self.volume.body()) } else { Arc::clone(&present.body) };
        let position = Position { stamp: opened.stamp, volume: state, orphans: self.was.orphans };
        source.disk.put(&body, position);
        let (records, files) = (self.records, self.touched.len() as u64);
        let took_ms = millis(run.began.elapsed());
        let update =
            Update { how: How::Replayed, records, files, changed: self.places.applied as u64, took_ms };
        info!(
            source = source.info.name,
            records,
            files,
            changed = update.changed,
            took_ms,
            "journal replayed"
        );
        source.disk.note(update);
        renewed(present, body, self.places, changed, run)
    }
}

fn renewed(present: &Present, body: Arc<Body>, seen: Places, changed: bool, run: &ScanRun) -> Renewed {
    let mut digest = (*present.digest).clone();
    digest.follow(&present.body, &body);
    let outcome = ScanOutcome {
        entries: body.entries(),
        scan_ms: millis(run.began.elapsed()),
        build_ms: 0,
        ..(*present.outcome).clone()
    };
    Renewed {
        digest: if changed { Arc::new(digest) } else { Arc::clone(&present.digest) },
        body,
        changed,
        seen,
        device: 0,
        outcome,
        peak_bytes: 1 << 20,
    }
}

fn outcome(read: &Table, body: &Body, scan_ms: u64, build_ms: u64) -> ScanOutcome {
    let report = &read.report;
    let mut samples = Vec::new();
    let mut say = |count: u64, what: &str| {
        if count > 0 {
            samples.push(format!("{count} {what}"));
        }
    };
    say(report.torn, "records were half written and are left out");
    say(report.damaged, "records are damaged and are left out");
    say(report.orphan_pieces, "pieces of files belong to no file");
    say(report.unread, "records cannot be read from the disk");
    say(report.not_whole, "files are told in part only");
    say(read.orphans, "entries have no folder any more and are below $OrphanFiles");
    ScanOutcome {
        entries: body.entries(),
        scan_ms: scan_ms.saturating_sub(build_ms),
        build_ms,
        denied: 0,
        vanished: 0,
        failed: report.torn + report.damaged + report.unread,
        samples,
        skipped: Vec::new(),
    }
}

//! What a change journal tells: of a volume, or of a file that holds the records of one and nothing else.
//!
//! Entries are handed on one by one as they are read. A reader may stop at any of them.

use super::asking::{broken, journal_facts, unreadable};
use super::folders::Folders;
use super::medium::{Bytes, Spot};
use super::opening::OpenError;
use super::seeking::components;
use crate::Service;
use crate::api::disks::{JournalEnd, JournalEntry, JournalFacts, JournalRequest};
use crate::error::ServiceError;
use hearth_core::CancelToken;
use hearth_files::fold::fold;
use hearth_ntfs::NtfsError;
use hearth_ntfs::usn::{self, Journal, JournalError, PAGE_BYTES, UsnRecord};
use std::ops::ControlFlow;

/// Bytes of loose records that are read at once; a multiple of a page.
const PIECE_BYTES: u64 = 1 << 20;

/// Takes the entries of a journal.
type Take<'a> = dyn FnMut(JournalEntry) -> ControlFlow<()> + 'a;

impl Service {
    /// Tells what happened on a volume, oldest first, until `take` breaks off.
    ///
    /// # Errors
    /// As [`Service::ntfs_info`]; [`ServiceError::BadRequest`] also if no journal is kept, or it does not hold what is asked
    /// for. Entries may have been told before.
    pub fn ntfs_journal(
        &self,
        request: &JournalRequest,
        cancel: &CancelToken,
        take: &mut Take<'_>,
    ) -> Result<JournalEnd, ServiceError> {
        let spot = self.spot(&request.disk)?;
        let opened = match self.media.volume(&spot, false, cancel) {
            Ok(opened) => opened,
            Err(error @ OpenError::NoVolume { .. }) => {
                return self.loose(&spot, request, cancel, take, error);
            }
            Err(error) => return Err(unreadable(&spot, error)),
        };
        let journal = Journal::open(&opened.volume, cancel).map_err(|error| broken(&spot, error))?;
        let journal = journal.ok_or_else(|| no_journal(&spot))?;
        let mut folders = Folders::new(&opened.volume, cancel);
        let mut teller = Teller::new(request, &spot, cancel, take);
        let from = start(request.since, journal.first_usn(), journal.next_usn());
        let stop = teller.stop.clone();
        let read = journal.read(from, &stop, &mut |record| {
            teller.tell(record, &mut |name| folders.path_in(record.parent, name));
        });
        match read {
            Ok(read) => teller.finish(read.next_usn, read.skipped_bytes, Some(journal_facts(&journal))),
            Err(JournalError::Ntfs(NtfsError::Cancelled(_))) => {
                let end = journal.next_usn();
                teller.finish(end, 0, Some(journal_facts(&journal)))
            }
            Err(JournalError::Ntfs(error)) => Err(broken(&spot, error)),
            Err(error) => Err(not_held(&error)),
        }
    }

    /// The same of a file that is no volume; `error` says so, if it holds no records either.
    fn loose(
        &self,
        spot: &Spot,
        request: &JournalRequest,
        cancel: &CancelToken,
        take: &mut Take<'_>,
        error: OpenError,
    ) -> Result<JournalEnd, ServiceError> {
        let medium = self.media.open(&spot.file, cancel).map_err(|error| unreadable(spot, error.into()))?;
        let Some(loose) = Loose::of(&medium.bytes, spot, cancel)? else {
            return Err(unreadable(spot, error));
        };
        if request.below.is_some() {
            return Err(ServiceError::BadRequest {
                field: "below",
                message: format!(
                    "{} holds records of a journal alone, which name no folders",
                    spot.file.display()
                ),
                hint: "leave the path out and choose by name, or ask the volume itself".to_owned(),
            });
        }
        let mut teller = Teller::new(request, spot, cancel, take);
        let (end, skipped_bytes) = loose.read(request.since, spot, &mut teller)?;
        teller.finish(end, skipped_bytes, None)
    }
}

/// Where reading begins: at a page, since a USN that somebody gives need not be that of a record. One that is out of
/// bounds is left for the journal to refuse.
fn start(since: Option<u64>, first: u64, next: u64) -> u64 {
    let since = since.unwrap_or(first);
    if (first..=next).contains(&since) { (since / PAGE_BYTES * PAGE_BYTES).max(first) } else { since }
}

/// Hands on entries that are asked for, up to a limit.
struct Teller<'a> {
    since: u64,
    left: Option<u64>,
    /// Parts of the path that entries must be at or below, folded.
    below: Option<Vec<Vec<u8>>>,
    cancel: &'a CancelToken,
    take: &'a mut Take<'a>,
    /// Fires when no more is wanted.
    stop: CancelToken,
    /// Why it fired.
    stopped: Option<Stopped>,
    shown: u64,
    records: u64,
}

enum Stopped {
    /// This USN is where to go on.
    Limit(u64),
    /// As the limit; nobody listens any more.
    Closed(u64),
    Failed(ServiceError),
}

impl<'a> Teller<'a> {
    fn new(request: &JournalRequest, spot: &Spot, cancel: &'a CancelToken, take: &'a mut Take<'_>) -> Self {
        let below = request.below.as_ref().map(|below| components(below, &spot.root()));
        Self {
            since: request.since.unwrap_or(0),
            left: request.limit,
            below: below.map(|parts| parts.iter().map(|part| fold(part)).collect()),
            cancel,
            take,
            stop: CancelToken::new(),
            stopped: None,
            shown: 0,
            records: 0,
        }
    }

    /// Takes a record; `path` finds out where a name is.
    fn tell(&mut self, record: &UsnRecord<'_>, path: &mut dyn FnMut(&[u8]) -> Option<Vec<u8>>) {
        if self.stopped.is_some() || record.usn < self.since {
            return;
        }
        self.records += 1;
        if let Err(cancelled) = self.cancel.check() {
            return self.end(Stopped::Failed(cancelled.into()));
        }
        let name = record.name.to_bytes();
        let path = if name.is_empty() { None } else { path(&name) };
        if !self.is_wanted(path.as_deref()) {
            return;
        }
        if self.left == Some(0) {
            return self.end(Stopped::Limit(record.usn));
        }
        self.left = self.left.map(|left| left - 1);
        self.shown += 1;
        if (self.take)(entry(record, name, path)).is_break() {
            self.end(Stopped::Closed(record.usn));
        }
    }

    fn end(&mut self, why: Stopped) {
        self.stopped = Some(why);
        self.stop.cancel();
    }

    fn is_wanted(&self, path: Option<&[u8]>) -> bool {
        let Some(below) = &self.below else { return true };
        let Some(path) = path else { return false };
        let mut parts = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
        below.iter().all(|wanted| parts.next().is_some_and(|part| fold(part) == *wanted))
    }

    /// What it came to, if everything up to `next_usn` was read or it was stopped before.
    fn finish(
        self,
        next_usn: u64,
        skipped_bytes: u64,
        facts: Option<JournalFacts>,
    ) -> Result<JournalEnd, ServiceError> {
        let (more, next_usn) = match self.stopped {
            None => (false, next_usn),
            Some(Stopped::Limit(usn) | Stopped::Closed(usn)) => (true, usn),
            Some(Stopped::Failed(error)) => return Err(error),
        };
        Ok(JournalEnd { shown: self.shown, records: self.records, more, next_usn, skipped_bytes, facts })
    }
}

fn entry(record: &UsnRecord<'_>, name: Vec<u8>, path: Option<Vec<u8>>) -> JournalEntry {
    JournalEntry {
        usn: record.usn,
        time_ns: record.time_ns,
        reference: record.reference,
        parent: record.parent,
        name,
        path,
        reasons: record.reasons,
        source: record.source,
        attributes: record.attributes,
        version: record.version.0,
        extents: record.extents.iter().collect(),
    }
}

/// Records of a journal in a file, behind a hole or not.
struct Loose<'a> {
    bytes: &'a Bytes,
    /// Offset of the first record.
    start: u64,
    /// Its USN.
    first_usn: u64,
}

impl<'a> Loose<'a> {
    /// The records of a file; `None` if it does not begin with any.
    fn of(bytes: &'a Bytes, spot: &Spot, cancel: &CancelToken) -> Result<Option<Self>, ServiceError> {
        let mut at = 0;
        while at < bytes.len() {
            cancel.check()?;
            let piece = piece(bytes, at, PIECE_BYTES).map_err(|error| broken(spot, error))?;
            if let Some(filled) = piece.iter().position(|byte| *byte != 0) {
                let start = at + filled as u64 / PAGE_BYTES * PAGE_BYTES;
                let piece = self::piece(bytes, start, PIECE_BYTES).map_err(|error| broken(spot, error))?;
                return Ok(usn::first_usn(&piece).map(|first_usn| Self { bytes, start, first_usn }));
            }
            at += PIECE_BYTES;
        }
        Ok(None)
    }

    fn end_usn(&self) -> u64 {
        self.first_usn.saturating_add(self.bytes.len() - self.start)
    }

    /// Tells the records from a USN on; gives their end, and the bytes that are none.
    fn read(
        &self,
        since: Option<u64>,
        spot: &Spot,
        teller: &mut Teller<'_>,
    ) -> Result<(u64, u64), ServiceError> {
        let (lowest, next) = (self.first_usn, self.end_usn());
        match since {
            Some(from) if from < lowest => return Err(not_held(&JournalError::BelowLowest { from, lowest })),
            Some(from) if from > next => return Err(not_held(&JournalError::BeyondEnd { from, next })),
            _ => {}
        }
        let mut at = start(since, lowest, next);
        let mut skipped_bytes = 0;
        while at < next && teller.stopped.is_none() {
            let len = (at / PIECE_BYTES + 1) * PIECE_BYTES - at;
            let piece =
                piece(self.bytes, self.start + (at - lowest), len).map_err(|error| broken(spot, error))?;
            let mut records = usn::parse(&piece, at);
            for record in &mut records {
                teller.tell(&record, &mut |_| None);
            }
            skipped_bytes += records.skipped_bytes();
            at += piece.len() as u64;
        }
        Ok((next, skipped_bytes))
    }
}

/// At most `len` bytes at a place, fewer at the end.
fn piece(bytes: &Bytes, at: u64, len: u64) -> Result<Vec<u8>, NtfsError> {
    let len = len.min(bytes.len().saturating_sub(at));
    let mut piece = vec![0; len as usize];
    let read = bytes.read_exact_at(at, &mut piece);
    read.map_err(|source| NtfsError::Io { offset: at, bytes: len, source })?;
    Ok(piece)
}

fn no_journal(spot: &Spot) -> ServiceError {
    ServiceError::BadRequest {
        field: "disk",
        message: format!("{} keeps no change journal", spot.file.display()),
        hint: "on Windows `fsutil usn createjournal` begins one".to_owned(),
    }
}

fn not_held(error: &JournalError) -> ServiceError {
    ServiceError::BadRequest {
        field: "since",
        message: error.to_string(),
        hint: "`hearth ntfs info` says from where to where the journal reaches".to_owned(),
    }
}

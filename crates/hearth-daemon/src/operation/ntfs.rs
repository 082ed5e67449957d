//! `ntfs_info`, `ntfs_record`, `ntfs_journal`: what is on a disk, as it is now.
//!
//! They read disks, which may hang or have to be expanded first: a thread each. The rows of a journal leave as they are
//! read, so that memory is bounded whatever its length; a client that goes away ends the reading.

use crate::dispatch::{Plan, later, reply};
use crate::lanes::Lane;
use crate::ticket::Call;
use hearth_protocol::answer::Summary;
use hearth_protocol::answer::ntfs::{Disk, FileRecord, JournalTotal, UsnEntry};
use hearth_protocol::convert::named_disk;
use hearth_protocol::envelope::Request;
use hearth_protocol::params::{NtfsInfoParams, NtfsJournalParams, NtfsRecordParams};
use hearth_protocol::render::Frames;
use hearth_protocol::{Code, RpcError};
use hearth_service::api::disks::{JournalEnd, JournalEntry};
use std::ops::ControlFlow;
use std::time::Instant;

pub(crate) fn plan_info(request: &Request<'_>) -> Result<Plan, RpcError> {
    let params: NtfsInfoParams = request.params()?;
    let disk = named_disk(params.disk_bytes()?)?;
    later(Lane::Slow, params.timeout_ms, move |call| {
        reply(&call.id, &Disk::from(call.server.service.ntfs_info(&disk, &call.cancel)?))
    })
}

pub(crate) fn plan_record(request: &Request<'_>) -> Result<Plan, RpcError> {
    let params: NtfsRecordParams = request.params()?;
    let (disk, wanted) = (named_disk(params.disk_bytes()?)?, params.to_wanted()?);
    later(Lane::Slow, params.timeout_ms, move |call| {
        let record = call.server.service.ntfs_record(&disk, &wanted, &call.cancel)?;
        reply(&call.id, &FileRecord::from(record))
    })
}

pub(crate) fn plan_journal(request: &Request<'_>) -> Result<Plan, RpcError> {
    let params: NtfsJournalParams = request.params()?;
    let request = params.to_request()?;
    later(Lane::Slow, params.timeout_ms, move |call| {
        let began = Instant::now();
        let mut rows = Rows { call, frames: Frames::new(&call.id, false), sent: false, broken: None };
        let outcome = call.server.service.ntfs_journal(&request, &call.cancel, &mut |entry| rows.take(entry));
        let end = rows.finish(outcome.map_err(RpcError::from))?;
        reply(&call.id, &summary(end, began))
    })
}

fn summary(end: JournalEnd, began: Instant) -> Summary {
    Summary {
        shown: end.shown,
        elapsed_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        more: end.more,
        journal: Some(JournalTotal::from(end)),
        ..Summary::default()
    }
}

/// Rows on their way to the client.
struct Rows<'a> {
    call: &'a Call,
    frames: Frames,
    sent: bool,
    /// Why the client gets no more.
    broken: Option<RpcError>,
}

impl Rows<'_> {
    fn take(&mut self, entry: JournalEntry) -> ControlFlow<()> {
        match self.push(&UsnEntry::from(entry)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.broken = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn push(&mut self, row: &UsnEntry) -> Result<(), RpcError> {
        serde_json::to_writer(self.frames.row(), row)
            .map_err(|error| RpcError::new(Code::Internal, error.to_string()))?;
        if self.frames.is_full() { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<(), RpcError> {
        if let Some(frame) = self.frames.take() {
            self.call.send_rows(frame, self.sent)?;
            self.sent = true;
        }
        Ok(())
    }

    /// Sends the last rows. Those before an error are sent as well.
    fn finish(mut self, outcome: Result<JournalEnd, RpcError>) -> Result<JournalEnd, RpcError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        self.send()?;
        let partial = self.sent;
        outcome.map_err(|error| super::mark_partial(error, partial))
    }
}

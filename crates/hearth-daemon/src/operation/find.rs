//! `find`: rows are rendered into frames while the service finds them.
//!
//! Paths go from the index into the frame in batches; an entry costs no allocation. A frame is sent as soon
//! as it is full, so memory is bounded whatever the size of the answer, and a slow client slows the search.

use super::{lane_of, mark_partial};
use crate::dispatch::{Plan, later, reply};
use crate::lanes::Lane;
use crate::ticket::Call;
use hearth_core::limits::REQUEST_TIMEOUT_MAX_MS;
use hearth_protocol::answer::Summary;
use hearth_protocol::convert::TREE_COLUMNS;
use hearth_protocol::entry::{EntryView, OwnView, TotalsView};
use hearth_protocol::envelope::Request;
use hearth_protocol::limits::INTERACTIVE_ROWS;
use hearth_protocol::params::{Encoding, FindParams};
use hearth_protocol::render::{Frames, append_entry};
use hearth_protocol::{Columns, RpcError};
use hearth_service::api::disks::{DELETED, FileReference, Meta, attribute_letters};
use hearth_service::api::{RowSink, Rows, SinkClosed, SourceKind};
use hearth_service::{Body, RowId};

/// Rows whose paths are rendered between two looks at the size of the frame.
const PATH_BATCH: usize = 1024;

pub(crate) fn plan(request: &Request<'_>) -> Result<Plan, RpcError> {
    let params: FindParams = request.params()?;
    let request = params.to_request()?;
    let few = params.count || params.limit.is_some_and(|limit| limit <= INTERACTIVE_ROWS);
    let waits = params.wait_complete || params.wait_fresh_ms.is_some();
    let lane = lane_of(waits, if few { Lane::Fast } else { Lane::Bulk });
    let timeout_ms = params.timeout_ms.or(params.wait_complete.then_some(REQUEST_TIMEOUT_MAX_MS));
    later(lane, timeout_ms, move |call| {
        call.prepare_sources(params.wait_complete)?;
        let mut sink = FrameSink::new(call, &params);
        let outcome = call.server.service.find(&request, &call.cancel, &mut sink);
        sink.finish(outcome.map(Summary::from).map_err(RpcError::from))
    })
}

struct FrameSink<'a> {
    call: &'a Call,
    frames: Frames,
    encoding: Encoding,
    columns: Columns,
    path: Vec<u8>,
    sent: bool,
    /// Why the client got no more rows.
    broken: Option<RpcError>,
}

impl<'a> FrameSink<'a> {
    fn new(call: &'a Call, params: &FindParams) -> Self {
        FrameSink {
            call,
            frames: Frames::new(&call.id, params.encoding.is_raw()),
            encoding: params.encoding,
            columns: params.column_set(),
            path: Vec::new(),
            sent: false,
            broken: None,
        }
    }

    fn paths(&mut self, body: &Body, rows: &[RowId], end: u8) -> Result<(), RpcError> {
        for batch in rows.chunks(PATH_BATCH) {
            body.paths_into(batch, end, self.frames.raw());
            self.send_if_full()?;
        }
        Ok(())
    }

    fn entries(&mut self, rows: &Rows<'_>) -> Result<(), RpcError> {
        let lines = self.encoding == Encoding::Jsonl;
        for &row in rows.rows {
            self.path.clear();
            rows.body.path_into(row, &mut self.path);
            let meta = rows.body.meta(row);
            let letters = letters(rows, &meta);
            let view = view(rows, row, &meta, &letters, &self.path, self.columns);
            let out = if lines { self.frames.raw() } else { self.frames.row() };
            append_entry(out, &view, self.columns);
            if lines {
                out.push(b'\n');
            }
            self.send_if_full()?;
        }
        Ok(())
    }

    fn send_if_full(&mut self) -> Result<(), RpcError> {
        if self.frames.is_full() { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<(), RpcError> {
        let Some(frame) = self.frames.take() else { return Ok(()) };
        self.call.send_rows(frame, self.sent)?;
        self.sent = true;
        Ok(())
    }

    /// The reply line after the last rows. Rows found before an error are sent as well.
    fn finish(mut self, outcome: Result<Summary, RpcError>) -> Result<Vec<u8>, RpcError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        self.send()?;
        let partial = self.sent;
        let summary = outcome.map_err(|error| mark_partial(error, partial))?;
        reply(&self.call.id, &summary)
    }
}

impl RowSink for FrameSink<'_> {
    fn rows(&mut self, rows: Rows<'_>) -> Result<(), SinkClosed> {
        let outcome = match self.encoding {
            Encoding::Lines => self.paths(rows.body, rows.rows, b'\n'),
            Encoding::Nul => self.paths(rows.body, rows.rows, 0),
            Encoding::Json | Encoding::Jsonl => self.entries(&rows),
        };
        outcome.map_err(|error| {
            self.broken = Some(error);
            SinkClosed
        })
    }
}

/// Attributes of an entry of NTFS as letters.
fn letters(rows: &Rows<'_>, meta: &Meta) -> String {
    match rows.kind {
        SourceKind::Volume => String::new(),
        SourceKind::Ntfs | SourceKind::NtfsDeleted => attribute_letters(meta.attributes),
    }
}

/// What only some file systems have, and the number of the file.
fn own<'a>(kind: SourceKind, meta: &Meta, letters: &'a str) -> (OwnView<'a>, u64) {
    match kind {
        SourceKind::Volume => (OwnView::Unix { mode: meta.mode, uid: meta.uid, gid: meta.gid }, meta.inode),
        SourceKind::Ntfs | SourceKind::NtfsDeleted => {
            let reference = FileReference::from_key(meta.inode);
            let (sequence, deleted) = (reference.sequence(), meta.attributes & DELETED != 0);
            (OwnView::Ntfs { letters, sequence, deleted }, reference.number())
        }
    }
}

fn view<'a>(
    rows: &'a Rows<'_>,
    row: RowId,
    meta: &Meta,
    letters: &'a str,
    path: &'a [u8],
    columns: Columns,
) -> EntryView<'a> {
    let (own, file_id) = own(rows.kind, meta, letters);
    let totals = if columns.intersects(TREE_COLUMNS) { rows.body.totals(row) } else { None };
    let slashes = memchr::memchr_iter(b'/', path).count();
    EntryView {
        path,
        name_start: memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1),
        kind: meta.kind(),
        size: meta.size,
        allocated: meta.allocated,
        modified_ns: meta.modified_ns,
        created_ns: meta.created_ns,
        accessed_ns: meta.accessed_ns,
        own,
        file_id,
        links: meta.links,
        source: rows.source,
        depth: if path == b"/" { 0 } else { u32::try_from(slashes).unwrap_or(u32::MAX) },
        totals: totals.map(|totals| TotalsView {
            children: totals.children,
            descendants: totals.descendants,
            size: totals.size,
            allocated: totals.allocated,
        }),
    }
}

//! Fast rendering of rows: JSON objects of entries, and the frames that carry rows.
//!
//! An export is millions of rows of one fixed shape, so these objects are appended by hand into one
//! buffer, without an allocation per row. Tests hold them equal to what serde reads.

use crate::base64;
use crate::columns::{Column, Columns};
use crate::entry::{EntryView, OwnView};
use crate::envelope::Id;
use crate::limits::{RAW_FRAME_BYTES, ROWS_BYTES};
use hearth_core::NO_TIME;
use std::str;

/// Appends the JSON object of an entry, with `"v":1,"type":"entry"` and the fields of `columns`.
/// A time that the file system does not have is `null`; folder totals of other entries are left out.
pub fn append_entry(out: &mut Vec<u8>, entry: &EntryView<'_>, columns: Columns) {
    out.extend_from_slice(br#"{"v":1,"type":"entry""#);
    append_texts(out, entry, columns);
    append_stat(out, entry, columns);
    if columns.has(Column::Source) {
        out.extend_from_slice(br#","source":"#);
        append_text(out, entry.source);
    }
    append_tree(out, entry, columns);
    out.push(b'}');
}

fn append_texts(out: &mut Vec<u8>, entry: &EntryView<'_>, columns: Columns) {
    const NAMES: Columns = Columns::NONE.with(Column::Path).with(Column::Name);
    if columns.intersects(NAMES) {
        let whole = str::from_utf8(entry.path).ok();
        if columns.has(Column::Path) {
            append_twin(out, "path", entry.path, whole);
        }
        if columns.has(Column::Name) {
            let bytes = &entry.path[entry.name_start..];
            let text =
                whole.and_then(|path| path.get(entry.name_start..)).or_else(|| str::from_utf8(bytes).ok());
            append_twin(out, "name", bytes, text);
        }
    }
    if columns.has(Column::Kind) {
        out.extend_from_slice(br#","kind":""#);
        out.extend_from_slice(entry.kind.as_str().as_bytes());
        out.push(b'"');
    }
}

fn append_stat(out: &mut Vec<u8>, entry: &EntryView<'_>, columns: Columns) {
    let numbers = [(Column::Size, entry.size), (Column::Allocated, entry.allocated)];
    let times = [
        (Column::Modified, entry.modified_ns),
        (Column::Created, entry.created_ns),
        (Column::Accessed, entry.accessed_ns),
    ];
    append_numbers(out, columns, &numbers);
    for (column, time) in times {
        if columns.has(column) {
            append_key(out, column);
            append_time(out, time);
        }
    }
    append_own(out, entry, columns);
}

/// Owner and mode, or attributes; between them the number of the file, and the links.
fn append_own(out: &mut Vec<u8>, entry: &EntryView<'_>, columns: Columns) {
    let file_id = [(Column::FileId, entry.file_id)];
    let links = [(Column::Links, u64::from(entry.links))];
    match entry.own {
        OwnView::Unix { mode, uid, gid } => {
            let owner = [(Column::Mode, mode.into()), (Column::Uid, uid.into()), (Column::Gid, gid.into())];
            append_numbers(out, columns, &owner);
            append_numbers(out, columns, &file_id);
            append_numbers(out, columns, &links);
        }
        OwnView::Ntfs { letters, sequence, deleted } => {
            if columns.has(Column::Attributes) {
                append_key(out, Column::Attributes);
                append_text(out, letters);
            }
            append_numbers(out, columns, &file_id);
            append_numbers(out, columns, &[(Column::Sequence, sequence.into())]);
            append_numbers(out, columns, &links);
            if deleted && columns.has(Column::Deleted) {
                append_key(out, Column::Deleted);
                out.extend_from_slice(b"true");
            }
        }
    }
}

fn append_tree(out: &mut Vec<u8>, entry: &EntryView<'_>, columns: Columns) {
    append_numbers(out, columns, &[(Column::Depth, u64::from(entry.depth))]);
    if let Some(totals) = &entry.totals {
        let numbers = [
            (Column::Children, totals.children),
            (Column::Descendants, totals.descendants),
            (Column::TreeSize, totals.size),
            (Column::TreeAllocated, totals.allocated),
        ];
        append_numbers(out, columns, &numbers);
    }
}

fn append_numbers(out: &mut Vec<u8>, columns: Columns, numbers: &[(Column, u64)]) {
    for &(column, number) in numbers {
        if columns.has(column) {
            append_key(out, column);
            append_number(out, number);
        }
    }
}

fn append_key(out: &mut Vec<u8>, column: Column) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(column.as_str().as_bytes());
    out.extend_from_slice(b"\":");
}

fn append_twin(out: &mut Vec<u8>, key: &str, bytes: &[u8], text: Option<&str>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(key.as_bytes());
    match text {
        Some(text) => {
            out.extend_from_slice(b"\":");
            append_text(out, text);
        }
        None => {
            out.extend_from_slice(b"_b64\":\"");
            base64::encode_into(bytes, out);
            out.push(b'"');
        }
    }
}

fn append_time(out: &mut Vec<u8>, time: i64) {
    if time == NO_TIME {
        out.extend_from_slice(b"null");
        return;
    }
    if time < 0 {
        out.push(b'-');
    }
    append_number(out, time.unsigned_abs());
}

/// Appends a number in decimal.
pub fn append_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// Appends a JSON string.
pub fn append_text(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut clean_from = 0;
    for (position, &byte) in bytes.iter().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[clean_from..position]);
        clean_from = position + 1;
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\r' => out.extend_from_slice(b"\\r"),
            _ => out.extend_from_slice(&[
                b'\\',
                b'u',
                b'0',
                b'0',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]),
        }
    }
    out.extend_from_slice(&bytes[clean_from..]);
    out.push(b'"');
}

const COUNT_WIDTH: usize = 12;

/// Builds the frames that carry rows of one request: `rows` notifications with JSON, or a header line
/// and raw bytes. Append rows, and take the frame when it is full.
#[derive(Debug)]
pub struct Frames {
    header: Vec<u8>,
    raw: bool,
    buffer: Vec<u8>,
}

impl Frames {
    /// Frames for the request `id`: raw bytes, or JSON rows.
    pub fn new(id: &Id, raw: bool) -> Self {
        let mut header = br#"{"jsonrpc":"2.0","method":"rows","params":{"id":"#.to_vec();
        match id {
            Id::Number(number) => header.extend_from_slice(number.to_string().as_bytes()),
            Id::Text(text) => append_text(&mut header, text),
        }
        header.extend_from_slice(if raw { br#","raw_bytes":"# } else { br#","rows":["# });
        if raw {
            header.extend_from_slice(&[b' '; COUNT_WIDTH]);
            header.extend_from_slice(b"}}\n");
        }
        let buffer = header.clone();
        Frames { header, raw, buffer }
    }

    /// Where to append raw bytes: whole rows with their ends.
    pub fn raw(&mut self) -> &mut Vec<u8> {
        debug_assert!(self.raw);
        &mut self.buffer
    }

    /// Where to append exactly one JSON row.
    pub fn row(&mut self) -> &mut Vec<u8> {
        debug_assert!(!self.raw);
        if !self.is_empty() {
            self.buffer.push(b',');
        }
        &mut self.buffer
    }

    /// True if nothing was appended since the last frame.
    pub fn is_empty(&self) -> bool {
        self.buffer.len() == self.header.len()
    }

    /// True if it is time to take the frame.
    pub fn is_full(&self) -> bool {
        self.buffer.len() >= if self.raw { RAW_FRAME_BYTES } else { ROWS_BYTES }
    }

    /// The finished frame, unless it is empty. The next one begins.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        if self.is_empty() {
            return None;
        }
        let mut next = Vec::with_capacity(self.buffer.len() + self.buffer.len() / 8);
        next.extend_from_slice(&self.header);
        let mut frame = std::mem::replace(&mut self.buffer, next);
        if self.raw {
            self.write_count(&mut frame);
        } else {
            frame.extend_from_slice(b"]}}\n");
        }
        Some(frame)
    }

    /// JSON allows blanks before a number, so that the count is filled in when it is known.
    fn write_count(&self, frame: &mut [u8]) {
        let mut digits = Vec::with_capacity(COUNT_WIDTH);
        append_number(&mut digits, (frame.len() - self.header.len()) as u64);
        let end = self.header.len() - b"}}\n".len();
        frame[end - digits.len()..end].copy_from_slice(&digits);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Entry, TotalsView};
    use crate::envelope::{Message, RowsParams};
    use hearth_core::EntryKind;
    use proptest::prelude::*;
    use serde_json::Value;

    fn view<'a>(path: &'a [u8], numbers: &[u64; 5], source: &'a str, folder: bool) -> EntryView<'a> {
        let name_start = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        let [size, time, mode, id, links] = *numbers;
        EntryView {
            path,
            name_start,
            kind: if folder { EntryKind::Dir } else { EntryKind::File },
            size,
            allocated: size ^ id,
            modified_ns: time as i64,
            created_ns: NO_TIME,
            accessed_ns: -(time as i64 >> 1),
            own: OwnView::Unix { mode: mode as u32, uid: id as u32, gid: (id >> 32) as u32 },
            file_id: id,
            links: links as u32,
            source,
            depth: 3,
            totals: folder.then_some(TotalsView {
                children: 1,
                descendants: size,
                size: id,
                allocated: links,
            }),
        }
    }

    fn read(view: &EntryView<'_>, columns: Columns) -> Entry {
        let mut out = Vec::new();
        append_entry(&mut out, view, columns);
        let object: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((&object["v"], &object["type"]), (&Value::from(1), &Value::from("entry")));
        serde_json::from_value(object).unwrap()
    }

    fn expect(view: &EntryView<'_>, columns: Columns) -> Entry {
        let want = |column, present: bool| columns.has(column) && present;
        let name = &view.path[view.name_start..];
        let (path_text, name_text) = (str::from_utf8(view.path).ok(), str::from_utf8(name).ok());
        let (has_path, has_name) = (columns.has(Column::Path), columns.has(Column::Name));
        let time = |column, time: i64| want(column, time != NO_TIME).then_some(time);
        let totals =
            |column, of: fn(&TotalsView) -> u64| view.totals.as_ref().filter(|_| columns.has(column)).map(of);
        let (unix, ntfs) = match view.own {
            OwnView::Unix { mode, uid, gid } => (Some([mode, uid, gid]), None),
            OwnView::Ntfs { letters, sequence, deleted } => (None, Some((letters, sequence, deleted))),
        };
        let owner = |column, at: usize| unix.filter(|_| columns.has(column)).map(|unix| unix[at]);
        Entry {
            path: path_text.filter(|_| has_path).map(str::to_owned),
            path_b64: (has_path && path_text.is_none()).then(|| crate::B64(view.path.to_vec())),
            name: name_text.filter(|_| has_name).map(str::to_owned),
            name_b64: (has_name && name_text.is_none()).then(|| crate::B64(name.to_vec())),
            kind: columns.has(Column::Kind).then(|| view.kind.as_str().to_owned()),
            size: columns.has(Column::Size).then_some(view.size),
            allocated: columns.has(Column::Allocated).then_some(view.allocated),
            modified_ns: time(Column::Modified, view.modified_ns),
            created_ns: time(Column::Created, view.created_ns),
            accessed_ns: time(Column::Accessed, view.accessed_ns),
            mode: owner(Column::Mode, 0),
            uid: owner(Column::Uid, 1),
            gid: owner(Column::Gid, 2),
            attributes: ntfs
                .filter(|_| columns.has(Column::Attributes))
                .map(|(letters, ..)| letters.to_owned()),
            sequence: ntfs.filter(|_| columns.has(Column::Sequence)).map(|(_, sequence, _)| sequence),
            deleted: ntfs.is_some_and(|(.., deleted)| deleted && columns.has(Column::Deleted)),
            file_id: columns.has(Column::FileId).then_some(view.file_id),
            links: columns.has(Column::Links).then_some(view.links),
            source: columns.has(Column::Source).then(|| view.source.to_owned()),
            depth: columns.has(Column::Depth).then_some(view.depth),
            children: totals(Column::Children, |totals| totals.children),
            descendants: totals(Column::Descendants, |totals| totals.descendants),
            tree_size: totals(Column::TreeSize, |totals| totals.size),
            tree_allocated: totals(Column::TreeAllocated, |totals| totals.allocated),
        }
    }

    #[test]
    fn fields_stand_in_the_order_of_the_contract() {
        let mut out = Vec::new();
        append_entry(&mut out, &view(b"/a/b", &[1, 2, 3, 4, 5], "root", false), Columns::DEFAULT);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(
            text,
            concat!(
                r#"{"v":1,"type":"entry","path":"/a/b","name":"b","kind":"file","size":1,"allocated":5,"modified_ns":2,"#,
                r#""created_ns":null,"accessed_ns":-1,"mode":3,"uid":4,"gid":0,"file_id":4,"links":5,"source":"root"}"#
            )
        );
    }

    #[test]
    fn entries_of_ntfs_have_attributes_in_place_of_mode_and_owner() {
        let mut out = Vec::new();
        let own = OwnView::Ntfs { letters: "HS", sequence: 3, deleted: true };
        append_entry(
            &mut out,
            &EntryView { own, ..view(b"/a/b", &[1, 2, 3, 4, 5], "d", false) },
            Columns::DEFAULT,
        );
        let text = String::from_utf8(out).unwrap();
        let own = r#""attributes":"HS","file_id":4,"sequence":3,"links":5,"deleted":true,"source":"d"}"#;
        assert!(text.ends_with(own) && !text.contains("mode") && !text.contains("uid"), "{text}");
    }

    #[test]
    fn a_raw_frame_says_how_long_it_is() {
        let mut frames = Frames::new(&Id::Text("a\"b".to_owned()), true);
        assert_eq!(frames.take(), None);
        for body in [&b"/x\n/y\n"[..], b"/z\n"] {
            frames.raw().extend_from_slice(body);
            let frame = frames.take().unwrap();
            let end = frame.iter().position(|&byte| byte == b'\n').unwrap();
            let Message::Notification { params, .. } = Message::parse(&frame[..end]).unwrap() else {
                panic!()
            };
            let params: RowsParams<'_> = serde_json::from_str(params.get()).unwrap();
            assert_eq!((params.id, params.raw_bytes), (Id::Text("a\"b".to_owned()), Some(body.len() as u64)));
            assert_eq!(&frame[end + 1..], body);
        }
    }

    #[test]
    fn json_rows_are_an_array() {
        let mut frames = Frames::new(&Id::from(5), false);
        for _ in 0..2 {
            frames.row().extend_from_slice(b"{}");
        }
        let frame = frames.take().unwrap();
        assert_eq!(
            str::from_utf8(&frame).unwrap(),
            "{\"jsonrpc\":\"2.0\",\"method\":\"rows\",\"params\":{\"id\":5,\"rows\":[{},{}]}}\n"
        );
        assert!(frames.is_empty());
    }

    proptest! {
        #[test]
        fn what_is_rendered_is_what_serde_reads(
            path in prop_oneof![proptest::collection::vec(any::<u8>(), 1..40), "/[a-z/\"\\\\\u{0}-\u{1f}é漢𝄞]{0,20}".prop_map(String::into_bytes)],
            numbers in any::<[u64; 5]>(),
            source in ".{0,8}",
            folder in any::<bool>(),
            ntfs in proptest::option::of(("[A-Z]{0,5}", any::<u16>(), any::<bool>())),
            columns in proptest::collection::vec(proptest::sample::select(Column::ALL), 0..20),
        ) {
            let columns: Columns = columns.into_iter().collect();
            let mut view = view(&path, &numbers, &source, folder);
            if let Some((letters, sequence, deleted)) = &ntfs {
                view.own = OwnView::Ntfs { letters, sequence: *sequence, deleted: *deleted };
            }
            prop_assert_eq!(read(&view, columns), expect(&view, columns));
        }

        #[test]
        fn texts_are_escaped_as_serde_does(text in any::<String>()) {
            let mut out = Vec::new();
            append_text(&mut out, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}

//! `hearth ntfs record`: one file record, attribute by attribute.

use super::{disk, push_pairs};
use crate::args::ntfs::NtfsRecordArgs;
use crate::command::cwd;
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::reach::{reach, refused};
use crate::text::{quote, size, time};
use hearth_protocol::answer::ntfs::{
    AttributeValue, Clusters, FileRecord, ListEntry, NameValue, RecordAttribute, RecordHeader, ReparseValue,
    StandardValue, Times,
};
use hearth_protocol::method;
use hearth_protocol::params::NtfsRecordParams;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

/// Bytes of a line of unknown bytes.
const HEX_LINE: usize = 32;

/// Asks and prints.
pub(super) fn run(args: &NtfsRecordArgs, console: &mut Console) -> Outcome {
    let mut params = NtfsRecordParams { timeout_ms: args.reach.timeout, ..NtfsRecordParams::default() };
    params.set_disk(disk(&args.disk, &cwd()?));
    match number(&args.record) {
        Some(number) => params.record = Some(number.to_owned()),
        None => params.set_file(args.record.as_bytes().to_vec()),
    }
    let mut reached = reach(args.reach.no_daemon, console)?;
    let record: FileRecord = reached.client.call(method::NTFS_RECORD, &params).map_err(refused)?;
    if args.json {
        console.printer.json(&record)?;
    } else {
        console.printer.push(|out| push_text(out, &record))?;
    }
    console.printer.flush()?;
    Ok(Done::Found)
}

/// The argument if it is a number and no path: a file that is named like one is given as `/41`.
fn number(argument: &OsStr) -> Option<&str> {
    let text = argument.to_str()?;
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
    (first && text.bytes().all(|byte| byte.is_ascii_hexdigit() || b"xX-".contains(&byte))).then_some(text)
}

fn push_text(out: &mut Vec<u8>, record: &FileRecord) {
    out.extend_from_slice(title(record).as_bytes());
    push_pairs(out, 2, &header_pairs(record));
    for attribute in &record.attributes {
        push_attribute(out, attribute);
    }
    if !record.whole {
        out.extend_from_slice(b"\nthe record makes no sense to its end\n");
    }
}

fn title(record: &FileRecord) -> String {
    let what = match (&record.header, record.slot.as_str()) {
        (Some(header), _) => header_words(header),
        (None, "empty") => "never used".to_owned(),
        (None, "torn") => "half written".to_owned(),
        (None, slot) => slot.to_owned(),
    };
    let sequence = record.header.as_ref().map(|header| format!("-{}", header.sequence)).unwrap_or_default();
    let asked = record
        .asked_sequence
        .map(|asked| format!("; use {asked}, which was asked for, is over or yet to come"));
    format!("record {}{sequence}: {what}{}\n", record.number, asked.unwrap_or_default())
}

fn header_words(header: &RecordHeader) -> String {
    let kind = match (&header.base, header.is_dir) {
        (Some(_), _) => "extension record",
        (None, true) => "folder",
        (None, false) => "file",
    };
    let state = if header.in_use { "in use" } else { "deleted" };
    let links = if header.links == 1 { "1 link".to_owned() } else { format!("{} links", header.links) };
    format!("{kind}, {state}, {links}")
}

fn header_pairs(record: &FileRecord) -> Vec<(&'static str, String)> {
    let mut pairs: Vec<(&'static str, String)> =
        record.paths.iter().map(|path| ("path", quote::visible(&path.0))).collect();
    if record.signature != "FILE" {
        pairs.push(("signature", record.signature.clone()));
    }
    if let Some(header) = &record.header {
        pairs.extend(header.base.as_ref().map(|base| ("extends", base.clone())));
        pairs.push(("bytes", format!("{} of {} used", header.used_bytes, header.allocated_bytes)));
        pairs.push(("flags", format!("0x{:04x}", header.flags)));
        pairs.push(("log", header.log_sequence.to_string()));
    }
    if record.from_mirror {
        pairs.push(("from", "$MFTMirr, as the record itself is damaged".to_owned()));
    }
    pairs
}

fn push_attribute(out: &mut Vec<u8>, attribute: &RecordAttribute) {
    out.extend_from_slice(attribute_title(attribute).as_bytes());
    let mut pairs = attribute.value.as_ref().map(value_pairs).unwrap_or_default();
    if let Some(clusters) = &attribute.clusters {
        pairs.extend(cluster_pairs(clusters));
    }
    push_pairs(out, 2, &pairs);
}

fn attribute_title(attribute: &RecordAttribute) -> String {
    let kind = attribute.kind.clone().unwrap_or_else(|| format!("unknown type 0x{:x}", attribute.code));
    let name =
        attribute.name.as_ref().map(|name| format!(" {}", quote::visible(&name.0))).unwrap_or_default();
    let place = if attribute.resident { "in the record" } else { "in clusters" };
    let is: String = attribute.is.iter().map(|word| format!(", {word}")).collect();
    format!(
        "\n{kind}{name} (0x{:x}, id {}): {} bytes {place}{is}\n",
        attribute.code,
        attribute.id,
        size::grouped(attribute.size)
    )
}

fn cluster_pairs(clusters: &Clusters) -> Vec<(&'static str, String)> {
    let mut pairs = vec![
        ("clusters", format!("{} to {}", clusters.first_vcn, clusters.last_vcn)),
        ("written", size::grouped(clusters.initialised)),
        ("allocated", size::grouped(clusters.allocated)),
    ];
    pairs.extend(clusters.total_allocated.map(|bytes| ("on disk", size::grouped(bytes))));
    if clusters.compression_clusters > 0 {
        pairs.push(("unit", format!("{} clusters are compressed together", clusters.compression_clusters)));
    }
    for run in &clusters.runs {
        let place = run.lcn.map_or("hole".to_owned(), |lcn| format!("at {lcn}"));
        pairs.push(("run", format!("{} from {}: {place}", run.clusters, run.vcn)));
    }
    if !clusters.runs_whole {
        pairs.push(("run", "the mapping makes no sense to its end".to_owned()));
    }
    pairs
}

fn value_pairs(value: &AttributeValue) -> Vec<(&'static str, String)> {
    match value {
        AttributeValue::Standard(standard) => standard_pairs(standard),
        AttributeValue::List(list) => list.entries.iter().map(|entry| ("piece", piece(entry))).collect(),
        AttributeValue::Name(name) => name_pairs(name),
        AttributeValue::ObjectId(id) => id.guids.iter().map(|guid| ("guid", guid.clone())).collect(),
        AttributeValue::Label(label) => vec![("label", quote::visible(&label.0))],
        AttributeValue::Volume(volume) => {
            vec![("version", volume.version.clone()), ("flags", format!("0x{:04x}", volume.flags))]
        }
        AttributeValue::Reparse(reparse) => reparse_pairs(reparse),
        AttributeValue::Index(index) => vec![
            (
                "entries",
                format!(
                    "{} in the record{}",
                    index.entries,
                    if index.is_large { ", more outside" } else { "" }
                ),
            ),
            (
                "of type",
                format!(
                    "0x{:x}, order {}, nodes of {} bytes",
                    index.indexed, index.collation, index.node_bytes
                ),
            ),
        ],
        AttributeValue::Bytes(bytes) => hex_pairs(&bytes.hex),
    }
}

fn standard_pairs(standard: &StandardValue) -> Vec<(&'static str, String)> {
    let mut pairs = time_pairs(&standard.times);
    pairs.push(("attributes", attributes(&standard.attributes, Some(standard.attribute_bits))));
    pairs.push(("usn", standard.usn.to_string()));
    pairs.extend(standard.owner_id.map(|id| ("owner", id.to_string())));
    pairs.extend(standard.security_id.map(|id| ("security", id.to_string())));
    pairs.extend(standard.charged_bytes.map(|bytes| ("charged", size::grouped(bytes))));
    pairs
}

fn name_pairs(name: &NameValue) -> Vec<(&'static str, String)> {
    let mut pairs = vec![
        ("name", format!("{} ({})", quote::visible(&name.name.0), name.namespace)),
        ("folder", name.parent.clone()),
    ];
    pairs.extend(time_pairs(&name.times));
    pairs.push((
        "size",
        format!("{}, {} on disk, when it was named", size::grouped(name.size), size::grouped(name.allocated)),
    ));
    pairs.push(("attributes", attributes(&name.attributes, None)));
    pairs
}

fn reparse_pairs(reparse: &ReparseValue) -> Vec<(&'static str, String)> {
    let name = reparse.tag_name.as_deref().unwrap_or("unknown");
    let mut pairs = vec![("tag", format!("{name} (0x{})", reparse.tag))];
    for part in &reparse.target {
        pairs.push(("target", format!("{}: {}", part.part, quote::visible(&part.text.0))));
    }
    pairs
}

fn time_pairs(times: &Times) -> Vec<(&'static str, String)> {
    let all = [
        ("created", times.created_ns),
        ("modified", times.modified_ns),
        ("changed", times.changed_ns),
        ("accessed", times.accessed_ns),
    ];
    all.into_iter()
        .map(|(key, at)| (key, if at.is_some() { time::exact(at) } else { "never".to_owned() }))
        .collect()
}

fn attributes(letters: &str, bits: Option<u32>) -> String {
    let letters = if letters.is_empty() { "none" } else { letters };
    bits.map_or(letters.to_owned(), |bits| format!("{letters} (0x{bits:08x})"))
}

fn piece(entry: &ListEntry) -> String {
    let kind = entry.kind.clone().unwrap_or_else(|| format!("0x{:x}", entry.code));
    let name = entry.name.as_ref().map(|name| format!(" {}", quote::visible(&name.0))).unwrap_or_default();
    format!("{kind}{name} from cluster {} in record {} (id {})", entry.first_vcn, entry.record, entry.id)
}

fn hex_pairs(hex: &str) -> Vec<(&'static str, String)> {
    hex.as_bytes()
        .chunks(2 * HEX_LINE)
        .map(|line| ("bytes", String::from_utf8_lossy(line).into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_protocol::answer::ntfs::{BytesValue, ClusterRun, TargetPart};
    use hearth_protocol::{NameField, PathField, TextField, V1};

    fn record(attributes: Vec<RecordAttribute>) -> FileRecord {
        let header = RecordHeader {
            sequence: 2,
            in_use: false,
            is_dir: false,
            flags: 0,
            links: 1,
            log_sequence: 99,
            used_bytes: 416,
            allocated_bytes: 1024,
            base: None,
        };
        FileRecord {
            v: V1,
            number: 41,
            slot: "record".into(),
            signature: "FILE".into(),
            from_mirror: false,
            whole: true,
            asked_sequence: Some(1),
            header: Some(header),
            paths: vec![PathField(b"/a\n".to_vec())],
            attributes,
        }
    }

    fn attribute(value: Option<AttributeValue>, clusters: Option<Clusters>) -> RecordAttribute {
        RecordAttribute {
            code: 0x80,
            kind: Some("$DATA".into()),
            id: 1,
            name: Some(NameField(b"s".to_vec())),
            flags: 0,
            is: vec!["sparse".into()],
            resident: clusters.is_none(),
            size: 12_345,
            clusters,
            value,
        }
    }

    fn text(record: &FileRecord) -> String {
        let mut out = Vec::new();
        push_text(&mut out, record);
        String::from_utf8(out).expect("all is text")
    }

    #[test]
    fn a_record_is_told_with_its_runs() {
        let clusters = Clusters {
            first_vcn: 0,
            last_vcn: 3,
            initialised: 12_345,
            allocated: 16_384,
            total_allocated: Some(8192),
            compression_clusters: 0,
            runs: vec![
                ClusterRun { vcn: 0, lcn: Some(7), clusters: 2 },
                ClusterRun { vcn: 2, lcn: None, clusters: 2 },
            ],
            runs_whole: true,
        };
        let expect = "\
record 41-2: file, deleted, 1 link; use 1, which was asked for, is over or yet to come
  path   $'/a\\n'
  bytes  416 of 1024 used
  flags  0x0000
  log    99

$DATA s (0x80, id 1): 12,345 bytes in clusters, sparse
  clusters   0 to 3
  written    12,345
  allocated  16,384
  on disk    8,192
  run        2 from 0: at 7
  run        2 from 2: hole
";
        assert_eq!(text(&record(vec![attribute(None, Some(clusters))])), expect);
    }

    #[test]
    fn unknown_bytes_and_targets_are_shown() {
        let hex = "00".repeat(33);
        let unknown = value_pairs(&AttributeValue::Bytes(BytesValue { hex }));
        assert_eq!(unknown.iter().map(|(_, line)| line.len()).collect::<Vec<_>>(), [64, 2]);
        let target = vec![TargetPart { part: "print".into(), text: TextField(b"C:\\x".to_vec()) }];
        let reparse = ReparseValue { tag: "a000000c".into(), tag_name: Some("SYMLINK".into()), target };
        let told = value_pairs(&AttributeValue::Reparse(reparse));
        assert_eq!(told[0].1, "SYMLINK (0xa000000c)");
        assert_eq!(told[1].1, "print: C:\\x");
    }

    #[test]
    fn a_slot_without_a_record_says_what_it_is() {
        let empty = FileRecord {
            slot: "empty".into(),
            signature: "....".into(),
            header: None,
            asked_sequence: None,
            paths: Vec::new(),
            ..record(Vec::new())
        };
        assert_eq!(text(&empty), "record 41: never used\n  signature  ....\n");
    }

    #[test]
    fn an_argument_is_a_number_or_a_path() {
        for (argument, is_number) in [
            ("41", true),
            ("0x29", true),
            ("41-2", true),
            ("/41", false),
            ("$MFT", false),
            ("a.txt", false),
            ("4x.txt", false),
        ] {
            assert_eq!(number(OsStr::new(argument)).is_some(), is_number, "{argument}");
        }
    }
}

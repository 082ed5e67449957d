//! What is on NTFS disks, from the wire and to it.
//!
//! Bits become words and letters, references `NUMBER-SEQUENCE`, numbers that only identify hexadecimal digits.

use super::at_most;
use crate::answer::ntfs as wire;
use crate::bytes::{LabelField, NameField, PathField, TextField, V1};
use crate::error::RpcError;
use crate::params::{NtfsJournalParams, NtfsRecordParams};
use hearth_core::{NO_TIME, UnixNanos};
use hearth_service::api::disks::{self, FileReference, attribute_letters};

/// Most bytes of a path in a volume.
const PATH_BYTES: u64 = 64 * 1024;

/// The disk that a request names.
pub fn named_disk(disk: Option<Vec<u8>>) -> Result<Vec<u8>, RpcError> {
    let missing =
        || RpcError::invalid_params("`disk` is missing").hint("give a path, or the name of a source");
    disk.filter(|disk| !disk.is_empty()).ok_or_else(missing)
}

impl NtfsRecordParams {
    /// The record that is asked for.
    pub fn to_wanted(&self) -> Result<disks::RecordWanted, RpcError> {
        match (&self.record, self.file_bytes()?) {
            (Some(record), None) => wanted(record),
            (None, Some(path)) => {
                at_most("the length of `file`", path.len() as u64, PATH_BYTES)?;
                Ok(disks::RecordWanted::Path(path))
            }
            _ => Err(RpcError::invalid_params("give either `record` or `file`")),
        }
    }
}

/// `41`, `0x29` or `41-2`.
fn wanted(text: &str) -> Result<disks::RecordWanted, RpcError> {
    let bad = || {
        let message =
            format!("`{}` is not the number of a record", text.chars().take(64).collect::<String>());
        RpcError::invalid_params(message)
            .hint("write for example 41, 0x29, or 41-2 with the sequence")
            .with("field", "record")
    };
    let number = |text: &str| match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    };
    let number =
        |text: &str| number(text).filter(|number| *number <= FileReference::MAX_NUMBER).ok_or_else(bad);
    match text.split_once('-') {
        None => Ok(disks::RecordWanted::Number(number(text)?)),
        Some((record, sequence)) => {
            let sequence = sequence.parse().map_err(|_| bad())?;
            Ok(disks::RecordWanted::Reference(FileReference::new(number(record)?, sequence)))
        }
    }
}

impl NtfsJournalParams {
    /// The typed request.
    pub fn to_request(&self) -> Result<disks::JournalRequest, RpcError> {
        let below = self.below_bytes()?;
        at_most("the length of `below`", below.as_ref().map_or(0, |below| below.len() as u64), PATH_BYTES)?;
        Ok(disks::JournalRequest {
            disk: named_disk(self.disk_bytes()?)?,
            since: self.since,
            below,
            limit: self.limit,
        })
    }
}

impl From<disks::DiskInfo> for wire::Disk {
    fn from(disk: disks::DiskInfo) -> Self {
        let kind = match disk.kind {
            disks::DiskKind::Device => "device",
            disks::DiskKind::Image => "image",
            disks::DiskKind::Capture => "capture",
            disks::DiskKind::Table => "table",
        };
        wire::Disk {
            v: V1,
            path: PathField(disk.path),
            kind: kind.to_owned(),
            bytes: disk.bytes,
            partitions: disk.partitions.into_iter().map(partition).collect(),
            volumes: disk.volumes.into_iter().map(volume).collect(),
        }
    }
}

fn partition(partition: disks::Partition) -> wire::Partition {
    let scheme = match partition.scheme {
        disks::Scheme::Mbr => "mbr",
        disks::Scheme::Gpt => "gpt",
    };
    wire::Partition {
        number: partition.number,
        start_bytes: partition.start,
        length_bytes: partition.len,
        scheme: scheme.to_owned(),
        kind: partition.kind,
        ntfs: partition.looks_ntfs,
    }
}

fn volume(volume: disks::DiskVolume) -> wire::DiskVolume {
    wire::DiskVolume {
        partition: volume.partition,
        start_bytes: volume.start,
        facts: volume.facts.map(facts),
        problems: volume.problems,
    }
}

fn facts(facts: disks::VolumeFacts) -> wire::VolumeFacts {
    let geometry = &facts.geometry;
    // A file table alone has sizes of records and nothing more.
    let whole = geometry.has_clusters;
    let information = facts.information;
    wire::VolumeFacts {
        dirty: information.as_ref().map(disks::Information::is_dirty),
        version: information.as_ref().map(|information| version(information.version)),
        label: information.map(|information| LabelField(information.label)),
        serial: whole.then(|| format!("{:016X}", geometry.serial)),
        sector_bytes: whole.then_some(geometry.sector_bytes),
        cluster_bytes: whole.then_some(geometry.cluster_bytes),
        total_bytes: whole.then_some(geometry.total_bytes),
        mft_offset: whole.then_some(geometry.mft_offset),
        mirror_offset: whole.then_some(geometry.mirror_offset),
        mft_fragments: facts.mft_fragments,
        mft_bytes: facts.mft_bytes,
        record_bytes: geometry.record_bytes,
        records: facts.records,
        records_in_use: facts.records_in_use,
        log: facts.log.map(log),
        journal: facts.journal.map(journal),
    }
}

fn version((major, minor): (u8, u8)) -> String {
    format!("{major}.{minor}")
}

fn log(state: disks::LogState) -> wire::LogFile {
    let bare = |state: &str| wire::LogFile { state: state.to_owned(), lsn: None, clean: None };
    match state {
        disks::LogState::Empty => bare("empty"),
        disks::LogState::Unreadable => bare("unreadable"),
        disks::LogState::Restart { lsn, clean } => {
            wire::LogFile { lsn: Some(lsn), clean: Some(clean), ..bare("restart") }
        }
    }
}

fn journal(facts: disks::JournalFacts) -> wire::JournalFacts {
    wire::JournalFacts {
        id: format!("{:016X}", facts.id),
        first_usn: facts.first_usn,
        lowest_valid_usn: facts.lowest_valid_usn,
        next_usn: facts.next_usn,
        max_bytes: facts.max_bytes,
        delta_bytes: facts.delta_bytes,
    }
}

impl From<disks::JournalEnd> for wire::JournalTotal {
    fn from(end: disks::JournalEnd) -> Self {
        wire::JournalTotal {
            records: end.records,
            next_usn: end.next_usn,
            skipped_bytes: end.skipped_bytes,
            facts: end.facts.map(journal),
        }
    }
}

impl From<disks::JournalEntry> for wire::UsnEntry {
    fn from(entry: disks::JournalEntry) -> Self {
        let reasons = disks::reasons_in_words(entry.reasons);
        let sources = disks::sources_in_words(entry.source);
        wire::UsnEntry {
            v: V1,
            usn: entry.usn,
            time_ns: some_time(entry.time_ns),
            record: entry.reference.number(),
            sequence: entry.reference.sequence(),
            parent: entry.parent.number(),
            parent_sequence: entry.parent.sequence(),
            name: NameField(entry.name),
            path: entry.path.map(PathField),
            reasons: reasons.map(str::to_owned).collect(),
            source_info: sources.map(str::to_owned).collect(),
            attributes: attribute_letters(entry.attributes),
            version: entry.version,
            extents: entry.extents,
        }
    }
}

fn some_time(time: UnixNanos) -> Option<UnixNanos> {
    (time != NO_TIME).then_some(time)
}

impl From<disks::RecordAnswer> for wire::FileRecord {
    fn from(answer: disks::RecordAnswer) -> Self {
        let details = answer.details;
        let slot = match details.slot {
            disks::Slot::Record => "record",
            disks::Slot::Empty => "empty",
            disks::Slot::Torn => "torn",
            disks::Slot::Damaged => "damaged",
        };
        let printable = |byte: u8| if byte.is_ascii_graphic() { char::from(byte) } else { '.' };
        wire::FileRecord {
            v: V1,
            number: details.number,
            slot: slot.to_owned(),
            signature: details.signature.into_iter().map(printable).collect(),
            from_mirror: details.from_mirror,
            whole: details.whole,
            asked_sequence: answer.asked_sequence,
            header: details.header.map(header),
            paths: answer.paths.into_iter().map(PathField).collect(),
            attributes: details.attributes.into_iter().map(attribute).collect(),
        }
    }
}

fn header(header: disks::Header) -> wire::RecordHeader {
    wire::RecordHeader {
        sequence: header.sequence,
        in_use: header.in_use,
        is_dir: header.is_dir,
        flags: header.flags,
        links: header.link_count,
        log_sequence: header.log_sequence,
        used_bytes: header.used_bytes,
        allocated_bytes: header.allocated_bytes,
        base: header.base.map(|base| base.to_string()),
    }
}

fn attribute(attribute: disks::AttributeDetails) -> wire::RecordAttribute {
    let is = [
        (attribute.compressed, "compressed"),
        (attribute.encrypted, "encrypted"),
        (attribute.sparse, "sparse"),
    ];
    let (resident, size, clusters) = place(attribute.place);
    wire::RecordAttribute {
        code: attribute.kind,
        kind: attribute.kind_name.map(str::to_owned),
        id: attribute.id,
        name: some_name(attribute.name),
        flags: attribute.flags,
        is: is.into_iter().filter(|(is, _)| *is).map(|(_, word)| word.to_owned()).collect(),
        resident,
        size,
        clusters,
        value: attribute.value.map(value),
    }
}

fn some_name(name: Vec<u8>) -> Option<NameField> {
    (!name.is_empty()).then_some(NameField(name))
}

fn place(place: disks::Place) -> (bool, u64, Option<wire::Clusters>) {
    match place {
        disks::Place::Resident { size } => (true, size.into(), None),
        disks::Place::Clusters {
            vcns: (first_vcn, last_vcn),
            size,
            initialised,
            allocated,
            total_allocated,
            compression_unit,
            runs,
            runs_whole,
        } => {
            let run =
                |run: disks::Run| wire::ClusterRun { vcn: run.vcn, lcn: run.lcn, clusters: run.clusters };
            let clusters = wire::Clusters {
                first_vcn,
                last_vcn,
                initialised,
                allocated,
                total_allocated,
                compression_clusters: if compression_unit == 0 {
                    0
                } else {
                    1_u64.checked_shl(compression_unit.into()).unwrap_or(0)
                },
                runs: runs.into_iter().map(run).collect(),
                runs_whole,
            };
            (false, size, Some(clusters))
        }
    }
}

fn value(value: disks::Value) -> wire::AttributeValue {
    use wire::AttributeValue as Wire;
    match value {
        disks::Value::Standard(standard) => Wire::Standard(standard_value(&standard)),
        disks::Value::List(entries) => {
            Wire::List(wire::ListValue { entries: entries.into_iter().map(list_entry).collect() })
        }
        disks::Value::Name(name) => Wire::Name(name_value(name)),
        disks::Value::ObjectId(guids) => Wire::ObjectId(wire::ObjectIdValue { guids }),
        disks::Value::Label(label) => Wire::Label(LabelField(label)),
        disks::Value::Volume { version, flags } => {
            Wire::Volume(wire::VolumeValue { version: self::version(version), flags })
        }
        disks::Value::Reparse { tag, tag_name, target } => {
            let part = |(part, text): (&str, Vec<u8>)| wire::TargetPart {
                part: part.to_owned(),
                text: TextField(text),
            };
            Wire::Reparse(wire::ReparseValue {
                tag: format!("{tag:08x}"),
                tag_name: tag_name.map(str::to_owned),
                target: target.into_iter().map(part).collect(),
            })
        }
        disks::Value::Index(index) => Wire::Index(wire::IndexValue {
            indexed: index.indexed,
            collation: index.collation,
            node_bytes: index.node_bytes,
            entries: index.entries,
            is_large: index.is_large,
        }),
        disks::Value::Bytes(bytes) => {
            Wire::Bytes(wire::BytesValue { hex: bytes.iter().map(|byte| format!("{byte:02x}")).collect() })
        }
    }
}

fn standard_value(value: &disks::StandardValue) -> wire::StandardValue {
    let standard = &value.standard;
    wire::StandardValue {
        times: times([standard.created_ns, standard.modified_ns, standard.changed_ns, standard.accessed_ns]),
        attributes: attribute_letters(standard.attributes),
        attribute_bits: standard.attributes,
        usn: standard.usn,
        owner_id: value.owner_security_charged.map(|(owner, ..)| owner),
        security_id: value.owner_security_charged.map(|(_, security, _)| security),
        charged_bytes: value.owner_security_charged.map(|(.., charged)| charged),
    }
}

fn times([created, modified, changed, accessed]: [UnixNanos; 4]) -> wire::Times {
    wire::Times {
        created_ns: some_time(created),
        modified_ns: some_time(modified),
        changed_ns: some_time(changed),
        accessed_ns: some_time(accessed),
    }
}

fn list_entry(entry: disks::ListEntry) -> wire::ListEntry {
    wire::ListEntry {
        code: entry.kind,
        kind: entry.kind_name.map(str::to_owned),
        name: some_name(entry.name),
        first_vcn: entry.first_vcn,
        record: entry.record.to_string(),
        id: entry.id,
    }
}

fn name_value(name: disks::NameValue) -> wire::NameValue {
    let namespace = match name.namespace {
        disks::Namespace::Posix => "posix",
        disks::Namespace::Win32 => "win32",
        disks::Namespace::Dos => "dos",
        disks::Namespace::Win32AndDos => "win32-dos",
    };
    let (allocated, size) = name.sizes;
    wire::NameValue {
        name: NameField(name.name),
        namespace: namespace.to_owned(),
        parent: name.parent.to_string(),
        times: times(name.times_ns),
        size,
        allocated,
        attributes: attribute_letters(name.attributes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    #[test]
    fn numbers_of_records_are_read_as_people_write_them() {
        assert_eq!(wanted("41").unwrap(), disks::RecordWanted::Number(41));
        assert_eq!(wanted("0x29").unwrap(), disks::RecordWanted::Number(41));
        assert_eq!(wanted("41-2").unwrap(), disks::RecordWanted::Reference(FileReference::new(41, 2)));
        for bad in ["", "x", "-1", "41-", "41-65536", "0x", "281474976710656"] {
            let error = wanted(bad).unwrap_err();
            assert!(error.is(Code::InvalidParams) && error.hint.is_some(), "{bad}: {error:?}");
        }
    }

    #[test]
    fn a_record_is_named_in_one_way() {
        assert!(NtfsRecordParams::default().to_wanted().is_err());
        let mut both = NtfsRecordParams { record: Some("5".into()), ..Default::default() };
        assert!(both.to_wanted().is_ok());
        both.set_file(b"/a".to_vec());
        assert!(both.to_wanted().is_err());
        assert!(named_disk(Some(Vec::new())).is_err());
        let mut long = NtfsJournalParams::default();
        long.set_disk(b"/d".to_vec());
        assert!(long.to_request().is_ok());
        long.set_below(vec![b'a'; PATH_BYTES as usize + 1]);
        assert!(long.to_request().unwrap_err().message.contains("`below`"));
    }

    #[test]
    fn what_a_journal_tells_is_in_words() {
        let entry = disks::JournalEntry {
            usn: 8,
            time_ns: NO_TIME,
            reference: FileReference::new(40, 2),
            parent: FileReference::new(5, 5),
            name: b"a".to_vec(),
            path: None,
            reasons: 0x8000_0100,
            source: 2,
            attributes: 0x22,
            version: 2,
            extents: Vec::new(),
        };
        let wire = wire::UsnEntry::from(entry);
        assert_eq!(
            (wire.reasons, wire.source_info),
            (vec!["file-create".into(), "close".into()], vec!["auxiliary-data".to_owned()])
        );
        assert_eq!((wire.time_ns, wire.attributes.as_str(), wire.parent_sequence), (None, "HA", 5));
    }
}

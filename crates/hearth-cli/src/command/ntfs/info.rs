//! `hearth ntfs info`: partitions and volumes of a disk.

use super::{disk, push_pairs};
use crate::args::ntfs::NtfsInfoArgs;
use crate::command::cwd;
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::reach::{reach, refused};
use crate::render::table::{Align, Table};
use crate::text::{quote, size};
use hearth_protocol::answer::ntfs::{Disk, DiskVolume, JournalFacts, LogFile, Partition, VolumeFacts};
use hearth_protocol::method;
use hearth_protocol::params::NtfsInfoParams;

/// Asks and prints.
pub(super) fn run(args: &NtfsInfoArgs, console: &mut Console) -> Outcome {
    let mut params = NtfsInfoParams { timeout_ms: args.reach.timeout, ..NtfsInfoParams::default() };
    params.set_disk(disk(&args.disk, &cwd()?));
    let mut reached = reach(args.reach.no_daemon, console)?;
    let disk: Disk = reached.client.call(method::NTFS_INFO, &params).map_err(refused)?;
    if args.json {
        console.printer.json(&disk)?;
    } else {
        console.printer.push(|out| push_text(out, &disk))?;
    }
    console.printer.flush()?;
    Ok(Done::Found)
}

fn push_text(out: &mut Vec<u8>, disk: &Disk) {
    let what = match disk.kind.as_str() {
        "table" => "file table alone",
        kind => kind,
    };
    let path = quote::visible(&disk.path.0);
    out.extend_from_slice(format!("{path}: {what}, {}\n", bytes(disk.bytes)).as_bytes());
    if !disk.partitions.is_empty() {
        out.push(b'\n');
        partitions(&disk.partitions).push_to(out);
    }
    for volume in &disk.volumes {
        out.push(b'\n');
        push_volume(out, volume);
    }
    if disk.volumes.is_empty() {
        out.extend_from_slice(b"\nno NTFS volume\n");
    }
}

fn partitions(partitions: &[Partition]) -> Table {
    let (left, right) = (Align::Left, Align::Right);
    let titles = [
        ("partition", right),
        ("start", right),
        ("bytes", right),
        ("size", right),
        ("table", left),
        ("ntfs", left),
        ("type", left),
    ];
    let mut table = Table::new(&titles);
    for partition in partitions {
        let cells = [
            partition.number.to_string(),
            size::grouped(partition.start_bytes),
            size::grouped(partition.length_bytes),
            size::human(partition.length_bytes),
            partition.scheme.clone(),
            if partition.ntfs { "yes" } else { "no" }.to_owned(),
            quote::visible(partition.kind.as_bytes()),
        ];
        table.row(cells.map(String::into_bytes).to_vec());
    }
    table
}

fn push_volume(out: &mut Vec<u8>, volume: &DiskVolume) {
    let place = volume.partition.map(|number| format!(" in partition {number}")).unwrap_or_default();
    out.extend_from_slice(format!("NTFS volume{place}\n").as_bytes());
    let mut pairs = volume.facts.as_ref().map(|facts| pairs(facts)).unwrap_or_default();
    for problem in &volume.problems {
        pairs.push(("problem", quote::visible(problem.as_bytes())));
    }
    push_pairs(out, 2, &pairs);
}

fn pairs(facts: &VolumeFacts) -> Vec<(&'static str, String)> {
    let all = [
        (
            "label",
            facts.label.as_ref().filter(|label| !label.0.is_empty()).map(|label| quote::visible(&label.0)),
        ),
        ("version", facts.version.clone()),
        ("state", facts.dirty.map(|dirty| if dirty { "dirty, to be checked" } else { "clean" }.to_owned())),
        ("serial", facts.serial.clone()),
        ("size", facts.total_bytes.map(bytes)),
        ("sector", facts.sector_bytes.map(|sector| bytes(sector.into()))),
        ("cluster", facts.cluster_bytes.map(bytes)),
        ("record", Some(bytes(facts.record_bytes.into()))),
        ("$MFT", Some(table_place(facts))),
        ("records", Some(records(facts))),
        ("log file", facts.log.as_ref().map(log)),
        // A file table alone cannot say whether there is one.
        ("journal", facts.serial.as_ref().map(|_| journal(facts.journal.as_ref()))),
    ];
    all.into_iter().filter_map(|(key, value)| Some((key, value?))).collect()
}

fn table_place(facts: &VolumeFacts) -> String {
    let place = facts.mft_offset.map(|at| format!(" at {}", size::grouped(at))).unwrap_or_default();
    let pieces = facts.mft_fragments.map(|pieces| match pieces {
        1 => ", in one piece".to_owned(),
        pieces => format!(", in {} pieces", size::grouped(pieces)),
    });
    format!("{}{place}{}", bytes(facts.mft_bytes), pieces.unwrap_or_default())
}

fn records(facts: &VolumeFacts) -> String {
    let used = facts.records_in_use.map(|used| format!(", {} in use", size::grouped(used)));
    format!("{}{}", size::grouped(facts.records), used.unwrap_or_default())
}

fn log(log: &LogFile) -> String {
    let meaning = match log.state.as_str() {
        "empty" => "empty: new, or emptied by a driver that keeps none".to_owned(),
        "restart" => "kept".to_owned(),
        state => state.to_owned(),
    };
    let lsn = log.lsn.map(|lsn| format!(", stands at {lsn}")).unwrap_or_default();
    let clean = log.clean.map(|clean| if clean { ", put away in order" } else { ", not put away in order" });
    format!("{meaning}{lsn}{}", clean.unwrap_or_default())
}

fn journal(journal: Option<&JournalFacts>) -> String {
    let Some(journal) = journal else { return "none".to_owned() };
    let JournalFacts { id, first_usn, lowest_valid_usn, next_usn, max_bytes, delta_bytes } = journal;
    format!(
        "{id}, USN {first_usn} to {next_usn} (lowest valid {lowest_valid_usn}), at most {}, cut by {}",
        size::human(*max_bytes),
        size::human(*delta_bytes)
    )
}

/// `32M (33,554,432 bytes)`; small numbers need no rounding.
fn bytes(bytes: u64) -> String {
    match bytes {
        ..10_000 => format!("{} bytes", size::grouped(bytes)),
        _ => format!("{} ({} bytes)", size::human(bytes), size::grouped(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_protocol::{LabelField, PathField, V1};

    fn facts() -> VolumeFacts {
        VolumeFacts {
            label: Some(LabelField(b"Data".to_vec())),
            version: Some("3.1".into()),
            dirty: Some(false),
            serial: Some("0123456789ABCDEF".into()),
            sector_bytes: Some(512),
            cluster_bytes: Some(4096),
            total_bytes: Some(32 << 20),
            mft_offset: Some(16384),
            mirror_offset: Some(8192),
            mft_fragments: Some(2),
            mft_bytes: 262_144,
            record_bytes: 1024,
            records: 256,
            records_in_use: Some(70),
            log: Some(LogFile { state: "restart".into(), lsn: Some(7), clean: Some(false) }),
            journal: None,
        }
    }

    fn disk(volumes: Vec<DiskVolume>) -> Disk {
        let partition = Partition {
            number: 2,
            start_bytes: 1 << 20,
            length_bytes: 32 << 20,
            scheme: "gpt".into(),
            kind: "basic data".into(),
            ntfs: true,
        };
        let path = PathField(b"/d.img".to_vec());
        Disk { v: V1, path, kind: "image".into(), bytes: 64 << 20, partitions: vec![partition], volumes }
    }

    fn text(disk: &Disk) -> String {
        let mut out = Vec::new();
        push_text(&mut out, disk);
        String::from_utf8(out).expect("all is text")
    }

    #[test]
    fn a_disk_is_its_partitions_and_volumes() {
        let volume = DiskVolume {
            partition: Some(2),
            start_bytes: 1 << 20,
            facts: Some(facts()),
            problems: Vec::new(),
        };
        let expect = "\
/d.img: image, 64M (67,108,864 bytes)

partition      start       bytes  size  table  ntfs  type
        2  1,048,576  33,554,432   32M  gpt    yes   basic data

NTFS volume in partition 2
  label     Data
  version   3.1
  state     clean
  serial    0123456789ABCDEF
  size      32M (33,554,432 bytes)
  sector    512 bytes
  cluster   4,096 bytes
  record    1,024 bytes
  $MFT      256K (262,144 bytes) at 16,384, in 2 pieces
  records   256, 70 in use
  log file  kept, stands at 7, not put away in order
  journal   none
";
        assert_eq!(text(&disk(vec![volume])), expect);
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let volume =
            DiskVolume { partition: Some(2), start_bytes: 0, facts: None, problems: vec!["torn\n".into()] };
        assert!(text(&disk(vec![volume])).ends_with("NTFS volume in partition 2\n  problem  $'torn\\n'\n"));
        assert!(text(&disk(Vec::new())).ends_with("\nno NTFS volume\n"));
    }

    #[test]
    fn a_journal_is_its_ends_and_bounds() {
        let facts = JournalFacts {
            id: "01D7".into(),
            first_usn: 96,
            lowest_valid_usn: 0,
            next_usn: 4096,
            max_bytes: 32 << 20,
            delta_bytes: 4 << 20,
        };
        assert_eq!(journal(Some(&facts)), "01D7, USN 96 to 4096 (lowest valid 0), at most 32M, cut by 4.0M");
    }
}

//! A restart after things changed while nobody watched, beside a scan of the same tree, caches warm.
//!
//! The service runs in this process. A turn opens it on its snapshot and asks for everything to be fresh; what the
//! comparison took is what the service says.

use super::{MOST_ENTRIES, folders};
use crate::Outcome;
use crate::options::Options;
use crate::random::Random;
use crate::samples::{Samples, ratio};
use crate::table::{Table, count, digits, time};
use crate::trees::{self, Trees};
use hearth_core::CancelToken;
use hearth_disks::{Disk, Kind};
use hearth_service::api::{FindRequest, RowSink, Rows, ShardStatus, SinkClosed};
use hearth_service::{Config, Folders, Service};
use std::error::Error;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(600);
/// Entries of a disk in a file: making them takes long.
const DISK_ENTRIES: usize = 200_000;
/// One file in so many is changed.
const SHARE: usize = 1000;

pub(super) fn run(options: &Options) -> Outcome {
    let columns = [
        "file system",
        "entries",
        "changed meanwhile",
        "scan and build",
        "restart until fresh",
        "comparison",
        "comparison / scan",
    ];
    let table = Table::begin(&format!("After downtime, {} turns", options.pairs), &columns);
    let memory = Trees::make(1, options.entries.min(MOST_ENTRIES), options.seed)?;
    Down { options, table: &table, what: "memory", root: &memory.tops[0], home: &memory.beside("home") }
        .rows()?;
    drop(memory);
    for kind in [Kind::Ext4, Kind::Btrfs] {
        let Some(disk) = Disk::new(kind, "bench fresh") else { continue };
        let top = trees::grow(&disk.root, 1, options.entries.min(DISK_ENTRIES), options.seed)?.remove(0);
        let home = disk.root.join("home");
        Down { options, table: &table, what: kind.as_str(), root: &top, home: &home }.rows()?;
    }
    Ok(())
}

struct Down<'a> {
    options: &'a Options,
    table: &'a Table,
    what: &'a str,
    root: &'a Path,
    home: &'a Path,
}

impl Down<'_> {
    fn rows(&self) -> Outcome {
        let scan = self.scan()?;
        for changed in [false, true] {
            let (mut whole, mut compared, mut changes, mut entries) =
                (Samples::default(), Samples::default(), 0, 0);
            for turn in 0..self.options.pairs {
                if changed {
                    self.change(turn)?;
                }
                let begun = Instant::now();
                let service = self.open()?;
                fresh(&service)?;
                whole.push(begun.elapsed());
                let status = shard(&service);
                let compare = status.feed.last_compare.ok_or("it did not compare")?;
                compared.push(Duration::from_millis(compare.took_ms));
                (changes, entries) = (compare.changed, status.rows);
                service.shutdown();
            }
            let [restart, comparison] = [&whole, &compared].map(Samples::median);
            self.table.row(&[
                self.what.to_owned(),
                count(entries),
                format!("{} rows", count(changes)),
                time(scan),
                time(restart),
                time(comparison),
                digits(ratio(comparison, scan)),
            ]);
        }
        Ok(())
    }

    fn open(&self) -> Result<Arc<Service>, Box<dyn Error>> {
        let mut config = Config::default();
        config.snapshot.interval = Duration::ZERO;
        Ok(Service::open(config, &Folders::under(self.home))?)
    }

    /// The median of first scans; the last one leaves its snapshot.
    fn scan(&self) -> Result<Duration, Box<dyn Error>> {
        let mut samples = Samples::default();
        for _ in 0..self.options.pairs {
            let service = self.open()?;
            let root = self.root.as_os_str().as_bytes();
            // One that is registered by the turn before is loaded; only a new one is scanned.
            if !service.list().is_empty() {
                service.forget(root, true)?;
            }
            let source = service.add(root, None)?;
            service.wait_complete(&source.name, &patience())?;
            let scan = shard(&service).last_scan.ok_or("it did not scan")?;
            samples.push(Duration::from_millis(scan.scan_ms + scan.build_ms));
            service.shutdown();
        }
        Ok(samples.median())
    }

    /// Changes one file in [`SHARE`]: in place, by removal, by a new one.
    fn change(&self, turn: usize) -> Outcome {
        let mut random = Random::new(self.options.seed, turn as u64);
        for folder in folders(self.root)? {
            for file in fs::read_dir(folder)? {
                let file = file?.path();
                match random.below(SHARE * 3) {
                    0 => fs::write(&file, format!("changed in turn {turn}"))?,
                    1 => fs::remove_file(&file)?,
                    2 => fs::write(file.with_extension(format!("new{turn}")), "")?,
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

fn patience() -> CancelToken {
    CancelToken::new().with_deadline(Instant::now() + PATIENCE)
}

fn shard(service: &Service) -> ShardStatus {
    service.status().shards.remove(0)
}

/// Asks a question that waits for everything.
fn fresh(service: &Service) -> Outcome {
    let request = FindRequest { count_only: true, wait_fresh: Some(PATIENCE), ..FindRequest::default() };
    let summary = service.find(&request, &patience(), &mut Nobody)?;
    match summary.sources.first() {
        Some(meta) if !meta.stale && meta.complete => Ok(()),
        meta => Err(format!("not fresh: {meta:?}").into()),
    }
}

/// Takes no rows, as none are asked for.
struct Nobody;

impl RowSink for Nobody {
    fn rows(&mut self, _: Rows<'_>) -> Result<(), SinkClosed> {
        Err(SinkClosed)
    }
}

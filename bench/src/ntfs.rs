//! NTFS: a file table read beside the crate `mft`, from nothing to an answer, the disk beside `dd`, and the journal
//! beside reading everything.
//!
//! The volume is made by `ntfs-3g` in a sparse file and filled as the tests fill theirs; its change journal, which that
//! driver does not keep, is written from the format. Reading is measured from the page cache unless a table says
//! otherwise.

use crate::Outcome;
use crate::memory;
use crate::options::Options;
use crate::peer::{self, TemporaryFolder};
use crate::samples::{Samples, ratio};
use crate::table::{Table, count, digits, megabytes, rate, time};
use hearth_core::CancelToken;
use hearth_disks::ntfs::usn::Entry;
use hearth_disks::ntfs::{Form, Journal, NtfsImage};
use hearth_ntfs::{Counters, File, OpenFile, Visit, Volume, Which};
use hearth_service::api::{DiskStatus, FindRequest, RowSink, Rows, SinkClosed, SourceInfo};
use hearth_service::{Config, Folders, Service};
use mft::MftParser;
use mft::attribute::MftAttributeContent;
use rustix::fs::{Advice, fadvise};
use std::error::Error;
use std::hint::black_box;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Files of the volume, if more are asked for: making them takes a minute.
const MOST_FILES: usize = 240_000;
/// Records of the journal that is replayed.
const JOURNAL_RECORDS: usize = 1_000_000;
/// One of so many files is touched.
const TOUCHED: usize = 200;
const FORM: Form = Form { sector_bytes: 512, cluster_bytes: 4096 };
/// Longest wait for the service.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn run(options: &Options) -> Outcome {
    let files = options.entries.min(MOST_FILES);
    let bytes = (files as u64 * 4096 + (1 << 30)).next_multiple_of(1 << 20);
    let image = NtfsImage::new(bytes, FORM).ok_or("ntfs-3g is not installed; run scripts/setup bench")?;
    let journal = Journal::create(&image, 1, 1 << 20);
    image.mount().fill(files as u64, options.seed)?;
    image.set_log(1 << 20, true);
    let folder = TemporaryFolder::new("table")?;
    let table = folder.path().join("table.mft");
    extract(&image.path(), &table)?;
    reading(options, &image.path(), &table)?;
    device(options, &image.path())?;
    let (service, source, home) = start(options, &image.path())?;
    // While nobody looks: what is done is found in the journal, all at once.
    service.shutdown();
    drop(service);
    let touched = touch(&image, journal)?;
    let service = Service::open(Config::default(), &Folders::under(home.path()))?;
    replay(&service, &source, touched)
}

/// Copies the file table out of a volume.
fn extract(image: &Path, table: &Path) -> Outcome {
    let volume = open(image)?;
    let content = volume.content(0, "")?.ok_or("the table has content")?;
    std::fs::write(table, content.read_up_to(u64::MAX)?)?;
    Ok(())
}

fn open(image: &Path) -> Result<Volume<OpenFile>, Box<dyn Error>> {
    let file = std::fs::File::open(image)?;
    let len = file.metadata()?.len();
    Ok(Volume::open(OpenFile::new(file, len))?)
}

/// Takes everything that a row of a listing has.
#[derive(Default)]
struct Taker {
    rows: u64,
    sum: u64,
    name: Vec<u8>,
}

impl Visit for Taker {
    fn file(&mut self, file: &File<'_>) {
        let standard = file.standard.map_or(0, |standard| standard.modified_ns.cast_unsigned());
        let data = file.data.unwrap_or_default();
        self.sum = self.sum.wrapping_add(standard ^ data.size ^ data.allocated);
        for link in file.links() {
            self.rows += 1;
            self.name.clear();
            link.name.push_to(&mut self.name);
            self.sum = self.sum.wrapping_add(self.name.len() as u64 ^ link.parent.number());
            self.rows += file.streams.len() as u64;
        }
    }
}

fn read(image: &Path, threads: usize) -> Result<(u64, u64), Box<dyn Error>> {
    let takers = (0..threads).map(|_| Taker::default()).collect();
    let volume = open(image)?;
    let (takers, report) =
        volume.read_all(takers, Which::InUse, &Counters::default(), &CancelToken::new())?;
    black_box(takers.iter().map(|taker| taker.sum).fold(0, u64::wrapping_add));
    Ok((report.records, takers.iter().map(|taker| taker.rows).sum()))
}

/// The same with the peer: names, sizes, times, streams of each entry.
fn read_peer(table: &Path) -> Result<u64, Box<dyn Error>> {
    let mut parser = MftParser::from_path(table)?;
    let (mut rows, mut sum) = (0, 0u64);
    for entry in parser.iter_entries().filter_map(Result::ok) {
        for attribute in entry.iter_attributes().filter_map(Result::ok) {
            match &attribute.data {
                MftAttributeContent::AttrX30(name) => {
                    rows += 1;
                    sum = sum.wrapping_add(name.name.to_string().len() as u64 ^ name.parent.entry);
                }
                MftAttributeContent::AttrX10(standard) => {
                    sum = sum.wrapping_add(standard.modified.as_second().cast_unsigned());
                }
                _ => {}
            }
        }
    }
    black_box(sum);
    Ok(rows)
}

fn reading(options: &Options, image: &Path, table: &Path) -> Outcome {
    let (records, rows) = read(image, 1)?;
    let title = format!("File table of {} records, {} rows, page cache", count(records), count(rows));
    let columns = ["what", "time (median)", "records", "against `mft` on one core"];
    let (mut ours, mut all, mut peer) = (Samples::default(), Samples::default(), Samples::default());
    let cores = std::thread::available_parallelism()?.get();
    for _ in 0..options.pairs.max(1) {
        peer.time(|| read_peer(table))?;
        ours.time(|| read(image, 1))?;
        all.time(|| read(image, cores))?;
    }
    let output = Table::begin(&title, &columns);
    for (what, samples) in [("crate `mft` 0.9", &peer), ("one core", &ours), ("all cores", &all)] {
        let faster = format!("{} ×", digits(ratio(peer.median(), samples.median())));
        output.row(&[what.into(), time(samples.median()), rate(records, samples.median()), faster]);
    }
    Ok(())
}

/// The disk read beside `dd` of the same ranges, with nothing of the image in the page cache.
fn device(options: &Options, image: &Path) -> Outcome {
    let volume = open(image)?;
    let cluster = volume.geometry().cluster_bytes;
    let content = volume.content(0, "")?.ok_or("the table has content")?;
    let runs: Vec<(u64, u64)> =
        content.runs().iter().filter_map(|run| Some((run.lcn? * cluster, run.clusters * cluster))).collect();
    let bytes: u64 = runs.iter().map(|(_, len)| len).sum();
    let dd = peer::program("dd")?;
    let cores = std::thread::available_parallelism()?.get();
    let (mut ours, mut theirs) = (Samples::default(), Samples::default());
    for _ in 0..options.pairs.max(1) {
        forget_cached(image)?;
        let begun = Instant::now();
        for (start, len) in &runs {
            let part = [format!("skip={start}"), format!("count={len}")];
            let mut command = Command::new(&dd);
            command.arg(format!("if={}", image.display())).args(["of=/dev/null", "bs=1M"]);
            peer::must(command.arg("iflag=skip_bytes,count_bytes").args(part))?;
        }
        theirs.push(begun.elapsed());
        forget_cached(image)?;
        ours.time(|| read(image, cores))?;
    }
    let title = format!("{} of file table in {} runs, nothing cached", megabytes(bytes), runs.len());
    let output = Table::begin(&title, &["what", "time (median)", "bytes", "rate against `dd`"]);
    for (what, samples) in [("`dd` of the same ranges", &theirs), ("read and parsed", &ours)] {
        let share = format!("{} %", digits(100.0 * ratio(theirs.median(), samples.median())));
        let rate = format!("{}/s", megabytes((bytes as f64 / samples.median().as_secs_f64()) as u64));
        output.row(&[what.into(), time(samples.median()), rate, share]);
    }
    Ok(())
}

fn forget_cached(image: &Path) -> Outcome {
    let file = std::fs::File::open(image)?;
    file.sync_all()?;
    fadvise(&file, 0, None, Advice::DontNeed)?;
    Ok(())
}

/// From nothing to an answer, through the service.
fn start(
    options: &Options,
    image: &Path,
) -> Result<(Arc<Service>, SourceInfo, TemporaryFolder), Box<dyn Error>> {
    read(image, 1)?;
    let mut times = Samples::default();
    let mut last = None;
    let mut held = (0, 0, 0);
    for _ in 0..options.pairs.max(1) {
        drop(last.take());
        memory::purge();
        let home = TemporaryFolder::new("home")?;
        let before = memory::resident();
        memory::forget_peak()?;
        let begun = Instant::now();
        let service = Service::open(Config::default(), &Folders::under(home.path()))?;
        let root = image.as_os_str().as_bytes();
        let source = service.add_disk(root, None, &patience())?.remove(0);
        service.wait_complete(&source.name, &patience())?;
        let found = find(&service, "=no such name", None)?;
        times.push(begun.elapsed());
        assert_eq!(found, 0, "there is no such name");
        let shard = service.status().shards.remove(0);
        held = (shard.rows, shard.resident_bytes, memory::peak().saturating_sub(before));
        last = Some((service, source, home));
    }
    let (rows, body, peak) = held;
    let output = Table::begin("From nothing to an answer", &["what", "value", "bytes per row"]);
    let per_row = |bytes: u64| digits(bytes as f64 / rows as f64);
    output.row(&[
        format!("{} rows indexed and asked, median", count(rows)),
        time(times.median()),
        String::new(),
    ]);
    output.row(&["index and digest".into(), megabytes(body), per_row(body)]);
    output.row(&["peak above what was held before".into(), megabytes(peak), per_row(peak)]);
    output.row(&["peak in bodies".into(), format!("{} ×", digits(peak as f64 / body as f64)), String::new()]);
    last.ok_or_else(|| "nothing was measured".into())
}

/// Changes some files, each many times as far as the journal tells; gives their number.
fn touch(image: &NtfsImage, mut journal: Journal) -> Result<u64, Box<dyn Error>> {
    let mut touched = Vec::new();
    {
        let mount = image.mount();
        let mut folders = vec![mount.root().join("many")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                } else {
                    touched.push(entry.path());
                }
            }
        }
        touched.sort();
        touched = touched.into_iter().step_by(TOUCHED).collect();
        let mut entries = Vec::new();
        for path in &touched {
            use std::os::unix::fs::MetadataExt;
            std::fs::write(path, "touched")?;
            let parent = path.parent().ok_or("in a folder")?.metadata()?.ino();
            let name: Vec<u16> = path.file_name().ok_or("named")?.to_string_lossy().encode_utf16().collect();
            let file = path.metadata()?.ino();
            entries.push(Entry { version: 2, file, parent, reasons: 0x8000_0003, name, ..Entry::default() });
        }
        let rounds = JOURNAL_RECORDS.div_ceil(entries.len().max(1));
        let all: Vec<Entry> = std::iter::repeat_n(entries, rounds).flatten().take(JOURNAL_RECORDS).collect();
        journal.append(&mount, &all);
    }
    image.set_log(2 << 20, true);
    Ok(touched.len() as u64)
}

/// The journal beside reading everything.
fn replay(service: &Service, source: &SourceInfo, touched: u64) -> Outcome {
    find(service, "=no such name", Some(PATIENCE))?;
    let replayed = disk(service)?;
    if replayed.how != "replayed" {
        return Err(format!("the journal was not replayed: {replayed:?}").into());
    }
    service.refresh(&[source.name.clone().into_bytes()])?;
    service.wait_complete(&source.name, &patience())?;
    let read = disk(service)?;
    let title = format!("A journal of {} records, {} files touched", count(replayed.records), count(touched));
    let output = Table::begin(&title, &["what", "time", "looked at", "changed"]);
    for (what, disk) in [("replay", &replayed), ("reading everything", &read)] {
        let took = time(Duration::from_millis(disk.took_ms));
        output.row(&[what.into(), took, count(disk.files), count(disk.changed)]);
    }
    Ok(())
}

fn disk(service: &Service) -> Result<DiskStatus, Box<dyn Error>> {
    Ok(service.status().shards.remove(0).disk.ok_or("nothing was read")?)
}

fn find(service: &Service, query: &str, wait_fresh: Option<Duration>) -> Result<u64, Box<dyn Error>> {
    let request = FindRequest { query: query.into(), wait_fresh, ..FindRequest::default() };
    Ok(service.find(&request, &patience(), &mut Nobody)?.shown)
}

fn patience() -> CancelToken {
    CancelToken::new().with_deadline(Instant::now() + PATIENCE)
}

struct Nobody;

impl RowSink for Nobody {
    fn rows(&mut self, _: Rows<'_>) -> Result<(), SinkClosed> {
        Ok(())
    }
}

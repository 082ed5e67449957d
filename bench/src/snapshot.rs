//! Sealed snapshots: what a save and a load cost, what a file is made of, where the time of a load goes, what
//! queries notice of it, and how long a scan would take instead.
//!
//! Files are in the system's page cache. Processor time is that of all threads of this process.

use crate::ask::{Engine, Question};
use crate::needles::needles;
use crate::options::Options;
use crate::samples::{Samples, ratio};
use crate::sealed::{Sealed, Shelf};
use crate::table::{Table, count, digits, megabytes, time};
use crate::{Outcome, cpu, memory, volume};
use hearth_core::{CancelToken, HeapSize};
use hearth_files::digest::Digest;
use hearth_files::entry::Chunk;
use hearth_files::index::{Body, Root, Section};
use hearth_files::scan::{ScanCounters, ScanOptions, scan};
use hearth_snapshot::{CHUNK_BYTES, Codec};
use rayon::ThreadPool;
use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The file of the generated volume, the same without codec, and the file of the real tree.
const FILE: &str = "volume";
const PLAIN: &str = "volume-without-codec";
const TREE: &str = "tree";

/// Sections below this share of the stored bytes are shown as one.
const SMALL: f64 = 0.01;

/// How often a section is read to find its time.
const READS: usize = 3;

pub(crate) fn run(options: &Options) -> Outcome {
    let bench = Bench { options, shelf: Shelf::new()?, pool: volume::pool()? };
    let chunks = volume::rows(options, options.entries)?;
    let needles = needles(&chunks, options.needles, options.seed);
    let engine = Engine { body: volume::built(chunks, &bench.pool)?, pool: volume::pool()? };
    let digest = Digest::of(&engine.body);
    let (entries, names) = (engine.body.entries(), names_of_sections(&engine.body, &digest));
    let held = (engine.body.heap_bytes() + digest.heap_bytes()) as u64;

    bench.saves(&engine.body, &digest)?;
    bench.undisturbed(&engine, &digest, &needles)?;
    drop((engine, digest));
    bench.loads(entries, held)?;
    bench.sections(&names, entries)?;
    bench.shares()?;
    bench.beside_scans()
}

/// Name of each section by its number.
fn names_of_sections(body: &Body, digest: &Digest) -> BTreeMap<u32, &'static str> {
    let (of_body, of_digest) = (body.sections(), digest.sections());
    let ids = of_body.iter().chain(&of_digest).map(Section::id);
    ids.map(|id| (u32::from(id.number()), id.name())).collect()
}

/// Times of one kind of work, by the clock and of the processor.
#[derive(Default)]
struct Cost {
    times: Samples,
    spent: Samples,
}

impl Cost {
    fn of<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (begun, spent) = (Instant::now(), cpu::spent());
        let result = work();
        self.times.push(begun.elapsed());
        self.spent.push(cpu::spent() - spent);
        result
    }

    fn row(&self, table: &Table, what: &str) {
        let [p50, longest] = [self.times.median(), self.times.longest()].map(time);
        table.row(&[what.into(), p50, longest, time(self.spent.median())]);
    }
}

struct Bench<'a> {
    options: &'a Options,
    shelf: Shelf,
    pool: ThreadPool,
}

impl Bench<'_> {
    fn open(&self, name: &str) -> Result<Sealed<'_>, Box<dyn Error>> {
        self.shelf.open(name, &self.pool)
    }

    fn saves(&self, body: &Body, digest: &Digest) -> Outcome {
        self.shelf.save(PLAIN, (body, digest), Codec::None, &self.pool)?;
        let (mut cost, mut bytes) = (Cost::default(), 0);
        for _ in 0..self.options.pairs {
            bytes = cost.of(|| self.shelf.save(FILE, (body, digest), Codec::Zstd, &self.pool))?.file_bytes;
        }
        let title =
            format!("Save of {} entries, durable, {} turns", count(body.entries()), self.options.pairs);
        cost.row(&Table::begin(&title, &["what", "p50", "longest", "processor time"]), "body and digest");
        let per_entry = digits(bytes as f64 / body.entries() as f64);
        println!("\nthe file: {}, {per_entry} bytes per entry", megabytes(bytes));
        Ok(())
    }

    /// Opens the file, loads body and digest, and makes the paths of one page.
    fn first_answer(&self, pool: ThreadPool, page: &Question) -> Result<(Engine, Digest), Box<dyn Error>> {
        let sealed = self.open(FILE)?;
        let engine = Engine { body: Arc::new(sealed.body()?), pool };
        let digest = sealed.digest()?;
        engine.paths(page, &mut Vec::new(), &mut Samples::default())?;
        Ok((engine, digest))
    }

    fn loads(&self, entries: u64, held: u64) -> Outcome {
        let page = Question::first("readme", 100)?;
        let (mut first, mut whole, mut alone) = (Cost::default(), Cost::default(), Cost::default());
        let mut peak = 0;
        for turn in 0..=self.options.pairs {
            let pool = volume::pool()?;
            memory::purge();
            memory::forget_peak()?;
            let before = memory::resident();
            let cost = if turn == 0 { &mut first } else { &mut whole };
            let loaded = cost.of(|| self.first_answer(pool, &page))?;
            peak = peak.max(memory::peak().saturating_sub(before));
            drop(loaded);
        }
        for _ in 0..self.options.pairs {
            alone.of(|| self.open(FILE)?.digest())?;
        }
        let title = format!("Load of {} entries, {} turns", count(entries), self.options.pairs);
        let table = Table::begin(&title, &["what", "p50", "longest", "processor time"]);
        first.row(&table, "to the first answer, memory never used before");
        whole.row(&table, "to the first answer");
        alone.row(&table, "the digest alone");
        let (above, held) = (megabytes(peak.saturating_sub(held)), megabytes(held));
        println!("\nmost memory meanwhile: {above} more than body and digest, which take {held}");
        Ok(())
    }

    /// What the file is made of, and what it takes to open and expand each section on one thread.
    fn sections(&self, names: &BTreeMap<u32, &'static str>, entries: u64) -> Outcome {
        let sealed = self.open(FILE)?;
        let mut parts: BTreeMap<&str, Part> = BTreeMap::new();
        for section in sealed.reader.sections() {
            let mut cost = Cost::default();
            for _ in 0..READS {
                cost.of(|| sealed.open_section(section.id))?;
            }
            let part = parts.entry(names[&section.id]).or_default();
            part.add(section.len, section.stored_len, cost.spent.median());
        }
        let mut whole = Part::default();
        parts.values().for_each(|part| whole.add(part.content, part.stored, part.spent));
        let columns = ["section", "content, bytes per entry", "stored", "open and expand", "share"];
        let table = Table::begin("Sections of the file", &columns);
        let mut parts: Vec<(&str, Part)> = parts.into_iter().collect();
        parts.sort_by_key(|(_, part)| std::cmp::Reverse(part.stored));
        let mut rest = Part::default();
        for (name, part) in parts {
            if (part.stored as f64) < whole.stored as f64 * SMALL {
                rest.add(part.content, part.stored, part.spent);
            } else {
                part.row(&table, name, entries, whole.spent);
            }
        }
        rest.row(&table, "all others together", entries, whole.spent);
        whole.row(&table, "all", entries, whole.spent);
        Ok(())
    }

    /// Where the processor's time of a load goes. Each step is measured with those before it, which are then taken
    /// off; what is decrypted of a file with codec is taken from the one without, by their lengths.
    fn shares(&self) -> Outcome {
        let (mut read, mut plain, mut expanded, mut load) =
            (Cost::default(), Cost::default(), Cost::default(), Cost::default());
        let (sealed, without) = (self.open(FILE)?, self.open(PLAIN)?);
        for _ in 0..self.options.pairs {
            read.of(|| read_file(&self.shelf, FILE))?;
            plain.of(|| open_all(&without))?;
            expanded.of(|| open_all(&sealed))?;
            drop(load.of(|| sealed.body())?);
        }
        let [read, plain, expanded, load] = [read, plain, expanded, load].map(|cost| cost.spent.median());
        let part = sealed.reader.file_bytes() as f64 / without.reader.file_bytes() as f64;
        let decrypt = plain.mul_f64(part).saturating_sub(read);
        let table = Table::begin("Where a load's processor time goes", &["step", "time", "share"]);
        for (step, took) in [
            ("read", read),
            ("decrypt", decrypt),
            ("expand", expanded.saturating_sub(read + decrypt)),
            ("memory, derive, check", load.saturating_sub(expanded)),
            ("all", load),
        ] {
            table.row(&[step.into(), time(took), percent(ratio(took, load))]);
        }
        Ok(())
    }

    /// Queries of one thread at a body while another one is saved or loaded.
    fn undisturbed(&self, engine: &Engine, digest: &Digest, needles: &[String]) -> Outcome {
        let questions: Vec<Question> =
            needles.iter().map(|needle| Question::first(needle, 100)).collect::<Result<_, _>>()?;
        let ask = |enough: &dyn Fn(usize) -> bool| -> Result<Samples, String> {
            let mut samples = Samples::default();
            for (asked, question) in questions.iter().cycle().enumerate() {
                if enough(asked) {
                    break;
                }
                engine.rows(question, &mut samples).map_err(|error| error.to_string())?;
                thread::sleep(Duration::from_micros(200));
            }
            Ok(samples)
        };
        let rest = ask(&|asked| asked == questions.len() * 3)?;
        let beside = |pool: &ThreadPool,
                      work: &(dyn Fn(&ThreadPool) -> Outcome + Sync)|
         -> Result<Samples, Box<dyn Error>> {
            let done = AtomicBool::new(false);
            thread::scope(|scope| {
                let worker = scope.spawn(|| {
                    let worked = (0..self.options.pairs).try_for_each(|_| work(pool));
                    done.store(true, Ordering::Relaxed);
                    worked.map_err(|error| error.to_string())
                });
                let samples = ask(&|_| done.load(Ordering::Relaxed))?;
                worker.join().expect("it does not panic")?;
                Ok(samples)
            })
        };
        let (background, one) = (background_pool(0)?, background_pool(1)?);
        let save =
            |pool: &ThreadPool| self.shelf.save("again", (&engine.body, digest), Codec::Zstd, pool).map(drop);
        let load = |pool: &ThreadPool| self.shelf.open(FILE, pool)?.body().map(drop);
        let table = Table::begin("A query at a hot body", &["when", "p50", "p95", "p99", "p95 / at rest"]);
        for (when, samples) in [
            ("at rest", rest.clone()),
            ("beside saves in the background", beside(&background, &save)?),
            ("beside loads on all cores", beside(&self.pool, &load)?),
            ("beside loads in the background, one thread", beside(&one, &load)?),
        ] {
            let [p50, p95, p99] = [50.0, 95.0, 99.0].map(|percent| time(samples.percentile(percent)));
            let times = digits(ratio(samples.percentile(95.0), rest.percentile(95.0)));
            table.row(&[when.into(), p50, p95, p99, times]);
        }
        Ok(())
    }

    /// Loads of a real tree's body beside scans and builds of it, in turns.
    fn beside_scans(&self) -> Outcome {
        let (mut scans, mut builds, mut loads) = (Cost::default(), Cost::default(), Cost::default());
        let (mut entries, mut bytes) = (0, 0);
        // The first turn warms the caches and does not count.
        for turn in 0..=self.options.pairs {
            if turn == 1 {
                (scans, builds, loads) = Default::default();
            }
            let (root, chunks) = scans.of(|| self.scan())?;
            let body = builds.of(|| Body::build(&root, &chunks, &self.pool, &CancelToken::new()))?;
            entries = body.entries();
            bytes = self.shelf.save(TREE, (&body, &Digest::of(&body)), Codec::Zstd, &self.pool)?.file_bytes;
            drop((chunks, body));
            memory::purge();
            loads.of(|| self.open(TREE)?.body())?;
        }
        let title = format!("A real tree of {} entries, warm, {} turns", count(entries), self.options.pairs);
        let table = Table::begin(&title, &["what", "p50", "longest", "processor time"]);
        scans.row(&table, "scan");
        builds.row(&table, "build of its rows");
        loads.row(&table, "load of the same body");
        let rescan = scans.times.median() + builds.times.median();
        println!("\na load is {} times faster than a rescan", digits(ratio(rescan, loads.times.median())));
        println!("the file: {} bytes per entry", digits(bytes as f64 / entries as f64));
        Ok(())
    }

    fn scan(&self) -> Result<Scanned, Box<dyn Error>> {
        let options = ScanOptions { threads: Some(self.options.threads), exclude: Vec::new() };
        let chunks = Mutex::new(Vec::new());
        let keep = |chunk| chunks.lock().expect("no scanner panics").push(Arc::new(chunk));
        let report =
            scan(&self.options.path, &options, &ScanCounters::default(), &CancelToken::new(), &keep)?;
        let root = Root { path: report.root, meta: report.root_meta };
        Ok((root, chunks.into_inner().expect("no scanner panics")))
    }
}

/// A root and the rows below it.
type Scanned = (Root, Vec<Arc<Chunk>>);

/// Sections of one name.
#[derive(Default)]
struct Part {
    content: u64,
    stored: u64,
    spent: Duration,
}

impl Part {
    fn add(&mut self, content: u64, stored: u64, spent: Duration) {
        self.content += content;
        self.stored += stored;
        self.spent += spent;
    }

    fn row(&self, table: &Table, name: &str, entries: u64, whole: Duration) {
        let [content, stored] =
            [self.content, self.stored].map(|bytes| digits(bytes as f64 / entries as f64));
        table.row(&[name.into(), content, stored, time(self.spent), percent(ratio(self.spent, whole))]);
    }
}

fn percent(share: f64) -> String {
    format!("{} %", digits(share * 100.0))
}

/// A pool that gives way to everything else, of one thread per core (0) or of so many.
fn background_pool(threads: usize) -> Result<ThreadPool, Box<dyn Error>> {
    let give_way = |_| {
        // A pool of usual threads would be measured if this failed; it never needs a right.
        rustix::process::setpriority_process(None, 19).expect("anyone may give way");
    };
    Ok(rayon::ThreadPoolBuilder::new().num_threads(threads).start_handler(give_way).build()?)
}

/// Opens and expands everything on this thread.
fn open_all(sealed: &Sealed<'_>) -> Outcome {
    sealed.reader.sections().try_for_each(|section| sealed.open_section(section.id))
}

/// Reads a file in pieces of a chunk.
fn read_file(shelf: &Shelf, name: &str) -> std::io::Result<()> {
    let (mut file, mut piece) = (File::open(shelf.path(name))?, vec![0; CHUNK_BYTES]);
    while file.read(&mut piece)? > 0 {}
    Ok(())
}

//! The follower on a tree of real files: single looks, a storm, a folder that moves, a reconcile.
//!
//! The tree lies in shared memory, so the disk counts for nothing and system calls for all. Looks are
//! timed with the publication of the body, as a daemon does it; the reconcile takes turns with what it
//! replaces, a scan and the build of a new body.

use crate::Outcome;
use crate::options::Options;
use crate::random::Random;
use crate::samples::{Samples, ratio};
use crate::table::{Table, count, digits, rate, time};
use crate::trees::Trees;
use crate::volume;
use hearth_core::{CancelToken, UnixNanos};
use hearth_files::entry::Chunk;
use hearth_files::follow::{Follower, Look, Reconcile, Seen};
use hearth_files::index::{Body, Root, Volume};
use hearth_files::scan::{ScanCounters, ScanOptions, scan};
use rayon::ThreadPool;
use std::error::Error;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Files of a storm, and of the folder that moves.
const MANY: usize = 100_000;
/// Files that one call looks at in a storm, as many as collect in some milliseconds.
const BATCH: usize = 500;
/// Longer than the time that change times may lag behind.
const SETTLED: Duration = Duration::from_millis(2100);

pub(crate) fn run(options: &Options) -> Outcome {
    let trees = Trees::make(1, options.entries, options.seed)?;
    let bench = Bench { options, root: trees.tops[0].clone(), pool: volume::pool()? };
    bench.looks()?;
    bench.storm()?;
    bench.moves()?;
    bench.reconciles()
}

struct Bench<'a> {
    options: &'a Options,
    root: PathBuf,
    pool: ThreadPool,
}

/// What a shell does to a file, and the path to look at.
type Act = fn(&Path, usize) -> std::io::Result<PathBuf>;

const ACTS: &[(&str, Act)] = &[
    ("create a file", |folder, number| {
        let path = folder.join(format!("new-{number}"));
        fs::write(&path, "")?;
        Ok(path)
    }),
    ("write to it", |folder, number| {
        let path = folder.join(format!("new-{number}"));
        fs::write(&path, "some bytes")?;
        Ok(path)
    }),
    ("remove it", |folder, number| {
        let path = folder.join(format!("new-{number}"));
        fs::remove_file(&path)?;
        Ok(path)
    }),
    ("make a folder", |folder, number| {
        let path = folder.join(format!("folder-{number}"));
        fs::create_dir(&path)?;
        Ok(path)
    }),
];

impl Bench<'_> {
    fn follower(&self) -> Follower {
        Follower::new(self.root.as_os_str().as_bytes(), &self.scan_options())
    }

    fn scan_options(&self) -> ScanOptions {
        ScanOptions { threads: Some(self.options.threads), exclude: Vec::new() }
    }

    /// Scans and builds.
    fn body(&self) -> Result<Body, Box<dyn Error>> {
        let chunks = Mutex::new(Vec::new());
        let keep = |chunk: Chunk| chunks.lock().expect("no scanner panics").push(Arc::new(chunk));
        let (counters, cancel) = (ScanCounters::default(), CancelToken::new());
        let report = scan(&self.root, &self.scan_options(), &counters, &cancel, &keep)?;
        let root = Root { path: report.root, meta: report.root_meta };
        Ok(Body::build(&root, &chunks.into_inner().expect("no scanner panics"), &self.pool, &cancel)?)
    }

    /// Folders with files in them.
    fn folders(&self) -> std::io::Result<Vec<PathBuf>> {
        let mut folders = Vec::new();
        for group in fs::read_dir(&self.root)? {
            for folder in fs::read_dir(group?.path())? {
                folders.push(folder?.path());
            }
        }
        folders.sort();
        Ok(folders)
    }

    fn looks(&self) -> Outcome {
        let (folders, follower) = (self.folders()?, self.follower());
        let mut volume = Volume::new(&self.body()?);
        let title = format!("One look, {} entries, {} of each kind", entries(&volume), self.options.needles);
        let table = Table::begin(&title, &["what happened", "p50", "p99", "longest"]);
        for (what, act) in ACTS {
            let mut random = Random::new(self.options.seed, 0x6c6f_6f6b);
            let mut samples = Samples::default();
            for number in 0..self.options.needles {
                let path = act(&folders[random.below(folders.len())], number)?;
                let look = [look_at(&path)?];
                let seen = samples.time(|| publish(&follower, &mut volume, &look))?;
                if seen.changes.len() != 1 {
                    return Err(format!("{what}: {seen:?}").into());
                }
            }
            let [p50, p99, longest] =
                [samples.median(), samples.percentile(99.0), samples.longest()].map(time);
            table.row(&[(*what).to_owned(), p50, p99, longest]);
        }
        Ok(())
    }

    fn storm(&self) -> Outcome {
        let (folders, follower) = (self.folders()?, self.follower());
        let mut volume = Volume::new(&self.body()?);
        let table = Table::begin(
            &format!("A storm of {} looks in {BATCH}s, {} entries", count(MANY as u64), entries(&volume)),
            &["what happened", "time", "looks per second"],
        );
        let mut random = Random::new(self.options.seed, 0x73_746f_726d);
        let spread: Vec<PathBuf> = (0..MANY)
            .map(|number| folders[random.below(folders.len())].join(format!("storm-{number}")))
            .collect();
        let together: Vec<PathBuf> =
            (0..MANY).map(|number| folders[number / 1000].join(format!("close-{number}"))).collect();
        for (where_to, paths) in [("all over the tree", &spread), ("1 000 in each folder", &together)] {
            for (what, act) in [("created", create as fn(&Path) -> std::io::Result<()>), ("removed", remove)]
            {
                paths.iter().try_for_each(|path| act(path))?;
                let looks: Vec<Look> = paths.iter().map(|path| look_at(path)).collect::<Result<_, _>>()?;
                let begun = Instant::now();
                for batch in looks.chunks(BATCH) {
                    publish(&follower, &mut volume, batch)?;
                }
                let took = begun.elapsed();
                table.row(&[format!("{what} {where_to}"), time(took), rate(MANY as u64, took)]);
            }
        }
        Ok(())
    }

    fn moves(&self) -> Outcome {
        let (from, to) = (self.root.join("many"), self.root.join("d00/moved"));
        fs::create_dir(&from)?;
        (0..MANY).try_for_each(|number| create(&from.join(format!("file-{number}"))))?;
        let mut volume = Volume::new(&self.body()?);
        let follower = self.follower();
        let title = format!("A folder with {} files, {} entries", count(MANY as u64), entries(&volume));
        let table = Table::begin(&title, &["what happened", "time", "changes told"]);
        let mut step = |what: &str, looks: &[Look]| -> Outcome {
            let mut samples = Samples::default();
            let seen = samples.time(|| publish(&follower, &mut volume, looks))?;
            table.row(&[what.to_owned(), time(samples.longest()), count(seen.changes.len() as u64)]);
            Ok(())
        };
        fs::rename(&from, &to)?;
        step("moved", &[look_at(&from)?, look_at(&to)?])?;
        fs::rename(&to, &from)?;
        step("moved back, told of its arrival only", &[look_at(&from)?])?;
        fs::remove_dir_all(&from)?;
        step("removed", &[look_at(&from)?])?;
        fs::create_dir(&from)?;
        (0..MANY).try_for_each(|number| create(&from.join(format!("file-{number}"))))?;
        step("came", &[look_at(&from)?])?;
        fs::remove_dir_all(&from)?;
        Ok(())
    }

    fn reconciles(&self) -> Outcome {
        std::thread::sleep(SETTLED);
        let complete_until_ns = Some(now_ns()?);
        let body = self.body()?;
        let ways = [("everything listed", None), ("only touched folders listed", complete_until_ns)];
        let title = format!("Reconcile of {} entries, {} turns", count(body.entries()), self.options.pairs);
        let table = Table::begin(
            &title,
            &["changed", "what", "p50", "rows changed", "folders listed", "time / scan and build"],
        );
        self.turns(&table, &body, "nothing", &ways)?;
        self.change_some(100)?;
        self.turns(&table, &body, "1 % of the files", &ways)
    }

    /// Changes one file in `share`: in place, by removal, by a new one.
    fn change_some(&self, share: usize) -> Outcome {
        let mut random = Random::new(self.options.seed, 0x0063_6861_6e67);
        for folder in self.folders()? {
            let files: Vec<PathBuf> =
                fs::read_dir(&folder)?.map(|file| Ok(file?.path())).collect::<std::io::Result<_>>()?;
            for file in files {
                match random.below(share * 3) {
                    0 => fs::write(&file, "changed")?,
                    1 => remove(&file)?,
                    2 => create(&file.with_extension("came"))?,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn turns(
        &self,
        table: &Table,
        body: &Body,
        changed: &str,
        ways: &[(&str, Option<UnixNanos>)],
    ) -> Outcome {
        let (mut whole, mut samples) = (Samples::default(), vec![Samples::default(); ways.len()]);
        let mut seen = vec![Seen::default(); ways.len()];
        for _ in 0..self.options.pairs {
            drop(whole.time(|| self.body())?);
            for (at, (_, complete_until_ns)) in ways.iter().enumerate() {
                let mut volume = Volume::new(body);
                let how = Reconcile { complete_until_ns: *complete_until_ns, ..Reconcile::default() };
                seen[at] = samples[at].time(|| {
                    let (counters, cancel) = (ScanCounters::default(), CancelToken::new());
                    self.follower().reconcile(&mut volume, &how, &counters, &cancel)
                })?;
            }
        }
        let scan = whole.median();
        let none = || "–".to_owned();
        table.row(&[changed.into(), "scan and build".into(), time(scan), none(), none(), digits(1.0)]);
        for ((what, _), (samples, seen)) in ways.iter().zip(samples.iter().zip(&seen)) {
            let median = samples.median();
            let [applied, listed] = [seen.applied, seen.listed_folders].map(|number| count(number as u64));
            let times = digits(ratio(median, scan));
            table.row(&[changed.into(), (*what).into(), time(median), applied, listed, times]);
        }
        Ok(())
    }
}

/// Looks and publishes, as a daemon does.
fn publish(follower: &Follower, volume: &mut Volume, looks: &[Look]) -> Result<Seen, Box<dyn Error>> {
    let seen = follower.look(volume, looks, &CancelToken::new())?;
    drop(volume.body());
    Ok(seen)
}

fn entries(volume: &Volume) -> String {
    count(volume.body().entries())
}

fn look_at(path: &Path) -> Result<Look, Box<dyn Error>> {
    let (folder, name) = path.parent().zip(path.file_name()).ok_or("a path with a name")?;
    Ok(Look::Name { folder: fs::metadata(folder)?.ino(), name: name.as_bytes().into() })
}

fn create(path: &Path) -> std::io::Result<()> {
    fs::File::create(path).map(drop)
}

fn remove(path: &Path) -> std::io::Result<()> {
    fs::remove_file(path)
}

fn now_ns() -> Result<UnixNanos, Box<dyn Error>> {
    Ok(UnixNanos::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos())?)
}

//! Snapshots of tiny bodies on a disk that lies: cut at any operation, full, failing.
//!
//! A body of generation `g` holds `g` files, so what is loaded tells by its content which save it is of.

use super::*;
use crate::api::SourceKind;
use crate::catalogue::Published;
use crate::driver::tests::made;
use hearth_snapshot::{Fault, LyingDisk, Manners};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use tempfile::TempDir;

/// Folders of a service whose snapshots are on a disk of its own; what is indexed is real.
struct World {
    real: TempDir,
    disk: LyingDisk,
}

impl World {
    fn new(seed: u64) -> Self {
        let real = tempfile::tempdir().unwrap();
        (1..=2).for_each(|id| std::fs::create_dir(real.path().join(format!("s{id}"))).unwrap());
        Self { real, disk: LyingDisk::new(seed, Manners::default()) }
    }

    fn after_power_cut(self, seed: u64) -> Self {
        Self { disk: self.disk.after_power_cut(seed), real: self.real }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.real.path().join(name)
    }

    /// The snapshots as a service finds them that starts now.
    fn snapshots(&self) -> Snapshots {
        let pool = || rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let mut config = Config::default();
        // Bodies are dated by their generations, which are long ago.
        config.stale.max_age = None;
        Snapshots::open(Setup {
            media: Arc::new(Media::new(Path::new("scratch"))),
            storage: Box::new(self.disk.clone()),
            config: &config,
            folder: self.path("cache"),
            state: self.path("state"),
            mode: SnapshotMode::ReadWrite,
            load_pool: Arc::new(pool()),
            save_pool: pool(),
        })
        .unwrap()
    }

    fn source(&self, id: u64) -> Source {
        let root = self.path(&format!("s{id}")).as_os_str().as_bytes().to_vec();
        Source::new(SourceInfo { id, name: format!("s{id}"), kind: SourceKind::Volume, root })
    }

    fn save(&self, snapshots: &Snapshots, id: u64, generation: u64) -> Result<Stored, NotSaved> {
        let source = Arc::new(self.source(id));
        let (published, digest) = body(&source, generation);
        let complete_until_ns = published.began_ns;
        let save = Save { source, published: Arc::new(published), digest, complete_until_ns };
        snapshots.save(&save, &CancelToken::new()).map(|(stored, _)| stored)
    }

    /// Generation of the snapshot of a source, which is wholly what was saved under it.
    fn load(&self, snapshots: &Snapshots, id: u64) -> Result<u64, LoadError> {
        let source = self.source(id);
        let made = match snapshots.load(&source, &ScanRun::new(0)) {
            Ok(made) => made,
            Err(NotLoaded::Because(error)) => return Err(error),
            Err(NotLoaded::Cancelled) => panic!("nobody cancels"),
        };
        let found = snapshots.look(&source.info).unwrap();
        let recalled = snapshots.load_digest(&source.info, &CancelToken::new()).ok().unwrap();
        let generation = found.stored.generation;
        assert_eq!(made.body.entries(), generation + 1, "the root and as many files");
        assert_eq!((found.known.rows, recalled.known.generation), (generation + 1, generation));
        assert_eq!((made.began_ns, made.outcome.entries), (generation.cast_signed(), generation));
        assert_eq!(made.device, found_device(&source));
        Ok(generation)
    }
}

fn found_device(source: &Source) -> u64 {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(OsStr::from_bytes(&source.info.root)).unwrap().dev()
}

/// A body as it is published.
fn body(source: &Source, generation: u64) -> (Published, Arc<Digest>) {
    let made = made(source, &ScanRun::new(generation.cast_signed()), generation);
    let published = Published {
        body: made.body,
        generation,
        began: made.began,
        began_ns: made.began_ns,
        made_ns: made.made_ns,
        at: Instant::now(),
        built_in: made.built_in,
        device: made.device,
        closed: made.closed,
        outcome: Arc::new(made.outcome),
        compared: true.into(),
        _hold: None,
    };
    (published, made.digest)
}

#[test]
fn a_save_that_is_cut_at_any_operation_leaves_the_old_or_the_new_body() {
    let (mut old, mut new, mut cuts) = (0, 0, 0);
    for cut in 0.. {
        let world = World::new(cut);
        let snapshots = world.snapshots();
        world.save(&snapshots, 1, 3).unwrap();
        let begin = world.disk.operations();
        world.disk.set_fault(begin + cut, Fault::PowerCut);
        let saved = world.save(&snapshots, 1, 4);
        if !world.disk.is_down() {
            saved.unwrap();
            break;
        }
        let world = world.after_power_cut(cut);
        match world.load(&world.snapshots(), 1).unwrap() {
            3 => old += 1,
            4 => new += 1,
            other => panic!("generation {other} was never saved"),
        }
        world.snapshots().tidy_up(&[world.source(1).info]).unwrap();
        assert_eq!(
            world.disk.list(&world.path("cache")).unwrap().len(),
            1,
            "nothing is left of the cut save"
        );
        cuts += 1;
    }
    assert!(cuts > 10 && old > 0 && new > 0, "{cuts} cuts, {old} old, {new} new");
}

#[test]
fn a_disk_that_is_full_or_fails_keeps_the_snapshot_that_was_there() {
    for (fault, seed) in [(Fault::NoSpace, 1), (Fault::BadDisk, 2)] {
        for at in 0..40 {
            let world = World::new(seed);
            let snapshots = world.snapshots();
            world.save(&snapshots, 1, 3).unwrap();
            world.disk.set_fault(world.disk.operations() + at, fault);
            let saved = world.save(&snapshots, 1, 4);
            world.disk.clear_faults();
            let there = world.load(&snapshots, 1).unwrap();
            assert!(there == 4 || saved.is_err() && there == 3, "at {at}: {there}");
            assert_eq!(world.save(&snapshots, 1, 5).unwrap().generation, 5, "and the next save succeeds");
        }
    }
}

#[test]
fn what_was_forgotten_does_not_come_back() {
    let world = World::new(1);
    let snapshots = world.snapshots();
    world.save(&snapshots, 1, 3).unwrap();
    world.save(&snapshots, 2, 4).unwrap();
    assert!(snapshots.forget(1).unwrap() > 0);
    // A save that was under way then.
    assert!(matches!(world.save(&snapshots, 1, 5), Err(NotSaved::Cancelled(_))));
    assert_eq!(snapshots.forget(1).unwrap(), 0);
    assert_eq!(world.load(&snapshots, 1).unwrap_err().word(), "missing");
    assert_eq!(world.load(&snapshots, 2).unwrap(), 4);
}

#[test]
fn a_rotation_that_is_cut_at_any_operation_leaves_every_snapshot_open() {
    let mut cuts = 0;
    for cut in 0.. {
        let world = World::new(cut);
        let snapshots = world.snapshots();
        world.save(&snapshots, 1, 3).unwrap();
        world.save(&snapshots, 2, 4).unwrap();
        world.disk.set_fault(world.disk.operations() + cut, Fault::PowerCut);
        let sources = [world.source(1).info, world.source(2).info];
        let rotated = snapshots.rotate(&sources);
        if !world.disk.is_down() {
            assert_eq!(rotated.unwrap().resealed, ["s1", "s2"]);
            break;
        }
        let world = world.after_power_cut(cut);
        let snapshots = world.snapshots();
        assert_eq!((world.load(&snapshots, 1).unwrap(), world.load(&snapshots, 2).unwrap()), (3, 4), "{cut}");
        cuts += 1;
    }
    assert!(cuts > 10, "{cuts}");
}

#[test]
fn nothing_of_a_body_is_on_the_disk_in_clear() {
    let world = World::new(1);
    let snapshots = world.snapshots();
    world.save(&snapshots, 1, 200).unwrap();
    let (everything, root) = (world.disk.everything(), world.source(1).info.root);
    for secret in [b"s1-17".as_slice(), b"s1-".as_slice(), &root] {
        assert!(!everything.windows(secret.len()).any(|window| window == secret));
    }
    let names = world.disk.list(&world.path("cache")).unwrap();
    assert_eq!(names[0].name.to_str(), Some("0000000000000001.hearth"), "nor does the name tell");
}

//! Saves on a disk that is cut, full, failing or lying: a path holds the old or the new snapshot, and its
//! clock is that of its body.

use crate::desk::*;
use hearth_snapshot::*;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

const FOLDER: &str = "/cache";
const STATE: &str = "/state";
/// A name as an indexed tree may have it. It must not be found on the disk.
const SECRET: &[u8] = b"letter-to-the-tax-office-2019.odt";

fn path() -> PathBuf {
    Path::new(FOLDER).join("volume")
}

/// Which snapshot is there, by its number.
type Held = Option<u64>;

fn numbered_header(number: u64) -> Header {
    Header { clock: number.to_le_bytes().to_vec(), ..header() }
}

fn numbered_contents(number: u64) -> Contents {
    let names = [SECRET, &number.to_le_bytes()].concat().repeat(30);
    vec![
        (1, Codec::None, names.clone()),
        (2, Codec::Zstd, noise(number, 1500)),
        (3, Codec::Lz4, names),
        (4, Codec::Zstd, vec![number as u8; if number.is_multiple_of(4) { CHUNK_BYTES + 1 } else { 3 }]),
    ]
}

/// A program with its disk: what it holds in memory, and what may be on the disk.
struct Run {
    disk: LyingDisk,
    key: MachineKey,
    /// What a load gives now.
    live: Held,
    /// What a load may give after a power cut.
    possible: BTreeSet<Held>,
    /// True if the key was changed and the snapshot was left out: it may not open any more.
    left_out: bool,
    next: u64,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Save,
    Rotate,
    Sweep,
    Forget,
}

fn find(disk: &LyingDisk) -> Result<MachineKey, KeyError> {
    let places = KeyPlaces { credentials: None, configured: None, state: Path::new(STATE) };
    find_key(disk, &places).map(|found| found.key)
}

/// What is at the path. Anything but a whole snapshot or none is a panic.
fn held(disk: &LyingDisk, key: &MachineKey) -> Held {
    match try_held(disk, key) {
        Ok(number) => Some(number),
        Err(LoadError::Missing { .. } | LoadError::Scratch { .. }) => None,
        Err(error) => panic!("neither the old nor the new: {error}"),
    }
}

fn try_held(disk: &LyingDisk, key: &MachineKey) -> Result<u64, LoadError> {
    let reader = Reader::open(disk, &path(), &expected(), key)?;
    let number = u64::from_le_bytes(reader.header().clock[..].try_into().expect("a clock is a number"));
    assert!(contents_of(&reader)? == numbered_contents(number), "the body is not of its clock");
    Ok(number)
}

impl Run {
    fn new(disk: LyingDisk) -> Self {
        let key = find(&disk).expect("a key is made");
        Self { disk, key, live: None, possible: BTreeSet::from([None]), left_out: false, next: 1 }
    }

    fn save(&mut self) {
        let number = self.next;
        self.next += 1;
        let before = self.possible.clone();
        self.possible.insert(Some(number));
        match save(&self.disk, &path(), &numbered_header(number), &self.key, &numbered_contents(number)) {
            Ok(_) => self.now_holds(Some(number)),
            // Only the folder's sync comes after the rename.
            Err(SaveError::Io { path, .. }) if path == Path::new(FOLDER) => self.live = Some(number),
            Err(_) if self.disk.is_down() => {}
            Err(_) => self.possible = before,
        }
    }

    fn now_holds(&mut self, held: Held) {
        self.live = held;
        self.possible = BTreeSet::from([held]);
        self.left_out = false;
    }

    fn forget(&mut self) {
        let durable = self.disk.remove(&path()).and_then(|()| {
            self.live = None;
            self.possible.insert(None);
            self.disk.sync_folder(Path::new(FOLDER))
        });
        if durable.is_ok() {
            self.now_holds(None);
        } else if self.disk.is_down() {
            self.possible.insert(None);
        }
    }

    fn rotate(&mut self) {
        let file = Path::new(STATE).join(KEY_FILE_NAME);
        // What only a power cut brings back does not get the new key.
        self.left_out |= self.possible.len() > 1;
        if let Ok(rotation) = rotate_key_file(&self.disk, &file, &self.key, &[path()]) {
            self.key = rotation.key;
            // What is not there is left out too.
            self.left_out |= self.live.is_some() && !rotation.left_out.is_empty();
        } else if !self.disk.is_down() {
            self.key = find(&self.disk).expect("the key file is fine");
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Save => self.save(),
            Step::Rotate => self.rotate(),
            Step::Sweep => {
                let _may_fail = sweep(&self.disk, Path::new(FOLDER), 0, Duration::ZERO);
            }
            Step::Forget => self.forget(),
        }
    }

    /// The program starts again on what a power cut left.
    fn restart(&mut self, seed: u64) {
        self.disk = self.disk.after_power_cut(seed);
        self.key = find(&self.disk).expect("the key file is fine");
        let held = self.held();
        let still_left_out = self.left_out && held.is_none();
        assert!(still_left_out || self.possible.contains(&held), "{held:?} is none of {:?}", self.possible);
        self.now_holds(held);
        self.left_out = still_left_out;
    }

    /// What is at the path, and nothing if a change of the key left it out.
    fn held(&mut self) -> Held {
        match try_held(&self.disk, &self.key) {
            Err(LoadError::KeyUnavailable(_) | LoadError::DecryptFailed { .. }) if self.left_out => None,
            _ => held(&self.disk, &self.key),
        }
    }

    fn check(&mut self) {
        let held = self.held();
        assert!(held == self.live || self.left_out && held.is_none(), "{held:?}, not {:?}", self.live);
    }
}

const SCRIPT: [Step; 9] = [
    Step::Save,
    Step::Save,
    Step::Rotate,
    Step::Save,
    Step::Forget,
    Step::Sweep,
    Step::Save,
    Step::Rotate,
    Step::Save,
];

fn manners(short_transfers: bool) -> Manners {
    Manners { short_transfers, syncs_lie: false }
}

/// Runs the script with a cut at an operation. `false` if it ended before the cut.
fn cut_at(operation: u64, seed: u64, short_transfers: bool) -> bool {
    let mut run = Run::new(LyingDisk::new(seed, manners(short_transfers)));
    run.disk.set_fault(run.disk.operations() + operation, Fault::PowerCut);
    for step in SCRIPT {
        run.step(step);
        if run.disk.is_down() {
            run.restart(seed ^ operation);
            run.step(Step::Sweep);
            run.save();
            assert_eq!(held(&run.disk, &run.key), run.live, "after the restart");
            let listed = run.disk.list(Path::new(FOLDER)).expect("the folder can be listed");
            assert_eq!(listed.len(), 1, "nothing is left over");
            return true;
        }
    }
    false
}

fn cuts(seeds: std::ops::Range<u64>, short_transfers: bool) -> u64 {
    seeds
        .map(|seed| (0..).take_while(|&operation| cut_at(operation, seed, short_transfers)).count() as u64)
        .sum()
}

#[test]
fn cut_anywhere_the_old_or_the_new_snapshot_is_there() {
    let cuts = cuts(0..16, false);
    assert!(cuts > 1500, "{cuts} cuts");
}

#[test]
fn cut_anywhere_in_short_transfers_the_old_or_the_new_snapshot_is_there() {
    let cuts = cuts(100..108, true);
    assert!(cuts > 2000, "{cuts} cuts");
}

#[test]
fn without_a_fault_the_script_ends_as_expected() {
    let mut run = Run::new(LyingDisk::new(1, manners(false)));
    SCRIPT.into_iter().for_each(|step| run.step(step));
    assert_eq!((held(&run.disk, &run.key), run.live), (Some(5), Some(5)));
}

#[test]
fn a_disk_that_loses_what_it_acknowledged_never_gives_a_wrong_body() {
    let (mut whole, mut refused) = (0, 0);
    for seed in 0..300 {
        let disk = LyingDisk::new(seed, Manners { short_transfers: false, syncs_lie: true });
        let key = key();
        for number in 1..4 {
            save(&disk, &path(), &numbered_header(number), &key, &numbered_contents(number))
                .expect("it saves");
        }
        match try_held(&disk.after_power_cut(seed), &key) {
            Ok(_) => whole += 1,
            Err(_) => refused += 1,
        }
    }
    assert!(whole > 10 && refused > 10, "{whole} whole, {refused} refused");
}

#[test]
fn nothing_is_in_clear_whenever_the_power_fails() {
    // Windows of what must not be seen: names, and what a header says of the source.
    let secrets: BTreeSet<&[u8]> =
        [SECRET, IDENTITY, EPOCH].iter().flat_map(|secret| secret.windows(7)).collect();
    let assert_clear = |disk: &LyingDisk| {
        let everything = disk.everything();
        assert!(everything.len() > 10_000, "there is something to look at");
        let seen = everything.windows(7).find(|window| secrets.contains(window));
        assert_eq!(seen, None);
    };
    for operation in 0..40 {
        let mut run = Run::new(LyingDisk::new(operation, manners(false)));
        run.save();
        run.disk.set_fault(run.disk.operations() + operation, Fault::PowerCut);
        run.save();
        assert_clear(&run.disk);
        assert_clear(&run.disk.after_power_cut(operation));
    }
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![6 => Just(Step::Save), 2 => Just(Step::Rotate), 1 => Just(Step::Sweep), 1 => Just(Step::Forget)]
}

fn any_fault() -> impl Strategy<Value = Option<(u64, Fault)>> {
    let fault = prop_oneof![Just(Fault::PowerCut), Just(Fault::NoSpace), Just(Fault::BadDisk)];
    prop::option::weighted(0.7, (0..25u64, fault))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn any_sequence_with_any_faults_agrees_with_the_model(
        seed: u64,
        short_transfers: bool,
        steps in prop::collection::vec((any_step(), any_fault()), 1..12),
    ) {
        let mut run = Run::new(LyingDisk::new(seed, manners(short_transfers)));
        for (moment, (step, fault)) in (1..).zip(steps) {
            if let Some((after, fault)) = fault {
                run.disk.set_fault(run.disk.operations() + after, fault);
            }
            run.step(step);
            run.disk.clear_faults();
            if run.disk.is_down() {
                run.restart(seed.wrapping_add(moment));
            }
            run.check();
        }
        run.restart(seed);
    }
}

//! `kill -9` at any moment: while the tree changes, while it is scanned, saved, loaded, given up, closed.
//!
//! What a daemon answers first after that must be a state in which the tree once was: the last one that was
//! said to be saved, or a later one. Once it has compared, its answers equal a walk. Nothing that a kill cut
//! off stays on the disk, and a snapshot that is there is loaded.
//!
//! `HEARTH_CRASH_ROUNDS` is the number of kills.

use crate::house::{Answer, House, SOURCE, files_below, note};
use crate::tree::{Dice, Grove, State};
use hearth_client::protocol::method;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

const ROUNDS: u64 = 25;
const FOLDERS: usize = 150;
const FILES: usize = 3000;
const SEED: u64 = 0x6865_6172_7468;

/// What goes on when the daemon is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// A scan, its publication, its save; often beside the save before.
    Refreshing,
    /// The same while the tree changes all the time.
    Churning,
    /// A start: sweep, load, comparison.
    Starting,
    /// The save before memory is given up.
    Hibernating,
    /// The save before the end.
    Stopping,
    /// Nothing is killed: it is asked to end, and takes its time.
    Ending,
}

impl Moment {
    fn of(round: u64) -> Self {
        use Moment::{Churning, Ending, Hibernating, Refreshing, Starting, Stopping};
        let moments = [Refreshing, Starting, Refreshing, Stopping, Churning, Refreshing, Hibernating, Ending];
        moments[usize::try_from(round).expect("few") % moments.len()]
    }
}

/// The states that the tree was in when it was scanned, in order.
#[derive(Default)]
struct History {
    /// Numbers of states; of those that came again, the last.
    known: HashMap<u64, usize>,
    newest: usize,
    last: Option<State>,
    /// Number of the last one that was told to be saved.
    saved: usize,
    /// Something was scanned while it changed.
    blurred: bool,
}

impl History {
    fn add(&mut self, state: State) {
        self.newest += 1;
        self.known.insert(state.fingerprint(), self.newest);
        self.last = Some(state);
    }
}

/// What the kills did.
#[derive(Debug, Default)]
struct Tally {
    first_answers_stale: u64,
    first_answers_complete: u64,
    loaded_newest: u64,
    loaded_older: u64,
    temporary_files_left: u64,
    reasons: HashMap<String, u64>,
    longest_start: Duration,
}

struct Loop {
    house: House,
    grove: Grove,
    dice: Dice,
    history: History,
    tally: Tally,
    /// How long a refresh takes until it is saved, and a start until all is compared.
    work: Duration,
    start: Duration,
}

impl Loop {
    fn new() -> Self {
        let house = House::new();
        let grove = Grove::plant(&house.tree(), FOLDERS, FILES, SEED);
        let (work, start) = (Duration::from_millis(100), Duration::from_millis(100));
        let (history, tally) = (History::default(), Tally::default());
        Self { house, grove, dice: Dice::new(SEED ^ 1), history, tally, work, start }
    }

    /// A moment in this time and a little beyond it.
    fn pause(&mut self, of: Duration) {
        let micros = u64::try_from(of.as_micros()).expect("short") * 5 / 4;
        sleep(Duration::from_micros(self.dice.below(micros.max(1))));
    }

    fn change(&mut self) {
        let changes = 1 + self.dice.below(60);
        self.grove.change(changes);
        self.history.add(State::of(&self.house.tree()));
    }

    fn refresh(&self) {
        self.house.tell(method::REFRESH, &json!({}));
    }

    /// Kills the first daemon before anything can be sure to be saved.
    fn kill_during_the_first_scan(&mut self) {
        self.house.start();
        self.history.add(State::of(&self.house.tree()));
        self.house.add();
        self.pause(self.work / 2);
        self.kill();
    }

    fn round(&mut self, moment: Moment) {
        self.start_and_judge();
        match moment {
            Moment::Refreshing => self.while_refreshing(),
            Moment::Churning => self.while_churning(),
            Moment::Starting => self.while_starting(),
            Moment::Hibernating => self.while_hibernating(),
            Moment::Stopping => self.while_stopping(),
            Moment::Ending => self.end(),
        }
    }

    fn while_refreshing(&mut self) {
        let mut since = self.change_and_publish();
        if self.dice.below(2) == 0 {
            // The save of the one before runs.
            since = self.change_and_publish();
        }
        self.change();
        self.refresh();
        self.pause(self.work);
        self.note_saved(since);
        self.kill();
    }

    /// Changes the tree, waits for the body and not for its save; gives the number of the state.
    fn change_and_publish(&mut self) -> usize {
        self.change();
        self.refresh();
        self.house.wait_complete();
        self.history.newest
    }

    fn while_churning(&mut self) {
        self.history.blurred = true;
        let ends = AtomicBool::new(false);
        let delay =
            Duration::from_micros(self.dice.below(u64::try_from(self.work.as_micros()).expect("short")));
        let (house, grove) = (&self.house, &mut self.grove);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ends.load(Ordering::Relaxed) {
                    grove.change(5);
                }
            });
            house.tell(method::REFRESH, &json!({}));
            house.wait_complete();
            house.tell(method::REFRESH, &json!({}));
            sleep(delay);
            house.signal(Signal::KILL);
            ends.store(true, Ordering::Relaxed);
        });
        self.kill();
    }

    fn while_starting(&mut self) {
        self.change_and_publish();
        self.kill();
        for _ in 0..2 {
            self.house.spawn();
            self.pause(self.start);
            self.kill();
        }
    }

    fn while_hibernating(&mut self) {
        self.change_and_publish();
        self.house.tell(method::HIBERNATE, &json!({}));
        self.pause(self.work);
        self.kill();
    }

    fn while_stopping(&mut self) {
        self.change();
        self.refresh();
        self.pause(self.work);
        self.house.signal(Signal::TERM);
        self.pause(self.work);
        self.kill();
    }

    /// What was published is saved at the end, whatever else goes on.
    fn end(&mut self) {
        let published = self.change_and_publish();
        if self.dice.below(2) == 0 {
            self.change();
            self.refresh();
            self.pause(self.work);
        }
        assert!(self.house.terminate().success(), "{}", self.house.words());
        self.history.saved = published;
        assert_eq!(self.house.unfinished_saves(), Vec::<PathBuf>::new());
    }

    /// Remembers that this state is on disk, if that is told.
    fn note_saved(&mut self, number: usize) {
        let shard = self.house.shard();
        if shard["unsaved"] == false && shard["health"] == "fresh" {
            self.history.saved = number.max(self.history.saved);
        }
    }

    fn kill(&mut self) {
        self.house.kill();
        let left = self.house.unfinished_saves();
        self.tally.temporary_files_left += left.len() as u64;
        assert!(left.len() <= 1, "{left:?}");
    }

    /// Starts a daemon and judges what it says first, what it says in the end, and what it left behind.
    fn start_and_judge(&mut self) {
        let (left, expected) = (self.house.unfinished_saves(), self.expected_reason());
        let began = Instant::now();
        self.house.start();
        let first = self.house.answer();
        let reason = self.judge_first(&first);
        self.house.wait_complete();
        let reason = reason.or_else(|| word(&self.house.shard()));
        assert_eq!(reason.as_deref(), Some(expected), "{}\n{}", self.house.shard(), self.house.words());
        *self.tally.reasons.entry(expected.to_owned()).or_default() += 1;
        self.house.assert_equals_tree();
        self.tally.longest_start = self.tally.longest_start.max(began.elapsed());
        let still: Vec<&PathBuf> = left.iter().filter(|path| path.exists()).collect();
        assert!(still.is_empty(), "not swept: {still:?}");
        self.history.add(State::of(&self.house.tree()));
        self.house.wait_saved();
        self.history.saved = self.history.newest;
        self.history.blurred = false;
        self.start = began.elapsed();
    }

    /// The word that what lies on the disk must lead to.
    fn expected_reason(&self) -> &'static str {
        let names = files_below(&self.house.snapshots());
        if names.iter().any(|path| path.extension().is_some_and(|ending| ending == "hearth")) {
            "loaded"
        } else if names.is_empty() {
            "missing"
        } else {
            "scratch"
        }
    }

    /// Fails if an answer is of no instant. Gives the load reason if there is one already.
    fn judge_first(&mut self, first: &Answer) -> Option<String> {
        let reason = word(&self.house.shard());
        if !first.is("complete") {
            return reason;
        }
        self.tally.first_answers_complete += 1;
        if !first.is("stale") {
            let tree = State::of(&self.house.tree());
            assert!(first.rows == tree, "not stale: {:#?}", first.rows.differences(&tree));
            return reason;
        }
        self.tally.first_answers_stale += 1;
        if self.history.blurred {
            return reason;
        }
        let Some(number) = self.history.known.get(&first.rows.fingerprint()).copied() else {
            let last = self.history.last.as_ref().expect("a state");
            panic!("never was: {:#?}\n{}", first.rows.differences(last), self.house.words());
        };
        let (saved, newest) = (self.history.saved, self.history.newest);
        assert!(number >= saved, "state {number} is older than {saved}, which was saved");
        if number == newest {
            self.tally.loaded_newest += 1;
        } else {
            self.tally.loaded_older += 1;
        }
        reason
    }

    /// Measures a refresh until it is saved.
    fn measure(&mut self) {
        self.start_and_judge();
        self.change();
        let began = Instant::now();
        self.house.refresh();
        self.house.wait_saved();
        self.work = began.elapsed();
        self.history.saved = self.history.newest;
        self.kill();
    }
}

fn word(shard: &Value) -> Option<String> {
    assert_eq!(shard["name"], SOURCE);
    shard["load_reason"].as_str().map(str::to_owned)
}

fn rounds() -> u64 {
    let told = std::env::var("HEARTH_CRASH_ROUNDS").ok();
    told.map_or(ROUNDS, |rounds| rounds.parse().expect("HEARTH_CRASH_ROUNDS is a number"))
}

#[test]
fn killed_at_any_moment_it_answers_from_an_instant_that_was_and_then_from_now() {
    let (mut killing, began) = (Loop::new(), Instant::now());
    killing.kill_during_the_first_scan();
    killing.measure();
    for round in 0..rounds() {
        killing.round(Moment::of(round));
    }
    killing.start_and_judge();
    let (took, work, tally) = (began.elapsed(), killing.work, &killing.tally);
    note(&format!("{} kills in {took:.1?}, a refresh with its save takes {work:.1?}: {tally:#?}", rounds()));
    assert!(tally.first_answers_stale > 0, "no snapshot was judged");
    assert!(killing.house.terminate().success());
    assert_eq!(killing.house.unfinished_saves(), Vec::<PathBuf>::new());
}

#[test]
fn what_is_forgotten_while_it_is_saved_does_not_come_back() {
    let (mut house, mut dice) = (House::new(), Dice::new(SEED ^ 2));
    let mut grove = Grove::plant(&house.tree(), 50, 1500, SEED);
    house.start();
    for round in 0..12 {
        house.index();
        grove.change(10);
        house.tell(method::REFRESH, &json!({}));
        sleep(Duration::from_micros(dice.below(80_000)));
        house.tell(method::FORGET, &json!({"source": SOURCE, "force": true}));
        if round % 3 == 2 {
            house.kill();
            house.start();
        }
        let files = || files_below(&house.snapshots());
        house.until("all files are gone", || files().is_empty());
    }
    house.index();
    assert!(house.terminate().success());
    let [snapshot] = &files_below(&house.snapshots())[..] else { panic!("one source, one file") };
    assert!(snapshot.ends_with("000000000000000d.hearth"), "{}", snapshot.display());
}

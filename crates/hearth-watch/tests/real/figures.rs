//! What a feed costs, printed. Run alone on a quiet machine, as root, built for release:
//! `cargo test --release -p hearth-watch --test real figures -- --ignored --nocapture --test-threads=1`

use crate::world::{LONG, may_mount};
use hearth_disks::{Disk, Kind};
use hearth_watch::{Feed, FeedOptions, Writes, fanotify};
use rustix::time::{ClockId, clock_gettime};
use std::fmt::Display;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

const KINDS: [Kind; 2] = [Kind::Tmpfs, Kind::Ext4];

fn print(line: impl Display) {
    writeln!(std::io::stderr(), "{line}").expect("printed");
}

/// Time of the processor that this thread used.
fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).expect("below a second"))
}

fn on_each(check: impl Fn(Kind, &Disk)) {
    if may_mount("figures") {
        for kind in KINDS {
            Disk::new(kind, "figures").inspect(|place| check(kind, place));
        }
    }
}

fn options(place: &Path) -> FeedOptions {
    let cookies = place.join("cookies");
    fs::create_dir_all(&cookies).expect("made");
    FeedOptions { cookie_folder: Some(cookies), unbounded_queue: true, ..FeedOptions::default() }
}

fn storm(root: &Path, rounds: u32) {
    for round in 0..rounds {
        let path = root.join(format!("file{round}"));
        drop(File::create(&path).expect("made"));
        fs::remove_file(&path).expect("removed");
    }
}

#[test]
#[ignore = "prints figures"]
fn events_read_for_a_second_of_processor_time() {
    on_each(|kind, place| {
        let mut feed = fanotify::open(&place.root, &options(&place.root)).expect("opened");
        for (what, rounds) in [("many names", 150_000), ("the same name", 150_000)] {
            let many = what == "many names";
            for round in 0..rounds {
                let path = place.root.join(if many { format!("d{round}") } else { "d".to_owned() });
                fs::create_dir(&path).expect("made");
                fs::remove_dir(&path).expect("removed");
            }
            let (mut clock, mut dirt, mut batches) = (0, 0, 0);
            let before = (cpu(), Instant::now());
            while let Some(batch) = feed.next(Duration::from_millis(20)).expect("works") {
                (clock, dirt, batches) = (batch.clock, dirt + batch.dirt.len(), batches + 1);
            }
            let used = cpu().checked_sub(before.0).expect("grows");
            print(format_args!(
                "{kind:?}, {what}: {clock} events in all, {dirt} pieces of dirt in {batches} batches, {used:?} of processor time"
            ));
        }
    });
}

/// Processor time of one create and unlink, in ns, without and with a mark that somebody reads.
#[test]
#[ignore = "prints figures"]
fn cost_to_who_creates_and_removes() {
    on_each(|kind, place| {
        for writes in [None, Some(Writes::WhenClosed), Some(Writes::AsTheyHappen)] {
            let reader = writes.map(|writes| read_aside(&place.root, writes));
            storm(&place.root, 20_000);
            let best = (0..5).map(|_| time_of(|| storm(&place.root, 20_000)) / 20_000).min().expect("some");
            print(format_args!("{kind:?}, create + unlink, mark {writes:?}: {best:?} of the writer"));
            reader.into_iter().for_each(|stop| stop());
        }
    });
}

#[test]
#[ignore = "prints figures"]
fn cost_to_who_writes_in_small_pieces() {
    on_each(|kind, place| {
        for writes in [None, Some(Writes::WhenClosed), Some(Writes::AsTheyHappen)] {
            let reader = writes.map(|writes| read_aside(&place.root, writes));
            for bytes in [100, 4096] {
                let piece = vec![b'x'; bytes];
                let mut file = File::create(place.root.join("log")).expect("made");
                let mut write = || (0..20_000).for_each(|_| file.write_all(&piece).expect("written"));
                let best = (0..3).map(|_| time_of(&mut write) / 20_000).min().expect("some");
                print(format_args!(
                    "{kind:?}, write of {bytes} bytes, mark {writes:?}: {best:?} of the writer"
                ));
            }
            reader.into_iter().for_each(|stop| stop());
        }
    });
}

fn time_of(work: impl FnOnce()) -> Duration {
    let before = cpu();
    work();
    cpu().checked_sub(before).expect("grows")
}

/// A feed that is read by another thread until the result is called; prints what the reader used.
fn read_aside(root: &Path, writes: Writes) -> impl FnOnce() + use<> {
    let options = FeedOptions { writes, unbounded_queue: false, ..options(root) };
    let mut feed = fanotify::open(root, &options).expect("opened");
    let handle = feed.handle();
    let reader = std::thread::spawn(move || {
        let (mut clock, mut overflows) = (0, 0);
        while let Ok(batch) = feed.next(LONG) {
            clock = batch.as_ref().map_or(clock, |batch| batch.clock);
            overflows += u32::from(batch.is_some_and(|batch| batch.overflowed));
        }
        print(format_args!("    the reader used {:?} for {clock} events, {overflows} overflows", cpu()));
    });
    move || {
        handle.stop();
        reader.join().expect("read");
    }
}

#[test]
#[ignore = "prints figures"]
fn latency_from_a_write_to_its_batch_and_round_trip_of_a_cookie() {
    on_each(|kind, place| {
        for settle in [Duration::ZERO, Duration::from_millis(2)] {
            let options = FeedOptions { settle, ..options(&place.root) };
            let mut feed = fanotify::open(&place.root, &options).expect("opened");
            let (send, receive) = std::sync::mpsc::channel();
            let handle = feed.handle();
            let reader = std::thread::spawn(move || {
                while let Ok(batch) = feed.next(LONG) {
                    if batch.is_some_and(|batch| !batch.dirt.is_empty() || !batch.cookies.is_empty()) {
                        send.send(Instant::now()).expect("sent");
                    }
                }
            });
            let latency = |what: &str, act: &dyn Fn(u32)| {
                let mut times: Vec<Duration> = (0..1000)
                    .map(|round| {
                        std::thread::sleep(Duration::from_millis(1));
                        let started = Instant::now();
                        act(round);
                        receive.recv().expect("told") - started
                    })
                    .collect();
                times.sort();
                print(format_args!(
                    "{kind:?}, settle {settle:?}, {what}: p50 {:?}, p99 {:?}",
                    times[500], times[990]
                ));
            };
            latency("mkdir to batch", &|round| {
                fs::create_dir(place.root.join(format!("{settle:?}{round}"))).expect("made");
            });
            latency("cookie", &|_| _ = handle.drop_cookie().expect("dropped"));
            handle.stop();
            reader.join().expect("read");
        }
    });
}

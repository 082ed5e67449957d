//! Queries that claim, read and let go while bodies are published, replaced and given up, in orders that
//! `shuttle` chooses. The kernel, its publications, the catalogue and the notes of released bodies are the
//! product's own; the thread that owns the kernel is reduced to what lies between them.
//!
//! `cargo test -p hearth-service --features shuttle --lib interleavings` runs these; no other test works
//! with that feature.

use super::*;
use crate::catalogue::Published;
use hearth_residency::{AttemptId, Generation, Measured, Outcome};
use shuttle::sync::mpsc;
use shuttle::{check_random, thread};
use std::collections::BTreeSet;

const BODY: u64 = 100;
const RUNS: usize = 3000;

/// An inbox as queries see it.
#[derive(Clone)]
struct Inbox(mpsc::Sender<Said>);

enum Said {
    Event(Event<Box<Product>>),
    Claim(ShardId, mpsc::Sender<()>),
    Over,
}

/// The kernel's thread.
struct Desk {
    kernel: Kernel<Box<Product>>,
    now: Moment,
    catalogue: Arc<Catalogue>,
    releases: Arc<Releases>,
    inbox: Inbox,
    body: (Arc<Body>, Arc<Digest>),
    released: BTreeSet<(ShardId, Generation)>,
}

impl Desk {
    fn serve(mut self, said: &mpsc::Receiver<Said>, bell: &Receiver<()>) -> Self {
        let mut over = false;
        while !over || self.is_busy() {
            match said.try_recv() {
                Ok(Said::Event(event)) => self.step(event),
                Ok(Said::Claim(shard, reply)) => {
                    self.step(Event::Claimed(shard));
                    reply.send(()).unwrap();
                }
                Ok(Said::Over) => over = true,
                Err(_) => thread::yield_now(),
            }
            if bell.try_recv().is_ok() {
                for (shard, generation) in self.releases.take() {
                    assert!(self.released.insert((shard, generation)), "released twice");
                    self.step(Event::Released { shard, generation });
                }
            }
        }
        self
    }

    /// True while an end is to be reported, of an attempt or of a body.
    fn is_busy(&self) -> bool {
        let totals = self.kernel.totals();
        totals.attempts > 0 || totals.retained_bytes > 0
    }

    fn step(&mut self, event: Event<Box<Product>>) {
        self.now += Duration::from_micros(1);
        let effects = self.kernel.step(self.now, event);
        let Entered { garbage, after, .. } = publish(&self.catalogue, &self.releases, effects);
        thread::spawn(move || drop(garbage));
        for effect in after {
            if let Effect::Start { shard, attempt, .. } = effect {
                self.start(shard, attempt);
            }
        }
    }

    fn start(&self, shard: ShardId, attempt: AttemptId) {
        let (inbox, (body, digest)) = (self.inbox.clone(), self.body.clone());
        thread::spawn(move || {
            let body = Box::new(Product::Body(Made {
                body,
                digest,
                began: Instant::now(),
                began_ns: 0,
                made_ns: 0,
                built_in: Duration::ZERO,
                device: 0,
                closed: Arc::default(),
                outcome: ScanOutcome::default(),
                compared: true,
                behind: false,
                folded: false,
                peak_bytes: BODY,
            }));
            let measured = Measured { body_bytes: BODY, digest_bytes: 1, peak_bytes: BODY };
            inbox.tell(Event::Ended {
                shard,
                attempt,
                outcome: Outcome::Built { body, measured, behind: false },
            });
        });
    }
}

impl Inbox {
    fn tell(&self, event: Event<Box<Product>>) {
        self.0.send(Said::Event(event)).unwrap();
    }

    fn operate(&self, command: Command) {
        self.tell(Event::Operator { ticket: 0, command });
    }

    /// Claims a shard and waits until it is there, as a query does.
    fn claim(&self, catalogue: &Catalogue, shard: ShardId) -> Arc<Published> {
        let (reply, done) = mpsc::channel();
        self.0.send(Said::Claim(shard, reply)).unwrap();
        done.recv().unwrap();
        loop {
            let seen = catalogue.changes();
            if let Some(published) = look(catalogue, shard) {
                return published;
            }
            catalogue.wait_change(seen, LONG);
        }
    }
}

/// The body of a shard at this instant, which is the one that its state speaks of.
fn look(catalogue: &Catalogue, shard: ShardId) -> Option<Arc<Published>> {
    let shard = catalogue.get(shard.0).unwrap();
    assert_eq!(shard.published.is_some(), shard.view.tier.has_body(), "{:?}", shard.view);
    if let Some(published) = &shard.published {
        assert_eq!(published.generation, shard.view.generation);
    }
    shard.published.clone()
}

/// Runs threads beside a desk of so many shards under a budget, and sees that nothing is left of them.
fn run(shards: u64, budget_bytes: u64, threads: fn(&Arc<Catalogue>, &Inbox) -> Vec<thread::JoinHandle<()>>) {
    let source = Source::new(
        SourceInfo,
        SourceKind { id: 0, name: "0".into(), kind: SourceKind::Volume, root: b"/0".to_vec() },
    );
    let made = made(&source, &ScanRun::new(0), 1);
    let body = (made.body, made.digest);
    check_random(
        move || {
            let catalogue = Arc::new(Catalogue::default());
            let ((said, inbox), (wake, bell)) = (mpsc::channel(), bounded(1));
            let said = Inbox(said);
            let mut desk = Desk {
                kernel: Kernel::new(Policy { budget_bytes, save_interval: None, ..Policy::default() }),
                now: Moment::ZERO,
                catalogue: Arc::clone(&catalogue),
                releases: Releases::new(wake),
                inbox: said.clone(),
                body: body.clone(),
                released: BTreeSet::new(),
            };
            for id in 1..=shards {
                let root = format!("/{id}").into_bytes();
                let info = SourceInfo { id, name: id.to_string(), kind: SourceKind::Volume, root };
                catalogue.insert(Shard::new(info));
                desk.step(Event::Add { shard: ShardId(id), forecast_bytes: BODY, stored: None });
            }
            let desk = thread::spawn(move || desk.serve(&inbox, &bell));
            let threads = threads(&catalogue, &said);
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            said.operate(Command::HibernateAll);
            said.0.send(Said::Over).unwrap();
            let desk = desk.join().unwrap();
            assert_eq!(desk.kernel.totals().held_bytes, 0);
            let made: u64 = (1..=shards).map(|id| desk.kernel.view(ShardId(id)).unwrap().generation).sum();
            assert_eq!(desk.released.len() as u64, made, "every body that was published is released");
        },
        RUNS,
    );
}

#[test]
fn a_claimed_body_stays_and_one_that_is_let_go_makes_room() {
    // One body, and one that is being made, do not fit beside each other.
    run(2, 2 * BODY, |catalogue, inbox| {
        let query = |id: u64| {
            let (catalogue, inbox, shard) = (Arc::clone(catalogue), inbox.clone(), ShardId(id));
            thread::spawn(move || {
                let published = inbox.claim(&catalogue, shard);
                thread::yield_now();
                assert!(look(&catalogue, shard).is_some(), "it was claimed");
                inbox.tell(Event::Settled(shard));
                thread::yield_now();
                drop(published);
            })
        };
        [1, 2, 1, 2].map(query).into()
    });
}

#[test]
fn a_reader_sees_whole_instants_that_never_go_back() {
    run(1, 1000 * BODY, |catalogue, inbox| {
        let shard = ShardId(1);
        let read = |_| {
            let (catalogue, inbox) = (Arc::clone(catalogue), inbox.clone());
            thread::spawn(move || {
                let mut last = 0;
                for _ in 0..3 {
                    let published = look(&catalogue, shard).unwrap_or_else(|| {
                        let published = inbox.claim(&catalogue, shard);
                        inbox.tell(Event::Settled(shard));
                        published
                    });
                    assert!(published.generation >= last, "{} after {last}", published.generation);
                    last = published.generation;
                    thread::yield_now();
                }
            })
        };
        let operator = inbox.clone();
        let operate = thread::spawn(move || {
            operator.operate(Command::Refresh(shard));
            thread::yield_now();
            operator.operate(Command::Refresh(shard));
        });
        [0, 1].map(read).into_iter().chain([operate]).collect()
    });
}

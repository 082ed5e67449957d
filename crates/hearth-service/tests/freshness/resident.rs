//! A service in a process of its own, which can be halted and killed.
//!
//! The process is this test program, run with one test that takes orders: a line in, a line out. What it is told
//! it looks up by itself, so that no answer has to travel.

use crate::walk::Tree;
use crate::world::{LONG, World, until};
use hearth_service::Config;
use hearth_service::config::FeedChoice;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

/// Where the process finds its folders and its tree, and how it is to watch.
const HOME: &str = "HEARTH_TEST_RESIDENT_HOME";
const ROOT: &str = "HEARTH_TEST_RESIDENT_ROOT";
const FEED: &str = "HEARTH_TEST_RESIDENT_FEED";
/// What a reply begins with: other lines are the test runner's.
const REPLY: &str = "resident: ";

/// A running process; it is killed when the value goes.
pub(crate) struct Resident {
    process: Child,
    orders: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl Resident {
    /// Starts the process; its service has begun to make or load the index of `root`.
    pub(crate) fn start(home: &Path, root: &Path, feed: FeedChoice) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        command.args(["--exact", "resident::takes_orders", "--ignored", "--nocapture", "--test-threads=1"]);
        command.env(HOME, home).env(ROOT, root).env(FEED, feed.as_str());
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("started");
        let orders = process.stdin.take().expect("piped");
        let replies = BufReader::new(process.stdout.take().expect("piped"));
        Self { process, orders, replies }
    }

    /// Gives an order and hands back what it was answered with.
    #[track_caller]
    pub(crate) fn order(&mut self, order: &str) -> String {
        writeln!(self.orders, "{order}").expect("it runs");
        let mut line = String::new();
        loop {
            line.clear();
            assert!(self.replies.read_line(&mut line).expect("it answers") > 0, "{order}: it ended");
            // The runner begins the line of the test and does not end it.
            if let Some((_, reply)) = line.trim_end().split_once(REPLY) {
                return reply.replace('\t', "\n");
            }
        }
    }

    /// Fields of a reply of the form `name=value name=value`.
    #[track_caller]
    pub(crate) fn fields(&mut self, order: &str) -> BTreeMap<String, String> {
        let reply = self.order(order);
        let fields = reply.split(' ').filter_map(|field| field.split_once('='));
        fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// Its answer that waited equals a walk, and says so.
    #[track_caller]
    pub(crate) fn assert_fresh(&mut self, after: &str) {
        let reply = self.order("fresh");
        assert_eq!(reply, "same", "after {after}");
    }

    /// Halts it, as it stands.
    pub(crate) fn halt(&self) {
        self.signal(Signal::STOP);
        let stat = format!("/proc/{}/stat", self.process.id());
        until("it is halted", || {
            let stat = std::fs::read_to_string(&stat).expect("it is there");
            stat.rsplit_once(')').is_some_and(|(_, rest)| rest.starts_with(" T"))
        });
    }

    /// Lets it run on.
    pub(crate) fn go_on(&self) {
        self.signal(Signal::CONT);
    }

    /// Ends it without a chance to save anything.
    pub(crate) fn kill(mut self) {
        self.signal(Signal::KILL);
        self.process.wait().expect("it ends");
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.process);
        kill_process(pid, signal).expect("it has not been waited for");
    }
}

impl Drop for Resident {
    fn drop(&mut self) {
        // One that was killed already is gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn folder(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from)
}

/// The process: takes orders until nobody gives any.
#[test]
#[ignore = "run by other tests, with a tree to watch"]
fn takes_orders() {
    let Some((home, root)) = folder(HOME).zip(folder(ROOT)) else { return };
    let mut config = Config::default();
    config.snapshot.interval = std::time::Duration::ZERO;
    let feed = std::env::var(FEED).expect("given");
    let choices = [FeedChoice::Auto, FeedChoice::Fanotify, FeedChoice::Inotify, FeedChoice::Poll];
    config.watch.feed = choices.into_iter().find(|choice| choice.as_str() == feed).expect("a feed");
    let world = World::begin(&home, &root, config);
    for order in std::io::stdin().lines() {
        let reply = carry_out(&world, &order.expect("text")).replace('\n', "\t");
        writeln!(std::io::stdout(), "{REPLY}{reply}").expect("somebody listens");
    }
}

fn carry_out(world: &World, order: &str) -> String {
    match order {
        "settle" => {
            world.settle();
            "settled".to_owned()
        }
        "fresh" => world.problem().unwrap_or_else(|| "same".to_owned()),
        "saved" => {
            world.settle();
            until("it is saved", || world.status().snapshot.is_some() && !world.status().unsaved);
            "saved".to_owned()
        }
        "become fresh" => become_fresh(world),
        "first overflow" => overflow(world, 0),
        "status" => status(world),
        other => panic!("no such order: {other}"),
    }
}

/// Asks without waiting until an answer is not called stale: everything that is found then must be right. Tells how
/// many were stale.
fn become_fresh(world: &World) -> String {
    let (mut stale, until) = (0, Instant::now() + LONG);
    loop {
        let (answer, meta) = world.everything(None);
        if !meta.stale {
            let difference = answer.difference(&Tree::on_disk(&world.root));
            return format!("stale={stale} right={}", difference.is_none());
        }
        assert!(Instant::now() < until, "it stays stale: {meta:?}");
        stale += 1;
    }
}

/// Waits until one more overflow is known, then does as [`become_fresh`]; what comes before was asked before anything
/// could be known. Questions are small ones, so that many fit into a comparison.
fn overflow(world: &World, known: u64) -> String {
    until("the overflow is known", || world.status().feed.overflows_total > known);
    let (mut stale, until) = (0, Instant::now() + LONG);
    while world.finds("=file-1", None).1.stale {
        assert!(Instant::now() < until, "it stays stale");
        stale += 1;
    }
    become_fresh(world).replace("stale=0", &format!("stale={stale}"))
}

fn status(world: &World) -> String {
    let status = world.status();
    let feed = status.feed;
    let compared = feed.last_compare;
    format!(
        "kind={} overflows={} advances={} compared_at={} looked={} changed={} loaded={} generation={} loads={} rebuilds={}",
        feed.kind,
        feed.overflows_total,
        feed.advances_total,
        compared.map_or(0, |compared| compared.at_ns),
        compared.map_or(0, |compared| compared.looked),
        compared.map_or(0, |compared| compared.changed),
        status.load_reason.map_or("", |reason| reason.word),
        status.generation,
        status.loads_total,
        status.rebuilds_total,
    )
}

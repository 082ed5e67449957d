//! How changes of the sources are noticed, and why one is only compared now and then.
//!
//! What is parked or cold need not be watched: only of what is in memory it is worth a word.

use hearth_protocol::answer::Check;
use hearth_service::Config;
use hearth_service::api::{ShardStatus, Tier};
use hearth_service::config::FeedChoice;
use std::fs;

/// Where the kernel keeps its limit of watches.
const MAX_WATCHES: &str = "/proc/sys/fs/inotify/max_user_watches";

/// What the advice depends on.
#[derive(Clone, Copy)]
struct Surroundings {
    choice: FeedChoice,
    is_root: bool,
    /// Watches that a user may have, if that can be read.
    watches: Option<u64>,
}

pub(super) fn checks(config: &Config, shards: &[ShardStatus]) -> Vec<Check> {
    let text = fs::read_to_string(MAX_WATCHES).unwrap_or_default();
    let around = Surroundings {
        choice: config.watch.feed,
        is_root: rustix::process::geteuid().is_root(),
        watches: text.trim().parse().ok(),
    };
    judge(around, shards)
}

fn judge(around: Surroundings, shards: &[ShardStatus]) -> Vec<Check> {
    // A disk is looked at, which is the best there is: nothing tells of what is written to it.
    let told_or_read = |shard: &&ShardStatus| shard.feed.live || shard.feed.kind == "journal";
    let (live, rest): (Vec<_>, Vec<_>) = shards.iter().partition(told_or_read);
    let mut checks = Vec::new();
    if !live.is_empty() {
        let told: Vec<String> = live.iter().map(|shard| told(shard)).collect();
        checks.push(Check::ok("feeds", told.join("; ")));
    }
    let in_memory = |shard: &&ShardStatus| matches!(shard.tier, Tier::Warm | Tier::Hot);
    checks.extend(rest.into_iter().filter(in_memory).map(|shard| not_live(around, shard)));
    checks
}

fn told(shard: &ShardStatus) -> String {
    let lost = match shard.feed.overflows_total {
        0 => String::new(),
        times => format!(", {times} times too fast"),
    };
    format!("{}: {}{lost}", shard.source.name, shard.feed.text)
}

fn not_live(around: Surroundings, shard: &ShardStatus) -> Check {
    let name = format!("feed {}", shard.source.name);
    let detail = format!("changes are not told as they happen: {}", shard.feed.text);
    match around.choice {
        FeedChoice::Off | FeedChoice::Poll => Check::ok(name, format!("{detail} (`watch.feed`)")),
        _ => Check::note(name, detail).hint(advice(around)),
    }
}

fn advice(around: Surroundings) -> String {
    let now = around.watches.map_or_else(String::new, |watches| format!(", now {watches}"));
    let watches = format!("raise fs.inotify.max_user_watches (sysctl{now}) or `watch.watches_percent`");
    match (around.choice, around.is_root) {
        (FeedChoice::Fanotify, _) => "`watch.feed = \"auto\"` tries inotify as well".to_owned(),
        (FeedChoice::Auto, false) => format!("{watches}, or run the daemon as root, which needs no watches"),
        _ => watches,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use hearth_protocol::answer::State;
    use hearth_service::api::FeedStatus;

    const USER: Surroundings = Surroundings { choice: FeedChoice::Auto, is_root: false, watches: Some(8192) };

    fn polled() -> ShardStatus {
        let shard = sample::shard();
        let text = "polled every 300 s: too few watches".to_owned();
        ShardStatus { feed: FeedStatus { kind: "poll", live: false, text, ..shard.feed }, ..shard }
    }

    #[test]
    fn live_feeds_are_in_order_together() {
        let mut fast = sample::shard();
        fast.feed.overflows_total = 3;
        let checks = judge(USER, &[sample::shard(), fast]);
        assert_eq!(checks, [Check::ok("feeds", "a: live; a: live, 3 times too fast")]);
        assert!(judge(USER, &[]).is_empty());
    }

    #[test]
    fn a_disk_that_is_looked_at_is_in_order() {
        let feed = FeedStatus {
            kind: "journal",
            live: false,
            text: "by its journal".into(),
            ..sample::shard().feed
        };
        let disk = ShardStatus { feed, ..sample::shard() };
        assert_eq!(judge(USER, &[disk]), [Check::ok("feeds", "a: by its journal")]);
    }

    #[test]
    fn a_source_that_is_polled_is_told_why_and_what_to_do() {
        let [check] = &judge(USER, &[polled()])[..] else { panic!("one check") };
        assert_eq!((check.state, check.name.as_str()), (State::Note, "feed a"));
        assert!(check.detail.ends_with("too few watches"), "{check:?}");
        let hint = check.hint.as_deref().unwrap();
        assert!(hint.contains("max_user_watches (sysctl, now 8192)") && hint.contains("root"), "{hint}");
        let root = advice(Surroundings { is_root: true, watches: None, ..USER });
        assert!(!root.contains("root") && root.contains("(sysctl)"), "{root}");
    }

    #[test]
    fn what_is_chosen_or_out_of_memory_is_in_order() {
        let off = Surroundings { choice: FeedChoice::Poll, ..USER };
        assert_eq!(judge(off, &[polled()])[0].state, State::Ok);
        let parked = ShardStatus { tier: Tier::Parked, ..polled() };
        assert!(judge(USER, &[parked]).is_empty());
    }
}

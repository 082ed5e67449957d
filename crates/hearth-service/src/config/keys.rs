//! The table of keys: name, meaning, how a value is taken in, how it is shown.
//!
//! A key that is not here does not exist. Values are shown as they would stand in the file, so
//! that what `effective` lists can be pasted back.

use super::residency::{LEAST_BUDGET, shown_budget};
use super::snapshot::LONGEST_INTERVAL_S;
use super::value::Value;
use super::watch::{FeedChoice, LONGEST_POLL_S, MOST_KEPT};
use super::{Config, LogLevel};
use crate::walk;
use hearth_core::limits;
use std::path::Path;
use std::time::Duration;

/// One key.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) set: fn(&mut Config, &Value) -> Result<(), String>,
    pub(super) show: fn(&Config) -> String,
}

/// Most threads that any pool can be told to have.
const THREADS: u64 = 1024;
/// Longest of the times that count days: one year, seconds.
const YEAR_S: u64 = 366 * 86_400;

/// Longest time that one load may take: one week, seconds.
const LONGEST_LOAD_S: u64 = 7 * 86_400;
/// Longest wait of a load for memory: one hour, seconds.
const LONGEST_WAIT_S: u64 = 3600;

/// Every key, in the order of the sections.
pub(super) const KEYS: &[Key] = &[
    Key {
        name: "log.level",
        help: "What the daemon logs: error, warn, info, debug or trace.",
        set: |config, value| {
            config.log.level = value.word(&LogLevel::ALL.map(|level| (level.as_str(), level)))?;
            Ok(())
        },
        show: |config| format!("{:?}", config.log.level.as_str()),
    },
    Key {
        name: "limits.connections",
        help: "Most simultaneous connections to the daemon.",
        set: |config, value| {
            config.limits.connections = size(value.number(1, 65_536)?);
            Ok(())
        },
        show: |config| config.limits.connections.to_string(),
    },
    Key {
        name: "limits.request_timeout_ms",
        help: "Time a request may take unless it names its own, milliseconds.",
        set: |config, value| {
            config.limits.request_timeout_ms = value.number(1, limits::REQUEST_TIMEOUT_MAX_MS)?;
            Ok(())
        },
        show: |config| config.limits.request_timeout_ms.to_string(),
    },
    Key {
        name: "pool.query_threads",
        help: "Threads that answer queries; 0 = one per core.",
        set: |config, value| {
            config.pool.query_threads = size(value.number(0, THREADS)?);
            Ok(())
        },
        show: |config| config.pool.query_threads.to_string(),
    },
    Key {
        name: "files.exclude",
        help: "Folders that no scan enters: absolute paths or names.",
        set: |config, value| {
            let rules = value.list()?;
            rules.iter().try_for_each(|rule| walk::check_exclude(rule))?;
            config.files.exclude = rules;
            Ok(())
        },
        show: |config| list(&config.files.exclude),
    },
    Key {
        name: "files.scan_threads",
        help: "Threads of one scan; 0 = as many as the scanner thinks best.",
        set: |config, value| {
            config.files.scan_threads = size(value.number(0, walk::MOST_THREADS as u64)?);
            Ok(())
        },
        show: |config| config.files.scan_threads.to_string(),
    },
    Key {
        name: "files.stale_after_s",
        help: "Answers from an index older than this are called stale, seconds.",
        set: |config, value| {
            config.files.stale_after_s = value.number(0, YEAR_S)?;
            Ok(())
        },
        show: |config| config.files.stale_after_s.to_string(),
    },
    Key {
        name: "dupes.read_budget",
        help: "Bytes a search for duplicates may read unless it names its own budget.",
        set: |config, value| {
            config.dupes.read_budget = value.bytes()?;
            Ok(())
        },
        show: |config| config.dupes.read_budget.to_string(),
    },
    Key {
        name: "memory.budget",
        help: "Bytes that all indexes together may take; \"auto\" = what suits the machine.",
        set: |config, value| {
            config.memory.budget = value.bytes_or_auto(LEAST_BUDGET)?;
            Ok(())
        },
        show: |config| shown_budget(config.memory.budget),
    },
    Key {
        name: "memory.low_mark_percent",
        help: "Share of the budget that a full memory is brought down to, percent.",
        set: |config, value| {
            config.memory.low_mark_percent = value.number(10, 99)?;
            Ok(())
        },
        show: |config| config.memory.low_mark_percent.to_string(),
    },
    Key {
        name: "idle.hot_s",
        help: "Time without a query after which a hot shard becomes warm, seconds.",
        set: |config, value| {
            config.idle.hot = seconds(value, 1, YEAR_S)?;
            Ok(())
        },
        show: |config| config.idle.hot.as_secs().to_string(),
    },
    Key {
        name: "idle.warm_s",
        help: "Time without a query after which a warm shard is parked, seconds.",
        set: |config, value| {
            config.idle.warm = seconds(value, 1, YEAR_S)?;
            Ok(())
        },
        show: |config| config.idle.warm.as_secs().to_string(),
    },
    Key {
        name: "idle.parked_s",
        help: "Time without a query after which a parked shard becomes cold, seconds.",
        set: |config, value| {
            config.idle.parked = seconds(value, 1, YEAR_S)?;
            Ok(())
        },
        show: |config| config.idle.parked.as_secs().to_string(),
    },
    Key {
        name: "idle.adaptive_cap",
        help: "How many times longer than that a shard may stay which is asked often.",
        set: |config, value| {
            config.idle.adaptive_cap = value.number(1, 64)?;
            Ok(())
        },
        show: |config| config.idle.adaptive_cap.to_string(),
    },
    Key {
        name: "load.lanes",
        help: "Loads and builds that run at once.",
        set: |config, value| {
            config.load.lanes = size(value.number(1, 64)?);
            Ok(())
        },
        show: |config| config.load.lanes.to_string(),
    },
    Key {
        name: "load.deadline_s",
        help: "Time after which a load or build that still runs is given up, seconds.",
        set: |config, value| {
            config.load.deadline = seconds(value, 1, LONGEST_LOAD_S)?;
            Ok(())
        },
        show: |config| config.load.deadline.as_secs().to_string(),
    },
    Key {
        name: "load.admission_wait_s",
        help: "Time that a load may wait for memory before it is refused, seconds.",
        set: |config, value| {
            config.load.admission_wait = seconds(value, 0, LONGEST_WAIT_S)?;
            Ok(())
        },
        show: |config| config.load.admission_wait.as_secs().to_string(),
    },
    Key {
        name: "stale.max_age_hours",
        help: "Age up to which an index that cannot be refreshed still answers, hours; 0 = any age.",
        set: |config, value| {
            let hours = value.number(0, YEAR_S / 3600)?;
            config.stale.max_age = (hours > 0).then(|| Duration::from_secs(hours * 3600));
            Ok(())
        },
        show: |config| config.stale.max_age.map_or(0, |age| age.as_secs() / 3600).to_string(),
    },
    Key {
        name: "pressure.enabled",
        help: "Whether shards are parked when the machine or container runs short of memory.",
        set: |config, value| {
            config.pressure.enabled = value.truth()?;
            Ok(())
        },
        show: |config| config.pressure.enabled.to_string(),
    },
    Key {
        name: "pressure.poll_ms",
        help: "Time between two looks at the memory pressure while anything is going on, milliseconds.",
        set: |config, value| {
            config.pressure.poll = Duration::from_millis(value.number(100, 60_000)?);
            Ok(())
        },
        show: |config| config.pressure.poll.as_millis().to_string(),
    },
    Key {
        name: "snapshot.enabled",
        help: "Whether indexes are kept on disk, sealed, between runs.",
        set: |config, value| {
            config.snapshot.enabled = value.truth()?;
            Ok(())
        },
        show: |config| config.snapshot.enabled.to_string(),
    },
    Key {
        name: "snapshot.interval_s",
        help: "Least time between two saves of one source, seconds.",
        set: |config, value| {
            config.snapshot.interval = seconds(value, 0, LONGEST_INTERVAL_S)?;
            Ok(())
        },
        show: |config| config.snapshot.interval.as_secs().to_string(),
    },
    Key {
        name: "snapshot.key_file",
        help: "File with the machine key, an absolute path; \"\" = the daemon's own, in its state folder.",
        set: |config, value| {
            config.snapshot.key_file = value.absolute_path()?;
            Ok(())
        },
        show: |config| shown_path(config.snapshot.key_file.as_deref()),
    },
    Key {
        name: "watch.feed",
        help: "How changes are noticed: auto, fanotify (a whole file system, as root), inotify, poll or off.",
        set: |config, value| {
            config.watch.feed = value.word(&FeedChoice::ALL.map(|feed| (feed.as_str(), feed)))?;
            Ok(())
        },
        show: |config| format!("{:?}", config.watch.feed.as_str()),
    },
    Key {
        name: "watch.poll_s",
        help: "Time between two comparisons of a source that nothing tells of its changes, seconds.",
        set: |config, value| {
            config.watch.poll = seconds(value, 1, LONGEST_POLL_S)?;
            Ok(())
        },
        show: |config| config.watch.poll.as_secs().to_string(),
    },
    Key {
        name: "watch.watches_percent",
        help: "Part of fs.inotify.max_user_watches that one source may use, percent.",
        set: |config, value| {
            config.watch.watches_percent = u8::try_from(value.number(1, 100)?).unwrap_or(100);
            Ok(())
        },
        show: |config| config.watch.watches_percent.to_string(),
    },
    Key {
        name: "history.entries",
        help: "Acts (which program did what) kept per source; \"auto\" = 10000, or 0 for a daemon of root.",
        set: |config, value| {
            config.history.entries = value.number_or_auto(0, MOST_KEPT)?.map(size);
            Ok(())
        },
        show: |config| config.history.entries.map_or_else(|| "\"auto\"".to_owned(), |most| most.to_string()),
    },
    Key {
        name: "history.changes",
        help: "Changes kept per source, to tell what came after a clock.",
        set: |config, value| {
            config.history.changes = size(value.number(0, MOST_KEPT)?);
            Ok(())
        },
        show: |config| config.history.changes.to_string(),
    },
];

/// What to say about a key that does not exist.
pub(super) fn unknown(name: &str) -> String {
    let last = |key: &str| key.rsplit('.').next().map(str::to_owned);
    let names: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
    let near = KEYS.iter().find(|key| last(key.name) == last(name) || key.name.starts_with(name));
    match near {
        Some(key) => format!("no such key; did you mean `{}`?", key.name),
        None => format!("no such key; known are {}", names.join(", ")),
    }
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn seconds(value: &Value, least: u64, most: u64) -> Result<Duration, String> {
    value.number(least, most).map(Duration::from_secs)
}

/// A path as it would stand in the file. Paths come from UTF-8 text, so nothing is lost.
fn shown_path(path: Option<&Path>) -> String {
    toml::Value::from(path.map_or_else(String::new, |path| path.to_string_lossy().into_owned())).to_string()
}

fn list(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| toml::Value::from(item.as_str()).to_string()).collect();
    format!("[{}]", items.join(", "))
}

//! The table of keys: name, meaning, how a value is taken in, how it is shown.
//!
//! A key that is not here does not exist. Values are shown as they would stand in the file, so
//! that what `effective` lists can be pasted back.

use super::value::Value;
use super::{Config, LogLevel};
use crate::walk;
use hearth_core::limits;

/// One key.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) set: fn(&mut Config, &Value) -> Result<(), String>,
    pub(super) show: fn(&Config) -> String,
}

/// Most threads that any pool can be told to have.
const THREADS: u64 = 1024;
/// Longest age that can be called fresh: one year, seconds.
const LONGEST_FRESH_S: u64 = 366 * 86_400;

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
            config.files.stale_after_s = value.number(0, LONGEST_FRESH_S)?;
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

fn list(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| toml::Value::from(item.as_str()).to_string()).collect();
    format!("[{}]", items.join(", "))
}

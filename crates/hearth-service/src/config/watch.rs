//! Sections about how sources are kept fresh and what is kept of their changes: `[watch]`, `[history]`.
//!
//! Whatever is chosen here, an answer says how fresh it is; no choice makes a stale one look fresh.

use std::time::Duration;

/// Longest time between two comparisons of a source that nothing tells of: one day, seconds.
pub(super) const LONGEST_POLL_S: u64 = 86_400;
/// Most acts, and most changes, that can be kept of one source.
pub(super) const MOST_KEPT: u64 = 1_000_000;

/// How sources are watched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FeedChoice {
    /// In the best way there is: fanotify, else inotify, else by comparing now and then.
    #[default]
    Auto,
    /// By fanotify; where that cannot be had, by comparing now and then.
    Fanotify,
    /// By inotify; where that cannot be had, by comparing now and then.
    Inotify,
    /// By comparing now and then.
    Poll,
    /// Not at all.
    Off,
}

impl FeedChoice {
    pub(super) const ALL: [FeedChoice; 5] =
        [FeedChoice::Auto, FeedChoice::Fanotify, FeedChoice::Inotify, FeedChoice::Poll, FeedChoice::Off];

    /// The word that stands for it in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            FeedChoice::Auto => "auto",
            FeedChoice::Fanotify => "fanotify",
            FeedChoice::Inotify => "inotify",
            FeedChoice::Poll => "poll",
            FeedChoice::Off => "off",
        }
    }
}

/// `[watch]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchConfig {
    /// How sources are watched.
    pub feed: FeedChoice,
    /// Time between two comparisons of a source that nothing tells of.
    pub poll: Duration,
    /// Part of `fs.inotify.max_user_watches` that one source may use, percent.
    pub watches_percent: u8,
}

impl Default for WatchConfig {
    fn default() -> Self {
        Self { feed: FeedChoice::Auto, poll: Duration::from_secs(300), watches_percent: 50 }
    }
}

/// `[history]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryConfig {
    /// Acts (who did what) kept per source; `None` = 10 000 where the daemon serves its own user only, else none.
    pub entries: Option<usize>,
    /// Changes kept per source, to tell what came after a clock.
    pub changes: usize,
}

impl Default for HistoryConfig {
    fn default() -> Self {
        Self { entries: None, changes: 20_000 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::super::tests::load;
    use super::*;

    /// Every key of the sections, with a value that is not the default.
    const SET: [(&str, &str); 5] = [
        ("watch.feed", "\"inotify\""),
        ("watch.poll_s", "60"),
        ("watch.watches_percent", "20"),
        ("history.entries", "7"),
        ("history.changes", "9"),
    ];

    fn assert_set(config: &Config) {
        let wanted =
            WatchConfig { feed: FeedChoice::Inotify, poll: Duration::from_secs(60), watches_percent: 20 };
        assert_eq!(config.watch, wanted);
        assert_eq!(config.history, HistoryConfig { entries: Some(7), changes: 9 });
        for (key, value) in SET {
            let shown = config.effective().into_iter().find(|setting| setting.key == key).unwrap();
            assert_eq!(shown.value, value, "{key}");
        }
    }

    #[test]
    fn every_key_can_be_set_from_file_and_environment() {
        let text: String = SET.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        assert_set(&load(&text, &[]).unwrap());
        let environment = [
            ("HEARTH_WATCH_FEED", "inotify"),
            ("HEARTH_WATCH_POLL_S", "60"),
            ("HEARTH_WATCH_WATCHES_PERCENT", "20"),
            ("HEARTH_HISTORY_ENTRIES", "7"),
            ("HEARTH_HISTORY_CHANGES", "9"),
        ];
        assert_set(&load("", &environment).unwrap());
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refusal = |text: &str| load(text, &[]).unwrap_err().to_string();
        let wrong = refusal("[watch]\nfeed = \"magic\"");
        assert!(wrong.contains("watch.feed: expected one of auto, fanotify, inotify, poll, off"), "{wrong}");
        assert!(refusal("[watch]\npoll_s = 0").contains("from 1 to 86400"));
        assert!(refusal("[watch]\nwatches_percent = 101").contains("from 1 to 100"));
        assert!(refusal("[history]\nentries = \"many\"").contains("\"auto\""));
        assert_eq!(load("[history]\nentries = \"auto\"", &[]).unwrap().history.entries, None);
    }
}

//! Section about what is kept on disk between runs: `[snapshot]`.
//!
//! There is no setting that leaves anything unsealed. A path is absolute, or the setting is refused: the daemon's
//! current folder means nothing to whoever wrote the configuration.

use std::path::PathBuf;
use std::time::Duration;

/// Longest time between two saves of one source that can be asked for: one day, seconds.
pub(super) const LONGEST_INTERVAL_S: u64 = 86_400;

/// `[snapshot]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotConfig {
    /// Whether indexes are kept on disk, sealed, between runs.
    pub enabled: bool,
    /// Least time between two saves of one source.
    pub interval: Duration,
    /// Absolute path of the file with the machine key; `None` = the daemon's own, in its state folder.
    pub key_file: Option<PathBuf>,
}

impl Default for SnapshotConfig {
    fn default() -> Self {
        Self { enabled: true, interval: Duration::from_secs(300), key_file: None }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::load;
    use super::super::{Config, Origin};
    use super::*;

    /// Every key of the section, with a value that is not the default.
    const SET: [(&str, &str); 3] = [
        ("snapshot.enabled", "false"),
        ("snapshot.interval_s", "60"),
        ("snapshot.key_file", "\"/etc/hearth/machine.key\""),
    ];

    fn wanted() -> SnapshotConfig {
        let key_file = Some(PathBuf::from("/etc/hearth/machine.key"));
        SnapshotConfig { enabled: false, interval: Duration::from_secs(60), key_file }
    }

    fn assert_set(config: &Config) {
        assert_eq!(config.snapshot, wanted());
        for (key, value) in SET {
            let shown = config.effective().into_iter().find(|setting| setting.key == key).unwrap();
            assert_eq!(shown.value, value, "{key}");
            assert_ne!(shown.origin, Origin::Default, "{key}");
        }
    }

    #[test]
    fn every_snapshot_key_can_be_set_from_the_file() {
        let text: String = SET.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
        assert_set(&load(&text, &[]).unwrap());
    }

    #[test]
    fn every_snapshot_key_can_be_set_from_the_environment() {
        let environment = [
            ("HEARTH_SNAPSHOT_ENABLED", "false"),
            ("HEARTH_SNAPSHOT_INTERVAL_S", "60"),
            ("HEARTH_SNAPSHOT_KEY_FILE", "/etc/hearth/machine.key"),
        ];
        assert_set(&load("", &environment).unwrap());
    }

    #[test]
    fn no_key_file_is_the_empty_text_and_takes_a_named_one_back() {
        let named = "snapshot.key_file = \"/etc/hearth/machine.key\"";
        assert_eq!(load("snapshot.key_file = \"\"", &[]).unwrap().snapshot.key_file, None);
        assert_eq!(load(named, &[("HEARTH_SNAPSHOT_KEY_FILE", "")]).unwrap().snapshot.key_file, None);
        let shown = Config::default().effective().into_iter().find(|s| s.key == "snapshot.key_file").unwrap();
        assert_eq!(shown.value, "\"\"");
    }

    #[test]
    fn snapshot_keys_refuse_what_makes_no_sense() {
        for (key, value, wanted) in [
            ("enabled", "1", "true or false, found 1"),
            ("interval_s", "86401", "a whole number from 0 to 86400, found 86401"),
            ("interval_s", "-1", "a whole number from 0 to 86400, found -1"),
            ("key_file", "\"machine.key\"", "an absolute path, or \"\" for none, found \"machine.key\""),
            ("key_file", "\"~/machine.key\"", "an absolute path, or \"\" for none, found \"~/machine.key\""),
            ("key_file", "true", "an absolute path, or \"\" for none, found true"),
        ] {
            let refusal = load(&format!("[snapshot]\n{key} = {value}"), &[]).unwrap_err().to_string();
            assert_eq!(refusal, format!("config.toml:2: snapshot.{key}: expected {wanted}"));
        }
        let relative = [("HEARTH_SNAPSHOT_KEY_FILE", "machine.key")];
        let refusal = load("", &relative).unwrap_err().to_string();
        assert!(
            refusal.starts_with("environment HEARTH_SNAPSHOT_KEY_FILE: snapshot.key_file: "),
            "{refusal}"
        );
    }
}

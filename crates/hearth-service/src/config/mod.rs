//! Everything that can be set, from one TOML file and its environment twins.
//!
//! A key `a.b_c` may stand in the file (table `[a]`, key `b_c`) or in the environment as
//! `HEARTH_A_B_C`, which wins. The crate reads neither the environment nor the disk here: the
//! caller hands in the text and a look-up function. A key that is not in `keys` and a value that
//! makes no sense are refused, with the place they stand at; nothing is guessed or ignored.

mod keys;
mod residency;
mod snapshot;
mod value;
mod watch;

pub use residency::{IdleConfig, LoadConfig, MemoryConfig, PressureConfig, StaleConfig};
pub use snapshot::SnapshotConfig;
pub use watch::{FeedChoice, HistoryConfig, WatchConfig};

use crate::walk;
use keys::{KEYS, Key};
use std::ffi::OsString;
use std::path::PathBuf;
use value::Value;

/// Looks up an environment variable by name.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// Text of a configuration file and the name it is reported under.
#[derive(Clone, Copy, Debug)]
pub struct ConfigFile<'a> {
    /// Path as shown in errors and in [`Config::effective`].
    pub name: &'a str,
    /// Content of the file.
    pub text: &'a str,
}

/// Level of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Nothing but errors.
    Error,
    /// Errors and warnings.
    Warn,
    /// Also every change of a source's state.
    Info,
    /// Also every request.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    const ALL: [LogLevel; 5] =
        [LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace];

    /// The word that stands for it in the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        }
    }
}

/// `[log]`, read by the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// What is logged.
    pub level: LogLevel,
}

/// `[limits]`, read by the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Most simultaneous connections.
    pub connections: usize,
    /// Time a request may take unless it names its own, milliseconds.
    pub request_timeout_ms: u64,
}

/// `[pool]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// Threads that answer queries; 0 = one per core.
    pub query_threads: usize,
}

/// `[files]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilesConfig {
    /// Rules of folders that no scan enters.
    pub exclude: Vec<String>,
    /// Threads of one scan; 0 = as many as the scanner thinks best.
    pub scan_threads: usize,
    /// A body older than this counts as stale, seconds.
    pub stale_after_s: u64,
}

/// `[dupes]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DupesConfig {
    /// Bytes that a search for duplicates may read unless it names its own budget.
    pub read_budget: u64,
}

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// A line of the configuration file, 1-based.
    File {
        /// The file.
        name: String,
        /// The line.
        line: usize,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { name, line } => write!(f, "{name}:{line}"),
            Origin::Environment { variable } => write!(f, "environment {variable}"),
        }
    }
}

/// A configuration that is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {}{message}", key.as_ref().map(|key| format!("{key}: ")).unwrap_or_default())]
pub struct ConfigError {
    /// Where it stands.
    pub origin: Origin,
    /// The key, if it got that far.
    pub key: Option<String>,
    /// What is wrong and what would be right.
    pub message: String,
}

/// One line of [`Config::effective`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Dotted key.
    pub key: &'static str,
    /// Value as it would stand in the file.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
    /// What it does, in one sentence.
    pub help: &'static str,
}

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `[log]`
    pub log: LogConfig,
    /// `[limits]`
    pub limits: LimitsConfig,
    /// `[pool]`
    pub pool: PoolConfig,
    /// `[files]`
    pub files: FilesConfig,
    /// `[dupes]`
    pub dupes: DupesConfig,
    /// `[memory]`
    pub memory: MemoryConfig,
    /// `[idle]`
    pub idle: IdleConfig,
    /// `[load]`
    pub load: LoadConfig,
    /// `[stale]`
    pub stale: StaleConfig,
    /// `[pressure]`
    pub pressure: PressureConfig,
    /// `[snapshot]`
    pub snapshot: SnapshotConfig,
    /// `[watch]`
    pub watch: WatchConfig,
    /// `[history]`
    pub history: HistoryConfig,
    /// Home directory of the user: `$HOME`, not a key of the file.
    pub home: Option<PathBuf>,
    /// Folder of the credentials that the service manager hands over: `$CREDENTIALS_DIRECTORY`, not a key.
    pub credentials: Option<PathBuf>,
    /// Settings that are not the default, as indices of [`KEYS`].
    origins: Vec<(usize, Origin)>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            log: LogConfig { level: LogLevel::Info },
            limits: LimitsConfig {
                connections: hearth_core::limits::CONNECTIONS,
                request_timeout_ms: hearth_core::limits::REQUEST_TIMEOUT_MS,
            },
            pool: PoolConfig { query_threads: 0 },
            files: FilesConfig { exclude: walk::default_excludes(), scan_threads: 0, stale_after_s: 300 },
            dupes: DupesConfig { read_budget: 64 << 30 },
            memory: MemoryConfig::default(),
            idle: IdleConfig::default(),
            load: LoadConfig::default(),
            stale: StaleConfig::default(),
            pressure: PressureConfig::default(),
            snapshot: SnapshotConfig::default(),
            watch: WatchConfig::default(),
            history: HistoryConfig::default(),
            home: None,
            credentials: None,
            origins: Vec::new(),
        }
    }
}

impl Config {
    /// The configuration that a file (if there is one) and the environment ask for.
    pub fn load(file: Option<ConfigFile<'_>>, environment: Environment<'_>) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        if let Some(file) = file {
            config.apply_file(file)?;
        }
        config.apply_environment(environment)?;
        residency::check_ladder(&config)?;
        let folder = |name| environment(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        config.home = folder("HOME");
        config.credentials = folder("CREDENTIALS_DIRECTORY");
        Ok(config)
    }

    /// Every key with its value and where that comes from, in the order of the keys.
    pub fn effective(&self) -> Vec<Setting> {
        let setting = |(index, key): (usize, &Key)| Setting {
            key: key.name,
            value: (key.show)(self),
            origin: self.origin(index),
            help: key.help,
        };
        KEYS.iter().enumerate().map(setting).collect()
    }

    fn origin(&self, index: usize) -> Origin {
        let known = self.origins.iter().rev().find(|(at, _)| *at == index);
        known.map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    fn apply_file(&mut self, file: ConfigFile<'_>) -> Result<(), ConfigError> {
        for item in value::flatten(file)? {
            self.set(&item.key, &item.value, item.origin)?;
        }
        Ok(())
    }

    fn apply_environment(&mut self, environment: Environment<'_>) -> Result<(), ConfigError> {
        for key in KEYS {
            let variable = twin(key.name);
            let Some(text) = environment(&variable) else { continue };
            let origin = Origin::Environment { variable };
            let text = text.into_string().map_err(|_| ConfigError {
                origin: origin.clone(),
                key: Some(key.name.to_owned()),
                message: "is not valid UTF-8".to_owned(),
            })?;
            self.set(key.name, &Value::Loose(text), origin)?;
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: &Value, origin: Origin) -> Result<(), ConfigError> {
        let refused = |message| ConfigError { origin: origin.clone(), key: Some(name.to_owned()), message };
        let index = KEYS.iter().position(|key| key.name == name);
        let index = index.ok_or_else(|| refused(keys::unknown(name)))?;
        (KEYS[index].set)(self, value).map_err(refused)?;
        self.origins.push((index, origin));
        Ok(())
    }
}

/// Environment variable of a key: `files.scan_threads` → `HEARTH_FILES_SCAN_THREADS`.
fn twin(key: &str) -> String {
    format!("HEARTH_{}", key.replace('.', "_").to_ascii_uppercase())
}

#[cfg(test)]
mod tests;

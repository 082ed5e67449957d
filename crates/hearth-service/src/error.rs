//! What can go wrong with an operation: one variant per thing a caller can act on.
//!
//! The text of an error says what failed and where; [`ServiceError::hint`] says what to do next.
//! Paths in texts are shown as Unicode with the undecodable replaced; the fields hold the bytes.

use crate::api::SourceName;
use crate::config::ConfigError;
use hearth_core::{Cancelled, human_bytes};
use std::io;
use std::path::PathBuf;

/// Why an operation gave no (or no whole) answer.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The query text is wrong.
    #[error("bad query at byte {position}: {message}")]
    BadQuery {
        /// Byte in the query text.
        position: usize,
        /// What was expected there; empty if nothing in particular.
        expected: String,
        /// What is wrong.
        message: String,
    },
    /// Another part of the request is wrong.
    #[error("bad {field}: {message}")]
    BadRequest {
        /// The field of the request.
        field: &'static str,
        /// What is wrong.
        message: String,
        /// What to do instead.
        hint: String,
    },
    /// No source has this name, or none holds this path.
    #[error("no source {}", describe_wanted(.wanted))]
    UnknownSource {
        /// Name or absolute path that was asked for.
        wanted: Vec<u8>,
        /// Roots of the registered sources.
        known: Vec<Vec<u8>>,
        /// The registered source that comes closest.
        nearest: Option<SourceName>,
    },
    /// The source is known, the path is not in it.
    #[error("{} {problem}", lossy(.path))]
    NotFound {
        /// Absolute path that was asked for.
        path: Vec<u8>,
        /// The source that would hold it.
        source_name: SourceName,
        /// What is wrong with it, in words.
        problem: String,
    },
    /// Nothing can be said yet: the first scan has not come that far.
    #[error("{source_name} is being scanned for the first time ({entries} entries so far)")]
    NotReady {
        /// The source.
        source_name: SourceName,
        /// Entries seen so far.
        entries: u64,
        /// When to ask again, milliseconds.
        retry_after_ms: u64,
    },
    /// The source has nothing to answer from, because its scan failed.
    #[error("{source_name} could not be indexed: {reason}")]
    BuildFailed {
        /// The source.
        source_name: SourceName,
        /// What happened.
        reason: String,
        /// When it is tried again by itself, milliseconds.
        retry_in_ms: Option<u64>,
    },
    /// There is no room for it in the memory budget.
    #[error("{source_name} does not fit into the memory budget: it needs {} more; {} of {} are held, {} of them pinned", human_bytes(*.needed_bytes), human_bytes(*.held_bytes), human_bytes(*.budget_bytes), human_bytes(*.pinned_bytes))]
    OverBudget {
        /// The source.
        source_name: SourceName,
        /// Bytes it would take.
        needed_bytes: u64,
        /// The budget.
        budget_bytes: u64,
        /// Held by all sources, loads under way and the process itself.
        held_bytes: u64,
        /// Held by pinned sources.
        pinned_bytes: u64,
        /// The largest bodies in memory, largest first.
        largest: Vec<(SourceName, u64)>,
    },
    /// The last good body is older than may be served.
    #[error(
        "the index of {source_name} is {age_hours} h old, more than the {max_age_hours} h that are served"
    )]
    StaleExpired {
        /// The source.
        source_name: SourceName,
        /// Age of the body, hours.
        age_hours: u64,
        /// The cap, hours.
        max_age_hours: u64,
        /// When it was published.
        last_good_ns: Option<hearth_core::UnixNanos>,
        /// Why there is no newer one.
        last_error: Option<String>,
    },
    /// A source that is in memory is forgotten only if that is forced.
    #[error("{source_name} is in memory ({})", tier.as_str())]
    InMemory {
        /// The source.
        source_name: SourceName,
        /// How much of it.
        tier: hearth_residency::Tier,
    },
    /// A pinned source stays in memory.
    #[error("{source_name} is pinned")]
    Pinned {
        /// The source.
        source_name: SourceName,
    },
    /// The cursor belongs to an instant that has been replaced.
    #[error("the index of {source_name} moved on to generation {generation} since the last page")]
    GenerationMoved {
        /// The source; empty if it is no longer registered.
        source_name: SourceName,
        /// Its generation now.
        generation: u64,
    },
    /// What changed since a clock is not known any more, or never was.
    #[error(
        "what changed in {source_name} since that clock cannot be told; it is at generation {generation}"
    )]
    ClockMoved {
        /// The source.
        source_name: SourceName,
        /// Its generation now.
        generation: u64,
    },
    /// A folder cannot be registered because another source on the same file system overlaps it.
    #[error("{} {relation} source {by} ({})", lossy(.root), lossy(.by_root))]
    Overlaps {
        /// The root that was asked for.
        root: Vec<u8>,
        /// The registered source.
        by: SourceName,
        /// Its root.
        by_root: Vec<u8>,
        /// How they relate.
        relation: Overlap,
    },
    /// Permissions keep the daemon out.
    #[error("permission denied: {}", path.display())]
    PermissionDenied {
        /// The path.
        path: PathBuf,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// The request's time is over.
    #[error("timed out")]
    TimedOut,
    /// The service is being shut down.
    #[error("the service is shutting down")]
    ShuttingDown,
    /// The configuration is wrong.
    #[error("configuration: {0}")]
    Config(#[from] ConfigError),
    /// The operating system refused something.
    #[error("cannot {action} {}: {error}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The refusal.
        #[source]
        error: io::Error,
    },
}

/// How a folder relates to a registered root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// The folder lies below the root: the source answers for it already.
    Inside,
    /// The root lies below the folder.
    Around,
}

impl std::fmt::Display for Overlap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Overlap::Inside => "is already part of",
            Overlap::Around => "would hold a second time what is in",
        })
    }
}

impl ServiceError {
    /// What to do next, in one sentence.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::BadQuery { expected, .. } if expected.is_empty() => return None,
            Self::BadQuery { expected, .. } => format!("expected {expected}"),
            Self::BadRequest { hint, .. } => hint.clone(),
            Self::UnknownSource { nearest: Some(nearest), .. } => {
                format!(
                    "the nearest source is {nearest}; `hearth list` shows all, `hearth add PATH` adds one"
                )
            }
            Self::UnknownSource { .. } => {
                "`hearth list` shows the sources, `hearth add PATH` adds one".into()
            }
            Self::NotFound { source_name, .. } => {
                format!("if it is new, `hearth refresh {source_name}` takes it in")
            }
            Self::NotReady { .. } => "wait for the scan with `hearth status --watch`, or ask again".into(),
            Self::BuildFailed { source_name, .. } => {
                format!("`hearth refresh {source_name}` tries again at once")
            }
            Self::OverBudget { .. } => {
                "`hearth status` shows what holds the memory; unpin or hibernate something, or raise memory.budget"
                    .into()
            }
            Self::StaleExpired { source_name, .. } => {
                format!("`hearth refresh {source_name}` tries again at once; `stale.max_age_hours = 0` lifts the cap")
            }
            Self::InMemory { source_name, .. } => {
                format!("`hearth hibernate {source_name}` first, or `hearth forget --force {source_name}`")
            }
            Self::Pinned { source_name } => format!("`hearth unpin {source_name}` first"),
            Self::GenerationMoved { .. } => "start again from the first page".into(),
            Self::ClockMoved { .. } => {
                "list anew, and go on from the clock of that answer; `history.changes` says how much is kept".into()
            }
            Self::Overlaps { by, relation: Overlap::Inside, .. } => {
                format!("search it with `--in`, or `hearth forget {by}` first")
            }
            Self::Overlaps { by, .. } => format!("`hearth forget {by}` first"),
            Self::PermissionDenied { .. } => "run the daemon as a user who may read it".into(),
            Self::TimedOut => "narrow the query, or give it a longer timeout".into(),
            Self::Config(_) => "correct the setting and start again".into(),
            Self::Io { .. } => "see that the path exists and the daemon may use it".into(),
            Self::Cancelled | Self::ShuttingDown => return None,
        })
    }

    /// An error of the operating system on a path; missing rights have their own variant.
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, error: io::Error) -> Self {
        let path = path.into();
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::PermissionDenied { path },
            _ => Self::Io { action, path, error },
        }
    }
}

impl From<Cancelled> for ServiceError {
    fn from(cancelled: Cancelled) -> Self {
        match cancelled {
            Cancelled::Requested => Self::Cancelled,
            Cancelled::DeadlinePassed => Self::TimedOut,
        }
    }
}

/// Bytes as text, for people.
pub(crate) fn lossy(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    match bytes {
        b"" => "/".into(),
        bytes => String::from_utf8_lossy(bytes),
    }
}

fn describe_wanted(wanted: &[u8]) -> String {
    match wanted {
        b"" => "is registered".to_owned(),
        [b'/', ..] => format!("holds {}", lossy(wanted)),
        name => format!("is called {}", lossy(name)),
    }
}

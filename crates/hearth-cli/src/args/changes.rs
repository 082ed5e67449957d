//! Options of the commands that tell what changed: `since` a clock, and from now on.

use super::WaitTime;
use super::examples;
use super::find::QueryArgs;
use clap::Args;
use std::path::PathBuf;

/// Show what changed in a source after a clock
///
/// Clocks are in the `summary` of every answer with --json, in `status --json`, and at the end of this answer. A folder
/// that was created, removed or renamed stands for everything below it and is shown with a slash at its end. Lines:
/// `+ PATH` created, `~ PATH` modified, `- PATH` removed, `> FROM -> TO` renamed, in the order in which they happened.
#[derive(Args, Debug)]
#[command(after_help = examples::SINCE)]
pub(crate) struct SinceArgs {
    /// The clock
    #[arg(value_name = "CLOCK")]
    pub(crate) clock: String,
    /// Only below this folder; several times for several folders
    #[arg(long = "in", value_name = "PATH")]
    pub(crate) within: Vec<PathBuf>,
    /// At most this many changes, the oldest first
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// JSON Lines: a `change` for each, then a `summary` with the next `clock`
    #[arg(long)]
    pub(crate) json: bool,
    /// Give up after this many milliseconds
    #[arg(long, value_name = "MS")]
    pub(crate) timeout: Option<u64>,
    /// See everything that was written before this question, waiting at most this long for that: 500ms, 2s
    #[arg(long, value_name = "TIME")]
    pub(crate) wait_fresh: Option<WaitTime>,
}

/// Show what matches as it appears, changes or vanishes, until interrupted
///
/// Lines: `+ PATH` appeared, `~ PATH` changed, `- PATH` vanished, `> FROM -> TO` renamed. What matches already is not
/// shown. Where something cannot be told, a line on standard error says what to list anew. When the daemon restarts
/// this goes on with the new one.
#[derive(Args, Debug)]
#[command(after_help = examples::WATCH)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    pub(crate) query: QueryArgs,
    /// First show what came after this clock; several times for several sources
    #[arg(long, value_name = "CLOCK", help_heading = "Output")]
    pub(crate) since: Vec<String>,
    /// JSON Lines: an `event` for each
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// End lines with NUL, and FROM as well
    #[arg(short = '0', long, help_heading = "Output", conflicts_with = "json")]
    pub(crate) null: bool,
}

//! Options of `history`.

use super::examples;
use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;

/// Show which program made, changed or removed something
///
/// A PATH (with a slash in it, or beginning with a dot) stands for itself and everything below it, whether it
/// still exists or not. All else is a query on names and paths, as of `find`. Newest first. The history goes as
/// far back as the daemon kept it, at most to its start.
#[derive(Args, Debug)]
#[command(after_help = examples::HISTORY)]
pub(crate) struct HistoryArgs {
    /// A path, or words, globs and terms of the query language
    #[arg(value_name = "PATH|TERM")]
    pub(crate) terms: Vec<OsString>,
    /// Only below this folder; several times for several folders
    #[arg(long = "in", value_name = "PATH")]
    pub(crate) within: Vec<PathBuf>,
    /// At most this many rows
    #[arg(short = 'n', long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: u64,
    /// JSON Lines: an `act` per row, then a `summary`
    #[arg(long)]
    pub(crate) json: bool,
}

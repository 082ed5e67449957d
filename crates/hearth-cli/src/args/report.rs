//! Options of `du`, `dupes` and `stats`.
//!
//! These commands answer with a report in place of rows: a table, CSV or JSON Lines, of a length that the
//! user can set. The options that choose what is counted are those of `find`.

use super::find::QueryArgs;
use super::{ByteSize, ColorArgs, ReachArgs, StatsKey, examples};
use clap::Args;
use std::path::PathBuf;

/// Show the biggest folders
///
/// The first row is the folder itself. Without PATH: the root of every source.
#[derive(Args, Debug)]
#[command(after_help = examples::DU)]
pub(crate) struct DuArgs {
    /// Folder to look into
    pub(crate) path: Option<PathBuf>,
    /// Levels of folders below it
    #[arg(short = 'd', long, value_name = "N", default_value_t = 1)]
    pub(crate) depth: u32,
    /// At most this many rows
    #[arg(short = 'n', long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: u64,
    /// Order by bytes on disk in place of file sizes
    #[arg(short = 'a', long)]
    pub(crate) allocated: bool,
    /// Exact bytes in place of rounded sizes
    #[arg(short = 'b', long, conflicts_with_all = ["json", "csv"])]
    pub(crate) bytes: bool,
    #[command(flatten)]
    pub(crate) form: ReportForm,
    #[command(flatten)]
    pub(crate) color: ColorArgs,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
}

/// Find files with equal content
///
/// Files of equal size are compared by their first block, then by the BLAKE3 hash of all of it. Hard
/// links to one file are not duplicates of each other. Groups come with the most wasted bytes first.
#[derive(Args, Debug)]
#[command(after_help = examples::DUPES)]
pub(crate) struct DupesArgs {
    #[command(flatten)]
    pub(crate) query: QueryArgs,
    /// Ignore files smaller than this
    #[arg(long, value_name = "SIZE", default_value = "1")]
    pub(crate) min_size: ByteSize,
    /// Read at most this much from disk [default: as configured]
    #[arg(long, value_name = "SIZE")]
    pub(crate) read_budget: Option<ByteSize>,
    /// At most this many groups
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// End paths with NUL, groups with one more NUL
    #[arg(short = '0', long, conflicts_with_all = ["json", "csv"])]
    pub(crate) null: bool,
    #[command(flatten)]
    pub(crate) form: ReportForm,
    #[command(flatten)]
    pub(crate) color: ColorArgs,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
}

/// Count entries and bytes by extension, type, size, age, owner or folder
#[derive(Args, Debug)]
#[command(after_help = examples::STATS)]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    pub(crate) query: QueryArgs,
    /// Grouping
    #[arg(long, value_name = "KEY", default_value = "ext")]
    pub(crate) by: StatsKey,
    /// At most this many groups
    #[arg(short = 'n', long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: u64,
    /// Exact bytes in place of rounded sizes
    #[arg(short = 'b', long, conflicts_with_all = ["json", "csv"])]
    pub(crate) bytes: bool,
    #[command(flatten)]
    pub(crate) form: ReportForm,
    #[command(flatten)]
    pub(crate) color: ColorArgs,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
}

/// Forms a report can be printed in.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct ReportForm {
    /// JSON Lines
    #[arg(long, help_heading = "Output", conflicts_with = "csv")]
    pub(crate) json: bool,
    /// CSV with a header line
    #[arg(long, help_heading = "Output")]
    pub(crate) csv: bool,
}

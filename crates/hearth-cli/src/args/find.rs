//! Options of `find`, and the query options that `dupes` and `stats` share with it.
//!
//! What the query language has its own rules for (sizes, times, owners) stays text here: it becomes a
//! term, and the daemon's parser, the only one, judges it. `find` can be parsed alone, so that a search
//! does not pay for the definitions of all other commands.

use super::{ColorArgs, FileKind, ReachArgs, When, examples};
use clap::{Args, FromArgMatches as _};
use std::ffi::OsString;
use std::path::PathBuf;

/// Parses the words of a search, the first one left out, without building the other commands.
pub(crate) fn parse(words: impl Iterator<Item = OsString>) -> Result<FindArgs, clap::Error> {
    let mut matches = command().no_binary_name(true).try_get_matches_from(words)?;
    FindArgs::from_arg_matches_mut(&mut matches)
}

/// `hearth find` as a command of its own.
pub(crate) fn command() -> clap::Command {
    let command = clap::Command::new("find").bin_name("hearth find").version(env!("CARGO_PKG_VERSION"));
    FindArgs::augment_args(command).max_term_width(100)
}

/// Search files by name and metadata
///
/// All arguments together, joined by spaces, are one query: every word must match. Options such as
/// --type are shorter ways to write terms of the same language. Rows come in order of path unless
/// --sort says otherwise, and all of them come unless --limit says otherwise.
#[derive(Args, Debug)]
#[command(after_help = examples::FIND)]
pub(crate) struct FindArgs {
    #[command(flatten)]
    pub(crate) query: QueryArgs,
    #[command(flatten)]
    pub(crate) order: OrderArgs,
    #[command(flatten)]
    pub(crate) form: FormArgs,
    #[command(flatten)]
    pub(crate) color: ColorArgs,
    #[command(flatten)]
    pub(crate) reach: ReachArgs,
    /// Wait until every source has been read completely, showing progress
    #[arg(long, help_heading = "Daemon")]
    pub(crate) wait: bool,
}

/// What to look for.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct QueryArgs {
    /// Words, globs, paths and key:value terms
    #[arg(value_name = "TERM")]
    pub(crate) terms: Vec<OsString>,
    /// Only below this folder; several times for several folders
    #[arg(long = "in", value_name = "PATH", help_heading = "Filters")]
    pub(crate) within: Vec<PathBuf>,
    /// Nothing below this folder
    #[arg(long = "not-in", value_name = "PATH", help_heading = "Filters")]
    pub(crate) not_within: Vec<PathBuf>,
    /// Only entries of this type (comma-separated: file, dir, link, … or f, d, l, …)
    #[arg(short = 't', long = "type", value_name = "TYPE", value_delimiter = ',', help_heading = "Filters")]
    pub(crate) kinds: Vec<FileKind>,
    /// Only files with one of these extensions (comma-separated)
    #[arg(short = 'e', long = "ext", value_name = "EXT", value_delimiter = ',', help_heading = "Filters")]
    pub(crate) exts: Vec<OsString>,
    /// Only files of this category: image, video, audio, document, archive, code
    #[arg(short = 'k', long = "kind", value_name = "KIND", value_delimiter = ',', help_heading = "Filters")]
    pub(crate) categories: Vec<String>,
    /// Only files of this size: 10k, '>10mb', 1k..2m, empty
    #[arg(short = 'S', long, value_name = "RANGE", help_heading = "Filters")]
    pub(crate) size: Option<String>,
    /// Only entries modified then: today, 7d, thisweek, 2026-01-15.., …
    #[arg(short = 'm', long, visible_alias = "dm", value_name = "WHEN", help_heading = "Filters")]
    pub(crate) modified: Option<String>,
    /// Only entries created then
    #[arg(long, visible_alias = "dc", value_name = "WHEN", help_heading = "Filters")]
    pub(crate) created: Option<String>,
    /// Only entries read then
    #[arg(long, visible_alias = "da", value_name = "WHEN", help_heading = "Filters")]
    pub(crate) accessed: Option<String>,
    /// Only entries of this owner: a name or a number
    #[arg(short = 'o', long, value_name = "USER", help_heading = "Filters")]
    pub(crate) owner: Option<String>,
    /// Only entries of this group: a name or a number
    #[arg(long, value_name = "GROUP", help_heading = "Filters")]
    pub(crate) group: Option<String>,
    /// Only entries with these permissions: 644, -111 (all of), /222 (any of)
    #[arg(long, value_name = "MODE", allow_hyphen_values = true, help_heading = "Filters")]
    pub(crate) perm: Option<String>,
    /// Only entries of NTFS with all of these attributes: r, h, s, a, … (`attr:`)
    #[arg(short = 'A', long, value_name = "LETTERS", help_heading = "Filters")]
    pub(crate) attr: Option<String>,
    /// What was deleted from NTFS disks, as far as it can be told
    #[arg(long, help_heading = "Filters")]
    pub(crate) deleted: bool,
    /// Only entries this deep in the file system: 3, '>5', 2..4
    #[arg(long, value_name = "RANGE", help_heading = "Filters")]
    pub(crate) depth: Option<String>,
    /// Only empty files and empty folders
    #[arg(long, help_heading = "Filters")]
    pub(crate) empty: bool,
    /// Each TERM is a regular expression on the name
    #[arg(short = 'r', long, help_heading = "Matching", group = "matching")]
    pub(crate) regex: bool,
    /// Each TERM is literal text, none of its characters is special
    #[arg(short = 'F', long, help_heading = "Matching", group = "matching")]
    pub(crate) fixed: bool,
    /// Each TERM is a whole name
    #[arg(short = 'x', long, help_heading = "Matching", group = "matching")]
    pub(crate) exact: bool,
    /// Each TERM's characters may be apart, in order
    #[arg(short = 'z', long, help_heading = "Matching", group = "matching")]
    pub(crate) fuzzy: bool,
    /// Each TERM is literal text that begins and ends at a word border
    #[arg(short = 'w', long, help_heading = "Matching", group = "matching")]
    pub(crate) word: bool,
    /// With one of the above: upper and lower case differ. Without: write `case:` before a word. Where
    /// neither is given, they differ if a TERM has an upper-case letter
    #[arg(
        short = 's',
        long = "case",
        visible_alias = "case-sensitive",
        requires = "matching",
        help_heading = "Matching"
    )]
    pub(crate) case: bool,
}

/// Which rows, in which order.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct OrderArgs {
    /// Order: name, path, size, allocated, modified, created, accessed, ext, type, depth, treesize,
    /// descendants, owner; each with :asc or :desc; several with commas
    #[arg(long, value_name = "KEYS", help_heading = "Order")]
    pub(crate) sort: Option<String>,
    /// At most this many rows, after sorting
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Order")]
    pub(crate) limit: Option<u64>,
}

/// What is printed for each row.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct FormArgs {
    /// Columns: mode (NTFS: attributes), links, owner, group, size, time of modification, path
    #[arg(short = 'l', long, help_heading = "Output", group = "form")]
    pub(crate) long: bool,
    /// JSON Lines: an `entry` per row, then a `summary`
    #[arg(long, help_heading = "Output", group = "form")]
    pub(crate) json: bool,
    /// CSV with a header line
    #[arg(long, help_heading = "Output", group = "form")]
    pub(crate) csv: bool,
    /// A line per row made from TEMPLATE
    ///
    /// Fields: {path} {name} {dir} {ext} {size} {size:h} {allocated} {modified} {modified:iso} {modified:s}
    /// {created} {accessed} {kind} {mode} {mode:ls} {uid} {gid} {links} {file_id} {source}; of NTFS {attributes}
    /// {sequence} {deleted} in place of mode, uid and gid.
    /// Escapes: \t \n \r \0 \e \\ {{ }}. Times are nanoseconds since 1970 unless :iso or :s (seconds).
    #[arg(long, value_name = "TEMPLATE", help_heading = "Output", group = "form")]
    pub(crate) format: Option<OsString>,
    /// Only the number of matches
    #[arg(short = 'c', long, help_heading = "Output", conflicts_with_all = ["long", "csv", "format", "null", "limit"])]
    pub(crate) count: bool,
    /// End rows with NUL in place of a line break
    #[arg(short = '0', long, help_heading = "Output", conflicts_with_all = ["json", "csv"])]
    pub(crate) null: bool,
    /// Say how the answer was found and how long each step took (on standard error; with --json as an
    /// `explain` object)
    #[arg(long, help_heading = "Output")]
    pub(crate) explain: bool,
    /// Make names links to their files: auto, always, never
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_value = "never",
          default_missing_value = "auto", hide_default_value = true, help_heading = "Output")]
    pub(crate) hyperlink: When,
}

//! Options of the commands that look after sources and the daemon.
//!
//! None of these takes a query. A source is named by its name or its root, as the user typed it: roots
//! need not be Unicode, and a relative one is made absolute only when the command runs.

use super::{ColorArgs, examples};
use clap::{Args, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// Index a file system, a folder, or an NTFS disk
///
/// A folder is indexed as it is mounted. A block device, an image (PATH, or PATH#N for partition N), a $MFT file or a compressed
/// capture of these is read raw: every NTFS volume on it becomes a source. Returns as soon as the source is registered; it is read in the background and can be searched
/// while that happens.
#[derive(Args, Debug)]
#[command(after_help = examples::ADD)]
pub(crate) struct AddArgs {
    /// Root of what to index
    pub(crate) path: PathBuf,
    /// What kind of source it is [default: a folder is a volume, anything else a disk]
    #[arg(long = "as", value_name = "KIND")]
    pub(crate) kind: Option<SourceKind>,
    /// Name of the source [default: from its path]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Return when everything has been read, showing progress
    #[arg(long)]
    pub(crate) wait: bool,
    /// Stop waiting after this many milliseconds
    #[arg(long, value_name = "MS", requires = "wait")]
    pub(crate) timeout: Option<u64>,
    /// JSON Lines
    #[arg(long)]
    pub(crate) json: bool,
}

/// Kinds of sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SourceKind {
    /// A mounted file system or a folder of one
    Volume,
    /// A source tree
    Workspace,
    /// An NTFS disk or image
    Ntfs,
}

/// Stop indexing sources and drop what is known about them, in memory and on disk
///
/// A source that is in memory is refused unless it is forced.
#[derive(Args, Debug)]
#[command(after_help = examples::FORGET)]
pub(crate) struct ForgetArgs {
    /// Names or roots of sources
    #[arg(value_name = "SOURCE", required = true)]
    pub(crate) sources: Vec<OsString>,
    /// Also those that are in memory
    #[arg(short = 'f', long)]
    pub(crate) force: bool,
    /// JSON Lines
    #[arg(long)]
    pub(crate) json: bool,
}

/// List the sources
#[derive(Args, Debug)]
#[command(after_help = examples::LIST)]
pub(crate) struct ListArgs {
    /// JSON Lines
    #[arg(long)]
    pub(crate) json: bool,
}

/// Show the daemon and the state of every source
#[derive(Args, Debug)]
#[command(after_help = examples::STATUS)]
pub(crate) struct StatusArgs {
    /// JSON Lines: a `daemon` object, then a `shard` object per source
    #[arg(long)]
    pub(crate) json: bool,
    /// Show it again every second and at every change, until interrupted
    #[arg(short = 'w', long)]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) color: ColorArgs,
}

/// Check what is in order and what is not: the daemon, its memory, what the machine tells, the sources
///
/// One line for each check: ok; note, which is worth knowing; problem. Below it what can be done. Exit code 0 if
/// there is no problem, 1 if there is one, 2 if the daemon cannot be asked.
#[derive(Args, Debug)]
#[command(after_help = examples::DOCTOR)]
pub(crate) struct DoctorArgs {
    /// JSON Lines: a `check` object for each
    #[arg(long)]
    pub(crate) json: bool,
    /// Do not use or start a resident daemon: check a private one that ends with this command
    #[arg(long)]
    pub(crate) no_daemon: bool,
    #[command(flatten)]
    pub(crate) color: ColorArgs,
}

/// Read sources again
#[derive(Args, Debug)]
#[command(after_help = examples::REFRESH)]
pub(crate) struct RefreshArgs {
    /// Names or roots of sources [default: all]
    #[arg(value_name = "SOURCE")]
    pub(crate) sources: Vec<OsString>,
    /// Return when everything has been read, showing progress
    #[arg(long)]
    pub(crate) wait: bool,
    /// Stop waiting after this many milliseconds
    #[arg(long, value_name = "MS", requires = "wait")]
    pub(crate) timeout: Option<u64>,
    /// JSON Lines
    #[arg(long)]
    pub(crate) json: bool,
}

/// Run, start, stop or look into the daemon
#[derive(Args, Debug)]
#[command(after_help = examples::DAEMON)]
pub(crate) struct DaemonArgs {
    #[command(subcommand)]
    pub(crate) action: DaemonAction,
}

/// What to do with the daemon.
#[derive(Debug, Subcommand)]
pub(crate) enum DaemonAction {
    /// Be the daemon, in the foreground
    Run,
    /// Start the daemon, unless it runs already
    Start,
    /// Stop the daemon; exit code 1 if none runs
    Stop,
    /// Stop the daemon if it runs, then start it
    Restart,
    /// Show the end of the daemon's log
    Logs(LogsArgs),
}

/// Options of `daemon logs`.
#[derive(Args, Debug)]
pub(crate) struct LogsArgs {
    /// Go on showing lines as they are written
    #[arg(short = 'f', long)]
    pub(crate) follow: bool,
    /// Show the last N lines
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    pub(crate) lines: usize,
}

/// Pass JSON-RPC requests, one per line, from standard input to the daemon
///
/// Replies and notifications are written to standard output as they come. Ends when standard input
/// has ended and every request has its reply.
#[derive(Args, Debug)]
#[command(after_help = examples::RPC)]
pub(crate) struct RpcArgs {
    /// Do not use or start a resident daemon: answer from a private one that ends with this command
    #[arg(long)]
    pub(crate) no_daemon: bool,
}

/// Show the configuration in effect and where it comes from, or change the key of the snapshots
#[derive(Args, Debug)]
#[command(after_help = examples::CONFIG)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) action: Option<ConfigAction>,
    /// Only the path of the configuration file, whether or not it exists
    #[arg(long, conflicts_with = "json")]
    pub(crate) path: bool,
    /// JSON Lines
    // Global, so that it may also stand before a subcommand.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What to do in place of showing the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigAction {
    /// Look after the key that the snapshots on disk are sealed with
    #[command(subcommand)]
    Key(KeyAction),
}

/// What to do with the key.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyAction {
    /// Replace the key by a new one and seal the snapshots anew
    ///
    /// What the old key sealed can no longer be opened by it, copies of the snapshots aside that were made before. A
    /// snapshot that cannot be sealed anew is left out: its source is read again when it is next loaded. Exit code 0
    /// if none was left out, else 2.
    #[command(after_help = examples::KEY_ROTATE)]
    Rotate,
}

/// Print completions for a shell
#[derive(Args, Debug)]
#[command(after_help = examples::COMPLETIONS)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

/// Print the manual page
#[derive(Args, Debug)]
#[command(after_help = examples::MAN)]
pub(crate) struct ManArgs {}

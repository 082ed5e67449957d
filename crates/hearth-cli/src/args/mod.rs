//! The command line as plain data. Nothing here does anything: `command` turns it into requests.
//!
//! The doc comments below are the text of `--help`, of the man page and of the completions, which are
//! all generated from these types.

pub(crate) mod changes;
pub(crate) mod examples;
pub(crate) mod find;
pub(crate) mod history;
pub(crate) mod memory;
pub(crate) mod ntfs;
pub(crate) mod operate;
pub(crate) mod report;
mod values;

use clap::{Args, Parser, Subcommand};
pub(crate) use values::{ByteSize, FileKind, StatsKey, WaitTime, When};

/// Search files by name and metadata in about a millisecond.
///
/// A resident daemon keeps an index of your file systems in memory; it starts by itself on first
/// need. A first word that is not one of the commands below is searched for: `hearth PATTERN` is
/// `hearth find PATTERN`.
#[derive(Debug, Parser)]
#[command(name = "hearth", bin_name = "hearth", version, after_help = examples::HEARTH, max_term_width = 100)]
#[command(propagate_version = true, subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Everything `hearth` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Find(Box<find::FindArgs>),
    Du(report::DuArgs),
    Dupes(Box<report::DupesArgs>),
    Stats(Box<report::StatsArgs>),
    History(history::HistoryArgs),
    Since(changes::SinceArgs),
    Watch(Box<changes::WatchArgs>),
    Add(operate::AddArgs),
    Forget(operate::ForgetArgs),
    List(operate::ListArgs),
    Status(operate::StatusArgs),
    Doctor(operate::DoctorArgs),
    Refresh(operate::RefreshArgs),
    Preload(memory::PreloadArgs),
    Pin(memory::PinArgs),
    Unpin(memory::UnpinArgs),
    Hibernate(memory::HibernateArgs),
    Ntfs(ntfs::NtfsArgs),
    Daemon(operate::DaemonArgs),
    Rpc(operate::RpcArgs),
    Config(operate::ConfigArgs),
    Completions(operate::CompletionsArgs),
    Man(operate::ManArgs),
}

/// How to reach the daemon.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct ReachArgs {
    /// Do not use or start a resident daemon: a private one answers and ends with this command. It
    /// reads the sources first, so this takes as long as a walk
    #[arg(long, help_heading = "Daemon")]
    pub(crate) no_daemon: bool,
    /// Give up after this many milliseconds
    #[arg(long, value_name = "MS", help_heading = "Daemon")]
    pub(crate) timeout: Option<u64>,
    /// See everything that was written before this question, waiting at most this long for that: 500ms, 2s
    #[arg(long, value_name = "TIME", help_heading = "Daemon")]
    pub(crate) wait_fresh: Option<WaitTime>,
}

/// Whether output may be coloured.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct ColorArgs {
    /// When to colour [auto: on a terminal, unless NO_COLOR is set or TERM=dumb]
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Output",
        hide_default_value = true
    )]
    pub(crate) color: When,
}

//! Options of the commands that look into NTFS disks and images.
//!
//! A disk is named as its source is, or by its path; `#N` behind the path is one of its partitions. What is in it is
//! decoded by the daemon.

use super::examples;
use clap::{Args, Subcommand};
use std::ffi::OsString;

/// Look into an NTFS disk or image: what is on it, one file record, the change journal
///
/// A disk is a block device, an image of a disk or of a volume, a $MFT file, or a compressed capture (.zst, .gz) of one of
/// these. DISK is its path, with #N for the volume in partition N, or the name of a source. Nothing is
/// ever written to it.
#[derive(Args, Debug)]
#[command(after_help = examples::NTFS)]
pub(crate) struct NtfsArgs {
    #[command(subcommand)]
    pub(crate) action: NtfsAction,
}

/// What to look at.
#[derive(Debug, Subcommand)]
pub(crate) enum NtfsAction {
    Info(NtfsInfoArgs),
    Record(NtfsRecordArgs),
    Journal(NtfsJournalArgs),
}

impl NtfsAction {
    /// True if it was asked for JSON.
    pub(crate) fn wants_json(&self) -> bool {
        match self {
            NtfsAction::Info(args) => args.json,
            NtfsAction::Record(args) => args.json,
            NtfsAction::Journal(args) => args.json,
        }
    }
}

/// How to reach the daemon for a disk, whose answers are always those of now.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct DiskReach {
    /// Do not use or start a resident daemon: a private one answers and ends with this command
    #[arg(long, help_heading = "Daemon")]
    pub(crate) no_daemon: bool,
    /// Give up after this many milliseconds
    #[arg(long, value_name = "MS", help_heading = "Daemon")]
    pub(crate) timeout: Option<u64>,
}

/// Show partitions and volumes: sizes, file table, log file, change journal
#[derive(Args, Debug)]
#[command(after_help = examples::NTFS_INFO)]
pub(crate) struct NtfsInfoArgs {
    /// The disk
    #[arg(value_name = "DISK")]
    pub(crate) disk: OsString,
    /// JSON Lines: a `disk` object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) reach: DiskReach,
}

/// Show one file record, decoded
#[derive(Args, Debug)]
#[command(after_help = examples::NTFS_RECORD)]
pub(crate) struct NtfsRecordArgs {
    /// The disk
    #[arg(value_name = "DISK")]
    pub(crate) disk: OsString,
    /// Number of the record (41, 0x29, or 41-2 with the sequence it should have), or a path in the volume
    #[arg(value_name = "RECORD")]
    pub(crate) record: OsString,
    /// JSON Lines: a `record` object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) reach: DiskReach,
}

/// Show the change journal: what happened to which file, oldest first
///
/// DISK may also be a file that holds the records of a journal alone ($J). Paths are those of now: a file whose folder is
/// gone has a name only.
#[derive(Args, Debug)]
#[command(after_help = examples::NTFS_JOURNAL)]
pub(crate) struct NtfsJournalArgs {
    /// The disk
    #[arg(value_name = "DISK")]
    pub(crate) disk: OsString,
    /// Only from this USN on
    #[arg(long, value_name = "USN")]
    pub(crate) since: Option<u64>,
    /// Only what happened to this path in the volume, or below it
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<OsString>,
    /// At most this many rows
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// JSON Lines: a `usn` object per row, then a `summary`
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) reach: DiskReach,
}

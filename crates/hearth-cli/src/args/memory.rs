//! Options of the commands that decide which sources are in memory.
//!
//! A source is named by its name or its root, as for the other commands that look after sources. The budget
//! and the times after which a source leaves memory by itself are settings, not options.

use super::examples;
use clap::Args;
use hearth_protocol::limits::PIN_MINUTES;
use std::ffi::OsString;

/// Bring sources into memory, so that the next question need not wait
///
/// Returns when they are there. Without --pin-minutes they leave again when nobody asks for long, or when
/// others need the memory.
#[derive(Args, Debug)]
#[command(after_help = examples::PRELOAD)]
pub(crate) struct PreloadArgs {
    /// Names or roots of sources [default: all]
    #[arg(value_name = "SOURCE")]
    pub(crate) sources: Vec<OsString>,
    /// Keep them in memory for so many minutes, whatever happens
    #[arg(short = 'p', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=PIN_MINUTES))]
    pub(crate) pin_minutes: Option<u64>,
    /// Give up waiting after this many milliseconds; what is being read goes on being read
    #[arg(long, value_name = "MS")]
    pub(crate) timeout: Option<u64>,
    /// JSON Lines: a `source` object for each
    #[arg(long)]
    pub(crate) json: bool,
}

/// Bring sources into memory and keep them there until they are unpinned
#[derive(Args, Debug)]
#[command(after_help = examples::PIN)]
pub(crate) struct PinArgs {
    /// Names or roots of sources
    #[arg(value_name = "SOURCE", required = true)]
    pub(crate) sources: Vec<OsString>,
    /// Give up waiting after this many milliseconds; what is being read goes on being read
    #[arg(long, value_name = "MS")]
    pub(crate) timeout: Option<u64>,
    /// JSON Lines: a `source` object for each
    #[arg(long)]
    pub(crate) json: bool,
}

/// Let sources leave memory again
///
/// They stay until nobody asks for long, or others need the memory. Exit code 1 if nothing was pinned.
#[derive(Args, Debug)]
#[command(after_help = examples::UNPIN)]
pub(crate) struct UnpinArgs {
    /// Names or roots of sources [default: all that are pinned]
    #[arg(value_name = "SOURCE")]
    pub(crate) sources: Vec<OsString>,
    /// JSON Lines: a `source` object for each
    #[arg(long)]
    pub(crate) json: bool,
}

/// Take sources out of memory now
///
/// They stay registered; the next question brings them back. A pinned source is refused.
#[derive(Args, Debug)]
#[command(after_help = examples::HIBERNATE)]
pub(crate) struct HibernateArgs {
    /// Names or roots of sources [default: all that are not pinned]
    #[arg(value_name = "SOURCE")]
    pub(crate) sources: Vec<OsString>,
    /// JSON Lines: a `source` object for each
    #[arg(long)]
    pub(crate) json: bool,
}

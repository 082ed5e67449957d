//! Numbers out of the kernel's small text files.
//!
//! A number that is missing, is not one or does not fit is `None`, whatever stands around it.

use super::MemoryWorld;
use std::io;
use std::path::Path;

/// Where the machine's pressure stall information is.
pub(super) const PSI: &str = "/proc/pressure/memory";
/// Where the machine's memory is listed.
pub(super) const MEMINFO: &str = "/proc/meminfo";

/// From here on a limit means that there is none: version 1 writes about 2⁶³.
const NO_LIMIT: u64 = 1 << 62;

/// One line of pressure stall information.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Stall {
    /// Share of the last ten seconds, percent.
    pub(super) avg10: f64,
    /// Stalled since the machine started, microseconds.
    pub(super) total_us: u64,
}

/// Pressure stall information.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Psi {
    /// At least one task stalled.
    pub(super) some: Stall,
    /// All tasks that were not idle stalled; zero if there is no such line.
    pub(super) full: Stall,
}

impl Psi {
    /// That of the machine.
    ///
    /// # Errors
    /// The file cannot be read or has no whole line of `some`.
    pub(super) fn read(world: &dyn MemoryWorld) -> io::Result<Self> {
        Self::parse(&read(world, Path::new(PSI))?).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let line = |name| text.lines().find_map(|line| parse_stall(line.strip_prefix(name)?));
        Some(Self { some: line("some ")?, full: line("full ").unwrap_or_default() })
    }
}

fn parse_stall(fields: &str) -> Option<Stall> {
    let field = |name| fields.split_whitespace().find_map(|field| field.strip_prefix(name));
    let avg10 = field("avg10=")?.parse::<f64>().ok()?;
    let sane = (0.0..=100.0).contains(&avg10);
    Some(Stall { avg10: if sane { avg10 } else { 0.0 }, total_us: field("total=")?.parse().ok()? })
}

/// Memory of the machine, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    pub(super) total: u64,
    pub(super) available: u64,
}

impl Machine {
    /// # Errors
    /// The file cannot be read or lacks one of the numbers.
    pub(super) fn read(world: &dyn MemoryWorld) -> io::Result<Self> {
        let text = read(world, Path::new(MEMINFO))?;
        let bytes = |name| kibibytes(&text, name).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData));
        Ok(Self { total: bytes("MemTotal:")?, available: bytes("MemAvailable:")? })
    }
}

fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = rest.split_whitespace().next()?.parse().ok()?;
    number.checked_mul(1024)
}

/// The number after a name, in files of lines `name number`.
pub(super) fn entry(text: &str, name: &str) -> Option<u64> {
    let number = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok();
    text.lines().find_map(number)
}

/// A limit in bytes; none if the file says so, is missing or says nothing that makes sense.
pub(super) fn limit(world: &dyn MemoryWorld, path: &Path) -> Option<u64> {
    let limit = read(world, path).ok()?.trim().parse().ok()?;
    (limit < NO_LIMIT).then_some(limit)
}

/// A file as text; bytes that are none become replacement characters.
///
/// # Errors
/// Those of reading it.
pub(super) fn read(world: &dyn MemoryWorld, path: &Path) -> io::Result<String> {
    world.read(path).map(|content| String::from_utf8_lossy(&content).into_owned())
}

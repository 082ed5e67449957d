//! Values that options take.
//!
//! Sets of words are closed: another word is refused while the arguments are parsed, and the message
//! lists the possible ones. Sizes are whole bytes, computed in integers, and refused when they overflow.

use clap::ValueEnum;

/// When a terminal feature is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum When {
    /// If standard output is a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Kinds of directory entries, with the letters of `find -type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileKind {
    /// Regular file
    #[value(alias = "f")]
    File,
    /// Directory
    #[value(alias = "d", alias = "folder")]
    Dir,
    /// Symbolic link
    #[value(alias = "l", alias = "symlink")]
    Link,
    /// Named pipe
    #[value(alias = "p", alias = "pipe")]
    Fifo,
    /// Unix socket
    #[value(alias = "s")]
    Socket,
    /// Block device
    #[value(alias = "b")]
    Block,
    /// Character device
    #[value(alias = "c")]
    Char,
    /// Named data stream (NTFS)
    Stream,
}

/// What `stats` groups by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatsKey {
    /// Extension
    #[default]
    Ext,
    /// Kind of entry
    Type,
    /// Size class
    Size,
    /// Age of the last change
    Age,
    /// Owner
    Owner,
    /// Top folder
    Folder,
}

/// A number of bytes: `4096`, `10k`, `1.5mb`, `2GiB`; units are powers of 1024, as in queries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ByteSize(pub(crate) u64);

impl std::str::FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let split = text.find(|ch: char| !ch.is_ascii_digit() && ch != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let wrong = || format!("`{text}` is not a size; write for example 4096, 10k, 1.5mb or 2gb");
        let shift = unit_shift(&unit.to_ascii_lowercase()).ok_or_else(wrong)?;
        let exact = |number: u64| number.checked_mul(1 << shift).ok_or_else(wrong);
        match number.parse::<u64>() {
            Ok(number) => exact(number).map(ByteSize),
            Err(_) => fraction(number, shift).map(ByteSize).ok_or_else(wrong),
        }
    }
}

/// A time to wait: `500ms`, `2s`, `1m`; a plain number is milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaitTime {
    /// Milliseconds.
    pub(crate) ms: u64,
}

impl std::str::FromStr for WaitTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let split = text.find(|ch: char| !ch.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let unit_ms = match unit {
            "" | "ms" => Some(1),
            "s" => Some(1000),
            "m" | "min" => Some(60_000),
            _ => None,
        };
        let ms = number.parse::<u64>().ok().zip(unit_ms).and_then(|(number, unit)| number.checked_mul(unit));
        ms.map(|ms| WaitTime { ms })
            .ok_or_else(|| format!("`{text}` is not a time to wait; write for example 500ms, 2s or 1m"))
    }
}

/// Power of two behind a unit.
fn unit_shift(unit: &str) -> Option<u32> {
    let letter = match unit {
        "" | "b" => return Some(0),
        _ => unit.strip_suffix("ib").or(unit.strip_suffix('b')).unwrap_or(unit),
    };
    ["k", "m", "g", "t", "p"].iter().position(|known| *known == letter).map(|at| 10 * (at as u32 + 1))
}

/// `1.5` in units of 2^shift, in integers; at most nine decimals.
fn fraction(number: &str, shift: u32) -> Option<u64> {
    let (whole, part) = number.split_once('.')?;
    if part.is_empty() || part.len() > 9 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let scale = 10u128.pow(u32::try_from(part.len()).ok()?);
    let digits = whole.parse::<u128>().ok()? * scale + part.parse::<u128>().ok()?;
    u64::try_from((digits << shift) / scale).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("512b", 512),
            ("10k", 10 << 10),
            ("10KiB", 10 << 10),
            ("1.5mb", 3 << 19),
            ("2G", 2 << 30),
            ("1t", 1 << 40),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
    }

    #[test]
    fn times_to_wait_are_read() {
        for (text, ms) in
            [("0", 0), ("500", 500), ("500ms", 500), ("2s", 2000), ("1m", 60_000), ("3min", 180_000)]
        {
            assert_eq!(text.parse(), Ok(WaitTime { ms }), "{text}");
        }
        for text in ["", "s", "1h", "1.5s", "-1", "1 s", "9999999999999999999m", "99999999999999999999"] {
            assert!(text.parse::<WaitTime>().is_err(), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "k", "1x", "1.", ".5", "1.2.3k", "-1", "99999999999t", "1 k", "1e3"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }
}

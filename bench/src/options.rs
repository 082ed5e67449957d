//! Command line of the benchmark program.
//!
//! Parsed by hand, as it is small. An unknown option or a bad number is an error, so that a
//! mistyped run never passes for the one that was meant.

use std::ffi::OsString;
use std::path::PathBuf;

/// Times given to generated entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    /// Moved by up to 30 days, at random to the nanosecond: the hardest case for compression.
    Scattered,
    /// As the original entry has them.
    Copied,
}

/// What to measure, and how much of it.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) command: String,
    pub(crate) path: PathBuf,
    pub(crate) entries: usize,
    pub(crate) needles: usize,
    pub(crate) peer_needles: usize,
    pub(crate) pairs: usize,
    pub(crate) threads: usize,
    pub(crate) seed: u64,
    pub(crate) times: Times,
}

impl Options {
    /// Reads `COMMAND [OPTION VALUE]… [PATH]`.
    pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let mut options = Options {
            command: String::new(),
            path: PathBuf::from("/"),
            entries: 10_000_000,
            needles: 1000,
            peer_needles: 100,
            pairs: 5,
            threads: hearth_files::scan::default_threads(),
            seed: 1,
            times: Times::Scattered,
        };
        let mut arguments = arguments;
        options.command = arguments.next().and_then(|name| name.into_string().ok()).ok_or("no command")?;
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some(name) if name.starts_with("--") => options.set(name, arguments.next())?,
                _ => options.path = PathBuf::from(argument),
            }
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: Option<OsString>) -> Result<(), String> {
        let value = value.ok_or_else(|| format!("{name} needs a value"))?;
        let value = value.to_str().ok_or_else(|| format!("{name}: not Unicode"))?;
        let count = || number(value).ok_or_else(|| format!("{name}: `{value}` is no number"));
        match name {
            "--entries" => self.entries = count()?,
            "--needles" => self.needles = count()?,
            "--peer-needles" => self.peer_needles = count()?,
            "--pairs" => self.pairs = count()?,
            "--threads" => self.threads = count()?.max(1),
            "--seed" => self.seed = count()? as u64,
            "--times" => self.times = times(value).ok_or_else(|| format!("{name}: scattered or copied"))?,
            _ => return Err(format!("unknown option {name}")),
        }
        Ok(())
    }
}

/// A count such as `1000`, `10_000`, `500k`, `10m`.
fn number(text: &str) -> Option<usize> {
    let text = text.replace('_', "").to_lowercase();
    let (digits, factor) = match text.strip_suffix(['k', 'm']) {
        Some(digits) if text.ends_with('k') => (digits, 1000),
        Some(digits) => (digits, 1_000_000),
        None => (text.as_str(), 1),
    };
    digits.parse::<usize>().ok()?.checked_mul(factor)
}

fn times(word: &str) -> Option<Times> {
    match word {
        "scattered" => Some(Times::Scattered),
        "copied" => Some(Times::Copied),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn numbers_have_suffixes() {
        assert_eq!(parse("index --entries 10m").unwrap().entries, 10_000_000);
        assert_eq!(parse("index --entries 1_500").unwrap().entries, 1500);
        assert_eq!(parse("index --entries 3k").unwrap().entries, 3000);
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for line in ["", "index --entries", "index --entries ten", "index --entires 3", "index --times now"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}

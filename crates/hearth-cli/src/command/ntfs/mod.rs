//! `hearth ntfs`: what is on an NTFS disk, one record of it, its change journal.
//!
//! The daemon reads and decodes; here its answers become text for people or JSON Lines. A disk is a path where the
//! argument looks like one or is there as a file, else the name of a source.

mod info;
mod journal;
mod record;

use crate::args::ntfs::{NtfsAction, NtfsArgs};
use crate::console::Console;
use crate::exit::Outcome;
use crate::query_text::absolute;
use crate::text::width::columns;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

/// Carries out one of them.
pub(crate) fn run(args: &NtfsArgs, console: &mut Console) -> Outcome {
    match &args.action {
        NtfsAction::Info(args) => info::run(args, console),
        NtfsAction::Record(args) => record::run(args, console),
        NtfsAction::Journal(args) => journal::run(args, console),
    }
}

/// The disk that an argument names: an absolute path, or the name of a source.
fn disk(argument: &OsStr, cwd: &Path) -> Vec<u8> {
    let bytes = argument.as_bytes();
    let is_path = bytes.contains(&b'/')
        || [argument, without_partition(argument)].iter().any(|name| cwd.join(name).exists());
    if is_path { absolute(Path::new(argument), cwd).into_os_string().into_vec() } else { bytes.to_vec() }
}

/// `disk.img#2` without `#2`.
fn without_partition(argument: &OsStr) -> &OsStr {
    let bytes = argument.as_bytes();
    let at = bytes.iter().rposition(|byte| *byte == b'#').filter(|at| *at > 0);
    OsStr::from_bytes(&bytes[..at.unwrap_or(bytes.len())])
}

/// Appends lines of two columns, set in by `indent`.
fn push_pairs(out: &mut Vec<u8>, indent: usize, pairs: &[(&str, String)]) {
    let width = pairs.iter().map(|(key, _)| columns(key)).max().unwrap_or(0);
    for (key, value) in pairs {
        let padding = " ".repeat(width - columns(key));
        out.extend_from_slice(format!("{}{key}{padding}  {value}\n", " ".repeat(indent)).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_a_path_or_a_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let cwd = folder.path().canonicalize().expect("it exists");
        std::fs::write(cwd.join("disk.img"), "").expect("a file");
        let given = |text: &str| String::from_utf8(disk(OsStr::new(text), &cwd)).expect("all is text");
        let here = |name: &str| cwd.join(name).display().to_string();
        assert_eq!(given("disk.img"), here("disk.img"));
        assert_eq!(given("disk.img#2"), here("disk.img#2"));
        assert_eq!(given("./gone.img#2"), here("gone.img#2"));
        assert_eq!(given("windows"), "windows");
        assert_eq!(given("windows#2"), "windows#2");
        assert_eq!(given("/dev/sdb"), "/dev/sdb");
    }

    #[test]
    fn pairs_stand_below_each_other() {
        let mut out = Vec::new();
        push_pairs(&mut out, 2, &[("a", "1".into()), ("long", "2".into())]);
        assert_eq!(out, b"  a     1\n  long  2\n");
    }
}

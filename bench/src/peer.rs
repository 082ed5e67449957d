//! Running other programs: finding them, timing them from start to exit, a place for their files.
//!
//! Output always goes through a pipe and is read to its end: a program that writes to `/dev/null` may
//! do less than it does for its users.

use crate::samples::Samples;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Full path of a program; system administration folders count as well.
pub(crate) fn program(name: &str) -> io::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")]);
    let mut candidates = folders.map(|folder| folder.join(name));
    candidates
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| io::Error::other(format!("{name} is not installed; run scripts/setup bench")))
}

/// A finished run of a program.
pub(crate) struct Finished {
    pub(crate) success: bool,
    pub(crate) code: Option<i32>,
    pub(crate) bytes: u64,
    pub(crate) stdout: Vec<u8>,
}

/// Runs a command to its end; its time goes to `samples`, its output is read from a pipe meanwhile.
pub(crate) fn timed(command: &mut Command, samples: &mut Samples) -> io::Result<Finished> {
    let begun = Instant::now();
    let finished = run(command, true)?;
    samples.push(begun.elapsed());
    Ok(finished)
}

/// Like [`timed`], but only counts the bytes of the output.
pub(crate) fn drained(command: &mut Command, samples: &mut Samples) -> io::Result<Finished> {
    let begun = Instant::now();
    let finished = run(command, false)?;
    samples.push(begun.elapsed());
    Ok(finished)
}

fn run(command: &mut Command, keep: bool) -> io::Result<Finished> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut output = child.stdout.take().expect("the output is piped");
    let mut stdout = Vec::new();
    let bytes = if keep { output.read_to_end(&mut stdout)? as u64 } else { drain(&mut output)? };
    let status = child.wait()?;
    Ok(Finished { success: status.success(), code: status.code(), bytes, stdout })
}

fn drain(output: &mut impl Read) -> io::Result<u64> {
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = 0;
    loop {
        match output.read(&mut buffer)? {
            0 => return Ok(bytes),
            read => bytes += read as u64,
        }
    }
}

/// Runs a command that must succeed.
pub(crate) fn must(command: &mut Command) -> io::Result<Finished> {
    let finished = run(command, true)?;
    if finished.success {
        Ok(finished)
    } else {
        Err(io::Error::other(format!("{command:?}: {:?}", finished.code)))
    }
}

/// A folder in the temporary folder that is removed with this value.
pub(crate) struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    pub(crate) fn new(purpose: &str) -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("hearth-bench-{purpose}.{}", std::process::id()));
        std::fs::create_dir(&path)?;
        Ok(TemporaryFolder(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.0.join(name.as_ref())
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // What cannot be removed stays in the temporary folder; nothing else can be done about it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

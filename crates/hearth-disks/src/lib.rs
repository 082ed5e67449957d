//! File systems that a test or a benchmark has for itself, and what programs do in them.
//!
//! A [`Disk`] is an empty file system of a given [`Kind`], made in a sparse file and mounted until the value is
//! dropped, also by a panic. What the machine or the user cannot do is left out with a word on the error stream,
//! never silently. A test whose whole process is to see the mounts, and whose mounts are to go with it even when
//! it is killed, asks [`own_mounts`] first.

pub mod acts;
pub mod ntfs;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Length of the sparse file below a file system, bytes.
const DISK_BYTES: u64 = 1 << 30;
/// Set in the process that has mounts of its own.
const INSIDE: &str = "HEARTH_TEST_OWN_MOUNTS";

/// Kinds of file systems.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In memory.
    Tmpfs,
    /// In a file.
    Ext4,
    /// In a file.
    Xfs,
    /// In a file; see [`subvolume`].
    Btrfs,
    /// Over two folders of one file system in memory; some files are in the lower one.
    Overlay,
}

impl Kind {
    /// The name by which `mount(8)` knows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tmpfs => "tmpfs",
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
            Self::Overlay => "overlay",
        }
    }

    /// Arguments of the program that formats a file; `None` where there is nothing to format.
    fn format(self) -> Option<&'static [&'static str]> {
        match self {
            // An inode for every block: tests make many small files.
            Self::Ext4 => Some(&["mkfs.ext4", "-q", "-F", "-i", "4096"]),
            Self::Xfs => Some(&["mkfs.xfs", "-q", "-f"]),
            Self::Btrfs => Some(&["mkfs.btrfs", "-q", "-f"]),
            Self::Tmpfs | Self::Overlay => None,
        }
    }
}

/// A file system, until it is dropped.
#[derive(Debug)]
pub struct Disk {
    /// Its top folder, a canonical path.
    pub root: PathBuf,
    kind: Kind,
    mounted: Vec<PathBuf>,
    temp: TempDir,
}

impl Disk {
    /// A new file system; `None`, and a word for `test`, where the machine or user cannot make it.
    ///
    /// # Panics
    /// If there is no room in the temporary folder.
    pub fn new(kind: Kind, test: &str) -> Option<Self> {
        let temp = tempfile::Builder::new().prefix("hearth-disk-").tempdir().expect("a folder");
        let root = temp.path().canonicalize().expect("just made").join("top");
        fs::create_dir(&root).expect("made");
        let mut disk = Self { root, kind, mounted: Vec::new(), temp };
        match disk.make() {
            Ok(()) => Some(disk),
            Err(problem) => {
                left_out(&format!("{test} on {}", kind.as_str()), &problem);
                None
            }
        }
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// A folder on the file system of temporary files that goes with the disk.
    pub fn beside(&self) -> &Path {
        self.temp.path()
    }

    fn make(&mut self) -> Result<(), String> {
        let root = self.root.clone();
        match self.kind.format() {
            Some(format) => self.mount(&["-o", "loop"], &formatted(format, self.temp.path())?, &root),
            None if self.kind == Kind::Tmpfs => self.mount(&["-t", "tmpfs"], Path::new("hearth-disk"), &root),
            None => self.overlay(),
        }
    }

    /// Both folders lie in memory, so that what is below does not matter.
    fn overlay(&mut self) -> Result<(), String> {
        let base = self.root.with_file_name("base");
        fs::create_dir(&base).expect("made");
        self.mount(&["-t", "tmpfs"], Path::new("hearth-disk"), &base)?;
        for folder in ["lower/below", "upper", "work"] {
            fs::create_dir_all(base.join(folder)).expect("made");
        }
        for name in ["lower/below/one", "lower/below/two", "lower/three"] {
            fs::write(base.join(name), name).expect("written");
        }
        let shown = base.display();
        let options = format!("lowerdir={shown}/lower,upperdir={shown}/upper,workdir={shown}/work");
        let root = self.root.clone();
        self.mount(&["-t", "overlay", "-o", &options], Path::new("hearth-disk"), &root)
    }

    fn mount(&mut self, how: &[&str], what: &Path, on: &Path) -> Result<(), String> {
        run("mount", how, &[what, on])?;
        self.mounted.push(on.to_owned());
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        for mounted in self.mounted.iter().rev() {
            // What cannot be undone is undone when the temporary folder of the machine is; nobody to tell.
            let _ = run("umount", &["--lazy"], &[mounted]);
        }
    }
}

/// Makes a subvolume on btrfs.
///
/// # Errors
/// The program's complaint.
pub fn subvolume(at: &Path) -> Result<(), String> {
    run("btrfs", &["subvolume", "create"], &[at])
}

/// Makes a writable snapshot of a subvolume on btrfs; inodes in it have the numbers of the original.
///
/// # Errors
/// The program's complaint.
pub fn snapshot(of: &Path, at: &Path) -> Result<(), String> {
    run("btrfs", &["subvolume", "snapshot"], &[of, at])
}

/// A new file in `folder`, formatted.
fn formatted(format: &[&str], folder: &Path) -> Result<PathBuf, String> {
    let image = folder.join("image");
    File::create(&image).and_then(|file| file.set_len(DISK_BYTES)).map_err(|error| error.to_string())?;
    run(format[0], &format[1..], &[&image])?;
    Ok(image)
}

/// Runs a program quietly.
fn run(program: &str, arguments: &[&str], paths: &[&Path]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).args(paths).stdin(Stdio::null()).output();
    match output {
        Err(error) => Err(format!("{program}: {error}")),
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

/// Says on the error stream what is left out and why.
pub fn left_out(what: &str, why: &str) {
    // Without an error stream there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{what}: left out, {why}");
}

/// Whether this process has mounts of its own, which end with it. Where it has not, the test with this path
/// (modules without the crate, `::`, the function) is run in a process that has, and the caller has nothing left
/// to do; where that cannot be, the test is left out.
///
/// # Panics
/// If the test fails there, or there is no such test.
pub fn own_mounts(test: &str) -> bool {
    const APART: [&str; 4] = ["--mount", "--propagation=private", "--fork", "--kill-child"];
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if let Err(problem) = run("unshare", &[&APART[..], &["true"]].concat(), &[]) {
        left_out(test, &problem);
        return false;
    }
    let mut command = Command::new("unshare");
    command.args(APART).arg(std::env::current_exe().expect("this program has a path"));
    command.args(["--exact", test, "--include-ignored", "--nocapture", "--test-threads=1"]).env(INSIDE, "1");
    let output = command.output().expect("it ran a moment ago");
    let text = String::from_utf8_lossy(&output.stdout);
    let told = [text.as_bytes(), &output.stderr].concat();
    std::io::stderr().write_all(&told).expect("an error stream");
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{test}, run with mounts of its own: failed"
    );
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [Kind; 5] = [Kind::Tmpfs, Kind::Ext4, Kind::Xfs, Kind::Btrfs, Kind::Overlay];

    fn mounts() -> String {
        fs::read_to_string("/proc/self/mountinfo").expect("a mount table")
    }

    #[test]
    fn a_disk_is_what_it_is_called_and_goes_with_its_value() {
        if !own_mounts("tests::a_disk_is_what_it_is_called_and_goes_with_its_value") {
            return;
        }
        let before = mounts();
        for kind in KINDS {
            let Some(disk) = Disk::new(kind, "a disk") else { continue };
            let root = disk.root.to_str().expect("plain").to_owned();
            let (all, on, is) = (mounts(), format!(" {root} "), format!(" - {} ", kind.as_str()));
            assert!(all.lines().any(|line| line.contains(&on) && line.contains(&is)), "{all}");
            fs::write(disk.root.join("file"), "x").expect("it can be written to");
            let broken = std::panic::catch_unwind(move || {
                let _disk = disk;
                panic!("a test that fails");
            });
            assert!(broken.is_err() && mounts() == before, "{kind:?}");
        }
    }

    #[test]
    fn a_process_with_mounts_of_its_own_hides_them_from_others() {
        if own_mounts("tests::a_process_with_mounts_of_its_own_hides_them_from_others") {
            let own = fs::read_link("/proc/self/ns/mnt").expect("shown");
            let parents = std::os::unix::process::parent_id();
            let parents = fs::read_to_string(format!("/proc/{parents}/stat")).expect("shown");
            let outer =
                parents.rsplit_once(')').and_then(|(_, rest)| rest.split(' ').nth(2)).expect("its parent");
            assert_ne!(fs::read_link(format!("/proc/{outer}/ns/mnt")).expect("shown"), own);
        }
    }
}

//! File systems for the tests, what can be done in them, and what of it can be seen.
//!
//! Every test that mounts does so in a mount namespace of its thread, which ends with it, whatever happens.

pub(crate) mod acts;
pub(crate) mod sight;

use hearth_watch::{Batch, Cookie, Feed};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longest wait for something that must come.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Kinds of file systems that a test can have for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tmpfs,
    Ext4,
    Xfs,
    Btrfs,
}

pub(crate) const KINDS: [Kind; 4] = [Kind::Tmpfs, Kind::Ext4, Kind::Xfs, Kind::Btrfs];

/// An empty file system, until the end of the test.
pub(crate) struct Place {
    pub(crate) root: PathBuf,
    _temp: TempDir,
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.root).status();
    }
}

/// Says on the error stream what is left out and why.
pub(crate) fn left_out(what: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "{what}: left out, {why}");
}

/// Whether this thread may mount; if it may, it has a mount namespace of its own from now on.
pub(crate) fn may_mount(test: &str) -> bool {
    // SAFETY: the call takes no pointers; it changes the namespace and working folder of this thread only.
    let separate = unsafe { libc::unshare(libc::CLONE_NEWNS) } == 0;
    let separate = separate && run("mount", &["--make-rprivate", "/"]);
    if !separate {
        left_out(test, "this user may not mount");
    }
    separate
}

/// Runs a program quietly; whether it succeeded.
pub(crate) fn run(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A new file system of this kind; `None` and a message where the machine cannot.
pub(crate) fn mounted(kind: Kind, test: &str) -> Option<Place> {
    let temp = tempfile::tempdir().expect("a folder");
    let root = temp.path().join("mount");
    std::fs::create_dir(&root).expect("made");
    let path = root.to_str().expect("plain").to_owned();
    let done = match kind {
        Kind::Tmpfs => run("mount", &["-t", "tmpfs", "-o", "size=512m", "hearth-test", &path]),
        _ => formatted(kind, &temp.path().join("image"))
            .is_some_and(|image| run("mount", &["-o", "loop", &image, &path])),
    };
    if !done {
        left_out(&format!("{test} on {kind:?}"), "it cannot be made or mounted here (mkfs.xfs, mkfs.btrfs?)");
        return None;
    }
    Some(Place { root, _temp: temp })
}

fn formatted(kind: Kind, image: &Path) -> Option<String> {
    let file = std::fs::File::create(image).expect("made");
    file.set_len(400 << 20).expect("sparse");
    let path = image.to_str().expect("plain").to_owned();
    let done = match kind {
        Kind::Ext4 => run("mkfs.ext4", &["-q", "-F", &path]),
        Kind::Xfs => run("mkfs.xfs", &["-q", "-f", &path]),
        Kind::Btrfs => run("mkfs.btrfs", &["-q", "-f", &path]),
        Kind::Tmpfs => false,
    };
    done.then_some(path)
}

/// All batches until a cookie that is dropped now has passed, as one.
pub(crate) fn catch_up(feed: &mut dyn Feed) -> Batch {
    let cookie = feed.drop_cookie().expect("a cookie");
    read_until(feed, cookie)
}

/// All batches until the one with that cookie, as one.
pub(crate) fn read_until(feed: &mut dyn Feed, cookie: Cookie) -> Batch {
    let deadline = Instant::now() + LONG;
    let mut all: Option<Batch> = None;
    while !all.as_ref().is_some_and(|all| all.cookies.contains(&cookie)) {
        assert!(Instant::now() < deadline, "the cookie must pass; so far {all:?}");
        if let Some(batch) = feed.next(LONG).expect("the feed works") {
            all = Some(joined(all, batch));
        }
    }
    all.expect("with a cookie")
}

/// Two batches as one.
pub(crate) fn joined(earlier: Option<Batch>, later: Batch) -> Batch {
    let Some(mut all) = earlier else { return later };
    assert!(later.clock > all.clock, "the clock grows");
    all.dirt.extend(later.dirt);
    all.overflowed |= later.overflowed;
    all.cookies.extend(later.cookies);
    all.acts.extend(later.acts);
    all.elsewhere += later.elsewhere;
    all.clock = later.clock;
    all
}

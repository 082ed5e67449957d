//! File systems for the tests, what can be done in them, and what of it can be seen.
//!
//! Every test that mounts does so in a mount namespace of its thread, which ends with it, whatever happens.

pub(crate) mod sight;

use hearth_disks::{Kind, left_out};
use hearth_watch::{Batch, Cookie, Feed};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for something that must come.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// File systems that tell by themselves what happens.
pub(crate) const KINDS: [Kind; 4] = [Kind::Tmpfs, Kind::Ext4, Kind::Xfs, Kind::Btrfs];

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

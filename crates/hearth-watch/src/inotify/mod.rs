//! The feed of a tree for anybody: a watch on each folder.
//!
//! A folder is watched first and listed after that, so whatever comes into it is either listed or told. A folder that comes
//! later is told as [`Dirt::Folder`](crate::Dirt::Folder) once its watch is there. Events name watches; `places` knows where
//! those are. What the events of a moment ago say about a path may be wrong by now, so each opened folder is
//! checked against the folder above it, and tried again later if things are in motion.
//!
//! - After a lost event the tree of watches is gone over again, beside the overflow that is reported.
//! - A file's other hard links are not told about: who looks at the name that is must look after those. Of a link that came
//!   and went, nobody knows which file it led to.
//! - Folders that may not be read are not watched until their mode changes.

mod events;
mod grow;
mod look;
mod places;

use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::{Errno, ioctl_fionread};

use crate::cookie::CookieFolder;
use crate::error::FeedError;
use crate::feed::{Feed, FeedKind, FeedOptions, Writes};
use crate::handle::Signals;
use crate::paced::{Paced, Sink, Source};
use crate::pending::ObjectId;
use events::Event;
use places::Places;

const BUFFER_BYTES_LEAST: usize = 8 << 10;
const LIMIT_FILE: &str = "/proc/sys/fs/inotify/max_user_watches";
/// How long the second half of a rename is waited for; it follows the first at once if it follows.
const HALF_RENAME: Duration = Duration::from_millis(20);
/// Time between two looks at a folder in motion.
const AGAIN_AFTER: Duration = Duration::from_millis(5);
/// Looks at a folder in motion before all watches are gone over.
const TRIES: u32 = 40;

/// Says whether a folder is part of the tree, by its path and device. Not asked for the root.
pub type Enter = Box<dyn FnMut(&Path, u64) -> bool + Send>;

/// Watches the tree below the folder `root`, from now on. Links are not followed; folders that `enter` refuses are not watched.
///
/// # Errors
/// [`FeedError::LimitReached`] and [`FeedError::NoInstance`]: poll instead.
pub fn open(root: &Path, enter: Enter, options: &FeedOptions) -> Result<impl Feed + use<>, FeedError> {
    let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(|error| match error {
        Errno::MFILE => FeedError::NoInstance,
        other => FeedError::io("inotify", other),
    })?;
    let mut tree = Tree::new(fd, root, enter, options)?;
    tree.sweep(None).map_err(|error| tree.with_count(error))?;
    let folder = options.cookie_folder.as_deref().map(CookieFolder::open).and_then(Result::ok);
    tree.watch_cookies(folder.as_ref());
    Paced::new(tree, Signals::new(folder)?, options)
}

/// A queue with a watch on each folder of a tree.
struct Tree {
    fd: OwnedFd,
    buffer: Vec<u8>,
    /// Bytes read so far.
    position: u64,
    mask: WatchFlags,
    limit: u64,
    places: Places,
    enter: Enter,
    /// Watch of the folder of cookies, which need not be in the tree.
    cookies: Option<i32>,
    moved_away: Vec<MovedAway>,
    displaced: Vec<Displaced>,
    again: Vec<Again>,
    must_sweep: bool,
}

/// A folder of which only the first half of a rename was seen.
struct MovedAway {
    cookie: u32,
    watch: i32,
    since: Instant,
}

/// A folder whose place another one took: as a rule it was overwritten and ends.
struct Displaced {
    watch: i32,
    since: Instant,
}

/// A folder that was in motion when it was to be watched.
struct Again {
    parent: i32,
    name: Box<[u8]>,
    tries: u32,
    due: Instant,
}

impl Tree {
    fn new(fd: OwnedFd, root: &Path, enter: Enter, options: &FeedOptions) -> Result<Self, FeedError> {
        let root = root.canonicalize().map_err(|error| FeedError::io(root.display().to_string(), error))?;
        let limit = allowed_watches(options.watches_percent)?;
        let mask = mask_of(options.writes);
        let (folder, status) =
            look::open_and_stat(&root).map_err(|error| FeedError::io(root.display().to_string(), error))?;
        let own = mask | WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF;
        let watch =
            add_watch(&fd, folder.as_fd(), own).map_err(|error| FeedError::io("watch of the root", error))?;
        let places = Places::new(&root, watch, status.st_ino);
        let buffer = vec![0; options.buffer_bytes.max(BUFFER_BYTES_LEAST)];
        Ok(Self {
            fd,
            buffer,
            position: 0,
            mask,
            limit,
            places,
            enter,
            cookies: None,
            moved_away: Vec::new(),
            displaced: Vec::new(),
            again: Vec::new(),
            must_sweep: false,
        })
    }

    fn watch_cookies(&mut self, folder: Option<&CookieFolder>) {
        let opened = folder.and_then(|folder| look::open_folder(folder.path()).ok());
        let mask = WatchFlags::CREATE | WatchFlags::ONLYDIR | WatchFlags::MASK_ADD;
        self.cookies = opened.and_then(|opened| add_watch(&self.fd, opened.as_fd(), mask).ok());
    }

    fn root_gone(&self) -> FeedError {
        FeedError::RootGone { path: self.places.root_path().to_owned() }
    }

    fn see(&mut self, event: &Event<'_>, sink: &mut Sink<'_>) -> Result<(), FeedError> {
        let mask = Mask(event.mask);
        if mask.has(libc::IN_Q_OVERFLOW) {
            sink.overflow();
            self.must_sweep = true;
            return Ok(());
        }
        let known = self.places.get(event.watch).map(|folder| folder.inode);
        if mask.has(libc::IN_IGNORED) {
            return self.see_end(event.watch, sink);
        }
        match known {
            Some(folder) if event.name.is_empty() => self.see_itself(event.watch, folder, mask, sink),
            Some(folder) => self.see_name(event, folder, mask, sink),
            None => {
                if self.cookies == Some(event.watch)
                    && let Some(cookies) = sink.signals.cookie_folder()
                {
                    sink.cookie(cookies.inode(), event.name);
                }
                Ok(())
            }
        }
    }

    /// A watch has ended.
    fn see_end(&mut self, watch: i32, sink: &mut Sink<'_>) -> Result<(), FeedError> {
        if self.cookies == Some(watch) {
            self.cookies = None;
            sink.signals.give_up_folder();
        }
        if watch == self.places.root() {
            return Err(self.root_gone());
        }
        self.places.forget(watch);
        Ok(())
    }

    /// Something happened to a watched folder itself; its parent tells of it too, except for the root.
    fn see_itself(
        &mut self,
        watch: i32,
        folder: u64,
        mask: Mask,
        sink: &mut Sink<'_>,
    ) -> Result<(), FeedError> {
        if watch != self.places.root() {
            return Ok(());
        }
        if mask.has(libc::IN_DELETE_SELF | libc::IN_MOVE_SELF | libc::IN_UNMOUNT) {
            return Err(self.root_gone());
        }
        sink.pending.add_object(ObjectId::of_inode(folder));
        Ok(())
    }

    fn see_name(
        &mut self,
        event: &Event<'_>,
        folder: u64,
        mask: Mask,
        sink: &mut Sink<'_>,
    ) -> Result<(), FeedError> {
        if !sink.name(folder, event.name) || !mask.has(libc::IN_ISDIR) {
            return Ok(());
        }
        if mask.has(libc::IN_MOVED_FROM) {
            self.leave(event, sink)?;
        } else if mask.has(libc::IN_MOVED_TO) {
            self.arrive(event, sink)?;
        } else if mask.has(libc::IN_CREATE)
            || (mask.has(libc::IN_ATTRIB) && self.places.child(event.watch, event.name).is_none())
        {
            self.grow(event.watch, event.name, sink)?;
        }
        Ok(())
    }

    /// A folder left by a rename. Another one may be at its place since, without an event of its own to come: two
    /// that are exchanged come before they leave.
    fn leave(&mut self, event: &Event<'_>, sink: &mut Sink<'_>) -> Result<(), FeedError> {
        let since = Instant::now();
        let left = self.places.take(event.watch, event.name);
        self.grow(event.watch, event.name, sink)?;
        let left = left.filter(|watch| !self.places.is_placed(*watch));
        self.moved_away.extend(left.map(|watch| MovedAway { cookie: event.cookie, watch, since }));
        Ok(())
    }

    /// A folder came by a rename: it keeps its watches if it was in the tree, and loses them if it is no longer let in.
    fn arrive(&mut self, event: &Event<'_>, sink: &mut Sink<'_>) -> Result<(), FeedError> {
        let half = self.moved_away.iter().position(|half| half.cookie == event.cookie);
        let half = half.map(|at| self.moved_away.swap_remove(at).watch);
        let known = half.and_then(|watch| Some((watch, self.places.get(watch)?.inode)));
        if let Some((watch, inode)) = known {
            let _ = self.put(watch, inode, event.watch, event.name);
        }
        let is_there = self.grow(event.watch, event.name, sink)?;
        if let Some((watch, _)) = known
            && !is_there
            && self.places.child(event.watch, event.name) == Some(watch)
        {
            self.let_go(watch);
        }
        Ok(())
    }

    /// Goes over all watches if a folder that was displaced has neither ended nor found a place.
    fn settle_the_displaced(&mut self) {
        let now = Instant::now();
        let places = &self.places;
        self.displaced.retain(|one| places.get(one.watch).is_some() && !places.is_placed(one.watch));
        let before = self.displaced.len();
        self.displaced.retain(|one| now.duration_since(one.since) < HALF_RENAME);
        self.must_sweep |= self.displaced.len() < before;
    }

    fn let_go_of_the_moved_away(&mut self) {
        let now = Instant::now();
        let (gone, waiting) = std::mem::take(&mut self.moved_away)
            .into_iter()
            .partition::<Vec<_>, _>(|half| now.duration_since(half.since) >= HALF_RENAME);
        self.moved_away = waiting;
        for half in gone.iter().filter(|half| !self.places.is_placed(half.watch)).collect::<Vec<_>>() {
            self.let_go(half.watch);
        }
    }

    fn look_at_what_was_in_motion(&mut self, sink: &mut Sink<'_>) -> Result<(), FeedError> {
        let now = Instant::now();
        let (due, waiting) =
            std::mem::take(&mut self.again).into_iter().partition(|again: &Again| again.due <= now);
        self.again = waiting;
        for again in due {
            let seen = self.again.len();
            self.grow(again.parent, &again.name, sink)?;
            self.count_tries(seen, &again, sink);
        }
        Ok(())
    }

    /// Spaces further looks; what is in motion for too long is found by going over everything.
    fn count_tries(&mut self, before: usize, last: &Again, sink: &mut Sink<'_>) {
        let same = |again: &&mut Again| again.parent == last.parent && again.name == last.name;
        for again in self.again[before..].iter_mut().filter(same) {
            again.tries = last.tries + 1;
            again.due = Instant::now() + AGAIN_AFTER;
        }
        if self.again.iter().any(|again| again.tries > TRIES) {
            self.again.clear();
            self.must_sweep = true;
            sink.overflow();
        }
    }
}

impl Source for Tree {
    fn queue(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn read(&mut self, sink: &mut Sink<'_>) -> Result<bool, FeedError> {
        let length = match rustix::io::retry_on_intr(|| rustix::io::read(&self.fd, &mut self.buffer[..])) {
            Ok(length) => length,
            Err(Errno::AGAIN) => return Ok(false),
            Err(error) => return Err(FeedError::io("read of the inotify queue", error)),
        };
        self.position += u64::try_from(length).unwrap_or_default();
        let buffer = std::mem::take(&mut self.buffer);
        let seen = events::events(&buffer[..length]).try_fold(0, |count, event| {
            self.see(&event?, sink)?;
            Ok(count + 1)
        });
        self.buffer = buffer;
        sink.pending.count_events(seen.map_err(|error| self.with_count(error))?);
        Ok(length > 0)
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn queued(&self) -> Result<u64, FeedError> {
        ioctl_fionread(&self.fd).map_err(|error| FeedError::io("length of the queue", error))
    }

    fn due(&self) -> Option<Instant> {
        let since =
            self.moved_away.iter().map(|half| half.since).chain(self.displaced.iter().map(|one| one.since));
        since.map(|since| since + HALF_RENAME).chain(self.again.iter().map(|again| again.due)).min()
    }

    fn is_settled(&self) -> bool {
        self.again.is_empty()
    }

    fn at_rest(&mut self, sink: &mut Sink<'_>) -> Result<(), FeedError> {
        self.let_go_of_the_moved_away();
        self.settle_the_displaced();
        let looked = self.look_at_what_was_in_motion(sink);
        let swept = looked.and_then(|()| if self.must_sweep { self.sweep(Some(sink)) } else { Ok(()) });
        swept.map_err(|error| self.with_count(error))
    }

    fn describe(&self) -> FeedKind {
        FeedKind::Inotify { watches: u64::try_from(self.places.len()).unwrap_or(u64::MAX), limit: self.limit }
    }
}

/// Bits of an event.
#[derive(Clone, Copy)]
struct Mask(u32);

impl Mask {
    fn has(self, any_of: u32) -> bool {
        self.0 & any_of != 0
    }
}

fn mask_of(writes: Writes) -> WatchFlags {
    let names = WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVED_FROM | WatchFlags::MOVED_TO;
    let contents = match writes {
        Writes::AsTheyHappen => WatchFlags::CLOSE_WRITE | WatchFlags::MODIFY,
        Writes::WhenClosed => WatchFlags::CLOSE_WRITE,
    };
    names | contents | WatchFlags::ATTRIB | WatchFlags::ONLYDIR | WatchFlags::EXCL_UNLINK
}

/// Watches an open folder, and no other one that may be at its path by now.
fn add_watch(queue: &OwnedFd, folder: BorrowedFd<'_>, mask: WatchFlags) -> Result<i32, Errno> {
    inotify::add_watch(queue, format!("/proc/self/fd/{}", folder.as_raw_fd()), mask)
}

fn allowed_watches(percent: u8) -> Result<u64, FeedError> {
    let text = fs::read_to_string(LIMIT_FILE).map_err(|error| FeedError::io(LIMIT_FILE, error))?;
    let most: u64 =
        text.trim().parse().map_err(|_| FeedError::Malformed { what: "max_user_watches is no number" })?;
    Ok((most.saturating_mul(u64::from(percent.min(100))) / 100).max(1))
}

//! The feed of a whole file system: one mark, every change in it, by whatever mount it was made.
//!
//! Needs `CAP_SYS_ADMIN`. Events come with handles of the folder and the object and with the name
//! (`FAN_REPORT_DFID_NAME`), so that a file that is made, written and closed is usually one merged event. See `fanotify(7)`.
//!
//! - Writes through a mapping have no event until the mapping is undone. Writes to an open file tell the name by which it was
//!   opened, also when that is gone and another hard link is left.
//! - btrfs: the mark covers all subvolumes; there is dirt for the one that `path` lies in, events of others are counted.
//! - Nothing in the file system is held open: it can be unmounted, and the feed is then silent.

mod culprit;
mod events;
mod handles;
mod sys;
mod volume;

pub use volume::changes_elsewhere;

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use rustix::io::{Errno, ioctl_fionread};

use crate::batch::{Act, ActKind};
use crate::cookie::CookieFolder;
use crate::error::FeedError;
use crate::feed::{Feed, FeedKind, FeedOptions, Writes};
use crate::handle::Signals;
use crate::paced::{Paced, Sink, Source};
use crate::pending::ObjectId;
use culprit::{Culprits, Process};
use events::{Event, Handle, Place};
use handles::Decoder;
use volume::Volume;

/// Least size of the buffer: an event with two long names fits many times.
const BUFFER_BYTES_LEAST: usize = 8 << 10;
/// What the kernel counts for an event that waits (`FIONREAD`), bytes.
const COUNTED_BYTES: u64 = 24;
/// Objects of cookie files whose own events are hidden.
const HIDDEN: usize = 64;

const INIT: u32 = libc::FAN_CLASS_NOTIF
    | libc::FAN_CLOEXEC
    | libc::FAN_NONBLOCK
    | libc::FAN_REPORT_FID
    | libc::FAN_REPORT_DIR_FID
    | libc::FAN_REPORT_NAME;
const WATCHED: u64 = libc::FAN_CREATE
    | libc::FAN_DELETE
    | libc::FAN_DELETE_SELF
    | libc::FAN_ATTRIB
    | libc::FAN_CLOSE_WRITE
    | libc::FAN_ONDIR;

/// Kinds of acts by the events that tell them, for a name that is not the new one of a rename.
const ACTS: [(u64, ActKind); 5] = [
    (libc::FAN_CREATE, ActKind::Created),
    (libc::FAN_MOVED_TO, ActKind::RenamedTo),
    (libc::FAN_CLOSE_WRITE | libc::FAN_MODIFY, ActKind::Modified),
    (libc::FAN_ATTRIB, ActKind::Attributes),
    (libc::FAN_MOVED_FROM | libc::FAN_RENAME, ActKind::RenamedFrom),
];

/// Watches the file system that holds the folder `path`, from now on.
///
/// # Errors
/// [`FeedError::NotPermitted`] and [`FeedError::Unsupported`]: watch in another way.
pub fn open(path: &Path, options: &FeedOptions) -> Result<impl Feed + use<>, FeedError> {
    let volume = Volume::open(path)?;
    let group = marked_group(&volume, options)?;
    let folder = options.cookie_folder.as_deref().map(CookieFolder::open).and_then(Result::ok);
    let signals = Signals::new(folder)?;
    Paced::new(Group::new(group, &volume, path, options), signals, options)
}

/// A group with one mark on the whole file system; without what older kernels do not know.
fn marked_group(volume: &Volume, options: &FeedOptions) -> Result<OwnedFd, FeedError> {
    let queue = if options.unbounded_queue { libc::FAN_UNLIMITED_QUEUE } else { 0 };
    let writes = if options.writes == Writes::AsTheyHappen { libc::FAN_MODIFY } else { 0 };
    let since_5_17 = (INIT | queue | libc::FAN_REPORT_TARGET_FID, WATCHED | writes | libc::FAN_RENAME);
    let since_5_9 = (INIT | queue, WATCHED | writes | libc::FAN_MOVED_FROM | libc::FAN_MOVED_TO);
    let group = match try_group(volume, since_5_17) {
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => try_group(volume, since_5_9),
        other => other,
    };
    group.map_err(|error| volume.refused(error))
}

fn try_group(volume: &Volume, (flags, mask): (u32, u64)) -> io::Result<OwnedFd> {
    let group = sys::init(flags)?;
    let mark = libc::FAN_MARK_ADD | libc::FAN_MARK_FILESYSTEM;
    sys::mark(group.as_fd(), mark, mask, volume.whole.as_fd(), c".")?;
    Ok(group)
}

/// A marked group, read as a source.
struct Group {
    fd: OwnedFd,
    buffer: Vec<u8>,
    /// Events read so far.
    position: u64,
    eyes: Eyes,
}

/// What an event is understood with.
struct Eyes {
    fsid: [u8; 8],
    subvolume: u64,
    decoder: Decoder,
    /// Objects of cookie files.
    hidden: VecDeque<ObjectId>,
    /// Present if acts are wanted.
    culprits: Option<Culprits>,
}

impl Group {
    fn new(fd: OwnedFd, volume: &Volume, path: &Path, options: &FeedOptions) -> Self {
        let eyes = Eyes {
            fsid: volume.fsid,
            subvolume: volume.root.subvolume,
            decoder: Decoder::new(volume.magic, path),
            hidden: VecDeque::new(),
            culprits: (options.history > 0).then(Culprits::default),
        };
        let buffer = vec![0; options.buffer_bytes.max(BUFFER_BYTES_LEAST)];
        Self { fd, buffer, position: 0, eyes }
    }
}

impl Source for Group {
    fn queue(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    fn read(&mut self, sink: &mut Sink<'_>) -> Result<bool, FeedError> {
        let length = match rustix::io::retry_on_intr(|| rustix::io::read(&self.fd, &mut self.buffer[..])) {
            Ok(length) => length,
            Err(Errno::AGAIN) => return Ok(false),
            Err(error) => return Err(FeedError::io("read of the fanotify group", error)),
        };
        let before = self.position;
        for event in events::events(&self.buffer[..length]) {
            self.eyes.see(&event?, sink);
            self.position += 1;
        }
        sink.pending.count_events(self.position - before);
        Ok(length > 0)
    }

    fn position(&self) -> u64 {
        self.position
    }

    fn queued(&self) -> Result<u64, FeedError> {
        let bytes = ioctl_fionread(&self.fd).map_err(|error| FeedError::io("length of the queue", error))?;
        Ok(bytes / COUNTED_BYTES)
    }

    fn due(&self) -> Option<Instant> {
        None
    }

    fn is_settled(&self) -> bool {
        true
    }

    fn at_rest(&mut self, _: &mut Sink<'_>) -> Result<(), FeedError> {
        Ok(())
    }

    fn describe(&self) -> FeedKind {
        FeedKind::Fanotify
    }
}

impl Eyes {
    fn see(&mut self, event: &Event<'_>, sink: &mut Sink<'_>) {
        if event.mask & libc::FAN_Q_OVERFLOW != 0 {
            sink.overflow();
        } else if event.fsid != Some(self.fsid) {
            sink.pending.count_elsewhere();
        } else if let Some(place) = event.place {
            self.see_place(event, place, event.mask, sink);
        } else if let Some(object) = event.object {
            self.see_object(event.mask, object, sink);
        }
        if let Some(place) = event.new_place {
            self.see_place(event, place, libc::FAN_MOVED_TO, sink);
        }
    }

    /// `mask`: what happened at that place.
    fn see_place(&mut self, event: &Event<'_>, place: Place<'_>, mask: u64, sink: &mut Sink<'_>) {
        let name = match place.name {
            Some(name) if name != b"." => name,
            _ => return self.see_object(event.mask, place.folder, sink),
        };
        let Some(folder) = self.watched(place.folder) else { return sink.pending.count_elsewhere() };
        if sink.name(folder.inode, name) {
            self.note_acts(event, folder.inode, name, mask, sink);
        } else if let Some(object) = event.object.and_then(|object| self.watched(object)) {
            self.hidden.truncate(HIDDEN - 1);
            self.hidden.push_front(object);
        }
    }

    fn see_object(&mut self, mask: u64, object: Handle<'_>, sink: &mut Sink<'_>) {
        let Some(object) = self.watched(object) else { return sink.pending.count_elsewhere() };
        if mask & libc::FAN_DELETE_SELF != 0 {
            sink.pending.forget_object(object);
        } else if !self.hidden.contains(&object) {
            sink.pending.add_object(object);
        }
    }

    /// The object of a handle, if it is in the watched subvolume.
    fn watched(&mut self, handle: Handle<'_>) -> Option<ObjectId> {
        self.decoder.object(handle).filter(|object| object.subvolume == self.subvolume)
    }

    fn note_acts(&mut self, event: &Event<'_>, folder: u64, name: &[u8], mask: u64, sink: &mut Sink<'_>) {
        let Some(culprits) = &mut self.culprits else { return };
        let Process { command, uid } = culprits.process(event.pid);
        let at_ns = now_ns();
        let removed = (libc::FAN_DELETE, ActKind::Removed);
        for (_, kind) in ACTS.into_iter().chain([removed]).filter(|(bits, _)| mask & bits != 0) {
            let (name, command) = (name.into(), command.clone());
            sink.pending.add_act(Act { folder, name, kind, pid: event.pid, at_ns, command, uid });
        }
    }
}

fn now_ns() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}

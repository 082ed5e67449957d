//! Being told of pressure by the operating system, so that nobody has to look while nothing happens.
//!
//! A trigger of pressure stall information makes the file readable in priority once tasks stalled for long enough;
//! the events of a control group do so when they change. One thread waits for all of them and rings; how bad it is
//! judges the [`Gauge`](super::Gauge), which then looks. Every stall that a look a second would call pressure rings:
//! the trigger's threshold is the gauge's lowest, in any two seconds. Where stalls cannot be waited for there is no
//! alarm, and pressure has to be looked at again and again.
//!
//! Sources: the kernel's `accounting/psi.rst` and `admin-guide/cgroup-v2.rst` (`memory.events`), `poll(2)`.

use super::MemoryWorld;
use super::cgroup::Lineage;
use super::counters::PSI;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// Stalls of some tasks for 100 ms within 2 s, in microseconds. Windows that are no multiple of 2 s are for the
/// privileged only. The kernel takes the last byte for the end of the text.
const TRIGGER: &[u8] = b"some 100000 2000000\0";
/// Between two rings. Who is rung looks often enough for a while.
const PAUSE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
/// Enough of a file to make its later changes seen.
const READ_BYTES: usize = 4096;

/// Called, from any thread and without waiting, when there may be pressure to see.
pub(crate) type Ring = Box<dyn Fn() + Send>;

/// Rings when memory gets short.
pub(crate) trait Alarm: Send {
    /// Rings from now on.
    ///
    /// # Errors
    /// In words of the system: what it needs cannot be had; it never rings.
    fn start(&mut self, ring: Ring) -> io::Result<()>;

    /// Whether it rings when it should.
    fn works(&self) -> bool;
}

/// What the operating system rings for. Dropping it ends that.
pub(crate) struct SystemAlarm {
    /// Until it starts.
    triggers: Vec<Trigger>,
    works: Arc<AtomicBool>,
    thread: Option<(Arc<OwnedFd>, JoinHandle<()>)>,
}

/// A file whose priority data say that something happened.
struct Trigger {
    file: File,
    /// Whether it has to be read before the next event is seen.
    read: bool,
}

impl SystemAlarm {
    /// One for the stalls of the machine, and for the events of the control groups as far as they can be seen.
    ///
    /// # Errors
    /// Stalls, or events that the gauge reads, cannot be waited for.
    pub(crate) fn open(world: &dyn MemoryWorld) -> io::Result<Self> {
        let stalls = world.wait_for(Path::new(PSI), TRIGGER)?;
        let mut triggers = vec![Trigger { file: stalls, read: false }];
        let groups = Lineage::v2(world).ok().map(|lineage| (lineage.events(world), lineage.groups));
        let told = groups.into_iter().flat_map(|(events, groups)| groups.into_iter().zip(events));
        for (group, _) in told.filter(|(_, events)| events.is_some()) {
            let local = world.wait_for(&group.join("memory.events.local"), b"");
            let file = local.or_else(|_| world.wait_for(&group.join("memory.events"), b""))?;
            triggers.push(Trigger { file, read: true });
        }
        Ok(Self { triggers, works: Arc::default(), thread: None })
    }

    /// Groups whose events ring too.
    pub(super) fn groups(&self) -> usize {
        self.triggers.iter().filter(|trigger| trigger.read).count()
    }
}

impl Alarm for SystemAlarm {
    fn start(&mut self, ring: Ring) -> io::Result<()> {
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
        let triggers = std::mem::take(&mut self.triggers);
        let (works, stopped) = (Arc::clone(&self.works), Arc::clone(&stop));
        works.store(true, Ordering::Release);
        let watch = move || {
            if let Err(error) = watch(triggers, &stopped, &ring) {
                tracing::warn!(%error, "memory pressure cannot be waited for any more; it is looked at instead");
            }
            works.store(false, Ordering::Release);
            ring();
        };
        let thread = thread::Builder::new().name("hearth-pressure".to_owned()).spawn(watch);
        let thread = thread.inspect_err(|_| self.works.store(false, Ordering::Release))?;
        self.thread = Some((stop, thread));
        Ok(())
    }

    fn works(&self) -> bool {
        self.works.load(Ordering::Acquire)
    }
}

impl Drop for SystemAlarm {
    fn drop(&mut self) {
        let Some((stop, thread)) = self.thread.take() else { return };
        // Fails only if its counter is full, which it is then told by as well.
        let _ = rustix::io::write(&*stop, &1_u64.to_ne_bytes());
        // It panics at most if ringing does.
        let _ = thread.join();
    }
}

/// Rings until it is stopped, or a trigger that it cannot do without breaks.
fn watch(mut triggers: Vec<Trigger>, stop: &OwnedFd, ring: &Ring) -> io::Result<()> {
    triggers.retain(Trigger::is_caught_up);
    while let Some(seen) = wait(&triggers, stop)? {
        ring();
        if pause(stop)? {
            return Ok(());
        }
        let mut seen = seen.into_iter();
        triggers.retain(|trigger| !seen.next().unwrap_or_default() || trigger.is_caught_up());
    }
    Ok(())
}

impl Trigger {
    /// Makes the next event seen; false if the file has gone.
    fn is_caught_up(&self) -> bool {
        !self.read || self.file.read_at(&mut [0; READ_BYTES], 0).is_ok()
    }
}

/// Waits until something happened: which of the triggers said so; `None` when stopped.
fn wait(triggers: &[Trigger], stop: &OwnedFd) -> io::Result<Option<Vec<bool>>> {
    let waited = triggers.iter().map(|trigger| PollFd::new(&trigger.file, PollFlags::PRI));
    let mut polled: Vec<PollFd<'_>> = waited.chain([PollFd::new(stop, PollFlags::IN)]).collect();
    retry(|| poll(&mut polled, None))?;
    let happened: Vec<bool> = polled.iter().map(|polled| !polled.revents().is_empty()).collect();
    let Some((false, seen)) = happened.split_last() else { return Ok(None) };
    let broken = PollFlags::ERR | PollFlags::NVAL;
    // The events of a group come with an error by design.
    let is_broken =
        |(polled, trigger): (&PollFd<'_>, &Trigger)| !trigger.read && polled.revents().intersects(broken);
    if polled.iter().zip(triggers).any(is_broken) {
        return Err(io::Error::other("the kernel took its trigger back"));
    }
    Ok(Some(seen.to_vec()))
}

/// Waits a while; true when stopped.
fn pause(stop: &OwnedFd) -> io::Result<bool> {
    let mut polled = [PollFd::new(stop, PollFlags::IN)];
    retry(|| poll(&mut polled, Some(&PAUSE))).map(|ready| ready > 0)
}

fn retry(mut call: impl FnMut() -> Result<usize, Errno>) -> io::Result<usize> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return Ok(done?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pressure::RootFolder;
    use crossbeam_channel::{Receiver, unbounded};
    use rustix::net::{AddressFamily, SendFlags, SocketType, send, socketpair};
    use std::io::Write;
    use std::time::{Duration, Instant};

    const LONG: Duration = Duration::from_secs(30);

    fn rung(triggers: Vec<Trigger>) -> (SystemAlarm, Receiver<()>) {
        let mut alarm = SystemAlarm { triggers, works: Arc::default(), thread: None };
        let (told, rings) = unbounded();
        alarm.start(Box::new(move || told.send(()).unwrap())).unwrap();
        (alarm, rings)
    }

    #[test]
    fn priority_data_ring_and_other_data_do_not() {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::STREAM, rustix::net::SocketFlags::empty(), None)
                .unwrap();
        let (alarm, rings) = rung(vec![Trigger { file: File::from(ours), read: false }]);
        send(&theirs, b"x", SendFlags::empty()).unwrap();
        assert!(rings.recv_timeout(Duration::from_millis(200)).is_err() && alarm.works());
        if send(&theirs, b"y", SendFlags::OOB).is_err() {
            writeln!(io::stderr(), "skipped: this kernel has no priority data on local sockets").unwrap();
            return;
        }
        rings.recv_timeout(LONG).unwrap();
        assert!(rings.try_recv().is_err(), "once in a while only");
    }

    #[test]
    fn a_broken_trigger_rings_and_says_that_it_does_not_work() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let (alarm, rings) = rung(vec![Trigger { file: File::from(OwnedFd::from(writer)), read: false }]);
        rings.recv_timeout(LONG).unwrap();
        assert!(!alarm.works());
    }

    #[test]
    fn dropping_it_ends_the_thread_at_once() {
        let began = Instant::now();
        let (alarm, rings) = rung(Vec::new());
        drop(alarm);
        assert_eq!((rings.len(), rings.recv()), (1, Ok(())), "the last ring says that none follow");
        assert!(rings.recv().is_err() && began.elapsed() < LONG);
    }

    #[test]
    fn this_machine_rings_or_says_why_not() {
        match SystemAlarm::open(&RootFolder::new("/")) {
            Ok(mut alarm) => {
                alarm.start(Box::new(|| ())).unwrap();
                assert!(alarm.works());
            }
            Err(error) => writeln!(io::stderr(), "skipped: no triggers here: {error}").unwrap(),
        }
    }
}

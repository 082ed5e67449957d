//! How other threads reach a feed while one thread waits in it: cookies, waking, stopping.
//!
//! Cookies wait here from the moment they are dropped until the reader has passed them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::bell::{Bell, Waker};
use crate::cookie::{Cookie, CookieFolder, Proof, next_number};
use crate::error::FeedError;

/// Cookies of one feed that may wait at once.
const COOKIES_WAITING: usize = 4096;

/// Reaches a feed from any thread.
#[derive(Clone, Debug)]
pub struct FeedHandle {
    signals: Arc<Signals>,
}

impl FeedHandle {
    pub(crate) fn new(signals: Arc<Signals>) -> Self {
        Self { signals }
    }

    /// Makes the feed say when it has passed this instant. The batch that says so may be handed out before this returns.
    ///
    /// # Errors
    /// [`FeedError::Busy`] if too many wait already, [`FeedError::Stopped`].
    pub fn drop_cookie(&self) -> Result<Cookie, FeedError> {
        self.signals.drop_cookie()
    }

    /// Makes the feed return from waiting, with whatever it has.
    pub fn wake(&self) {
        self.signals.bell.wake();
    }

    /// Makes the feed return [`FeedError::Stopped`], now and from then on.
    pub fn stop(&self) {
        self.signals.bell.stop();
    }

    /// The same without cookies.
    pub fn waker(&self) -> Waker {
        Waker::new(Arc::clone(&self.signals.bell))
    }
}

/// The side of a handle that the feed sees.
#[derive(Debug)]
pub(crate) struct Signals {
    bell: Arc<Bell>,
    folder: Option<CookieFolder>,
    /// False once it turned out that no events come from the folder.
    folder_works: AtomicBool,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Cookies whose file was made, or is about to be.
    files: BTreeSet<u64>,
    /// Cookies that wait for the reader to note the length of the queue.
    quiet: Vec<u64>,
    /// Those for which it was noted.
    noted: usize,
}

impl Signals {
    pub(crate) fn new(folder: Option<CookieFolder>) -> Result<Arc<Self>, FeedError> {
        let folder_works = AtomicBool::new(folder.is_some());
        Ok(Arc::new(Self { bell: Arc::new(Bell::new()?), folder, folder_works, waiting: Mutex::default() }))
    }

    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    fn drop_cookie(&self) -> Result<Cookie, FeedError> {
        self.bell.check_stopped()?;
        let number = next_number();
        if let Some(folder) = self.folder.as_ref().filter(|_| self.folder_works.load(Ordering::Acquire)) {
            self.enlist(|waiting| _ = waiting.files.insert(number))?;
            if folder.drop_file(number).is_ok() {
                return Ok(Cookie { number, proof: Proof::Passed });
            }
            self.waiting.lock().files.remove(&number);
        }
        self.enlist(|waiting| waiting.quiet.push(number))?;
        self.bell.ring();
        Ok(Cookie { number, proof: Proof::Quiet })
    }

    /// A cookie to try the folder with; `None` if there is none that works.
    pub(crate) fn drop_first_file(&self) -> Option<Cookie> {
        let folder = self.folder.as_ref()?;
        let number = next_number();
        self.waiting.lock().files.insert(number);
        if let Err(_cannot_be_written) = folder.drop_file(number) {
            self.waiting.lock().files.remove(&number);
            self.give_up_folder();
            return None;
        }
        Some(Cookie { number, proof: Proof::Passed })
    }

    fn enlist(&self, add: impl FnOnce(&mut Waiting)) -> Result<(), FeedError> {
        let mut waiting = self.waiting.lock();
        let count = waiting.files.len() + waiting.quiet.len() + waiting.noted;
        if count >= COOKIES_WAITING {
            return Err(FeedError::Busy { waiting: count });
        }
        add(&mut waiting);
        Ok(())
    }

    /// The folder whose cookie events are to be hidden.
    pub(crate) fn cookie_folder(&self) -> Option<&CookieFolder> {
        self.folder.as_ref()
    }

    /// From now on cookies are proven by the queue, also those that wait for their file.
    pub(crate) fn give_up_folder(&self) {
        self.folder_works.store(false, Ordering::Release);
        let mut waiting = self.waiting.lock();
        let files = std::mem::take(&mut waiting.files);
        waiting.quiet.extend(files);
        self.bell.ring();
    }

    /// The file of a cookie was seen: the cookie, unless it was seen before.
    pub(crate) fn pass_file(&self, number: u64) -> Option<Cookie> {
        let waited = self.waiting.lock().files.remove(&number);
        waited.then_some(Cookie { number, proof: Proof::Passed })
    }

    /// All cookies that wait for the events of their file: when events were lost, those may be among them.
    pub(crate) fn pass_all_files(&self) -> Vec<Cookie> {
        let files = std::mem::take(&mut self.waiting.lock().files);
        files.into_iter().map(|number| Cookie { number, proof: Proof::Passed }).collect()
    }

    /// Whether a cookie waits for the reader.
    pub(crate) fn has_quiet(&self) -> bool {
        !self.waiting.lock().quiet.is_empty()
    }

    /// Cookies for which the length of the queue should be noted now.
    pub(crate) fn take_quiet(&self) -> Vec<u64> {
        let mut waiting = self.waiting.lock();
        waiting.noted += waiting.quiet.len();
        std::mem::take(&mut waiting.quiet)
    }

    /// Of the noted ones, this many were passed.
    pub(crate) fn pass_noted(&self, count: usize) {
        self.waiting.lock().noted -= count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_folder_a_cookie_waits_for_the_queue_and_their_number_is_bounded() {
        let signals = Signals::new(None).expect("made");
        let handle = FeedHandle::new(Arc::clone(&signals));
        let first = handle.drop_cookie().expect("dropped");
        assert_eq!(first.proof, Proof::Quiet);
        for _ in 1..COOKIES_WAITING {
            handle.drop_cookie().expect("dropped");
        }
        assert!(matches!(handle.drop_cookie(), Err(FeedError::Busy { waiting: COOKIES_WAITING })));
        assert_eq!(signals.take_quiet().len(), COOKIES_WAITING);
        assert!(matches!(handle.drop_cookie(), Err(FeedError::Busy { .. })), "noted ones still wait");
        signals.pass_noted(COOKIES_WAITING);
        assert!(handle.drop_cookie().expect("there is room").number > first.number);
    }

    #[test]
    fn a_folder_that_cannot_be_written_makes_quiet_cookies() {
        let temp = tempfile::tempdir().expect("a folder");
        let folder = CookieFolder::open(temp.path()).expect("opened");
        let signals = Signals::new(Some(folder)).expect("made");
        let handle = FeedHandle::new(Arc::clone(&signals));
        let passed = handle.drop_cookie().expect("dropped");
        assert_eq!(passed.proof, Proof::Passed);
        assert_eq!(signals.pass_file(passed.number), Some(passed));
        assert_eq!(signals.pass_file(passed.number), None, "only once");
        drop(temp);
        assert_eq!(handle.drop_cookie().expect("dropped").proof, Proof::Quiet);
        handle.stop();
        assert!(matches!(handle.drop_cookie(), Err(FeedError::Stopped)));
    }
}

//! Locks and swaps on which publications and their readers meet.
//!
//! With the feature `shuttle`, which only the test of their interleavings asks for, the schedule of threads
//! at each of them is chosen by that test, and a wait with a time never times out, so that a wake-up that
//! gets lost shows. See `driver::tests::interleavings`.

#[cfg(feature = "shuttle")]
pub(crate) use chosen::{ArcSwap, Condvar, Mutex};
#[cfg(not(feature = "shuttle"))]
pub(crate) use {arc_swap::ArcSwap, parking_lot::Condvar, parking_lot::Mutex};

#[cfg(feature = "shuttle")]
mod chosen {
    use shuttle::sync as shuttled;
    use std::ops::{Deref, DerefMut};
    use std::sync::Arc;
    use std::time::Instant;

    /// As of `arc_swap`.
    #[derive(Default)]
    pub(crate) struct ArcSwap<T>(shuttled::Mutex<Arc<T>>);

    impl<T> ArcSwap<T> {
        pub(crate) fn load(&self) -> Arc<T> {
            self.load_full()
        }

        pub(crate) fn load_full(&self) -> Arc<T> {
            Arc::clone(&self.0.lock().unwrap())
        }

        pub(crate) fn store(&self, value: Arc<T>) {
            let before = std::mem::replace(&mut *self.0.lock().unwrap(), value);
            drop(before);
        }
    }

    /// As of `parking_lot`.
    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(shuttled::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn lock(&self) -> Guard<'_, T> {
            Guard(Some(self.0.lock().unwrap()))
        }
    }

    /// Of a lock; without one only while a condition is waited for.
    pub(crate) struct Guard<'a, T>(Option<shuttled::MutexGuard<'a, T>>);

    impl<T> Deref for Guard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            self.0.as_ref().expect("it is locked")
        }
    }

    impl<T> DerefMut for Guard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.0.as_mut().expect("it is locked")
        }
    }

    /// As of `parking_lot`, but time never passes.
    #[derive(Default)]
    pub(crate) struct Condvar(shuttled::Condvar);

    impl Condvar {
        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }

        pub(crate) fn wait_until<T>(&self, guard: &mut Guard<'_, T>, _: Instant) -> Notified {
            guard.0 = guard.0.take().map(|locked| self.0.wait(locked).unwrap());
            Notified
        }
    }

    /// Why a wait ended.
    pub(crate) struct Notified;

    impl Notified {
        #[expect(clippy::unused_self, reason = "the shape that parking_lot has")]
        pub(crate) fn timed_out(&self) -> bool {
            false
        }
    }
}

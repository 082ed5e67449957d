//! Waking the driver when it sleeps without a time to look around.
//!
//! Queries of what is in memory do not go through the driver: it counts them when it looks. So it says when it
//! will not look, and the first query after that rings for it. A query first counts itself, then asks whether
//! somebody sleeps; the driver first says that it sleeps, then counts: one of them sees the other.

use crossbeam_channel::Sender;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Doze {
    asleep: AtomicBool,
    bell: OnceLock<Sender<()>>,
}

impl Doze {
    /// `bell` is rung, but never waited for, by the first interruption of a sleep.
    pub(crate) fn connect(&self, bell: Sender<()>) {
        // A catalogue has one driver.
        let _ = self.bell.set(bell);
    }

    /// From now on an interruption rings.
    pub(crate) fn begin(&self) {
        self.asleep.store(true, Ordering::SeqCst);
    }

    /// From now on none does.
    pub(crate) fn end(&self) {
        self.asleep.store(false, Ordering::SeqCst);
    }

    /// Rings if somebody sleeps whom nobody has rung for.
    pub(crate) fn interrupt(&self) {
        let first = self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst);
        if let (true, Some(bell)) = (first, self.bell.get()) {
            // A bell that rings already is as good.
            let _ = bell.try_send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_interruption_of_a_sleep_rings() {
        let ((bell, rings), doze) = (crossbeam_channel::unbounded(), Doze::default());
        doze.connect(bell);
        doze.interrupt();
        assert_eq!(rings.len(), 0, "nobody sleeps");
        doze.begin();
        doze.interrupt();
        doze.interrupt();
        assert_eq!(rings.len(), 1);
        doze.begin();
        doze.end();
        doze.interrupt();
        assert_eq!(rings.len(), 1);
    }
}

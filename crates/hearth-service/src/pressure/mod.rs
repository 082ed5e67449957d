//! How short of memory the machine and this process's container are, and how much they leave us.
//!
//! [`Gauge`] turns pressure stall information and the events of control groups into one [`Level`],
//! [`Alarm`] tells when to look, [`default_budget`] turns their limits into bytes, and
//! [`Gauge::describe`] says in words what of all this the machine offers. Everything is read through
//! [`MemoryWorld`], a handful of files of `/proc` and `/sys`; any of them may be missing, cut short or
//! hold nonsense, which makes a signal unavailable and nothing else. A file is read up to a limit, and walks up a hierarchy are bounded.
//!
//! Sources: the kernel's `accounting/psi.rst`, `admin-guide/cgroup-v2.rst` and
//! `admin-guide/cgroup-v1/memory.rst`, `proc_meminfo(5)`, `cgroups(7)`.

mod alarm;
mod budget;
mod cgroup;
mod counters;
mod gauge;
mod report;
mod world;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use alarm::Ring;
pub(crate) use alarm::{Alarm, SystemAlarm};
pub(crate) use budget::default_budget;
pub(crate) use gauge::{Gauge, Level};
pub use report::Availability;
#[cfg(test)]
pub(crate) use world::FakeWorld;
pub(crate) use world::{MemoryWorld, RootFolder};

//! Freshness, end to end: after every storm an answer that waited equals a walk of the disk, says that it is
//! whole and not stale, and says how it knows.
//!
//! Disks are made for the tests; what the machine or its user cannot make is left out with a word on the error
//! stream. Nothing here knows how changes are noticed: the walk is the only judge.

mod attempts;
mod feeds;
mod mixture;
mod mounts;
mod others;
mod overflow;
mod resident;
mod restarts;
mod storms;
mod systems;
mod walk;
mod world;

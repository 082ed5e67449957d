//! Feeds on real file systems and a real kernel.

mod fanotify;
mod figures;
mod inotify;
mod mounts;
mod pacing;
mod world;

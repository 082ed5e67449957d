//! Snapshots of the real program on a real disk: killed at any moment, tampered with, without room, searched
//! for names in clear.
//!
//! Every test has a home of its own, a tree that is indexed, and a daemon that it starts and ends by its
//! process id. What is judged is what a user sees (answers, `status`) and what lies on the disk; a walk of
//! the tree is the oracle.

mod clear_text;
mod full_disk;
mod house;
mod killing;
mod restarting;
mod rotating;
mod street;
mod tampering;
mod tree;
#[path = "../cli/world.rs"]
#[expect(dead_code, reason = "the other tests of this program need more of it")]
mod world;

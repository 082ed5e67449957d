//! The real `hearthd` over small trees: what it answers, what it withstands, how it begins and ends.
//!
//! Every test has its own daemon in its own temporary `HEARTH_HOME`, killed with it, also on panic.

mod answers;
mod cancelling;
mod changes;
mod house;
mod life;
mod limits;
mod operator;
mod wire;

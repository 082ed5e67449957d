//! The service over real trees: what a user does, end to end, without daemon and wire.

mod answers;
mod changes;
mod duplicates;
mod failing;
mod fixture;
mod live;
mod residency;
mod searching;
mod snapshots;
mod sources;
mod stress;

//! The command line as its users meet it: the real program, a real daemon, a real tree.
//!
//! Every test has a world of its own: a private `HEARTH_HOME`, a tree of files that is indexed
//! before the first question, and a daemon that ends with the test. Nothing outside the temporary
//! folder is read or changed.

mod changes;
mod daemon;
mod doctor;
mod errors;
mod filters;
mod fresh;
mod help;
mod history;
mod names;
mod ntfs;
mod operator;
mod output;
mod reports;
mod rpc;
mod snapshots;
mod sources;
mod terminal;
mod waiting;
mod world;

//! The file index: names, tree, metadata columns, accelerators, query engine, base and delta.
//!
//! A [`scan`] turns a mounted file system into raw rows; [`index`] turns rows into an immutable,
//! compressed body and applies changes to it; [`follow`] finds out what changed on disk; [`query`] parses the query language; [`engine`]
//! answers queries from a body; a [`digest`] is what stays of a body that left memory. Nothing here
//! knows sockets, tiers or JSON.

mod attributes;
pub mod digest;
pub mod engine;
pub mod entry;
pub mod fold;
pub mod follow;
pub mod index;
pub mod query;
pub mod scan;

pub use attributes::attribute_letters;

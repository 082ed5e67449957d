//! What travels between `hearthd` and its clients, and where they meet.
//!
//! Newline-delimited JSON-RPC 2.0 over a Unix socket: method names, parameters, answers, error codes,
//! framing, and the paths of socket, log and configuration. Everything here is data and its
//! encoding; no operation is carried out and no socket is opened. `docs/protocol.md` describes the
//! same things for people who write a client in another language.
//!
//! Names of files are bytes. On the wire they are text where they are UTF-8; otherwise the twin field
//! with the suffix `_b64` carries them as base64, so nothing is lost and common data stays readable.

pub mod answer;
mod base64;
mod bytes;
pub mod columns;
#[cfg(feature = "service")]
pub mod convert;
pub mod entry;
pub mod envelope;
pub mod error;
pub mod framing;
pub mod limits;
pub mod method;
pub mod params;
pub mod places;
pub mod render;

pub use base64::Malformed;
pub use bytes::{
    B64, FromField, KeyField, KeyFileField, LabelField, NameField, PathField, RootField, TextField, V1,
};
pub use columns::{Column, Columns};
pub use entry::Entry;
pub use envelope::Id;
pub use error::{Code, RpcError};
pub use places::Places;

/// Version of the protocol. A client that asks for another one is refused.
pub const PROTOCOL: u32 = 1;

//! The live feed of a volume or tree: what should be looked at again, moments after it changed.
//!
//! [`fanotify::open`] watches a whole file system (privileged), [`inotify::open`] the folders of a tree (anybody),
//! [`polling::open`] watches nothing and asks for comparisons, [`probing::open`] asks for them when a probe finds that
//! something changed. All are a [`Feed`]: it hands out [`Batch`]es, in
//! which each piece of [`Dirt`] stands once.
//!
//! What always holds:
//! - dirt says where to look, never what happened: events merge and lose their order;
//! - what is lost is said (`overflowed`), whichever queue was too short;
//! - a [`Cookie`] comes back in a batch only when everything done before it was dropped is in that batch or an earlier one;
//! - memory is bounded by [`FeedOptions`], and a feed with nothing to say does not wake up.

mod ahead;
mod batch;
mod bell;
mod cookie;
mod error;
pub mod fanotify;
mod feed;
mod handle;
pub mod inotify;
mod mounts;
mod paced;
mod pending;
pub mod polling;
pub mod probing;

pub use ahead::ReadAhead;
pub use batch::{Act, ActKind, Batch, Dirt};
pub use bell::Waker;
pub use cookie::{Cookie, Proof};
pub use error::FeedError;
pub use feed::{Feed, FeedKind, FeedOptions, Writes};
pub use handle::FeedHandle;
pub use mounts::{MountsChanged, MountsWatch};

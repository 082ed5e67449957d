//! The follower against real file systems: after any looks that cover what happened, and after any
//! reconcile, the index is that of a fresh scan, row for row and column for column.

mod amid;
mod borders;
mod difference;
mod facts;
mod oracle;
mod reconcile;
mod systems;
mod world;

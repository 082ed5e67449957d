//! The generated volume as an index, for the benchmarks that ask it something.

use crate::corpus::Corpus;
use crate::memory;
use crate::options::Options;
use crate::synthetic::{Recipe, generate};
use hearth_core::{CancelToken, EntryKind};
use hearth_files::entry::{Chunk, Meta};
use hearth_files::index::{Body, Root};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::error::Error;
use std::sync::Arc;

/// Rows of the generated volume.
pub(crate) fn rows(options: &Options, entries: usize) -> Result<Vec<Arc<Chunk>>, Box<dyn Error>> {
    let corpus = Corpus::read(&options.path)?;
    Ok(generate(&corpus, Recipe { entries, seed: options.seed, times: options.times }))
}

/// The pool that builds and asks: one thread per core.
pub(crate) fn pool() -> Result<ThreadPool, Box<dyn Error>> {
    Ok(ThreadPoolBuilder::new().thread_name(|at| format!("bench-{at}")).build()?)
}

/// Builds the index of some rows.
pub(crate) fn build(chunks: &[Arc<Chunk>], pool: &ThreadPool) -> Result<Body, Box<dyn Error>> {
    // No inode of a generated entry is 1.
    let root = Root { path: Vec::new(), meta: Meta::unknown(EntryKind::Dir, 1) };
    Ok(Body::build(&root, chunks, pool, &CancelToken::new())?)
}

/// Builds the index and forgets the rows, as a daemon does.
pub(crate) fn built(chunks: Vec<Arc<Chunk>>, pool: &ThreadPool) -> Result<Arc<Body>, Box<dyn Error>> {
    let body = build(&chunks, pool)?;
    drop(chunks);
    memory::purge();
    Ok(Arc::new(body))
}

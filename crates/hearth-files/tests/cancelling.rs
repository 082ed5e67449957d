//! Every way of answering looks at the cancellation token while it works, not only before.

use hearth_core::{CancelToken, Cancelled, EntryKind};
use hearth_files::engine::{EngineError, Find, find};
use hearth_files::entry::{Chunk, Meta, NOT_A_DIR};
use hearth_files::index::{Body, Root};
use hearth_files::query::{Context, parse, parse_sort};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

const FOLDERS: u32 = 100_000;

/// One name in very many folders: all work is done inside the rows of a single name.
fn body(pool: &rayon::ThreadPool) -> Arc<Body> {
    let mut chunk = Chunk::default();
    for folder in 1..=FOLDERS {
        let inode = u64::from(folder);
        chunk.push(0, folder, folder.to_string().as_bytes(), Meta::unknown(EntryKind::Dir, inode * 2 + 10));
        chunk.push(folder, NOT_A_DIR, b"same", Meta::unknown(EntryKind::File, inode * 2 + 11));
    }
    let root = Root { path: Vec::new(), meta: Meta::unknown(EntryKind::Dir, 2) };
    Arc::new(Body::build(&root, &[Arc::new(chunk)], pool, &CancelToken::new()).expect("nobody cancels"))
}

#[test]
fn rows_of_one_name_end_at_the_deadline() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("two threads");
    let body = body(&pool);
    let nobody = |_: &str| None;
    let zone = jiff::tz::TimeZone::UTC;
    let context = Context { now_ns: 0, zone, cwd: None, home: None, user_id: &nobody, group_id: &nobody };
    let query = parse(br"=same repath:[x-z]{3}\d", &context).expect("a good query");
    for sort in ["", "name", "size", "path:desc"] {
        let sort = parse_sort(sort).expect("a good sort");
        let ask = Find { query: &query, sort: &sort, skip: 0, limit: Some(100), total: false };
        // Comparing 100 000 paths takes many times this long.
        let token = CancelToken::new().with_deadline(Instant::now() + Duration::from_millis(1));
        let outcome = find(&body, &ask, &pool, &token, &mut |_| ControlFlow::Continue(()));
        assert_eq!(
            outcome.map(|found| found.shown),
            Err(EngineError::Cancelled(Cancelled::DeadlinePassed)),
            "{sort:?}"
        );
    }
}

//! Stored bodies: whatever is done to the sections of a good one, a load gives an error or a body that can
//! be asked without a panic. The input is a list of places to overwrite.
#![no_main]

use hearth_core::{CancelToken, EntryKind};
use hearth_files::engine::{Find, find};
use hearth_files::entry::{Chunk, Meta, NOT_A_DIR};
use hearth_files::index::{Body, Root, SectionId, SectionSource, SourceError};
use hearth_files::query::{Context, parse, parse_sort};
use libfuzzer_sys::fuzz_target;
use rayon::ThreadPool;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

static POOL: LazyLock<ThreadPool> =
    LazyLock::new(|| rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread"));

#[derive(Clone)]
struct Store(BTreeMap<u16, Vec<u8>>);

impl SectionSource for Store {
    fn len_of(&self, section: SectionId) -> Option<usize> {
        self.0.get(&section.number()).map(Vec::len)
    }

    fn read(&self, section: SectionId, out: &mut [u8]) -> Result<(), SourceError> {
        out.copy_from_slice(self.0.get(&section.number()).ok_or("no such section")?);
        Ok(())
    }
}

static GOOD: LazyLock<Store> = LazyLock::new(|| {
    let mut chunk = Chunk::default();
    for at in 1..300u32 {
        let (kind, dir) = if at < 40 { (EntryKind::Dir, at) } else { (EntryKind::File, NOT_A_DIR) };
        let name = format!("Na{}me {}.x{}", at % 3, at % 90, at % 5);
        let meta = Meta { size: u64::from(at) << (at % 30), ..Meta::unknown(kind, u64::from(at % 200)) };
        chunk.push(at * 7 % at.min(40), dir, name.as_bytes(), meta);
    }
    let root = Root { path: Vec::new(), meta: Meta::unknown(EntryKind::Dir, 999) };
    let body = Body::build(&root, &[Arc::new(chunk)], &POOL, &CancelToken::new()).expect("a small tree");
    let bytes = |section: &hearth_files::index::Section<'_>| section.bytes(0..section.len()).into_owned();
    Store(body.sections().iter().map(|section| (section.id().number(), bytes(section))).collect())
});

fn ask(body: &Arc<Body>, query: &str, sort: &str) {
    let nobody = |_: &str| None;
    let zone = jiff::tz::TimeZone::UTC;
    let context = Context { now_ns: 0, zone, cwd: None, home: None, user_id: &nobody, group_id: &nobody };
    let (query, sort) = (parse(query.as_bytes(), &context).unwrap(), parse_sort(sort).unwrap());
    let token = CancelToken::new().with_deadline(Instant::now() + Duration::from_millis(50));
    let ask = Find { query: &query, sort: &sort, skip: 0, limit: None, total: true };
    let _ = find(body, &ask, &POOL, &token, &mut |rows| {
        rows.iter().take(20).for_each(|&row| drop(body.entry(row)));
        ControlFlow::Continue(())
    });
}

fuzz_target!(|edits: &[u8]| {
    let mut store = GOOD.clone();
    if edits.is_empty() {
        assert!(Body::load(&store, &POOL, &CancelToken::new()).is_ok());
    }
    let numbers: Vec<u16> = store.0.keys().copied().collect();
    for edit in edits.chunks_exact(5).take(8) {
        let bytes = store.0.get_mut(&numbers[usize::from(edit[0]) % numbers.len()]).unwrap();
        let at = usize::from(u16::from_le_bytes([edit[1], edit[2]]));
        match edit[3] % 4 {
            0 => bytes.truncate(at),
            1 => bytes.resize((at % 64) + bytes.len(), edit[4]),
            _ if bytes.is_empty() => {}
            2 => {
                let at = at % bytes.len();
                bytes[at] ^= edit[4];
            }
            _ => {
                let at = at % bytes.len();
                bytes[at] = edit[4];
            }
        }
    }
    if let Ok(body) = Body::load(&store, &POOL, &CancelToken::new()) {
        let body = Arc::new(body);
        for (query, sort) in [("", ""), ("name", "size:desc"), ("ext:x1", "name"), ("re:[0-9]{2}", "path:desc")] {
            ask(&body, query, sort);
        }
    }
});

//! Memory as the index counts it, as the allocator counts it and as the kernel of the machine counts it.
//!
//! A process of its own with the allocator of the daemon, and one test at a time: others would count.

use hearth_core::{CancelToken, EntryKind, HeapSize};
use hearth_files::digest::Digest;
use hearth_files::entry::{Chunk, Meta, NOT_A_DIR};
use hearth_files::index::{Body, Root};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tikv_jemalloc_ctl::{epoch, raw, stats};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Entries of each body.
const ENTRIES: u32 = 300_000;
const BODIES: usize = 4;

fn allocated() -> u64 {
    epoch::advance().unwrap();
    stats::allocated::read().unwrap() as u64
}

fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * rustix::param::page_size() as u64
}

/// Gives free pages back: a decay time of zero does that at once.
fn give_back() {
    for arena in 0..tikv_jemalloc_ctl::arenas::narenas::read().unwrap() {
        for kind in ["dirty", "muzzy"] {
            let name = format!("arena.{arena}.{kind}_decay_ms\0");
            // SAFETY: the name ends in NUL and the setting is an `ssize_t`; an arena that was never used
            // refuses it.
            let _ = unsafe { raw::write::<isize>(name.as_bytes(), 0) };
        }
    }
}

fn chunk(seed: u32) -> Chunk {
    let mut chunk = Chunk::default();
    for number in 0..ENTRIES {
        let mixed = (number ^ seed).wrapping_mul(0x9e37_79b9);
        let name = format!("file_{mixed:08x}.{}", ["rs", "txt", "jpg"][number as usize % 3]);
        let meta = Meta {
            size: u64::from(mixed) % 100_000,
            modified_ns: i64::from(mixed) << 30,
            ..Meta::unknown(EntryKind::File, u64::from(number) + 10)
        };
        chunk.push(0, NOT_A_DIR, name.as_bytes(), meta);
    }
    chunk
}

fn build(seed: u32, pool: &rayon::ThreadPool) -> (Body, Digest) {
    let root = Root { path: b"/v".to_vec(), meta: Meta::unknown(EntryKind::Dir, 1) };
    let body = Body::build(&root, &[Arc::new(chunk(seed))], pool, &CancelToken::new()).unwrap();
    let digest = Digest::of(&body);
    (body, digest)
}

/// Fails unless two counts are within so many percent of each other.
fn agree(what: &str, counted: u64, measured: u64, percent: u64) {
    let off = counted.abs_diff(measured) * 100;
    assert!(off <= counted * percent, "{what}: {measured} where the index counts {counted}");
}

#[test]
fn parts_allocator_and_process_agree_and_memory_comes_back() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    // What the first build sets up for good is not the bodies'.
    drop(build(0, &pool));
    give_back();
    let (allocated_before, resident_before) = (allocated(), resident());
    let mut bodies: Vec<_> = (1..=BODIES as u32).map(|seed| build(seed, &pool)).collect();
    give_back();
    let (allocated_full, resident_full) = (allocated(), resident());

    let counted: u64 =
        bodies.iter().map(|(body, digest)| (body.heap_bytes() + digest.heap_bytes()) as u64).sum();
    for (body, _) in &bodies {
        let parts: usize = body.heap_parts().iter().map(|(_, bytes)| bytes).sum();
        assert_eq!(parts, body.heap_bytes(), "the parts are the whole");
    }
    agree("the allocator", counted, allocated_full - allocated_before, 5);
    agree("the process", counted, resident_full - resident_before, 5);

    // Digests stay, as they do when a shard is parked.
    let parked: u64 = bodies.iter().map(|(body, _)| body.heap_bytes() as u64).sum();
    let digests: Vec<Digest> = bodies.drain(..).map(|(_, digest)| digest).collect();
    give_back();
    let until = Instant::now() + Duration::from_secs(2);
    while resident_full - resident().min(resident_full) < parked / 10 * 9 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
    let fell = resident_full - resident().min(resident_full);
    assert!(fell >= parked / 10 * 9, "{fell} of {parked} came back");
    drop(digests);
}

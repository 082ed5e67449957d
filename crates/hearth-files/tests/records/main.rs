//! Records that are told make the index of a fresh read, whatever happened to them.

mod facts;
mod world;

use hearth_core::{CancelToken, EntryKind};
use hearth_files::follow::{Difference, RecordNow, Taken, differences, take_records};
use hearth_files::index::{Body, RowId, Volume};
use proptest::prelude::*;
use std::collections::BTreeMap;
use world::{Op, World, listing, ops};

fn take(volume: &mut Volume, records: &[RecordNow]) -> Taken {
    take_records(volume, records, &CancelToken::new()).expect("nobody cancels")
}

/// A cheap source of numbers that look random.
fn scramble(seed: u64, at: u64) -> u64 {
    let mixed = (seed ^ at.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ mixed >> 29
}

/// What touched records hold, in random order; a few of them were told before as they were then.
fn told(world: &World, earlier: &World, seed: u64) -> Vec<RecordNow> {
    let mut records: Vec<(u64, RecordNow)> = Vec::new();
    for &record in &world.touched {
        let number = scramble(seed, record as u64);
        records.push((number, world.record(record)));
        if number & 0x300 == 0 {
            records.push((0, earlier.record(record)));
        }
    }
    records.sort_by_key(|(number, _)| *number);
    records.into_iter().map(|(_, record)| record).collect()
}

type Told = BTreeMap<Vec<u8>, (u64, u32, u32, Option<(u64, u32)>)>;

fn tree(body: &Body, row: RowId) -> Told {
    let rows = body.tree(row, usize::MAX).expect("no limit");
    let describe = |row| {
        let (meta, path) = (body.meta(row), body.entry(row).path);
        let inside = (meta.kind() != EntryKind::Dir).then_some((meta.size, meta.links));
        (path, (meta.inode, meta.mode, meta.attributes, inside))
    };
    rows.into_iter().map(describe).collect()
}

/// The places that a report names are all that differ between two bodies.
fn check_report(before: &Body, after: &Body, taken: &Taken) {
    let (mut gone, mut come) = (Told::new(), Told::new());
    let found = differences(before, after, &taken.seen.changes);
    let alone = |body: &Body, row| {
        let path = body.entry(row).path;
        tree(body, row).into_iter().filter(|(at, _)| *at == path).collect::<Told>()
    };
    for difference in &found {
        match *difference {
            Difference::Removed(row) => gone.extend(tree(before, row)),
            Difference::Created(row) => come.extend(tree(after, row)),
            Difference::Renamed { from, to } => {
                gone.extend(tree(before, from));
                come.extend(tree(after, to));
            }
            Difference::Modified { before: was, after: is } => {
                gone.extend(alone(before, was));
                come.extend(alone(after, is));
            }
        }
    }
    let mut rows = tree(before, before.root_row());
    rows.retain(|path, _| !gone.contains_key(path));
    rows.extend(come);
    assert_eq!(rows, tree(after, after.root_row()), "{found:?} {:?}", taken.seen.changes);
}

/// The state before as an index: read at once, or read early and then told.
fn indexed(before: &[Op], read_after: usize) -> (World, Volume) {
    let mut world = World::new();
    let (early, late) = before.split_at(read_after.min(before.len()));
    early.iter().for_each(|op| world.run(op));
    let mut volume = Volume::new(&world.read());
    world.touched.clear();
    let earlier = world.clone();
    late.iter().for_each(|op| world.run(op));
    assert_eq!(take(&mut volume, &told(&world, &earlier, 1)).misplaced, 0);
    world.touched.clear();
    (world, volume)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn touched_records_make_the_index_of_a_fresh_read(
        before in ops(30), after in ops(30), read_after in 0usize..40, seed: u64
    ) {
        let (mut world, mut volume) = indexed(&before, read_after);
        let (earlier, was) = (world.clone(), volume.body());
        after.iter().for_each(|op| world.run(op));
        let taken = take(&mut volume, &told(&world, &earlier, seed));
        prop_assert_eq!(taken.misplaced, 0);
        prop_assert_eq!(taken.seen.unrecorded, 0);
        prop_assert_eq!(listing(&volume.body()), listing(&world.read()));
        check_report(&was, &volume.body(), &taken);
        let again = take(&mut volume, &told(&world, &world, seed));
        prop_assert_eq!((again.misplaced, again.seen.applied, again.seen.changes), (0, 0, vec![]));
    }

    #[test]
    fn records_that_are_told_while_others_change_fit_in_the_end(
        before in ops(30), steps in prop::collection::vec((ops(6), any::<u64>()), 0..6), read_after in 0usize..40
    ) {
        let (mut world, mut volume) = indexed(&before, read_after);
        for (ops, seed) in &steps {
            ops.iter().for_each(|op| world.run(op));
            let some = |record: &&usize| scramble(*seed, **record as u64) & 64 == 0;
            let records: Vec<_> = world.touched.iter().filter(some).map(|&record| world.record(record)).collect();
            if take(&mut volume, &records).misplaced > 0 {
                volume = Volume::new(&world.read());
            }
        }
        let taken = take(&mut volume, &told(&world, &world, 7));
        prop_assert_eq!(taken.misplaced, 0);
        prop_assert_eq!(listing(&volume.body()), listing(&world.read()));
    }

    #[test]
    fn rows_are_found_by_ranges_of_inodes(
        before in ops(60), read_after in 0usize..60, borders in prop::collection::btree_set(0u64..30 << 16, 0..12)
    ) {
        let body = indexed(&before, read_after).1.body();
        let borders: Vec<u64> = borders.into_iter().collect();
        let ranges: Vec<_> = borders.chunks_exact(2).map(|pair| pair[0]..=pair[1]).collect();
        let rows = body.tree(body.root_row(), usize::MAX).expect("no limit");
        let inode = |row: &RowId| body.meta(*row).inode;
        let mut wanted: Vec<(u64, RowId)> = rows.iter().map(|row| (inode(row), *row)).collect();
        wanted.retain(|(inode, _)| ranges.iter().any(|range| range.contains(inode)));
        wanted.sort_unstable();
        let mut found = body.rows_in_inodes(&ranges);
        found.sort_unstable();
        prop_assert_eq!(found, wanted);
    }
}

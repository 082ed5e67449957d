//! Random trees, random operations, looks that are shuffled, doubled, split and late.

use super::world::{Op, PLACES, World, run};
use hearth_core::CancelToken;
use hearth_files::follow::{Look, Reconcile};
use hearth_files::index::Volume;
use proptest::prelude::*;

pub(crate) fn op() -> impl Strategy<Value = Op> {
    let n = 0usize..1000;
    prop_oneof![
        4 => (n.clone(), n.clone(), 0usize..9000).prop_map(|(a, b, c)| Op::Write(a, b, c)),
        3 => (n.clone(), n.clone()).prop_map(|(a, b)| Op::Mkdir(a, b)),
        2 => (n.clone(), n.clone()).prop_map(|(a, b)| Op::Tree(a, b)),
        1 => (n.clone(), n.clone()).prop_map(|(a, b)| Op::Symlink(a, b)),
        2 => (n.clone(), n.clone(), n.clone()).prop_map(|(a, b, c)| Op::Link(a, b, c)),
        6 => (n.clone(), n.clone(), n.clone()).prop_map(|(a, b, c)| Op::Rename(a, b, c)),
        2 => (n.clone(), n.clone()).prop_map(|(a, b)| Op::Exchange(a, b)),
        2 => n.clone().prop_map(Op::Remove),
        1 => n.clone().prop_map(Op::Append),
        1 => (n.clone(), 0u32..0o1000).prop_map(|(a, m)| Op::Chmod(a, m)),
        1 => n.clone().prop_map(Op::Touch),
        1 => n.clone().prop_map(Op::Retype),
        1 => n.prop_map(Op::Wrap),
    ]
}

pub(crate) fn ops(most: usize) -> impl Strategy<Value = Vec<Op>> {
    prop::collection::vec(op(), 0..most)
}

/// What happens while the follower follows.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Do(Op),
    /// Some of the looks that wait, chosen and ordered by a seed.
    Deliver(u64),
}

pub(crate) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![4 => op().prop_map(Step::Do), 1 => any::<u64>().prop_map(Step::Deliver)];
    prop::collection::vec(step, 0..most)
}

/// A cheap source of numbers that look random.
fn scramble(seed: u64, at: u64) -> u64 {
    let mixed = (seed ^ at.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ mixed >> 29
}

/// Takes looks out: those whose number is odd, or all; in random order, a few of them twice.
pub(crate) fn choose(waiting: &mut Vec<Look>, seed: u64, all: bool) -> Vec<Look> {
    let numbered =
        std::mem::take(waiting).into_iter().enumerate().map(|(at, look)| (scramble(seed, at as u64), look));
    let (mut taken, rest): (Vec<_>, Vec<_>) = numbered.partition(|(number, _)| all || number & 64 != 0);
    waiting.extend(rest.into_iter().map(|(_, look)| look));
    let doubled: Vec<_> = taken.iter().filter(|(number, _)| number & 896 == 0).cloned().collect();
    taken.extend(doubled.into_iter().map(|(number, look)| (scramble(number, 1), look)));
    taken.sort();
    taken.into_iter().map(|(_, look)| look).collect()
}

fn deliver(world: &World, volume: &mut Volume, waiting: &mut Vec<Look>, seed: u64, all: bool) {
    let looks = choose(waiting, seed, all);
    let seen = world.follower().look(volume, &looks, &CancelToken::new()).expect("the root is there");
    assert_eq!((seen.denied, seen.failed, seen.unrecorded), (0, 0, 0));
    waiting.extend(seen.again);
}

pub(crate) fn check_following(world: &World, before: &[Op], steps: &[Step]) {
    before.iter().for_each(|op| drop(run(&world.root, op)));
    let mut volume = world.volume();
    let mut waiting = Vec::new();
    for step in steps {
        match step {
            Step::Do(op) => waiting.extend(run(&world.root, op)),
            Step::Deliver(seed) => deliver(world, &mut volume, &mut waiting, *seed, false),
        }
    }
    for round in 0..20 {
        deliver(world, &mut volume, &mut waiting, round, true);
        if waiting.is_empty() {
            break;
        }
    }
    assert_eq!(waiting, [], "nothing moves any more");
    world.assert_fresh(&volume);
}

pub(crate) fn check_reconcile(world: &World, before: &[Op], after: &[Op]) {
    before.iter().for_each(|op| drop(run(&world.root, op)));
    let mut volume = world.volume();
    after.iter().for_each(|op| drop(run(&world.root, op)));
    let seen = world.reconcile(&mut volume, &Reconcile::default());
    assert_eq!(seen.again, []);
    world.assert_fresh(&volume);
    let again = world.reconcile(&mut volume, &Reconcile::default());
    assert_eq!((again.applied, again.changes), (0, vec![]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, max_shrink_iters: 400, ..ProptestConfig::default() })]

    #[test]
    fn looks_in_any_order_end_in_the_index_of_a_fresh_scan(
        before in ops(20), steps in steps(30), place in 0usize..2
    ) {
        check_following(&World::in_place(PLACES[place]), &before, &steps);
    }

    #[test]
    fn one_batch_of_all_looks_ends_in_the_index_of_a_fresh_scan(
        before in ops(20), after in ops(20), place in 0usize..2
    ) {
        let steps: Vec<Step> = after.into_iter().map(Step::Do).collect();
        check_following(&World::in_place(PLACES[place]), &before, &steps);
    }

    #[test]
    fn a_reconcile_of_any_old_state_ends_in_the_index_of_a_fresh_scan(
        before in ops(20), after in ops(20), place in 0usize..2
    ) {
        check_reconcile(&World::in_place(PLACES[place]), &before, &after);
    }
}

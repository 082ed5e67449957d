//! Merging ordered rows of several sources into one order.
//!
//! Sources are few and their rows come in long runs (in path order one source's rows are mostly
//! together), so a whole run is found by galloping: the cost is in the number of runs times the
//! logarithm of their length, not in the number of rows.

use hearth_files::index::RowId;
use std::cmp::Ordering;
use std::ops::ControlFlow;

/// Most rows delivered at once.
const BATCH_ROWS: usize = 4096;

/// A row of the source at a place in the list of sources.
pub(crate) type Place = (usize, RowId);

/// Delivers the rows of all sources in order, each call with rows of one source. Rows that compare
/// as equal come in the order of the sources.
pub(crate) fn merge(
    sources: &[&[RowId]],
    compare: &dyn Fn(Place, Place) -> Ordering,
    emit: &mut dyn FnMut(usize, &[RowId]) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut left = sources.to_vec();
    while let Some((first, second)) = heads(&left, compare) {
        let rows = left[first];
        let run = match second {
            None => rows.len(),
            Some(second) => {
                let bound = (second, left[second][0]);
                let before = |row: RowId| goes_first(compare, (first, row), bound);
                gallop(rows, &before)
            }
        };
        for batch in rows[..run].chunks(BATCH_ROWS) {
            emit(first, batch)?;
        }
        left[first] = &rows[run..];
    }
    ControlFlow::Continue(())
}

/// The sources with the smallest and second smallest next row.
fn heads(left: &[&[RowId]], compare: &dyn Fn(Place, Place) -> Ordering) -> Option<(usize, Option<usize>)> {
    let (mut first, mut second): (Option<usize>, Option<usize>) = (None, None);
    let before = |a: usize, b: usize| goes_first(compare, (a, left[a][0]), (b, left[b][0]));
    for source in (0..left.len()).filter(|source| !left[*source].is_empty()) {
        if first.is_none_or(|first| before(source, first)) {
            second = first.replace(source);
        } else if second.is_none_or(|second| before(source, second)) {
            second = Some(source);
        }
    }
    first.map(|first| (first, second))
}

fn goes_first(compare: &dyn Fn(Place, Place) -> Ordering, a: Place, b: Place) -> bool {
    compare(a, b).then(a.0.cmp(&b.0)).is_lt()
}

/// Number of leading rows that meet a condition which the first row meets and which, once unmet,
/// stays unmet.
fn gallop(rows: &[RowId], holds: &dyn Fn(RowId) -> bool) -> usize {
    let mut step = 1;
    while step < rows.len() && holds(rows[step]) {
        step *= 2;
    }
    let low = step / 2;
    let high = step.min(rows.len());
    low + rows[low..high].partition_point(|row| holds(*row))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(sources: &[&[RowId]], key: &dyn Fn(RowId) -> u32) -> Vec<Place> {
        let compare = |a: Place, b: Place| key(a.1).cmp(&key(b.1));
        let mut out = Vec::new();
        let end = merge(sources, &compare, &mut |source, rows| {
            assert!((1..=BATCH_ROWS).contains(&rows.len()));
            out.extend(rows.iter().map(|row| (source, *row)));
            ControlFlow::Continue(())
        });
        assert!(end.is_continue());
        out
    }

    proptest::proptest! {
        #[test]
        fn a_merge_is_a_stable_sort(sources in proptest::collection::vec(
            proptest::collection::vec(0u32..60, 0..40), 0..5)) {
            let sorted: Vec<Vec<RowId>> = sources.into_iter().map(|mut rows| { rows.sort_unstable(); rows }).collect();
            let slices: Vec<&[RowId]> = sorted.iter().map(Vec::as_slice).collect();
            // Keys that several rows share, so that ties occur inside a source and between sources.
            let key = |row: RowId| row / 3;
            let mut want: Vec<Place> =
                sorted.iter().enumerate().flat_map(|(source, rows)| rows.iter().map(move |row| (source, *row))).collect();
            want.sort_by_key(|(source, row)| (key(*row), *source));
            proptest::prop_assert_eq!(merged(&slices, &key), want);
        }
    }

    #[test]
    fn long_runs_cost_few_comparisons() {
        let (low, high): (Vec<RowId>, Vec<RowId>) = ((0..100_000).collect(), (100_000..200_000).collect());
        let compared = std::cell::Cell::new(0);
        let compare = |a: Place, b: Place| {
            compared.set(compared.get() + 1);
            a.1.cmp(&b.1)
        };
        let mut rows = 0;
        let _ = merge(&[&high, &low], &compare, &mut |_, batch| {
            rows += batch.len();
            ControlFlow::Continue(())
        });
        assert_eq!(rows, 200_000);
        assert!(compared.get() < 100, "{}", compared.get());
    }

    #[test]
    fn a_break_ends_it() {
        let mut calls = 0;
        let end = merge(&[&[1, 3], &[2]], &|a, b| a.1.cmp(&b.1), &mut |_, _| {
            calls += 1;
            ControlFlow::Break(())
        });
        assert!(end.is_break());
        assert_eq!(calls, 1);
    }
}

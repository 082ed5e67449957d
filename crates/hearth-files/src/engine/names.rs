//! Which distinct names meet the name part of a query.
//!
//! The gram index narrows the dictionary to blocks; the names in them are verified, by a text scan
//! where the condition is one literal, else one by one. Many blocks are split over the pool.

use super::eval::Eye;
use super::program::{NameTest, Node};
use super::text::Matcher;
use super::{Cancelled, Scope};
use crate::index::{Base, BlockSet, NameDict, Needle, Ones, RowId, partition};
use rayon::prelude::*;
use std::ops::Range;

/// Up to this many blocks are verified on the calling thread: waking others takes as long.
const ALONE: usize = 2048;

/// Blocks from which on preparing the condition pays.
const MANY: usize = 8 * 1024;

/// Names that meet a condition, ascending.
pub(crate) struct NameMatches {
    pub(crate) ids: Vec<u32>,
}

impl NameMatches {
    /// Bits over the dictionary.
    pub(crate) fn bitmap(&self, names: usize) -> Vec<u64> {
        let mut bits = vec![0u64; names / 64 + 1];
        for &id in &self.ids {
            bits[id as usize / 64] |= 1 << (id % 64);
        }
        bits
    }
}

/// Verifies the names of the candidate blocks (all of them without a set).
pub(crate) fn matching_names(
    scope: &Scope<'_>,
    node: &Node,
    blocks: Option<&BlockSet>,
) -> Result<NameMatches, Cancelled> {
    let mut parts = gathered(scope, node, blocks, |ids: &mut Vec<u32>, id| ids.push(id))?;
    let ids = if parts.len() == 1 { parts.remove(0) } else { parts.concat() };
    Ok(NameMatches { ids })
}

/// The number of base rows whose names match. As [`matching_names`], and keeps nothing.
pub(crate) fn count_rows(
    scope: &Scope<'_>,
    node: &Node,
    blocks: Option<&BlockSet>,
) -> Result<u64, Cancelled> {
    let base = &scope.body.base;
    let parts = gathered(scope, node, blocks, |rows: &mut u64, id| *rows += base.rows_of(id))?;
    Ok(parts.into_iter().sum())
}

/// Gives each matching name to `add`, in order within a part, and returns the parts in order.
fn gathered<T: Default + Send>(
    scope: &Scope<'_>,
    node: &Node,
    blocks: Option<&BlockSet>,
    add: impl Fn(&mut T, u32) + Sync,
) -> Result<Vec<T>, Cancelled> {
    let runs = match blocks {
        Some(set) => runs(set.iter()),
        None => runs(0..scope.body.base.names.blocks()),
    };
    let test = NameTester::new(scope, node);
    let blocks = runs.iter().map(ExactSizeIterator::len).sum::<usize>();
    if blocks <= ALONE {
        return Ok(vec![gathered_of(scope, &test, &runs, &add)?]);
    }
    if blocks > MANY {
        node.prepare_for_many();
    }
    // Enough pieces that no thread waits for another's last one.
    let piece = (runs.len() / 64).clamp(1, 64);
    let parts = runs.par_chunks(piece).map(|runs| gathered_of(scope, &test, runs, &add));
    scope.pool.install(|| parts.collect())
}

/// Asks for the memory of several short runs at once before they are verified.
fn gathered_of<T: Default>(
    scope: &Scope<'_>,
    test: &NameTester<'_>,
    runs: &[Range<u32>],
    add: &impl Fn(&mut T, u32),
) -> Result<T, Cancelled> {
    const TOGETHER: usize = 16;
    let (mut eye, mut part) = (Eye::new(scope.body, scope.program.raw), T::default());
    for group in runs.chunks(TOGETHER) {
        group.iter().for_each(|run| scope.body.base.names.touch_block(run.start));
        for run in group {
            scope.cancel.check()?;
            test.names_in(&mut eye, run, |id| add(&mut part, id));
        }
    }
    Ok(part)
}

/// For a condition on the extension alone: the numbers of the extensions that meet it.
fn extension_numbers(names: &NameDict, node: &Node) -> Option<Vec<u32>> {
    let Node::Name(NameTest::Ext(wanted)) = node else { return None };
    Some(wanted.iter().filter_map(|ext| if ext.is_empty() { Some(0) } else { names.find_ext(ext) }).collect())
}

/// Finds the names of blocks that meet a condition, by the cheapest way that decides it.
pub(crate) struct NameTester<'a> {
    names: &'a NameDict,
    node: &'a Node,
    way: Way,
}

enum Way {
    /// One text search decides.
    Search(Needle),
    /// One of these extensions decides.
    Extensions(Vec<u32>),
    /// A text search leaves few names to be tested one by one.
    SearchFirst(Needle),
    OneByOne,
}

impl<'a> NameTester<'a> {
    pub(crate) fn new(scope: &Scope<'a>, node: &'a Node) -> Self {
        let names = &scope.body.base.names;
        let way = if let Some(needle) = single_literal(node) {
            Way::Search(needle)
        } else if let Some(extensions) = extension_numbers(names, node) {
            Way::Extensions(extensions)
        } else {
            node.need().needle().map_or(Way::OneByOne, Way::SearchFirst)
        };
        NameTester { names, node, way }
    }

    /// Reports the names of a range of blocks that meet the condition, ascending.
    pub(crate) fn names_in(&self, eye: &mut Eye<'_>, blocks: &Range<u32>, mut found: impl FnMut(u32)) {
        let names = self.names;
        match &self.way {
            Way::Search(needle) => names.scan_blocks(blocks.clone(), needle, found),
            Way::Extensions(extensions) => self.with_extension(extensions, blocks, found),
            Way::SearchFirst(needle) => names.scan_blocks(blocks.clone(), needle, |id| {
                if eye.name_id(self.node, id) {
                    found(id);
                }
            }),
            Way::OneByOne => blocks.clone().for_each(|block| {
                names.for_each_in_block(block, |id, folded| {
                    if eye.name_with_folded(self.node, id, folded) {
                        found(id);
                    }
                });
            }),
        }
    }

    fn with_extension(&self, extensions: &[u32], blocks: &Range<u32>, mut found: impl FnMut(u32)) {
        let span = self.names.block_ids(blocks.start).start..self.names.block_ids(blocks.end - 1).end;
        if let [only] = extensions {
            return self.names.names_with_ext(*only, span, found);
        }
        let mut ids = Vec::new();
        for &ext in extensions {
            self.names.names_with_ext(ext, span.clone(), |id| ids.push(id));
        }
        ids.sort_unstable();
        ids.into_iter().for_each(&mut found);
    }
}

/// Neighbouring blocks joined, and cut so that work spreads over threads.
fn runs(blocks: impl Iterator<Item = u32>) -> Vec<Range<u32>> {
    const LONGEST: u32 = 512;
    let mut runs: Vec<Range<u32>> = Vec::new();
    for block in blocks {
        match runs.last_mut() {
            Some(run) if run.end == block && run.len() < LONGEST as usize => run.end += 1,
            _ => runs.push(block..block + 1),
        }
    }
    runs
}

/// The text search that alone decides a condition, if there is one.
fn single_literal(node: &Node) -> Option<Needle> {
    let Node::Name(NameTest::Text { matcher, raw: false, .. }) = node else { return None };
    match &**matcher {
        Matcher::Substring(finder) => Some(Needle::new(finder.needle(), false, false)),
        Matcher::Exact(name) => Some(Needle::new(name, true, true)),
        Matcher::Prefix(prefix) => Some(Needle::new(prefix, true, false)),
        Matcher::Stars { first, middle, last } => {
            match (first.as_slice(), middle.as_slice(), last.as_slice()) {
                (first, [], []) => Some(Needle::new(first, true, false)),
                ([], [], last) => Some(Needle::new(last, false, true)),
                ([], [only], []) => Some(Needle::new(only.needle(), false, false)),
                _ => None,
            }
        }
        Matcher::WholeWord(_) | Matcher::Regex(_) | Matcher::Fuzzy(_) => None,
    }
}

/// Finds the rows of ascending names quickly where they lie close together.
pub(crate) struct RowCursor<'a> {
    base: &'a Base,
    firsts: Ones<'a>,
    starts: Ones<'a>,
}

impl<'a> RowCursor<'a> {
    pub(crate) fn new(base: &'a Base) -> Self {
        RowCursor { base, firsts: Ones::new(&base.firsts), starts: Ones::new(&base.repeat_starts) }
    }

    /// As [`Base::rows_named`].
    pub(crate) fn rows(&mut self, name: u32) -> impl Iterator<Item = RowId> + use<'a> {
        let base = self.base;
        let (first, repeats) = self.parts_from(name, 0);
        first.into_iter().chain(repeats.map(|at| base.repeat(at)))
    }

    /// The rows from `from` on: the first row of the name if it is one, and the range of its repeats.
    pub(crate) fn parts_from(&mut self, name: u32, from: RowId) -> (Option<RowId>, Range<usize>) {
        let first = self.firsts.select(name as usize) as RowId;
        let mut repeats = self.repeats(name);
        if first < from {
            repeats.start = partition(repeats.clone(), |at| self.base.repeat(at) < from);
        }
        ((first >= from).then_some(first), repeats)
    }

    fn repeats(&mut self, name: u32) -> Range<usize> {
        if self.base.row_counts[name as usize] == 1 {
            return 0..0;
        }
        let name = name as usize;
        self.starts.select(name) - name..self.starts.end_of(name) - name - 1
    }
}

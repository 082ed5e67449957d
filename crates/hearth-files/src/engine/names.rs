//! Which distinct names meet the name part of a query.
//!
//! The gram index narrows the dictionary to blocks; the names in them are verified, by a text scan
//! where the condition is one literal, else one by one. Many blocks are split over the pool.

use super::eval::Eye;
use super::program::{NameTest, Node};
use super::text::Matcher;
use super::{Cancelled, Scope};
use crate::index::{Base, BlockSet, NameDict, Needle};
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
    let runs = match blocks {
        Some(set) => runs(set.iter()),
        None => runs(0..scope.body.base.names.blocks()),
    };
    let needle = single_literal(node);
    let extensions = extension_numbers(&scope.body.base.names, node);
    let verify = &|run: &Range<u32>| -> Result<Vec<u32>, Cancelled> {
        scope.cancel.check()?;
        let mut ids = Vec::new();
        match (&needle, &extensions) {
            (Some(needle), _) => scope.body.base.names.scan_blocks(run.clone(), needle, |id| ids.push(id)),
            (None, Some(extensions)) => ids_with_extension(&scope.body.base.names, extensions, run, &mut ids),
            (None, None) => verify_each(scope, node, run, &mut ids),
        }
        Ok(ids)
    };
    let parts: Vec<Vec<u32>> = if runs.iter().map(ExactSizeIterator::len).sum::<usize>() <= ALONE {
        verify_runs(&scope.body.base.names, &runs, verify)?
    } else {
        if runs.iter().map(ExactSizeIterator::len).sum::<usize>() > MANY {
            node.prepare_for_many();
        }
        // Enough pieces that no thread waits for another's last one.
        let piece = (runs.len() / 64).clamp(1, 64);
        let parts = runs.par_chunks(piece).map(|runs| verify_runs(&scope.body.base.names, runs, verify));
        scope.pool.install(|| parts.collect::<Result<Vec<_>, _>>())?.concat()
    };
    Ok(NameMatches { ids: parts.concat() })
}

/// Asks for the memory of several short runs at once before they are verified.
fn verify_runs<E>(
    names: &NameDict,
    runs: &[Range<u32>],
    verify: impl Fn(&Range<u32>) -> Result<Vec<u32>, E>,
) -> Result<Vec<Vec<u32>>, E> {
    const TOGETHER: usize = 16;
    let mut found = Vec::with_capacity(runs.len());
    for group in runs.chunks(TOGETHER) {
        group.iter().for_each(|run| names.touch_block(run.start));
        for run in group {
            found.push(verify(run)?);
        }
    }
    Ok(found)
}

/// For a condition on the extension alone: the numbers of the extensions that meet it.
fn extension_numbers(names: &NameDict, node: &Node) -> Option<Vec<u32>> {
    let Node::Name(NameTest::Ext(wanted)) = node else { return None };
    Some(wanted.iter().filter_map(|ext| if ext.is_empty() { Some(0) } else { names.find_ext(ext) }).collect())
}

fn ids_with_extension(names: &NameDict, extensions: &[u32], run: &Range<u32>, ids: &mut Vec<u32>) {
    let span = names.block_ids(run.start).start..names.block_ids(run.end - 1).end;
    for &ext in extensions {
        names.names_with_ext(ext, span.clone(), |id| ids.push(id));
    }
    if extensions.len() > 1 {
        ids.sort_unstable();
    }
}

fn verify_each(scope: &Scope<'_>, node: &Node, run: &Range<u32>, ids: &mut Vec<u32>) {
    let mut eye = Eye::new(scope.body, scope.program.raw);
    for block in run.clone() {
        scope.body.base.names.for_each_in_block(block, |id, folded| {
            if eye.name_with_folded(node, id, folded) {
                ids.push(id);
            }
        });
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

/// Rows of the names in the base.
pub(crate) fn count_rows(scope: &Scope<'_>, ids: &[u32]) -> u64 {
    let count = |ids: &[u32]| ids.iter().map(|&id| scope.body.base.rows_of(id)).sum::<u64>();
    if ids.len() <= 64 * 1024 {
        return count(ids);
    }
    scope.pool.install(|| ids.par_chunks(16 * 1024).map(count).sum())
}

/// Finds the postings of ascending names quickly where they lie close together.
pub(crate) struct PostingCursor<'a> {
    base: &'a Base,
    /// Name whose mark is known, and the mark.
    at: Option<(u32, usize)>,
}

impl<'a> PostingCursor<'a> {
    pub(crate) fn new(base: &'a Base) -> Self {
        PostingCursor { base, at: None }
    }

    /// As [`Base::postings`].
    pub(crate) fn postings(&mut self, name: u32) -> Range<usize> {
        const NEAR: u32 = 8;
        let marks = &self.base.name_starts;
        let end = marks.len();
        let mark = match self.at {
            Some((known, mark)) if known <= name && name - known <= NEAR => {
                (known..name).fold(mark, |mark, _| marks.next_one(mark + 1).unwrap_or(end))
            }
            _ => marks.select1(name as usize),
        };
        let next = marks.next_one(mark + 1).unwrap_or(end);
        self.at = (next < end).then_some((name + 1, next));
        mark - name as usize..next - name as usize - 1
    }
}

//! The sets behind `dupe:name` and `dupe:size`: what occurs more than once in a body.
//!
//! Made once per query, over live rows of base and delta, so that testing a row is a look-up. Names
//! count folded; sizes count once per inode and leave out empty files.

use super::EngineError;
use crate::index::{Body, RowId};
use hearth_core::{CancelToken, EntryKind};
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// Keys that occur at least twice.
#[derive(Debug)]
pub(crate) enum DupeSet {
    /// Folded names: bits over the dictionary, and names of the delta.
    Names {
        ids: Vec<u64>,
        added: HashSet<Vec<u8>>,
    },
    Sizes(HashSet<u64>),
}

impl DupeSet {
    pub(crate) fn contains(&self, body: &Body, row: RowId) -> bool {
        match self {
            DupeSet::Names { ids, .. } if body.is_base(row) => {
                let id = body.base.name_id(row);
                ids[id as usize / 64] >> (id % 64) & 1 == 1
            }
            DupeSet::Names { added, .. } => {
                let mut folded = Vec::new();
                body.folded_into(row, &mut folded);
                added.contains(&folded)
            }
            DupeSet::Sizes(sizes) => body.kind(row) == EntryKind::File && sizes.contains(&body.size(row)),
        }
    }
}

/// Folded names of more than one live entry.
pub(crate) fn duplicate_names(body: &Body, cancel: &CancelToken) -> Result<DupeSet, EngineError> {
    let (base, names) = (&body.base, &body.base.names);
    let mut counts: Vec<u64> = (0..names.len() as u32).map(|id| base.rows_of(id)).collect();
    for row in body.delta.dead.iter_ones_in(0..base.len) {
        counts[base.name_id(row) as usize] -= 1;
    }
    cancel.check().map_err(EngineError::Cancelled)?;
    let mut ids = vec![0u64; names.len() / 64 + 1];
    let mut mark = |positions: Range<u32>, extra: u64| {
        let variants = || positions.clone().map(|position| names.id_at(position));
        let repeated = variants().map(|id| counts[id as usize]).sum::<u64>() + extra > 1;
        if repeated {
            variants().for_each(|id| ids[id as usize / 64] |= 1 << (id % 64));
        }
        repeated
    };
    let mut first = 0;
    for next in 1..=names.len() as u32 {
        if next == names.len() as u32 || !names.same_folded(next - 1, next) {
            mark(first..next, 0);
            first = next;
        }
    }
    cancel.check().map_err(EngineError::Cancelled)?;
    let mut added: HashMap<Vec<u8>, u64> = HashMap::new();
    for row in body.added_rows() {
        let mut folded = Vec::new();
        body.folded_into(row, &mut folded);
        *added.entry(folded).or_default() += 1;
    }
    added.retain(|folded, &mut extra| mark(names.find_folded(folded), extra));
    Ok(DupeSet::Names { ids, added: added.into_keys().collect() })
}

/// Sizes above 0 of more than one inode of a regular file.
pub(crate) fn duplicate_sizes(body: &Body, cancel: &CancelToken) -> Result<DupeSet, EngineError> {
    let mut sizes = Vec::new();
    let mut linked: HashSet<u64> = HashSet::new();
    for (count, row) in body.live_rows().enumerate() {
        if count % 65_536 == 0 {
            cancel.check().map_err(EngineError::Cancelled)?;
        }
        if body.kind(row) != EntryKind::File || body.size(row) == 0 {
            continue;
        }
        let links = if body.is_base(row) { body.base.class(row).links } else { body.meta(row).links };
        if links < 2
            || linked.insert(if body.is_base(row) { body.base.inode(row) } else { body.meta(row).inode })
        {
            sizes.push(body.size(row));
        }
    }
    sizes.sort_unstable();
    Ok(DupeSet::Sizes(
        sizes.chunk_by(|a, b| a == b).filter(|group| group.len() > 1).map(|group| group[0]).collect(),
    ))
}

//! The sets behind `dupe:name` and `dupe:size`: what occurs more than once in a body.
//!
//! Made once per query, over live rows of base and delta, so that testing a row is a look-up. Names
//! count folded; sizes count once per inode and leave out empty files.

use super::EngineError;
use crate::fold::fold;
use crate::index::{Body, RowId};
use hearth_core::{CancelToken, EntryKind};
use std::collections::{HashMap, HashSet};

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
    let names = &body.base.names;
    let count = names.len() as u32;
    let mut counts = vec![0u32; names.len()];
    for row in (0..body.base.len).filter(|&row| !body.delta.dead.get(row)) {
        counts[body.base.name_id(row) as usize] += 1;
    }
    cancel.check().map_err(EngineError::Cancelled)?;
    let mut added: HashMap<Vec<u8>, u32> = HashMap::new();
    for row in body.added_rows() {
        let mut folded = Vec::new();
        body.folded_into(row, &mut folded);
        *added.entry(folded).or_default() += 1;
    }
    let mut ids = vec![0u64; names.len() / 64 + 1];
    let mut first = 0;
    while first < count {
        let folded = names.folded(names.id_at(first));
        let same = |&position: &u32| names.folded(names.id_at(position)) == folded;
        let end = (first + 1..count).find(|position| !same(position)).unwrap_or(count);
        let variants = || (first..end).map(|position| names.id_at(position));
        let rows: u32 = variants().map(|id| counts[id as usize]).sum();
        let extra = added.get_mut(folded);
        if rows + extra.as_deref().copied().unwrap_or(0) > 1 {
            variants().for_each(|id| ids[id as usize / 64] |= 1 << (id % 64));
        }
        if let Some(extra) = extra {
            *extra += rows;
        }
        first = end;
    }
    let added = added.into_iter().filter(|&(_, count)| count > 1).map(|(name, _)| fold(&name)).collect();
    Ok(DupeSet::Names { ids, added })
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

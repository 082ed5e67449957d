//! Builds a [`NameDict`] from distinct raw names: folds and sorts them, then writes them in the order of
//! their ids, which the caller chooses once it knows the alphabetical order.
//!
//! Folding and the cutting into pieces run in parallel, only the appending of pieces is serial.

use super::case::{CaseRecords, CaseTable};
use super::ext::Extensions;
use super::order::NameOrder;
use super::sort::{Folded, sorted};
use super::text::{NameText, TextWriter, length_byte};
use super::{DictError, NameDict};
use rayon::ThreadPool;
use rayon::prelude::*;

/// Names per parallel task: a multiple of the block size.
const TASK: usize = 1 << 14;
/// Tasks whose names are in memory twice at a time.
const TASKS_AT_ONCE: usize = 32;

/// In place of an id: the name is not part of the dictionary.
pub(crate) const LEFT_OUT: u32 = u32::MAX;

/// A run of names in the order of their ids, ready to be appended.
struct Piece {
    names: Vec<u8>,
    lens: Vec<u8>,
    case: CaseRecords,
}

/// Distinct names in the order of (folded, raw): what a dictionary is written from.
pub(crate) struct SortedNames<'a> {
    names: &'a [&'a [u8]],
    folded: Folded,
    /// Input indexes in order.
    order: Vec<u32>,
}

impl<'a> SortedNames<'a> {
    /// Takes distinct names in any order.
    pub(crate) fn new(names: &'a [&'a [u8]], pool: &ThreadPool) -> Result<Self, DictError> {
        u32::try_from(names.len() + 1).map_err(|_| DictError::TooManyNames { names: names.len() })?;
        pool.install(|| {
            let folded = Folded::new(names)?;
            let bytes = folded.total_bytes() + names.len() + 1;
            u32::try_from(bytes).map_err(|_| DictError::TooMuchText { bytes })?;
            let order = sorted(names, &folded);
            Ok(SortedNames { names, folded, order })
        })
    }

    /// Position of each input name in the order.
    pub(crate) fn positions(&self) -> Vec<u32> {
        let mut positions = vec![0; self.order.len()];
        for (position, &index) in self.order.iter().enumerate() {
            positions[index as usize] = position as u32;
        }
        positions
    }
}

impl NameDict {
    /// Writes a dictionary on `pool`. `ids` gives the id of the name at each position of the order: the
    /// numbers from 0 on, each once, in any order; [`LEFT_OUT`] leaves a name out.
    pub(crate) fn build(
        sorted: &SortedNames<'_>,
        ids: &[u32],
        pool: &ThreadPool,
    ) -> Result<NameDict, DictError> {
        let kept: Vec<u32> = ids.iter().copied().filter(|&id| id != LEFT_OUT).collect();
        let mut by_id = vec![0; kept.len()];
        for (&index, &id) in sorted.order.iter().zip(ids).filter(|&(_, &id)| id != LEFT_OUT) {
            by_id[id as usize] = index;
        }
        pool.install(|| write(sorted, &by_id, &kept))
    }
}

/// Writes the names whose input indexes are `by_id`; `alphabetical` are their ids in order.
fn write(sorted: &SortedNames<'_>, by_id: &[u32], alphabetical: &[u32]) -> Result<NameDict, DictError> {
    let mut writer = TextWriter::with_capacity(by_id.len(), sorted.folded.total_bytes());
    let mut cases = Vec::with_capacity(by_id.len().div_ceil(TASK));
    for runs in by_id.chunks(TASK * TASKS_AT_ONCE) {
        let pieces = runs.par_chunks(TASK).map(|run| Piece::new(sorted.names, &sorted.folded, run));
        for piece in pieces.collect::<Vec<Piece>>() {
            writer.append(&piece.names, &piece.lens);
            cases.push(piece.case);
        }
    }
    let text: NameText = writer.finish();
    let case = CaseTable::join(&cases).ok_or(DictError::TooMuchText { bytes: u32::MAX as usize })?;
    let ext = Extensions::build(&text);
    let order = NameOrder::build(alphabetical, |id| text.get(id));
    Ok(NameDict { text, case, ext, order })
}

impl Piece {
    fn new(names: &[&[u8]], folded: &Folded, run: &[u32]) -> Self {
        let mut piece =
            Piece { names: Vec::new(), lens: Vec::with_capacity(run.len()), case: CaseRecords::default() };
        for &index in run {
            let name = folded.get(index);
            piece.names.extend_from_slice(name);
            piece.names.push(0);
            piece.lens.push(length_byte(name.len()));
            piece.case.push(name, folded.differs(index).then(|| names[index as usize]));
        }
        piece
    }
}

//! Builds a [`NameDict`] from distinct raw names: folds, sorts, then writes the parts.
//!
//! Folding and the cutting into pieces run in parallel, only the appending of pieces is serial. Ids are
//! positions in the final order, whatever the order of the input and the number of threads.

use super::case::{CaseRecords, CaseTable};
use super::ext::Extensions;
use super::sort::{Folded, sorted};
use super::text::{NameText, TextWriter, length_byte};
use super::{DictError, NameDict};
use rayon::ThreadPool;
use rayon::prelude::*;

/// Names per parallel task: a multiple of the block size.
const TASK: usize = 1 << 14;

/// A run of names in final order, ready to be appended.
struct Piece {
    names: Vec<u8>,
    lens: Vec<u8>,
    case: CaseRecords,
}

impl NameDict {
    /// Builds the dictionary of distinct names, given in any order, on `pool`. Also returns the id of each
    /// input name.
    pub(crate) fn build(names: &[&[u8]], pool: &ThreadPool) -> Result<(NameDict, Vec<u32>), DictError> {
        u32::try_from(names.len() + 1).map_err(|_| DictError::TooManyNames { names: names.len() })?;
        pool.install(|| {
            let folded = Folded::new(names)?;
            let bytes = folded.total_bytes() + names.len() + 1;
            u32::try_from(bytes).map_err(|_| DictError::TooMuchText { bytes })?;
            let order = sorted(names, &folded);
            let dict = write(names, &folded, &order)?;
            Ok((dict, inverse(&order)))
        })
    }
}

fn write(names: &[&[u8]], folded: &Folded, order: &[u32]) -> Result<NameDict, DictError> {
    let pieces: Vec<Piece> = order.par_chunks(TASK).map(|order| Piece::new(names, folded, order)).collect();
    let mut writer = TextWriter::with_capacity(names.len(), folded.total_bytes());
    let mut cases = Vec::with_capacity(pieces.len());
    for piece in pieces {
        writer.append(&piece.names, &piece.lens);
        cases.push(piece.case);
    }
    let text: NameText = writer.finish();
    let case = CaseTable::join(&cases).ok_or(DictError::TooMuchText { bytes: u32::MAX as usize })?;
    let ext = Extensions::build(&text);
    Ok(NameDict { text, case, ext })
}

impl Piece {
    fn new(names: &[&[u8]], folded: &Folded, order: &[u32]) -> Self {
        let mut piece =
            Piece { names: Vec::new(), lens: Vec::with_capacity(order.len()), case: CaseRecords::default() };
        for &index in order {
            let name = folded.get(index);
            piece.names.extend_from_slice(name);
            piece.names.push(0);
            piece.lens.push(length_byte(name));
            piece.case.push(name, folded.differs(index).then(|| names[index as usize]));
        }
        piece
    }
}

fn inverse(order: &[u32]) -> Vec<u32> {
    let mut id_of = vec![0; order.len()];
    for (id, &index) in order.iter().enumerate() {
        id_of[index as usize] = id as u32;
    }
    id_of
}

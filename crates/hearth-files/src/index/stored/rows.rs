//! Rows and names: which name each row has, and which rows each name has.
//!
//! Both directions are stored and checked against each other: every name has a first row and rows that
//! follow it, each of them names it back, and there are as many of them as there are rows. So each row is
//! there exactly once, and a count of rows by names is never less than a count of rows.

use super::StoredError;
use super::head::Head;
use super::reader::Reader;
use super::section::{Section, SectionId};
use crate::index::base::Base;
use crate::index::bits::{Bits, PackedInts};
use rayon::prelude::*;

pub(super) const NAME_OF: SectionId = SectionId::new(32, "names of rows");
const FIRSTS: SectionId = SectionId::new(33, "first rows of names");
const REPEATS: SectionId = SectionId::new(34, "other rows of names");
const REPEAT_STARTS: SectionId = SectionId::new(35, "numbers of other rows");
const HARD_LINKS: SectionId = SectionId::new(36, "hard links");

/// Names per parallel task.
const TASK: usize = 1 << 14;

pub(super) fn store<'a>(base: &'a Base, out: &mut Vec<Section<'a>>) {
    out.push(Section::bytes_of(NAME_OF, base.name_of.stored()));
    out.push(Section::elements_of(FIRSTS, base.firsts.stored()));
    out.push(Section::bytes_of(REPEATS, base.repeats.stored()));
    out.push(Section::elements_of(REPEAT_STARTS, base.repeat_starts.stored()));
    out.push(Section::elements_of(HARD_LINKS, &base.hard_links));
}

/// Whether there is a bit for each row that the head claims, before anything is done for them.
pub(super) fn check_claims(reader: &Reader<'_>, head: &Head) -> Result<(), StoredError> {
    reader.check_len(FIRSTS, Bits::stored_words(head.rows as usize) * size_of::<u64>())
}

/// The columns of [`Base`] of the same names.
pub(super) struct RowNames {
    pub(super) name_of: PackedInts,
    pub(super) firsts: Bits,
    pub(super) repeats: PackedInts,
    pub(super) repeat_starts: Bits,
    pub(super) row_counts: Box<[u8]>,
}

impl RowNames {
    pub(super) fn load(reader: &Reader<'_>, head: &Head) -> Result<Self, StoredError> {
        let (rows, names) = (head.rows as usize, head.names as usize);
        // Numbers out of range are found when both directions are compared.
        let (name_of, repeats) = rayon::join(
            || reader.packed(NAME_OF, head.name_of, rows, u64::MAX),
            || reader.packed(REPEATS, head.repeats, rows - names, u64::MAX),
        );
        let mut loaded = RowNames {
            name_of: name_of?,
            firsts: reader.bits(FIRSTS, rows, Some(names), true)?,
            repeats: repeats?,
            repeat_starts: reader.bits(REPEAT_STARTS, rows, Some(names), true)?,
            row_counts: Box::default(),
        };
        REPEAT_STARTS.check(loaded.repeat_starts.get(0), "rows before the first name")?;
        let mut counts = vec![0; names].into_boxed_slice();
        let agree = counts
            .par_chunks_mut(TASK)
            .enumerate()
            .map(|(task, counts)| loaded.agree(task * TASK, counts))
            .reduce(|| true, |one, other| one && other);
        NAME_OF.check(agree, "rows and names disagree")?;
        loaded.row_counts = counts;
        Ok(loaded)
    }

    /// Whether the names from `first` on and their rows name each other; fills in how many rows they have.
    fn agree(&self, first: usize, counts: &mut [u8]) -> bool {
        let mut first_rows = self.firsts.ones_from(first);
        let mut marks = self.repeat_starts.ones_from(first);
        let mut mark = marks.next().unwrap_or(self.repeat_starts.len());
        let mut agree = true;
        for (name, count) in (first..).zip(counts) {
            let next = marks.next().unwrap_or(self.repeat_starts.len());
            let row = first_rows.next().expect("there are as many as names");
            agree &= self.name_of.get(row) == name as u64 && self.repeats_agree(name, row, mark, next);
            *count = u8::try_from(next - mark).unwrap_or(u8::MAX);
            mark = next;
        }
        agree
    }

    /// Whether the rows that follow the first one ascend and have the name.
    fn repeats_agree(&self, name: usize, first_row: usize, mark: usize, next: usize) -> bool {
        let last = self.name_of.len() as u64 - 1;
        let (mut before, mut agree) = (first_row as u64, true);
        for row in self.repeats.iter_range(mark - name..next - name - 1) {
            agree &= before < row && row <= last && self.name_of.get(row.min(last) as usize) == name as u64;
            before = row;
        }
        agree
    }
}

/// Inodes with several names: ordered, and no folders.
pub(super) fn load_hard_links(
    reader: &Reader<'_>,
    head: &Head,
    is_dir: &Bits,
) -> Result<Box<[(u64, u32)]>, StoredError> {
    let links: Vec<(u64, u32)> = reader.elements(HARD_LINKS, head.hard_links as usize)?;
    HARD_LINKS.check(links.is_sorted_by(|a, b| a < b), "not in order")?;
    let files = links.iter().all(|&(_, row)| row < head.rows && !is_dir.get(row as usize));
    HARD_LINKS.check(files, "a row that has no links")?;
    Ok(links.into_boxed_slice())
}

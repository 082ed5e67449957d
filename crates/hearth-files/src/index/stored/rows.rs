//! Rows and names: which name each row has, and which rows each name has.
//!
//! Names are numbered by their first rows. So of a row that is the first of its name the mark says all, and of
//! any other the number of its name is stored, which is one of those that came before. The other direction
//! follows by counting; neither can contradict the other, each row is there exactly once, and a count of rows by
//! names is never less than a count of rows.

use super::StoredError;
use super::head::Head;
use super::memory::zeros;
use super::numbers::{self, Numbers};
use super::parts::{self, Parts};
use super::reader::Reader;
use super::section::{Section, SectionId};
use crate::index::base::Base;
use crate::index::bits::{BitWriter, Bits, PackedBuilder, PackedInts, width_for};
use std::ops::Range;

pub(super) const FIRSTS: SectionId = SectionId::new(33, "first rows of names");
const HARD_LINKS: SectionId = SectionId::new(36, "hard links");
const REPEATED: Parts = Parts::new(384, "names of other rows");

pub(super) fn store<'a>(base: &'a Base, out: &mut Vec<Section<'a>>) {
    out.push(Section::elements_of(FIRSTS, base.firsts.stored()));
    REPEATED.store(base.len as usize, |rows| encode(base, rows), out);
    out.push(Section::coded(HARD_LINKS, || encode_hard_links(&base.hard_links)));
}

/// Names of the rows that are not the first of theirs: by what each is larger than the one after the name before.
fn encode(base: &Base, rows: Range<usize>) -> Vec<u8> {
    let (mut out, mut next) = (Vec::new(), 0);
    for (row, name) in rows.clone().zip(base.name_of.iter_range(rows)) {
        if !base.firsts.get(row) {
            numbers::put_signed(&mut out, name as i64 - next);
            next = name as i64 + 1;
        }
    }
    out
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
        let firsts = reader.bits(FIRSTS, rows, Some(names), true)?;
        let name_of = load_names(reader, &firsts, names)?;
        let mut others = Others::count(&firsts, &name_of, names);
        let (repeat_starts, row_counts) = (others.starts(rows), others.row_counts());
        let repeats = others.rows(&firsts, &name_of);
        Ok(RowNames { name_of, firsts, repeats, repeat_starts, row_counts })
    }
}

/// The name of every row.
fn load_names(reader: &Reader<'_>, firsts: &Bits, names: usize) -> Result<PackedInts, StoredError> {
    let (rows, width) = (firsts.len(), width_for(names as u64 - 1));
    REPEATED.check_claims(reader, rows, |rows| {
        rows.len() - (firsts.rank1(rows.end) - firsts.rank1(rows.start))
    })?;
    PackedInts::written(width, rows, |bytes| {
        let targets = parts::cut(bytes, rows, |rows| (rows.len() * usize::from(width)).div_ceil(8));
        REPEATED.load(reader, rows, targets, |rows, coded, target| {
            decode(firsts, rows, Numbers::new(coded), BitWriter::new(target), width)
        })
    })
}

/// Writes the names of a part of the rows. False if one is none that came before, or some are left over.
fn decode(
    firsts: &Bits,
    rows: Range<usize>,
    mut coded: Numbers<'_>,
    mut writer: BitWriter<'_>,
    width: u8,
) -> bool {
    let (mut known, mut next) = (firsts.rank1(rows.start) as i64, 0i64);
    for row in rows {
        if firsts.get(row) {
            writer.push(known as u64, width);
            known += 1;
            continue;
        }
        let Some(ahead) = coded.take_signed() else { return false };
        let name = next.wrapping_add(ahead);
        if !(0..known).contains(&name) {
            return false;
        }
        writer.push(name as u64, width);
        next = name + 1;
    }
    writer.finish();
    coded.is_empty()
}

/// Rows that are not the first of their name, on their way into the order of names.
struct Others {
    /// Of each name how many there are; later where the next one goes.
    counts: Vec<u32>,
}

impl Others {
    fn count(firsts: &Bits, name_of: &PackedInts, names: usize) -> Self {
        let mut counts = zeros(names);
        firsts.for_each_zero(|row| counts[name_of.get(row) as usize] += 1);
        Others { counts }
    }

    /// A one for each name, then a zero for each of its other rows.
    fn starts(&self, rows: usize) -> Bits {
        let mut next = 0;
        let marks = self.counts.iter().map(|&count| {
            let mark = next;
            next += count as usize + 1;
            mark
        });
        Bits::with_select(rows, marks)
    }

    /// Rows of each name, saturated.
    fn row_counts(&self) -> Box<[u8]> {
        self.counts.iter().map(|&count| u8::try_from(count + 1).unwrap_or(u8::MAX)).collect()
    }

    /// The rows, ordered by (name, row).
    fn rows(&mut self, firsts: &Bits, name_of: &PackedInts) -> PackedInts {
        let mut before = 0;
        for count in &mut self.counts {
            before += std::mem::replace(count, before);
        }
        let (rows, others) = (name_of.len() as u64, before as usize);
        let mut ordered = PackedBuilder::new((u64::BITS - rows.leading_zeros()) as u8, others);
        firsts.for_each_zero(|row| {
            let slot = &mut self.counts[name_of.get(row) as usize];
            ordered.set(*slot as usize, row as u64);
            *slot += 1;
        });
        ordered.finish()
    }
}

/// Inodes, each by what it is larger than the one before; then rows, each by what it differs from the one before.
fn encode_hard_links(links: &[(u64, u32)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(links.len() * 4);
    let mut before = 0;
    for &(inode, _) in links {
        numbers::put(&mut out, inode.wrapping_sub(before));
        before = inode;
    }
    let mut before = 0;
    for &(_, row) in links {
        numbers::put_signed(&mut out, i64::from(row) - before);
        before = i64::from(row);
    }
    out
}

/// Inodes with several names: ordered, and no folders.
pub(super) fn load_hard_links(
    reader: &Reader<'_>,
    head: &Head,
    is_dir: &Bits,
) -> Result<Box<[(u64, u32)]>, StoredError> {
    let count = head.hard_links as usize;
    reader.check_least(HARD_LINKS, count.saturating_mul(2))?;
    let links = reader.with(HARD_LINKS, |coded| decode_hard_links(Numbers::new(coded), count))?;
    let links = links.ok_or_else(|| HARD_LINKS.corrupt("no such links"))?;
    HARD_LINKS.check(links.is_sorted_by(|a, b| a < b), "not in order")?;
    let files = links.iter().all(|&(_, row)| row < head.rows && !is_dir.get(row as usize));
    HARD_LINKS.check(files, "a row that has no links")?;
    Ok(links.into_boxed_slice())
}

fn decode_hard_links(mut coded: Numbers<'_>, count: usize) -> Option<Vec<(u64, u32)>> {
    let mut links = Vec::with_capacity(count);
    let mut inode = 0u64;
    for _ in 0..count {
        inode = inode.wrapping_add(coded.take()?);
        links.push((inode, 0));
    }
    let mut before = 0i64;
    for (_, row) in &mut links {
        before = before.wrapping_add(coded.take_signed()?);
        *row = u32::try_from(before).ok()?;
    }
    coded.is_empty().then_some(links)
}

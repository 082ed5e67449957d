//! Rows by inode, for many inodes at once: one pass over the column instead of a search for each.
//!
//! File records of a volume are named by ranges of inodes (a record's number and any of its sequences). Groups of
//! rows that zones rule out are passed over, blocks that their headers rule out too; of the rest each row asks a
//! small bitmap first, and searches the ranges only if that says maybe.

use super::RowId;
use super::base::Base;
use super::body::Body;
use super::column::{BLOCK_ROWS, ZONE_ROWS};
use std::ops::RangeInclusive;

/// Bits of the bitmap per range; more make fewer rows search in vain.
const BITS_PER_RANGE: usize = 32;
/// Most bits of the bitmap: 2 MiB.
const MOST_BITS: usize = 1 << 24;

/// Ascending, disjoint ranges of inodes with a bitmap of where they lie.
struct Wanted<'r> {
    ranges: &'r [RangeInclusive<u64>],
    lowest: u64,
    highest: u64,
    /// An inode's bit is `(inode - lowest) >> shift`.
    shift: u32,
    bits: Vec<u64>,
    /// The first range that does not end before the inodes of a word of bits.
    firsts: Vec<u32>,
}

impl<'r> Wanted<'r> {
    /// `None` if nothing is wanted.
    fn new(ranges: &'r [RangeInclusive<u64>]) -> Option<Self> {
        let ascend = |pair: &[RangeInclusive<u64>]| pair[0].end() < pair[1].start();
        let fit = ranges.windows(2).all(ascend) && ranges.iter().all(|range| !range.is_empty());
        assert!(fit, "ranges of inodes ascend, are disjoint and hold something");
        let (&lowest, &highest) = (ranges.first()?.start(), ranges.last()?.end());
        let most = (ranges.len() * BITS_PER_RANGE).clamp(64, MOST_BITS).next_power_of_two();
        let needed = u64::BITS - (highest.saturating_sub(lowest)).leading_zeros();
        let shift = needed.saturating_sub(most.trailing_zeros());
        let (bits, firsts) = (vec![0; most / 64], Vec::with_capacity(most / 64));
        let mut wanted = Wanted { ranges, lowest, highest, shift, bits, firsts };
        wanted.mark();
        Some(wanted)
    }

    fn mark(&mut self) {
        for (range, at) in self.ranges.iter().zip(0..) {
            let bits = self.bit(*range.start())..=self.bit(*range.end());
            self.firsts.resize(self.firsts.len().max(bits.end() / 64 + 1), at);
            bits.for_each(|bit| self.bits[bit / 64] |= 1 << (bit % 64));
        }
    }

    fn bit(&self, inode: u64) -> usize {
        ((inode - self.lowest) >> self.shift) as usize
    }

    fn has(&self, inode: u64) -> bool {
        if inode < self.lowest || inode > self.highest {
            return false;
        }
        let bit = self.bit(inode);
        if self.bits[bit / 64] >> (bit % 64) & 1 == 0 {
            return false;
        }
        let first = self.firsts[bit / 64] as usize;
        let until = self.firsts.get(bit / 64 + 1).map_or(self.ranges.len(), |&next| next as usize + 1);
        let near = &self.ranges[first..until.min(self.ranges.len())];
        let at = near.partition_point(|range| *range.end() < inode);
        near.get(at).is_some_and(|range| *range.start() <= inode)
    }

    /// Whether a range holds any of these inodes.
    fn reaches(&self, first: u64, last: u64) -> bool {
        let at = self.ranges.partition_point(|range| *range.end() < first);
        self.ranges.get(at).is_some_and(|range| *range.start() <= last)
    }

    /// As [`Wanted::reaches`], of the signed numbers that a column holds.
    fn reaches_signed(&self, (first, last): (i64, i64)) -> bool {
        // Numbers of both signs are all numbers, as inodes go.
        (first < 0) != (last < 0) || self.reaches(first as u64, last as u64)
    }
}

impl Body {
    /// Live rows, of files and folders alike, whose inode lies in one of these ascending, disjoint ranges, each with
    /// its inode: base rows in order, then added rows by age.
    ///
    /// # Panics
    /// If the ranges do not ascend, overlap or hold nothing.
    pub fn rows_in_inodes(&self, ranges: &[RangeInclusive<u64>]) -> Vec<(u64, RowId)> {
        let Some(wanted) = Wanted::new(ranges) else { return Vec::new() };
        let mut found = Vec::new();
        self.base.rows_with_inodes(&wanted, &mut found);
        found.retain(|&(_, row)| self.is_live(row));
        let added = self.delta.rows.iter().map(|(row, added)| (added.meta.inode, self.base.len + row));
        found.extend(added.filter(|&(inode, _)| wanted.has(inode)));
        found
    }
}

impl Base {
    fn rows_with_inodes(&self, wanted: &Wanted<'_>, found: &mut Vec<(u64, RowId)>) {
        let (zones, column) = (&self.columns.inode_zones, &self.columns.inode);
        let mut inodes = [0; BLOCK_ROWS];
        for group in (0..zones.groups()).filter(|&at| wanted.reaches_signed((zones.min(at), zones.max(at)))) {
            let blocks = group * ZONE_ROWS / BLOCK_ROWS..(group + 1) * ZONE_ROWS / BLOCK_ROWS;
            for block in blocks.start..blocks.end.min(column.blocks()) {
                if column.bounds(block).is_some_and(|bounds| !wanted.reaches_signed(bounds)) {
                    continue;
                }
                let rows = column.decode(block, &mut inodes);
                let first = (block * BLOCK_ROWS) as RowId;
                let numbered = inodes[..rows].iter().map(|&inode| inode as u64).zip(first..);
                found.extend(numbered.filter(|&(inode, _)| wanted.has(inode)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_wanted_is_what_a_range_holds(
            borders in prop::collection::btree_set(any::<u64>(), 2..200), scale in 0u32..64,
            others in prop::collection::vec(any::<u64>(), 0..50)
        ) {
            let mut borders: Vec<u64> = borders.into_iter().map(|border| border >> scale).collect();
            borders.dedup();
            let ranges: Vec<_> = borders.chunks_exact(2).map(|pair| pair[0]..=pair[1]).collect();
            let Some(wanted) = Wanted::new(&ranges) else { return Ok(()) };
            let near = borders.iter().flat_map(|&at| [at, at.wrapping_sub(1), at.saturating_add(1)]);
            for inode in near.chain(others.into_iter().map(|other| other >> scale)) {
                let held = ranges.iter().any(|range| range.contains(&inode));
                prop_assert_eq!(wanted.has(inode), held, "{}", inode);
                prop_assert_eq!(wanted.reaches(inode, inode), held, "{}", inode);
                prop_assert!(!held || wanted.reaches_signed((inode as i64, inode as i64)));
            }
        }
    }

    #[test]
    fn nothing_is_wanted_of_no_ranges() {
        assert!(Wanted::new(&[]).is_none());
    }
}

//! The raw form of names whose folded form differs.
//!
//! A bitmap with rank says which names differ; their records lie in one arena, found through the
//! start of every eighth. The usual difference is a few ASCII capitals: a record then is a bit mask
//! of the bytes to raise, cut after its last set bit. Everything else (other scripts, folds that change
//! the length) is kept whole. Either way the raw name comes back byte for byte.
//!
//! Record: one byte `n`, then `n` mask bytes (bit `i` of byte `j` raises byte `8j + i`);
//! or 255, a little-endian u16 length, and the raw name.

use super::text::NameText;
use crate::index::bits::{Bits, BitsBuilder};
use hearth_core::HeapSize;
use rayon::prelude::*;

/// Records per stored start.
const STRIDE: usize = 8;
/// Records checked by one task: whole strides.
const TASK: usize = STRIDE << 10;
/// First byte of a record that holds the raw name whole.
const WHOLE: u8 = u8::MAX;
/// Difference between an ASCII letter and its capital.
const RAISE: u8 = b'a' - b'A';

/// Raw forms, by rank among the names that differ.
#[derive(Debug)]
pub(super) struct CaseTable {
    differs: Bits,
    /// Start of every eighth record.
    starts: Vec<u32>,
    records: Vec<u8>,
}

/// Records of a run of names, in order.
#[derive(Default)]
pub(super) struct CaseRecords {
    records: Vec<u8>,
    /// For each record, the position of its name in the run and its length.
    of: Vec<(u32, u32)>,
    names: u32,
}

impl CaseRecords {
    /// Adds the next name; `raw` if it differs.
    pub(super) fn push(&mut self, folded: &[u8], raw: Option<&[u8]>) {
        if let Some(raw) = raw {
            let before = self.records.len();
            encode(folded, raw, &mut self.records);
            self.of.push((self.names, (self.records.len() - before) as u32));
        }
        self.names += 1;
    }
}

impl CaseTable {
    /// Joins runs of names. `None` if the records pass 4 GiB.
    pub(super) fn join(runs: &[CaseRecords]) -> Option<Self> {
        let bytes = runs.iter().map(|run| run.records.len()).sum();
        u32::try_from(bytes).ok()?;
        let count = runs.iter().map(|run| run.of.len()).sum::<usize>();
        let mut differs = BitsBuilder::new(runs.iter().map(|run| run.names as usize).sum());
        let mut starts = Vec::with_capacity(count.div_ceil(STRIDE));
        let mut records = Vec::with_capacity(bytes);
        let (mut first, mut rank, mut start) = (0, 0, 0);
        for run in runs {
            for &(position, len) in &run.of {
                differs.set((first + position) as usize);
                if rank % STRIDE == 0 {
                    starts.push(start);
                }
                rank += 1;
                start += len;
            }
            first += run.names;
            records.extend_from_slice(&run.records);
        }
        Some(CaseTable { differs: differs.finish(false), starts, records })
    }

    /// The names that differ, and their records.
    pub(super) fn stored(&self) -> (&Bits, &[u8]) {
        (&self.differs, &self.records)
    }

    /// The reverse of [`CaseTable::stored`], for the folded names in `text`; or what is wrong with it.
    pub(super) fn from_stored(
        differs: Bits,
        records: Vec<u8>,
        text: &NameText,
    ) -> Result<Self, &'static str> {
        let count = differs.ones();
        u32::try_from(records.len()).map_err(|_| "too many records")?;
        let mut starts = Vec::with_capacity(count.div_ceil(STRIDE));
        let mut rest = records.as_slice();
        for rank in 0..count {
            if rank % STRIDE == 0 {
                starts.push((records.len() - rest.len()) as u32);
            }
            rest = checked_record(rest).ok_or("a record past the end")?.1;
        }
        if !rest.is_empty() {
            return Err("more records than names");
        }
        let table = CaseTable { differs, starts, records };
        let fits = (0..count.div_ceil(TASK)).into_par_iter().all(|task| table.fits(task * TASK, text));
        if fits { Ok(table) } else { Err("a raw form that its name cannot have") }
    }

    /// Whether the records of a task's ranks fit their names.
    fn fits(&self, rank: usize, text: &NameText) -> bool {
        let mut rest = self.record(rank);
        self.differs.ones_from(rank).take(TASK).all(|id| {
            let Some((record, next)) = checked_record(rest) else { return false };
            rest = next;
            record_fits(record, text.get(id as u32))
        })
    }

    /// Whether a name's raw form differs from its folded form.
    #[inline]
    pub(super) fn differs(&self, id: u32) -> bool {
        self.differs.get(id as usize)
    }

    /// Turns the folded form of a name, which is `out[base..]`, into its raw form.
    #[inline]
    pub(super) fn restore(&self, id: u32, out: &mut Vec<u8>, base: usize) {
        if self.differs(id) {
            decode(self.record(self.differs.rank1(id as usize)), out, base);
        }
    }

    /// The record of a rank and all that follows it.
    fn record(&self, rank: usize) -> &[u8] {
        let mut rest = &self.records[self.starts[rank / STRIDE] as usize..];
        for _ in 0..rank % STRIDE {
            rest = &rest[record_len(rest)..];
        }
        rest
    }
}

impl HeapSize for CaseTable {
    fn heap_bytes(&self) -> usize {
        self.differs.heap_bytes() + self.starts.heap_bytes() + self.records.heap_bytes()
    }
}

/// A record and what follows it; `None` if it is cut off.
fn checked_record(records: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = match *records {
        [WHOLE, low, high, ..] => 3 + usize::from(u16::from_le_bytes([low, high])),
        [WHOLE, ..] | [] => return None,
        [mask_bytes, ..] => 1 + usize::from(mask_bytes),
    };
    records.split_at_checked(len)
}

/// Whether a record makes a raw name of a folded one: it raises letters that are there, or is a name.
fn record_fits(record: &[u8], folded: &[u8]) -> bool {
    if record[0] == WHOLE {
        return !record[3..].contains(&0);
    }
    let letters = |bytes: &[u8]| {
        let bits = bytes.iter().enumerate();
        bits.fold(0, |bits, (bit, byte)| bits | u8::from(byte.is_ascii_lowercase()) << bit)
    };
    let mask = &record[1..];
    mask.len() <= folded.len().div_ceil(8)
        && folded.chunks(8).zip(mask).all(|(bytes, &mask)| mask & !letters(bytes) == 0)
}

fn record_len(record: &[u8]) -> usize {
    match record[0] {
        WHOLE => 3 + usize::from(whole_len(record)),
        mask_bytes => 1 + usize::from(mask_bytes),
    }
}

fn whole_len(record: &[u8]) -> u16 {
    u16::from_le_bytes([record[1], record[2]])
}

fn decode(record: &[u8], out: &mut Vec<u8>, base: usize) {
    if record[0] == WHOLE {
        out.truncate(base);
        out.extend_from_slice(&record[3..3 + usize::from(whole_len(record))]);
    } else {
        let mask = &record[1..1 + usize::from(record[0])];
        out[base..].chunks_mut(8).zip(mask).for_each(|(bytes, &mask)| raise(bytes, mask));
    }
}

fn raise(bytes: &mut [u8], mut mask: u8) {
    while mask != 0 {
        bytes[mask.trailing_zeros() as usize] -= RAISE;
        mask &= mask - 1;
    }
}

fn encode(folded: &[u8], raw: &[u8], out: &mut Vec<u8>) {
    match mask_bytes(folded, raw) {
        Some(count) => {
            out.push(count);
            let pairs = folded.chunks(8).zip(raw.chunks(8)).take(usize::from(count));
            out.extend(pairs.map(|(folded, raw)| mask(folded, raw)));
        }
        None => {
            let len = u16::try_from(raw.len()).expect("names are at most 65535 bytes");
            out.push(WHOLE);
            out.extend_from_slice(&len.to_le_bytes());
            out.extend_from_slice(raw);
        }
    }
}

/// Mask bytes needed; `None` if the names differ by more than ASCII capitals or too far back.
fn mask_bytes(folded: &[u8], raw: &[u8]) -> Option<u8> {
    let capital = |(&f, &r): (&u8, &u8)| f == r || (r.is_ascii_uppercase() && f == r + RAISE);
    if folded.len() != raw.len() || !folded.iter().zip(raw).all(capital) {
        return None;
    }
    let last = folded.iter().zip(raw).rposition(|(f, r)| f != r)?;
    u8::try_from(last / 8 + 1).ok().filter(|&count| count != WHOLE)
}

fn mask(folded: &[u8], raw: &[u8]) -> u8 {
    let bits = folded.iter().zip(raw).enumerate();
    bits.fold(0, |mask, (bit, (folded, raw))| mask | u8::from(folded != raw) << bit)
}

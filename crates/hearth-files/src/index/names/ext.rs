//! Extension of each name, one byte per name.
//!
//! Extensions are numbered from 1 in byte order. The 254 most frequent have a code byte of their own;
//! names with any other carry the escape code and store the number itself, found by counting escapes
//! within the block. A filter on a frequent extension thus compares bytes of a dense column.

use super::text::{BLOCK, NameText};
use crate::index::bits::PackedInts;
use hearth_core::HeapSize;
use rayon::prelude::*;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

/// Longest extension, bytes; longer tails are not extensions.
const LONGEST: usize = 32;
/// Code of names whose extension number is stored apart.
const ESCAPE: u8 = u8::MAX;
/// Number of frequent extensions with a code of their own (1..=254).
const FREQUENT: usize = 254;
/// Names per parallel task: whole blocks.
const TASK: u32 = 1 << 15;

/// What follows the last dot of a folded name, if the dot is not its first byte and 1 to 32 bytes follow.
pub fn extension(folded: &[u8]) -> Option<&[u8]> {
    let dot = memchr::memrchr(b'.', folded)?;
    let tail = &folded[dot + 1..];
    (dot > 0 && (1..=LONGEST).contains(&tail.len())).then_some(tail)
}

/// The extension column and its table of names.
#[derive(Debug)]
pub(super) struct Extensions {
    /// Extension names back to back; number `n` is `starts[n - 1]..starts[n]`.
    text: Vec<u8>,
    starts: Vec<u32>,
    /// Per name: 0 = none, 1..=254 = index into `frequent`, 255 = escape.
    codes: Vec<u8>,
    /// Extension number of each code; entry 0 stands for none.
    frequent: Vec<u32>,
    /// Extension numbers of names with the escape code, in order.
    escaped: PackedInts,
    /// Escapes before each block.
    escapes_before: Vec<u32>,
}

/// Extensions of a run of names under numbers local to the run.
struct Run<'a> {
    names: Vec<&'a [u8]>,
    counts: Vec<u32>,
    /// Local number per name, 0 = none.
    of_name: Vec<u32>,
}

impl Extensions {
    /// Reads the extensions of all names, on the current thread pool.
    pub(super) fn build(text: &NameText) -> Self {
        let tasks = text.len().div_ceil(TASK);
        let range = |task: u32| task * TASK..((task + 1) * TASK).min(text.len());
        let runs: Vec<Run<'_>> = (0..tasks).into_par_iter().map(|task| Run::new(text, range(task))).collect();
        let totals = totals(&runs);
        let (names, starts) = table(&totals);
        let frequent = frequent(&totals);
        let mut column = Column::new(&frequent, totals.len(), text.len());
        runs.iter().for_each(|run| column.push_run(run, &totals));
        Extensions {
            text: names,
            starts,
            frequent,
            codes: column.codes,
            escaped: PackedInts::from_slice_u32(&column.escaped),
            escapes_before: column.escapes_before,
        }
    }

    /// Names of the extensions, where they begin, and the numbers of the frequent ones.
    pub(super) fn table(&self) -> (&[u8], &[u32], &[u32]) {
        (&self.text, &self.starts, &self.frequent)
    }

    /// Code of each name.
    pub(super) fn codes(&self) -> &[u8] {
        &self.codes
    }

    /// Extension numbers of the names whose code does not say it.
    pub(super) fn rare(&self) -> &PackedInts {
        &self.escaped
    }

    /// How many names have a code that does not say the number.
    pub(super) fn rare_among(codes: &[u8]) -> usize {
        codes.par_chunks(TASK as usize).map(|codes| count(codes, ESCAPE)).sum()
    }

    /// The extensions of which the other functions gave the parts; or what is wrong with them. `rare` has
    /// [`Extensions::rare_among`] the codes many numbers, each of an extension or 0.
    pub(super) fn from_stored(
        text: Vec<u8>,
        starts: Vec<u32>,
        frequent: Vec<u32>,
        codes: Vec<u8>,
        rare: PackedInts,
    ) -> Result<Self, &'static str> {
        if starts.first() != Some(&0) || starts.last().map(|&end| end as usize) != Some(text.len()) {
            return Err("extensions that are not all of the text");
        }
        if !starts.is_sorted() || frequent.iter().any(|&ext| ext as usize >= starts.len()) {
            return Err("an extension that there is not");
        }
        let known = |&code: &u8| code == ESCAPE || usize::from(code) < frequent.len();
        if !codes.par_chunks(TASK as usize).all(|codes| codes.iter().all(known)) {
            return Err("a code that there is not");
        }
        let mut before = 0;
        let escapes_before = codes.chunks(BLOCK as usize).map(|block| {
            let own = before;
            before += count(block, ESCAPE) as u32;
            own
        });
        let escapes_before = escapes_before.collect();
        Ok(Extensions { text, starts, frequent, codes, escaped: rare, escapes_before })
    }

    /// Number of different extensions.
    pub(super) fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// Name of extension `ext` (1..=count); empty for 0.
    pub(super) fn name(&self, ext: u32) -> &[u8] {
        match ext.checked_sub(1) {
            Some(index) => {
                &self.text[self.starts[index as usize] as usize..self.starts[ext as usize] as usize]
            }
            None => &[],
        }
    }

    /// Number of an extension.
    pub(super) fn find(&self, name: &[u8]) -> Option<u32> {
        let (mut low, mut high) = (1, self.count() as u32 + 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.name(middle) < name {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (low as usize <= self.count() && self.name(low) == name).then_some(low)
    }

    /// Extension number of a name, 0 = none.
    #[inline]
    pub(super) fn of(&self, id: u32) -> u32 {
        match self.codes[id as usize] {
            ESCAPE => {
                let block = id / BLOCK;
                let before = &self.codes[(block * BLOCK) as usize..id as usize];
                let rank = self.escapes_before[block as usize] as usize + count(before, ESCAPE);
                self.escaped.get(rank) as u32
            }
            code => self.frequent[usize::from(code)],
        }
    }

    /// Reports each id of `ids` with extension `ext`, ascending.
    pub(super) fn names_with(&self, ext: u32, ids: Range<u32>, mut found: impl FnMut(u32)) {
        let codes = &self.codes[ids.start as usize..ids.end as usize];
        match self.frequent.iter().position(|&number| number == ext) {
            Some(code) => memchr::memchr_iter(code as u8, codes).for_each(|at| found(ids.start + at as u32)),
            None => self.escaped_with(ext, ids, found),
        }
    }

    fn escaped_with(&self, ext: u32, ids: Range<u32>, mut found: impl FnMut(u32)) {
        let Some(&first) = self.escapes_before.get((ids.start / BLOCK) as usize) else { return };
        let last = self.escapes_before.get(ids.end.div_ceil(BLOCK) as usize);
        let last = last.map_or(self.escaped.len(), |&last| last as usize);
        let numbers = self.escaped.iter_range(first as usize..last);
        for (rank, _) in (first..).zip(numbers).filter(|&(_, number)| number == u64::from(ext)) {
            let id = self.id_of_escape(rank);
            if id >= ids.end {
                return;
            }
            if id >= ids.start {
                found(id);
            }
        }
    }

    fn id_of_escape(&self, rank: u32) -> u32 {
        let block = self.escapes_before.partition_point(|&before| before <= rank) - 1;
        let first = block * BLOCK as usize;
        let last = (first + BLOCK as usize).min(self.codes.len());
        let within = memchr::memchr_iter(ESCAPE, &self.codes[first..last])
            .nth((rank - self.escapes_before[block]) as usize)
            .expect("the block holds the escape");
        (first + within) as u32
    }
}

/// The per-name columns while they grow.
struct Column {
    /// Code of each extension number.
    code_of: Vec<u8>,
    codes: Vec<u8>,
    escaped: Vec<u32>,
    escapes_before: Vec<u32>,
}

impl Column {
    fn new(frequent: &[u32], extensions: usize, names: u32) -> Self {
        let mut code_of = vec![ESCAPE; extensions + 1];
        for (code, &ext) in frequent.iter().enumerate() {
            code_of[ext as usize] = code as u8;
        }
        Column {
            code_of,
            codes: Vec::with_capacity(names as usize),
            escaped: Vec::new(),
            escapes_before: Vec::with_capacity(names.div_ceil(BLOCK) as usize),
        }
    }

    fn push_run(&mut self, run: &Run<'_>, totals: &[(&[u8], u32)]) {
        let number = |name: &&[u8]| totals.partition_point(|(other, _)| other < name) as u32 + 1;
        let global: Vec<u32> = std::iter::once(0).chain(run.names.iter().map(number)).collect();
        for block in run.of_name.chunks(BLOCK as usize) {
            self.escapes_before.push(self.escaped.len() as u32);
            for &local in block {
                self.push(global[local as usize]);
            }
        }
    }

    fn push(&mut self, ext: u32) {
        let code = self.code_of[ext as usize];
        self.codes.push(code);
        if code == ESCAPE {
            self.escaped.push(ext);
        }
    }
}

impl<'a> Run<'a> {
    fn new(text: &'a NameText, ids: Range<u32>) -> Self {
        let mut run = Run { names: Vec::new(), counts: Vec::new(), of_name: Vec::with_capacity(ids.len()) };
        let mut numbers: HashMap<&[u8], u32, BuildHasherDefault<WordHasher>> = HashMap::default();
        let mut place = text.place(ids.start);
        loop {
            let number = match extension(&text.blob()[place.start..place.end]) {
                Some(name) => *numbers.entry(name).or_insert_with(|| run.add(name)),
                None => 0,
            };
            if let Some(index) = number.checked_sub(1) {
                run.counts[index as usize] += 1;
            }
            run.of_name.push(number);
            if place.id + 1 == ids.end {
                return run;
            }
            place = text.next(place);
        }
    }

    fn add(&mut self, name: &'a [u8]) -> u32 {
        self.names.push(name);
        self.counts.push(0);
        self.names.len() as u32
    }
}

/// Multiplies eight bytes at a time; a chosen collision costs a comparison within one task, no more.
#[derive(Default)]
struct WordHasher(u64);

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        for word in bytes.chunks(8) {
            let word = word.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
            self.write_u64(word);
        }
    }

    fn write_u64(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word ^ 0x9E37_79B9_7F4A_7C15) * 0xD6E8_FEB8_6659_FD93;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// All extensions in byte order with their number of names.
fn totals<'a>(runs: &[Run<'a>]) -> Vec<(&'a [u8], u32)> {
    let mut totals: Vec<(&[u8], u32)> =
        runs.iter().flat_map(|run| run.names.iter().copied().zip(run.counts.iter().copied())).collect();
    totals.par_sort_unstable();
    totals.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        kept.1 += if same { next.1 } else { 0 };
        same
    });
    totals
}

/// Names of all extensions back to back, and where each begins and ends.
fn table(totals: &[(&[u8], u32)]) -> (Vec<u8>, Vec<u32>) {
    let mut text = Vec::with_capacity(totals.iter().map(|(name, _)| name.len()).sum());
    let mut starts = Vec::with_capacity(totals.len() + 1);
    starts.push(0);
    for (name, _) in totals {
        text.extend_from_slice(name);
        starts.push(text.len() as u32);
    }
    (text, starts)
}

/// Extension number of each code: none, then the most frequent.
fn frequent(totals: &[(&[u8], u32)]) -> Vec<u32> {
    let mut order: Vec<u32> = (1..=totals.len() as u32).collect();
    order.sort_by_key(|&ext| std::cmp::Reverse(totals[ext as usize - 1].1));
    std::iter::once(0).chain(order.into_iter().take(FREQUENT)).collect()
}

fn count(bytes: &[u8], wanted: u8) -> usize {
    bytes.iter().filter(|&&byte| byte == wanted).count()
}

impl HeapSize for Extensions {
    fn heap_bytes(&self) -> usize {
        self.text.heap_bytes()
            + self.starts.heap_bytes()
            + self.codes.heap_bytes()
            + self.frequent.heap_bytes()
            + self.escaped.heap_bytes()
            + self.escapes_before.heap_bytes()
    }
}

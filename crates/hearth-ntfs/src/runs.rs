//! Where the clusters of a value lie: mapping pairs, and reading through them.
//!
//! A pair is a count of clusters and the distance from where the pair before began. A pair without distance
//! is a hole: zeroes that take no place.

use crate::read::ReadAt;
use std::io;

/// Neighbouring clusters of a value that are neighbours on disk too, or a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// First cluster, counted from the begin of the value.
    pub vcn: u64,
    /// First cluster on disk; `None` is a hole.
    pub lcn: Option<u64>,
    /// How many.
    pub clusters: u64,
}

impl Run {
    /// The cluster of the value that follows.
    pub(crate) fn end(&self) -> u64 {
        self.vcn + self.clusters
    }
}

/// Decodes mapping pairs.
#[derive(Clone, Debug)]
pub(crate) struct Mapping<'a> {
    rest: &'a [u8],
    vcn: u64,
    lcn: i64,
    clusters: u64,
}

/// The pairs make no sense from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadMapping;

impl<'a> Mapping<'a> {
    /// Pairs of a value from its cluster `vcn` on, on a disk of `clusters`.
    pub(crate) fn new(bytes: &'a [u8], vcn: u64, clusters: u64) -> Self {
        Self { rest: bytes, vcn, lcn: 0, clusters }
    }

    fn pair(&mut self) -> Option<Run> {
        let (head, rest) = self.rest.split_first()?;
        let (length, distance) = (usize::from(head & 15), usize::from(head >> 4));
        let (clusters, rest) = signed(rest, length)?;
        let clusters = u64::try_from(clusters).ok().filter(|count| *count > 0)?;
        let (delta, rest) = signed(rest, distance)?;
        let lcn =
            (distance > 0).then(|| self.lcn.checked_add(delta)).map_or(Some(None), |lcn| lcn.map(Some))?;
        let run = Run { vcn: self.vcn, lcn: self.placed(lcn, clusters)?, clusters };
        self.vcn = self.vcn.checked_add(clusters).filter(|end| *end <= i64::MAX as u64)?;
        self.lcn = lcn.unwrap_or(self.lcn);
        self.rest = rest;
        Some(run)
    }

    /// A place on the disk, or a hole; `None` for what lies beyond the disk.
    fn placed(&self, lcn: Option<i64>, clusters: u64) -> Option<Option<u64>> {
        match lcn {
            // Old versions mark holes so.
            None | Some(-1) => Some(None),
            Some(lcn) => {
                let lcn = u64::try_from(lcn).ok()?;
                let end = lcn.checked_add(clusters)?;
                (end <= self.clusters).then_some(Some(lcn))
            }
        }
    }
}

impl Iterator for Mapping<'_> {
    type Item = Result<Run, BadMapping>;

    fn next(&mut self) -> Option<Result<Run, BadMapping>> {
        if self.rest.first().is_none_or(|head| *head == 0) {
            return None;
        }
        let run = self.pair().ok_or(BadMapping);
        if run.is_err() {
            self.rest = &[];
        }
        Some(run)
    }
}

/// A signed number of up to 8 bytes; 0 from none.
fn signed(bytes: &[u8], count: usize) -> Option<(i64, &[u8])> {
    let (number, rest) = bytes.split_at_checked(count)?;
    let mut wide = [if number.last().is_some_and(|top| *top > 0x7f) { 0xff } else { 0 }; 8];
    wide.get_mut(..count)?.copy_from_slice(number);
    Some((i64::from_le_bytes(wide), rest))
}

/// Fills `out` from byte `offset` of the value that `runs` (ascending, disjoint) map; holes read as zeroes.
pub(crate) fn read_through<R: ReadAt + ?Sized>(
    reader: &R,
    cluster_bytes: u64,
    runs: &[Run],
    offset: u64,
    out: &mut [u8],
) -> io::Result<()> {
    let mut offset = offset;
    let mut out = out;
    let mut next = runs.partition_point(|run| run.end() <= offset / cluster_bytes);
    while !out.is_empty() {
        let run = runs.get(next).filter(|run| run.vcn <= offset / cluster_bytes);
        let run = run.ok_or_else(|| unmapped(offset))?;
        let within = offset - run.vcn * cluster_bytes;
        let left = run.clusters.saturating_mul(cluster_bytes) - within;
        let (part, rest) = out.split_at_mut(out.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
        match run.lcn {
            Some(lcn) => {
                let from = lcn.saturating_mul(cluster_bytes).saturating_add(within);
                reader.read_exact_at(from, part)?;
            }
            None => part.fill(0),
        }
        offset += part.len() as u64;
        out = rest;
        next += 1;
    }
    Ok(())
}

fn unmapped(offset: u64) -> io::Error {
    let what = format!("byte {offset} of the value is mapped to no cluster: its mapping is damaged");
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Sorts runs and drops what overlaps what comes before it.
pub(crate) fn ordered(mut runs: Vec<Run>) -> Vec<Run> {
    runs.sort_by_key(|run| run.vcn);
    let mut end = 0;
    runs.retain(|run| {
        let fits = run.vcn >= end;
        end = if fits { run.end() } else { end };
        fits
    });
    runs
}

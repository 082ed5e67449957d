//! The value of an attribute as bytes that can be read: in its record, or in clusters.
//!
//! What was never written, and what lies in holes, reads as zeroes. What is compressed, encrypted or not mapped
//! is an error when it is read, and never zeroes.

use crate::error::NtfsError;
use crate::read::ReadAt;
use crate::runs::{Run, read_through};
use crate::volume::Volume;
use std::io;

/// A value, joined over all records that map it. Holes, and what was never written, read as zeroes.
#[derive(Debug)]
pub struct Content<'v, R> {
    volume: &'v Volume<R>,
    body: Body,
}

/// Where the bytes are.
#[derive(Debug)]
pub(crate) enum Body {
    Resident(Vec<u8>),
    External { runs: Vec<Run>, len: u64, initialised: u64, plain: bool },
}

impl<'v, R: ReadAt> Content<'v, R> {
    pub(crate) fn new(volume: &'v Volume<R>, body: Body) -> Self {
        Self { volume, body }
    }

    /// Clusters, ascending; none for a value inside its record.
    pub fn runs(&self) -> &[Run] {
        match &self.body {
            Body::Resident(_) => &[],
            Body::External { runs, .. } => runs,
        }
    }

    /// Bytes that were written: what follows reads as zeroes.
    pub fn initialised(&self) -> u64 {
        match &self.body {
            Body::Resident(value) => value.len() as u64,
            Body::External { initialised, .. } => *initialised,
        }
    }

    /// Offset of the first byte that does not lie in a hole; the length if all do.
    pub fn first_stored(&self) -> u64 {
        let Body::External { runs, len, .. } = &self.body else { return 0 };
        let stored = runs.iter().find(|run| run.lcn.is_some());
        stored.map_or(*len, |run| run.vcn.saturating_mul(self.volume.geometry().cluster_bytes).min(*len))
    }

    /// The first `limit` bytes, or all.
    ///
    /// # Errors
    /// [`NtfsError::Io`].
    pub fn read_up_to(&self, limit: u64) -> Result<Vec<u8>, NtfsError> {
        let bytes = self.len().min(limit);
        let mut out = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
        self.read_exact_at(0, &mut out).map_err(|source| NtfsError::Io { offset: 0, bytes, source })?;
        Ok(out)
    }
}

impl<R: ReadAt> ReadAt for Content<'_, R> {
    fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (runs, len, initialised) = match &self.body {
            Body::Resident(value) => return value.read_exact_at(offset, out),
            Body::External { plain: false, .. } => return Err(unsupported("it is compressed or encrypted")),
            Body::External { runs, len, initialised, .. } => (runs, *len, *initialised),
        };
        let geometry = self.volume.geometry();
        if !geometry.has_clusters {
            return Err(unsupported("a file of records alone does not hold it"));
        }
        let end = offset.checked_add(out.len() as u64).filter(|end| *end <= len);
        end.ok_or(io::ErrorKind::UnexpectedEof)?;
        let written = initialised.saturating_sub(offset).min(out.len() as u64) as usize;
        let (written, never) = out.split_at_mut(written);
        never.fill(0);
        read_through(self.volume.reader(), geometry.cluster_bytes, runs, offset, written)
    }

    fn len(&self) -> u64 {
        match &self.body {
            Body::Resident(value) => value.len() as u64,
            Body::External { len, .. } => *len,
        }
    }
}

fn unsupported(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, format!("the value cannot be read: {why}"))
}

//! What a thread needs for a chunk beside its content, kept from one chunk to the next.
//!
//! The tables of a codec and a megabyte of memory take longer to make than many a chunk takes to be read, and
//! giving them back disturbs all other threads.

use crate::codec::ZSTD_LEVEL;
use parking_lot::Mutex;
use std::io;
use zstd::bulk::{Compressor, Decompressor};

/// See the module. Its parts are made when they are first needed.
#[derive(Default)]
pub(crate) struct Workbench {
    /// A chunk as it is stored.
    pub(crate) stored: Vec<u8>,
    compressor: Option<Compressor<'static>>,
    decompressor: Option<Decompressor<'static>>,
}

impl Workbench {
    pub(crate) fn compressor(&mut self) -> io::Result<&mut Compressor<'static>> {
        match &mut self.compressor {
            Some(compressor) => Ok(compressor),
            none => Ok(none.insert(Compressor::new(ZSTD_LEVEL)?)),
        }
    }

    pub(crate) fn decompressor(&mut self) -> io::Result<&mut Decompressor<'static>> {
        match &mut self.decompressor {
            Some(decompressor) => Ok(decompressor),
            none => Ok(none.insert(Decompressor::new()?)),
        }
    }
}

/// Workbenches that nobody is at: as many as threads ever worked at once.
#[derive(Default)]
pub(crate) struct Workbenches(Mutex<Vec<Workbench>>);

impl Workbenches {
    /// Works at one of them.
    pub(crate) fn work<T>(&self, work: impl FnOnce(&mut Workbench) -> T) -> T {
        let mut bench = self.0.lock().pop().unwrap_or_default();
        let result = work(&mut bench);
        self.0.lock().push(bench);
        result
    }
}

//! Collects what `--explain` shows: which accelerator answered, how much was looked at, how long.

use super::{Explain, ExplainStep};
use std::time::Instant;

/// See the module. A step's time runs from the end of the step before it.
pub(crate) struct Trace {
    explain: Explain,
    last: Instant,
}

impl Trace {
    pub(crate) fn new() -> Self {
        Trace { explain: Explain::default(), last: Instant::now() }
    }

    pub(crate) fn step(&mut self, what: &str, out: u64) {
        let now = Instant::now();
        let micros = now.duration_since(self.last).as_micros() as u64;
        self.explain.steps.push(ExplainStep { what: what.to_owned(), out, micros });
        self.last = now;
    }

    pub(crate) fn accelerator(&mut self, how: &str) {
        self.explain.accelerator = how.to_owned();
    }

    pub(crate) fn candidates(&mut self, count: u64) {
        self.explain.candidates += count;
    }

    pub(crate) fn finish(self) -> Explain {
        self.explain
    }
}

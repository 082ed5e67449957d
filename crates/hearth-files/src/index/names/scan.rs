//! Substring scans over ranges of blocks.
//!
//! A whole range of blocks is searched as one text; a hit is mapped to its name, and the search
//! goes on after that name, so each name is reported once however often it holds the needle.

use super::text::{NameText, Place};
use memchr::memmem::Finder;
use std::ops::Range;

/// Hits farther apart than this are mapped by binary search instead of walking.
const FAR: usize = 2048;

/// A folded literal prepared for scanning. Anchors are turned into the NUL bytes around names.
#[derive(Clone, Debug)]
pub(crate) struct Needle {
    kind: Kind,
    /// Bytes of the searched text before the literal.
    lead: usize,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Every name holds it.
    Every,
    /// No name can hold it.
    Never,
    Text(Box<Finder<'static>>),
}

impl Needle {
    /// Prepares folded `literal`; anchored ends must coincide with the ends of the name.
    pub(crate) fn new(literal: &[u8], anchored_start: bool, anchored_end: bool) -> Self {
        let lead = usize::from(anchored_start);
        let kind = if literal.contains(&0) {
            Kind::Never
        } else if literal.is_empty() && !(anchored_start && anchored_end) {
            Kind::Every
        } else {
            let mut text = vec![0; lead];
            text.extend_from_slice(literal);
            text.extend(anchored_end.then_some(0));
            Kind::Text(Box::new(Finder::new(&text).into_owned()))
        };
        Needle { kind, lead }
    }
}

impl NameText {
    /// Reports each id in `blocks` whose folded name holds the needle, ascending.
    pub(super) fn scan(&self, blocks: Range<u32>, needle: &Needle, mut found: impl FnMut(u32)) {
        let ids = self.ids_of(&blocks);
        match &needle.kind {
            Kind::Never => {}
            _ if ids.is_empty() => {}
            Kind::Every => ids.for_each(found),
            Kind::Text(finder) => {
                let span = self.block_span(&blocks);
                let first = self.place(ids.start);
                self.scan_text(span, first, |text| Some(finder.find(text)? + needle.lead), &mut found);
            }
        }
    }

    /// Ids of a range of blocks.
    pub(super) fn ids_of(&self, blocks: &Range<u32>) -> Range<u32> {
        let edge = |block: u32| block.saturating_mul(super::BLOCK).min(self.len());
        edge(blocks.start)..edge(blocks.end)
    }

    fn scan_text(
        &self,
        span: Range<usize>,
        mut place: Place,
        find: impl Fn(&[u8]) -> Option<usize>,
        found: &mut impl FnMut(u32),
    ) {
        let mut at = span.start;
        while let Some(hit) = find(&self.blob()[at..span.end]) {
            let offset = at + hit;
            place = match offset.saturating_sub(place.end) {
                FAR.. => self.place_at(offset),
                _ => self.seek(place, offset),
            };
            found(place.id);
            at = place.end;
        }
    }
}

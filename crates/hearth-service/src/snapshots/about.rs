//! What is known with a body besides the body: when it was true, what the scan did not enter, how it went.
//!
//! A list of numbers and texts in a fixed order, each text with its length before it. It is sealed as a
//! section of its own; what is not written by this version is refused, whatever its bytes are.

use crate::api::ScanOutcome;
use crate::catalogue::Closed;
use hearth_core::UnixNanos;

/// Version of the order of the fields.
const LAYOUT: u64 = 2;
/// Most entries of one list.
const LIST: u64 = 1 << 20;

/// Said of a body that was saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct About {
    /// Generation under which it was published.
    pub(super) generation: u64,
    /// When its scan began.
    pub(super) began_ns: UnixNanos,
    /// When it was made.
    pub(super) made_ns: UnixNanos,
    /// How long the index was being built, nanoseconds.
    pub(super) built_ns: u64,
    /// Folders that the scan did not enter.
    pub(super) closed: Vec<Closed>,
    /// How the scan went.
    pub(super) outcome: ScanOutcome,
    /// How far it follows its NTFS volume, in the form of that.
    pub(super) position: Option<Vec<u8>>,
}

impl About {
    pub(super) fn encode(&self) -> Vec<u8> {
        let outcome = &self.outcome;
        let mut out = Vec::new();
        let numbers = [
            LAYOUT,
            self.generation,
            self.began_ns.cast_unsigned(),
            self.made_ns.cast_unsigned(),
            self.built_ns,
            outcome.entries,
            outcome.scan_ms,
            outcome.build_ms,
            outcome.denied,
            outcome.vanished,
            outcome.failed,
        ];
        numbers.iter().for_each(|number| put_number(&mut out, *number));
        put_number(&mut out, self.closed.len() as u64);
        for closed in &self.closed {
            put_text(&mut out, &closed.path);
            put_text(&mut out, closed.why.as_bytes());
        }
        for list in [&outcome.samples, &outcome.skipped] {
            put_number(&mut out, list.len() as u64);
            list.iter().for_each(|text| put_text(&mut out, text.as_bytes()));
        }
        put_number(&mut out, u64::from(self.position.is_some()));
        self.position.iter().for_each(|position| put_text(&mut out, position));
        out
    }

    /// `None` for anything that [`About::encode`] does not write.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        if fields.number()? != LAYOUT {
            return None;
        }
        let (generation, began_ns, made_ns) = (fields.number()?, fields.time()?, fields.time()?);
        let built_ns = fields.number()?;
        let mut outcome = ScanOutcome {
            entries: fields.number()?,
            scan_ms: fields.number()?,
            build_ms: fields.number()?,
            denied: fields.number()?,
            vanished: fields.number()?,
            failed: fields.number()?,
            samples: Vec::new(),
            skipped: Vec::new(),
        };
        let closed =
            fields.list(|fields| Some(Closed { path: fields.bytes()?.to_vec(), why: fields.text()? }))?;
        outcome.samples = fields.list(Fields::text)?;
        outcome.skipped = fields.list(Fields::text)?;
        let position = match fields.number()? {
            0 => None,
            1 => Some(fields.bytes()?.to_vec()),
            _ => return None,
        };
        let about = Self { generation, began_ns, made_ns, built_ns, closed, outcome, position };
        fields.0.is_empty().then_some(about)
    }
}

fn put_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text);
}

/// What is left to read.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self) -> Option<u64> {
        self.take(8)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
    }

    fn time(&mut self) -> Option<UnixNanos> {
        self.number().map(u64::cast_signed)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.number()?).ok()?;
        self.take(len)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let len = self.number().filter(|len| *len <= LIST)?;
        (0..len).map(|_| item(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn about() -> impl Strategy<Value = About> {
        let texts = || proptest::collection::vec(".{0,12}", 0..4);
        let closed = proptest::collection::vec((any::<Vec<u8>>(), ".{0,12}"), 0..4);
        let position = proptest::option::of(any::<Vec<u8>>());
        let parts = (any::<[u64; 10]>(), closed, texts(), texts(), position);
        parts.prop_map(|(numbers, closed, samples, skipped, position)| {
            let [generation, began, made, built_ns, entries, scan_ms, build_ms, denied, vanished, failed] =
                numbers;
            About {
                generation,
                began_ns: began.cast_signed(),
                made_ns: made.cast_signed(),
                built_ns,
                closed: closed.into_iter().map(|(path, why)| Closed { path, why }).collect(),
                outcome: ScanOutcome {
                    entries,
                    scan_ms,
                    build_ms,
                    denied,
                    vanished,
                    failed,
                    samples,
                    skipped,
                },
                position,
            }
        })
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded_and_nothing_cut_or_added_is(about in about(), cut in 1usize..40) {
            let bytes = about.encode();
            prop_assert_eq!(About::decode(&bytes), Some(about));
            prop_assert_eq!(About::decode(&bytes[..bytes.len().saturating_sub(cut)]), None);
            prop_assert_eq!(About::decode(&[bytes, vec![0; cut]].concat()), None);
        }

        #[test]
        fn any_bytes_end_in_an_answer(mut bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            About::decode(&bytes);
            bytes.splice(0..bytes.len().min(8), 1u64.to_le_bytes());
            About::decode(&bytes);
        }
    }
}

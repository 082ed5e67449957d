//! Where the next page of an answer begins: opaque text that a client hands back.
//!
//! A cursor names the instants (source, generation, making of the body) that the answer came from
//! and is bound to its request, so that pages of one answer fit together or the client is told that
//! they no longer do. The making tells a generation from one of the same number after a restart.

use crate::api::FindRequest;
use crate::error::ServiceError;
use hearth_core::UnixNanos;

const VERSION: &str = "1";

/// One instant of one source: number, generation, making of the body.
pub(crate) type Instant = (u64, u64, UnixNanos);

/// The content of a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Rows that were delivered before.
    pub(crate) offset: u64,
    /// What the request asked, see [`fingerprint`].
    pub(crate) request: u64,
    /// What it was answered from.
    pub(crate) instants: Vec<Instant>,
}

impl Cursor {
    /// The text for the client.
    pub(crate) fn encode(&self) -> String {
        let mut text = format!("{VERSION}.{:x}.{:x}", self.offset, self.request);
        for (source, generation, made_ns) in &self.instants {
            text.push_str(&format!(".{source:x}-{generation:x}-{:x}", made_ns.cast_unsigned()));
        }
        text
    }

    /// Reads a text that came back.
    pub(crate) fn decode(text: &str, request: u64) -> Result<Self, ServiceError> {
        let cursor = Self::parse(text).ok_or_else(|| bad("is not a cursor of this service"))?;
        if cursor.request != request {
            return Err(bad("belongs to another request"));
        }
        Ok(cursor)
    }

    fn parse(text: &str) -> Option<Self> {
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let mut parts = text.split('.');
        if parts.next() != Some(VERSION) {
            return None;
        }
        let offset = number(parts.next()?)?;
        let request = number(parts.next()?)?;
        let instant = |part: &str| {
            let mut numbers = part.split('-').map(number);
            let instant = (numbers.next()??, numbers.next()??, numbers.next()??.cast_signed());
            numbers.next().is_none().then_some(instant)
        };
        Some(Self { offset, request, instants: parts.map(instant).collect::<Option<_>>()? })
    }

    /// What a source was answered from on the page before, if it was come to.
    pub(crate) fn instant_of(&self, source: u64) -> Option<Instant> {
        self.instants.iter().find(|instant| instant.0 == source).copied()
    }

    /// The generation of a source now (0 = none), if the page before was answered from another body.
    /// A source that it did not come to has not moved.
    pub(crate) fn moved(&self, now: Instant) -> Option<u64> {
        let before = self.instant_of(now.0)?;
        (before != now).then_some(now.1)
    }
}

fn bad(message: &str) -> ServiceError {
    ServiceError::BadRequest {
        field: "cursor",
        message: message.to_owned(),
        hint: "hand back the cursor of the page before, with the same request".to_owned(),
    }
}

/// Number that requests with another query, order or place do not share.
pub(crate) fn fingerprint(request: &FindRequest) -> u64 {
    let mut hash = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(&request.query);
    part(request.sort.as_bytes());
    part(request.cwd.as_deref().unwrap_or_default());
    request.within.iter().for_each(|folder| part(folder));
    let hash = hash.finalize();
    u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("a hash has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor() -> Cursor {
        Cursor { offset: 100, request: 7, instants: vec![(1, 4, -5), (9, 1, i64::MAX)] }
    }

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        assert_eq!(Cursor::decode(&cursor().encode(), 7).unwrap(), cursor());
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let good = cursor().encode();
        for text in
            ["", "1", "1.2", "x", "2.1.1", "1.g.1", "1.1.7.1-2", "1.1.7.1-2-3-4", &good.replace('.', ",")]
        {
            assert!(matches!(Cursor::decode(text, 7), Err(ServiceError::BadRequest { .. })), "{text}");
        }
        assert!(Cursor::decode(&good, 8).is_err(), "another request");
    }

    #[test]
    fn every_change_of_an_instant_is_seen() {
        let cursor = cursor();
        assert_eq!(cursor.moved((1, 4, -5)), None);
        assert_eq!(cursor.moved((9, 1, i64::MAX)), None);
        assert_eq!(cursor.moved((1, 5, -5)), Some(5));
        assert_eq!(cursor.moved((1, 4, 6)), Some(4), "a restart");
        assert_eq!(cursor.moved((9, 0, 0)), Some(0));
        assert_eq!(cursor.moved((10, 3, 0)), None, "the page before did not come to it");
    }

    #[test]
    fn requests_that_mean_another_answer_differ() {
        let of = |query: &str, sort: &str, within: &[&str]| {
            fingerprint(&FindRequest {
                query: query.into(),
                sort: sort.into(),
                within: within.iter().map(|folder| folder.as_bytes().to_vec()).collect(),
                ..FindRequest::default()
            })
        };
        let all = [
            of("a", "", &[]),
            of("", "a", &[]),
            of("a", "", &["/b"]),
            of("a", "", &["/b", "/c"]),
            of("ab", "", &[]),
        ];
        assert!((1..all.len()).all(|at| !all[..at].contains(&all[at])));
        let limited = FindRequest { query: b"a".to_vec(), limit: Some(3), ..FindRequest::default() };
        assert_eq!(fingerprint(&limited), all[0], "the size of a page may change");
    }
}

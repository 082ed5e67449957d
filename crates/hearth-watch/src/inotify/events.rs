//! The bytes that a read from an inotify queue gives, as events.
//!
//! Layout as in `inotify(7)`: watch i32, mask u32, cookie u32, length u32, then that many bytes with a name that ends with
//! NUL. No input can make this panic, loop or read outside.

use crate::error::FeedError;

const HEAD_BYTES: usize = 16;

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event<'a> {
    pub(super) watch: i32,
    pub(super) mask: u32,
    /// The same for both halves of a rename.
    pub(super) cookie: u32,
    /// Name in the watched folder; empty for the folder itself.
    pub(super) name: &'a [u8],
}

/// The events in a buffer, up to its end or the first one that breaks the format.
pub(super) fn events(mut bytes: &[u8]) -> impl Iterator<Item = Result<Event<'_>, FeedError>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let found = split_event(bytes);
        bytes = found.map_or(&[], |(_, rest)| rest);
        let what = "an inotify event is longer than what was read";
        Some(found.map(|(event, _)| event).ok_or(FeedError::Malformed { what }))
    })
}

fn split_event(bytes: &[u8]) -> Option<(Event<'_>, &[u8])> {
    let (head, rest) = bytes.split_at_checked(HEAD_BYTES)?;
    let field = |at: usize| head[at..at + 4].try_into().map(u32::from_ne_bytes).ok();
    let (name, rest) = rest.split_at_checked(field(12)? as usize)?;
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    let (watch, mask, cookie) = (field(0)?.cast_signed(), field(4)?, field(8)?);
    Some((Event { watch, mask, cookie, name: &name[..end] }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(watch: i32, mask: u32, cookie: u32, name: &[u8]) -> Vec<u8> {
        let mut padded = name.to_vec();
        padded.resize((name.len() + usize::from(!name.is_empty())).next_multiple_of(16), 0);
        let mut out = watch.to_ne_bytes().to_vec();
        out.extend(mask.to_ne_bytes());
        out.extend(cookie.to_ne_bytes());
        out.extend(u32::try_from(padded.len()).expect("short").to_ne_bytes());
        out.extend(padded);
        out
    }

    #[test]
    fn names_lose_their_padding_and_a_cut_buffer_is_an_error() {
        let bytes = [event(1, 2, 3, b"a\xffb"), event(-1, 0x4000, 0, b"")].concat();
        let found: Vec<_> = events(&bytes).map(|event| event.expect("well formed")).collect();
        assert_eq!(found[0], Event { watch: 1, mask: 2, cookie: 3, name: b"a\xffb" });
        assert_eq!(found[1], Event { watch: -1, mask: 0x4000, cookie: 0, name: b"" });
        assert_eq!(found.len(), 2);
        for length in 1..32 {
            assert!(
                matches!(events(&bytes[..length]).next(), Some(Err(FeedError::Malformed { .. }))),
                "{length}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_end_the_iteration(bytes: Vec<u8>) {
            proptest::prop_assert!(events(&bytes).count() <= bytes.len());
        }
    }
}

//! The bytes that a read from a fanotify group gives, as events.
//!
//! Layout as in `fanotify(7)`: a head of 24 bytes (event length u32, version u8, reserved u8, head length u16, mask u64, descriptor
//! i32, pid i32), then records up to the event length. A record is type u8, padding u8, length u16; those of file
//! identifiers go on with the file system's id (8 bytes), handle length u32, handle type i32, the handle, and for some types a
//! name that ends with NUL. Everything is in the byte order of the machine and read with checks: no input can make this
//! panic, loop or read outside.

use crate::error::FeedError;

const VERSION: u8 = 3;
const HEAD_BYTES: usize = 24;
const RECORD_HEAD_BYTES: usize = 4;
/// Fixed part of a record with a file handle.
const HANDLE_AT: usize = 20;

/// A file handle as `name_to_handle_at(2)` gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Handle<'a> {
    pub(crate) kind: i32,
    pub(crate) bytes: &'a [u8],
}

/// A name in a folder; without one, the folder itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    pub(crate) folder: Handle<'a>,
    pub(crate) name: Option<&'a [u8]>,
}

/// One event. Kinds of changes that happened to the same thing one after the other may be merged into one mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    pub(crate) mask: u64,
    pub(crate) pid: u32,
    /// Identifier of the file system, if any record has one.
    pub(crate) fsid: Option<[u8; 8]>,
    /// The thing that changed.
    pub(crate) object: Option<Handle<'a>>,
    /// Where it is named; of a rename the old place.
    pub(crate) place: Option<Place<'a>>,
    /// The new place of a rename.
    pub(crate) new_place: Option<Place<'a>>,
}

/// The events in a buffer, up to its end or the first one that breaks the format.
pub(crate) fn events(mut bytes: &[u8]) -> impl Iterator<Item = Result<Event<'_>, FeedError>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let found = split_event(bytes);
        bytes = found.as_ref().map_or(&[], |(_, rest)| rest);
        Some(found.map(|(event, _)| event).map_err(|what| FeedError::Malformed { what }))
    })
}

fn split_event(bytes: &[u8]) -> Result<(Event<'_>, &[u8]), &'static str> {
    let head = bytes.get(..HEAD_BYTES).ok_or("an event is shorter than its head")?;
    if head[4] != VERSION {
        return Err("the events have another version");
    }
    let length = u32_at(head, 0).ok_or("an event has no length")? as usize;
    let head_length = u16_at(head, 6).ok_or("an event has no head length")?;
    let (event, rest) = bytes.split_at_checked(length).ok_or("an event is longer than what was read")?;
    let records = event.get(head_length..).filter(|_| head_length >= HEAD_BYTES);
    let records = records.ok_or("an event is shorter than its head says")?;
    let mask = u64::from_ne_bytes(array_at(head, 8).ok_or("an event has no mask")?);
    let pid = u32_at(head, 20).ok_or("an event has no pid")?;
    let blank = Event { mask, pid, fsid: None, object: None, place: None, new_place: None };
    Ok((read_records(records, blank)?, rest))
}

fn read_records<'a>(mut bytes: &'a [u8], mut event: Event<'a>) -> Result<Event<'a>, &'static str> {
    while !bytes.is_empty() {
        let length = u16_at(bytes, 2).ok_or("a record is shorter than its head")?;
        let cut = bytes.split_at_checked(length).filter(|_| length >= RECORD_HEAD_BYTES);
        let (record, rest) = cut.ok_or("the length of a record is wrong")?;
        read_record(record, &mut event)?;
        bytes = rest;
    }
    Ok(event)
}

/// Takes over a record; unknown types are passed over.
fn read_record<'a>(record: &'a [u8], event: &mut Event<'a>) -> Result<(), &'static str> {
    let kind = record[0];
    let known = [
        libc::FAN_EVENT_INFO_TYPE_FID,
        libc::FAN_EVENT_INFO_TYPE_DFID,
        libc::FAN_EVENT_INFO_TYPE_DFID_NAME,
        libc::FAN_EVENT_INFO_TYPE_OLD_DFID_NAME,
        libc::FAN_EVENT_INFO_TYPE_NEW_DFID_NAME,
    ];
    if !known.contains(&kind) {
        return Ok(());
    }
    event.fsid = Some(array_at(record, RECORD_HEAD_BYTES).ok_or("a record has no file system")?);
    let (handle, rest) = read_handle(record).ok_or("a file handle is longer than its record")?;
    let place = |name| Some(Place { folder: handle, name });
    match kind {
        libc::FAN_EVENT_INFO_TYPE_FID => event.object = Some(handle),
        libc::FAN_EVENT_INFO_TYPE_DFID => event.place = place(None),
        libc::FAN_EVENT_INFO_TYPE_NEW_DFID_NAME => event.new_place = place(Some(read_name(rest)?)),
        _ => event.place = place(Some(read_name(rest)?)),
    }
    Ok(())
}

fn read_handle(record: &[u8]) -> Option<(Handle<'_>, &[u8])> {
    let length = u32_at(record, 12)? as usize;
    let kind = i32::from_ne_bytes(array_at(record, 16)?);
    let (bytes, rest) = record.get(HANDLE_AT..)?.split_at_checked(length)?;
    Some((Handle { kind, bytes }, rest))
}

fn read_name(bytes: &[u8]) -> Result<&[u8], &'static str> {
    let end = bytes.iter().position(|byte| *byte == 0).ok_or("a name has no end")?;
    Ok(&bytes[..end])
}

fn array_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    array_at(bytes, at).map(u32::from_ne_bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    array_at(bytes, at).map(u16::from_ne_bytes).map(usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(kind: u8, handle: &[u8], name: Option<&[u8]>) -> Vec<u8> {
        let mut body = b"filesyst".to_vec();
        body.extend(u32::try_from(handle.len()).expect("short").to_ne_bytes());
        body.extend(7_i32.to_ne_bytes());
        body.extend(handle);
        if let Some(name) = name {
            body.extend(name);
            body.push(0);
        }
        body.resize(body.len().next_multiple_of(4), 0);
        let mut out = vec![kind, 0];
        out.extend(u16::try_from(body.len() + RECORD_HEAD_BYTES).expect("short").to_ne_bytes());
        out.extend(body);
        out
    }

    fn event(mask: u64, pid: i32, records: &[Vec<u8>]) -> Vec<u8> {
        let records = records.concat();
        let mut out = u32::try_from(HEAD_BYTES + records.len()).expect("short").to_ne_bytes().to_vec();
        out.extend([VERSION, 0]);
        out.extend(u16::try_from(HEAD_BYTES).expect("short").to_ne_bytes());
        out.extend(mask.to_ne_bytes());
        out.extend((-1_i32).to_ne_bytes());
        out.extend(pid.to_ne_bytes());
        out.extend(records);
        out
    }

    #[test]
    fn records_become_objects_and_places() {
        let old = record(libc::FAN_EVENT_INFO_TYPE_OLD_DFID_NAME, &[1; 8], Some(b"old"));
        let new = record(libc::FAN_EVENT_INFO_TYPE_NEW_DFID_NAME, &[2; 8], Some(b"\xff\n"));
        let target = record(libc::FAN_EVENT_INFO_TYPE_FID, &[3; 12], None);
        let unknown = record(99, &[], None);
        let mut bytes = event(libc::FAN_RENAME, 42, &[old, new, unknown, target]);
        bytes.extend(event(libc::FAN_Q_OVERFLOW, 0, &[]));
        let found: Vec<_> = events(&bytes).map(|event| event.expect("well formed")).collect();
        let place = |byte: &'static [u8], name| {
            Some(Place { folder: Handle { kind: 7, bytes: byte }, name: Some(name) })
        };
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].mask, found[0].pid, found[0].fsid), (libc::FAN_RENAME, 42, Some(*b"filesyst")));
        assert_eq!(found[0].place, place(&[1; 8], &b"old"[..]));
        assert_eq!(found[0].new_place, place(&[2; 8], &b"\xff\n"[..]));
        assert_eq!(found[0].object, Some(Handle { kind: 7, bytes: &[3; 12] }));
        assert_eq!((found[1].mask, found[1].fsid), (libc::FAN_Q_OVERFLOW, None));
    }

    #[test]
    fn a_cut_buffer_or_another_version_is_an_error_and_the_end() {
        let name = record(libc::FAN_EVENT_INFO_TYPE_DFID_NAME, &[1; 8], Some(b"name"));
        let whole = event(libc::FAN_CREATE, 1, &[name]);
        for length in 1..whole.len() {
            let found: Vec<_> = events(&whole[..length]).collect();
            assert!(matches!(found[..], [Err(FeedError::Malformed { .. })]), "{length}");
        }
        let mut other = whole;
        other[4] = 4;
        assert!(matches!(events(&other).next(), Some(Err(FeedError::Malformed { .. }))));
    }

    /// Well-formed events with some bytes changed: gets further in than noise does.
    fn damaged() -> impl Strategy<Value = Vec<u8>> {
        let kinds = proptest::collection::vec((1..13_u8, 0..40_usize), 0..4);
        let damage = proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4);
        (proptest::collection::vec(kinds, 1..4), damage).prop_map(|(all, damage)| {
            let records = |kinds: &Vec<(u8, usize)>| {
                kinds
                    .iter()
                    .map(|(kind, length)| record(*kind, &vec![1; *length], Some(b"n")))
                    .collect::<Vec<_>>()
            };
            let mut bytes: Vec<u8> = all.iter().flat_map(|kinds| event(1, 1, &records(kinds))).collect();
            for (at, byte) in damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        })
    }

    proptest! {
        #[test]
        fn any_bytes_end_the_iteration(bytes: Vec<u8>) {
            prop_assert!(events(&bytes).count() <= bytes.len());
        }

        #[test]
        fn damaged_events_end_the_iteration(bytes in damaged()) {
            let found: Vec<_> = events(&bytes).collect();
            prop_assert!(found.len() <= bytes.len() / HEAD_BYTES + 1);
            prop_assert!(found.iter().rev().skip(1).all(Result::is_ok), "an error is the last");
        }
    }
}

//! A path in a volume to its record, by one pass over the file table.
//!
//! Folders hold each other by number and the table is in no order, so everything is gathered that has the name of a part of
//! the path; which of it hangs together is found out afterwards. A name in just this case goes before others.

use super::folders::ROOT;
use super::medium::Bytes;
use hearth_core::CancelToken;
use hearth_files::fold::fold;
use hearth_ntfs::{Counters, File, FileReference, NtfsError, Visit, Volume, Which, Window};
use std::collections::{HashMap, HashSet};

/// The parts of a path that somebody wrote: in the volume, with the root of its source before it, or as Windows writes it.
pub(super) fn components(path: &[u8], root: &[u8]) -> Vec<Vec<u8>> {
    let inner = path.strip_prefix(root).filter(|rest| rest.is_empty() || rest.starts_with(b"/"));
    let inner = inner.or_else(|| without_drive(path)).unwrap_or(path);
    let windows = !inner.contains(&b'/');
    let parts = inner.split(|byte| *byte == b'/' || windows && *byte == b'\\');
    parts.filter(|part| !part.is_empty() && *part != b".").map(<[u8]>::to_vec).collect()
}

/// What follows `C:`, if that stands before a path of Windows.
fn without_drive(path: &[u8]) -> Option<&[u8]> {
    match path {
        [drive, b':', rest @ ..] if drive.is_ascii_alphabetic() && rest.starts_with(b"\\") => Some(rest),
        _ => None,
    }
}

/// The record at the end of a path; of a named stream its file's.
///
/// # Errors
/// As reading.
pub(super) fn seek(
    volume: &Volume<Window<Bytes>>,
    parts: &[Vec<u8>],
    cancel: &CancelToken,
) -> Result<Option<FileReference>, NtfsError> {
    let found = find(volume, parts, cancel)?;
    match without_stream(parts).filter(|_| found.is_none()) {
        Some(parts) => find(volume, &parts, cancel),
        None => Ok(found),
    }
}

fn without_stream(parts: &[Vec<u8>]) -> Option<Vec<Vec<u8>>> {
    let (last, folders) = parts.split_last()?;
    let colon = last.iter().position(|byte| *byte == b':').filter(|at| *at > 0)?;
    Some([folders, &[last[..colon].to_vec()]].concat())
}

fn find(
    volume: &Volume<Window<Bytes>>,
    parts: &[Vec<u8>],
    cancel: &CancelToken,
) -> Result<Option<FileReference>, NtfsError> {
    let wanted = parts.iter().map(|part| fold(part)).collect();
    let finder = Finder { wanted, name: Vec::new(), found: Vec::new() };
    let (finders, _) = volume.read_all(vec![finder], Which::InUse, &Counters::default(), cancel)?;
    let mut below: HashMap<u64, Vec<Found>> = HashMap::new();
    for found in finders.into_iter().flat_map(|finder| finder.found) {
        below.entry(found.parent.number()).or_default().push(found);
    }
    // The folders that a beginning of the path may mean, and how many of its names are in another case.
    let mut reached = HashMap::from([(FileReference::new(ROOT, 0), 0)]);
    for part in parts {
        let mut next = HashMap::new();
        for (folder, others) in reached {
            let inside = below.get(&folder.number()).into_iter().flatten();
            let here = |found: &&Found| folder.number() == ROOT || found.parent == folder;
            for found in inside.filter(here).filter(|found| fold(&found.name) == fold(part)) {
                let others = others + u32::from(found.name != *part);
                next.entry(found.reference)
                    .and_modify(|least: &mut u32| *least = others.min(*least))
                    .or_insert(others);
            }
        }
        reached = next;
    }
    Ok(reached
        .into_iter()
        .min_by_key(|(reference, others)| (*others, *reference))
        .map(|(reference, _)| reference))
}

/// A name that is that of a part of the path.
struct Found {
    name: Vec<u8>,
    reference: FileReference,
    parent: FileReference,
}

struct Finder {
    /// Names of all parts of the path, folded.
    wanted: HashSet<Vec<u8>>,
    name: Vec<u8>,
    found: Vec<Found>,
}

impl Visit for Finder {
    fn file(&mut self, file: &File<'_>) {
        for link in file.names {
            self.name.clear();
            link.name.push_to(&mut self.name);
            if self.wanted.contains(&fold(&self.name)) {
                self.found.push(Found {
                    name: self.name.clone(),
                    reference: file.reference,
                    parent: link.parent,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_as_people_write_them() {
        let parts = |path: &str| {
            let parts = components(path.as_bytes(), b"/x/d.img#2");
            parts.iter().map(|part| String::from_utf8_lossy(part).into_owned()).collect::<Vec<_>>().join("|")
        };
        assert_eq!(parts("/a/b c"), "a|b c");
        assert_eq!(parts("a//./b/"), "a|b");
        assert_eq!(parts("\\Users\\ada"), "Users|ada");
        assert_eq!(parts("C:\\Users\\ada"), "Users|ada");
        assert_eq!(parts("/x/d.img#2/a"), "a");
        assert_eq!(parts("/x/d.img#21/a"), "x|d.img#21|a");
        assert_eq!(parts("/a\\b"), "a\\b");
        assert_eq!(parts("/"), "");
    }

    #[test]
    fn a_stream_is_looked_for_at_its_file() {
        let path = |path: &str| components(path.as_bytes(), b"");
        assert_eq!(without_stream(&path("/a:b/c:d")), Some(path("/a:b/c")));
        assert_eq!(without_stream(&path("/a:b/c")), None);
        assert_eq!(without_stream(&path("/")), None);
    }
}

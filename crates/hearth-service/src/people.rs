//! Names of users and groups, from `/etc/passwd` and `/etc/group`.
//!
//! Each file is read again when its identity, size or modification time changed. Only these two
//! files are asked: users of a directory service are known by number. A damaged line is skipped,
//! as the C library does.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Names of one file, both ways. Of several lines with one name or number the first counts.
#[derive(Debug, Default)]
pub(crate) struct Names {
    by_name: HashMap<Vec<u8>, u32>,
    by_id: HashMap<u32, Vec<u8>>,
    homes: HashMap<u32, Vec<u8>>,
}

impl Names {
    /// Number of a name.
    pub(crate) fn id(&self, name: &[u8]) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// Name of a number.
    pub(crate) fn name(&self, id: u32) -> Option<&[u8]> {
        self.by_id.get(&id).map(Vec::as_slice)
    }

    /// Home directory of a user's number.
    pub(crate) fn home(&self, id: u32) -> Option<&[u8]> {
        self.homes.get(&id).map(Vec::as_slice)
    }

    fn parse(text: &[u8]) -> Self {
        let mut names = Self::default();
        for line in text.split(|byte| *byte == b'\n') {
            names.take_line(line);
        }
        names
    }

    fn take_line(&mut self, line: &[u8]) -> Option<()> {
        let mut fields = line.split(|byte| *byte == b':');
        let name = fields.next().filter(|name| !name.is_empty() && !name.starts_with(b"#"))?;
        let id = std::str::from_utf8(fields.nth(1)?).ok()?.parse().ok()?;
        self.by_name.entry(name.to_vec()).or_insert(id);
        self.by_id.entry(id).or_insert_with(|| name.to_vec());
        if let Some(home) = fields.nth(2).filter(|home| home.starts_with(b"/")) {
            self.homes.entry(id).or_insert_with(|| home.to_vec());
        }
        Some(())
    }
}

/// What tells one state of a file from the next: device, inode, size, modification time.
type Stamp = (u64, u64, u64, i64, i64);

struct Cached {
    path: PathBuf,
    state: Mutex<(Option<Stamp>, Arc<Names>)>,
}

impl Cached {
    fn new(path: PathBuf) -> Self {
        Self { path, state: Mutex::default() }
    }

    fn get(&self) -> Arc<Names> {
        let stamp = stamp(&self.path);
        let mut state = self.state.lock();
        if state.0 != stamp {
            let text = fs::read(&self.path).unwrap_or_default();
            *state = (stamp, Arc::new(Names::parse(&text)));
        }
        Arc::clone(&state.1)
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let meta = fs::metadata(path).ok()?;
    Some((meta.dev(), meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()))
}

/// Users and groups of this machine.
pub(crate) struct People {
    users: Cached,
    groups: Cached,
}

impl People {
    /// Reads `passwd` and `group` in a folder, which is `/etc` except in tests.
    pub(crate) fn new(folder: &Path) -> Self {
        Self { users: Cached::new(folder.join("passwd")), groups: Cached::new(folder.join("group")) }
    }

    /// The users now.
    pub(crate) fn users(&self) -> Arc<Names> {
        self.users.get()
    }

    /// The groups now.
    pub(crate) fn groups(&self) -> Arc<Names> {
        self.groups.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n# no user\nbroken\nada:x:1000:1000:Ada,,,:/home/ada:/bin/sh\n\
                          ada:x:1001:1:again:/x:/y\nsame:x:1000:1::/z:\n:x:5:5::/:\nx:y:notanumber:1::/:\n";

    #[test]
    fn names_go_both_ways_and_the_first_line_counts() {
        let names = Names::parse(PASSWD.as_bytes());
        assert_eq!(names.id(b"ada"), Some(1000));
        assert_eq!(names.name(1000), Some(&b"ada"[..]));
        assert_eq!(names.home(1000), Some(&b"/home/ada"[..]));
        assert_eq!(names.id(b"same"), Some(1000));
        assert_eq!((names.id(b"broken"), names.id(b"x"), names.name(5)), (None, None, None));
    }

    #[test]
    fn a_group_line_has_no_home() {
        let names = Names::parse(b"wheel:x:10:ada,root\n");
        assert_eq!((names.id(b"wheel"), names.home(10)), (Some(10), None));
    }

    #[test]
    fn a_changed_file_is_read_again_and_an_unchanged_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let people = People::new(folder.path());
        assert_eq!(people.users().id(b"ada"), None);
        fs::write(folder.path().join("passwd"), PASSWD).unwrap();
        let users = people.users();
        assert_eq!(users.id(b"ada"), Some(1000));
        assert!(Arc::ptr_eq(&users, &people.users()));
        fs::write(folder.path().join("passwd"), "eve:x:7:7::/:/bin/sh\n").unwrap();
        assert_eq!(people.users().id(b"eve"), Some(7));
    }
}

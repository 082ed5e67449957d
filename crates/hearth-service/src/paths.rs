//! Absolute paths as bytes, compared component by component, without touching the disk.
//!
//! Inside the service a path has no trailing slash, so that the root folder is the empty path
//! (as in an index body); [`shown`] gives the form for people, `/`.

/// Removes empty components, `.` and `..` from an absolute path; `None` if it is relative.
pub(crate) fn normalise(path: &[u8]) -> Option<Vec<u8>> {
    if path.first() != Some(&b'/') {
        return None;
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let mut out = Vec::with_capacity(path.len());
    for part in parts {
        out.push(b'/');
        out.extend_from_slice(part);
    }
    Some(out)
}

/// True if `path` is `folder` or lies anywhere below it; both without trailing slash.
pub(crate) fn holds(folder: &[u8], path: &[u8]) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

/// The form of a path that people see.
pub(crate) fn shown(path: &[u8]) -> &[u8] {
    if path.is_empty() { b"/" } else { path }
}

/// Number of leading bytes that two paths share, up to a border of components.
pub(crate) fn shared_depth(a: &[u8], b: &[u8]) -> usize {
    let parts = |path| <[u8]>::split(path, |byte: &u8| *byte == b'/');
    parts(a).zip(parts(b)).skip(1).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalising_removes_what_means_nothing() {
        for (path, want) in [
            ("/", ""),
            ("//", ""),
            ("/a/", "/a"),
            ("/a//b/./c", "/a/b/c"),
            ("/a/../b", "/b"),
            ("/../..", ""),
            ("/a/b/..", "/a"),
            ("/...", "/..."),
        ] {
            assert_eq!(normalise(path.as_bytes()).as_deref(), Some(want.as_bytes()), "{path}");
        }
        assert_eq!(normalise(b"a/b"), None);
        assert_eq!(normalise(b""), None);
    }

    #[test]
    fn a_folder_holds_itself_and_what_is_below() {
        assert!(holds(b"", b"") && holds(b"", b"/a") && holds(b"/a", b"/a") && holds(b"/a", b"/a/b"));
        assert!(!holds(b"/a", b"/ab") && !holds(b"/a", b"") && !holds(b"/a/b", b"/a"));
    }

    #[test]
    fn shared_depth_counts_components() {
        assert_eq!(shared_depth(b"/a/b/c", b"/a/b/d"), 2);
        assert_eq!(shared_depth(b"/ab", b"/a"), 0);
        assert_eq!(shared_depth(b"", b"/a"), 0);
    }
}

//! The mount table: which file system is mounted where.
//!
//! Read from `/proc/self/mountinfo` (`proc_pid_mountinfo(5)`). One line is one mount: its id, its
//! parent's id, `major:minor`, the folder of the file system that is shown, the mount point, options,
//! optional fields up to a lone `-`, the type and the source. Space, tab, newline and backslash are
//! written as three octal digits after a backslash; everything else is raw bytes, which stay bytes
//! here. A line that does not have this shape is left out. The mount id is the one that `statx(2)`
//! reports as `stx_mnt_id`.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::ScanError;
use super::stat;

/// One mount: a view on a file system at a place of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Number of the mount, as `stx_mnt_id` of `statx(2)`.
    pub id: u64,
    /// Number of the mount that this one is mounted on.
    pub parent: u64,
    /// Device of the file system, major and minor.
    pub device: (u32, u32),
    /// Folder of the file system that is visible at `path`; not `/` for bind mounts and subvolumes.
    pub root: Vec<u8>,
    /// Where it is mounted, an absolute path.
    pub path: Vec<u8>,
    /// Type, for instance `ext4` or `fuse.sshfs`.
    pub fs_type: String,
    /// What is mounted, for instance `/dev/sda1`; a free text for file systems without a device.
    pub source: Vec<u8>,
    /// Whether this mount refuses writes.
    pub read_only: bool,
}

/// All mounts that this process sees, in the order of the kernel (a later one may cover an earlier).
#[derive(Clone, Debug, Default)]
pub struct Mounts {
    mounts: Vec<Mount>,
}

impl Mounts {
    /// Reads the table of this process.
    ///
    /// # Errors
    /// Those of reading `/proc/self/mountinfo`, for instance when `/proc` is not mounted.
    pub fn read() -> std::io::Result<Self> {
        Ok(Self::parse(&std::fs::read("/proc/self/mountinfo")?))
    }

    /// Parses the text of a `mountinfo` file.
    pub fn parse(text: &[u8]) -> Self {
        Self { mounts: text.split(|byte| *byte == b'\n').filter_map(parse_line).collect() }
    }

    /// Every mount.
    pub fn all(&self) -> &[Mount] {
        &self.mounts
    }

    /// The mount with this number.
    pub fn by_id(&self, id: u64) -> Option<&Mount> {
        self.mounts.iter().find(|mount| mount.id == id)
    }

    /// The mount that holds an absolute path without `.`, `..` and links: the longest mount point
    /// that is the path or a folder above it, the latest of several at the same place.
    pub fn holding(&self, path: &[u8]) -> Option<&Mount> {
        self.mounts.iter().filter(|mount| is_under(path, &mount.path)).max_by_key(|mount| mount.path.len())
    }
}

/// The mount that holds `path`, links followed.
///
/// # Errors
/// [`ScanError::NotFound`] or [`ScanError::Denied`] when the path cannot be reached, else
/// [`ScanError::Io`], also when the mount table has no line for it.
pub fn volume_of(path: &Path) -> Result<Mount, ScanError> {
    let canonical = path.canonicalize().map_err(|error| ScanError::from_io(path, &error))?;
    let mounts =
        Mounts::read().map_err(|error| ScanError::from_io(Path::new("/proc/self/mountinfo"), &error))?;
    let id = stat::mount_id(&canonical).map_err(|error| ScanError::from_io(&canonical, &error.into()))?;
    id.and_then(|id| mounts.by_id(id))
        .or_else(|| mounts.holding(canonical.as_os_str().as_bytes()))
        .cloned()
        .ok_or_else(|| ScanError::Io { path: canonical, reason: "not in the mount table".into() })
}

/// Whether `path` is `folder` or lies below it.
fn is_under(path: &[u8], folder: &[u8]) -> bool {
    let folder = folder.strip_suffix(b"/").unwrap_or(folder);
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
}

fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let id = number(fields.next()?)?;
    let parent = number(fields.next()?)?;
    let device = parse_device(fields.next()?)?;
    let root = unescape(fields.next()?);
    let path = unescape(fields.next()?);
    let read_only = has_option(fields.next()?, b"ro");
    fields.find(|field| *field == b"-")?;
    let fs_type = String::from_utf8_lossy(&unescape(fields.next()?)).into_owned();
    let source = unescape(fields.next()?);
    Some(Mount { id, parent, device, root, path, fs_type, source, read_only })
}

fn number<T: std::str::FromStr>(field: &[u8]) -> Option<T> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

fn parse_device(field: &[u8]) -> Option<(u32, u32)> {
    let colon = field.iter().position(|byte| *byte == b':')?;
    Some((number(&field[..colon])?, number(&field[colon + 1..])?))
}

fn has_option(options: &[u8], wanted: &[u8]) -> bool {
    options.split(|byte| *byte == b',').any(|option| option == wanted)
}

/// Undoes the octal escapes; a backslash that starts none stays as it is.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, tail)) = rest.split_first() {
        match octal(first, tail) {
            Some(byte) => {
                out.push(byte);
                rest = &tail[3..];
            }
            None => {
                out.push(first);
                rest = tail;
            }
        }
    }
    out
}

fn octal(first: u8, tail: &[u8]) -> Option<u8> {
    let digits = tail.get(..3).filter(|_| first == b'\\')?;
    if !digits.iter().all(|digit| (b'0'..=b'7').contains(digit)) {
        return None;
    }
    let value = digits.iter().fold(0_u32, |value, digit| value * 8 + u32::from(digit - b'0'));
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
40 27 254:0 /srv/a\\040b /mnt/a\\040b\\011c\\012d\\134e ro,nosuid shared:3 master:1 - ext4 /dev/vda rw
41 27 0:50 / /mnt rw - fuse.sshfs me@host:/x\\040y rw
42 41 0:51 / /mnt rw - tmpfs none rw
not a line
43 27 0:52 / /half rw - tmpfs
";

    #[test]
    fn lines_become_mounts_and_broken_lines_are_left_out() {
        let table = Mounts::parse(TABLE);
        assert_eq!(table.all().len(), 5);
        let bind = table.by_id(40).expect("parsed");
        assert_eq!(bind.path, b"/mnt/a b\tc\nd\\e");
        assert_eq!(bind.root, b"/srv/a b");
        assert_eq!(bind.device, (254, 0));
        assert_eq!(bind.parent, 27);
        assert!(bind.read_only);
        assert_eq!(table.by_id(41).expect("parsed").source, b"me@host:/x y");
    }

    #[test]
    fn the_longest_mount_point_wins_and_the_latest_of_equals() {
        let table = Mounts::parse(TABLE);
        let id = |path: &[u8]| table.holding(path).expect("the root mount holds everything").id;
        assert_eq!(id(b"/"), 27);
        assert_eq!(id(b"/procfoo"), 27);
        assert_eq!(id(b"/proc"), 22);
        assert_eq!(id(b"/proc/1/maps"), 22);
        assert_eq!(id(b"/mnt/x"), 42);
    }

    #[test]
    fn a_backslash_that_starts_no_escape_stays() {
        assert_eq!(unescape(b"a\\b\\08\\777\\04"), b"a\\b\\08\\777\\04");
        assert_eq!(unescape(b"\\134040"), b"\\040");
    }

    #[test]
    fn the_volume_of_proc_is_proc() {
        assert_eq!(volume_of(Path::new("/proc/self")).expect("proc is mounted").fs_type, "proc");
        assert!(matches!(volume_of(Path::new("/no/such/place")), Err(ScanError::NotFound { .. })));
    }

    proptest::proptest! {
        #[test]
        fn escaping_round_trips(bytes in proptest::collection::vec(1_u8..=255, 0..40)) {
            let mut escaped = Vec::new();
            for byte in &bytes {
                match byte {
                    b' ' | b'\t' | b'\n' | b'\\' => escaped.extend(format!("\\{byte:03o}").bytes()),
                    plain => escaped.push(*plain),
                }
            }
            proptest::prop_assert_eq!(unescape(&escaped), bytes);
        }

        #[test]
        fn any_text_parses_without_panic(bytes: Vec<u8>) {
            let _ = Mounts::parse(&bytes);
        }
    }
}

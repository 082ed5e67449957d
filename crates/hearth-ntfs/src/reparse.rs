//! Reparse points: where a file leads, or what stands in for it. The tags are those of Windows.
//!
//! Texts stay as they lie on disk. A target is told only if all of its places lie within the data; the tag is
//! told in any case.

use crate::bytes::{u16_at, u32_at};
use crate::name::Utf16;

/// Tag of a file whose bytes are kept compressed beside it.
pub(crate) const WOF: u32 = 0x8000_0017;

const MOUNT_POINT: u32 = 0xa000_0003;
const SYMLINK: u32 = 0xa000_000c;
const LX_SYMLINK: u32 = 0xa000_001d;
const APP_EXEC_LINK: u32 = 0x8000_001b;

/// `$REPARSE_POINT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reparse<'a> {
    /// `IO_REPARSE_TAG_…`.
    pub tag: u32,
    /// What follows tag and length; its form hangs on the tag.
    pub data: &'a [u8],
}

/// Where a reparse point leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// A symbolic link of Windows.
    Symlink {
        /// What the system opens.
        substitute: Utf16<'a>,
        /// What people are shown.
        print: Utf16<'a>,
        /// Counted from the folder of the link.
        relative: bool,
    },
    /// A junction, or the place where a volume is mounted.
    MountPoint {
        /// What the system opens.
        substitute: Utf16<'a>,
        /// What people are shown; may be empty.
        print: Utf16<'a>,
    },
    /// A symbolic link of the Linux subsystem: bytes as given.
    LxSymlink(&'a [u8]),
    /// A program of a store package.
    AppExecLink {
        /// Package.
        package: Utf16<'a>,
        /// Program within the package.
        entry: Utf16<'a>,
        /// Path of the program.
        path: Utf16<'a>,
    },
}

impl<'a> Reparse<'a> {
    /// Takes the value of the attribute.
    pub(crate) fn parse(value: &'a [u8]) -> Option<Self> {
        let length = usize::from(u16_at(value, 4)?);
        let data = value.get(8..)?;
        Some(Self { tag: u32_at(value, 0)?, data: &data[..length.min(data.len())] })
    }

    /// Where it leads; `None` if the tag says nothing of that, or the data make no sense.
    pub fn target(&self) -> Option<Target<'a>> {
        match self.tag {
            SYMLINK => {
                let relative = u32_at(self.data, 8)? & 1 != 0;
                let [substitute, print] = self.two_names(12)?;
                Some(Target::Symlink { substitute, print, relative })
            }
            MOUNT_POINT => {
                let [substitute, print] = self.two_names(8)?;
                Some(Target::MountPoint { substitute, print })
            }
            LX_SYMLINK => self.data.get(4..).map(Target::LxSymlink),
            APP_EXEC_LINK => {
                let mut texts = texts(self.data.get(4..)?);
                let [package, entry, path] = [texts.next()?, texts.next()?, texts.next()?];
                Some(Target::AppExecLink { package, entry, path })
            }
            _ => None,
        }
    }

    /// The tag in words, as its name without prefix; `None` for tags that are not known.
    pub fn tag_name(&self) -> Option<&'static str> {
        TAGS.iter().find(|(tag, _)| *tag == self.tag).map(|(_, name)| *name).or_else(|| {
            let cloud = self.tag & 0xffff_0fff == 0x9000_001a;
            cloud.then_some("CLOUD")
        })
    }

    /// Substitute and print name in the bytes from `at` on, where the data say.
    fn two_names(&self, at: usize) -> Option<[Utf16<'a>; 2]> {
        let names = self.data.get(at..)?;
        let name = |place| {
            let from = usize::from(u16_at(self.data, place)?);
            let length = usize::from(u16_at(self.data, place + 2)?);
            names.get(from..from + length).map(Utf16::new)
        };
        Some([name(0)?, name(4)?])
    }
}

/// Texts that end with a zero each.
fn texts(bytes: &[u8]) -> impl Iterator<Item = Utf16<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let end = rest.chunks_exact(2).position(|unit| unit == [0, 0])?;
        let text = Utf16::new(&rest[..2 * end]);
        rest = &rest[2 * end + 2..];
        Some(text)
    })
}

/// Tags by their names, cloud files of numbered providers apart.
const TAGS: [(u32, &str); 30] = [
    (MOUNT_POINT, "MOUNT_POINT"),
    (0xc000_0004, "HSM"),
    (0x8000_0005, "DRIVE_EXTENDER"),
    (0x8000_0006, "HSM2"),
    (0x8000_0007, "SIS"),
    (0x8000_0008, "WIM"),
    (0x8000_0009, "CSV"),
    (0x8000_000a, "DFS"),
    (0x8000_000b, "FILTER_MANAGER"),
    (SYMLINK, "SYMLINK"),
    (0xa000_0010, "IIS_CACHE"),
    (0x8000_0012, "DFSR"),
    (0x8000_0013, "DEDUP"),
    (0xc000_0014, "APPXSTRM"),
    (0x8000_0014, "NFS"),
    (0x8000_0015, "FILE_PLACEHOLDER"),
    (0x8000_0016, "DFM"),
    (WOF, "WOF"),
    (0x8000_0018, "WCI"),
    (0x9000_1018, "WCI_1"),
    (0xa000_0019, "GLOBAL_REPARSE"),
    (APP_EXEC_LINK, "APPEXECLINK"),
    (0x9000_001c, "PROJFS"),
    (LX_SYMLINK, "LX_SYMLINK"),
    (0x8000_001e, "STORAGE_SYNC"),
    (0xa000_001f, "WCI_TOMBSTONE"),
    (0x8000_0020, "UNHANDLED"),
    (0x8000_0021, "ONEDRIVE"),
    (0x8000_0023, "AF_UNIX"),
    (0x8000_0024, "LX_FIFO"),
];

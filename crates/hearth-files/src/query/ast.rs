//! What a query means: a boolean tree over tests of one directory entry.
//!
//! Everything relative (dates, user names, `~`, the current folder) is resolved while parsing, so
//! that a [`Query`] means the same on every volume and at any later time.
//!
//! Words used below. A *character* is a Unicode scalar value or, where bytes are not UTF-8, one byte.
//! An absolute path begins with `/` and does not end with it, except for `/` itself. The root of a
//! volume is an entry too; its name is the last component of its path, empty for `/`. Hard links are
//! entries of their own, each with the inode's metadata, and every total counts each of them.

use hearth_core::{EntryKind, UnixNanos};

/// A parsed query.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The condition an entry must meet.
    pub expr: Expr,
}

/// Boolean structure. `And(vec![])` matches everything; the parser never yields an empty `Or`.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// All must hold.
    And(Vec<Expr>),
    /// At least one must hold.
    Or(Vec<Expr>),
    /// Must not hold.
    Not(Box<Expr>),
    /// One test.
    Term(Term),
}

/// One test and where it stands in the query text.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// Byte range in the query text.
    pub span: std::ops::Range<usize>,
    /// The test.
    pub test: Test,
}

/// A test of one directory entry.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// The entry's own name.
    Name(Text),
    /// The entry's absolute path.
    Path(PathText),
    /// The name's extension is one of these (folded, sorted, without the dot; an empty one = no
    /// extension). An extension is what follows the last dot, unless that dot begins the
    /// name or more than [`EXTENSION_BYTES`] bytes follow it.
    Ext(Vec<Vec<u8>>),
    /// `type:`
    Type(Vec<EntryKind>),
    /// `kind:`: a regular file whose extension belongs to one of the categories.
    Category(Vec<Category>),
    /// A number of the entry lies in the range.
    Number(NumberField, NumberRange),
    /// A time of the entry lies in the range; an entry without that time does not match.
    Time(TimeField, TimeRange),
    /// Owner's user id is one of these. An entry without owner, as on NTFS, does not match.
    Owner(Vec<u32>),
    /// Group id is one of these; as for owners.
    Group(Vec<u32>),
    /// Permission bits. An entry without owner has none that are known, and does not match.
    Perm(Perm),
    /// Attributes of NTFS (bits of `FILE_ATTRIBUTE_…`), all of which must be set; entries of other file systems have
    /// none.
    Attr(u32),
    /// The entry was deleted, and its record still tells of it.
    Deleted,
    /// Lies anywhere below this absolute folder (no trailing slash, "" = the root folder); the
    /// folder itself does not match.
    In(Vec<u8>),
    /// The name of the folder that holds the entry; false for the root of a volume.
    Parent(Text),
    /// A regular file of size 0 or a folder without entries.
    Empty,
    /// Another entry of the same volume has the same name (folded); or the entry is a regular file
    /// larger than 0 and a regular file with another inode has the same size.
    Dupe(DupeField),
    /// The name is not valid Unicode.
    Invalid,
}

/// Longest extension, bytes in folded form.
pub const EXTENSION_BYTES: usize = 32;

/// A condition on one piece of text (a name).
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// What to look for.
    pub pattern: Pattern,
    /// False: both sides are compared case-folded.
    pub case_sensitive: bool,
    /// The match must begin and end at a word border (`word:`; only with `Substring`, never empty). A
    /// border is an end of the text, or where a word character (`_`, `char::is_alphanumeric`) meets
    /// anything else.
    pub whole_word: bool,
}

/// How a name is compared. Needles of case-insensitive texts are already folded.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    /// Anywhere in the name.
    Substring(Vec<u8>),
    /// The whole name.
    Exact(Vec<u8>),
    /// Glob over the whole name. [`super::glob_to_regex`] gives its regular expression, which is
    /// compiled as it stands: a case-insensitive glob is folded, and so must the text be.
    Glob(Vec<u8>),
    /// Regular expression, found anywhere (syntax of the `regex` crate, over bytes). As written: if
    /// case-insensitive, it is compiled so and searches the text as it is, not folded.
    Regex(String),
    /// The bytes of each character, one after the other, with gaps allowed in between.
    Fuzzy(Vec<u8>),
}

/// A condition on the absolute path.
#[derive(Clone, Debug, PartialEq)]
pub struct PathText {
    /// What to look for.
    pub pattern: PathPattern,
    /// False: both sides are compared case-folded.
    pub case_sensitive: bool,
}

/// How a path is compared. Needles of case-insensitive texts are already folded.
#[derive(Clone, Debug, PartialEq)]
pub enum PathPattern {
    /// Anywhere in the path.
    Substring(Vec<u8>),
    /// The path begins with it (a term that begins with `/`).
    Prefix(Vec<u8>),
    /// The whole path.
    Exact(Vec<u8>),
    /// Glob over whole components, in which `**` spans any number of them. Begins at the root if it
    /// begins with `/`, else at any component; ends at the end of the path.
    Glob(Vec<u8>),
    /// Regular expression, found anywhere; as for names.
    Regex(String),
}

/// Groups of extensions behind `kind:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Category {
    /// Pictures.
    Image,
    /// Films.
    Video,
    /// Sound.
    Audio,
    /// Text documents, sheets, slides.
    Document,
    /// Archives and disk images.
    Archive,
    /// Source code.
    Code,
}

/// Numbers that can be filtered on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberField {
    /// Logical size, bytes; folders never match.
    Size,
    /// Allocated bytes; folders never match.
    Allocated,
    /// Depth in the file system: number of components of the absolute path (`/` is 0).
    Depth,
    /// Length of the name: Unicode scalar values, each invalid byte counting one.
    NameLength,
    /// Length of the absolute path, bytes.
    PathLength,
    /// Hard links.
    Links,
    /// Entries directly in a folder; files never match.
    Children,
    /// Sum of the sizes of all non-folders below a folder; files never match.
    TreeSize,
    /// Entries anywhere below a folder; files never match.
    Descendants,
}

/// Inclusive range; `None` is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberRange {
    /// Smallest value that matches.
    pub min: Option<u64>,
    /// Largest value that matches.
    pub max: Option<u64>,
}

impl NumberRange {
    /// True if `value` lies in the range.
    pub fn contains(self, value: u64) -> bool {
        self.min.is_none_or(|min| value >= min) && self.max.is_none_or(|max| value <= max)
    }
}

/// Times that can be filtered on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeField {
    /// `dm:`
    Modified,
    /// `dc:`
    Created,
    /// `da:`
    Accessed,
}

/// Half-open range of nanoseconds since 1970; `None` is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// First instant that matches.
    pub from: Option<UnixNanos>,
    /// First instant that no longer matches.
    pub until: Option<UnixNanos>,
}

impl TimeRange {
    /// True if `at` lies in the range.
    pub fn contains(self, at: UnixNanos) -> bool {
        self.from.is_none_or(|from| at >= from) && self.until.is_none_or(|until| at < until)
    }
}

/// Condition on the twelve permission bits (`0o7777`), as in `find -perm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Perm {
    /// Exactly these bits.
    Exactly(u32),
    /// All of these bits (`perm:-644`).
    AllOf(u32),
    /// Any of these bits (`perm:/222`); no bits at all = always true.
    AnyOf(u32),
}

impl Perm {
    /// True if a mode meets the condition.
    pub fn matches(self, mode: u32) -> bool {
        let bits = mode & 0o7777;
        match self {
            Perm::Exactly(want) => bits == want,
            Perm::AllOf(want) => bits & want == want,
            Perm::AnyOf(want) => want == 0 || bits & want != 0,
        }
    }
}

/// What `dupe:` compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DupeField {
    /// Folded name.
    Name,
    /// Size of regular files.
    Size,
}

/// One sort key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// By what.
    pub field: SortField,
    /// Largest first.
    pub descending: bool,
}

/// Sort keys of the query language. Ties are broken by path, ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SortField {
    /// Folded name, then raw bytes.
    Name,
    /// Component by component, each as `Name`; a folder stands directly before what is below it.
    Path,
    /// Logical size (folders: the inode's own).
    Size,
    /// Allocated bytes.
    Allocated,
    /// Modification time; entries without it come first.
    Modified,
    /// Birth time; entries without it come first.
    Created,
    /// Access time; entries without it come first.
    Accessed,
    /// Folded extension; none first.
    Ext,
    /// Order of [`EntryKind::ALL`].
    Type,
    /// Depth.
    Depth,
    /// Size of a folder's tree; of other entries their own size.
    TreeSize,
    /// Entries below a folder; 0 for others.
    Descendants,
    /// User id.
    Owner,
}

//! The list of registered sources on disk: `sources.toml` in the state folder.
//!
//! The file is replaced as a whole (new file, fsync, rename, fsync of the folder), so a crash
//! leaves the old list or the new one. A file that makes no sense is moved aside and reported; the
//! service then starts without sources rather than not at all. Numbers of sources are never reused.

use crate::api::{SourceInfo, SourceKind};
use crate::error::{ServiceError, lossy};
use crate::paths;
use rustix::fs::{Mode, OFlags};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

const FILE: &str = "sources.toml";
const VERSION: i64 = 1;
/// Longest name of a source, bytes.
const NAME_BYTES: usize = 64;

/// The registered sources and the file that remembers them.
#[derive(Debug)]
pub(crate) struct Registry {
    folder: PathBuf,
    next_id: u64,
    sources: Vec<SourceInfo>,
}

impl Registry {
    /// Reads the list in a state folder, which is made if it is missing. The second value says
    /// what was wrong with a list that had to be moved aside.
    pub(crate) fn open(folder: &Path) -> Result<(Self, Option<String>), ServiceError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|error| ServiceError::io("create", folder, error))?;
        let mut registry = Self { folder: folder.to_owned(), next_id: 1, sources: Vec::new() };
        let path = folder.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((registry, None)),
            Err(error) => return Err(ServiceError::io("read", path, error)),
        };
        let notice = match registry.take_text(&text) {
            Ok(()) => None,
            Err(problem) => Some(registry.set_aside(&path, &problem)?),
        };
        Ok((registry, notice))
    }

    /// Every source, ordered by number.
    pub(crate) fn sources(&self) -> &[SourceInfo] {
        &self.sources
    }

    /// The source with this name or this root (normalised, no trailing slash).
    pub(crate) fn by_name_or_root(&self, wanted: &[u8]) -> Option<&SourceInfo> {
        let root = paths::normalise(wanted).map(|root| paths::shown(&root).to_vec());
        let is =
            |source: &&SourceInfo| source.name.as_bytes() == wanted || Some(&source.root) == root.as_ref();
        self.sources.iter().find(is)
    }

    /// Error for a name or path that no source answers for.
    pub(crate) fn unknown(&self, wanted: &[u8]) -> ServiceError {
        unknown_source(&self.sources, wanted)
    }

    /// Registers a root (as people see it) and writes the list. Without a wish, the name is made
    /// from the root's last component; a wish must be free and fit to be a name.
    pub(crate) fn add(
        &mut self,
        kind: SourceKind,
        root: &[u8],
        wish: Option<&str>,
    ) -> Result<SourceInfo, ServiceError> {
        let name = match wish {
            Some(wish) => self.check_name(wish)?,
            None => self.free_name(root),
        };
        let info = SourceInfo { id: self.next_id, name, kind, root: root.to_vec() };
        let mut sources = self.sources.clone();
        sources.push(info.clone());
        self.replace(self.next_id + 1, sources)?;
        Ok(info)
    }

    /// Removes a source and writes the list.
    pub(crate) fn remove(&mut self, id: u64) -> Result<(), ServiceError> {
        let left = self.sources.iter().filter(|source| source.id != id).cloned().collect();
        self.replace(self.next_id, left)
    }

    /// Writes a new list, and only then believes it.
    fn replace(&mut self, next_id: u64, sources: Vec<SourceInfo>) -> Result<(), ServiceError> {
        let text = render(next_id, &sources);
        let path = self.folder.join(FILE);
        replace_file(&path, text.as_bytes()).map_err(|error| ServiceError::io("write", path, error))?;
        (self.next_id, self.sources) = (next_id, sources);
        Ok(())
    }

    fn check_name(&self, wish: &str) -> Result<String, ServiceError> {
        let bad = |message: String| ServiceError::BadRequest {
            field: "name",
            message,
            hint: format!(
                "use a free name of 1 to {NAME_BYTES} bytes without `/`, `,` and control characters"
            ),
        };
        if self.sources.iter().any(|source| source.name == wish) {
            return Err(bad(format!("{wish} is taken")));
        }
        if !is_name(wish) {
            return Err(bad(format!("{wish:?} cannot be a name")));
        }
        Ok(wish.to_owned())
    }

    fn free_name(&self, root: &[u8]) -> String {
        let last = root.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let plain = |c: char| if c.is_alphanumeric() || "._-+ ".contains(c) { c } else { '_' };
        let mut base: String = String::from_utf8_lossy(last).chars().map(plain).collect();
        base.truncate(base.floor_char_boundary(NAME_BYTES - 8));
        if base.trim().is_empty() {
            "root".clone_into(&mut base);
        }
        let numbered = (2u64..).map(|number| format!("{base}-{number}"));
        let free = |name: &String| self.sources.iter().all(|source| source.name != *name);
        std::iter::once(base.clone()).chain(numbered).find(free).expect("numbers do not end")
    }

    fn take_text(&mut self, text: &[u8]) -> Result<(), String> {
        let text = std::str::from_utf8(text).map_err(|error| error.to_string())?;
        let table: Table = text.parse().map_err(|error: toml::de::Error| error.message().to_owned())?;
        if table.get("version") != Some(&Value::Integer(VERSION)) {
            return Err(format!("version is not {VERSION}"));
        }
        let list = match table.get("source") {
            None => &Vec::new(),
            Some(list) => list.as_array().ok_or("`source` is not a list")?,
        };
        let sources: Vec<SourceInfo> = list.iter().map(source).collect::<Result<_, _>>()?;
        check_unique(&sources)?;
        let next_id = table.get("next_id").and_then(positive).ok_or("`next_id` is missing")?;
        if sources.iter().any(|source| source.id >= next_id) {
            return Err("`next_id` is used already".to_owned());
        }
        (self.next_id, self.sources) = (next_id, sources);
        Ok(())
    }

    /// Renames a damaged list so that it is not overwritten; returns what to tell the user.
    fn set_aside(&self, path: &Path, problem: &str) -> Result<String, ServiceError> {
        let name = |number: u32| self.folder.join(format!("{FILE}.damaged-{number}"));
        let aside = (1..).map(name).find(|path| !path.exists()).expect("numbers do not end");
        fs::rename(path, &aside).map_err(|error| ServiceError::io("move aside", path, error))?;
        Ok(format!("the list of sources was damaged ({problem}); it was moved to {}", aside.display()))
    }
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| !c.is_control() && c != '/' && c != ',';
    (1..=NAME_BYTES).contains(&name.len()) && name.chars().all(plain) && name.trim() == name
}

fn check_unique(sources: &[SourceInfo]) -> Result<(), String> {
    for (index, source) in sources.iter().enumerate() {
        let clash = |other: &SourceInfo| {
            other.id == source.id || other.name == source.name || other.root == source.root
        };
        if sources[..index].iter().any(clash) {
            return Err(format!("source {} is listed twice", source.name));
        }
    }
    Ok(())
}

fn positive(value: &Value) -> Option<u64> {
    value.as_integer().and_then(|number| u64::try_from(number).ok()).filter(|number| *number > 0)
}

fn source(value: &Value) -> Result<SourceInfo, String> {
    let id = value.get("id").and_then(positive).ok_or("a source has no number")?;
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let name = text("name").filter(|name| is_name(name)).ok_or("a source has no name")?;
    let kinds = [SourceKind::Volume, SourceKind::Ntfs];
    let kind = kinds.into_iter().find(|kind| text("kind") == Some(kind.as_str()));
    let kind = kind.ok_or(format!("source {name} is of an unknown kind"))?;
    let root = match (text("root"), text("root_hex")) {
        (Some(root), None) => Some(root.as_bytes().to_vec()),
        (None, Some(hex)) => from_hex(hex),
        _ => None,
    };
    let root = root.and_then(|root| paths::normalise(&root)).ok_or(format!("source {name} has no root"))?;
    Ok(SourceInfo { id, name: name.to_owned(), kind, root: paths::shown(&root).to_vec() })
}

fn render(next_id: u64, sources: &[SourceInfo]) -> String {
    let mut text = format!("version = {VERSION}\nnext_id = {next_id}\n");
    for source in sources {
        let quoted = |text: &str| Value::from(text).to_string();
        let root = match std::str::from_utf8(&source.root) {
            Ok(root) => format!("root = {}", quoted(root)),
            Err(_) => format!("root_hex = \"{}\"", to_hex(&source.root)),
        };
        text.push_str(&format!(
            "\n[[source]]\nid = {}\nname = {}\nkind = \"{}\"\n{root}\n",
            source.id,
            quoted(&source.name),
            source.kind.as_str()
        ));
    }
    text
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(hex: &str) -> Option<Vec<u8>> {
    if !hex.is_ascii() || !hex.len().is_multiple_of(2) {
        return None;
    }
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect()
}

/// Replaces a file so that a crash at any point leaves the old or the new content.
fn replace_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().unwrap_or(OsStr::new(FILE));
    let fresh = folder.join(OsStr::from_bytes(&[name.as_bytes(), b".new"].concat()));
    // A leftover of a crash; the name is ours alone.
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut file = File::from(rustix::fs::open(&fresh, flags, Mode::RUSR | Mode::WUSR)?);
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    File::open(folder)?.sync_all()
}

/// Error for a name or path that none of the sources answers for.
pub(crate) fn unknown_source(sources: &[SourceInfo], wanted: &[u8]) -> ServiceError {
    let near = |source: &&SourceInfo| match wanted.first() {
        Some(b'/') => paths::shared_depth(wanted, &source.root),
        _ => likeness(&lossy(wanted), &source.name),
    };
    let nearest = sources.iter().max_by_key(near).filter(|source| near(source) > 0);
    ServiceError::UnknownSource {
        wanted: wanted.to_vec(),
        known: sources.iter().map(|source| source.root.clone()).collect(),
        nearest: nearest.map(|source| source.name.clone()),
    }
}

/// Characters that two names share at their beginning, caseless; containment counts as well.
fn likeness(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let start = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
    let inside = if a.contains(&b) || b.contains(&a) { a.len().min(b.len()) } else { 0 };
    start.max(inside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn open(folder: &Path) -> Registry {
        let (registry, notice) = Registry::open(folder).unwrap();
        assert_eq!(notice, None);
        registry
    }

    #[test]
    fn what_was_added_is_there_after_opening_again() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("deep/state");
        let mut registry = open(&state);
        let first = registry.add(SourceKind::Volume, b"/", None).unwrap();
        registry.add(SourceKind::Volume, b"/data/\xff\"x\n", Some("odd one")).unwrap();
        registry.add(SourceKind::Volume, b"/srv/root", None).unwrap();
        registry.remove(first.id).unwrap();
        let again = open(&state);
        assert_eq!(again.sources(), registry.sources());
        let names: Vec<&str> = again.sources().iter().map(|source| source.name.as_str()).collect();
        assert_eq!(names, ["odd one", "root-2"]);
        assert_eq!(again.sources()[0].root, b"/data/\xff\"x\n");
        assert_eq!(
            open(&state).add(SourceKind::Volume, b"/z", None).unwrap().id,
            4,
            "numbers are not reused"
        );
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&state), mode(&state.join(FILE))), (0o700, 0o600));
        assert!(!state.join("sources.toml.new").exists());
    }

    #[test]
    fn a_leftover_of_a_crash_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("sources.toml.new"), "half").unwrap();
        open(folder.path()).add(SourceKind::Volume, b"/a", None).unwrap();
        assert_eq!(open(folder.path()).sources().len(), 1);
    }

    #[test]
    fn a_damaged_list_is_moved_aside_and_reported() {
        let good = render(
            9,
            &[SourceInfo { id: 8, name: "a".into(), kind: SourceKind::Volume, root: b"/a".to_vec() }],
        );
        let twice = render(9, &[]) + &good[good.find("\n[[").unwrap()..].repeat(2);
        let damages: Vec<Vec<u8>> = vec![
            b"\xff\xfe".to_vec(),
            b"version = 1\nnext_id".to_vec(),
            good.replace("version = 1", "version = 2").into(),
            good.replace("next_id = 9", "next_id = 8").into(),
            good.replace("kind = \"volume\"", "kind = \"moon\"").into(),
            good.replace("root = \"/a\"", "root = \"a\"").into(),
            good.replace("root = \"/a\"", "root_hex = \"2f6\"").into(),
            twice.into(),
            b"".to_vec(),
        ];
        let folder = tempfile::tempdir().unwrap();
        for (number, damage) in (1..).zip(&damages) {
            fs::write(folder.path().join(FILE), damage).unwrap();
            let (registry, notice) = Registry::open(folder.path()).unwrap();
            assert!(registry.sources().is_empty(), "{damage:?}");
            let aside = folder.path().join(format!("{FILE}.damaged-{number}"));
            assert!(notice.unwrap().contains(aside.to_str().unwrap()));
            assert_eq!(&fs::read(aside).unwrap(), damage);
        }
    }

    #[test]
    fn names_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        let mut registry = open(folder.path());
        registry.add(SourceKind::Volume, b"/a", Some("mine")).unwrap();
        for bad in ["mine", "", "a/b", "a,b", "x\n", " x", &"x".repeat(65)] {
            let error = registry.add(SourceKind::Volume, b"/b", Some(bad)).unwrap_err();
            assert!(matches!(error, ServiceError::BadRequest { field: "name", .. }), "{bad:?}");
        }
        assert_eq!(registry.sources().len(), 1);
    }

    #[test]
    fn an_unknown_path_or_name_points_at_the_nearest() {
        let folder = tempfile::tempdir().unwrap();
        let mut registry = open(folder.path());
        registry.add(SourceKind::Volume, b"/home/ada", None).unwrap();
        registry.add(SourceKind::Volume, b"/data", None).unwrap();
        for (wanted, near) in
            [("/home/eve", Some("ada")), ("/data2", None), ("Dat", Some("data")), ("zzz", None)]
        {
            let ServiceError::UnknownSource { nearest, known, .. } = registry.unknown(wanted.as_bytes())
            else {
                panic!("{wanted}")
            };
            assert_eq!(nearest.as_deref(), near, "{wanted}");
            assert_eq!(known.len(), 2);
        }
        assert_eq!(registry.by_name_or_root(b"/home/ada/").unwrap().name, "ada");
        assert_eq!(registry.by_name_or_root(b"data").unwrap().root, b"/data");
    }
}

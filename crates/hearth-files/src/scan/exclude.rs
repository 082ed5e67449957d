//! Exclude rules: folders that are listed as a row and not entered.
//!
//! A rule is either one folder, by its absolute path, or every folder of a name. There are no
//! wildcards: a pattern language here would be a second one beside the query language, and what people
//! leave out are folders that a tool made under a fixed name. As the text of a wildcard would silently
//! match nothing, it is an error; a backslash before a character makes it an ordinary one.
//!
//! A path rule also matches the folder that it leads to through symbolic links. A rule that names the
//! root of the scan or a folder above it has no effect: who names a root wants it.

use std::ffi::{CStr, OsStr};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use super::tree::Dir;

/// A folder, or all folders of one name, that a scan does not enter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ExcludeRule {
    /// Exactly this folder: an absolute path without a trailing slash.
    Path(Vec<u8>),
    /// Every folder with this name.
    Name(Vec<u8>),
}

/// Why a text is no exclude rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadExclude {
    /// Nothing, or only slashes.
    #[error("an exclude rule must name a folder")]
    Empty,
    /// `*`, `?`, `[` or `{` without a backslash.
    #[error("'{0}' at byte {1}: no wildcards here, only a path or a name; '\\{0}' means the character")]
    Wildcard(char, usize),
    /// A slash in a rule that is not an absolute path.
    #[error("a rule with a slash must be an absolute path")]
    Relative,
    /// A path with a `.` or `..` part.
    #[error("a path may not have '.' or '..' parts")]
    Dots,
    /// A NUL byte, which no path can have.
    #[error("a path cannot hold a NUL byte")]
    Nul,
    /// A backslash at the end.
    #[error("a backslash at the end escapes nothing")]
    LoneBackslash,
}

/// Rules that a scan uses unless it is told otherwise: the snapshot folders of `snapper` and
/// `timeshift`, which hold the volume's own files again, once per snapshot.
pub const DEFAULT_EXCLUDES: [&str; 3] = [".snapshots", "/timeshift", "/timeshift-btrfs"];

impl ExcludeRule {
    /// Reads a rule: `/absolute/folder`, or `name` (also written `**/name`).
    ///
    /// # Errors
    /// [`BadExclude`] says why the text is not a rule.
    pub fn parse(text: &[u8]) -> Result<Self, BadExclude> {
        let (anywhere, body) = text.strip_prefix(b"**/").map_or((false, text), |body| (true, body));
        let plain = unescape(body, text.len() - body.len())?;
        if plain.contains(&0) {
            return Err(BadExclude::Nul);
        }
        let trimmed = trim_slashes(&plain);
        if trimmed.is_empty() {
            return Err(BadExclude::Empty);
        }
        if trimmed.starts_with(b"/") && !anywhere { Self::path(trimmed) } else { Self::name(trimmed) }
    }

    /// The default rules, [`DEFAULT_EXCLUDES`].
    pub fn defaults() -> Vec<Self> {
        DEFAULT_EXCLUDES
            .iter()
            .map(|text| Self::parse(text.as_bytes()).expect("a default is a rule"))
            .collect()
    }

    fn path(path: &[u8]) -> Result<Self, BadExclude> {
        if components(path).any(|part| matches!(part, b"." | b"..")) {
            return Err(BadExclude::Dots);
        }
        Ok(Self::Path(components(path).flat_map(|part| [b"/", part].concat()).collect()))
    }

    fn name(name: &[u8]) -> Result<Self, BadExclude> {
        if name.contains(&b'/') {
            return Err(BadExclude::Relative);
        }
        if matches!(name, b"." | b"..") {
            return Err(BadExclude::Dots);
        }
        Ok(Self::Name(name.to_vec()))
    }
}

impl fmt::Display for ExcludeRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Path(text) | Self::Name(text)) = self;
        f.write_str(&String::from_utf8_lossy(text))
    }
}

fn trim_slashes(mut text: &[u8]) -> &[u8] {
    while let Some(rest) = text.strip_suffix(b"/") {
        text = rest;
    }
    text
}

fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty())
}

/// Takes the backslashes out of `text`, which starts at byte `offset` of the rule.
fn unescape(text: &[u8], offset: usize) -> Result<Vec<u8>, BadExclude> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter().enumerate();
    while let Some((at, &byte)) = bytes.next() {
        match byte {
            b'\\' => out.push(*bytes.next().ok_or(BadExclude::LoneBackslash)?.1),
            b'*' | b'?' | b'[' | b'{' => return Err(BadExclude::Wildcard(char::from(byte), offset + at)),
            plain => out.push(plain),
        }
    }
    Ok(out)
}

/// The rules of one scan, ready to be asked for each folder.
pub(crate) struct Excludes {
    names: Vec<(Vec<u8>, ExcludeRule)>,
    /// Components below the root of the scan, and the rule they come from.
    paths: Vec<(Vec<Vec<u8>>, ExcludeRule)>,
}

impl Excludes {
    /// Prepares `rules` for a scan of the canonical path `root` (empty for `/`).
    pub(crate) fn new(rules: &[ExcludeRule], root: &[u8]) -> Self {
        let mut out = Self { names: Vec::new(), paths: Vec::new() };
        for rule in rules {
            match rule {
                ExcludeRule::Name(name) => out.names.push((name.clone(), rule.clone())),
                ExcludeRule::Path(path) => out.add_path(path, rule, root),
            }
        }
        out
    }

    fn add_path(&mut self, path: &[u8], rule: &ExcludeRule, root: &[u8]) {
        let resolved = Path::new(OsStr::from_bytes(path)).canonicalize();
        let resolved = resolved.map_or_else(|_| path.to_vec(), |path| path.into_os_string().into_vec());
        for path in [path, &resolved] {
            let Some(below) = path.strip_prefix(root).filter(|rest| rest.starts_with(b"/")) else { continue };
            let parts: Vec<_> = components(below).map(<[u8]>::to_vec).collect();
            if !parts.is_empty() {
                self.paths.push((parts, rule.clone()));
            }
        }
    }

    /// Whether a rule names a folder somewhere below the one at `parts` below the root.
    pub(crate) fn any_below(&self, parts: &[&[u8]]) -> bool {
        let lies_below =
            |place: &[Vec<u8>]| place.len() > parts.len() && parts.iter().eq(&place[..parts.len()]);
        self.paths.iter().any(|(place, _)| lies_below(place))
    }

    /// The rule that forbids to enter the folder `name` of `parent`.
    pub(crate) fn rule_for(&self, parent: &Dir, name: &CStr) -> Option<&ExcludeRule> {
        let name = name.to_bytes();
        let by_name = self.names.iter().find(|(excluded, _)| excluded == name);
        let by_path = || self.paths.iter().find(|(parts, _)| parent.child_is(name, parts));
        by_name.map(|(_, rule)| rule).or_else(|| by_path().map(|(_, rule)| rule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &Result<ExcludeRule, BadExclude>) {
        assert_eq!(&ExcludeRule::parse(text.as_bytes()), expected, "{text:?}");
    }

    #[test]
    fn texts_become_rules_or_reasons() {
        let path = |text: &str| Ok(ExcludeRule::Path(text.into()));
        let name = |text: &str| Ok(ExcludeRule::Name(text.into()));
        check("/var/cache", &path("/var/cache"));
        check("//var///cache//", &path("/var/cache"));
        check("/data/\\[old\\]", &path("/data/[old]"));
        check(".snapshots", &name(".snapshots"));
        check("**/node_modules/", &name("node_modules"));
        check("a\\*b", &name("a*b"));
        check("", &Err(BadExclude::Empty));
        check("/", &Err(BadExclude::Empty));
        check("**/", &Err(BadExclude::Empty));
        check("*.tmp", &Err(BadExclude::Wildcard('*', 0)));
        check("**/a*", &Err(BadExclude::Wildcard('*', 4)));
        check("/var/[ab]", &Err(BadExclude::Wildcard('[', 5)));
        check("a/b", &Err(BadExclude::Relative));
        check("/a/../b", &Err(BadExclude::Dots));
        check("..", &Err(BadExclude::Dots));
        check("a\0b", &Err(BadExclude::Nul));
        check("a\\", &Err(BadExclude::LoneBackslash));
    }

    #[test]
    fn the_defaults_are_rules() {
        assert_eq!(ExcludeRule::defaults().len(), DEFAULT_EXCLUDES.len());
    }
}

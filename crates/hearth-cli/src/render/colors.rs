//! Colours of names by kind, as `LS_COLORS` asks for them.
//!
//! Only the sequences of digits and semicolons that such a variable may hold are ever printed;
//! anything else in it is ignored, so that the variable cannot inject other terminal commands.
//! Without the variable the colours are those of `ls`.

use hearth_core::EntryKind;

/// The colours of GNU `ls` for kinds of entries, without those for extensions.
const DEFAULT: &str = "di=01;34:ln=01;36:pi=33:so=01;35:bd=01;33:cd=01;33:su=37;41:sg=30;43:tw=30;42:ow=34;42:st=37;44:ex=01;32";

/// Appended after every coloured piece of text.
pub(crate) const RESET: &[u8] = b"\x1b[0m";

/// A parsed `LS_COLORS`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Colors {
    kinds: Vec<(Class, String)>,
    suffixes: Vec<(Vec<u8>, String)>,
}

/// What a colour can hang on besides a suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    File,
    Dir,
    Link,
    Fifo,
    Socket,
    Block,
    Char,
    Executable,
    SetUid,
    SetGid,
    Sticky,
    OtherWritable,
    StickyOtherWritable,
}

impl Colors {
    /// Colours of an `LS_COLORS` value; `None` or an empty value gives the defaults.
    pub(crate) fn parse(value: Option<&str>) -> Self {
        let value = value.filter(|value| !value.is_empty()).unwrap_or(DEFAULT);
        let mut colors = Colors::default();
        for (key, code) in value.split(':').filter_map(|pair| pair.split_once('=')) {
            colors.add(key, code);
        }
        colors
    }

    fn add(&mut self, key: &str, code: &str) {
        if !is_code(code) {
            return;
        }
        if let Some(suffix) = key.strip_prefix('*') {
            self.suffixes.push((suffix.to_ascii_lowercase().into_bytes(), code.to_owned()));
        } else if let Some(class) = class_of_key(key) {
            self.kinds.retain(|(known, _)| *known != class);
            self.kinds.push((class, code.to_owned()));
        }
    }

    /// The colour of an entry: digits and semicolons, or `None` for the terminal's own.
    pub(crate) fn of(&self, name: &[u8], kind: EntryKind, mode: u32) -> Option<&str> {
        let class = classify(kind, mode);
        let by_suffix = || self.by_suffix(name).or_else(|| self.by_class(Class::File));
        match class {
            Class::File => by_suffix(),
            Class::Sticky | Class::OtherWritable | Class::StickyOtherWritable => {
                self.by_class(class).or_else(|| self.by_class(Class::Dir))
            }
            Class::Executable | Class::SetUid | Class::SetGid => self.by_class(class).or_else(by_suffix),
            _ => self.by_class(class),
        }
    }

    /// The colour of folders that lead to a name.
    pub(crate) fn of_dir(&self) -> Option<&str> {
        self.by_class(Class::Dir)
    }

    fn by_class(&self, class: Class) -> Option<&str> {
        self.kinds.iter().find(|(known, _)| *known == class).map(|(_, code)| code.as_str())
    }

    /// The last suffix that fits wins, as in `ls`.
    fn by_suffix(&self, name: &[u8]) -> Option<&str> {
        let fits = |suffix: &[u8]| {
            name.len() >= suffix.len() && name[name.len() - suffix.len()..].eq_ignore_ascii_case(suffix)
        };
        self.suffixes.iter().rev().find(|(suffix, _)| fits(suffix)).map(|(_, code)| code.as_str())
    }
}

/// Appends text between a colour and its reset; plain if there is no colour.
pub(crate) fn paint(out: &mut Vec<u8>, code: Option<&str>, text: impl FnOnce(&mut Vec<u8>)) {
    let Some(code) = code else {
        return text(out);
    };
    out.extend_from_slice(b"\x1b[");
    out.extend_from_slice(code.as_bytes());
    out.push(b'm');
    text(out);
    out.extend_from_slice(RESET);
}

/// A code that means "no colour" (`0`, `00`) or is not one is not kept.
fn is_code(code: &str) -> bool {
    code.bytes().all(|byte| byte.is_ascii_digit() || byte == b';')
        && code.bytes().any(|byte| matches!(byte, b'1'..=b'9'))
}

fn class_of_key(key: &str) -> Option<Class> {
    Some(match key {
        "fi" => Class::File,
        "di" => Class::Dir,
        "ln" => Class::Link,
        "pi" => Class::Fifo,
        "so" => Class::Socket,
        "bd" => Class::Block,
        "cd" => Class::Char,
        "ex" => Class::Executable,
        "su" => Class::SetUid,
        "sg" => Class::SetGid,
        "st" => Class::Sticky,
        "ow" => Class::OtherWritable,
        "tw" => Class::StickyOtherWritable,
        _ => return None,
    })
}

fn classify(kind: EntryKind, mode: u32) -> Class {
    match kind {
        EntryKind::File if mode & 0o4000 != 0 => Class::SetUid,
        EntryKind::File if mode & 0o2000 != 0 => Class::SetGid,
        EntryKind::File if mode & 0o111 != 0 => Class::Executable,
        EntryKind::File | EntryKind::Stream => Class::File,
        EntryKind::Dir => match (mode & 0o1000 != 0, mode & 0o002 != 0) {
            (true, true) => Class::StickyOtherWritable,
            (false, true) => Class::OtherWritable,
            (true, false) => Class::Sticky,
            (false, false) => Class::Dir,
        },
        EntryKind::Link => Class::Link,
        EntryKind::Fifo => Class::Fifo,
        EntryKind::Socket => Class::Socket,
        EntryKind::Block => Class::Block,
        EntryKind::Char => Class::Char,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_the_colours_of_ls() {
        let colors = Colors::parse(None);
        for (kind, mode, expect) in [
            (EntryKind::Dir, 0o755, Some("01;34")),
            (EntryKind::Dir, 0o1777, Some("30;42")),
            (EntryKind::Dir, 0o777, Some("34;42")),
            (EntryKind::Link, 0o777, Some("01;36")),
            (EntryKind::File, 0o755, Some("01;32")),
            (EntryKind::File, 0o4755, Some("37;41")),
            (EntryKind::File, 0o644, None),
            (EntryKind::Fifo, 0o644, Some("33")),
            (EntryKind::Socket, 0o755, Some("01;35")),
            (EntryKind::Char, 0o644, Some("01;33")),
        ] {
            assert_eq!(colors.of(b"x", kind, mode), expect, "{kind:?} {mode:o}");
        }
    }

    #[test]
    fn suffixes_apply_to_plain_files_and_the_last_one_wins() {
        let colors = Colors::parse(Some("*.gz=31:*.tar.gz=32:*~=90:*README=4:di=34"));
        assert_eq!(colors.of(b"a.gz", EntryKind::File, 0o644), Some("31"));
        assert_eq!(colors.of(b"a.TAR.GZ", EntryKind::File, 0o644), Some("32"));
        assert_eq!(colors.of(b"a~", EntryKind::File, 0o644), Some("90"));
        assert_eq!(colors.of(b"README", EntryKind::File, 0o644), Some("4"));
        assert_eq!(colors.of(b"z", EntryKind::File, 0o644), None);
        assert_eq!(colors.of(b"a.gz", EntryKind::Dir, 0o755), Some("34"));
        assert_eq!(colors.of(b"a.gz", EntryKind::File, 0o755), Some("31"));
    }

    #[test]
    fn special_folders_fall_back_to_the_colour_of_folders() {
        let colors = Colors::parse(Some("di=34:ow=00"));
        assert_eq!(colors.of(b"x", EntryKind::Dir, 0o1777), Some("34"));
        assert_eq!(colors.of(b"x", EntryKind::Dir, 0o777), Some("34"));
    }

    #[test]
    fn nothing_but_colour_codes_passes() {
        let colors = Colors::parse(Some("di=01;34\x1b[2J:ln=target:ex=\x07:fi=0:=1:*.a"));
        for kind in EntryKind::ALL {
            assert_eq!(colors.of(b"x.a", kind, 0o755), None);
        }
    }

    #[test]
    fn paint_wraps_and_resets() {
        let mut out = Vec::new();
        paint(&mut out, Some("31"), |out| out.extend_from_slice(b"a"));
        paint(&mut out, None, |out| out.extend_from_slice(b"b"));
        assert_eq!(out, b"\x1b[31ma\x1b[0mb");
    }
}

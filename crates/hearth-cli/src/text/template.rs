//! The little language of `--format`.
//!
//! `{field}` or `{field:style}` is replaced, `{{` and `}}` are braces, `\t \n \r \0 \e \\` are what C
//! makes of them, and everything else is itself. A template is checked whole before the search
//! begins: an unknown field, style or escape is an error that names its position.

use super::{mode, size, time};
use crate::render::Row;
use hearth_core::UnixNanos;
use hearth_protocol::Column;
use std::io::Write as _;

/// A checked template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(Vec<u8>),
    Name(NameField),
    Value(ValueField),
}

/// Fields that hold bytes of names, which a terminal must not see unescaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NameField {
    Path,
    Name,
    Dir,
    Ext,
}

/// Fields whose text is always plain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ValueField {
    Bytes(ByteCount, ByteStyle),
    Time(Instant, TimeStyle),
    Mode { symbolic: bool },
    Kind,
    Uid,
    Gid,
    Links,
    FileId,
    Source,
    Attributes,
    Sequence,
    Deleted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ByteCount {
    Size,
    Allocated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ByteStyle {
    Exact,
    Human,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instant {
    Modified,
    Created,
    Accessed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TimeStyle {
    Nanos,
    Seconds,
    Iso,
}

/// What is wrong with a template, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TemplateError {
    /// Byte position in the template.
    pub(crate) position: usize,
    /// What was found there.
    pub(crate) message: String,
    /// What would be right.
    pub(crate) hint: String,
}

const FIELDS: &str = "fields: path name dir ext size size:h allocated allocated:h modified created accessed \
    (each also :iso and :s) kind mode mode:ls uid gid links file_id source attributes sequence deleted";

impl Template {
    /// Checks and takes apart a template.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let taken = match text[at..] {
                [b'{', b'{', ..] | [b'}', b'}', ..] => {
                    literal.push(text[at]);
                    2
                }
                [b'{', ..] => {
                    let (part, taken) = field(text, at)?;
                    flush(&mut parts, &mut literal);
                    parts.push(part);
                    taken
                }
                [b'}', ..] => return Err(error(at, "a lone `}`", "write `}}` for a brace")),
                [b'\\', ..] => {
                    literal.push(escape(text, at)?);
                    2
                }
                _ => {
                    literal.push(text[at]);
                    1
                }
            };
            at += taken;
        }
        flush(&mut parts, &mut literal);
        Ok(Template { parts })
    }

    /// The columns a row must have, each once.
    pub(crate) fn columns(&self) -> Vec<Column> {
        let mut columns = vec![Column::Path];
        for part in &self.parts {
            if let Part::Value(field) = part {
                columns.extend_from_slice(columns_of(*field));
            }
        }
        columns.sort_unstable_by_key(|column| column.as_str());
        columns.dedup();
        columns
    }

    /// Appends one row; `push_name` decides how bytes of names appear.
    pub(crate) fn render(
        &self,
        out: &mut Vec<u8>,
        row: &Row<'_>,
        push_name: impl Fn(&mut Vec<u8>, NameField),
    ) {
        for part in &self.parts {
            match part {
                Part::Literal(bytes) => out.extend_from_slice(bytes),
                Part::Name(field) => push_name(out, *field),
                Part::Value(field) => push_value(out, row, *field),
            }
        }
    }
}

impl NameField {
    /// The raw bytes of this field.
    pub(crate) fn of<'a>(self, row: &Row<'a>) -> &'a [u8] {
        match self {
            NameField::Path => row.path,
            NameField::Name => row.name(),
            NameField::Dir => row.dir(),
            NameField::Ext => row.ext(),
        }
    }
}

fn flush(parts: &mut Vec<Part>, literal: &mut Vec<u8>) {
    if !literal.is_empty() {
        parts.push(Part::Literal(std::mem::take(literal)));
    }
}

/// Reads `{…}` at `at`; yields the part and the bytes it took.
fn field(text: &[u8], at: usize) -> Result<(Part, usize), TemplateError> {
    let Some(len) = text[at..].iter().position(|&byte| byte == b'}') else {
        return Err(error(at, "`{` is never closed", "write `{{` for a brace"));
    };
    let word = String::from_utf8_lossy(&text[at + 1..at + len]).into_owned();
    match part_of(&word) {
        Some(part) => Ok((part, len + 1)),
        None => Err(error(at, &format!("`{{{word}}}` is not a field"), FIELDS)),
    }
}

fn part_of(word: &str) -> Option<Part> {
    let (name, style) = word.split_once(':').map_or((word, None), |(name, style)| (name, Some(style)));
    let part = match (name, style) {
        ("path", None) => Part::Name(NameField::Path),
        ("name", None) => Part::Name(NameField::Name),
        ("dir", None) => Part::Name(NameField::Dir),
        ("ext", None) => Part::Name(NameField::Ext),
        ("size", style) => Part::Value(ValueField::Bytes(ByteCount::Size, byte_style(style)?)),
        ("allocated", style) => Part::Value(ValueField::Bytes(ByteCount::Allocated, byte_style(style)?)),
        ("modified", style) => Part::Value(ValueField::Time(Instant::Modified, time_style(style)?)),
        ("created", style) => Part::Value(ValueField::Time(Instant::Created, time_style(style)?)),
        ("accessed", style) => Part::Value(ValueField::Time(Instant::Accessed, time_style(style)?)),
        ("mode", None) => Part::Value(ValueField::Mode { symbolic: false }),
        ("mode", Some("ls")) => Part::Value(ValueField::Mode { symbolic: true }),
        ("kind", None) => Part::Value(ValueField::Kind),
        ("uid", None) => Part::Value(ValueField::Uid),
        ("gid", None) => Part::Value(ValueField::Gid),
        ("links", None) => Part::Value(ValueField::Links),
        ("file_id", None) => Part::Value(ValueField::FileId),
        ("source", None) => Part::Value(ValueField::Source),
        ("attributes", None) => Part::Value(ValueField::Attributes),
        ("sequence", None) => Part::Value(ValueField::Sequence),
        ("deleted", None) => Part::Value(ValueField::Deleted),
        _ => return None,
    };
    Some(part)
}

fn byte_style(style: Option<&str>) -> Option<ByteStyle> {
    match style {
        None => Some(ByteStyle::Exact),
        Some("h") => Some(ByteStyle::Human),
        Some(_) => None,
    }
}

fn time_style(style: Option<&str>) -> Option<TimeStyle> {
    match style {
        None => Some(TimeStyle::Nanos),
        Some("s") => Some(TimeStyle::Seconds),
        Some("iso") => Some(TimeStyle::Iso),
        Some(_) => None,
    }
}

fn escape(text: &[u8], at: usize) -> Result<u8, TemplateError> {
    match text.get(at + 1) {
        Some(b't') => Ok(b'\t'),
        Some(b'n') => Ok(b'\n'),
        Some(b'r') => Ok(b'\r'),
        Some(b'0') => Ok(0),
        Some(b'e') => Ok(0x1b),
        Some(b'\\') => Ok(b'\\'),
        _ => Err(error(at, "an unknown escape", "escapes: \\t \\n \\r \\0 \\e \\\\")),
    }
}

fn error(position: usize, message: &str, hint: &str) -> TemplateError {
    TemplateError { position, message: message.to_owned(), hint: hint.to_owned() }
}

fn columns_of(field: ValueField) -> &'static [Column] {
    match field {
        ValueField::Bytes(ByteCount::Size, _) => &[Column::Size],
        ValueField::Bytes(ByteCount::Allocated, _) => &[Column::Allocated],
        ValueField::Time(Instant::Modified, _) => &[Column::Modified],
        ValueField::Time(Instant::Created, _) => &[Column::Created],
        ValueField::Time(Instant::Accessed, _) => &[Column::Accessed],
        ValueField::Mode { .. } => &[Column::Mode, Column::Kind],
        ValueField::Kind => &[Column::Kind],
        ValueField::Uid => &[Column::Uid],
        ValueField::Gid => &[Column::Gid],
        ValueField::Links => &[Column::Links],
        ValueField::FileId => &[Column::FileId],
        ValueField::Source => &[Column::Source],
        ValueField::Attributes => &[Column::Attributes],
        ValueField::Sequence => &[Column::Sequence],
        ValueField::Deleted => &[Column::Deleted],
    }
}

fn push_value(out: &mut Vec<u8>, row: &Row<'_>, field: ValueField) {
    match field {
        ValueField::Bytes(count, style) => push_bytes(out, row, count, style),
        ValueField::Time(instant, style) => push_time(out, row, instant, style),
        ValueField::Mode { symbolic } => {
            let text = row.mode.map(|mode| mode_text(row, mode, symbolic));
            out.extend_from_slice(text.unwrap_or_default().as_bytes());
        }
        ValueField::Kind => out.extend_from_slice(row.kind.as_str().as_bytes()),
        ValueField::Uid => push_some(out, row.uid),
        ValueField::Gid => push_some(out, row.gid),
        ValueField::Links => push_number(out, row.links),
        ValueField::FileId => push_number(out, row.file_id),
        ValueField::Source => out.extend_from_slice(row.source.as_bytes()),
        ValueField::Attributes => out.extend_from_slice(row.attributes.unwrap_or_default().as_bytes()),
        ValueField::Sequence => push_some(out, row.sequence),
        ValueField::Deleted => out.extend_from_slice(if row.deleted { b"true" } else { b"" }),
    }
}

fn mode_text(row: &Row<'_>, mode: u32, symbolic: bool) -> String {
    if symbolic { mode::symbolic(row.kind, mode) } else { mode::octal(mode) }
}

/// What there is not is empty.
fn push_some(out: &mut Vec<u8>, number: Option<impl std::fmt::Display>) {
    if let Some(number) = number {
        push_number(out, number);
    }
}

fn push_bytes(out: &mut Vec<u8>, row: &Row<'_>, count: ByteCount, style: ByteStyle) {
    let bytes = match count {
        ByteCount::Size => row.size,
        ByteCount::Allocated => row.allocated,
    };
    match style {
        ByteStyle::Exact => push_number(out, bytes),
        ByteStyle::Human => out.extend_from_slice(size::human(bytes).as_bytes()),
    }
}

fn push_time(out: &mut Vec<u8>, row: &Row<'_>, instant: Instant, style: TimeStyle) {
    let at: Option<UnixNanos> = match instant {
        Instant::Modified => row.modified_ns,
        Instant::Created => row.created_ns,
        Instant::Accessed => row.accessed_ns,
    };
    match (style, at) {
        (_, None) => {}
        (TimeStyle::Nanos, Some(at)) => push_number(out, at),
        (TimeStyle::Seconds, Some(at)) => push_number(out, at.div_euclid(1_000_000_000)),
        (TimeStyle::Iso, at) => out.extend_from_slice(time::iso(at).as_bytes()),
    }
}

/// Appends a number in decimal.
pub(crate) fn push_number(out: &mut Vec<u8>, number: impl std::fmt::Display) {
    write!(out, "{number}").expect("writing to memory does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{sample_ntfs_row, sample_row};

    fn render(template: &str, path: &[u8]) -> Vec<u8> {
        let template = Template::parse(template.as_bytes()).expect("the template is good");
        let row = sample_row(path);
        let mut out = Vec::new();
        template.render(&mut out, &row, |out, field| out.extend_from_slice(field.of(&row)));
        out
    }

    fn check(template: &str, expect: &str) {
        assert_eq!(String::from_utf8_lossy(&render(template, b"/srv/a b.tar.gz")), expect, "{template}");
    }

    #[test]
    fn fields_are_replaced() {
        check("{path}\\t{size}", "/srv/a b.tar.gz\t1536");
        check("{name}|{dir}|{ext}", "a b.tar.gz|/srv|gz");
        check("{size:h} {allocated} {allocated:h}", "1.5K 4096 4.0K");
        check("{modified} {modified:s} {accessed:s}", "1700000000000000000 1700000000 0");
        check("[{created}{created:s}{created:iso}]", "[]");
        check("{mode} {mode:ls} {kind}", "0644 -rw-r--r-- file");
        check("{uid}:{gid} {links} {file_id} {source}", "1000:100 1 42 root");
    }

    #[test]
    fn fields_of_ntfs_stand_where_others_are_empty() {
        let fields = b"[{attributes} {sequence} {deleted}][{mode}{mode:ls}{uid}{gid}]";
        let template = Template::parse(fields).expect("the template is good");
        let shown = |row: &Row<'_>| {
            let mut out = Vec::new();
            template.render(&mut out, row, |_, _| {});
            String::from_utf8(out).expect("all is text")
        };
        assert_eq!(shown(&sample_ntfs_row(b"/a")), "[HSA 3 true][]");
        assert_eq!(shown(&sample_row(b"/a")), "[  ][0644-rw-r--r--1000100]");
    }

    #[test]
    fn braces_and_escapes() {
        check("{{{name}}}", "{a b.tar.gz}");
        check("a\\\\b\\n\\0\\e\\r", "a\\b\n\0\x1b\r");
        check("", "");
    }

    #[test]
    fn names_keep_their_bytes() {
        assert_eq!(render("<{name}>", b"/x/\xff\n"), b"<\xff\n>");
    }

    #[test]
    fn only_used_columns_are_asked_for() {
        let columns = |text: &str| Template::parse(text.as_bytes()).expect("the template is good").columns();
        assert_eq!(columns("{name}"), [Column::Path]);
        assert_eq!(
            columns("{size}{mode:ls}{size:h}{kind}"),
            [Column::Kind, Column::Mode, Column::Path, Column::Size]
        );
    }

    #[test]
    fn mistakes_are_placed() {
        for (template, position) in [
            ("ab{nope}", 2),
            ("{size:x}", 0),
            ("{path:h}", 0),
            ("x{path", 1),
            ("a}b", 1),
            ("abc\\q", 3),
            ("abc\\", 3),
            ("{}", 0),
        ] {
            let error = Template::parse(template.as_bytes()).expect_err(template);
            assert_eq!(error.position, position, "{template}");
        }
    }
}

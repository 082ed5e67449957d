//! Turns rows into bytes in the chosen form.
//!
//! Form and look are fixed for a whole answer, and with them the columns that are asked of the daemon.
//! Names are raw bytes unless the look quotes them; CSV never does, being data for programs.

use super::colors::{Colors, paint};
use super::row::split;
use super::{Row, link, long};
use crate::text::template::{NameField, Template, push_number};
use crate::text::{csv, quote};
use hearth_protocol::Column;

/// What is printed for each row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// The path.
    Path,
    /// Columns like those of `ls -l`.
    Long,
    /// Comma-separated values.
    Csv,
    /// `--format`.
    Template(Template),
}

impl Form {
    /// Columns that rows must have for this form and look.
    fn columns(&self, look: &Look) -> Vec<Column> {
        match self {
            Form::Path if look.colors.is_some() => vec![Column::Path, Column::Kind, Column::Mode],
            Form::Path => vec![Column::Path],
            Form::Long => long::COLUMNS.to_vec(),
            Form::Csv => CSV_COLUMNS.to_vec(),
            Form::Template(template) => template.columns(),
        }
    }
}

/// How names appear: the same for every row of an answer.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// A terminal reads this: names that could drive it are quoted.
    pub(crate) quoted: bool,
    /// Colours, if names are coloured.
    pub(crate) colors: Option<Colors>,
    /// Names are links to their files.
    pub(crate) linked: bool,
    /// What ends a row.
    pub(crate) end: u8,
}

impl Look {
    /// Appends bytes of a name, quoted if this look asks for it.
    pub(crate) fn push_name(&self, out: &mut Vec<u8>, name: &[u8]) {
        if self.quoted {
            quote::push_visible(out, name);
        } else {
            out.extend_from_slice(name);
        }
    }

    /// Appends a whole path with the colours of its folders and of its name.
    pub(crate) fn push_path(&self, out: &mut Vec<u8>, row: &Row<'_>) {
        link::wrap(out, self.linked, row.path, |out| self.push_colored(out, row));
    }

    fn push_colored(&self, out: &mut Vec<u8>, row: &Row<'_>) {
        let Some(colors) = &self.colors else {
            return self.push_name(out, row.path);
        };
        let color = colors.of(row.name(), row.kind, row.mode.unwrap_or_default());
        if self.quoted && !quote::is_plain(row.path) {
            return paint(out, color, |out| quote::push_visible(out, row.path));
        }
        let (dir, name) = split(row.path);
        if !dir.is_empty() {
            paint(out, colors.of_dir(), |out| out.extend_from_slice(dir));
        }
        if !name.is_empty() {
            paint(out, color, |out| out.extend_from_slice(name));
        }
    }
}

/// Appends rows in one form and look.
#[derive(Clone, Debug)]
pub(crate) struct RowWriter {
    form: Form,
    look: Look,
}

/// Columns of CSV, named like the fields of JSON.
const CSV_COLUMNS: [Column; 17] = [
    Column::Path,
    Column::Name,
    Column::Kind,
    Column::Size,
    Column::Allocated,
    Column::Modified,
    Column::Created,
    Column::Accessed,
    Column::Mode,
    Column::Uid,
    Column::Gid,
    Column::FileId,
    Column::Links,
    Column::Source,
    Column::Attributes,
    Column::Sequence,
    Column::Deleted,
];

impl RowWriter {
    /// A writer of rows.
    pub(crate) fn new(form: Form, look: Look) -> Self {
        RowWriter { form, look }
    }

    /// Columns that rows must have.
    pub(crate) fn columns(&self) -> Vec<Column> {
        self.form.columns(&self.look)
    }

    /// Appends what comes before the first row.
    pub(crate) fn push_header(&self, out: &mut Vec<u8>) {
        if self.form == Form::Csv {
            csv::push_record(out, CSV_COLUMNS.iter().map(|column| column.as_str().as_bytes()));
        }
    }

    /// Appends one row and its end.
    pub(crate) fn push_row(&self, out: &mut Vec<u8>, row: &Row<'_>) {
        match &self.form {
            Form::Path => self.look.push_path(out, row),
            Form::Long => long::push(out, row, &self.look),
            Form::Csv => return push_csv(out, row),
            Form::Template(template) => {
                template.render(out, row, |out, field| self.push_field(out, row, field));
            }
        }
        out.push(self.look.end);
    }

    fn push_field(&self, out: &mut Vec<u8>, row: &Row<'_>, field: NameField) {
        match field {
            NameField::Path => {
                link::wrap(out, self.look.linked, row.path, |out| self.look.push_name(out, row.path));
            }
            NameField::Name => {
                link::wrap(out, self.look.linked, row.path, |out| self.look.push_name(out, row.name()));
            }
            NameField::Dir | NameField::Ext => self.look.push_name(out, field.of(row)),
        }
    }
}

/// CSV is data for programs: names are raw wherever it goes.
fn push_csv(out: &mut Vec<u8>, row: &Row<'_>) {
    let mut numbers = Numbers::default();
    numbers.add(Some(row.size));
    numbers.add(Some(row.allocated));
    numbers.add(row.modified_ns);
    numbers.add(row.created_ns);
    numbers.add(row.accessed_ns);
    numbers.add(row.mode);
    numbers.add(row.uid);
    numbers.add(row.gid);
    numbers.add(Some(row.file_id));
    numbers.add(Some(row.links));
    let sequence = row.sequence.map(|sequence| sequence.to_string()).unwrap_or_default();
    let names = [row.path, row.name(), row.kind.as_str().as_bytes()];
    let attributes = row.attributes.unwrap_or_default().as_bytes();
    let deleted: &[u8] = if row.deleted { b"true" } else { b"" };
    let last = [row.source.as_bytes(), attributes, sequence.as_bytes(), deleted];
    csv::push_record(out, names.into_iter().chain(numbers.fields()).chain(last));
}

/// Decimal numbers of one record, back to back, so that a row costs one allocation at most.
#[derive(Default)]
struct Numbers {
    digits: Vec<u8>,
    ends: Vec<usize>,
}

impl Numbers {
    fn add(&mut self, number: Option<impl std::fmt::Display>) {
        if let Some(number) = number {
            push_number(&mut self.digits, number);
        }
        self.ends.push(self.digits.len());
    }

    fn fields(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.digits[start..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{sample_ntfs_row, sample_row};
    use hearth_core::EntryKind;

    fn look() -> Look {
        Look { quoted: false, colors: None, linked: false, end: b'\n' }
    }

    fn render(form: Form, look: Look, row: &Row<'_>) -> Vec<u8> {
        let writer = RowWriter::new(form, look);
        let mut out = Vec::new();
        writer.push_header(&mut out);
        writer.push_row(&mut out, row);
        out
    }

    #[test]
    fn paths_are_raw_unless_a_terminal_reads_them() {
        let row = sample_row(b"/a/b\n\xff");
        assert_eq!(render(Form::Path, look(), &row), b"/a/b\n\xff\n");
        assert_eq!(render(Form::Path, Look { end: 0, ..look() }, &row), b"/a/b\n\xff\0");
        assert_eq!(render(Form::Path, Look { quoted: true, ..look() }, &row), b"$'/a/b\\n\\xff'\n");
    }

    #[test]
    fn folders_and_names_have_their_colours() {
        let colored = || Look { colors: Some(Colors::parse(Some("di=34:*.rs=31"))), ..look() };
        let row = sample_row(b"/a/b.rs");
        assert_eq!(render(Form::Path, colored(), &row), b"\x1b[34m/a/\x1b[0m\x1b[31mb.rs\x1b[0m\n");
        let plain = sample_row(b"/a/b");
        assert_eq!(render(Form::Path, colored(), &plain), b"\x1b[34m/a/\x1b[0mb\n");
        let root = Row { kind: EntryKind::Dir, mode: Some(0o40_755), ..sample_row(b"/") };
        assert_eq!(render(Form::Path, colored(), &root), b"\x1b[34m/\x1b[0m\n");
        let quoted = Look { quoted: true, ..colored() };
        assert_eq!(render(Form::Path, quoted, &sample_row(b"/a\t/b.rs")), b"\x1b[31m$'/a\\t/b.rs'\x1b[0m\n");
    }

    #[test]
    fn csv_has_a_header_and_every_column() {
        let out = render(Form::Csv, look(), &sample_row(b"/a/b,c\xff"));
        let mut lines = out.split(|&byte| byte == b'\n');
        assert_eq!(
            lines.next(),
            Some(b"path,name,kind,size,allocated,modified_ns,created_ns,accessed_ns,mode,uid,gid,file_id,links,source,attributes,sequence,deleted".as_slice())
        );
        assert_eq!(
            lines.next(),
            Some(
                b"\"/a/b,c\xff\",\"b,c\xff\",file,1536,4096,1700000000000000000,,0,33188,1000,100,42,1,root,,,"
                    .as_slice()
            )
        );
        let out = render(Form::Csv, look(), &sample_ntfs_row(b"/d/a"));
        assert!(out.ends_with(b",0,,,,42,1,root,HSA,3,true\n"), "{}", String::from_utf8_lossy(&out));
    }

    #[test]
    fn templates_follow_the_look() {
        let template = Template::parse(b"{name}:{dir}").expect("the template is good");
        let row = sample_row(b"/\x1b/x\n");
        let out = render(Form::Template(template), Look { quoted: true, end: 0, ..look() }, &row);
        assert_eq!(out, b"$'x\\n':$'/\\e'\0");
    }

    #[test]
    fn only_needed_columns_are_asked_for() {
        assert_eq!(Form::Path.columns(&look()), [Column::Path]);
        let colored = Look { colors: Some(Colors::default()), ..look() };
        assert_eq!(Form::Path.columns(&colored), [Column::Path, Column::Kind, Column::Mode]);
    }
}

//! The columns of `--long`: mode, links, owner, group, size, time of modification, path.
//!
//! NTFS has attributes in place of the mode, and no owners that mean anything here. Rows stream, so widths are fixed to what is common; a longer value pushes its row to the right.

use super::{Look, Row};
use crate::text::{mode, size, time};
use hearth_protocol::Column;
use std::io::Write as _;

/// What a row needs.
pub(crate) const COLUMNS: [Column; 9] = [
    Column::Path,
    Column::Kind,
    Column::Mode,
    Column::Attributes,
    Column::Links,
    Column::Uid,
    Column::Gid,
    Column::Size,
    Column::Modified,
];

/// Appends one row without its end.
pub(crate) fn push(out: &mut Vec<u8>, row: &Row<'_>, look: &Look) {
    write!(
        out,
        "{} {:>3} {:>5} {:>5} {:>5} {:>16} ",
        rights(row),
        row.links,
        id(row.uid),
        id(row.gid),
        size::human(row.size),
        time::minutes(row.modified_ns),
    )
    .expect("writing to memory does not fail");
    look.push_path(out, row);
}

/// The mode, or the attributes, in ten columns; both begin with the letter of the kind.
fn rights(row: &Row<'_>) -> String {
    match row.attributes {
        Some(letters) => format!("{}{letters:<9}", mode::kind_letter(row.kind)),
        None => mode::symbolic(row.kind, row.mode.unwrap_or_default()),
    }
}

/// A user or group number; `?` where the metadata could not be read, `-` where there is none.
fn id(number: Option<u32>) -> String {
    match number {
        None => "-".to_owned(),
        Some(u32::MAX) => "?".to_owned(),
        Some(number) => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::{sample_ntfs_row, sample_row};

    #[test]
    fn columns_line_up() {
        let look = Look { quoted: false, colors: None, linked: false, end: b'\n' };
        let mut out = Vec::new();
        push(&mut out, &Row { modified_ns: None, uid: Some(u32::MAX), ..sample_row(b"/a") }, &look);
        let expect = "-rw-r--r--   1     ?   100  1.5K                  /a";
        assert_eq!(String::from_utf8_lossy(&out), expect);
        out.clear();
        push(&mut out, &Row { modified_ns: None, ..sample_ntfs_row(b"/d.img/a") }, &look);
        let expect = "-HSA         1     -     -  1.5K                  /d.img/a";
        assert_eq!(String::from_utf8_lossy(&out), expect);
        assert_eq!(COLUMNS.iter().filter(|column| **column == Column::Path).count(), 1);
    }
}

//! The columns of `--long`: mode, links, owner, group, size, time of modification, path.
//!
//! Rows stream, so widths are fixed to what is common; a longer value pushes its row to the right.

use super::{Look, Row};
use crate::text::{mode, size, time};
use hearth_protocol::Column;
use std::io::Write as _;

/// What a row needs.
pub(crate) const COLUMNS: [Column; 8] = [
    Column::Path,
    Column::Kind,
    Column::Mode,
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
        mode::symbolic(row.kind, row.mode),
        row.links,
        id(row.uid),
        id(row.gid),
        size::human(row.size),
        time::minutes(row.modified_ns),
    )
    .expect("writing to memory does not fail");
    look.push_path(out, row);
}

/// A user or group number; `?` where the metadata could not be read.
fn id(number: u32) -> String {
    if number == u32::MAX { "?".to_owned() } else { number.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample_row;

    #[test]
    fn columns_line_up() {
        let look = Look { quoted: false, colors: None, linked: false, end: b'\n' };
        let mut out = Vec::new();
        push(&mut out, &Row { modified_ns: None, uid: u32::MAX, ..sample_row(b"/a") }, &look);
        let expect = "-rw-r--r--   1     ?   100  1.5K                  /a";
        assert_eq!(String::from_utf8_lossy(&out), expect);
        assert_eq!(COLUMNS.iter().filter(|column| **column == Column::Path).count(), 1);
    }
}

//! Small tables: right-aligned numbers or left-aligned words, then one free text at the end.
//!
//! The last column is never padded, so names of any width and any script go there.

use crate::text::width::columns;

/// How a column is aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table under construction.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    aligns: Vec<Align>,
    rows: Vec<Vec<Vec<u8>>>,
}

impl Table {
    /// A table with a header row.
    pub(crate) fn new(columns: &[(&str, Align)]) -> Self {
        let header = columns.iter().map(|(title, _)| title.as_bytes().to_vec()).collect();
        Table { aligns: columns.iter().map(|(_, align)| *align).collect(), rows: vec![header] }
    }

    /// Adds a row of as many cells as there are columns.
    pub(crate) fn row(&mut self, cells: Vec<Vec<u8>>) {
        debug_assert_eq!(cells.len(), self.aligns.len(), "a row has a cell for each column");
        self.rows.push(cells);
    }

    /// Appends the whole table.
    pub(crate) fn push_to(&self, out: &mut Vec<u8>) {
        let widths: Vec<usize> = (0..self.aligns.len()).map(|column| self.width(column)).collect();
        for cells in &self.rows {
            self.push_cells(out, cells, &widths);
        }
    }

    fn width(&self, column: usize) -> usize {
        self.rows.iter().map(|cells| columns_of(&cells[column])).max().unwrap_or(0)
    }

    fn push_cells(&self, out: &mut Vec<u8>, cells: &[Vec<u8>], widths: &[usize]) {
        let last = cells.len() - 1;
        for (column, cell) in cells.iter().enumerate() {
            let padding = widths[column] - columns_of(cell);
            if self.aligns[column] == Align::Right {
                out.extend(std::iter::repeat_n(b' ', padding));
            }
            out.extend_from_slice(cell);
            if self.aligns[column] == Align::Left && column < last {
                out.extend(std::iter::repeat_n(b' ', padding));
            }
            out.extend_from_slice(if column < last { b"  " } else { b"\n" });
        }
    }
}

fn columns_of(cell: &[u8]) -> usize {
    columns(&String::from_utf8_lossy(cell))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_right_and_names_go_last() {
        let mut table = Table::new(&[("size", Align::Right), ("state", Align::Left), ("path", Align::Left)]);
        table.row(vec![b"1.5K".to_vec(), b"ok".to_vec(), "/ä".as_bytes().to_vec()]);
        table.row(vec![b"12".to_vec(), b"loading".to_vec(), b"/b".to_vec()]);
        let mut out = Vec::new();
        table.push_to(&mut out);
        assert_eq!(
            String::from_utf8_lossy(&out),
            "size  state    path\n1.5K  ok       /ä\n  12  loading  /b\n"
        );
    }

    #[test]
    fn what_counts_is_what_a_terminal_shows() {
        let mut table = Table::new(&[("name", Align::Left), ("path", Align::Left)]);
        table.row(vec!["▌█".as_bytes().to_vec(), b"/a".to_vec()]);
        let mut out = Vec::new();
        table.push_to(&mut out);
        assert_eq!(String::from_utf8_lossy(&out), "name  path\n▌█    /a\n");
    }
}

//! Rows of a search as bytes: bare paths, columns, CSV, JSON lines, templates.
//!
//! [`Row`] is what every form reads; a [`RowWriter`] turns one into bytes. Whether names are shown
//! raw or escaped, coloured or linked is decided once, in [`Look`], and is the same for every form.

pub(crate) mod colors;
pub(crate) mod link;
mod long;
mod row;
pub(crate) mod table;
mod writer;

pub(crate) use row::Row;
#[cfg(test)]
pub(crate) use row::{sample as sample_row, sample_ntfs as sample_ntfs_row};
pub(crate) use writer::{Form, Look, RowWriter};

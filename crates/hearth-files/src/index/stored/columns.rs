//! Columns of metadata, with their zones and peaks.
//!
//! A value may be anything, so only the shape of the blocks is checked, and that classes are there. Zones
//! and peaks steer what is read first: wrong ones make wrong answers, no other harm.

use super::StoredError;
use super::head::Head;
use super::reader::Reader;
use super::section::{Element, Section, SectionId};
use crate::index::base::{Base, Class, RowColumns};
use crate::index::column::{Column, LEAST_BLOCK_BYTES, ZONE_ROWS, ZoneMap};
use crate::index::names::BLOCK;
use crate::index::peaks::Peaks;
use rayon::prelude::*;

const SIZE: ColumnIds = ColumnIds::new(64, "size");
const ALLOCATED: ColumnIds = ColumnIds::new(66, "allocated");
const MODIFIED: ColumnIds = ColumnIds::new(68, "modified");
const CREATED: ColumnIds = ColumnIds::new(70, "created");
const ACCESSED: ColumnIds = ColumnIds::new(72, "accessed");
const INODE: ColumnIds = ColumnIds::new(74, "inode");
const CLASS: ColumnIds = ColumnIds::new(76, "class");
const CLASSES: SectionId = SectionId::new(78, "classes");
const SIZE_ZONES: ColumnIds = ColumnIds::new(80, "zones of size");
const MODIFIED_ZONES: ColumnIds = ColumnIds::new(82, "zones of modified");
const INODE_ZONES: ColumnIds = ColumnIds::new(84, "zones of inode");
const SIZE_PEAKS: ColumnIds = ColumnIds::new(86, "peaks of size");
const MODIFIED_PEAKS: ColumnIds = ColumnIds::new(88, "peaks of modified");

/// The two sections of a column: headers of its blocks, their codes. Of zones: smallest and largest values.
/// Of peaks: classes, bounds.
#[derive(Clone, Copy)]
pub(super) struct ColumnIds {
    first: SectionId,
    second: SectionId,
}

impl ColumnIds {
    pub(super) const fn new(number: u16, name: &'static str) -> Self {
        ColumnIds { first: SectionId::new(number, name), second: SectionId::new(number + 1, name) }
    }

    pub(super) fn store<'a>(self, column: &'a Column, out: &mut Vec<Section<'a>>) {
        out.push(Section::coded(self.first, || column.encode_blocks()));
        out.push(Section::bytes_of(self.second, column.stored_codes()));
    }

    fn store_zones<'a>(self, zones: &'a ZoneMap, out: &mut Vec<Section<'a>>) {
        let (min, max) = zones.stored();
        out.push(Section::elements_of(self.first, min));
        out.push(Section::elements_of(self.second, max));
    }

    fn store_peaks<'a>(self, peaks: &'a Peaks, out: &mut Vec<Section<'a>>) {
        let (classes, bounds) = peaks.stored();
        out.push(Section::bytes_of(self.first, classes));
        out.push(Section::elements_of(self.second, bounds));
    }
}

impl Element for Class {
    const BYTES: usize = 20;

    fn put(self, out: &mut [u8]) {
        let Class { mode, uid, gid, links, attributes } = self;
        [mode, uid, gid, links, attributes].put(out);
    }

    fn get(bytes: &[u8]) -> Self {
        let [mode, uid, gid, links, attributes] = Element::get(bytes);
        Class { mode, uid, gid, links, attributes }
    }
}

pub(super) fn store<'a>(base: &'a Base, out: &mut Vec<Section<'a>>) {
    let columns = &base.columns;
    SIZE.store(&columns.size, out);
    ALLOCATED.store(&columns.allocated, out);
    MODIFIED.store(&columns.modified, out);
    CREATED.store(&columns.created, out);
    ACCESSED.store(&columns.accessed, out);
    INODE.store(&columns.inode, out);
    CLASS.store(&columns.class, out);
    out.push(Section::elements_of(CLASSES, &columns.classes));
    SIZE_ZONES.store_zones(&columns.size_zones, out);
    MODIFIED_ZONES.store_zones(&columns.modified_zones, out);
    INODE_ZONES.store_zones(&columns.inode_zones, out);
    SIZE_PEAKS.store_peaks(&columns.size_peaks, out);
    MODIFIED_PEAKS.store_peaks(&columns.modified_peaks, out);
}

pub(super) fn load_columns(reader: &Reader<'_>, head: &Head) -> Result<RowColumns, StoredError> {
    let rows = head.rows as usize;
    let relative = [
        (SIZE, false),
        (ALLOCATED, true),
        (MODIFIED, false),
        (CREATED, true),
        (ACCESSED, true),
        (INODE, false),
    ];
    let columns = relative
        .into_par_iter()
        .map(|(ids, relative)| load_column(reader, ids, rows, relative))
        .collect::<Result<Vec<Column>, StoredError>>()?;
    let Ok([size, allocated, modified, created, accessed, inode]) = <[Column; 6]>::try_from(columns) else {
        unreachable!("one column for each of six")
    };
    let (class, classes) = load_classes(reader, rows)?;
    Ok(RowColumns {
        size,
        allocated,
        modified,
        created,
        accessed,
        inode,
        class,
        classes,
        size_zones: load_zones(reader, SIZE_ZONES, rows)?,
        modified_zones: load_zones(reader, MODIFIED_ZONES, rows)?,
        inode_zones: load_zones(reader, INODE_ZONES, rows)?,
        size_peaks: load_peaks(reader, SIZE_PEAKS, head)?,
        modified_peaks: load_peaks(reader, MODIFIED_PEAKS, head)?,
    })
}

/// A column of `rows` values. Only a `relative` one may have blocks that need a reference.
pub(super) fn load_column(
    reader: &Reader<'_>,
    ids: ColumnIds,
    rows: usize,
    relative: bool,
) -> Result<Column, StoredError> {
    reader.check_least(ids.first, Column::blocks_of(rows).saturating_mul(LEAST_BLOCK_BYTES))?;
    let codes = reader.all(ids.second)?;
    let column = reader.with(ids.first, |headers| Column::from_stored(headers, codes, rows, relative))?;
    column.map_err(|what| ids.first.corrupt(what))
}

/// The classes of rows: every number in the column is one of a class.
fn load_classes(reader: &Reader<'_>, rows: usize) -> Result<(Column, Vec<Class>), StoredError> {
    let classes: Vec<Class> = reader.all_elements(CLASSES)?;
    let column = load_column(reader, CLASS, rows, false)?;
    CLASS.first.check(column.is_below(classes.len() as u64), "a class that there is not")?;
    Ok((column, classes))
}

fn load_zones(reader: &Reader<'_>, ids: ColumnIds, rows: usize) -> Result<ZoneMap, StoredError> {
    let groups = rows.div_ceil(ZONE_ROWS);
    Ok(ZoneMap::from_stored(reader.elements(ids.first, groups)?, reader.elements(ids.second, groups)?))
}

fn load_peaks(reader: &Reader<'_>, ids: ColumnIds, head: &Head) -> Result<Peaks, StoredError> {
    let classes = reader.bytes(ids.first, head.names.div_ceil(BLOCK) as usize)?;
    let bounds = reader.all_elements(ids.second)?;
    Peaks::from_stored(classes, bounds).ok_or_else(|| ids.first.corrupt("a class without a bound"))
}

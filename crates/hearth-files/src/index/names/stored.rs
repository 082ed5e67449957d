//! The name dictionary as it is stored.
//!
//! Stored are the text, the raw forms, the extensions and the order; where names begin and how long they
//! are follows from the NUL bytes between them. That text, cases and extensions fit each other is checked
//! name by name, since each is read at places that another one gives.

use super::NameDict;
use super::case::CaseTable;
use super::ext::Extensions;
use super::order::{NameOrder, STRIDE};
use super::text::NameText;
use crate::index::stored::StoredError;
use crate::index::stored::reader::Reader;
use crate::index::stored::section::{Section, SectionId};

const TEXT: SectionId = SectionId::new(8, "text of names");
const CASE_MARKS: SectionId = SectionId::new(9, "names with a raw form");
const CASE_RECORDS: SectionId = SectionId::new(10, "raw forms of names");
const EXT_TEXT: SectionId = SectionId::new(11, "text of extensions");
const EXT_STARTS: SectionId = SectionId::new(12, "starts of extensions");
const EXT_FREQUENT: SectionId = SectionId::new(13, "frequent extensions");
const EXT_CODES: SectionId = SectionId::new(14, "extension codes of names");
const EXT_RARE: SectionId = SectionId::new(15, "rare extensions of names");
const ORDER_IDS: SectionId = SectionId::new(16, "names in order");
const ORDER_POSITIONS: SectionId = SectionId::new(17, "order of names");
const ORDER_KEYS: SectionId = SectionId::new(18, "keys of the order");

/// Widths of the packed columns.
#[derive(Clone, Copy)]
pub(crate) struct NameWidths {
    pub(crate) ids: u8,
    pub(crate) positions: u8,
    pub(crate) extensions: u8,
}

impl NameDict {
    pub(crate) fn widths(&self) -> NameWidths {
        let (ids, positions, _) = self.order.stored();
        NameWidths { ids: ids.width(), positions: positions.width(), extensions: self.ext.rare().width() }
    }

    /// Adds the sections of the dictionary.
    pub(crate) fn store<'a>(&'a self, out: &mut Vec<Section<'a>>) {
        let (marks, records) = self.case.stored();
        let (ids, positions, keys) = self.order.stored();
        out.push(Section::bytes_of(TEXT, self.text.blob()));
        out.push(Section::elements_of(CASE_MARKS, marks.stored()));
        out.push(Section::bytes_of(CASE_RECORDS, records));
        let (ext_text, ext_starts, ext_frequent) = self.ext.table();
        out.push(Section::bytes_of(EXT_TEXT, ext_text));
        out.push(Section::elements_of(EXT_STARTS, ext_starts));
        out.push(Section::elements_of(EXT_FREQUENT, ext_frequent));
        out.push(Section::bytes_of(EXT_CODES, self.ext.codes()));
        out.push(Section::bytes_of(EXT_RARE, self.ext.rare().stored()));
        out.push(Section::bytes_of(ORDER_IDS, ids.stored()));
        out.push(Section::bytes_of(ORDER_POSITIONS, positions.stored()));
        out.push(Section::elements_of(ORDER_KEYS, keys));
    }

    /// A dictionary of that many names, at least one.
    pub(crate) fn load(reader: &Reader<'_>, names: u32, widths: &NameWidths) -> Result<Self, StoredError> {
        let (texts, (ext, order)) = rayon::join(
            || load_text(reader, names),
            || rayon::join(|| load_ext(reader, names, widths), || load_order(reader, names, widths)),
        );
        let (text, case) = texts?;
        Ok(NameDict { text, case, ext: ext?, order: order? })
    }
}

fn load_text(reader: &Reader<'_>, names: u32) -> Result<(NameText, CaseTable), StoredError> {
    let text = NameText::from_stored(reader.all(TEXT)?, names).map_err(|what| TEXT.corrupt(what))?;
    let marks = reader.bits(CASE_MARKS, names as usize, None, false)?;
    let case = CaseTable::from_stored(marks, reader.all(CASE_RECORDS)?, &text);
    Ok((text, case.map_err(|what| CASE_RECORDS.corrupt(what))?))
}

fn load_ext(reader: &Reader<'_>, names: u32, widths: &NameWidths) -> Result<Extensions, StoredError> {
    let codes = reader.bytes(EXT_CODES, names as usize)?;
    let starts: Vec<u32> = reader.all_elements(EXT_STARTS)?;
    let (rare, numbers) = (Extensions::rare_among(&codes), starts.len() as u64);
    let rare = reader.packed(EXT_RARE, widths.extensions, rare, numbers)?;
    let text = reader.all(EXT_TEXT)?;
    let frequent = reader.all_elements(EXT_FREQUENT)?;
    Extensions::from_stored(text, starts, frequent, codes, rare).map_err(|what| EXT_STARTS.corrupt(what))
}

fn load_order(reader: &Reader<'_>, names: u32, widths: &NameWidths) -> Result<NameOrder, StoredError> {
    let (count, limit) = (names as usize, u64::from(names));
    let ids = reader.packed(ORDER_IDS, widths.ids, count, limit)?;
    let positions = reader.packed(ORDER_POSITIONS, widths.positions, count, limit)?;
    let keys: Vec<u64> = reader.elements(ORDER_KEYS, count.div_ceil(STRIDE))?;
    ORDER_KEYS.check(keys.is_sorted(), "not in order")?;
    Ok(NameOrder::from_stored(ids, positions, keys))
}

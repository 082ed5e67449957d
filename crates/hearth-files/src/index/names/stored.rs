//! The name dictionary as it is stored.
//!
//! Stored are the text, the raw forms, the extensions and the order in one direction; where names begin, how
//! long they are, and the other direction follow. That text, cases and extensions fit each other is checked
//! name by name, since each is read at places that another one gives.

use super::NameDict;
use super::case::CaseTable;
use super::ext::Extensions;
use super::order::NameOrder;
use super::text::NameText;
use crate::index::stored::StoredError;
use crate::index::stored::reader::Reader;
use crate::index::stored::section::{Section, SectionId};

const CASE_MARKS: SectionId = SectionId::new(9, "names with a raw form");
const CASE_RECORDS: SectionId = SectionId::new(10, "raw forms of names");
const EXT_TEXT: SectionId = SectionId::new(11, "text of extensions");
const EXT_STARTS: SectionId = SectionId::new(12, "starts of extensions");
const EXT_FREQUENT: SectionId = SectionId::new(13, "frequent extensions");
const EXT_CODES: SectionId = SectionId::new(14, "extension codes of names");
const EXT_RARE: SectionId = SectionId::new(15, "rare extensions of names");

impl NameDict {
    /// Width of an extension number where it is stored apart.
    pub(crate) fn ext_width(&self) -> u8 {
        self.ext.rare().width()
    }

    /// Adds the sections of the dictionary.
    pub(crate) fn store<'a>(&'a self, out: &mut Vec<Section<'a>>) {
        let (marks, records) = self.case.stored();
        self.text.store(out);
        out.push(Section::elements_of(CASE_MARKS, marks.stored()));
        out.push(Section::bytes_of(CASE_RECORDS, records));
        let (ext_text, ext_starts, ext_frequent) = self.ext.table();
        out.push(Section::bytes_of(EXT_TEXT, ext_text));
        out.push(Section::elements_of(EXT_STARTS, ext_starts));
        out.push(Section::elements_of(EXT_FREQUENT, ext_frequent));
        out.push(Section::bytes_of(EXT_CODES, self.ext.codes()));
        out.push(Section::bytes_of(EXT_RARE, self.ext.rare().stored()));
        self.order.store(out);
    }

    /// A dictionary of that many names, at least one.
    pub(crate) fn load(reader: &Reader<'_>, names: u32, ext_width: u8) -> Result<Self, StoredError> {
        let (texts, (order, ext)) = rayon::join(
            || load_text(reader, names),
            || rayon::join(|| NameOrder::load(reader, names), || load_ext(reader, names, ext_width)),
        );
        let ((text, case), mut order) = (texts?, order?);
        order.take_keys(|id| text.get(id))?;
        Ok(NameDict { text, case, ext: ext?, order })
    }
}

fn load_text(reader: &Reader<'_>, names: u32) -> Result<(NameText, CaseTable), StoredError> {
    let text = NameText::load(reader, names)?;
    let marks = reader.bits(CASE_MARKS, names as usize, None, false)?;
    let case = CaseTable::from_stored(marks, reader.all(CASE_RECORDS)?, &text);
    Ok((text, case.map_err(|what| CASE_RECORDS.corrupt(what))?))
}

fn load_ext(reader: &Reader<'_>, names: u32, ext_width: u8) -> Result<Extensions, StoredError> {
    let codes = reader.bytes(EXT_CODES, names as usize)?;
    let starts: Vec<u32> = reader.all_elements(EXT_STARTS)?;
    let (rare, numbers) = (Extensions::rare_among(&codes), starts.len() as u64);
    let rare = reader.packed(EXT_RARE, ext_width, rare, numbers)?;
    let text = reader.all(EXT_TEXT)?;
    let frequent = reader.all_elements(EXT_FREQUENT)?;
    Extensions::from_stored(text, starts, frequent, codes, rare).map_err(|what| EXT_STARTS.corrupt(what))
}

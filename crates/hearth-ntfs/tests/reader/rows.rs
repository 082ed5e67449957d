//! Files as rows that own what they hold, gathered from all threads.

use hearth_core::{CancelToken, UnixNanos};
use hearth_ntfs::{
    Counters, DataSize, File, FileReference, Namespace, ReadAt, ReadReport, Visit, Volume, Which,
};
use std::collections::HashMap;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Name {
    pub(crate) parent: FileReference,
    pub(crate) namespace: Namespace,
    pub(crate) name: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) reference: FileReference,
    pub(crate) in_use: bool,
    pub(crate) is_dir: bool,
    pub(crate) link_count: u16,
    /// Created, modified, changed, accessed.
    pub(crate) times: Option<[UnixNanos; 4]>,
    pub(crate) attributes: Option<u32>,
    pub(crate) names: Vec<Name>,
    /// All names but 8.3 aliases.
    pub(crate) links: Vec<Name>,
    pub(crate) data: Option<DataSize>,
    pub(crate) streams: Vec<(Vec<u8>, DataSize)>,
    pub(crate) reparse: Option<(u32, Vec<u8>)>,
    pub(crate) whole: bool,
}

/// Gathers rows.
#[derive(Debug, Default)]
pub(crate) struct Rows(pub(crate) Vec<Row>);

fn name(name: &hearth_ntfs::FileName<'_>) -> Name {
    Name { parent: name.parent, namespace: name.namespace, name: name.name.to_bytes() }
}

impl Visit for Rows {
    fn file(&mut self, file: &File<'_>) {
        let standard = file.standard.as_ref();
        self.0.push(Row {
            reference: file.reference,
            in_use: file.in_use,
            is_dir: file.is_dir,
            link_count: file.link_count,
            times: standard.map(|s| [s.created_ns, s.modified_ns, s.changed_ns, s.accessed_ns]),
            attributes: standard.map(|s| s.attributes),
            names: file.names.iter().map(name).collect(),
            links: file.links().map(name).collect(),
            data: file.data,
            streams: file.streams.iter().map(|s| (s.name.to_bytes(), s.data)).collect(),
            reparse: file.reparse.map(|reparse| (reparse.tag, reparse.data.to_vec())),
            whole: file.whole,
        });
    }
}

/// All rows, by record number.
pub(crate) fn all<R: ReadAt>(volume: &Volume<R>, which: Which, threads: usize) -> (Vec<Row>, ReadReport) {
    let visitors = (0..threads).map(|_| Rows::default()).collect();
    let counters = Counters::default();
    let (visitors, report) = volume.read_all(visitors, which, &counters, &CancelToken::new()).unwrap();
    let mut rows: Vec<_> = visitors.into_iter().flat_map(|rows| rows.0).collect();
    rows.sort_by_key(|row| row.reference);
    assert_eq!(rows.len() as u64, report.files);
    assert_eq!(counters.files.into_inner(), report.files);
    assert_eq!(counters.records.into_inner(), report.records);
    (rows, report)
}

/// Some rows, by record number.
pub(crate) fn some<R: ReadAt>(volume: &Volume<R>, numbers: &[u64]) -> (Vec<Row>, ReadReport) {
    let mut rows = Rows::default();
    let report = volume.read_some(numbers, &mut rows, &CancelToken::new()).unwrap();
    rows.0.sort_by_key(|row| row.reference);
    (rows.0, report)
}

/// Paths of all links of a row whose folders are there, `\` between names.
pub(crate) fn paths(row: &Row, rows: &HashMap<u64, Row>) -> Vec<String> {
    row.links.iter().filter_map(|link| path(link, rows, 0)).collect()
}

fn path(link: &Name, rows: &HashMap<u64, Row>, depth: usize) -> Option<String> {
    let own = String::from_utf8_lossy(&link.name).into_owned();
    if link.parent.number() == 5 {
        return Some(own);
    }
    let parent = rows.get(&link.parent.number())?;
    let is_it = parent.in_use && parent.reference == link.parent && depth < 64;
    let above = parent.links.first().filter(|_| is_it)?;
    path(above, rows, depth + 1).map(|above| format!("{above}\\{own}"))
}

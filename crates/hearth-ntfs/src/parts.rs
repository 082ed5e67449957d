//! What the attributes of a file say, gathered one by one.
//!
//! One `Parts` serves many records in turn, so that reading a volume allocates nothing for each.

use crate::attribute::{self, Attribute, Form};
use crate::bytes::{u32_at, u64_at};
use crate::file::{DataSize, File, FileName, Namespace, Standard, Stream};
use crate::name::Utf16;
use crate::reference::FileReference;
use crate::reparse::{Reparse, WOF};
use crate::runs::Mapping;
use crate::time::unix_nanos;

/// Record of `$BadClus`. The size of its stream is that of the volume, of which it takes next to nothing.
pub(crate) const BAD_CLUSTERS: u64 = 8;

/// Name of the stream that holds the compressed bytes of a file whose own content is a hole.
const WOF_STREAM: &str = "WofCompressedData";

/// What a record's header says of the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) reference: FileReference,
    pub(crate) in_use: bool,
    pub(crate) is_dir: bool,
    pub(crate) link_count: u16,
}

/// Where the value of an attribute is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Here,
    /// In other records or in clusters: the file cannot be told from this record alone.
    Elsewhere,
}

#[derive(Debug)]
pub(crate) struct Parts<'a> {
    standard: Option<Standard>,
    names: Vec<FileName<'a>>,
    data: Option<DataSize>,
    streams: Vec<Stream<'a>>,
    reparse: Option<Reparse<'a>>,
    whole: bool,
    /// Clusters of a disk, for checking where runs lie.
    clusters: u64,
    cluster_bytes: u64,
}

impl<'a> Parts<'a> {
    pub(crate) fn new(geometry: &crate::Geometry) -> Self {
        Self {
            standard: None,
            names: Vec::new(),
            data: None,
            streams: Vec::new(),
            reparse: None,
            whole: true,
            clusters: geometry.clusters(),
            cluster_bytes: geometry.cluster_bytes,
        }
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.standard = None;
        self.names.clear();
        self.data = None;
        self.streams.clear();
        self.reparse = None;
        self.whole = true;
    }

    /// True if there is neither a name nor anything else that a file always has.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.standard.is_none()
    }

    pub(crate) fn not_whole(&mut self) {
        self.whole = false;
    }

    /// Takes an attribute of the file with record `number`.
    #[inline]
    pub(crate) fn take(&mut self, attribute: &Attribute<'a>, number: u64) -> Taken {
        match attribute.kind {
            attribute::STANDARD_INFORMATION => {
                let standard = attribute.resident().and_then(standard);
                self.whole &= standard.is_some();
                self.standard = self.standard.or(standard);
            }
            attribute::FILE_NAME => match attribute.resident().and_then(file_name) {
                Some(name) => self.names.push(name),
                None => self.whole = false,
            },
            attribute::DATA => self.take_data(attribute, number),
            attribute::REPARSE_POINT => match attribute.form {
                Form::Resident { value, .. } => self.take_reparse(value),
                Form::External(_) => return Taken::Elsewhere,
            },
            attribute::ATTRIBUTE_LIST => return Taken::Elsewhere,
            _ => {}
        }
        Taken::Here
    }

    /// Takes the value of a `$REPARSE_POINT`.
    pub(crate) fn take_reparse(&mut self, value: &'a [u8]) {
        let reparse = Reparse::parse(value);
        self.whole &= reparse.is_some();
        self.reparse = self.reparse.or(reparse);
    }

    #[inline]
    fn take_data(&mut self, attribute: &Attribute<'a>, number: u64) {
        let Some(mut data) = attribute.size() else { return };
        if attribute.name.is_empty() {
            self.data.get_or_insert(data);
            return;
        }
        if number == BAD_CLUSTERS {
            data.allocated = self.stored_bytes(attribute);
        }
        self.streams.push(Stream { name: attribute.name, data });
    }

    /// Bytes of the runs of an attribute that are no holes.
    fn stored_bytes(&self, attribute: &Attribute<'_>) -> u64 {
        let Form::External(head) = attribute.form else { return 0 };
        let runs = Mapping::new(head.mapping, head.first_vcn, self.clusters).map_while(Result::ok);
        let clusters = runs.filter(|run| run.lcn.is_some()).map(|run| run.clusters);
        clusters.fold(0, u64::saturating_add).saturating_mul(self.cluster_bytes)
    }

    /// The file, as far as it was gathered.
    #[inline]
    pub(crate) fn file(&mut self, head: &Head) -> File<'_> {
        if self.reparse.is_some_and(|reparse| reparse.tag == WOF) {
            self.hide_compressed_stream();
        }
        File {
            reference: head.reference,
            in_use: head.in_use,
            is_dir: head.is_dir,
            link_count: head.link_count,
            standard: self.standard,
            names: &self.names,
            data: self.data,
            streams: &self.streams,
            reparse: self.reparse,
            whole: self.whole,
        }
    }

    fn hide_compressed_stream(&mut self) {
        let at = self.streams.iter().position(|stream| stream.name.is_ascii_text(WOF_STREAM));
        if let (Some(at), Some(data)) = (at, &mut self.data) {
            data.allocated = self.streams.remove(at).data.allocated;
        }
    }
}

/// `$STANDARD_INFORMATION`: 48 bytes, 72 since version 3.
#[inline]
pub(crate) fn standard(value: &[u8]) -> Option<Standard> {
    let head: &[u8; 48] = value.first_chunk()?;
    Some(Standard {
        created_ns: unix_nanos(u64_at(head, 0)?),
        modified_ns: unix_nanos(u64_at(head, 8)?),
        changed_ns: unix_nanos(u64_at(head, 16)?),
        accessed_ns: unix_nanos(u64_at(head, 24)?),
        attributes: u32_at(head, 32)?,
        usn: u64_at(value, 64).unwrap_or(0),
    })
}

/// `$FILE_NAME`.
#[inline]
pub(crate) fn file_name(value: &[u8]) -> Option<FileName<'_>> {
    let (head, rest) = value.split_first_chunk::<66>()?;
    let namespace = match head[65] {
        1 => Namespace::Win32,
        2 => Namespace::Dos,
        3 => Namespace::Win32AndDos,
        _ => Namespace::Posix,
    };
    let name = Utf16::new(rest.get(..2 * usize::from(head[64]))?);
    Some(FileName { parent: FileReference::from_disk(u64_at(head, 0)?), namespace, name })
}

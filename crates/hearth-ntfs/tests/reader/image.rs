//! Writes volumes from the format's rules alone: attributes, records with fixups, boot sector, mapping pairs.

/// Kinds of attributes.
pub(crate) const STANDARD: u32 = 0x10;
pub(crate) const LIST: u32 = 0x20;
pub(crate) const NAME: u32 = 0x30;
pub(crate) const DATA: u32 = 0x80;
pub(crate) const BITMAP: u32 = 0xb0;
pub(crate) const REPARSE: u32 = 0xc0;

pub(crate) const IN_USE: u16 = 1;
pub(crate) const DIRECTORY: u16 = 2;

/// Where a value's clusters are: first on disk (or a hole) and how many.
pub(crate) type Extent = (Option<u64>, u64);

pub(crate) fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

fn le(units: &[u16]) -> Vec<u8> {
    units.iter().flat_map(|unit| unit.to_le_bytes()).collect()
}

fn pad(bytes: &mut Vec<u8>, to: usize) {
    bytes.resize(bytes.len().next_multiple_of(to), 0);
}

/// The fewest bytes that hold a signed number.
fn signed(number: i64) -> Vec<u8> {
    let bytes = number.to_le_bytes();
    let fits = |count: &usize| number << (64 - 8 * count) >> (64 - 8 * count) == number;
    let count = (1..8).find(fits).unwrap_or(8);
    bytes[..count].to_vec()
}

pub(crate) fn mapping_pairs(extents: &[Extent]) -> Vec<u8> {
    let (mut out, mut before) = (Vec::new(), 0);
    for (lcn, clusters) in extents {
        let length = signed(*clusters as i64);
        let distance = lcn.map_or(Vec::new(), |lcn| signed(lcn as i64 - before));
        before = lcn.map_or(before, |lcn| lcn as i64);
        out.push((distance.len() << 4 | length.len()) as u8);
        out.extend(length);
        out.extend(distance);
    }
    out.push(0);
    out
}

/// An attribute, and what an entry of the attribute list says of it.
#[derive(Clone, Debug)]
pub(crate) struct Attribute {
    pub(crate) kind: u32,
    pub(crate) name: Vec<u16>,
    pub(crate) first_vcn: u64,
    pub(crate) bytes: Vec<u8>,
}

fn header(kind: u32, external: bool, name: &[u16], name_at: usize, flags: u16) -> Vec<u8> {
    let mut out = kind.to_le_bytes().to_vec();
    out.extend([0; 4]);
    out.extend([u8::from(external), name.len() as u8]);
    out.extend((name_at as u16).to_le_bytes());
    out.extend(flags.to_le_bytes());
    out.extend([0; 2]);
    out
}

fn sealed(kind: u32, name: &[u16], first_vcn: u64, mut bytes: Vec<u8>) -> Attribute {
    pad(&mut bytes, 8);
    let length = bytes.len() as u32;
    bytes[4..8].copy_from_slice(&length.to_le_bytes());
    Attribute { kind, name: name.to_vec(), first_vcn, bytes }
}

pub(crate) fn resident(kind: u32, name: &[u16], value: &[u8]) -> Attribute {
    let mut bytes = header(kind, false, name, 24, 0);
    let value_at = (24 + 2 * name.len()).next_multiple_of(8);
    bytes.extend((value.len() as u32).to_le_bytes());
    bytes.extend((value_at as u16).to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend(le(name));
    pad(&mut bytes, 8);
    bytes.extend(value);
    sealed(kind, name, 0, bytes)
}

/// A value in clusters, or a piece of one.
#[derive(Clone, Debug, Default)]
pub(crate) struct External {
    pub(crate) first_vcn: u64,
    pub(crate) allocated: u64,
    pub(crate) size: u64,
    pub(crate) initialised: u64,
    /// What a sparse value takes; with it the value is marked as sparse.
    pub(crate) sparse_bytes: Option<u64>,
    pub(crate) extents: Vec<Extent>,
}

impl External {
    /// A value that is there throughout.
    pub(crate) fn plain(size: u64, cluster_bytes: u64, extents: Vec<Extent>) -> Self {
        let allocated = size.next_multiple_of(cluster_bytes);
        Self { allocated, size, initialised: size, extents, ..Self::default() }
    }
}

pub(crate) fn external(kind: u32, name: &[u16], value: &External) -> Attribute {
    let head = if value.sparse_bytes.is_some() { 72 } else { 64 };
    let mut bytes = header(kind, true, name, head, if value.sparse_bytes.is_some() { 0x8000 } else { 0 });
    let clusters: u64 = value.extents.iter().map(|(_, clusters)| clusters).sum();
    bytes.extend(value.first_vcn.to_le_bytes());
    bytes.extend((value.first_vcn + clusters).wrapping_sub(1).to_le_bytes());
    let mapping_at = (head + 2 * name.len()).next_multiple_of(8);
    bytes.extend((mapping_at as u16).to_le_bytes());
    bytes.extend([0; 6]);
    for size in [value.allocated, value.size, value.initialised] {
        bytes.extend(size.to_le_bytes());
    }
    bytes.extend(value.sparse_bytes.iter().flat_map(|size| size.to_le_bytes()));
    bytes.extend(le(name));
    pad(&mut bytes, 8);
    bytes.extend(mapping_pairs(&value.extents));
    sealed(kind, name, value.first_vcn, bytes)
}

/// `$STANDARD_INFORMATION` whose four times are near each other.
pub(crate) fn standard(filetime: u64, attributes: u32) -> Attribute {
    let mut value: Vec<u8> = (0..4).flat_map(|time| (filetime + time).to_le_bytes()).collect();
    value.extend(attributes.to_le_bytes());
    value.resize(72, 0);
    resident(STANDARD, &[], &value)
}

/// `$FILE_NAME`; `parent` as on disk.
pub(crate) fn file_name(parent: u64, namespace: u8, name: &[u16]) -> Attribute {
    let mut value = parent.to_le_bytes().to_vec();
    value.resize(64, 0);
    value.extend([name.len() as u8, namespace]);
    value.extend(le(name));
    resident(NAME, &[], &value)
}

/// The entries of an attribute list: each attribute with the record that holds it, as on disk.
pub(crate) fn list_value(entries: &[(&Attribute, u64)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (attribute, record) in entries {
        let length = (26 + 2 * attribute.name.len()).next_multiple_of(8);
        let mut entry = attribute.kind.to_le_bytes().to_vec();
        entry.extend((length as u16).to_le_bytes());
        entry.extend([attribute.name.len() as u8, 26]);
        entry.extend(attribute.first_vcn.to_le_bytes());
        entry.extend(record.to_le_bytes());
        entry.extend([0; 2]);
        entry.extend(le(&attribute.name));
        entry.resize(length, 0);
        out.extend(entry);
    }
    out
}

/// A record: header, attributes, fixups.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) sequence: u16,
    pub(crate) flags: u16,
    pub(crate) links: u16,
    /// Reference of the base record, as on disk; 0 for a base record.
    pub(crate) base: u64,
    pub(crate) attributes: Vec<Attribute>,
}

const ATTRIBUTES_AT: usize = 0x38;

impl Record {
    /// True if the attributes fit into a record of that size.
    pub(crate) fn fits(&self, record_bytes: usize) -> bool {
        self.used() <= record_bytes
    }

    fn first_attribute(record_bytes: usize) -> usize {
        ATTRIBUTES_AT.max((0x30 + 2 * (record_bytes / 512 + 1)).next_multiple_of(8))
    }

    fn used(&self) -> usize {
        let attributes: usize = self.attributes.iter().map(|attribute| attribute.bytes.len()).sum();
        Self::first_attribute(4096) + attributes + 8
    }

    /// The record as it lies on disk.
    pub(crate) fn bytes(&self, record_bytes: usize) -> Vec<u8> {
        let first = Self::first_attribute(record_bytes);
        let mut out = b"FILE".to_vec();
        out.extend(0x30_u16.to_le_bytes());
        out.extend((record_bytes as u16 / 512 + 1).to_le_bytes());
        out.extend([0; 8]);
        for field in [self.sequence, self.links, first as u16, self.flags] {
            out.extend(field.to_le_bytes());
        }
        out.extend([0; 4]);
        out.extend((record_bytes as u32).to_le_bytes());
        out.extend(self.base.to_le_bytes());
        out.resize(first, 0);
        for (id, attribute) in (0_u16..).zip(&self.attributes) {
            let at = out.len();
            out.extend(&attribute.bytes);
            out[at + 14..at + 16].copy_from_slice(&id.to_le_bytes());
        }
        out.extend([0xff; 8]);
        let used = out.len() as u32;
        out[0x18..0x1c].copy_from_slice(&used.to_le_bytes());
        assert!(out.len() <= record_bytes, "{} bytes of attributes", out.len());
        out.resize(record_bytes, 0);
        seal(&mut out);
        out
    }
}

/// Puts fixups into a record.
fn seal(record: &mut [u8]) {
    let mark = [0x2a, 0x07];
    record[0x30..0x32].copy_from_slice(&mark);
    for piece in 0..record.len() / 512 {
        let end = (piece + 1) * 512;
        let kept = [record[end - 2], record[end - 1]];
        record[0x32 + 2 * piece..0x34 + 2 * piece].copy_from_slice(&kept);
        record[end - 2..end].copy_from_slice(&mark);
    }
}

/// Sizes of a volume.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub(crate) sector: usize,
    pub(crate) cluster: usize,
    pub(crate) record: usize,
}

/// A volume in memory.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) sizes: Sizes,
    pub(crate) bytes: Vec<u8>,
}

impl Image {
    /// A volume of `clusters`, with a boot sector that says where `$MFT` and its copy begin.
    pub(crate) fn new(sizes: Sizes, clusters: usize, mft_lcn: u64, mirror_lcn: u64) -> Self {
        let mut bytes = vec![0; clusters * sizes.cluster + sizes.sector];
        let mut boot = [0; 512];
        boot[3..11].copy_from_slice(b"NTFS    ");
        boot[0x0b..0x0d].copy_from_slice(&(sizes.sector as u16).to_le_bytes());
        let sectors = sizes.cluster / sizes.sector;
        boot[0x0d] = if sectors <= 128 { sectors as u8 } else { (sectors.ilog2() as u8).wrapping_neg() };
        let total = (clusters * sectors) as u64;
        boot[0x28..0x30].copy_from_slice(&total.to_le_bytes());
        boot[0x30..0x38].copy_from_slice(&mft_lcn.to_le_bytes());
        boot[0x38..0x40].copy_from_slice(&mirror_lcn.to_le_bytes());
        let per_record = sizes.record / sizes.cluster;
        let factor =
            if per_record > 0 { per_record as u8 } else { (sizes.record.ilog2() as u8).wrapping_neg() };
        boot[0x40] = factor;
        let last = bytes.len() - sizes.sector;
        let head = boot.len().min(sizes.sector);
        bytes[..head].copy_from_slice(&boot[..head]);
        bytes[last..last + head].copy_from_slice(&boot[..head]);
        Self { sizes, bytes }
    }

    /// Writes a value through its extents.
    pub(crate) fn write(&mut self, extents: &[Extent], value: &[u8]) {
        let mut rest = value;
        for (lcn, clusters) in extents {
            let (part, next) = rest.split_at(rest.len().min(*clusters as usize * self.sizes.cluster));
            if let Some(lcn) = lcn {
                let at = *lcn as usize * self.sizes.cluster;
                self.bytes[at..at + part.len()].copy_from_slice(part);
            }
            rest = next;
        }
        assert!(rest.is_empty());
    }
}

/// First cluster of `$MFT` in a [`volume`]; those from 100 on are free.
const MFT_LCN: u64 = 8;

/// A volume of clusters of 4 KiB with 64 records, of which these are not empty; system records are added.
pub(crate) fn volume(records: &[(u64, Record)]) -> Image {
    let sizes = Sizes { sector: 512, cluster: 4096, record: 1024 };
    let mut image = Image::new(sizes, 128, MFT_LCN, 4);
    let mft = vec![(Some(MFT_LCN), 16)];
    let content = external(DATA, &[], &External::plain(64 << 10, 4096, mft.clone()));
    let mut bytes = vec![0; 64 << 10];
    let system = (0..4).map(|number| {
        let mut attributes = vec![standard(131_000_000_000_000_000, 6)];
        attributes.extend((number == 0).then(|| content.clone()));
        (number, Record { sequence: 1, flags: IN_USE, links: 0, base: 0, attributes })
    });
    for (number, record) in system.chain(records.iter().cloned()) {
        let at = number as usize * 1024;
        bytes[at..at + 1024].copy_from_slice(&record.bytes(1024));
    }
    image.write(&mft, &bytes);
    image
}

/// A base record in use.
pub(crate) fn base(sequence: u16, attributes: Vec<Attribute>) -> Record {
    Record { sequence, flags: IN_USE, links: 1, base: 0, attributes }
}

//! Random volumes of which everything is known: files spread over records in every way that the format allows,
//! on a `$MFT` that lies in pieces.

use crate::image::{self, Attribute, Extent, External, Image, Record, Sizes, units};
use hearth_ntfs::DataSize;
use proptest::prelude::*;
use proptest::sample::select;

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Resident(u8),
    /// Extents (hole or not, clusters), how many pieces map them, bytes short of the end, bytes never written.
    Clusters {
        extents: Vec<(bool, u64)>,
        pieces: usize,
        short: u64,
        unwritten: u64,
        sparse: bool,
    },
}

/// A file.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) sequence: u16,
    pub(crate) is_dir: bool,
    /// Namespace and text.
    pub(crate) names: Vec<(u8, String)>,
    pub(crate) data: Option<Value>,
    pub(crate) streams: Vec<(String, Value)>,
    /// Which record each attribute lies in; 0 is the base.
    spread: Vec<usize>,
    external_list: bool,
    /// A record that says that it extends this file and does not: 1 names an earlier use, 2 is not listed,
    /// 3 is not in use.
    decoy: u8,
    pub(crate) filetime: u64,
    pub(crate) attributes: u32,
}

/// A volume.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) sizes: Sizes,
    pub(crate) files: Vec<Spec>,
    /// Records of each further piece of `$MFT`, and how many pieces are mapped by one record.
    mft_pieces: Vec<u64>,
    mapped_by_one: usize,
    external_mft_list: bool,
    order: u64,
}

/// What was built.
pub(crate) struct Built {
    pub(crate) image: Image,
    /// Record number and spec of each file.
    pub(crate) files: Vec<(u64, Spec)>,
    /// What the unnamed content of each file is.
    pub(crate) contents: Vec<Option<Vec<u8>>>,
    pub(crate) orphans: u64,
    pub(crate) mft_bytes: u64,
    /// `$MFT` in one piece.
    pub(crate) mft: Vec<u8>,
}

fn value() -> impl Strategy<Value = Value> {
    let clusters = (
        prop::collection::vec((prop::bool::weighted(0.3), 1_u64..3), 1..6),
        1_usize..4,
        0_u64..300,
        0_u64..2000,
        any::<bool>(),
    );
    let clusters = clusters.prop_map(|(extents, pieces, short, unwritten, sparse)| Value::Clusters {
        extents,
        pieces,
        short,
        unwritten,
        sparse,
    });
    prop_oneof![(0_u8..60).prop_map(Value::Resident), clusters]
}

fn spec() -> impl Strategy<Value = Spec> {
    let names = prop::collection::vec((0_u8..4, "[a-zé😀.]{1,12}"), 1..6);
    let streams = prop::collection::vec(("[A-Z]{1,6}", value()), 0..3);
    let content = (names, prop::option::weighted(0.8, value()), streams);
    let layout = (prop::collection::vec(0_usize..4, 16), any::<bool>(), 0_u8..6);
    let facts = (1_u16.., any::<bool>(), 130_000_000_000_000_000_u64..140_000_000_000_000_000, any::<u32>());
    (content, layout, facts).prop_map(|(content, layout, facts)| {
        let (names, data, streams) = content;
        let (spread, external_list, decoy) = layout;
        let (sequence, is_dir, filetime, attributes) = facts;
        Spec { sequence, is_dir, names, data, streams, spread, external_list, decoy, filetime, attributes }
    })
}

pub(crate) fn plan() -> impl Strategy<Value = Plan> {
    let sizes =
        [(512, 512, 1024), (512, 1024, 1024), (512, 4096, 1024), (4096, 4096, 4096), (1024, 2048, 2048)]
            .map(|(sector, cluster, record)| Sizes { sector, cluster, record });
    let mft = (prop::collection::vec(1_u64..6, 0..12), 1_usize..5, any::<bool>());
    (select(sizes.to_vec()), prop::collection::vec(spec(), 0..12), mft, any::<u64>()).prop_map(
        |(sizes, files, (mft_pieces, mapped_by_one, external_mft_list), order)| Plan {
            sizes,
            files,
            mft_pieces,
            mapped_by_one,
            external_mft_list,
            order,
        },
    )
}

/// Size that a reader must tell for a value.
pub(crate) fn size(value: &Value, cluster: u64) -> DataSize {
    match value {
        Value::Resident(len) => DataSize { size: (*len).into(), resident: true, ..DataSize::default() },
        Value::Clusters { extents, short, sparse, .. } => {
            let all: u64 = extents.iter().map(|(_, clusters)| clusters * cluster).sum();
            let stored =
                extents.iter().filter(|(hole, _)| !hole).map(|(_, clusters)| clusters * cluster).sum();
            let allocated = if *sparse { stored } else { all };
            DataSize { size: all - short, allocated, sparse: *sparse, ..DataSize::default() }
        }
    }
}

/// Clusters that are free, one after the other.
struct Space {
    next: u64,
}

impl Space {
    fn take(&mut self, clusters: u64) -> u64 {
        // Neighbours never follow each other: each extent is one of its own.
        let at = self.next;
        self.next += clusters + 1;
        at
    }
}

struct Builder {
    sizes: Sizes,
    space: Space,
    records: Vec<(u64, Record)>,
    writes: Vec<(Vec<Extent>, Vec<u8>)>,
    numbers: Vec<u64>,
    orphans: u64,
}

const EXTENSION_SEQUENCE: u16 = 7;

fn reference(number: u64, sequence: u16) -> u64 {
    u64::from(sequence) << 48 | number
}

impl Builder {
    fn number(&mut self) -> u64 {
        self.numbers.pop().unwrap()
    }

    /// The attributes that a value needs, and what it reads as.
    fn value(&mut self, name: &[u16], value: &Value) -> (Vec<Attribute>, Vec<u8>) {
        let cluster = self.sizes.cluster as u64;
        let (extents, pieces, unwritten, sparse) = match value {
            Value::Resident(len) => {
                let bytes = vec![*len; usize::from(*len)];
                return (vec![image::resident(image::DATA, name, &bytes)], bytes);
            }
            Value::Clusters { extents, pieces, unwritten, sparse, .. } => {
                (extents, *pieces, *unwritten, *sparse)
            }
        };
        let told = size(value, cluster);
        let extents: Vec<Extent> =
            extents.iter().map(|(hole, count)| ((!hole).then(|| self.space.take(*count)), *count)).collect();
        let stored = bytes_of(&extents, cluster);
        self.writes.push((extents.clone(), stored.clone()));
        let mut first_vcn = 0;
        let allocated = extents.iter().map(|(_, count)| count * cluster).sum();
        let initialised = told.size.saturating_sub(unwritten);
        let attributes = extents.chunks(extents.len().div_ceil(pieces)).map(|extents| {
            let piece = External {
                first_vcn,
                allocated,
                size: told.size,
                initialised,
                sparse_bytes: sparse.then_some(told.allocated),
                extents: extents.to_vec(),
            };
            first_vcn += extents.iter().map(|(_, count)| count).sum::<u64>();
            image::external(image::DATA, name, &piece)
        });
        let attributes = attributes.collect();
        let mut reads = stored;
        reads.truncate(told.size as usize);
        reads[initialised as usize..].fill(0);
        (attributes, reads)
    }

    /// Adds a file; its number and its content.
    fn file(&mut self, spec: &Spec) -> (u64, Option<Vec<u8>>) {
        let mut attributes: Vec<_> = spec
            .names
            .iter()
            .map(|(namespace, name)| image::file_name(5 << 48 | 5, *namespace, &units(name)))
            .collect();
        let mut content = None;
        if let Some(data) = &spec.data {
            let (own, bytes) = self.value(&[], data);
            attributes.extend(own);
            content = Some(bytes);
        }
        for (name, value) in &spec.streams {
            attributes.extend(self.value(&units(name), value).0);
        }
        let number = self.number();
        self.records_of(number, spec, attributes);
        (number, content)
    }

    /// Spreads attributes over a base record and as many extension records as it takes.
    fn records_of(&mut self, number: u64, spec: &Spec, attributes: Vec<Attribute>) {
        let base = reference(number, spec.sequence);
        let mut slots: Vec<Vec<Attribute>> = vec![Vec::new(); 4];
        for (attribute, slot) in attributes.into_iter().zip(spec.spread.iter().cycle()) {
            slots[*slot].push(attribute);
        }
        let mut own = vec![image::standard(spec.filetime, spec.attributes)];
        // Room for a list that is resident.
        let mut others = Vec::new();
        for attribute in slots.remove(0) {
            let used: usize = own.iter().map(|attribute| attribute.bytes.len()).sum();
            let with_it = used + attribute.bytes.len();
            if with_it < self.sizes.record - 600 { own.push(attribute) } else { others.push(vec![attribute]) }
        }
        others.extend(slots.into_iter().filter(|slot| !slot.is_empty()));
        let pieces: Vec<_> = others.into_iter().flat_map(|slot| self.extension(base, slot)).collect();
        let flags = image::IN_USE | if spec.is_dir { image::DIRECTORY } else { 0 };
        let links = spec.names.len() as u16;
        if !pieces.is_empty() {
            let entries = own.iter().map(|own| (own, base));
            let entries =
                entries.chain(pieces.iter().flat_map(|(record, own)| own.iter().map(|own| (own, *record))));
            let list = image::list_value(&entries.collect::<Vec<_>>());
            let list = self.list(&list, spec.external_list);
            own.insert(1, list);
        }
        self.records
            .push((number, Record { sequence: spec.sequence, flags, links, base: 0, attributes: own }));
        self.decoy(spec, number);
    }

    fn list(&mut self, value: &[u8], is_external: bool) -> Attribute {
        if !is_external && value.len() < 400 {
            return image::resident(image::LIST, &[], value);
        }
        let cluster = self.sizes.cluster as u64;
        let clusters = (value.len() as u64).div_ceil(cluster);
        let extents: Vec<_> = (0..clusters).map(|_| (Some(self.space.take(1)), 1)).collect();
        self.writes.push((extents.clone(), value.to_vec()));
        image::external(image::LIST, &[], &External::plain(value.len() as u64, cluster, extents))
    }

    /// Extension records that hold `attributes`, each with its reference.
    fn extension(&mut self, base: u64, attributes: Vec<Attribute>) -> Vec<(u64, Vec<Attribute>)> {
        let mut records = vec![Vec::new()];
        for attribute in attributes {
            let record = |attributes| Record { sequence: 0, flags: 0, links: 0, base: 0, attributes };
            let mut with_it = records.last().cloned().unwrap_or_default();
            with_it.push(attribute.clone());
            if record(with_it).fits(self.sizes.record) {
                records.last_mut().unwrap().push(attribute);
            } else {
                records.push(vec![attribute]);
            }
        }
        let numbered = records.into_iter().map(|attributes| {
            let number = self.numbers.pop().unwrap();
            let own = attributes.clone();
            let record =
                Record { sequence: EXTENSION_SEQUENCE, flags: image::IN_USE, links: 0, base, attributes };
            self.records.push((number, record));
            (reference(number, EXTENSION_SEQUENCE), own)
        });
        numbered.collect()
    }

    /// A record that looks as if it were a part of the file.
    fn decoy(&mut self, spec: &Spec, number: u64) {
        let (sequence, flags) = match spec.decoy {
            1 => (spec.sequence.wrapping_sub(1), image::IN_USE),
            2 => (spec.sequence, image::IN_USE),
            3 => (spec.sequence, 0),
            _ => return,
        };
        self.orphans += u64::from(flags & image::IN_USE);
        let attributes = vec![image::file_name(5 << 48 | 5, 1, &units("decoy"))];
        let record = Record { sequence: 3, flags, links: 0, base: reference(number, sequence), attributes };
        let number = self.number();
        self.records.push((number, record));
    }
}

/// Bytes that tell every cluster from every other; zeroes in holes.
fn bytes_of(extents: &[Extent], cluster: u64) -> Vec<u8> {
    let mut out = Vec::new();
    for (lcn, clusters) in extents {
        for at in 0..*clusters {
            let fill = lcn.map_or(0, |lcn| (lcn + at) as u8 | 1);
            out.resize(out.len() + cluster as usize, fill);
        }
    }
    out
}

/// First number that files get; those before belong to the volume itself.
const FIRST_FILE: u64 = 24;
/// First extension record of `$MFT` itself.
const FIRST_OF_MFT: u64 = 12;
const MIRROR_LCN: u64 = 4;

pub(crate) fn build(plan: &Plan) -> Built {
    let cluster = plan.sizes.cluster as u64;
    let record = plan.sizes.record as u64;
    // More numbers than can be needed, in some order.
    let most = FIRST_FILE + plan.files.len() as u64 * 16;
    let mut numbers: Vec<_> = (FIRST_FILE..most).collect();
    numbers.sort_by_key(|number| (number ^ plan.order).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23));
    let space = Space { next: MIRROR_LCN + (4 * record).div_ceil(cluster) + 1 };
    let mut builder =
        Builder { sizes: plan.sizes, space, records: Vec::new(), writes: Vec::new(), numbers, orphans: 0 };
    let mut built: Vec<_> = plan.files.iter().map(|spec| (spec.clone(), builder.file(spec))).collect();
    built.sort_by_key(|(_, (number, _))| *number);
    let mft = mft(plan, &mut builder, most);
    let mft_lcn = mft[0].0.unwrap();
    let mut image = Image::new(plan.sizes, builder.space.next as usize + 1, mft_lcn, MIRROR_LCN);
    let mut records = vec![0; (mft.iter().map(|(_, clusters)| clusters * cluster).sum::<u64>()) as usize];
    for (number, own) in &builder.records {
        let at = (number * record) as usize;
        records[at..at + plan.sizes.record].copy_from_slice(&own.bytes(plan.sizes.record));
    }
    image.write(&mft, &records);
    image.write(&[(Some(MIRROR_LCN), (4 * record).div_ceil(cluster))], &records[..4 * plan.sizes.record]);
    for (extents, value) in &builder.writes {
        image.write(extents, value);
    }
    let contents = built.iter().map(|(_, (_, content))| content.clone()).collect();
    let files = built.into_iter().map(|(spec, (number, _))| (number, spec)).collect();
    Built { image, files, contents, orphans: builder.orphans, mft_bytes: most * record, mft: records }
}

/// Lays `$MFT` out in pieces, mapped by record 0 and by records of its own; all of its extents.
fn mft(plan: &Plan, builder: &mut Builder, records: u64) -> Vec<Extent> {
    let cluster = plan.sizes.cluster as u64;
    let bytes = records * plan.sizes.record as u64;
    let mut left = bytes.div_ceil(cluster);
    let first = (FIRST_FILE * plan.sizes.record as u64).div_ceil(cluster).min(left);
    let mut extents = vec![(Some(builder.space.take(first)), first)];
    left -= first;
    for clusters in &plan.mft_pieces {
        let clusters = left.min(*clusters);
        if clusters > 0 {
            extents.push((Some(builder.space.take(clusters)), clusters));
        }
        left -= clusters;
    }
    if left > 0 {
        extents.push((Some(builder.space.take(left)), left));
    }
    let mut first_vcn = 0;
    let mut pieces: Vec<_> = extents
        .chunks(plan.mapped_by_one)
        .map(|extents| {
            let whole = External::plain(bytes, cluster, extents.to_vec());
            let piece = External { first_vcn, ..whole };
            first_vcn += extents.iter().map(|(_, clusters)| clusters).sum::<u64>();
            image::external(image::DATA, &[], &piece)
        })
        .collect();
    let mut own =
        vec![image::standard(131_000_000_000_000_000, 6), image::file_name(5 << 48 | 5, 3, &units("$MFT"))];
    own.push(pieces.remove(0));
    let mut used = vec![0_u8; records.div_ceil(8) as usize];
    let numbers = builder.records.iter().filter(|(_, record)| record.flags & image::IN_USE != 0);
    let numbers = numbers.map(|(number, _)| *number).chain(0..FIRST_FILE);
    numbers.for_each(|number| used[number as usize / 8] |= 1 << (number % 8));
    own.push(image::resident(image::BITMAP, &[], &used));
    let base = reference(0, 1);
    let mut others = Vec::new();
    for (number, piece) in (FIRST_OF_MFT..).zip(pieces) {
        others.push((piece.clone(), reference(number, 1)));
        let record = Record { sequence: 1, flags: image::IN_USE, links: 0, base, attributes: vec![piece] };
        builder.records.push((number, record));
    }
    if !others.is_empty() {
        let entries =
            own.iter().map(|own| (own, base)).chain(others.iter().map(|(own, record)| (own, *record)));
        let list = image::list_value(&entries.collect::<Vec<_>>());
        let list = builder.list(&list, plan.external_mft_list);
        own.insert(1, list);
    }
    let record = |attributes| Record { sequence: 1, flags: image::IN_USE, links: 1, base: 0, attributes };
    builder.records.push((0, record(own)));
    for number in 1..4 {
        builder.records.push((number, record(vec![image::standard(131_000_000_000_000_000, 6)])));
    }
    extents
}

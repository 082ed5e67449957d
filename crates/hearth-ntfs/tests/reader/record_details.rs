//! Single records as people read them.

use crate::image::{self, Extent, External, base};
use crate::samples;
use hearth_ntfs::details::{self, Place, RecordDetails, Value};
use hearth_ntfs::{Namespace, NtfsError, Run, Slot, Volume};
use proptest::prelude::*;

/// The record that a sample is.
fn sample(name: &str) -> RecordDetails {
    details::of(&Volume::open_mft(samples::bytes(&format!("rec/{name}"))).unwrap(), 0).unwrap()
}

fn kinds(record: &RecordDetails) -> Vec<&'static str> {
    record.attributes.iter().map(|attribute| attribute.kind_name.unwrap_or("?")).collect()
}

fn names(record: &RecordDetails) -> Vec<String> {
    let names = record.attributes.iter().filter_map(|attribute| match &attribute.value {
        Some(Value::Name(name)) => Some(String::from_utf8(name.name.clone()).unwrap()),
        _ => None,
    });
    names.collect()
}

#[test]
fn a_record_of_a_file_is_shown_in_full() {
    let record = sample("entry_single_file");
    let header = record.header.unwrap();
    assert_eq!((record.slot, record.whole, &record.signature), (Slot::Record, true, b"FILE"));
    assert_eq!((header.sequence, header.link_count, header.in_use, header.is_dir), (1, 2, true, false));
    assert_eq!((header.used_bytes, header.allocated_bytes, header.log_sequence), (0x1d0, 1024, 0x0d84_fc5c));
    assert_eq!(kinds(&record), ["$STANDARD_INFORMATION", "$FILE_NAME", "$FILE_NAME", "$DATA"]);
    let Some(Value::Name(long)) = &record.attributes[2].value else { panic!("{record:?}") };
    assert_eq!((long.namespace, names(&record).len()), (Namespace::Win32, 2));
    assert!(
        matches!(&record.attributes[3].place, Place::Clusters { runs, runs_whole: true, .. } if !runs.is_empty())
    );
}

#[test]
fn indexes_long_names_and_streams_are_shown() {
    let folder = sample("entry_multiple_index_root_entries");
    let index = folder.attributes.iter().find_map(|attribute| match attribute.value {
        Some(Value::Index(index)) => Some(index),
        _ => None,
    });
    let index = index.unwrap();
    assert_eq!((index.indexed, index.node_bytes, index.is_large), (0x30, 4096, true));
    assert!(kinds(&folder).contains(&"$INDEX_ALLOCATION"));
    assert_eq!(index.entries, 4);
    assert_eq!(names(&sample("entry_super_long_name_001"))[0].len(), 228);
    let streams = sample("entry_long_name_and_res_ads_002");
    let stream = streams.attributes.iter().find(|attribute| !attribute.name.is_empty()).unwrap();
    assert_eq!(stream.place, Place::Resident { size: 37 });
    assert_eq!(stream.name, b"res.ads");
    let extension = sample("entry_data_run_at_offset");
    assert_eq!(extension.header.unwrap().base.unwrap().number(), 0xe14c);
    assert_eq!(kinds(&extension), ["$DATA"]);
}

#[test]
fn a_torn_record_is_shown_as_such() {
    let torn = samples::bytes("rec/entry_102130_fixup_issue");
    let bytes = [samples::bytes("rec/entry_single_file"), torn].concat();
    let volume = Volume::open_mft(bytes).unwrap();
    let record = details::of(&volume, 1).unwrap();
    assert_eq!((record.slot, record.header, record.whole), (Slot::Torn, None, false));
    assert!(matches!(details::of(&volume, 2), Err(NtfsError::Damaged(_))));
}

/// Shows a record that holds one attribute of content.
fn shown(bytes: Vec<u8>) -> RecordDetails {
    details::of(&Volume::open_mft(bytes).unwrap(), 0).unwrap()
}

fn extents() -> impl Strategy<Value = Vec<Extent>> {
    let lcn = prop_oneof![0_u64..300, 0_u64..1 << 40];
    let extent = (prop::option::weighted(0.8, lcn), prop_oneof![1_u64..300, 1_u64..1 << 40]);
    prop::collection::vec(extent, 1..40)
}

proptest! {
    #[test]
    fn mapping_pairs_are_read_as_they_were_written(extents in extents(), first_vcn in 0_u64..1 << 40) {
        let value = External { first_vcn, ..External::plain(1, 1, extents.clone()) };
        let record = base(1, vec![image::external(image::DATA, &[], &value)]);
        let shown = shown(record.bytes(1024));
        let Place::Clusters { runs, runs_whole, .. } = &shown.attributes[0].place else { panic!("{shown:?}") };
        let mut vcn = first_vcn;
        let wanted: Vec<_> = extents.iter().map(|(lcn, clusters)| {
            let run = Run { vcn, lcn: *lcn, clusters: *clusters };
            vcn += clusters;
            run
        }).collect();
        prop_assert!(*runs_whole);
        prop_assert_eq!(runs, &wanted);
    }

    #[test]
    fn any_bytes_as_attributes_are_shown(bytes in prop::collection::vec(any::<u8>(), 0..900), kind in 1_u8..17) {
        let mut attribute = image::resident(u32::from(kind) * 16, &[], &bytes);
        let shown_as_value = shown(base(1, vec![attribute.clone()]).bytes(1024));
        prop_assert!(shown_as_value.whole);
        // The same bytes as a header: length, form, places of name and value.
        let header = bytes.len().min(attribute.bytes.len() - 8);
        attribute.bytes[8..8 + header].copy_from_slice(&bytes[..header]);
        let _ = shown(base(1, vec![attribute]).bytes(1024));
    }
}

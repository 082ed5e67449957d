//! Pieces of a change journal: whatever the bytes are, records lie where they say, and no byte counts twice.
#![no_main]

use hearth_ntfs::usn::{Touched, first_usn, parse, reasons_in_words};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let first = first_usn(bytes).unwrap_or(0);
    let mut touched = Touched::new(16);
    let mut records = parse(bytes, first);
    let mut below = first;
    for record in &mut records {
        assert!(record.usn >= below && record.usn - first < bytes.len() as u64);
        below = record.usn + 1;
        assert!(record.name.len() <= 2048 && record.extents.iter().len() <= 256);
        assert!(reasons_in_words(record.reasons).count() <= 32);
        touched.take(&record);
    }
    assert!(records.skipped_bytes() <= bytes.len() as u64);
    assert!(touched.files().is_none_or(|files| files.len() <= 16));
});

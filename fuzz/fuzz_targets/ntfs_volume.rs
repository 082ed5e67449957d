//! Volumes and bare record files: whatever the bytes are, reading ends, and what is told lies within bounds.
#![no_main]

use hearth_core::CancelToken;
use hearth_ntfs::{Counters, File, ReadAt, Visit, Volume, Which, details};
use libfuzzer_sys::fuzz_target;

/// Looks at all that a file tells.
#[derive(Default)]
struct Looking {
    files: u64,
    bytes: Vec<u8>,
}

impl Visit for Looking {
    fn file(&mut self, file: &File<'_>) {
        self.files += 1;
        self.bytes.clear();
        file.links().for_each(|link| link.name.push_to(&mut self.bytes));
        file.streams.iter().for_each(|stream| stream.name.push_to(&mut self.bytes));
        let _ = file.reparse.map(|reparse| (reparse.tag_name(), reparse.target()));
    }
}

fn look(volume: &Volume<&[u8]>) {
    let _ = (volume.information(), volume.bitmap());
    let cancel = CancelToken::new();
    for which in [Which::InUse, Which::All] {
        let counters = Counters::default();
        let all = volume.read_all(vec![Looking::default()], which, &counters, &cancel);
        let (looked, report) = all.expect("nobody cancels");
        assert_eq!(looked[0].files, report.files);
        assert!(report.records <= volume.record_count());
    }
    let numbers: Vec<u64> = (0..volume.record_count().min(128)).chain([u64::MAX]).collect();
    let mut looking = Looking::default();
    let report = volume.read_some(&numbers, &mut looking, &cancel).expect("nobody cancels");
    assert_eq!(looking.files + report.unreadable.len() as u64, numbers.len() as u64);
    for number in numbers {
        let _ = details::of(volume, number);
        if let Ok(Some(content)) = volume.content(number, "") {
            assert!(content.first_stored() <= content.len());
            let _ = content.read_up_to(1 << 16);
            let _ = content.read_exact_at(content.len() / 2, &mut [0; 64]);
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    for volume in [Volume::open(bytes), Volume::open_mft(bytes)].into_iter().flatten() {
        look(&volume);
    }
});

//! The table of upper case: that of volumes, and what it has to do with Unicode.

use hearth_ntfs::upcase::UpCase;
use hearth_ntfs::{Utf16, Volume};

/// A volume that Windows made.
const WINDOWS: &[u8] = include_bytes!("data/vol/dftt7_undelete.dd.zst");
/// A volume that mkntfs made.
const MKNTFS: &[u8] = include_bytes!("data/vol/testfs1_512dirs.dd.zst");

fn table(packed: &[u8]) -> UpCase {
    let volume = Volume::open(zstd::decode_all(packed).expect("a sample")).expect("a volume");
    UpCase::read(&volume).expect("readable").expect("whole")
}

#[test]
fn names_are_equal_unit_by_unit() {
    let name = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    for table in [UpCase::default(), table(MKNTFS)] {
        let eq = |a: &str, b: &str| table.eq(Utf16::new(&name(a)), Utf16::new(&name(b)));
        assert!(eq("$usnJRNL", "$UsnJrnl") && eq("\u{c4}\u{df}", "\u{e4}\u{df}"));
        assert!(!eq("stra\u{df}e", "strasse") && !eq("a", "ab") && !eq("a", "b"));
        assert!(!eq("\u{10428}", "\u{10400}"), "letters beyond 16 bits keep their case");
    }
}

fn lower(unit: u16) -> Option<String> {
    char::from_u32(unit.into()).map(|letter| letter.to_lowercase().collect())
}

/// Final sigma, which older tables take for a sigma.
const FINAL_SIGMA: u16 = 0x3c2;

#[test]
fn what_a_volume_takes_for_equal_unicode_does_too_but_for_the_final_sigma() {
    for table in [table(WINDOWS), table(MKNTFS), UpCase::default()] {
        for unit in (0..=u16::MAX).filter(|unit| *unit != FINAL_SIGMA) {
            assert_eq!(lower(table.upper(unit)), lower(unit), "{unit:x}");
        }
    }
}

#[test]
fn what_unicode_takes_for_equal_volumes_do_but_for_letters_that_came_later() {
    let unicode = UpCase::default();
    for table in [table(WINDOWS), table(MKNTFS)] {
        let differing = (0..=u16::MAX).filter(|unit| table.upper(*unit) != unicode.upper(*unit));
        let (kept, other): (Vec<u16>, Vec<u16>) = differing.partition(|unit| table.upper(*unit) == *unit);
        assert!(kept.len() < 800 && kept.iter().all(|unit| *unit >= 0x180), "{kept:x?}");
        // Greek letters with an iota below, whose upper case is two letters or one.
        let greek = |unit: &u16| (0x1f80..0x2000).contains(unit) || *unit == FINAL_SIGMA;
        assert!(other.iter().all(greek), "{other:x?}");
    }
}

//! `du` and `stats` against sums made by walking the same tree.

use crate::fixture::{Fixture, patience};
use hearth_service::ServiceError;
use hearth_service::api::{DuAnswer, DuRequest, StatsAnswer, StatsBy, StatsRequest};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

fn fixture() -> Fixture {
    let fixture = Fixture::with_tree(&[]);
    let big = "x".repeat(20_000);
    fixture.tree(
        "t",
        &[
            ("a/one.rs", "1"),
            ("a/deep/Two.RS", &big[..5000]),
            ("a/deep/er/three.txt", &big),
            ("b/four", &big[..9000]),
            ("b/.hidden", ""),
            ("five.tar.gz", "12345678901"),
            ("empty/", ""),
        ],
    );
    fs::hard_link(fixture.path("t/b/four"), fixture.path("t/b/linked")).unwrap();
    fixture.refresh("t");
    fixture
}

impl Fixture {
    /// As [`Fixture::with_tree`] with an empty tree.
    fn du(&self, path: &str, depth: u32, limit: usize) -> Result<DuAnswer, ServiceError> {
        let request =
            DuRequest { path: Some(self.bytes(path)), depth, limit, by_allocated: false, wait_fresh: None };
        self.service.du(&request, &patience())
    }

    fn stats(&self, by: StatsBy, query: &str, within: &[&str]) -> StatsAnswer {
        let within = within.iter().map(|folder| self.bytes(folder)).collect();
        let request =
            StatsRequest { by, query: query.into(), cwd: None, within, limit: 100, wait_fresh: None };
        self.service.stats(&request, &patience()).unwrap()
    }

    fn names(&self, answer: &DuAnswer) -> Vec<String> {
        let top = format!("{}/", self.path("").display()).replace("//", "/");
        answer.rows.iter().map(|row| String::from_utf8_lossy(&row.path).replace(&top, "")).collect()
    }
}

/// Entries, sizes of non-folders and allocated bytes below a folder, by walking.
fn walked(folder: &Path) -> (u64, u64, u64) {
    let mut sum = (0, 0, 0);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        let below = if meta.is_dir() { walked(&path) } else { (0, meta.size(), 0) };
        sum = (sum.0 + 1 + below.0, sum.1 + below.1, sum.2 + meta.blocks() * 512 + below.2);
    }
    sum
}

#[test]
fn totals_equal_a_walk() {
    let fixture = fixture();
    let answer = fixture.du("t", 9, 100).unwrap();
    assert_eq!(answer.rows.len(), 6);
    for row in &answer.rows {
        let path = Path::new(std::ffi::OsStr::from_bytes(&row.path));
        assert_eq!((row.descendants, row.tree_size, row.tree_allocated), walked(path), "{}", path.display());
        assert_eq!(row.source, "t");
    }
}

#[test]
fn the_asked_folder_is_first_and_then_the_biggest() {
    let fixture = fixture();
    let names = |path, depth, limit| fixture.names(&fixture.du(path, depth, limit).unwrap());
    assert_eq!(names("t", 9, 100), ["t", "t/a", "t/a/deep", "t/a/deep/er", "t/b", "t/empty"]);
    assert_eq!(names("t", 9, 2), ["t", "t/a", "t/a/deep"]);
    assert_eq!(names("t", 1, 100), ["t", "t/a", "t/b", "t/empty"]);
    assert_eq!(names("t", 1, 2), ["t", "t/a", "t/b"]);
    assert_eq!(names("t/a", 1, 100), ["t/a", "t/a/deep"]);
    assert_eq!(names("t", 0, 100), ["t"]);
    assert_eq!(names("t", 9, 0), ["t"]);
}

#[test]
fn du_of_everything_has_a_row_per_source() {
    let fixture = fixture();
    fixture.tree("u", &[("x/y", "1234")]);
    fixture.add("u");
    let request = DuRequest { path: None, depth: 1, limit: 1, by_allocated: true, wait_fresh: None };
    let answer = fixture.service.du(&request, &patience()).unwrap();
    assert_eq!(fixture.names(&answer), ["t", "u", "t/a"]);
    assert_eq!(answer.sources.len(), 2);
}

#[test]
fn du_of_what_is_not_there_is_an_error() {
    let fixture = fixture();
    assert!(matches!(fixture.du("t/none", 1, 1), Err(ServiceError::NotFound { .. })));
    assert!(matches!(fixture.du("elsewhere", 1, 1), Err(ServiceError::UnknownSource { .. })));
}

fn table(answer: &StatsAnswer) -> BTreeMap<String, (u64, u64)> {
    let row = |row: &hearth_service::api::StatsRow| {
        (String::from_utf8_lossy(&row.key).into_owned(), (row.entries, row.size))
    };
    answer.rows.iter().map(row).collect()
}

fn expect(rows: &[(&str, u64, u64)]) -> BTreeMap<String, (u64, u64)> {
    rows.iter().map(|(key, entries, size)| ((*key).to_owned(), (*entries, *size))).collect()
}

#[test]
fn extensions_are_folded_and_agree_with_the_query_language() {
    let fixture = fixture();
    let answer = fixture.stats(StatsBy::Ext, "", &["t"]);
    let want = [("txt", 1, 20_000), ("", 3, 18_000), ("rs", 2, 5001), ("gz", 1, 11), ("/", 6, 0)];
    assert_eq!(table(&answer), expect(&want));
    assert_eq!(answer.rows[0].key, b"txt", "most bytes first");
    assert_eq!((answer.groups, answer.total.entries, answer.total.size), (5, 13, 43_012));
    for (ext, entries, _) in want.iter().filter(|(ext, ..)| !["", "/"].contains(ext)) {
        assert_eq!(fixture.find(&format!("type:file ext:{ext}")).len() as u64, *entries);
    }
}

#[test]
fn kinds_sizes_owners_and_ages_are_classes() {
    let fixture = fixture();
    assert_eq!(
        table(&fixture.stats(StatsBy::Type, "", &["t"])),
        expect(&[("file", 7, 43_012), ("dir", 6, 0)])
    );
    let sizes = fixture.stats(StatsBy::Size, "type:file", &["t"]);
    let keys: Vec<_> = sizes.rows.iter().map(|row| String::from_utf8_lossy(&row.key)).collect();
    assert_eq!(keys, ["0", "1..9", "10..99", "1000..9999", "10000..99999"]);
    for row in &sizes.rows {
        let query = format!("type:file size:{}", String::from_utf8_lossy(&row.key));
        assert_eq!(fixture.find(&query).len() as u64, row.entries, "{query}");
    }
    let ages = fixture.stats(StatsBy::Age, "type:file", &["t"]);
    assert_eq!(table(&ages), expect(&[("last hour", 7, 43_012)]));
    let owners = fixture.stats(StatsBy::Owner, "type:file", &["t"]);
    assert_eq!(owners.rows[0].entries, 7);
}

#[test]
fn folders_group_by_the_first_step_below_what_was_asked() {
    let fixture = fixture();
    let top = fixture.path("").display().to_string();
    let below = |within: &[&str]| {
        let answer = fixture.stats(StatsBy::Folder, "type:file", within);
        table(&answer)
            .into_iter()
            .map(|(key, value)| (key.replace(&top, ""), value))
            .collect::<BTreeMap<_, _>>()
    };
    assert_eq!(below(&["t"]), expect(&[("t/a", 3, 25_001), ("t/b", 3, 18_000), ("t", 1, 11)]));
    assert_eq!(below(&["t/a"]), expect(&[("t/a", 1, 1), ("t/a/deep", 2, 25_000)]));
    assert_eq!(below(&["t/a", "t/b"]), expect(&[("t/a", 1, 1), ("t/a/deep", 2, 25_000), ("t/b", 3, 18_000)]));
}

#[test]
fn a_limit_keeps_the_totals() {
    let fixture = fixture();
    let request = StatsRequest {
        by: StatsBy::Ext,
        query: Vec::new(),
        cwd: None,
        within: Vec::new(),
        limit: 1,
        wait_fresh: None,
    };
    let answer = fixture.service.stats(&request, &patience()).unwrap();
    assert_eq!((answer.rows.len(), answer.groups), (1, 5));
    assert_eq!(answer.total.size, 43_012);
    let allocated: u64 =
        walked(&fixture.path("t")).2 + fs::metadata(fixture.path("t")).unwrap().blocks() * 512;
    assert_eq!(answer.total.allocated, allocated);
}

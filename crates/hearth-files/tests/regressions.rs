//! Defects that were found and mended, each by its own name.

use hearth_core::{CancelToken, EntryKind};
use hearth_files::engine::{Find, find};
use hearth_files::entry::{Chunk, Meta, NOT_A_DIR};
use hearth_files::index::{Body, Change, Root, Volume};
use hearth_files::query::{Context, parse};
use std::ops::ControlFlow;
use std::sync::Arc;

fn build(rows: &[(u32, u32, &str, Meta)]) -> Body {
    let mut chunk = Chunk::default();
    for (parent, dir, name, meta) in rows {
        chunk.push(*parent, *dir, name.as_bytes(), *meta);
    }
    let root = Root { path: Vec::new(), meta: Meta::unknown(EntryKind::Dir, 1) };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    Body::build(&root, &[Arc::new(chunk)], &pool, &CancelToken::new()).unwrap()
}

/// The removal of the folder in the way gave the moved row a new number, and the old one was moved.
#[test]
fn a_move_over_a_folder_that_holds_a_link_of_the_moved_file_leaves_no_row_behind() {
    let linked = Meta { links: 2, ..Meta::unknown(EntryKind::File, 7) };
    let body = build(&[
        (0, NOT_A_DIR, "a", linked),
        (0, 1, "folder", Meta::unknown(EntryKind::Dir, 8)),
        (1, NOT_A_DIR, "link", linked),
    ]);
    let mut volume = Volume::new(&body);
    volume.apply(&[Change::Move { from: 1, from_name: b"a".to_vec(), to: 1, to_name: b"folder".to_vec() }]);
    let body = volume.body();
    assert_eq!((body.entries(), body.find_path(b"/a")), (2, None));
    let moved = body.meta(body.find_path(b"/folder").unwrap());
    assert_eq!((moved.kind(), moved.inode, moved.links), (EntryKind::File, 7, 1));
}

fn count(body: &Body, query: &[u8]) -> usize {
    let context = Context {
        now_ns: 0,
        zone: jiff::tz::TimeZone::UTC,
        cwd: None,
        home: None,
        user_id: &|_| None,
        group_id: &|_| None,
    };
    let query = parse(query, &context).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let find_all = Find { query: &query, sort: &[], skip: 0, limit: None, total: false };
    let mut rows = 0;
    find(&Arc::new(body.clone()), &find_all, &pool, &CancelToken::new(), &mut |more| {
        rows += more.len();
        ControlFlow::Continue(())
    })
    .unwrap();
    rows
}

/// The folded form of a cut character is no beginning of the folded name.
#[test]
fn a_raw_path_that_ends_within_a_character_finds_what_begins_so() {
    let body = build(&[
        (0, 1, "\u{1e9e}x", Meta::unknown(EntryKind::Dir, 8)),
        (1, NOT_A_DIR, "in", Meta::unknown(EntryKind::File, 9)),
    ]);
    assert_eq!(count(&body, b"case:/\xe1"), 2);
    assert_eq!(count(&body, b"case:/\xe1\xba"), 2);
    assert_eq!(count(&body, b"case:/\xe1\xbb"), 0);
    assert_eq!(count(&body, "case:/\u{1e9e}".as_bytes()), 2);
}

/// What lies in a folder came between the folder and the second entry of its name.
#[test]
fn a_name_that_was_listed_twice_is_one_entry_even_if_it_is_a_folder() {
    let body = build(&[
        (0, 1, "twice", Meta::unknown(EntryKind::Dir, 7)),
        (1, NOT_A_DIR, "inside", Meta::unknown(EntryKind::File, 8)),
        (0, NOT_A_DIR, "twice", Meta::unknown(EntryKind::File, 9)),
    ]);
    assert_eq!(body.entries(), 3);
    assert_eq!(body.kind(body.find_path(b"/twice").unwrap()), EntryKind::Dir);
}

//! Defects that were found and mended, each by its own name.

use hearth_core::{CancelToken, EntryKind};
use hearth_files::entry::{Chunk, Meta, NOT_A_DIR};
use hearth_files::index::{Body, Change, Root, Volume};
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

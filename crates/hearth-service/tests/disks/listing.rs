//! What an index of an image holds is what `ntfs-3g` lists.

use crate::world::{Tree, World, text};
use hearth_core::EntryKind;
use hearth_disks::ntfs::{Form, Kind, NtfsImage, Row};

const FORMS: [Form; 3] = [
    Form { sector_bytes: 512, cluster_bytes: 4096 },
    Form { sector_bytes: 4096, cluster_bytes: 4096 },
    Form { sector_bytes: 512, cluster_bytes: 65536 },
];

#[test]
fn a_filled_image_is_found_as_it_is_listed() {
    for form in FORMS {
        let Some(image) = NtfsImage::new(256 << 20, form) else { return };
        image.mount().fill(2000, 7).expect("room");
        let world = World::new();
        let source = world.add(&image.path()).remove(0);
        let (tree, listing) = (world.everything(&source), image.listing());
        for (path, row) in &listing {
            check(&tree, path, row);
        }
        let listed = |path: &[u8]| listing.contains_key(path.strip_prefix(b"/").unwrap_or(path));
        let system = |facts: &crate::world::Facts| facts.inode >> 16 < 64;
        for (path, facts) in &tree {
            let known =
                listed(path) || facts.iter().all(|facts| facts.kind == EntryKind::Stream || system(facts));
            assert!(known, "{} is not listed: {facts:?}", text(path));
        }
        assert!(listing.len() > 2000);
    }
}

fn check(tree: &Tree, path: &[u8], row: &Row) {
    let facts = tree.get(&[b"/", path].concat()).unwrap_or_else(|| panic!("{} is missing", text(path)));
    let facts = &facts[0];
    let kind = match row.kind {
        Kind::File => EntryKind::File,
        Kind::Folder => EntryKind::Dir,
        Kind::Other => facts.kind,
    };
    let links = if row.kind == Kind::Folder { 1 } else { row.links };
    let told = (facts.kind, facts.modified_ns / 100, facts.inode, u64::from(facts.links));
    let listed = (kind, row.modified_ns / 100, row.number << 16 | u64::from(row.sequence), links);
    assert_eq!(told, listed, "{}", text(path));
    if row.kind == Kind::File {
        assert_eq!(facts.size, row.size, "{}", text(path));
    }
    for (name, size) in &row.streams {
        let path = [b"/", path, b":", name].concat();
        let stream = tree.get(&path).unwrap_or_else(|| panic!("{} is missing", text(&path)));
        assert_eq!((stream[0].kind, stream[0].size), (EntryKind::Stream, *size), "{}", text(&path));
    }
}

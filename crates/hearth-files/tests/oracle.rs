//! The engine against the naive evaluator, on random trees and after random changes.
//!
//! A model file system (inodes and folders, as a kernel keeps them) is changed by random operations;
//! each also becomes the [`Change`]s that a feed would report. The body with its delta, the body
//! rebuilt from scratch and the folded body must all answer exactly as the naive evaluator does.

mod answers;
mod model;
mod naive;

use answers::{SORTS, check, check_all, check_entries, check_standing};
use hearth_core::{CancelToken, EntryKind};
use hearth_files::index::Volume;
use model::{Model, Op, ops, pool};
use proptest::prelude::*;
use std::sync::Arc;

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_built_body_answers_as_the_naive_evaluator(ops in ops(60), root in prop_oneof![Just(""), Just("/mnt/Disk é")], seed in 0usize..1000) {
        let mut model = Model::new(root);
        ops.iter().for_each(|op| { model.run(op); });
        let body = Arc::new(model.build());
        if root.is_empty() {
            check_all(&body, &model.naive(), seed, "built");
        } else {
            check_entries(&body, &model.naive(), "built");
            check_standing(&body, &model.naive(), "built elsewhere");
            for query in ["mnt", "disk", "Disk é", "/mnt/", "/mnt", "in:/mnt", "in:\"/mnt/Disk é\"", "mnt/d", "é/a", "é/", "depth:2", "t/Disk", "k*/a"] {
                check(&body, &model.naive(), query.as_bytes(), SORTS[seed % SORTS.len()], "built elsewhere");
            }
        }
    }

    #[test]
    fn folders_are_found_by_inode(before in ops(40), after in ops(40), root in prop_oneof![Just(""), Just("/mnt")]) {
        let mut model = Model::new(root);
        before.iter().for_each(|op| { model.run(op); });
        let mut volume = Volume::new(&model.build());
        let was = model.naive();
        for op in &after {
            volume.apply(&model.run(op));
        }
        let is = model.naive();
        // Those that are gone are asked for too.
        let inodes: Vec<u64> = was.entries.iter().chain(&is.entries).map(|entry| entry.meta.inode).collect();
        let path_of = |inode: &u64| {
            let mut folders = is.entries.iter().filter(|entry| entry.kind() == EntryKind::Dir);
            let folder = folders.find(|folder| folder.meta.inode == *inode)?;
            Some(folder.path.strip_suffix(b"/").unwrap_or(&folder.path).to_vec())
        };
        let expect: Vec<_> = inodes.iter().map(path_of).collect();
        prop_assert_eq!(volume.body().folder_paths(&inodes), expect);
    }

    #[test]
    fn base_and_delta_answer_as_a_rebuild(before in ops(40), after in ops(40), seed in 0usize..1000) {
        let mut model = Model::new("");
        before.iter().for_each(|op| { model.run(op); });
        let mut volume = Volume::new(&model.build());
        let published = Arc::new(volume.body());
        let was = model.naive();
        for op in &after {
            let changes = model.run(op);
            volume.apply(&changes);
        }
        let now = model.naive();
        let body = Arc::new(volume.body());
        check_all(&body, &now, seed, "delta");
        check_standing(&body, &now, "delta");
        check_all(&Arc::new(body.fold(pool(), &CancelToken::new()).expect("nobody cancels")), &now, seed + 1, "folded");
        check_entries(&published, &was, "published earlier");
    }

    #[test]
    fn a_writer_continues_from_a_body_with_a_delta(before in ops(20), middle in ops(20), after in ops(20)) {
        let mut model = Model::new("");
        before.iter().for_each(|op| { model.run(op); });
        let mut first = Volume::new(&model.build());
        middle.iter().for_each(|op| { first.apply(&model.run(op)); });
        let mut second = Volume::new(&first.body());
        after.iter().for_each(|op| { second.apply(&model.run(op)); });
        check_entries(&Arc::new(second.body()), &model.naive(), "continued");
    }
}

#[test]
fn rows_of_missing_folders_are_left_out() {
    let mut model = Model::new("");
    for op in [Op::Mkdir(0, 0), Op::Mkdir(1, 1), Op::Create(2, 2, 5)] {
        model.run(&op);
    }
    let whole = model.build();
    assert_eq!(whole.entries(), 4);
    let partial = model.build_without_first_row();
    assert_eq!(partial.entries(), 1, "the rest hangs below a folder that is not in yet");
}

//! A scan while the tree is changed: looks at everything that changed meanwhile, and at the folders that the scan says
//! it did not find again, make up for what it saw too early, too late or twice.

use super::world::{World, name_look};
use hearth_core::CancelToken;
use hearth_files::follow::Look;
use hearth_files::index::Volume;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Renames, and says where to look.
fn moved(from: &Path, to: &Path, looks: &mut Vec<Look>) {
    looks.extend([name_look(from), name_look(to)]);
    fs::rename(from, to).expect("renamed");
}

/// Folders take the places of others, which move below them, until told to stop.
fn unrest(world: &World, stop: &AtomicBool) -> Vec<Look> {
    let mut looks = Vec::new();
    for round in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (at, aside) = (world.at(&format!("folder-{}", round % 10)), world.at("aside"));
        moved(&at, &aside, &mut looks);
        fs::create_dir(&at).expect("made");
        looks.push(name_look(&at));
        moved(&aside, &at.join(format!("old-{round}")), &mut looks);
    }
    looks
}

#[test]
fn folders_that_move_while_they_are_scanned_are_not_lost() {
    let mut strays = 0;
    for _ in 0..10 {
        let world = World::with(&[]);
        (0..1000).for_each(|number| world.make(&format!("folder-{}/{number}/file", number % 10)));
        let stop = AtomicBool::new(false);
        let ((body, astray), mut again) = thread::scope(|scope| {
            let changing = scope.spawn(|| unrest(&world, &stop));
            let scanned = world.scanned(|chunk| chunk);
            stop.store(true, Ordering::Relaxed);
            (scanned, changing.join().expect("possible"))
        });
        strays += astray.len();
        again.extend(astray.into_iter().map(|folder| Look::Folder { folder }));
        let mut volume = Volume::new(&body);
        while !again.is_empty() {
            again = world.follower().look(&mut volume, &again, &CancelToken::new()).expect("there").again;
        }
        world.assert_fresh(&volume);
    }
    assert!(strays > 0, "the scan was too fast for the unrest");
}

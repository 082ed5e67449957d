//! Storms over the feeds that need no privilege, and what a feed that cannot be had leads to.

use crate::storms::{self, Ground};
use crate::world::{FRESH, World};
use hearth_service::Config;
use hearth_service::api::Proof;
use hearth_service::config::FeedChoice;
use std::fs;
use std::time::Duration;

fn config(feed: FeedChoice) -> Config {
    let mut config = Config::default();
    config.watch.feed = feed;
    config
}

/// A service over one feed, in a folder of its own beside the tree.
fn world(temp: &tempfile::TempDir, config: Config) -> World {
    let (top, home) = (temp.path().join("tree"), temp.path().join("home"));
    storms::fill(&top.join("before/inner"), 50).expect("filled");
    World::open(&home, &top, config)
}

#[test]
fn a_tree_over_inotify_stays_fresh() {
    let temp = tempfile::tempdir().expect("a folder");
    let world = world(&temp, config(FeedChoice::Inotify));
    assert_eq!((world.status().feed.kind, world.status().feed.live), ("inotify", true));
    let outside = temp.path().join("outside");
    fs::create_dir(&outside).expect("made");
    // A name outside of the tree has no watch, and a file no way back to its other names.
    let check = |after: &str| {
        if after != "a file is written by a name outside" {
            world.assert_fresh(after);
        }
    };
    storms::all(&Ground { top: &world.root, outside: Some(&outside), check: &check });
    let feed = world.status().feed;
    assert_eq!((feed.overflows_total, feed.last_compare), (0, None), "{feed:?}");
}

#[test]
fn a_tree_that_nothing_tells_of_is_compared_when_asked_to_be_fresh() {
    let temp = tempfile::tempdir().expect("a folder");
    let world = world(&temp, config(FeedChoice::Poll));
    let feed = world.status().feed;
    assert_eq!((feed.kind, feed.live), ("poll", false));
    let outside = temp.path().join("outside");
    fs::create_dir(&outside).expect("made");
    let check = |after: &str| world.assert_fresh(after);
    storms::all(&Ground { top: &world.root, outside: Some(&outside), check: &check });
    let (_, meta) = world.everything(Some(FRESH));
    assert_eq!(meta.proof, Some(Proof::Compared));
    let status = world.status();
    assert!(status.loads_total == 1 && status.feed.last_compare.is_some(), "compared, not scanned anew");
}

#[test]
fn a_tree_that_nothing_tells_of_is_compared_now_and_then() {
    let temp = tempfile::tempdir().expect("a folder");
    let mut config = config(FeedChoice::Poll);
    config.watch.poll = Duration::from_millis(200);
    let world = world(&temp, config);
    fs::write(world.root.join("later"), "").expect("written");
    crate::world::until("it is found", || world.finds("=later", None).0);
}

#[test]
fn without_a_feed_a_wait_is_in_vain_or_compares_and_says_which() {
    let temp = tempfile::tempdir().expect("a folder");
    let world = world(&temp, config(FeedChoice::Off));
    let feed = world.status().feed;
    assert_eq!((feed.kind, feed.live, feed.text.is_empty()), ("none", false, false));
    fs::write(world.root.join("later"), "").expect("written");
    let (found, meta) = world.finds("=later", Some(FRESH));
    assert_eq!((found, meta.stale), (meta.proof.is_some(), meta.proof.is_none()), "{meta:?}");
    assert_eq!(meta.why.is_empty(), !meta.stale);
}

#[test]
fn the_wait_is_proven_by_a_cookie_where_the_service_has_a_folder_on_the_file_system() {
    let temp = tempfile::tempdir().expect("a folder");
    let world = world(&temp, config(FeedChoice::Inotify));
    fs::write(world.root.join("later"), "").expect("written");
    let (found, meta) = world.finds("=later", Some(FRESH));
    assert!(found && matches!(meta.proof, Some(Proof::Cookie | Proof::Queue)), "{meta:?}");
    let left = fs::read_dir(&world.root).expect("listed").flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name()).collect();
    assert_eq!(left.len(), 2, "nothing but what the test made is in the tree: {left:?}");
}

#[test]
fn a_question_that_does_not_wait_sees_a_change_soon() {
    let temp = tempfile::tempdir().expect("a folder");
    let world = world(&temp, config(FeedChoice::Auto));
    for number in 0..20 {
        let name = format!("soon-{number}");
        fs::write(world.root.join(&name), "").expect("written");
        crate::world::until("it is found", || world.finds(&format!("={name}"), None).0);
        let (_, meta) = world.finds("=soon-0", None);
        assert!(!meta.stale && meta.proof.is_none(), "{meta:?}");
    }
}

//! Snapshots: where they are kept, under which key, and which sources have trouble with theirs.
//!
//! A snapshot is a cache, so that one which cannot be loaded is a note: its source was read instead. That none
//! can be sealed or saved is a problem: the next start reads everything again.

use super::origin;
use hearth_core::human_bytes;
use hearth_protocol::answer::Check;
use hearth_service::Config;
use hearth_service::api::{Doctor, LoadReason, ShardStatus, SnapshotMode, SnapshotPlace};

const PLACE: &str = "snapshots";

/// Place and key. Where none are kept there is no word about a key.
pub(super) fn checks(config: &Config, place: &SnapshotPlace) -> Vec<Check> {
    if !config.snapshot.enabled {
        return vec![switched_off(config)];
    }
    match place.mode {
        SnapshotMode::Off => vec![unusable()],
        SnapshotMode::ReadOnly | SnapshotMode::ReadWrite => vec![kept(place), key(place)],
    }
}

/// What sources have to tell of their snapshots, in the order of the status.
pub(super) fn of_sources(doctor: &Doctor) -> Vec<Check> {
    let folder = doctor.snapshots.folder.display().to_string();
    let of_one = |shard| [not_loaded(shard), not_saved(shard, &folder)];
    doctor.status.shards.iter().flat_map(of_one).flatten().collect()
}

fn switched_off(config: &Config) -> Check {
    let why = format!("none are kept, as set by {}", origin(config, "snapshot.enabled"));
    Check::note(PLACE, why).hint("snapshot.enabled = true keeps indexes on disk, sealed, between runs")
}

fn unusable() -> Check {
    Check::problem(PLACE, "none are kept: their folder could not be used when the daemon started")
        .hint("`hearth daemon logs` says why; mend it, then `hearth daemon restart`")
}

fn kept(place: &SnapshotPlace) -> Check {
    let detail = format!("{}, {}", place.folder.display(), human_bytes(place.bytes));
    let read_only = match place.mode {
        SnapshotMode::ReadOnly => "; only read here: the daemon that is running saves them",
        SnapshotMode::ReadWrite | SnapshotMode::Off => "",
    };
    Check::ok(PLACE, detail + read_only)
}

fn key(place: &SnapshotPlace) -> Check {
    const NAME: &str = "snapshot key";
    match &place.key {
        Ok(origin) => Check::ok(NAME, origin),
        Err(why) => Check::problem(NAME, format!("none: {why}")).hint(
            "mend it or choose another with snapshot.key_file, then `hearth daemon restart`; without a key \
             every start reads the sources again",
        ),
    }
}

fn not_loaded(shard: &ShardStatus) -> Option<Check> {
    let LoadReason { word, text, .. } = shard.load_reason.as_ref().filter(|reason| reason.unexpected)?;
    let text = if text.is_empty() { String::new() } else { format!(": {text}") };
    let check = Check::note(name(shard), format!("was not loaded, {word}{text}"));
    Some(check.hint("the source is read anew and saved again; if this comes back, look at key and disk"))
}

fn not_saved(shard: &ShardStatus, folder: &str) -> Option<Check> {
    let error = shard.last_save_error.as_ref()?;
    let check = Check::problem(name(shard), format!("was not saved: {error}"));
    Some(check.hint(format!("look for room and rights in {folder}; it is tried again by itself")))
}

fn name(shard: &ShardStatus) -> String {
    format!("snapshot {}", shard.source.name)
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use hearth_protocol::answer::State;
    use hearth_service::config::ConfigFile;

    fn place(mode: SnapshotMode) -> SnapshotPlace {
        let key = Ok("own, /s/snapshot.key".to_owned());
        SnapshotPlace { folder: "/c".into(), mode, key, bytes: 3 << 20 }
    }

    #[test]
    fn the_place_says_folder_size_and_what_is_done_with_it() {
        let check = |mode| checks(&Config::default(), &place(mode)).remove(0);
        assert_eq!(check(SnapshotMode::ReadWrite), Check::ok("snapshots", "/c, 3.0M"));
        let read = check(SnapshotMode::ReadOnly);
        assert!(read.state == State::Ok && read.detail.starts_with("/c, 3.0M; only read"), "{read:?}");
    }

    #[test]
    fn a_folder_that_cannot_be_used_is_a_problem_and_the_only_one() {
        let checks = checks(&Config::default(), &place(SnapshotMode::Off));
        let [only] = &checks[..] else { panic!("{checks:?}") };
        assert!(only.state == State::Problem && only.hint.is_some(), "{only:?}");
    }

    #[test]
    fn switched_off_is_a_note_with_its_place_and_no_word_of_a_key() {
        let file = ConfigFile { name: "c.toml", text: "[snapshot]\nenabled = false\n" };
        let config = Config::load(Some(file), &|_| None).unwrap();
        let checks = checks(&config, &place(SnapshotMode::Off));
        let [only] = &checks[..] else { panic!("{checks:?}") };
        assert_eq!((only.state, &*only.detail), (State::Note, "none are kept, as set by c.toml:2"));
    }

    #[test]
    fn a_key_says_where_it_is_from_or_why_there_is_none() {
        let mut place = place(SnapshotMode::ReadWrite);
        let check = |place: &SnapshotPlace| checks(&Config::default(), place).remove(1);
        assert_eq!(check(&place), Check::ok("snapshot key", "own, /s/snapshot.key"));
        place.key = Err("/k: there is no key file".into());
        let none = check(&place);
        assert_eq!((none.state, &*none.detail), (State::Problem, "none: /k: there is no key file"));
        assert!(none.hint.unwrap().contains("snapshot.key_file"));
    }

    #[test]
    fn only_a_load_that_surprises_is_told() {
        let load = |word, text: &str, unexpected| {
            let load_reason = Some(LoadReason { word, text: text.into(), unexpected });
            not_loaded(&ShardStatus { load_reason, ..sample::shard() })
        };
        assert_eq!(load("missing", "there is none", false), None);
        assert_eq!(not_loaded(&sample::shard()), None);
        let other = load("key-unavailable", "sealed under another key", true).unwrap();
        assert_eq!((other.state, &*other.name), (State::Note, "snapshot a"));
        assert_eq!(other.detail, "was not loaded, key-unavailable: sealed under another key");
        assert_eq!(load("parse", "", true).unwrap().detail, "was not loaded, parse");
    }

    #[test]
    fn a_save_that_failed_says_why_and_where() {
        let full = ShardStatus { last_save_error: Some("no room".into()), ..sample::shard() };
        let check = not_saved(&full, "/c").unwrap();
        assert_eq!((check.state, &*check.detail), (State::Problem, "was not saved: no room"));
        assert!(check.hint.unwrap().contains("/c"));
        assert_eq!(not_saved(&sample::shard(), "/c"), None);
    }
}

//! How good the part of an answer is that comes from one source, in numbers and words.
//!
//! With a live feed a body holds everything but what is on its way, unless the feed lost something. Without
//! one nobody can say that a body still holds everything: it is called stale once it is older than the
//! configured grace, or when the attempt to renew it failed. Its age is always told.

use crate::api::{Health, SourceMeta};
use crate::catalogue::{Known, Shard};
use crate::live::{Freshness, Waited};
use crate::run::millis;
use std::time::Duration;

/// What a part of an answer was made from.
pub(crate) struct Seen<'a> {
    /// The body, or the one that the digest speaks of; `None` = nothing was there.
    pub(crate) from: Option<&'a Known>,
    /// Why there was no answer.
    pub(crate) failure: Option<String>,
    pub(crate) freshness: &'a Freshness,
    /// What came of waiting, if that was asked for.
    pub(crate) waited: Option<&'a Waited>,
}

/// Describes what was answered from, or why there was no answer. `grace`: age up to which a body is not called stale
/// where nothing tells of changes.
pub(crate) fn describe(shard: &Shard, seen: Seen<'_>, grace: Duration) -> SourceMeta {
    let Seen { from, failure, freshness, waited } = seen;
    let age = from.map_or(Duration::ZERO, |from| age(from, freshness));
    let complete = from.is_some_and(|from| from.generation > 0);
    let why = match (failure, shard.last_error()) {
        (Some(failure), _) => Some(failure),
        (None, error) if from.is_some_and(|from| !from.compared) => Some(not_compared(age, error)),
        (None, error) if freshness.outdated.is_some() => Some(outdated(freshness, age, error)),
        (None, _) if complete && freshness.live => late(freshness),
        (None, Some(error)) => Some(format!("the last scan failed: {error}")),
        (None, None) if complete && age > grace => {
            Some(format!("scanned {} ago; no live change feed", words(age)))
        }
        (None, None) => None,
    };
    let why = why.or_else(|| waited.filter(|_| complete).and_then(in_vain));
    let proof = match waited {
        Some(Waited::Fresh(proof)) if complete && why.is_none() => Some(*proof),
        _ => None,
    };
    SourceMeta {
        source: shard.source.info.name.clone(),
        generation: from.map_or(0, |from| from.generation),
        clock: from.map_or_else(String::new, |from| shard.source.journal.clock(from.generation)),
        age_ms: millis(age),
        stale: why.is_some(),
        complete,
        proof,
        why: why.or_else(|| (!complete).then(|| incomplete(shard))).unwrap_or_default(),
    }
}

/// How long ago everything was surely in a body.
pub(crate) fn age(from: &Known, freshness: &Freshness) -> Duration {
    if freshness.live && from.compared && freshness.outdated.is_none() {
        return freshness.behind;
    }
    let verified = freshness.verified.filter(|_| from.compared);
    verified.map_or(from.began, |verified| verified.max(from.began)).elapsed()
}

fn outdated(freshness: &Freshness, age: Duration, error: Option<String>) -> String {
    let why = freshness.outdated.as_deref().unwrap_or_default();
    match error {
        Some(error) => format!("{why}, and comparing failed: {error}"),
        None => format!("{why}; it is being compared, and surely holds what is older than {}", words(age)),
    }
}

/// A feed is behind now and then; only what takes long is worth a word.
fn late(freshness: &Freshness) -> Option<String> {
    const LATE: Duration = Duration::from_secs(1);
    let behind = freshness.behind;
    (behind > LATE).then(|| format!("changes of the last {} are being taken in", words(behind)))
}

fn in_vain(waited: &Waited) -> Option<String> {
    match waited {
        Waited::Fresh(_) => None,
        Waited::Late(why) => Some(format!("what was written just before may be missing: {why}")),
        Waited::Unwatched(why) => Some(format!("what was written just before may be missing: {why}")),
    }
}

/// What was read from disk says nothing of what happened since.
fn not_compared(age: Duration, error: Option<String>) -> String {
    let read = format!("as it was on disk {} ago", words(age));
    match error {
        Some(error) => format!("{read}; it cannot be compared with the file system: {error}"),
        None => format!("{read}, not yet compared with the file system"),
    }
}

fn incomplete(shard: &Shard) -> String {
    match (shard.source.run.load().as_ref(), shard.view.health) {
        (Some(run), _) => format!("first scan under way, {} entries so far", run.entries()),
        (None, Health::Loading) => "waits for its first scan".to_owned(),
        (None, _) => "not scanned yet".to_owned(),
    }
}

/// A time span in its largest unit.
fn words(span: Duration) -> String {
    match span.as_secs() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7200 => format!("{} min", seconds / 60),
        seconds @ ..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{SourceInfo, SourceKind};

    fn shard() -> Shard {
        Shard::new(SourceInfo { id: 1, name: "a".into(), kind: SourceKind::Volume, root: b"/a".to_vec() })
    }

    fn described(shard: &Shard, failure: Option<String>) -> SourceMeta {
        let seen = Seen { from: None, failure, freshness: &Freshness::default(), waited: None };
        describe(shard, seen, Duration::from_secs(300))
    }

    #[test]
    fn nothing_there_is_incomplete_but_not_stale() {
        let meta = described(&shard(), None);
        assert_eq!((meta.generation, meta.stale, meta.complete), (0, false, false));
        assert_eq!(meta.why, "not scanned yet");
    }

    #[test]
    fn a_failed_attempt_is_the_reason() {
        let mut shard = shard();
        shard.view.last_failure = Some(hearth_residency::Failure::Build("disk on fire".into()));
        let meta = described(&shard, None);
        assert!(meta.stale && meta.why.contains("disk on fire"));
        let meta = described(&shard, Some("no room".into()));
        assert!(meta.stale && !meta.complete && meta.why == "no room");
    }

    #[test]
    fn spans_are_told_in_their_largest_unit() {
        let words = |seconds| words(Duration::from_secs(seconds));
        assert_eq!(
            [words(119), words(600), words(7200), words(200_000)],
            ["119 s", "10 min", "2 h", "2 days"]
        );
    }
}

//! How good the part of an answer is that comes from one source, in numbers and words.
//!
//! Without a live feed nobody can say that a body still holds everything. A body is called stale
//! once it is older than the configured grace, or when the attempt to renew it failed; its age is
//! always told.

use crate::api::{Health, SourceMeta};
use crate::catalogue::{Known, Shard};
use crate::run::millis;
use std::time::Duration;

/// Describes the body that was answered from (`None` = nothing was there) or why there was no answer.
pub(crate) fn describe(
    shard: &Shard,
    from: Option<&Known>,
    failure: Option<String>,
    grace: Duration,
) -> SourceMeta {
    let age = from.map_or(Duration::ZERO, |from| from.began.elapsed());
    let complete = from.is_some_and(|from| from.generation > 0);
    let why = match (failure, shard.last_error()) {
        (Some(failure), _) => Some(failure),
        (None, error) if from.is_some_and(|from| !from.compared) => Some(not_compared(age, error)),
        (None, Some(error)) => Some(format!("the last scan failed: {error}")),
        (None, None) if complete && age > grace => {
            Some(format!("scanned {} ago; no live change feed", words(age)))
        }
        (None, None) => None,
    };
    SourceMeta {
        source: shard.source.info.name.clone(),
        generation: from.map_or(0, |from| from.generation),
        clock: from.map_or_else(String::new, |from| shard.source.journal.clock(from.generation)),
        age_ms: millis(age),
        stale: why.is_some(),
        complete,
        proof: None,
        why: why.or_else(|| (!complete).then(|| incomplete(shard))).unwrap_or_default(),
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
    use crate::api::SourceInfo;

    fn shard() -> Shard {
        Shard::new(SourceInfo { id: 1, name: "a".into(), kind: "volume", root: b"/a".to_vec() })
    }

    #[test]
    fn nothing_there_is_incomplete_but_not_stale() {
        let meta = describe(&shard(), None, None, Duration::from_secs(300));
        assert_eq!((meta.generation, meta.stale, meta.complete), (0, false, false));
        assert_eq!(meta.why, "not scanned yet");
    }

    #[test]
    fn a_failed_attempt_is_the_reason() {
        let mut shard = shard();
        shard.view.last_failure = Some(hearth_residency::Failure::Build("disk on fire".into()));
        let meta = describe(&shard, None, None, Duration::from_secs(300));
        assert!(meta.stale && meta.why.contains("disk on fire"));
        let meta = describe(&shard, None, Some("no room".into()), Duration::from_secs(300));
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

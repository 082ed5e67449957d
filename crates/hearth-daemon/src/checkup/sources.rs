//! Sources: what the daemon may read, how many there are, and which are in trouble.
//!
//! The words for trouble, and what to do about it, are those of the error that a question would be told: this
//! report and a failed search never disagree.

use hearth_protocol::answer::Check;
use hearth_service::api::{Doctor, Health, ShardStatus, SourceFailure, Tier};
use std::time::{SystemTime, UNIX_EPOCH};

pub(super) fn checks(doctor: &Doctor) -> Vec<Check> {
    let shards = &doctor.status.shards;
    let mut checks = vec![privileges(rustix::process::geteuid().as_raw(), shards), registered(shards)];
    let now_ns = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let now_ns = i64::try_from(now_ns).unwrap_or(i64::MAX);
    checks.extend(doctor.failures.iter().map(|failure| failed(failure, now_ns)));
    checks
}

fn privileges(uid: u32, shards: &[ShardStatus]) -> Check {
    const NAME: &str = "scan privileges";
    let who = if uid == 0 { "root".to_owned() } else { format!("user {uid}") };
    let denied: Vec<String> = shards.iter().filter_map(denied).collect();
    if denied.is_empty() {
        return Check::ok(NAME, format!("{who}; no folder was closed to it in the last scans"));
    }
    let check = Check::note(NAME, format!("{who}; closed to it in the last scans: {}", denied.join(", ")));
    let hint = if uid == 0 {
        "`hearth status` names some of them"
    } else {
        "a daemon of root reads everything; `hearth status` names some of them"
    };
    check.hint(hint)
}

fn denied(shard: &ShardStatus) -> Option<String> {
    let denied = shard.last_scan.as_ref()?.denied;
    (denied > 0).then(|| format!("{denied} in {}", shard.source.name))
}

fn registered(shards: &[ShardStatus]) -> Check {
    const NAME: &str = "sources";
    if shards.is_empty() {
        return Check::note(NAME, "none").hint("`hearth add PATH` adds one");
    }
    let count = |is: &dyn Fn(&ShardStatus) -> bool| shards.iter().filter(|shard| is(shard)).count();
    let in_memory = count(&|shard| matches!(shard.tier, Tier::Warm | Tier::Hot));
    let read = count(&|shard| matches!(shard.health, Health::Loading | Health::Rebuilding));
    Check::ok(NAME, format!("{}, {in_memory} in memory, {read} being read", shards.len()))
}

fn failed(failure: &SourceFailure, now_ns: i64) -> Check {
    let next = failure.next_retry_ns.map(|at| {
        let seconds = at.saturating_sub(now_ns).max(0) / 1_000_000_000;
        format!("; tried again in {seconds} s")
    });
    let detail = format!("{}{}", failure.error, next.unwrap_or_default());
    let check = Check::problem(format!("source {}", failure.source), detail);
    match failure.error.hint() {
        Some(hint) => check.hint(hint),
        None => check,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use hearth_protocol::answer::State;
    use hearth_service::ServiceError;
    use hearth_service::api::ScanOutcome;

    fn shard(tier: Tier, health: Health, denied: u64) -> ShardStatus {
        let last_scan = Some(ScanOutcome { denied, ..sample::scan() });
        ShardStatus { tier, health, last_scan, ..sample::shard() }
    }

    #[test]
    fn closed_folders_are_told_with_their_source() {
        let fresh = |denied| [shard(Tier::Warm, Health::Fresh, denied)];
        assert_eq!(privileges(1000, &fresh(0)).state, State::Ok);
        let closed = privileges(1000, &fresh(7));
        assert!(closed.state == State::Note && closed.detail.ends_with("7 in a"), "{closed:?}");
        assert!(closed.hint.unwrap().contains("root"));
        assert!(!privileges(0, &fresh(7)).hint.unwrap().contains("root"));
    }

    #[test]
    fn sources_are_counted_by_what_they_are() {
        let shards = [
            shard(Tier::Hot, Health::Rebuilding, 0),
            shard(Tier::Parked, Health::Empty, 0),
            shard(Tier::Cold, Health::Loading, 0),
        ];
        assert_eq!(registered(&shards), Check::ok("sources", "3, 1 in memory, 2 being read"));
        assert_eq!(registered(&[]).state, State::Note);
    }

    #[test]
    fn a_failure_says_why_when_and_what_to_do() {
        let build = ServiceError::BuildFailed {
            source_name: "a".into(),
            reason: "no disk".into(),
            retry_in_ms: Some(5000),
        };
        let failure = SourceFailure { source: "a".into(), error: build, next_retry_ns: Some(5_000_000_007) };
        let check = failed(&failure, 7);
        assert_eq!((check.state, check.name.as_str()), (State::Problem, "source a"));
        assert_eq!(check.detail, "a could not be indexed: no disk; tried again in 5 s");
        assert!(check.hint.unwrap().contains("hearth refresh a"));
        let failure = SourceFailure { next_retry_ns: None, ..failure };
        assert!(!failed(&failure, 7).detail.contains("again in"));
    }

    #[test]
    fn a_source_over_the_budget_is_told_what_would_make_room() {
        let over = ServiceError::OverBudget {
            source_name: "big".into(),
            needed_bytes: 9 << 20,
            budget_bytes: 5 << 20,
            held_bytes: 4 << 20,
            pinned_bytes: 0,
            largest: Vec::new(),
        };
        let check = failed(&SourceFailure { source: "big".into(), error: over, next_retry_ns: None }, 0);
        assert!(check.detail.contains("memory budget") && check.hint.unwrap().contains("memory.budget"));
    }
}

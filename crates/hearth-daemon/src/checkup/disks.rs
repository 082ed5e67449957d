//! NTFS volumes whose whole file table is read at every change, because no journal says what changed.
//!
//! That is right, and slow on a large volume; one such reading alone is worth no word.

use hearth_protocol::answer::Check;
use hearth_service::api::{DiskStatus, ShardStatus};

pub(super) fn checks(shards: &[ShardStatus]) -> Vec<Check> {
    let again = |shard: &&ShardStatus| shard.rebuilds_total > 0;
    shards.iter().filter(again).filter_map(|shard| judge(&shard.source.name, shard.disk.as_ref()?)).collect()
}

fn judge(name: &str, disk: &DiskStatus) -> Option<Check> {
    let reason = disk.reason.as_ref()?;
    let hint = match reason.word {
        "journal_absent" => "on Windows `fsutil usn createjournal` begins a journal",
        "journal_wrapped" => "on Windows `fsutil usn createjournal` with a larger `m=` keeps more of it",
        "unjournaled" => {
            "drivers of Linux keep no journal: what they write costs a reading of the file table"
        }
        _ => return None,
    };
    let detail = format!("the whole file table is read again when something changes: {}", reason.text);
    Some(Check::note(format!("disk {name}"), detail).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use hearth_protocol::answer::State;
    use hearth_service::api::LoadReason;

    fn shard(word: &'static str, rebuilds_total: u64) -> ShardStatus {
        let reason = LoadReason { word, text: "so it is".into(), unexpected: false };
        let disk = DiskStatus {
            how: "read",
            reason: Some(reason),
            at_ns: 0,
            records: 9,
            files: 9,
            changed: 0,
            took_ms: 1,
        };
        ShardStatus { disk: Some(disk), rebuilds_total, ..sample::shard() }
    }

    #[test]
    fn a_volume_without_a_journal_is_told_once_it_was_read_again() {
        let [check] = &checks(&[shard("journal_absent", 1)])[..] else { panic!("one check") };
        assert_eq!((check.state, check.name.as_str()), (State::Note, "disk a"));
        assert!(check.detail.ends_with(": so it is") && check.hint.is_some(), "{check:?}");
        assert!(checks(&[shard("journal_absent", 0)]).is_empty(), "the first reading is not worth a word");
        assert!(checks(&[shard("asked", 5), sample::shard()]).is_empty());
    }
}

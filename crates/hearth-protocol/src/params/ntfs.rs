//! Parameters of the methods that look into NTFS disks: `ntfs_info`, `ntfs_record`, `ntfs_journal`.
//!
//! A disk is named by its absolute path (`PATH#NUMBER` for one of its partitions), or by the name of the source that it
//! is registered as. Paths of files are those in the volume, whose root is `/`.

use crate::bytes::{B64, from_twins, to_twins};
use crate::error::RpcError;
use serde::{Deserialize, Serialize};

/// `ntfs_info`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NtfsInfoParams {
    /// The disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<String>,
    /// The same, not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_b64: Option<B64>,
    /// Most time the request may take, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// `ntfs_record`: `record` or `file`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NtfsRecordParams {
    /// The disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<String>,
    /// The same, not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_b64: Option<B64>,
    /// Number of the record: `41`, `0x29`, or with the sequence that it should have `41-2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// Path in the volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The same, not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_b64: Option<B64>,
    /// Most time the request may take, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// `ntfs_journal`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NtfsJournalParams {
    /// The disk, or a file that holds the records of a journal alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<String>,
    /// The same, not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_b64: Option<B64>,
    /// From this USN on; absent = from the first that is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Only what happened to this path in the volume or below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below: Option<String>,
    /// The same, not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below_b64: Option<B64>,
    /// Most rows; absent = all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
    /// Most time the request may take, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

twin_access! { NtfsInfoParams: set_disk, disk_bytes, disk, disk_b64, "disk"; }
twin_access! { NtfsRecordParams:
    set_disk, disk_bytes, disk, disk_b64, "disk";
    set_file, file_bytes, file, file_b64, "file";
}
twin_access! { NtfsJournalParams:
    set_disk, disk_bytes, disk, disk_b64, "disk";
    set_below, below_bytes, below, below_b64, "below";
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_said_is_nothing_sent() {
        assert_eq!(serde_json::to_string(&NtfsInfoParams::default()).unwrap(), "{}");
        assert_eq!(serde_json::to_string(&NtfsRecordParams::default()).unwrap(), "{}");
        assert_eq!(serde_json::to_string(&NtfsJournalParams::default()).unwrap(), "{}");
        let refused = serde_json::from_str::<NtfsJournalParams>(r#"{"until":3}"#).unwrap_err().to_string();
        assert!(refused.contains("`until`"), "{refused}");
    }

    proptest! {
        #[test]
        fn paths_of_any_bytes_round_trip(
            disk in proptest::collection::vec(any::<u8>(), 0..12),
            inner in proptest::collection::vec(any::<u8>(), 0..12),
        ) {
            let mut journal = NtfsJournalParams { since: Some(8), ..Default::default() };
            journal.set_disk(disk.clone());
            journal.set_below(inner.clone());
            let back: NtfsJournalParams = serde_json::from_str(&serde_json::to_string(&journal).unwrap()).unwrap();
            prop_assert_eq!(back.disk_bytes().unwrap().unwrap(), &disk[..]);
            prop_assert_eq!(back.below_bytes().unwrap().unwrap(), &inner[..]);
            let mut record = NtfsRecordParams::default();
            record.set_disk(disk);
            record.set_file(inner);
            let back: NtfsRecordParams = serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
            prop_assert_eq!(back, record);
        }
    }
}

//! The answer of `rotate_key`: the new machine key, and what opens with it.
//!
//! It names the key's file and never holds the key.

use crate::bytes::{KeyFileField, V1};
use serde::{Deserialize, Serialize};

/// Result of `rotate_key`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename = "key_rotation")]
pub struct KeyRotation {
    /// Always 1.
    pub v: V1,
    /// The file that holds the new key.
    #[serde(flatten)]
    pub key_file: KeyFileField,
    /// Names of the sources whose snapshots open with it.
    pub resealed: Vec<String>,
    /// Sources whose snapshots do not: they are made anew.
    pub left_out: Vec<LeftOut>,
}

/// A source whose snapshot was not sealed anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The source.
    pub source: String,
    /// Why, in words.
    pub why: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_rotation_names_the_file_and_both_kinds_of_sources() {
        let rotation = KeyRotation {
            v: V1,
            key_file: KeyFileField(b"/s/snapshot.key".to_vec()),
            resealed: vec!["home".into()],
            left_out: vec![LeftOut { source: "srv".into(), why: "no disk".into() }],
        };
        let expect = r#"{"type":"key_rotation","v":1,"key_file":"/s/snapshot.key","resealed":["home"],"left_out":[{"source":"srv","why":"no disk"}]}"#;
        assert_eq!(serde_json::to_string(&rotation).unwrap(), expect);
    }

    proptest! {
        #[test]
        fn rotations_survive_the_wire(
            file in proptest::collection::vec(any::<u8>(), 0..12),
            resealed in proptest::collection::vec(".{0,8}", 0..3),
            left_out in proptest::collection::vec((".{0,8}", ".{0,8}"), 0..3),
        ) {
            let left_out = left_out.into_iter().map(|(source, why)| LeftOut { source, why }).collect();
            let rotation = KeyRotation { v: V1, key_file: KeyFileField(file), resealed, left_out };
            let text = serde_json::to_string(&rotation).unwrap();
            prop_assert_eq!(serde_json::from_str::<KeyRotation>(&text).unwrap(), rotation);
        }
    }
}

//! Byte strings as JSON: text where they are UTF-8, else base64 under the twin name `…_b64`.
//!
//! [`B64`] is the base64 side alone. [`PathField`] and its siblings are both twins as one field,
//! to be flattened into an answer. Parameters spell out their twins instead, because serde cannot
//! refuse unknown fields beside a flattened one.

use crate::base64;
use crate::error::RpcError;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// Bytes that travel as a base64 string.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct B64(pub Vec<u8>);

impl Serialize for B64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64::encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for B64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        base64::decode(&text).map(B64).map_err(D::Error::custom)
    }
}

/// The constant field `"v": 1` of every object of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct V1;

impl Serialize for V1 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(1)
    }
}

impl<'de> Deserialize<'de> for V1 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u64::deserialize(deserializer)? {
            1 => Ok(V1),
            other => Err(D::Error::custom(format_args!("version {other} of this object is not known"))),
        }
    }
}

macro_rules! twin {
    ($(#[$doc:meta])* $name:ident, $text:literal, $b64:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name(pub Vec<u8>);

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(Some(1))?;
                match std::str::from_utf8(&self.0) {
                    Ok(text) => map.serialize_entry($text, text)?,
                    Err(_) => map.serialize_entry($b64, &base64::encode(&self.0))?,
                }
                map.end()
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                struct Twins {
                    #[serde(rename = $text, default)]
                    text: Option<String>,
                    #[serde(rename = $b64, default)]
                    b64: Option<B64>,
                }
                let twins = Twins::deserialize(deserializer)?;
                match (twins.text, twins.b64) {
                    (Some(text), None) => Ok($name(text.into_bytes())),
                    (None, Some(B64(bytes))) => Ok($name(bytes)),
                    (None, None) => Err(D::Error::missing_field($text)),
                    (Some(_), Some(_)) => Err(D::Error::duplicate_field($text)),
                }
            }
        }
    };
}

twin! {
    /// A path: `path`, or `path_b64` where it is not UTF-8.
    PathField, "path", "path_b64"
}
twin! {
    /// The root of a source: `root`, or `root_b64` where it is not UTF-8.
    RootField, "root", "root_b64"
}
twin! {
    /// The key of a group: `key`, or `key_b64` where it is not UTF-8.
    KeyField, "key", "key_b64"
}
twin! {
    /// The path before: `from`, or `from_b64` where it is not UTF-8.
    FromField, "from", "from_b64"
}
twin! {
    /// The file of the machine key: `key_file`, or `key_file_b64` where its path is not UTF-8.
    KeyFileField, "key_file", "key_file_b64"
}

twin! {
    /// A name without its path: `name`, or `name_b64` where it is not UTF-8.
    NameField, "name", "name_b64"
}
twin! {
    /// The label of a volume: `label`, or `label_b64` where it is not UTF-8.
    LabelField, "label", "label_b64"
}
twin! {
    /// A text of no certain kind: `text`, or `text_b64` where it is not UTF-8.
    TextField, "text", "text_b64"
}

/// Splits bytes into the pair of twin parameters: exactly one is `Some`.
pub(crate) fn to_twins(bytes: Vec<u8>) -> (Option<String>, Option<B64>) {
    match String::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(not_text) => (None, Some(B64(not_text.into_bytes()))),
    }
}

/// The value of a pair of twin parameters; both at once is an error.
pub(crate) fn from_twins(
    name: &str,
    text: Option<&String>,
    b64: Option<&B64>,
) -> Result<Option<Vec<u8>>, RpcError> {
    match (text, b64) {
        (Some(_), Some(_)) => {
            Err(RpcError::invalid_params(format!("give `{name}` or `{name}_b64`, not both")))
        }
        (Some(text), None) => Ok(Some(text.clone().into_bytes())),
        (None, Some(B64(bytes))) => Ok(Some(bytes.clone())),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Row {
        #[serde(flatten)]
        path: PathField,
        size: u64,
    }

    fn json(path: &[u8]) -> String {
        serde_json::to_string(&Row { path: PathField(path.to_vec()), size: 7 }).unwrap()
    }

    #[test]
    fn text_stays_readable_and_bytes_survive() {
        assert_eq!(json(b"/a/\xc3\xa9"), r#"{"path":"/a/é","size":7}"#);
        assert_eq!(json(b"/a/\xff"), r#"{"path_b64":"L2Ev/w==","size":7}"#);
    }

    #[test]
    fn both_twins_at_once_are_refused() {
        let both = r#"{"path":"/a","path_b64":"L2E=","size":7}"#;
        assert!(serde_json::from_str::<Row>(both).is_err());
        assert!(serde_json::from_str::<Row>(r#"{"size":7}"#).is_err());
        let error = from_twins("path", Some(&String::new()), Some(&B64::default())).unwrap_err();
        assert_eq!(error.message, "give `path` or `path_b64`, not both");
    }

    #[test]
    fn only_version_one_is_read() {
        assert_eq!(serde_json::from_str::<V1>("1").unwrap(), V1);
        assert!(serde_json::from_str::<V1>("2").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_round_trip(path in proptest::collection::vec(any::<u8>(), 0..60)) {
            let row = Row { path: PathField(path.clone()), size: 1 };
            let text = serde_json::to_string(&row).unwrap();
            prop_assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), row);
            let (text, b64) = to_twins(path.clone());
            prop_assert_eq!(from_twins("path", text.as_ref(), b64.as_ref()).unwrap(), Some(path));
        }
    }
}

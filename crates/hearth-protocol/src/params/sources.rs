//! Parameters of the methods that look after sources: which there are, and which are in memory.
//!
//! A source is named by its name or by its root. Where a method takes several of them, an empty list
//! means all.

use super::is_default;
use crate::bytes::{B64, from_twins, to_twins};
use crate::error::RpcError;
use serde::{Deserialize, Serialize};

/// Kind of a source to register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// A mounted file system or a subtree of one.
    Volume,
    /// An NTFS disk, or an image of one.
    Ntfs,
}

/// `add`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AddParams {
    /// Root of the source; of a disk with several NTFS volumes `PATH#NUMBER` for one of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The same, not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_b64: Option<B64>,
    /// Name of the source; absent = chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Kind of source; absent = chosen by what is there.
    #[serde(rename = "as", skip_serializing_if = "Option::is_none")]
    pub kind: Option<SourceKind>,
    /// Reply only when the first scan is over.
    #[serde(skip_serializing_if = "is_default")]
    pub wait: bool,
    /// Most time the request may take, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// `forget`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ForgetParams {
    /// Name or root of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The same, not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_b64: Option<B64>,
    /// Also if it is in memory.
    #[serde(skip_serializing_if = "is_default")]
    pub force: bool,
}

/// `preload`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PreloadParams {
    /// Names or roots of sources; empty = all.
    #[serde(skip_serializing_if = "is_default")]
    pub sources: Vec<String>,
    /// More of them, not UTF-8.
    #[serde(skip_serializing_if = "is_default")]
    pub sources_b64: Vec<B64>,
    /// Keep them in memory for so long, minutes; absent = only bring them there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin_minutes: Option<u64>,
    /// Most time the request may take, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// `pin`, `unpin`, `hibernate`, `refresh`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourcesParams {
    /// Names or roots of sources; empty = all (`pin`: an error).
    #[serde(skip_serializing_if = "is_default")]
    pub sources: Vec<String>,
    /// More of them, not UTF-8.
    #[serde(skip_serializing_if = "is_default")]
    pub sources_b64: Vec<B64>,
    /// Most time the request may take, milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

macro_rules! sources_access {
    ($($owner:ident)*) => {$(
        impl $owner {
            /// Adds a name or a root to `sources`.
            pub fn add_source(&mut self, name_or_root: Vec<u8>) {
                match to_twins(name_or_root) {
                    (Some(text), _) => self.sources.push(text),
                    (None, b64) => self.sources_b64.extend(b64),
                }
            }

            /// The names and roots of `sources`, as bytes.
            pub fn sources_bytes(&self) -> Vec<Vec<u8>> {
                let text = self.sources.iter().map(|source| source.clone().into_bytes());
                text.chain(self.sources_b64.iter().map(|source| source.0.clone())).collect()
            }
        }
    )*};
}

twin_access! { AddParams: set_path, path_bytes, path, path_b64, "path"; }
twin_access! { ForgetParams: set_source, source_bytes, source, source_b64, "source"; }
sources_access! { PreloadParams SourcesParams }

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::de::DeserializeOwned;

    fn survives<T: Serialize + DeserializeOwned>(params: &T) -> T {
        serde_json::from_str(&serde_json::to_string(params).unwrap()).unwrap()
    }

    #[test]
    fn nothing_said_is_nothing_sent() {
        assert_eq!(serde_json::to_string(&PreloadParams::default()).unwrap(), "{}");
        assert_eq!(serde_json::to_string(&SourcesParams::default()).unwrap(), "{}");
        assert_eq!(serde_json::to_string(&ForgetParams::default()).unwrap(), "{}");
        assert_eq!(serde_json::from_str::<SourcesParams>("{}").unwrap(), SourcesParams::default());
    }

    #[test]
    fn an_option_of_another_method_is_refused() {
        let refused = |text: &str| serde_json::from_str::<SourcesParams>(text).unwrap_err().to_string();
        assert!(refused(r#"{"sources":["a"],"pin_minutes":3}"#).contains("`pin_minutes`"));
        assert!(refused(r#"{"source":"a"}"#).contains("`source`"));
    }

    proptest! {
        #[test]
        fn names_and_roots_of_any_bytes_round_trip(
            sources in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..12), 0..6),
            pin_minutes in proptest::option::of(any::<u64>()),
        ) {
            let mut params = PreloadParams { pin_minutes, ..Default::default() };
            sources.iter().for_each(|source| params.add_source(source.clone()));
            let back = survives(&params);
            prop_assert_eq!(&back, &params);
            let (mut given, mut read) = (sources, back.sources_bytes());
            given.sort();
            read.sort();
            prop_assert_eq!(read, given);
        }

        #[test]
        fn a_forced_forget_stays_forced(source in proptest::collection::vec(any::<u8>(), 0..12), force: bool) {
            let mut params = ForgetParams { force, ..Default::default() };
            params.set_source(source.clone());
            let back = survives(&params);
            prop_assert_eq!(back.source_bytes().unwrap(), Some(source));
            prop_assert_eq!(back.force, force);
        }
    }
}

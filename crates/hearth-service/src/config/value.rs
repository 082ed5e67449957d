//! Values of the configuration, from TOML or from the environment, and their conversions.
//!
//! The file's values have a type; the environment's are loose text that each key reads as what it
//! expects. Conversions say what they wanted in words that can stand in an error as they are.

use super::{ConfigError, ConfigFile, Origin};
use std::path::PathBuf;
use toml::de::{DeTable, DeValue};

/// A value before a key has made sense of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// Text of the file.
    Text(String),
    /// Whole number of the file.
    Integer(i128),
    /// True or false of the file.
    Truth(bool),
    /// List of texts of the file.
    List(Vec<String>),
    /// Anything else of the file, by the name of its type.
    Other(&'static str),
    /// Value of an environment variable.
    Loose(String),
}

/// One key of a file with its place.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) key: String,
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// Keys of a file with their dotted names, in the order of the lines.
pub(super) fn flatten(file: ConfigFile<'_>) -> Result<Vec<Item>, ConfigError> {
    let table = DeTable::parse(file.text).map_err(|error| ConfigError {
        origin: file.at(error.span().map_or(0, |span| span.start)),
        key: None,
        message: error.message().to_owned(),
    })?;
    let mut items = Vec::new();
    collect(file, table.get_ref(), "", &mut items);
    items.sort_by_key(|(at, _)| *at);
    Ok(items.into_iter().map(|(_, item)| item).collect())
}

impl ConfigFile<'_> {
    /// Origin of a byte of the file.
    fn at(&self, byte: usize) -> Origin {
        let before = &self.text.as_bytes()[..byte.min(self.text.len())];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Origin::File { name: self.name.to_owned(), line }
    }
}

fn collect(file: ConfigFile<'_>, table: &DeTable<'_>, prefix: &str, items: &mut Vec<(usize, Item)>) {
    for (key, value) in table {
        let name = format!("{prefix}{}", key.get_ref());
        // Only sections are tables; a deeper table is shown to be wrong as the value of its key.
        if let (DeValue::Table(inner), true) = (value.get_ref(), prefix.is_empty()) {
            collect(file, inner, &format!("{name}."), items);
            continue;
        }
        let at = key.span().start;
        items.push((at, Item { key: name, value: Value::from_toml(value.get_ref()), origin: file.at(at) }));
    }
}

impl Value {
    fn from_toml(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
                .map_or(Value::Other("number"), Value::Integer),
            DeValue::Boolean(truth) => Value::Truth(*truth),
            DeValue::Array(array) => {
                let texts = array.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
                texts.collect::<Option<_>>().map_or(Value::Other("list of other things"), Value::List)
            }
            other => Value::Other(other.type_str()),
        }
    }

    /// A whole number from `least` to `most`.
    pub(super) fn number(&self, least: u64, most: u64) -> Result<u64, String> {
        let number = match self {
            Value::Integer(number) => Some(*number),
            Value::Loose(text) => text.trim().parse().ok(),
            _ => None,
        };
        let number = number.and_then(|number| u64::try_from(number).ok());
        number
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| format!("expected a whole number from {least} to {most}, found {self}"))
    }

    /// Bytes: a number, or text with a unit (`64gb`; units are powers of 1024).
    pub(super) fn bytes(&self) -> Result<u64, String> {
        let bytes = match self {
            Value::Integer(number) => u64::try_from(*number).ok(),
            Value::Text(text) | Value::Loose(text) => parse_bytes(text.trim()),
            _ => None,
        };
        bytes.ok_or_else(|| format!("expected a number of bytes such as 1048576 or \"64gb\", found {self}"))
    }

    /// True or false.
    pub(super) fn truth(&self) -> Result<bool, String> {
        let truth = match self {
            Value::Truth(truth) => Some(*truth),
            Value::Loose(text) => text.trim().parse().ok(),
            _ => None,
        };
        truth.ok_or_else(|| format!("expected true or false, found {self}"))
    }

    /// Bytes of at least `least`, or nothing for the word `auto`.
    pub(super) fn bytes_or_auto(&self, least: u64) -> Result<Option<u64>, String> {
        if self.word(&[("auto", ())]).is_ok() {
            return Ok(None);
        }
        let enough = self.bytes().ok().filter(|bytes| *bytes >= least);
        enough.map(Some).ok_or_else(|| {
            format!("expected \"auto\" or a number of bytes such as \"2gb\", at least {least}, found {self}")
        })
    }

    /// A whole number from `least` to `most`, or nothing for the word `auto`.
    pub(super) fn number_or_auto(&self, least: u64, most: u64) -> Result<Option<u64>, String> {
        if self.word(&[("auto", ())]).is_ok() {
            return Ok(None);
        }
        self.number(least, most)
            .map(Some)
            .map_err(|wrong| wrong.replacen("expected", "expected \"auto\" or", 1))
    }

    /// An absolute path, or nothing for the empty text.
    pub(super) fn absolute_path(&self) -> Result<Option<PathBuf>, String> {
        let path = match self {
            Value::Text(text) | Value::Loose(text) if text.is_empty() => return Ok(None),
            Value::Text(text) | Value::Loose(text) => Some(PathBuf::from(text)),
            _ => None,
        };
        let path = path.filter(|path| path.is_absolute());
        path.map(Some).ok_or_else(|| format!("expected an absolute path, or \"\" for none, found {self}"))
    }

    /// One of the given words.
    pub(super) fn word<T: Copy>(&self, words: &[(&'static str, T)]) -> Result<T, String> {
        let text = match self {
            Value::Text(text) | Value::Loose(text) => text.trim(),
            _ => "",
        };
        let known = words.iter().find(|(word, _)| *word == text);
        known.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            format!("expected one of {}, found {self}", words.join(", "))
        })
    }

    /// A list of texts; from the environment either separated by commas or as a TOML list.
    pub(super) fn list(&self) -> Result<Vec<String>, String> {
        match self {
            Value::List(list) => Ok(list.clone()),
            Value::Loose(text) if text.trim_start().starts_with('[') => loose_list(text.trim()),
            Value::Loose(text) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Ok(items.map(str::to_owned).collect())
            }
            other => Err(format!("expected a list of texts, found {other}")),
        }
    }
}

fn loose_list(text: &str) -> Result<Vec<String>, String> {
    let list = DeValue::parse(text).map_err(|error| error.message().to_owned())?;
    match Value::from_toml(list.get_ref()) {
        Value::List(list) => Ok(list),
        other => Err(format!("expected a list of texts, found {other}")),
    }
}

fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        "t" | "tb" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Text(text) | Value::Loose(text) => write!(f, "{text:?}"),
            Value::Integer(number) => write!(f, "{number}"),
            Value::Truth(truth) => write!(f, "{truth}"),
            Value::List(_) => f.write_str("a list"),
            Value::Other(what) => write!(f, "a {what}"),
        }
    }
}

//! Sort keys as text: `size:desc,name`.
//!
//! A language of its own beside the query, with the same errors: each points at a byte of the text. No
//! key is given twice; what all keys leave equal is ordered by path, which is the engine's business.

use super::QueryError;
use super::ast::{SortField, SortKey};
use super::keys::nearest;

const FIELDS: [(&str, SortField); 13] = [
    ("name", SortField::Name),
    ("path", SortField::Path),
    ("size", SortField::Size),
    ("allocated", SortField::Allocated),
    ("modified", SortField::Modified),
    ("created", SortField::Created),
    ("accessed", SortField::Accessed),
    ("ext", SortField::Ext),
    ("type", SortField::Type),
    ("depth", SortField::Depth),
    ("treesize", SortField::TreeSize),
    ("descendants", SortField::Descendants),
    ("owner", SortField::Owner),
];

/// Parses sort keys separated by commas, each with an optional `:asc` (the default) or `:desc`.
/// Empty text has no keys.
///
/// # Errors
/// An unknown key or direction, a key given twice, a comma without a key; positions are bytes of `text`.
pub fn parse_sort(text: &str) -> Result<Vec<SortKey>, QueryError> {
    let mut keys: Vec<SortKey> = Vec::new();
    if text.trim().is_empty() {
        return Ok(keys);
    }
    let mut start = 0;
    for item in text.split(',') {
        let lead = item.len() - item.trim_start().len();
        let key = one_key(item.trim(), start + lead)?;
        if keys.iter().any(|other| other.field == key.field) {
            let message = format!("`{}` is there already", item.trim());
            return Err(QueryError::new(start + lead, message, "each sort key once"));
        }
        keys.push(key);
        start += item.len() + 1;
    }
    Ok(keys)
}

fn one_key(item: &str, position: usize) -> Result<SortKey, QueryError> {
    let (name, direction) = item.split_once(':').map_or((item, None), |(name, rest)| (name, Some(rest)));
    let field = FIELDS.iter().find(|(word, _)| *word == name).map(|(_, field)| *field);
    let field = field.ok_or_else(|| unknown(name, position))?;
    let descending = match direction {
        None | Some("asc") => false,
        Some("desc") => true,
        Some(other) => {
            let message = format!("there is no direction `{other}`");
            return Err(QueryError::new(position + name.len() + 1, message, "asc or desc"));
        }
    };
    Ok(SortKey { field, descending })
}

fn unknown(name: &str, position: usize) -> QueryError {
    let near = nearest(name, FIELDS.iter().map(|(word, _)| *word));
    let all: Vec<&str> = FIELDS.iter().map(|(word, _)| *word).collect();
    let expected = if near.is_empty() { format!("one of {}", all.join(", ")) } else { near.join(" or ") };
    let message = if name.is_empty() {
        "a sort key is missing".into()
    } else {
        format!("there is no sort key `{name}`")
    };
    QueryError::new(position, message, expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_directions() {
        let key = |field, descending| SortKey { field, descending };
        assert_eq!(parse_sort(""), Ok(vec![]));
        assert_eq!(
            parse_sort("size:desc, name,path:asc"),
            Ok(vec![key(SortField::Size, true), key(SortField::Name, false), key(SortField::Path, false)])
        );
        for (word, field) in FIELDS {
            assert_eq!(parse_sort(word), Ok(vec![key(field, false)]));
        }
    }

    #[test]
    fn errors_point_at_the_key() {
        for (text, position) in [
            ("size,", 5),
            ("size,,name", 5),
            ("nmae", 0),
            ("name,size:down", 10),
            ("size, size:desc", 6),
            ("é", 0),
        ] {
            assert_eq!(parse_sort(text).map_err(|error| error.position), Err(position), "{text}");
        }
        assert_eq!(parse_sort("nam").expect_err("unknown").expected, "name");
    }
}

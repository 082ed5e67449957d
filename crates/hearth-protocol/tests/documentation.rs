//! The page of the protocol names everything that a client can meet.

use hearth_protocol::{Code, method, params::Topic};

const PAGE: &str = include_str!("../../../docs/protocol.md");

/// Rows of the page's tables whose first cell holds `word` as code.
fn rows(word: &str) -> usize {
    let code = format!("`{word}`");
    PAGE.lines()
        .filter(|line| line.starts_with('|') && line.split('|').nth(1).unwrap().contains(&code))
        .count()
}

#[test]
fn every_method_has_its_row() {
    for method in method::ALL {
        assert!(rows(method) >= 1, "no row for `{method}`");
    }
}

#[test]
fn every_notification_has_its_row() {
    for name in [method::ROWS, method::PROGRESS, method::TRANSITION, method::WATCH, method::REQUEST_PROGRESS]
    {
        assert!(rows(name) >= 1, "no row for `{name}`");
    }
}

#[test]
fn every_code_has_its_row() {
    for code in Code::ALL {
        let begin = format!("| −{} | `{}` |", code.number().unsigned_abs(), code.kind());
        assert!(PAGE.lines().any(|line| line.starts_with(&begin)), "no row begins with {begin}");
    }
}

#[test]
fn every_topic_is_named() {
    for topic in [Topic::Progress, Topic::Transitions, Topic::Watch] {
        let word = serde_json::to_string(&topic).unwrap();
        assert!(PAGE.contains(&word), "{word}");
    }
}

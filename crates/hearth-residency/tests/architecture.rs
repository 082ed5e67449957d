//! The tables of moves stand in the architecture page as they are in the code.
//!
//! With `HEARTH_UPDATE_DOCS=1` in the environment the page is written instead of compared.

use hearth_residency::{HEALTH_MOVES, Health, Moves, Reason, TIER_MOVES, Tier};
use std::fs;
use std::path::Path;

const BEGIN: &str = "<!-- moves: written by a test of hearth-residency -->\n";
const END: &str = "<!-- end of moves -->\n";

fn table<S: Copy>(title: &str, moves: &[Moves<S>], word: fn(S) -> &'static str) -> String {
    let mut text = format!("| {title} from | to | by |\n|---|---|---|\n");
    for row in moves {
        let from: Vec<&str> = row.from.iter().map(|state| word(*state)).collect();
        let reasons: Vec<&str> = row.reasons.iter().map(|reason| Reason::as_str(*reason)).collect();
        text.push_str(&format!("| {} | {} | {} |\n", from.join(", "), word(row.to), reasons.join(", ")));
    }
    text
}

#[test]
fn the_architecture_page_shows_every_move() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ARCHITECTURE.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has a place for the moves");
    let (shown, after) = rest.split_once(END).expect("the place has an end");
    let tables = format!(
        "\n{}\n{}\n",
        table("tier", TIER_MOVES, Tier::as_str),
        table("health", HEALTH_MOVES, Health::as_str)
    );
    if std::env::var_os("HEARTH_UPDATE_DOCS").is_some() {
        fs::write(&path, [before, BEGIN, &tables, END, after].concat()).unwrap();
        return;
    }
    assert_eq!(shown, tables, "run this test with HEARTH_UPDATE_DOCS=1");
}

//! What the command-line program links: it starts on every search, so it stays small.

use crate::repo::cargo;
use crate::{Problem, assert_tidy};

/// Crates that must not be linked into the command-line program, and why.
const TOO_HEAVY: &[(&str, &str)] = &[
    ("tokio", "the client is synchronous"),
    ("hearth-files", "index code lives in the daemon"),
    ("hearth-service", "operations run in the daemon"),
    ("rayon", "there is no index work in the client"),
    ("regex-automata", "queries are parsed in the daemon"),
];

/// Problems of a dependency tree as `cargo tree --prefix none` prints it: one crate a line.
fn problems(tree: &str) -> Vec<Problem> {
    let linked = |krate: &str| tree.lines().any(|line| line.split(' ').next() == Some(krate));
    let heavy = TOO_HEAVY.iter().filter(|(krate, _)| linked(krate));
    heavy.map(|(krate, why)| format!("hearth-cli links {krate}: {why}")).collect()
}

#[test]
fn the_command_line_program_stays_small() {
    let tree = cargo(&["tree", "--offline", "--edges=normal", "--prefix=none", "--package=hearth-cli"]);
    assert!(tree.contains("hearth-client"), "the tree is complete:\n{tree}");
    assert_tidy(&problems(&tree));
}

#[test]
fn reports_a_heavy_dependency() {
    let tree = "hearth-cli v0.1.0 (/x)\nhearth-core v0.1.0 (/x)\ntokio v1.0.0\ntokio-util v0.7.0\n";
    assert_eq!(problems(tree).len(), 1);
    assert_eq!(problems("hearth-cli v0.1.0\ntokio-util v0.7.0\n").len(), 0);
}

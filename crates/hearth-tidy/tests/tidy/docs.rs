//! Documents in step with the code: one paragraph of `ARCHITECTURE.md` per crate, which says what
//! the crate must not do, a changelog that has room for the next entry, lints inherited everywhere.

use crate::repo::{Source, name, packages, root, sources};
use crate::{Problem, assert_tidy};
use std::fs;

/// Paragraphs of the architecture page that describe a crate: they begin with its name in bold code.
fn described(page: &str) -> Vec<(&str, &str)> {
    let paragraphs = page.split("\n\n").map(str::trim_start);
    paragraphs
        .filter_map(|paragraph| {
            let rest = paragraph.strip_prefix("**`")?;
            let (krate, text) = rest.split_once("`**")?;
            Some((krate, text))
        })
        .collect()
}

fn architecture_problems(crates: &[&str], page: &str) -> Vec<Problem> {
    let described = described(page);
    let missing = crates.iter().filter(|krate| !described.iter().any(|(known, _)| known == *krate));
    let missing = missing.map(|krate| format!("ARCHITECTURE.md: no paragraph begins with **`{krate}`**"));
    let gone = described.iter().filter(|(krate, _)| !crates.contains(krate));
    let gone = gone.map(|(krate, _)| format!("ARCHITECTURE.md: describes {krate}, which is no crate"));
    let vague = described.iter().filter(|(_, text)| !text.contains("ust not"));
    let vague = vague.map(|(krate, _)| format!("ARCHITECTURE.md: does not say what {krate} must not do"));
    missing.chain(gone).chain(vague).collect()
}

fn changelog_problems(changelog: &str) -> Vec<Problem> {
    let open = changelog.lines().any(|line| line.starts_with("## ") && line.contains("Unreleased"));
    if open { vec![] } else { vec!["CHANGELOG.md: no section `## Unreleased`".to_owned()] }
}

fn lint_problems(manifest: &Source) -> Vec<Problem> {
    let inherits = manifest.text.contains("[lints]\nworkspace = true");
    if inherits { vec![] } else { vec![format!("{}: does not inherit the workspace lints", manifest.path)] }
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_crate_has_its_paragraph() {
    let packages = packages();
    let crates: Vec<&str> = packages.iter().map(name).collect();
    assert_tidy(&architecture_problems(&crates, &page("ARCHITECTURE.md")));
}

#[test]
fn the_changelog_is_open() {
    assert_tidy(&changelog_problems(&page("CHANGELOG.md")));
}

#[test]
fn every_crate_inherits_the_lints() {
    let manifests = sources(&["Cargo.toml"]);
    let members = manifests.iter().filter(|manifest| manifest.text.contains("edition.workspace"));
    assert_tidy(&members.flat_map(lint_problems).collect::<Vec<_>>());
}

#[cfg(test)]
mod can_fail {
    use super::*;

    #[test]
    fn reports_a_missing_a_superfluous_and_a_vague_paragraph() {
        let page =
            "# House\n\n**`hearth-core`** is the ground. Must not touch disk.\n\n**`hearth-shed`** must not.";
        assert_eq!(architecture_problems(&["hearth-core", "hearth-shed"], page).len(), 0);
        assert_eq!(architecture_problems(&["hearth-core"], page).len(), 1);
        assert_eq!(architecture_problems(&["hearth-core", "hearth-shed", "hearth-attic"], page).len(), 1);
        assert_eq!(architecture_problems(&["hearth-core"], "**`hearth-core`** does things.").len(), 1);
    }

    #[test]
    fn reports_a_closed_changelog() {
        assert_eq!(changelog_problems("# Changelog\n\n## 0.1.0\n").len(), 1);
        assert_eq!(changelog_problems("# Changelog\n\n## Unreleased\n").len(), 0);
    }

    #[test]
    fn reports_a_crate_with_lints_of_its_own() {
        assert_eq!(lint_problems(&Source::sample("a/Cargo.toml", "[package]\n\n[lints.rust]\n")).len(), 1);
        assert_eq!(lint_problems(&Source::sample("a/Cargo.toml", "[lints]\nworkspace = true\n")).len(), 0);
    }
}

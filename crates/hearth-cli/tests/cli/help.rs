//! Help, version, manual page and completions: all from one definition.

use crate::world::World;

const COMMANDS: [&str; 23] = [
    "find",
    "du",
    "dupes",
    "stats",
    "history",
    "since",
    "watch",
    "add",
    "forget",
    "list",
    "status",
    "doctor",
    "refresh",
    "preload",
    "pin",
    "unpin",
    "hibernate",
    "ntfs",
    "daemon",
    "rpc",
    "config",
    "completions",
    "man",
];

#[test]
fn every_command_has_help_with_examples() {
    let world = World::empty();
    for command in COMMANDS {
        let run = world.run(&[command, "--help"]);
        assert_eq!(run.code, 0, "{command}");
        assert!(run.text().contains("Examples:\n  "), "{command}: {}", run.text());
        assert!(run.text().contains(&format!("hearth {command}")), "{command}: {}", run.text());
        assert_eq!(run.stderr, "", "{command}");
    }
    assert!(!world.home().exists(), "help needs no daemon");
}

#[test]
fn the_first_help_lists_every_command() {
    let text = World::empty().run(&["--help"]).text();
    for command in COMMANDS {
        assert!(text.lines().any(|line| line.trim_start().starts_with(command)), "{command}: {text}");
    }
}

#[test]
fn the_version_is_the_packages() {
    let world = World::empty();
    for flag in ["--version", "-V"] {
        assert_eq!(world.run(&[flag]).text(), format!("hearth {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn completions_and_the_manual_page_are_made() {
    let world = World::empty();
    for shell in ["bash", "zsh", "fish"] {
        let run = world.run(&["completions", shell]);
        assert!(run.code == 0 && run.text().contains("hearth"), "{shell}");
    }
    let page = world.run(&["man"]).text();
    assert!(page.starts_with(".ie") || page.starts_with(".TH"), "{}", &page[..40]);
    assert_eq!(world.run(&["completions", "cobol"]).code, 2);
}

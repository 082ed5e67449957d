//! The repository as the checks see it: its root, its text files, and what cargo says about it.
//!
//! Only files that belong to the project are seen: build output and version control are left out.

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A text file of the project.
pub(crate) struct Source {
    /// Path relative to the root, with `/`.
    pub path: String,
    /// The whole content.
    pub text: String,
}

impl Source {
    /// A made-up file, for the tests of the checks.
    pub(crate) fn sample(path: &str, text: &str) -> Self {
        Source { path: path.to_owned(), text: text.to_owned() }
    }
}

/// Root of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("this crate lies two folders below the root").to_path_buf()
}

/// Every text file of the project whose name ends in one of `endings`, in path order.
pub(crate) fn sources(endings: &[&str]) -> Vec<Source> {
    let root = root();
    let mut found = Vec::new();
    collect(&root, &root, endings, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no files that end in {endings:?} below {}", root.display());
    found
}

fn collect(root: &Path, folder: &Path, endings: &[&str], found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).expect("folder is readable").flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().expect("kind is known");
        if kind.is_dir() && name != "target" && name != ".git" {
            collect(root, &path, endings, found);
        } else if kind.is_file() && endings.iter().any(|ending| name.ends_with(ending)) {
            // A file that vanishes while this runs (an editor's, say) is not part of the project.
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let path = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
            found.push(Source { path, text });
        }
    }
}

/// Source code of every module that is not test code: `src` of the crates and of the benchmarks.
pub(crate) fn modules() -> Vec<Source> {
    sources(&[".rs"]).into_iter().filter(|source| is_module(&source.path)).collect()
}

/// True if a path is a module of a library or binary, not of a test.
pub(crate) fn is_module(path: &str) -> bool {
    path.contains("/src/") && !path.contains("/tests/") && !path.ends_with("/tests.rs")
}

/// Runs cargo at the root and returns what it prints.
pub(crate) fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).current_dir(root()).args(arguments).output().expect("cargo runs");
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {}: {problem}", arguments.join(" "));
    String::from_utf8(output.stdout).expect("cargo prints Unicode")
}

/// The workspace's own packages, as `cargo metadata` describes them.
pub(crate) fn packages() -> Vec<Value> {
    let text = cargo(&["metadata", "--offline", "--no-deps", "--format-version=1"]);
    let metadata: Value = serde_json::from_str(&text).expect("metadata is JSON");
    metadata["packages"].as_array().expect("metadata lists packages").clone()
}

/// Name of a package.
pub(crate) fn name(package: &Value) -> &str {
    package["name"].as_str().expect("a package has a name")
}

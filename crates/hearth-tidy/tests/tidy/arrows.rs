//! Arrows between the crates of the house: only those of the table, so only downwards.
//!
//! An arrow in the other direction shows up as a missing row or a missing name. Dependencies of
//! tests are free, except that nothing may use the command-line program as a library.

use crate::repo::{name, packages};
use crate::{Problem, assert_tidy};
use serde_json::Value;

/// What one crate may depend on within the house.
struct Arrows {
    from: &'static str,
    /// Always allowed.
    to: &'static [&'static str],
    /// Allowed behind a feature that is off by default.
    optional: &'static [&'static str],
}

/// The house, from the ground up.
const HOUSE: &[Arrows] = &[
    Arrows { from: "hearth-core", to: &[], optional: &[] },
    Arrows { from: "hearth-disks", to: &[], optional: &[] },
    Arrows { from: "hearth-files", to: &["hearth-core"], optional: &[] },
    Arrows { from: "hearth-residency", to: &["hearth-core"], optional: &[] },
    Arrows { from: "hearth-ntfs", to: &["hearth-core"], optional: &[] },
    Arrows { from: "hearth-snapshot", to: &["hearth-core"], optional: &[] },
    Arrows { from: "hearth-watch", to: &["hearth-core"], optional: &[] },
    Arrows {
        from: "hearth-service",
        to: &[
            "hearth-core",
            "hearth-files",
            "hearth-ntfs",
            "hearth-residency",
            "hearth-snapshot",
            "hearth-watch",
        ],
        optional: &[],
    },
    Arrows { from: "hearth-protocol", to: &["hearth-core"], optional: &["hearth-service"] },
    Arrows { from: "hearth-client", to: &["hearth-core", "hearth-protocol"], optional: &[] },
    Arrows {
        from: "hearth-daemon",
        to: &["hearth-core", "hearth-protocol", "hearth-service"],
        optional: &[],
    },
    Arrows { from: "hearth-cli", to: &["hearth-client", "hearth-core", "hearth-protocol"], optional: &[] },
    Arrows {
        from: "hearth-bench",
        to: &[
            "hearth-client",
            "hearth-core",
            "hearth-disks",
            "hearth-files",
            "hearth-ntfs",
            "hearth-protocol",
            "hearth-residency",
            "hearth-service",
            "hearth-snapshot",
        ],
        optional: &[],
    },
    Arrows { from: "hearth-tidy", to: &[], optional: &[] },
];

/// Crates outside the house that only some of its crates may use, and why.
const RESERVED: &[(&str, &[&str], &str)] = &[
    ("tokio", &["hearth-daemon"], "the core is synchronous, only the edge is not"),
    (
        "serde",
        &["hearth-protocol", "hearth-client", "hearth-daemon", "hearth-cli", "hearth-bench"],
        "only the wire types and the faces serialise",
    ),
];

fn problems(packages: &[Value]) -> Vec<Problem> {
    packages.iter().flat_map(package_problems).collect()
}

fn package_problems(package: &Value) -> Vec<Problem> {
    let from = name(package);
    let Some(row) = HOUSE.iter().find(|row| row.from == from) else {
        return vec![format!("{from}: not in the table of arrows; add a row")];
    };
    let dependencies = package["dependencies"].as_array().expect("dependencies are a list");
    dependencies.iter().filter_map(|dependency| dependency_problem(row, dependency)).collect()
}

fn dependency_problem(row: &Arrows, dependency: &Value) -> Option<Problem> {
    let (from, to) = (row.from, name(dependency));
    if dependency["kind"].as_str() == Some("dev") {
        return (to == "hearth-cli").then(|| format!("{from} → {to}: nothing may depend on the shell"));
    }
    if let Some((_, allowed, why)) = RESERVED.iter().find(|(reserved, ..)| *reserved == to) {
        return (!allowed.contains(&from)).then(|| format!("{from} → {to}: {why}"));
    }
    let behind_a_feature = dependency["optional"].as_bool() == Some(true);
    let known = row.to.contains(&to) || (behind_a_feature && row.optional.contains(&to));
    let of_the_house = to.starts_with("hearth-");
    (of_the_house && !known).then(|| format!("{from} → {to}: this arrow is not in the table"))
}

#[test]
fn arrows_go_down() {
    assert_tidy(&problems(&packages()));
}

#[cfg(test)]
mod can_fail {
    use super::*;
    use serde_json::json;

    fn check(from: &str, dependency: &Value) -> Vec<Problem> {
        problems(&[json!({ "name": from, "dependencies": [dependency] })])
    }

    #[test]
    fn reports_an_upward_arrow() {
        let upward = json!({ "name": "hearth-service", "kind": null, "optional": false });
        assert_eq!(check("hearth-files", &upward).len(), 1);
        let downward = json!({ "name": "hearth-core", "kind": null, "optional": false });
        assert_eq!(check("hearth-files", &downward).len(), 0);
    }

    #[test]
    fn reports_an_optional_arrow_that_lost_its_feature() {
        let always = json!({ "name": "hearth-service", "kind": null, "optional": false });
        assert_eq!(check("hearth-protocol", &always).len(), 1);
        let optional = json!({ "name": "hearth-service", "kind": null, "optional": true });
        assert_eq!(check("hearth-protocol", &optional).len(), 0);
    }

    #[test]
    fn reports_the_shell_as_a_library_even_in_tests() {
        let shell = json!({ "name": "hearth-cli", "kind": "dev", "optional": false });
        assert_eq!(check("hearth-daemon", &shell).len(), 1);
        let client = json!({ "name": "hearth-client", "kind": "dev", "optional": false });
        assert_eq!(check("hearth-daemon", &client).len(), 0);
    }

    #[test]
    fn reports_an_unknown_crate_and_a_reserved_dependency() {
        assert_eq!(problems(&[json!({ "name": "hearth-shed", "dependencies": [] })]).len(), 1);
        let tokio = json!({ "name": "tokio", "kind": null, "optional": false });
        assert_eq!(check("hearth-client", &tokio).len(), 1);
        assert_eq!(check("hearth-daemon", &tokio).len(), 0);
    }
}

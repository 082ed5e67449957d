//! Tests of the configuration.

use super::*;

fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let look_up =
        |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
    Config::load(Some(ConfigFile { name: "config.toml", text }), &look_up)
}

fn refusal(text: &str) -> String {
    load(text, &[]).expect_err(text).to_string()
}

#[test]
fn nothing_set_is_the_default() {
    let config = load("", &[]).unwrap();
    assert_eq!(config, Config::default());
    assert!(config.effective().iter().all(|setting| setting.origin == Origin::Default));
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = "[files]\nscan_threads = 3\nstale_after_s = 9\n";
    let config = load(text, &[("HEARTH_FILES_SCAN_THREADS", "5"), ("HOME", "/home/ada")]).unwrap();
    assert_eq!((config.files.scan_threads, config.files.stale_after_s), (5, 9));
    assert_eq!(config.home, Some(PathBuf::from("/home/ada")));
    let origin = |key| config.effective().into_iter().find(|setting| setting.key == key).unwrap().origin;
    assert_eq!(origin("files.scan_threads").to_string(), "environment HEARTH_FILES_SCAN_THREADS");
    assert_eq!(origin("files.stale_after_s").to_string(), "config.toml:3");
    assert_eq!(origin("log.level"), Origin::Default);
}

#[test]
fn every_refusal_names_line_and_key() {
    for (text, start) in [
        ("[files]\n\nscan_thread = 1", "config.toml:3: files.scan_thread: no such key"),
        ("colour = true", "config.toml:1: colour: no such key"),
        ("[log]\nlevel = \"loud\"", "config.toml:2: log.level: expected one of error, warn"),
        ("[log]\nlevel = 3", "config.toml:2: log.level: expected one of"),
        ("[limits]\nconnections = 0", "config.toml:2: limits.connections: expected a whole number from 1"),
        ("[limits]\nconnections = -1", "config.toml:2: limits.connections: expected"),
        ("[limits]\nconnections = \"9\"", "config.toml:2: limits.connections: expected"),
        ("[files]\nexclude = \"a\"", "config.toml:2: files.exclude: expected a list"),
        ("[files]\nexclude = [1]", "config.toml:2: files.exclude: expected a list"),
        ("[files.exclude]\nx = 1", "config.toml:1: files.exclude: expected a list"),
        (
            "[dupes]\nread_budget = \"9 parsecs\"",
            "config.toml:2: dupes.read_budget: expected a number of bytes",
        ),
        ("[dupes]\nread_budget = 1.5", "config.toml:2: dupes.read_budget: expected"),
        ("a = 1\nb = [", "config.toml:2: "),
        ("[log]\nlevel = \"info\"\nlevel = \"warn\"", "config.toml:3: "),
    ] {
        let refusal = refusal(text);
        assert!(refusal.starts_with(start), "{text:?} gave {refusal:?}");
    }
}

#[test]
fn the_environment_is_checked_as_strictly() {
    let error = load("", &[("HEARTH_LIMITS_CONNECTIONS", "many")]).unwrap_err().to_string();
    assert!(error.starts_with("environment HEARTH_LIMITS_CONNECTIONS: limits.connections: "), "{error}");
}

#[test]
fn lists_in_the_environment_are_commas_or_toml() {
    let exclude = |text| load("", &[("HEARTH_FILES_EXCLUDE", text)]).unwrap().files.exclude;
    assert_eq!(exclude("/a, /b"), ["/a", "/b"]);
    assert_eq!(exclude("[\"/a,b\", \"/c\"]"), ["/a,b", "/c"]);
    assert!(exclude("").is_empty());
}

#[test]
fn bytes_may_have_a_unit() {
    for (text, bytes) in [("7", 7), ("\"7\"", 7), ("\"2kb\"", 2048), ("\"3 GB\"", 3 << 30), ("1_000", 1000)] {
        let config = load(&format!("[dupes]\nread_budget = {text}"), &[]).unwrap();
        assert_eq!(config.dupes.read_budget, bytes, "{text}");
    }
}

#[test]
fn what_is_shown_can_be_pasted_back() {
    let text =
        "[log]\nlevel = \"debug\"\n[files]\nexclude = [\"/tmp\", \"**/a\\\"b\"]\n[pool]\nquery_threads = 2\n";
    let config = load(text, &[]).unwrap();
    let shown: String =
        config.effective().iter().map(|setting| format!("{} = {}\n", setting.key, setting.value)).collect();
    let again = load(&shown, &[]).unwrap();
    let values =
        |config: &Config| config.effective().into_iter().map(|setting| setting.value).collect::<Vec<_>>();
    assert_eq!(values(&again), values(&config), "{shown}");
}

#[test]
fn every_key_has_a_twin_of_its_own() {
    let mut twins: Vec<String> = KEYS.iter().map(|key| twin(key.name)).collect();
    twins.sort();
    twins.dedup();
    assert_eq!(twins.len(), KEYS.len());
}

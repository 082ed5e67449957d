//! Tests of the configuration.

use super::*;
use std::time::Duration;

pub(super) fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
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
    let config = load(text, &[("HEARTH_FILES_SCAN_THREADS", "5")]).unwrap();
    assert_eq!((config.files.scan_threads, config.files.stale_after_s), (5, 9));
    let origin = |key| config.effective().into_iter().find(|setting| setting.key == key).unwrap().origin;
    assert_eq!(origin("files.scan_threads").to_string(), "environment HEARTH_FILES_SCAN_THREADS");
    assert_eq!(origin("files.stale_after_s").to_string(), "config.toml:3");
    assert_eq!(origin("log.level"), Origin::Default);
}

#[test]
fn folders_of_the_environment_are_taken_unless_empty() {
    let folders =
        |environment: &[_]| load("", environment).map(|config| (config.home, config.credentials)).unwrap();
    let set =
        folders(&[("HOME", "/home/ada"), ("CREDENTIALS_DIRECTORY", "/run/credentials/hearthd.service")]);
    let path = |text| Some(PathBuf::from(text));
    assert_eq!(set, (path("/home/ada"), path("/run/credentials/hearthd.service")));
    assert_eq!(folders(&[("HOME", ""), ("CREDENTIALS_DIRECTORY", "")]), (None, None));
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

/// Every key about residency, with a value that is not the default.
const RESIDENCY: &[(&str, &str)] = &[
    ("memory.budget", "33554432"),
    ("memory.low_mark_percent", "50"),
    ("idle.hot_s", "7"),
    ("idle.warm_s", "70"),
    ("idle.parked_s", "700"),
    ("idle.adaptive_cap", "9"),
    ("load.lanes", "3"),
    ("load.deadline_s", "60"),
    ("load.admission_wait_s", "0"),
    ("stale.max_age_hours", "5"),
    ("pressure.enabled", "false"),
    ("pressure.poll_ms", "250"),
];

fn set_as_listed(config: &Config) -> bool {
    let shown = |key: &str| config.effective().into_iter().find(|setting| setting.key == key).unwrap();
    let places = |key: &str| shown(key).origin != Origin::Default;
    RESIDENCY.iter().all(|(key, value)| shown(key).value == *value && places(key))
}

#[test]
fn every_residency_key_can_be_set_from_the_file() {
    let text: String = RESIDENCY.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    let config = load(&text, &[]).unwrap();
    assert!(set_as_listed(&config), "{:?}", config.effective());
}

#[test]
fn every_residency_key_can_be_set_from_the_environment() {
    let twins: Vec<(String, &str)> = RESIDENCY.iter().map(|(key, value)| (twin(key), *value)).collect();
    let environment: Vec<(&str, &str)> = twins.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let config = load("", &environment).unwrap();
    assert!(set_as_listed(&config), "{:?}", config.effective());
}

#[test]
fn residency_keys_become_typed_settings() {
    let text: String = RESIDENCY.iter().map(|(key, value)| format!("{key} = {value}\n")).collect();
    let Config { memory, idle, load, stale, pressure, .. } = load(&text, &[]).unwrap();
    let seconds = Duration::from_secs;
    assert_eq!(memory, MemoryConfig { budget: Some(32 << 20), low_mark_percent: 50 });
    let ladder = IdleConfig { hot: seconds(7), warm: seconds(70), parked: seconds(700), adaptive_cap: 9 };
    assert_eq!(idle, ladder);
    assert_eq!(load, LoadConfig { lanes: 3, deadline: seconds(60), admission_wait: seconds(0) });
    assert_eq!(stale, StaleConfig { max_age: Some(seconds(5 * 3600)) });
    assert_eq!(pressure, PressureConfig { enabled: false, poll: Duration::from_millis(250) });
}

#[test]
fn a_budget_is_bytes_or_left_to_the_machine() {
    let budget = |value: &str| load(&format!("[memory]\nbudget = {value}"), &[]).map(|c| c.memory.budget);
    assert_eq!(budget("\"auto\"").unwrap(), None);
    assert_eq!(budget("\"2 GB\"").unwrap(), Some(2 << 30));
    assert_eq!(budget("\"16mb\"").unwrap(), Some(16 << 20));
    let from_environment = |text| load("[memory]\nbudget = 99999999", &[("HEARTH_MEMORY_BUDGET", text)]);
    assert_eq!(from_environment("auto").unwrap().memory.budget, None);
    assert_eq!(from_environment("20mb").unwrap().memory.budget, Some(20 << 20));
    for value in ["16777215", "\"15mb\"", "0", "-1", "\"much\"", "true", "1.5"] {
        let error = budget(value).unwrap_err().to_string();
        assert!(error.starts_with("config.toml:2: memory.budget: expected \"auto\" or"), "{error}");
    }
}

#[test]
fn no_age_cap_is_zero_hours() {
    let config = load("stale.max_age_hours = 0", &[]).unwrap();
    assert_eq!(config.stale.max_age, None);
    let shown = config.effective().into_iter().find(|setting| setting.key == "stale.max_age_hours").unwrap();
    assert_eq!(shown.value, "0");
}

#[test]
fn residency_keys_refuse_what_is_out_of_range() {
    for (key, value, wanted) in [
        ("memory.low_mark_percent", "9", "a whole number from 10 to 99, found 9"),
        ("memory.low_mark_percent", "100", "a whole number from 10 to 99, found 100"),
        ("idle.hot_s", "0", "a whole number from 1 to"),
        ("idle.parked_s", "31622401", "a whole number from 1 to 31622400, found 31622401"),
        ("idle.adaptive_cap", "0", "a whole number from 1 to 64, found 0"),
        ("idle.adaptive_cap", "65", "a whole number from 1 to 64, found 65"),
        ("load.lanes", "0", "a whole number from 1 to 64, found 0"),
        ("load.lanes", "65", "a whole number from 1 to 64, found 65"),
        ("load.deadline_s", "0", "a whole number from 1 to"),
        ("load.admission_wait_s", "3601", "a whole number from 0 to 3600, found 3601"),
        ("stale.max_age_hours", "\"day\"", "a whole number from 0 to"),
        ("pressure.enabled", "1", "true or false, found 1"),
        ("pressure.enabled", "\"true\"", "true or false, found \"true\""),
        ("pressure.poll_ms", "99", "a whole number from 100 to 60000, found 99"),
        ("pressure.poll_ms", "60001", "a whole number from 100 to 60000, found 60001"),
    ] {
        let refusal = refusal(&format!("\n{key} = {value}"));
        assert!(refusal.starts_with(&format!("config.toml:2: {key}: expected {wanted}")), "{refusal}");
    }
    let refusal = load("", &[("HEARTH_PRESSURE_ENABLED", "yes")]).unwrap_err().to_string();
    assert!(refusal.ends_with("expected true or false, found \"yes\""), "{refusal}");
}

#[test]
fn a_ladder_that_does_not_ascend_is_refused_at_the_key_set_last() {
    for (text, wanted) in [
        ("idle.hot_s = 1800", "1: idle.hot_s: must be shorter than idle.warm_s, which is 1800 (default)"),
        ("\nidle.warm_s = 300", "2: idle.warm_s: must be longer than idle.hot_s, which is 300 (default)"),
        (
            "idle.warm_s = 86400",
            "1: idle.warm_s: must be shorter than idle.parked_s, which is 86400 (default)",
        ),
        ("idle.parked_s = 9", "1: idle.parked_s: must be longer than idle.warm_s, which is 1800 (default)"),
        (
            "[idle]\nhot_s = 60\nwarm_s = 50",
            "3: idle.warm_s: must be longer than idle.hot_s, which is 60 (config.toml:2)",
        ),
        (
            "[idle]\nwarm_s = 50\n\nhot_s = 60",
            "4: idle.hot_s: must be shorter than idle.warm_s, which is 50 (config.toml:2)",
        ),
        (
            "[idle]\nparked_s = 50\nwarm_s = 60\nhot_s = 5",
            "3: idle.warm_s: must be shorter than idle.parked_s, which is 50 (config.toml:2)",
        ),
    ] {
        assert_eq!(refusal(text), format!("config.toml:{wanted}"), "{text:?}");
    }
}

#[test]
fn the_environment_is_blamed_before_the_file() {
    let refusal = |text, environment: &[_]| load(text, environment).unwrap_err().to_string();
    assert_eq!(
        refusal("idle.warm_s = 200\nidle.hot_s = 20", &[("HEARTH_IDLE_HOT_S", "250")]),
        "environment HEARTH_IDLE_HOT_S: idle.hot_s: must be shorter than idle.warm_s, which is 200 \
         (config.toml:1)"
    );
    assert_eq!(
        refusal("", &[("HEARTH_IDLE_HOT_S", "250"), ("HEARTH_IDLE_WARM_S", "200")]),
        "environment HEARTH_IDLE_WARM_S: idle.warm_s: must be longer than idle.hot_s, which is 250 \
         (environment HEARTH_IDLE_HOT_S)"
    );
}

#[test]
fn the_ladder_is_checked_once_everything_is_read() {
    let file = "idle.hot_s = 5000\nidle.warm_s = 6000";
    assert!(load(file, &[]).is_ok());
    let mended = load("idle.hot_s = 5000", &[("HEARTH_IDLE_WARM_S", "6000")]).unwrap();
    assert_eq!((mended.idle.hot.as_secs(), mended.idle.warm.as_secs()), (5000, 6000));
}

proptest::proptest! {
    #[test]
    fn a_ladder_is_refused_exactly_if_it_does_not_ascend(
        times in proptest::array::uniform3(proptest::option::of((1_u64..100_000, proptest::bool::ANY))),
        reversed: bool,
    ) {
        let mut keys = ["idle.hot_s", "idle.warm_s", "idle.parked_s"].into_iter().zip(times).collect::<Vec<_>>();
        let expected: Vec<u64> =
            keys.iter().zip([300, 1800, 86_400]).map(|((_, time), default)| time.map_or(default, |t| t.0)).collect();
        if reversed {
            keys.reverse();
        }
        let (mut file, mut environment) = (String::new(), Vec::new());
        for (key, time) in keys {
            match time {
                Some((time, true)) => file += &format!("{key} = {time}\n"),
                Some((time, false)) => environment.push((twin(key), time.to_string())),
                None => (),
            }
        }
        let pairs: Vec<(&str, &str)> = environment.iter().map(|(key, time)| (&key[..], &time[..])).collect();
        match load(&file, &pairs) {
            Ok(_) => proptest::prop_assert!(expected.is_sorted_by(|a, b| a < b)),
            Err(error) => {
                proptest::prop_assert!(!expected.is_sorted_by(|a, b| a < b));
                proptest::prop_assert_ne!(error.origin, Origin::Default);
            }
        }
    }
}

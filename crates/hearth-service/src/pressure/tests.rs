//! Tests of the gauge, the budget and the report, on files in memory and in a folder.

use super::cgroup::{Lineage, tightest};
use super::counters::Psi;
use super::gauge::Signs;
use super::*;
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const MIB: u64 = 1 << 20;
const MOUNT_V2: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
const MOUNTS_V1: &str = "34 31 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                         35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";

/// A machine of 16 GiB with PSI and version 2, the process in `/a/b`.
fn machine() -> Vec<(&'static str, &'static str)> {
    vec![
        ("/proc/meminfo", "MemTotal:       16777216 kB\nMemFree: 9 kB\nMemAvailable:   8388608 kB\n"),
        ("/proc/pressure/memory", QUIET),
        ("/proc/self/cgroup", "0::/a/b\n"),
        ("/proc/self/mountinfo", MOUNT_V2),
        ("/sys/fs/cgroup/a/b/memory.current", "104857600\n"),
        ("/sys/fs/cgroup/a/b/memory.max", "max\n"),
        ("/sys/fs/cgroup/a/b/memory.high", "max\n"),
        ("/sys/fs/cgroup/a/b/memory.events.local", "low 0\nhigh 1\nmax 2\noom 0\noom_kill 0\n"),
        ("/sys/fs/cgroup/a/memory.max", "max\n"),
        ("/sys/fs/cgroup/a/memory.events.local", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n"),
        ("/sys/fs/cgroup/a/memory.events", "low 0\nhigh 1\nmax 2\noom 0\noom_kill 0\n"),
    ]
}

const QUIET: &str = "some avg10=0.00 avg60=0.00 avg300=0.00 total=5000\n\
                     full avg10=0.00 avg60=0.00 avg300=0.00 total=1000\n";

fn psi(avg10: f64, some_us: u64, full_us: u64) -> String {
    format!(
        "some avg10={avg10:.2} avg60=0.00 avg300=0.00 total={some_us}\n\
         full avg10=0.00 avg60=0.00 avg300=0.00 total={full_us}\n"
    )
}

fn at(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A gauge that has looked once, at second 0, at the calm machine.
fn watched() -> (Arc<FakeWorld>, Gauge) {
    let world = FakeWorld::new(&machine());
    let mut gauge = Gauge::new(world.clone());
    assert_eq!(gauge.sample(at(0)), Level::None);
    (world, gauge)
}

const PSI: &str = "/proc/pressure/memory";

#[test]
fn levels_ascend() {
    assert!(Level::None < Level::Some && Level::Some < Level::Critical);
}

#[test]
fn stalls_since_the_last_look_raise_the_level() {
    for (some_us, full_us, level) in [
        (99_999, 0, Level::None),
        (100_000, 0, Level::Some),
        (499_999, 199_999, Level::Some),
        (500_000, 0, Level::Critical),
        (200_000, 200_000, Level::Critical),
    ] {
        let (world, mut gauge) = watched();
        world.write(PSI, psi(0.0, 5000 + some_us, 1000 + full_us));
        assert_eq!(gauge.sample(at(1000)), level, "{some_us} {full_us}");
    }
}

#[test]
fn the_share_counts_not_the_time() {
    let (world, mut gauge) = watched();
    world.write(PSI, psi(0.0, 5000 + 100_000, 1000));
    assert_eq!(gauge.sample(at(2000)), Level::None);
}

#[test]
fn the_average_counts_while_stalls_go_on() {
    let (world, mut gauge) = watched();
    world.write(PSI, psi(60.0, 5000, 1000));
    assert_eq!(gauge.sample(at(1000)), Level::None, "it lingers from before");
    world.write(PSI, psi(60.0, 5001, 1000));
    assert_eq!(gauge.sample(at(2000)), Level::Critical);
}

#[test]
fn the_first_look_has_the_average_only() {
    let world = FakeWorld::new(&[(PSI, &psi(12.0, u64::MAX, 0))]);
    assert_eq!(Gauge::new(world).sample(at(7)), Level::Some);
}

#[test]
fn a_level_rises_at_once_and_falls_after_calm() {
    let (world, mut gauge) = watched();
    world.write(PSI, psi(0.0, 1_000_000, 0));
    assert_eq!(gauge.sample(at(1000)), Level::Critical);
    assert_eq!(gauge.sample(at(2000)), Level::Critical, "one second of calm");
    assert_eq!(gauge.sample(at(2999)), Level::Critical);
    assert_eq!(gauge.sample(at(3100)), Level::None);
}

#[test]
fn a_level_stays_above_half_of_what_raised_it() {
    let (world, mut gauge) = watched();
    let mut total_us = 105_000;
    world.write(PSI, psi(0.0, total_us, 1000));
    assert_eq!(gauge.sample(at(1000)), Level::Some);
    for second in 2..30 {
        total_us += 50_000;
        world.write(PSI, psi(0.0, total_us, 1000));
        assert_eq!(gauge.sample(at(second * 1000)), Level::Some);
    }
    for second in 30..32 {
        total_us += 49_000;
        world.write(PSI, psi(0.0, total_us, 1000));
        gauge.sample(at(second * 1000));
    }
    assert_eq!(gauge.sample(at(32_000)), Level::None);
}

#[test]
fn critical_falls_to_what_the_signs_still_say() {
    let (world, mut gauge) = watched();
    let mut total_us = 905_000;
    world.write(PSI, psi(0.0, total_us, 1000));
    assert_eq!(gauge.sample(at(1000)), Level::Critical);
    for second in 2..4 {
        total_us += 200_000;
        world.write(PSI, psi(0.0, total_us, 1000));
        gauge.sample(at(second * 1000));
    }
    assert_eq!(gauge.sample(at(3001)), Level::Some);
}

#[test]
fn looks_too_close_together_lose_no_stall() {
    let (world, mut gauge) = watched();
    world.write(PSI, psi(0.0, 5000 + 100_000, 1000));
    assert_eq!(gauge.sample(at(20)), Level::None);
    assert_eq!(gauge.sample(at(0)), Level::None, "even when time seems to go back");
    assert_eq!(gauge.sample(at(1000)), Level::Some);
}

#[test]
fn groups_held_back_at_their_limits_raise_the_level() {
    for (group, events, level) in [
        ("a/b", "low 0\nhigh 1\nmax 2\noom 0\noom_kill 0\n", Level::None),
        ("a/b", "low 9\nhigh 1\nmax 2\noom 0\noom_kill 0\n", Level::None),
        ("a/b", "low 0\nhigh 2\nmax 2\noom 0\noom_kill 0\n", Level::Some),
        ("a/b", "low 0\nhigh 1\nmax 3\noom 0\noom_kill 0\n", Level::Some),
        ("a/b", "low 0\nhigh 1\nmax 2\noom 1\noom_kill 0\n", Level::Critical),
        ("a/b", "low 0\nhigh 1\nmax 2\noom 0\noom_kill 1\n", Level::Critical),
        ("a", "low 0\nhigh 0\nmax 1\noom 0\noom_kill 0\n", Level::Some),
        ("a/b", "high 0\nmax 0\n", Level::None),
        ("a/b", "nonsense\n", Level::None),
    ] {
        let (world, mut gauge) = watched();
        world.write(format!("/sys/fs/cgroup/{group}/memory.events.local"), events);
        assert_eq!(gauge.sample(at(1000)), level, "{group}: {events}");
    }
}

#[test]
fn events_of_groups_beside_ours_do_not_count() {
    let (world, mut gauge) = watched();
    world.write("/sys/fs/cgroup/a/memory.events", "low 0\nhigh 1\nmax 99\noom 9\noom_kill 9\n");
    assert_eq!(gauge.sample(at(1000)), Level::None);
    world.remove("/sys/fs/cgroup/a/memory.events.local");
    world.write("/sys/fs/cgroup/a/memory.events", "low 0\nhigh 1\nmax 199\noom 9\noom_kill 9\n");
    assert_eq!(gauge.sample(at(2000)), Level::None);
}

#[test]
fn an_old_kernel_tells_of_the_own_group_only() {
    let (world, _) = watched();
    world.remove("/sys/fs/cgroup/a/b/memory.events.local");
    world.write("/sys/fs/cgroup/a/b/memory.events", "high 0\nmax 0\n");
    let mut gauge = Gauge::new(world.clone());
    gauge.sample(at(0));
    world.write("/sys/fs/cgroup/a/b/memory.events", "high 1\nmax 0\n");
    assert_eq!(gauge.sample(at(1000)), Level::Some);
}

#[test]
fn a_group_full_of_cache_is_not_short_of_memory() {
    let with_cache = |stat: &str| {
        let (world, mut gauge) = watched();
        world.write("/sys/fs/cgroup/a/b/memory.stat", stat);
        world.write("/sys/fs/cgroup/a/b/memory.events.local", "high 1\nmax 999\noom 0\noom_kill 0\n");
        gauge.sample(at(1000))
    };
    assert_eq!(with_cache("anon 9\ninactive_file 26214400\n"), Level::None);
    assert_eq!(with_cache("inactive_file 16214400\nslab_reclaimable 10000000\n"), Level::None);
    assert_eq!(with_cache("anon 9\ninactive_file 25000000\n"), Level::Some);
    assert_eq!(with_cache("active_file 104857600\n"), Level::Some, "nothing is known");
}

#[test]
fn without_psi_available_memory_stands_in() {
    for (available, level) in [(60, Level::None), (50, Level::None), (49, Level::Some), (19, Level::Critical)]
    {
        let meminfo = format!("MemTotal: 1000 kB\nMemAvailable: {available} kB\n");
        let world = FakeWorld::new(&[("/proc/meminfo", &meminfo)]);
        assert_eq!(Gauge::new(world.clone()).sample(at(0)), level, "{available}");
        world.write(PSI, QUIET);
        assert_eq!(Gauge::new(world).sample(at(0)), Level::None);
    }
}

#[test]
fn scarcity_ends_at_twice_what_began_it() {
    let world = FakeWorld::new(&[("/proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 49 kB\n")]);
    let mut gauge = Gauge::new(world.clone());
    let mut see = |second: u64, available: u64| {
        world.write("/proc/meminfo", format!("MemTotal: 1000 kB\nMemAvailable: {available} kB\n"));
        gauge.sample(Duration::from_secs(second))
    };
    assert_eq!(see(0, 49), Level::Some);
    assert_eq!(see(60, 99), Level::Some);
    assert_eq!(see(120, 101), Level::None);
}

#[test]
fn psi_that_comes_and_goes_breaks_nothing() {
    let (world, mut gauge) = watched();
    world.remove(PSI);
    assert_eq!(gauge.sample(at(1000)), Level::None);
    world.write(PSI, psi(0.0, 900_000_000, 0));
    assert_eq!(gauge.sample(at(2000)), Level::None, "one total tells nothing");
    world.write(PSI, psi(0.0, 3, 0));
    assert_eq!(gauge.sample(at(3000)), Level::None, "a total that shrank tells nothing");
}

#[test]
fn psi_lines_of_any_shape_are_read_or_refused() {
    let total = |text| Psi::parse(text).map(|psi| (psi.some.total_us, psi.full.total_us));
    assert_eq!(total(QUIET), Some((5000, 1000)));
    assert_eq!(total("some avg10=0.00 total=7"), Some((7, 0)));
    assert_eq!(total("full avg10=0.00 total=1\nsome total=7 avg10=0.00"), Some((7, 1)));
    for text in
        ["", "some", "some avg10=0.00", "some avg10=0.00 tot", "some avg10=x total=1", "full avg10=0 total=1"]
    {
        assert_eq!(total(text), None, "{text:?}");
    }
    assert_eq!(total("some avg10=0.00 total=99999999999999999999"), None);
    for avg10 in ["NaN", "inf", "-1", "101", "1e300"] {
        assert_eq!(Psi::parse(&format!("some avg10={avg10} total=1")).unwrap().some.avg10, 0.0);
    }
}

fn limits(files: &[(&str, &str)]) -> Option<(u64, PathBuf)> {
    tightest(&*FakeWorld::new(files)).map(|limit| (limit.bytes, limit.file))
}

#[test]
fn the_tightest_limit_of_all_groups_counts() {
    for (file, bytes) in [("a/b/memory.max", 700), ("a/b/memory.high", 600), ("a/memory.max", 500)] {
        let mut files = machine();
        let path = format!("/sys/fs/cgroup/{file}");
        files.push(("/sys/fs/cgroup/a/memory.high", "800"));
        let text = bytes.to_string();
        files.push((&path, &text));
        assert_eq!(limits(&files), Some((bytes, PathBuf::from(&path))), "{file}");
    }
    assert_eq!(limits(&machine()), None);
}

#[test]
fn a_limit_of_version_1_counts() {
    let files = |limit| {
        [
            ("/proc/self/cgroup", "8:pids:/\n4:cpu,memory:/x:y\n0::/\n"),
            ("/proc/self/mountinfo", MOUNTS_V1),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("/sys/fs/cgroup/memory/x:y/memory.limit_in_bytes", limit),
        ]
    };
    let file = PathBuf::from("/sys/fs/cgroup/memory/x:y/memory.limit_in_bytes");
    assert_eq!(limits(&files("4096")), Some((4096, file)));
    assert_eq!(limits(&files("9223372036854771712")), None);
    assert_eq!(limits(&files("-1")), None);
}

#[test]
fn groups_are_found_wherever_they_are_mounted() {
    let own = |place: &str, mounts: &str| {
        let cgroup = format!("1:name=systemd:/else\n0::{place}\n");
        let world = FakeWorld::new(&[("/proc/self/cgroup", &cgroup), ("/proc/self/mountinfo", mounts)]);
        let groups = Lineage::v2(&*world).unwrap().groups;
        groups.iter().map(|group| group.display().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(own("/a/b", MOUNT_V2), ["/sys/fs/cgroup/a/b", "/sys/fs/cgroup/a", "/sys/fs/cgroup"]);
    assert_eq!(own("/", MOUNT_V2), ["/sys/fs/cgroup"]);
    assert_eq!(own("/../../x", MOUNT_V2), ["/sys/fs/cgroup"]);
    let bound = "30 23 0:26 /box /mnt/c\\040g rw - cgroup2 cgroup2 rw\n";
    assert_eq!(own("/box/in", bound), ["/mnt/c g/in", "/mnt/c g"]);
    assert_eq!(own("/box", bound), ["/mnt/c g"]);
    assert_eq!(own("/elsewhere", bound), ["/mnt/c g"]);
    assert_eq!(own("/boxer", bound), ["/mnt/c g"]);
}

#[test]
fn without_a_mount_table_the_custom_is_believed() {
    let world = FakeWorld::new(&[("/proc/self/cgroup", "0::/a\n"), ("/sys/fs/cgroup/a/memory.max", "77")]);
    assert_eq!(tightest(&*world).unwrap().bytes, 77);
}

#[test]
fn a_deep_place_is_walked_within_bounds() {
    let place = format!("0::{}\n", "/x".repeat(10_000));
    let world = FakeWorld::new(&[("/proc/self/cgroup", &place), ("/proc/self/mountinfo", MOUNT_V2)]);
    assert_eq!(Lineage::v2(&*world).unwrap().groups.len(), 64);
}

#[test]
fn the_default_budget_is_a_quarter_of_the_memory_within_the_limits() {
    for (limit, budget) in [
        ("max", 4096 * MIB),
        ("1099511627776", 4096 * MIB),
        ("2147483648", 2048 * MIB - 2048 * MIB / 10),
        ("209715200", (200 - 64) * MIB),
        ("104857600", 64 * MIB),
        ("0", 64 * MIB),
        ("nonsense", 4096 * MIB),
    ] {
        let world = FakeWorld::new(&machine());
        world.write("/sys/fs/cgroup/a/memory.max", limit);
        assert_eq!(default_budget(&*world), budget, "{limit}");
    }
}

#[test]
fn a_machine_that_tells_nothing_gets_a_modest_budget() {
    assert_eq!(default_budget(&*FakeWorld::new(&[])), 256 * MIB);
    let huge =
        FakeWorld::new(&[("/proc/meminfo", "MemTotal: 18446744073709551615 kB\nMemAvailable: 1 kB\n")]);
    assert_eq!(default_budget(&*huge), 256 * MIB);
    let small = FakeWorld::new(&[("/proc/meminfo", "MemTotal: 131072 kB\nMemAvailable: 1 kB\n")]);
    assert_eq!(default_budget(&*small), 64 * MIB);
}

#[test]
fn the_report_tells_what_there_is() {
    let (world, gauge) = watched();
    world.write("/sys/fs/cgroup/a/memory.max", "1073741824");
    let report = gauge.describe();
    let detail =
        |name| report.iter().find(|line| line.name == name).map(|line| (line.available, &line.detail[..]));
    assert_eq!(detail("memory of the machine"), Some((true, "16384 MiB in total, 8192 MiB available")));
    assert_eq!(
        detail("pressure stall information"),
        Some((true, "stalled: some 0 %, all 0 % of the last 10 s; 5 ms since boot"))
    );
    assert_eq!(
        detail("control group, version 2"),
        Some((true, "/sys/fs/cgroup/a/b holds 100 MiB; 3 groups in sight"))
    );
    assert_eq!(
        detail("events of control groups"),
        Some((
            true,
            "/sys/fs/cgroup/a/b: low 0, high 1, max 2, oom 0, oom_kill 0; \
             /sys/fs/cgroup/a: low 0, high 0, max 0, oom 0, oom_kill 0"
        ))
    );
    assert_eq!(detail("control group, version 1"), Some((false, "/proc/self/cgroup has no line for it")));
    assert_eq!(detail("limit of control groups"), Some((true, "1024 MiB by /sys/fs/cgroup/a/memory.max")));
}

#[test]
fn the_report_tells_why_there_is_nothing() {
    let report =
        Gauge::new(FakeWorld::new(&[(PSI, "odd"), ("/proc/self/cgroup", "0::/\n"), MOUNTED])).describe();
    let told: Vec<(bool, &str)> = report.iter().map(|line| (line.available, &line.detail[..])).collect();
    let no_memory = "/sys/fs/cgroup and the groups above have no memory controller";
    assert_eq!(
        told,
        [
            (false, "/proc/meminfo: not there"),
            (
                false,
                "/proc/pressure/memory: not in the shape that is documented; the kernel has it off (boot \
                 with psi=1) or the container hides it"
            ),
            (
                false,
                "/proc/pressure/memory: cannot be waited for; pressure is looked at every pressure.poll_ms, also \
                 when nothing happens",
            ),
            (false, no_memory),
            (false, no_memory),
            (false, "/proc/self/cgroup has no line for it"),
            (true, "none is set"),
        ]
    );
}

const MOUNTED: (&str, &str) = ("/proc/self/mountinfo", MOUNT_V2);

#[test]
fn a_folder_serves_as_well_as_files_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in machine() {
        let file = folder.path().join(&path[1..]);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }
    let max = Path::new("sys/fs/cgroup/a/memory.max");
    std::fs::write(folder.path().join(max), "1073741824").unwrap();
    let world = Arc::new(RootFolder::new(folder.path()));
    assert_eq!(default_budget(&*world), 1024 * MIB - 1024 * MIB / 10);
    let mut gauge = Gauge::new(world);
    assert_eq!(gauge.sample(at(0)), Level::None);
    std::fs::write(folder.path().join(&PSI[1..]), psi(0.0, 900_000, 0)).unwrap();
    assert_eq!(gauge.sample(at(1000)), Level::Critical);
    assert!(gauge.describe().iter().filter(|line| line.available).count() == 5, "{:?}", gauge.describe());
}

#[test]
fn an_endless_file_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("long"), vec![b'x'; 3 << 20]).unwrap();
    assert_eq!(RootFolder::new(folder.path()).read(Path::new("/long")).unwrap().len(), 1 << 20);
}

#[test]
fn this_machine_is_read() {
    let world = RootFolder::new("/");
    assert!(default_budget(&world) >= 64 * MIB);
    let report = Gauge::new(Arc::new(world)).describe();
    assert!(report[0].available && report[0].name == "memory of the machine", "{report:?}");
}

/// Lines that look like those of the kernel's files, good and bad.
fn contents() -> impl Strategy<Value = Vec<u8>> {
    let number = prop_oneof![
        "0|1|7|4096|max|-1|1e9|18446744073709551615|99999999999999999999|9223372036854771712",
        any::<u64>().prop_map(|number| number.to_string()),
    ];
    let word = "(some|full) avg10=|(some|full) total=|MemTotal: |MemAvailable: |high |max |oom |oom_kill |\
                inactive_file |0::/|4:memory:/|/a/b|/\\.\\.|\n| kB\n|total=| - cgroup2 x|1 1 0:1 / /sys/fs/cgroup rw";
    let lines = (number.clone(), number.clone()).prop_map(|(a, b)| {
        format!(
            "MemTotal: {a} kB\nMemAvailable: {b} kB\nsome avg10={a} total={b}\nfull avg10=1 total={a}\n\
             high {a}\nmax {b}\noom {a}\noom_kill {b}\ninactive_file {a}\nslab_reclaimable {b}\n"
        )
    });
    let token = prop_oneof![
        3 => word.prop_map(String::into_bytes),
        3 => number.prop_map(String::into_bytes),
        3 => lines.prop_map(String::into_bytes),
        1 => any::<Vec<u8>>(),
    ];
    proptest::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat())
}

fn files() -> impl Strategy<Value = Vec<(usize, Vec<u8>)>> {
    proptest::collection::vec((0_usize..16, contents()), 0..8)
}

const FILES: [&str; 16] = [
    "/proc/pressure/memory",
    "/proc/pressure/memory",
    "/proc/meminfo",
    "/proc/self/cgroup",
    "/proc/self/mountinfo",
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/a/memory.max",
    "/sys/fs/cgroup/a/b/memory.max",
    "/sys/fs/cgroup/a/b/memory.high",
    "/sys/fs/cgroup/a/b/memory.current",
    "/sys/fs/cgroup/a/b/memory.stat",
    "/sys/fs/cgroup/a/b/memory.events",
    "/sys/fs/cgroup/a/b/memory.events.local",
    "/sys/fs/cgroup/a/memory.events.local",
    "/sys/fs/cgroup/memory.limit_in_bytes",
    "/sys/fs/cgroup/a/b/memory.limit_in_bytes",
];

proptest! {
    #[test]
    fn no_content_of_any_file_breaks_anything(
        first in files(),
        later in proptest::collection::vec((files(), any::<u64>()), 0..4),
    ) {
        let world = FakeWorld::new(&machine());
        first.into_iter().for_each(|(file, content)| world.write(FILES[file], content));
        let mut gauge = Gauge::new(world.clone());
        gauge.sample(Duration::ZERO);
        for (files, now_ms) in later {
            files.into_iter().for_each(|(file, content)| world.write(FILES[file], content));
            gauge.sample(at(now_ms));
            prop_assert!(default_budget(&*world) >= 64 * MIB);
            prop_assert_eq!(gauge.describe().len(), 7);
        }
    }

    #[test]
    fn eased_signs_never_reach_less(
        some_stalled in 0.0..100.0_f64,
        all_stalled in 0.0..100.0_f64,
        available in proptest::option::of(0.0..100.0_f64),
        (squeezed, out_of_memory) in any::<(bool, bool)>(),
    ) {
        let signs = Signs { some_stalled, all_stalled, available, squeezed, out_of_memory };
        prop_assert!(signs.level(0.5) >= signs.level(1.0));
    }

    #[test]
    fn a_level_falls_only_after_two_calm_seconds(
        shares in proptest::collection::vec((0_u64..1_000_000, 50_u64..3000), 1..60),
    ) {
        let (world, mut gauge) = watched();
        let (mut total_us, mut now_ms, mut level) = (5000, 0, Level::None);
        let mut busy_until_ms = 0;
        for (per_second_us, step_ms) in shares {
            (total_us, now_ms) = (total_us + per_second_us * step_ms / 1000, now_ms + step_ms);
            world.write(PSI, psi(0.0, total_us, 1000));
            let next = gauge.sample(at(now_ms));
            let half = if level == Level::Critical { 250_000 } else { 50_000 };
            // What is cut off in whole microseconds may make a stall at the very threshold smaller.
            let busy = per_second_us >= half + 100;
            prop_assert!(next >= level || (!busy && now_ms - busy_until_ms >= 2000), "at {now_ms} ms");
            if busy || next != level {
                busy_until_ms = now_ms;
            }
            level = next;
        }
    }
}

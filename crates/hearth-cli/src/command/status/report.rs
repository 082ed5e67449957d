//! The text of `hearth status`: the process in two lines, a table of the sources, what needs more words.
//!
//! A `-` stands for what a source has not: one that is parked or cold has no entries and no age.

use crate::render::colors::paint;
use crate::render::table::{Align, Table};
use crate::text::bar::bar;
use crate::text::{quote, size, time};
use crate::waiting;
use hearth_core::UnixNanos;
use hearth_protocol::answer::{Daemon, DiskUpdate, Shard, Status};

/// How the text looks.
pub(super) struct Look {
    /// With colours.
    pub(super) colored: bool,
    /// With block characters.
    pub(super) blocks: bool,
    /// The instant that times left count from.
    pub(super) now: UnixNanos,
}

/// Appends the whole text.
pub(super) fn push_text(out: &mut Vec<u8>, status: &Status, look: &Look) {
    out.extend_from_slice(daemon_lines(&status.daemon, look.blocks).as_bytes());
    if status.shards.is_empty() {
        out.extend_from_slice(b"no sources; `hearth add PATH` adds one\n");
        return;
    }
    out.push(b'\n');
    table(status, look).push_to(out);
    status.shards.iter().for_each(|shard| push_details(out, shard, look.now));
}

fn daemon_lines(daemon: &Daemon, blocks: bool) -> String {
    let up = time::span(daemon.uptime_s.saturating_mul(1000));
    let queries = size::grouped(daemon.queries_total);
    format!(
        "hearthd {}, pid {}, up {up}, {queries} queries\n{}\n",
        daemon.version,
        daemon.pid,
        memory_line(daemon, blocks)
    )
}

fn memory_line(daemon: &Daemon, blocks: bool) -> String {
    let (held, budget) = (daemon.held_bytes, daemon.budget_bytes);
    let of = format!("{} of {}", size::human(held), size::human(budget));
    let named = |name: &str, bytes: u64| format!("{name} {}", size::human(bytes));
    let mut parts = vec![
        format!("memory {} {of}", bar(held, budget, blocks)),
        format!("{} ({})", named("index", daemon.resident_bytes), named("digests", daemon.digest_bytes)),
        named("reserved", daemon.reserved_bytes),
        named("retained", daemon.retained_bytes),
    ];
    parts.extend(daemon.rss_bytes.map(|bytes| named("process", bytes)));
    if daemon.pressure != "none" {
        parts.push(format!("pressure {}", daemon.pressure));
    }
    parts.join(", ")
}

fn table(status: &Status, look: &Look) -> Table {
    let (left, right) = (Align::Left, Align::Right);
    let columns = [
        ("source", left),
        ("tier", left),
        ("health", left),
        ("feed", left),
        ("entries", right),
        ("memory", right),
        ("", left),
        ("age", right),
        ("q/min", right),
        ("pin", right),
        ("root", left),
    ];
    let mut table = Table::new(&columns);
    for shard in &status.shards {
        let mut root = Vec::new();
        paint(&mut root, health_color(&shard.health).filter(|_| look.colored), |out| {
            quote::push_visible(out, &shard.root.0);
        });
        let cells = cells(shard, status.daemon.budget_bytes, look);
        table.row(cells.map(String::into_bytes).into_iter().chain([root]).collect());
    }
    table
}

fn cells(shard: &Shard, budget_bytes: u64, look: &Look) -> [String; 10] {
    let or_none = |text: String, there: bool| if there { text } else { "-".to_owned() };
    let has_body = matches!(shard.tier.as_str(), "warm" | "hot") && shard.generation > 0;
    let memory = shard.resident_bytes;
    [
        shard.name.clone(),
        shard.tier.clone(),
        // What was given up with the memory is not empty to a person.
        or_none(shard.health.clone(), shard.health != "empty" || shard.loads_total == 0),
        or_none(shard.feed.kind.clone(), shard.feed.kind != "none"),
        or_none(size::grouped(shard.rows), has_body),
        or_none(size::human(memory), memory > 0),
        if memory > 0 { bar(memory, budget_bytes, look.blocks) } else { String::new() },
        or_none(time::span(shard.age_ms), has_body),
        rate(shard.query_rate_per_min),
        pin(shard, look.now),
    ]
}

/// Queries a minute: one decimal while there are few.
fn rate(per_min: f64) -> String {
    if per_min < 0.05 {
        "0".to_owned()
    } else if per_min < 9.95 {
        format!("{per_min:.1}")
    } else {
        size::grouped(per_min.round() as u64)
    }
}

/// Time left of a pin, or `yes` for one that stays until it is taken back.
fn pin(shard: &Shard, now: UnixNanos) -> String {
    match (shard.pinned, shard.pin_expires_ns) {
        (false, _) => "-".to_owned(),
        (true, None) => "yes".to_owned(),
        (true, Some(at)) => time::span(time::until(at, now)),
    }
}

/// Red for trouble, yellow for work in progress.
fn health_color(health: &str) -> Option<&'static str> {
    match health {
        "failed" => Some("31"),
        "fresh" | "empty" => None,
        _ => Some("33"),
    }
}

/// What a line of the table has no room for: a scan under way, memory besides the index, an error, the
/// snapshot, what the last scan left out.
fn push_details(out: &mut Vec<u8>, shard: &Shard, now: UnixNanos) {
    let mut say = |text: String| out.extend_from_slice(format!("{}: {text}\n", shard.name).as_bytes());
    if shard.scanning.is_some() {
        say(format!("reading, {}", waiting::how_far(shard)));
    }
    if shard.reserved_bytes > 0 {
        say(format!("{} set aside for the index that is being made", size::human(shard.reserved_bytes)));
    }
    if shard.retained_bytes > 0 {
        say(format!("{} of older indexes still held by queries", size::human(shard.retained_bytes)));
    }
    if let Some(error) = &shard.last_error {
        say(format!("error: {}{}", quote::visible(error.as_bytes()), next_attempt(shard, now)));
    }
    feed_lines(shard, now).into_iter().for_each(&mut say);
    shard.disk.as_ref().map(|disk| disk_line(disk, now)).into_iter().for_each(&mut say);
    snapshot_lines(shard, now).into_iter().for_each(&mut say);
    let Some(scan) = &shard.last_scan else { return };
    if scan.denied + scan.failed > 0 {
        say(format!("{} not permitted, {} other errors in the last scan", scan.denied, scan.failed));
    }
    for line in &scan.samples {
        say(format!("  {}", quote::visible(line.as_bytes())));
    }
    for skipped in &scan.skipped {
        say(format!("left out {}", quote::visible(skipped.as_bytes())));
    }
}

/// Why changes are not told as they happen, what was lost, and what the last comparison came to.
fn feed_lines(shard: &Shard, now: UnixNanos) -> Vec<String> {
    let feed = &shard.feed;
    let in_memory = matches!(shard.tier.as_str(), "warm" | "hot");
    // Nothing tells of what is written to a disk: looking at it is the best there is.
    let lacks = in_memory && !feed.live && feed.kind != "journal";
    let not_live = lacks.then(|| format!("changes: {}", quote::visible(feed.text.as_bytes())));
    let lost = (feed.overflows_total > 0).then(|| {
        format!("changes came too fast {} times and were compared", size::grouped(feed.overflows_total))
    });
    let compared = feed.last_compare.map(|compare| {
        format!(
            "compared {} ago in {}: {} entries looked at, {} rows changed",
            time::span(time::until(now, compare.at_ns)),
            time::span(compare.took_ms),
            size::grouped(compare.looked),
            size::grouped(compare.changed),
        )
    });
    [not_live, lost, compared].into_iter().flatten().collect()
}

/// How the index came to follow its NTFS volume, and why in no shorter way.
fn disk_line(disk: &DiskUpdate, now: UnixNanos) -> String {
    let when = format!("{} ago", time::span(time::until(now, disk.at_ns)));
    let took = time::span(disk.took_ms);
    let records = size::grouped(disk.records);
    match disk.how.as_str() {
        "unchanged" => format!("nothing had changed on the disk {when}"),
        "replayed" => {
            let (files, changed) = (size::grouped(disk.files), size::grouped(disk.changed));
            format!(
                "change journal replayed {when} in {took}: {records} records, {files} files, {changed} rows changed"
            )
        }
        _ => {
            let why = disk.reason_text.as_ref().map(|why| format!(": {}", quote::visible(why.as_bytes())));
            format!("file table read {when} in {took}, {records} records{}", why.unwrap_or_default())
        }
    }
}

/// What is on disk, and what went wrong with it. A load that found its snapshot or none is not worth a line.
fn snapshot_lines(shard: &Shard, now: UnixNanos) -> Vec<String> {
    let size = size::human(shard.snapshot_bytes);
    let age = shard.snapshot_saved_ns.map(|at| format!(", {} old", time::span(time::until(now, at))));
    let on_disk = match (shard.snapshot_bytes > 0, shard.unsaved) {
        (true, false) => Some(format!("snapshot {size}{}", age.unwrap_or_default())),
        (true, true) => Some(format!("snapshot {size}{}, to be replaced", age.unwrap_or_default())),
        (false, true) => Some("no snapshot yet, to be saved".to_owned()),
        (false, false) => None,
    };
    let reason = shard.load_reason.as_deref().filter(|word| !matches!(*word, "loaded" | "missing"));
    let not_loaded = reason.map(|word| {
        let text = shard.load_text.as_ref().map(|text| format!(": {}", quote::visible(text.as_bytes())));
        format!("snapshot not loaded, {word}{}", text.unwrap_or_default())
    });
    let error = shard.last_save_error.as_ref();
    let not_saved = error.map(|error| format!("not saved: {}", quote::visible(error.as_bytes())));
    [on_disk, not_loaded, not_saved].into_iter().flatten().collect()
}

/// How often it failed and when it is tried again, after the error.
fn next_attempt(shard: &Shard, now: UnixNanos) -> String {
    let often =
        if shard.retry_count > 1 { format!("; failed {} times", shard.retry_count) } else { String::new() };
    let next =
        shard.next_retry_ns.map(|at| format!("; next attempt in {}", time::span(time::until(at, now))));
    often + &next.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use hearth_protocol::answer::{Compared, Feed, LastScan, Scanning};

    const SECOND: i64 = 1_000_000_000;

    fn text(daemon: Daemon, shards: Vec<Shard>) -> String {
        let mut out = Vec::new();
        let look = Look { colored: false, blocks: false, now: 0 };
        push_text(&mut out, &Status { daemon, shards }, &look);
        String::from_utf8(out).expect("all is text")
    }

    #[test]
    fn the_daemon_is_two_lines() {
        let expect = "hearthd 0.1.0, pid 7, up 1h, 1,234 queries\n\
                      memory [#.......] 3.0M of 512M, index 2.0M (digests 1.0K), reserved 0, retained 0, \
                      process 9.0M\n\
                      no sources; `hearth add PATH` adds one\n";
        assert_eq!(text(sample::daemon(), Vec::new()), expect);
        let pressed = Daemon { pressure: "critical".into(), rss_bytes: None, ..sample::daemon() };
        assert!(text(pressed, Vec::new()).contains("retained 0, pressure critical\n"));
    }

    #[test]
    fn a_source_shows_what_it_has() {
        let hot = Shard {
            name: "home".into(),
            tier: "hot".into(),
            resident_bytes: 256 << 20,
            pinned: true,
            pin_expires_ns: Some(1770 * SECOND),
            query_rate_per_min: 42.4,
            ..sample::shard()
        };
        let kept = Shard { pinned: true, ..sample::shard() };
        let asleep = Shard {
            tier: "parked".into(),
            health: "empty".into(),
            loads_total: 1,
            feed: none(),
            ..sample::shard()
        };
        let gone =
            Shard { resident_bytes: 0, tier: "cold".into(), query_rate_per_min: 0.01, ..asleep.clone() };
        let text = text(sample::daemon(), vec![hot, kept, asleep, gone]);
        let expect = "
source  tier    health  feed      entries  memory                 age  q/min      pin  root
home    hot     fresh   fanotify   12,345    256M  [####....]  1m 30s     42  29m 30s  /
root    warm    fresh   fanotify   12,345    2.0M  [#.......]  1m 30s    1.2      yes  /
root    parked  -       -               -    2.0M  [#.......]       -    1.2        -  /
root    cold    -       -               -       -                   -      0        -  /
";
        assert!(text.ends_with(expect), "{text}");
    }

    fn none() -> Feed {
        Feed { kind: "none".into(), text: "not in memory".into(), ..Feed::default() }
    }

    #[test]
    fn a_feed_that_does_not_tell_is_explained_and_a_comparison_is_shown() {
        let compare = Compared { at_ns: -120 * SECOND, took_ms: 1200, looked: 1_000_000, changed: 12 };
        let feed = Feed {
            kind: "poll".into(),
            text: "polled every 300 s: too few watches".into(),
            overflows_total: 2,
            last_compare: Some(compare),
            ..Feed::default()
        };
        let lines = feed_lines(&Shard { feed, ..sample::shard() }, 0);
        let expect = [
            "changes: polled every 300 s: too few watches",
            "changes came too fast 2 times and were compared",
            "compared 2m ago in 1s: 1,000,000 entries looked at, 12 rows changed",
        ];
        assert_eq!(lines, expect);
        assert!(feed_lines(&sample::shard(), 0).is_empty());
        let looked_at = Feed { kind: "journal".into(), text: "looked at".into(), ..Feed::default() };
        assert!(feed_lines(&Shard { feed: looked_at, ..sample::shard() }, 0).is_empty());
        let parked = Shard { tier: "parked".into(), feed: none(), ..sample::shard() };
        assert!(feed_lines(&parked, 0).is_empty());
    }

    #[test]
    fn an_ntfs_volume_says_how_its_index_came_to_follow_it() {
        let line = |how: &str, why: Option<&str>| {
            let disk = DiskUpdate {
                how: how.into(),
                reason: why.map(|_| "journal_absent".into()),
                reason_text: why.map(str::to_owned),
                at_ns: -120 * SECOND,
                records: 270_000,
                files: 12,
                changed: 3,
                took_ms: 1200,
            };
            disk_line(&disk, 0)
        };
        assert_eq!(line("unchanged", None), "nothing had changed on the disk 2m ago");
        assert_eq!(
            line("replayed", None),
            "change journal replayed 2m ago in 1s: 270,000 records, 12 files, 3 rows changed"
        );
        let read = "file table read 2m ago in 1s, 270,000 records";
        assert_eq!(line("read", None), read);
        assert_eq!(line("read", Some("no journal")), format!("{read}: no journal"));
    }

    #[test]
    fn a_scan_under_way_is_told() {
        let shard = Shard {
            tier: "cold".into(),
            health: "loading".into(),
            generation: 0,
            reserved_bytes: 30 << 20,
            scanning: Some(Scanning { entries: 5000, elapsed_ms: 500 }),
            ..sample::shard()
        };
        let text = text(sample::daemon(), vec![shard]);
        let expect = "root: reading, 5,000 entries, 10,000/s\n\
                      root: 30M set aside for the index that is being made\n";
        assert!(text.ends_with(expect), "{text}");
    }

    #[test]
    fn trouble_is_told() {
        let scan = LastScan {
            entries: 1,
            scan_ms: 1,
            build_ms: 1,
            denied: 2,
            vanished: 0,
            failed: 0,
            samples: vec!["/x\n: denied".into()],
            skipped: vec!["/proc (virtual)".into()],
        };
        let shard = Shard {
            last_scan: Some(scan),
            last_error: Some("disk".into()),
            retry_count: 3,
            next_retry_ns: Some(120 * SECOND),
            retained_bytes: 5 << 20,
            ..sample::shard()
        };
        let text = text(sample::daemon(), vec![shard]);
        for line in [
            "root: error: disk; failed 3 times; next attempt in 2m\n",
            "root: 5.0M of older indexes still held by queries\n",
            "2 not permitted, 0 other errors",
            "$'/x\\n: denied'",
            "left out /proc (virtual)",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }

    #[test]
    fn a_snapshot_is_told_with_its_size_and_age() {
        let saved = Shard { snapshot_bytes: 220 << 20, snapshot_saved_ns: Some(0), ..sample::shard() };
        let lines = |shard: &Shard| snapshot_lines(shard, 300 * SECOND);
        assert_eq!(lines(&saved), ["snapshot 220M, 5m old"]);
        assert_eq!(lines(&Shard { unsaved: true, ..saved }), ["snapshot 220M, 5m old, to be replaced"]);
        assert_eq!(lines(&Shard { unsaved: true, ..sample::shard() }), ["no snapshot yet, to be saved"]);
        assert!(lines(&sample::shard()).is_empty());
    }

    #[test]
    fn only_a_load_without_its_snapshot_says_why() {
        let load = |word: &str, text: Option<&str>| Shard {
            load_reason: Some(word.into()),
            load_text: text.map(str::to_owned),
            ..sample::shard()
        };
        for word in ["loaded", "missing"] {
            assert!(snapshot_lines(&load(word, Some("so it is")), 0).is_empty(), "{word}");
        }
        let changed = load("key-unavailable", Some("/k\n: no such file"));
        assert_eq!(
            snapshot_lines(&changed, 0),
            ["snapshot not loaded, key-unavailable: $'/k\\n: no such file'"]
        );
        assert_eq!(snapshot_lines(&load("parse", None), 0), ["snapshot not loaded, parse"]);
        let full = Shard { last_save_error: Some("no room".into()), ..load("loaded", None) };
        assert!(text(sample::daemon(), vec![full]).ends_with("\nroot: not saved: no room\n"));
    }

    #[test]
    fn rates_have_a_decimal_while_they_are_small() {
        for (per_min, expect) in
            [(0.0, "0"), (0.04, "0"), (0.05, "0.1"), (9.94, "9.9"), (9.96, "10"), (12_345.6, "12,346")]
        {
            assert_eq!(rate(per_min), expect, "{per_min}");
        }
    }
}

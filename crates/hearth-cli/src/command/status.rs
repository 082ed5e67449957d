//! `hearth status`: the daemon and every source.
//!
//! All numbers of one look come from one answer of the daemon; `--watch` looks again every second over
//! the same connection. JSON passes every field on, the table shows those a person needs.

use crate::args::operate::StatusArgs;
use crate::console::Console;
use crate::exit::{Done, Outcome};
use crate::failure::Stop;
use crate::reach::{connect, refused};
use crate::render::colors::paint;
use crate::render::table::{Align, Table};
use crate::text::{quote, size, time};
use crate::waiting;
use hearth_protocol::answer::{Daemon, Shard, Status};
use std::time::Duration;

/// Time between two looks of `--watch`.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Clears a terminal and goes to its first line.
const CLEAR: &[u8] = b"\x1b[H\x1b[2J";

/// Asks and prints, once or again and again.
pub(crate) fn run(args: &StatusArgs, console: &mut Console) -> Outcome {
    let mut client = connect(console)?;
    loop {
        let status = client.status().map_err(refused)?;
        print(args, &status, console)?;
        if !args.watch {
            return Ok(Done::Found);
        }
        console.printer.flush()?;
        std::thread::sleep(LOOK_EVERY);
    }
}

fn print(args: &StatusArgs, status: &Status, console: &mut Console) -> Result<(), Stop> {
    if args.json {
        console.printer.json(&status.daemon)?;
        return status.shards.iter().try_for_each(|shard| console.printer.json(shard));
    }
    let colored = console.colors(args.color.color).is_some();
    if args.watch && console.printer.is_terminal() {
        console.printer.bytes(CLEAR)?;
    }
    console.printer.push(|out| push_text(out, status, colored))
}

fn push_text(out: &mut Vec<u8>, status: &Status, colored: bool) {
    out.extend_from_slice(daemon_line(&status.daemon).as_bytes());
    if status.shards.is_empty() {
        out.extend_from_slice(b"no sources; `hearth add PATH` adds one\n");
        return;
    }
    out.push(b'\n');
    table(&status.shards, colored).push_to(out);
    status.shards.iter().for_each(|shard| push_details(out, shard));
}

fn daemon_line(daemon: &Daemon) -> String {
    let mut parts = vec![
        format!("hearthd {}", daemon.version),
        format!("pid {}", daemon.pid),
        format!("up {}", time::span(daemon.uptime_s.saturating_mul(1000))),
        format!("index {}", size::human(daemon.resident_bytes)),
    ];
    parts.extend(daemon.rss_bytes.map(|bytes| format!("process {}", size::human(bytes))));
    parts.push(format!("{} queries", size::grouped(daemon.queries_total)));
    format!("{}\n", parts.join(", "))
}

fn table(shards: &[Shard], colored: bool) -> Table {
    let (left, right) = (Align::Left, Align::Right);
    let columns = [
        ("source", left),
        ("health", left),
        ("entries", right),
        ("memory", right),
        ("age", right),
        ("queries", right),
        ("root", left),
    ];
    let mut table = Table::new(&columns);
    for shard in shards {
        let mut root = Vec::new();
        paint(&mut root, health_color(&shard.health).filter(|_| colored), |out| {
            quote::push_visible(out, &shard.root.0);
        });
        let age = if shard.generation == 0 { "-".to_owned() } else { time::span(shard.age_ms) };
        let cells = [
            shard.name.clone(),
            shard.health.clone(),
            size::grouped(shard.rows),
            size::human(shard.resident_bytes),
            age,
            size::grouped(shard.queries_total),
        ];
        table.row(cells.map(String::into_bytes).into_iter().chain([root]).collect());
    }
    table
}

/// Red for trouble, yellow for work in progress.
fn health_color(health: &str) -> Option<&'static str> {
    match health {
        "failed" => Some("31"),
        "fresh" => None,
        _ => Some("33"),
    }
}

/// What a line of the table has no room for: a scan under way, what the last one left out, an error.
fn push_details(out: &mut Vec<u8>, shard: &Shard) {
    let mut say = |text: String| out.extend_from_slice(format!("{}: {text}\n", shard.name).as_bytes());
    if shard.scanning.is_some() {
        say(format!("reading, {}", waiting::how_far(shard)));
    }
    if let Some(error) = &shard.last_error {
        say(format!("error: {}", quote::visible(error.as_bytes())));
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_protocol::answer::{LastScan, Scanning};
    use hearth_protocol::{RootField, V1};

    fn daemon() -> Daemon {
        Daemon {
            v: V1,
            pid: 7,
            version: "0.1.0".into(),
            uptime_s: 3600,
            resident_bytes: 1 << 20,
            rss_bytes: Some(2 << 20),
            allocated_bytes: None,
            allocator_resident_bytes: None,
            queries_total: 1234,
            requests_total: 0,
            connections: 1,
            interactive_waiting: 0,
            bulk_waiting: 0,
        }
    }

    fn shard() -> Shard {
        Shard {
            v: V1,
            id: 1,
            kind: "volume".into(),
            root: RootField(b"/".to_vec()),
            name: "root".into(),
            health: "loading".into(),
            generation: 0,
            clock: String::new(),
            age_ms: 0,
            rows: 12_345,
            resident_bytes: 1024,
            scanning: Some(Scanning { entries: 5000, elapsed_ms: 500 }),
            last_scan: None,
            last_query_ns: None,
            queries_total: 3,
            rebuilds_total: 0,
            last_good_ns: None,
            last_error: None,
        }
    }

    fn text(shards: Vec<Shard>) -> String {
        let mut out = Vec::new();
        push_text(&mut out, &Status { daemon: daemon(), shards }, false);
        String::from_utf8(out).expect("all is text")
    }

    #[test]
    fn the_daemon_is_one_line() {
        let expect = "hearthd 0.1.0, pid 7, up 1h, index 1.0M, process 2.0M, 1,234 queries\n\
                      no sources; `hearth add PATH` adds one\n";
        assert_eq!(text(Vec::new()), expect);
    }

    #[test]
    fn a_scan_under_way_is_told() {
        let text = text(vec![shard()]);
        assert!(text.contains("source  health   entries  memory  age  queries  root\n"), "{text}");
        assert!(text.contains("root    loading   12,345    1.0K    -        3  /\n"), "{text}");
        assert!(text.ends_with("root: reading, 5,000 entries, 10,000/s\n"), "{text}");
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
        let shard =
            Shard { scanning: None, last_scan: Some(scan), last_error: Some("disk".into()), ..shard() };
        let text = text(vec![shard]);
        for line in
            ["error: disk", "2 not permitted, 0 other errors", "$'/x\\n: denied'", "left out /proc (virtual)"]
        {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}

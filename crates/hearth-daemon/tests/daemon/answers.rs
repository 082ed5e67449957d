//! What the methods answer.

use crate::house::House;
use hearth_client::{CallError, Client, Entry, FindHandler};
use hearth_protocol::answer::Summary;
use hearth_protocol::params::{
    DuParams, DupesParams, Encoding, FindParams, ForgetParams, SourcesParams, StatsBy, StatsParams,
};
use hearth_protocol::{Code, Column, method};
use serde_json::{Value, json};
use std::io;
use std::os::unix::ffi::OsStrExt;

const NAMES: [&[u8]; 6] =
    [b"a.txt", b"sub/b.txt", b"sub/deep/c.rs", b"new\nline", b"tab\t\"quote\"", b"bad\xff\xfe.txt"];

#[derive(Default)]
struct Kept {
    entries: Vec<Entry>,
    raw: Vec<u8>,
}

impl FindHandler for Kept {
    fn entries(&mut self, entries: Vec<Entry>) -> io::Result<()> {
        self.entries.extend(entries);
        Ok(())
    }

    fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.raw.extend_from_slice(bytes);
        Ok(())
    }
}

fn find(client: &mut Client, params: &FindParams) -> (Kept, Summary) {
    let mut kept = Kept::default();
    let summary = client.find(params, &mut kept).unwrap();
    (kept, summary)
}

fn files(house: &House) -> Vec<Vec<u8>> {
    let root = house.tree();
    let mut paths: Vec<Vec<u8>> =
        NAMES.iter().map(|name| [root.as_os_str().as_bytes(), b"/", name].concat()).collect();
    paths.sort();
    paths
}

#[test]
fn every_encoding_carries_the_same_paths_bytes_and_all() {
    let house = House::with_files(NAMES);
    let mut client = house.client();
    let params = FindParams { query: Some("type:file".into()), ..Default::default() };
    let (kept, summary) = find(&mut client, &params);
    let mut paths: Vec<Vec<u8>> = kept.entries.iter().map(|entry| entry.path_bytes().to_vec()).collect();
    let (nul, _) = find(&mut client, &FindParams { encoding: Encoding::Nul, ..params.clone() });
    let (lines, _) = find(&mut client, &FindParams { encoding: Encoding::Lines, ..params.clone() });
    let (jsonl, _) = find(&mut client, &FindParams { encoding: Encoding::Jsonl, ..params });
    let joined =
        |end: u8| paths.iter().flat_map(|path| path.iter().copied().chain([end])).collect::<Vec<u8>>();
    assert_eq!(nul.raw, joined(0));
    assert_eq!(lines.raw, joined(b'\n'));
    let objects: Vec<Entry> = jsonl
        .raw
        .split_inclusive(|&byte| byte == b'\n')
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(objects, kept.entries);
    paths.sort();
    assert_eq!(paths, files(&house));
    assert_eq!((summary.matched, summary.shown), (Some(6), 6));
    assert!(summary.meta[0].complete);
}

#[test]
fn entries_agree_with_the_file_system() {
    use std::os::unix::fs::MetadataExt;
    let house = House::with_files(NAMES);
    let columns = Some(vec![
        Column::Path,
        Column::Name,
        Column::Kind,
        Column::Size,
        Column::Mode,
        Column::Uid,
        Column::FileId,
        Column::Links,
        Column::Modified,
        Column::Descendants,
        Column::Depth,
    ]);
    let params = FindParams { query: Some("=b.txt | =sub".into()), columns, ..Default::default() };
    let (kept, _) = find(&mut house.client(), &params);
    assert_eq!(kept.entries.len(), 2);
    for entry in &kept.entries {
        let path = std::path::Path::new(entry.path.as_deref().unwrap());
        let meta = path.symlink_metadata().unwrap();
        assert_eq!(entry.name.as_deref(), path.file_name().and_then(|name| name.to_str()));
        assert_eq!((entry.mode, entry.uid), (Some(meta.mode()), Some(meta.uid())));
        assert_eq!((entry.file_id, entry.links), (Some(meta.ino()), Some(meta.nlink() as u32)));
        assert_eq!(entry.modified_ns, Some(meta.mtime() * 1_000_000_000 + meta.mtime_nsec()));
        assert_eq!(entry.depth, Some(path.components().count() as u32 - 1));
        assert_eq!(entry.descendants, meta.is_dir().then_some(3));
        assert_eq!((entry.source.as_ref(), entry.gid), (None, None), "not asked for");
    }
}

#[test]
fn queries_of_any_bytes_work() {
    let house = House::with_files(NAMES);
    let mut params = FindParams::default();
    params.set_query(b"=bad\xff\xfe.txt".to_vec());
    let (kept, _) = find(&mut house.client(), &params);
    assert_eq!(kept.entries[0].name_bytes(), b"bad\xff\xfe.txt");
}

#[test]
fn pages_continue_where_they_ended() {
    let house = House::with_files(NAMES);
    let mut client = house.client();
    let mut params = FindParams { query: Some("type:file".into()), limit: Some(4), ..Default::default() };
    let (first, summary) = find(&mut client, &params);
    params.cursor = summary.cursor;
    assert!(params.cursor.is_some());
    let (second, summary) = find(&mut client, &params);
    let mut paths: Vec<_> =
        first.entries.iter().chain(&second.entries).map(|entry| entry.path_bytes().to_vec()).collect();
    paths.sort();
    assert_eq!(paths, files(&house));
    assert_eq!(summary.cursor, None);
}

#[test]
fn counting_and_explaining_send_no_more_than_that() {
    let house = House::with_files(NAMES);
    let params = FindParams { query: Some("txt".into()), count: true, explain: true, ..Default::default() };
    let (kept, summary) = find(&mut house.client(), &params);
    assert_eq!((summary.matched, summary.shown, kept.entries.len()), (Some(3), 0, 0));
    assert_eq!(summary.explain.len(), 1);
}

#[test]
fn reports_add_up() {
    let house = House::with_files(NAMES);
    let mut client = house.client();
    let (rows, _) = client.du(&DuParams { depth: 2, ..Default::default() }, &mut |_| Ok(())).unwrap();
    assert_eq!((rows[0].path.0.as_slice(), rows[0].descendants), (house.tree().as_os_str().as_bytes(), 8));
    let stats = StatsParams { by: StatsBy::Type, ..Default::default() };
    let (rows, summary) = client.stats(&stats, &mut |_| Ok(())).unwrap();
    let total = summary.total.unwrap();
    assert_eq!(rows.iter().map(|row| row.entries).sum::<u64>(), total.entries);
    assert_eq!(total.size, 6 * 7);
    let (groups, summary) = client.dupes(&DupesParams::default(), &mut |_| Ok(())).unwrap();
    assert_eq!((groups.len(), groups[0].files.len(), groups[0].size), (1, 6, 7));
    assert_eq!(summary.dupes.unwrap().wasted, 5 * 7);
}

#[test]
fn sources_come_and_go() {
    let house = House::with_files(NAMES);
    let mut client = house.client();
    let source = client.list().unwrap().remove(0);
    assert_eq!(source.root.0, house.tree().as_os_str().as_bytes());
    let refreshed = client.refresh(&SourcesParams::default()).unwrap();
    assert_eq!(refreshed, [source.name.as_str()]);
    let status = client.status().unwrap();
    assert_eq!((status.shards.len(), status.shards[0].rows), (1, 9));
    assert!(status.daemon.rss_bytes.unwrap() > 0 && status.daemon.allocated_bytes.unwrap() > 0);
    let params = ForgetParams { source: Some(source.name.clone()), force: true, ..Default::default() };
    assert_eq!(client.forget(&params).unwrap().source, source);
    assert!(client.list().unwrap().is_empty());
}

#[test]
fn a_file_added_later_is_found_after_a_refresh() {
    let house = House::with_files(NAMES);
    house.write(b"later.txt", b"x");
    let mut client = house.client();
    client.refresh(&SourcesParams::default()).unwrap();
    let params = FindParams { query: Some("=later.txt".into()), wait_complete: true, ..Default::default() };
    assert_eq!(find(&mut client, &params).1.matched, Some(1));
}

#[test]
fn scan_progress_ends_with_done() {
    let house = House::with_a_large_tree();
    let mut client = house.client();
    client.subscribe_progress().unwrap();
    let mut last = None;
    for _ in 0..50 {
        client.refresh(&SourcesParams::default()).unwrap();
        // A scan between two looks is not reported, so ask until one is caught.
        let _: Value = client
            .call_with(method::FIND, &json!({"count": true, "wait_complete": true}), &mut |event| {
                if let hearth_client::Event::Scan(progress) = event {
                    last = Some(progress);
                }
                Ok(())
            })
            .unwrap();
        if last.is_some() {
            break;
        }
    }
    let mut last = last.expect("a scan was caught");
    while !last.done {
        last = client.next_progress().unwrap();
    }
    assert!(last.entries >= 12_000, "{last:?}");
}

#[test]
fn the_daemon_introduces_itself_and_refuses_other_versions() {
    let mut house = House::with_daemon();
    let pid = house.daemon().id();
    let mut client = house.client();
    let hello = client.hello("test").unwrap();
    assert_eq!((hello.protocol, hello.pid), (1, pid));
    assert!(hello.capabilities.methods.iter().any(|name| name == "find"));
    let refused = client.call::<_, Value>(method::HELLO, &json!({"protocol": 99})).unwrap_err();
    let CallError::Rpc(error) = refused else { panic!("{refused}") };
    assert!(error.is(Code::ProtocolMismatch));
    assert_eq!((&error.data["ours"], &error.data["theirs"]), (&json!(1), &json!(99)));
}

#[test]
fn the_configuration_is_shown_with_its_origins() {
    let mut house = House::empty();
    std::fs::create_dir_all(house.home()).unwrap();
    std::fs::write(house.places().config, "[limits]\nconnections = 7\n").unwrap();
    house.start();
    let config = house.client().config().unwrap();
    let setting = config.settings.iter().find(|setting| setting.key == "limits.connections").unwrap();
    assert_eq!(setting.value, "7");
    assert!(setting.origin.contains("config.toml"), "{}", setting.origin);
}

#[test]
fn mistakes_are_errors_that_name_them() {
    let house = House::with_files(NAMES);
    let mut client = house.client();
    let mut refused = |method: &str, params: Value| {
        let error = client.call::<_, Value>(method, &params).unwrap_err();
        let CallError::Rpc(error) = error else { panic!("{error}") };
        error
    };
    let error = refused("find", json!({"quer": "a"}));
    assert!(error.is(Code::InvalidParams) && error.message.contains("`quer`"), "{error}");
    let error = refused("find", json!({"query": "size:>many"}));
    assert!(error.is(Code::BadQuery) && error.data["position"].is_u64(), "{error:?}");
    let error = refused("find", json!({"encoding": "nul", "columns": ["size"]}));
    assert!(error.is(Code::InvalidParams), "{error}");
    let error = refused("find", json!({"timeout_ms": 0}));
    assert!(error.is(Code::InvalidParams) && error.message.contains("timeout_ms"), "{error}");
    assert!(refused("symbols", json!({})).is(Code::MethodNotFound));
    assert!(refused("add", json!({})).is(Code::InvalidParams));
    assert!(refused("forget", json!({"source": "nobody"})).is(Code::UnknownSource));
    assert!(refused("list", json!({"all": true})).is(Code::InvalidParams));
}

#[test]
fn without_a_source_the_first_query_registers_one() {
    let house = House::with_daemon();
    // For root that is the root file system, which is too much for a test.
    if rustix::process::geteuid().is_root() {
        return;
    }
    house.write(b"in-home.txt", b"x");
    let params = FindParams { query: Some("=in-home.txt".into()), wait_complete: true, ..Default::default() };
    assert_eq!(find(&mut house.client(), &params).1.matched, Some(1));
}

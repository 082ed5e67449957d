//! What an NTFS volume can be found in: a whole image, a partition, a capture, a file table alone.

use crate::world::{LONG, World, assert_same, patience};
use hearth_disks::ntfs::{Form, NtfsImage};
use hearth_service::ServiceError;
use hearth_service::api::{DupesRequest, SourceKind};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const FORM: Form = Form { sector_bytes: 512, cluster_bytes: 4096 };
const BYTES: u64 = 32 << 20;
/// Where the first partition begins, and space between two.
const GAP: u64 = 1 << 20;

fn image(files: u64, seed: u64) -> Option<NtfsImage> {
    let image = NtfsImage::new(BYTES, FORM)?;
    image.mount().fill(files, seed).expect("room");
    Some(image)
}

/// A disk with an MBR and these volumes as partitions.
fn disk(folder: &Path, volumes: &[&NtfsImage]) -> PathBuf {
    let path = folder.join("disk.img");
    let mut disk = File::create(&path).expect("made");
    let mut table = [0u8; 512];
    for (at, volume) in volumes.iter().enumerate() {
        let start = GAP + at as u64 * (BYTES + GAP);
        let entry = &mut table[446 + at * 16..][..16];
        entry[4] = 7;
        entry[8..12].copy_from_slice(&u32::try_from(start / 512).unwrap().to_le_bytes());
        entry[12..16].copy_from_slice(&u32::try_from(BYTES / 512).unwrap().to_le_bytes());
        disk.seek(SeekFrom::Start(start)).expect("a file");
        io::copy(&mut File::open(volume.path()).expect("there"), &mut disk).expect("room");
    }
    table[510..].copy_from_slice(&[0x55, 0xaa]);
    disk.seek(SeekFrom::Start(0)).expect("a file");
    disk.write_all(&table).expect("room");
    path
}

#[test]
fn partitions_are_found_and_each_is_a_source() {
    let (Some(a), Some(b)) = (image(30, 1), image(40, 2)) else { return };
    let world = World::new();
    let one = disk(world.home.path(), &[&a]);
    let single = world.add(&one);
    let bare = world.add(&a.path()).remove(0);
    assert_eq!(single[0].root, one.as_os_str().as_bytes());
    assert_same(&world.everything(&single[0]), &world.everything(&bare));
    let world = World::new();
    let both = disk(world.home.path(), &[&a, &b]);
    let sources = world.add(&both);
    let roots: Vec<String> =
        sources.iter().map(|source| String::from_utf8_lossy(&source.root).into()).collect();
    assert_eq!(roots, [1, 2].map(|number| format!("{}#{number}", both.display())));
    for (source, image) in sources.iter().zip([&a, &b]) {
        let whole = World::new();
        let bare = whole.add(&image.path()).remove(0);
        assert_same(&world.everything(source), &whole.everything(&bare));
    }
    let again = world.service.add_disk(roots[1].as_bytes(), None, &patience()).expect("known");
    assert_eq!(again, sources[1..]);
    let named = world.service.add_disk(both.as_os_str().as_bytes(), Some("x"), &patience());
    assert!(matches!(named, Err(ServiceError::BadRequest { field: "name", .. })), "{named:?}");
}

#[test]
fn captures_and_file_tables_are_read_as_what_they_are_of() {
    let Some(image) = image(50, 5) else { return };
    let world = World::new();
    let at = |name: &str| world.home.path().join(name);
    let bytes = fs::read(image.path()).expect("there");
    fs::write(at("image.zst"), zstd::encode_all(&*bytes, 1).expect("packed")).expect("room");
    let mut gzip = flate2::write::GzEncoder::new(
        File::create(at("image.gz")).expect("made"),
        flate2::Compression::fast(),
    );
    gzip.write_all(&bytes).expect("room");
    gzip.finish().expect("room");
    let mut table = Vec::new();
    File::open(image.mount_to_read().root().join("$MFT"))
        .expect("shown")
        .read_to_end(&mut table)
        .expect("read");
    fs::write(at("table.mft"), &table).expect("room");
    fs::write(at("table.mft.zst"), zstd::encode_all(&*table, 1).expect("packed")).expect("room");
    let truth = world.everything(&world.add(&image.path()).remove(0));
    for name in ["image.zst", "image.gz", "table.mft", "table.mft.zst"] {
        let source = world.add(&at(name)).remove(0);
        assert_eq!(source.kind, SourceKind::Ntfs);
        assert_same(&world.everything(&source), &truth);
    }
    let scratch = fs::read_dir(at("cache/scratch")).expect("made").count();
    assert_eq!(scratch, 0, "captures are expanded without a trace");
}

#[test]
fn a_block_device_is_a_volume_like_its_image() {
    let Some(image) = image(30, 4) else { return };
    let Some(device) = Loop::new(&image.path()) else { return };
    let world = World::new();
    let source = world.add(&device.path).remove(0);
    let other = World::new();
    let truth = other.everything(&other.add(&image.path()).remove(0));
    assert_same(&world.fresh(&source), &truth);
    let folder = tempfile::tempdir().expect("made");
    {
        let mounted = Command::new("ntfs-3g").arg(&device.path).arg(folder.path()).status();
        assert!(mounted.expect("installed").success());
        fs::write(folder.path().join("new on the device"), "x").expect("written");
        assert!(Command::new("umount").arg(folder.path()).status().expect("installed").success());
    }
    let found = world.fresh(&source);
    assert!(found.contains_key(b"/new on the device".as_slice()), "{:?}", world.disk(&source));
}

/// A loop device over an image, until it is dropped.
struct Loop {
    path: PathBuf,
}

impl Loop {
    /// `None`, and a word, where it cannot be made.
    fn new(image: &Path) -> Option<Self> {
        let made = Command::new("losetup").args(["--find", "--show"]).arg(image).output().ok()?;
        let path = String::from_utf8(made.stdout).ok()?;
        if !made.status.success() {
            let why = String::from_utf8_lossy(&made.stderr).into_owned();
            let _ = writeln!(io::stderr(), "left out, for there is no loop device: {why}");
            return None;
        }
        Some(Self { path: path.trim().into() })
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.path).status();
    }
}

#[test]
fn what_holds_no_volume_is_refused_in_words() {
    let world = World::new();
    let at = |name: &str| world.home.path().join(name);
    fs::write(at("zeroes"), vec![0; 1 << 20]).expect("room");
    fs::write(at("empty"), "").expect("room");
    let refusal = |path: &Path| {
        let error = world.service.add_disk(path.as_os_str().as_bytes(), None, &patience());
        error.expect_err("refused").to_string()
    };
    for name in ["zeroes", "empty"] {
        assert!(refusal(&at(name)).contains("holds no NTFS volume"), "{}", refusal(&at(name)));
    }
    assert!(refusal(&at("none")).contains("No such file"));
    assert!(refusal(world.home.path()).contains("is a folder"));
    assert!(world.service.list().is_empty());
}

#[test]
fn one_query_asks_folders_and_images_at_once() {
    let (Some(a), Some(b)) = (image(30, 1), image(30, 2)) else { return };
    let world = World::new();
    let tree = world.home.path().join("tree");
    fs::create_dir(&tree).expect("made");
    fs::write(tree.join("file.dll"), "x").expect("written");
    for (image, name) in [(&a, "one.dll"), (&b, "two.dll")] {
        fs::write(image.mount().root().join(name), "xx").expect("written");
        world.add(&image.path());
    }
    let volume = world.service.add(tree.as_os_str().as_bytes(), Some("tree")).expect("added");
    world.settle(&volume.name);
    let request = hearth_service::api::FindRequest { query: "ext:dll".into(), ..Default::default() };
    let mut rows = Count(0);
    world.service.find(&request, &patience(), &mut rows).expect("answered");
    assert_eq!(rows.0, 3);
    fs::write(tree.join("copy.dll"), "x").expect("written");
    let dupes = DupesRequest {
        query: "ext:dll".into(),
        cwd: None,
        within: Vec::new(),
        min_size: 0,
        read_budget: 0,
        limit: 9,
        wait_fresh: Some(LONG),
    };
    let answer = world.service.dupes(&dupes, &patience(), &mut |_| {}).expect("answered");
    assert_eq!((answer.groups_total, answer.unreadable), (1, 0), "files inside images are not opened");
    let within = vec![a.path().into_os_string().into_encoded_bytes()];
    let inside = world.service.dupes(&DupesRequest { within, ..dupes }, &patience(), &mut |_| {});
    assert!(matches!(inside, Err(ServiceError::BadRequest { field: "within", .. })), "{inside:?}");
}

struct Count(usize);

impl hearth_service::api::RowSink for Count {
    fn rows(&mut self, rows: hearth_service::api::Rows<'_>) -> Result<(), hearth_service::api::SinkClosed> {
        self.0 += rows.rows.len();
        Ok(())
    }
}

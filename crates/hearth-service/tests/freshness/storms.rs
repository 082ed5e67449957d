//! Storms: what programs do to many files in a short time. After each, and in between, the caller checks.
//!
//! Sizes are those of an ordinary test run. `HEARTH_TEST_STORM_SCALE=100` makes the folder that moves hold 100 000
//! files, and everything else larger in proportion.

use hearth_disks::acts::{Act, Actor};
use hearth_disks::left_out;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where a storm happens, and who looks at what it did.
pub(crate) struct Ground<'a> {
    /// The tree that is indexed.
    pub(crate) top: &'a Path,
    /// A folder on the same file system that is not, where there is one.
    pub(crate) outside: Option<&'a Path>,
    /// Compares the index with the disk.
    pub(crate) check: &'a dyn Fn(&str),
}

/// A storm; an error means that the test itself could not do it.
type Storm = fn(&Ground<'_>) -> io::Result<()>;

/// All storms.
const STORMS: &[(&str, Storm)] = &[
    ("triples", triples),
    ("a folder with many files moves", folder_moves),
    ("hard links", hard_links),
    ("appends", appends),
    ("mapped writes", mapped_writes),
    ("permissions and owners", permissions),
    ("rename over a name", rename_over),
    ("folder and file change places", retype),
    ("in and out of the tree", in_and_out),
    ("git checkout", git_checkout),
    ("tar", tar),
    ("packages", packages),
    ("remove everything", remove_everything),
];

/// All of them, one after the other, in one tree.
pub(crate) fn all(ground: &Ground<'_>) {
    run(STORMS, ground);
}

/// All but the last, which removes the traces of the others.
pub(crate) fn most(ground: &Ground<'_>) {
    run(&STORMS[..STORMS.len() - 1], ground);
}

fn run(storms: &[(&str, Storm)], ground: &Ground<'_>) {
    for (name, storm) in storms {
        storm(ground).unwrap_or_else(|error| panic!("{name}: {error}"));
        (ground.check)(name);
    }
}

/// How many times larger than usual.
pub(crate) fn scale() -> usize {
    let scale = std::env::var("HEARTH_TEST_STORM_SCALE").unwrap_or_else(|_| "1".to_owned());
    scale.parse().expect("a number")
}

/// Empty files in a folder, which is made.
pub(crate) fn fill(folder: &Path, files: usize) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    (0..files).try_for_each(|number| fs::File::create(folder.join(format!("file-{number}"))).map(drop))
}

fn triples(ground: &Ground<'_>) -> io::Result<()> {
    let folder = ground.top.join("triples");
    fs::create_dir(&folder)?;
    for number in 0..500 * scale() {
        let (made, renamed) =
            (folder.join(format!("made-{number}")), folder.join(format!("renamed-{number}")));
        fs::write(&made, "x")?;
        fs::rename(&made, &renamed)?;
        if number % 10 != 0 {
            fs::remove_file(&renamed)?;
        }
    }
    Ok(())
}

fn folder_moves(ground: &Ground<'_>) -> io::Result<()> {
    let (from, to) = (ground.top.join("many"), ground.top.join("moved"));
    fill(&from.join("deep/files"), 1000 * scale())?;
    (ground.check)("a folder is filled");
    fs::rename(&from, &to)?;
    (ground.check)("it moves");
    fs::create_dir(&from)?;
    fs::rename(&to, from.join("below"))?;
    fs::write(from.join("below/deep/files/one-more"), "")?;
    fs::rename(from.join("below/deep/files"), ground.top.join("up"))?;
    (ground.check)("it moves below its old name, and what is in it elsewhere");
    fs::rename(ground.top.join("up"), from.join("below/deep/back"))
}

fn hard_links(ground: &Ground<'_>) -> io::Result<()> {
    let folder = ground.top.join("links");
    let names: Vec<PathBuf> =
        (0..40).map(|number| folder.join(format!("folder-{}/name-{number}", number % 4))).collect();
    (0..4).try_for_each(|number| fs::create_dir_all(folder.join(format!("folder-{number}"))))?;
    fs::write(&names[0], "one")?;
    names[1..].iter().try_for_each(|name| fs::hard_link(&names[0], name))?;
    (ground.check)("a file has many names");
    fs::write(&names[7], "longer than before")?;
    (ground.check)("it is written by one of them");
    fs::set_permissions(&names[8], fs::Permissions::from_mode(0o600))?;
    names[10..].iter().try_for_each(fs::remove_file)?;
    fs::rename(&names[0], folder.join("renamed"))
}

/// Appends to files that stay open: nothing closes them before they are compared.
fn appends(ground: &Ground<'_>) -> io::Result<()> {
    let folder = ground.top.join("logs");
    fs::create_dir(&folder)?;
    let open = |number: usize| {
        OpenOptions::new().create(true).append(true).open(folder.join(format!("{number}.log")))
    };
    let mut logs = (0..20).map(open).collect::<io::Result<Vec<_>>>()?;
    (ground.check)("logs are opened");
    for line in 0..50 * scale() {
        logs.iter_mut().try_for_each(|log| writeln!(log, "line {line}"))?;
    }
    (ground.check)("lines are appended");
    fs::rename(folder.join("3.log"), folder.join("3.log.1"))?;
    logs.iter_mut().try_for_each(|log| writeln!(log, "last words"))?;
    (ground.check)("a log that is written to is renamed");
    Ok(())
}

fn mapped_writes(ground: &Ground<'_>) -> io::Result<()> {
    let folder = ground.top.join("mapped");
    fs::create_dir(&folder)?;
    for number in 0..50 {
        let path = PathBuf::from(format!("page-{number}"));
        fs::write(folder.join(&path), vec![b'x'; 5000])?;
        if number == 25 {
            (ground.check)("files are written");
        }
        Actor::new(&folder).run(&Act::Mapped(path))?;
    }
    Ok(())
}

fn permissions(ground: &Ground<'_>) -> io::Result<()> {
    let folder = ground.top.join("permissions");
    fill(&folder.join("inner"), 100 * scale())?;
    (ground.check)("files are made");
    let may_give_away = rustix::process::geteuid().is_root();
    for number in 0..100 * scale() {
        let path = folder.join(format!("inner/file-{number}"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600 + (number as u32 & 0o77)))?;
        if may_give_away {
            chown(&path, Some(number as u32 % 7), Some(number as u32 % 5))?;
        }
    }
    fs::set_permissions(folder.join("inner"), fs::Permissions::from_mode(0o750))
}

fn rename_over(ground: &Ground<'_>) -> io::Result<()> {
    let folder = ground.top.join("over");
    fs::create_dir(&folder)?;
    for number in 0..100 * scale() {
        let (name, next) = (folder.join(format!("name-{}", number % 10)), folder.join("next"));
        fs::write(&next, vec![b'x'; number % 100])?;
        fs::rename(&next, &name)?;
    }
    fs::create_dir_all(folder.join("full/inner"))?;
    fs::create_dir(folder.join("empty"))?;
    (ground.check)("files are replaced");
    fs::rename(folder.join("full"), folder.join("empty"))
}

fn retype(ground: &Ground<'_>) -> io::Result<()> {
    let at = ground.top.join("place");
    for round in 0..10 {
        fill(&at, 10)?;
        fs::create_dir(at.join("inner"))?;
        if round % 3 == 0 {
            (ground.check)("a folder is there");
        }
        fs::remove_dir_all(&at)?;
        fs::write(&at, "now a file")?;
        if round % 4 == 0 {
            (ground.check)("a file is there");
        }
        fs::remove_file(&at)?;
    }
    symlink("nowhere", &at)
}

fn in_and_out(ground: &Ground<'_>) -> io::Result<()> {
    let Some(outside) = ground.outside else { return Ok(()) };
    fill(&outside.join("comes/inner"), 50)?;
    fs::rename(outside.join("comes"), ground.top.join("came"))?;
    (ground.check)("a folder came in");
    fill(&ground.top.join("came/more"), 10)?;
    fs::hard_link(ground.top.join("came/inner/file-0"), outside.join("link"))?;
    fs::write(outside.join("link"), "written outside")?;
    (ground.check)("a file is written by a name outside");
    fs::rename(ground.top.join("came"), outside.join("went"))?;
    fs::write(outside.join("went/inner/file-1"), "nobody's business")
}

/// Runs a program that must succeed; `false`, and a word about it, if it is not installed.
fn ran(program: &str, arguments: &[&str], folder: &Path) -> io::Result<bool> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    match command.output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            left_out(program, "it is not installed");
            Ok(false)
        }
        Err(error) => Err(error),
        Ok(output) if output.status.success() => Ok(true),
        Ok(output) => Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned())),
    }
}

fn git(arguments: &[&str], folder: &Path) -> io::Result<bool> {
    // Nothing may go on in the background while the tree is compared.
    let settings =
        ["gc.auto=0", "maintenance.auto=false", "user.name=test", "user.email=none", "core.fsmonitor=false"];
    let settings = settings.iter().flat_map(|setting| ["-c", setting]);
    ran("git", &settings.chain(arguments.iter().copied()).collect::<Vec<_>>(), folder)
}

/// Files of a project at some time: names and contents depend on it.
fn project(folder: &Path, time: usize) -> io::Result<()> {
    for number in 0..60 * scale() {
        let path =
            folder.join(format!("part-{}/time-{}/source-{number}.rs", number % 7, (number * time) % 5));
        fs::create_dir_all(path.parent().expect("not the top"))?;
        fs::write(path, format!("{number} at {}", number % (time + 1)))?;
    }
    // What is a file in one branch is a folder in the other.
    if time.is_multiple_of(2) {
        fs::write(folder.join("changes"), "a file")
    } else {
        fs::create_dir(folder.join("changes")).and_then(|()| fs::write(folder.join("changes/file"), ""))
    }
}

fn git_checkout(ground: &Ground<'_>) -> io::Result<()> {
    let folder = ground.top.join("project");
    fs::create_dir(&folder)?;
    if !git(&["init", "-q", "-b", "past"], &folder)? {
        return Ok(());
    }
    project(&folder, 2)?;
    git(&["add", "."], &folder)?;
    git(&["commit", "-q", "-m", "past"], &folder)?;
    git(&["checkout", "-q", "--orphan", "future"], &folder)?;
    git(&["rm", "-rfq", "."], &folder)?;
    project(&folder, 3)?;
    git(&["add", "."], &folder)?;
    git(&["commit", "-q", "-m", "future"], &folder)?;
    (ground.check)("a repository with two branches is made");
    for branch in ["past", "future", "past"] {
        git(&["checkout", "-q", branch], &folder)?;
        (ground.check)("another branch is checked out");
    }
    git(&["repack", "-qad"], &folder).map(drop)
}

fn tar(ground: &Ground<'_>) -> io::Result<()> {
    let (folder, archive) = (ground.top.join("archive"), ground.top.join("archive.tar"));
    project(&folder, 4)?;
    fs::create_dir(ground.top.join("unpacked"))?;
    if ran("tar", &["-cf", "archive.tar", "archive"], ground.top)? {
        ran("tar", &["-xf", "../archive.tar"], &ground.top.join("unpacked"))?;
        fs::remove_file(archive)?;
    }
    Ok(())
}

/// As package managers do: unpacked under a name to come, renamed, linked to, replaced.
fn packages(ground: &Ground<'_>) -> io::Result<()> {
    let modules = ground.top.join("node_modules");
    fs::create_dir_all(modules.join(".bin"))?;
    for package in 0..20 * scale() {
        let (staged, name) = (modules.join(format!(".package-{package}-x7Yz")), format!("package-{package}"));
        for folder in ["lib", "dist/esm", &format!("node_modules/inner-{package}/lib")] {
            fill(&staged.join(folder), 5)?;
        }
        fs::write(staged.join("package.json.tmp"), format!("{{\"name\":\"{name}\"}}"))?;
        fs::rename(staged.join("package.json.tmp"), staged.join("package.json"))?;
        fs::rename(&staged, modules.join(&name))?;
        symlink(format!("../{name}/lib/file-0"), modules.join(".bin").join(&name))?;
    }
    (ground.check)("packages are installed");
    for package in 0..10 {
        let name = modules.join(format!("package-{package}"));
        fs::rename(&name, modules.join(format!(".old-{package}")))?;
        fill(&name.join("lib"), 3)?;
        fs::remove_dir_all(modules.join(format!(".old-{package}")))?;
    }
    Ok(())
}

/// By `rm -rf`, while new files appear.
fn remove_everything(ground: &Ground<'_>) -> io::Result<()> {
    for entry in fs::read_dir(ground.top)? {
        let entry = entry?;
        fs::write(ground.top.join("survivor"), entry.file_name().as_encoded_bytes())?;
        if entry.file_name() != "survivor" && entry.file_name() != "lost+found" {
            ran("rm", &["-rf", "--", entry.path().to_str().expect("plain")], ground.top)?;
        }
    }
    Ok(())
}

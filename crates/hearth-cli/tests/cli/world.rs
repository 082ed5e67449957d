//! A private home, a tree, and ways to run `hearth` on them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// How long a test waits for a source, milliseconds: far more than it takes, so that only a defect fails.
pub(crate) const PATIENCE_MS: &str = "120000";

/// A private `HEARTH_HOME` and a tree beside it.
pub(crate) struct World {
    folder: TempDir,
}

/// What a run of `hearth` left behind.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl World {
    /// A world whose tree is empty and not indexed.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("tree")).expect("a folder");
        World { folder }
    }

    /// A world with these files, indexed. A name that ends in `/` is a folder; content is the name.
    pub(crate) fn with(files: &[&str]) -> Self {
        let world = World::empty();
        files.iter().for_each(|file| world.put(file.as_bytes()));
        world.index();
        world
    }

    /// The tree.
    pub(crate) fn tree(&self) -> PathBuf {
        self.folder.path().canonicalize().expect("it exists").join("tree")
    }

    /// The private home.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Creates a file whose content is its name, or a folder if the name ends in `/`.
    pub(crate) fn put(&self, name: &[u8]) {
        self.write(name, name);
    }

    /// Creates a file with content, or a folder if the name ends in `/`.
    pub(crate) fn write(&self, name: &[u8], content: &[u8]) {
        let path = self.tree().join(OsStr::from_bytes(name));
        if name.ends_with(b"/") {
            return fs::create_dir_all(path).expect("a folder");
        }
        fs::create_dir_all(path.parent().expect("the tree")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    /// Indexes the tree and waits for it.
    pub(crate) fn index(&self) {
        let tree = self.tree().to_string_lossy().into_owned();
        let run = self.run(&["add", "--wait", "--timeout", PATIENCE_MS, "--name", "tree", &tree]);
        assert_eq!(run.code, 0, "{}", run.stderr);
    }

    /// A command on this world, not yet run. It stands in the tree and has no colour of its own.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, args: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
        command.args(args).current_dir(self.tree());
        for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "LS_COLORS", "XDG_CONFIG_HOME"] {
            command.env_remove(name);
        }
        command.env("HEARTH_HOME", self.home()).env("HEARTH_DAEMON", daemon_program());
        command.env("TERM", "xterm").env("TZ", "UTC").stdin(Stdio::null());
        command
    }

    /// Runs `hearth` with arguments.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Run {
        finished(&mut self.command(args))
    }

    /// Runs `hearth` and gives what it printed, the tree's path left out, lines sorted as printed.
    /// Fails unless it succeeded.
    pub(crate) fn lines<S: AsRef<OsStr>>(&self, args: &[S]) -> Vec<String> {
        let run = self.run(args);
        assert_eq!(run.code, 0, "{}{}", run.text(), run.stderr);
        self.relative(&run)
    }

    /// Printed lines without the path of the tree; the tree itself is `.`.
    pub(crate) fn relative(&self, run: &Run) -> Vec<String> {
        let root = self.tree().display().to_string();
        let prefix = format!("{root}/");
        run.text().lines().map(|line| line.replace(&prefix, "").replace(&root, ".")).collect()
    }

    /// Runs `hearth` with `--json` among the arguments; every line must be an object with version and type.
    pub(crate) fn json<S: AsRef<OsStr>>(&self, args: &[S]) -> Vec<serde_json::Value> {
        self.run(args).json()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A test that never started a daemon has none to stop; one may have moved the tree away.
        let _ = self.command(&["daemon", "stop"]).current_dir(self.home()).output();
    }
}

impl Run {
    /// What was printed, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// What was printed, as JSON Lines.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        let text = std::str::from_utf8(&self.stdout).expect("JSON is UTF-8");
        let parse = |line: &str| {
            let value: serde_json::Value =
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            assert_eq!(value["v"], 1, "{line}");
            assert!(value["type"].is_string(), "{line}");
            value
        };
        text.lines().map(parse).collect()
    }
}

/// Runs a command to its end.
pub(crate) fn finished(command: &mut Command) -> Run {
    let Output { status, stdout, stderr } = command.output().expect("hearth runs");
    let code = status.code().unwrap_or_else(|| panic!("hearth ended by a signal: {status}"));
    Run { code, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() }
}

/// Objects of one type.
pub(crate) fn of_type<'a>(lines: &'a [serde_json::Value], kind: &str) -> Vec<&'a serde_json::Value> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

/// `$HEARTH_DAEMON`, else `hearthd` beside the tested program, which is built if it is not there.
fn daemon_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let beside = Path::new(env!("CARGO_BIN_EXE_hearth")).with_file_name("hearthd");
        match std::env::var_os("HEARTH_DAEMON") {
            Some(told) => PathBuf::from(told),
            None => {
                if !beside.exists() {
                    build_daemon(&beside);
                }
                beside
            }
        }
    })
}

fn build_daemon(program: &Path) {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "-p", "hearth-daemon"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    if program.parent().is_some_and(|profile| profile.ends_with("release")) {
        cargo.arg("--release");
    }
    let target = program.parent().and_then(Path::parent).expect("the program lies in a target folder");
    cargo.arg("--target-dir").arg(target);
    assert!(cargo.status().expect("cargo runs").success(), "hearthd does not build");
}

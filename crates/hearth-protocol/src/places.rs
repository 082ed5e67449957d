//! Where configuration, cache, state and socket live.
//!
//! `HEARTH_HOME` puts everything under one folder. Otherwise users get the XDG base directories
//! and root gets the system's. Resolution is a pure function of the environment, the user id and
//! one question about the file system, so that it can be tested; only [`Places::from_env`] and the
//! folder functions touch the machine.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, Metadata};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Name of the socket in the run folder.
const SOCKET: &str = "hearth.sock";
/// Longest path that fits an address of a Unix socket (`sun_path` less its NUL, `unix(7)`).
const SOCKET_PATH_BYTES: usize = 107;

/// The folders of one Hearth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Configuration file; may be absent.
    pub config: PathBuf,
    /// Snapshots.
    pub cache: PathBuf,
    /// Catalogue, log, lock of the daemon.
    pub state: PathBuf,
    /// Socket and start lock; mode 0700.
    pub run: PathBuf,
}

/// Why there are no places.
#[derive(Debug, thiserror::Error)]
pub enum PlacesError {
    /// Nothing tells where the user's folders are.
    #[error("cannot tell where to keep files: neither HEARTH_HOME nor HOME is set to an absolute path")]
    NoHome,
    /// A folder is not what it must be.
    #[error("refusing to use {path}: {why}", path = .path.display())]
    Unsafe {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The operating system failed.
    #[error("{path}: {source}", path = .path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl Places {
    /// The places of this process: environment, effective user, machine.
    pub fn from_env() -> Result<Places, PlacesError> {
        let uid = rustix::process::geteuid().as_raw();
        Places::resolve(|name| std::env::var_os(name), uid, |path| owned_folder(path, uid))
    }

    /// The places for an environment, a user, and the answer whether a folder exists and is the user's.
    pub fn resolve(
        env: impl Fn(&str) -> Option<OsString>,
        uid: u32,
        is_own_folder: impl Fn(&Path) -> bool,
    ) -> Result<Places, PlacesError> {
        let folder = |name: &str| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
        if let Some(home) = env("HEARTH_HOME").filter(|home| !home.is_empty()) {
            let home =
                std::path::absolute(&home).map_err(|source| PlacesError::Io { path: home.into(), source })?;
            return Ok(Places::under(&home));
        }
        let [config, cache, state] = ["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"].map(folder);
        // Login sessions set XDG_RUNTIME_DIR for root too, `sudo` does not: alone it must not choose.
        if uid == 0 && config.is_none() && cache.is_none() && state.is_none() {
            return Ok(Places::system());
        }
        let home = folder("HOME");
        let or_home = |given: Option<PathBuf>, below: &str| {
            given
                .or_else(|| Some(home.as_ref()?.join(below)))
                .map(|path| path.join("hearth"))
                .ok_or(PlacesError::NoHome)
        };
        Ok(Places {
            config: or_home(config, ".config")?.join("config.toml"),
            cache: or_home(cache, ".cache")?,
            state: or_home(state, ".local/state")?,
            run: run_folder(folder("XDG_RUNTIME_DIR"), uid, is_own_folder),
        })
    }

    /// Everything under one folder.
    pub fn under(home: &Path) -> Places {
        Places {
            config: home.join("config.toml"),
            cache: home.join("cache"),
            state: home.join("state"),
            run: home.join("run"),
        }
    }

    /// The places of a system-wide daemon.
    pub fn system() -> Places {
        Places {
            config: "/etc/hearth/config.toml".into(),
            cache: "/var/cache/hearth".into(),
            state: "/var/lib/hearth".into(),
            run: "/run/hearth".into(),
        }
    }

    /// The daemon's socket.
    pub fn socket(&self) -> PathBuf {
        self.run.join(SOCKET)
    }

    /// Locked by whoever is starting a daemon.
    pub fn start_lock(&self) -> PathBuf {
        self.run.join("start.lock")
    }

    /// Locked by the daemon while it lives; holds its process id. It lies beside the state that two
    /// daemons must not share, whatever their run folders.
    pub fn daemon_lock(&self) -> PathBuf {
        self.state.join("hearthd.lock")
    }

    /// The daemon's log.
    pub fn log(&self) -> PathBuf {
        self.state.join("hearthd.log")
    }

    /// Creates the run folder, mode 0700, or checks that nobody else can reach into it.
    pub fn prepare_run(&self) -> Result<(), PlacesError> {
        prepare(&self.run, 0o077)
    }

    /// Creates the state folder, mode 0700, or checks that nobody else can change it.
    pub fn prepare_state(&self) -> Result<(), PlacesError> {
        prepare(&self.state, 0o022)
    }

    /// An address for the socket that fits `sun_path` however long the folder's path is.
    pub fn socket_address(&self) -> io::Result<SocketAddress> {
        let path = self.socket();
        if path.as_os_str().len() <= SOCKET_PATH_BYTES {
            return Ok(SocketAddress { path, _folder: None });
        }
        let folder = File::open(&self.run)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()));
        Ok(SocketAddress { path, _folder: Some(folder) })
    }
}

/// A path to bind or connect to, valid while this value lives.
#[derive(Debug)]
pub struct SocketAddress {
    path: PathBuf,
    _folder: Option<File>,
}

impl AsRef<Path> for SocketAddress {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}

fn run_folder(runtime: Option<PathBuf>, uid: u32, is_own_folder: impl Fn(&Path) -> bool) -> PathBuf {
    if let Some(runtime) = runtime {
        return runtime.join("hearth");
    }
    let usual = PathBuf::from(format!("/run/user/{uid}"));
    if is_own_folder(&usual) { usual.join("hearth") } else { PathBuf::from(format!("/tmp/hearth-{uid}")) }
}

fn owned_folder(path: &Path, uid: u32) -> bool {
    path.symlink_metadata().is_ok_and(|meta| meta.is_dir() && meta.uid() == uid)
}

fn prepare(path: &Path, forbidden_bits: u32) -> Result<(), PlacesError> {
    let failed = |source| PlacesError::Io { path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(failed)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let meta = path.symlink_metadata().map_err(failed)?;
    match objection(&meta, rustix::process::geteuid().as_raw(), forbidden_bits) {
        Some(why) => Err(PlacesError::Unsafe { path: path.to_owned(), why }),
        None => Ok(()),
    }
}

fn objection(meta: &Metadata, uid: u32, forbidden_bits: u32) -> Option<String> {
    let mode = meta.mode() & 0o7777;
    if !meta.is_dir() {
        Some("it is not a folder".to_owned())
    } else if meta.uid() != uid {
        Some(format!("it belongs to user {}, not to user {uid}", meta.uid()))
    } else if mode & forbidden_bits != 0 {
        Some(format!("its mode is {mode:04o}; others must not have access (chmod 0700)"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn resolve(env: &[(&str, &str)], uid: u32, own: &[&str]) -> Result<Places, PlacesError> {
        let env: HashMap<&str, &str> = env.iter().copied().collect();
        Places::resolve(
            |name| env.get(name).map(OsString::from),
            uid,
            |path| own.iter().any(|own| path == Path::new(own)),
        )
    }

    #[test]
    fn hearth_home_holds_everything() {
        let places = resolve(&[("HEARTH_HOME", "/h"), ("XDG_RUNTIME_DIR", "/r")], 0, &[]).unwrap();
        assert_eq!(places, Places::under(Path::new("/h")));
        assert_eq!(places.socket(), Path::new("/h/run/hearth.sock"));
    }

    #[test]
    fn users_get_the_xdg_folders() {
        let places =
            resolve(&[("HOME", "/home/u"), ("XDG_CACHE_HOME", "/c"), ("XDG_RUNTIME_DIR", "/r")], 1000, &[])
                .unwrap();
        assert_eq!(places.config, Path::new("/home/u/.config/hearth/config.toml"));
        assert_eq!(places.cache, Path::new("/c/hearth"));
        assert_eq!(places.state, Path::new("/home/u/.local/state/hearth"));
        assert_eq!(places.run, Path::new("/r/hearth"));
    }

    #[test]
    fn without_a_runtime_folder_there_is_a_private_one() {
        let home = [("HOME", "/home/u")];
        assert_eq!(resolve(&home, 7, &["/run/user/7"]).unwrap().run, Path::new("/run/user/7/hearth"));
        assert_eq!(resolve(&home, 7, &[]).unwrap().run, Path::new("/tmp/hearth-7"));
    }

    #[test]
    fn root_gets_the_system_folders_unless_told_otherwise() {
        let login = [("HOME", "/root"), ("XDG_RUNTIME_DIR", "/run/user/0")];
        assert_eq!(resolve(&login, 0, &[]).unwrap(), Places::system());
        let told = [("HOME", "/root"), ("XDG_STATE_HOME", "/s")];
        assert_eq!(resolve(&told, 0, &[]).unwrap().state, Path::new("/s/hearth"));
    }

    #[test]
    fn relative_folders_do_not_count() {
        assert!(matches!(
            resolve(&[("HOME", "u"), ("XDG_CONFIG_HOME", "c")], 1000, &[]),
            Err(PlacesError::NoHome)
        ));
    }

    #[test]
    fn folders_are_made_private_and_others_refused() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let places = Places::under(&home.path().join("deep/home"));
        places.prepare_run().unwrap();
        places.prepare_run().unwrap();
        assert_eq!(places.run.metadata().unwrap().mode() & 0o7777, 0o700);
        std::fs::set_permissions(&places.run, std::fs::Permissions::from_mode(0o750)).unwrap();
        let refused = places.prepare_run().unwrap_err().to_string();
        assert!(refused.contains("0750"), "{refused}");
    }

    #[test]
    fn a_link_is_not_a_folder() {
        let home = tempfile::tempdir().unwrap();
        let places = Places::under(home.path());
        std::os::unix::fs::symlink("/tmp", &places.run).unwrap();
        let refused = places.prepare_run().unwrap_err().to_string();
        assert!(refused.contains("not a folder"), "{refused}");
    }

    #[test]
    fn a_long_path_still_has_an_address() {
        let home = tempfile::tempdir().unwrap();
        let places = Places::under(&home.path().join("x".repeat(120)));
        places.prepare_run().unwrap();
        let address = places.socket_address().unwrap();
        assert!(address.as_ref().as_os_str().len() <= SOCKET_PATH_BYTES);
        assert_eq!(
            address.as_ref().parent().unwrap().canonicalize().unwrap(),
            places.run.canonicalize().unwrap()
        );
    }
}

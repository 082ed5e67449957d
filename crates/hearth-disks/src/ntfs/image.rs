//! A volume in a file, and its mount by `ntfs-3g`.
//!
//! The server of a mount runs as a child, and the end of a mount waits for it: only then is everything in the
//! file. A volume is mounted once at a time.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a mount may take.
const MOUNT_TIME: Duration = Duration::from_secs(30);

/// How long programs that look at all mounts may keep one from ending.
const UNMOUNT_TIME: Duration = Duration::from_secs(5);

/// Sizes of a volume, bytes. Sectors of 4096 bytes have records of 4096 bytes, all others of 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// 512, 1024, 2048 or 4096.
    pub sector_bytes: u32,
    /// A power of two, no less than a sector, at most 2 MiB.
    pub cluster_bytes: u32,
}

impl Default for Form {
    /// What Windows makes.
    fn default() -> Self {
        Self { sector_bytes: 512, cluster_bytes: 4096 }
    }
}

impl Form {
    /// Length of a file record, bytes.
    pub fn record_bytes(self) -> u64 {
        u64::from(self.sector_bytes.max(1024))
    }
}

/// A volume in a sparse file, until it is dropped.
#[derive(Debug)]
pub struct NtfsImage {
    temp: TempDir,
    form: Form,
}

impl NtfsImage {
    /// An empty volume of `bytes`; `None`, and a word on the error stream, where it cannot be made or mounted.
    ///
    /// # Panics
    /// If there is no room in the temporary folder.
    pub fn new(bytes: u64, form: Form) -> Option<Self> {
        let temp = tempfile::Builder::new().prefix("hearth-ntfs-").tempdir().expect("a folder");
        let image = Self { temp, form };
        let made = image.format(bytes).and_then(|()| image.try_mount("show_sys_files").map(drop));
        made.map_err(|problem| crate::left_out("a test on NTFS", &problem)).ok()?;
        Some(image)
    }

    fn format(&self, bytes: u64) -> Result<(), String> {
        File::create(self.path()).and_then(|file| file.set_len(bytes)).map_err(|error| error.to_string())?;
        let sizes = [self.form.sector_bytes, self.form.cluster_bytes].map(|size| size.to_string());
        let arguments = ["-q", "-F", "-f", "-L", "hearth", "-s", &sizes[0], "-c", &sizes[1]];
        crate::run("mkntfs", &arguments, &[&self.path()])
    }

    /// The file that holds the volume.
    pub fn path(&self) -> PathBuf {
        self.temp.path().join("image")
    }

    /// Its sizes.
    pub fn form(&self) -> Form {
        self.form
    }

    /// A folder that goes with the volume.
    pub fn beside(&self) -> &Path {
        self.temp.path()
    }

    /// Mounts it for reading and writing, system files shown.
    ///
    /// # Panics
    /// If that fails, although it did not before.
    pub fn mount(&self) -> Mount {
        self.try_mount("big_writes,show_sys_files").expect("it could be mounted when it was made")
    }

    /// Mounts it for reading.
    ///
    /// # Panics
    /// If that fails, although it did not before.
    pub fn mount_to_read(&self) -> Mount {
        self.try_mount("ro,show_sys_files").expect("it could be mounted when it was made")
    }

    fn try_mount(&self, options: &str) -> Result<Mount, String> {
        let root = self.temp.path().join("top");
        fs::create_dir_all(&root).map_err(|error| error.to_string())?;
        // In the foreground, so that its end says that everything is written.
        let options = format!("no_detach,noatime,streams_interface=windows,{options}");
        let mut command = Command::new("ntfs-3g");
        command.args(["-o", &options]).arg(self.path()).arg(&root).env("LC_ALL", "C.UTF-8");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut server = command.spawn().map_err(|error| format!("ntfs-3g: {error}"))?;
        if let Err(problem) = wait_until_mounted(&root, &mut server) {
            // It may have ended by itself.
            let _ = server.kill();
            let _ = server.wait();
            return Err(problem);
        }
        Ok(Mount { root, server })
    }
}

fn wait_until_mounted(root: &Path, server: &mut Child) -> Result<(), String> {
    let device = |path| fs::metadata(path).map(|about: fs::Metadata| about.dev());
    let outside = device(root.parent().expect("in a folder")).map_err(|error| error.to_string())?;
    let until = Instant::now() + MOUNT_TIME;
    while device(root).unwrap_or(outside) == outside {
        if let Ok(Some(status)) = server.try_wait() {
            return Err(format!("ntfs-3g: {status}, {}", complaint(server)));
        }
        if Instant::now() > until {
            return Err(format!("ntfs-3g: not mounted after {MOUNT_TIME:?}"));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn complaint(server: &mut Child) -> String {
    let mut text = String::new();
    if let Some(mut stream) = server.stderr.take() {
        // Without its words the status must do.
        let _ = stream.read_to_string(&mut text);
    }
    text.trim().to_owned()
}

/// A mounted volume, until it is dropped; everything is written then.
#[derive(Debug)]
pub struct Mount {
    root: PathBuf,
    server: Child,
}

impl Mount {
    /// Its top folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where a stream of a file is reached.
    pub fn stream(path: &Path, name: &str) -> PathBuf {
        let mut path = path.as_os_str().to_owned();
        path.push(":");
        path.push(name);
        PathBuf::from(path)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let until = Instant::now() + UNMOUNT_TIME;
        while let Err(problem) = crate::run("umount", &[], &[&self.root]) {
            // A panic may leave files open until after this.
            if std::thread::panicking() || Instant::now() > until {
                self.give_up(&problem);
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.server.wait();
    }
}

impl Mount {
    fn give_up(&mut self, problem: &str) {
        // Whether or not it is mounted and served still, it is gone afterwards.
        let _ = crate::run("umount", &["--lazy"], &[&self.root]);
        let _ = self.server.kill();
        assert!(std::thread::panicking(), "a file is still open: {problem}");
    }
}

//! Who did it: name and user of a process by its number, asked while it lives and remembered for a moment.
//!
//! Short programs are often gone when their events are read; a process that was seen shortly before is then still
//! known. A number is not used again within so short a time, but a process may have become another program: one
//! that lives is asked again, unless that was done a moment ago.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

const REMEMBERED: usize = 1024;
const REMEMBERED_FOR: Duration = Duration::from_secs(2);
/// So long one answer stands for all events of a process.
const ASKED_FOR: Duration = Duration::from_millis(5);

/// A process at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    /// Name of the program (`comm`); empty if it is gone.
    pub(super) command: Arc<str>,
    /// Effective user; `None` if it is gone.
    pub(super) uid: Option<u32>,
}

/// The processes seen lately.
#[derive(Default)]
pub(super) struct Culprits {
    seen: HashMap<u32, (Instant, Process)>,
}

impl Culprits {
    /// The process with this number.
    pub(super) fn process(&mut self, pid: u32) -> Process {
        let now = Instant::now();
        let known = self.seen.get(&pid).map(|(at, process)| (now.duration_since(*at), process));
        if let Some((age, process)) = known
            && age < ASKED_FOR
        {
            return process.clone();
        }
        let process = ask(pid);
        if let Some((age, before)) = known
            && process.uid.is_none()
            && age < REMEMBERED_FOR
        {
            return before.clone();
        }
        if self.seen.len() >= REMEMBERED {
            self.seen.clear();
        }
        self.seen.insert(pid, (now, process.clone()));
        process
    }
}

fn ask(pid: u32) -> Process {
    let folder = format!("/proc/{pid}");
    let uid = fs::metadata(&folder).ok().map(|folder| folder.uid());
    let command = fs::read(format!("{folder}/comm")).unwrap_or_default();
    Process { command: String::from_utf8_lossy(command.trim_ascii_end()).into(), uid }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_became_another_program_is_told_as_that() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "read line; exec sleep 60"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .expect("a shell runs");
        let (pid, mut culprits) = (child.id(), Culprits::default());
        let deadline = Instant::now() + Duration::from_secs(5);
        while &*ask(pid).command != "sh" && Instant::now() < deadline {}
        assert_eq!(&*culprits.process(pid).command, "sh");
        let mut input = child.stdin.take().expect("a pipe");
        std::io::Write::write_all(&mut input, b"\n").expect("written");
        while &*ask(pid).command != "sleep" && Instant::now() < deadline {}
        std::thread::sleep(ASKED_FOR * 2);
        assert_eq!(&*culprits.process(pid).command, "sleep");
        child.kill().expect("killed");
        child.wait().expect("ended");
    }

    #[test]
    fn a_process_is_known_for_a_moment_after_its_end() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep runs");
        let pid = child.id();
        let mut culprits = Culprits::default();
        let deadline = Instant::now() + Duration::from_secs(5);
        while &*culprits.process(pid).command != "sleep" && Instant::now() < deadline {
            culprits.seen.clear();
        }
        child.kill().expect("killed");
        child.wait().expect("ended");
        let known = culprits.process(pid);
        assert_eq!((&*known.command, known.uid), ("sleep", Some(rustix::process::geteuid().as_raw())));
        let unknown = Culprits::default().process(pid);
        assert_eq!((&*unknown.command, unknown.uid), ("", None));
    }
}

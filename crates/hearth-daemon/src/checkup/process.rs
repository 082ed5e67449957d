//! The process itself: what it is, where it can be reached, what it was told, what it may open.
//!
//! What others may reach is judged by permission bits alone, as the start of the daemon does; between then
//! and now somebody may have changed them.

use super::mode;
use crate::memory;
use crate::server::{Server, Serving};
use hearth_core::human_bytes;
use hearth_protocol::Places;
use hearth_protocol::answer::Check;
use hearth_service::config::{Origin, Setting};
use rustix::process::{Resource, getrlimit};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Descriptors that scans, reads of duplicates and the process itself want besides those of connections.
const OWN_DESCRIPTORS: u64 = 256;

pub(super) fn checks(server: &Server) -> Vec<Check> {
    let began = SystemTime::now().checked_sub(server.began.elapsed());
    let mut checks = vec![daemon(server.serving, server.began.elapsed())];
    checks.extend(server.service.notices().iter().map(|notice| Check::note("start", notice)));
    checks.push(match server.serving {
        Serving::Resident => socket(&server.places),
        Serving::Private { .. } => Check::ok("socket", "none: one client is served over standard input"),
    });
    checks.push(state_folder(&server.places.state, mode(&server.places.state)));
    checks.push(configuration(&server.places.config, began, &server.config.effective()));
    checks.push(open_files(server.config.limits.connections as u64));
    checks.push(allocator(memory::has_background_thread()));
    checks
}

fn daemon(serving: Serving, up: Duration) -> Check {
    let how = match serving {
        Serving::Resident => "resident",
        Serving::Private { beside: false } => "private, ends with its client",
        Serving::Private { beside: true } => "private, beside the daemon that is running",
    };
    let (version, pid) = (env!("CARGO_PKG_VERSION"), std::process::id());
    Check::ok("daemon", format!("hearthd {version}, pid {pid}, {how}, up {} s", up.as_secs()))
}

fn socket(places: &Places) -> Check {
    let socket = places.socket();
    match (mode(&socket), mode(&places.run)) {
        (Ok(own), Ok(folder)) => socket_modes(&socket, own, folder),
        (Err(why), _) | (_, Err(why)) => {
            Check::problem("socket", why).hint("`hearth daemon restart` makes it anew")
        }
    }
}

fn socket_modes(socket: &Path, own: u32, folder: u32) -> Check {
    let detail = format!("{}, mode {own:04o} in a folder of mode {folder:04o}", socket.display());
    if (own | folder) & 0o077 == 0 {
        return Check::ok("socket", detail);
    }
    Check::problem("socket", format!("{detail}: others may reach it"))
        .hint("chmod 0700 its folder; `hearth daemon restart` makes the socket anew")
}

fn state_folder(folder: &Path, mode: Result<u32, String>) -> Check {
    const NAME: &str = "state folder";
    let hint = format!("chmod 0700 {}", folder.display());
    let detail = |mode| format!("{}, mode {mode:04o}", folder.display());
    match mode {
        Err(why) => Check::problem(NAME, why).hint("`hearth daemon restart` makes it anew"),
        Ok(mode) if mode & 0o022 != 0 => {
            Check::problem(NAME, format!("{}: others may change it", detail(mode))).hint(hint)
        }
        Ok(mode) if mode & 0o055 != 0 => {
            Check::note(NAME, format!("{}: others may look into it", detail(mode))).hint(hint)
        }
        Ok(mode) => Check::ok(NAME, detail(mode)),
    }
}

/// `began`: when the file was read.
fn configuration(file: &Path, began: Option<SystemTime>, settings: &[Setting]) -> Check {
    const NAME: &str = "configuration";
    let changed = std::fs::metadata(file).and_then(|meta| meta.modified());
    let there = if changed.is_ok() { "" } else { " is not there" };
    let detail = format!("{}{there}; {}", file.display(), own_settings(settings));
    match (changed, began) {
        (Ok(changed), Some(began)) if changed > began => {
            Check::note(NAME, format!("{detail}; the file has changed since it was read"))
                .hint("`hearth daemon restart` reads it again")
        }
        _ => Check::ok(NAME, detail),
    }
}

fn own_settings(settings: &[Setting]) -> String {
    let own = settings.iter().filter(|setting| setting.origin != Origin::Default);
    let words: Vec<String> =
        own.map(|setting| format!("{} = {} ({})", setting.key, setting.value, setting.origin)).collect();
    if words.is_empty() { "every setting has its default".to_owned() } else { words.join(", ") }
}

fn open_files(connections: u64) -> Check {
    let limit = getrlimit(Resource::Nofile);
    // Reading the folder opens it, which is one too many.
    let open =
        std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count().saturating_sub(1) as u64);
    open_files_verdict(limit.current, limit.maximum, open, connections)
}

fn open_files_verdict(limit: Option<u64>, most: Option<u64>, open: u64, connections: u64) -> Check {
    const NAME: &str = "open files";
    let wanted = connections.saturating_add(OWN_DESCRIPTORS);
    let word = |limit: Option<u64>| limit.map_or_else(|| "any number".to_owned(), |limit| limit.to_string());
    let detail = format!("{open} of {}", word(limit));
    match limit {
        Some(limit) if limit < wanted => {
            let hint = format!(
                "raise the hard limit, now {} (`ulimit -Hn`, LimitNOFILE=), or lower limits.connections",
                word(most)
            );
            Check::problem(NAME, format!("{detail}; {wanted} may be needed")).hint(hint)
        }
        _ => Check::ok(NAME, detail),
    }
}

/// `background`: whether the allocator has a thread of its own; `None` if it does not tell.
fn allocator(background: Option<bool>) -> Check {
    const NAME: &str = "allocator";
    let memory = memory::measure();
    let size = |bytes: Option<u64>| bytes.map_or_else(|| "an unknown amount".to_owned(), human_bytes);
    let (used, held) = (size(memory.allocated), size(memory.allocator_resident));
    let detail = format!("jemalloc holds {held}, {used} in use");
    match background {
        Some(true) => Check::ok(NAME, format!("{detail}; a thread of its own returns what is freed")),
        _ => Check::note(NAME, format!("{detail}; no thread of its own returns what is freed"))
            .hint("start the daemon without MALLOC_CONF or _RJEM_MALLOC_CONF in its environment"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_protocol::answer::State;
    use hearth_service::Config;
    use hearth_service::config::ConfigFile;

    #[test]
    fn a_socket_that_others_reach_is_a_problem() {
        let check = |own, folder| socket_modes(Path::new("/r/s"), own, folder).state;
        assert_eq!(check(0o600, 0o700), State::Ok);
        assert_eq!(check(0o666, 0o700), State::Problem);
        assert_eq!(check(0o600, 0o755), State::Problem);
    }

    #[test]
    fn a_socket_that_is_gone_is_a_problem() {
        let check = socket(&Places::under(Path::new("/nonexistent-home")));
        assert!(check.state == State::Problem && check.hint.is_some(), "{check:?}");
    }

    #[test]
    fn a_state_folder_is_for_its_owner() {
        let check = |mode| state_folder(Path::new("/s"), mode).state;
        assert_eq!(check(Ok(0o700)), State::Ok);
        assert_eq!(check(Ok(0o750)), State::Note);
        assert_eq!(check(Ok(0o770)), State::Problem);
        assert_eq!(check(Err("gone".into())), State::Problem);
    }

    #[test]
    fn settings_of_ones_own_are_named_with_their_place() {
        let text = "[limits]\nconnections = 9\n";
        let file = Some(ConfigFile { name: "c.toml", text });
        let config = Config::load(file, &|_| None).unwrap();
        assert_eq!(own_settings(&config.effective()), "limits.connections = 9 (c.toml:2)");
        assert_eq!(own_settings(&Config::default().effective()), "every setting has its default");
    }

    #[test]
    fn a_file_that_changed_after_it_was_read_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let changed = file.path().metadata().unwrap().modified().unwrap();
        let second = Duration::from_secs(1);
        let check = |began| configuration(file.path(), Some(began), &[]);
        assert_eq!(check(changed + second).state, State::Ok);
        let later = check(changed - second);
        assert!(later.state == State::Note && later.hint.is_some(), "{later:?}");
        let absent = configuration(Path::new("/nonexistent"), Some(changed), &[]);
        assert!(absent.state == State::Ok && absent.detail.contains("is not there"), "{absent:?}");
    }

    #[test]
    fn the_limit_of_open_files_has_room_for_every_connection() {
        let verdict = |limit, connections| open_files_verdict(limit, Some(4096), 20, connections);
        assert_eq!(verdict(Some(512), 256).state, State::Ok);
        assert_eq!(verdict(None, 256).detail, "20 of any number");
        let few = verdict(Some(511), 256);
        assert!(few.state == State::Problem && few.hint.unwrap().contains("4096"));
    }

    #[test]
    fn an_allocator_that_keeps_what_is_freed_is_told() {
        assert_eq!(allocator(Some(true)).state, State::Ok);
        assert_eq!(allocator(Some(false)).state, State::Note);
        assert_eq!(allocator(None).state, State::Note);
    }
}

//! The life of the process: prepare, serve, stop.
//!
//! Everything that can be refused is refused before the socket exists, in words on stderr that a
//! starting client passes on. Stopping is bounded: after [`STOP_LIMIT`] the process ends whatever still runs.

use crate::args::Mode;
use crate::exit::Failure;
use crate::lanes::Lanes;
use crate::listen;
use crate::lock::DaemonLock;
use crate::log::{self, LogFile, Target};
use crate::memory;
use crate::server::{Server, Serving, Stop};
use crate::session;
use hearth_protocol::Places;
use hearth_service::config::{Config, ConfigFile, LogLevel};
use hearth_service::{Folders, Service};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::{Duration, Instant};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::level_filters::LevelFilter;

/// How long connections may take to get their last replies.
const DRAIN_LIMIT: Duration = Duration::from_secs(3);
/// How long the service may take to stop: what is unsaved is saved meanwhile.
const STOP_LIMIT: Duration = Duration::from_secs(75);

/// Serves until told to stop.
pub(crate) fn run(mode: Mode) -> Result<(), Failure> {
    if mode == Mode::Background {
        // Fails for the leader of a process group, which then stays in its session; it ignores its hang-up.
        let _ = rustix::process::setsid();
    }
    let places = Places::from_env().map_err(|error| Failure::cannot("start", error))?;
    let config = load_config(&places)?;
    places.prepare_state().map_err(|error| Failure::cannot("start", error))?;
    let lock = match (mode, DaemonLock::take(&places)) {
        (Mode::Stdio, lock) => lock.ok(),
        (_, lock) => Some(lock?),
    };
    let log = open_log(&places, mode, &config)?;
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::cannot("start the event loop", error))?;
    let serving = match mode {
        Mode::Stdio => Serving::Private { beside: lock.is_none() },
        Mode::Background | Mode::Foreground => Serving::Resident,
    };
    let outcome = runtime.block_on(serve(mode, places, config, serving, log));
    // Threads that still run a cancelled request or a scan must not hold up the end.
    runtime.shutdown_background();
    outcome
}

fn load_config(places: &Places) -> Result<Config, Failure> {
    let name = places.config.to_string_lossy().into_owned();
    let text = match std::fs::read_to_string(&places.config) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(Failure::cannot(format_args!("read {name}"), error)),
    };
    let file = text.as_deref().map(|text| ConfigFile { name: &name, text });
    let config = Config::load(file, &|name| std::env::var_os(name));
    config.map_err(|error| Failure::cannot("use the configuration", error))
}

fn open_log(places: &Places, mode: Mode, config: &Config) -> Result<Option<LogFile>, Failure> {
    let file = match mode {
        Mode::Background => {
            let path = places.log();
            let open = LogFile::open(&path);
            Some(open.map_err(|error| Failure::cannot(format_args!("open {}", path.display()), error))?)
        }
        Mode::Foreground | Mode::Stdio => None,
    };
    let target = match (mode, &file) {
        (Mode::Background, Some(file)) => Target::File(file.clone()),
        (Mode::Stdio, _) => Target::Nowhere,
        _ => Target::Stderr,
    };
    log::install(target, level(config.log.level));
    Ok(file)
}

fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// Connections, scans and reads of duplicates all need descriptors; the soft limit is often low.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::warn!("the limit of open files stays at {:?}: {error}", limit.current);
    }
}

async fn serve(
    mode: Mode,
    places: Places,
    config: Config,
    serving: Serving,
    log: Option<LogFile>,
) -> Result<(), Failure> {
    let signals = Signals::listen()?;
    let listener = match mode {
        Mode::Stdio => None,
        _ => Some(listener(&places)?),
    };
    let server = server(places, config, serving)?;
    log_start(&server);
    match listener {
        Some(listener) => {
            tokio::spawn(listen::accept(Arc::clone(&server), listener));
            let_go_of_stdio(log.as_ref());
        }
        None => {
            tokio::spawn(serve_stdio(Arc::clone(&server), stdio_socket()?));
        }
    }
    signals.wait_for_stop(&server, log.as_ref()).await;
    stop(&server, mode).await;
    Ok(())
}

fn listener(places: &Places) -> Result<UnixListener, Failure> {
    places.prepare_run().map_err(|error| Failure::cannot("start", error))?;
    listen::bind(places)
}

fn server(places: Places, config: Config, serving: Serving) -> Result<Arc<Server>, Failure> {
    let folders = Folders {
        state: places.state.clone(),
        cache: places.cache.clone(),
        shared: matches!(serving, Serving::Private { beside: true }),
    };
    let service = Service::open_with(config.clone(), &folders, Some(Arc::new(memory::Jemalloc)));
    let service = service.map_err(|error| Failure::cannot("start", error))?;
    let lanes = Lanes::start().map_err(|error| Failure::cannot("start threads", error))?;
    Ok(Arc::new(Server {
        service,
        config,
        places,
        serving,
        lanes,
        requests: AtomicU64::new(0),
        connections: 0.into(),
        began: Instant::now(),
        stop: Stop::new(),
    }))
}

fn log_start(server: &Server) {
    tracing::info!(pid = std::process::id(), version = env!("CARGO_PKG_VERSION"), "started");
    for setting in server.config.effective() {
        tracing::info!(key = setting.key, value = setting.value, origin = %setting.origin, "setting");
    }
}

/// From now on nobody reads what this process would say: the pipe of the client that started it closes.
fn let_go_of_stdio(log: Option<&LogFile>) {
    let Some(log) = log else { return };
    let outcome = log.file().and_then(|file| {
        rustix::stdio::dup2_stdout(&file)?;
        Ok(rustix::stdio::dup2_stderr(&file)?)
    });
    if let Err(error) = outcome {
        tracing::warn!("stderr still belongs to the client: {error}");
    }
}

/// A private daemon ends with its only client.
async fn serve_stdio(server: Arc<Server>, stream: UnixStream) {
    if let Some(admitted) = server.admit() {
        session::serve(Arc::clone(&server), stream).await;
        drop(admitted);
    }
    server.stop.request();
}

/// Standard input as a socket, or a socket that is connected to standard input and output.
fn stdio_socket() -> Result<UnixStream, Failure> {
    let failed = |error: std::io::Error| Failure::cannot("use standard input", error);
    let stdin = rustix::io::dup(rustix::stdio::stdin()).map_err(|errno| failed(errno.into()))?;
    let socket = if rustix::net::sockopt::socket_type(&stdin).is_ok() {
        StdStream::from(stdin)
    } else {
        bridge().map_err(failed)?
    };
    socket.set_nonblocking(true).map_err(failed)?;
    UnixStream::from_std(socket).map_err(failed)
}

/// For pipes and terminals: two threads copy between them and one end of a socket pair.
fn bridge() -> std::io::Result<StdStream> {
    let (ours, theirs) = StdStream::pair()?;
    let mut from_client = theirs.try_clone()?;
    let mut to_client = theirs;
    thread::Builder::new().name("hearth-stdin".to_owned()).spawn(move || {
        // An error ends the input as its end does.
        let _ = std::io::copy(&mut std::io::stdin(), &mut from_client);
        let _ = from_client.shutdown(std::net::Shutdown::Write);
    })?;
    thread::Builder::new().name("hearth-stdout".to_owned()).spawn(move || {
        let _ = std::io::copy(&mut to_client, &mut std::io::stdout());
        let _ = to_client.shutdown(std::net::Shutdown::Both);
    })?;
    Ok(ours)
}

/// Signals that mean something to a daemon.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> Result<Signals, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::cannot("listen for signals", error));
        Ok(Signals {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// Returns when a signal or a client asks the daemon to stop. A hang-up opens the log anew.
    async fn wait_for_stop(mut self, server: &Server, log: Option<&LogFile>) {
        let mut stop = server.stop.listen();
        loop {
            tokio::select! {
                _ = self.terminate.recv() => break tracing::info!("terminated"),
                _ = self.interrupt.recv() => break tracing::info!("interrupted"),
                () = stop.requested() => break,
                _ = self.hang_up.recv() => {
                    if let Some(Err(error)) = log.map(LogFile::reopen) {
                        tracing::error!("the log cannot be opened anew: {error}");
                    }
                }
            }
        }
        server.stop.request();
    }
}

async fn stop(server: &Arc<Server>, mode: Mode) {
    if mode != Mode::Stdio
        && let Err(error) = listen::remove(&server.places.socket())
    {
        tracing::warn!("the socket stays behind: {error}");
    }
    server.drain(DRAIN_LIMIT).await;
    let service = Arc::clone(&server.service);
    let ending = tokio::task::spawn_blocking(move || service.shutdown());
    if tokio::time::timeout(STOP_LIMIT, ending).await.is_err() {
        tracing::warn!("the service did not stop in time");
    }
    tracing::info!("stopped");
}

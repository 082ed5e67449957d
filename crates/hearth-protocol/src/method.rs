//! Names of methods and notifications.
//!
//! Methods mirror the commands of the command line. `docs/protocol.md` has a row for each name here, which
//! a test sees to.

/// Handshake: protocol version, limits, capabilities.
pub const HELLO: &str = "hello";
/// Search files.
pub const FIND: &str = "find";
/// Biggest folders.
pub const DU: &str = "du";
/// Counts and bytes per group.
pub const STATS: &str = "stats";
/// Files of equal content.
pub const DUPES: &str = "dupes";
/// Which program made, changed or removed something.
pub const HISTORY: &str = "history";
/// What changed in a source after a clock.
pub const SINCE: &str = "since";
/// Register a source.
pub const ADD: &str = "add";
/// Unregister a source.
pub const FORGET: &str = "forget";
/// Registered sources.
pub const LIST: &str = "list";
/// State of the daemon and its sources.
pub const STATUS: &str = "status";
/// What is in order, and what is not.
pub const DOCTOR: &str = "doctor";
/// Bring sources into memory.
pub const PRELOAD: &str = "preload";
/// Bring sources into memory and keep them there.
pub const PIN: &str = "pin";
/// End pins.
pub const UNPIN: &str = "unpin";
/// Take sources out of memory.
pub const HIBERNATE: &str = "hibernate";
/// Scan sources anew.
pub const REFRESH: &str = "refresh";
/// Replace the machine key and seal the snapshots anew.
pub const ROTATE_KEY: &str = "rotate_key";
/// What is on an NTFS disk or image.
pub const NTFS_INFO: &str = "ntfs_info";
/// One file record of an NTFS volume.
pub const NTFS_RECORD: &str = "ntfs_record";
/// The change journal of an NTFS volume.
pub const NTFS_JOURNAL: &str = "ntfs_journal";
/// Effective configuration.
pub const CONFIG: &str = "config";
/// Stop a running request of the same connection.
pub const CANCEL: &str = "cancel";
/// Begin to receive notifications of a topic.
pub const SUBSCRIBE: &str = "subscribe";
/// Stop receiving them.
pub const UNSUBSCRIBE: &str = "unsubscribe";
/// End the daemon.
pub const SHUTDOWN: &str = "shutdown";

/// Every method, in the order of `hello`'s capabilities.
pub const ALL: [&str; 26] = [
    HELLO,
    FIND,
    DU,
    STATS,
    DUPES,
    HISTORY,
    SINCE,
    ADD,
    FORGET,
    LIST,
    STATUS,
    DOCTOR,
    PRELOAD,
    PIN,
    UNPIN,
    HIBERNATE,
    REFRESH,
    ROTATE_KEY,
    NTFS_INFO,
    NTFS_RECORD,
    NTFS_JOURNAL,
    CONFIG,
    CANCEL,
    SUBSCRIBE,
    UNSUBSCRIBE,
    SHUTDOWN,
];

/// Notification: rows of a running request.
pub const ROWS: &str = "rows";
/// Notification: a scan goes on ([`crate::answer::ScanProgress`]), for subscribers.
pub const PROGRESS: &str = "progress";
/// Notification: a shard moved ([`crate::answer::Transition`]), for subscribers.
pub const TRANSITION: &str = "transition";
/// Notification: what a standing query tells ([`crate::answer::WatchNote`]), for subscribers.
pub const WATCH: &str = "watch";
/// Notification: a request goes on ([`crate::answer::RequestProgress`]), for who asked it.
pub const REQUEST_PROGRESS: &str = "request_progress";

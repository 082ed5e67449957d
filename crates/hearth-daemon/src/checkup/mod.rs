//! `doctor`: what is in order and what is not, from the process outward to the sources.
//!
//! The service tells what it knows in numbers, the process looks at itself; here both become checks in
//! words. Judging is done on plain values, so that every verdict can be tested without the machine it is
//! about. Looking changes nothing. The order of the checks is fixed; sources in trouble come last.

mod disks;
mod feeds;
mod memory;
mod process;
#[cfg(test)]
mod sample;
mod snapshots;
mod sources;

use crate::server::Server;
use hearth_protocol::answer::Check;
use hearth_service::Config;
use hearth_service::config::Origin;
use std::fs::metadata;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Every check, made now.
pub(crate) fn checks(server: &Server) -> Vec<Check> {
    let doctor = server.service.doctor();
    let mut checks = process::checks(server);
    checks.extend(memory::checks(&server.config, &doctor));
    checks.extend(snapshots::checks(&server.config, &doctor.snapshots));
    checks.extend(sources::checks(&doctor));
    checks.extend(feeds::checks(&server.config, &doctor.status.shards));
    checks.extend(disks::checks(&doctor.status.shards));
    checks.extend(snapshots::of_sources(&doctor));
    checks
}

/// Where a setting comes from.
fn origin(config: &Config, key: &str) -> Origin {
    let settings = config.effective();
    let setting = settings.into_iter().find(|setting| setting.key == key);
    setting.map_or(Origin::Default, |setting| setting.origin)
}

/// Permission bits of a file or folder, or why they cannot be told.
fn mode(path: &Path) -> Result<u32, String> {
    let meta = metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(meta.permissions().mode() & 0o7777)
}

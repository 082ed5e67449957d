//! The control groups that this process is in: its own and those above it.
//!
//! `/proc/self/cgroup` names the process's place in each hierarchy, the mount table says where the
//! hierarchy can be seen. Inside a container the two may disagree: the place may lie outside of what is
//! mounted, and then the mount's top folder is the nearest group that there is to see. Memory is
//! accounted in one hierarchy at a time: in version 2, or in one of version 1.

use super::MemoryWorld;
use super::counters::{entry, limit, read};
use hearth_files::scan::Mounts;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

pub(super) const OWN_GROUPS: &str = "/proc/self/cgroup";
const MOUNT_TABLE: &str = "/proc/self/mountinfo";
/// Where version 2 is by custom, if the mount table cannot be read.
const CUSTOM_MOUNT: &str = "/sys/fs/cgroup";
/// Most groups that are looked at above one another.
const DEEPEST: usize = 64;
/// File of version 1 that holds the limit.
const LIMIT_V1: &str = "memory.limit_in_bytes";

/// Groups of one hierarchy from the process's own up to the top of what is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lineage {
    pub(super) groups: Vec<PathBuf>,
}

/// A limit and the file that sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) bytes: u64,
    pub(super) file: PathBuf,
}

/// How often something happened to a group because of a limit of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Events {
    pub(super) low: u64,
    pub(super) high: u64,
    pub(super) max: u64,
    pub(super) oom: u64,
    pub(super) oom_kill: u64,
}

impl Lineage {
    /// Groups of version 2.
    ///
    /// # Errors
    /// In words: there are none to be seen.
    pub(super) fn v2(world: &dyn MemoryWorld) -> Result<Self, String> {
        let place = place(world, |line| line.strip_prefix(b"0::"))?;
        let mounts = match world.read(Path::new(MOUNT_TABLE)) {
            Ok(table) => Mounts::parse(&table),
            Err(_) => return Ok(Self::below(Path::new(CUSTOM_MOUNT), b"/", &place)),
        };
        let mount = mounts.all().iter().rev().find(|mount| mount.fs_type == "cgroup2");
        let mount = mount.ok_or_else(|| format!("no cgroup2 file system in {MOUNT_TABLE}"))?;
        Ok(Self::below(path(&mount.path), &mount.root, &place))
    }

    /// Groups of version 1, in the hierarchy that has the memory controller.
    ///
    /// # Errors
    /// In words: there are none to be seen.
    pub(super) fn v1(world: &dyn MemoryWorld) -> Result<Self, String> {
        let place = place(world, memory_place)?;
        let table = world.read(Path::new(MOUNT_TABLE)).map_err(|error| format!("{MOUNT_TABLE}: {error}"))?;
        let accounts = |mount: &Path| world.read(&mount.join(LIMIT_V1)).is_ok();
        let mounts = Mounts::parse(&table);
        let mut v1 = mounts.all().iter().rev().filter(|mount| mount.fs_type == "cgroup");
        let mount = v1.find(|mount| accounts(path(&mount.path)));
        let mount = mount.ok_or_else(|| format!("no cgroup file system with {LIMIT_V1} in {MOUNT_TABLE}"))?;
        Ok(Self::below(path(&mount.path), &mount.root, &place))
    }

    /// From `place` of the hierarchy up to `mount`, which shows the hierarchy's folder `root`.
    fn below(mount: &Path, root: &[u8], place: &Path) -> Self {
        let inside = place.strip_prefix(path(root)).unwrap_or(Path::new(""));
        // A place outside of what the process may see is written with `..`.
        let plain = inside.components().all(|part| matches!(part, Component::Normal(_)));
        let inside = if plain { inside } else { Path::new("") };
        let own: PathBuf = mount.components().chain(inside.components()).collect();
        let groups = own.ancestors().take_while(|group| group.starts_with(mount));
        Self { groups: groups.take(DEEPEST).map(Path::to_owned).collect() }
    }

    /// Limits of all groups, `memory.max` and `memory.high`, or those of version 1.
    pub(super) fn limits(&self, world: &dyn MemoryWorld) -> Vec<Limit> {
        let names = ["memory.max", "memory.high", LIMIT_V1];
        let files = self.groups.iter().flat_map(|group| names.map(|name| group.join(name)));
        files.filter_map(|file| Some(Limit { bytes: limit(world, &file)?, file })).collect()
    }

    /// Memory that the nearest group holds that accounts for it, bytes.
    pub(super) fn current(&self, world: &dyn MemoryWorld) -> Option<u64> {
        self.groups.iter().find_map(|group| limit(world, &group.join("memory.current")))
    }

    /// What the limits of each group did to it; the order is that of the groups.
    pub(super) fn events(&self, world: &dyn MemoryWorld) -> Vec<Option<Events>> {
        let groups = self.groups.iter().enumerate();
        groups.map(|(above, group)| Events::read(world, group, above == 0)).collect()
    }

    /// Whether anything accounts for memory in one of the groups.
    pub(super) fn has_memory(&self, world: &dyn MemoryWorld) -> bool {
        self.current(world).is_some() || self.events(world).iter().any(Option::is_some)
    }
}

impl Events {
    /// Events of one group. Those of `memory.events` are also of every group below, which is another's
    /// trouble unless the group is `own`; Linux before 5.2 has no other.
    fn read(world: &dyn MemoryWorld, group: &Path, own: bool) -> Option<Self> {
        let local = read(world, &group.join("memory.events.local"));
        let text =
            local.or_else(|error| if own { read(world, &group.join("memory.events")) } else { Err(error) });
        Self::parse(&text.ok()?)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let count = |name| entry(text, name).unwrap_or(0);
        let (high, max) = (entry(text, "high")?, entry(text, "max")?);
        Some(Self { low: count("low"), high, max, oom: count("oom"), oom_kill: count("oom_kill") })
    }

    /// How often the group was held back at a limit.
    pub(super) fn squeezes(&self) -> u64 {
        self.high.saturating_add(self.max)
    }

    /// How often the group ran out of memory.
    pub(super) fn ends(&self) -> u64 {
        self.oom.saturating_add(self.oom_kill)
    }
}

/// Share of a group's memory that the kernel can take back at once, percent: file pages that nobody uses
/// lately, and its own caches. None if the group does not tell.
pub(super) fn reclaimable_percent(world: &dyn MemoryWorld, group: &Path) -> Option<u64> {
    let current = limit(world, &group.join("memory.current"))?;
    let stat = read(world, &group.join("memory.stat")).ok()?;
    let pages = entry(&stat, "inactive_file")?.saturating_add(entry(&stat, "slab_reclaimable").unwrap_or(0));
    pages.saturating_mul(100).checked_div(current)
}

/// The smallest limit of all groups of both versions.
pub(super) fn tightest(world: &dyn MemoryWorld) -> Option<Limit> {
    let lineages = [Lineage::v2(world), Lineage::v1(world)].into_iter().flatten();
    lineages.flat_map(|lineage| lineage.limits(world)).min_by_key(|limit| limit.bytes)
}

/// Place of this process in the hierarchy whose line `pick` recognises.
fn place(world: &dyn MemoryWorld, pick: fn(&[u8]) -> Option<&[u8]>) -> Result<PathBuf, String> {
    let lines = world.read(Path::new(OWN_GROUPS)).map_err(|error| format!("{OWN_GROUPS}: {error}"))?;
    let place = lines.split(|byte| *byte == b'\n').find_map(pick);
    place.map(|place| path(place).to_owned()).ok_or_else(|| format!("{OWN_GROUPS} has no line for it"))
}

/// Third field of a line `number:controllers:path` that has the memory controller.
fn memory_place(line: &[u8]) -> Option<&[u8]> {
    let mut fields = line.splitn(3, |byte| *byte == b':').skip(1);
    let mut controllers = fields.next()?.split(|byte| *byte == b',');
    controllers.any(|name| name == b"memory").then(|| fields.next())?
}

fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

//! Cost of one applied change on a small and on a ten times larger volume: it must not depend on N.
//!
//! A change is applied and its body published (cloned), as a daemon does after each batch of one.

use crate::Outcome;
use crate::options::Options;
use crate::random::Random;
use crate::samples::Samples;
use crate::table::{Table, count, time};
use crate::volume;
use hearth_core::EntryKind;
use hearth_files::entry::{Chunk, Meta, NOT_A_DIR, RawRow};
use hearth_files::index::{Body, Change, Volume};
use std::sync::Arc;

/// A row that exists, with the inode of the folder that holds it.
struct Victim {
    parent: u64,
    name: Vec<u8>,
    meta: Meta,
}

/// A kind of change and how to make one from an existing row.
type Maker = (&'static str, fn(&Victim, u64) -> Change);

const MAKERS: &[Maker] = &[
    ("create a file", |victim, number| put(victim.parent, format!("new-{number}"), NEW_INODES + number)),
    ("change size and time", |victim, _| {
        let meta =
            Meta { size: victim.meta.size + 1, modified_ns: victim.meta.modified_ns + 1, ..victim.meta };
        Change::Meta { meta }
    }),
    ("rename a file", |victim, number| rename(victim, format!("renamed-{number}"))),
    ("delete a file", |victim, _| Change::Remove { parent: victim.parent, name: victim.name.clone() }),
];

/// Inodes from here on are not in use.
const NEW_INODES: u64 = 1 << 50;

fn put(parent: u64, name: String, inode: u64) -> Change {
    Change::Put {
        parent,
        name: name.into_bytes(),
        meta: Meta { mode: 0o100_644, ..Meta::unknown(EntryKind::File, inode) },
    }
}

fn rename(victim: &Victim, to_name: String) -> Change {
    Change::Move {
        from: victim.parent,
        from_name: victim.name.clone(),
        to: victim.parent,
        to_name: to_name.into_bytes(),
    }
}

pub(crate) fn run(options: &Options) -> Outcome {
    let pool = volume::pool()?;
    let columns = ["entries", "change", "p50", "p99", "longest"];
    let table = Table::begin(&format!("One applied change ({} of each kind)", options.needles), &columns);
    for entries in [options.entries / 10, options.entries] {
        let chunks = volume::rows(options, entries)?;
        let victims = victims(&chunks, options.needles * (MAKERS.len() + 1), options.seed);
        let body = volume::built(chunks, &pool)?;
        for (at, &(what, maker)) in MAKERS.iter().enumerate() {
            let own = &victims[at * options.needles..][..options.needles];
            row(&table, entries, what, &measure(&body, own, maker)?);
        }
        let own = &victims[MAKERS.len() * options.needles..];
        row(&table, entries, "rename a folder", &measure_folders(&body, &folders_of(&body, own))?);
    }
    Ok(())
}

fn row(table: &Table, entries: usize, what: &str, samples: &Samples) {
    let [p50, p99, longest] = [samples.median(), samples.percentile(99.0), samples.longest()].map(time);
    table.row(&[count(entries as u64), what.to_owned(), p50, p99, longest]);
}

/// Files with one link, each taken at most once, in random order.
fn victims(chunks: &[Arc<Chunk>], wanted: usize, seed: u64) -> Vec<Victim> {
    let inodes = folder_inodes(chunks);
    let mut random = Random::new(seed, 0x61_7070_6c79);
    let mut taken = std::collections::HashSet::new();
    let mut victims = Vec::with_capacity(wanted);
    while victims.len() < wanted {
        let chunk = random.below(chunks.len());
        let row = random.below(chunks[chunk].rows.len());
        let found = chunks[chunk].rows.iter().nth(row).expect("a row of the chunk");
        let RawRow { parent, dir, meta, .. } = found;
        if dir == NOT_A_DIR && meta.links == 1 && taken.insert((chunk, row)) {
            let name = chunks[chunk].name(&found).to_vec();
            victims.push(Victim { parent: inodes[parent as usize], name, meta });
        }
    }
    victims
}

fn folder_inodes(chunks: &[Arc<Chunk>]) -> Vec<u64> {
    let rows = || chunks.iter().flat_map(|chunk| &chunk.rows).filter(|row| row.dir != NOT_A_DIR);
    let mut inodes = vec![1; rows().map(|row| row.dir as usize + 1).max().unwrap_or(1)];
    for row in rows() {
        inodes[row.dir as usize] = row.meta.inode;
    }
    inodes
}

/// The folders that hold some files, as victims themselves, each once.
fn folders_of(body: &Body, files: &[Victim]) -> Vec<Victim> {
    let mut inodes: Vec<u64> = files.iter().map(|file| file.parent).collect();
    inodes.sort_unstable();
    inodes.dedup();
    let mut folders = Vec::new();
    let mut open = vec![body.root_row()];
    while let Some(folder) = open.pop() {
        let parent = body.meta(folder).inode;
        for row in body.children(folder).into_iter().filter(|&row| body.kind(row) == EntryKind::Dir) {
            let meta = body.meta(row);
            if inodes.binary_search(&meta.inode).is_ok() {
                let mut name = Vec::new();
                body.name_into(row, &mut name);
                folders.push(Victim { parent, name, meta });
            }
            open.push(row);
        }
    }
    folders
}

fn measure(body: &Body, victims: &[Victim], maker: fn(&Victim, u64) -> Change) -> Result<Samples, String> {
    let changes = victims.iter().zip(0..).map(|(victim, number)| maker(victim, number));
    apply(body, changes)
}

fn measure_folders(body: &Body, folders: &[Victim]) -> Result<Samples, String> {
    apply(body, folders.iter().zip(0..).map(|(folder, number)| rename(folder, format!("moved-{number}"))))
}

fn apply(body: &Body, changes: impl Iterator<Item = Change>) -> Result<Samples, String> {
    let mut volume = Volume::new(body);
    let mut samples = Samples::default();
    for change in changes {
        let batch = [change];
        let (outcome, published) = samples.time(|| (volume.apply(&batch), volume.body()));
        if outcome.applied != 1 {
            return Err(format!("not applied: {batch:?}"));
        }
        drop(published);
    }
    Ok(samples)
}

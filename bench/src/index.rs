//! Build time and memory of an index: what the kernel says this process holds, not what is counted.

use crate::Outcome;
use crate::memory;
use crate::options::Options;
use crate::table::{Table, count, digits, megabytes, time};
use crate::volume;
use std::time::Instant;

pub(crate) fn run(options: &Options) -> Outcome {
    let baseline = memory::resident();
    let pool = volume::pool()?;
    let chunks = volume::rows(options, options.entries)?;
    memory::purge();
    let input = memory::resident();
    memory::forget_peak()?;
    let begun = Instant::now();
    let body = volume::build(&chunks, &pool)?;
    let built_in = begun.elapsed();
    drop(chunks);
    memory::purge();
    let (peak, settled) = (memory::peak(), memory::resident());

    let entries = body.entries();
    let per_entry = |bytes: u64| digits(bytes as f64 / entries as f64);
    let title = format!("Index of {} entries, {:?} times", count(entries), options.times);
    let table = Table::begin(&title, &["what", "value", "bytes per entry"]);
    table.row(&["build time".into(), time(built_in), String::new()]);
    let row = |what: &str, bytes: u64| table.row(&[what.into(), megabytes(bytes), per_entry(bytes)]);
    row("resident before anything", baseline);
    row("resident with the raw rows, before the build", input);
    row("peak resident during the build, raw rows included", peak);
    row("settled resident, absolute", settled);
    row("**settled resident above the start**", settled.saturating_sub(baseline));
    row("counted by the index itself", body.heap_bytes() as u64);
    for (part, bytes) in body.heap_parts() {
        row(&format!("– {part}"), bytes as u64);
    }
    Ok(())
}

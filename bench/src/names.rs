//! Name statistics of a real tree beside those of the volume generated from it.

use crate::Outcome;
use crate::corpus::{Corpus, NameFacts};
use crate::options::Options;
use crate::synthetic::{Recipe, generate};
use crate::table::{Table, count, digits, time};
use std::time::Instant;

pub(crate) fn run(options: &Options) -> Outcome {
    let begun = Instant::now();
    let corpus = Corpus::read(&options.path)?;
    let read = begun.elapsed();
    let begun = Instant::now();
    let recipe = Recipe { entries: options.entries, seed: options.seed, times: options.times };
    let chunks = generate(&corpus, recipe);
    let generated = begun.elapsed();

    let columns = ["volume", "entries", "folders", "unique names", "bytes per name", "made in"];
    let table = Table::begin("Names", &columns);
    let real = NameFacts::of(std::iter::once(&corpus.chunk));
    row(&table, &options.path.to_string_lossy(), &real, time(read));
    let synthetic = NameFacts::of(chunks.iter().map(|chunk| &**chunk));
    row(&table, "generated", &synthetic, time(generated));
    Ok(())
}

fn row(table: &Table, volume: &str, facts: &NameFacts, made_in: String) {
    let share = |part: u64| digits(part as f64 * 100.0 / facts.entries as f64);
    table.row(&[
        volume.to_owned(),
        count(facts.entries),
        format!("{} %", share(facts.folders)),
        format!("{} ({} %)", count(facts.unique), share(facts.unique)),
        digits(facts.bytes as f64 / facts.entries as f64),
        made_in,
    ]);
}

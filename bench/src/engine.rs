//! Query latencies of the engine over generated entries, each beside plocate on the same paths.
//!
//! The engine is timed from a parsed query to the last row; plocate as a process, which is how it is
//! used. plocate matches whole paths and minds the case, as it does by default; counts are compared
//! for equality with `--basename` and `case:`, where both mean the same.

use crate::Outcome;
use crate::ask::{Engine, Question};
use crate::needles::needles;
use crate::options::Options;
use crate::peer::TemporaryFolder;
use crate::plocate::Plocate;
use crate::samples::{Samples, ratio};
use crate::table::{Table, count, digits, megabytes, rate, time};
use crate::volume;
use hearth_files::query::SortField;
use std::error::Error;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

/// Regular expressions that hold no literal of three letters.
const NEEDLE_FREE: &[&str] = &["^[a-z]+[0-9]+$", "[aeiou]{4}", "[a-z]{20}"];
const REPEATS: usize = 5;

pub(crate) fn run(options: &Options) -> Outcome {
    let pool = volume::pool()?;
    let chunks = volume::rows(options, options.entries)?;
    let needles = needles(&chunks, options.needles, options.seed);
    let engine = Engine { body: volume::built(chunks, &pool)?, pool };
    let folder = TemporaryFolder::new("engine")?;
    let list = folder.join("paths");
    export_list(&engine, &list)?;
    let plocate = Plocate::build(&folder, &list)?;
    std::fs::remove_file(&list)?;
    println!(
        "\n{} entries; plocate's database: {}, built in {} from a list of paths",
        count(engine.body.entries()),
        megabytes(plocate.bytes),
        time(plocate.built_in)
    );

    let bench = Bench { engine: &engine, plocate: &plocate, needles: &needles, options };
    bench.first_rows()?;
    bench.counts()?;
    bench.regexes()?;
    bench.tops()?;
    bench.export()
}

/// Writes every path but the root's, one a line.
fn export_list(engine: &Engine, list: &Path) -> Outcome {
    let mut file = std::io::BufWriter::with_capacity(1 << 20, std::fs::File::create(list)?);
    let mut text = Vec::new();
    let mut failure = None;
    engine.each(&Question::all("")?, |rows| {
        let rows = if rows.first() == Some(&engine.body.root_row()) { &rows[1..] } else { rows };
        text.clear();
        engine.body.paths_into(rows, b'\n', &mut text);
        failure = file.write_all(&text).err();
        if failure.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    failure.map_or(Ok(()), Err)?;
    Ok(file.flush()?)
}

struct Bench<'a> {
    engine: &'a Engine,
    plocate: &'a Plocate,
    needles: &'a [String],
    options: &'a Options,
}

impl Bench<'_> {
    /// A part of the needles, evenly spread, for questions that take the peer long.
    fn some_needles(&self) -> impl Iterator<Item = &String> {
        let step = self.needles.len().div_ceil(self.options.peer_needles.max(1)).max(1);
        self.needles.iter().step_by(step)
    }

    fn first_rows(&self) -> Outcome {
        let (mut alone, mut mixed, mut paths) = Default::default();
        let (mut peer, mut floor) = (Samples::default(), Samples::default());
        let questions: Vec<Question> =
            self.needles.iter().map(|needle| Question::first(needle, 100)).collect::<Result<_, _>>()?;
        for question in &questions {
            self.engine.rows(question, &mut alone)?;
        }
        let mut text = Vec::new();
        for (question, needle) in questions.iter().zip(self.needles) {
            self.engine.rows(question, &mut mixed)?;
            self.engine.paths(question, &mut text, &mut paths)?;
            self.plocate.ask(&["--limit", "100"], needle, &mut peer)?;
        }
        for _ in 0..100 {
            self.plocate.ask(&["--limit", "100"], "qzxjvkqzxjvk", &mut floor)?;
        }
        let title = format!("First 100 of a substring, {} random needles", self.needles.len());
        let table = Table::begin(&title, &["how", "p50", "p99", "longest", "plocate's p50 / this"]);
        let row = |how: &str, samples: &Samples| {
            let [p50, p99, longest] =
                [samples.median(), samples.percentile(99.0), samples.longest()].map(time);
            table.row(&[how.into(), p50, p99, longest, digits(ratio(peer.median(), samples.median()))]);
        };
        row("engine, one after the other", &alone);
        row("engine, between runs of plocate (cold caches)", &mixed);
        row("the same with paths made", &paths);
        row("plocate -l 100, process", &peer);
        row("plocate, process, nothing to find (floor)", &floor);
        Ok(())
    }

    fn counts(&self) -> Outcome {
        let (mut own, mut exact, mut peer, mut base) = Default::default();
        for needle in self.needles {
            self.engine.matched(&Question::count(needle)?, &mut own)?;
        }
        let (mut asked, mut differ) = (0, Vec::new());
        for needle in self.some_needles() {
            let same = self.engine.matched(&Question::count(&format!("case:{needle}"))?, &mut exact)?;
            self.plocate.count(&[], needle, &mut peer)?;
            asked += 1;
            if self.plocate.count(&["--basename"], needle, &mut base)? != same {
                differ.push(needle.as_str());
            }
        }
        let title = format!("Exact count of a substring, {} random needles", self.needles.len());
        let table = Table::begin(&title, &["how", "p50", "p99", "longest", "times the engine's p50"]);
        let row = |how: String, samples: &Samples| {
            let [p50, p99, longest] =
                [samples.median(), samples.percentile(99.0), samples.longest()].map(time);
            table.row(&[how, p50, p99, longest, digits(ratio(samples.median(), exact.median()))]);
        };
        row("engine, smart case".into(), &own);
        row(format!("engine, case:, {asked} of the needles"), &exact);
        row("plocate -c, process, the same needles".into(), &peer);
        row("plocate -b -c, process, the same needles".into(), &base);
        println!(
            "\nequal counts (`case:` beside `plocate -b -c`): {} of {asked} {differ:?}",
            asked - differ.len()
        );
        Ok(())
    }

    fn regexes(&self) -> Outcome {
        let columns = ["regex", "matches", "engine p50", "engine longest", "plocate p50", "ratio", "equal"];
        let table = Table::begin("Count of a regular expression without a needle", &columns);
        for regex in NEEDLE_FREE {
            let (mut own, mut peer) = (Samples::default(), Samples::default());
            let question = Question::count(&format!("case:re:{regex}"))?;
            let (mut matched, mut of_peer) = (0, 0);
            for _ in 0..REPEATS {
                matched = self.engine.matched(&question, &mut own)?;
                of_peer = self.plocate.count(&["--basename", "--regex"], regex, &mut peer)?;
            }
            table.row(&[
                format!("`{regex}`"),
                count(matched),
                time(own.median()),
                time(own.longest()),
                time(peer.median()),
                digits(ratio(peer.median(), own.median())),
                (if matched == of_peer { "yes".into() } else { format!("no: {}", count(of_peer)) }),
            ]);
        }
        Ok(())
    }

    fn tops(&self) -> Outcome {
        let sorts = [
            ("size, largest first", SortField::Size, true),
            ("time, newest first", SortField::Modified, true),
            ("path", SortField::Path, false),
            ("name", SortField::Name, false),
        ];
        let table = Table::begin("Top 20, sorted", &["order", "of what", "p50", "p99", "longest"]);
        for (order, field, descending) in sorts {
            let mut needles = Samples::default();
            for needle in self.needles {
                let question = Question::top(&format!("{needle} type:file"), 20, field, descending)?;
                self.engine.rows(&question, &mut needles)?;
            }
            self.top_row(&table, order, "each needle, type:file", &needles);
            for (what, text) in [("everything", ""), ("type:file size:>1mb", "type:file size:>1mb")] {
                let mut samples = Samples::default();
                let question = Question::top(text, 20, field, descending)?;
                for _ in 0..REPEATS * 4 {
                    self.engine.rows(&question, &mut samples)?;
                }
                self.top_row(&table, order, what, &samples);
            }
        }
        Ok(())
    }

    fn top_row(&self, table: &Table, order: &str, what: &str, samples: &Samples) {
        let [p50, p99, longest] = [samples.median(), samples.percentile(99.0), samples.longest()].map(time);
        table.row(&[order.into(), what.into(), p50, p99, longest]);
    }

    /// All paths into a buffer, the engine alone; the way through the daemon is measured elsewhere.
    fn export(&self) -> Outcome {
        let (mut own, mut peer) = (Samples::default(), Samples::default());
        let question = Question::all("")?;
        let entries = self.engine.body.entries();
        let mut bytes_of_peer = 0;
        for _ in 0..3 {
            own.time(|| self.export_once(&question))?;
            bytes_of_peer = self.plocate.export("", &mut peer)?.bytes;
        }
        let table = Table::begin("Export of every path", &["how", "time", "rows per second", "bytes"]);
        let bytes = self.export_once(&question)?;
        table.row(&[
            "engine, into a buffer".into(),
            time(own.median()),
            rate(entries, own.median()),
            megabytes(bytes),
        ]);
        let by_peer = [time(peer.median()), rate(entries, peer.median()), megabytes(bytes_of_peer)];
        let [took, rows, bytes] = by_peer;
        table.row(&["plocate '', process, into a pipe".into(), took, rows, bytes]);
        Ok(())
    }

    fn export_once(&self, question: &Question) -> Result<u64, Box<dyn Error>> {
        let (mut text, mut bytes) = (Vec::new(), 0);
        self.engine.each(question, |rows| {
            text.clear();
            self.engine.body.paths_into(rows, b'\n', &mut text);
            bytes += text.len() as u64;
            ControlFlow::Continue(())
        })?;
        Ok(bytes)
    }
}

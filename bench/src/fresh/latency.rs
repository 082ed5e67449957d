//! From the end of a system call to the answer that knows of it, over one connection.
//!
//! A program that asks in a loop keeps a core of its own busy; the daemon needs another.

use super::{Bench, folders};
use crate::Outcome;
use crate::random::Random;
use crate::samples::Samples;
use crate::table::{Table, count, digits, time};
use serde_json::json;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Between two changes: the daemon is idle when the next one comes.
const PAUSE: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(10);

/// What is done, and whether its name is there afterwards.
type Act = fn(&Path) -> std::io::Result<()>;

const ACTS: &[(&str, Act, bool)] = &[
    ("create a file", |path| fs::File::create(path).map(drop), true),
    ("remove it", |path| fs::remove_file(path), false),
    ("make a folder", |path| fs::create_dir(path), true),
];

impl Bench<'_> {
    pub(super) fn latency(&self) -> Outcome {
        self.found_by_asking()?;
        self.found_by_waiting()
    }

    /// Asks again and again until the change is seen.
    fn found_by_asking(&self) -> Outcome {
        let (folders, mut connection) = (folders(&self.tree)?, self.daemon.connect()?);
        let title = format!(
            "From a change on {} to its being found, asking in a loop, {} of each kind",
            self.ground.what,
            count(self.options.needles as u64)
        );
        let table = Table::begin(&title, &["what happened", "p50", "p99", "longest", "questions each"]);
        for (what, act, is_there) in ACTS {
            let mut random = Random::new(self.options.seed, 0x0066_7265_7368);
            let (mut samples, mut questions) = (Samples::default(), 0_u64);
            for number in 0..self.options.needles {
                let name =
                    format!("{}-{number}", if what.ends_with("folder") { "new-folder" } else { "new-file" });
                let path = folders[random.below(folders.len())].join(&name);
                std::thread::sleep(PAUSE);
                act(&path)?;
                let (query, begun) = (json!({ "query": format!("={name}"), "limit": 1 }), Instant::now());
                loop {
                    questions += 1;
                    if (connection.call("find", &query)?["shown"] == 1) == *is_there {
                        break;
                    }
                    if begun.elapsed() > PATIENCE {
                        return Err(format!("{what}: not seen within {}", time(PATIENCE)).into());
                    }
                }
                samples.push(begun.elapsed());
            }
            let [p50, p99, longest] =
                [samples.median(), samples.percentile(99.0), samples.longest()].map(time);
            let each = digits(questions as f64 / self.options.needles as f64);
            table.row(&[(*what).to_owned(), p50, p99, longest, each]);
        }
        Ok(())
    }

    /// Asks once, to be answered when everything before is seen.
    fn found_by_waiting(&self) -> Outcome {
        let (folders, mut connection) = (folders(&self.tree)?, self.daemon.connect()?);
        let title = format!("One question that waits, {} each", count(self.options.needles as u64));
        let table = Table::begin(&title, &["question", "p50", "p99", "longest", "proof"]);
        let mut random = Random::new(self.options.seed, 0x7761_6974);
        for (what, waits, changes) in [
            ("does not wait", false, false),
            ("waits, nothing happened", true, false),
            ("waits, a file was just created", true, true),
        ] {
            let (mut samples, mut proof) = (Samples::default(), String::from("–"));
            for number in 0..self.options.needles {
                let name = format!("waited-for-{number}");
                std::thread::sleep(PAUSE);
                if changes {
                    fs::File::create(folders[random.below(folders.len())].join(&name))?;
                }
                let mut query = json!({ "query": format!("={name}"), "limit": 1 });
                if waits {
                    query["wait_fresh_ms"] = json!(1000);
                }
                let answer = samples.time(|| connection.call("find", &query))?;
                if (answer["shown"] == 1) != changes || (waits && answer["meta"][0]["stale"] == true) {
                    return Err(format!("{what}: {answer}").into());
                }
                proof = answer["meta"][0]["proof"].as_str().map_or(proof, str::to_owned);
            }
            let [p50, p99, longest] =
                [samples.median(), samples.percentile(99.0), samples.longest()].map(time);
            table.row(&[what.to_owned(), p50, p99, longest, proof]);
        }
        Ok(())
    }
}

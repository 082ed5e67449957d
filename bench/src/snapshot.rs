//! Sealed snapshots.

use crate::ask::{Engine, Question};
use crate::options::Options;
use crate::samples::Samples;
use crate::sealed::Shelf;
use crate::table::{Table, count, digits, megabytes, time};
use crate::{Outcome, cpu, memory, volume};
use hearth_files::digest::Digest;
use hearth_snapshot::Codec;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) fn run(options: &Options) -> Outcome {
    let pool = Arc::new(volume::pool()?);
    let body = volume::built(volume::rows(options, options.entries)?, &pool)?;
    let entries = body.entries();
    let digest = Digest::of(&body);
    let shelf = Shelf::new(Arc::clone(&pool))?;
    let mut sections = body.sections();
    sections.extend(digest.sections());
    let names: Vec<(u32, &str)> = sections.iter().map(|section| (u32::from(section.id().number()), section.id().name())).collect();
    if let Some(folder) = std::env::var_os("DUMP") {
        for section in &sections {
            std::fs::write(std::path::Path::new(&folder).join(section.id().number().to_string()), section.bytes(0..section.len()))?;
        }
    }
    for (name, codec) in [("none", Codec::None), ("lz4", Codec::Lz4), ("zstd", Codec::Zstd)] {
        let (begun, cpu) = (Instant::now(), cpu::spent());
        let saved = shelf.save(name, &sections, |_| codec)?;
        println!("{name}: saved in {} cpu {}, {} {:.2} B/entry", time(begun.elapsed()), time(cpu::spent() - cpu), megabytes(saved.file_bytes), saved.file_bytes as f64 / entries as f64);
    }
    drop(sections);
    let body_bytes = body.heap_bytes();
    drop((body, digest));
    let table = Table::begin("sections", &["section", "content", "lz4", "zstd", "none ms", "lz4 ms", "zstd ms"]);
    let files = ["none", "lz4", "zstd"].map(|name| shelf.open(name).unwrap());
    let per = |bytes: u64| format!("{:.3}", bytes as f64 / entries as f64);
    for (id, name) in names {
        let mut best = [Duration::MAX; 3];
        for _ in 0..5 {
            for (best, file) in best.iter_mut().zip(&files) {
                let before = cpu::spent();
                file.read(id)?;
                *best = (*best).min(cpu::spent() - before);
            }
        }
        let [none, lz4, zstd] = [0, 1, 2].map(|at| files[at].reader.section(id).unwrap().stored_len);
        table.row(&[format!("{id} {name}"), per(none), per(lz4), per(zstd), time(best[0]), time(best[1]), time(best[2])]);
    }
    if let Ok(which) = std::env::var("PERF") {
        let at = ["none", "lz4", "zstd"].iter().position(|n| *n == which).unwrap();
        eprintln!("READY {}", std::process::id());
        for _ in 0..30 { memory::purge(); drop(files[at].body()?); }
        return Ok(());
    }
    for (name, file) in ["none", "lz4", "zstd"].into_iter().zip(&files) {
        for _ in 0..5 {
            memory::purge();
            memory::forget_peak()?;
            let before = memory::resident();
            let (begun, cpu) = (Instant::now(), cpu::spent());
            let body = file.body()?;
            let (took, cpu) = (begun.elapsed(), cpu::spent() - cpu);
            println!("{name}: body in {}, cpu {}, peak {} body {}", time(took), time(cpu), megabytes(memory::peak() - before), megabytes(body_bytes as u64));
        }
        let (begun, cpu) = (Instant::now(), cpu::spent());
        drop(file.digest()?);
        println!("{name}: digest in {}, cpu {}", time(begun.elapsed()), time(cpu::spent() - cpu));
    }
    let _ = (count(1), digits(1.0), Samples::default(), Question::count("")?, None::<Engine>);
    Ok(())
}

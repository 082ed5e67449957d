//! Random search words: runs of letters cut from random names, a fifth of them spoilt.

use crate::random::Random;
use hearth_files::entry::Chunk;
use std::sync::Arc;

const SHORTEST: usize = 3;
const LONGEST: usize = 12;

/// `count` words of 3 to 12 ASCII letters. One in five has one letter changed, so that it often
/// occurs nowhere.
pub(crate) fn needles(chunks: &[Arc<Chunk>], count: usize, seed: u64) -> Vec<String> {
    let mut random = Random::new(seed, 0x6e65_6564_6c65);
    let mut needles = Vec::with_capacity(count);
    while needles.len() < count {
        let chunk = &chunks[random.below(chunks.len())];
        let row = chunk.rows.iter().nth(random.below(chunk.rows.len())).expect("a row of the chunk");
        let name = chunk.name(&row);
        let Some(mut needle) = cut(name, &mut random) else { continue };
        if needles.len() % 5 == 4 {
            let at = random.below(needle.len());
            needle[at] = b'a' + random.below(26) as u8;
        }
        needles.push(String::from_utf8(needle).expect("ASCII letters"));
    }
    needles
}

/// A random piece of one of the name's runs of letters; none if it has no long enough run.
fn cut(name: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let runs: Vec<&[u8]> =
        name.split(|byte| !byte.is_ascii_alphabetic()).filter(|run| run.len() >= SHORTEST).collect();
    let run = runs.get(random.below(runs.len().max(1)))?;
    let length = SHORTEST + random.below(run.len().min(LONGEST) - SHORTEST + 1);
    let start = random.below(run.len() - length + 1);
    Some(run[start..start + length].to_vec())
}

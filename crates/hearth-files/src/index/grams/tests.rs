use super::*;
use crate::fold::fold_into;
use crate::index::names::{BLOCK, NameDict, Needle, SortedNames};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn pool() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap()
}

fn index_of(names: &BTreeSet<Vec<u8>>) -> (NameDict, GramIndex) {
    let input: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    let sorted = SortedNames::new(&input, &pool()).unwrap();
    let ids: Vec<u32> = (0..input.len() as u32).collect();
    let dict = NameDict::build(&sorted, &ids, &pool()).unwrap();
    let grams = GramIndex::build(&dict, &pool());
    (dict, grams)
}

fn inside(bytes: &[u8]) -> GramLiteral<'_> {
    GramLiteral { bytes, anchored_start: false, anchored_end: false }
}

fn members(list: &[u8]) -> Vec<u32> {
    let mut members = Vec::new();
    postings::for_each(list, |number| members.push(number));
    members
}

/// Where the gaps of a list lead, if each is one of 32 bits.
fn end_by_gaps(list: &[u8]) -> Option<u64> {
    let (mut end, mut gap, mut shift) = (0, 0, 0);
    for &byte in list {
        gap |= u64::from(byte & 0x7F) << shift;
        u32::try_from(gap).ok()?;
        shift += 7;
        if byte < 0x80 {
            end += gap + 1;
            (gap, shift) = (0, 0);
        } else if shift == 35 {
            return None;
        }
    }
    (shift == 0).then_some(end)
}

fn matching(dict: &NameDict, literal: &GramLiteral<'_>) -> Vec<u32> {
    let (bytes, start, end) = (literal.bytes, literal.anchored_start, literal.anchored_end);
    let holds = |name: &[u8]| match (start, end) {
        (true, true) => name == bytes,
        (true, false) => name.starts_with(bytes),
        (false, true) => name.ends_with(bytes),
        (false, false) => bytes.is_empty() || name.windows(bytes.len()).any(|window| window == bytes),
    };
    (0..dict.len() as u32).filter(|&id| holds(dict.folded(id))).collect()
}

fn check(dict: &NameDict, grams: &GramIndex, literal: &GramLiteral<'_>) {
    let expect = matching(dict, literal);
    let set = grams.candidates(std::slice::from_ref(literal));
    for id in &expect {
        assert!(set.contains(id / BLOCK), "{literal:?} lost block of name {id}");
    }
    walk_and_check(dict, grams, literal);
    let needle = Needle::new(literal.bytes, literal.anchored_start, literal.anchored_end);
    let mut got = Vec::new();
    set.iter().for_each(|block| dict.scan_blocks(block..block + 1, &needle, |id| got.push(id)));
    assert_eq!(got, expect, "{literal:?}");
}

/// A walk in small and large steps loses no block with a match and hands out each block once, in order.
fn walk_and_check(dict: &NameDict, grams: &GramIndex, literal: &GramLiteral<'_>) {
    for most in [1, 7, 64, usize::MAX] {
        let walk = grams.walk(std::slice::from_ref(literal));
        let walked = walked(walk, most);
        assert!(walked.is_sorted_by(|a, b| a < b), "{literal:?}");
        assert!(walked.iter().all(|&block| block < dict.blocks()), "{literal:?}");
        for id in matching(dict, literal) {
            assert!(walked.contains(&(id / BLOCK)), "{literal:?} lost block of name {id}");
        }
    }
}

fn walked(mut walk: BlockWalk<'_>, most: usize) -> Vec<u32> {
    let (mut all, mut part) = (Vec::new(), Vec::new());
    while walk.fill(most, &mut part) {
        all.extend_from_slice(&part);
    }
    all.extend_from_slice(&part);
    all
}

fn any_name() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![12 => b'a'..=b'e', 2 => b'A'..=b'E', 2 => Just(b'.'), 1 => 1u8..=255];
    vec(byte, 0..14)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn no_matching_name_is_ever_lost(
        names in btree_set(any_name(), 1..1500),
        cuts in vec((any::<prop::sample::Index>(), 0usize..14, 0usize..14, 0u8..8), 1..40),
    ) {
        let (dict, grams) = index_of(&names);
        for (name, from, to, kind) in cuts {
            let mut folded = Vec::new();
            fold_into(names.iter().nth(name.index(names.len())).unwrap(), &mut folded);
            let (from, to) = (from.min(to).min(folded.len()), from.max(to).min(folded.len()));
            let mut bytes = folded[from..to].to_vec();
            if kind >= 4 && !bytes.is_empty() {
                bytes[from % (to - from)] = b'e';
            }
            check(&dict, &grams, &inside(&bytes));
            let (start, end) = (kind & 1 != 0, kind & 2 != 0);
            check(&dict, &grams, &GramLiteral { bytes: &bytes, anchored_start: start, anchored_end: end });
            check(&dict, &grams, &GramLiteral { bytes: &folded[..to], anchored_start: true, anchored_end: end });
            check(&dict, &grams, &GramLiteral { bytes: &folded[from..], anchored_start: start, anchored_end: true });
            check(&dict, &grams, &GramLiteral { bytes: &folded, anchored_start: true, anchored_end: true });
        }
    }

    #[test]
    fn several_literals_keep_blocks_that_hold_all(
        names in btree_set(any_name(), 1..1000),
        a in vec(b'a'..=b'e', 0..5),
        b in vec(b'a'..=b'e', 0..5),
    ) {
        let (dict, grams) = index_of(&names);
        let literals = [inside(&a), inside(&b)];
        let set = grams.candidates(&literals);
        let second = matching(&dict, &literals[1]);
        for id in matching(&dict, &literals[0]).into_iter().filter(|id| second.contains(id)) {
            prop_assert!(set.contains(id / BLOCK));
        }
    }

    #[test]
    fn lists_come_back(numbers in prop_oneof![
        btree_set(0u32..1 << 26, 0..200),
        btree_set(0u32..3000, 0..200),
        btree_set(0u32..30_000, 0..400),
    ]) {
        let mut bytes = Vec::new();
        let mut writer = postings::ListWriter::new(&mut bytes);
        numbers.iter().for_each(|&number| writer.push(number));
        prop_assert_eq!(members(&bytes), numbers.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn a_list_ends_after_its_last_member(numbers in prop_oneof![
        btree_set(0..u32::MAX, 0..50),
        btree_set(0u32..1 << 22, 0..100),
        btree_set(0u32..30_000, 0..400),
        btree_set(0u32..1000, 0..900),
    ]) {
        let mut bytes = Vec::new();
        let mut writer = postings::ListWriter::new(&mut bytes);
        numbers.iter().for_each(|&number| writer.push(number));
        let end = numbers.last().map_or(0, |&last| u64::from(last) + 1);
        prop_assert_eq!(postings::end_of_list(&bytes), Some(end));
    }

    #[test]
    fn any_bytes_end_where_their_gaps_lead(bytes in prop_oneof![
        vec(any::<u8>(), 0..20),
        vec(prop_oneof![9 => 0u8..0x80, 1 => 0x80u8..], 0..600),
        vec(prop_oneof![1 => 0u8..0x80, 2 => 0x80u8..], 0..6),
    ]) {
        prop_assert_eq!(postings::end_of_list(&bytes), end_by_gaps(&bytes));
    }

    #[test]
    fn lists_come_back_in_parts(
        numbers in prop_oneof![btree_set(0u32..1 << 20, 0..200), btree_set(0u32..3000, 0..800)],
        steps in vec((any::<bool>(), 0u32..600), 0..60),
    ) {
        let mut bytes = Vec::new();
        let mut writer = postings::ListWriter::new(&mut bytes);
        numbers.iter().for_each(|&number| writer.push(number));
        let (mut reader, mut left) = (postings::Reader::new(&bytes), numbers.iter().copied().peekable());
        for (by_count, step) in steps {
            let (mut got, mut want) = (Vec::new(), Vec::new());
            if by_count {
                let more = reader.take(step as usize, |number| got.push(number));
                want.extend(left.by_ref().take(step as usize));
                prop_assert_eq!(more, left.peek().is_some());
            } else {
                let last = left.peek().map_or(step, |next| next + step) / 2 * 2;
                reader.take_to(last, |number| got.push(number));
                want.extend(std::iter::from_fn(|| left.next_if(|&number| number <= last)));
            }
            prop_assert_eq!(got, want);
        }
        prop_assert_eq!(reader.bytes_left() == 0, left.peek().is_none());
    }

    #[test]
    fn walks_over_sets_and_ranges_are_whole(
        blocks in 1u32..400,
        members in btree_set(0u32..400, 0..200),
        most in 1usize..100,
    ) {
        let mut set = BlockSet::none(blocks);
        members.iter().filter(|&&block| block < blocks).for_each(|&block| set.insert(block));
        prop_assert_eq!(walked(BlockWalk::over(set.clone()), most), set.iter().collect::<Vec<_>>());
        prop_assert_eq!(walked(BlockWalk::all(blocks), most), (0..blocks).collect::<Vec<_>>());
    }

    #[test]
    fn block_sets_are_sets(
        blocks in 1u32..400,
        a in btree_set(0u32..400, 0..200),
        b in btree_set(0u32..400, 0..200),
    ) {
        let set = |of: &BTreeSet<u32>| {
            let mut set = BlockSet::none(blocks);
            of.iter().filter(|&&block| block < blocks).for_each(|&block| set.insert(block));
            set
        };
        let list = |set: &BlockSet| set.iter().collect::<BTreeSet<u32>>();
        let (first, second) = (set(&a), set(&b));
        let (a, b) = (list(&first), list(&second));
        prop_assert_eq!(first.count(), a.len());
        prop_assert!((0..blocks).all(|block| first.contains(block) == a.contains(&block)));
        let (mut both, mut either) = (first.clone(), first.clone());
        both.intersect(&second);
        either.union(&second);
        prop_assert_eq!(list(&both), &a & &b);
        prop_assert_eq!(list(&either), &a | &b);
        prop_assert!(BlockSet::all(blocks).iter().eq(0..blocks));
        prop_assert_eq!(BlockSet::all(blocks).count(), blocks as usize);
    }
}

/// Many blocks, so that grams of every density exist and several ranges meet.
fn large() -> (NameDict, GramIndex) {
    let word = |n: u32| ["alpha", "beta", "gamma", "delta"][n as usize % 4];
    let names = (0..60_000u32).map(|n| {
        let rare = if n % 5000 == 0 { format!("-rare{}", n / 5000) } else { String::new() };
        format!("{:05x}_{}{rare}.{}", n.wrapping_mul(0x9E37_79B1) >> 12, word(n / 7), n % 90).into_bytes()
    });
    index_of(&names.collect())
}

#[test]
fn rare_and_frequent_grams_agree_with_a_scan() {
    let (dict, grams) = large();
    assert!(!grams.bitmaps.is_empty() && !grams.postings.is_empty());
    for bytes in ["alpha", "rare1", "ta-rare", "_gamma-rare7.", "00", "0_b", "a.17", "zzz", "delta.0", "f0f"]
    {
        for (anchored_start, anchored_end) in [(false, false), (true, false), (false, true), (true, true)] {
            check(&dict, &grams, &GramLiteral { bytes: bytes.as_bytes(), anchored_start, anchored_end });
        }
    }
}

#[test]
fn postings_are_exactly_the_blocks_that_hold_the_gram() {
    let (dict, grams) = large();
    let directory = grams.directory.as_ref().unwrap();
    for gram in [*b"alp", *b"-ra", *b"\x00a1", *b"89\x00", *b"e7.", *b"_be"] {
        let holds = |block: &u32| dict.block_text(*block).windows(3).any(|window| window == gram);
        let expect: Vec<u32> = (0..dict.blocks()).filter(holds).collect();
        let Some(index) = directory.find(gram) else {
            assert!(expect.is_empty(), "{gram:?}");
            continue;
        };
        let got: Vec<u32> = match grams.posting(directory, index) {
            Posting::List(bytes) => members(bytes),
            Posting::Bitmap { words, count } => {
                assert_eq!(count as usize, expect.len(), "{gram:?}");
                BlockSet::from_words(words.to_vec(), dict.blocks()).iter().collect()
            }
        };
        assert_eq!(got, expect, "{gram:?}");
    }
}

#[test]
fn a_gram_that_occurs_nowhere_leaves_no_block() {
    let (_, grams) = large();
    assert_eq!(grams.candidates(&[inside(b"alpha"), inside(b"qqq")]).count(), 0);
}

#[test]
fn literals_without_a_gram_leave_all_blocks() {
    let (dict, grams) = large();
    let short = [inside(b"zz"), GramLiteral { anchored_start: true, ..inside(b"q") }];
    assert_eq!(grams.candidates(&short).count(), dict.blocks() as usize);
    assert_eq!(grams.candidates(&[]), BlockSet::all(dict.blocks()));
}

#[test]
fn an_index_without_postings_answers_all_blocks() {
    let (dict, _) = large();
    let grams = GramIndex::without_postings(dict.blocks());
    let literal = inside(b"rare1");
    assert_eq!(grams.candidates(&[literal]), BlockSet::all(dict.blocks()));
    check(&dict, &grams, &literal);
}

#[test]
fn an_empty_dictionary_has_no_blocks() {
    let (dict, grams) = index_of(&BTreeSet::new());
    assert_eq!(dict.blocks(), 0);
    assert_eq!(grams.candidates(&[inside(b"abc")]).count(), 0);
    check(&dict, &grams, &inside(b""));
}

#[test]
fn long_lists_of_the_largest_gaps_are_added_up() {
    for (gap, step) in [(vec![0x7F], 128), (vec![0xFF, 0x7F], 16_384), (vec![0xFF, 0xFF, 0x7F], 2_097_152)] {
        for count in [1, 679, 680, 681, 5000] {
            assert_eq!(
                postings::end_of_list(&gap.repeat(count)),
                Some(step * count as u64),
                "{gap:?}, {count}"
            );
        }
    }
}

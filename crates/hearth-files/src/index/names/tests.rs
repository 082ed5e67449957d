use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn pool() -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap()
}

fn fold(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    fold_into(raw, &mut out);
    out
}

/// Names as (folded, raw).
type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// A dictionary of names that are numbered as they are given.
fn numbered(names: &[&[u8]]) -> Result<NameDict, DictError> {
    let sorted = SortedNames::new(names, &pool())?;
    let mut ids = vec![0; names.len()];
    for (id, position) in (0u32..).zip(sorted.positions()) {
        ids[position as usize] = id;
    }
    NameDict::build(&sorted, &ids, &pool())
}

/// The dictionary and its names by id, in an order that has nothing to do with the alphabet.
fn dict_of(names: &BTreeSet<Vec<u8>>) -> (NameDict, Pairs) {
    let input: Vec<&[u8]> = {
        let odd = names.iter().skip(1).step_by(2).rev();
        names.iter().step_by(2).chain(odd).map(Vec::as_slice).collect()
    };
    let expect = input.iter().map(|raw| (fold(raw), raw.to_vec())).collect();
    (numbered(&input).unwrap(), expect)
}

/// The same names in alphabetical order.
fn in_order(expect: &Pairs) -> Pairs {
    let mut sorted = expect.clone();
    sorted.sort();
    sorted
}

fn any_name() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![8 => b'a'..=b'c', 3 => b'A'..=b'C', 2 => Just(b'.'), 1 => 1u8..=255];
    let edge = prop_oneof![Just(250usize), 251..=260usize, Just(512)];
    let long = (edge, any::<bool>(), any_ascii_tail()).prop_map(|(len, upper, tail)| {
        let mut name = vec![if upper { b'X' } else { b'x' }; len];
        name.extend(tail);
        name
    });
    let text = "[a-cA-CÄäßſKk.ǅ]{0,12}".prop_map(String::into_bytes);
    prop_oneof![12 => vec(byte, 0..24), 3 => text, 1 => long]
}

fn any_ascii_tail() -> impl Strategy<Value = Vec<u8>> {
    vec(b'A'..=b'D', 0..4)
}

fn any_names(most: usize) -> impl Strategy<Value = BTreeSet<Vec<u8>>> {
    proptest::collection::btree_set(any_name(), 0..most)
}

fn expect_range(expect: &[(Vec<u8>, Vec<u8>)], matches: impl Fn(&[u8]) -> bool) -> Option<Range<u32>> {
    let first = expect.iter().position(|(folded, _)| matches(folded))? as u32;
    let last = expect.iter().rposition(|(folded, _)| matches(folded))? as u32;
    Some(first..last + 1)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_name_comes_back(names in any_names(300)) {
        let (dict, expect) = dict_of(&names);
        prop_assert_eq!(dict.len(), expect.len());
        let mut buf = b"rest of an earlier name".to_vec();
        for (id, (folded, raw)) in (0u32..).zip(&expect) {
            prop_assert_eq!(dict.folded(id), folded.as_slice());
            prop_assert_eq!(dict.raw(id, &mut buf), raw.as_slice());
            let mut out = b"before".to_vec();
            dict.raw_into(id, &mut out);
            prop_assert_eq!(&out[6..], raw.as_slice());
            prop_assert_eq!(dict.case.differs(id), folded != raw);
        }
    }

    #[test]
    fn positions_are_the_alphabetical_order(names in any_names(300)) {
        let (dict, by_id) = dict_of(&names);
        for (position, (folded, raw)) in (0u32..).zip(in_order(&by_id)) {
            let id = dict.id_at(position);
            prop_assert_eq!(&by_id[id as usize], &(folded, raw));
            prop_assert_eq!(dict.position_of(id), position);
        }
        for (position, pair) in (0u32..).zip(in_order(&by_id).windows(2)) {
            prop_assert_eq!(dict.same_folded(position, position + 1), pair[0].0 == pair[1].0);
        }
    }

    #[test]
    fn names_left_out_are_not_found(names in any_names(100), every in 2usize..5) {
        let input: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        let sorted = SortedNames::new(&input, &pool()).unwrap();
        let mut next = 0u32..;
        let ids: Vec<u32> = (0..input.len())
            .map(|position| if position % every == 0 { LEFT_OUT } else { next.next().unwrap() })
            .collect();
        let dict = NameDict::build(&sorted, &ids, &pool()).unwrap();
        prop_assert_eq!(dict.len(), input.len() - input.len().div_ceil(every));
        for (raw, position) in input.iter().zip(sorted.positions()) {
            let id = Some(ids[position as usize]).filter(|&id| id != LEFT_OUT);
            prop_assert_eq!(dict.find(raw), id);
        }
    }

    #[test]
    fn lookups_equal_a_naive_search(names in any_names(200), others in any_names(50)) {
        let (dict, by_id) = dict_of(&names);
        let expect = in_order(&by_id);
        for name in names.iter().chain(&others) {
            let id = by_id.iter().position(|(_, raw)| raw == name).map(|at| at as u32);
            prop_assert_eq!(dict.find(name), id);
            let folded = fold(name);
            let before = expect.iter().filter(|&other| *other < (folded.clone(), name.clone())).count();
            prop_assert_eq!(dict.place(&folded, name), (before as u32, id.is_some()));
            let range = dict.find_folded(&folded);
            prop_assert_eq!(Some(range).filter(|r| !r.is_empty()), expect_range(&expect, |f| f == folded));
            for cut in [0, 1, folded.len() / 2, folded.len()] {
                let prefix = &folded[..cut.min(folded.len())];
                let range = dict.prefix_folded(prefix);
                let naive = expect_range(&expect, |f| f.starts_with(prefix));
                prop_assert_eq!(Some(range).filter(|r| !r.is_empty()), naive);
            }
        }
    }

    #[test]
    fn extensions_equal_a_naive_split(names in any_names(300)) {
        let (dict, expect) = dict_of(&names);
        let mut all: BTreeSet<&[u8]> = BTreeSet::new();
        for (id, (folded, _)) in (0u32..).zip(&expect) {
            let ext = extension(folded);
            all.extend(ext);
            let number = dict.ext_of(id);
            prop_assert_eq!(ext.unwrap_or_default(), dict.ext_name(number));
            prop_assert_eq!(number != 0, ext.is_some());
        }
        prop_assert_eq!(dict.ext_count(), all.len());
        for (number, name) in (1u32..).zip(&all) {
            prop_assert_eq!(dict.find_ext(name), Some(number));
            let middle = expect.len() as u32 / 2;
            let with = |ids: Range<u32>| {
                let mut got = Vec::new();
                dict.names_with_ext(number, ids, |id| got.push(id));
                got
            };
            let halves: Vec<u32> = with(0..middle).into_iter().chain(with(middle..expect.len() as u32)).collect();
            let naive = expect.iter().zip(0u32..).filter(|((folded, _), _)| extension(folded) == Some(name));
            prop_assert_eq!(halves, naive.map(|(_, id)| id).collect::<Vec<_>>());
        }
        prop_assert_eq!(dict.find_ext(b"no such extension"), None);
        prop_assert_eq!(dict.find_ext(b""), None);
    }

    #[test]
    fn scans_find_exactly_the_names_that_match(
        names in any_names(400),
        needle in vec(b'a'..=b'c', 0..4),
        start: bool,
        end: bool,
    ) {
        let (dict, expect) = dict_of(&names);
        let mut got = Vec::new();
        dict.scan_blocks(0..dict.blocks(), &Needle::new(&needle, start, end), |id| got.push(id));
        let naive: Vec<u32> = (0u32..)
            .zip(&expect)
            .filter(|(_, (folded, _))| holds(folded, &needle, start, end))
            .map(|(id, _)| id)
            .collect();
        prop_assert_eq!(&got, &naive);
        let mut by_block = Vec::new();
        for block in 0..dict.blocks() {
            dict.scan_blocks(block..block + 1, &Needle::new(&needle, start, end), |id| by_block.push(id));
        }
        prop_assert_eq!(&by_block, &naive);
    }

    #[test]
    fn blocks_and_offsets_agree_with_ids(names in any_names(300)) {
        let (dict, expect) = dict_of(&names);
        let mut ids = Vec::new();
        for block in 0..dict.blocks() {
            let mut text = vec![0];
            dict.for_each_in_block(block, |id, folded| {
                ids.push(id);
                assert_eq!(folded, expect[id as usize].0.as_slice());
                text.extend_from_slice(folded);
                text.push(0);
            });
            prop_assert_eq!(dict.block_text(block), text.as_slice());
        }
        prop_assert_eq!(ids, (0..expect.len() as u32).collect::<Vec<_>>());
        let mut offset = 1;
        for (id, (folded, _)) in (0u32..).zip(&expect) {
            for at in [offset, offset + folded.len() / 2, offset + folded.len()] {
                prop_assert_eq!(dict.text.place_at(at).id, id);
            }
            offset += folded.len() + 1;
        }
        prop_assert_eq!(dict.blob().len(), offset);
    }
}

fn holds(folded: &[u8], needle: &[u8], start: bool, end: bool) -> bool {
    match (start, end) {
        (true, true) => folded == needle,
        (true, false) => folded.starts_with(needle),
        (false, true) => folded.ends_with(needle),
        (false, false) => needle.is_empty() || folded.windows(needle.len()).any(|window| window == needle),
    }
}

#[test]
fn more_names_than_one_task_and_long_shared_prefixes_come_back_in_order() {
    let prefix = "shared prefix of more than eight bytes ".repeat(40);
    let mut names: BTreeSet<Vec<u8>> =
        (0..40_000u32).map(|n| format!("img_{n:08}.JPG").into_bytes()).collect();
    names.extend((0..2000u32).map(|n| format!("{prefix}{n}").into_bytes()));
    names.extend((0..300u32).map(|n| format!("f{n}.e{n}").into_bytes()));
    let (dict, expect) = dict_of(&names);
    let mut out = Vec::new();
    for (id, (folded, raw)) in (0u32..).zip(&expect) {
        assert_eq!(dict.folded(id), folded.as_slice());
        out.clear();
        dict.raw_into(id, &mut out);
        assert_eq!(&out, raw);
    }
    let by_position = (0..dict.len() as u32).map(|position| &expect[dict.id_at(position) as usize]);
    assert!(by_position.eq(&in_order(&expect)));
    for n in 0..300 {
        let ext = dict.find_ext(format!("e{n}").as_bytes()).unwrap();
        let mut got = Vec::new();
        dict.names_with_ext(ext, 0..dict.len() as u32, |id| got.push(id));
        assert_eq!(got, [dict.find(format!("f{n}.e{n}").as_bytes()).unwrap()]);
    }
    assert_eq!(dict.find_ext(b"jpg").map(|ext| dict.ext_name(ext)), Some(b"jpg".as_slice()));
}

#[test]
fn all_case_variants_of_a_name_are_one_folded_range() {
    let variant = |bits: u32| (0..10).map(|bit| b"aA"[(bits >> bit & 1) as usize]).collect::<Vec<u8>>();
    let mut names: BTreeSet<Vec<u8>> = (0..1024).map(variant).collect();
    names.insert(b"aaaaaaaaa".to_vec());
    names.insert(b"aaaaaaaaaa\x01".to_vec());
    let (dict, _) = dict_of(&names);
    assert_eq!(dict.find_folded(b"aaaaaaaaaa"), 1..1025);
    assert_eq!(dict.find_folded(b"aaaaaaaaab"), 1026..1026);
    for bits in [0, 1, 512, 1023] {
        let id = dict.find(&variant(bits)).unwrap();
        assert_eq!(dict.raw(id, &mut Vec::new()), variant(bits));
    }
}

#[test]
fn an_empty_dictionary_answers() {
    let dict = numbered(&[]).unwrap();
    assert_eq!((dict.len(), dict.blocks(), dict.ext_count()), (0, 0, 0));
    assert_eq!(dict.find(b"a"), None);
    assert_eq!(dict.find_folded(b""), 0..0);
    assert_eq!(dict.prefix_folded(b""), 0..0);
    dict.scan_blocks(0..0, &Needle::new(b"a", false, false), |_| panic!("no names"));
}

#[test]
fn names_that_cannot_be_kept_are_typed_errors() {
    let nul = numbered(&[b"a", b"b\0c"]).unwrap_err();
    assert_eq!(nul, DictError::NulInName { index: 1 });
    let long = vec![b'a'; 65_536];
    let error = numbered(&[&long]).unwrap_err();
    assert_eq!(error, DictError::NameTooLong { index: 0, bytes: 65_536 });
    let longest = vec![b'B'; 65_535];
    let dict = numbered(&[&longest, b"x"]).unwrap();
    assert_eq!(dict.raw(0, &mut Vec::new()), longest);
    assert_eq!(dict.folded(1), b"x");
}

#[test]
fn a_needle_with_nul_matches_nothing() {
    let dict = numbered(&[b"a", b"b"]).unwrap();
    dict.scan_blocks(0..1, &Needle::new(b"a\0b", false, false), |_| panic!("names hold no NUL"));
}

//! Persistent sparse containers over `u32`: what the delta of an index keeps per row of its base.
//!
//! A new body differs from the one before in a handful of rows, while queries still read the old one.
//! Both containers are radix trees of shared nodes: cloning copies one pointer, and a write copies
//! only the nodes on its path that another clone still holds, each once however many writes follow.
//!
//! What always holds: a clone never changes by writes to another; nodes store only the children they
//! have, so memory follows the entries, not the index range; no node is empty. The height follows the largest
//! index ever written: one level up to 64, six at most.

use hearth_core::HeapSize;
use std::ops::Range;
use std::sync::Arc;

/// Index bits that one level resolves.
const LEVEL_BITS: u32 = 6;
/// Two reference counts in front of each shared node.
const ARC_BYTES: usize = 2 * size_of::<usize>();

/// Children of a node, packed: the n-th slot is that of the n-th one of `present`.
#[derive(Clone, Debug)]
struct Node<T> {
    present: u64,
    slots: Slots<T>,
}

#[derive(Clone, Debug)]
enum Slots<T> {
    Inner(Vec<Arc<Node<T>>>),
    Leaf(Vec<T>),
}

impl<T> Node<T> {
    /// A node without slots at `height` levels above the leaves.
    fn empty(height: u32) -> Self {
        let slots = if height == 0 { Slots::Leaf(Vec::new()) } else { Slots::Inner(Vec::new()) };
        Node { present: 0, slots }
    }

    #[inline]
    fn has(&self, slot: u32) -> bool {
        self.present >> slot & 1 != 0
    }

    /// Where the slot is, or belongs, in the vector.
    #[inline]
    fn rank(&self, slot: u32) -> usize {
        (self.present & ((1 << slot) - 1)).count_ones() as usize
    }

    /// Heap bytes of this node alone, what its values own left out.
    fn own_bytes(&self) -> usize {
        let slots = match &self.slots {
            Slots::Inner(children) => children.capacity() * size_of::<Arc<Self>>(),
            Slots::Leaf(values) => values.capacity() * size_of::<T>(),
        };
        ARC_BYTES + size_of::<Self>() + slots
    }
}

/// Six bits of an index: the slot at `height`.
#[inline]
fn slot_at(index: u32, height: u32) -> u32 {
    (u64::from(index) >> (LEVEL_BITS * height)) as u32 & 63
}

/// Lowest height of a root that reaches `index`.
fn height_for(index: u32) -> u32 {
    (u32::BITS - index.leading_zeros()).div_ceil(LEVEL_BITS).max(1) - 1
}

/// Persistent sparse array. `clone` is O(1); `get` and `set` are O(height).
#[derive(Clone, Debug)]
pub(crate) struct PagedArray<T> {
    root: Option<Arc<Node<T>>>,
    height: u32,
    len: usize,
    bytes: usize,
}

impl<T> Default for PagedArray<T> {
    fn default() -> Self {
        PagedArray { root: None, height: 0, len: 0, bytes: 0 }
    }
}

impl<T> PagedArray<T> {
    /// An array without entries.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// How many entries are present.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The entry at `index`, if one was ever set.
    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        let mut node = self.root.as_deref()?;
        if height_for(index) > self.height {
            return None;
        }
        let mut height = self.height;
        loop {
            let slot = slot_at(index, height);
            if !node.has(slot) {
                return None;
            }
            match &node.slots {
                Slots::Leaf(values) => return values.get(node.rank(slot)),
                Slots::Inner(children) => node = &children[node.rank(slot)],
            }
            height -= 1;
        }
    }

    /// The entries that are present, by index.
    pub(crate) fn iter(&self) -> PagedIter<'_, T> {
        self.iter_from(0)
    }

    /// The entries at `start` or later, by index.
    pub(crate) fn iter_from(&self, start: u32) -> PagedIter<'_, T> {
        PagedIter { array: self, leaf: None, next: Some(start) }
    }

    /// The first leaf with an entry at `start` or later: its first index, its present slots from there on.
    fn leaf_from(&self, start: u32) -> Option<Leaf<'_, T>> {
        let root = self.root.as_deref()?;
        if height_for(start) > self.height { None } else { find_leaf(root, self.height, 0, start) }
    }
}

impl<T: Clone> PagedArray<T> {
    /// Puts `value` at `index`.
    pub(crate) fn set(&mut self, index: u32, value: T) {
        self.write(index, |slot| match slot {
            Slot::Present(old) => *old = value,
            Slot::Absent(values, at) => values.insert(at, value),
        });
    }

    /// Changes the entry at `index` in place, the default if there is none yet.
    pub(crate) fn update<R>(&mut self, index: u32, change: impl FnOnce(&mut T) -> R) -> R
    where
        T: Default,
    {
        self.write(index, |slot| match slot {
            Slot::Present(value) => change(value),
            Slot::Absent(values, at) => {
                let mut value = T::default();
                let result = change(&mut value);
                values.insert(at, value);
                result
            }
        })
    }

    /// Takes the entry at `index` out.
    pub(crate) fn remove(&mut self, index: u32) -> Option<T> {
        self.get(index)?;
        let root = self.root.as_mut()?;
        let before = self.bytes;
        let value = remove_below(root, self.height, index, &mut self.bytes);
        debug_assert!(self.bytes <= before, "taking out an entry frees memory");
        self.len -= 1;
        if self.len == 0 {
            (self.root, self.height, self.bytes) = (None, 0, 0);
        }
        Some(value)
    }

    fn write<R>(&mut self, index: u32, fill: impl FnOnce(Slot<'_, T>) -> R) -> R {
        self.grow_to(height_for(index));
        let root = self.root.get_or_insert_with(|| {
            let root = Node::empty(self.height);
            self.bytes += root.own_bytes();
            Arc::new(root)
        });
        let mut written = Written { entries: 0, bytes: 0 };
        let result = write_below(root, self.height, index, fill, &mut written);
        self.len += written.entries;
        self.bytes = self.bytes.wrapping_add_signed(written.bytes);
        result
    }

    /// Puts roots above the root until it is `height` levels above the leaves.
    fn grow_to(&mut self, height: u32) {
        while self.height < height {
            self.height += 1;
            self.root = self.root.take().map(|root| {
                let above = Node { present: 1, slots: Slots::Inner(vec![root]) };
                self.bytes += above.own_bytes();
                Arc::new(above)
            });
        }
    }
}

/// Counts every node that the array reaches, those it shares with clones included: the newest array
/// answers for the shared part. What the values own on the heap is left out.
impl<T> HeapSize for PagedArray<T> {
    fn heap_bytes(&self) -> usize {
        self.bytes
    }
}

/// Where a write ends.
enum Slot<'a, T> {
    Present(&'a mut T),
    /// The leaf's values and the place where the new one must be inserted.
    Absent(&'a mut Vec<T>, usize),
}

/// What a write added.
struct Written {
    entries: usize,
    bytes: isize,
}

/// Writes at `index` under `node`, which is unshared first.
fn write_below<T: Clone, R>(
    node: &mut Arc<Node<T>>,
    height: u32,
    index: u32,
    fill: impl FnOnce(Slot<'_, T>) -> R,
    written: &mut Written,
) -> R {
    let before = node.own_bytes();
    let node = Arc::make_mut(node);
    let slot = slot_at(index, height);
    let (at, present) = (node.rank(slot), node.has(slot));
    node.present |= 1 << slot;
    let result = match &mut node.slots {
        Slots::Leaf(values) if present => fill(Slot::Present(&mut values[at])),
        Slots::Leaf(values) => {
            written.entries += 1;
            fill(Slot::Absent(values, at))
        }
        Slots::Inner(children) => {
            if !present {
                let child = Node::empty(height - 1);
                written.bytes += child.own_bytes() as isize;
                children.insert(at, Arc::new(child));
            }
            write_below(&mut children[at], height - 1, index, fill, written)
        }
    };
    written.bytes += node.own_bytes() as isize - before as isize;
    result
}

/// Takes the present entry at `index` out from under `node`, which is unshared first, together with
/// nodes that it leaves empty.
fn remove_below<T: Clone>(node: &mut Arc<Node<T>>, height: u32, index: u32, bytes: &mut usize) -> T {
    let before = node.own_bytes();
    let node = Arc::make_mut(node);
    let slot = slot_at(index, height);
    let at = node.rank(slot);
    let (value, emptied) = match &mut node.slots {
        Slots::Leaf(values) => (values.remove(at), true),
        Slots::Inner(children) => {
            let value = remove_below(&mut children[at], height - 1, index, bytes);
            let emptied = children[at].present == 0;
            if emptied {
                *bytes -= children.remove(at).own_bytes();
            }
            (value, emptied)
        }
    };
    if emptied {
        node.present &= !(1 << slot);
    }
    *bytes = bytes.wrapping_add_signed(node.own_bytes() as isize - before as isize);
    value
}

/// Entries of one leaf that are still to be visited.
#[derive(Clone, Debug)]
struct Leaf<'a, T> {
    /// Index of slot 0.
    base: u32,
    left: u64,
    values: std::slice::Iter<'a, T>,
}

/// The first leaf under `node` (whose first index is `base`) with an entry at `start` or later.
fn find_leaf<T>(node: &Node<T>, height: u32, base: u32, start: u32) -> Option<Leaf<'_, T>> {
    let first = if start > base { slot_at(start, height) } else { 0 };
    let left = node.present & (u64::MAX << first);
    match &node.slots {
        Slots::Leaf(values) => {
            (left != 0).then(|| Leaf { base, left, values: values[node.rank(first)..].iter() })
        }
        Slots::Inner(children) => ones(left).zip(&children[node.rank(first)..]).find_map(|(slot, child)| {
            find_leaf(child, height - 1, base | slot << (LEVEL_BITS * height), start)
        }),
    }
}

/// Positions of the ones of a word.
fn ones(mut word: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let at = word.trailing_zeros();
        word &= word.wrapping_sub(1);
        (at < 64).then_some(at)
    })
}

/// Entries of a [`PagedArray`], by index.
#[derive(Clone, Debug)]
pub(crate) struct PagedIter<'a, T> {
    array: &'a PagedArray<T>,
    leaf: Option<Leaf<'a, T>>,
    /// Where to look for the next leaf; `None` behind the last.
    next: Option<u32>,
}

impl<'a, T> Iterator for PagedIter<'a, T> {
    type Item = (u32, &'a T);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(leaf) = &mut self.leaf
                && let Some(value) = leaf.values.next()
            {
                let slot = leaf.left.trailing_zeros();
                leaf.left &= leaf.left - 1;
                return Some((leaf.base | slot, value));
            }
            self.leaf = self.array.leaf_from(self.next?);
            self.next = self.leaf.as_ref().and_then(|leaf| leaf.base.checked_add(64));
            self.leaf.as_ref()?;
        }
    }
}

/// Words of one page of a [`PagedBits`].
const PAGE_WORDS: usize = 64;
/// Bits of one page.
const PAGE_BITS: u32 = PAGE_WORDS as u32 * 64;

/// 4096 bits. Pages of one value need no words.
#[derive(Clone, Debug, Default)]
enum Page {
    #[default]
    Zeros,
    Ones,
    Mixed(Arc<Words>),
}

#[derive(Clone, Debug)]
struct Words {
    bits: [u64; PAGE_WORDS],
    ones: u32,
}

impl Page {
    #[inline]
    fn word(&self, word: usize) -> u64 {
        match self {
            Page::Zeros => 0,
            Page::Ones => u64::MAX,
            Page::Mixed(words) => words.bits[word],
        }
    }

    fn ones(&self) -> u32 {
        match self {
            Page::Zeros => 0,
            Page::Ones => PAGE_BITS,
            Page::Mixed(words) => words.ones,
        }
    }

    fn is_mixed(&self) -> bool {
        matches!(self, Page::Mixed(_))
    }

    /// Writes `on` to the bits of `mask` in one word.
    fn write(&mut self, word: usize, mask: u64, on: bool) {
        let old = self.word(word);
        let new = if on { old | mask } else { old & !mask };
        if new == old {
            return;
        }
        let words = self.words_mut();
        words.bits[word] = new;
        words.ones = words.ones + new.count_ones() - old.count_ones();
        match words.ones {
            0 => *self = Page::Zeros,
            PAGE_BITS => *self = Page::Ones,
            _ => {}
        }
    }

    fn words_mut(&mut self) -> &mut Words {
        if !self.is_mixed() {
            *self = Page::Mixed(Arc::new(Words { bits: [self.word(0); PAGE_WORDS], ones: self.ones() }));
        }
        match self {
            Page::Mixed(words) => Arc::make_mut(words),
            Page::Zeros | Page::Ones => unreachable!("the page was just given words"),
        }
    }
}

/// Persistent sparse bitmap over `u32`. `clone` is O(1); a write copies a 512-byte page and its path at most.
#[derive(Clone, Debug, Default)]
pub(crate) struct PagedBits {
    pages: PagedArray<Page>,
    ones: u64,
    mixed: usize,
}

impl PagedBits {
    /// A bitmap of zeros.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Whether bit `index` is one.
    #[inline]
    pub(crate) fn get(&self, index: u32) -> bool {
        self.word(index / 64) >> (index % 64) & 1 != 0
    }

    /// The 64 bits from `index * 64` on, the lowest first; for masking many rows at once.
    #[inline]
    pub(crate) fn word(&self, index: u32) -> u64 {
        debug_assert!(index <= u32::MAX / 64);
        let page = self.pages.get(index / PAGE_WORDS as u32);
        page.map_or(0, |page| page.word(index as usize % PAGE_WORDS))
    }

    /// How many ones.
    #[inline]
    pub(crate) fn count_ones(&self) -> u64 {
        self.ones
    }

    /// Makes bit `index` a one (`on`) or a zero.
    pub(crate) fn set(&mut self, index: u32, on: bool) {
        if self.get(index) != on {
            let word = (index / 64) as usize % PAGE_WORDS;
            self.change(index / PAGE_BITS, |page| page.write(word, 1 << (index % 64), on));
        }
    }

    /// Positions of the ones in `range`, ascending.
    pub(crate) fn iter_ones_in(&self, range: Range<u32>) -> impl Iterator<Item = u32> + '_ {
        self.parts_in(range).flat_map(|(first, page, part)| {
            masks_of(&part).flat_map(move |(word, mask)| {
                ones(page.word(word) & mask).map(move |bit| first | (word as u32) << 6 | bit)
            })
        })
    }

    /// The pages that meet `range`: first index, page, the bits of it that lie in `range`.
    fn parts_in(&self, range: Range<u32>) -> impl Iterator<Item = (u32, &Page, Range<u32>)> {
        self.pages
            .iter_from(range.start / PAGE_BITS)
            .map(|(page, bits)| (page * PAGE_BITS, bits))
            .take_while(move |(first, _)| *first < range.end)
            .map(move |(first, bits)| (first, bits, part_of_page(first, &range)))
    }

    fn change(&mut self, page: u32, change: impl FnOnce(&mut Page)) {
        let (before, after) = self.pages.update(page, |page| {
            let before = (page.ones(), page.is_mixed());
            change(page);
            (before, (page.ones(), page.is_mixed()))
        });
        self.ones = self.ones + u64::from(after.0) - u64::from(before.0);
        self.mixed = self.mixed + usize::from(after.1) - usize::from(before.1);
    }
}

/// As for [`PagedArray`], shared pages are counted.
impl HeapSize for PagedBits {
    fn heap_bytes(&self) -> usize {
        self.pages.heap_bytes() + self.mixed * (ARC_BYTES + size_of::<Words>())
    }
}

/// The bits of the page from `first` on that lie in `range`, counted from `first`.
fn part_of_page(first: u32, range: &Range<u32>) -> Range<u32> {
    range.start.saturating_sub(first)..(range.end - first).min(PAGE_BITS)
}

/// The words of a page that meet `part`, each with a mask of the bits in it.
fn masks_of(part: &Range<u32>) -> impl Iterator<Item = (usize, u64)> + use<> {
    let (start, end) = (part.start, part.end);
    let words = if start < end { start / 64..end.div_ceil(64) } else { 0..0 };
    words.map(move |word| {
        let low = u64::MAX << start.saturating_sub(word * 64);
        let high = u64::MAX >> 64u32.saturating_sub(end - word * 64);
        (word as usize, low & high)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// Indexes that share leaves, share only upper nodes, and lie at the very end.
    fn index() -> impl Strategy<Value = u32> {
        prop_oneof![
            3 => 0u32..200,
            2 => 0u32..20_000,
            1 => any::<u32>(),
            1 => (0u32..70).prop_map(|back| u32::MAX - back),
            1 => (0u32..36).prop_map(|bits| 1u32.checked_shl(bits).unwrap_or(0)),
        ]
    }

    #[derive(Clone, Debug)]
    enum ArrayStep {
        Set(u32, u16),
        Add(u32, u16),
        Remove(u32),
        RemoveNth(usize),
        Clone,
    }

    fn array_step() -> impl Strategy<Value = ArrayStep> {
        prop_oneof![
            4 => (index(), any::<u16>()).prop_map(|(at, value)| ArrayStep::Set(at, value)),
            2 => (index(), any::<u16>()).prop_map(|(at, value)| ArrayStep::Add(at, value)),
            1 => index().prop_map(ArrayStep::Remove),
            2 => any::<usize>().prop_map(ArrayStep::RemoveNth),
            1 => Just(ArrayStep::Clone),
        ]
    }

    fn check_array(array: &PagedArray<u16>, model: &BTreeMap<u32, u16>, probes: &[u32]) {
        assert!(
            array.iter().map(|(at, value)| (at, *value)).eq(model.iter().map(|(at, value)| (*at, *value)))
        );
        assert_eq!(array.len(), model.len());
        assert_eq!(array.heap_bytes(), array.root.as_ref().map_or(0, |root| counted(root)));
        for &at in probes {
            assert_eq!(array.get(at), model.get(&at), "{at}");
            let rest: Vec<u32> = array.iter_from(at).map(|(at, _)| at).take(3).collect();
            assert!(rest.iter().eq(model.range(at..).map(|(at, _)| at).take(3)), "from {at}");
        }
    }

    /// Bytes by walking, the slow way; also that no node is empty.
    fn counted<T>(node: &Node<T>) -> usize {
        let (slots, below) = match &node.slots {
            Slots::Leaf(values) => (values.len(), 0),
            Slots::Inner(children) => (children.len(), children.iter().map(|child| counted(child)).sum()),
        };
        assert!(slots > 0 && slots == node.present.count_ones() as usize);
        node.own_bytes() + below
    }

    #[derive(Clone, Debug)]
    enum BitStep {
        Set(u32, bool),
        Range(u32, u32),
        Clear(u32, u32),
        Clone,
    }

    fn bit_step() -> impl Strategy<Value = BitStep> {
        prop_oneof![
            5 => (index(), any::<bool>()).prop_map(|(at, on)| BitStep::Set(at, on)),
            1 => (index(), 0u32..10_000).prop_map(|(at, len)| BitStep::Range(at, len)),
            1 => (0u32..9000, 0u32..300).prop_map(|(at, len)| BitStep::Clear(at, len)),
            1 => Just(BitStep::Clone),
        ]
    }

    fn check_bits(bits: &PagedBits, model: &BTreeSet<u32>, probes: &[(u32, u32)]) {
        assert_eq!(bits.count_ones(), model.len() as u64);
        let mixed = bits.pages.iter().filter(|(_, page)| page.is_mixed()).count();
        assert_eq!(bits.mixed, mixed);
        for &(at, len) in probes {
            let range = at..at.saturating_add(len);
            assert_eq!(bits.get(at), model.contains(&at), "{at}");
            assert!(bits.iter_ones_in(range.clone()).eq(model.range(range.clone()).copied()), "{range:?}");
            let word = (at / 64 * 64..=at / 64 * 64 + 63)
                .rev()
                .fold(0, |word, bit| word << 1 | u64::from(model.contains(&bit)));
            assert_eq!(bits.word(at / 64), word, "word of {at}");
        }
    }

    proptest! {
        #[test]
        fn arrays_act_like_maps_and_clones_stay(
            steps in prop::collection::vec(array_step(), 0..120),
            probes in prop::collection::vec(index(), 0..20),
        ) {
            let (mut array, mut model) = (PagedArray::new(), BTreeMap::new());
            let mut clones = Vec::new();
            for step in steps {
                match step {
                    ArrayStep::Set(at, value) => {
                        array.set(at, value);
                        model.insert(at, value);
                    }
                    ArrayStep::Add(at, value) => {
                        let sum = array.update(at, |old| { *old = old.wrapping_add(value); *old });
                        let old = model.entry(at).or_insert(0);
                        *old = old.wrapping_add(value);
                        prop_assert_eq!(sum, *old);
                    }
                    ArrayStep::Remove(at) => prop_assert_eq!(array.remove(at), model.remove(&at)),
                    ArrayStep::RemoveNth(nth) => {
                        if let Some(at) = nth.checked_rem(model.len()).and_then(|nth| model.keys().nth(nth).copied()) {
                            prop_assert_eq!(array.remove(at), model.remove(&at));
                        }
                    }
                    ArrayStep::Clone => clones.push((array.clone(), model.clone())),
                }
            }
            clones.push((array, model));
            clones.iter().for_each(|(array, model)| check_array(array, model, &probes));
        }

        #[test]
        fn bitmaps_act_like_sets_and_clones_stay(
            steps in prop::collection::vec(bit_step(), 0..60),
            probes in prop::collection::vec((index(), 0u32..20_000), 1..12),
        ) {
            let (mut bits, mut model) = (PagedBits::new(), BTreeSet::new());
            let mut clones = Vec::new();
            for step in steps {
                match step {
                    BitStep::Set(at, on) => {
                        bits.set(at, on);
                        if on { model.insert(at); } else { model.remove(&at); }
                    }
                    BitStep::Range(at, len) => {
                        let range = at..at.saturating_add(len);
                        range.clone().for_each(|at| bits.set(at, true));
                        model.extend(range);
                    }
                    BitStep::Clear(at, len) => (at..at + len).for_each(|at| {
                        bits.set(at, false);
                        model.remove(&at);
                    }),
                    BitStep::Clone => clones.push((bits.clone(), model.clone())),
                }
            }
            clones.push((bits, model));
            clones.iter().for_each(|(bits, model)| check_bits(bits, model, &probes));
        }
    }

    #[test]
    fn writes_between_two_clones_copy_each_node_once() {
        let mut array: PagedArray<u64> = PagedArray::new();
        (0..4096).for_each(|at| array.set(at, 0));
        let old = array.clone();
        let root = Arc::as_ptr(array.root.as_ref().expect("entries"));
        array.set(1, 1);
        let copied = Arc::as_ptr(array.root.as_ref().expect("entries"));
        assert_ne!(root, copied);
        array.set(2, 2);
        assert_eq!(copied, Arc::as_ptr(array.root.as_ref().expect("entries")));
        let children = |array: &PagedArray<u64>| match &array.root.as_ref().expect("entries").slots {
            Slots::Inner(children) => children.clone(),
            Slots::Leaf(_) => panic!("4096 entries in one leaf"),
        };
        let shared = children(&old).iter().zip(&children(&array)).filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        assert_eq!(shared, 63);
        assert_eq!((old.get(1), array.get(1), array.get(2)), (Some(&0), Some(&1), Some(&2)));
    }

    #[test]
    fn full_and_empty_pages_hold_no_words() {
        let mut bits = PagedBits::new();
        (0..10 * PAGE_BITS).for_each(|at| bits.set(at, true));
        assert_eq!((bits.mixed, bits.count_ones()), (0, u64::from(10 * PAGE_BITS)));
        bits.set(5000, false);
        assert_eq!(bits.mixed, 1);
        bits.set(5000, true);
        assert_eq!(bits.mixed, 0);
        bits.set(20 * PAGE_BITS, true);
        bits.set(20 * PAGE_BITS, false);
        assert_eq!((bits.mixed, bits.count_ones()), (0, u64::from(10 * PAGE_BITS)));
    }

    #[test]
    fn the_last_index_is_an_index() {
        let (mut array, mut bits) = (PagedArray::new(), PagedBits::new());
        array.set(u32::MAX, 7);
        bits.set(u32::MAX, true);
        assert_eq!(array.get(u32::MAX), Some(&7));
        assert_eq!(array.iter().collect::<Vec<_>>(), [(u32::MAX, &7)]);
        assert!(bits.get(u32::MAX) && !bits.get(u32::MAX - 1));
    }
}

//! A glob matcher by plain backtracking, written from the description of globs and not from the
//! translation to regular expressions that it is compared with. The globs it gets are valid.

#![allow(unreachable_pub, missing_docs)]

/// The whole name matches.
pub fn name_matches(glob: &[u8], name: &[u8]) -> bool {
    alternatives(glob).iter().any(|glob| matches(glob, name, false))
}

/// The whole path matches, from its beginning or, unless the glob begins with `/`, from any component.
pub fn path_matches(glob: &[u8], path: &[u8]) -> bool {
    alternatives(glob).iter().any(|alternative| {
        if glob.starts_with(b"/") {
            return matches(alternative, path, true);
        }
        (0..path.len()).filter(|&at| path[at] == b'/').any(|at| matches(alternative, &path[at + 1..], true))
    })
}

/// One element of a glob without braces.
#[derive(Clone, Debug, PartialEq)]
enum Item {
    /// These bytes.
    Literal(Vec<u8>),
    /// Any run of bytes without a slash.
    Run,
    /// `**/`: nothing, or whole components with their slash.
    Components,
    /// `**` at the end: anything, but something.
    Something,
    /// One character that the class accepts; ranges of characters, then single bytes.
    One { negated: bool, ranges: Vec<(char, char)>, bytes: Vec<u8> },
}

/// All the globs without braces that a glob stands for.
fn alternatives(glob: &[u8]) -> Vec<Vec<Item>> {
    let mut parser = Parser { glob, at: 0 };
    let all = parser.sequence(0);
    assert_eq!(parser.at, glob.len(), "the glob is valid");
    all
}

struct Parser<'a> {
    glob: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    /// A sequence up to the end, or inside braces up to `,` or `}`.
    fn sequence(&mut self, depth: usize) -> Vec<Vec<Item>> {
        let mut all: Vec<Vec<Item>> = vec![Vec::new()];
        while let Some(&byte) = self.glob.get(self.at) {
            let next = match byte {
                b',' | b'}' if depth > 0 => break,
                b'{' => self.braces(depth),
                b'*' => vec![vec![self.stars()]],
                b'[' => vec![vec![self.class()]],
                b'?' => {
                    self.at += 1;
                    vec![vec![Item::One { negated: true, ranges: Vec::new(), bytes: Vec::new() }]]
                }
                _ => vec![vec![Item::Literal(self.character().0)]],
            };
            all = all
                .iter()
                .flat_map(|head| next.iter().map(move |tail| [head.clone(), tail.clone()].concat()))
                .collect();
        }
        all
    }

    fn braces(&mut self, depth: usize) -> Vec<Vec<Item>> {
        let mut all = Vec::new();
        while self.glob[self.at] != b'}' {
            self.at += 1;
            all.extend(self.sequence(depth + 1));
        }
        self.at += 1;
        all
    }

    fn stars(&mut self) -> Item {
        let start = self.at;
        while self.glob.get(self.at) == Some(&b'*') {
            self.at += 1;
        }
        let begins = start == 0 || self.glob[start - 1] == b'/';
        match self.glob.get(self.at) {
            None if begins && self.at - start > 1 => Item::Something,
            Some(b'/') if begins && self.at - start > 1 => {
                self.at += 1;
                Item::Components
            }
            _ => Item::Run,
        }
    }

    /// Bytes of one character, possibly escaped, and the character if it is one.
    fn character(&mut self) -> (Vec<u8>, Option<char>) {
        if self.glob[self.at] == b'\\' {
            self.at += 1;
        }
        let rest = &self.glob[self.at..];
        let (length, c) = scalar(rest).map_or((1, None), |c| (c.len_utf8(), Some(c)));
        self.at += length;
        (rest[..length].to_vec(), c)
    }

    fn class(&mut self) -> Item {
        self.at += 1;
        let negated = matches!(self.glob[self.at], b'!' | b'^');
        self.at += usize::from(negated);
        let (mut ranges, mut bytes) = (Vec::new(), Vec::new());
        let first = self.at;
        while self.at == first || self.glob[self.at] != b']' {
            match self.character() {
                (byte, None) => bytes.push(byte[0]),
                (_, Some(from)) if self.glob[self.at] == b'-' && self.glob[self.at + 1] != b']' => {
                    self.at += 1;
                    ranges.push((from, self.character().1.expect("a range of characters")));
                }
                (_, Some(c)) => ranges.push((c, c)),
            }
        }
        self.at += 1;
        Item::One { negated, ranges, bytes }
    }
}

fn scalar(text: &[u8]) -> Option<char> {
    (1..=4.min(text.len())).find_map(|length| std::str::from_utf8(&text[..length]).ok()?.chars().next())
}

fn matches(glob: &[Item], text: &[u8], path: bool) -> bool {
    let Some((item, rest)) = glob.split_first() else { return text.is_empty() };
    match item {
        Item::Literal(bytes) => {
            text.strip_prefix(bytes.as_slice()).is_some_and(|text| matches(rest, text, path))
        }
        Item::Something if path => !text.is_empty(),
        Item::Components if path => {
            let after_slash =
                (1..text.len()).filter(|&at| text[at] == b'/').any(|at| matches(rest, &text[at + 1..], path));
            matches(rest, text, path) || after_slash
        }
        Item::Run | Item::Something | Item::Components => {
            let most = text.iter().position(|&byte| byte == b'/').unwrap_or(text.len());
            (0..=most).any(|taken| matches(rest, &text[taken..], path))
        }
        Item::One { negated, ranges, bytes } => {
            let listed = |c: char| ranges.iter().any(|&(from, to)| (from..=to).contains(&c));
            let whole = scalar(text).filter(|&c| c != '/' && listed(c) != *negated);
            let byte = text.first().filter(|&&byte| {
                let lone = byte >= 0xC0 && *negated && !bytes.contains(&byte);
                lone || (byte >= 0x80 && !*negated && bytes.contains(&byte))
            });
            whole.is_some_and(|c| matches(rest, &text[c.len_utf8()..], path))
                || byte.is_some_and(|_| matches(rest, &text[1..], path))
        }
    }
}

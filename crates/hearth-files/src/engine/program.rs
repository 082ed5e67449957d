//! From a parsed query to something that can be evaluated on one body.
//!
//! Patterns are compiled, folders resolved to row ranges, duplicate sets computed. The top-level
//! conjunction is split in the part that only looks at names (evaluated once per distinct name) and
//! the rest (evaluated per row).

use super::EngineError;
use super::dupes::{DupeSet, duplicate_names, duplicate_sizes};
use super::need::Need;
use super::paths::{PathTest, below_folder, below_text};
use super::text::Matcher;
use crate::entry::DELETED;
use crate::fold::fold;
use crate::index::{Body, DirId};
use crate::query::{
    Category, DupeField, Expr, GlobScope, NumberField, NumberRange, PathPattern, Pattern, Perm, Query, Term,
    Test, Text, TimeField, TimeRange, category_extensions, glob_to_regex,
};
use hearth_core::{CancelToken, EntryKind};

/// A boolean tree of compiled tests.
#[derive(Debug)]
pub(crate) enum Node {
    Const(bool),
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Name(NameTest),
    Row(RowTest),
}

/// Tests that look at nothing but the entry's own name.
#[derive(Debug)]
pub(crate) enum NameTest {
    Text {
        matcher: Box<Matcher>,
        raw: bool,
        need: Need,
    },
    /// Folded extensions, ordered; an empty one = no extension.
    Ext(Vec<Vec<u8>>),
    /// Characters in the name.
    Length(NumberRange),
    Invalid,
}

/// Tests that look at the row.
#[derive(Debug)]
pub(crate) enum RowTest {
    /// Bits of [`EntryKind`].
    Kinds(u8),
    Number(NumberField, NumberRange),
    Time(TimeField, TimeRange),
    Owner(Vec<u32>),
    Group(Vec<u32>),
    Perm(Perm),
    /// All of these bits.
    Attributes(u32),
    Below(DirId),
    Path(Box<PathTest>),
    ParentName {
        matcher: Box<Matcher>,
        raw: bool,
    },
    Empty,
    Dupe(DupeSet),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) name: Option<Node>,
    pub(crate) row: Option<Node>,
    /// Some test needs raw names.
    pub(crate) raw: bool,
}

impl Program {
    pub(crate) fn compile(query: &Query, body: &Body, cancel: &CancelToken) -> Result<Program, EngineError> {
        Self::compiled(query, Compiler { body: Some(body), cancel, slots: 0, raw: false })
    }

    /// Compiles for rows of whatever body comes: paths are compared as text.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`] also for what is no property of one entry, or changes unnoticed.
    pub(crate) fn for_any_body(query: &Query) -> Result<Program, EngineError> {
        Self::compiled(query, Compiler { body: None, cancel: &CancelToken::new(), slots: 0, raw: false })
    }

    fn compiled(query: &Query, mut compiler: Compiler<'_>) -> Result<Program, EngineError> {
        let parts = match compiler.expr(&query.expr)? {
            Node::All(parts) => parts,
            Node::Const(true) => Vec::new(),
            other => vec![other],
        };
        let (name, row): (Vec<Node>, Vec<Node>) = parts.into_iter().partition(Node::is_name_only);
        Ok(Program { name: conjunction(name), row: conjunction(row), raw: compiler.raw })
    }

    /// Conditions of the rows, all of which must hold.
    pub(crate) fn row_parts(&self) -> &[Node] {
        match &self.row {
            Some(Node::All(parts)) => parts,
            Some(part) => std::slice::from_ref(part),
            None => &[],
        }
    }
}

fn conjunction(mut parts: Vec<Node>) -> Option<Node> {
    parts.sort_by_key(Node::cost);
    match parts.len() {
        0 | 1 => parts.pop(),
        _ => Some(Node::All(parts)),
    }
}

impl Node {
    fn is_name_only(&self) -> bool {
        match self {
            Node::Const(_) | Node::Row(_) => false,
            Node::Name(_) => true,
            Node::All(parts) | Node::Any(parts) => parts.iter().all(Node::is_name_only),
            Node::Not(part) => part.is_name_only(),
        }
    }

    /// Rough nanoseconds, so that cheap tests of a conjunction run first.
    fn cost(&self) -> u32 {
        match self {
            Node::Const(_) => 0,
            Node::All(parts) | Node::Any(parts) => parts.iter().map(Node::cost).sum(),
            Node::Not(part) => part.cost(),
            Node::Name(NameTest::Text { matcher, .. }) if matches!(**matcher, Matcher::Regex(_)) => 60,
            Node::Name(_) => 30,
            Node::Row(RowTest::Kinds(_) | RowTest::Below(_) | RowTest::Number(NumberField::Size, _)) => 5,
            Node::Row(RowTest::Path(_) | RowTest::Number(NumberField::PathLength, _)) => 300,
            Node::Row(RowTest::ParentName { .. }) => 60,
            Node::Row(_) => 10,
        }
    }

    /// Prepares the name tests below this node for millions of names.
    pub(crate) fn prepare_for_many(&self) {
        match self {
            Node::Name(NameTest::Text { matcher, .. }) => matcher.prepare_for_many(),
            Node::All(parts) | Node::Any(parts) => parts.iter().for_each(Node::prepare_for_many),
            Node::Not(part) => part.prepare_for_many(),
            Node::Const(_) | Node::Name(_) | Node::Row(_) => {}
        }
    }

    /// What a name must contain for this to hold.
    pub(crate) fn need(&self) -> Need {
        match self {
            Node::Name(NameTest::Text { need, .. }) => need.clone(),
            Node::Name(NameTest::Ext(extensions)) => {
                Need::any(extensions.iter().map(|ext| Need::of_extension(ext)))
            }
            Node::All(parts) => Need::all(parts.iter().map(Node::need)),
            Node::Any(parts) => Need::any(parts.iter().map(Node::need)),
            Node::Const(_) | Node::Not(_) | Node::Name(_) | Node::Row(_) => Need::Nothing,
        }
    }
}

struct Compiler<'a> {
    /// `None` if the program is for any body.
    body: Option<&'a Body>,
    cancel: &'a CancelToken,
    slots: usize,
    raw: bool,
}

impl Compiler<'_> {
    fn expr(&mut self, expr: &Expr) -> Result<Node, EngineError> {
        Ok(match expr {
            Expr::And(parts) => {
                let mut all = Vec::with_capacity(parts.len());
                for part in parts {
                    match self.expr(part)? {
                        Node::Const(true) => {}
                        Node::Const(false) => return Ok(Node::Const(false)),
                        Node::All(inner) => all.extend(inner),
                        node => all.push(node),
                    }
                }
                all.sort_by_key(Node::cost);
                if all.is_empty() { Node::Const(true) } else { Node::All(all) }
            }
            Expr::Or(parts) => {
                let mut any = parts.iter().map(|part| self.expr(part)).collect::<Result<Vec<Node>, _>>()?;
                any.retain(|node| !matches!(node, Node::Const(false)));
                any.sort_by_key(Node::cost);
                match any.first() {
                    None => Node::Const(false),
                    Some(Node::Const(true)) => Node::Const(true),
                    Some(_) => Node::Any(any),
                }
            }
            Expr::Not(part) => match self.expr(part)? {
                Node::Const(known) => Node::Const(!known),
                Node::Not(inner) => *inner,
                node => Node::Not(Box::new(node)),
            },
            Expr::Term(term) => self.term(term)?,
        })
    }

    fn term(&mut self, term: &Term) -> Result<Node, EngineError> {
        let row = |test| Ok(Node::Row(test));
        match &term.test {
            Test::Name(text) => self.name(text, term),
            Test::Path(text) => self.path(text, term),
            Test::Ext(extensions) => Ok(Node::Name(NameTest::Ext(extensions.clone()))),
            Test::Type(kinds) => row(RowTest::Kinds(kind_bits(kinds))),
            Test::Category(categories) => Ok(Node::All(vec![
                Node::Row(RowTest::Kinds(kind_bits(&[EntryKind::File]))),
                Node::Name(NameTest::Ext(extensions_of(categories))),
            ])),
            Test::Number(NumberField::NameLength, range) => {
                self.raw = true;
                Ok(Node::Name(NameTest::Length(*range)))
            }
            Test::Number(field, range) => row(RowTest::Number(*field, *range)),
            Test::Time(TimeField::Accessed, _) if self.body.is_none() => Err(never_standing(
                term,
                "da: tests the last access, and who only reads a file changes nothing",
            )),
            Test::Time(field, range) => row(RowTest::Time(*field, *range)),
            Test::Owner(ids) => row(RowTest::Owner(ids.clone())),
            Test::Group(ids) => row(RowTest::Group(ids.clone())),
            Test::Perm(perm) => row(RowTest::Perm(*perm)),
            Test::Attr(bits) => row(RowTest::Attributes(*bits)),
            Test::Deleted => row(RowTest::Attributes(DELETED)),
            Test::In(folder) => {
                Ok(self.body.map_or_else(|| below_text(folder), |body| below_folder(body, folder)))
            }
            Test::Parent(text) => {
                let (matcher, raw) = self.matcher(text, term)?;
                row(RowTest::ParentName { matcher: Box::new(matcher), raw })
            }
            Test::Empty => row(RowTest::Empty),
            Test::Dupe(field) => {
                let body = self.body.ok_or_else(|| {
                    never_standing(term, "dupe: compares entries with one another, not each by itself")
                })?;
                row(RowTest::Dupe(match field {
                    DupeField::Name => duplicate_names(body, self.cancel)?,
                    DupeField::Size => duplicate_sizes(body, self.cancel)?,
                }))
            }
            Test::Invalid => {
                self.raw = true;
                Ok(Node::Name(NameTest::Invalid))
            }
        }
    }

    fn name(&mut self, text: &Text, term: &Term) -> Result<Node, EngineError> {
        let (matcher, raw) = self.matcher(text, term)?;
        Ok(Node::Name(NameTest::Text { matcher: Box::new(matcher), raw, need: Need::of_text(text) }))
    }

    fn matcher(&mut self, text: &Text, term: &Term) -> Result<(Matcher, bool), EngineError> {
        let raw = text.case_sensitive || matches!(text.pattern, Pattern::Regex(_));
        self.raw |= raw;
        let matcher = match &text.pattern {
            Pattern::Substring(needle) if text.whole_word => Matcher::whole_word(needle),
            Pattern::Substring(needle) => Matcher::substring(needle),
            Pattern::Exact(name) => Matcher::Exact(name.clone()),
            Pattern::Fuzzy(needle) => Matcher::fuzzy(needle),
            Pattern::Regex(pattern) => self.regex(pattern, text.case_sensitive, term)?,
            Pattern::Glob(glob) => match Matcher::stars(glob) {
                Some(matcher) => matcher,
                None => self.regex(&glob_pattern(glob, GlobScope::Name, term)?, true, term)?,
            },
        };
        Ok((matcher, raw))
    }

    fn regex(&mut self, pattern: &str, case_sensitive: bool, term: &Term) -> Result<Matcher, EngineError> {
        let slot = self.slots;
        self.slots += 1;
        Matcher::regex(pattern, case_sensitive, slot)
            .map_err(|message| EngineError::Unsupported { position: term.span.start, message })
    }

    fn path(&mut self, text: &crate::query::PathText, term: &Term) -> Result<Node, EngineError> {
        let raw = text.case_sensitive;
        let fold_if = |bytes: &[u8]| if raw { bytes.to_vec() } else { fold(bytes) };
        let as_text = |matcher| Node::Row(RowTest::Path(Box::new(PathTest::text(matcher, raw))));
        Ok(match (&text.pattern, self.body) {
            (PathPattern::Substring(needle), Some(body)) => {
                PathTest::substring(body, &fold_if(needle), raw, self.cancel)?
            }
            (PathPattern::Substring(needle), None) => as_text(Matcher::substring(&fold_if(needle))),
            (PathPattern::Prefix(prefix), Some(body)) => PathTest::prefix(body, &fold_if(prefix), raw),
            (PathPattern::Prefix(prefix), None) => as_text(Matcher::Prefix(fold_if(prefix))),
            (PathPattern::Exact(path), Some(body)) => PathTest::exact(body, &fold_if(path), raw),
            (PathPattern::Exact(path), None) => as_text(Matcher::Exact(fold_if(path))),
            (PathPattern::Regex(pattern), _) => {
                Node::Row(RowTest::Path(Box::new(PathTest::text(self.regex(pattern, raw, term)?, true))))
            }
            (PathPattern::Glob(glob), _) => {
                let pattern = glob_pattern(glob, GlobScope::Path, term)?;
                let path = as_text(self.regex(&pattern, true, term)?);
                match last_component(glob, raw) {
                    Some(name) => Node::All(vec![self.name(&name, term)?, path]),
                    None => path,
                }
            }
        })
    }
}

fn never_standing(term: &Term, why: &str) -> EngineError {
    let message = format!("{why}: it cannot be part of a query that is kept");
    EngineError::Unsupported { position: term.span.start, message }
}

/// The condition that a path glob's last component puts on the name, where it stands alone.
pub(crate) fn last_component(glob: &[u8], case_sensitive: bool) -> Option<Text> {
    let last = glob.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    // A brace or class may hold the slash; `**` may span components.
    let splits = glob.iter().any(|byte| b"{}[]\\".contains(byte));
    if splits
        || last.is_empty()
        || last.windows(2).any(|pair| pair == b"**")
        || last.iter().all(|&byte| byte == b'*')
    {
        return None;
    }
    Some(Text { pattern: Pattern::Glob(last.to_vec()), case_sensitive, whole_word: false })
}

fn glob_pattern(glob: &[u8], scope: GlobScope, term: &Term) -> Result<String, EngineError> {
    glob_to_regex(glob, scope)
        .map_err(|error| EngineError::Unsupported { position: term.span.start, message: error.to_string() })
}

fn kind_bits(kinds: &[EntryKind]) -> u8 {
    kinds.iter().fold(0, |bits, &kind| bits | 1 << kind as u8)
}

/// Extensions of categories, ordered.
pub(crate) fn extensions_of(categories: &[Category]) -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = categories
        .iter()
        .flat_map(|&category| category_extensions(category))
        .map(|ext| ext.as_bytes().to_vec())
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

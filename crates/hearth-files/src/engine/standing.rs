//! A query that is kept: compiled once, asked of single rows of whatever body comes.
//!
//! A find looks for all rows that match; whoever follows changes knows the rows and asks which of them match. So
//! nothing here is prepared for many rows or for one body: paths are compared as text. What is no property of one
//! entry (`dupe:`), or changes without a change that is followed (`da:`), is refused. For every other query a row is
//! judged as a find judges it.

use super::EngineError;
use super::eval::{Eye, NameText, name_test};
use super::program::{Node, Program, RowTest};
use super::text::Caches;
use crate::fold::fold;
use crate::index::{Body, RowId};
use crate::query::{NumberField, Query, TimeField};
use hearth_core::EntryKind;

/// See the module.
#[derive(Debug)]
pub struct Standing {
    program: Program,
}

impl Standing {
    /// Compiles a query.
    ///
    /// # Errors
    /// [`EngineError::Unsupported`], with the place of the term.
    pub fn new(query: &Query) -> Result<Self, EngineError> {
        Ok(Self { program: Program::for_any_body(query)? })
    }

    /// Judges rows of this body.
    pub fn on<'a>(&'a self, body: &'a Body) -> Judge<'a> {
        Judge { program: &self.program, eye: Eye::new(body, self.program.raw) }
    }

    /// True if a folder may begin or cease to match because of what is in it, without being changed itself.
    pub fn looks_into_folders(&self) -> bool {
        self.parts().any(depends_on_content)
    }

    /// False if no entry with this path and kind can match, whatever its metadata.
    pub fn may_match(&self, path: &[u8], kind: EntryKind) -> bool {
        let name_start = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        let (folded_path, folded_name) = (fold(path), fold(&path[name_start..]));
        let name = NameText { folded: &folded_name, raw: &path[name_start..] };
        let mut sketch = Sketch { raw: path, folded: &folded_path, name, kind, caches: Caches::default() };
        self.parts().all(|part| sketch.holds(part) != Some(false))
    }

    fn parts(&self) -> impl Iterator<Item = &Node> {
        self.program.name.iter().chain(&self.program.row)
    }
}

fn depends_on_content(node: &Node) -> bool {
    match node {
        Node::All(parts) | Node::Any(parts) => parts.iter().any(depends_on_content),
        Node::Not(part) => depends_on_content(part),
        Node::Row(RowTest::Empty | RowTest::Time(TimeField::Modified, _)) => true,
        Node::Row(RowTest::Number(field, _)) => matches!(
            field,
            NumberField::Children | NumberField::TreeSize | NumberField::Descendants | NumberField::Links
        ),
        Node::Const(_) | Node::Name(_) | Node::Row(_) => false,
    }
}

/// Judges rows of one body. Neighbouring rows are cheaper than others.
pub struct Judge<'a> {
    program: &'a Program,
    eye: Eye<'a>,
}

impl Judge<'_> {
    /// Whether a row of the body matches.
    pub fn matches(&mut self, row: RowId) -> bool {
        let Program { name, row: rest, .. } = self.program;
        let mut holds = |node: &Option<Node>| node.as_ref().is_none_or(|node| self.eye.row(node, row));
        holds(name) && holds(rest)
    }
}

/// An entry of which only path and kind are known.
struct Sketch<'a> {
    raw: &'a [u8],
    folded: &'a [u8],
    name: NameText<'a>,
    kind: EntryKind,
    caches: Caches,
}

impl Sketch<'_> {
    /// Whether the condition holds; `None` if that cannot be told.
    fn holds(&mut self, node: &Node) -> Option<bool> {
        match node {
            Node::Const(known) => Some(*known),
            Node::All(parts) => self.decides(parts, false),
            Node::Any(parts) => self.decides(parts, true),
            Node::Not(part) => self.holds(part).map(|holds| !holds),
            Node::Name(test) => Some(name_test(test, self.name, &mut self.caches)),
            Node::Row(RowTest::Kinds(bits)) => Some(bits & (1 << self.kind as u8) != 0),
            Node::Row(RowTest::Path(test)) => {
                let path = if test.raw { self.raw } else { self.folded };
                Some(test.matcher.matches(path, &mut self.caches))
            }
            Node::Row(_) => None,
        }
    }

    /// The outcome of parts of which one `decisive` decides.
    fn decides(&mut self, parts: &[Node], decisive: bool) -> Option<bool> {
        let mut all_known = true;
        for part in parts {
            match self.holds(part) {
                Some(holds) if holds == decisive => return Some(decisive),
                Some(_) => {}
                None => all_known = false,
            }
        }
        all_known.then_some(!decisive)
    }
}

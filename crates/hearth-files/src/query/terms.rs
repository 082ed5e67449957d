//! One term: its modifiers, its key, or the pattern that a bare word is.
//!
//! A bare word is a substring of the name, a glob if it holds a bare wildcard, an exact name after
//! `=`; with a slash in it, it is about the path instead. Smart case looks only at what was typed.

use super::ast::{Expr, PathPattern, PathText, Pattern, Test, Text};
use super::glob::{GlobScope, checked_glob, has_wildcard};
use super::keys::{Key, key_length, key_name, read_key};
use super::lexer::{Word, is_space};
use super::parser::{Parser, any, not};
use super::{QueryError, dates, filters, numbers, paths, perm, regexes};
use crate::fold::{fold, has_upper};

/// Which modifiers stand before a term, and where.
#[derive(Clone, Copy, Default)]
pub(super) struct Modifiers {
    case: Option<usize>,
    word: Option<usize>,
    fuzzy: Option<usize>,
}

impl Modifiers {
    /// An error at the first modifier that does not go with `what`.
    fn refuse(self, what: &str, case_fits: bool) -> Result<(), QueryError> {
        let case = self.case.filter(|_| !case_fits);
        for (place, key) in [(case, Key::Case), (self.word, Key::Word), (self.fuzzy, Key::Fuzzy)] {
            if let Some(position) = place {
                let message = format!("`{}:` does not go with {what}", key_name(key));
                let expected =
                    if key == Key::Case { "a pattern of a name or a path" } else { "plain text of a name" };
                return Err(QueryError::new(position, message, expected));
            }
        }
        Ok(())
    }
}

impl Parser<'_, '_> {
    pub(super) fn term(&mut self) -> Result<Expr, QueryError> {
        let start = self.lexer.position();
        let mut modifiers = Modifiers::default();
        loop {
            let here = self.lexer.position();
            match read_key(&mut self.lexer)? {
                Some(Key::Case) => modifiers.case = Some(here),
                Some(Key::Word) => modifiers.word = Some(here),
                Some(Key::Fuzzy) => modifiers.fuzzy = Some(here),
                Some(key @ (Key::Regex | Key::PathRegex)) => return self.regex(start, key, modifiers),
                Some(key) => return self.filter(start, key, modifiers),
                None => return self.pattern(start, modifiers),
            }
        }
    }

    fn regex(&mut self, start: usize, key: Key, modifiers: Modifiers) -> Result<Expr, QueryError> {
        modifiers.refuse("a regular expression", true)?;
        let word = self.lexer.regex()?;
        let (source, upper) = regexes::check(&word, modifiers.case.is_some())?;
        let case_sensitive = upper || modifiers.case.is_some();
        let test = if key == Key::Regex {
            Test::Name(Text { pattern: Pattern::Regex(source), case_sensitive, whole_word: false })
        } else {
            Test::Path(PathText { pattern: PathPattern::Regex(source), case_sensitive })
        };
        self.leaf(start..self.lexer.position(), test)
    }

    fn pattern(&mut self, start: usize, modifiers: Modifiers) -> Result<Expr, QueryError> {
        let from = self.lexer.position();
        let word = self.lexer.word()?;
        let end = self.lexer.position();
        if end == from {
            return Err(QueryError::new(end, "a pattern is missing", "text to look for"));
        }
        let test = if word.is_live(0, b'=') {
            self.exact(&word.tail(1), modifiers)?
        } else if word.units.iter().any(|unit| unit.byte == b'/') {
            self.path(&word, modifiers)?
        } else {
            name(&word, modifiers)?
        };
        self.leaf(start..end, test)
    }

    /// A filter with a key; values separated by `|` without spaces are alternatives of one key.
    fn filter(&mut self, start: usize, key: Key, modifiers: Modifiers) -> Result<Expr, QueryError> {
        modifiers.refuse(&format!("`{}:`", key_name(key)), key == Key::Parent)?;
        let mut branches = vec![self.filter_value(start, key, modifiers)?];
        while self.at_another_value() {
            self.lexer.advance(1);
            let start = self.lexer.position();
            branches.push(self.filter_value(start, key, modifiers)?);
        }
        let expr = any(branches);
        Ok(if key == Key::NotIn { not(expr) } else { expr })
    }

    /// True at a `|` with a further value of the same key directly after it.
    fn at_another_value(&self) -> bool {
        let Some((b'|', after)) = self.lexer.rest().split_first() else { return false };
        match after.first() {
            None | Some(b'|' | b'(' | b')' | b'!') => false,
            Some(byte) => !is_space(*byte) && key_length(after).is_none(),
        }
    }

    fn filter_value(&mut self, start: usize, key: Key, modifiers: Modifiers) -> Result<Expr, QueryError> {
        let word = self.lexer.word()?;
        let span = start..self.lexer.position();
        let test = match key {
            Key::Ext => filters::ext(&word)?,
            Key::Type => filters::kinds(&word)?,
            Key::Category => filters::categories(&word)?,
            Key::Number(field) => Test::Number(field, numbers::range(&word, field)?),
            Key::Time(field) => Test::Time(field, dates::range(&word, self.ctx)?),
            Key::Owner => Test::Owner(filters::ids(&word, "user", self.ctx.user_id)?),
            Key::Group => Test::Group(filters::ids(&word, "group", self.ctx.group_id)?),
            Key::Perm => Test::Perm(perm::perm(&word)?),
            Key::Attr => filters::attributes(&word)?,
            Key::Deleted => filters::deleted(&word)?,
            Key::In | Key::NotIn => self.below(&word)?,
            Key::Parent => parent(&word, modifiers)?,
            Key::Dupe => filters::dupe(&word)?,
            Key::Empty => return self.yes_or_no(span, &word, Test::Empty),
            Key::Invalid => return self.yes_or_no(span, &word, Test::Invalid),
            Key::Case | Key::Word | Key::Fuzzy | Key::Regex | Key::PathRegex => {
                unreachable!("modifiers and regular expressions are read before")
            }
        };
        self.leaf(span, test)
    }

    fn yes_or_no(
        &mut self,
        span: std::ops::Range<usize>,
        word: &Word,
        test: Test,
    ) -> Result<Expr, QueryError> {
        let yes = filters::yes(word)?;
        let leaf = self.leaf(span, test)?;
        Ok(if yes { leaf } else { not(leaf) })
    }

    fn exact(&self, word: &Word, modifiers: Modifiers) -> Result<Test, QueryError> {
        modifiers.refuse("an exact name", true)?;
        if word.is_empty() {
            return Err(QueryError::new(word.end, "a name is missing", "a name or a path after `=`"));
        }
        let case_sensitive = sensitive(word, modifiers);
        if word.units.iter().all(|unit| unit.byte != b'/') {
            let pattern = Pattern::Exact(needle(word.bytes(), case_sensitive));
            return Ok(Test::Name(Text { pattern, case_sensitive, whole_word: false }));
        }
        let mut path = paths::absolute(word, self.ctx)?.bytes();
        if path.is_empty() {
            path.push(b'/');
        }
        let pattern = PathPattern::Exact(needle(path, case_sensitive));
        Ok(Test::Path(PathText { pattern, case_sensitive }))
    }

    fn path(&self, word: &Word, modifiers: Modifiers) -> Result<Test, QueryError> {
        modifiers.refuse("a path", true)?;
        let case_sensitive = sensitive(word, modifiers);
        let anchored = paths::anchor(word, self.ctx)?;
        let pattern = if has_wildcard(word) {
            let glob = paths::folder_glob(anchored);
            PathPattern::Glob(checked_glob(&glob, GlobScope::Path, case_sensitive)?)
        } else {
            match anchored.bytes().as_slice() {
                [b'/', .., b'/'] | [b'/'] => return Ok(Test::In(paths::normal(&anchored).bytes())),
                [b'/', ..] => {
                    PathPattern::Prefix(needle(paths::normal_prefix(&anchored).bytes(), case_sensitive))
                }
                bytes => PathPattern::Substring(needle(bytes.to_vec(), case_sensitive)),
            }
        };
        Ok(Test::Path(PathText { pattern, case_sensitive }))
    }

    /// The condition of `in:`: below a folder, or below any folder that a glob matches.
    fn below(&self, word: &Word) -> Result<Test, QueryError> {
        if word.is_empty() {
            return Err(QueryError::new(word.end, "a folder is missing", "a path"));
        }
        if !has_wildcard(word) {
            return Ok(Test::In(paths::absolute(word, self.ctx)?.bytes()));
        }
        let mut folder = paths::absolute(word, self.ctx)?;
        paths::push_live(&mut folder, b"/");
        let glob = checked_glob(&paths::folder_glob(folder), GlobScope::Path, true)?;
        Ok(Test::Path(PathText { pattern: PathPattern::Glob(glob), case_sensitive: true }))
    }
}

fn sensitive(word: &Word, modifiers: Modifiers) -> bool {
    modifiers.case.is_some() || has_upper(&word.bytes())
}

fn needle(bytes: Vec<u8>, case_sensitive: bool) -> Vec<u8> {
    if case_sensitive { bytes } else { fold(&bytes) }
}

fn name(word: &Word, modifiers: Modifiers) -> Result<Test, QueryError> {
    let case_sensitive = sensitive(word, modifiers);
    let pattern = if has_wildcard(word) {
        modifiers.refuse("a glob", true)?;
        Pattern::Glob(checked_glob(word, GlobScope::Name, case_sensitive)?)
    } else if let Some(position) = modifiers.fuzzy {
        if modifiers.word.is_some() {
            return Err(QueryError::new(position, "`fuzzy:` does not go with `word:`", "one of the two"));
        }
        Pattern::Fuzzy(needle(word.bytes(), case_sensitive))
    } else {
        Pattern::Substring(needle(word.bytes(), case_sensitive))
    };
    if word.is_empty() && modifiers.word.is_some() {
        return Err(QueryError::new(word.end, "a word is missing", "the word to look for"));
    }
    Ok(Test::Name(Text { pattern, case_sensitive, whole_word: modifiers.word.is_some() }))
}

/// `parent:`: the whole name of the folder, or a glob over it.
fn parent(word: &Word, modifiers: Modifiers) -> Result<Test, QueryError> {
    if let Some(slash) = word.units.iter().find(|unit| unit.byte == b'/') {
        return Err(QueryError::new(slash.at, "a folder's name holds no `/`", "a name; `in:` takes a path"));
    }
    if word.is_empty() {
        return Err(QueryError::new(word.end, "a name is missing", "the name of a folder"));
    }
    let case_sensitive = sensitive(word, modifiers);
    let pattern = if has_wildcard(word) {
        Pattern::Glob(checked_glob(word, GlobScope::Name, case_sensitive)?)
    } else {
        Pattern::Exact(needle(word.bytes(), case_sensitive))
    };
    Ok(Test::Parent(Text { pattern, case_sensitive, whole_word: false }))
}

//! From a query to the names that some entry must have for it to match, and whether they may be there.
//!
//! What a name must contain is derived by the engine's [`Need`], the same for both. A path is refuted
//! only by names: whoever matches, the components of its path below the volume's root are names of
//! entries.

use super::Digest;
use super::keys::Key;
use crate::engine::{Need, extensions_of, last_component};
use crate::fold::fold;
use crate::query::{Expr, PathPattern, PathText, Query, Test};

impl Digest {
    /// True only if no entry of the volume matches the query.
    pub fn refutes(&self, query: &Query) -> bool {
        !self.is_saturated() && self.rules_out(&query.expr)
    }

    /// False only if no digest of any volume refutes the query.
    pub fn could_refute(query: &Query) -> bool {
        could_rule_out(&query.expr)
    }

    fn rules_out(&self, expr: &Expr) -> bool {
        match expr {
            Expr::And(parts) => parts.iter().any(|part| self.rules_out(part)),
            Expr::Or(parts) => parts.iter().all(|part| self.rules_out(part)),
            Expr::Not(_) => false,
            Expr::Term(term) => self.rules_out_test(&term.test),
        }
    }

    fn rules_out_test(&self, test: &Test) -> bool {
        match test {
            // The folder that holds an entry is an entry.
            Test::Name(text) | Test::Parent(text) => self.lacks(&Need::of_text(text)),
            Test::Path(text) => self.lacks_path(path_need(text, self.root())),
            Test::In(folder) => {
                let below = [folder, b"/".as_slice()].concat();
                self.lacks_path(prefix_need(&below, true, self.root()))
            }
            Test::Ext(extensions) => extensions.iter().all(|ext| self.lacks_extension(ext)),
            Test::Category(categories) => {
                extensions_of(categories).iter().all(|ext| self.lacks_extension(ext))
            }
            Test::Type(_)
            | Test::Number(..)
            | Test::Time(..)
            | Test::Owner(_)
            | Test::Group(_)
            | Test::Perm(_)
            | Test::Attr(_)
            | Test::Deleted
            | Test::Empty
            | Test::Dupe(_)
            | Test::Invalid => false,
        }
    }

    /// True only if no name meets the need.
    fn lacks(&self, need: &Need) -> bool {
        match need {
            Need::Nothing => false,
            Need::Literal { bytes, at_start, at_end } => {
                let mut lacks = *at_start && *at_end && !self.may_hold(Key::name(bytes));
                if let Some(literal) = need.gram_literal() {
                    literal.for_each_gram(|gram| lacks |= !self.may_hold(Key::Gram(gram)));
                }
                lacks
            }
            Need::All(parts) => parts.iter().any(|part| self.lacks(part)),
            Need::Any(parts) => parts.iter().all(|part| self.lacks(part)),
        }
    }

    /// Whether some name has no extension is not known.
    fn lacks_extension(&self, ext: &[u8]) -> bool {
        !ext.is_empty() && (!self.may_hold(Key::extension(ext)) || self.lacks(&Need::of_extension(ext)))
    }

    fn lacks_path(&self, need: Option<Need>) -> bool {
        need.is_none_or(|need| self.lacks(&need))
    }
}

/// As [`Digest::rules_out`] goes through it.
fn could_rule_out(expr: &Expr) -> bool {
    match expr {
        Expr::And(parts) => parts.iter().any(could_rule_out),
        Expr::Or(parts) => parts.iter().all(could_rule_out),
        Expr::Not(_) => false,
        Expr::Term(term) => matches!(
            term.test,
            Test::Name(_) | Test::Parent(_) | Test::Path(_) | Test::In(_) | Test::Ext(_) | Test::Category(_)
        ),
    }
}

/// What some name must contain if a path of the volume matches; `None` if none can. `root` is the
/// volume's path, "" for `/`.
fn path_need(text: &PathText, root: &[u8]) -> Option<Need> {
    let raw = text.case_sensitive;
    match &text.pattern {
        PathPattern::Substring(needle) => Some(substring_need(needle, raw, root)),
        PathPattern::Prefix(prefix) => prefix_need(prefix, raw, root),
        PathPattern::Exact(path) => exact_need(path, raw, root),
        PathPattern::Glob(glob) => {
            Some(last_component(glob, raw).map_or(Need::Nothing, |name| Need::of_text(&name)))
        }
        PathPattern::Regex(_) => Some(Need::Nothing),
    }
}

fn form(text: &[u8], raw: bool) -> Vec<u8> {
    if raw { text.to_vec() } else { fold(text) }
}

/// A name holds these bytes.
fn name_need(bytes: &[u8], raw: bool, at_start: bool, at_end: bool) -> Need {
    if raw { Need::raw(bytes, at_start, at_end) } else { Need::folded(bytes, at_start, at_end) }
}

/// What follows the root and its slash, if anything does.
fn below<'p>(path: &'p [u8], root: &[u8]) -> Option<&'p [u8]> {
    path.strip_prefix(root)?.strip_prefix(b"/")
}

fn exact_need(path: &[u8], raw: bool, root: &[u8]) -> Option<Need> {
    let root = form(root, raw);
    if path == root || path == b"/" && root.is_empty() {
        return Some(Need::Nothing);
    }
    let components = below(path, &root)?.split(|&byte| byte == b'/');
    Some(Need::all(components.map(|name| name_need(name, raw, true, true))))
}

/// The last component of the prefix may be cut short.
fn prefix_need(prefix: &[u8], raw: bool, root: &[u8]) -> Option<Need> {
    let root = form(root, raw);
    if root.starts_with(prefix) || prefix == b"/" && root.is_empty() {
        return Some(Need::Nothing);
    }
    let components: Vec<&[u8]> = below(prefix, &root)?.split(|&byte| byte == b'/').collect();
    let (last, above) = components.split_last()?;
    let above = above.iter().map(|name| name_need(name, raw, true, true));
    Some(Need::all(above.chain([name_need(last, raw, true, false)])))
}

/// A match that does not end in the root's own path ends in the name of an entry, which begins with what
/// follows the needle's last slash, or in the slash behind such a name.
fn substring_need(needle: &[u8], raw: bool, root: &[u8]) -> Need {
    let top = [form(root, raw).as_slice(), b"/"].concat();
    if memchr::memmem::find(&top, needle).is_some() {
        return Need::Nothing;
    }
    let mut pieces = needle.rsplit(|&byte| byte == b'/');
    match (pieces.next().unwrap_or_default(), pieces.next(), pieces.next()) {
        (b"", name, before) => name_need(name.unwrap_or_default(), raw, before.is_some(), true),
        (last, slash, _) => name_need(last, raw, slash.is_some(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(name: &str) -> Need {
        Need::folded(name.as_bytes(), true, true)
    }

    #[test]
    fn a_path_needs_the_names_below_the_root() {
        let check =
            |path: &str, want| assert_eq!(exact_need(path.as_bytes(), false, b"/Mnt"), want, "{path}");
        check("/mnt", Some(Need::Nothing));
        check("/mnt/a", Some(whole("a")));
        check("/mnt/a/b", Some(Need::All(vec![whole("a"), whole("b")])));
        check("/mntx/a", None);
        check("/", None);
        assert_eq!(exact_need(b"/", true, b""), Some(Need::Nothing));
        assert_eq!(exact_need(b"/a", true, b""), Some(whole("a")));
    }

    #[test]
    fn a_prefix_needs_its_whole_components_and_the_beginning_of_the_last() {
        let begins = |name: &str| Need::folded(name.as_bytes(), true, false);
        let check =
            |path: &str, want| assert_eq!(prefix_need(path.as_bytes(), false, b"/mnt"), want, "{path}");
        check("/", Some(Need::Nothing));
        check("/mn", Some(Need::Nothing));
        check("/mnt", Some(Need::Nothing));
        check("/mnt/", Some(Need::Nothing));
        check("/mnt/a", Some(begins("a")));
        check("/mnt/a/", Some(whole("a")));
        check("/mnt/a/b", Some(Need::All(vec![whole("a"), begins("b")])));
        check("/home", None);
        check("/mntx", None);
        assert_eq!(prefix_need(b"/", true, b""), Some(Need::Nothing));
    }

    #[test]
    fn a_piece_of_a_path_needs_where_it_ends() {
        let check = |needle: &str, start, end, name: &str| {
            let want = Need::folded(name.as_bytes(), start, end);
            assert_eq!(substring_need(needle.as_bytes(), false, b"/mnt/disk"), want, "{needle}");
        };
        check("nt/di", false, false, "");
        check("disk/", false, false, "");
        check("disk/a", true, false, "a");
        check("x/a", true, false, "a");
        check("xa/", false, true, "xa");
        check("x/a/", true, true, "a");
        check("/x/a/b", true, false, "b");
    }
}

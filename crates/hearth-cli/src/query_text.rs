//! Arguments and options as one query text, for the one parser in the daemon.
//!
//! Arguments are joined by spaces and mean what the query language says. Options become terms whose
//! values are quoted, so that a value is one value whatever characters it has. Nothing is interpreted
//! here: a bad value is an error of the parser, which points into the text that this file made.

use crate::args::FileKind;
use crate::args::find::QueryArgs;
use hearth_protocol::params::{DupesParams, FindParams, HistoryParams, StatsParams, SubscribeParams};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

/// The query text of a command.
pub(crate) fn query_text(args: &QueryArgs, cwd: &Path) -> Vec<u8> {
    let mut query = terms(args);
    let filters = filters(args, cwd);
    if !filters.is_empty() && query.contains(&b'|') {
        query.insert(0, b'(');
        query.push(b')');
    }
    for filter in filters {
        if !query.is_empty() {
            query.push(b' ');
        }
        query.extend_from_slice(&filter);
    }
    query
}

/// Parameters of a question that has a query.
pub(crate) trait Asking {
    /// Query text of any bytes.
    fn query(&mut self, query: Vec<u8>);
    /// Folder that relative paths in the query start from.
    fn cwd(&mut self, folder: Vec<u8>);
    /// One more folder to ask below.
    fn within(&mut self, folder: Vec<u8>);
}

macro_rules! asking {
    ($($params:ident)*) => {$(
        impl Asking for $params {
            fn query(&mut self, query: Vec<u8>) {
                self.set_query(query);
            }

            fn cwd(&mut self, folder: Vec<u8>) {
                self.set_cwd(folder);
            }

            fn within(&mut self, folder: Vec<u8>) {
                self.add_within(folder);
            }
        }
    )*};
}

asking! { FindParams StatsParams DupesParams HistoryParams SubscribeParams }

/// The same parameters with a query text, the folder it is asked from and the folders of `--in`.
pub(crate) fn asking<P: Asking>(mut params: P, query: &[u8], args: &QueryArgs, cwd: &Path) -> P {
    if !query.is_empty() {
        params.query(query.to_vec());
    }
    params.cwd(cwd.as_os_str().as_bytes().to_vec());
    for folder in &args.within {
        params.within(absolute(folder, cwd).into_os_string().into_vec());
    }
    params
}

/// A path given on the command line, absolute and free of symbolic links: the index knows files by where they are. One
/// that does not exist, as a partition in an image does not, is resolved by text behind its folder.
pub(crate) fn absolute(path: &Path, cwd: &Path) -> PathBuf {
    let joined = cwd.join(path);
    joined.canonicalize().unwrap_or_else(|_| in_its_folder(lexical(&joined)))
}

fn in_its_folder(path: PathBuf) -> PathBuf {
    let folder = path.parent().and_then(|folder| folder.canonicalize().ok());
    folder.zip(path.file_name()).map_or(path.clone(), |(folder, name)| folder.join(name))
}

fn lexical(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            part => clean.push(part),
        }
    }
    clean
}

fn terms(args: &QueryArgs) -> Vec<u8> {
    let prefix = prefix(args);
    let case: &[u8] = if args.case { b"case:" } else { b"" };
    let term = |term: &OsString| match prefix {
        None => term.as_bytes().to_vec(),
        Some(prefix) => [case, prefix, &quoted(term.as_bytes())].concat(),
    };
    args.terms.iter().map(term).collect::<Vec<_>>().join(&b' ')
}

/// What stands before each quoted TERM; `None`: terms are query text themselves.
fn prefix(args: &QueryArgs) -> Option<&'static [u8]> {
    let modes: [(bool, &[u8]); 5] = [
        (args.regex, b"re:"),
        (args.exact, b"="),
        (args.fuzzy, b"fuzzy:"),
        (args.word, b"word:"),
        (args.fixed, b""),
    ];
    modes.into_iter().find(|(chosen, _)| *chosen).map(|(_, prefix)| prefix)
}

fn filters(args: &QueryArgs, cwd: &Path) -> Vec<Vec<u8>> {
    let mut filters = Vec::new();
    let kinds: Vec<&[u8]> = args.kinds.iter().map(|kind| kind_word(*kind).as_bytes()).collect();
    let exts: Vec<&[u8]> = args.exts.iter().map(|ext| ext.as_bytes()).collect();
    let categories: Vec<&[u8]> = args.categories.iter().map(String::as_bytes).collect();
    any_of(&mut filters, "type", &kinds);
    any_of(&mut filters, "ext", &exts);
    any_of(&mut filters, "kind", &categories);
    for (key, value) in single_values(args) {
        if let Some(value) = value {
            filters.push(key_value(key, value.as_bytes()));
        }
    }
    for path in &args.not_within {
        filters.push(key_value("notin", absolute(path, cwd).as_os_str().as_bytes()));
    }
    if args.empty {
        filters.push(b"empty:".to_vec());
    }
    if args.deleted {
        filters.push(b"deleted:".to_vec());
    }
    filters
}

fn single_values(args: &QueryArgs) -> [(&'static str, Option<&String>); 9] {
    [
        ("size", args.size.as_ref()),
        ("dm", args.modified.as_ref()),
        ("dc", args.created.as_ref()),
        ("da", args.accessed.as_ref()),
        ("owner", args.owner.as_ref()),
        ("group", args.group.as_ref()),
        ("perm", args.perm.as_ref()),
        ("attr", args.attr.as_ref()),
        ("depth", args.depth.as_ref()),
    ]
}

/// One of several values: `(key:"a" | key:"b")`.
fn any_of(filters: &mut Vec<Vec<u8>>, key: &str, values: &[&[u8]]) {
    let terms: Vec<Vec<u8>> = values.iter().map(|value| key_value(key, value)).collect();
    match terms.len() {
        0 => {}
        1 => filters.extend(terms),
        _ => filters.push([b"(".as_slice(), &terms.join(b" | ".as_slice()), b")"].concat()),
    }
}

fn key_value(key: &str, value: &[u8]) -> Vec<u8> {
    [key.as_bytes(), b":", &quoted(value)].concat()
}

/// `"value"` with `"` and `\` escaped.
fn quoted(value: &[u8]) -> Vec<u8> {
    let mut out = vec![b'"'];
    for &byte in value {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
    out
}

fn kind_word(kind: FileKind) -> &'static str {
    match kind {
        FileKind::File => "file",
        FileKind::Dir => "dir",
        FileKind::Link => "link",
        FileKind::Fifo => "fifo",
        FileKind::Socket => "socket",
        FileKind::Block => "block",
        FileKind::Char => "char",
        FileKind::Stream => "stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::find;

    fn query(args: &[&str]) -> String {
        let args = find::parse(args.iter().map(OsString::from)).expect("the arguments are good");
        String::from_utf8(query_text(&args.query, Path::new("/w"))).expect("the arguments are text")
    }

    #[test]
    fn arguments_are_query_text() {
        assert_eq!(query(&[]), "");
        assert_eq!(query(&["foo", "bar"]), "foo bar");
        assert_eq!(query(&["\"foo bar\"", "!x", "size:>1k"]), "\"foo bar\" !x size:>1k");
    }

    #[test]
    fn options_are_quoted_terms() {
        assert_eq!(query(&["-t", "f"]), "type:\"file\"");
        assert_eq!(query(&["a", "-t", "f,dir", "-e", ".rs"]), "a (type:\"file\" | type:\"dir\") ext:\".rs\"");
        assert_eq!(query(&["-S", ">10mb", "--dm", "today"]), "size:\">10mb\" dm:\"today\"");
        assert_eq!(query(&["-o", "a\" | \\b"]), r#"owner:"a\" | \\b""#);
        assert_eq!(
            query(&["--perm", "-111", "--empty", "-k", "image,video"]),
            "(kind:\"image\" | kind:\"video\") perm:\"-111\" empty:"
        );
        assert_eq!(query(&["-A", "hs", "a", "--deleted"]), "a attr:\"hs\" deleted:");
        assert_eq!(query(&["--not-in", "../x", "--depth", "3"]), "depth:\"3\" notin:\"/x\"");
    }

    #[test]
    fn an_alternative_among_the_terms_stays_together() {
        assert_eq!(query(&["a", "|", "b"]), "a | b");
        assert_eq!(query(&["a", "|", "b", "--empty"]), "(a | b) empty:");
    }

    #[test]
    fn matching_options_quote_each_term() {
        assert_eq!(query(&["-F", "a b", "c\"d"]), r#""a b" "c\"d""#);
        assert_eq!(query(&["-r", r"^a\.b$"]), r#"re:"^a\\.b$""#);
        assert_eq!(query(&["-x", "Makefile", "-s"]), r#"case:="Makefile""#);
        assert_eq!(query(&["-z", "hrth"]), r#"fuzzy:"hrth""#);
    }

    #[test]
    fn folders_become_absolute() {
        for (path, expect) in
            [("/w/a", "/w/a"), ("/w/..", "/"), ("/w/../../..", "/"), ("/x/./y/../z", "/x/z")]
        {
            assert_eq!(lexical(Path::new(path)), Path::new(expect));
        }
    }

    #[test]
    fn links_on_the_way_are_resolved() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let root = dir.path().canonicalize().expect("it exists");
        std::fs::create_dir_all(root.join("real/sub")).expect("a folder");
        std::os::unix::fs::symlink("real/sub", root.join("link")).expect("a link");
        assert_eq!(absolute(Path::new("link"), &root), root.join("real/sub"));
        assert_eq!(absolute(Path::new("link/.."), &root), root.join("real"));
        assert_eq!(absolute(Path::new("none/../x"), &root), root.join("x"));
        assert_eq!(absolute(Path::new("link/disk.img#2"), &root), root.join("real/sub/disk.img#2"));
    }
}

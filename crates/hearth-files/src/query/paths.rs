//! Paths written in a query: `~`, `.`, `..` and doubled slashes become plain absolute paths.
//!
//! Nothing here looks at a file system, so `..` goes to the folder named before it, also where that
//! is a symbolic link.

use super::lexer::{Unit, Word};
use super::{Context, QueryError};

/// The word with a leading `~`, `.` or `..` component replaced by the folder it stands for; other
/// words stay as they are.
pub(super) fn anchor(word: &Word, ctx: &Context<'_>) -> Result<Word, QueryError> {
    let first: Vec<u8> = word.units.iter().map(|unit| unit.byte).take_while(|&byte| byte != b'/').collect();
    match first.as_slice() {
        b"~" if word.is_live(0, b'~') => {
            let home = known(ctx.home, word, "the home folder is not known here", "an absolute path")?;
            Ok(join(home, &word.tail(1), word))
        }
        b"." | b".." => in_cwd(word, ctx),
        _ => Ok(word.clone()),
    }
}

/// The word as an absolute path without trailing slash; empty for `/`.
pub(super) fn absolute(word: &Word, ctx: &Context<'_>) -> Result<Word, QueryError> {
    let anchored = anchor(word, ctx)?;
    let rooted = anchored.units.first().is_some_and(|unit| unit.byte == b'/');
    Ok(normal(&if rooted || stands_for_root(word, ctx) { anchored } else { in_cwd(word, ctx)? }))
}

/// True for `~` where the home folder is `/`: what is left of it is empty.
fn stands_for_root(word: &Word, ctx: &Context<'_>) -> bool {
    word.units.len() == 1
        && word.is_live(0, b'~')
        && ctx.home.is_some_and(|home| home.iter().all(|&byte| byte == b'/'))
}

fn in_cwd(word: &Word, ctx: &Context<'_>) -> Result<Word, QueryError> {
    let message = "a relative path, but there is no current folder here";
    let cwd = known(ctx.cwd, word, message, "an absolute path")?;
    let mut rest = word.clone();
    rest.units.insert(0, Unit { byte: b'/', live: false, at: word.start() });
    Ok(join(cwd, &rest, word))
}

fn known<'a>(
    folder: Option<&'a [u8]>,
    word: &Word,
    message: &str,
    expected: &str,
) -> Result<&'a [u8], QueryError> {
    folder.ok_or_else(|| QueryError::new(word.start(), message, expected))
}

fn join(folder: &[u8], rest: &Word, origin: &Word) -> Word {
    let trimmed = folder.len() - folder.iter().rev().take_while(|&&byte| byte == b'/').count();
    let literal = |&byte: &u8| Unit { byte, live: false, at: origin.start() };
    let mut units: Vec<Unit> = folder[..trimmed].iter().map(literal).collect();
    units.extend(&rest.units);
    Word { units, end: rest.end }
}

/// An absolute path without empty, `.` and `..` components and without trailing slash.
pub(super) fn normal(path: &Word) -> Word {
    let mut kept: Vec<&[Unit]> = Vec::new();
    for component in path.units.split(|unit| unit.byte == b'/') {
        let name: Vec<u8> = component.iter().map(|unit| unit.byte).collect();
        match name.as_slice() {
            b"" | b"." => {}
            b".." => drop(kept.pop()),
            _ => kept.push(component),
        }
    }
    let slash = |component: &[Unit]| Unit { byte: b'/', live: false, at: component[0].at };
    let units =
        kept.iter().flat_map(|component| std::iter::once(slash(component)).chain(component.iter().copied()));
    Word { units: units.collect(), end: path.end }
}

/// An absolute path whose last component may be the beginning of a name and stays as written.
pub(super) fn normal_prefix(path: &Word) -> Word {
    let last = path.units.iter().rposition(|unit| unit.byte == b'/').unwrap_or(0);
    let mut prefix = normal(&path.slice(0, last));
    prefix.units.extend(&path.units[last..]);
    prefix.end = path.end;
    prefix
}

/// A path glob, normal if it is absolute, in which a trailing slash means everything below, as it does
/// in `/etc/`.
pub(super) fn folder_glob(glob: Word) -> Word {
    let is_slash = |unit: &Unit| unit.byte == b'/';
    let below = glob.units.last().is_some_and(is_slash);
    let mut glob = if glob.units.first().is_some_and(is_slash) { normal(&glob) } else { glob };
    if below {
        let trailing = glob.units.last().is_some_and(is_slash);
        push_live(&mut glob, if trailing { b"**" } else { b"/**" });
    }
    glob
}

/// Appends bytes as if they had been written bare at the word's end.
pub(super) fn push_live(word: &mut Word, bytes: &[u8]) {
    let at = word.end;
    word.units.extend(bytes.iter().map(|&byte| Unit { byte, live: true, at }));
}

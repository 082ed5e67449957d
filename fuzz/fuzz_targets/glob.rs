//! Globs: any bytes give an error that points into the glob, or a regular expression that is valid
//! (it may be too large, never malformed) and that matches the glob itself where it has no specials.
#![no_main]

use hearth_files::query::{GlobScope, compile_regex, glob_to_regex};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|glob: &[u8]| {
    for scope in [GlobScope::Name, GlobScope::Path] {
        let source = match glob_to_regex(glob, scope) {
            Ok(source) => source,
            Err(error) => {
                assert!(error.position <= glob.len());
                continue;
            }
        };
        match compile_regex(&source, true) {
            Ok(regex) if scope == GlobScope::Name && is_plain(glob) => assert!(regex.is_match(glob)),
            Ok(_) => {}
            Err(error) => assert!(error.syntax_error().is_none(), "{source}: {error}"),
        }
    }
});

fn is_plain(glob: &[u8]) -> bool {
    !glob.iter().any(|byte| b"*?[]{}\\,!/\0".contains(byte))
}

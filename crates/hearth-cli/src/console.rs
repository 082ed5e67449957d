//! The two streams a command talks to, and what the environment says about them.
//!
//! A command gets one [`Console`] and writes to nothing else: data to the printer, all other words to
//! the notes. Whether names are coloured is decided here, from the option, the environment and the terminal.

use crate::args::When;
use crate::notes::Notes;
use crate::printer::Printer;
use crate::render::colors::Colors;
use std::ffi::OsString;

/// Standard output and standard error of a command.
#[derive(Debug)]
pub(crate) struct Console {
    /// Data.
    pub(crate) printer: Printer,
    /// Everything else.
    pub(crate) notes: Notes,
}

impl Console {
    /// The streams of this process.
    pub(crate) fn new() -> Self {
        Console { printer: Printer::new(), notes: Notes::new() }
    }

    /// Colours of names, if names are to be coloured.
    pub(crate) fn colors(&self, when: When) -> Option<Colors> {
        wants_color(when, self.printer.is_terminal(), |name| std::env::var_os(name)).then(|| {
            let asked = std::env::var("LS_COLORS").ok();
            Colors::parse(asked.as_deref())
        })
    }

    /// Whether block characters can be shown.
    pub(crate) fn has_blocks(&self) -> bool {
        self.printer.is_terminal() && is_utf8(|name| std::env::var_os(name))
    }
}

/// Whether the locale's characters are UTF-8: the first variable that says something decides.
fn is_utf8(env: impl Fn(&str) -> Option<OsString>) -> bool {
    let said = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(env).find(|value| !value.is_empty());
    let locale = said.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// `NO_COLOR` beats `CLICOLOR_FORCE`, an option beats both; an empty variable is an absent one.
fn wants_color(when: When, terminal: bool, env: impl Fn(&str) -> Option<OsString>) -> bool {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    let is = |name: &str, value: &str| set(name).is_some_and(|given| given == value);
    match when {
        When::Always => true,
        When::Never => false,
        When::Auto if set("NO_COLOR").is_some() => false,
        When::Auto if set("CLICOLOR_FORCE").is_some() && !is("CLICOLOR_FORCE", "0") => true,
        When::Auto => terminal && !is("TERM", "dumb") && !is("CLICOLOR", "0"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(when: When, terminal: bool, env: &[(&str, &str)], expect: bool) {
        let get =
            |name: &str| env.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        assert_eq!(wants_color(when, terminal, get), expect, "{when:?} {terminal} {env:?}");
    }

    #[test]
    fn the_first_variable_of_the_locale_decides() {
        let check = |env: &[(&str, &str)]| {
            is_utf8(|name| env.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value)))
        };
        assert!(check(&[("LANG", "de_DE.UTF-8")]));
        assert!(check(&[("LC_ALL", ""), ("LC_CTYPE", "C.utf8"), ("LANG", "C")]));
        assert!(!check(&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")]));
        assert!(!check(&[]));
    }

    #[test]
    fn colour_is_for_terminals_unless_told_otherwise() {
        check(When::Auto, true, &[], true);
        check(When::Auto, false, &[], false);
        check(When::Always, false, &[("NO_COLOR", "1")], true);
        check(When::Never, true, &[("CLICOLOR_FORCE", "1")], false);
        check(When::Auto, true, &[("NO_COLOR", "1")], false);
        check(When::Auto, true, &[("NO_COLOR", "")], true);
        check(When::Auto, false, &[("CLICOLOR_FORCE", "1")], true);
        check(When::Auto, false, &[("CLICOLOR_FORCE", "0")], false);
        check(When::Auto, false, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false);
        check(When::Auto, true, &[("TERM", "dumb")], false);
        check(When::Auto, true, &[("CLICOLOR", "0")], false);
    }
}

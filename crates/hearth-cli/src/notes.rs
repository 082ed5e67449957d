//! Everything that goes to standard error: notes, failures, progress.
//!
//! Progress is drawn only after half a second, so that quick commands stay silent. On a terminal it
//! is one line that is redrawn in place; elsewhere it is a plain line every two seconds.

use crate::failure::Failure;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Silence before the first progress.
const QUIET: Duration = Duration::from_millis(500);
/// Time between two lines of progress where they cannot be redrawn.
const LINE_EVERY: Duration = Duration::from_secs(2);
/// Time between two drawings on a terminal.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// Standard error of this process.
#[derive(Debug)]
pub(crate) struct Notes {
    terminal: bool,
    drawn: bool,
    begun: Option<Instant>,
    last: Option<Instant>,
}

impl Notes {
    /// The notes of this process.
    pub(crate) fn new() -> Self {
        Notes { terminal: io::stderr().is_terminal(), drawn: false, begun: None, last: None }
    }

    /// True if a person reads them.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// One line for the user.
    pub(crate) fn say(&mut self, text: &str) {
        self.clear();
        write(format!("hearth: {text}\n").as_bytes());
    }

    /// Text as it is, for tables and help.
    pub(crate) fn block(&mut self, text: &[u8]) {
        self.clear();
        write(text);
    }

    /// What went wrong.
    pub(crate) fn failure(&mut self, failure: &Failure) {
        self.clear();
        write(format!("hearth: {}", failure.to_text()).as_bytes());
    }

    /// The state of something that takes time, if it has taken long enough to be worth a word.
    pub(crate) fn progress(&mut self, text: impl FnOnce() -> String) {
        let now = Instant::now();
        let begun = *self.begun.get_or_insert(now);
        if !is_due(self.terminal, now.duration_since(begun), self.last.map(|last| now.duration_since(last))) {
            return;
        }
        self.last = Some(now);
        let text = text();
        if self.terminal {
            write(format!("\r\x1b[2K{text}").as_bytes());
            self.drawn = true;
        } else {
            write(format!("hearth: {text}\n").as_bytes());
        }
    }

    /// Removes a drawn line of progress.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.drawn) {
            write(b"\r\x1b[2K");
        }
    }
}

fn is_due(terminal: bool, since_begun: Duration, since_last: Option<Duration>) -> bool {
    let every = if terminal { DRAW_EVERY } else { LINE_EVERY };
    since_begun >= QUIET && since_last.is_none_or(|since| since >= every)
}

/// Notes are a courtesy: a closed standard error never changes what a command does.
fn write(bytes: &[u8]) {
    let _ = io::stderr().lock().write_all(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_waits_and_then_paces_itself() {
        let ms = Duration::from_millis;
        assert!(!is_due(true, ms(499), None));
        assert!(is_due(true, ms(500), None));
        assert!(!is_due(true, ms(600), Some(ms(50))));
        assert!(is_due(true, ms(600), Some(ms(100))));
        assert!(!is_due(false, ms(3000), Some(ms(1999))));
        assert!(is_due(false, ms(3000), Some(ms(2000))));
    }
}

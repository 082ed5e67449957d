//! Clocks as text: where in the changes of a source somebody is.
//!
//! A clock names the source, the run of the service in which its generations were counted, and a generation: everything
//! up to it is known to whoever holds the clock. Whoever was given a part of what changed afterwards holds a clock
//! that says how much. The text is opaque to clients, one word without characters that a shell minds.

use std::fmt;

const VERSION: &str = "c1";

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Number of the source.
    pub(crate) source: u64,
    /// Tells this run of the service from every other.
    pub(crate) epoch: u64,
    /// Everything up to this generation is known.
    pub(crate) generation: u64,
    /// Changes after that generation that are known as well.
    pub(crate) taken: u64,
}

impl Position {
    /// Reads a text that came back; `None` if it is no clock.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        if parts.next() != Some(VERSION) {
            return None;
        }
        let mut number = || u64::from_str_radix(parts.next()?, 16).ok();
        let (source, epoch, generation) = (number()?, number()?, number()?);
        let taken = parts.next().map_or(Some(0), |taken| u64::from_str_radix(taken, 16).ok())?;
        parts.next().is_none().then_some(Self { source, epoch, generation, taken })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, epoch, generation, taken } = self;
        write!(f, "{VERSION}.{source:x}.{epoch:x}.{generation:x}")?;
        if *taken == 0 { Ok(()) } else { write!(f, ".{taken:x}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_clock_comes_back_as_it_was(source: u64, epoch: u64, generation: u64, taken in 0u64..3) {
            let position = Position { source, epoch, generation, taken };
            proptest::prop_assert_eq!(Position::parse(&position.to_string()), Some(position));
        }

        #[test]
        fn text_that_is_no_clock_is_refused(text in "[c1.a-f]{0,12}") {
            if let Some(position) = Position::parse(&text) {
                proptest::prop_assert_eq!(text.split('.').count(), 4 + usize::from(position.taken > 0 || text.matches('.').count() == 4));
            }
        }
    }

    #[test]
    fn other_texts_are_no_clocks() {
        for text in ["", "c1", "c1.1.2", "c2.1.2.3", "c1.1.2.3.4.5", "c1.1.2.x", "c1.1.2.", "scan:1:2"] {
            assert_eq!(Position::parse(text), None, "{text}");
        }
    }
}

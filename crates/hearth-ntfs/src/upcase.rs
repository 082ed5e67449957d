//! Which names are the same name: the table by which the volume ignores case.
//!
//! Each volume carries the table (`$UpCase`) that was current when it was made: the upper-case unit for each UTF-16
//! unit. Names are equal if their units are equal after it, one by one, so that lengths never change and
//! surrogates stand for themselves.

use crate::error::NtfsError;
use crate::name::Utf16;
use crate::read::ReadAt;
use crate::volume::Volume;

/// Record of `$UpCase`.
const NUMBER: u64 = 10;
const UNITS: usize = 1 << 16;

/// Upper-case units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpCase(Box<[u16]>);

impl Default for UpCase {
    /// What Unicode says for letters whose upper case is one unit and theirs alone: near to what Windows writes.
    fn default() -> Self {
        Self((0..=u16::MAX).map(simple_upper).collect())
    }
}

impl UpCase {
    /// The table of `volume`; `None` if it is not whole.
    ///
    /// # Errors
    /// [`NtfsError::Io`], [`NtfsError::Damaged`] if its record is.
    pub fn read<R: ReadAt>(volume: &Volume<R>) -> Result<Option<Self>, NtfsError> {
        let Some(content) = volume.content(NUMBER, "")?.filter(|_| volume.geometry().has_clusters) else {
            return Ok(None);
        };
        let bytes = content.read_up_to(2 * UNITS as u64)?;
        let table: Box<[u16]> = Utf16::new(&bytes).units().collect();
        Ok((table.len() == UNITS).then_some(Self(table)))
    }

    /// The upper case of a unit.
    pub fn upper(&self, unit: u16) -> u16 {
        self.0[usize::from(unit)]
    }

    /// True if these are the same name.
    pub fn eq(&self, a: Utf16<'_>, b: Utf16<'_>) -> bool {
        a.len() == b.len() && a.units().zip(b.units()).all(|(a, b)| self.upper(a) == self.upper(b))
    }
}

fn simple_upper(unit: u16) -> u16 {
    let letter = char::from_u32(unit.into());
    let upper = letter.and_then(|letter| only(letter.to_uppercase()));
    // Long s, final sigma and their like share an upper case with another letter, and are not that letter.
    let own = upper.filter(|upper| only(upper.to_lowercase()) == letter);
    own.and_then(|upper| u16::try_from(u32::from(upper)).ok()).unwrap_or(unit)
}

fn only(mut letters: impl Iterator<Item = char>) -> Option<char> {
    let first = letters.next();
    first.filter(|_| letters.next().is_none())
}

//! What `$Volume` says: label, version, and whether the volume was left in order.

use crate::attribute::{VOLUME_INFORMATION, VOLUME_NAME};
use crate::bytes::u16_at;
use crate::error::NtfsError;
use crate::name::Utf16;
use crate::read::ReadAt;
use crate::volume::Volume;

/// Record of `$Volume`.
const NUMBER: u64 = 3;
const DIRTY: u16 = 1;

/// Facts about a volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Information {
    /// Its label; empty if it has none.
    pub label: Vec<u8>,
    /// Version of the format, major and minor; 3.1 since Windows XP.
    pub version: (u8, u8),
    /// `VOLUME_…` flags as on disk.
    pub flags: u16,
}

impl Information {
    /// True if it has to be checked before it is believed.
    pub fn is_dirty(&self) -> bool {
        self.flags & DIRTY != 0
    }
}

impl<R: ReadAt> Volume<R> {
    /// Label, version and state.
    ///
    /// # Errors
    /// [`NtfsError::Damaged`] if the record of `$Volume` is, [`NtfsError::Io`].
    pub fn information(&self) -> Result<Information, NtfsError> {
        let bytes = self.record(NUMBER)?;
        let damaged = || NtfsError::Damaged("record 3, which says what volume this is, is torn".to_owned());
        let record = bytes.view().ok_or_else(damaged)?;
        let mut information = Information::default();
        for attribute in record.attributes() {
            let Some(value) = attribute.resident() else { continue };
            match attribute.kind {
                VOLUME_NAME => information.label = Utf16::new(value).to_bytes(),
                VOLUME_INFORMATION => {
                    let [major, minor] = [8, 9].map(|at| value.get(at).copied().unwrap_or(0));
                    information.version = (major, minor);
                    information.flags = u16_at(value, 10).unwrap_or(0);
                }
                _ => {}
            }
        }
        Ok(information)
    }
}

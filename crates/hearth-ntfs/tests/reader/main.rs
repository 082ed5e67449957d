//! Reading of real volumes, `$MFT` files and records, and of what damage makes of them.
//!
//! The samples lie in `tests/data`; its README says where they come from.

mod damage;
mod expected;
mod files;
mod image;
mod joined;
mod model;
mod opening;
mod oracle;
mod reads;
mod record_details;
mod rows;
mod samples;

//! Values as text: names on a terminal, sizes, bars, times, modes, CSV fields and `--format` templates.
//!
//! Everything here appends bytes to a buffer and nothing writes anywhere. Names are bytes: they pass
//! unchanged unless a terminal is going to show them.

pub(crate) mod bar;
pub(crate) mod csv;
pub(crate) mod mode;
pub(crate) mod quote;
pub(crate) mod size;
pub(crate) mod template;
pub(crate) mod time;
pub(crate) mod width;

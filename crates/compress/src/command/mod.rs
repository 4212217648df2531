//! Command output.

pub(crate) mod terminal;

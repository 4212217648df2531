//! Search results and listings.

pub(crate) mod line;

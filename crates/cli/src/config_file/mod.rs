//! Changes to configuration files that belong to someone else.
//!
//! [`format`](mod@format) changes bytes, [`journal`] makes a change on disk and takes it back. Nothing outside the changed keys moves: comments, order,
//! line ends, byte order marks and unknown keys stay.

pub(crate) mod diff;
pub(crate) mod format;
pub(crate) mod journal;
mod json;
mod lines;

pub(crate) use format::{Format, Refusal};

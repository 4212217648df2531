//! Tools for tests: the corpus, generators of hostile text, and the laws every compressor obeys. Never shipped.

pub mod corpus;
pub mod generate;
pub mod laws;

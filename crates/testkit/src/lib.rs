//! Tools for tests: the corpus, generators of hostile text, the laws every compressor obeys, and HTTP by hand. Never shipped.

pub mod corpus;
pub mod generate;
pub mod http;
pub mod laws;

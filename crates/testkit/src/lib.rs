//! Tools for tests: the corpus, generators of hostile text, the laws every compressor obeys, HTTP by hand, and a Postgres server. Never shipped.

pub mod corpus;
pub mod generate;
pub mod http;
pub mod laws;
pub mod postgres;

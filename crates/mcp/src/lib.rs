//! Headroom as an MCP server: an agent that cannot be pointed at the proxy calls these tools instead.
//!
//! Originals go to the same store, under the same handles, as with every other door; what the proxy left out can be retrieved here
//! and the other way round. Files are read only below the client's roots.

mod arguments;
mod behind;
mod http;
mod relay;
mod roots;
mod server;
mod tools;

pub use behind::wrap;
pub use http::{HttpError, serve_http};
pub use server::{Server, serve_stdio};

/// Why the server ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The client and the server did not agree on how to talk.
    #[error("the client did not begin as MCP asks: {0}")]
    Handshake(String),
    /// The connection broke.
    #[error("the connection to the client broke: {0}")]
    Broken(String),
    /// The server behind this one could not be run.
    #[error("{0}")]
    Behind(String),
}

//! The server over streamable HTTP, at `/mcp`.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;

use crate::Server;

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// It was to listen beyond this machine.
    #[error(
        "refusing to listen on {0}, which other machines can reach: MCP clients here send no token; use a loopback address"
    )]
    Open(SocketAddr),
    /// The address could not be had.
    #[error("cannot listen on {listen}: {source}; choose another port")]
    Bind {
        /// The address.
        listen: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// Starts serving clients on a loopback address, each with a server of its own. Gives where it listens, and what has to be awaited for it to go on.
///
/// Pages that a browser shows cannot use it: requests that carry an `Origin`, or a `Host` that is not this machine, are refused.
///
/// # Errors
///
/// When the address is not loopback, or cannot be had.
pub async fn serve_http(
    listen: SocketAddr,
    server: impl Fn() -> Server + Send + Sync + 'static,
) -> Result<(SocketAddr, impl Future<Output = ()>), HttpError> {
    if !listen.ip().is_loopback() {
        return Err(HttpError::Open(listen));
    }
    let bind = |source| HttpError::Bind { listen, source };
    let listener = TcpListener::bind(listen).await.map_err(bind)?;
    let addr = listener.local_addr().map_err(bind)?;
    let config = StreamableHttpServerConfig::default().enforce_origin_validation();
    let service = StreamableHttpService::new(move || Ok(server()), Arc::new(LocalSessionManager::default()), config);
    Ok((addr, accept(listener, service)))
}

async fn accept(listener: TcpListener, service: StreamableHttpService<Server, LocalSessionManager>) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let builder = auto::Builder::new(TokioExecutor::new());
            if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
}

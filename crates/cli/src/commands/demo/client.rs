//! The agent's side: sends a request to the proxy and reads the stream to its end.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::error::CliError;

pub(super) struct Client {
    proxy: SocketAddr,
}

impl Client {
    pub(super) fn new(proxy: SocketAddr) -> Result<Self, CliError> {
        Ok(Self { proxy })
    }

    /// Sends one Messages request and returns the whole event stream.
    pub(super) async fn send(&self, body: String) -> Result<String, CliError> {
        let failed = "the demo's client failed";
        let stream = TcpStream::connect(self.proxy).await.map_err(CliError::while_doing(failed))?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(CliError::while_doing(failed))?;
        let running = tokio::spawn(connection);
        let request = hyper::Request::post("/v1/messages")
            .header("host", self.proxy.to_string())
            .header("content-type", "application/json")
            .header("anthropic-version", "2023-06-01")
            .header("x-api-key", "demo")
            .body(Full::new(Bytes::from(body)))
            .map_err(CliError::while_doing(failed))?;
        let response = sender.send_request(request).await.map_err(CliError::while_doing(failed))?;
        let status = response.status();
        let bytes = response.into_body().collect().await.map_err(CliError::while_doing(failed))?.to_bytes();
        running.abort();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if status.is_success() {
            Ok(text)
        } else {
            Err(CliError::Failed(format!("the proxy answered {status}: {text}")))
        }
    }
}

//! The providers, over HTTP/1.1 or HTTP/2, through the system's proxy settings and certificates.

use std::sync::OnceLock;
use std::time::Duration;

use headroom_wire::Dialect;
use http::{HeaderMap, Method, Response};
use reqwest::{Client, ClientBuilder, Url, redirect};
use tokio::time::timeout;

use crate::config::{Config, Upstreams};
use crate::refusal::Refusal;

/// Idle connections kept per provider. Enough for a machine full of sub-agents.
const IDLE_CONNECTIONS: usize = 64;

/// How long an idle connection is kept. Providers close theirs after a minute or more.
const IDLE_TIME: Duration = Duration::from_secs(55);

/// The pool of connections to the providers.
pub(crate) struct Upstream {
    client: Client,
    /// For connections that are to become something else; made when the first is asked for.
    upgrading: OnceLock<Client>,
    handshake: Duration,
    bases: Upstreams,
}

impl Upstream {
    /// Reads the system's proxy settings and certificates. There is no total timeout: an answer may take as long as its
    /// client waits.
    pub(crate) fn new(config: &Config) -> Result<Self, reqwest::Error> {
        // Fails only when the process has chosen a provider already, which then serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = common(config.connect_timeout)
            .read_timeout(config.idle_timeout)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .pool_idle_timeout(IDLE_TIME)
            .http2_adaptive_window(true)
            .http2_keep_alive_interval(Duration::from_secs(30))
            .build()?;
        Ok(Self {
            client,
            upgrading: OnceLock::new(),
            handshake: config.connect_timeout,
            bases: config.upstreams.clone(),
        })
    }

    /// The address of a request at its provider.
    pub(crate) fn url(&self, dialect: Dialect, path_and_query: &str) -> Result<Url, Refusal> {
        let base = self.bases.of(dialect).trim_end_matches('/');
        Url::parse(&[base, path_and_query].concat()).map_err(|_| Refusal::BadTarget)
    }

    /// Sends a request and waits for the head of the answer.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: Url,
        headers: HeaderMap,
        body: reqwest::Body,
    ) -> Result<Response<reqwest::Body>, Refusal> {
        let mut request = reqwest::Request::new(method, url);
        *request.headers_mut() = headers;
        *request.body_mut() = Some(body);
        match self.client.execute(request).await {
            Ok(response) => Ok(response.into()),
            Err(error) => Err(refusal(error)),
        }
    }

    /// Asks for a connection to become something else, as the headers say, and waits for the answer no longer than for a connection. HTTP/2
    /// has another way, which few servers know.
    pub(crate) async fn upgrade(&self, url: Url, headers: HeaderMap) -> Result<reqwest::Response, Refusal> {
        let client = match self.upgrading.get() {
            Some(client) => client,
            None => {
                let client = common(self.handshake).http1_only().build().map_err(refusal)?;
                self.upgrading.get_or_init(|| client)
            }
        };
        let mut request = reqwest::Request::new(Method::GET, url);
        *request.headers_mut() = headers;
        match timeout(self.handshake, client.execute(request)).await {
            Ok(answer) => answer.map_err(refusal),
            Err(_) => {
                tracing::warn!("the provider did not answer a handshake in time");
                Err(Refusal::UpstreamTimeout)
            }
        }
    }
}

/// What all connections to providers have in common.
fn common(connect_timeout: Duration) -> ClientBuilder {
    let builder = Client::builder().redirect(redirect::Policy::none()).connect_timeout(connect_timeout);
    builder.tcp_nodelay(true).referer(false)
}

/// What an error comes to.
fn refusal(error: reqwest::Error) -> Refusal {
    // The address may hold a key as a query; the error is told without it.
    let error = error.without_url();
    tracing::warn!(error = %chain(&error), "no answer from the provider");
    if error.is_timeout() && !error.is_connect() { Refusal::UpstreamTimeout } else { Refusal::Unreachable }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

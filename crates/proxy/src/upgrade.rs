//! Connections that stop being HTTP: WebSockets.
//!
//! The provider is asked first, with the client's own handshake, and what it says is what the client gets: its agreement, or its refusal.
//! Responses asked for over a WebSocket go through [`converse`](crate::converse); everything else (voice, and whatever is to be left alone) is passed
//! on byte for byte in both directions.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use headroom_wire::Dialect;
use http::header::{CONNECTION, SEC_WEBSOCKET_EXTENSIONS, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::app::App;
use crate::converse::converse;
use crate::headers::{self, Sent};
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::relay::{Body, full, passing};
use crate::routes::{dialect_of, target};

/// Bytes read at once from either side of a tunnel. A side that does not take them is not read for.
const CHUNK: usize = 16 << 10;

/// How long one side may go on when the other has ended.
const LINGER: Duration = Duration::from_secs(5);

/// What is known of connections that were upgraded: they have left the server, which cannot drain them.
pub(crate) struct Upgrades {
    /// Turns true when the proxy stops, and has no sender any more when it is gone.
    pub(crate) stopping: watch::Receiver<bool>,
    /// Nothing is ever sent; whoever waits for the other end learns when everything that could use the proxy is gone.
    pub(crate) _alive: mpsc::Sender<std::convert::Infallible>,
}

/// The protocol that a request asks to go on with, if that is to be passed on. Clients that only offer HTTP/2 go on in HTTP/1.1.
pub(crate) fn wanted(head: &Parts) -> Option<&HeaderValue> {
    let protocol = head.headers.get(UPGRADE)?;
    let offered = head.headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let meant = offered.flat_map(|value| value.split(',')).any(|word| word.trim().eq_ignore_ascii_case("upgrade"));
    let http = protocol.as_bytes().get(..3).is_some_and(|start| start.eq_ignore_ascii_case(b"h2c"));
    (meant && !http && head.method == Method::GET).then_some(protocol)
}

/// Asks the provider for the upgrade that a client asks for, and connects both if it agrees. `followed` is whether responses on the
/// connection may go through the engine.
pub(crate) async fn upgrade(
    app: &Arc<App>,
    head: &mut Parts,
    protocol: HeaderValue,
    followed: bool,
) -> Result<Response<Body>, Refusal> {
    // A connection that cannot be upgraded (HTTP/2) has no business asking.
    let client = head.extensions.remove::<OnUpgrade>().ok_or(Refusal::WebSocket)?;
    let dialect = dialect_of(head.uri.path(), &head.headers);
    let responses = Dialect::of_path(head.uri.path()) == Some(Dialect::OpenAiResponses);
    let read = followed && responses && protocol.as_bytes().eq_ignore_ascii_case(b"websocket");
    let url = app.upstream.url(dialect, target(head))?;
    let mut headers = headers::upstream(&head.headers, Sent::AsItCame);
    asks(&mut headers, protocol);
    if read {
        // Compressed messages could not be read.
        headers.remove(SEC_WEBSOCKET_EXTENSIONS);
    }
    let response = app.upstream.upgrade(url, headers).await;
    let response = response.inspect_err(|_| Metrics::count(&app.metrics.upstream_failures))?;
    let status = response.status();
    if status != StatusCode::SWITCHING_PROTOCOLS {
        return if responses && knows_no_websockets(status) { Err(Refusal::WebSocket) } else { Ok(refused(response)) };
    }
    let mut answer = Response::new(full(Bytes::new()));
    *answer.status_mut() = status;
    *answer.headers_mut() = headers::downstream(response.headers());
    let chosen = response.headers().get(UPGRADE).cloned();
    asks(answer.headers_mut(), chosen.unwrap_or(HeaderValue::from_static("websocket")));
    Metrics::count(if read { &app.metrics.websockets } else { &app.metrics.tunnelled });
    let (app, head) = (Arc::clone(app), head.clone());
    tokio::spawn(async move {
        let (Ok(client), Ok(upstream)) = tokio::join!(client, response.upgrade()) else {
            tracing::debug!("a connection went away while it was upgraded");
            return;
        };
        let client = TokioIo::new(client);
        if read {
            converse(app, head, client, upstream).await;
        } else {
            tunnel(&app, client, upstream).await;
        }
    });
    Ok(answer)
}

/// Puts back what says that a connection is to change, which no other request and no other answer carries on.
fn asks(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// Whether a server says that there is no WebSocket at an address, rather than that this client may not have it now. Clients go on with
/// plain requests then, and Codex does so at once only when it is told in a certain way.
fn knows_no_websockets(status: StatusCode) -> bool {
    status.is_success()
        || matches!(
            status,
            StatusCode::NOT_FOUND
                | StatusCode::METHOD_NOT_ALLOWED
                | StatusCode::UPGRADE_REQUIRED
                | StatusCode::NOT_IMPLEMENTED
        )
}

/// A provider's own refusal.
fn refused(response: reqwest::Response) -> Response<Body> {
    let (head, body) = Response::<reqwest::Body>::from(response).into_parts();
    let mut answer = Response::new(passing(body));
    *answer.status_mut() = head.status;
    *answer.headers_mut() = headers::downstream(&head.headers);
    answer
}

/// Passes bytes in both directions until both sides have ended, one has and the other takes too long, nothing has come for as long as a
/// provider may be silent, or the proxy stops.
async fn tunnel(app: &App, client: impl AsyncRead + AsyncWrite, upstream: impl AsyncRead + AsyncWrite) {
    let ((from_client, to_client), (from_upstream, to_upstream)) =
        (tokio::io::split(client), tokio::io::split(upstream));
    let clock = Clock::new();
    let mut up = pin!(carry(from_client, to_upstream, &clock));
    let mut down = pin!(carry(from_upstream, to_client, &clock));
    tokio::select! {
        () = &mut up => drop(timeout(LINGER, down).await),
        () = &mut down => drop(timeout(LINGER, up).await),
        () = clock.silent_for(app.config.idle_timeout) => tracing::debug!("a silent tunnel is closed"),
        // There is no end of a turn to wait for.
        () = stopped(app.upgrades.stopping.clone()) => {}
    }
}

/// Returns when the proxy stops or is gone.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// Carries one direction to its end, and says so to the other side.
async fn carry(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, clock: &Clock) {
    let mut chunk = vec![0; CHUNK];
    loop {
        match from.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(length) => {
                clock.touch();
                if to.write_all(&chunk[..length]).await.is_err() || to.flush().await.is_err() {
                    break;
                }
            }
        }
    }
    let _ = to.shutdown().await; // Fails when that side is gone.
}

/// When something last came, in either direction.
pub(crate) struct Clock {
    begun: Instant,
    /// Milliseconds after the beginning.
    last: AtomicU64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), last: AtomicU64::new(0) }
    }

    pub(crate) fn touch(&self) {
        self.last.store(u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Returns when nothing has come for so long.
    pub(crate) async fn silent_for(&self, limit: Duration) {
        loop {
            let silent = self.begun.elapsed().saturating_sub(Duration::from_millis(self.last.load(Ordering::Relaxed)));
            match limit.checked_sub(silent).filter(|rest| !rest.is_zero()) {
                Some(rest) => tokio::time::sleep(rest).await,
                None => return,
            }
        }
    }
}

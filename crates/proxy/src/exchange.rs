//! One request, whole.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use headroom_wire::Dialect;
use http::request::Parts;
use http::{Response, StatusCode};
use hyper::body::Incoming;

use crate::app::App;
use crate::headers::{self, Sent};
use crate::metrics::Metrics;
use crate::prepare::{Prepared, as_it_came, prepare};
use crate::receipts::fresh_id;
use crate::refusal::Refusal;
use crate::relay::{Body, Call, Filing, relay};
use crate::{body, routes};

/// A request of a known dialect: read, prepare, send, relay.
pub(crate) async fn exchange(
    app: Arc<App>,
    dialect: Dialect,
    head: &Parts,
    body: Incoming,
) -> Result<Response<Body>, Refusal> {
    let at_ms = now_ms();
    let raw = body::read(body, &head.headers, app.config.max_body_bytes, app.config.body_timeout).await?;
    let url = app.upstream.url(dialect, routes::target(head))?;
    let mut prepared = prepare(&app, dialect, &head.headers, &raw).await?;

    let mut outgoing = upstream_headers(head, prepared.sent);
    let send = |headers, body: bytes::Bytes| app.upstream.send(head.method.clone(), url.clone(), headers, body.into());
    let mut response = send(outgoing.clone(), prepared.body.clone()).await;

    let mut replayed = false;
    if prepared.changed && response.as_ref().is_ok_and(|response| refuses_the_body(response.status())) {
        // Whatever the provider dislikes, it must not be our doing: the client gets its answer to its own bytes.
        tracing::warn!(
            status = response.as_ref().map_or(0, |r| r.status().as_u16()),
            "a changed body was refused; sending the original"
        );
        Metrics::count(&app.metrics.replayed);
        replayed = true;
        prepared = Prepared { receipt: prepared.receipt, ..as_it_came(&app, dialect, &raw) };
        prepared.receipt.bytes_out = raw.len() as u64;
        prepared.receipt.tool_offered = false;
        outgoing = upstream_headers(head, Sent::AsItCame);
        response = send(outgoing.clone(), raw).await;
    }

    let Prepared { turn, mut receipt, .. } = prepared;
    receipt.id = fresh_id(at_ms);
    receipt.at_ms = at_ms;
    receipt.replayed_original = replayed;
    receipt.agent = agent(head);
    receipt.status = response.as_ref().map_or(0, |response| response.status().as_u16());
    let mut filing = Filing::new(Arc::clone(&app), receipt);
    match response {
        Ok(response) => Ok(relay(Call { app, url, headers: outgoing, turn, filing }, response).await),
        Err(refusal) => {
            Metrics::count(&app.metrics.upstream_failures);
            filing.finish();
            Err(refusal)
        }
    }
}

/// Statuses by which a provider says that it dislikes the body itself.
fn refuses_the_body(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY)
}

fn upstream_headers(head: &Parts, sent: Sent) -> http::HeaderMap {
    let mut headers = headers::upstream(&head.headers, sent);
    headers::unencoded(&mut headers);
    headers
}

/// The client's name for receipts: its `User-Agent`, at most 200 bytes of it.
fn agent(head: &Parts) -> String {
    let agent = head.headers.get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    agent.get(..200).unwrap_or(agent).to_owned()
}

/// Milliseconds since the Unix epoch; 0 on a machine whose clock stands before it.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

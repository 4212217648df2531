//! One request, whole.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use headroom::{Observed, Receipt};
use headroom_wire::{Dialect, Turn};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use reqwest::Url;

use crate::access::User;
use crate::app::{App, soon};
use crate::body::{Taken, take};
use crate::headers::{self, Sent};
use crate::metrics::Metrics;
use crate::prepare::{Prepared, passing, prepare, unread};
use crate::receipts::fresh_id;
use crate::refusal::Refusal;
use crate::relay::{Body, Call, Filing, relay};
use crate::room::Room;
use crate::routes;
use crate::timing::Timing;

/// A request of a known dialect: read, prepare, send, relay.
pub(crate) async fn exchange(
    app: Arc<App>,
    dialect: Dialect,
    head: &Parts,
    body: Incoming,
) -> Result<Response<Body>, Refusal> {
    let at_ms = now_ms();
    let mut timing = Timing::asked(&head.headers);
    let url = app.upstream.url(dialect, routes::target(head))?;
    let way = Way { app: &app, dialect, head, url };
    let config = &app.config;
    let taken = take(body, &head.headers, config.max_body_bytes, config.body_timeout, app.rooms.enter()).await?;
    end(&mut timing, "read");
    let sent = match taken {
        Taken::Whole(raw, room) => way.send_prepared(raw, Arc::new(room), &mut timing).await?,
        Taken::Unread(body, why) => {
            Metrics::count(&app.metrics.unread);
            let (turn, receipt) = unread(&app, dialect, body.size_hint().lower(), why);
            let response = way.send(Sent::AsItCame, reqwest::Body::wrap(body)).await;
            end(&mut timing, "upstream");
            Exchanged { response, how: Sent::AsItCame, turn, receipt, observed: None, room: None }
        }
    };
    let Exchanged { response, how, turn, mut receipt, observed, room } = sent;
    receipt.id = fresh_id(at_ms);
    receipt.at_ms = at_ms;
    receipt.agent = agent(head);
    receipt.user = User::of(head);
    receipt.status = response.as_ref().map_or(0, |response| response.status().as_u16());
    let (url, headers) = (way.url.clone(), way.headers(how));
    let mut filing = Filing::new(Arc::clone(&app), receipt, observed);
    match response {
        Ok(response) => {
            let client_id = head.headers.get(headers::CLIENT_ID).cloned();
            let mut answer = relay(Call { app, url, headers, client_id, turn, filing, _room: room }, response).await;
            if let Some(timing) = timing {
                timing.tell(answer.headers_mut());
            }
            Ok(answer)
        }
        Err(refusal) => {
            Metrics::count(&app.metrics.upstream_failures);
            filing.finish();
            Err(refusal)
        }
    }
}

/// A request that was sent, and what came of it.
struct Exchanged {
    response: Result<Response<reqwest::Body>, Refusal>,
    how: Sent,
    turn: Turn,
    receipt: Receipt,
    observed: Option<Observed>,
    /// Taken for as long as the turn holds the request.
    room: Option<Arc<Room>>,
}

/// Where a request goes.
struct Way<'a> {
    app: &'a Arc<App>,
    dialect: Dialect,
    head: &'a Parts,
    url: Url,
}

impl Way<'_> {
    /// Prepares and sends a request; sends it again as it came if the provider refuses what was made of it.
    async fn send_prepared(
        &self,
        raw: bytes::Bytes,
        room: Arc<Room>,
        timing: &mut Option<Timing>,
    ) -> Result<Exchanged, Refusal> {
        let prepared = prepare(self.app, self.dialect, self.head, &raw, &room).await?;
        let Prepared { body, sent, changed, turn, mut receipt, observed } = prepared;
        end(timing, "prepare");
        let response = self.send(sent, body).await;
        end(timing, "upstream");
        let refused = response.as_ref().ok().map(Response::status).filter(|status| refuses_the_body(*status));
        let Some((request, status)) = changed.zip(refused) else {
            if let Some(status) = refused {
                tracing::info!(status = status.as_u16(), origin = "client", "the client's own bytes were refused");
            }
            let room = turn.holds_request().then_some(room);
            return Ok(Exchanged { response, how: sent, turn, receipt, observed, room });
        };
        // Whatever the provider dislikes, it must not be our doing: the client gets its answer to its own bytes.
        tracing::warn!(status = status.as_u16(), "a changed body was refused; sending the original");
        Metrics::count(&self.app.metrics.replayed);
        receipt.replayed_original = true;
        receipt.bytes_out = raw.len() as u64;
        receipt.tool_offered = false;
        let response = self.send(Sent::AsItCame, raw).await;
        end(timing, "upstream");
        if response.as_ref().is_ok_and(|response| response.status().is_success()) {
            let app = Arc::clone(self.app);
            soon(move || app.engine.refused(&app.config.scope, &request, &app.config.policy)).await;
        }
        Ok(Exchanged { response, how: Sent::AsItCame, turn: passing(self.dialect), receipt, observed, room: None })
    }

    async fn send(&self, sent: Sent, body: impl Into<reqwest::Body>) -> Result<Response<reqwest::Body>, Refusal> {
        let (method, url) = (self.head.method.clone(), self.url.clone());
        self.app.upstream.send(method, url, self.headers(sent), body.into()).await
    }

    fn headers(&self, sent: Sent) -> HeaderMap {
        let mut headers = headers::upstream(&self.head.headers, sent);
        headers::unencoded(&mut headers);
        headers
    }
}

/// Notes the end of a phase, if anybody wants to know.
fn end(timing: &mut Option<Timing>, phase: &'static str) {
    if let Some(timing) = timing {
        timing.end(phase);
    }
}

/// Statuses by which a provider says that it dislikes the body itself.
pub(crate) fn refuses_the_body(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY)
}

/// The client's name for receipts: its `User-Agent`, at most 200 bytes of it.
pub(crate) fn agent(head: &Parts) -> String {
    let agent = head.headers.get(http::header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    agent.get(..200).unwrap_or(agent).to_owned()
}

/// Milliseconds since the Unix epoch; 0 on a machine whose clock stands before it.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

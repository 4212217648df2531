//! Where a request goes.

use std::sync::Arc;

use headroom::Mode;
use headroom_store::Right;
use headroom_wire::Dialect;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response};
use hyper::body::Incoming;

use crate::app::App;
use crate::exchange::exchange;
use crate::headers::{self, Sent};
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::relay::{Body, passing};
use crate::timing::Timing;
use crate::witness::take_name;
use crate::{access, admin, guard, upgrade};

/// Answers one request, whatever it is.
pub(crate) async fn route(app: Arc<App>, request: Request<Incoming>) -> Response<Body> {
    let (mut head, body) = request.into_parts();
    take_name(&mut head);
    let metrics = Arc::clone(&app.metrics);
    dispatch(app, &mut head, body).await.unwrap_or_else(|refusal| {
        Metrics::count(&metrics.refused);
        tracing::debug!(?refusal, path = head.uri.path(), "refused");
        refusal.response()
    })
}

async fn dispatch(app: Arc<App>, head: &mut Parts, body: Incoming) -> Result<Response<Body>, Refusal> {
    if head.uri.path() == "/livez" {
        // Says nothing that an open port does not say; probes need no token and no name.
        return Ok(admin::alive());
    }
    guard::check(head, &app.config)?;
    let page = admin::Page::of(&head.method, head.uri.path());
    // Whatever is no page of ours goes to a provider.
    let right = page.as_ref().map_or(Some(Right::Proxy), admin::Page::right);
    let user = access::check(&app, head, right).await?;
    head.extensions.insert(user);
    if let Some(page) = page {
        return admin::answer(&app, page, head, body).await;
    }
    let untouched = app.config.policy.mode == Mode::Off || headers::bypasses(&head.headers);
    if let Some(protocol) = upgrade::wanted(head).cloned() {
        return upgrade::upgrade(&app, head, protocol, !untouched).await;
    }
    match Dialect::of_path(head.uri.path()) {
        Some(dialect) if head.method == Method::POST && !untouched && can_be_followed(dialect, head) => {
            exchange(app, dialect, head, body).await
        }
        _ => tunnel(&app, head, body).await,
    }
}

/// Whether the answer will come in a form that a turn can follow. Gemini streams one JSON array unless it is asked for events; that is
/// passed on as it comes.
fn can_be_followed(dialect: Dialect, head: &Parts) -> bool {
    let as_events = || head.uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse"));
    dialect != Dialect::Gemini || !head.uri.path().ends_with(":streamGenerateContent") || as_events()
}

/// Passes a request on and its answer back, byte for byte.
async fn tunnel(app: &App, head: &Parts, body: Incoming) -> Result<Response<Body>, Refusal> {
    Metrics::count(&app.metrics.tunnelled);
    let mut timing = Timing::asked(&head.headers);
    let url = app.upstream.url(dialect_of(head.uri.path(), &head.headers), target(head))?;
    let headers = headers::upstream(&head.headers, Sent::AsItCame);
    let response = app.upstream.send(head.method.clone(), url, headers, reqwest::Body::wrap(body)).await;
    let (head, body) = response.inspect_err(|_| Metrics::count(&app.metrics.upstream_failures))?.into_parts();
    let mut answer = Response::new(passing(body));
    *answer.status_mut() = head.status;
    *answer.headers_mut() = headers::downstream(&head.headers);
    if let Some(timing) = &mut timing {
        timing.end("upstream");
        timing.tell(answer.headers_mut());
    }
    Ok(answer)
}

/// Path and query as they are sent on.
pub(crate) fn target(head: &Parts) -> &str {
    head.uri.path_and_query().map_or("/", |target| target.as_str())
}

/// Whose a request is that is not one of the known endpoints: by its path if that says it, else by the headers that only one
/// provider's clients send.
pub(crate) fn dialect_of(path: &str, headers: &HeaderMap) -> Dialect {
    let messages = Dialect::AnthropicMessages.path();
    let below = path.strip_prefix(messages).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let googles =
        path.starts_with("/v1beta") || path.starts_with("/ws/google.") || path.contains("/publishers/google/");
    if Dialect::of_path(path) == Some(Dialect::Gemini) || googles || headers.contains_key("x-goog-api-key") {
        Dialect::Gemini
    } else if below || headers.contains_key("anthropic-version") || headers.contains_key("x-api-key") {
        Dialect::AnthropicMessages
    } else {
        Dialect::OpenAiChat
    }
}

//! The proxy's own pages: health, figures, and the library's two functions over HTTP.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use headroom::ledger::{Ledger, Why};
use headroom::{Hints, Level, Query, TextOptions, Tokenizer, compress_text_with};
use headroom_store::Right;
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, header};
use hyper::body::Incoming;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::body;
use crate::memory_pages::{self, MemoryPage};
use crate::refusal::Refusal;
use crate::relay::{Body, full};

/// A page of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// Whether requests are served well: `GET /readyz`.
    Ready,
    /// Prometheus counters: `GET /metrics`.
    Metrics,
    /// The same figures and what the store holds, as JSON: `GET /stats`; with `?hours=24` the ledger of the last hours as well.
    Stats,
    /// One text, shorter: `POST /v1/compress`.
    Compress,
    /// How a request was treated and why, what its client changed, and what it cost: `GET /v1/why/{request id}`.
    Why(String),
    /// What was left out, given back: `GET /v1/retrieve/{handle}`.
    Retrieve(String),
    /// What the agents of a workspace have met: everything at `/v1/memory`.
    Memory(MemoryPage),
}

impl Page {
    pub(crate) fn of(method: &Method, path: &str) -> Option<Self> {
        match (method, path) {
            (&Method::GET, "/readyz") => Some(Self::Ready),
            (&Method::GET, "/metrics") => Some(Self::Metrics),
            (&Method::GET, "/stats") => Some(Self::Stats),
            (&Method::POST, "/v1/compress") => Some(Self::Compress),
            (_, path) if path.starts_with("/v1/memory") => MemoryPage::of(method, path).map(Self::Memory),
            (&Method::GET, path) => {
                let retrieve = path.strip_prefix("/v1/retrieve/").map(|handle| Self::Retrieve(handle.to_owned()));
                retrieve.or_else(|| path.strip_prefix("/v1/why/").map(|id| Self::Why(id.to_owned())))
            }
            _ => None,
        }
    }
}

impl Page {
    /// What it takes to see it; nothing in particular where any good token will do.
    pub(crate) const fn right(&self) -> Option<Right> {
        match self {
            Self::Ready => None,
            Self::Metrics | Self::Stats | Self::Why(_) => Some(Right::Stats),
            Self::Compress => Some(Right::Proxy),
            Self::Retrieve(_) => Some(Right::Retrieve),
            Self::Memory(page) => Some(page.right()),
        }
    }
}

/// Bytes that a note may come in.
const NOTE_BYTES: usize = 64 << 10;

/// What `POST /v1/compress` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    text: String,
    /// `lossless` or `standard`; standard when it is not said.
    #[serde(default)]
    level: Option<String>,
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    tool: Option<String>,
    #[serde(default)]
    command: Option<String>,
    #[serde(default)]
    path: Option<String>,
}

/// `GET /livez`: the process answers.
pub(crate) fn alive() -> Response<Body> {
    text(StatusCode::OK, "text/plain", "ok\n".to_owned())
}

/// Answers a page. Their work takes no place from requests: it runs outside the bounded pool.
pub(crate) async fn answer(
    app: &Arc<App>,
    page: Page,
    head: &Parts,
    body: Incoming,
) -> Result<Response<Body>, Refusal> {
    match page {
        Page::Metrics => Ok(text(StatusCode::OK, "text/plain; version=0.0.4", app.metrics.prometheus())),
        Page::Ready => Ok(ready(app).await),
        Page::Stats => stats(app, head.uri.query().unwrap_or_default()).await,
        Page::Compress => {
            let bytes = body::read(body, &head.headers, app.config.max_body_bytes, app.config.body_timeout).await?;
            compress(app, &bytes).await
        }
        Page::Why(id) => Ok(why(app, unescaped(&id)).await),
        Page::Memory(page) => {
            let bytes = match page {
                MemoryPage::Remember => body::read(body, &head.headers, NOTE_BYTES, app.config.body_timeout).await?,
                _ => Bytes::new(),
            };
            memory_pages::answer(app, page, head.uri.query().unwrap_or_default(), bytes).await
        }
        Page::Retrieve(handle) => retrieve(app, &handle, head.uri.query().unwrap_or_default()).await,
    }
}

async fn ready(app: &Arc<App>) -> Response<Body> {
    let checked = Arc::clone(app);
    let check = tokio::task::spawn_blocking(move || checked.engine.store().check().map_err(|error| error.to_string()));
    let says = |ready: bool| {
        let (version, identity) = (env!("CARGO_PKG_VERSION"), &app.config.identity);
        json!({"ready": ready, "service": "headroom", "version": version, "configuration": identity})
    };
    match check.await {
        Ok(Ok(())) => json(StatusCode::OK, &says(true)),
        // Requests still pass, so a supervisor that restarts on this gains nothing; one that alerts does.
        Ok(Err(problem)) => {
            let mut said = says(false);
            said["store"] = problem.into();
            json(StatusCode::SERVICE_UNAVAILABLE, &said)
        }
        Err(_) => json(StatusCode::SERVICE_UNAVAILABLE, &says(false)),
    }
}

async fn stats(app: &Arc<App>, query: &str) -> Result<Response<Body>, Refusal> {
    let hours = match parameters(query).find(|(name, _)| name == "hours") {
        None => None,
        Some((_, hours)) => match hours.parse::<u64>() {
            Ok(hours) => Some(hours),
            Err(_) => return Ok(Refusal::BadQuestion.explained(&format!("hours is {hours:?}, not a whole number"))),
        },
    };
    Ok(json(StatusCode::OK, &figures(app, hours).await))
}

/// What `GET /stats` says; with `hours` the ledger of the last hours as well.
pub(crate) async fn figures(app: &Arc<App>, hours: Option<u64>) -> Value {
    let asked = Arc::clone(app);
    let read = tokio::task::spawn_blocking(move || {
        let ledger = hours.and_then(|hours| ledger(&asked, hours));
        (asked.engine.store().holdings().ok(), ledger)
    });
    let (holdings, ledger) = read.await.unwrap_or_default();
    let counters: Map<String, Value> =
        app.metrics.counters().into_iter().map(|(name, _, value)| (name.to_owned(), value.into())).collect();
    let store = holdings.map(|holdings| {
        json!({
            "originals": holdings.originals,
            "original_bytes": holdings.original_bytes,
            "stored_bytes": holdings.stored_bytes,
            "renderings": holdings.renderings,
            "receipts": holdings.receipts,
        })
    });
    let version = env!("CARGO_PKG_VERSION");
    let policy = app.config.policy.mode.to_string();
    let missed: Map<String, Value> =
        app.metrics.missed().map(|(cause, tokens)| (cause.to_owned(), tokens.into())).collect();
    let guarded: Map<String, Value> =
        app.metrics.guarded_calls().map(|(outcome, calls)| (outcome.to_owned(), calls.into())).collect();
    let mut figures = json!({"version": version, "policy": policy, "counters": counters, "cache_missed_tokens": missed, "guarded_calls": guarded, "store": store});
    if hours.is_some() {
        figures["ledger"] = ledger.unwrap_or_default();
    }
    figures
}

/// What the requests of the last hours cost; `None` when the store cannot be read.
fn ledger(app: &App, hours: u64) -> Option<Value> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let since = u64::try_from(now).unwrap_or(u64::MAX).saturating_sub(hours.saturating_mul(3_600_000));
    let receipts = app.engine.receipts(&app.config.scope, since).ok()?;
    serde_json::to_value(Ledger::of(&receipts, &app.config.prices)).ok()
}

/// The receipt of a request, with its figures in money.
async fn why(app: &Arc<App>, id: String) -> Response<Body> {
    let recent = app.receipts.recent(&id);
    let asked = Arc::clone(app);
    let receipt = match recent {
        Some(receipt) => Some(receipt),
        None => {
            let read =
                tokio::task::spawn_blocking(move || asked.engine.receipt(&asked.config.scope, &id).ok().flatten());
            read.await.ok().flatten()
        }
    };
    match receipt {
        Some(receipt) => json(StatusCode::OK, &json!(Why::of(&receipt, &app.config.prices))),
        None => Refusal::NotFound.response(),
    }
}

async fn compress(app: &Arc<App>, bytes: &Bytes) -> Result<Response<Body>, Refusal> {
    let question: Question = match serde_json::from_slice(bytes) {
        Ok(question) => question,
        Err(error) => return Ok(Refusal::BadQuestion.explained(&error.to_string())),
    };
    let level = match question.level.as_deref() {
        None | Some("standard") => Level::Standard,
        Some("light") => Level::Light,
        Some("lossless") => Level::Lossless,
        Some(other) => {
            return Ok(Refusal::BadQuestion.explained(&format!("level {other:?}; known: lossless, light, standard")));
        }
    };
    let kind = match question.kind.as_deref().map(str::parse).transpose() {
        Ok(kind) => kind,
        Err(error) => return Ok(Refusal::BadQuestion.explained(&format!("{error}"))),
    };
    let app = Arc::clone(app);
    let result = tokio::task::spawn_blocking(move || {
        let hints = Hints {
            tool: question.tool.as_deref(),
            command: question.command.as_deref(),
            path: question.path.as_deref(),
            kind,
            ..Hints::NONE
        };
        let tokenizer = question.model.as_deref().map_or(Tokenizer::O200k, Tokenizer::for_model);
        let keep = Some((&app.engine, &app.config.scope));
        let options = TextOptions { tokenizer, kinds: &app.config.policy.kinds, ..TextOptions::DEFAULT };
        compress_text_with(&options, &question.text, hints, level, keep)
    });
    let Ok(result) = result.await else {
        return Ok(Refusal::BadQuestion.explained("this text could not be compressed"));
    };
    Ok(json(
        StatusCode::OK,
        &json!({
            "text": result.text,
            "kind": result.kind.to_string(),
            "compressor": result.compressor,
            "exact": result.exact,
            "tokens_before": result.tokens_before,
            "tokens_after": result.tokens_after,
            "handle": result.handle.map(|handle| handle.to_string()),
            "omissions": result.omissions.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "reason": result.reason.code(),
        }),
    ))
}

async fn retrieve(app: &Arc<App>, handle: &str, query: &str) -> Result<Response<Body>, Refusal> {
    let mut arguments = Map::new();
    arguments.insert("content_id".to_owned(), unescaped(handle).into());
    arguments.extend(parameters(query).map(|(name, value)| (name, value.into())));
    let query = match Query::from_arguments(&Value::Object(arguments).to_string()) {
        Ok(query) => query,
        Err(problem) => return Ok(Refusal::BadQuestion.explained(&problem)),
    };
    let app = Arc::clone(app);
    let answer = tokio::task::spawn_blocking(move || app.engine.answer(&app.config.scope, &query));
    let Ok(answer) = answer.await else { return Err(Refusal::NotFound) };
    let status = if answer.is_found() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    Ok(text(status, "text/plain; charset=utf-8", answer.text().to_owned()))
}

/// The names and values of a query.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = (String, String)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (unescaped(name), unescaped(value))
    })
}

/// Undoes percent escapes and plus signs. What is not UTF-8 then is replaced.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

pub(crate) fn json(status: StatusCode, value: &Value) -> Response<Body> {
    text(status, "application/json", format!("{value}\n"))
}

pub(crate) fn text(status: StatusCode, kind: &'static str, text: String) -> Response<Body> {
    let mut response = Response::new(full(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_unescaped() {
        assert_eq!(unescaped("a%20b+c%2Bd%zz%4"), "a b c+d%zz%4");
        assert_eq!(unescaped("%C3%A9%ff"), "é\u{fffd}");
    }
}

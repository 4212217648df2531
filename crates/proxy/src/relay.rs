//! The provider's answer, on its way to the client.
//!
//! A stream stays a stream: every chunk is handed on when it comes, and the answer to a hidden retrieval is fetched while the
//! client's connection stays open. Nothing runs beside the response body, so a client that goes away takes the upstream
//! connection with it at once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use headroom::{Guarded, Observed, Query, Receipt};
use headroom_wire::{Answer, Dialect, Exchange, Retrieval, Step, Turn, Usage};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::Frame;
use reqwest::Url;

use crate::app::{App, soon};
use crate::guarded::originals;
use crate::headers::{self, CLIENT_ID, ID};
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::room::Room;

/// What clients get.
pub(crate) type Body = UnsyncBoxBody<Bytes, Error>;

/// Why a body broke off.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// The content types of answers that are read.
const EVENTS: &str = "text/event-stream";
const JSON: &str = "application/json";

/// Most bytes of a JSON answer that are held to merge or meter it. A longer one passes unread.
const WHOLE_BYTES: usize = 32 << 20;

/// Most bytes of a provider's error that are shown to a client in the middle of its stream.
const ERROR_BYTES: usize = 64 << 10;

/// Time that the store has to give an original back. The model is told when it takes longer.
pub(crate) const ANSWERING: Duration = Duration::from_secs(5);

/// A body of these bytes.
pub(crate) fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// A provider's body, passed through.
pub(crate) fn passing(body: reqwest::Body) -> Body {
    body.map_err(Error::from).boxed_unsync()
}

/// A request that has been sent, and what is needed to go on with it.
pub(crate) struct Call {
    pub(crate) app: Arc<App>,
    pub(crate) url: Url,
    /// The headers it was sent with.
    pub(crate) headers: HeaderMap,
    /// The client's own name for the request.
    pub(crate) client_id: Option<HeaderValue>,
    pub(crate) turn: Turn,
    pub(crate) filing: Filing,
    /// What the turn holds takes room.
    pub(crate) _room: Option<Arc<Room>>,
}

/// Hands an answer on.
pub(crate) async fn relay(mut call: Call, response: Response<reqwest::Body>) -> Response<Body> {
    let (head, body) = response.into_parts();
    let mut answer = Response::new(());
    *answer.status_mut() = head.status;
    *answer.headers_mut() = headers::downstream(&head.headers);
    if let Ok(id) = HeaderValue::from_str(call.filing.id()) {
        answer.headers_mut().insert(HeaderName::from_static(ID), id);
    }
    if let Some(id) = call.client_id.take() {
        answer.headers_mut().entry(CLIENT_ID).or_insert(id);
    }
    let readable =
        head.status.is_success() && head.headers.get(CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
    if readable && Dialect::streams_an_array(call.url.path(), call.url.query()) && is_type(&head.headers, JSON) {
        call.turn.read_arrays();
        answer.headers_mut().remove(CONTENT_LENGTH);
        answer.map(|()| streamed(call, body))
    } else if readable && is_type(&head.headers, EVENTS) {
        answer.headers_mut().remove(CONTENT_LENGTH);
        answer.map(|()| streamed(call, body))
    } else if readable && is_type(&head.headers, JSON) {
        whole(&mut call, answer, body).await
    } else {
        call.filing.finish();
        answer.map(|()| passing(body))
    }
}

fn is_type(headers: &HeaderMap, wanted: &str) -> bool {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
}

// --- Streams ---------------------------------------------------------------------------------------

/// A stream under way.
struct Streaming {
    call: Call,
    upstream: reqwest::Body,
    /// What is to be done before more is read.
    steps: VecDeque<Step>,
    /// The upstream has nothing more.
    ended: bool,
}

fn streamed(call: Call, upstream: reqwest::Body) -> Body {
    let streaming = Streaming { call, upstream, steps: VecDeque::new(), ended: false };
    let frames = stream::unfold(Some(streaming), |streaming| async {
        let mut streaming = streaming?;
        match streaming.next().await {
            Some(Ok(bytes)) => Some((Ok(Frame::data(bytes)), Some(streaming))),
            Some(Err(error)) => Some((Err(error), None)),
            None => None,
        }
    });
    StreamBody::new(frames).boxed_unsync()
}

impl Streaming {
    /// The next bytes for the client.
    async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        loop {
            while let Some(step) = self.steps.pop_front() {
                if let Some(bytes) = self.take(step).await {
                    return Some(Ok(bytes));
                }
            }
            if self.ended {
                self.call.filing.finish();
                return None;
            }
            let mut steps = Vec::new();
            match self.upstream.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.call.turn.feed(data, &mut steps);
                    }
                }
                Some(Err(error)) => {
                    // The client must see that its answer is cut off, so the error goes on.
                    return Some(Err(told(error.into()).await));
                }
                None => {
                    self.ended = true;
                    self.call.turn.end(&mut steps);
                }
            }
            self.call.filing.note(&self.call.turn);
            self.steps.extend(steps);
        }
    }

    async fn take(&mut self, step: Step) -> Option<Bytes> {
        let mut steps = Vec::new();
        match step {
            Step::Forward(bytes) => return Some(bytes),
            Step::Answer(calls) => {
                let answers = self.call.answer(calls).await;
                self.call.turn.answer(&answers, &mut steps);
            }
            Step::Restore(handles) => {
                let originals = originals(&self.call.app, handles).await;
                self.call.turn.restore(&originals, &mut steps);
                self.call.filing.note(&self.call.turn);
            }
            Step::Remember(exchange) => self.call.remember(exchange).await,
            Step::Continue(body) => match self.call.go_on(body).await {
                Some(response)
                    if response.status().is_success() && is_type(response.headers(), self.call.stream_type()) =>
                {
                    self.upstream = response.into_body();
                    self.ended = false;
                }
                other => {
                    let error = match other {
                        Some(response) => Limited::new(response.into_body(), ERROR_BYTES).collect().await.ok(),
                        None => None,
                    };
                    let error = error.map(http_body_util::Collected::to_bytes);
                    self.call.turn.abandon(error.as_deref(), &mut steps);
                    self.ended = true;
                }
            },
        }
        self.steps.extend(steps);
        None
    }
}

// --- JSON answers ----------------------------------------------------------------------------------

/// Reads a JSON answer whole, answers what is ours in it, and hands on what is left.
async fn whole(call: &mut Call, mut answer: Response<()>, body: reqwest::Body) -> Response<Body> {
    let mut body = body;
    loop {
        let bytes = match held(body).await {
            Held::Whole(bytes) => bytes,
            Held::Unread(body) => return answer.map(|()| body),
        };
        let mut steps = VecDeque::new();
        let mut more = Vec::new();
        call.turn.whole(bytes, &mut more);
        call.filing.note(&call.turn);
        steps.extend(more);
        let mut continued = None;
        while let Some(step) = steps.pop_front() {
            let mut more = Vec::new();
            match step {
                Step::Forward(bytes) => {
                    call.filing.finish();
                    let length = HeaderValue::from(bytes.len());
                    answer.headers_mut().insert(CONTENT_LENGTH, length);
                    return answer.map(|()| full(bytes));
                }
                Step::Answer(calls) => {
                    let answers = call.answer(calls).await;
                    call.turn.answer(&answers, &mut more);
                }
                Step::Restore(handles) => {
                    let originals = originals(&call.app, handles).await;
                    call.turn.restore(&originals, &mut more);
                    call.filing.note(&call.turn);
                }
                Step::Remember(exchange) => call.remember(exchange).await,
                Step::Continue(body) => continued = Some(body),
            }
            steps.extend(more);
        }
        let response = match continued {
            Some(next) => call.go_on(next).await,
            None => None,
        };
        let Some(response) = response else {
            call.filing.refused(StatusCode::BAD_GATEWAY);
            return Refusal::Unreachable.response();
        };
        let (head, next) = response.into_parts();
        if !head.status.is_success() || !is_type(&head.headers, JSON) {
            // The client gets the refusal itself, with its status and headers, and can retry the turn.
            call.filing.refused(head.status);
            let mut refused = Response::new(passing(next));
            *refused.status_mut() = head.status;
            *refused.headers_mut() = headers::downstream(&head.headers);
            return refused;
        }
        body = next;
    }
}

/// A body read into memory, or one that was too long for that or broke off.
enum Held {
    Whole(Bytes),
    Unread(Body),
}

/// An error, once what was forwarded before it has had its turn to be written: the server drops what it still holds when
/// a body fails.
async fn told(error: Error) -> Error {
    tokio::task::yield_now().await;
    error
}

/// Reads a body up to the bound; beyond it, or when it breaks, what was read goes on in front of the rest.
async fn held(mut body: reqwest::Body) -> Held {
    let mut pieces: Vec<Bytes> = Vec::new();
    let mut length = 0;
    loop {
        let problem = match body.frame().await {
            None => break,
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else { continue };
                length += data.len();
                pieces.push(data);
                if length <= WHOLE_BYTES {
                    continue;
                }
                None
            }
            Some(Err(error)) => Some(Error::from(error)),
        };
        let head = stream::iter(pieces.into_iter().map(|piece| Ok(Frame::data(piece))));
        if let Some(problem) = problem {
            let end = stream::once(async { Err(told(problem).await) });
            return Held::Unread(StreamBody::new(head.chain(end)).boxed_unsync());
        }
        let rest = stream::unfold(body, |mut body| async {
            let frame = body.frame().await?;
            Some((frame.map_err(Error::from), body))
        });
        return Held::Unread(StreamBody::new(head.chain(rest)).boxed_unsync());
    }
    Held::Whole(match pieces.as_slice() {
        [one] => one.clone(),
        several => several.concat().into(),
    })
}

// === impl Call ===

impl Call {
    /// Answers retrievals from the store.
    async fn answer(&mut self, calls: Vec<Retrieval>) -> Vec<Answer> {
        answer(&self.app, &mut self.filing, calls).await
    }

    /// Keeps a hidden exchange for the client's next request.
    async fn remember(&self, exchange: Exchange) {
        remember(&self.app, exchange).await;
    }

    /// The content type of its streams.
    fn stream_type(&self) -> &'static str {
        if self.turn.reads_arrays() { JSON } else { EVENTS }
    }

    /// Sends the continuation of a turn.
    async fn go_on(&self, body: Bytes) -> Option<Response<reqwest::Body>> {
        self.app.upstream.send(Method::POST, self.url.clone(), self.headers.clone(), body.into()).await.ok()
    }
}

/// Answers retrievals from the store.
pub(crate) async fn answer(app: &Arc<App>, filing: &mut Filing, calls: Vec<Retrieval>) -> Vec<Answer> {
    let (app, asked) = (Arc::clone(app), calls.len());
    let answered = tokio::task::spawn_blocking(move || {
        let answer = |call: &Retrieval| match Query::from_arguments(&call.arguments) {
            Ok(query) => {
                let answer = app.engine.answer(&app.config.scope, &query);
                Answer { text: answer.text().to_owned(), is_error: !answer.is_found() }
            }
            Err(text) => Answer { text, is_error: true },
        };
        calls.iter().map(answer).collect::<Vec<_>>()
    });
    let answers = tokio::time::timeout(ANSWERING, answered).await.ok().and_then(Result::ok).unwrap_or_else(|| {
        let text = "It cannot be read now. Work from what is shown, or produce it again.".to_owned();
        vec![Answer { text, is_error: true }; asked]
    });
    filing.retrieved(&answers);
    answers
}

/// Keeps a hidden exchange for the client's next request: in memory at once, in the store as soon as it can be had.
pub(crate) async fn remember(app: &Arc<App>, exchange: Exchange) {
    let app = Arc::clone(app);
    app.engine.hold(&app.config.scope, &exchange);
    // The engine says in its log when it cannot be kept; the turn itself is not affected.
    soon(move || {
        app.engine.remember(&app.config.scope, &exchange);
    })
    .await;
}

// --- Receipts --------------------------------------------------------------------------------------

/// The receipt of a request under way. It is filed when this is dropped, however the request ended.
pub(crate) struct Filing {
    app: Arc<App>,
    receipt: Receipt,
    observed: Option<Observed>,
    usage: Usage,
    /// What had been billed when the first retrieval was answered.
    first_round: Option<Usage>,
    finished: bool,
}

impl Filing {
    pub(crate) fn new(app: Arc<App>, receipt: Receipt, observed: Option<Observed>) -> Self {
        Self { app, receipt, observed, usage: Usage::default(), first_round: None, finished: false }
    }

    fn id(&self) -> &str {
        &self.receipt.id
    }

    /// Takes over what has been billed and done by now.
    pub(crate) fn note(&mut self, turn: &Turn) {
        self.usage = turn.usage();
        let known = self.receipt.guarded.len();
        let new = turn.guarded().iter().skip(known).take(Guarded::MOST.saturating_sub(known));
        self.receipt.guarded.extend(new.map(|call| Guarded {
            tool: at_most(&call.tool, Guarded::NAME_BYTES).to_owned(),
            outcome: Guarded::OUTCOMES[usize::from(!call.expanded)].to_owned(),
            marks: call.marks as u64,
        }));
    }

    fn retrieved(&mut self, answers: &[Answer]) {
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        self.first_round.get_or_insert(self.usage);
        let misses = answers.iter().filter(|answer| answer.is_error).count();
        self.receipt.retrievals = self.receipt.retrievals.saturating_add(count(answers.len()));
        self.receipt.retrieval_misses = self.receipt.retrieval_misses.saturating_add(count(misses));
    }

    /// The answer has come to its end, or there was none.
    pub(crate) fn finish(&mut self) {
        self.finished = true;
    }

    /// The provider has begun to answer with this status.
    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.receipt.status = status.as_u16();
    }

    /// The provider refused what was made of a request, and gets the client's own body of so many bytes.
    pub(crate) fn replays(&mut self, bytes: u64) {
        self.receipt.replayed_original = true;
        self.receipt.bytes_out = bytes;
        self.receipt.tool_offered = false;
    }

    /// The turn could not be continued, or not be begun; this is what the client was told.
    pub(crate) fn refused(&mut self, status: StatusCode) {
        self.receipt.status = status.as_u16();
        self.finished = true;
    }
}

impl Drop for Filing {
    fn drop(&mut self) {
        let usage = self.usage;
        if usage != Usage::default() {
            self.receipt.usage = Some(billed(usage, Usage::default()));
            self.receipt.retrieval_usage = self.first_round.map(|first| billed(usage, first)).unwrap_or_default();
        }
        if !self.finished {
            self.receipt.cut_off = true;
            Metrics::count(&self.app.metrics.cut_off);
        }
        if let Some(observed) = &self.observed {
            let app = &self.app;
            app.engine.settle(&app.config.scope, observed, &mut self.receipt, &app.config.prices);
        }
        self.app.receipts.file(std::mem::take(&mut self.receipt));
    }
}

/// The beginning of a text, at most so many bytes.
fn at_most(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// What was billed after `earlier`, as receipts state it.
const fn billed(usage: Usage, earlier: Usage) -> headroom::Usage {
    headroom::Usage {
        input_tokens: usage.input.saturating_sub(earlier.input),
        cache_read_tokens: usage.cache_read.saturating_sub(earlier.cache_read),
        cache_write_tokens: usage.cache_write_5m.saturating_sub(earlier.cache_write_5m),
        cache_write_1h_tokens: usage.cache_write_1h.saturating_sub(earlier.cache_write_1h),
        output_tokens: usage.output.saturating_sub(earlier.output),
    }
}

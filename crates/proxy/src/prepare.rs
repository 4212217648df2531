//! From the client's bytes to the bytes to send: parse, recall, plan, commit, on a bounded number of threads.
//!
//! Nothing here can fail a request: a panic, a passed deadline or a store that does not answer sends what the client sent.

use std::borrow::Cow;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use headroom::{Observed, Outbound, Policy, Receipt};
use headroom_wire::{Dialect, Limits, Request, Turn, parse, parse_at};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, UPGRADE};
use http::request::Parts;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::app::App;
use crate::body::{Decoded, decode};
use crate::headers::{Sent, has_a_key};
use crate::metrics::Metrics;
use crate::refusal::Refusal;
use crate::room::{FREE_BYTES, Room};
use crate::witness::Speaker;

/// Bodies up to this many bytes are read where they are, and sent from there if memory knows everything about them: handing them to
/// another thread would take longer than that.
const INLINE_BYTES: usize = FREE_BYTES;

/// What the plan's own deadline is given on top before it is no longer waited for.
const GRACE: Duration = Duration::from_millis(500);

/// How long a plan that is being recorded is waited for beyond that: what is recorded should be what is sent. Twice what a
/// locked store takes to give up.
const RECORDING: Duration = Duration::from_secs(4);

/// A request ready to be sent.
pub(crate) struct Prepared {
    /// The body to send.
    pub(crate) body: Bytes,
    /// How it differs from the client's.
    pub(crate) sent: Sent,
    /// The request, where the body differs in what it says.
    pub(crate) changed: Option<Request>,
    /// Follows the answer.
    pub(crate) turn: Turn,
    /// The record so far.
    pub(crate) receipt: Receipt,
    /// Completes the record when the bill has come.
    pub(crate) observed: Option<Observed>,
}

/// Why a request is passed as it came without a look at its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is longer than what is read.
    TooLarge,
    /// Other requests take all the memory there is for bodies.
    NoRoom,
    /// Its content encoding is unknown or broken.
    Encoding,
    /// It is no request of its dialect.
    NotUnderstood,
    /// Preparing it took too long.
    Deadline,
    /// Preparing it failed.
    Panic,
}

impl Unread {
    /// The word for receipts.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::NoRoom => "no-room",
            Self::Encoding => "encoding",
            Self::NotUnderstood => "not-understood",
            Self::Deadline => "deadline",
            Self::Panic => "panic",
        }
    }
}

/// Prepares a request. Errors only when its body decodes to more than is allowed.
pub(crate) async fn prepare(
    app: &Arc<App>,
    dialect: Dialect,
    head: &Parts,
    raw: &Bytes,
    room: &Arc<Room>,
) -> Result<Prepared, Refusal> {
    let mut known = None;
    if raw.len() <= INLINE_BYTES && !head.headers.contains_key(CONTENT_ENCODING) {
        match catch_unwind(AssertUnwindSafe(|| at_once(app, dialect, head, raw))) {
            Ok(AtOnce::Ready(prepared)) => return Ok(*prepared),
            Ok(AtOnce::NotInMemory(request)) => known = Some(request),
            Err(_) => return Ok(failed(app, dialect, raw, Unread::Panic)),
        }
    }
    let job = Job {
        app: Arc::clone(app),
        dialect,
        path: head.uri.path().to_owned(),
        speaker: Speaker::of(head),
        headers: head.headers.clone(),
        raw: raw.clone(),
        known,
        claim: Arc::default(),
        begun: Instant::now(),
        room: Arc::clone(room),
    };
    let claim = Arc::clone(&job.claim);
    // A task of its own, so that it is finished when nobody waits for it any more: what was sent instead is recorded then.
    let mut working = tokio::spawn(job.done());
    let late = match timeout(app.config.policy.deadline + GRACE, &mut working).await {
        Ok(done) => return done.ok().flatten().unwrap_or_else(|| Ok(failed(app, dialect, raw, Unread::Panic))),
        // Nothing is recorded yet: from here on it is the client's own bytes that are sent, and that is what will be recorded.
        Err(_) if claim.take() => None,
        Err(_) => timeout(RECORDING, working).await.ok(),
    };
    match late {
        Some(done) => done.ok().flatten().unwrap_or_else(|| Ok(failed(app, dialect, raw, Unread::Panic))),
        None => Ok(failed(app, dialect, raw, Unread::Deadline)),
    }
}

/// Who decides what is sent: whoever takes it first, the worker that is about to record its plan or the request that has lost
/// patience.
#[derive(Debug, Default)]
struct Claim(AtomicBool);

impl Claim {
    fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

/// What can be said of a small request without waiting.
enum AtOnce {
    Ready(Box<Prepared>),
    NotInMemory(Request),
}

fn at_once(app: &App, dialect: Dialect, head: &Parts, raw: &Bytes) -> AtOnce {
    let Some(request) = read(dialect, head.uri.path(), &head.headers, raw.clone()) else {
        return AtOnce::Ready(Box::new(as_it_came(app, dialect, raw, Unread::NotUnderstood)));
    };
    match app.engine.prepare_from_memory(&app.config.scope, &request, &policy(app, &head.headers)) {
        Some(outbound) => AtOnce::Ready(Box::new(prepared(request, outbound, raw))),
        None => AtOnce::NotInMemory(request),
    }
}

/// Reads a request. `None` for an event of a connection that comes as a body: nobody keeps its response.
fn read(dialect: Dialect, path: &str, headers: &HeaderMap, body: Bytes) -> Option<Request> {
    let request = parse_at(dialect, path, body);
    (!request.is_connected() || headers.contains_key(UPGRADE)).then_some(request)
}

/// The policy for a request with these headers.
fn policy<'a>(app: &'a App, headers: &HeaderMap) -> Cow<'a, Policy> {
    match has_a_key(headers) {
        true => Cow::Owned(Policy { breakpoints: true, ..app.config.policy.clone() }),
        false => Cow::Borrowed(&app.config.policy),
    }
}

/// A request to be prepared on the pool.
struct Job {
    app: Arc<App>,
    dialect: Dialect,
    /// Path of the request; some dialects name the model there.
    path: String,
    speaker: Speaker,
    headers: HeaderMap,
    raw: Bytes,
    /// The request, if it has been parsed already.
    known: Option<Request>,
    claim: Arc<Claim>,
    begun: Instant,
    /// The body is held as long as this runs, so its room is taken as long.
    room: Arc<Room>,
}

impl Job {
    /// `None` when it panicked.
    async fn done(self) -> Option<Result<Prepared, Refusal>> {
        let permit = Arc::clone(&self.app.cpu).acquire_owned().await.ok()?;
        tokio::task::spawn_blocking(move || self.work(permit)).await.ok()
    }

    fn work(mut self, permit: OwnedSemaphorePermit) -> Result<Prepared, Refusal> {
        let app = Arc::clone(&self.app);
        let request = match self.known.take() {
            Some(request) => request,
            None => match decode(&self.headers, &self.raw, app.config.max_body_bytes)? {
                Decoded::Opaque => return Ok(as_it_came(&app, self.dialect, &self.raw, Unread::Encoding)),
                Decoded::Plain(plain) => {
                    let decoded = if plain.as_ptr() == self.raw.as_ptr() { 0 } else { plain.len() };
                    if !self.room.fits(self.raw.len() + decoded) {
                        Metrics::count(&app.metrics.unread);
                        return Ok(as_it_came(&app, self.dialect, &self.raw, Unread::NoRoom));
                    }
                    match read(self.dialect, &self.path, &self.headers, plain) {
                        Some(request) => request,
                        None => return Ok(as_it_came(&app, self.dialect, &self.raw, Unread::NotUnderstood)),
                    }
                }
            },
        };
        // Time in the queue counts: what is left of a request that waited too long is only noted down.
        let mut policy = policy(&app, &self.headers).into_owned();
        policy.deadline = policy.deadline.saturating_sub(self.begun.elapsed());
        let permit = Cell::new(Some(permit));
        let wanted = || {
            // What follows waits for the store, which takes no processor from others.
            drop(permit.take());
            self.claim.take()
        };
        let witness = || app.trees.witness(&self.speaker, &request);
        let outbound = app.engine.prepare_before(&witness, &app.config.scope, &request, &policy, &wanted);
        Ok(prepared(request, outbound, &self.raw))
    }
}

fn prepared(request: Request, outbound: Outbound, raw: &Bytes) -> Prepared {
    let Outbound { body, mut receipt, observed, .. } = outbound;
    if !request.is_understood() {
        receipt.unread = Unread::NotUnderstood.code().to_owned();
    }
    let changed = body.is_some().then(|| request.clone());
    let (body, sent) = match body {
        Some(body) => (Bytes::from(body), Sent::Decoded),
        None => (raw.clone(), Sent::AsItCame),
    };
    let limits = receipt.tool_offered.then(Limits::default);
    let turn = Turn::new(request, body.clone(), limits);
    Prepared { body, sent, changed, turn, receipt, observed }
}

/// The request untouched, because preparing it failed.
fn failed(app: &App, dialect: Dialect, raw: &Bytes, why: Unread) -> Prepared {
    Metrics::count(&app.metrics.failed_open);
    tracing::error!(why = why.code(), "a request could not be prepared; it is sent as it came");
    as_it_came(app, dialect, raw, why)
}

/// The request untouched.
fn as_it_came(app: &App, dialect: Dialect, raw: &Bytes, why: Unread) -> Prepared {
    let (turn, receipt) = unread(app, dialect, raw.len() as u64, why);
    Prepared { body: raw.clone(), sent: Sent::AsItCame, changed: None, turn, receipt, observed: None }
}

/// What follows, and what is recorded of, a request of so many bytes that is passed as it came.
pub(crate) fn unread(app: &App, dialect: Dialect, bytes: u64, why: Unread) -> (Turn, Receipt) {
    let receipt = Receipt {
        dialect: dialect.name().to_owned(),
        policy: app.config.policy.mode.to_string(),
        unread: why.code().to_owned(),
        bytes_in: bytes,
        bytes_out: bytes,
        ..Receipt::default()
    };
    (passing(dialect), receipt)
}

/// Follows the answer to a request that was sent as it came.
pub(crate) fn passing(dialect: Dialect) -> Turn {
    Turn::new(parse(dialect, Bytes::new()), Bytes::new(), None)
}

//! From the client's bytes to the bytes to send: parse, recall, plan, commit, on a bounded number of threads.
//!
//! Nothing here can fail a request: a panic or a passed deadline sends what the client sent.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use headroom::{Outbound, Receipt};
use headroom_wire::{Dialect, Limits, Request, Turn, parse};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use crate::app::App;
use crate::body::{Decoded, decode};
use crate::headers::Sent;
use crate::metrics::Metrics;
use crate::refusal::Refusal;

/// Bodies up to this many bytes are prepared where they are: handing them to another thread would take longer than the work.
const INLINE_BYTES: usize = 16 << 10;

/// What the plan's own deadline is given on top before it is no longer waited for.
const GRACE: Duration = Duration::from_millis(500);

/// A request ready to be sent.
pub(crate) struct Prepared {
    /// The body to send.
    pub(crate) body: Bytes,
    /// How it differs from the client's.
    pub(crate) sent: Sent,
    /// Whether it differs in what it says.
    pub(crate) changed: bool,
    /// Follows the answer.
    pub(crate) turn: Turn,
    /// The record so far.
    pub(crate) receipt: Receipt,
}

/// Prepares a request. Errors only when its body decodes to more than is allowed.
pub(crate) async fn prepare(
    app: &Arc<App>,
    dialect: Dialect,
    headers: &HeaderMap,
    raw: &Bytes,
) -> Result<Prepared, Refusal> {
    let encoded = headers.contains_key(CONTENT_ENCODING);
    let outcome = if raw.len() <= INLINE_BYTES && !encoded {
        catch_unwind(AssertUnwindSafe(|| work(app, dialect, headers, raw))).ok()
    } else {
        let (worker, headers, raw) = (Arc::clone(app), headers.clone(), raw.clone());
        let pooled = async {
            let permit = app.cpu.acquire().await.ok()?;
            let done = tokio::task::spawn_blocking(move || work(&worker, dialect, &headers, &raw)).await.ok();
            drop(permit);
            done
        };
        tokio::time::timeout(app.config.policy.deadline + GRACE, pooled).await.ok().flatten()
    };
    outcome.unwrap_or_else(|| {
        Metrics::count(&app.metrics.failed_open);
        tracing::error!("preparing a request failed; it is sent as it came");
        Ok(as_it_came(app, dialect, raw))
    })
}

fn work(app: &App, dialect: Dialect, headers: &HeaderMap, raw: &Bytes) -> Result<Prepared, Refusal> {
    match decode(headers, raw, app.config.max_body_bytes)? {
        Decoded::Opaque => Ok(as_it_came(app, dialect, raw)),
        Decoded::Plain(plain) => Ok(planned(app, parse(dialect, plain), raw)),
    }
}

fn planned(app: &App, request: Request, raw: &Bytes) -> Prepared {
    let Outbound { body, receipt, .. } = app.engine.prepare(&app.config.scope, &request, &app.config.policy);
    let changed = body.is_some();
    let (body, sent) = match body {
        Some(body) => (Bytes::from(body), Sent::Decoded),
        None => (raw.clone(), Sent::AsItCame),
    };
    let limits = receipt.tool_offered.then(Limits::default);
    let turn = Turn::new(request, body.clone(), limits);
    Prepared { body, sent, changed, turn, receipt }
}

/// The request untouched, for when it cannot be read or planning it failed.
pub(crate) fn as_it_came(app: &App, dialect: Dialect, raw: &Bytes) -> Prepared {
    let receipt = Receipt {
        dialect: dialect.name().to_owned(),
        policy: app.config.policy.mode.to_string(),
        bytes_in: raw.len() as u64,
        bytes_out: raw.len() as u64,
        ..Receipt::default()
    };
    let turn = Turn::new(parse(dialect, Bytes::new()), raw.clone(), None);
    Prepared { body: raw.clone(), sent: Sent::AsItCame, changed: false, turn, receipt }
}

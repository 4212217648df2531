//! Originals for the write-guard: what the marks stand for that a model has written into a call of the client's tools.

use std::sync::Arc;

use headroom::Handle;
use headroom_wire::guard::Original;

use crate::app::App;
use crate::metrics::Metrics;
use crate::relay::ANSWERING;

/// Looks originals up, in order. A store that takes too long cannot be read.
pub(crate) async fn originals(app: &Arc<App>, handles: Vec<Handle>) -> Vec<Original> {
    Metrics::count(&app.metrics.guarded);
    tracing::warn!(
        originals = handles.len(),
        "a call of the client's tools holds marks; they are expanded or it is refused"
    );
    let (owner, count) = (Arc::clone(app), handles.len());
    let looked_up = tokio::task::spawn_blocking(move || owner.engine.written(&owner.config.scope, &handles));
    let looked_up = tokio::time::timeout(ANSWERING, looked_up).await.ok().and_then(Result::ok);
    looked_up.unwrap_or_else(|| vec![Original::Unreadable; count])
}

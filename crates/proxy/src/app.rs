//! What all requests share.

use std::sync::Arc;
use std::time::Duration;

use headroom::Engine;
use tokio::sync::Semaphore;

use crate::Config;
use crate::access::Known;
use crate::metrics::Metrics;
use crate::receipts::Receipts;
use crate::room::Rooms;
use crate::upgrade::Upgrades;
use crate::upstream::Upstream;
use crate::witness::Trees;

/// The running proxy, as its requests see it.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) engine: Engine,
    pub(crate) upstream: Upstream,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) receipts: Receipts,
    /// One permit for each request that may be planned at once.
    pub(crate) cpu: Arc<Semaphore>,
    /// Memory for request bodies.
    pub(crate) rooms: Rooms,
    /// Where the agents of this machine work.
    pub(crate) trees: Trees,
    /// Who was let in.
    pub(crate) known: Known,
    /// Connections that are no longer the server's.
    pub(crate) upgrades: Upgrades,
}

/// How long work behind a request's back may hold up its answer. An undisturbed store takes a few milliseconds.
const PATIENCE: Duration = Duration::from_millis(250);

/// Does store work that the client's next request should find done. Waits for it, but not long: a slow store must not hold up
/// an answer.
pub(crate) async fn soon(work: impl FnOnce() + Send + 'static) {
    let _ = tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(work)).await;
}

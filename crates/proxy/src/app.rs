//! What all requests share.

use std::sync::Arc;

use headroom::Engine;
use tokio::sync::Semaphore;

use crate::Config;
use crate::metrics::Metrics;
use crate::receipts::Receipts;
use crate::upstream::Upstream;

/// The running proxy, as its requests see it.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) engine: Engine,
    pub(crate) upstream: Upstream,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) receipts: Receipts,
    /// One permit for each request that may be planned at once.
    pub(crate) cpu: Semaphore,
}

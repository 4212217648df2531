//! Receipts are filed behind the requests' backs, by one writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use headroom::{Engine, Receipt};
use headroom_store::Scope;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::metrics::Metrics;

/// Receipts that may wait to be filed. More are dropped and counted: a slow disk must not slow requests.
const QUEUE: usize = 4096;

/// The way to the writer. When the last one is gone and the queue is empty, the writer ends.
#[derive(Clone)]
pub(crate) struct Receipts {
    queue: mpsc::Sender<Receipt>,
    metrics: Arc<Metrics>,
}

impl Receipts {
    /// Starts the writer.
    pub(crate) fn start(engine: Engine, scope: Scope, metrics: Arc<Metrics>) -> (Self, JoinHandle<()>) {
        let (queue, mut waiting) = mpsc::channel::<Receipt>(QUEUE);
        let writer = tokio::task::spawn_blocking(move || {
            while let Some(receipt) = waiting.blocking_recv() {
                engine.close(&scope, &receipt);
            }
        });
        (Self { queue, metrics }, writer)
    }

    /// Counts a receipt and queues it.
    pub(crate) fn file(&self, receipt: Receipt) {
        self.metrics.observe(&receipt);
        if self.queue.try_send(receipt).is_err() {
            Metrics::count(&self.metrics.receipts_dropped);
        }
    }
}

/// A fresh request id: unique in this process, and among processes by the time of their first request.
pub(crate) fn fresh_id(at_ms: u64) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("hrq_{at_ms:x}_{:x}_{:x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

//! Receipts are filed behind the requests' backs, by one writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use headroom::{Engine, Receipt};
use headroom_store::Scope;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::metrics::Metrics;

/// Receipts that may wait to be filed. More are dropped and counted: a slow disk must not slow requests.
const QUEUE: usize = 4096;

/// How long the writer gathers receipts before it writes them together: it should not compete with the requests it is about.
const GATHER: Duration = Duration::from_millis(50);

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
                let mut receipts = vec![receipt];
                if !waiting.is_closed() {
                    std::thread::sleep(GATHER);
                }
                while let Ok(receipt) = waiting.try_recv() {
                    receipts.push(receipt);
                }
                engine.close_all(&scope, &receipts);
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
pub fn fresh_id(at_ms: u64) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("hrq_{at_ms:x}_{:x}_{:x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

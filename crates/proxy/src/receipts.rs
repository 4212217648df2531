//! Receipts are filed behind the requests' backs, by one writer.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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

/// Decisions in the receipts kept in memory, so that one can be asked for as soon as its answer has ended, and also when no store can be
/// read. One takes about 400 bytes; a receipt counts as one more.
const RECENT: usize = 8192;

/// The way to the writer. When the last one is gone and the queue is empty, the writer ends.
#[derive(Clone)]
pub(crate) struct Receipts {
    queue: mpsc::Sender<Receipt>,
    metrics: Arc<Metrics>,
    recent: Arc<Mutex<VecDeque<Receipt>>>,
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
        (Self { queue, metrics, recent: Arc::default() }, writer)
    }

    /// Counts a receipt and queues it.
    pub(crate) fn file(&self, receipt: Receipt) {
        self.metrics.observe(&receipt);
        self.keep(&receipt);
        if self.queue.try_send(receipt).is_err() {
            Metrics::count(&self.metrics.receipts_dropped);
        }
    }

    fn keep(&self, receipt: &Receipt) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.push_back(receipt.clone());
        let mut decisions: usize = recent.iter().map(|receipt| receipt.slots.len() + 1).sum();
        while decisions > RECENT
            && let Some(oldest) = recent.pop_front()
        {
            decisions -= oldest.slots.len() + 1;
        }
    }

    /// The receipt with an id, if it is one of the last.
    pub(crate) fn recent(&self, id: &str) -> Option<Receipt> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.iter().rev().find(|receipt| receipt.id == id).cloned()
    }
}

/// A fresh request id: unique in this process, and among processes by the time of their first request.
pub fn fresh_id(at_ms: u64) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("hrq_{at_ms:x}_{:x}_{:x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

//! Receipts are filed behind the requests' backs, by one writer.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use headroom::{Engine, Receipt};
use headroom_store::Scope;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::metrics::Metrics;
#[cfg(feature = "otlp")]
use crate::telemetry::Telemetry;

/// Receipts that may wait to be filed. More are dropped and counted: a slow disk must not slow requests.
const QUEUE: usize = 4096;

/// How long the writer gathers receipts before it writes them together: it should not compete with the requests it is about.
const GATHER: Duration = Duration::from_millis(50);

/// Decisions in the receipts kept in memory, so that one can be asked for as soon as its answer has ended, and also when no store can be
/// read. One takes about 400 bytes; a receipt counts as one more.
const RECENT: usize = 8192;
/// How long a store that is away is left alone before it is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// Receipts that are not filed yet.
struct Held {
    receipts: Vec<Receipt>,
    /// Whether the store did not take the last ones.
    away: bool,
}

impl Held {
    /// Files what is held. What the store cannot take stays, the latest of it as far as there is room; the rest is counted as dropped.
    fn file(&mut self, engine: &Engine, scope: &Scope, metrics: &Metrics) {
        let filed = engine.close_all(scope, &self.receipts);
        if !filed && !self.away {
            tracing::warn!("receipts cannot be filed; they are held until the store takes them again");
        }
        self.away = !filed;
        if filed {
            self.receipts.clear();
            return;
        }
        let too_many = self.receipts.len().saturating_sub(QUEUE);
        self.receipts.drain(..too_many);
        (0..too_many).for_each(|_| Metrics::count(&metrics.receipts_dropped));
    }
}

/// Who is told of every receipt at once.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) metrics: Arc<Metrics>,
    #[cfg(feature = "otlp")]
    pub(crate) telemetry: Arc<Telemetry>,
}

/// The way to the writer. When the last one is gone and the queue is empty, the writer ends.
#[derive(Clone)]
pub(crate) struct Receipts {
    queue: mpsc::Sender<Receipt>,
    told: Told,
    recent: Arc<Mutex<Recent>>,
}

/// The last receipts.
#[derive(Default)]
struct Recent {
    receipts: VecDeque<Receipt>,
    /// What they count against [`RECENT`].
    decisions: usize,
}

impl Receipts {
    /// Starts the writer.
    pub(crate) fn start(engine: Engine, scope: Scope, told: Told) -> (Self, JoinHandle<()>) {
        let (queue, mut waiting) = mpsc::channel::<Receipt>(QUEUE);
        let (runtime, ending) = (Handle::current(), told.clone());
        let writer = tokio::task::spawn_blocking(move || {
            let counts = ending.metrics;
            // What a store that is away could not take yet.
            let mut held = Held { receipts: Vec::new(), away: false };
            loop {
                let next = match held.receipts.is_empty() {
                    true => waiting.blocking_recv(),
                    false => match runtime.block_on(async { timeout(AGAIN, waiting.recv()).await }) {
                        Ok(next) => next,
                        Err(_) => {
                            held.file(&engine, &scope, &counts);
                            continue;
                        }
                    },
                };
                let Some(receipt) = next else { break };
                held.receipts.push(receipt);
                if !waiting.is_closed() {
                    std::thread::sleep(GATHER);
                }
                while let Ok(receipt) = waiting.try_recv() {
                    held.receipts.push(receipt);
                }
                held.file(&engine, &scope, &counts);
            }
            // The last chance.
            held.file(&engine, &scope, &counts);
            #[cfg(feature = "otlp")]
            ending.telemetry.close();
        });
        (Self { queue, told, recent: Arc::default() }, writer)
    }

    /// Counts a receipt and queues it.
    pub(crate) fn file(&self, receipt: Receipt) {
        self.told.metrics.observe(&receipt);
        #[cfg(feature = "otlp")]
        self.told.telemetry.observe(&receipt);
        self.keep(&receipt);
        if self.queue.try_send(receipt).is_err() {
            Metrics::count(&self.told.metrics.receipts_dropped);
        }
    }

    fn keep(&self, receipt: &Receipt) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.decisions += receipt.slots.len() + 1;
        recent.receipts.push_back(receipt.clone());
        while recent.decisions > RECENT
            && let Some(oldest) = recent.receipts.pop_front()
        {
            recent.decisions -= oldest.slots.len() + 1;
        }
    }

    /// The receipt with an id, if it is one of the last.
    pub(crate) fn recent(&self, id: &str) -> Option<Receipt> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.receipts.iter().rev().find(|receipt| receipt.id == id).cloned()
    }
}

/// A fresh request id: unique in this process, and among processes by the time of their first request.
pub fn fresh_id(at_ms: u64) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("hrq_{at_ms:x}_{:x}_{:x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

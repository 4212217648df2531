//! Counters of a running proxy, and their Prometheus text.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use headroom::{Guarded, Miss, Receipt};

/// Upper ends of the buckets for added time, in microseconds.
const BUCKETS: [u64; 10] = [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 50_000, 250_000];

/// Everything counted since the start. No content, no names from requests.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// Requests of a dialect that went through the engine.
    pub(crate) exchanges: AtomicU64,
    /// Requests passed on without being looked at.
    pub(crate) tunnelled: AtomicU64,
    /// Connections on which responses are asked for in messages.
    pub(crate) websockets: AtomicU64,
    /// Requests refused here.
    pub(crate) refused: AtomicU64,
    /// Requests for which the provider gave no answer.
    pub(crate) upstream_failures: AtomicU64,
    /// Requests sent as they came because planning panicked or took too long.
    pub(crate) failed_open: AtomicU64,
    /// Requests of a dialect passed on unread: too large, or no room for them.
    pub(crate) unread: AtomicU64,
    /// Changed bodies that the provider refused and that were sent again as they came.
    pub(crate) replayed: AtomicU64,
    /// Answers in which a call of the client's tools held marks.
    pub(crate) guarded: AtomicU64,
    /// Answers cut off, by the provider or by the client.
    pub(crate) cut_off: AtomicU64,
    /// Receipts that found no room.
    pub(crate) receipts_dropped: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    tokens_before: AtomicU64,
    tokens_after: AtomicU64,
    retrievals: AtomicU64,
    retrieval_misses: AtomicU64,
    billed_input: AtomicU64,
    billed_cache_read: AtomicU64,
    billed_cache_write: AtomicU64,
    billed_output: AtomicU64,
    /// By cause, in the order of [`Miss::CAUSES`].
    missed: [AtomicU64; Miss::CAUSES.len()],
    /// Calls of the client's tools in which the model wrote marks, in the order of [`Guarded::OUTCOMES`].
    calls: [AtomicU64; Guarded::OUTCOMES.len()],
    drifting: AtomicU64,
    stop_losses: AtomicU64,
    added_us: AtomicU64,
    added: [AtomicU64; BUCKETS.len()],
}

impl Metrics {
    /// Counts one.
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a finished exchange.
    pub(crate) fn observe(&self, receipt: &Receipt) {
        let add = |counter: &AtomicU64, value: u64| counter.fetch_add(value, Ordering::Relaxed);
        add(&self.exchanges, 1);
        add(&self.bytes_in, receipt.bytes_in);
        add(&self.bytes_out, receipt.bytes_out);
        add(&self.tokens_before, receipt.tokens_before);
        add(&self.tokens_after, receipt.tokens_after);
        add(&self.retrievals, receipt.retrievals.into());
        add(&self.retrieval_misses, receipt.retrieval_misses.into());
        if let Some(usage) = &receipt.usage {
            add(&self.billed_input, usage.input_tokens);
            add(&self.billed_cache_read, usage.cache_read_tokens);
            add(&self.billed_cache_write, usage.cache_write_tokens + usage.cache_write_1h_tokens);
            add(&self.billed_output, usage.output_tokens);
        }
        add(&self.stop_losses, u64::from(receipt.stop_loss.is_some()));
        add(&self.drifting, u64::from(!receipt.drift.volatile.is_empty()));
        if let Some(miss) = &receipt.miss
            && let Some(cause) = Miss::CAUSES.iter().position(|cause| *cause == miss.cause)
        {
            add(&self.missed[cause], miss.tokens());
        }
        for call in &receipt.guarded {
            if let Some(outcome) = Guarded::OUTCOMES.iter().position(|outcome| *outcome == call.outcome) {
                add(&self.calls[outcome], 1);
            }
        }
        add(&self.added_us, receipt.added_us);
        if let Some(bucket) = BUCKETS.iter().position(|end| receipt.added_us <= *end) {
            add(&self.added[bucket], 1);
        }
    }

    /// Name, help and value of every counter.
    pub(crate) fn counters(&self) -> Vec<(&'static str, &'static str, u64)> {
        let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        vec![
            ("exchanges", "Requests that went through the engine", value(&self.exchanges)),
            ("tunnelled", "Requests passed on without being looked at", value(&self.tunnelled)),
            ("websockets", "WebSockets opened to ask for responses", value(&self.websockets)),
            ("refused", "Requests refused by the proxy", value(&self.refused)),
            ("upstream_failures", "Requests without an answer from the provider", value(&self.upstream_failures)),
            ("failed_open", "Requests sent as they came because planning failed", value(&self.failed_open)),
            (
                "unread",
                "Requests passed on unread because they were too large or memory was short",
                value(&self.unread),
            ),
            ("replayed", "Refused bodies that were sent again as they came", value(&self.replayed)),
            ("guarded_answers", "Answers in which a call of the client's tools held marks", value(&self.guarded)),
            ("cut_off", "Answers cut off by the provider or the client", value(&self.cut_off)),
            ("receipts_dropped", "Receipts that could not be queued", value(&self.receipts_dropped)),
            ("bytes_in", "Bytes of request bodies as they came", value(&self.bytes_in)),
            ("bytes_out", "Bytes of request bodies as they were sent", value(&self.bytes_out)),
            ("tokens_before", "Tokens that changed texts had", value(&self.tokens_before)),
            ("tokens_after", "Tokens that changed texts have", value(&self.tokens_after)),
            ("retrievals", "Retrievals answered", value(&self.retrievals)),
            ("retrieval_misses", "Retrievals that found nothing", value(&self.retrieval_misses)),
            ("billed_input_tokens", "Uncached input tokens billed", value(&self.billed_input)),
            ("billed_cache_read_tokens", "Cache-read tokens billed", value(&self.billed_cache_read)),
            ("billed_cache_write_tokens", "Cache-write tokens billed", value(&self.billed_cache_write)),
            (
                "stop_losses",
                "Conversations no longer shortened because that had cost more than it saved",
                value(&self.stop_losses),
            ),
            ("drifting", "Requests with a value that changes where a cache would hold it", value(&self.drifting)),
            ("billed_output_tokens", "Output tokens billed", value(&self.billed_output)),
        ]
    }

    /// Tokens that caches missed, by cause.
    pub(crate) fn missed(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Miss::CAUSES.into_iter().zip(self.missed.iter().map(|counter| counter.load(Ordering::Relaxed)))
    }

    /// Calls of the client's tools in which the model wrote marks, by what was done about them.
    pub(crate) fn guarded_calls(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Guarded::OUTCOMES.into_iter().zip(self.calls.iter().map(|counter| counter.load(Ordering::Relaxed)))
    }

    /// The Prometheus exposition text.
    pub(crate) fn prometheus(&self) -> String {
        let mut text = String::new();
        for (name, help, value) in self.counters() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# HELP headroom_{name}_total {help}.\n# TYPE headroom_{name}_total counter");
            let _ = writeln!(text, "headroom_{name}_total {value}");
        }
        let _ = writeln!(
            text,
            "# HELP headroom_cache_missed_tokens_total Tokens billed anew that a cache could have held."
        );
        let _ = writeln!(text, "# TYPE headroom_cache_missed_tokens_total counter");
        for (cause, tokens) in self.missed() {
            let _ = writeln!(text, "headroom_cache_missed_tokens_total{{cause=\"{cause}\"}} {tokens}");
        }
        let _ = writeln!(
            text,
            "# HELP headroom_guarded_calls_total Calls of the client's tools in which the model wrote marks."
        );
        let _ = writeln!(text, "# TYPE headroom_guarded_calls_total counter");
        for (outcome, calls) in self.guarded_calls() {
            let _ = writeln!(text, "headroom_guarded_calls_total{{outcome=\"{outcome}\"}} {calls}");
        }
        let _ = writeln!(text, "# HELP headroom_added_seconds Time spent on planning and committing.");
        let _ = writeln!(text, "# TYPE headroom_added_seconds histogram");
        let mut below = 0;
        for (end, counter) in BUCKETS.iter().zip(&self.added) {
            below += counter.load(Ordering::Relaxed);
            let _ = writeln!(text, "headroom_added_seconds_bucket{{le=\"{}\"}} {below}", *end as f64 / 1e6);
        }
        let all = self.exchanges.load(Ordering::Relaxed);
        let sum = self.added_us.load(Ordering::Relaxed) as f64 / 1e6;
        let _ = writeln!(text, "headroom_added_seconds_bucket{{le=\"+Inf\"}} {all}");
        let _ = writeln!(text, "headroom_added_seconds_sum {sum}\nheadroom_added_seconds_count {all}");
        text
    }
}

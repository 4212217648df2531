//! Stop-loss: a conversation that has cost more than it would have directly is not shortened any further.

use std::sync::{Arc, Mutex, PoisonError};

use headroom_core::Reason;
use headroom_store::{Batch, Lineage, Rendering, Scope};

use super::Engine;
use crate::ledger::{Account, Prices};
use crate::plan::Lineages;
use crate::{Observed, Receipt, StopLoss};

/// A loss counts from this share of what the conversation would have cost directly on: below it the figures are not that exact.
const FROM_SHARE: f64 = 0.002;

/// What a conversation has cost since this process knows it.
#[derive(Debug)]
pub(crate) struct Running {
    /// Under which it is filed that it is not shortened any further.
    key: Lineage,
    sums: Mutex<Sums>,
}

#[derive(Debug, Default)]
struct Sums {
    requests: u64,
    retrievals: u64,
    cost: f64,
    direct: f64,
    stopped: bool,
}

impl Running {
    /// Adds a request; the loss when the conversation is to be stopped with it.
    fn add(&self, receipt: &Receipt, account: &Account) -> Option<StopLoss> {
        let mut sums = self.sums.lock().unwrap_or_else(PoisonError::into_inner);
        sums.requests += 1;
        sums.retrievals += u64::from(receipt.retrievals);
        sums.cost += account.cost;
        sums.direct += account.direct_cost;
        let lost = sums.cost - sums.direct;
        // Nothing but retrievals can make shortening dearer than it is worth.
        if sums.stopped || sums.retrievals == 0 || lost <= sums.direct * FROM_SHARE {
            return None;
        }
        sums.stopped = true;
        let conversation = self.key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        Some(StopLoss { conversation, requests: sums.requests, lost_micros: (lost * 1e6).round() as u64 })
    }
}

impl Engine {
    /// Completes a receipt that has its id, its status and its usage: what the client's changes cost, what the cache missed and why, and whether the
    /// conversation has cost more than it would have directly, in which case it is not shortened any further from now on. Never waits;
    /// [`close_all`](Self::close_all) makes it survive this process.
    pub fn settle(&self, scope: &Scope, observed: &Observed, receipt: &mut Receipt, prices: &Prices) {
        observed.settle(receipt);
        let Some(running) = &observed.running else { return };
        let Some(account) = Account::lost(receipt, prices) else { return };
        receipt.stop_loss = running.add(receipt, &account);
        if let Some(stop) = &receipt.stop_loss {
            tracing::warn!(
                request = receipt.id,
                lost_micros = stop.lost_micros,
                "a conversation cost more than directly; what is new in it is sent as it comes from now on"
            );
            let rendering = Arc::new(Rendering::kept(Reason::StopLoss));
            self.inner.renderings.replace(scope.digest(), running.key, rendering, 0);
        }
    }

    /// The sums of a request's conversation.
    pub(super) fn running(&self, digest: Lineage, lineages: &Lineages<'_>) -> Arc<Running> {
        let key = lineages.stop_loss();
        let memo = &self.inner.running;
        memo.get(digest, key).unwrap_or_else(|| {
            let running = Arc::new(Running { key, sums: Mutex::default() });
            memo.insert(digest, key, Arc::clone(&running), 0);
            // Another request of the conversation may have come first.
            memo.get(digest, key).unwrap_or(running)
        })
    }
}

/// Records that a conversation is not shortened any further.
pub(super) fn record(batch: &mut Batch, stop: &StopLoss) {
    let byte = |at: usize| u8::from_str_radix(stop.conversation.get(2 * at..2 * at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..16).map(byte).collect();
    if let Some(key) = bytes.and_then(|bytes| bytes.try_into().ok()) {
        batch.render(Lineage::from_bytes(key), Rendering::kept(Reason::StopLoss));
    }
}

//! The engine: recall, plan, commit; and the store behind them.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use headroom_core::{ContentHash, Handle};
use headroom_store::{Batch, Lineage, Rendering, Scope, Store, StoreError, StoredReceipt};
use headroom_tokens::Tokenizer;
use headroom_wire::{Exchange, Request, SlotRole};

use crate::memo::Memo;
use crate::plan::{self, Known, Lineages, Plan};
use crate::{Answer, Mode, Policy, Query, Receipt, SlotReceipt};

/// Bytes of renderings held in memory. Enough for the live part of a few dozen long conversations.
const MEMO_BYTES: usize = 16 << 20;

/// The engine behind every door. Cheap to clone; clones share the store.
#[derive(Clone, Debug)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    memo: Memo,
}

/// A request as it is to be sent.
#[derive(Clone, Debug)]
pub struct Outbound {
    /// The body to forward; `None` when it is the client's own, byte for byte.
    pub body: Option<Vec<u8>>,
    /// Whether the model can call the retrieval tool on this request.
    pub redeemable: bool,
    /// The receipt so far: everything but the provider's answer.
    pub receipt: Receipt,
}

impl Engine {
    /// An engine on a store.
    pub fn new(store: Store) -> Self {
        Self { inner: Arc::new(Inner { store, memo: Memo::new(MEMO_BYTES) }) }
    }

    /// The store behind it.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Decides how a request is sent, records what has to be recorded, and makes the body.
    ///
    /// Cannot fail: where the store cannot be read, everything is decided anew; where it cannot be written, everything decided now is sent
    /// as it came. Blocks on the store; run it where blocking is fine.
    pub fn prepare(&self, scope: &Scope, request: &Request, policy: &Policy) -> Outbound {
        let started = Instant::now();
        let mut outbound = if policy.mode < Mode::Lossless || request.slots().is_empty() {
            Outbound { body: None, redeemable: request.has_retrieval_tool(), receipt: receipt_of(request, policy) }
        } else {
            self.prepare_slots(&Arc::new(scope.clone()), request, policy, started)
        };
        outbound.receipt.bytes_out = outbound.body.as_ref().map_or(request.body().len(), Vec::len) as u64;
        outbound.receipt.added_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        outbound
    }

    fn prepare_slots(&self, scope: &Arc<Scope>, request: &Request, policy: &Policy, started: Instant) -> Outbound {
        let lineages = plan::lineages(request);
        let known = self.recall(scope, request, &lineages);
        let late = || started.elapsed() > policy.deadline;
        let mut plan = plan::plan(request, &lineages, &known, policy, self.store().handle_key(), &late);
        self.commit(scope, &lineages, &mut plan);
        let insertion = plan.offer.then(|| request.offer_tool()).flatten();
        let edits = plan.edits();
        let mut insertions: Vec<_> = insertion.into_iter().collect();
        let offered = !insertions.is_empty();
        if offered {
            insertions.extend(request.reinsert(&self.exchanges(scope, request)));
        }
        let body = (!edits.is_empty() || offered).then(|| request.splice(&edits, &insertions));
        let mut receipt = receipt_of(request, policy);
        receipt.tool_offered = offered;
        fill_slots(&mut receipt, request, &plan);
        Outbound { body, redeemable: offered || request.has_retrieval_tool(), receipt }
    }

    /// What was sent before: from memory, and from the store for what memory does not have.
    ///
    /// Slots below the floor are never changed and the offer needs tools, so neither is asked for otherwise: a small request does
    /// not touch the store.
    fn recall(&self, scope: &Arc<Scope>, request: &Request, lineages: &Lineages) -> Known {
        let mut known = Known::new();
        let mut missing = Vec::new();
        let slots = request.slots().iter().zip(&lineages.slots);
        let sizeable = slots.filter(|(slot, _)| slot.text().len() >= plan::FLOOR_BYTES).map(|(_, lineage)| lineage);
        for lineage in sizeable.chain(request.tools().map(|_| &lineages.conversation)) {
            match self.inner.memo.get(scope, *lineage) {
                Some(rendering) => drop(known.insert(*lineage, Rendering::clone(&rendering))),
                None => missing.push(*lineage),
            }
        }
        if missing.is_empty() {
            return known;
        }
        match self.store().renderings(scope, &missing) {
            Ok(found) => {
                for (lineage, rendering) in missing.into_iter().zip(found) {
                    let Some(rendering) = rendering else { continue };
                    self.inner.memo.insert(scope, lineage, Arc::new(rendering.clone()));
                    known.insert(lineage, rendering);
                }
            }
            Err(error) => tracing::warn!(%error, "earlier renderings could not be read; they are computed again"),
        }
        known
    }

    /// Keeps the originals and renderings of a plan. After this, either they can be read back, or the plan has no fresh edits.
    fn commit(&self, scope: &Arc<Scope>, lineages: &Lineages, plan: &mut Plan) {
        if plan.fresh.is_empty() {
            return;
        }
        let mut batch = Batch::at(now_ms());
        batch.continues(lineages.conversation);
        for original in std::mem::take(&mut plan.originals) {
            batch.keep(self.store().handle_key(), original);
        }
        for (lineage, rendering) in &plan.fresh {
            batch.render(*lineage, rendering.clone());
        }
        let decided: Vec<(Lineage, Rendering)> = match self.store().write(scope, batch) {
            Ok(()) => plan.fresh.clone(),
            Err(error) => {
                tracing::warn!(%error, "the store could not keep this request's originals; it is sent as it came");
                let refused = plan
                    .fresh
                    .iter()
                    .map(|(lineage, _)| (*lineage, Rendering::kept(headroom_core::Reason::StoreFailed)));
                let refused = refused.collect();
                plan.give_up();
                refused
            }
        };
        // Also when the store failed: what is sent now must be sent again on the next turn.
        for (lineage, rendering) in decided {
            self.inner.memo.insert(scope, lineage, Arc::new(rendering));
        }
    }

    /// The hidden exchanges of earlier turns that this request's history may need.
    fn exchanges(&self, scope: &Scope, request: &Request) -> Vec<Exchange> {
        let keys: Vec<Lineage> = request.exchange_keys().iter().map(|key| exchange_key(*key)).collect();
        if keys.is_empty() {
            return Vec::new();
        }
        match self.store().exchanges(scope, &keys) {
            Ok(found) => found.iter().flatten().filter_map(|document| serde_json::from_str(document).ok()).collect(),
            Err(error) => {
                tracing::warn!(%error, "hidden exchanges could not be read; this request goes without them");
                Vec::new()
            }
        }
    }

    /// Keeps a hidden exchange, so that later requests of its conversation get it back. Says whether it is kept; if not, later
    /// turns go without it. Blocks on the store.
    pub fn remember(&self, scope: &Scope, exchange: &Exchange) -> bool {
        let Ok(document) = serde_json::to_string(exchange) else { return false };
        let mut batch = Batch::at(now_ms());
        batch.exchange(exchange_key(exchange.key()), document);
        let kept = self.store().write(scope, batch);
        if let Err(error) = &kept {
            tracing::warn!(%error, "a hidden exchange could not be kept; later turns go without it");
        }
        kept.is_ok()
    }

    /// Answers a question about an original.
    pub fn answer(&self, scope: &Scope, query: &Query) -> Answer {
        crate::answer::answer(self.store(), scope, query)
    }

    /// The whole original under a handle, byte for byte.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn original(&self, scope: &Scope, handle: Handle) -> Result<Option<String>, StoreError> {
        self.store().original(scope, handle)
    }

    /// Files a receipt. A store that cannot take it costs a line in the log, nothing else.
    pub fn close(&self, scope: &Scope, receipt: &Receipt) {
        self.close_all(scope, std::slice::from_ref(receipt));
    }

    /// Files several receipts in one write.
    pub fn close_all(&self, scope: &Scope, receipts: &[Receipt]) {
        let Some(last) = receipts.last() else { return };
        let mut batch = Batch::at(last.at_ms);
        for receipt in receipts {
            if let Ok(document) = serde_json::to_string(receipt) {
                batch.receipt(StoredReceipt { id: receipt.id.clone(), at_ms: receipt.at_ms, document });
            }
        }
        if let Err(error) = self.store().write(scope, batch) {
            tracing::warn!(%error, count = receipts.len(), "receipts could not be kept");
        }
    }

    /// Receipts at or after a time, oldest first. Documents that this version cannot read are left out.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn receipts(&self, scope: &Scope, since_ms: u64) -> Result<Vec<Receipt>, StoreError> {
        let stored = self.store().receipts(scope, since_ms)?;
        Ok(stored.iter().filter_map(|receipt| serde_json::from_str(&receipt.document).ok()).collect())
    }

    /// The receipt of one request.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn receipt(&self, scope: &Scope, id: &str) -> Result<Option<Receipt>, StoreError> {
        let stored = self.store().receipt(scope, id)?;
        Ok(stored.and_then(|receipt| serde_json::from_str(&receipt.document).ok()))
    }
}

/// Under which the store files an exchange.
fn exchange_key(key: ContentHash) -> Lineage {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&key.as_bytes()[..16]);
    Lineage::from_bytes(bytes)
}

/// Milliseconds since the Unix epoch; 0 on a machine whose clock stands before it.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn receipt_of(request: &Request, policy: &Policy) -> Receipt {
    let model = request.model().unwrap_or_default();
    Receipt {
        at_ms: now_ms(),
        dialect: request.dialect().name().to_owned(),
        model: model.to_owned(),
        session: request.session().unwrap_or_default().to_owned(),
        policy: policy.mode.to_string(),
        bytes_in: request.body().len() as u64,
        tokenizer: Tokenizer::for_model(model).name().to_owned(),
        ..Receipt::default()
    }
}

fn fill_slots(receipt: &mut Receipt, request: &Request, plan: &Plan) {
    for (slot, planned) in request.slots().iter().zip(&plan.slots) {
        let rendering = &planned.rendering;
        let (before, after) = (u64::from(rendering.tokens.0), u64::from(rendering.tokens.1));
        receipt.tokens_before += before;
        receipt.tokens_after += after;
        receipt.slots.push(SlotReceipt {
            role: match slot.role() {
                SlotRole::ToolResult => "result".to_owned(),
                SlotRole::UserText => "user".to_owned(),
            },
            tool: slot.tool().unwrap_or_default().to_owned(),
            kind: planned.kind.map(|kind| kind.to_string()).unwrap_or_default(),
            reason: rendering.reason.code().to_owned(),
            compressor: rendering.compressor.clone(),
            fresh: planned.fresh,
            bytes: slot.text().len() as u64,
            tokens_before: before,
            tokens_after: after,
            handles: rendering.handles.iter().map(Handle::to_string).collect(),
        });
    }
}

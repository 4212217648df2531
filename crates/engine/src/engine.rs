//! The engine: recall, plan, commit; and the store behind them.

mod align;
mod loss;

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use headroom_core::{ContentHash, Handle, Reason};
use headroom_store::{Batch, Lineage, Rendering, Scope, Store, StoreError, StoredReceipt};
use headroom_tokens::Tokenizer;
use headroom_wire::{Edit, Exchange, Insertion, Request, Role, SlotRole};

use self::align::{Head, Heads, Kept};
pub(crate) use self::loss::Running;
use crate::align::Stable;
use crate::memo::Memo;
use crate::memory::Witness;
use crate::plan::{self, Compress, Indexes, Known, Lineages, Plan, Processors, Spellings};
use crate::reuse::Reuse;
use crate::sent::lineage_text;
use crate::trace::{Observed, Seen, Traces};
use crate::{Align, Answer, Mode, Policy, Query, Receipt, SlotReceipt, route};

/// Bytes of renderings held in memory. Enough for the live part of a few dozen long conversations.
const MEMO_BYTES: usize = 16 << 20;

/// Bytes held to know which assistant messages had a hidden exchange. Most have none: then only that is held.
const EXCHANGE_MEMO_BYTES: usize = 4 << 20;

/// Bytes held to know what conversations have cost: about 4,000 of them.
const RUNNING_BYTES: usize = 1 << 20;

/// The engine behind every door. Cheap to clone; clones share the store.
#[derive(Clone, Debug)]
pub struct Engine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    compress: Compress,
    processors: Processors,
    renderings: Memo<Rendering>,
    spellings: Spellings,
    indexes: Indexes,
    /// Exchanges by their key, and `None` by that of a message that was looked up and had none. That is final: an exchange is held
    /// before the client sees the message it belongs to.
    exchanges: Memo<Option<Exchange>>,
    traces: Traces,
    heads: Heads,
    running: Memo<Running>,
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
    /// What was seen of the request, to be asked when its bill has come; `None` where nothing was looked at.
    pub observed: Option<Observed>,
}

/// Markers are added to a conversation that has this many bytes: providers cache from 1,024 tokens on.
const CACHEABLE_BYTES: usize = 6_000;

/// Where a preparation may look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// In memory only: nothing waits.
    Memory,
    /// In the store as well.
    Store,
}

/// What was looked up for a request.
enum Recalled {
    /// All that is known.
    Known(Known),
    /// Memory does not know all of it, and the store was not to be asked.
    NotInMemory,
    /// The store could not be read.
    Unreadable(Known),
}

/// Whom a decision is shared with: what was computed goes to all agents of the scope, and who met an original is recorded.
struct Company<'a> {
    reuse: &'a Reuse<'a>,
    /// Asked at most once, and only where an original is kept.
    witness: &'a dyn Fn() -> Option<Witness>,
}

impl Engine {
    /// An engine on a store.
    pub fn new(store: Store) -> Self {
        Self::with_compress(store, route::compress)
    }

    /// An engine whose compressors are replaced by a function, so that tests can make them fail or take their time.
    #[doc(hidden)]
    pub fn with_compress(store: Store, compress: Compress) -> Self {
        let renderings = Memo::new(MEMO_BYTES);
        let exchanges = Memo::new(EXCHANGE_MEMO_BYTES);
        Self {
            inner: Arc::new(Inner {
                store,
                compress,
                processors: Processors::of_this_machine(),
                renderings,
                spellings: Spellings::new(),
                indexes: Indexes::new(),
                exchanges,
                traces: Traces::new(),
                heads: Heads::new(),
                running: Memo::new(RUNNING_BYTES),
            }),
        }
    }

    /// The store behind it.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Decides how a request is sent, records what has to be recorded, and makes the body.
    ///
    /// Cannot fail: where the store cannot be read or written, everything decided now is sent as it came. Blocks on the store; run it
    /// where blocking is fine.
    pub fn prepare(&self, scope: &Scope, request: &Request, policy: &Policy) -> Outbound {
        self.prepare_if_wanted(scope, request, policy, &|| true)
    }

    /// The same for a caller who may lose patience and send the client's own bytes instead.
    ///
    /// `wanted` is asked at most once, after everything is decided and before any of it is recorded. Yes is a promise to send what
    /// this returns, however long that still takes. No means that the original has been sent, or will be: that is then what is recorded, and
    /// what is returned.
    pub fn prepare_if_wanted(
        &self,
        scope: &Scope,
        request: &Request,
        policy: &Policy,
        wanted: &dyn Fn() -> bool,
    ) -> Outbound {
        self.prepare_before(&|| None, scope, request, policy, wanted)
    }

    /// The same, with memory: whoever `witness` names is recorded as having met the originals that are kept. It is asked at most once,
    /// and only when there are any. `None` where the agent's source tree is not known: then nothing is recorded.
    pub fn prepare_before(
        &self,
        witness: &dyn Fn() -> Option<Witness>,
        scope: &Scope,
        request: &Request,
        policy: &Policy,
        wanted: &dyn Fn() -> bool,
    ) -> Outbound {
        let started = Instant::now();
        let prepared = self.prepare_within(Reach::Store, (wanted, witness), scope, request, policy, started);
        let outbound = prepared.unwrap_or_else(|| untouched(request, policy));
        finished(outbound, request, started)
    }

    /// The same where nothing has to be decided, recorded, or asked of the store; `None` otherwise. Never waits, and takes no longer
    /// than reading the request does.
    pub fn prepare_from_memory(&self, scope: &Scope, request: &Request, policy: &Policy) -> Option<Outbound> {
        let started = Instant::now();
        let prepared = self.prepare_within(Reach::Memory, (&|| true, &|| None), scope, request, policy, started)?;
        Some(finished(prepared, request, started))
    }

    /// `None` only when more than memory would have been needed.
    fn prepare_within(
        &self,
        reach: Reach,
        (wanted, witness): (&dyn Fn() -> bool, &dyn Fn() -> Option<Witness>),
        scope: &Scope,
        request: &Request,
        policy: &Policy,
        started: Instant,
    ) -> Option<Outbound> {
        if policy.mode == Mode::Off {
            return Some(untouched(request, policy));
        }
        let digest = scope.digest();
        // Of a conversation that the provider holds we do not see what its cache could hold.
        let followed = request.is_understood() && !request.continues_elsewhere();
        let seen = followed.then(|| self.inner.traces.see(digest, request, now_ms()));
        if policy.mode < Mode::Lossless || (request.slots().is_empty() && !request.continues_elsewhere()) {
            let mut outbound = untouched(request, policy);
            self.observe(digest, seen, &mut outbound, &[], &[], None);
            return Some(outbound);
        }
        let insertion = request.offer_tool();
        let mut head = self.head(reach, scope, digest, seen.as_ref(), policy)?;
        let tools = Self::tools_as_sent(request, &head);
        let lineages = self.lineages(digest, request, tools, policy);
        let late = || started.elapsed() > policy.deadline;
        let tokenizer = Tokenizer::for_model(request.model().unwrap_or_default());
        let reuse = Reuse::new(self.store(), scope, self.inner.compress, (&policy.kinds, tokenizer));
        let mut plan = match self.recall(reach, scope, digest, request, &lineages, insertion.is_some()) {
            Recalled::NotInMemory => return None,
            Recalled::Unreadable(known) => {
                // Waiting for the store a second time would not make it well.
                let mut plan = plan::kept(request, &lineages, &known, insertion.is_some(), Reason::StoreFailed);
                self.memorize(digest, &mut plan);
                plan
            }
            Recalled::Known(known) if known.is_refused() => {
                head = Head::Refused;
                plan::as_it_came(request, Reason::Refused)
            }
            Recalled::Known(known) => {
                if reach == Reach::Memory && !known.has_all(lineages.recorded(request, insertion.is_some())) {
                    return None;
                }
                let offerable = insertion.is_some();
                let key = self.store().handle_key();
                plan::Planning {
                    request,
                    lineages: &lineages,
                    known: &known,
                    policy,
                    key,
                    compress: &|segment, goal| reuse.outcome(segment, goal),
                    processors: &self.inner.processors,
                    indexes: &self.inner.indexes,
                    scope: digest,
                }
                .plan(offerable, &late)
            }
        };
        if let Head::Kept(kept) = &mut head {
            self.notes(reach, scope, digest, request, &lineages, kept)?;
        }
        let company = Company { reuse: &reuse, witness };
        self.settle_on(scope, digest, &lineages, &mut plan, &mut head, (wanted, &company));
        let offer = insertion.filter(|_| plan.offer);
        let offered = offer.is_some();
        let mut own: Vec<_> = offer.into_iter().collect();
        // A history that the provider holds has our calls in it, whether or not the model can make more of them.
        if offered || request.continues_elsewhere() {
            own.extend(request.reinsert(&self.exchanges(reach, scope, digest, request)?));
        }
        let mut receipt = receipt_of(request, policy);
        receipt.tool_offered = offered;
        let tokenizer = Tokenizer::for_model(request.model().unwrap_or_default());
        let hidden = own.iter().skip(usize::from(offered));
        receipt.hidden_tokens = hidden.map(|insertion| tokenizer.count(insertion.text()) as u64).sum();
        let mut edits = plan.edits();
        let mut insertions = own.clone();
        if let Some(kept) = head.kept() {
            edits.extend(kept.edits(&lineages));
            edits.sort_by_key(|edit| (edit.slot, edit.range.start));
            // A list of tools that is put in the place of the client's has ours in it.
            insertions.drain(..usize::from(offered && kept.fit.tools));
            insertions.extend(kept.insertions(request, offered));
            receipt.aligned = kept.receipt(request);
        }
        plan::widen(&mut edits, &lineages);
        let breakpoints = Self::breakpoints(request, &head, policy);
        receipt.aligned.breakpoints = breakpoints.len() as u64;
        insertions.extend(breakpoints);
        let changes = !edits.is_empty() || !insertions.is_empty();
        let body = changes.then(|| request.splice(&edits, &insertions));
        fill_slots(&mut receipt, request, &lineages, &plan);
        let redeemable = offered || request.has_retrieval_tool();
        let mut outbound = Outbound { body, redeemable, receipt, observed: None };
        let stable = head.kept().map(|kept| &*kept.stable);
        self.observe(digest, seen, &mut outbound, &edits, &own, stable);
        if let Some(observed) = &mut outbound.observed {
            observed.running = Some(self.running(digest, &lineages));
        }
        Some(outbound)
    }

    fn lineages<'r>(&self, scope: Lineage, request: &'r Request, tools: &[u8], policy: &Policy) -> Lineages<'r> {
        plan::lineages(request, tools, &policy.kinds, &|slot| self.inner.spellings.identity(scope, slot))
    }

    /// Records what was decided now, if it is still wanted. What cannot be recorded is not sent.
    fn settle_on(
        &self,
        scope: &Scope,
        digest: Lineage,
        lineages: &Lineages<'_>,
        plan: &mut Plan,
        head: &mut Head,
        (wanted, company): (&dyn Fn() -> bool, &Company<'_>),
    ) {
        let kept = head.kept();
        if plan.fresh.is_empty() && kept.is_none_or(|kept| kept.to_record().next().is_none()) {
            return;
        }
        if !wanted() {
            // The client's own bytes have been sent.
            plan.give_up(Reason::Deadline);
            *head = Head::AsItCame;
            self.commit(scope, digest, lineages, plan, None, company);
        } else if !self.commit(scope, digest, lineages, plan, kept, company) && kept.is_some_and(Kept::begins) {
            *head = Head::AsItCame;
        } else if let Some(kept) = kept {
            self.memorize_head(digest, kept);
        }
    }

    /// Cache markers for a conversation that goes on and has none. The first request gets none: it may be the only one, and to write costs more
    /// than to read anew.
    fn breakpoints(request: &Request, head: &Head, policy: &Policy) -> Vec<Insertion> {
        let goes_on = request.messages().iter().any(|message| message.role() == Role::Assistant);
        let wanted = policy.breakpoints && policy.align == Align::Auto && !matches!(head, Head::Refused);
        if wanted && goes_on && request.body().len() >= CACHEABLE_BYTES { request.breakpoints() } else { Vec::new() }
    }

    /// Remembers what is sent, and says in the receipt what the client changed of what it had sent before.
    fn observe(
        &self,
        digest: Lineage,
        seen: Option<Seen<'_>>,
        outbound: &mut Outbound,
        edits: &[Edit],
        insertions: &[Insertion],
        stable: Option<&Stable>,
    ) {
        let Some(seen) = seen else { return };
        if stable.is_none() {
            self.remember_head(digest, &seen);
        }
        let (drift, observed) = self.inner.traces.note(digest, seen, edits, insertions, stable);
        outbound.receipt.drift = drift;
        outbound.observed = Some(observed);
    }

    /// What was sent before: from memory, and from the store for what memory does not have.
    ///
    /// Slots that are never changed and offers that cannot be made are not asked for: a small request does not touch the store.
    fn recall(
        &self,
        reach: Reach,
        scope: &Scope,
        digest: Lineage,
        request: &Request,
        lineages: &Lineages<'_>,
        offerable: bool,
    ) -> Recalled {
        let memo = &self.inner.renderings;
        let mut known = Known::nothing(request.slots().len());
        let mut missing = Vec::new();
        for (at, lineage) in lineages.recorded(request, offerable) {
            match memo.get(digest, lineage) {
                Some(rendering) => known.note(at, lineages, rendering),
                None => missing.push((at, lineage)),
            }
        }
        // After a refusal nothing else matters: whatever the store would say, the request is sent as it came.
        if missing.is_empty() || known.is_refused() {
            return Recalled::Known(known);
        }
        if reach == Reach::Memory {
            return Recalled::NotInMemory;
        }
        // Whether it is still to be shortened matters to what is decided now.
        let stop = lineages.stop_loss();
        known.stopped = memo.get(digest, stop).is_some();
        let asked = missing.iter().map(|(_, lineage)| *lineage).chain((!known.stopped).then_some(stop));
        match self.store().renderings(scope, &asked.collect::<Vec<_>>()) {
            Ok(mut found) => {
                if !known.stopped
                    && let Some(rendering) = found.pop().flatten()
                {
                    memo.insert(digest, stop, Arc::new(rendering), 0);
                    known.stopped = true;
                }
                for ((at, lineage), rendering) in missing.into_iter().zip(found) {
                    let Some(rendering) = rendering.map(Arc::new) else { continue };
                    memo.insert(digest, lineage, Arc::clone(&rendering), plan::weight(&rendering));
                    known.note(at, lineages, rendering);
                }
                Recalled::Known(known)
            }
            Err(error) => {
                tracing::warn!(%error, "earlier renderings could not be read; what is not in memory is sent as it came");
                Recalled::Unreadable(known)
            }
        }
    }

    /// Keeps the originals and renderings of a plan, and what is to be recorded of the head. After this, either they can be read back, or the
    /// plan has no fresh edits. Says whether they can.
    fn commit(
        &self,
        scope: &Scope,
        digest: Lineage,
        lineages: &Lineages<'_>,
        plan: &mut Plan,
        head: Option<&Kept>,
        company: &Company<'_>,
    ) -> bool {
        let mut batch = Batch::at(now_ms());
        batch.continues(lineages.conversation);
        let mut handles = Vec::with_capacity(plan.originals.len());
        let witness = if plan.originals.is_empty() { None } else { (company.witness)() };
        for original in std::mem::take(&mut plan.originals) {
            let sighting = witness.as_ref().map(|witness| witness.sighting(&original.text, &original.source));
            let handle = batch.keep(self.store().handle_key(), original.text);
            handles.push(handle);
            if let Some(sighting) = sighting {
                batch.sight(handle, sighting);
            }
        }
        company.reuse.file(&mut batch, &handles);
        for (lineage, rendering) in &plan.fresh {
            batch.render(*lineage, Rendering::clone(rendering));
        }
        for (lineage, rendering, instead) in head.into_iter().flat_map(Kept::to_record) {
            if instead { batch.supersede(lineage, rendering) } else { batch.render(lineage, rendering) }
        }
        let written = self.store().write(scope, batch);
        if let Err(error) = &written {
            tracing::warn!(%error, "the store could not keep this request's originals; it is sent as it came");
            plan.give_up(Reason::StoreFailed);
            if error.is_about_originals() {
                // The store itself is well. What is sent instead must be known after a restart too.
                self.record_kept(scope, lineages, plan);
            }
        }
        // Also when the store failed: what is sent now must be sent again on the next turn.
        self.memorize(digest, plan);
        written.is_ok()
    }

    /// Records the decisions of a plan that has been given up.
    fn record_kept(&self, scope: &Scope, lineages: &Lineages<'_>, plan: &Plan) {
        let mut batch = Batch::at(now_ms());
        batch.continues(lineages.conversation);
        for (lineage, rendering) in &plan.fresh {
            batch.render(*lineage, Rendering::clone(rendering));
        }
        if let Err(error) = self.store().write(scope, batch) {
            tracing::warn!(%error, "what was sent could not be recorded; it is remembered until this process ends");
        }
    }

    fn memorize(&self, digest: Lineage, plan: &mut Plan) {
        for (lineage, rendering) in plan.fresh.drain(..) {
            let weight = plan::weight(&rendering);
            self.inner.renderings.insert(digest, lineage, rendering, weight);
        }
    }

    /// Remembers that the provider refused this request as it was changed and took it as it came: its conversation is sent as it
    /// came from now on. Conversations that part from it before its last sizeable slot are not concerned. `policy` is the one it was
    /// prepared with. Blocks on the store.
    pub fn refused(&self, scope: &Scope, request: &Request, policy: &Policy) {
        let digest = scope.digest();
        let tools = request.tools().map_or(&[][..], |tools| &request.body()[tools.span()]);
        let lineages = self.lineages(digest, request, tools, policy);
        let offerable = request.offer_tool().is_some();
        let mut batch = Batch::at(now_ms());
        batch.continues(lineages.conversation);
        // Memory first: the client's next turn must not wait for the store to be treated right.
        if let Some((key, rendering)) = self.give_head_up(digest, request) {
            batch.supersede(key, rendering);
        }
        if let Some((_, lineage)) = lineages.recorded(request, offerable).last() {
            let rendering = Rendering::kept(Reason::Refused);
            self.inner.renderings.replace(digest, lineage, Arc::new(rendering.clone()), 0);
            batch.supersede(lineage, rendering);
        }
        if let Err(error) = self.store().write(scope, batch) {
            tracing::warn!(%error, "a refusal could not be recorded; it is remembered until this process ends");
        }
    }

    /// The hidden exchanges of earlier turns that this request's history may need; `None` when memory does not say and the store was
    /// not to be asked.
    fn exchanges(&self, reach: Reach, scope: &Scope, digest: Lineage, request: &Request) -> Option<Vec<Exchange>> {
        let memo = &self.inner.exchanges;
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for key in request.exchange_keys().into_iter().map(exchange_key) {
            match memo.get(digest, key) {
                Some(exchange) => found.extend(exchange.as_ref().clone()),
                None => missing.push(key),
            }
        }
        if missing.is_empty() {
            return Some(found);
        }
        if reach == Reach::Memory {
            return None;
        }
        match self.store().exchanges(scope, &missing) {
            Ok(documents) => {
                for (key, document) in missing.into_iter().zip(documents) {
                    let exchange: Option<Exchange> =
                        document.as_deref().and_then(|text| serde_json::from_str(text).ok());
                    let weight = document.map_or(0, |document| document.len());
                    memo.insert(digest, key, Arc::new(exchange.clone()), weight);
                    found.extend(exchange);
                }
            }
            Err(error) => tracing::warn!(%error, "hidden exchanges could not be read; this request goes without them"),
        }
        Some(found)
    }

    /// Holds a hidden exchange in memory, so that later requests of its conversation get it back from now on. Never waits;
    /// [`remember`](Self::remember) makes it survive this process.
    pub fn hold(&self, scope: &Scope, exchange: &Exchange) {
        let weight = serde_json::to_string(exchange).map_or(0, |document| document.len());
        let key = exchange_key(exchange.key());
        self.inner.exchanges.insert(scope.digest(), key, Arc::new(Some(exchange.clone())), weight);
    }

    /// Keeps a hidden exchange for good. Says whether it is kept; if not, its conversation has it until this process ends. Blocks
    /// on the store.
    pub fn remember(&self, scope: &Scope, exchange: &Exchange) -> bool {
        self.hold(scope, exchange);
        let Ok(document) = serde_json::to_string(exchange) else { return false };
        let mut batch = Batch::at(now_ms());
        batch.exchange(exchange_key(exchange.key()), document);
        let kept = self.store().write(scope, batch);
        if let Err(error) = &kept {
            tracing::warn!(%error, "a hidden exchange could not be kept; it is remembered until this process ends");
        }
        kept.is_ok()
    }

    /// Answers a question about an original.
    pub fn answer(&self, scope: &Scope, query: &Query) -> Answer {
        crate::answer::answer(self.store(), scope, query)
    }

    /// Answers the same question for a program or a person: everything that is selected, without pages.
    pub fn answer_in_full(&self, scope: &Scope, query: &Query) -> Answer {
        crate::answer::answer_in_full(self.store(), scope, query)
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

    /// Files several receipts in one write; says whether they are filed.
    pub fn close_all(&self, scope: &Scope, receipts: &[Receipt]) -> bool {
        let Some(last) = receipts.last() else { return true };
        let mut batch = Batch::at(last.at_ms);
        for receipt in receipts {
            if let Some(stop) = &receipt.stop_loss {
                loss::record(&mut batch, stop);
            }
            if let Ok(document) = serde_json::to_string(receipt) {
                batch.receipt(StoredReceipt { id: receipt.id.clone(), at_ms: receipt.at_ms, document });
            }
        }
        let filed = self.store().write(scope, batch);
        if let Err(error) = &filed {
            tracing::debug!(%error, count = receipts.len(), "receipts could not be kept");
        }
        filed.is_ok()
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

    /// The receipt of the first request whose text was filed under a handle. Takes time in proportion to how many receipts there are.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn receipt_naming(&self, scope: &Scope, handle: Handle) -> Result<Option<Receipt>, StoreError> {
        let stored = self.store().receipt_with(scope, &format!("\"{handle}\""))?;
        Ok(stored.and_then(|receipt| serde_json::from_str(&receipt.document).ok()))
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

/// The client's own bytes.
fn untouched(request: &Request, policy: &Policy) -> Outbound {
    let redeemable = request.has_retrieval_tool();
    Outbound { body: None, redeemable, receipt: receipt_of(request, policy), observed: None }
}

/// Completes what is known only at the end.
fn finished(mut outbound: Outbound, request: &Request, started: Instant) -> Outbound {
    outbound.receipt.bytes_out = outbound.body.as_ref().map_or(request.body().len(), Vec::len) as u64;
    outbound.receipt.added_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    outbound
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

fn fill_slots(receipt: &mut Receipt, request: &Request, lineages: &Lineages<'_>, plan: &Plan) {
    let slots = request.slots().iter().zip(&lineages.texts).zip(&lineages.slots);
    for (((slot, text), lineage), planned) in slots.zip(&plan.slots) {
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
            bytes: text.len() as u64,
            tokens_before: before,
            tokens_after: after,
            handles: rendering.handles.iter().map(Handle::to_string).collect(),
            lineage: if rendering.compressor.is_empty() { String::new() } else { lineage_text(*lineage) },
        });
    }
}

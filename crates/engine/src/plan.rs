//! Deciding how each slot of a request is sent: align, route, compress, weigh. Pure, but for an index that is left to the next turn and decides nothing.
//!
//! A decision is a function of the policy, the slot and the slots before it, never of what follows. What was sent before is
//! looked up by its [`Lineage`] and sent again; only slots without a rendering are decided here.

mod ahead;
mod index;
mod lineages;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashSet;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use headroom_compress::{Outcome, split, view};
use headroom_core::{Compressed, CountTokens, Goal, Handle, HandleKey, Hints, Kind, Level, Original, Reason, Segment};
use headroom_store::{Lineage, Rendering, Replacement};
use headroom_tokens::Tokenizer;
use headroom_wire::{Edit, Request, Slot, SlotRole};

pub(crate) use self::ahead::Processors;
pub(crate) use self::index::Indexes;
pub(crate) use self::lineages::{Lineages, Spellings, Text, lineages};

use self::ahead::Ahead;
use self::index::Index;
use crate::frame::Frame;
use crate::hints::Call;
use crate::memory::Source;
use crate::{Kinds, Mode, Policy, Retrieval};

/// Slots of fewer bytes are never touched and never recorded. Sent wins must hold across versions, so this number never grows.
pub(crate) const FLOOR_BYTES: usize = 160;

/// References must save at least this many tokens over the slot. Smaller ones could cost money: OpenAI's cache counts in steps of 128 tokens, so
/// that a prefix a few tokens shorter can fall under a step that it would have reached, and what lies above the step is billed whole.
const FLOOR_REPEAT: usize = 48;

/// A payload inside user text must be at least this long: below it the reader's trust is worth more than the tokens. Shorter user text
/// is never recorded, so like [`FLOOR_BYTES`] this number stays as it is.
const PAYLOAD_BYTES: usize = 16 << 10;

/// What remains of the request up to an edited slot must be at least this many bytes: providers cache a prefix from 1,024 tokens on
/// (OpenAI; Anthropic 1,024 to 4,096 by model), and a prefix shrunk below that would be billed in full on every turn (T029).
const CACHEABLE_BYTES: usize = 6_000;

/// Tools, instructions and, where every request brings it, the first message must have at least this many bytes together before the retrieval tool is added to
/// them: beside a smaller start the definition would cost more than it can earn. They stand in every request of a conversation,
/// so the decision is the same on each.
const OFFER_FROM_BYTES: usize = 24_000;

/// What a text is compressed by: [`route::compress`](crate::route::compress), but for tests of what happens when it fails.
pub(crate) type Compress = fn(&Kinds, &Segment<'_>, &Goal<'_>) -> Outcome;

/// A text whose handle a rendering names, and where it came from.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) text: String,
    pub(crate) source: Source,
}

/// Of which decision a rendering is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// Whether the tool is offered in this conversation.
    Offer,
    /// How the slot with this index is sent.
    Slot(usize),
}

/// What was sent before, for this request.
#[derive(Debug)]
pub(crate) struct Known {
    offer: Option<Arc<Rendering>>,
    /// One for each slot.
    slots: Vec<Option<Arc<Rendering>>>,
    /// Shortening has cost this conversation more than it saved: what is new is sent as it came.
    pub(crate) stopped: bool,
}

impl Known {
    /// For a request with so many slots.
    pub(crate) fn nothing(slots: usize) -> Self {
        Self { offer: None, slots: vec![None; slots], stopped: false }
    }

    /// Notes a rendering, unless it cannot be one of this text.
    pub(crate) fn note(&mut self, at: At, lineages: &Lineages<'_>, rendering: Arc<Rendering>) {
        match at {
            At::Offer => self.offer = Some(rendering),
            At::Slot(index) if fits(&rendering, lineages.texts[index]) => self.slots[index] = Some(rendering),
            At::Slot(_) => {}
        }
    }

    /// Whether the provider has refused this conversation's changed bytes.
    pub(crate) fn is_refused(&self) -> bool {
        let mut known = self.slots.iter().chain([&self.offer]).flatten();
        known.any(|rendering| rendering.reason == Reason::Refused)
    }

    /// Whether it knows all of these decisions.
    pub(crate) fn has_all(&self, mut decisions: impl Iterator<Item = (At, Lineage)>) -> bool {
        decisions.all(|(at, _)| match at {
            At::Offer => self.offer.is_some(),
            At::Slot(index) => self.slots[index].is_some(),
        })
    }
}

/// Bytes that a slot must have to be looked at.
const fn floor(role: SlotRole) -> usize {
    match role {
        SlotRole::ToolResult => FLOOR_BYTES,
        SlotRole::UserText => PAYLOAD_BYTES,
    }
}

/// What is to be done with a request.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Whether our tool is added.
    pub(crate) offer: bool,
    /// The renderings decided now, to be recorded.
    pub(crate) fresh: Vec<(Lineage, Arc<Rendering>)>,
    /// Texts whose handles the fresh renderings name.
    pub(crate) originals: Vec<Kept>,
    /// One for each slot, in order.
    pub(crate) slots: Vec<SlotPlan>,
}

/// How one slot is sent.
#[derive(Debug, Clone)]
pub(crate) struct SlotPlan {
    /// What the text was found to be; known only for slots decided now.
    pub(crate) kind: Option<Kind>,
    /// The decision.
    pub(crate) rendering: Arc<Rendering>,
    /// Whether it was decided now rather than looked up.
    pub(crate) fresh: bool,
}

impl Plan {
    /// The edits of all slots.
    pub(crate) fn edits(&self) -> Vec<Edit> {
        let of_slot = |(slot, plan): (usize, &SlotPlan)| {
            let edit = |replacement: &Replacement| Edit {
                slot,
                range: replacement.range.clone(),
                replacement: replacement.text.clone(),
            };
            plan.rendering.replacements.iter().map(edit).collect::<Vec<_>>()
        };
        self.slots.iter().enumerate().flat_map(of_slot).collect()
    }

    /// Turns every decision made now into "keep": it could not be recorded, or the original has been sent.
    pub(crate) fn give_up(&mut self, reason: Reason) {
        let kept = Arc::new(Rendering::kept(reason));
        for slot in self.slots.iter_mut().filter(|slot| slot.fresh) {
            slot.rendering = Arc::clone(&kept);
        }
        for (_, rendering) in &mut self.fresh {
            self.offer = self.offer && rendering.compressor != OFFER;
            *rendering = Arc::clone(&kept);
        }
        self.originals.clear();
    }
}

impl Plan {
    /// A conversation whose first request met nothing but faults is sent as it came, without the tool as well: what went wrong
    /// must not show.
    fn without_a_useless_offer(mut self) -> Self {
        let faulty =
            |slot: &SlotPlan| matches!(slot.rendering.reason, Reason::Deadline | Reason::Budget | Reason::Panic);
        let untouched = self.slots.iter().all(|slot| slot.rendering.replacements.is_empty());
        let offer = self.fresh.first_mut().filter(|(_, rendering)| rendering.compressor == OFFER);
        if let Some((_, rendering)) = offer
            && untouched
            && let Some(fault) = self.slots.iter().find(|slot| slot.fresh && faulty(slot))
        {
            *rendering = Arc::new(Rendering::kept(fault.rendering.reason));
            self.offer = false;
        }
        self
    }
}

/// A plan that sends what is known as before and keeps the rest, for `reason`.
pub(crate) fn kept(request: &Request, lineages: &Lineages<'_>, known: &Known, offerable: bool, reason: Reason) -> Plan {
    let kept = Arc::new(Rendering::kept(reason));
    let unknown = lineages.recorded(request, offerable).filter(|(at, _)| match at {
        At::Offer => known.offer.is_none(),
        At::Slot(index) => known.slots[*index].is_none(),
    });
    let slot = |rendering: &Option<Arc<Rendering>>| SlotPlan {
        kind: None,
        fresh: false,
        rendering: rendering.as_ref().map_or_else(|| Arc::clone(&kept), Arc::clone),
    };
    Plan {
        offer: offerable && known.offer.as_ref().is_some_and(|offer| offer.compressor == OFFER),
        fresh: unknown.map(|(_, lineage)| (lineage, Arc::clone(&kept))).collect(),
        originals: Vec::new(),
        slots: known.slots.iter().map(slot).collect(),
    }
}

/// A plan that changes and records nothing, for `reason`.
pub(crate) fn as_it_came(request: &Request, reason: Reason) -> Plan {
    let kept = SlotPlan { kind: None, rendering: Arc::new(Rendering::kept(reason)), fresh: false };
    Plan { offer: false, fresh: Vec::new(), originals: Vec::new(), slots: vec![kept; request.slots().len()] }
}

/// Bytes of text in a rendering.
pub(crate) fn weight(rendering: &Rendering) -> usize {
    rendering.replacements.iter().map(|replacement| replacement.text.len()).sum()
}

/// The compressor name of a numbered view with fewer numbers.
const VIEW: &str = "view";

/// The compressor name of references to what stands earlier.
const REPEAT: &str = "repeat";

/// Names the rendering that records the decision to offer the tool.
const OFFER: &str = "retrieval-tool";

/// What planning one request starts from.
pub(crate) struct Planning<'a> {
    pub(crate) request: &'a Request,
    pub(crate) lineages: &'a Lineages<'a>,
    pub(crate) known: &'a Known,
    pub(crate) policy: &'a Policy,
    pub(crate) key: &'a HandleKey,
    pub(crate) compress: &'a (dyn Fn(&Segment<'_>, &Goal<'_>) -> Outcome + Sync),
    pub(crate) processors: &'a Processors,
    pub(crate) indexes: &'a Indexes,
    /// The digest of whose request it is.
    pub(crate) scope: Lineage,
}

impl Planning<'_> {
    /// Plans the request. `late` says whether the deadline has passed; it is asked before each slot that has to be decided.
    pub(crate) fn plan(&self, offerable: bool, late: &(dyn Fn() -> bool + Sync)) -> Plan {
        let _at_work = self.processors.enter();
        let request = self.request;
        let (offer, decision) = self.decide_offer(offerable);
        let bench = Bench {
            policy: self.policy,
            key: self.key,
            compress: self.compress,
            tokenizer: Tokenizer::for_model(request.model().unwrap_or_default()),
            redeemable: offer || request.has_retrieval_tool(),
        };
        let work = |index: usize| bench.found(&request.slots()[index], self.lineages.texts[index].get());
        Ahead::deciding(self.processors, &self.independent(), &work, late, |ahead| {
            self.decide(bench, ahead, offer, decision.into_iter().collect(), late)
        })
    }

    /// The slots that can be compressed before their turn, with their bytes. A text that the request seems to hold already is none: it
    /// becomes a reference, and compressing it would be for nothing.
    fn independent(&self) -> Vec<(usize, usize)> {
        if self.known.stopped {
            return Vec::new();
        }
        let mut work_left = self.policy.work_bytes;
        let mut seen = HashSet::new();
        let slots = self.request.slots().iter().zip(&self.lineages.texts).enumerate();
        let new = slots.filter(|(index, (slot, text))| {
            text.len() >= FLOOR_BYTES
                && seen.insert(text.same())
                && slot.role() == SlotRole::ToolResult
                && self.known.slots[*index].is_none()
        });
        let sized = new.map(|(index, (_, text))| (index, text.len()));
        sized
            .take_while(|(_, bytes)| {
                let left = work_left.checked_sub(*bytes);
                work_left = left.unwrap_or_default();
                left.is_some()
            })
            .collect()
    }

    /// Decides slot after slot.
    fn decide(
        &self,
        bench: Bench<'_>,
        ahead: &Ahead<'_, Found>,
        offer: bool,
        fresh: Vec<(Lineage, Arc<Rendering>)>,
        late: &dyn Fn() -> bool,
    ) -> Plan {
        let Self { request, lineages, known, .. } = *self;
        let mut planner = Planner {
            bench,
            ahead,
            index: Index::default(),
            kept_index: &|plans| self.indexes.take(self.scope, lineages, plans),
            size: PrefixSize::of(request),
            work_left: self.policy.work_bytes,
            originals: Vec::new(),
        };
        let mut plan = Plan { offer, fresh, originals: Vec::new(), slots: Vec::with_capacity(request.slots().len()) };
        let (below_floor, own_words) =
            (Arc::new(Rendering::kept(Reason::BelowFloor)), Arc::new(Rendering::kept(Reason::Policy)));
        for (index, (slot, text)) in request.slots().iter().zip(&lineages.texts).enumerate() {
            if text.len() < floor(slot.role()) {
                let rendering = Arc::clone(if text.len() < FLOOR_BYTES { &below_floor } else { &own_words });
                plan.slots.push(SlotPlan { kind: None, rendering, fresh: false });
                continue;
            }
            if let Some(rendering) = &known.slots[index] {
                planner.size.shrink(rendering);
                plan.slots.push(SlotPlan { kind: None, rendering: Arc::clone(rendering), fresh: false });
                continue;
            }
            let (kind, mut rendering) = if known.stopped {
                (None, Rendering::kept(Reason::StopLoss))
            } else {
                planner.decide(request.slots(), lineages, index, &plan.slots, late)
            };
            if planner.size.up_to(slot.message()).saturating_sub(PrefixSize::shrinkage(&rendering)) < CACHEABLE_BYTES {
                planner.forget_original(&rendering);
                let reason = if rendering.replacements.is_empty() { rendering.reason } else { Reason::BelowFloor };
                rendering = Rendering::kept(reason);
            }
            planner.size.shrink(&rendering);
            let rendering = Arc::new(rendering);
            plan.fresh.push((lineages.slots[index], Arc::clone(&rendering)));
            plan.slots.push(SlotPlan { kind, rendering, fresh: true });
        }
        plan.originals = planner.originals;
        // One that was being filled when something panicked may lack what the next turn would look for.
        if !plan.slots.iter().any(|slot| slot.fresh && slot.rendering.reason == Reason::Panic) {
            self.indexes.keep(self.scope, lineages, planner.index);
        }
        plan.without_a_useless_offer()
    }

    /// Whether the tool is added, and the decision to record if it was made now.
    fn decide_offer(&self, offerable: bool) -> (bool, Option<(Lineage, Arc<Rendering>)>) {
        if !offerable {
            return (false, None);
        }
        if let Some(decided) = &self.known.offer {
            return (decided.compressor == OFFER, None);
        }
        let size = PrefixSize::of(self.request);
        // Where a later request may come without the first message, only what every request repeats says the same on each.
        let prefix = match self.request.dialect().keeps_history() {
            true => size.around,
            false => size.up_to(self.request.slots().first().map_or(0, Slot::message)),
        };
        let wanted = match self.policy.retrieval {
            Retrieval::Auto => prefix >= OFFER_FROM_BYTES,
            Retrieval::Always => true,
            Retrieval::Never => false,
        };
        let offer = self.policy.mode == Mode::Standard && wanted;
        let compressor = if offer { OFFER.to_owned() } else { String::new() };
        let rendering = Rendering { compressor, ..Rendering::kept(Reason::Policy) };
        (offer, Some((self.lineages.conversation, Arc::new(rendering))))
    }
}

/// Has edits that replace a whole text say so: then nobody has to decode it.
pub(crate) fn widen(edits: &mut [Edit], lineages: &Lineages<'_>) {
    for of_slot in edits.chunk_by_mut(|a, b| a.slot == b.slot) {
        if let [only] = of_slot
            && only.range == (0..lineages.texts[only.slot].len())
        {
            only.range = Edit::WHOLE;
        }
    }
}

/// The text that stands in the place of all of another one, if a rendering is that.
fn in_place_of_all<'r>(rendering: &'r Rendering, text: Text<'_>) -> Option<&'r str> {
    match &rendering.replacements[..] {
        [only] if only.range == (0..text.len()) => Some(&only.text),
        _ => None,
    }
}

/// Whether a rendering's ranges lie in the text they are for.
fn fits(rendering: &Rendering, text: Text<'_>) -> bool {
    if rendering.replacements.is_empty() || in_place_of_all(rendering, text).is_some() {
        return true;
    }
    let (text, mut done) = (text.get(), 0);
    rendering.replacements.iter().all(|replacement| {
        let inside = replacement.range.start >= done && text.get(replacement.range.clone()).is_some();
        done = replacement.range.end;
        inside
    })
}

/// The text as the model reads it.
fn visible<'t>(text: Text<'t>, rendering: &'t Rendering) -> Cow<'t, str> {
    if let Some(all) = in_place_of_all(rendering, text) {
        return Cow::Borrowed(all);
    }
    let text = text.get();
    if rendering.replacements.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for replacement in &rendering.replacements {
        out.push_str(&text[done..replacement.range.start]);
        out.push_str(&replacement.text);
        done = replacement.range.end;
    }
    out.push_str(&text[done..]);
    Cow::Owned(out)
}

/// How long the request is up to a slot, as it is sent. Counts nothing that stands behind the slot's message but what follows the
/// messages altogether, so that a later turn does not change it.
struct PrefixSize {
    /// Everything outside the messages: tools, instructions, parameters.
    around: usize,
    /// For each message, the bytes from the start of the first one to its end.
    messages: Vec<usize>,
    saved: usize,
}

impl PrefixSize {
    fn of(request: &Request) -> Self {
        let spans = || request.messages().iter().map(headroom_wire::Message::span);
        let first = spans().next().map_or(0, |span| span.start);
        let last = spans().next_back().map_or(0, |span| span.end);
        let around = first + request.body().len().saturating_sub(last);
        Self { around, messages: spans().map(|span| span.end.saturating_sub(first)).collect(), saved: 0 }
    }

    /// Bytes up to the end of a message, less what was saved in it and before.
    fn up_to(&self, message: usize) -> usize {
        let messages = self.messages.get(message).copied().unwrap_or(0);
        (self.around + messages).saturating_sub(self.saved)
    }

    /// Bytes that a rendering saves.
    fn shrinkage(rendering: &Rendering) -> usize {
        rendering.replacements.iter().map(|by| by.range.len().saturating_sub(by.text.len())).sum()
    }

    fn shrink(&mut self, rendering: &Rendering) {
        self.saved += Self::shrinkage(rendering);
    }
}

/// What texts of one request are compressed with.
#[derive(Clone, Copy)]
struct Bench<'a> {
    policy: &'a Policy,
    key: &'a HandleKey,
    compress: &'a (dyn Fn(&Segment<'_>, &Goal<'_>) -> Outcome + Sync),
    tokenizer: Tokenizer,
    redeemable: bool,
}

/// What can be said of a tool's result by itself.
enum Found {
    /// The settings leave its kind alone.
    Excluded(Kind, Reason),
    /// The agent may edit it.
    Editable,
    /// What compressing it gives.
    Compressed(Outcome),
    /// It was not compressed, because most of it stands earlier.
    Skipped,
}

impl Bench<'_> {
    /// What can be said of a tool's result, compressed if that is allowed.
    fn found(&self, slot: &Slot, text: &str) -> Found {
        let frame = Frame::of(text);
        let body = CountedOnce::new(self.tokenizer, &text[frame.body.clone()]);
        let call = Call::new(slot.tool(), slot.arguments());
        let hints = Hints { exit_code: frame.exit_code, ..call.hints(body.text, slot.is_error()) };
        match self.admits(&body, hints) {
            Err((kind, reason)) => Found::Excluded(kind, reason),
            Ok(()) if hints.editable => Found::Editable,
            Ok(()) => Found::Compressed(self.shorten(&body, hints)),
        }
    }

    /// Whether the settings allow anything to be done to a text; if not, its kind and why.
    fn admits(&self, body: &CountedOnce<'_>, hints: Hints<'_>) -> Result<(), (Kind, Reason)> {
        let kind = hints.kind.unwrap_or(Kind::Opaque);
        self.policy.kinds.admits(kind, body.text, body).map_err(|reason| (kind, reason))
    }

    /// Compresses one text as far as this request allows.
    fn shorten(&self, counted: &CountedOnce<'_>, hints: Hints<'_>) -> Outcome {
        let text = counted.text;
        let may_omit = self.policy.mode == Mode::Standard && self.redeemable && !hints.is_error;
        let original = may_omit.then(|| Original::new(self.key, text));
        let level = original.as_ref().map_or(Level::Exact, |original| Level::Standard { original });
        (self.compress)(&Segment { text, hints }, &Goal { level, tokens: counted })
    }
}

/// What is carried from slot to slot while planning one request.
struct Planner<'a> {
    bench: Bench<'a>,
    ahead: &'a Ahead<'a, Found>,
    /// What the model can see before the slot at hand; filled only when a slot needs it.
    index: Index,
    /// The index of the turn before.
    kept_index: &'a dyn Fn(&[SlotPlan]) -> Option<Index>,
    size: PrefixSize,
    work_left: usize,
    originals: Vec<Kept>,
}

impl Planner<'_> {
    fn decide(
        &mut self,
        slots: &[Slot],
        lineages: &Lineages<'_>,
        index: usize,
        plans: &[SlotPlan],
        late: &dyn Fn() -> bool,
    ) -> (Option<Kind>, Rendering) {
        let text = lineages.texts[index].get();
        if late() {
            return (None, Rendering::kept(Reason::Deadline));
        }
        let Some(left) = self.work_left.checked_sub(text.len()) else {
            return (None, Rendering::kept(Reason::Budget));
        };
        self.work_left = left;
        // A compressor that panics has changed nothing but its own locals and `self`'s scratch index, which the next slot may
        // find incomplete but never wrong: it holds whole sources or nothing of them.
        let decided = catch_unwind(AssertUnwindSafe(|| match slots[index].role() {
            SlotRole::UserText => self.user_text(text),
            SlotRole::ToolResult => self.tool_result(slots, lineages, index, plans),
        }));
        decided.unwrap_or_else(|_| (None, Rendering::kept(Reason::Panic)))
    }

    /// Payload that the user pasted: only pieces whose structure is certain, and only large ones (T016).
    fn user_text(&mut self, text: &str) -> (Option<Kind>, Rendering) {
        if !self.bench.policy.user_text {
            return (None, Rendering::kept(Reason::Policy));
        }
        let mut rendering = Rendering::kept(Reason::Opaque);
        let mut seen = None;
        for piece in split(text) {
            let payload = &text[piece.range.clone()];
            if payload.len() < PAYLOAD_BYTES || !matches!(piece.kind, Kind::Json | Kind::Log | Kind::Table | Kind::Diff)
            {
                continue;
            }
            let hints = Hints { kind: Some(piece.kind), ..Hints::NONE };
            let outcome = self.bench.shorten(&CountedOnce::new(self.bench.tokenizer, payload), hints);
            seen = Some(outcome.kind);
            let Some(compressed) = outcome.compressed else { continue };
            rendering.reason = Reason::Compressed;
            rendering.compressor = outcome.compressor.unwrap_or_default().to_owned();
            rendering.tokens.0 += short(outcome.tokens.0);
            rendering.tokens.1 += short(outcome.tokens.1);
            rendering.handles.extend(self.note_original(payload, &compressed, Source::default()));
            rendering.replacements.push(Replacement { range: piece.range, text: compressed.text });
        }
        (seen, rendering)
    }

    fn tool_result(
        &mut self,
        slots: &[Slot],
        lineages: &Lineages<'_>,
        index: usize,
        plans: &[SlotPlan],
    ) -> (Option<Kind>, Rendering) {
        let (slot, text) = (&slots[index], lineages.texts[index].get());
        let frame = Frame::of(text);
        let body = &text[frame.body.clone()];
        let tokenizer = self.bench.tokenizer;
        let (counted, counted_body) = (CountedOnce::new(tokenizer, text), CountedOnce::new(tokenizer, body));
        let call = Call::new(slot.tool(), slot.arguments());
        let helped = self.ahead.has(index);
        let own_hints = (!helped).then(|| Hints { exit_code: frame.exit_code, ..call.hints(body, slot.is_error()) });
        if let Some(Err((kind, reason))) = own_hints.map(|hints| self.bench.admits(&counted_body, hints)) {
            return (Some(kind), Rendering::kept(reason));
        }
        if self.index.len() == 0 {
            self.index = (self.kept_index)(plans).unwrap_or_default();
        }
        self.index.extend(slots, lineages, plans, index);
        let repeated = self.repeat(call.label(), &counted);
        // Where most of a text stands earlier, what is left is changes: those the reader wants as they are.
        let mostly_repeated = repeated.as_ref().is_some_and(|(_, tokens)| tokens.1 * 2 < tokens.0);
        let found = match own_hints {
            None => self.ahead.of(index),
            Some(hints) if hints.editable => Found::Editable,
            Some(_) if mostly_repeated => Found::Skipped,
            Some(hints) => Found::Compressed(self.bench.shorten(&counted_body, hints)),
        };
        let (editable, outcome) = match found {
            Found::Excluded(kind, reason) => return (Some(kind), Rendering::kept(reason)),
            Found::Editable => (true, None),
            Found::Compressed(outcome) if !mostly_repeated => (false, Some(outcome)),
            Found::Compressed(_) | Found::Skipped => (false, None),
        };
        let kind = outcome.as_ref().map(|outcome| outcome.kind);
        let compressed = outcome.as_ref().and_then(|outcome| Some((outcome.compressed.clone()?, outcome.tokens)));
        let thinned = if editable && repeated.is_none() { thinned(&counted) } else { None };
        if let Some((view, tokens)) = thinned {
            return (kind, replaced(Reason::Compressed, VIEW, 0..text.len(), view, tokens));
        }
        // The frame costs the same in either form.
        let saved = |tokens: (usize, usize)| tokens.0.saturating_sub(tokens.1);
        match (repeated, compressed) {
            (Some((folded, tokens)), other)
                if other.as_ref().is_none_or(|(_, weighed)| saved(tokens) >= saved(*weighed)) =>
            {
                (kind, replaced(Reason::Repeated, REPEAT, 0..text.len(), folded, tokens))
            }
            (_, Some((compressed, tokens))) => {
                let handles = self.note_original(body, &compressed, call.source()).into_iter().collect();
                let compressor = outcome.and_then(|outcome| outcome.compressor).unwrap_or_default();
                let shorter = framed(compressed.text, &text[frame.body.end..]);
                (kind, Rendering { handles, ..replaced(Reason::Compressed, compressor, frame.body, shorter, tokens) })
            }
            (_, None) => {
                let reason = outcome.map_or(Reason::Editable, |outcome| outcome.reason);
                (kind, Rendering::kept(reason))
            }
        }
    }

    /// The text with references to what stands earlier, and its tokens before and after, when that is worth it.
    fn repeat(&self, label: &str, counted: &CountedOnce<'_>) -> Option<(String, (usize, usize))> {
        let folded = self.index.earlier().fold(label, counted.text)?.text();
        let folded = view::thin(&folded).unwrap_or(folded);
        counted.saving(folded)
    }

    /// Takes back what [`note_original`](Self::note_original) noted for a rendering that is not used.
    fn forget_original(&mut self, rendering: &Rendering) {
        self.originals.truncate(self.originals.len().saturating_sub(rendering.handles.len()));
    }

    /// Notes a text whose handle a rendering names; it is kept before the rendering is sent.
    fn note_original(&mut self, text: &str, compressed: &Compressed, source: Source) -> Option<Handle> {
        let handle = compressed.handle()?;
        self.originals.push(Kept { text: text.to_owned(), source });
        Some(handle)
    }
}

/// A numbered view with fewer numbers, and its tokens before and after, when that is worth it.
fn thinned(counted: &CountedOnce<'_>) -> Option<(String, (usize, usize))> {
    counted.saving(view::thin(counted.text)?)
}

/// Counts tokens, and those of one text, which everybody who weighs it asks for, only once.
struct CountedOnce<'t> {
    tokenizer: Tokenizer,
    text: &'t str,
    tokens: OnceCell<usize>,
}

impl<'t> CountedOnce<'t> {
    fn new(tokenizer: Tokenizer, text: &'t str) -> Self {
        Self { tokenizer, text, tokens: OnceCell::new() }
    }

    /// Another form of the text, and the tokens before and after, when that is worth it.
    fn saving(&self, other: String) -> Option<(String, (usize, usize))> {
        let tokens = (self.count(self.text), self.count(&other));
        (tokens.1 + FLOOR_REPEAT <= tokens.0).then_some((other, tokens))
    }
}

impl CountTokens for CountedOnce<'_> {
    fn count(&self, text: &str) -> usize {
        if std::ptr::eq(text, self.text) {
            return *self.tokens.get_or_init(|| self.tokenizer.count(text));
        }
        self.tokenizer.count(text)
    }
}

/// The rendering of a slot of which one part, or all, was replaced.
fn replaced(reason: Reason, compressor: &str, part: Range<usize>, by: String, tokens: (usize, usize)) -> Rendering {
    Rendering {
        compressor: compressor.to_owned(),
        replacements: vec![Replacement { range: part, text: by }],
        tokens: (short(tokens.0), short(tokens.1)),
        ..Rendering::kept(reason)
    }
}

/// The shorter output on lines of its own: what follows of the frame begins on the next one.
fn framed(mut shorter: String, behind: &str) -> String {
    if !behind.is_empty() && !behind.starts_with('\n') && !shorter.ends_with('\n') {
        shorter.push('\n');
    }
    shorter
}

/// Token counts are stored in 32 bits.
fn short(tokens: usize) -> u32 {
    u32::try_from(tokens).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;

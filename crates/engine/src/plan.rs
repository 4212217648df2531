//! Deciding how each slot of a request is sent: align, route, compress, weigh. Pure.
//!
//! A decision is a function of the policy, the slot and the slots before it, never of what follows. What was sent before is
//! looked up by its [`Lineage`] and sent again; only slots without a rendering are decided here.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use headroom_code::CodeCompressor;
use headroom_compress::repeat::Earlier;
use headroom_compress::{Outcome, compress_with, detect, split, view};
use headroom_core::{Compressed, Goal, Handle, HandleKey, Hints, Kind, Level, Original, Reason, Segment};
use headroom_store::{Lineage, Rendering, Replacement};
use headroom_tokens::Tokenizer;
use headroom_wire::{Edit, Request, Slot, SlotRole};

use crate::hints::Call;
use crate::{Mode, Policy, Retrieval};

/// Slots of fewer bytes are never touched and never recorded. Sent wins must hold across versions, so this number never grows.
pub(crate) const FLOOR_BYTES: usize = 160;

/// References must save at least this many tokens over the slot.
const FLOOR_REPEAT: usize = 16;

/// A payload inside user text must be at least this long: below it the reader's trust is worth more than the tokens.
const PAYLOAD_BYTES: usize = 16 << 10;

/// What remains of the request up to an edited slot must be at least this many bytes: providers cache a prefix from 1,024 tokens on
/// (OpenAI; Anthropic 1,024 to 4,096 by model), and a prefix shrunk below that would be billed in full on every turn (T029).
const CACHEABLE_BYTES: usize = 6_000;

/// Tools, instructions and the first message must have at least this many bytes together before the retrieval tool is added to
/// them: beside a smaller start the definition would cost more than it can earn. They stand in every request of a conversation,
/// so the decision is the same on each.
const OFFER_FROM_BYTES: usize = 24_000;

/// What was sent before, for this request: by lineage.
pub(crate) type Known = HashMap<Lineage, Rendering>;

/// The lineage of each slot, in order, and of the decision about the tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lineages {
    /// Under which the decision to offer the tool is filed; also names the conversation.
    pub(crate) conversation: Lineage,
    /// One for each slot.
    pub(crate) slots: Vec<Lineage>,
}

/// Everything that may shape a rendering goes into its lineage: dialect, tools, the slot's text and what the call says about it,
/// and so for each slot before.
pub(crate) fn lineages(request: &Request) -> Lineages {
    let tools = request.tools().map_or(&[][..], |tools| &request.body()[tools.span()]);
    let mut lineage = Lineage::root(request.dialect().name().as_bytes()).then(tools);
    let mut conversation = lineage;
    let slots = request
        .slots()
        .iter()
        .map(|slot| {
            let role = match slot.role() {
                SlotRole::ToolResult if slot.is_error() => "error",
                SlotRole::ToolResult => "result",
                SlotRole::UserText => "user",
            };
            lineage = lineage
                .then(role.as_bytes())
                .then(slot.tool().unwrap_or_default().as_bytes())
                .then(slot.arguments().unwrap_or_default().as_bytes())
                .then(slot.text().as_bytes());
            lineage
        })
        .collect::<Vec<_>>();
    if let Some(first) = slots.first() {
        conversation = first.then(b"conversation");
    }
    Lineages { conversation, slots }
}

/// What is to be done with a request.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Whether our tool is added.
    pub(crate) offer: bool,
    /// The renderings decided now, to be recorded.
    pub(crate) fresh: Vec<(Lineage, Rendering)>,
    /// Texts whose handles the fresh renderings name.
    pub(crate) originals: Vec<String>,
    /// One for each slot, in order.
    pub(crate) slots: Vec<SlotPlan>,
}

/// How one slot is sent.
#[derive(Debug, Clone)]
pub(crate) struct SlotPlan {
    /// What the text was found to be; known only for slots decided now.
    pub(crate) kind: Option<Kind>,
    /// The decision.
    pub(crate) rendering: Rendering,
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

    /// Turns every decision made now into "keep", because it could not be recorded.
    pub(crate) fn give_up(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| slot.fresh) {
            slot.rendering = Rendering::kept(Reason::StoreFailed);
        }
        self.offer = self.offer && !self.fresh.iter().any(|(_, rendering)| rendering.compressor == OFFER);
        self.fresh.clear();
        self.originals.clear();
    }
}

/// The compressor name of a numbered view with fewer numbers.
const VIEW: &str = "view";

/// The compressor name of references to what stands earlier.
const REPEAT: &str = "repeat";

/// Names the rendering that records the decision to offer the tool.
const OFFER: &str = "retrieval-tool";

/// Plans a request. `late` says whether the deadline has passed; it is asked before each slot that has to be decided.
pub(crate) fn plan(
    request: &Request,
    lineages: &Lineages,
    known: &Known,
    policy: &Policy,
    key: &HandleKey,
    late: &dyn Fn() -> bool,
) -> Plan {
    let (offer, decision) = decide_offer(request, lineages, known, policy);
    let redeemable = offer || request.has_retrieval_tool();
    let tokenizer = Tokenizer::for_model(request.model().unwrap_or_default());
    let mut planner = Planner {
        policy,
        key,
        tokenizer,
        redeemable,
        earlier: Earlier::default(),
        indexed: 0,
        size: PrefixSize::of(request),
        work_left: policy.work_bytes,
        originals: Vec::new(),
    };
    let mut slots: Vec<SlotPlan> = Vec::with_capacity(request.slots().len());
    let mut fresh: Vec<_> = decision.into_iter().collect();
    for (index, (slot, lineage)) in request.slots().iter().zip(&lineages.slots).enumerate() {
        let text = slot.text();
        if text.len() < FLOOR_BYTES {
            slots.push(SlotPlan { kind: None, rendering: Rendering::kept(Reason::BelowFloor), fresh: false });
            continue;
        }
        if let Some(rendering) = known.get(lineage).filter(|rendering| fits(rendering, text)) {
            planner.size.shrink(rendering);
            slots.push(SlotPlan { kind: None, rendering: rendering.clone(), fresh: false });
            continue;
        }
        let (kind, mut rendering) = planner.decide(request.slots(), index, &slots, late);
        if planner.size.up_to(slot.message()).saturating_sub(PrefixSize::shrinkage(&rendering)) < CACHEABLE_BYTES {
            planner.forget_original(&rendering);
            let reason = if rendering.replacements.is_empty() { rendering.reason } else { Reason::BelowFloor };
            rendering = Rendering::kept(reason);
        }
        planner.size.shrink(&rendering);
        fresh.push((*lineage, rendering.clone()));
        slots.push(SlotPlan { kind, rendering, fresh: true });
    }
    Plan { offer, fresh, originals: planner.originals, slots }
}

/// Whether the tool is added, and the decision to record if it was made now.
fn decide_offer(
    request: &Request,
    lineages: &Lineages,
    known: &Known,
    policy: &Policy,
) -> (bool, Option<(Lineage, Rendering)>) {
    if request.slots().is_empty() || request.offer_tool().is_none() {
        return (false, None);
    }
    if let Some(decided) = known.get(&lineages.conversation) {
        return (decided.compressor == OFFER, None);
    }
    let first_slot = request.slots().first().map_or(0, Slot::message);
    let prefix = PrefixSize::of(request).up_to(first_slot);
    let wanted = match policy.retrieval {
        Retrieval::Auto => prefix >= OFFER_FROM_BYTES,
        Retrieval::Always => true,
        Retrieval::Never => false,
    };
    let offer = policy.mode == Mode::Standard && wanted;
    let compressor = if offer { OFFER.to_owned() } else { String::new() };
    let rendering = Rendering { compressor, ..Rendering::kept(Reason::Policy) };
    (offer, Some((lineages.conversation, rendering)))
}

/// Whether a rendering's ranges lie in the text they are for.
fn fits(rendering: &Rendering, text: &str) -> bool {
    let mut done = 0;
    rendering.replacements.iter().all(|replacement| {
        let inside = replacement.range.start >= done && text.get(replacement.range.clone()).is_some();
        done = replacement.range.end;
        inside
    })
}

/// The text as the model reads it.
pub(crate) fn visible(text: &str, rendering: &Rendering) -> String {
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for replacement in &rendering.replacements {
        out.push_str(&text[done..replacement.range.start]);
        out.push_str(&replacement.text);
        done = replacement.range.end;
    }
    out.push_str(&text[done..]);
    out
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

/// What is carried from slot to slot while planning one request.
struct Planner<'a> {
    policy: &'a Policy,
    key: &'a HandleKey,
    tokenizer: Tokenizer,
    redeemable: bool,
    /// What the model can see before the slot at hand; filled up to `indexed` slots, and only when a slot needs it.
    earlier: Earlier,
    indexed: usize,
    size: PrefixSize,
    work_left: usize,
    originals: Vec<String>,
}

impl Planner<'_> {
    fn decide(
        &mut self,
        slots: &[Slot],
        index: usize,
        plans: &[SlotPlan],
        late: &dyn Fn() -> bool,
    ) -> (Option<Kind>, Rendering) {
        let text = slots[index].text();
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
            SlotRole::ToolResult => self.tool_result(slots, index, plans),
        }));
        decided.unwrap_or_else(|_| (None, Rendering::kept(Reason::Panic)))
    }

    /// Payload that the user pasted: only pieces whose structure is certain, and only large ones (T016).
    fn user_text(&mut self, text: &str) -> (Option<Kind>, Rendering) {
        if !self.policy.user_text || text.len() < PAYLOAD_BYTES {
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
            let outcome = self.shorten(payload, hints);
            seen = Some(outcome.kind);
            let Some(compressed) = outcome.compressed else { continue };
            rendering.reason = Reason::Compressed;
            rendering.compressor = outcome.compressor.unwrap_or_default().to_owned();
            rendering.tokens.0 += short(outcome.tokens.0);
            rendering.tokens.1 += short(outcome.tokens.1);
            rendering.handles.extend(self.note_original(payload, &compressed));
            rendering.replacements.push(Replacement { range: piece.range, text: compressed.text });
        }
        (seen, rendering)
    }

    fn tool_result(&mut self, slots: &[Slot], index: usize, plans: &[SlotPlan]) -> (Option<Kind>, Rendering) {
        let slot = &slots[index];
        let text = slot.text();
        let call = Call::new(slot.tool(), slot.arguments());
        self.index_up_to(slots, index, plans);
        let repeated = self.repeat(call.label(), text);
        // Where most of a text stands earlier, what is left is changes: those the reader wants as they are.
        let mostly_repeated = repeated.as_ref().is_some_and(|(_, tokens)| tokens.1 * 2 < tokens.0);
        let mut hints = call.hints(text, slot.is_error());
        // A file that is read may be edited by quoting it, whatever it holds, with one exception: nobody edits a log. Code may be edited wherever
        // it comes from, except where a library of documents gave it.
        hints.editable = match detect(&Segment { text, hints }).kind {
            Kind::Log => false,
            Kind::Code(_) => hints.editable || !call.asks_a_library(),
            _ => hints.editable,
        };
        let outcome = if mostly_repeated || hints.editable { None } else { Some(self.shorten(text, hints)) };
        let kind = outcome.as_ref().map(|outcome| outcome.kind);
        let compressed = outcome.as_ref().and_then(|outcome| Some((outcome.compressed.clone()?, outcome.tokens)));
        let thinned = if hints.editable && repeated.is_none() { self.thinned(text) } else { None };
        if let Some((view, tokens)) = thinned {
            return (kind, replaced(Reason::Compressed, VIEW, text, view, tokens));
        }
        match (repeated, compressed) {
            (Some((folded, tokens)), other) if other.as_ref().is_none_or(|(_, weighed)| tokens.1 <= weighed.1) => {
                (kind, replaced(Reason::Repeated, REPEAT, text, folded, tokens))
            }
            (_, Some((compressed, tokens))) => {
                let handles = self.note_original(text, &compressed).into_iter().collect();
                let compressor = outcome.and_then(|outcome| outcome.compressor).unwrap_or_default();
                (kind, Rendering { handles, ..replaced(Reason::Compressed, compressor, text, compressed.text, tokens) })
            }
            (_, None) => {
                let reason = outcome.map_or(Reason::Editable, |outcome| outcome.reason);
                (kind, Rendering::kept(reason))
            }
        }
    }

    /// Compresses one text as far as this request allows.
    fn shorten(&self, text: &str, hints: Hints<'_>) -> Outcome {
        let original = Original::new(self.key, text);
        let may_omit = self.policy.mode == Mode::Standard && self.redeemable && !hints.is_error;
        let level = if may_omit { Level::Standard { original: &original } } else { Level::Exact };
        compress_with(&[&CodeCompressor], &Segment { text, hints }, &Goal { level, tokens: &self.tokenizer })
    }

    /// The text with references to what stands earlier, and its tokens before and after, when that is worth it.
    fn repeat(&self, label: &str, text: &str) -> Option<(String, (usize, usize))> {
        let folded = self.earlier.fold(label, text)?.text();
        let folded = view::thin(&folded).unwrap_or(folded);
        let tokens = (self.tokenizer.count(text), self.tokenizer.count(&folded));
        (tokens.1 + FLOOR_REPEAT <= tokens.0).then_some((folded, tokens))
    }

    /// A numbered view with fewer numbers, and its tokens before and after, when that is worth it.
    fn thinned(&self, text: &str) -> Option<(String, (usize, usize))> {
        let thinned = view::thin(text)?;
        let tokens = (self.tokenizer.count(text), self.tokenizer.count(&thinned));
        (tokens.1 + FLOOR_REPEAT <= tokens.0).then_some((thinned, tokens))
    }

    /// Adds the slots before `index` to what a reference may point at.
    fn index_up_to(&mut self, slots: &[Slot], index: usize, plans: &[SlotPlan]) {
        let from = std::mem::replace(&mut self.indexed, index);
        for (slot, plan) in slots[from..index].iter().zip(&plans[from..]) {
            let call = Call::new(slot.tool(), slot.arguments());
            if slot.text().len() >= FLOOR_BYTES {
                // A thinned view shows every line, and its numbers follow: to a reference it is the view itself.
                let shown = visible(slot.text(), &plan.rendering);
                let shown = if matches!(plan.rendering.compressor.as_str(), VIEW | REPEAT) {
                    view::full(&shown)
                } else {
                    shown
                };
                self.earlier.add(call.label(), &shown, slot.text());
            }
        }
    }

    /// Takes back what [`note_original`](Self::note_original) noted for a rendering that is not used.
    fn forget_original(&mut self, rendering: &Rendering) {
        self.originals.truncate(self.originals.len().saturating_sub(rendering.handles.len()));
    }

    /// Notes a text whose handle a rendering names; it is kept before the rendering is sent.
    fn note_original(&mut self, text: &str, compressed: &Compressed) -> Option<Handle> {
        let handle = compressed.handle()?;
        self.originals.push(text.to_owned());
        Some(handle)
    }
}

/// The rendering of a slot whose whole text was replaced.
fn replaced(reason: Reason, compressor: &str, text: &str, by: String, tokens: (usize, usize)) -> Rendering {
    Rendering {
        compressor: compressor.to_owned(),
        replacements: vec![Replacement { range: 0..text.len(), text: by }],
        tokens: (short(tokens.0), short(tokens.1)),
        ..Rendering::kept(reason)
    }
}

/// Token counts are stored in 32 bits.
fn short(tokens: usize) -> u32 {
    u32::try_from(tokens).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;

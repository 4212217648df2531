//! Under what each decision about a request is filed, and the texts that the decisions are about.

use std::sync::Arc;

use headroom_store::{Lineage, LongLink};
use headroom_wire::{Request, Slot, SlotRole};

use super::{At, floor};
use crate::Kinds;
use crate::memo::Memo;

/// Bytes held to know texts by how they are spelled: about 4,000 of them.
const SPELLING_BYTES: usize = 1 << 20;

/// The lineage of each slot, in order, and of the decision about the tool.
#[derive(Clone, Debug)]
pub(crate) struct Lineages<'r> {
    /// Under which the decision to offer the tool is filed; also names the conversation.
    pub(crate) conversation: Lineage,
    /// One for each slot.
    pub(crate) slots: Vec<Lineage>,
    /// The text of each slot.
    pub(crate) texts: Vec<Text<'r>>,
}

impl Lineages<'_> {
    /// Under which it is filed that the conversation is not shortened any further.
    pub(crate) fn stop_loss(&self) -> Lineage {
        self.conversation.then(b"stop-loss")
    }

    /// The decisions that are recorded for a request, in the order of what they are about.
    pub(crate) fn recorded(&self, request: &Request, offerable: bool) -> impl Iterator<Item = (At, Lineage)> {
        let slots = request.slots().iter().zip(&self.texts).zip(&self.slots).enumerate();
        let sizeable = slots.filter(|(_, ((slot, text), _))| text.len() >= floor(slot.role()));
        let offer = offerable.then_some((At::Offer, self.conversation));
        offer.into_iter().chain(sizeable.map(|(index, (_, lineage))| (At::Slot(index), *lineage)))
    }
}

/// Everything that may shape a rendering goes into its lineage: dialect, tools, settings by kind, the slot's text and what the call says
/// about it, and so for each slot before.
///
/// `tools` are the client's as they are sent; they can differ from those of this body in order and spacing.
pub(crate) fn lineages<'r>(
    request: &'r Request,
    tools: &[u8],
    kinds: &Kinds,
    identity: &dyn Fn(&Slot) -> Identity,
) -> Lineages<'r> {
    let mut lineage = Lineage::root(request.dialect().name().as_bytes()).then(tools);
    if let Some(settings) = kinds.canonical() {
        lineage = lineage.then(settings.as_bytes());
    }
    let mut conversation = lineage;
    let mut slots = Vec::with_capacity(request.slots().len());
    let mut texts = Vec::with_capacity(request.slots().len());
    for slot in request.slots() {
        let role = match slot.role() {
            SlotRole::ToolResult if slot.is_error() => "error",
            SlotRole::ToolResult => "result",
            SlotRole::UserText => "user",
        };
        let Identity { link, bytes } = identity(slot);
        lineage = lineage
            .then(role.as_bytes())
            .then(slot.tool().unwrap_or_default().as_bytes())
            .then(slot.arguments().unwrap_or_default().as_bytes());
        lineage = match link {
            Some(link) => lineage.then_long(link),
            None => lineage.then(slot.text().as_bytes()),
        };
        slots.push(lineage);
        texts.push(Text { slot, bytes, link });
    }
    if let Some(first) = slots.first() {
        conversation = first.then(b"conversation");
    }
    Lineages { conversation, slots, texts }
}

/// The text of a slot. It is decoded when it is read, which most texts of a conversation that goes on are not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'r> {
    slot: &'r Slot,
    bytes: usize,
    link: Option<LongLink>,
}

/// Equal for equal texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Same<'r> {
    Long(LongLink),
    Short(&'r str),
}

impl<'r> Text<'r> {
    /// Its length in bytes.
    pub(crate) const fn len(self) -> usize {
        self.bytes
    }

    /// The text.
    pub(crate) fn get(self) -> &'r str {
        self.slot.text()
    }

    /// What tells it from other texts.
    pub(super) fn same(self) -> Same<'r> {
        self.link.map_or_else(|| Same::Short(self.get()), Same::Long)
    }
}

/// What a lineage needs to know of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// `None` for a short one.
    link: Option<LongLink>,
    bytes: usize,
}

impl Identity {
    /// Reads the text.
    pub(crate) fn of(slot: &Slot) -> Self {
        let text = slot.text();
        Self { link: LongLink::of(text.as_bytes()), bytes: text.len() }
    }
}

/// Long texts that were decoded before, by how they were spelled. Clients spell what they send again as they did before.
#[derive(Debug)]
pub(crate) struct Spellings(Memo<Identity>);

impl Spellings {
    pub(crate) fn new() -> Self {
        Self(Memo::new(SPELLING_BYTES))
    }

    /// What a lineage needs to know of a slot's text, for the scope with this digest.
    pub(crate) fn identity(&self, scope: Lineage, slot: &Slot) -> Identity {
        // A spelling is at least as long as the text.
        let Some(spelling) = slot.spelling().and_then(LongLink::of) else { return Identity::of(slot) };
        let key = Lineage::root(b"spelling").then_long(spelling);
        if let Some(identity) = self.0.get(scope, key) {
            return *identity;
        }
        let identity = Identity::of(slot);
        if identity.link.is_some() {
            self.0.insert(scope, key, Arc::new(identity), 0);
        }
        identity
    }
}

//! What is written together.

use headroom_core::{Handle, HandleKey};

use crate::{Lineage, Rendering, Sighting, StoredReceipt};

/// What compressing a text gave, as the engine writes it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Everything that it depends on.
    pub key: Lineage,
    /// The original that it names, if it names one: it is forgotten with that.
    pub handle: Option<Handle>,
    /// The engine's words.
    pub document: String,
}

/// Entries that become visible together or not at all.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub(crate) originals: Vec<(Handle, String)>,
    pub(crate) renderings: Vec<(Lineage, Rendering)>,
    pub(crate) superseding: Vec<(Lineage, Rendering)>,
    pub(crate) conversation: Option<Lineage>,
    pub(crate) exchanges: Vec<(Lineage, String)>,
    pub(crate) receipts: Vec<StoredReceipt>,
    pub(crate) sightings: Vec<(Handle, Sighting)>,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) now_ms: u64,
}

impl Batch {
    /// A batch written at `now_ms` (milliseconds since the Unix epoch).
    pub fn at(now_ms: u64) -> Self {
        Self { now_ms, ..Self::default() }
    }

    /// Adds an original and says under which handle it will be kept.
    pub fn keep(&mut self, key: &HandleKey, text: impl Into<String>) -> Handle {
        let text = text.into();
        let handle = Handle::of(key, &text);
        self.originals.push((handle, text));
        handle
    }

    /// Adds a rendering. The first one filed under a lineage stays: sent wins.
    pub fn render(&mut self, lineage: Lineage, rendering: Rendering) {
        self.renderings.push((lineage, rendering));
    }

    /// Files a rendering in place of the one under its lineage: the recorded step by which a conversation that cannot go on as it was
    /// sent is sent another way from now on. What the earlier rendering referred to stays kept.
    pub fn supersede(&mut self, lineage: Lineage, rendering: Rendering) {
        self.superseding.push((lineage, rendering));
    }

    /// Says which conversation (the lineage of its first slot) this batch continues. That keeps what the conversation refers to.
    pub fn continues(&mut self, conversation: Lineage) {
        self.conversation = Some(conversation);
    }

    /// Adds an exchange under its key. The first one stays.
    pub fn exchange(&mut self, key: Lineage, document: String) {
        self.exchanges.push((key, document));
    }

    /// Adds a receipt; a later one with the same id takes its place.
    pub fn receipt(&mut self, receipt: StoredReceipt) {
        self.receipts.push(receipt);
    }

    /// Notes that an original was met. A sighting of a text that is neither in this batch nor kept already is dropped.
    pub fn sight(&mut self, handle: Handle, sighting: Sighting) {
        self.sightings.push((handle, sighting));
    }

    /// Adds what compressing a text gave; the first one under a key stays. It can be computed again, so it may be dropped at any time.
    pub fn outcome(&mut self, outcome: Outcome) {
        self.outcomes.push(outcome);
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.originals.is_empty()
            && self.renderings.is_empty()
            && self.superseding.is_empty()
            && self.conversation.is_none()
            && self.exchanges.is_empty()
            && self.receipts.is_empty()
            && self.sightings.is_empty()
            && self.outcomes.is_empty()
    }

    /// Whether losing this batch in a power failure would lose something that cannot be recomputed.
    pub(crate) const fn must_survive_power_loss(&self) -> bool {
        !self.originals.is_empty() || !self.exchanges.is_empty()
    }
}

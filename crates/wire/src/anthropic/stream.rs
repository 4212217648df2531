//! A streamed Messages response.

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::reply::{ending, item, output_patch};
use crate::document::Document;
use crate::protocol::{Stream, Transcript};
use crate::scan::Id;
use crate::sse::Event;
use crate::tool;
use crate::turn::{Ending, Heard, patch};
use crate::usage::Usage;

/// Follows the streams of one turn.
#[derive(Default)]
pub(super) struct Messages {
    /// Whether this response continues an earlier one.
    continued: bool,
    /// Content blocks that the client saw in earlier responses of the turn.
    earlier: u64,
    /// Content blocks that it has begun to see by now.
    shown: u64,
    /// What became of each block of this response, by the upstream's index.
    blocks: BTreeMap<u64, Block>,
    stop_reason: Option<String>,
    /// `message_delta` and what follows it, kept back.
    closing: Vec<Event>,
    transcript: Transcript,
}

/// What became of a block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    /// The client sees it under this index.
    Shown(u64),
    Hidden,
}

impl Stream for Messages {
    fn event(&mut self, event: Event, out: &mut Vec<Bytes>) {
        self.transcript.add(&event);
        match event.kind().as_deref() {
            Some("message_start") if self.continued => {}
            Some("content_block_start") => self.start(&event, out),
            Some("content_block_delta" | "content_block_stop") if self.renumbers() => self.within(&event, out),
            Some("message_delta") => {
                self.stop_reason = stop_reason(&event).or(self.stop_reason.take());
                self.ends(event, out);
            }
            Some("message_stop") => self.ends(event, out),
            _ => out.push(event.raw().clone()),
        }
    }

    fn ending(&self) -> Ending {
        ending(self.stop_reason.as_deref())
    }

    fn hidden(&self) -> usize {
        self.blocks.values().filter(|block| **block == Block::Hidden).count()
    }

    fn heard(&self) -> Option<Heard> {
        let mut heard = Heard::default();
        for block in assemble(self.transcript.events()?).into_values() {
            let document = Document::parse(Value::Object(block).to_string().into())?;
            let (item, text) = item(&document, document.root()?);
            heard.text.push_str(&text);
            heard.items.push(item);
        }
        Some(heard)
    }

    fn close(&mut self, earlier: &Usage, ended: bool, out: &mut Vec<Bytes>) {
        for event in self.closing.drain(..) {
            let merged = merged(&event, earlier, ended);
            out.push(merged.as_ref().unwrap_or(&event).raw().clone());
        }
    }

    fn next_response(&mut self) {
        *self = Self { continued: true, earlier: self.shown, shown: self.shown, ..Self::default() };
    }
}

impl Messages {
    /// Whether the client's indices can differ from the upstream's.
    fn renumbers(&self) -> bool {
        self.continued || self.hidden() > 0
    }

    fn start(&mut self, event: &Event, out: &mut Vec<Bytes>) {
        let Some((document, at, index)) = indexed(event) else { return out.push(event.raw().clone()) };
        let block = document.root().and_then(|root| document.field(root, "content_block"));
        let is =
            |name, value| block.and_then(|block| document.string_field(block, name)).is_some_and(|text| text == value);
        if is("type", "tool_use") && is("name", tool::NAME) {
            self.blocks.insert(index, Block::Hidden);
            return;
        }
        // The upstream's own numbering is kept where nothing is hidden before, even if it is strange.
        let hidden = self.blocks.range(..index).filter(|(_, block)| **block == Block::Hidden).count() as u64;
        let shown = self.earlier.saturating_add(index - hidden);
        self.shown = self.shown.max(shown.saturating_add(1));
        self.blocks.insert(index, Block::Shown(shown));
        out.push(renumbered(event, at, index, shown));
    }

    fn within(&mut self, event: &Event, out: &mut Vec<Bytes>) {
        let Some((_, at, index)) = indexed(event) else { return out.push(event.raw().clone()) };
        match self.blocks.get(&index) {
            Some(Block::Hidden) => {}
            Some(Block::Shown(shown)) => out.push(renumbered(event, at, index, *shown)),
            None => out.push(event.raw().clone()),
        }
    }

    /// Keeps an event back if what it says may have to change.
    fn ends(&mut self, event: Event, out: &mut Vec<Bytes>) {
        if self.renumbers() {
            self.closing.push(event);
        } else {
            out.push(event.raw().clone());
        }
    }
}

/// The data of an event, and where its index stands.
fn indexed(event: &Event) -> Option<(Document, Range<usize>, u64)> {
    let document = Document::parse(event.data()?.into_owned().into())?;
    let index = document.field(document.root()?, "index")?;
    let (span, number) = (document.span(index), document.count(index)?);
    Some((document, span, number))
}

/// The event under another index.
fn renumbered(event: &Event, at: Range<usize>, from: u64, to: u64) -> Bytes {
    match event.data() {
        Some(data) if from != to => event.with_data(&patch(&data, vec![(at, to.to_string())])).raw().clone(),
        _ => event.raw().clone(),
    }
}

fn stop_reason(event: &Event) -> Option<String> {
    let document = Document::parse(event.data()?.into_owned().into())?;
    let delta = document.field(document.root()?, "delta")?;
    document.string_field(delta, "stop_reason").map(String::from)
}

/// The closing event with the output of earlier responses added, and the end called one. `None` when nothing changes.
fn merged(event: &Event, earlier: &Usage, ended: bool) -> Option<Event> {
    let data = event.data()?;
    let document = Document::parse(data.clone().into_owned().into())?;
    let [delta, usage] = document.fields(document.root()?, ["delta", "usage"])?;
    let reason = |delta: Id| document.field(delta, "stop_reason");
    let ended =
        delta.filter(|_| ended).and_then(reason).map(|reason| (document.span(reason), "\"end_turn\"".to_owned()));
    let output = usage.filter(|_| earlier.output > 0).and_then(|usage| output_patch(&document, usage, earlier));
    let patches: Vec<_> = [ended, output].into_iter().flatten().collect();
    (!patches.is_empty()).then(|| event.with_data(&patch(&data, patches)))
}

/// Puts the content blocks of a response together from its events. Known deltas are joined as documented; of an unknown one
/// the strings are appended and the rest is taken over, which is what every known one amounts to.
fn assemble(events: &[Event]) -> BTreeMap<u64, Map<String, Value>> {
    let mut blocks: BTreeMap<u64, Map<String, Value>> = BTreeMap::new();
    let mut inputs: BTreeMap<u64, String> = BTreeMap::new();
    for event in events {
        let Some(data) = event.data() else { continue };
        let Ok(Value::Object(mut data)) = serde_json::from_slice(&data) else { continue };
        let Some(index) = data.get("index").and_then(Value::as_u64) else { continue };
        if let Some(Value::Object(block)) = data.remove("content_block") {
            blocks.insert(index, block);
        }
        let (Some(Value::Object(delta)), Some(block)) = (data.remove("delta"), blocks.get_mut(&index)) else {
            continue;
        };
        for (key, value) in delta {
            match (key.as_str(), value) {
                ("type", _) => {}
                ("partial_json", Value::String(part)) => inputs.entry(index).or_default().push_str(&part),
                ("citation", citation) => match block.get_mut("citations") {
                    Some(Value::Array(citations)) => citations.push(citation),
                    _ => drop(block.insert("citations".to_owned(), Value::Array(vec![citation]))),
                },
                (_, Value::String(part)) => match block.get_mut(&key) {
                    Some(Value::String(text)) => text.push_str(&part),
                    _ => drop(block.insert(key, Value::String(part))),
                },
                (_, value) => drop(block.insert(key, value)),
            }
        }
    }
    for (index, input) in inputs {
        if let (Some(block), Ok(input)) = (blocks.get_mut(&index), serde_json::from_str(&input)) {
            block.insert("input".to_owned(), input);
        }
    }
    blocks
}

//! A streamed Responses answer.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bytes::Bytes;

use super::reply::{ending, is_mine, items, kept_as, response_patches};
use super::usage::is_last;
use crate::document::Document;
use crate::protocol::{Stream, Transcript};
use crate::scan::Id;
use crate::sse::Event;
use crate::turn::{Ending, Heard, Item, ItemKind, patch};
use crate::usage::Usage;

/// Follows the streams of one turn.
#[derive(Default)]
pub(super) struct Events {
    /// Whether the responses come over a connection, which keeps each for the next request.
    connected: bool,
    /// Whether this response continues an earlier one.
    continued: bool,
    /// What the client saw of earlier responses: the items, and how many had begun.
    earlier: Vec<String>,
    begun_earlier: u64,
    /// The number of the next event for the client, once it can differ from the upstream's.
    next_number: Option<u64>,
    /// What became of each item of this response, by the upstream's index.
    places: BTreeMap<u64, Place>,
    /// Names of the hidden items, for events that say only those.
    hidden_ids: BTreeSet<String>,
    /// Whether some response listed no items at its end although it had some. Then none is listed to the client either.
    unlisted: bool,
    status: Option<String>,
    response: Option<String>,
    /// The first response's id, as JSON. The client has seen it begin under this name, and SDKs insist that it ends under it; that name
    /// too leads to the last response when the client goes on from it.
    name: Option<String>,
    /// The event that ends the response, kept back.
    closing: Vec<Event>,
    /// The events by which items are finished.
    finished: Transcript,
}

/// What became of an item.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The client sees it under this index.
    Shown(u64),
    Hidden,
}

/// New text for a range of an event's data.
type Patch = (Range<usize>, String);

impl Stream for Events {
    fn event(&mut self, event: Event, out: &mut Vec<Bytes>) {
        let kind = event.kind().unwrap_or_default().into_owned();
        match kind.as_str() {
            "response.created" | "response.in_progress" | "response.queued" if self.continued => {}
            "response.output_item.added" | "response.output_item.done" => {
                if kind.ends_with("done") {
                    self.finished.add(&event);
                }
                self.item(&event, out);
            }
            kind if is_last(kind) => self.ends(kind, event, out),
            _ if self.alters() => self.within(&event, out),
            _ => out.push(event.raw().clone()),
        }
    }

    fn ending(&self) -> Ending {
        ending(self.status.as_deref(), &self.items().unwrap_or_default())
    }

    fn hidden(&self) -> usize {
        self.places.values().filter(|place| **place == Place::Hidden).count()
    }

    fn heard(&self) -> Option<Heard> {
        Some(Heard { items: self.items()?, response: self.response.clone(), ..Heard::default() })
    }

    fn close(&mut self, earlier: &Usage, _ended: bool, out: &mut Vec<Bytes>) {
        for event in std::mem::take(&mut self.closing) {
            out.push(self.merged(&event, earlier).unwrap_or(event).raw().clone());
        }
    }

    fn next_response(&mut self) {
        let visible =
            self.items().unwrap_or_default().into_iter().filter(|item| !matches!(item.kind, ItemKind::Mine(_)));
        let mut earlier = std::mem::take(&mut self.earlier);
        earlier.extend(visible.map(|item| item.json));
        *self = Self {
            connected: self.connected,
            continued: true,
            earlier,
            begun_earlier: self.begun(),
            next_number: self.next_number,
            unlisted: self.unlisted,
            name: self.name.take(),
            ..Self::default()
        };
    }
}

impl Events {
    pub(super) fn new(connected: bool) -> Self {
        Self { connected, ..Self::default() }
    }

    /// Whether the client's numbers can differ from the upstream's.
    fn alters(&self) -> bool {
        self.continued || self.hidden() > 0
    }

    /// Items that the client has seen begin, in all responses.
    fn begun(&self) -> u64 {
        let shown = self.places.values().filter_map(|place| match place {
            Place::Shown(index) => Some(index.saturating_add(1)),
            Place::Hidden => None,
        });
        shown.max().unwrap_or(self.begun_earlier)
    }

    /// The items of this response that are finished, in order. `None` when they were too long to be kept.
    fn items(&self) -> Option<Vec<Item>> {
        let mut finished: BTreeMap<u64, String> = BTreeMap::new();
        for event in self.finished.events()? {
            let document = Document::parse(event.data()?.into_owned().into())?;
            let [index, item] = document.fields(document.root()?, ["output_index", "item"])?;
            finished.insert(document.count(index?)?, document.raw(item?).to_owned());
        }
        let list = finished.into_values().collect::<Vec<_>>().join(",");
        let document = Document::parse(format!("[{list}]").into())?;
        let root = document.root()?;
        Some(items(&document, document.elements(root)))
    }

    /// An item begins or is finished.
    fn item(&mut self, event: &Event, out: &mut Vec<Bytes>) {
        let Some((document, [index, number, item])) = read(event, ["output_index", "sequence_number", "item"]) else {
            return out.push(event.raw().clone());
        };
        let Some(place) = index.and_then(|index| document.count(index)) else { return out.push(event.raw().clone()) };
        if !self.places.contains_key(&place) {
            let seen = if item.is_some_and(|item| is_mine(&document, item)) {
                // Its number is free for the next event that the client sees.
                self.next_number = self.next_number.or_else(|| document.count(number?));
                self.hidden_ids.extend(item.and_then(|item| document.string_field(item, "id")).map(String::from));
                Place::Hidden
            } else {
                // The upstream's own numbering is kept where nothing is hidden before, even if it is strange.
                let hidden = self.places.range(..place).filter(|(_, place)| **place == Place::Hidden).count() as u64;
                Place::Shown(self.begun_earlier.saturating_add(place - hidden))
            };
            self.places.insert(place, seen);
        }
        self.numbered(event, &document, index, number, out);
    }

    /// Something happens inside an item, or beside all of them.
    fn within(&mut self, event: &Event, out: &mut Vec<Bytes>) {
        let Some((document, [index, number, id])) = read(event, ["output_index", "sequence_number", "item_id"]) else {
            return out.push(event.raw().clone());
        };
        let hidden = id.and_then(|id| document.string(id)).is_some_and(|id| self.hidden_ids.contains(id.as_ref()));
        if !hidden {
            self.numbered(event, &document, index, number, out);
        }
    }

    /// Hands an event on under the client's numbers, unless it belongs to a hidden item.
    fn numbered(
        &mut self,
        event: &Event,
        document: &Document,
        index: Option<Id>,
        number: Option<Id>,
        out: &mut Vec<Bytes>,
    ) {
        let mut patches: Vec<Patch> = Vec::new();
        if let Some((index, stated)) = index.and_then(|index| Some((index, document.count(index)?))) {
            match self.places.get(&stated) {
                Some(Place::Hidden) => return,
                Some(Place::Shown(shown)) if *shown != stated => {
                    patches.push((document.span(index), shown.to_string()));
                }
                _ => {}
            }
        }
        patches.extend(self.number(document, number));
        out.push(changed(event, patches).raw().clone());
    }

    /// The next number for an event that has one.
    fn number(&mut self, document: &Document, number: Option<Id>) -> Option<Patch> {
        let (number, next) = (number?, self.next_number.as_mut()?);
        let patch = (document.count(number) != Some(*next)).then(|| (document.span(number), next.to_string()));
        *next += 1;
        patch
    }

    /// The response is over: the event that says so is kept back if what it says has to change.
    fn ends(&mut self, kind: &str, event: Event, out: &mut Vec<Bytes>) {
        self.status = Some(kind.trim_start_matches("response.").to_owned());
        if let Some((document, [Some(response)])) = read(&event, ["response"]) {
            self.response = kept_as(&document, response, self.connected);
            self.name = self.name.take().or_else(|| Some(document.raw(document.field(response, "id")?).to_owned()));
            let listed = document.field(response, "output").map(|output| document.elements(output).count());
            self.unlisted |= listed.unwrap_or(0) == 0 && !self.places.is_empty();
        }
        if self.alters() {
            self.closing.push(event);
        } else {
            out.push(event.raw().clone());
        }
    }

    /// The closing event for the whole turn.
    fn merged(&mut self, event: &Event, usage: &Usage) -> Option<Event> {
        let (document, [response, number]) = read(event, ["response", "sequence_number"])?;
        let earlier: Vec<&str> = self.earlier.iter().map(String::as_str).collect();
        let response = response?;
        let mut patches = response_patches(&document, response, &earlier, usage);
        if self.unlisted {
            let output = document.field(response, "output").map(|output| document.span(output));
            patches.retain(|(range, _)| Some(range) != output.as_ref());
        }
        let id = document.field(response, "id").zip(self.name.clone());
        patches.extend(id.map(|(id, name)| (document.span(id), name)));
        patches.extend(self.number(&document, number));
        Some(changed(event, patches))
    }
}

/// The data of an event, and some of its members.
fn read<const N: usize>(event: &Event, names: [&str; N]) -> Option<(Document, [Option<Id>; N])> {
    let document = Document::parse(event.data()?.into_owned().into())?;
    let members = document.fields(document.root()?, names)?;
    Some((document, members))
}

fn changed(event: &Event, patches: Vec<Patch>) -> Event {
    match event.data() {
        Some(data) if !patches.is_empty() => event.with_data(&patch(&data, patches)),
        _ => event.clone(),
    }
}

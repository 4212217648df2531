//! A streamed Chat Completions response.

use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;
use serde_json::{Map, Value};

use super::reply::{ASIDES, ending, item, output_patches};
use crate::document::Document;
use crate::literal::quoted;
use crate::protocol::{Stream, Transcript};
use crate::scan::Id;
use crate::sse::Event;
use crate::tool;
use crate::turn::{Ending, Heard, patch};
use crate::usage::Usage;

/// Follows the streams of one turn.
#[derive(Default)]
pub(super) struct Chunks {
    /// Whether this response continues an earlier one.
    continued: bool,
    /// The completion's identifier, as the client knows it from the first chunk.
    id: Option<String>,
    /// The calls of this response.
    calls: Vec<Call>,
    finish_reason: Option<String>,
    /// The chunk with the finish reason and what follows it, kept back.
    closing: Vec<Event>,
    transcript: Transcript,
}

/// A call, as far as it has to be told from the others.
struct Call {
    /// The upstream's index; some servers send none.
    index: Option<u64>,
    id: Option<String>,
    /// The index under which the client sees it; `None` when it is ours.
    shown: Option<usize>,
}

impl Stream for Chunks {
    fn event(&mut self, event: Event, out: &mut Vec<Bytes>) {
        self.transcript.add(&event);
        match self.chunk(&event) {
            Seen::Untouched => out.push(event.raw().clone()),
            Seen::Changed(event) => out.push(event.raw().clone()),
            Seen::Nothing => {}
            Seen::Ends(event) => self.closing.push(event),
            Seen::SaysAndEnds { said, end } => {
                out.push(said.raw().clone());
                self.closing.push(end);
            }
        }
    }

    fn ending(&self) -> Ending {
        ending(self.finish_reason.as_deref(), !self.calls.is_empty())
    }

    fn hidden(&self) -> usize {
        self.calls.iter().filter(|call| call.shown.is_none()).count()
    }

    fn heard(&self) -> Option<Heard> {
        assemble(self.transcript.events()?)
    }

    fn close(&mut self, earlier: &Usage, ended: bool, out: &mut Vec<Bytes>) {
        for event in self.closing.drain(..) {
            let merged = merged(&event, earlier, ended);
            out.push(merged.as_ref().unwrap_or(&event).raw().clone());
        }
    }

    fn next_response(&mut self) {
        *self = Self { continued: true, id: self.id.take(), ..Self::default() };
    }
}

/// New text for a range of a chunk.
type Patch = (Range<usize>, String);

/// What the client gets of an event.
enum Seen {
    Untouched,
    Changed(Event),
    Nothing,
    /// It belongs to the end of the response and is kept back.
    Ends(Event),
    /// It says something and ends the response: the one goes out, the other is kept back.
    SaysAndEnds {
        said: Event,
        end: Event,
    },
}

impl Chunks {
    /// Whether a call is hidden or the response is not the first: then nothing is simply passed on.
    fn alters(&self) -> bool {
        self.continued || self.hidden() > 0
    }

    fn chunk(&mut self, event: &Event) -> Seen {
        let Some(data) = event.data() else { return Seen::Untouched };
        let says = |word: &[u8]| memmem::find(&data, word).is_some();
        if !self.alters() && self.id.is_some() && !says(b"\"tool_calls\"") && !says(b"\"finish_reason\":\"") {
            return Seen::Untouched;
        }
        if data.trim_ascii() == b"[DONE]" {
            return if self.alters() { Seen::Ends(event.clone()) } else { Seen::Untouched };
        }
        let document = Document::parse(data.clone().into_owned().into());
        let Some((document, root)) = document.as_ref().and_then(|document| Some((document, document.root()?))) else {
            return Seen::Untouched;
        };
        let [id, choices, usage] = document.fields(root, ["id", "choices", "usage"]).unwrap_or_default();
        let Some(choices) = choices.filter(|choices| document.is_array(*choices)) else { return Seen::Untouched };
        let ids = self.same_id(document, id);
        let Some(choice) = document.elements(choices).next() else {
            // The usage chunk.
            return if self.alters() {
                Seen::Ends(changed(event, &data, ids.into_iter().collect()))
            } else {
                Seen::Untouched
            };
        };
        let [index, delta, finish_reason] =
            document.fields(choice, ["index", "delta", "finish_reason"]).unwrap_or_default();
        if index.is_some_and(|index| document.count(index) != Some(0)) {
            return Seen::Untouched;
        }
        let (left, empty) = delta.map_or((None, true), |delta| self.delta(document, delta));
        let Some((reason, text)) = finish_reason.and_then(|reason| Some((reason, document.string(reason)?))) else {
            let patches: Vec<_> = ids.into_iter().chain(left).collect();
            return match (empty && self.alters(), patches.is_empty()) {
                (true, _) => Seen::Nothing,
                (false, true) => Seen::Untouched,
                (false, false) => Seen::Changed(changed(event, &data, patches)),
            };
        };
        self.finish_reason = Some(text.into_owned());
        if !self.alters() {
            return Seen::Untouched;
        }
        let nothing = delta.map(|delta| (document.span(delta), "{}".to_owned()));
        let end = changed(event, &data, ids.iter().cloned().chain(nothing).collect());
        if empty {
            return Seen::Ends(end);
        }
        let later = [Some(reason), usage].into_iter().flatten().map(|id| (document.span(id), "null".to_owned()));
        let said = changed(event, &data, ids.into_iter().chain(left).chain(later).collect());
        Seen::SaysAndEnds { said, end }
    }

    /// The client knows one completion: chunks of later responses get the identifier of the first.
    fn same_id(&mut self, document: &Document, id: Option<Id>) -> Option<Patch> {
        let (span, id) = id.and_then(|id| Some((document.span(id), document.string(id)?)))?;
        match &self.id {
            Some(first) => (self.continued && *first != id).then(|| (span, quoted(first))),
            None => {
                self.id = Some(id.into_owned());
                None
            }
        }
    }

    /// Takes our calls out of a delta, and says whether nothing is left in it that a client would miss.
    fn delta(&mut self, document: &Document, delta: Id) -> (Option<Patch>, bool) {
        let mut kept_members: Vec<(Range<usize>, Option<String>)> = Vec::new();
        let (mut dropped, mut says) = (false, false);
        for (key, value) in document.members(delta) {
            let span = document.span(key).start..document.span(value).end;
            let name = document.string(key).unwrap_or_default();
            if name == "tool_calls" && document.is_array(value) {
                match self.list(document, value) {
                    Kept::All => {
                        says = true;
                        kept_members.push((span, None));
                    }
                    Kept::Some(list) => {
                        says = true;
                        kept_members.push((span, Some(format!("\"tool_calls\":{list}"))));
                    }
                    Kept::None => dropped = true,
                }
            } else if name == "role" && self.continued {
                // Some clients append every string of every delta, the role included.
                dropped = true;
            } else {
                says |= !matches!(document.raw(value), "null" | "\"\"" | "[]") && name != "role";
                says |= name == "role";
                kept_members.push((span, None));
            }
        }
        if dropped || kept_members.iter().any(|(_, text)| text.is_some()) {
            let raw = |span: &Range<usize>| document.text(span.clone()).to_owned();
            let members: Vec<String> =
                kept_members.iter().map(|(span, text)| text.clone().unwrap_or_else(|| raw(span))).collect();
            return (Some((document.span(delta), format!("{{{}}}", members.join(",")))), !says);
        }
        (None, !says)
    }

    /// Sorts the calls of one delta into ours and the client's.
    fn list(&mut self, document: &Document, list: Id) -> Kept {
        let mut kept: Vec<String> = Vec::new();
        let mut changed = false;
        for element in document.elements(list) {
            let [index, id, function] = document.fields(element, ["index", "id", "function"]).unwrap_or_default();
            let number = index.and_then(|index| document.count(index));
            let id = id.and_then(|id| document.string(id)).filter(|id| !id.is_empty());
            let name = function.and_then(|function| document.string_field(function, "name"));
            let call = self.call(number, id.as_deref(), name.as_deref());
            let raw = document.raw(element);
            match (call.shown, index) {
                (None, _) => changed = true,
                (Some(shown), Some(index)) if number != Some(shown as u64) => {
                    changed = true;
                    let (span, start) = (document.span(index), document.span(element).start);
                    let moved = vec![(span.start - start..span.end - start, shown.to_string())];
                    kept.push(String::from_utf8(patch(raw.as_bytes(), moved)).unwrap_or_else(|_| raw.to_owned()));
                }
                _ => kept.push(raw.to_owned()),
            }
        }
        match (changed, kept.is_empty()) {
            (false, _) => Kept::All,
            (true, true) => Kept::None,
            (true, false) => Kept::Some(format!("[{}]", kept.join(","))),
        }
    }

    /// The call that a piece of a delta belongs to; a new one when it brings a name under an index or identifier not met yet.
    fn call(&mut self, index: Option<u64>, id: Option<&str>, name: Option<&str>) -> &Call {
        let known = match (index, id) {
            (Some(index), id) => self.calls.iter().rposition(|call| {
                // A server that numbers every call 0 tells them apart by identifier only.
                call.index == Some(index) && (name.is_none() || id.is_none() || call.id.as_deref() == id)
            }),
            (None, Some(id)) => self.calls.iter().rposition(|call| call.id.as_deref() == Some(id)),
            (None, None) if name.is_none() => self.calls.len().checked_sub(1),
            (None, None) => None,
        };
        let at = known.unwrap_or_else(|| {
            let mine = name == Some(tool::NAME);
            let visible = self.calls.iter().filter(|call| call.shown.is_some()).count();
            self.calls.push(Call { index, id: id.map(str::to_owned), shown: (!mine).then_some(visible) });
            self.calls.len() - 1
        });
        &self.calls[at]
    }
}

/// What is left of a list of calls.
enum Kept {
    All,
    Some(String),
    None,
}

fn changed(event: &Event, data: &[u8], patches: Vec<Patch>) -> Event {
    if patches.is_empty() { event.clone() } else { event.with_data(&patch(data, patches)) }
}

/// The closing event with the output of earlier responses added, and the finish reason made an end. `None` when nothing changes.
fn merged(event: &Event, earlier: &Usage, ended: bool) -> Option<Event> {
    let data = event.data()?;
    let document = Document::parse(data.clone().into_owned().into())?;
    let [choices, usage] = document.fields(document.root()?, ["choices", "usage"])?;
    let mut patches = usage.map(|usage| output_patches(&document, usage, earlier)).unwrap_or_default();
    let choice = choices.and_then(|choices| document.elements(choices).next());
    let reason = choice.and_then(|choice| document.field(choice, "finish_reason"));
    if let Some(reason) = reason.filter(|reason| ended && document.is_string(*reason)) {
        patches.push((document.span(reason), "\"stop\"".to_owned()));
    }
    (!patches.is_empty()).then(|| changed(event, &data, patches))
}

/// Puts the message of a response together from its chunks.
fn assemble(events: &[Event]) -> Option<Heard> {
    let mut heard = Heard::default();
    let mut calls: Vec<Map<String, Value>> = Vec::new();
    let mut asides: Map<String, Value> = Map::new();
    for event in events {
        let Some(data) = event.data() else { continue };
        let Ok(mut chunk) = serde_json::from_slice::<Value>(&data) else { continue };
        let Some(Value::Object(mut delta)) = chunk.pointer_mut("/choices/0/delta").map(Value::take) else { continue };
        if let Some(Value::String(text)) = delta.get("content") {
            heard.text.push_str(text);
        }
        for name in ASIDES {
            match (asides.get_mut(name), delta.remove(name)) {
                (_, None | Some(Value::Null)) => {}
                (Some(Value::String(text)), Some(Value::String(more))) => text.push_str(&more),
                (Some(Value::Array(list)), Some(Value::Array(more))) => list.extend(more),
                (_, Some(value)) => drop(asides.insert(name.to_owned(), value)),
            }
        }
        if let Some(Value::Array(pieces)) = delta.remove("tool_calls") {
            pieces.into_iter().for_each(|piece| join(&mut calls, piece));
        }
    }
    heard.aside = asides.iter().map(|(name, value)| format!("\"{name}\":{value},")).collect();
    for mut call in calls {
        call.remove("index");
        let document = Document::parse(Value::Object(call).to_string().into())?;
        heard.items.push(item(&document, document.root()?));
    }
    Some(heard)
}

/// Adds one piece of a delta's `tool_calls` to the call it belongs to, by the same rule as [`Chunks::call`].
fn join(calls: &mut Vec<Map<String, Value>>, piece: Value) {
    let Value::Object(mut piece) = piece else { return };
    let named = piece.get("function").and_then(|function| function.get("name")).is_some_and(Value::is_string);
    let id = piece.get("id").and_then(Value::as_str).filter(|id| !id.is_empty()).map(str::to_owned);
    let index = piece.get("index").and_then(Value::as_u64);
    let same_id = |call: &Map<String, Value>| call.get("id").and_then(Value::as_str) == id.as_deref();
    let known = match (index, &id) {
        (Some(_), _) => calls.iter().rposition(|call| {
            call.get("index").and_then(Value::as_u64) == index && (!named || id.is_none() || same_id(call))
        }),
        (None, Some(_)) => calls.iter().rposition(same_id),
        (None, None) if !named => calls.len().checked_sub(1),
        (None, None) => None,
    };
    let Some(call) = known.map(|at| &mut calls[at]) else { return calls.push(piece) };
    if let (Some(Value::Object(function)), Some(Value::Object(more))) =
        (call.get_mut("function"), piece.remove("function"))
    {
        for (key, value) in more {
            match (function.get_mut(&key), value) {
                (Some(Value::String(text)), Value::String(part)) if key == "arguments" => text.push_str(&part),
                (Some(Value::String(_)), Value::String(_) | Value::Null) => {}
                (_, value) => drop(function.insert(key, value)),
            }
        }
    }
    for (key, value) in piece {
        if !value.is_null() && key != "id" && key != "index" && key != "type" {
            call.insert(key, value);
        }
    }
}

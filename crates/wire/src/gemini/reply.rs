//! A whole Gemini answer.

use std::ops::Range;

use super::usage::output_patches;
use super::{call_of, json};
use crate::document::Document;
use crate::scan::Id;
use crate::tool;
use crate::turn::{Ending, Heard, Item, ItemKind, Merge, Retrieval, patch};

/// What stands in place of parts that were all ours. Providers end streams with it themselves.
pub(super) const NOTHING: &str = "{\"text\":\"\"}";

/// What a response says; `None` when it is none, or holds several answers.
pub(super) fn reply(document: &Document) -> Option<(Heard, Ending)> {
    let candidate = only_candidate(document)?;
    let mut heard = Heard::default();
    for part in parts(document, candidate) {
        add(document, part, &mut heard);
    }
    let ending = ending(document.string_field(candidate, "finishReason").as_deref(), &heard);
    Some((heard, ending))
}

/// How a response ended, by its finish reason.
pub(super) fn ending(finish_reason: Option<&str>, heard: &Heard) -> Ending {
    let calls = heard.items.iter().any(|item| item.kind != ItemKind::Uncounted);
    match finish_reason {
        None => Ending::Broken,
        Some("STOP") if calls => Ending::Calls,
        Some(_) => Ending::Other,
    }
}

/// The candidate of a response, if there is exactly one.
pub(super) fn only_candidate(document: &Document) -> Option<Id> {
    let mut candidates = document.elements(document.field(document.root()?, "candidates")?);
    candidates.next().filter(|_| candidates.next().is_none())
}

/// The list of parts of a candidate.
pub(super) fn list(document: &Document, candidate: Id) -> Option<Id> {
    document.field(document.field(candidate, "content")?, "parts").filter(|parts| document.is_array(*parts))
}

pub(super) fn parts(document: &Document, candidate: Id) -> impl Iterator<Item = Id> + '_ {
    list(document, candidate).into_iter().flat_map(|parts| document.elements(parts))
}

/// Adds a part to what was said.
pub(super) fn add(document: &Document, part: Id, heard: &mut Heard) {
    let [text, thought] = document.fields(part, ["text", "thought"]).unwrap_or_default();
    if let Some(text) = text.filter(|_| thought.is_none()).and_then(|text| document.string(text)) {
        heard.text.push_str(&text);
    }
    let kind = call_of(document, part).map(|call| {
        let [id, name, args] = document.fields(call, ["id", "name", "args"]).unwrap_or_default();
        let string = |id: Option<Id>| id.and_then(|id| document.string(id)).unwrap_or_default().into_owned();
        if string(name) == tool::NAME {
            let arguments = args.map_or("{}", |args| document.raw(args)).to_owned();
            ItemKind::Mine(Retrieval { id: string(id), arguments })
        } else {
            ItemKind::Theirs(string(name))
        }
    });
    heard.items.push(Item { json: document.raw(part).to_owned(), kind: kind.unwrap_or(ItemKind::Uncounted) });
}

/// Whether a part is a call of our tool.
pub(super) fn is_mine(document: &Document, part: Id) -> bool {
    let call = call_of(document, part);
    call.and_then(|call| document.string_field(call, "name")).is_some_and(|name| name == tool::NAME)
}

/// Whether a part may be said back: empty text without a signature may not.
pub(super) fn is_sayable(item: &Item) -> bool {
    let plain = || {
        Document::parse(item.json.clone().into()).and_then(|document| {
            let [text, signature] = document.fields(document.root()?, ["text", "thoughtSignature"])?;
            Some(signature.is_none() && document.raw(text?) == "\"\"")
        })
    };
    item.kind != ItemKind::Uncounted || plain() != Some(true)
}

/// The last response with the parts of all, without our calls.
pub(super) fn merge(merge: &Merge<'_>) -> Option<Vec<u8>> {
    let document = merge.document;
    let root = document.root()?;
    let shown: Vec<&str> = merge.items.iter().chain(merge.heard.visible()).map(json).collect();
    let shown = if shown.is_empty() { NOTHING.to_owned() } else { shown.join(",") };
    let mut patches = output_patches(document, root, &merge.earlier);
    let candidate = only_candidate(document)?;
    match (list(document, candidate), document.field(candidate, "content")) {
        (Some(parts), _) => patches.push((document.span(parts), format!("[{shown}]"))),
        (None, Some(content)) => {
            patches.push((document.span(content), format!("{{\"parts\":[{shown}],\"role\":\"model\"}}")));
        }
        (None, None) => {
            let inside = document.span(candidate).start + 1;
            patches.push((inside..inside, format!("\"content\":{{\"parts\":[{shown}],\"role\":\"model\"}},")));
        }
    }
    Some(patch(document.raw(root).as_bytes(), moved(patches, document.span(root).start)))
}

/// Patches of a body as patches of a value that begins at `start`.
fn moved(patches: Vec<(Range<usize>, String)>, start: usize) -> Vec<(Range<usize>, String)> {
    patches.into_iter().map(|(range, text)| (range.start - start..range.end - start, text)).collect()
}

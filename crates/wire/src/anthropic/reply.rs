//! A whole Messages response.

use std::ops::Range;

use crate::document::Document;
use crate::scan::Id;
use crate::tool;
use crate::turn::{Ending, Heard, Item, ItemKind, Merge, Retrieval, patch};
use crate::usage::Usage;

/// What a response says; `None` when it is none.
pub(super) fn reply(document: &Document) -> Option<(Heard, Ending)> {
    let [content, stop_reason] = document.fields(document.root()?, ["content", "stop_reason"])?;
    let content = content.filter(|content| document.is_array(*content))?;
    let mut heard = Heard::default();
    for block in document.elements(content) {
        let (item, text) = item(document, block);
        heard.text.push_str(&text);
        heard.items.push(item);
    }
    Some((heard, ending(stop_reason.and_then(|id| document.string(id)).as_deref())))
}

/// How a response ended, by its stop reason.
pub(super) fn ending(stop_reason: Option<&str>) -> Ending {
    match stop_reason {
        None => Ending::Broken,
        Some("tool_use") => Ending::Calls,
        Some(_) => Ending::Other,
    }
}

/// A content block, and its text if it is one.
pub(super) fn item(document: &Document, block: Id) -> (Item, String) {
    let [kind, id, name, input, text] =
        document.fields(block, ["type", "id", "name", "input", "text"]).unwrap_or_default();
    let string = |id: Option<Id>| id.and_then(|id| document.string(id)).unwrap_or_default().into_owned();
    let kind = match string(kind).as_str() {
        "tool_use" if string(name) == tool::NAME => {
            let arguments = input.map_or("{}", |input| document.raw(input)).to_owned();
            ItemKind::Mine(Retrieval { id: string(id), arguments })
        }
        "tool_use" => ItemKind::Theirs(string(id)),
        "thinking" | "redacted_thinking" => ItemKind::Thinking,
        "text" if string(text).is_empty() => ItemKind::Empty,
        _ => ItemKind::Other,
    };
    let text = if kind == ItemKind::Other { string(text) } else { String::new() };
    (Item { json: document.raw(block).to_owned(), kind }, text)
}

/// The last response with the content of all, without our calls.
pub(super) fn merge(merge: &Merge<'_>) -> Option<Vec<u8>> {
    let document = merge.document;
    let root = document.root()?;
    let [content, stop_reason, usage] = document.fields(root, ["content", "stop_reason", "usage"])?;
    let shown = merge.items.iter().chain(merge.heard.visible()).map(|item| item.json.as_str());
    let content = (document.span(content?), format!("[{}]", shown.collect::<Vec<_>>().join(",")));
    let ended = stop_reason.filter(|_| merge.ended).map(|reason| (document.span(reason), "\"end_turn\"".to_owned()));
    let output = usage.and_then(|usage| output_patch(document, usage, &merge.earlier));
    let patches = [Some(content), ended, output].into_iter().flatten().collect();
    Some(patch(document.raw(root).as_bytes(), offset(patches, document.span(root).start)))
}

/// The output counter of a usage object, with the output of earlier responses added.
pub(super) fn output_patch(document: &Document, usage: Id, earlier: &Usage) -> Option<(Range<usize>, String)> {
    let counter = document.field(usage, "output_tokens")?;
    let sum = document.count(counter)?.saturating_add(earlier.output);
    Some((document.span(counter), sum.to_string()))
}

/// Patches of a body as patches of its root value, which may have white space before it.
fn offset(patches: Vec<(Range<usize>, String)>, start: usize) -> Vec<(Range<usize>, String)> {
    patches.into_iter().map(|(range, text)| (range.start - start..range.end - start, text)).collect()
}

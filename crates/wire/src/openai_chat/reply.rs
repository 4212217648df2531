//! A whole Chat Completions response.

use std::ops::Range;

use crate::document::Document;
use crate::literal::quoted;
use crate::scan::Id;
use crate::tool;
use crate::turn::{Ending, Heard, Item, ItemKind, Merge, Retrieval, patch};
use crate::usage::Usage;

/// Members of an assistant message that servers with open reasoning want back.
pub(super) const ASIDES: [&str; 3] = ["reasoning_content", "reasoning", "reasoning_details"];

/// What a response says; `None` when it is none, or holds several answers.
pub(super) fn reply(document: &Document) -> Option<(Heard, Ending)> {
    let choice = only_choice(document)?;
    let [message, finish_reason] = document.fields(choice, ["message", "finish_reason"])?;
    let message = message?;
    let [content, calls] = document.fields(message, ["content", "tool_calls"])?;
    let text = content.and_then(|content| document.string(content)).unwrap_or_default().into_owned();
    let items = calls.into_iter().flat_map(|calls| document.elements(calls)).map(|call| item(document, call));
    let items: Vec<Item> = items.collect();
    let aside = document.fields(message, ASIDES).unwrap_or_default();
    let aside =
        ASIDES.iter().zip(aside).filter_map(|(name, value)| Some(format!("\"{name}\":{},", document.raw(value?))));
    let reason = finish_reason.and_then(|id| document.string(id));
    let ending = ending(reason.as_deref(), !items.is_empty());
    Some((Heard { text, aside: aside.collect(), items, ..Heard::default() }, ending))
}

/// How a response ended, by its finish reason. Some servers say `stop` although the model called.
pub(super) fn ending(finish_reason: Option<&str>, called: bool) -> Ending {
    match finish_reason {
        None => Ending::Broken,
        Some("tool_calls" | "stop") if called => Ending::Calls,
        Some(_) => Ending::Other,
    }
}

/// A tool call.
pub(super) fn item(document: &Document, call: Id) -> Item {
    let [id, function] = document.fields(call, ["id", "function"]).unwrap_or_default();
    let id = id.and_then(|id| document.string(id)).unwrap_or_default().into_owned();
    let [name, arguments] =
        function.and_then(|function| document.fields(function, ["name", "arguments"])).unwrap_or_default();
    let kind = if name.and_then(|name| document.string(name)).is_some_and(|name| name == tool::NAME) {
        let text = |arguments| document.string(arguments).unwrap_or_else(|| document.raw(arguments).into());
        let arguments = arguments.map(text).unwrap_or_default().into_owned();
        ItemKind::Mine(Retrieval { id, arguments })
    } else {
        ItemKind::Theirs(id)
    };
    Item { json: document.raw(call).to_owned(), kind }
}

/// The last response with the text of all, without our calls.
pub(super) fn merge(merge: &Merge<'_>) -> Option<Vec<u8>> {
    let document = merge.document;
    let root = document.root()?;
    let choice = only_choice(document)?;
    let [message, finish_reason] = document.fields(choice, ["message", "finish_reason"])?;
    let message = message?;
    let [content, calls] = document.fields(message, ["content", "tool_calls"])?;
    let mut patches = Vec::new();
    if !merge.text.is_empty() {
        let text = quoted(&[merge.text, merge.heard.text.as_str()].concat());
        patches.push(match content {
            Some(content) => (document.span(content), text),
            None => {
                let inside = document.span(message).start + 1;
                (inside..inside, format!("\"content\":{text},"))
            }
        });
    }
    let hides = merge.heard.visible().count() < merge.heard.items.len();
    if let Some(calls) = calls.filter(|_| hides) {
        let shown: Vec<&str> = merge.heard.visible().map(|item| item.json.as_str()).collect();
        let list = if shown.is_empty() { "null".to_owned() } else { format!("[{}]", shown.join(",")) };
        patches.push((document.span(calls), list));
    }
    if let Some(reason) = finish_reason.filter(|_| merge.ended) {
        patches.push((document.span(reason), "\"stop\"".to_owned()));
    }
    if let Some(usage) = document.field(root, "usage") {
        patches.extend(output_patches(document, usage, &merge.earlier));
    }
    let start = document.span(root).start;
    let moved = patches.into_iter().map(|(range, text)| (range.start - start..range.end - start, text));
    Some(patch(document.raw(root).as_bytes(), moved.collect()))
}

/// The output and total counters of a usage object, with the output of earlier responses added.
pub(super) fn output_patches(document: &Document, usage: Id, earlier: &Usage) -> Vec<(Range<usize>, String)> {
    let counters = document.fields(usage, ["completion_tokens", "total_tokens"]).unwrap_or_default();
    let more = |counter: Id| {
        let sum = document.count(counter)?.saturating_add(earlier.output);
        Some((document.span(counter), sum.to_string()))
    };
    counters.into_iter().flatten().filter(|_| earlier.output > 0).filter_map(more).collect()
}

fn only_choice(document: &Document) -> Option<Id> {
    let mut choices = document.elements(document.field(document.root()?, "choices")?);
    choices.next().filter(|_| choices.next().is_none())
}

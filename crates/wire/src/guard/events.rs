//! Where calls of the client's tools and their arguments stand, in every dialect.

use std::ops::Range;

use memchr::memmem;

use crate::Dialect;
use crate::document::Document;
use crate::scan::{Id, Shape};

/// How arguments are spelled where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A string that holds JSON.
    Text,
    /// The JSON itself.
    Json,
    /// A string that holds whatever the tool takes.
    Free,
}

/// Arguments of a call, or a part of them.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// Which call of the response.
    pub(super) key: String,
    /// Name of the tool, where it is said here.
    pub(super) name: String,
    /// Where they stand in the data, quotes included.
    pub(super) at: Range<usize>,
    pub(super) form: Form,
    /// All of them, not the next part.
    pub(super) whole: bool,
}

/// What the key of a call ends with that has neither number nor identifier.
pub(super) const UNNUMBERED: &str = ".#";

/// Which calls are complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Ends {
    #[default]
    None,
    Call(String),
    All,
}

impl Ends {
    pub(super) fn include(&self, key: &str) -> bool {
        match self {
            Self::None => false,
            Self::Call(ended) => ended == key,
            Self::All => true,
        }
    }
}

/// What an event says about calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Read {
    /// Calls that begin, with the names of their tools.
    pub(super) named: Vec<(String, String)>,
    pub(super) pieces: Vec<Piece>,
    pub(super) ends: Ends,
    /// It only keeps the connection open: it may overtake what is kept back.
    pub(super) idle: bool,
}

/// Whether an event can say anything about calls.
pub(super) fn concerns(dialect: Dialect, event: &[u8]) -> bool {
    let words: &[&str] = match dialect {
        Dialect::AnthropicMessages => &["tool_use", "input_json_delta"],
        Dialect::OpenAiChat => &["tool_calls", "function_call"],
        Dialect::OpenAiResponses => &["_call"],
        Dialect::Gemini => &["unctionCall", "unction_call"],
    };
    words.iter().any(|word| memmem::find(event, word.as_bytes()).is_some())
}

/// What an event of a stream says.
pub(super) fn read(dialect: Dialect, document: &Document) -> Read {
    let Some(root) = document.root() else { return Read::default() };
    match dialect {
        Dialect::AnthropicMessages => anthropic(document, root),
        Dialect::OpenAiChat => chat(document, root, "delta", false),
        Dialect::OpenAiResponses => responses(document, root),
        Dialect::Gemini => gemini(document, root),
    }
}

/// The calls of a whole response.
pub(super) fn read_whole(dialect: Dialect, document: &Document) -> Vec<Piece> {
    let Some(root) = document.root() else { return Vec::new() };
    let elements = |name| document.field(root, name).into_iter().flat_map(|list| document.elements(list));
    match dialect {
        Dialect::AnthropicMessages => {
            let blocks = elements("content").enumerate();
            blocks.filter_map(|(at, block)| anthropic_input(document, block, &at.to_string())).collect()
        }
        Dialect::OpenAiChat => chat(document, root, "message", true).pieces,
        Dialect::OpenAiResponses => {
            let items = elements("output").enumerate();
            items.filter_map(|(at, item)| responses_item(document, item, &at.to_string())).collect()
        }
        Dialect::Gemini => gemini(document, root).pieces,
    }
}

fn word(document: &Document, object: Id, name: &str) -> String {
    document.string_field(object, name).unwrap_or_default().into_owned()
}

/// A piece, if its value is spelled as its form says.
fn piece(document: &Document, value: Id, form: Form, whole: bool, key: String, name: String) -> Option<Piece> {
    let fits = if form == Form::Json { document.shape(value) == Shape::Object } else { document.is_string(value) };
    fits.then(|| Piece { key, name, at: document.span(value), form, whole })
}

// --- Anthropic -----------------------------------------------------------------------------------

fn anthropic(document: &Document, root: Id) -> Read {
    let [kind, index, delta, block] =
        document.fields(root, ["type", "index", "delta", "content_block"]).unwrap_or_default();
    let kind = kind.and_then(|kind| document.string(kind)).unwrap_or_default();
    let key = index.map(|index| document.raw(index).to_owned()).unwrap_or_default();
    let mut read = Read { idle: kind == "ping", ..Read::default() };
    match kind.as_ref() {
        "content_block_start" => {
            if let Some(block) = block.filter(|block| word(document, *block, "type") == "tool_use") {
                read.named.push((key.clone(), word(document, block, "name")));
                read.pieces.extend(anthropic_input(document, block, &key));
            }
        }
        "content_block_delta" => {
            let part = delta.and_then(|delta| document.field(delta, "partial_json"));
            read.pieces.extend(part.and_then(|part| piece(document, part, Form::Text, false, key, String::new())));
        }
        "content_block_stop" => read.ends = Ends::Call(key),
        "message_delta" | "message_stop" | "error" => read.ends = Ends::All,
        _ => {}
    }
    read
}

/// The input of a block. An empty one at the beginning of a stream says nothing yet.
fn anthropic_input(document: &Document, block: Id, key: &str) -> Option<Piece> {
    if word(document, block, "type") != "tool_use" {
        return None;
    }
    let input = document.field(block, "input").filter(|input| document.members(*input).next().is_some())?;
    piece(document, input, Form::Json, true, key.to_owned(), word(document, block, "name"))
}

// --- OpenAI Chat ---------------------------------------------------------------------------------

fn chat(document: &Document, root: Id, holder: &str, whole: bool) -> Read {
    let mut read = Read::default();
    let choices = document.field(root, "choices").into_iter().flat_map(|choices| document.elements(choices));
    for (place, choice) in choices.enumerate() {
        let [index, said, reason] = document.fields(choice, ["index", holder, "finish_reason"]).unwrap_or_default();
        let choice = index.map_or_else(|| place.to_string(), |index| document.raw(index).to_owned());
        let [calls, legacy] =
            said.and_then(|said| document.fields(said, ["tool_calls", "function_call"])).unwrap_or_default();
        let calls = calls.into_iter().flat_map(|calls| document.elements(calls)).enumerate();
        for (place, call) in calls {
            let [index, id, function, custom] =
                document.fields(call, ["index", "id", "function", "custom"]).unwrap_or_default();
            // Servers that number nothing send their calls whole, or one after another.
            let key = match (index, id) {
                (Some(index), _) => format!("{choice}.{}", document.raw(index)),
                (None, _) if whole => format!("{choice}.{place}"),
                (None, id) => format!("{choice}{UNNUMBERED}{}", id.map_or("", |id| document.raw(id))),
            };
            if let Some(function) = function {
                read.function(document, function, key.clone(), whole);
            }
            if let Some(custom) = custom {
                let input = document.field(custom, "input");
                read.named.extend(name_of(document, custom, &key));
                let piece = |input| piece(document, input, Form::Free, whole, key, word(document, custom, "name"));
                read.pieces.extend(input.and_then(piece));
            }
        }
        if let Some(function) = legacy {
            read.function(document, function, format!("{choice}.f"), whole);
        }
        if reason.is_some_and(|reason| document.is_string(reason)) {
            read.ends = Ends::All;
        }
    }
    read
}

fn name_of(document: &Document, function: Id, key: &str) -> Option<(String, String)> {
    let name = word(document, function, "name");
    (!name.is_empty()).then(|| (key.to_owned(), name))
}

impl Read {
    fn function(&mut self, document: &Document, function: Id, key: String, whole: bool) {
        self.named.extend(name_of(document, function, &key));
        let name = word(document, function, "name");
        let Some(arguments) = document.field(function, "arguments") else { return };
        // Some servers send an object.
        let (form, whole) = match document.is_string(arguments) {
            true => (Form::Text, whole),
            false => (Form::Json, true),
        };
        self.pieces.extend(piece(document, arguments, form, whole, key, name));
    }
}

// --- OpenAI Responses ----------------------------------------------------------------------------

fn responses(document: &Document, root: Id) -> Read {
    let names = ["type", "output_index", "item_id", "item", "delta", "arguments", "input", "response"];
    let [kind, index, id, item, delta, arguments, input, response] = document.fields(root, names).unwrap_or_default();
    let kind = kind.and_then(|kind| document.string(kind)).unwrap_or_default();
    let key = index.or(id).map(|key| document.raw(key).to_owned()).unwrap_or_default();
    let mut read = Read::default();
    let mut take = |value: Option<Id>, form, whole| {
        let value = value.and_then(|value| piece(document, value, form, whole, key.clone(), String::new()));
        read.pieces.extend(value);
    };
    match kind.as_ref() {
        "response.function_call_arguments.delta" => take(delta, Form::Text, false),
        "response.function_call_arguments.done" => take(arguments, Form::Text, true),
        "response.custom_tool_call_input.delta" => take(delta, Form::Free, false),
        "response.custom_tool_call_input.done" => take(input, Form::Free, true),
        "response.output_item.added" => {
            read.named.extend(item.and_then(|item| name_of(document, item, &key)));
        }
        "response.output_item.done" => {
            read.pieces.extend(item.and_then(|item| responses_item(document, item, &key)));
            read.ends = Ends::Call(key);
        }
        "response.completed" | "response.incomplete" | "response.failed" | "error" => {
            let output = response.and_then(|response| document.field(response, "output"));
            let items = output.into_iter().flat_map(|output| document.elements(output)).enumerate();
            read.pieces = items.filter_map(|(at, item)| responses_item(document, item, &at.to_string())).collect();
            read.ends = Ends::All;
        }
        _ => {}
    }
    read
}

/// The arguments of a finished item that the client is to run.
fn responses_item(document: &Document, item: Id, key: &str) -> Option<Piece> {
    let (member, form) = match word(document, item, "type").as_str() {
        "function_call" => ("arguments", Form::Text),
        "custom_tool_call" => ("input", Form::Free),
        "local_shell_call" | "shell_call" => ("action", Form::Json),
        "apply_patch_call" => ("operation", Form::Json),
        _ => return None,
    };
    piece(document, document.field(item, member)?, form, true, key.to_owned(), word(document, item, "name"))
}

// --- Gemini --------------------------------------------------------------------------------------

/// Calls come whole, each in one chunk.
fn gemini(document: &Document, root: Id) -> Read {
    let either = |object: Id, one: &str, other: &str| {
        let [one, other] = document.fields(object, [one, other])?;
        one.or(other)
    };
    let mut read = Read { ends: Ends::All, ..Read::default() };
    let candidates = document.field(root, "candidates").into_iter().flat_map(|list| document.elements(list));
    for (place, candidate) in candidates.enumerate() {
        let parts = document.field(candidate, "content").and_then(|content| document.field(content, "parts"));
        let parts = parts.into_iter().flat_map(|parts| document.elements(parts)).enumerate();
        for (part_place, part) in parts {
            let Some(call) = either(part, "functionCall", "function_call") else { continue };
            let Some(args) = document.field(call, "args") else { continue };
            let key = format!("{place}.{part_place}");
            read.pieces.extend(piece(document, args, Form::Json, true, key, word(document, call, "name")));
        }
    }
    read
}

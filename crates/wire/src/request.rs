//! One request of an agent: its bytes, and where the text in it stands.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::Dialect;
use crate::document::Document;
use crate::literal::{Literal, encode};
use crate::prefix::{self, Instruction};
use crate::scan::Id;
use crate::tool;

/// Parses a request body. Total: what is not understood has no slots and is forwarded as it came.
pub fn parse(dialect: Dialect, body: impl Into<Bytes>) -> Request {
    let body = body.into();
    let document = Document::parse(body.clone());
    let mut outline = document.as_ref().and_then(|document| dialect.protocol().outline(document)).unwrap_or_default();
    if let Some(document) = document.as_ref().filter(|_| outline.messages_span.is_some()) {
        outline.instructions = prefix::instructions(dialect, document, &outline.messages);
    }
    Request { inner: Arc::new(Inner { dialect, body, document, outline }) }
}

/// The same for a dialect that names the model in the path of the request.
pub fn parse_at(dialect: Dialect, path: &str, body: impl Into<Bytes>) -> Request {
    let mut request = parse(dialect, body);
    if let (Some(inner), Some(model)) = (Arc::get_mut(&mut request.inner), Dialect::model_of_path(path)) {
        inner.outline.model.get_or_insert_with(|| model.to_owned());
    }
    request
}

/// A parsed request. Cheap to clone; the body is shared, never copied.
#[derive(Clone, Debug)]
pub struct Request {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    dialect: Dialect,
    body: Bytes,
    document: Option<Document>,
    outline: Outline,
}

/// What a dialect found in a body.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    pub(crate) model: Option<String>,
    pub(crate) stream: bool,
    pub(crate) session: Option<String>,
    /// A retrieval could not be answered in a way that stays consistent: several answers were asked for at once, or the conversation is
    /// kept where we cannot follow it.
    pub(crate) unanswerable: bool,
    /// The response, kept by the provider, that this request goes on from.
    pub(crate) previous: Option<Previous>,
    /// The client asked the provider not to keep the response.
    pub(crate) unkept: bool,
    /// It came over a connection that keeps the last response for the next request.
    pub(crate) connected: bool,
    pub(crate) tools: Option<Tools>,
    pub(crate) instructions: Vec<Instruction>,
    pub(crate) messages: Vec<Message>,
    pub(crate) messages_span: Option<Range<usize>>,
    pub(crate) slots: Vec<Slot>,
}

/// The name of an earlier response that the provider keeps, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Previous {
    pub(crate) id: String,
    pub(crate) span: Range<usize>,
}

/// The `tools` array of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    pub(crate) names: Vec<String>,
    pub(crate) span: Range<usize>,
    pub(crate) last_end: Option<usize>,
}

impl Tools {
    /// Names of the client's own tools, in order; tools without a name (some of the provider's) are left out.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Byte range of the array in the body, brackets included.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Just past the last definition, which is where one more goes; `None` when there is none.
    pub fn last_end(&self) -> Option<usize> {
        self.last_end
    }
}

/// Who speaks in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Instructions: `system` or `developer`.
    Instructions,
    /// The user, or a tool speaking through a user message.
    User,
    /// The model.
    Assistant,
    /// A tool: OpenAI's `tool` and `function`.
    Tool,
    /// Something this version does not know, or a message without one clear role.
    Other,
}

/// One element of `messages`.
#[derive(Clone, Debug)]
pub struct Message {
    pub(crate) role: Role,
    pub(crate) span: Range<usize>,
    pub(crate) node: Id,
}

impl Message {
    /// Who speaks.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Byte range of the message in the body, braces included.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }
}

/// What kind of text stands in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlotRole {
    /// What a tool returned.
    ToolResult,
    /// What the user wrote or pasted.
    UserText,
}

/// A place in a request where text lives: one JSON string that may be shortened.
///
/// Instructions, the model's own words, tool arguments, thinking, anything signed, images, documents, search results, results of
/// the provider's own tools, unknown blocks, and strings with half a surrogate pair are no slots.
#[derive(Clone, Debug)]
pub struct Slot {
    pub(crate) role: SlotRole,
    pub(crate) literal: Literal,
    pub(crate) span: Range<usize>,
    pub(crate) message: usize,
    pub(crate) call_id: Option<String>,
    pub(crate) call: Option<Arc<Call>>,
    pub(crate) is_error: bool,
}

/// A tool call that the model made.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) arguments: Option<Arguments>,
}

/// Arguments of a call: JSON as it stands in the body, or JSON inside a string.
#[derive(Debug)]
pub(crate) enum Arguments {
    Raw(Bytes),
    Quoted(Literal),
}

impl Slot {
    /// What kind of text it is.
    pub const fn role(&self) -> SlotRole {
        self.role
    }

    /// The decoded text. Decoded at the first call, then kept.
    pub fn text(&self) -> &str {
        self.literal.text()
    }

    /// The text as it stands in the body between the quotes, where that is another than the text itself.
    pub fn spelling(&self) -> Option<&[u8]> {
        self.literal.spelling()
    }

    /// Byte range of the JSON string in the body, quotes included.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// Index of the message it stands in.
    pub const fn message(&self) -> usize {
        self.message
    }

    /// Identifier of the call whose result it is, as the client wrote it.
    pub fn call_id(&self) -> Option<&str> {
        self.call_id.as_deref()
    }

    /// Name of the tool that produced it, when the call stands earlier in the request.
    pub fn tool(&self) -> Option<&str> {
        self.call.as_ref().map(|call| call.name.as_str())
    }

    /// JSON text of that call's arguments. With OpenAI it is what the model wrote, which may be invalid JSON.
    pub fn arguments(&self) -> Option<&str> {
        match self.call.as_ref()?.arguments.as_ref()? {
            Arguments::Raw(raw) => std::str::from_utf8(raw).ok(),
            Arguments::Quoted(literal) => Some(literal.text()),
        }
    }

    /// Whether the client marked the result as an error.
    pub const fn is_error(&self) -> bool {
        self.is_error
    }
}

/// A change to the text of one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Index in [`Request::slots`].
    pub slot: usize,
    /// Bytes of the decoded text to replace, both ends on character boundaries; or [`WHOLE`](Self::WHOLE).
    pub range: Range<usize>,
    /// The text to put there.
    pub replacement: String,
}

impl Edit {
    /// The range of the whole text, whatever its length. An edit with it is the only one of its slot, and needs no decoded text.
    pub const WHOLE: Range<usize> = 0..usize::MAX;
}

/// A change outside the slots that this crate proposes itself: our tool, or a hidden exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Insertion {
    pub(crate) range: Range<usize>,
    pub(crate) text: String,
}

impl Insertion {
    pub(crate) fn at(offset: usize, text: String) -> Self {
        Self { range: offset..offset, text }
    }

    /// Where in the inbound body it goes. Usually empty; where a message has to be cut in two it covers the separator.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// The JSON text that goes there.
    pub fn text(&self) -> &str {
        &self.text
    }
}

// === impl Request ===

impl Request {
    /// The bytes the client sent.
    pub fn body(&self) -> &Bytes {
        &self.inner.body
    }

    /// The dialect it was read as.
    pub fn dialect(&self) -> Dialect {
        self.inner.dialect
    }

    /// Whether the body was understood at all.
    pub fn is_understood(&self) -> bool {
        self.inner.outline.messages_span.is_some()
    }

    /// The model asked for.
    pub fn model(&self) -> Option<&str> {
        self.inner.outline.model.as_deref()
    }

    /// Whether the answer is to be streamed.
    pub fn stream(&self) -> bool {
        self.inner.outline.stream
    }

    /// What the client says about the session: Anthropic's `metadata.user_id`, OpenAI's `prompt_cache_key` or else `user`.
    pub fn session(&self) -> Option<&str> {
        self.inner.outline.session.as_deref()
    }

    /// Whether it is an event of a connection (a WebSocket), which keeps the last response for the next request.
    pub fn is_connected(&self) -> bool {
        self.inner.outline.connected
    }

    /// Whether the provider holds the history and the request names the response that it goes on from.
    pub fn continues_elsewhere(&self) -> bool {
        self.inner.outline.previous.is_some()
    }

    /// The places where text lives, in the order they stand in the body.
    pub fn slots(&self) -> &[Slot] {
        &self.inner.outline.slots
    }

    /// The client's tools. `None` when the request declares none.
    pub fn tools(&self) -> Option<&Tools> {
        self.inner.outline.tools.as_ref()
    }

    /// The messages, in order.
    pub fn messages(&self) -> &[Message] {
        &self.inner.outline.messages
    }

    /// Whether the model can call our retrieval tool: its definition stands in the body.
    pub fn has_retrieval_tool(&self) -> bool {
        self.tools().is_some_and(|tools| tools.names.iter().any(|name| name == tool::NAME))
    }

    /// Our retrieval tool as the last element of `tools`. `None` when the request declares no tools, when it has the tool
    /// already, or when a retrieval could not be answered: when it asks for several answers at once, or when the provider holds the
    /// conversation in a way that shows it to the client.
    pub fn offer_tool(&self) -> Option<Insertion> {
        let tools = self.tools()?;
        if self.has_retrieval_tool() || self.inner.outline.unanswerable {
            return None;
        }
        let definition = self.dialect().tool_definition();
        Some(match tools.last_end {
            Some(end) => Insertion::at(end, format!(",{definition}")),
            None => Insertion::at(tools.span.start + 1, definition.to_owned()),
        })
    }

    /// The body with these changes and no other: every byte outside the edited ranges and the insertions is the inbound one.
    ///
    /// Edits may come in any order. An edit that does not fit (no such slot, a range past the end or inside a character, an
    /// overlap with an earlier one) is left out: the original text is always a right answer.
    pub fn splice(&self, edits: &[Edit], insertions: &[Insertion]) -> Vec<u8> {
        let body = self.body();
        let mut pieces: Vec<(Range<usize>, Cow<'_, [u8]>)> = Vec::with_capacity(edits.len() + insertions.len());
        pieces.extend(insertions.iter().map(|insertion| (insertion.range(), Cow::Borrowed(insertion.text.as_bytes()))));
        self.locate(edits, &mut pieces);
        pieces.sort_by_key(|(range, _)| range.start);

        let grown: usize = pieces.iter().map(|(_, text)| text.len()).sum();
        let mut out = Vec::with_capacity(body.len() + grown);
        let mut done = 0;
        for (range, text) in pieces {
            if range.start < done || range.end > body.len() {
                continue;
            }
            out.extend_from_slice(&body[done..range.start]);
            out.extend_from_slice(&text);
            done = range.end;
        }
        out.extend_from_slice(&body[done..]);
        out
    }

    /// Translates the edits that fit into byte ranges of the body.
    fn locate<'e>(&self, edits: &'e [Edit], pieces: &mut Vec<(Range<usize>, Cow<'e, [u8]>)>) {
        let mut sorted: Vec<&Edit> = edits.iter().collect();
        sorted.sort_by_key(|edit| (edit.slot, edit.range.start, edit.range.end));
        for of_slot in sorted.chunk_by(|a, b| a.slot == b.slot) {
            let Some(slot) = self.slots().get(of_slot[0].slot) else { continue };
            let start = slot.span.start + 1;
            if let [whole] = of_slot
                && whole.range == Edit::WHOLE
            {
                pieces.push((start..slot.span.end - 1, Cow::Owned(written(&whole.replacement))));
                continue;
            }
            let text = slot.text();
            let mut done = 0;
            let fitting: Vec<&Edit> = of_slot
                .iter()
                .copied()
                .filter(|edit| {
                    let fits = edit.range.start >= done && text.get(edit.range.clone()).is_some();
                    if fits {
                        done = edit.range.end;
                    }
                    fits
                })
                .collect();
            for (edit, raw) in fitting.iter().zip(slot.literal.locate(fitting.iter().map(|edit| &edit.range))) {
                pieces.push((start + raw.start..start + raw.end, Cow::Owned(written(&edit.replacement))));
            }
        }
    }

    pub(crate) fn document(&self) -> Option<&Document> {
        self.inner.document.as_ref()
    }

    pub(crate) fn outline(&self) -> &Outline {
        &self.inner.outline
    }
}

/// A text as it stands between quotes.
fn written(text: &str) -> Vec<u8> {
    let mut literal = Vec::with_capacity(text.len() + text.len() / 16);
    encode(text, &mut literal);
    literal
}

//! The part of a request that a provider's cache can hold: its pieces in the order in which providers read them, each with a digest, and
//! the texts of the client's own instructions at its start.

use std::ops::Range;

use crate::document::Document;
use crate::fold::Fold;
use crate::literal::Literal;
use crate::request::{Insertion, Message, Role};
use crate::scan::Id;
use crate::{Dialect, Request};

/// A member that says where the provider may cut its cache. Clients move it from turn to turn; it is no content.
const CACHE_CONTROL: &str = "cache_control";

/// Where a piece of a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// The definition of a tool, by its index.
    Tool(usize),
    /// A text of [`Request::instructions`], by its index.
    Instructions(usize),
    /// An element of [`Request::messages`], by its index.
    Message(usize),
}

/// A piece of the prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it stands.
    pub place: Place,
    /// Its byte range in the body.
    pub span: Range<usize>,
    /// Equal for pieces that a provider reads as the same: cache markers, spacing, and whether a single text stands as a string or in a list do not
    /// count.
    pub digest: [u8; 16],
    /// Content blocks in it; 1 where the dialect has none.
    pub blocks: usize,
}

/// A text of the client's own instructions, before the first message that is none.
#[derive(Clone, Debug)]
pub struct Instruction {
    pub(crate) literal: Literal,
    pub(crate) span: Range<usize>,
}

impl Instruction {
    /// The decoded text.
    pub fn text(&self) -> &str {
        self.literal.text()
    }

    /// Byte range of the JSON string in the body, quotes included.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The byte of the body at which a byte of the text stands.
    pub fn offset(&self, at: usize) -> usize {
        self.span.start + 1 + self.literal.locate(std::iter::once(&(at..at))).next().map_or(0, |raw| raw.start)
    }
}

/// The texts of the instructions of a request: those outside the messages, then those of the messages it starts with.
pub(crate) fn instructions(dialect: Dialect, document: &Document, messages: &[Message]) -> Vec<Instruction> {
    let leading = messages.iter().take_while(|message| message.role == Role::Instructions);
    let contents = leading.filter_map(|message| dialect.protocol().content(document, message.node));
    let mut texts = Vec::new();
    for content in dialect.protocol().instructions(document).into_iter().chain(contents) {
        let parts = document.elements(content).filter_map(|part| document.field(part, "text"));
        for text in std::iter::once(content).chain(parts) {
            if let Some(literal) = document.literal(text) {
                texts.push(Instruction { literal, span: document.span(text) });
            }
        }
    }
    texts
}

impl Request {
    /// The texts of the client's own instructions at the start of the request, in order.
    pub fn instructions(&self) -> &[Instruction] {
        &self.outline().instructions
    }

    /// What a provider's cache can hold, in the order of the provider: tools, instructions, messages. Reads the whole request.
    pub fn pieces(&self) -> Vec<Piece> {
        let Some(document) = self.document().filter(|_| self.is_understood()) else { return Vec::new() };
        let mut pieces = Vec::with_capacity(self.messages().len() + 16);
        let mut add = |place, node, blocks| {
            pieces.push(Piece { place, span: document.span(node), digest: digest(document, node), blocks });
        };
        for (index, tool) in self.tool_nodes().into_iter().enumerate() {
            add(Place::Tool(index), tool, 1);
        }
        let instructions = self.instructions().iter().enumerate().map(|(index, text)| Piece {
            place: Place::Instructions(index),
            span: text.span(),
            digest: Self::digest_of_text(text.text()),
            blocks: 1,
        });
        pieces.extend(instructions);
        let mut add = |place, node, blocks| {
            pieces.push(Piece { place, span: document.span(node), digest: digest(document, node), blocks });
        };
        let leading = self.messages().iter().take_while(|message| message.role == Role::Instructions).count();
        for (index, message) in self.messages().iter().enumerate().skip(leading) {
            let content = self.dialect().protocol().content(document, message.node);
            let blocks = content.map_or(1, |content| document.elements(content).count().max(1));
            add(Place::Message(index), message.node, blocks);
        }
        pieces
    }

    /// The bytes of a piece as they came, without cache markers.
    pub fn unmarked(&self, piece: &Piece) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(piece.span.len());
        let mut from = piece.span.start;
        for marker in self.markers(piece.span.clone()) {
            bytes.extend_from_slice(&self.body()[from..marker.start]);
            from = marker.end;
        }
        bytes.extend_from_slice(&self.body()[from..piece.span.end]);
        bytes
    }

    /// The byte of the body at which a byte of [`unmarked`](Self::unmarked) stands.
    pub fn offset_of(&self, piece: &Piece, at: usize) -> usize {
        let mut offset = piece.span.start + at;
        for marker in self.markers(piece.span.clone()) {
            if marker.start > offset {
                break;
            }
            offset += marker.len();
        }
        offset.min(piece.span.end)
    }

    /// Whether the client says anywhere where the provider may cut its cache.
    pub fn has_cache_markers(&self) -> bool {
        // A text that speaks of markers looks like one; to take it for one only leaves a request alone.
        memchr::memmem::find(self.body(), CACHE_CONTROL.as_bytes()).is_some()
    }

    /// Equal for the same tools in any order and spacing; `None` without tools, and where the list itself carries cache markers.
    pub fn tools_digest(&self) -> Option<[u8; 16]> {
        let document = self.document()?;
        let span = self.tools()?.span();
        if memchr::memmem::find(&self.body()[span], CACHE_CONTROL.as_bytes()).is_some() {
            return None;
        }
        let mut digests: Vec<_> = self.tool_nodes().into_iter().map(|tool| digest(document, tool)).collect();
        digests.sort_unstable();
        Some(Self::digest_of_tools(&digests))
    }

    /// [`tools_digest`](Self::tools_digest) of tools with these digests, which are sorted.
    pub fn digest_of_tools(sorted: &[[u8; 16]]) -> [u8; 16] {
        Fold::new().update(sorted.as_flattened()).finish()
    }

    /// Puts other text into instructions: for each text its index, the range in the decoded text, and what stands there instead. What
    /// does not fit is left out.
    pub fn replace_in_instructions(&self, changes: &[(usize, Range<usize>, String)]) -> Vec<Insertion> {
        let place = |(index, range, by): &(usize, Range<usize>, String)| {
            let instruction = self.instructions().get(*index)?;
            instruction.text().get(range.clone())?;
            let raw = instruction.literal.locate(std::iter::once(range)).next()?;
            let start = instruction.span.start + 1;
            let mut text = Vec::with_capacity(by.len() + 8);
            crate::literal::encode(by, &mut text);
            let text = String::from_utf8(text).ok()?;
            Some(Insertion { range: start + raw.start..start + raw.end, text })
        };
        changes.iter().filter_map(place).collect()
    }

    /// Puts another list in the place of the client's tools, with our own tool in it if it is to be offered. `last_end` is the offset in the list at
    /// which its last definition ends.
    pub fn replace_tools(&self, list: &str, last_end: Option<usize>, offer: bool) -> Option<Insertion> {
        let span = self.tools()?.span();
        let mut text = list.to_owned();
        if offer {
            let definition = self.dialect().tool_definition();
            match last_end.filter(|end| list.is_char_boundary(*end)) {
                Some(end) => text.insert_str(end, &format!(",{definition}")),
                None => text.insert_str(1, definition),
            }
        }
        Some(Insertion { range: span, text })
    }

    /// The digest of a text of [`instructions`](Self::instructions), as [`pieces`](Self::pieces) would give it.
    pub fn digest_of_text(text: &str) -> [u8; 16] {
        Fold::new().update(text.as_bytes()).finish()
    }

    /// The digests of the tools in a list, as [`pieces`](Self::pieces) would give them.
    pub fn tool_digests(list: &str) -> Vec<[u8; 16]> {
        let Some(document) = Document::parse(list.to_owned().into()) else { return Vec::new() };
        let tools = document.root().into_iter().flat_map(|root| document.elements(root));
        tools.map(|tool| digest(&document, tool)).collect()
    }

    /// Cache markers for a request that has none, at most three: on the last text of the instructions, which holds the tools as well, and on the
    /// last content of the newest user message. Nothing where the dialect has no markers or the client sets its own.
    pub fn breakpoints(&self) -> Vec<Insertion> {
        if self.dialect() != Dialect::AnthropicMessages || self.has_cache_markers() {
            return Vec::new();
        }
        let Some(document) = self.document() else { return Vec::new() };
        let newest = self.messages().iter().rfind(|message| message.role == Role::User);
        let contents = [
            self.dialect().protocol().instructions(document),
            newest.and_then(|message| self.dialect().protocol().content(document, message.node)),
        ];
        contents.into_iter().flatten().flat_map(|content| mark(document, content)).collect()
    }

    fn tool_nodes(&self) -> Vec<Id> {
        let nodes = || {
            let document = self.document()?;
            let [tools] = document.fields(document.root()?, ["tools"])?;
            Some(document.elements(tools?).collect())
        };
        nodes().unwrap_or_default()
    }

    /// The cache markers inside a range, each with the comma that goes with it, in order.
    fn markers(&self, span: Range<usize>) -> Vec<Range<usize>> {
        let inside = memchr::memmem::find(&self.body()[span.clone()], CACHE_CONTROL.as_bytes()).is_some();
        let Some(document) = self.document().filter(|_| inside) else { return Vec::new() };
        document.markers(&span, CACHE_CONTROL)
    }
}

/// A cache marker on the last part of a content. A text alone becomes a list with one part; empty texts may not be marked.
fn mark(document: &Document, content: Id) -> Vec<Insertion> {
    let span = document.span(content);
    let blank = |text: Id| document.string(text).is_none_or(|text| text.trim().is_empty());
    if document.is_string(content) {
        if blank(content) {
            return Vec::new();
        }
        return vec![
            Insertion::at(span.start, "[{\"type\":\"text\",\"text\":".to_owned()),
            Insertion::at(span.end, format!("{MARKER}}}]")),
        ];
    }
    let Some(last) = document.elements(content).last() else { return Vec::new() };
    let markable = match document.string_field(last, "type").as_deref() {
        Some("text") => document.field(last, "text").is_some_and(|text| !blank(text)),
        Some("tool_result" | "image" | "document") => true,
        _ => false,
    };
    let end = document.span(last).end;
    if markable { vec![Insertion::at(end - 1, MARKER.to_owned())] } else { Vec::new() }
}

/// What follows the members of a part to mark it.
const MARKER: &str = ",\"cache_control\":{\"type\":\"ephemeral\"}";

/// What a provider reads in a value.
fn digest(document: &Document, node: Id) -> [u8; 16] {
    let mut fold = Fold::new();
    read(document, node, &mut fold);
    fold.finish()
}

fn read(document: &Document, node: Id, fold: &mut Fold) {
    let mut leaf = true;
    for (key, value) in document.members(node) {
        leaf = false;
        let name = document.raw(key);
        if name.trim_matches('"') == CACHE_CONTROL {
            continue;
        }
        fold.update(name.as_bytes());
        // A text alone and a list with one text say the same, and clients turn one into the other to mark it.
        if name == "\"content\"" && document.is_string(value) {
            for part in ["[", "\"type\"", "\"text\"", ",", "\"text\"", document.raw(value), ",", ",", "]"] {
                fold.update(part.as_bytes());
            }
        } else {
            read(document, value, fold);
        }
        fold.update(b",");
    }
    let array = document.is_array(node);
    if array {
        fold.update(b"[");
    }
    for element in document.elements(node) {
        leaf = false;
        read(document, element, fold);
        fold.update(b",");
    }
    if array {
        fold.update(b"]");
    }
    if leaf {
        fold.update(document.raw(node).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use crate::{Dialect, Place, Request, parse};

    fn anthropic(system: &str, messages: &str) -> Request {
        parse(
            Dialect::AnthropicMessages,
            format!(
                r#"{{"model":"m","tools":[{{"name":"a"}},{{ "name": "b" }}],"system":{system},"messages":[{messages}]}}"#
            ),
        )
    }

    fn digests(request: &Request) -> Vec<[u8; 16]> {
        request.pieces().into_iter().map(|piece| piece.digest).collect()
    }

    #[test]
    fn pieces_come_in_the_providers_order() {
        let request = anthropic(
            r#"[{"type":"text","text":"one"},{"type":"text","text":"two"}]"#,
            r#"{"role":"user","content":"q"}"#,
        );
        let places: Vec<Place> = request.pieces().into_iter().map(|piece| piece.place).collect();
        let expected =
            [Place::Tool(0), Place::Tool(1), Place::Instructions(0), Place::Instructions(1), Place::Message(0)];
        assert_eq!(places, expected);
    }

    #[test]
    fn markers_and_spelling_do_not_count_and_words_do() {
        let plain = anthropic("\"be brief\"", r#"{"role":"user","content":"q"}"#);
        let marked = anthropic(
            "\"be brief\"",
            r#"{"role": "user", "content":[{"type":"text","text":"q","cache_control":{"type":"ephemeral"}}]}"#,
        );
        let other = anthropic("\"be brief\"", r#"{"role":"user","content":"Q"}"#);
        assert_eq!(digests(&plain), digests(&marked));
        assert_ne!(digests(&plain), digests(&other));
        assert_eq!(digests(&plain)[..3], digests(&other)[..3]);
    }

    #[test]
    fn a_byte_without_markers_is_found_in_the_body() {
        let message = r#"{"role":"user","content":[{"cache_control":{"type":"ephemeral"},"type":"text","text":"q"},{"type":"text","text":"r","cache_control":{"type":"ephemeral","ttl":"1h"}}],"x":"end"}"#;
        let request = anthropic("\"s\"", message);
        let piece = request.pieces().pop().unwrap();
        let plain = request.unmarked(&piece);
        let expected = r#"{"role":"user","content":[{"type":"text","text":"q"},{"type":"text","text":"r"}],"x":"end"}"#;
        assert_eq!(String::from_utf8(plain).unwrap(), expected);
        for word in ["role", "\"q\"", "\"r\"", "end"] {
            let at = request.offset_of(&piece, expected.find(word).unwrap());
            assert!(request.body()[at..].starts_with(word.as_bytes()), "{word}");
        }
    }

    #[test]
    fn every_dialect_shows_its_instructions() {
        for (dialect, body) in [
            (Dialect::AnthropicMessages, r#"{"system":"now","messages":[]}"#),
            (
                Dialect::AnthropicMessages,
                r#"{"system":[{"type":"text","text":"now","cache_control":{"type":"ephemeral"}}],"messages":[]}"#,
            ),
            (
                Dialect::OpenAiChat,
                r#"{"messages":[{"role":"developer","content":[{"type":"text","text":"now"}]},{"role":"user","content":"q"},{"role":"system","content":"late"}]}"#,
            ),
            (Dialect::OpenAiResponses, r#"{"instructions":"now","input":"q"}"#),
            (
                Dialect::OpenAiResponses,
                r#"{"input":[{"role":"system","content":"now"},{"role":"user","content":"q"}]}"#,
            ),
            (Dialect::Gemini, r#"{"systemInstruction":{"parts":[{"text":"now"}]},"contents":[]}"#),
            (Dialect::Gemini, r#"{"system_instruction":{"parts":[{"text":"now"}]},"contents":[]}"#),
        ] {
            let request = parse(dialect, body);
            let texts: Vec<&str> = request.instructions().iter().map(|text| text.text()).collect();
            assert_eq!(texts, ["now"], "{body}");
            let changed = request.replace_in_instructions(&[(0, 0..3, "\"then\"".to_owned())]);
            let sent = String::from_utf8(request.splice(&[], &changed)).unwrap();
            assert_eq!(sent, body.replace("now", "\\\"then\\\""));
        }
    }

    /// T026, T028: never more than four, and none where the client has set one.
    #[test]
    fn markers_are_added_where_there_are_none() {
        let marked = |system: &str, messages: &str| {
            let request = anthropic(system, messages);
            let sent = String::from_utf8(request.splice(&[], &request.breakpoints())).unwrap();
            assert_eq!(digests(&request)[2..], digests(&parse(Dialect::AnthropicMessages, sent.clone()))[2..]);
            serde_json::from_str::<serde_json::Value>(&sent).unwrap()
        };
        let body = marked(
            "\"be brief\"",
            r#"{"role":"user","content":"q"},{"role":"assistant","content":"a"},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"r"}]}"#,
        );
        let marker = serde_json::json!({"type": "ephemeral"});
        assert_eq!(body["system"], serde_json::json!([{"type": "text", "text": "be brief", "cache_control": marker}]));
        assert_eq!(body["messages"][2]["content"][0]["cache_control"], marker);
        assert_eq!(body.to_string().matches("cache_control").count(), 2);
        for (system, messages) in [
            (
                r#"[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}]"#,
                r#"{"role":"user","content":"q"}"#,
            ),
            ("\" \"", r#"{"role":"user","content":""}"#),
            ("[]", r#"{"role":"user","content":[{"type":"text","text":""}]}"#),
        ] {
            assert!(anthropic(system, messages).breakpoints().is_empty(), "{system} {messages}");
        }
    }

    #[test]
    fn the_order_and_spacing_of_tools_do_not_name_them() {
        let tools =
            |list: &str| parse(Dialect::OpenAiChat, format!("{{\"tools\":{list},\"messages\":[]}}")).tools_digest();
        let (one, two) = (r#"{"type":"function","function":{"name":"a"}}"#, r#"{"type":"x"}"#);
        assert_eq!(tools(&format!("[{one},{two}]")), tools(&format!("[ {two} ,\n{one}]")));
        assert_ne!(tools(&format!("[{one},{two}]")), tools(&format!("[{one}]")));
        assert_eq!(tools(r#"[{"name":"a","cache_control":{}}]"#), None);
    }
}

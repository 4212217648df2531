//! Hidden exchanges in a Responses request.

use super::kind;
use crate::document::Document;
use crate::exchange::{Count, Exchange, ExchangePlace, Filing, Identity, Said};
use crate::literal::quoted;
use crate::request::{Insertion, Message, Request, Role};
use crate::scan::Id;
use crate::turn::{Heard, Item, ItemKind, Shown};

/// What an item is known by. Reasoning is known by nothing: clients may drop it.
pub(super) fn identity(document: &Document, item: Id) -> Option<Identity> {
    let [call_id, id, content] = document.fields(item, ["call_id", "id", "content"])?;
    let string = |id: Option<Id>| Some(document.string(id?)?.into_owned());
    match kind(document, item).as_ref() {
        "reasoning" => None,
        "" | "message" => Some(Identity::Text(text(document, content?))),
        "item_reference" => Some(Identity::Calls(vec![string(id)?])),
        _ => Some(Identity::Calls(vec![string(call_id).or_else(|| string(id))?])),
    }
}

/// Whether an output of this kind may belong to a call that the provider ran itself. Then it stands among what the model said.
fn may_be_the_providers(kind: &str) -> bool {
    matches!(kind, "tool_search_output" | "shell_call_output")
}

/// The text of a message, however it is spelled.
fn text(document: &Document, content: Id) -> String {
    match document.string(content) {
        Some(text) => text.into_owned(),
        None => document.elements(content).filter_map(|part| document.string_field(part, "text")).collect(),
    }
}

/// Hashes what the client says: its words, and what its tools gave. The model's own items do not count, because the same one may come
/// back whole, shortened, as a reference or not at all; results name the calls they belong to.
pub(super) fn digest(document: &Document, message: &Message, hasher: &mut Said) {
    let item = message.node;
    if message.role == Role::Assistant || may_be_the_providers(&kind(document, item)) {
        return;
    }
    let [role, content, call_id, output] =
        document.fields(item, ["role", "content", "call_id", "output"]).unwrap_or_default();
    hasher.update(b"item").update(kind(document, item).trim_start_matches("message").as_bytes());
    match role {
        Some(role) => hasher.update(document.raw(role).as_bytes()),
        // The input as one string says the same as a user message.
        None if document.is_string(item) => hasher.update(b"\"user\"text").update(document.raw(item).as_bytes()),
        None => hasher.update(call_id.map_or("", |id| document.raw(id)).as_bytes()),
    };
    for texts in [content, output].into_iter().flatten() {
        if document.is_string(texts) {
            hasher.update(b"text").update(document.raw(texts).as_bytes());
        }
        for part in document.elements(texts) {
            let text = document.field(part, "text").unwrap_or(part);
            hasher.update(b"text").update(document.raw(text).as_bytes());
        }
    }
}

/// A turn is known by its first call of a client's tool, or else by the last thing it said; also by the name that the provider gave that
/// item, and, where responses are kept, by the names of the first and the last one.
pub(super) fn filings(request: &Request, shown: &Shown, last: &Heard) -> Vec<Filing> {
    let visible: Vec<&Item> = shown.items.iter().chain(last.visible()).collect();
    let called = visible.iter().position(|item| matches!(item.kind, ItemKind::Theirs(_)));
    let said = || visible.iter().rposition(|item| !matches!(item.kind, ItemKind::Thinking | ItemKind::Uncounted));
    let mut filings = Vec::new();
    if let Some(at) = called.or_else(said) {
        let mut anchor = Count::default();
        visible[..at].iter().for_each(|item| anchor.add(item));
        let lineage = request.lineage();
        let filing = |key| Filing { lineage, anchor, ..Filing::under(key) };
        filings.extend(names(&visible[at].json).iter().filter_map(Identity::key).map(filing));
    }
    let kept = last.response.as_ref().filter(|_| !request.outline().unkept);
    if let Some(response) = kept {
        let pending = last.calls_client() && last.visible().count() < last.items.len();
        let seen = shown.response.iter().filter(|first| *first != response);
        let known = seen.chain(pending.then_some(response)).cloned();
        let keys = known.filter_map(|id| Identity::Response(id).key());
        filings.extend(keys.map(|key| Filing { response: Some(response.clone()), ..Filing::under(key) }));
    }
    filings
}

/// What an item that the client was shown can be known by when it comes back: by what it says, or as a reference.
fn names(item: &str) -> Vec<Identity> {
    let Some(document) = Document::parse(item.to_owned().into()) else { return Vec::new() };
    let Some(root) = document.root() else { return Vec::new() };
    let reference = document.string_field(root, "id").map(|id| Identity::Calls(vec![id.into_owned()]));
    let mut names: Vec<Identity> = identity(&document, root).into_iter().chain(reference).collect();
    names.dedup();
    names
}

/// Puts the hidden calls and results back. `None` when the items of the turn do not stand as they did.
pub(super) fn reinsert(place: &ExchangePlace<'_>, exchange: &Exchange) -> Option<Vec<Insertion>> {
    let turn = Items::find(place, exchange)?;
    let mut insertions = Vec::new();
    for round in &exchange.rounds {
        for call in &round.calls {
            // The provider wants a call that it knows by name behind the reasoning that led to it.
            let json = if turn.thinks { call.json.clone() } else { nameless(&call.json)? };
            insertions.push(turn.insert_after((turn.count)(call.place), &json)?);
        }
        let results = round.results.join(",");
        let end = (turn.count)(round.shown);
        let last_call = round.calls.last().map_or(end, |call| (turn.count)(call.place));
        let output = round.mixed.then(|| turn.output_after(last_call)).flatten();
        insertions.push(match output {
            Some(output) => Insertion::at(output.span.start, format!("{results},")),
            None => turn.insert_after(if round.mixed { last_call } else { end }, &results)?,
        });
    }
    Some(insertions)
}

/// The items that the client saw of one turn, where they stand in a later request.
struct Items<'a> {
    messages: &'a [Message],
    /// Indices of its items.
    places: Vec<usize>,
    count: fn(Count) -> usize,
    /// Whether the client kept the reasoning.
    thinks: bool,
}

impl<'a> Items<'a> {
    /// Finds them around the one that the turn is known by: with all reasoning, or with none.
    fn find(place: &ExchangePlace<'a>, exchange: &Exchange) -> Option<Self> {
        let all = |count: Count| count.all;
        let spoken = |count: Count| count.spoken;
        Self::counted(place, exchange, all, true).or_else(|| Self::counted(place, exchange, spoken, false))
    }

    fn counted(
        place: &ExchangePlace<'a>,
        exchange: &Exchange,
        count: fn(Count) -> usize,
        thinks: bool,
    ) -> Option<Self> {
        let messages = place.messages;
        let kind = |at: usize| kind(place.document, messages[at].node);
        // Results of the client's tools stand behind its first call only.
        let before = (0..place.index).rev().filter(|at| !may_be_the_providers(&kind(*at))).take(count(exchange.anchor));
        let mut places: Vec<usize> = before.collect();
        places.reverse();
        places.push(place.index);
        let behind = place.index + 1..messages.len();
        let behind = behind.take_while(|at| matches!(messages[*at].role, Role::Assistant | Role::Tool));
        let behind = behind.filter(|at| messages[*at].role == Role::Assistant);
        places.extend(behind.take(count(exchange.shown).checked_sub(places.len())?));
        let whole = places.len() == count(exchange.shown);
        let theirs = places.iter().all(|at| messages[*at].role == Role::Assistant);
        let kinds = |wanted: &str| places.iter().filter(|at| kind(**at) == wanted).count();
        let (reasoning, references) = (kinds("reasoning"), kinds("item_reference"));
        let expected = if thinks { exchange.shown.all - exchange.shown.spoken } else { 0 };
        let as_expected = reasoning <= expected && expected <= reasoning + references;
        (whole && theirs && as_expected).then_some(Self { messages, places, count, thinks })
    }

    /// An insertion behind so many items of the turn.
    fn insert_after(&self, items: usize, json: &str) -> Option<Insertion> {
        Some(match items.checked_sub(1) {
            Some(last) => Insertion::at(self.messages[*self.places.get(last)?].span.end, format!(",{json}")),
            None => Insertion::at(self.messages[*self.places.first()?].span.start, format!("{json},")),
        })
    }

    /// The first result that stands behind so many items of the turn.
    fn output_after(&self, items: usize) -> Option<&Message> {
        let from = items.checked_sub(1).and_then(|last| self.places.get(last)).or(self.places.first())?;
        self.messages[*from..].iter().find(|message| message.role == Role::Tool)
    }
}

/// An item without its `id`.
fn nameless(item: &str) -> Option<String> {
    let document = Document::parse(item.to_owned().into())?;
    let kept =
        document.members(document.root()?).filter(|(key, _)| document.string(*key).is_none_or(|key| key != "id"));
    let text = |(key, value)| document.text(document.span(key).start..document.span(value).end);
    Some(format!("{{{}}}", kept.map(text).collect::<Vec<_>>().join(",")))
}

/// Makes a request go on from where the provider's history really stands, and gives it the results that are missing there.
pub(super) fn resume(request: &Request, exchange: &Exchange) -> Option<Vec<Insertion>> {
    let previous = request.outline().previous.as_ref()?;
    let response = exchange.response.as_ref()?;
    let mut insertions = Vec::new();
    if *response != previous.id {
        insertions.push(Insertion { range: previous.span.clone(), text: quoted(response) });
    }
    let pending = exchange.rounds.last().filter(|round| round.mixed);
    // Input that is one string brings no result for the client's own call either; the provider will say so.
    if let (Some(round), Some(first)) = (pending, request.messages().first().filter(|_| !is_text(request))) {
        insertions.push(Insertion::at(first.span.start, format!("{},", round.results.join(","))));
    }
    Some(insertions)
}

/// What the model said, as it may be said back: reasoning that is neither kept by the provider nor sealed cannot be.
pub(super) fn said(heard: &Heard) -> impl Iterator<Item = &str> {
    let sayable = |item: &&Item| {
        heard.response.is_some() || item.kind != ItemKind::Thinking || item.json.contains("\"encrypted_content\":\"")
    };
    heard.items.iter().filter(sayable).map(|item| item.json.as_str())
}

/// Where the provider holds the history, or a connection the last response, the next request goes on from the response with the calls and brings their results;
/// otherwise it says everything again.
pub(super) fn go_on(sent: &Request, heard: &Heard, results: &[String], everything: &str) -> Option<Vec<Insertion>> {
    let input = sent.outline().messages_span.clone()?;
    if let Some(previous) = &sent.outline().previous {
        let response = Insertion { range: previous.span.clone(), text: quoted(heard.response.as_ref()?) };
        return Some(vec![response, Insertion { range: input, text: format!("[{}]", results.join(",")) }]);
    }
    if sent.outline().connected {
        let response = quoted(heard.response.as_ref()?);
        let text = format!("[{}],\"previous_response_id\":{response}", results.join(","));
        return Some(vec![Insertion { range: input, text }]);
    }
    if is_text(sent) {
        let open = Insertion::at(input.start, "[{\"role\":\"user\",\"content\":".to_owned());
        return Some(vec![open, Insertion::at(input.end, format!("}},{everything}]"))]);
    }
    let comma = if sent.messages().is_empty() { "" } else { "," };
    Some(vec![Insertion::at(input.end - 1, format!("{comma}{everything}"))])
}

/// Whether the input is one string.
fn is_text(request: &Request) -> bool {
    let input = request.outline().messages_span.as_ref();
    input.is_some_and(|input| request.body().get(input.start) == Some(&b'"'))
}

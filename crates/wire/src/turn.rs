//! One turn of a client, in which the model may call our tool without the client noticing.
//!
//! [`Turn`] is fed with what the upstream sends and says what to do next as [`Step`]s: forward these bytes, answer these calls,
//! send this continuation, remember this exchange. It waits for nothing and knows no sockets.
//!
//! - Everything that is not ours is forwarded when its event is complete. A response without a call of ours reaches the client
//!   byte for byte.
//! - A call of ours is held and hidden. If the response called nothing else, its continuation is fetched and spliced into
//!   the same client response: one start, consecutive indices, one end. If it called the client's tools too, the client gets
//!   those, and our call is answered inside its next request.
//! - A mark of ours in a call of the client's tools never goes out: see [`crate::guard`].
//! - The usage that the client is told: output is the sum over all responses; input is that of the last response, the one whose
//!   size matters for the client's own context limit. What is billed is [`Turn::usage`], the sum of everything.

use std::ops::Range;

use bytes::Bytes;
use headroom_core::Handle;

use crate::array::{Elements, Joined};
use crate::document::Document;
use crate::exchange::{Count, Exchange, Filing, HiddenCall, Round};
use crate::guard::{Guard, Guarded, Original};
use crate::protocol::Stream;
use crate::request::Request;
use crate::sse::{Event, Frame, Framer};
use crate::usage::Usage;

/// What a driver has to do next, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send these bytes to the client: events of a stream, or the whole body of a JSON response.
    Forward(Bytes),
    /// Answer these calls by [`Turn::answer`].
    Answer(Vec<Retrieval>),
    /// Send this body upstream, with the head of the first request, and feed its response to the same turn. If there is no
    /// usable response, call [`Turn::abandon`].
    Continue(Bytes),
    /// Look these originals up and give them to [`Turn::restore`], in the same order: a call of the client's tools holds marks that may
    /// speak of them, and is kept back as long. There may be none to look up.
    Restore(Vec<Handle>),
    /// Keep this exchange before anything after this step goes out: the client's next request needs it.
    Remember(Exchange),
}

/// A call of the retrieval tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retrieval {
    /// The provider's identifier of the call.
    pub id: String,
    /// The arguments as the model wrote them; JSON if the model wrote JSON.
    pub arguments: String,
}

/// What a call gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The text the model will read.
    pub text: String,
    /// Whether to mark it as an error, where the dialect can.
    pub is_error: bool,
}

/// Bounds of one turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Responses with hidden calls that are answered. One more is answered by telling the model that there are no more, and
    /// after that the turn ends.
    pub rounds: usize,
}

/// Three rounds.
impl Default for Limits {
    fn default() -> Self {
        Self { rounds: 3 }
    }
}

/// The answer when the rounds of a turn are used up.
const NO_MORE: &str = "Nothing was retrieved: the limit of retrievals for this turn is reached. \
    Do not call this tool again now; continue with what you have and say what is missing.";

/// Follows one turn. See the [module](self).
pub struct Turn {
    request: Request,
    /// The body of the last request sent upstream.
    sent: Bytes,
    /// `None`: our tool is not on offer, and everything passes.
    limits: Option<Limits>,
    stream: Box<dyn Stream>,
    framing: Framing,
    guard: Guard,
    /// The last JSON response; `None` while the turn is streamed.
    reply: Option<Bytes>,
    rounds: Vec<Round>,
    /// The response whose calls are being answered.
    waiting: Option<Heard>,
    /// What the client has been shown in earlier responses.
    shown: Shown,
    /// Usage of the earlier responses, and of the current one.
    earlier: Usage,
    current: Usage,
    over: bool,
}

/// How a streamed response is written.
#[derive(Debug)]
enum Framing {
    /// Server-sent events.
    Events(Framer),
    /// One JSON array.
    Array {
        elements: Elements,
        joined: Joined,
        /// What ended the response, kept back until it is known whether another one continues it.
        tail: Bytes,
    },
}

/// What the client has been shown.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    pub(crate) text: String,
    /// The visible items.
    pub(crate) items: Vec<Item>,
    count: Count,
    /// Name of the first response, where the provider keeps it.
    pub(crate) response: Option<String>,
}

/// What the model said in one response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Text, all of it. Where text is a block it is among the items as well.
    pub(crate) text: String,
    /// Further members of the assistant message, as JSON members each followed by a comma.
    pub(crate) aside: String,
    /// Content blocks (Anthropic), tool calls (OpenAI Chat) or output items (OpenAI Responses), in order.
    pub(crate) items: Vec<Item>,
    /// Name of the response, where the provider keeps it.
    pub(crate) response: Option<String>,
}

/// One content block or tool call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) json: String,
    pub(crate) kind: ItemKind,
}

/// Whose an item is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ItemKind {
    /// A call of our tool.
    Mine(Retrieval),
    /// A call of one of the client's tools, with its identifier.
    Theirs(String),
    /// No call that anybody has to answer.
    Other,
    /// Nor anything whose place among the others could be told later: text that a client may join or cut, what a call gave that the
    /// provider ran itself. It is not counted.
    Uncounted,
    /// Thinking, which clients may drop from older turns.
    Thinking,
    /// An empty block, which providers send and do not accept back.
    Empty,
}

/// How a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It did not: the stream broke off.
    Broken,
    /// The model waits for the results of its calls.
    Calls,
    /// Anything else: it finished, was cut off at a limit, or refused.
    Other,
}

/// The pieces of the JSON response that a client gets.
pub(crate) struct Merge<'a> {
    pub(crate) document: &'a Document,
    /// Text and items of earlier responses.
    pub(crate) text: &'a str,
    pub(crate) items: &'a [Item],
    /// What the last response says.
    pub(crate) heard: &'a Heard,
    /// Usage of the earlier responses.
    pub(crate) earlier: Usage,
    /// The model is said to have finished of its own accord.
    pub(crate) ended: bool,
}

// === impl Turn ===

impl Turn {
    /// A turn that begins with `request`, which was sent upstream as `sent`. `limits` is `None` when our tool was not offered in
    /// it: then nothing is held, and only usage is read.
    pub fn new(request: Request, sent: Bytes, limits: Option<Limits>) -> Self {
        let stream = request.dialect().protocol().stream(&request);
        let guard = Guard::new(request.dialect(), request.body(), &sent);
        // A turn that cannot be continued needs no bodies, and answers may take minutes.
        let (request, sent) = match limits {
            Some(_) => (request, sent),
            None => (crate::parse(request.dialect(), Bytes::new()), Bytes::new()),
        };
        Self {
            request,
            sent,
            limits,
            stream,
            framing: Framing::Events(Framer::default()),
            guard,
            reply: None,
            rounds: Vec::new(),
            waiting: None,
            shown: Shown::default(),
            earlier: Usage::default(),
            current: Usage::default(),
            over: false,
        }
    }

    /// Says before anything is fed that streamed responses are one JSON array each, not server-sent events.
    pub fn read_arrays(&mut self) {
        self.framing = Framing::Array { elements: Elements::default(), joined: Joined::default(), tail: Bytes::new() };
    }

    /// Whether streamed responses are one JSON array each.
    pub fn reads_arrays(&self) -> bool {
        matches!(self.framing, Framing::Array { .. })
    }

    /// What the provider has stated for all responses of the turn so far: what is billed.
    pub fn usage(&self) -> Usage {
        let mut sum = self.earlier;
        sum += self.current;
        sum
    }

    /// Whether the last response has ended as its provider ends one. A stream that stops before has been cut off.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Responses with hidden calls that were answered so far.
    pub fn rounds(&self) -> usize {
        self.rounds.len()
    }

    /// What became of calls of the client's tools in which the model wrote marks of ours, so far.
    pub fn guarded(&self) -> &[Guarded] {
        self.guard.guarded()
    }

    /// Whether the turn holds the request that it began with.
    pub fn holds_request(&self) -> bool {
        self.limits.is_some() || !self.guard.is_off()
    }

    /// Takes the next bytes of a streamed response.
    pub fn feed(&mut self, chunk: Bytes, steps: &mut Vec<Step>) {
        let unseen = self.limits.is_none() && self.guard.is_off();
        if unseen {
            steps.push(Step::Forward(chunk.clone()));
        }
        self.framing.push(chunk);
        let mut out = Vec::new();
        while let Some(frame) = self.framing.next() {
            match frame {
                Frame::Event(event) if unseen => {
                    self.over |= self.request.dialect().protocol().observe(&mut self.current, &event);
                }
                Frame::Unread(_) if unseen => {}
                frame => {
                    self.guard.push(frame);
                    self.let_through(&mut out, steps);
                }
            }
        }
        forward(&mut out, steps);
        self.ask(steps);
    }

    /// Says that a streamed response has ended, cleanly or not.
    pub fn end(&mut self, steps: &mut Vec<Step>) {
        if let Some(event) = self.framing.finish() {
            self.guard.push(Frame::Event(event));
        }
        self.guard.end();
        self.go_on(steps);
    }

    /// Takes the originals that [`Step::Restore`] named, in the same order.
    pub fn restore(&mut self, originals: &[Original], steps: &mut Vec<Step>) {
        match self.guard.restore(originals) {
            Some(body) => self.replied(body, steps),
            None => self.go_on(steps),
        }
    }

    /// Hands on what the guard lets go, and ends the response if that was all.
    fn go_on(&mut self, steps: &mut Vec<Step>) {
        let mut out = Vec::new();
        self.let_through(&mut out, steps);
        let passing = self.limits.is_none() && self.guard.is_off();
        if !passing {
            forward(&mut out, steps);
        }
        self.ask(steps);
        if self.guard.is_done() && self.limits.is_some() {
            self.end_unresolved(steps);
        }
        if self.guard.is_done() && self.waiting.is_none() && !passing {
            self.framing.close(&mut out);
            forward(&mut out, steps);
        }
    }

    fn let_through(&mut self, out: &mut Vec<Bytes>, steps: &mut Vec<Step>) {
        while let Some(frame) = self.guard.next() {
            let event = match frame {
                Frame::Event(event) => event,
                Frame::Unread(bytes) => {
                    out.push(self.framing.unread(bytes));
                    continue;
                }
            };
            let shown = out.len();
            let last = self.request.dialect().protocol().observe(&mut self.current, &event);
            if self.limits.is_none() {
                self.over |= last;
                out.push(event.raw().clone());
                self.framing.join(&mut out[shown..]);
                continue;
            }
            self.stream.event(event, out);
            self.framing.join(&mut out[shown..]);
            if last {
                forward(out, steps);
                self.resolve_stream(steps);
            }
        }
    }

    fn ask(&mut self, steps: &mut Vec<Step>) {
        steps.extend(self.guard.asks().map(Step::Restore));
    }

    /// A provider that omits the very last event has still said how the response ended.
    fn end_unresolved(&mut self, steps: &mut Vec<Step>) {
        if !self.over && self.waiting.is_none() && self.stream.ending() != Ending::Broken {
            self.resolve_stream(steps);
        }
    }

    /// Takes a whole JSON response.
    pub fn whole(&mut self, body: Bytes, steps: &mut Vec<Step>) {
        match self.guard.whole(body) {
            Some(body) => self.replied(body, steps),
            None => self.ask(steps),
        }
    }

    /// A whole response, as it may go on.
    fn replied(&mut self, body: Bytes, steps: &mut Vec<Step>) {
        let protocol = self.request.dialect().protocol();
        let document = Document::parse(body.clone());
        let root = document.as_ref().and_then(|document| Some((document, document.root()?)));
        if let Some((document, stated)) =
            root.and_then(|(document, root)| Some((document, document.field(root, protocol.usage_key())?)))
        {
            protocol.update_usage(&mut self.current, document, stated);
        }
        self.reply = Some(body.clone());
        match root.and_then(|(document, _)| protocol.reply(document)) {
            Some((heard, ending)) if self.limits.is_some() => self.resolve(Some(heard), ending, steps),
            _ => {
                self.over = true;
                steps.push(Step::Forward(body));
            }
        }
    }

    /// Takes the answers to the calls of the last [`Step::Answer`], in the same order.
    pub fn answer(&mut self, answers: &[Answer], steps: &mut Vec<Step>) {
        let Some(heard) = self.waiting.take() else { return };
        let results = heard.retrievals().zip(answers).map(|(call, answer)| self.result(call, answer)).collect();
        self.settle(&heard, results, steps);
    }

    /// Says that a continuation could not be had. The client of a stream is told so in the provider's own way, as `error` (the
    /// provider's error body) or in general words; the client of a JSON response should be given the failing response itself.
    pub fn abandon(&mut self, error: Option<&[u8]>, steps: &mut Vec<Step>) {
        self.over = true;
        if self.reply.is_none() {
            let event = self.request.dialect().protocol().error_event(error);
            steps.push(Step::Forward(self.framing.last(event)));
        }
    }

    fn resolve_stream(&mut self, steps: &mut Vec<Step>) {
        let needed = self.stream.hidden() > 0 || !self.rounds.is_empty();
        let heard = if needed { self.stream.heard() } else { None };
        let ending = self.stream.ending();
        self.resolve(heard, ending, steps);
    }

    /// Decides what follows a response.
    fn resolve(&mut self, heard: Option<Heard>, ending: Ending, steps: &mut Vec<Step>) {
        let limit = self.limits.map_or(0, |limits| limits.rounds);
        let Some(heard) = heard else {
            let unanswerable = self.stream.hidden() > 0 && ending == Ending::Calls;
            return self.conclude(None, unanswerable, steps);
        };
        let calls: Vec<Retrieval> = heard.retrievals().cloned().collect();
        if calls.is_empty() || ending != Ending::Calls {
            return self.conclude(Some(&heard), false, steps);
        }
        let used = self.rounds.len();
        if used < limit {
            self.waiting = Some(heard);
            steps.push(Step::Answer(calls));
        } else if used == limit || heard.calls_client() {
            let answer = Answer { text: NO_MORE.to_owned(), is_error: true };
            let results = calls.iter().map(|call| self.result(call, &answer)).collect();
            self.settle(&heard, results, steps);
        } else {
            self.conclude(Some(&heard), true, steps);
        }
    }

    fn result(&self, call: &Retrieval, answer: &Answer) -> String {
        self.request.dialect().protocol().result(&call.id, answer)
    }

    /// The calls of a response have their results: continue it, or leave the rest to the client's next request.
    fn settle(&mut self, heard: &Heard, results: Vec<String>, steps: &mut Vec<Step>) {
        let mixed = heard.calls_client();
        let continuation = (!mixed).then(|| self.continuation(heard, &results));
        self.rounds.push(self.round(heard, results, mixed));
        match continuation {
            None => self.conclude(Some(heard), false, steps),
            Some(None) => self.conclude(Some(heard), true, steps),
            Some(Some(body)) => {
                self.shown.text.push_str(&heard.text);
                self.shown.items.extend(heard.visible().cloned());
                if self.rounds.len() == 1 {
                    self.shown.response.clone_from(&heard.response);
                }
                heard.visible().for_each(|item| self.shown.count.add(item));
                self.earlier += std::mem::take(&mut self.current);
                self.framing.next_response();
                self.guard.next_response();
                self.stream.next_response();
                self.sent = body.clone();
                steps.push(Step::Continue(body));
            }
        }
    }

    /// The body that goes on from a response: what was sent, what the model said, and the results.
    fn continuation(&self, heard: &Heard, results: &[String]) -> Option<Bytes> {
        let sent = crate::parse(self.request.dialect(), self.sent.clone());
        let changes = self.request.dialect().protocol().go_on(&sent, heard, results)?;
        Some(sent.splice(&[], &changes).into())
    }

    fn round(&self, heard: &Heard, results: Vec<String>, mixed: bool) -> Round {
        let mut place = self.shown.count;
        let mut calls = Vec::new();
        for item in &heard.items {
            match item.kind {
                ItemKind::Mine(_) => calls.push(HiddenCall { place, json: item.json.clone() }),
                _ => place.add(item),
            }
        }
        Round { text: heard.text.clone(), aside: heard.aside.clone(), calls, shown: place, results, mixed }
    }

    /// Ends the turn for the client. With `ended` it is told that the model finished, although it called.
    fn conclude(&mut self, heard: Option<&Heard>, ended: bool, steps: &mut Vec<Step>) {
        self.over = true;
        steps.extend(heard.into_iter().flat_map(|heard| self.exchanges(heard)).map(Step::Remember));
        let Some(body) = &self.reply else {
            let mut out = Vec::new();
            self.stream.close(&self.earlier, ended, &mut out);
            self.framing.join(&mut out);
            self.framing.close(&mut out);
            return forward(&mut out, steps);
        };
        let untouched = self.rounds.is_empty() && heard.is_none_or(|heard| heard.retrievals().next().is_none());
        let merged = heard.filter(|_| !untouched).and_then(|heard| {
            let document = Document::parse(body.clone())?;
            let (text, items) = (self.shown.text.as_str(), self.shown.items.as_slice());
            let merge = Merge { document: &document, text, items, heard, earlier: self.earlier, ended };
            self.request.dialect().protocol().merge(&merge)
        });
        steps.push(Step::Forward(merged.map_or_else(|| body.clone(), Bytes::from)));
    }

    /// What later requests need to know of this turn, once for each name they may know it by; `heard` is its last response. Empty
    /// when nothing was hidden, or when the client could not be recognised by what it was shown.
    fn exchanges(&self, heard: &Heard) -> Vec<Exchange> {
        if self.rounds.is_empty() {
            return Vec::new();
        }
        let dialect = self.request.dialect();
        let mut shown = self.shown.count;
        heard.visible().for_each(|item| shown.add(item));
        let exchange = |filing: Filing| {
            let Filing { key, lineage, anchor, response } = filing;
            Exchange { dialect, key, lineage, shown, anchor, response, rounds: self.rounds.clone() }
        };
        dialect.protocol().filings(&self.request, &self.shown, heard).into_iter().map(exchange).collect()
    }
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn").field("rounds", &self.rounds.len()).field("over", &self.over).finish_non_exhaustive()
    }
}

/// Hands over what the client gets, as one piece: it came in one piece, and small writes cost.
fn forward(out: &mut Vec<Bytes>, steps: &mut Vec<Step>) {
    let bytes = match out.as_slice() {
        [] => return,
        [one] => one.clone(),
        several => several.concat().into(),
    };
    out.clear();
    if !bytes.is_empty() {
        steps.push(Step::Forward(bytes));
    }
}

// === impl Framing ===

impl Framing {
    fn push(&mut self, chunk: Bytes) {
        match self {
            Self::Events(framer) => framer.push(chunk),
            Self::Array { elements, .. } => elements.push(chunk),
        }
    }

    fn next(&mut self) -> Option<Frame> {
        match self {
            Self::Events(framer) => framer.next(),
            Self::Array { elements, .. } => elements.next(),
        }
    }

    /// Nothing more comes of this response. What is left of its events.
    fn finish(&mut self) -> Option<Event> {
        match self {
            Self::Events(framer) => framer.finish(),
            Self::Array { elements, tail, .. } => {
                *tail = elements.finish();
                None
            }
        }
    }

    /// Goes on to the response that continues this one.
    fn next_response(&mut self) {
        match self {
            Self::Events(framer) => *framer = Framer::default(),
            Self::Array { elements, tail, .. } => (*elements, *tail) = (Elements::default(), Bytes::new()),
        }
    }

    /// Events as they stand in what the client gets.
    fn join(&mut self, events: &mut [Bytes]) {
        if let Self::Array { joined, .. } = self {
            for event in events {
                *event = joined.element(std::mem::take(event));
            }
        }
    }

    fn unread(&mut self, piece: Bytes) -> Bytes {
        match self {
            Self::Events(_) => piece,
            // What is no array has no brackets and commas of ours.
            Self::Array { elements, .. } if elements.is_other() => piece,
            Self::Array { joined, .. } => joined.unread(piece),
        }
    }

    /// Adds what ends what the client gets, if it came.
    fn close(&mut self, out: &mut Vec<Bytes>) {
        if let Self::Array { joined, tail, .. } = self
            && !tail.is_empty()
        {
            out.push(joined.tail(std::mem::take(tail)));
        }
    }

    /// An event after which the client gets nothing more.
    fn last(&mut self, event: Bytes) -> Bytes {
        match self {
            Self::Events(_) => event,
            Self::Array { joined, .. } => joined.last(&Event::of(event).data().unwrap_or_default()),
        }
    }
}

// === impl Count ===

impl Count {
    /// Counts one visible item more.
    pub(crate) fn add(&mut self, item: &Item) {
        self.all += usize::from(item.kind != ItemKind::Uncounted);
        self.spoken += usize::from(!matches!(item.kind, ItemKind::Thinking | ItemKind::Empty | ItemKind::Uncounted));
    }
}

// === impl Heard ===

impl Heard {
    fn retrievals(&self) -> impl Iterator<Item = &Retrieval> {
        self.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Mine(retrieval) => Some(retrieval),
            _ => None,
        })
    }

    pub(crate) fn client_calls(&self) -> impl Iterator<Item = &str> {
        self.items.iter().filter_map(|item| match &item.kind {
            ItemKind::Theirs(id) => Some(id.as_str()),
            _ => None,
        })
    }

    pub(crate) fn calls_client(&self) -> bool {
        self.client_calls().next().is_some()
    }

    /// The items that the client sees.
    pub(crate) fn visible(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| !matches!(item.kind, ItemKind::Mine(_)))
    }
}

/// Replaces ranges of a text; they do not overlap.
pub(crate) fn patch(text: &[u8], mut patches: Vec<(Range<usize>, String)>) -> Vec<u8> {
    patches.sort_by_key(|(range, _)| range.start);
    let mut out = Vec::with_capacity(text.len() + patches.iter().map(|(_, new)| new.len()).sum::<usize>());
    let mut done = 0;
    for (range, new) in patches {
        out.extend_from_slice(&text[done..range.start]);
        out.extend_from_slice(new.as_bytes());
        done = range.end;
    }
    out.extend_from_slice(&text[done..]);
    out
}

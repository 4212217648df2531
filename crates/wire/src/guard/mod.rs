//! The write-guard: a mark of ours in what a model writes never reaches a tool of the client.
//!
//! A model that has read `[-14 lines 38-51]` may copy it into a file. [`Guard`] stands between the provider's events and
//! everything else of a [`crate::Turn`] and reads the arguments of calls as they come. What holds no mark passes untouched and
//! undelayed: an event is kept back only while its end may be the beginning of a mark, and from a mark of ours on to the
//! end of its call. Then the originals are asked for, and the call is either written out with the text that the mark stands for
//! ([`restore`]), or its arguments are spoiled ([`spoil`]): every one of them becomes `null` and one more says why, so that no
//! tool can do anything with them and the model reads the reason in its own call.
//!
//! Ours is a mark that stands more often in what was sent than in what the client sent, or whose handle the store knows. Anything
//! else that looks like one is data.

mod events;
mod marks;
mod restore;
mod spoil;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;

use bytes::Bytes;
use headroom_core::Handle;

use crate::Dialect;
use crate::document::Document;
use crate::literal::{decode, quoted};
use crate::sse::{Event, Frame};
use crate::tool;
use crate::turn::patch;

use events::{Ends, Form, Piece, Read};
use marks::{Seen, Sources};

/// What the store says about a handle that a written mark names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Original {
    /// The text.
    Kept(String),
    /// It is no handle of this store.
    Unknown,
    /// The store cannot be read now.
    Unreadable,
}

/// Whether some text that a model wrote, such as the arguments of a call, names an original in one of our marks, and which.
///
/// For doors that see a call without its conversation: only marks that name their original can be told from look-alikes there.
pub fn written_handles(text: &str) -> Vec<Handle> {
    marks::handles_in_marks(text)
}

/// What is written about a mark that cannot be expanded, for the model.
pub fn refusal(mark: &str) -> String {
    let mark = mark.trim_matches(['[', ']']);
    format!(
        "Nothing was done. An argument holds \"{mark}\" in brackets, a mark of Headroom for text that is not shown; it must not be written. \
         Read that text first (retrieve_original_content, or the file itself), and call again with the text in its place."
    )
}

/// What became of a call of the client's tools whose arguments held marks of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guarded {
    /// The tool, as the model named it.
    pub tool: String,
    /// Marks of ours in the arguments.
    pub marks: usize,
    /// Whether the text stands in their place; if not, the call was refused.
    pub expanded: bool,
}

/// Watches the calls of one response. See the [module](self).
pub(crate) struct Guard {
    dialect: Dialect,
    /// `None`: the request holds no mark of ours, and everything passes.
    sources: Option<Sources>,
    calls: BTreeMap<String, Call>,
    /// The call that was spoken of last.
    latest: String,
    /// What came and was not looked at yet.
    queue: VecDeque<Frame>,
    /// What is kept back, in order.
    held: Vec<(Frame, Read)>,
    /// What may go on.
    out: VecDeque<Frame>,
    /// The originals that are waited for.
    asked: Option<Vec<Handle>>,
    told: bool,
    /// What is waited for is for the last calls that were begun.
    all_complete: bool,
    ended: bool,
    /// A whole response that is kept back.
    reply: Option<(Bytes, Vec<Piece>)>,
    /// What was done so far, in the whole turn.
    guarded: Vec<Guarded>,
}

/// The arguments of one call, as far as they came.
struct Call {
    name: String,
    form: Form,
    text: String,
    /// Where the search for marks goes on.
    clear: usize,
    /// What the client has got of the text.
    passed: usize,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Clear,
    /// The end of the text may be the beginning of a mark.
    Begun,
    /// It holds this mark of ours, and is not complete.
    Caught(String),
    /// The same, complete.
    Complete(String),
    /// These are its arguments now; `None` if they stay.
    Settled(Option<String>),
}

// === impl Guard ===

impl Guard {
    /// A guard for answers to a request that came as `body` and went out as `sent`.
    pub(crate) fn new(dialect: Dialect, body: &Bytes, sent: &Bytes) -> Self {
        Self {
            dialect,
            sources: Sources::of(body, sent),
            calls: BTreeMap::new(),
            latest: String::new(),
            queue: VecDeque::new(),
            held: Vec::new(),
            out: VecDeque::new(),
            asked: None,
            told: false,
            all_complete: false,
            ended: false,
            reply: None,
            guarded: Vec::new(),
        }
    }

    /// Whether everything passes.
    pub(crate) fn is_off(&self) -> bool {
        self.sources.is_none()
    }

    /// Goes on to the response that continues this one.
    pub(crate) fn next_response(&mut self) {
        let sources = self.sources.take();
        let (dialect, guarded) = (self.dialect, std::mem::take(&mut self.guarded));
        *self = Self { sources, guarded, ..Self::new(dialect, &Bytes::new(), &Bytes::new()) };
    }

    /// What was done in the turn so far.
    pub(crate) fn guarded(&self) -> &[Guarded] {
        &self.guarded
    }

    pub(crate) fn push(&mut self, frame: Frame) {
        if self.is_off() { self.out.push_back(frame) } else { self.queue.push_back(frame) }
    }

    /// Says that nothing more comes.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// Whether all that ever came is out.
    pub(crate) fn is_done(&self) -> bool {
        self.ended && self.asked.is_none() && self.queue.is_empty() && self.out.is_empty()
    }

    /// The next frame that may go on.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.out.pop_front() {
                return Some(frame);
            }
            if self.asked.is_some() {
                return None;
            }
            match self.queue.pop_front() {
                Some(frame) => self.take(frame),
                None if self.ended && !self.held.is_empty() => self.complete(&Ends::All),
                None => return None,
            }
        }
    }

    /// The originals that are needed to go on, said once.
    pub(crate) fn asks(&mut self) -> Option<Vec<Handle>> {
        if std::mem::replace(&mut self.told, true) { None } else { self.asked.clone() }
    }

    /// Looks at a whole response. `None` when it is kept back until [`restore`](Self::restore).
    pub(crate) fn whole(&mut self, body: Bytes) -> Option<Bytes> {
        let Some(sources) = &self.sources else { return Some(body) };
        let pieces = match Document::parse(body.clone()) {
            Some(document) => events::read_whole(self.dialect, &document),
            None => Vec::new(),
        };
        self.calls.clear();
        for piece in pieces.iter().filter(|piece| !is_retrieval(&piece.name)) {
            let mut call = Call::new(&piece.name, piece.form);
            call.text = piece.text(&body);
            call.search(sources, true);
            self.calls.insert(piece.key.clone(), call);
        }
        self.ask(&Ends::All);
        if self.asked.is_none() {
            return Some(body);
        }
        self.reply = Some((body, pieces));
        None
    }

    /// Takes the originals that were asked for. What it gives back is the whole response, if one was kept back.
    pub(crate) fn restore(&mut self, originals: &[Original]) -> Option<Bytes> {
        let handles = self.asked.take().unwrap_or_default();
        self.told = false;
        if let Some(sources) = &self.sources {
            let known: Vec<(Handle, &Original)> = handles.into_iter().zip(originals).collect();
            for call in self.calls.values_mut() {
                self.guarded.extend(call.settle(sources, &known));
            }
        }
        if let Some((body, pieces)) = self.reply.take() {
            let patches = pieces.iter().filter_map(|piece| self.whole_patch(piece)).collect::<Vec<_>>();
            return Some(if patches.is_empty() { body } else { patch(&body, patches).into() });
        }
        self.release();
        if self.all_complete {
            self.forget();
        }
        None
    }

    fn take(&mut self, frame: Frame) {
        let event = match frame {
            Frame::Event(event) => event,
            unread @ Frame::Unread(_) if self.held.is_empty() => return self.out.push_back(unread),
            unread @ Frame::Unread(_) => return self.held.push((unread, Read::default())),
        };
        if self.held.is_empty() && !events::concerns(self.dialect, event.raw()) {
            return self.out.push_back(Frame::Event(event));
        }
        let data = event.data().map(|data| Bytes::from(data.into_owned()));
        let document = data.clone().and_then(Document::parse);
        let read = match (&data, &document) {
            (Some(data), None) if data.trim_ascii() == b"[DONE]" => Read { ends: Ends::All, ..Read::default() },
            (_, Some(document)) => events::read(self.dialect, document),
            _ => Read::default(),
        };
        let caught = |call: &Call| matches!(call.state, State::Caught(_));
        if read.idle && self.calls.values().any(caught) {
            return self.out.push_back(Frame::Event(event));
        }
        let mut read = read;
        let keys = read.named.iter_mut().map(|(key, _)| key);
        for key in keys.chain(read.pieces.iter_mut().map(|piece| &mut piece.key)) {
            // A part without number and name belongs to the call before it.
            if key.ends_with(events::UNNUMBERED) && !self.latest.is_empty() {
                key.clone_from(&self.latest);
            }
            self.latest.clone_from(key);
        }
        for (key, name) in &read.named {
            self.calls.entry(key.clone()).or_insert_with(|| Call::new(name, Form::Text)).name.clone_from(name);
        }
        for piece in &read.pieces {
            self.piece(piece, data.as_deref().unwrap_or_default());
        }
        let ends = read.ends.clone();
        self.held.push((Frame::Event(event), read));
        self.complete(&ends);
    }

    /// Takes one piece of a call's arguments.
    fn piece(&mut self, piece: &Piece, data: &[u8]) {
        let Some(sources) = &self.sources else { return };
        let call = self.calls.entry(piece.key.clone()).or_insert_with(|| Call::new(&piece.name, piece.form));
        if call.name.is_empty() {
            call.name.clone_from(&piece.name);
        }
        if is_retrieval(&call.name) || matches!(call.state, State::Settled(_)) {
            return;
        }
        call.form = piece.form;
        if !piece.whole {
            call.text.push_str(&piece.text(data));
        } else if call.text.is_empty() {
            call.text = piece.text(data);
        }
        call.search(sources, piece.whole);
    }

    /// Calls have ended: asks for originals when those that hold marks are complete, or lets go what is kept back.
    fn complete(&mut self, ends: &Ends) {
        self.ask(ends);
        if self.asked.is_some() {
            return;
        }
        let waiting = |call: &Call| matches!(call.state, State::Begun | State::Caught(_));
        if self.calls.values().any(waiting) {
            return;
        }
        self.release();
        if *ends == Ends::All {
            self.forget();
        }
    }

    /// All calls are complete, and their keys are free for others. OpenAI Responses says them once more at the end.
    fn forget(&mut self) {
        if self.dialect != Dialect::OpenAiResponses {
            self.calls.clear();
        }
    }

    fn ask(&mut self, ends: &Ends) {
        for (key, call) in &mut self.calls {
            if ends.include(key) {
                call.state = match std::mem::replace(&mut call.state, State::Clear) {
                    State::Caught(mark) => State::Complete(mark),
                    State::Begun => State::Clear,
                    state => state,
                };
            }
        }
        let open = self.calls.values().any(|call| matches!(call.state, State::Caught(_)));
        let complete = self.calls.values().filter(|call| matches!(call.state, State::Complete(_)));
        let Some(sources) = self.sources.as_ref().filter(|_| !open) else { return };
        let mut handles: Vec<Handle> = Vec::new();
        let mut any = false;
        for call in complete {
            any = true;
            handles.extend(sources.handles_for(&call.text));
        }
        handles.sort_unstable_by_key(Handle::to_string);
        handles.dedup();
        self.asked = any.then_some(handles);
        self.all_complete = *ends == Ends::All;
        self.told = false;
    }

    /// Lets go what is kept back, with the arguments as they were settled.
    fn release(&mut self) {
        let mut begun: Vec<String> = Vec::new();
        for (frame, read) in std::mem::take(&mut self.held) {
            let patches: Vec<_> = match &frame {
                Frame::Event(_) => read.pieces.iter().filter_map(|piece| self.piece_patch(piece, &mut begun)).collect(),
                Frame::Unread(_) => Vec::new(),
            };
            self.out.push_back(match frame {
                Frame::Event(event) if !patches.is_empty() => Frame::Event(patched(&event, patches)),
                frame => frame,
            });
        }
        for call in self.calls.values_mut() {
            call.passed = call.text.len();
        }
    }

    /// What becomes of a piece: the first one kept back of a call brings the rest of its arguments, the others bring nothing more.
    fn piece_patch(&self, piece: &Piece, begun: &mut Vec<String>) -> Option<(Range<usize>, String)> {
        if piece.whole {
            return self.whole_patch(piece);
        }
        let call = self.calls.get(&piece.key)?;
        let State::Settled(Some(text)) = &call.state else { return None };
        let first = !begun.contains(&piece.key);
        begun.push(piece.key.clone());
        let rest = if first { text.get(call.passed..).unwrap_or_default() } else { "" };
        Some((piece.at.clone(), quoted(rest)))
    }

    fn whole_patch(&self, piece: &Piece) -> Option<(Range<usize>, String)> {
        let State::Settled(Some(text)) = &self.calls.get(&piece.key)?.state else { return None };
        let written = if piece.form == Form::Json { text.clone() } else { quoted(text) };
        Some((piece.at.clone(), written))
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard").field("off", &self.is_off()).field("held", &self.held.len()).finish_non_exhaustive()
    }
}

/// Our own tool takes handles; so does the MCP server's, under whatever name a client gives it.
fn is_retrieval(name: &str) -> bool {
    name.ends_with(tool::NAME)
}

fn patched(event: &Event, patches: Vec<(Range<usize>, String)>) -> Event {
    match event.data() {
        Some(data) => event.with_data(&patch(&data, patches)),
        None => event.clone(),
    }
}

// === impl Call ===

impl Call {
    fn new(name: &str, form: Form) -> Self {
        Self { name: name.to_owned(), form, text: String::new(), clear: 0, passed: 0, state: State::Clear }
    }

    /// Looks for marks in what is new. With `whole`, nothing follows.
    fn search(&mut self, sources: &Sources, whole: bool) {
        if !matches!(self.state, State::Clear | State::Begun) {
            return;
        }
        self.state = State::Clear;
        while let Some(found) = self.text[self.clear..].find('[') {
            let at = self.clear + found;
            match marks::at(&self.text.as_bytes()[at..]) {
                Seen::Begun if !whole => {
                    (self.clear, self.state) = (at, State::Begun);
                    return;
                }
                Seen::Mark(length) if sources.may_own(&self.text[at..at + length]) => {
                    self.state = State::Caught(self.text[at..at + length].to_owned());
                    return;
                }
                _ => self.clear = at + 1,
            }
        }
        self.clear = self.text.len();
        // Free text that is no patch has no form in which it could be spoiled once it is begun.
        if self.form == Form::Free && !whole && !spoil::is_patch(&self.text) {
            self.state = State::Begun;
        }
    }

    /// Decides what becomes of the arguments of a complete call, and says so unless they are nothing but data.
    fn settle(&mut self, sources: &Sources, known: &[(Handle, &Original)]) -> Option<Guarded> {
        let State::Complete(mark) = &self.state else { return None };
        let written = restore::Written { sources, known, tool: &self.name, ours: RefCell::default() };
        let (text, expanded) = match written.arguments(&self.text, self.form) {
            restore::Outcome::Data => (None, None),
            restore::Outcome::Restored(text) if text.starts_with(&self.text[..self.passed]) => (Some(text), Some(true)),
            _ => (Some(spoil::spoiled(&self.text[..self.passed], self.form, &refusal(mark))), Some(false)),
        };
        self.state = State::Settled(text);
        let marks = || marks::all(&self.text).filter(|(_, mark)| sources.may_own(mark)).count();
        expanded.map(|expanded| Guarded { tool: self.name.clone(), marks: marks(), expanded })
    }
}

// === impl Piece ===

impl Piece {
    /// The arguments that this piece brings.
    fn text(&self, data: &[u8]) -> String {
        let raw = std::str::from_utf8(data.get(self.at.clone()).unwrap_or_default()).unwrap_or_default();
        match self.form {
            Form::Json => raw.to_owned(),
            Form::Text | Form::Free => decode(raw.get(1..raw.len().saturating_sub(1)).unwrap_or_default()),
        }
    }
}

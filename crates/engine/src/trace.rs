//! What is remembered of the requests of a conversation, to say why a provider's cache did not hold what it could have held.
//!
//! Of each request only digests of its pieces are kept, and for a while the texts of its tools, its instructions and its short messages, so that
//! the first differing byte and the values that change can be named. Everything is in memory and bounded; after a restart the first request of a
//! conversation has nothing to be compared with.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use headroom_store::Lineage;
use headroom_wire::{Dialect, Edit, Insertion, Piece, Place, Request, Role};

use crate::align::Stable;
use crate::engine::Running;
use crate::memo::Memo;
use crate::receipt::{Drift, Miss, Volatile};
use crate::{Receipt, Usage, volatile};

/// Bytes of traces in memory: 48 for each message of each request that is still compared with.
const TRACE_BYTES: usize = 8 << 20;

/// Bytes of texts in memory. One agent's tools and instructions take 20 to 100 KB, and all its conversations share them.
const TEXT_BYTES: usize = 8 << 20;

/// Messages of more bytes are compared by their digests alone; a difference in one is then said to be at its start.
const MESSAGE_BYTES: usize = 8 << 10;

/// Values named in one report.
const MAX_VOLATILE: usize = 16;

/// Fewer missing tokens than this are the provider's rounding.
const MISS_FROM: u64 = 256;

/// Tokens from which on providers cache at all.
const CACHE_FROM: u64 = 1024;

/// Seconds for which a provider keeps what was written for five minutes, or without a word about time, and for an hour.
const TTL: [u64; 2] = [300, 3600];

/// Blocks that Anthropic looks back over from a breakpoint for what it has cached.
const LOOKBACK: usize = 20;

/// What is remembered of all conversations.
#[derive(Debug)]
pub(crate) struct Traces {
    traces: Memo<Trace>,
    /// Texts of pieces, by their digest.
    texts: Memo<String>,
}

/// What is remembered of one request.
#[derive(Debug)]
pub(crate) struct Trace {
    at_ms: u64,
    /// When its conversation began, as far as that is known, and how many requests it had by then.
    first_ms: u64,
    requests: u64,
    model: String,
    /// Under what its conversation is known, with these tools.
    conversation: Option<Lineage>,
    /// What stood in its tools and instructions.
    head: Lineage,
    /// It differed from the request before it by numbers in the instructions alone.
    counted: bool,
    pieces: Vec<Traced>,
    /// Its receipt's id, once there is one, and what was billed for it before anything was retrieved.
    outcome: OnceLock<(String, Option<Usage>)>,
}

#[derive(Clone, Copy, Debug)]
struct Traced {
    place: Place,
    came: [u8; 16],
    /// The same for as long as it is sent the same way.
    sent: [u8; 16],
    bytes: u32,
    blocks: u32,
}

/// A request as it is looked at on its way in.
pub(crate) struct Seen<'r> {
    request: &'r Request,
    head: Lineage,
    at_ms: u64,
    keys: Keys,
    pieces: Vec<Piece>,
    before: Option<Arc<Trace>>,
}

/// What was seen of a request, kept until its bill comes.
#[derive(Clone, Debug)]
pub struct Observed {
    dialect: Dialect,
    now: Arc<Trace>,
    before: Option<Arc<Trace>>,
    /// Of the first piece that is sent another way than it was: whether the client had changed it, the byte, and the place.
    moved: Option<(bool, u64, String)>,
    /// What the conversation has cost so far; `None` where nothing is shortened.
    pub(crate) running: Option<Arc<Running>>,
    /// For each of the receipt's volatile values, the share of the earlier request that stands behind it.
    behind: Vec<f64>,
}

/// Under what a request is remembered and looked for.
struct Keys {
    /// By the messages up to each, with the names of the tools: side requests of an agent have other tools, or none.
    whole: Vec<Lineage>,
    /// The same whatever the tools.
    spoken: Vec<Lineage>,
    /// By the names of the tools and the number of instructions.
    agent: Lineage,
}

impl Keys {
    fn of(request: &Request, pieces: &[Piece]) -> Self {
        let root =
            Lineage::root(request.dialect().name().as_bytes()).then(request.session().unwrap_or_default().as_bytes());
        let mut names: Vec<&str> =
            request.tools().map_or(&[][..], |tools| tools.names()).iter().map(String::as_str).collect();
        names.sort_unstable();
        let mut whole = root.then(names.join("\n").as_bytes());
        let mut spoken = root;
        let texts = request.instructions().len().to_le_bytes();
        let agent = Lineage::root(request.dialect().name().as_bytes()).then(names.join("\n").as_bytes()).then(&texts);
        let mut keys = Self { whole: Vec::new(), spoken: Vec::new(), agent };
        for piece in pieces.iter().filter(|piece| matches!(piece.place, Place::Message(_))) {
            (whole, spoken) = (whole.then(&piece.digest), spoken.then(&piece.digest));
            keys.whole.push(whole);
            keys.spoken.push(spoken);
        }
        keys
    }
}

impl Trace {
    /// What stood in its tools and instructions.
    pub(crate) fn head(&self) -> Lineage {
        self.head
    }

    /// Whether it differed from the request before it by numbers in the instructions alone.
    pub(crate) fn counted(&self) -> bool {
        self.counted
    }

    /// Bytes that a cache could hold of it.
    pub(crate) fn bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| u64::from(piece.bytes)).sum()
    }

    /// Whether the provider holds it, as far as its bill says; `None` while that has not come.
    pub(crate) fn is_cached(&self, dialect: Dialect) -> Option<bool> {
        let (_, usage) = self.outcome.get()?;
        usage.map(|usage| cacheable(dialect, &usage) >= CACHE_FROM)
    }
}

impl<'r> Seen<'r> {
    pub(crate) fn request(&self) -> &'r Request {
        self.request
    }

    /// Under what its conversation is known; `None` without messages.
    pub(crate) fn conversation(&self) -> Option<Lineage> {
        self.keys.whole.first().copied()
    }

    /// What stands in its tools and instructions.
    pub(crate) fn head(&self) -> Lineage {
        self.head
    }

    /// Bytes of its tools and instructions.
    pub(crate) fn head_bytes(&self) -> u64 {
        let head = self.pieces.iter().filter(|piece| !matches!(piece.place, Place::Message(_)));
        head.map(|piece| piece.span.len() as u64).sum()
    }

    /// Under what its agent is known.
    pub(crate) fn agent(&self) -> Lineage {
        self.keys.agent
    }

    /// Whether nothing earlier of its conversation is known, and the model has not spoken in it.
    pub(crate) fn is_first(&self) -> bool {
        let speaks = |message: &headroom_wire::Message| message.role() == Role::Assistant;
        self.before.is_none() && !self.request.messages().iter().any(speaks)
    }

    /// The request before it in its conversation.
    pub(crate) fn earlier(&self) -> Option<&Trace> {
        self.before.as_deref().filter(|before| before.conversation == self.conversation())
    }
}

impl Traces {
    pub(crate) fn new() -> Self {
        Self { traces: Memo::new(TRACE_BYTES), texts: Memo::new(TEXT_BYTES) }
    }

    /// Looks at a request before anything is decided about it.
    pub(crate) fn see<'r>(&self, scope: Lineage, request: &'r Request, at_ms: u64) -> Seen<'r> {
        let pieces = request.pieces();
        let keys = Keys::of(request, &pieces);
        // The longest part of this conversation that was a request of its own. Without the tools' names a first message alone is not
        // enough: agents ask small questions about it on the side.
        let whole = keys.whole.iter().rev();
        let spoken = keys.spoken.iter().skip(1).rev();
        let before = whole.chain(spoken).find_map(|key| self.traces.get(scope, *key));
        let before = before.or_else(|| {
            let begun = self.traces.get(scope, keys.whole.first()?.then(b"begun"))?;
            shares_most(&begun, &pieces).then_some(begun)
        });
        let head = head_of(request, &pieces);
        Seen { request, head, at_ms, keys, pieces, before }
    }

    /// Remembers a request as it is sent, and says what its client changed.
    pub(crate) fn note(
        &self,
        scope: Lineage,
        seen: Seen<'_>,
        edits: &[Edit],
        insertions: &[Insertion],
        stable: Option<&Stable>,
    ) -> (Drift, Observed) {
        let Seen { request, head, at_ms, keys, pieces, before } = seen;
        let sent = as_sent(request, &pieces, edits, insertions, stable);
        let traced = pieces.iter().zip(&sent).map(|(piece, sent)| Traced {
            place: piece.place,
            came: piece.digest,
            sent: *sent,
            bytes: u32::try_from(piece.span.len()).unwrap_or(u32::MAX),
            blocks: u32::try_from(piece.blocks).unwrap_or(u32::MAX),
        });
        let mut now = Trace {
            at_ms,
            first_ms: before.as_ref().map_or(at_ms, |before| before.first_ms),
            requests: before.as_ref().map_or(0, |before| before.requests) + 1,
            model: request.model().unwrap_or_default().to_owned(),
            conversation: keys.whole.first().copied(),
            head,
            counted: false,
            pieces: traced.collect(),
            outcome: OnceLock::new(),
        };
        let drift = before.as_ref().map(|before| self.drift(scope, request, &pieces, before, &now)).unwrap_or_default();
        let number = |value: &Volatile| value.kind == "number" && value.place == "instructions";
        now.counted = !drift.volatile.is_empty() && drift.volatile.iter().all(number);
        let now = Arc::new(now);
        let moved = before.as_ref().and_then(|before| moved(before, &now, &drift, &pieces));
        self.keep_texts(scope, request, &pieces, before.as_deref());
        let weight = now.pieces.len() * size_of::<Traced>();
        if let (Some(whole), Some(spoken)) = (keys.whole.last(), keys.spoken.last()) {
            self.traces.replace(scope, *whole, Arc::clone(&now), weight);
            self.traces.replace(scope, *spoken, Arc::clone(&now), 0);
            self.traces.replace(scope, keys.whole[0].then(b"begun"), Arc::clone(&now), 0);
        }
        let behind =
            drift.volatile.iter().map(|value| share_behind(&pieces, value.offset, drift.prefix_bytes)).collect();
        (drift, Observed { dialect: request.dialect(), now, before, moved, running: None, behind })
    }

    /// Keeps the texts that a later request may have to be compared with.
    fn keep_texts(&self, scope: Lineage, request: &Request, pieces: &[Piece], before: Option<&Trace>) {
        for (index, piece) in pieces.iter().enumerate() {
            let old = before.and_then(|before| before.pieces.get(index));
            let known = old.is_some_and(|old| old.came == piece.digest);
            // Tools and instructions are asked for again to stay; messages that are known have been kept when they were new.
            let message = matches!(piece.place, Place::Message(_));
            if message && (known || piece.span.len() > MESSAGE_BYTES) {
                continue;
            }
            let key = Lineage::from_bytes(piece.digest);
            if self.texts.get(scope, key).is_none() {
                let text = text_of(request, piece);
                let bytes = text.len();
                self.texts.insert(scope, key, Arc::new(text), bytes);
            }
        }
    }

    fn drift(&self, scope: Lineage, request: &Request, pieces: &[Piece], before: &Trace, now: &Trace) -> Drift {
        let prefix_bytes = before.pieces.iter().map(|piece| u64::from(piece.bytes)).sum();
        let first = differs_at(before, now, |piece| piece.came);
        let days = now.at_ms.saturating_sub(now.first_ms).max(1000) as f64 / 86_400_000.0;
        let mut drift = Drift {
            since: before.outcome.get().map_or_else(String::new, |(id, _)| id.clone()),
            prefix_bytes,
            stable_bytes: prefix_bytes,
            requests_per_day: ((now.requests - 1) as f64 / days).round() as u64,
            ..Drift::default()
        };
        let Some(first) = first else { return drift };
        drift.stable_bytes = before.pieces[..first].iter().map(|piece| u64::from(piece.bytes)).sum();
        let Some(piece) = pieces.get(first) else {
            // The client took its last messages back; what is left is the same.
            return drift;
        };
        let within = self.first_difference(scope, request, piece, &before.pieces[first]);
        drift.stable_bytes += within as u64;
        drift.first_difference = Some(request_offset(request, piece, within) as u64);
        drift.place = place_name(piece.place);
        drift.volatile = self.volatile(scope, request, pieces, before);
        drift
    }

    /// Bytes that a piece has in common with the one that stood in its place; 0 when that one's text is not known.
    fn first_difference(&self, scope: Lineage, request: &Request, piece: &Piece, before: &Traced) -> usize {
        let Some(was) = self.texts.get(scope, Lineage::from_bytes(before.came)) else { return 0 };
        let is = text_of(request, piece);
        let common = was.bytes().zip(is.bytes()).take_while(|(a, b)| a == b).count();
        (0..=common).rev().find(|at| is.is_char_boundary(*at)).unwrap_or(0)
    }

    /// The values in which tools, instructions and messages differ from the earlier ones in their places.
    fn volatile(&self, scope: Lineage, request: &Request, pieces: &[Piece], before: &Trace) -> Vec<Volatile> {
        let mut found = Vec::new();
        if let Some(order) = reordered(request, pieces, before) {
            found.push(order);
        }
        for (piece, old) in pieces.iter().zip(&before.pieces) {
            let moved = !found.is_empty() && matches!(piece.place, Place::Tool(_));
            if piece.digest == old.came || piece.place != old.place || moved || found.len() >= MAX_VOLATILE {
                continue;
            }
            let Some(was) = self.texts.get(scope, Lineage::from_bytes(old.came)) else { continue };
            let is = text_of(request, piece);
            let changed = volatile::changed(&was, &is).unwrap_or_default();
            for change in changed.into_iter().take(MAX_VOLATILE - found.len()) {
                let start = request_offset(request, piece, change.now.start);
                let end = request_offset(request, piece, change.now.end);
                found.push(Volatile {
                    kind: change.kind.to_string(),
                    place: place_name(piece.place),
                    offset: start as u64,
                    bytes: end.saturating_sub(start) as u64,
                    tokens_behind: 0,
                });
            }
        }
        found
    }
}

/// What stands in tools and instructions, byte for byte.
fn head_of(request: &Request, pieces: &[Piece]) -> Lineage {
    let list = request.tools().map_or(&[][..], |tools| &request.body()[tools.span()]);
    let instructions = pieces.iter().filter(|piece| matches!(piece.place, Place::Instructions(_)));
    instructions.fold(Lineage::root(list), |head, piece| head.then(&piece.digest))
}

/// Whether most of an earlier request's messages are still there, and more besides: its client changed its history.
fn shares_most(before: &Trace, pieces: &[Piece]) -> bool {
    let message = |place: &Place| matches!(place, Place::Message(_));
    let was: Vec<_> = before.pieces.iter().filter(|piece| message(&piece.place)).map(|piece| piece.came).collect();
    let is: std::collections::HashSet<_> =
        pieces.iter().filter(|piece| message(&piece.place)).map(|piece| piece.digest).collect();
    let still = was.iter().filter(|digest| is.contains(*digest)).count();
    was.len() > 1 && is.len() >= was.len() && still * 2 > was.len()
}

/// What each piece is sent as: its digest, and whatever changes it. `stable` are the tools and instructions that are sent instead of the
/// client's.
fn as_sent(
    request: &Request,
    pieces: &[Piece],
    edits: &[Edit],
    insertions: &[Insertion],
    stable: Option<&Stable>,
) -> Vec<[u8; 16]> {
    let mut sent: Vec<[u8; 16]> = pieces.iter().map(|piece| piece.digest).collect();
    let replaced = stable.map(|stable| {
        let list = stable.tools.as_ref().map_or("", |(list, _)| list.as_str());
        (Request::tool_digests(list), &stable.instructions)
    });
    if let Some((tools, instructions)) = &replaced {
        for (piece, sent) in pieces.iter().zip(&mut sent) {
            match piece.place {
                Place::Tool(index) => *sent = tools.get(index).copied().unwrap_or(piece.digest),
                Place::Instructions(index) => *sent = Request::digest_of_text(&instructions[index]),
                Place::Message(_) => {}
            }
        }
    }
    let starts: Vec<usize> = pieces.iter().map(|piece| piece.span.start).collect();
    let sorted = starts.is_sorted();
    let mut change = |offset: usize, range: Range<usize>, text: &str| {
        // Pieces stand in the provider's order, which need not be that of the body.
        let at = match sorted {
            true => starts.partition_point(|start| *start <= offset).checked_sub(1),
            false => (0..starts.len()).filter(|at| starts[*at] <= offset).max_by_key(|at| starts[*at]),
        };
        if let Some(at) = at {
            let link = [range.start.to_le_bytes(), range.end.to_le_bytes()].concat();
            let link = [&link[..], &Request::digest_of_text(text)].concat();
            sent[at] = *Lineage::from_bytes(sent[at]).then(&link).as_bytes();
        }
    };
    for edit in edits {
        if let Some(slot) = request.slots().get(edit.slot) {
            change(slot.span().start, edit.range.clone(), &edit.replacement);
        }
    }
    for insertion in insertions {
        // Where it stands in the body changes from turn to turn.
        change(insertion.range().start, 0..0, insertion.text());
    }
    sent
}

/// Index of the first piece of `before` that `now` does not have there.
fn differs_at<T: PartialEq>(before: &Trace, now: &Trace, digest: impl Fn(&Traced) -> T) -> Option<usize> {
    let same = before.pieces.iter().zip(&now.pieces).take_while(|(was, is)| digest(was) == digest(is)).count();
    (same < before.pieces.len()).then_some(same)
}

/// Whether what is sent differs from what was sent, and whose doing that is.
fn moved(before: &Trace, now: &Trace, drift: &Drift, pieces: &[Piece]) -> Option<(bool, u64, String)> {
    let at = differs_at(before, now, |piece| piece.sent)?;
    let piece = pieces.get(at)?;
    let by_client = before.pieces[at].came != now.pieces[at].came;
    let offset = match drift.first_difference {
        Some(offset) if differs_at(before, now, |piece| piece.came) == Some(at) => offset,
        _ => piece.span.start as u64,
    };
    Some((by_client, offset, place_name(piece.place)))
}

/// The share of a prefix that a provider reads after a byte of the body.
fn share_behind(pieces: &[Piece], offset: u64, prefix_bytes: u64) -> f64 {
    let mut before = 0;
    for piece in pieces {
        let (start, end) = (piece.span.start as u64, piece.span.end as u64);
        if (start..end).contains(&offset) {
            before += offset - start;
            break;
        }
        before += end - start;
    }
    prefix_bytes.saturating_sub(before) as f64 / prefix_bytes.max(1) as f64
}

/// The same tools in another order.
fn reordered(request: &Request, pieces: &[Piece], before: &Trace) -> Option<Volatile> {
    let tool = |place: &Place| matches!(place, Place::Tool(_));
    let mut was: Vec<_> = before.pieces.iter().filter(|piece| tool(&piece.place)).map(|piece| piece.came).collect();
    let mut is: Vec<_> = pieces.iter().filter(|piece| tool(&piece.place)).map(|piece| piece.digest).collect();
    let first = was.iter().zip(&is).position(|(was, is)| was != is)?;
    let span = request.tools()?.span();
    was.sort_unstable();
    is.sort_unstable();
    (was == is).then(|| Volatile {
        kind: "order".to_owned(),
        place: "tools".to_owned(),
        offset: pieces[first].span.start as u64,
        bytes: span.end.saturating_sub(pieces[first].span.start) as u64,
        tokens_behind: 0,
    })
}

/// The text of a piece as it is compared: decoded where it is one text.
fn text_of(request: &Request, piece: &Piece) -> String {
    match piece.place {
        Place::Instructions(index) => request.instructions()[index].text().to_owned(),
        _ => String::from_utf8(request.unmarked(piece)).unwrap_or_default(),
    }
}

/// Where a byte of [`text_of`] stands in the body.
fn request_offset(request: &Request, piece: &Piece, at: usize) -> usize {
    match piece.place {
        Place::Instructions(index) => request.instructions()[index].offset(at),
        _ => request.offset_of(piece, at),
    }
}

fn place_name(place: Place) -> String {
    match place {
        Place::Tool(_) => "tools".to_owned(),
        Place::Instructions(_) => "instructions".to_owned(),
        Place::Message(index) => format!("message {index}"),
    }
}

// --- Bills -----------------------------------------------------------------------------------------

impl Observed {
    /// Completes a receipt that has its id and its usage: what lies behind each volatile value, and what was missed and why.
    pub(crate) fn settle(&self, receipt: &mut Receipt) {
        let first = receipt.usage.map(|usage| usage.less(&receipt.retrieval_usage));
        // The first bill stands; a request is billed once.
        let _ = self.now.outcome.set((receipt.id.clone(), first));
        let Some(before) = &self.before else { return };
        let (earlier, was) = before.outcome.get().cloned().unwrap_or_default();
        receipt.drift.since = earlier;
        let prompt = was.map_or(receipt.drift.prefix_bytes / 4, |usage| usage.prompt_tokens());
        for (value, behind) in receipt.drift.volatile.iter_mut().zip(&self.behind) {
            value.tokens_behind = (prompt as f64 * behind).round() as u64;
        }
        receipt.miss = first.zip(was).and_then(|(now, was)| self.miss(before, &now, &was));
    }

    /// What was billed anew although it had been sent before.
    fn miss(&self, before: &Trace, now: &Usage, was: &Usage) -> Option<Miss> {
        let expected = cacheable(self.dialect, was).min(now.prompt_tokens());
        let read = now.cache_read_tokens;
        if expected < CACHE_FROM || read + MISS_FROM.max(expected / 50) > expected {
            return None;
        }
        let seconds = self.now.at_ms.saturating_sub(before.at_ms) / 1000;
        let ttl = TTL[usize::from(was.cache_write_1h_tokens > 0)];
        let same = before.pieces.len();
        let added: usize = self.now.pieces.iter().skip(same).map(|piece| piece.blocks as usize).sum();
        let (offset, place) = match &self.moved {
            Some((_, offset, place)) => (Some(*offset), place.clone()),
            None => (None, String::new()),
        };
        let cause = if before.model != self.now.model {
            "model"
        } else if let Some((by_client, ..)) = &self.moved {
            if *by_client { "client" } else { "headroom" }
        } else if seconds > ttl {
            "ttl"
        } else if self.dialect == Dialect::AnthropicMessages && added > LOOKBACK {
            "lookback"
        } else {
            "provider"
        };
        Some(Miss { cause: cause.to_owned(), expected_tokens: expected, read_tokens: read, offset, place, seconds })
    }
}

/// Tokens of a request that the provider's cache can have held after it.
fn cacheable(dialect: Dialect, usage: &Usage) -> u64 {
    match dialect {
        // What the client asked to be cached.
        Dialect::AnthropicMessages => usage.cache_read_tokens + usage.cache_write_tokens + usage.cache_write_1h_tokens,
        // Whole steps of a prompt that is long enough.
        _ => usage.prompt_tokens() / 128 * 128,
    }
}

#[cfg(test)]
mod tests;

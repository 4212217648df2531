//! Server-sent events on bytes.
//!
//! [`Framer`] cuts a stream into events and keeps every byte: the raw events, in order, are the stream. It accepts what the
//! standard allows (CR, LF and CRLF, comments, several `data` lines, no space after the colon, a byte order mark) and a last
//! event without its blank line.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use memchr::memchr2;

use crate::document::Document;

/// Longest event that is held to be read. Larger ones pass unread; the largest seen in practice (a whole response object in one
/// event) are some hundred kilobytes.
pub const MAX_EVENT: usize = 8 << 20;

/// A piece of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A whole event.
    Event(Event),
    /// Bytes of an event longer than [`MAX_EVENT`]. They are to be passed on unread.
    Unread(Bytes),
}

/// One event with its exact bytes, the blank line included; or, of a stream that is one JSON array, an element with what stands in
/// front of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    raw: Bytes,
    /// Where the element begins; it ends where the bytes do. `None`: lines with fields.
    element: Option<usize>,
}

/// Cuts a stream of chunks into events. Push a chunk, then take [`next`](Self::next) until there is none.
#[derive(Debug, Default)]
pub struct Framer {
    /// The part of the last chunk not yet cut.
    input: Bytes,
    /// The beginning of an unfinished event, from earlier chunks.
    pending: Vec<u8>,
    place: Place,
    /// The event in progress is too long to be read.
    unread: bool,
}

/// Where the next byte stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    LineStart,
    InLine,
    /// Behind the CR that ended a line: an LF here belongs to it.
    BehindCr,
    /// Behind the CR that ended an event. An LF here belongs to it too, but the event has been handed out: waiting for a byte
    /// that may never come would delay it. The LF then opens the next event, where it says nothing.
    BehindLastCr,
}

// === impl Framer ===

impl Framer {
    /// Adds the next bytes of the stream. Everything before them must have been taken out.
    pub fn push(&mut self, chunk: Bytes) {
        if self.input.is_empty() {
            self.input = chunk;
        } else {
            // Out of order use: nothing may be lost, so the pieces are joined.
            self.input = [self.input.as_ref(), chunk.as_ref()].concat().into();
        }
    }

    /// The next event, when it is complete.
    #[allow(clippy::should_implement_trait)] // An iterator would promise to stay finished; a later push goes on.
    pub fn next(&mut self) -> Option<Frame> {
        let end = self.event_end();
        let piece = self.input.split_to(end.unwrap_or(self.input.len()));
        if self.unread {
            self.unread = end.is_none();
            return (!piece.is_empty()).then_some(Frame::Unread(piece));
        }
        if end.is_some() {
            return Some(Frame::Event(Event::of(self.joined(piece))));
        }
        self.pending.extend_from_slice(&piece);
        self.unread = self.pending.len() > MAX_EVENT;
        self.unread.then(|| Frame::Unread(std::mem::take(&mut self.pending).into()))
    }

    /// What is left when the stream has ended: an event that lacks its blank line.
    pub fn finish(&mut self) -> Option<Event> {
        let raw = self.joined(Bytes::new());
        self.place = Place::LineStart;
        (!raw.is_empty()).then_some(Event::of(raw))
    }

    fn joined(&mut self, piece: Bytes) -> Bytes {
        if self.pending.is_empty() {
            return piece;
        }
        self.pending.extend_from_slice(&piece);
        std::mem::take(&mut self.pending).into()
    }

    /// Index in `input` just past the end of the event in progress.
    fn event_end(&mut self) -> Option<usize> {
        let bytes = &self.input;
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            at += 1;
            match (self.place, byte) {
                (Place::BehindCr | Place::BehindLastCr, b'\n') => self.place = Place::LineStart,
                (Place::InLine, b'\n') => self.place = Place::LineStart,
                (Place::InLine, b'\r') => self.place = Place::BehindCr,
                (Place::InLine, _) => at = memchr2(b'\n', b'\r', &bytes[at..]).map_or(bytes.len(), |step| at + step),
                (_, b'\n') => {
                    self.place = Place::LineStart;
                    return Some(at);
                }
                (_, b'\r') => {
                    self.place = Place::BehindLastCr;
                    if bytes.get(at) == Some(&b'\n') {
                        self.place = Place::LineStart;
                        at += 1;
                    }
                    return Some(at);
                }
                _ => self.place = Place::InLine,
            }
        }
        None
    }
}

// === impl Event ===

impl Event {
    /// An event that is written in lines.
    pub(crate) const fn of(raw: Bytes) -> Self {
        Self { raw, element: None }
    }

    /// An element of an array, which begins at `start` and ends with the bytes.
    pub(crate) const fn element(raw: Bytes, start: usize) -> Self {
        Self { raw, element: Some(start) }
    }

    /// The exact bytes.
    pub fn raw(&self) -> &Bytes {
        &self.raw
    }

    /// The `event` field, if there is one.
    pub fn name(&self) -> Option<&str> {
        let name = self.fields().filter(|(name, _)| *name == b"event").last()?.1;
        std::str::from_utf8(&self.raw[name]).ok()
    }

    /// What happens: the event's name, or the `type` that its data states.
    pub(crate) fn kind(&self) -> Option<Cow<'_, str>> {
        if let Some(name) = self.name() {
            return Some(Cow::Borrowed(name));
        }
        let document = Document::parse(self.data()?.into_owned().into())?;
        document.string_field(document.root()?, "type").map(|kind| Cow::Owned(kind.into_owned()))
    }

    /// The `data` field, its lines joined by LF; `None` when there is none. Of an array's element, all of it.
    pub fn data(&self) -> Option<Cow<'_, [u8]>> {
        if let Some(start) = self.element {
            return Some(Cow::Borrowed(&self.raw[start..]));
        }
        let mut lines = self.data_lines();
        let first = lines.next()?;
        let mut data = Cow::Borrowed(&self.raw[first]);
        for line in lines {
            let data = data.to_mut();
            data.push(b'\n');
            data.extend_from_slice(&self.raw[line]);
        }
        Some(data)
    }

    /// The same event with other data, which has no line ends.
    pub(crate) fn with_data(&self, data: &[u8]) -> Self {
        if let Some(start) = self.element {
            return Self { raw: [&self.raw[..start], data].concat().into(), element: Some(start) };
        }
        let mut lines = self.data_lines();
        let Some(first) = lines.next() else { return self.clone() };
        let end = lines.last().map_or(first.end, |last| last.end);
        Self::of([&self.raw[..first.start], data, &self.raw[end..]].concat().into())
    }

    fn data_lines(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        self.fields().filter(|(name, _)| *name == b"data").map(|(_, value)| value)
    }

    /// The fields: name, and where the value stands.
    fn fields(&self) -> impl Iterator<Item = (&[u8], Range<usize>)> + '_ {
        let raw: &[u8] = if self.element.is_some() { &[] } else { &self.raw };
        let mut at = if raw.starts_with("\u{feff}".as_bytes()) { 3 } else { 0 };
        std::iter::from_fn(move || {
            (at < raw.len()).then(|| {
                let start = at;
                let end = memchr2(b'\n', b'\r', &raw[at..]).map_or(raw.len(), |step| at + step);
                at = end + 1;
                let line = &raw[start..end];
                let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
                let value = start + colon + 1 + usize::from(line.get(colon + 1) == Some(&b' '));
                (&line[..colon], value.min(end)..end)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Name and data of an event.
    type Named = (Option<String>, Option<String>);

    /// Runs chunks through a framer: the events, and all bytes that came out.
    fn frame(chunks: &[&[u8]]) -> (Vec<Named>, Vec<u8>) {
        let (mut framer, mut events, mut raw) = (Framer::default(), Vec::new(), Vec::new());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut take = |frame: Frame| match frame {
            Frame::Event(event) => {
                raw.extend_from_slice(event.raw());
                if event.data().is_some() {
                    events.push((event.name().map(str::to_owned), event.data().map(|data| text(&data))));
                }
            }
            Frame::Unread(bytes) => raw.extend_from_slice(&bytes),
        };
        for chunk in chunks {
            framer.push(Bytes::copy_from_slice(chunk));
            std::iter::from_fn(|| framer.next()).for_each(&mut take);
        }
        framer.finish().map(Frame::Event).into_iter().for_each(&mut take);
        (events, raw)
    }

    const STREAMS: &[&str] = &[
        "event: a\ndata: 1\n\ndata: 2\n\n",
        "event:a\r\ndata:1\r\n\r\ndata: 2\r\n\r\n",
        "event: a\rdata: 1\r\rdata: 2\r\r",
        "\u{feff}: comment\n\n\n:\nevent: a\nid: 7\ndata: 1\nretry: 3\n\ndata: 2",
        "event: x\nevent: a\ndata: 1\n\nevent\ndata: 2\n",
    ];

    /// T036
    #[test]
    fn every_spelling_of_the_format_is_read() {
        for stream in STREAMS {
            let (events, _) = frame(&[stream.as_bytes()]);
            let data: Vec<_> = events.iter().map(|(_, data)| data.as_deref()).collect();
            assert_eq!(data, [Some("1"), Some("2")], "{stream:?}");
            assert_eq!(events[0].0.as_deref(), Some("a"), "{stream:?}");
        }
        let (events, _) = frame(&[b"data: a\ndata\ndata:  b\r\n\r\n"]);
        assert_eq!(events, [(None, Some("a\n\n b".to_owned()))]);
    }

    /// T035
    #[test]
    fn a_split_at_any_byte_changes_nothing() {
        for stream in STREAMS.iter().copied().chain(["data: \u{1f600}\r\n\r\ndata: x\r\n\r\n"]) {
            let whole = frame(&[stream.as_bytes()]);
            assert_eq!(whole.1, stream.as_bytes());
            for at in 0..=stream.len() {
                assert_eq!(frame(&[&stream.as_bytes()[..at], &stream.as_bytes()[at..]]), whole, "{stream:?} at {at}");
            }
            let single: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
            assert_eq!(frame(&single), whole, "{stream:?} byte by byte");
        }
    }

    #[test]
    fn an_event_past_the_bound_passes_unread_and_the_next_is_read() {
        let long = format!("data: {}\n\n", "x".repeat(MAX_EVENT + (1 << 18)));
        let mut chunks: Vec<&[u8]> = long.as_bytes().chunks(1 << 16).collect();
        chunks.push(b"data: next\n\n");
        let (events, raw) = frame(&chunks);
        assert_eq!(events, [(None, Some("next".to_owned()))]);
        assert_eq!(raw.len(), long.len() + 12);
    }

    #[test]
    fn data_is_replaced_in_place() {
        let event = |raw: &'static str| Event::of(Bytes::from(raw));
        let replaced = |raw| event(raw).with_data(b"new").raw().clone();
        assert_eq!(replaced("event: a\r\ndata:old\r\nid: 1\r\n\r\n"), "event: a\r\ndata:new\r\nid: 1\r\n\r\n");
        assert_eq!(replaced("data: o\ndata: ld\n\n"), "data: new\n\n");
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_or_added(stream in "(data|event|:|x|\r|\n|\r\n| ){0,40}", cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            places.extend([0, stream.len()]);
            places.sort_unstable();
            let chunks: Vec<&[u8]> = places.windows(2).map(|pair| &stream.as_bytes()[pair[0]..pair[1]]).collect();
            prop_assert_eq!(frame(&chunks).1, stream.as_bytes());
            prop_assert_eq!(frame(&chunks).0, frame(&[stream.as_bytes()]).0);
        }
    }
}

//! A stream that is one JSON array, as Gemini sends it to clients that do not ask for events.
//!
//! [`Elements`] cuts it into its elements, each an [`Event`] with the bracket, comma and blanks in front of it, and keeps every byte.
//! [`Joined`] puts together again what the client gets: where elements were held back, or came from several responses, there is still one
//! bracket in front, a comma between two, and one bracket behind.

use bytes::Bytes;
use memchr::memchr2;

use crate::sse::{Event, Frame, MAX_EVENT};

/// Cuts an array into its elements. Push a chunk, then take [`next`](Self::next) until there is none.
#[derive(Debug, Default)]
pub(crate) struct Elements {
    /// The part of the last chunk not yet cut.
    input: Bytes,
    /// The beginning of an unfinished element, from earlier chunks, and what stands in front of it.
    pending: Vec<u8>,
    /// Brackets and braces that are open.
    depth: usize,
    /// Something stands in the array since it began, or since the last comma.
    filled: bool,
    place: Place,
    /// Where in what is pending the element begins.
    element: Option<usize>,
    /// The element in progress is too long to be read.
    unread: bool,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Outside,
    InString,
    /// Behind a backslash in a string.
    Escaped,
}

/// What comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    /// Only blanks came yet.
    #[default]
    Unknown,
    Array,
    /// It is no array, or none any more: all of it passes unread.
    Other,
}

impl Elements {
    /// Adds the next bytes of the stream. Everything before them must have been taken out.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.input = chunk;
    }

    /// The next element, when it is complete.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let end = self.element_end();
        let piece = self.input.split_to(end.unwrap_or(self.input.len()));
        if self.unread || self.kind == Kind::Other {
            self.unread = self.unread && end.is_none();
            let all = if self.pending.is_empty() { piece } else { self.joined(&piece) };
            return (!all.is_empty()).then_some(Frame::Unread(all));
        }
        if let Some(start) = self.element.take_if(|_| end.is_some()) {
            let raw = if self.pending.is_empty() { piece } else { self.joined(&piece) };
            return Some(Frame::Event(Event::element(raw, start)));
        }
        self.pending.extend_from_slice(&piece);
        self.unread = self.pending.len() > MAX_EVENT;
        self.unread.then(|| {
            self.element = None;
            Frame::Unread(std::mem::take(&mut self.pending).into())
        })
    }

    /// What is left when the stream has ended: the bracket that closes it, or all of an element that was cut off.
    pub(crate) fn finish(&mut self) -> Bytes {
        std::mem::take(&mut self.pending).into()
    }

    /// Whether what comes is no array.
    pub(crate) fn is_other(&self) -> bool {
        self.kind == Kind::Other
    }

    fn joined(&mut self, piece: &Bytes) -> Bytes {
        self.pending.extend_from_slice(piece);
        std::mem::take(&mut self.pending).into()
    }

    /// Whether a byte outside of strings ends what can be read as one array of values with commas between them.
    fn breaks_the_array(&mut self, byte: u8) -> bool {
        match (self.depth, byte) {
            (0, _) => true,
            (1, b',') => !std::mem::replace(&mut self.filled, false),
            (1, b'{' | b'[' | b'"') => std::mem::replace(&mut self.filled, true),
            (1, b'}') => true,
            (1, b']') => false,
            (1, _) => {
                self.filled = true;
                false
            }
            _ => false,
        }
    }

    /// Index in `input` just past the end of the element in progress.
    fn element_end(&mut self) -> Option<usize> {
        let bytes = self.input.clone();
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            at += 1;
            match (self.place, byte) {
                (Place::Escaped, _) => self.place = Place::InString,
                (Place::InString, b'"') => self.place = Place::Outside,
                (Place::InString, b'\\') => self.place = Place::Escaped,
                (Place::InString, _) => at = memchr2(b'"', b'\\', &bytes[at..]).map_or(bytes.len(), |step| at + step),
                (Place::Outside, b' ' | b'\t' | b'\r' | b'\n') => {}
                (Place::Outside, byte) if self.kind == Kind::Unknown => {
                    self.kind = if byte == b'[' { Kind::Array } else { Kind::Other };
                    self.depth = 1;
                }
                (Place::Outside, _) if self.kind == Kind::Other => return None,
                (Place::Outside, byte) if self.breaks_the_array(byte) => {
                    self.kind = Kind::Other;
                    return None;
                }
                (Place::Outside, b'"') => self.place = Place::InString,
                (Place::Outside, b'{' | b'[') => {
                    if self.depth == 1 && byte == b'{' && !self.unread {
                        self.element.get_or_insert(self.pending.len() + at - 1);
                    }
                    self.depth += 1;
                }
                (Place::Outside, b'}' | b']') => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 1 && (self.element.is_some() || self.unread) {
                        return Some(at);
                    }
                }
                (Place::Outside, _) => {}
            }
        }
        None
    }
}

/// Puts elements together to one array.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    /// The client has got an element.
    begun: bool,
    /// It has got the beginning of one that is too long to be read.
    inside: bool,
}

impl Joined {
    /// An element with what stands in front of it, as it goes to the client.
    pub(crate) fn element(&mut self, piece: Bytes) -> Bytes {
        self.inside = false;
        let wanted = if std::mem::replace(&mut self.begun, true) { b',' } else { b'[' };
        match first(&piece) {
            Some((at, b'[' | b',')) if piece[at] != wanted => {
                [&piece[..at], &[wanted], &piece[at + 1..]].concat().into()
            }
            _ => piece,
        }
    }

    /// Bytes of an element that is too long to be read.
    pub(crate) fn unread(&mut self, piece: Bytes) -> Bytes {
        if self.inside {
            return piece;
        }
        let piece = self.element(piece);
        self.inside = true;
        piece
    }

    /// What ends the stream: the closing bracket, or an element that was cut off.
    pub(crate) fn tail(&mut self, tail: Bytes) -> Bytes {
        match first(&tail) {
            // Nothing but a bracket, or one behind the other.
            Some((at, b']')) if !self.begun => [&tail[..at], b"[", &tail[at..]].concat().into(),
            Some((at, b'[')) if first(&tail[at + 1..]).is_some_and(|(_, next)| next == b']') => match self.begun {
                true => tail.slice(at + 1..),
                false => tail,
            },
            Some((_, b'[' | b',')) => self.element(tail),
            _ => tail,
        }
    }

    /// The last element, and the end of the array, when its rest is not to be had.
    pub(crate) fn last(&mut self, json: &[u8]) -> Bytes {
        let opening: &[u8] = if self.begun { b"," } else { b"[" };
        self.begun = true;
        [opening, json, b"]"].concat().into()
    }
}

/// The first byte that is no blank, and where it stands.
fn first(bytes: &[u8]) -> Option<(usize, u8)> {
    bytes.iter().copied().enumerate().find(|(_, byte)| !byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Runs chunks through: the elements, and all bytes that came out.
    fn cut(chunks: &[&[u8]]) -> (Vec<String>, Vec<u8>) {
        let (mut elements, mut found, mut raw) = (Elements::default(), Vec::new(), Vec::new());
        for chunk in chunks {
            elements.push(Bytes::copy_from_slice(chunk));
            while let Some(frame) = elements.next() {
                match frame {
                    Frame::Event(event) => {
                        raw.extend_from_slice(event.raw());
                        found.push(String::from_utf8(event.data().unwrap().into_owned()).unwrap());
                    }
                    Frame::Unread(bytes) => raw.extend_from_slice(&bytes),
                }
            }
        }
        raw.extend_from_slice(&elements.finish());
        (found, raw)
    }

    const STREAM: &str = "[{\"a\": \"]},{\\\"\\\\\", \"b\": [1, {\"c\": {}}]}\n,\r\n{\"d\": \"\u{1f600}\"}\n]\n";

    /// T035
    #[test]
    fn a_split_at_any_byte_changes_nothing() {
        for stream in [
            STREAM,
            "[]",
            " [ ] \n",
            "[{}",
            "[{\"a\":1},{\"b",
            "{\"error\": {\"code\": 4}}",
            "",
            "[1,\"x\",[{}],{\"a\":{}}]",
        ] {
            let whole = cut(&[stream.as_bytes()]);
            assert_eq!(whole.1, stream.as_bytes());
            for at in 0..=stream.len() {
                assert_eq!(cut(&[&stream.as_bytes()[..at], &stream.as_bytes()[at..]]), whole, "{stream:?} at {at}");
            }
            let single: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
            assert_eq!(cut(&single), whole, "{stream:?} byte by byte");
        }
        assert_eq!(cut(&[STREAM.as_bytes()]).0, [&STREAM[1..STREAM.find("\n,").unwrap()], "{\"d\": \"\u{1f600}\"}"]);
        assert_eq!(cut(&[b"[1,\"x\",[{}],{\"a\":{}}]"]).0, ["{\"a\":{}}"]);
        assert!(cut(&[b"{\"error\": {\"code\": 4}}"]).0.is_empty(), "what is no array has no elements");
    }

    #[test]
    fn an_element_past_the_bound_passes_unread_and_the_next_is_read() {
        let long = format!("[{{\"a\":\"{}\"}},{{\"b\":1}}]", "x".repeat(MAX_EVENT + (1 << 18)));
        let chunks: Vec<&[u8]> = long.as_bytes().chunks(1 << 16).collect();
        let (found, raw) = cut(&chunks);
        assert_eq!(found, ["{\"b\":1}"]);
        assert_eq!(raw, long.as_bytes());
    }

    #[test]
    fn an_element_is_replaced_in_place() {
        let mut elements = Elements::default();
        elements.push(Bytes::from_static(b"[\n {\"a\":1}]"));
        let Some(Frame::Event(event)) = elements.next() else { panic!("no element") };
        let replaced = event.with_data(b"{\"longer\":2}");
        assert_eq!(
            (replaced.raw().as_ref(), replaced.data().unwrap().as_ref()),
            (&b"[\n {\"longer\":2}"[..], &b"{\"longer\":2}"[..])
        );
        assert_eq!(replaced.with_data(b"{}").raw(), "[\n {}");
    }

    #[test]
    fn what_is_left_of_several_arrays_is_one() {
        let said = |pieces: &[&'static str], tail: &'static str| {
            let mut joined = Joined::default();
            let mut all: Vec<u8> =
                pieces.iter().flat_map(|piece| joined.element(Bytes::from_static(piece.as_bytes()))).collect();
            all.extend_from_slice(&joined.tail(Bytes::from_static(tail.as_bytes())));
            String::from_utf8(all).unwrap()
        };
        assert_eq!(said(&["[{}", "\n,\r\n{}"], "\n]\n"), "[{}\n,\r\n{}\n]\n");
        assert_eq!(said(&[",\r\n{}", "[{}", "\n,{}"], "]"), "[\r\n{},{}\n,{}]");
        assert_eq!(said(&[], "]"), "[]");
        assert_eq!(said(&[], " [ ]"), " [ ]");
        assert_eq!(said(&["[{}"], "[]"), "[{}]");
        assert_eq!(said(&["[{}"], "[{\"cut"), "[{},{\"cut");
        let mut joined = Joined::default();
        assert_eq!(joined.unread(Bytes::from_static(b",{\"x\":")), "[{\"x\":");
        assert_eq!(joined.unread(Bytes::from_static(b",[1]}")), ",[1]}");
        assert_eq!(joined.last(b"{}"), ",{}]");
        assert_eq!(Joined::default().last(b"{}"), "[{}]");
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_or_added(stream in "(\\[|\\]|\\{|\\}|,|\"|\\\\|x| |\n){0,40}", cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            places.extend([0, stream.len()]);
            places.sort_unstable();
            let chunks: Vec<&[u8]> = places.windows(2).map(|pair| &stream.as_bytes()[pair[0]..pair[1]]).collect();
            prop_assert_eq!(cut(&chunks).1, stream.as_bytes());
            prop_assert_eq!(cut(&chunks).0, cut(&[stream.as_bytes()]).0);
        }
    }
}

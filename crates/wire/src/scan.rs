//! A strict JSON scanner that remembers where values stand and nothing else.
//!
//! One pass over the body, no recursion, no allocation per value beyond a 16-byte node. Values deeper than
//! [`RECORDED_DEPTH`] are checked but not recorded: no dialect keeps text that far down. What the scanner refuses (invalid
//! JSON, more than [`MAX_DEPTH`] levels, 4 GiB) has no slots and is forwarded as it came.

/// Deepest nesting accepted. Real requests stay below 30; the bound keeps the frame stack small.
pub(crate) const MAX_DEPTH: usize = 1024;

/// Deepest nesting recorded: `messages[i].content[j].content[k].text` is seven levels down.
const RECORDED_DEPTH: usize = 8;

/// Marks a frame whose container is too deep to be recorded.
const UNRECORDED: u32 = u32::MAX;

/// Where the values of one JSON text stand, in document order. An object's members are its key, then its value.
#[derive(Debug, Default)]
pub(crate) struct Tape {
    nodes: Vec<Node>,
}

/// One value or key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    /// First byte.
    pub(crate) start: u32,
    /// Just past the last byte.
    pub(crate) end: u32,
    /// Index of the node after this one and everything inside it.
    after: u32,
    /// What it is.
    pub(crate) shape: Shape,
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Object,
    Array,
    /// A string; says whether its literal holds escapes, and whether one of them is half a surrogate pair.
    String {
        escaped: bool,
        lone_surrogate: bool,
    },
    Number,
    True,
    False,
    Null,
}

/// Index of a node.
pub(crate) type Id = usize;

impl Tape {
    pub(crate) fn node(&self, id: Id) -> Node {
        self.nodes[id]
    }

    /// The root value, if the text was valid.
    pub(crate) fn root(&self) -> Option<Id> {
        (!self.nodes.is_empty()).then_some(0)
    }

    /// The elements of an array; nothing for any other value.
    pub(crate) fn elements(&self, array: Id) -> impl Iterator<Item = Id> + '_ {
        let end = if self.nodes[array].shape == Shape::Array { self.nodes[array].after as usize } else { 0 };
        let mut next = array + 1;
        std::iter::from_fn(move || {
            let id = next;
            (id < end).then(|| {
                next = self.nodes[id].after as usize;
                id
            })
        })
    }

    /// The keys and values of an object; nothing for any other value.
    pub(crate) fn members(&self, object: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        let end = if self.nodes[object].shape == Shape::Object { self.nodes[object].after as usize } else { 0 };
        let mut next = object + 1;
        std::iter::from_fn(move || {
            let key = next;
            (key < end).then(|| {
                next = self.nodes[key + 1].after as usize;
                (key, key + 1)
            })
        })
    }
}

/// Scans one JSON text. `None` when it is not valid JSON or exceeds a bound. The bytes are not checked for UTF-8.
pub(crate) fn scan(body: &[u8]) -> Option<Tape> {
    if body.len() >= UNRECORDED as usize {
        return None;
    }
    let mut scanner = Scanner { body, at: 0, nodes: Vec::with_capacity(64 + body.len() / 256), frames: Vec::new() };
    scanner.document()?;
    Some(Tape { nodes: scanner.nodes })
}

struct Scanner<'a> {
    body: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    frames: Vec<Frame>,
}

/// An open container.
struct Frame {
    node: u32,
    object: bool,
}

impl Scanner<'_> {
    fn document(&mut self) -> Option<()> {
        loop {
            let opened = self.value()?;
            if opened {
                if self.close_if_next()? {
                    // An empty container is a finished value.
                } else {
                    if self.frames.last()?.object {
                        self.key()?;
                    }
                    continue;
                }
            }
            // A value is complete: go on to its next sibling, closing containers that end here.
            loop {
                self.space();
                let Some(frame) = self.frames.last() else {
                    return (self.at == self.body.len()).then_some(());
                };
                let object = frame.object;
                if self.peek()? == b',' {
                    self.at += 1;
                    if object {
                        self.key()?;
                    }
                    break;
                }
                if !self.close_if_next()? {
                    return None;
                }
            }
        }
    }

    /// Reads a scalar, or opens a container and says so.
    fn value(&mut self) -> Option<bool> {
        self.space();
        let start = self.at;
        let shape = match self.peek()? {
            b'{' => return self.open(true),
            b'[' => return self.open(false),
            b'"' => self.string()?,
            b't' => self.word(b"true", Shape::True)?,
            b'f' => self.word(b"false", Shape::False)?,
            b'n' => self.word(b"null", Shape::Null)?,
            _ => self.number()?,
        };
        self.record(start, shape);
        Some(false)
    }

    fn open(&mut self, object: bool) -> Option<bool> {
        if self.frames.len() >= MAX_DEPTH {
            return None;
        }
        let start = self.at;
        self.at += 1;
        let node = self.record(start, if object { Shape::Object } else { Shape::Array });
        self.frames.push(Frame { node, object });
        Some(true)
    }

    /// Closes the innermost container if its closing bracket comes next.
    fn close_if_next(&mut self) -> Option<bool> {
        self.space();
        let frame = self.frames.last()?;
        if self.peek()? != if frame.object { b'}' } else { b']' } {
            return Some(false);
        }
        self.at += 1;
        if frame.node != UNRECORDED {
            let after = self.nodes.len() as u32;
            let node = &mut self.nodes[frame.node as usize];
            node.end = self.at as u32;
            node.after = after;
        }
        self.frames.pop();
        Some(true)
    }

    fn key(&mut self) -> Option<()> {
        self.space();
        let start = self.at;
        (self.peek()? == b'"').then_some(())?;
        let shape = self.string()?;
        self.record(start, shape);
        self.space();
        (self.peek()? == b':').then_some(())?;
        self.at += 1;
        Some(())
    }

    /// Remembers the value from `start` to here, unless it is too deep.
    fn record(&mut self, start: usize, shape: Shape) -> u32 {
        if self.frames.len() >= RECORDED_DEPTH {
            return UNRECORDED;
        }
        let id = self.nodes.len() as u32;
        self.nodes.push(Node { start: start as u32, end: self.at as u32, after: id + 1, shape });
        id
    }

    fn string(&mut self) -> Option<Shape> {
        let (mut escaped, mut lone_surrogate) = (false, false);
        self.at += 1;
        loop {
            self.at = plain_run(self.body, self.at);
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(Shape::String { escaped, lone_surrogate });
                }
                b'\\' => {
                    escaped = true;
                    if simple_escape(self.body.get(self.at + 1)).is_some() {
                        self.at += 2;
                        continue;
                    }
                    let (_, length) = escape(&self.body[self.at..])?;
                    lone_surrogate |= length.lone;
                    self.at += length.raw;
                }
                _ => return None,
            }
        }
    }

    fn number(&mut self) -> Option<Shape> {
        if self.peek()? == b'-' {
            self.at += 1;
        }
        if self.peek()? == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.body.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.body.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.body.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(Shape::Number)
    }

    /// One digit or more.
    fn digits(&mut self) -> Option<()> {
        let count = self.body[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        (count > 0).then_some(())
    }

    fn word(&mut self, word: &[u8], shape: Shape) -> Option<Shape> {
        self.body[self.at..].starts_with(word).then(|| {
            self.at += word.len();
            shape
        })
    }

    fn space(&mut self) {
        while matches!(self.body.get(self.at), Some(b' ' | b'\n' | b'\t' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }
}

/// How long an escape is in the literal, and whether it is half a surrogate pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Escape {
    pub(crate) raw: usize,
    pub(crate) lone: bool,
}

/// The character that a backslash and this byte stand for, unless they begin a longer escape or none.
#[inline]
pub(crate) fn simple_escape(letter: Option<&u8>) -> Option<u8> {
    const MEANING: [u8; 256] = {
        let mut meaning = [0; 256];
        let pairs = [
            (b'"', b'"'),
            (b'\\', b'\\'),
            (b'/', b'/'),
            (b'n', b'\n'),
            (b't', b'\t'),
            (b'r', b'\r'),
            (b'b', 0x08),
            (b'f', 0x0c),
        ];
        let mut at = 0;
        while at < pairs.len() {
            meaning[pairs[at].0 as usize] = pairs[at].1;
            at += 1;
        }
        meaning
    };
    letter.map(|letter| MEANING[usize::from(*letter)]).filter(|meaning| *meaning != 0)
}

/// Reads the escape at the start of `bytes`, a whole surrogate pair at once. Half a pair reads as U+FFFD and says so.
pub(crate) fn escape(bytes: &[u8]) -> Option<(char, Escape)> {
    if let Some(byte) = simple_escape(bytes.get(1)) {
        return Some((char::from(byte), Escape { raw: 2, lone: false }));
    }
    match bytes.get(1)? {
        b'u' => {
            let first = hex(bytes.get(2..6)?)?;
            if let Some(c) = char::from_u32(first) {
                return Some((c, Escape { raw: 6, lone: false }));
            }
            let second = match bytes.get(6..12) {
                Some([b'\\', b'u', digits @ ..]) if first < 0xdc00 => hex(digits).filter(|unit| unit >> 10 == 0x37),
                _ => None,
            };
            let pair = second.and_then(|second| char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)));
            Some(match pair {
                Some(c) => (c, Escape { raw: 12, lone: false }),
                None => (char::REPLACEMENT_CHARACTER, Escape { raw: 6, lone: true }),
            })
        }
        _ => None,
    }
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
}

/// Index of the first byte from `at` that ends a run of plain string bytes: a quote, a backslash or a control character.
///
/// Eight bytes at a time. A borrow in the subtractions can only mark bytes *above* a true hit, so the lowest mark is exact.
pub(crate) fn plain_run(body: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    while let Some(chunk) = body.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*chunk);
        let quotes = zeros(word ^ (ONES * b'"' as u64));
        let backslashes = zeros(word ^ (ONES * b'\\' as u64));
        let controls = word.wrapping_sub(ONES * 0x20) & !word;
        let hits = (quotes | backslashes | controls) & HIGHS;
        if hits != 0 {
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = body.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The verdict of an independent parser. It refuses half surrogates only when it has to decode them, and its own
    /// depth limit is lower.
    fn reference(text: &str) -> bool {
        serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok()
    }

    #[test]
    fn it_agrees_with_an_independent_parser() {
        for text in [
            "",
            " ",
            "{}",
            "[]",
            "[1,2]",
            "[1,]",
            "[,1]",
            "{\"a\":1}",
            "{\"a\":1,}",
            "{\"a\"}",
            "{a:1}",
            "01",
            "-",
            "-0",
            "1.",
            "1.5e+7",
            "1e",
            "1e400",
            "NaN",
            "tru",
            "true",
            "truex",
            "\"\\x\"",
            "\"\\u12\"",
            "\"a\nb\"",
            "[1] x",
            "[[[]]",
            "[}",
            "{\"a\":[{\"b\":null}]}",
            "\"",
            "\"\\\"",
            "123456789012345678901234567890",
            "[1 2]",
            "{\"a\":1 \"b\":2}",
            "\"\u{7f}\"",
        ] {
            assert_eq!(scan(text.as_bytes()).is_some(), reference(text), "{text:?}");
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        assert!(scan(nested(MAX_DEPTH).as_bytes()).is_some());
        assert!(scan(nested(MAX_DEPTH + 1).as_bytes()).is_none());
        assert!(scan("[".repeat(1 << 20).as_bytes()).is_none());
    }

    #[test]
    fn half_a_surrogate_pair_is_noticed() {
        let lone = |text: &str| match scan(text.as_bytes()).unwrap().node(0).shape {
            Shape::String { lone_surrogate, .. } => lone_surrogate,
            other => panic!("{other:?}"),
        };
        assert!(
            lone(r#""a\ud83d""#)
                && lone(r#""\ude00""#)
                && lone(r#""\ud83dx\ude00""#)
                && lone(r#""\ud83d\ud83d\ude00""#)
        );
        assert!(!lone(r#""\ud83d\ude00""#) && !lone(r#""\u0000\\ud83d""#));
    }

    proptest! {
        #[test]
        fn any_text_is_judged_as_the_reference_does(text in "[\\[\\]{}:,\"\\\\u0-9a-f.eE+ \\-tnrl\n]{0,24}") {
            prop_assert_eq!(scan(text.as_bytes()).is_some(), reference(&text));
        }

        #[test]
        fn the_end_of_a_plain_run_is_exact(bytes in prop::collection::vec(any::<u8>(), 0..40), at in 0usize..40) {
            let slow = (at.min(bytes.len())..bytes.len()).find(|i| matches!(bytes[*i], b'"' | b'\\' | 0..0x20));
            prop_assert_eq!(plain_run(&bytes, at.min(bytes.len())), slow.unwrap_or(bytes.len()));
        }
    }
}

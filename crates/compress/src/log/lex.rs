//! Words of a line: the smallest parts that a log message varies in.
//!
//! A word is a run of letters, digits and the signs that hold identifiers, numbers, addresses, paths and times together. Everything
//! between words is separator text. Splitting there and nowhere else keeps every identifier whole, so a reader finds it in
//! an encoded line by the same search that finds it in the original.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Where a word stands in its line, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// It holds a digit: a value rather than a term, until shown otherwise.
    pub(crate) digit: bool,
}

impl Word {
    /// The word in its line.
    pub(crate) fn of<'t>(&self, line: &'t str) -> &'t [u8] {
        &line.as_bytes()[self.start as usize..self.end as usize]
    }
}

/// What a byte does to the word it stands in: nothing for a separator; a comma belongs to a word only between digits.
const PART: u8 = 1;
const DIGIT: u8 = 2;
const COMMA: u8 = 4;

const CLASS: [u8; 256] = {
    let mut class = [0_u8; 256];
    let mut byte = 0;
    while byte < 256 {
        let b = byte as u8;
        class[byte] = match b {
            b'0'..=b'9' => PART | DIGIT,
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'_'
            | b'-'
            | b'.'
            | b'/'
            | b':'
            | b'$'
            | b'@'
            | b'%'
            | b'+'
            | b'#'
            | b'~'
            | b'*'
            | b'\\'
            | 0x80..=0xff => PART,
            b',' => COMMA,
            _ => 0,
        };
        byte += 1;
    }
    class
};

/// What to do with a quoted sentence that stands alone between blanks, such as the user agent in an access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quotes {
    /// It is many words.
    Open,
    /// It is one value: lines that differ in it are the same message.
    Whole,
}

/// Appends the words of `line` to `out`. Lines of more than 4 GiB have no words.
pub(crate) fn words(line: &str, quotes: Quotes, out: &mut Vec<Word>) {
    first_words(line, quotes, usize::MAX, out);
}

/// Appends the first words of `line` to `out`, until it holds `limit` words.
pub(crate) fn first_words(line: &str, quotes: Quotes, limit: usize, out: &mut Vec<Word>) {
    let bytes = line.as_bytes();
    if u32::try_from(bytes.len()).is_err() {
        return;
    }
    let mut at = 0;
    while at < bytes.len() && out.len() < limit {
        while at < bytes.len() && CLASS[bytes[at] as usize] & PART == 0 {
            if quotes == Quotes::Whole
                && bytes[at] == b'"'
                && let Some(length) = quoted_sentence(bytes, at)
            {
                out.push(Word { start: at as u32 + 1, end: (at + 1 + length) as u32, digit: true });
                at += length + 1;
            }
            at += 1;
        }
        let start = at;
        let mut traits = 0;
        loop {
            // Up to what may end the word.
            let mut class = 0;
            for byte in &bytes[at..] {
                class = CLASS[*byte as usize];
                if class & PART == 0 {
                    break;
                }
                traits |= class;
                at += 1;
            }
            let between_digits =
                || at > start && bytes[at - 1].is_ascii_digit() && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
            if class != COMMA || at >= bytes.len() || !between_digits() {
                break;
            }
            at += 1;
        }
        let digit = traits & DIGIT != 0;
        // A colon or full stop at an end belongs to the sentence, not to the value.
        let (mut start, mut end) = (start, at);
        while start < end && bytes[start] == b':' {
            start += 1;
        }
        while end > start && matches!(bytes[end - 1], b':' | b'.') {
            end -= 1;
        }
        if end > start {
            out.push(Word { start: start as u32, end: end as u32, digit });
        }
    }
}

/// Length of what stands in the quotes that open at `at`, if it is a sentence of more than three words that nothing names (`key="..."` and
/// `"key":"..."` hold messages).
fn quoted_sentence(bytes: &[u8], at: usize) -> Option<usize> {
    if at == 0 || bytes[at - 1] != b' ' {
        return None;
    }
    let length = memchr::memchr(b'"', &bytes[at + 1..])?;
    let blanks = memchr::memchr_iter(b' ', &bytes[at + 1..at + 1 + length]).take(3).count();
    let ends = matches!(bytes.get(at + length + 2), None | Some(b' ' | b'\r'));
    (blanks == 3 && ends).then_some(length)
}

/// A fixed 64-bit hash of `bytes`: the same on every machine, unlike the standard library's. Not safe against
/// inputs made to collide; whoever uses it compares the bytes too.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut state = bytes.len() as u64 ^ 0x9e37_79b9_7f4a_7c15;
    let (blocks, bytes) = if bytes.len() < 4 * 32 { (&[][..], bytes) } else { bytes.as_chunks::<32>() };
    if !blocks.is_empty() {
        // Four states side by side, because each step waits for the one before it.
        let mut states = [state, mix(state), !state, mix(!state)];
        for block in blocks {
            for (state, word) in states.iter_mut().zip(block.as_chunks::<8>().0) {
                *state = mix(*state ^ u64::from_le_bytes(*word));
            }
        }
        state = states.into_iter().fold(0, |all, state| mix(all ^ state));
    }
    let (chunks, rest) = bytes.as_chunks::<8>();
    for chunk in chunks {
        state = mix(state ^ u64::from_le_bytes(*chunk));
    }
    mix(state ^ fewer_than_eight(rest))
}

/// Fewer than eight bytes as a number, little-endian. Loads of fixed width that overlap, because copying a few bytes of unknown number takes
/// longer than all the rest of a hash.
#[inline]
const fn fewer_than_eight(bytes: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let (first, last) = (u32::from_le_bytes(*first) as u64, u32::from_le_bytes(*last) as u64);
        return first | last << (8 * (bytes.len() - 4));
    }
    match bytes {
        [a] => *a as u64,
        [a, b] => *a as u64 | (*b as u64) << 8,
        [a, b, c] => *a as u64 | (*b as u64) << 8 | (*c as u64) << 16,
        _ => 0,
    }
}

/// Spreads the bits of `x`.
#[inline]
pub(crate) const fn mix(x: u64) -> u64 {
    let product = (x ^ 0xa076_1d64_78bd_642f) as u128 * 0xe703_7ed1_a0b4_28db;
    (product as u64) ^ (product >> 64) as u64
}

/// A map whose keys are hashes already. Never iterated, so its order cannot show.
pub(crate) type HashedMap<V> = HashMap<u64, V, BuildHasherDefault<Hashed>>;

/// Passes a hash through.
#[derive(Default)]
pub(crate) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &[&str]) {
        let mut found = Vec::new();
        words(line, Quotes::Open, &mut found);
        let found: Vec<_> = found.iter().map(|word| &line[word.start as usize..word.end as usize]).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn values_stay_whole() {
        check(
            "sshd[24275]: Failed from 10.0.0.1: port=22",
            &["sshd", "24275", "Failed", "from", "10.0.0.1", "port", "22"],
        );
        check("18:01:53,885 attempt_1_m_0,", &["18:01:53,885", "attempt_1_m_0"]);
        check("{\"a-b\":\"x/y.rs\",1}", &["a-b", "x/y.rs", "1"]);
        check("日本 (é)", &["日本", "é"]);
        check(" ,,: - \r", &["-"]);
    }

    #[test]
    fn short_ends_are_read_as_if_filled_up() {
        let bytes = [1, 2, 3, 4, 5, 6, 0xff];
        for length in 0..8 {
            let mut filled = [0; 8];
            filled[..length].copy_from_slice(&bytes[..length]);
            assert_eq!(fewer_than_eight(&bytes[..length]), u64::from_le_bytes(filled));
        }
    }

    #[test]
    fn a_quoted_sentence_without_a_name_can_be_one_value() {
        let line = r#"1 "GET /a HTTP/1.1" "Mozilla/5.0 (X11; Linux x86_64) Gecko/1" msg="a b c d e""#;
        let mut found = Vec::new();
        words(line, Quotes::Whole, &mut found);
        let found: Vec<_> = found.iter().map(|word| &line[word.start as usize..word.end as usize]).collect();
        let agent = "Mozilla/5.0 (X11; Linux x86_64) Gecko/1";
        assert_eq!(found, ["1", "GET", "/a", "HTTP/1.1", agent, "msg", "a", "b", "c", "d", "e"]);
    }
}

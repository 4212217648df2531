//! Phrases that come again and again, written once.
//!
//! ```text
//! [phrases: "~A" stands for what follows "A=" below; the text starts below the empty line]
//! A=<td class="right numeric">
//!
//! <tr>~A12</td>~A7</td></tr>
//! ```
//!
//! Exact, and for any text; readable where whole tags, paths and lines of code repeat, so it is used on large texts only. Pairs of lexemes that
//! follow each other most often are joined, round by round (Larsson and Moffat's Re-Pair, but all pairs of a round at once and a fixed number of
//! rounds, which keeps it linear); what was joined and pays for its definition becomes a phrase. Phrases consist of whole words of one line.
//! What a reader would quote is left out of them: hits of a search, the words of a page.

use std::collections::HashMap;

use headroom_core::CountTokens;

use crate::log::lex::{self, HashedMap};
use crate::search::estimate;

const INTRODUCTION: (&str, &str) =
    ("[phrases: \"", "A\" stands for what follows \"A=\" below; the text starts below the empty line]\n");

/// What stands before a phrase's name: the first one that stands before no name in the text itself.
const SIGNS: [char; 5] = ['~', '^', '`', '§', '¤'];

/// Shorter texts are read as they are, longer ones would take too long.
const BYTES: std::ops::Range<usize> = 4 << 10..1 << 20;

/// Joins of joins: a phrase has at most two to the power of this many lexemes.
const ROUNDS: usize = 20;

/// A pair that is seen so many times less often than the most frequent one waits for a later round.
const RARER: usize = 4;

/// A pair that is seen less often is not joined.
const OFTEN: usize = 3;

/// About how many tokens a reference costs, and a definition besides its phrase.
const REFERENCE: usize = 2;
const DEFINITION: usize = 4;

/// A phrase must save this many tokens by estimate: a reader has to look it up.
const WORTH: usize = 8;

/// The whole must save this part of the text in percent.
const SHARE: usize = 8;

/// One-letter names, and two-letter names.
const NAMES: usize = 26 + 26 * 26;

/// How many bytes of a text stand in no phrase from this place on, which is where a lexeme starts; 0 for none.
pub(crate) type Plain = fn(&str, usize) -> usize;

/// The line that starts at a place, if one does.
pub(crate) fn line_at(text: &str, at: usize) -> Option<&str> {
    let starts = at == 0 || text.as_bytes()[at - 1] == b'\n';
    starts.then(|| &text[at..at + memchr::memchr(b'\n', &text.as_bytes()[at..]).unwrap_or(text.len() - at)])
}

/// Writes the text with its phrases in front; `None` when that saves too little. What is `plain` is written as it is.
pub(crate) fn encode(text: &str, tokens: &dyn CountTokens, plain: Plain) -> Option<String> {
    if !BYTES.contains(&text.len()) {
        return None;
    }
    let sign = SIGNS.into_iter().find(|sign| text.split(*sign).skip(1).all(|after| name_of(after).is_none()))?;
    let mut joined = Joined::of(text, plain);
    for _ in 0..ROUNDS {
        if !joined.join() {
            break;
        }
    }
    let names = joined.names();
    if names.is_empty() {
        return None;
    }
    let encoded = joined.write(sign, &names);
    let exact = encoded.len() < text.len() && decode(&encoded).as_deref() == Some(text);
    (exact && tokens.count(&encoded) * 100 <= tokens.count(text) * (100 - SHARE)).then_some(encoded)
}

/// An exact encoding of `text`, or the text where there is none, with its phrases in front where that pays; `decode` reads the encoding.
pub(crate) fn over(
    text: &str,
    encoded: Option<String>,
    tokens: &dyn CountTokens,
    decode: fn(&str) -> Option<String>,
    plain: Plain,
) -> Option<String> {
    // A text that looks encoded would be decoded when its phrases have been put back.
    if encoded.is_none() && decode(text).is_some() {
        return None;
    }
    encode(encoded.as_deref().unwrap_or(text), tokens, plain).or(encoded)
}

/// Gives back what [`encode`] was given; `None` for a text it did not write.
pub(crate) fn decode(encoded: &str) -> Option<String> {
    let rest = encoded.strip_prefix(INTRODUCTION.0)?;
    let sign = rest.chars().next()?;
    let (definitions, body) = rest[sign.len_utf8()..].strip_prefix(INTRODUCTION.1)?.split_once("\n\n")?;
    let phrases: HashMap<&str, &str> =
        definitions.split('\n').map(|line| line.split_once('=')).collect::<Option<_>>()?;
    let mut text = String::with_capacity(encoded.len() * 2);
    let mut parts = body.split(sign);
    text.push_str(parts.next()?);
    for part in parts {
        match name_of(part) {
            Some(name) => {
                text.push_str(phrases.get(name)?);
                text.push_str(&part[name.len()..]);
            }
            None => {
                text.push(sign);
                text.push_str(part);
            }
        }
    }
    Some(text)
}

/// A text as a sequence of symbols, each a lexeme or two symbols joined.
struct Joined<'t> {
    text: &'t str,
    sequence: Vec<Place>,
    symbols: Vec<Symbol>,
}

/// Where a symbol stands.
#[derive(Clone, Copy)]
struct Place {
    symbol: u32,
    start: u32,
    end: u32,
}

/// What a symbol says: some bytes of the text, and which two it was made of.
#[derive(Clone, Copy)]
struct Symbol {
    start: u32,
    end: u32,
    parts: Option<(u32, u32)>,
}

/// The symbol of line ends and of what is plain, which are part of no phrase.
const LINE_END: u32 = 0;

impl<'t> Joined<'t> {
    fn of(text: &'t str, plain: Plain) -> Self {
        let mut symbols = vec![Symbol { start: 0, end: 0, parts: None }];
        let mut known: HashedMap<u32> = HashedMap::default();
        known.insert(lex::hash(b"\n"), LINE_END);
        let mut sequence = Vec::with_capacity(text.len() / 3);
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let start = at;
            let whole = plain(text, at);
            if whole > 0 {
                at += whole;
                sequence.push(Place { symbol: LINE_END, start: start as u32, end: at as u32 });
                continue;
            }
            let class = class(bytes[at]);
            at += 1;
            while class != Class::Sign && bytes.get(at).is_some_and(|byte| self::class(*byte) == class) {
                at += 1;
            }
            // Texts are shorter than 4 GiB by far.
            let (start, end) = (start as u32, at as u32);
            let symbol = *known.entry(lex::hash(&bytes[start as usize..at])).or_insert_with(|| {
                symbols.push(Symbol { start, end, parts: None });
                symbols.len() as u32 - 1
            });
            sequence.push(Place { symbol, start, end });
        }
        Self { text, sequence, symbols }
    }

    /// Joins the pairs that are seen most often, no symbol in two of them; whether there were any.
    fn join(&mut self) -> bool {
        let key = |a: Place, b: Place| u64::from(a.symbol) << 32 | u64::from(b.symbol);
        let mut counts: HashedMap<(usize, usize)> = HashedMap::default();
        for (at, pair) in self.sequence.windows(2).enumerate() {
            if pair[0].symbol != LINE_END && pair[1].symbol != LINE_END {
                counts.entry(lex::mix(key(pair[0], pair[1]))).or_insert((0, at)).0 += 1;
            }
        }
        let mut often: Vec<(usize, usize)> = counts.into_values().filter(|(count, _)| *count >= OFTEN).collect();
        often.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        // The rarer ones wait: what they hold may belong to a pair of the next round.
        let least = often.first().map_or(0, |(count, _)| count / RARER);
        often.retain(|(count, _)| *count >= least);
        // For each symbol the one that it is joined with, and as what: at most one.
        let mut taken = vec![false; self.symbols.len()];
        let mut joins: Vec<Option<(u32, u32)>> = vec![None; self.symbols.len()];
        for (_, at) in often {
            let (a, b) = (self.sequence[at], self.sequence[at + 1]);
            let (left, right) = (a.symbol as usize, b.symbol as usize);
            if taken[left] || taken[right] {
                continue;
            }
            (taken[left], taken[right]) = (true, true);
            joins[left] = Some((b.symbol, self.symbols.len() as u32));
            self.symbols.push(Symbol { start: a.start, end: b.end, parts: Some((a.symbol, b.symbol)) });
        }
        let before = self.sequence.len();
        let mut sequence: Vec<Place> = Vec::with_capacity(before);
        let mut at = 0;
        while at < before {
            let place = self.sequence[at];
            let next = self.sequence.get(at + 1);
            match joins.get(place.symbol as usize).copied().flatten().zip(next) {
                Some(((with, symbol), next)) if next.symbol == with => {
                    sequence.push(Place { symbol, start: place.start, end: next.end });
                    at += 2;
                }
                _ => {
                    sequence.push(place);
                    at += 1;
                }
            }
        }
        self.sequence = sequence;
        self.sequence.len() < before
    }

    /// A name for each symbol that pays for its definition, the shortest for those that are used most. What does not pay is its parts.
    fn names(&self) -> HashMap<u32, String> {
        let mut uses = vec![0_usize; self.symbols.len()];
        for place in &self.sequence {
            uses[place.symbol as usize] += 1;
        }
        let mut phrases: Vec<(usize, u32)> = Vec::new();
        for (at, symbol) in self.symbols.iter().enumerate().rev() {
            let Some((left, right)) = symbol.parts else { continue };
            let cost = estimate(&self.text[symbol.start as usize..symbol.end as usize]);
            let saved = (cost.saturating_sub(REFERENCE) * uses[at]).saturating_sub(cost + DEFINITION);
            if saved >= WORTH && phrases.len() < NAMES {
                phrases.push((uses[at], at as u32));
            } else {
                uses[left as usize] += uses[at];
                uses[right as usize] += uses[at];
            }
        }
        phrases.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
        phrases.into_iter().enumerate().map(|(index, (_, symbol))| (symbol, name(index))).collect()
    }

    fn write(&self, sign: char, names: &HashMap<u32, String>) -> String {
        let mut encoded = format!("{}{sign}{}", INTRODUCTION.0, INTRODUCTION.1);
        let mut defined: Vec<(&String, u32)> = names.iter().map(|(symbol, name)| (name, *symbol)).collect();
        defined.sort_unstable_by_key(|(name, _)| (name.len(), *name));
        for (name, symbol) in defined {
            let symbol = self.symbols[symbol as usize];
            encoded.push_str(name);
            encoded.push('=');
            encoded.push_str(&self.text[symbol.start as usize..symbol.end as usize]);
            encoded.push('\n');
        }
        encoded.push('\n');
        let mut rest = Vec::new();
        for place in &self.sequence {
            rest.push(*place);
            while let Some(place) = rest.pop() {
                match (names.get(&place.symbol), self.symbols[place.symbol as usize].parts) {
                    (Some(name), _) => {
                        encoded.push(sign);
                        encoded.push_str(name);
                    }
                    (None, Some((left, right))) => {
                        let length = self.symbols[left as usize].end - self.symbols[left as usize].start;
                        let middle = place.start + length;
                        rest.push(Place { symbol: right, start: middle, end: place.end });
                        rest.push(Place { symbol: left, start: place.start, end: middle });
                    }
                    (None, None) => encoded.push_str(&self.text[place.start as usize..place.end as usize]),
                }
            }
        }
        encoded
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Word,
    Blank,
    Sign,
}

const fn class(byte: u8) -> Class {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | 0x80.. => Class::Word,
        b' ' | b'\t' => Class::Blank,
        _ => Class::Sign,
    }
}

/// `A` to `Z`, then `aA`: the first capital ends a name, so that any text may follow it.
fn name(index: usize) -> String {
    let letter = |first: u8, index: usize| char::from(first + index as u8);
    match index.checked_sub(26) {
        None => letter(b'A', index).to_string(),
        Some(rest) => [letter(b'a', rest / 26), letter(b'A', rest % 26)].into_iter().collect(),
    }
}

/// The name that a text starts with.
fn name_of(text: &str) -> Option<&str> {
    match text.as_bytes() {
        [b'A'..=b'Z', ..] => text.get(..1),
        [b'a'..=b'z', b'A'..=b'Z', ..] => text.get(..2),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use headroom_tokens::Tokenizer;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_comes_again_is_written_once() {
        let text: String = (0..200)
            .map(|at| {
                format!("<tr><td class=\"right numeric\">{at}</td><td class=\"right numeric\">é{}</td></tr>\n", at * 7)
            })
            .collect();
        let encoded = encode(&text, &Tokenizer::O200k, |_, _| 0).expect("phrases");
        assert_eq!(decode(&encoded).as_deref(), Some(text.as_str()));
        assert!(encoded.len() * 2 < text.len(), "{}", &encoded[..400]);
        assert_eq!(decode(&text), None);
    }

    #[test]
    fn short_texts_and_texts_with_every_sign_stay() {
        assert_eq!(encode("again and again ", &Tokenizer::O200k, |_, _| 0), None);
        assert_eq!(encode(&"~A ^A `bC §A ¤A again and again\n".repeat(400), &Tokenizer::O200k, |_, _| 0), None);
    }

    #[test]
    fn names_end_with_their_only_capital() {
        let names: Vec<String> = (0..NAMES).map(name).collect();
        let unique: std::collections::HashSet<&String> = names.iter().collect();
        assert_eq!(unique.len(), NAMES);
        assert!(names.iter().all(|name| name.find(|c: char| c.is_ascii_uppercase()) == Some(name.len() - 1)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_text_reads_back(words in prop::collection::vec("[a-c~=A ]{1,6}|\n|\n\n|é", 1..60), picks in prop::collection::vec(0_usize..60, 1500)) {
            let text: String = picks.iter().map(|pick| words[pick % words.len()].as_str()).collect();
            if let Some(encoded) = encode(&text, &Tokenizer::O200k, |_, _| 0) {
                prop_assert_eq!(decode(&encoded), Some(text));
            }
        }
    }
}

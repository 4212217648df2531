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
    let joined = Joined::of(text, plain);
    let phrases = joined.phrases();
    if phrases.is_empty() {
        return None;
    }
    let encoded = joined.write(sign, &phrases);
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
    let mut phrases: Vec<Option<&str>> = vec![None; NAMES];
    for line in definitions.split('\n') {
        let (name, phrase) = line.split_once('=')?;
        // What is no name is never asked for.
        if let Some(name) = name_of(name).filter(|known| known.len() == name.len()) {
            phrases[index_of(name)] = Some(phrase);
        }
    }
    let mut text = String::with_capacity(encoded.len() * 2);
    let mut parts = body.split(sign);
    text.push_str(parts.next()?);
    for part in parts {
        match name_of(part) {
            Some(name) => {
                text.push_str(phrases[index_of(name)]?);
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
    /// In the order of the text; those that became part of the one before them have the symbol [`GONE`].
    places: Vec<Place>,
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

/// The symbol of places that are part of the place before them.
const GONE: u32 = u32::MAX;

impl<'t> Joined<'t> {
    fn of(text: &'t str, plain: Plain) -> Self {
        let mut joined = Self::lexemes(text, plain);
        let mut rounds = Rounds::of(&joined.places);
        for _ in 0..ROUNDS {
            if !rounds.join(&mut joined) {
                break;
            }
        }
        joined
    }

    fn lexemes(text: &'t str, plain: Plain) -> Self {
        let mut symbols = vec![Symbol { start: 0, end: 0, parts: None }];
        let mut known: HashedMap<u32> = HashedMap::default();
        known.insert(lex::hash(b"\n"), LINE_END);
        let mut places = Vec::with_capacity(text.len() / 3);
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let start = at;
            let whole = plain(text, at);
            if whole > 0 {
                at += whole;
                places.push(Place { symbol: LINE_END, start: start as u32, end: at as u32 });
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
            places.push(Place { symbol, start, end });
        }
        Self { text, places, symbols }
    }

    /// The symbols that pay for their definitions, the most used ones first. What does not pay is its parts.
    fn phrases(&self) -> Vec<u32> {
        let mut uses = vec![0_usize; self.symbols.len()];
        for place in self.places.iter().filter(|place| place.symbol != GONE) {
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
        phrases.into_iter().map(|(_, symbol)| symbol).collect()
    }

    fn write(&self, sign: char, phrases: &[u32]) -> String {
        let mut encoded = String::with_capacity(self.text.len());
        let mut names: Vec<Option<String>> = vec![None; self.symbols.len()];
        for part in [INTRODUCTION.0, sign.encode_utf8(&mut [0; 4]), INTRODUCTION.1] {
            encoded.push_str(part);
        }
        for (index, symbol) in phrases.iter().enumerate() {
            let name = name(index);
            let Symbol { start, end, .. } = self.symbols[*symbol as usize];
            for part in [name.as_str(), "=", &self.text[start as usize..end as usize], "\n"] {
                encoded.push_str(part);
            }
            names[*symbol as usize] = Some(name);
        }
        encoded.push('\n');
        let mut rest = Vec::new();
        for place in self.places.iter().filter(|place| place.symbol != GONE) {
            rest.push(*place);
            while let Some(place) = rest.pop() {
                match (&names[place.symbol as usize], self.symbols[place.symbol as usize].parts) {
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

/// Joining, round by round.
///
/// How often a pair is seen only ever falls, because what is joined gets a new symbol. So a pair that is too rare once is so for good, and
/// a symbol with such a pair on both sides needs no more looking at: rounds after the first read what is left, which is little.
struct Rounds {
    live: Vec<Live>,
    /// Which of `pairs` the hash of two symbols is.
    known: HashedMap<u32>,
    pairs: Vec<Pair>,
    /// For each symbol how often it is among `live`.
    uses: Vec<u32>,
    /// For each symbol the one that it is joined with in this round, and as what: at most one.
    joins: Vec<Option<(u32, u32)>>,
}

/// A place that may still be joined.
#[derive(Clone, Copy)]
struct Live {
    symbol: u32,
    place: u32,
    /// It is not joined with what follows it.
    cut: bool,
    /// Which pair it is with what follows it, unless cut.
    pair: u32,
}

/// Two symbols that follow each other.
struct Pair {
    count: usize,
    /// Where they are seen first, in `live`.
    first: usize,
}

impl Rounds {
    fn of(places: &[Place]) -> Self {
        let live =
            places.iter().zip(0..).map(|(place, at)| Live { symbol: place.symbol, place: at, cut: false, pair: 0 });
        Self {
            live: live.collect(),
            known: HashedMap::default(),
            pairs: Vec::new(),
            uses: Vec::new(),
            joins: Vec::new(),
        }
    }

    /// Joins the pairs that are seen most often, no symbol in two of them; whether there were any.
    fn join(&mut self, joined: &mut Joined<'_>) -> bool {
        self.count(joined.symbols.len());
        self.forget_rare();
        // The rarer ones wait: what they hold may belong to a pair of the next round.
        let most = self.pairs.iter().map(|pair| pair.count).max().unwrap_or(0);
        let least = OFTEN.max(most / RARER);
        let mut often: Vec<&Pair> = self.pairs.iter().filter(|pair| pair.count >= least).collect();
        if often.is_empty() {
            return false;
        }
        often.sort_unstable_by(|a, b| b.count.cmp(&a.count).then(a.first.cmp(&b.first)));
        self.joins.clear();
        self.joins.resize(joined.symbols.len(), None);
        let mut taken = vec![false; joined.symbols.len()];
        for pair in often {
            let (a, b) = (self.live[pair.first], self.live[pair.first + 1]);
            let (left, right) = (a.symbol as usize, b.symbol as usize);
            if taken[left] || taken[right] {
                continue;
            }
            (taken[left], taken[right]) = (true, true);
            self.joins[left] = Some((b.symbol, joined.symbols.len() as u32));
            let (start, end) = (joined.places[a.place as usize].start, joined.places[b.place as usize].end);
            joined.symbols.push(Symbol { start, end, parts: Some((a.symbol, b.symbol)) });
        }
        self.replace(&mut joined.places);
        true
    }

    /// Counts the pairs, but for those that a rare symbol makes rare.
    fn count(&mut self, symbols: usize) {
        self.uses.clear();
        self.uses.resize(symbols, 0);
        for live in &self.live {
            self.uses[live.symbol as usize] += 1;
        }
        let frequent = |symbol: u32| symbol != LINE_END && self.uses[symbol as usize] as usize >= OFTEN;
        self.known.clear();
        self.pairs.clear();
        for at in 0..self.live.len() {
            let next = self.live.get(at + 1).map_or(LINE_END, |next| next.symbol);
            let live = &mut self.live[at];
            live.cut |= !frequent(live.symbol) || !frequent(next);
            if live.cut {
                continue;
            }
            let key = u64::from(live.symbol) << 32 | u64::from(next);
            let pairs = &mut self.pairs;
            live.pair = *self.known.entry(lex::mix(key)).or_insert_with(|| {
                pairs.push(Pair { count: 0, first: at });
                pairs.len() as u32 - 1
            });
            self.pairs[live.pair as usize].count += 1;
        }
    }

    /// Cuts the pairs that are too rare, and drops the places with a cut on both sides.
    fn forget_rare(&mut self) {
        let mut kept = 0;
        let mut cut_before = true;
        for at in 0..self.live.len() {
            let mut live = self.live[at];
            if !live.cut {
                let pair = &mut self.pairs[live.pair as usize];
                live.cut = pair.count < OFTEN;
                if pair.first == at {
                    pair.first = kept;
                }
            }
            let alone = cut_before && live.cut;
            cut_before = live.cut;
            if !alone {
                self.live[kept] = live;
                kept += 1;
            }
        }
        self.live.truncate(kept);
    }

    /// Makes one place of each two that are joined.
    fn replace(&mut self, places: &mut [Place]) {
        let mut kept = 0;
        let mut at = 0;
        while at < self.live.len() {
            let mut live = self.live[at];
            at += 1;
            if let (false, Some((with, symbol))) = (live.cut, self.joins[live.symbol as usize])
                && let Some(next) = self.live.get(at).filter(|next| next.symbol == with)
            {
                at += 1;
                (live.symbol, live.cut) = (symbol, next.cut);
                let end = places[next.place as usize].end;
                places[next.place as usize].symbol = GONE;
                places[live.place as usize] = Place { symbol, end, ..places[live.place as usize] };
            }
            self.live[kept] = live;
            kept += 1;
        }
        self.live.truncate(kept);
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

/// Which name it is: the inverse of [`name`].
fn index_of(name: &str) -> usize {
    match name.as_bytes() {
        [small, capital] => 26 + usize::from(small - b'a') * 26 + usize::from(capital - b'A'),
        [capital] => usize::from(capital - b'A'),
        _ => 0,
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
        assert!(names.iter().enumerate().all(|(index, name)| index_of(name) == index));
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

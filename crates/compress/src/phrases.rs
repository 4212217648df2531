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

use std::cmp::Reverse;

use headroom_core::CountTokens;
use memchr::memmem::Finder;

use crate::log::lex::{self, HashedMap};
use crate::search::estimate;

const INTRODUCTION: (&str, &str) =
    ("[phrases: \"", "A\" stands for what follows \"A=\" below; the text starts below the empty line]\n");

/// A text has a symbol for about so many bytes, to begin with.
const BYTES_PER_SYMBOL: usize = 32;

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
    let sign = SIGNS.into_iter().find(|sign| behind(text, *sign).all(|after| name_of(after).is_none()))?;
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
    let mut rest = body;
    for after in behind(body, sign) {
        let Some(name) = name_of(after) else { continue };
        text.push_str(&rest[..rest.len() - after.len() - sign.len_utf8()]);
        text.push_str(phrases[index_of(name)]?);
        rest = &after[name.len()..];
    }
    text.push_str(rest);
    Some(text)
}

/// What follows each place where a sign stands.
fn behind(text: &str, sign: char) -> impl Iterator<Item = &str> {
    let mut bytes = [0; 4];
    let sign = Finder::new(sign.encode_utf8(&mut bytes)).into_owned();
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = &rest[sign.find(rest.as_bytes())? + sign.needle().len()..];
        Some(rest)
    })
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
        let mut rounds = Rounds::of(&joined);
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
        known.reserve(text.len() / BYTES_PER_SYMBOL);
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
/// Counts and places of all pairs are kept up to date as places are joined, so that a round costs what it joins and not the length of the
/// text: whatever the rounds, there are fewer joins than lexemes.
struct Rounds {
    /// For each place.
    links: Vec<Link>,
    pairs: Vec<Pair>,
    /// Which of `pairs` the hash of two symbols is.
    known: HashedMap<u32>,
    /// The pairs that are seen often, and those that nobody has looked at yet.
    often: Vec<u32>,
    /// For each symbol no fewer than it is seen.
    uses: Vec<u32>,
}

/// What stands around a place, and where its pair, it and what follows it, is seen before and after it.
#[derive(Clone, Copy)]
struct Link {
    before: u32,
    after: u32,
    pair: u32,
    earlier: u32,
    later: u32,
}

/// Two symbols that follow each other, with the places where they do, in the order of the text.
struct Pair {
    symbols: (u32, u32),
    count: usize,
    first: u32,
    last: u32,
}

/// No place, no pair.
const NONE: u32 = u32::MAX;

impl Rounds {
    fn of(joined: &Joined<'_>) -> Self {
        let mut uses = vec![0; joined.symbols.len()];
        for place in &joined.places {
            uses[place.symbol as usize] += 1;
        }
        let count = joined.places.len() as u32;
        let around = |at: u32| Link {
            before: at.checked_sub(1).unwrap_or(NONE),
            after: if at + 1 < count { at + 1 } else { NONE },
            pair: NONE,
            earlier: NONE,
            later: NONE,
        };
        let mut rounds = Self {
            links: (0..count).map(around).collect(),
            pairs: Vec::new(),
            known: HashedMap::default(),
            often: Vec::new(),
            uses,
        };
        rounds.known.reserve(joined.symbols.len());
        (0..count).for_each(|at| rounds.enter(&joined.places, at));
        rounds
    }

    /// Joins the pairs that are seen most often, no symbol in two of them; whether there were any.
    fn join(&mut self, joined: &mut Joined<'_>) -> bool {
        let pairs = &self.pairs;
        self.often.retain(|pair| pairs[*pair as usize].count >= OFTEN);
        // The rarer ones wait: what they hold may belong to a pair of the next round.
        let count = |pair: u32| pairs[pair as usize].count;
        let least = self.often.iter().map(|pair| count(*pair)).max().unwrap_or(0) / RARER;
        let mut now: Vec<u32> = self.often.iter().copied().filter(|pair| count(*pair) >= least).collect();
        now.sort_unstable_by_key(|pair| (Reverse(count(*pair)), pairs[*pair as usize].first));
        let mut taken = vec![false; joined.symbols.len()];
        now.retain(|pair| {
            let (left, right) = pairs[*pair as usize].symbols;
            let free = !taken[left as usize] && !taken[right as usize];
            (taken[left as usize], taken[right as usize]) =
                (taken[left as usize] || free, taken[right as usize] || free);
            free
        });
        for pair in &now {
            self.replace(joined, *pair);
        }
        !now.is_empty()
    }

    /// Makes a symbol of a pair, and one place of each two where it is seen.
    fn replace(&mut self, joined: &mut Joined<'_>, pair: u32) {
        let Pair { symbols: (left, right), first, count, .. } = self.pairs[pair as usize];
        let symbol = joined.symbols.len() as u32;
        let (start, end) =
            (joined.places[first as usize].start, joined.places[self.links[first as usize].after as usize].end);
        joined.symbols.push(Symbol { start, end, parts: Some((left, right)) });
        self.uses.push(u32::try_from(count).unwrap_or(u32::MAX));
        // Each join takes the first place out of the pair's, and perhaps the second, where the two symbols are the same.
        loop {
            let at = self.pairs[pair as usize].first;
            if at == NONE {
                break;
            }
            let Link { before, after, .. } = self.links[at as usize];
            let beyond = self.links[after as usize].after;
            for changed in [before, at, after] {
                self.leave(changed);
            }
            joined.places[at as usize].symbol = symbol;
            joined.places[at as usize].end = joined.places[after as usize].end;
            joined.places[after as usize].symbol = GONE;
            self.links[at as usize].after = beyond;
            if beyond != NONE {
                self.links[beyond as usize].before = at;
            }
            for changed in [before, at] {
                self.enter(&joined.places, changed);
            }
        }
    }

    /// Counts the pair that a place is with what follows it, unless a symbol makes it rare anyway.
    fn enter(&mut self, places: &[Place], at: u32) {
        let Some(after) = self.links.get(at as usize).and_then(|link| places.get(link.after as usize)) else { return };
        let symbols = (places[at as usize].symbol, after.symbol);
        let rare = |symbol: u32| symbol == LINE_END || (self.uses[symbol as usize] as usize) < OFTEN;
        if rare(symbols.0) || rare(symbols.1) {
            return;
        }
        let key = lex::mix(u64::from(symbols.0) << 32 | u64::from(symbols.1));
        let (pairs, often) = (&mut self.pairs, &mut self.often);
        let pair = *self.known.entry(key).or_insert_with(|| {
            pairs.push(Pair { symbols, count: 0, first: NONE, last: NONE });
            pairs.len() as u32 - 1
        });
        let entered = &mut self.pairs[pair as usize];
        entered.count += 1;
        if entered.count == OFTEN {
            often.push(pair);
        }
        let earlier = std::mem::replace(&mut entered.last, at);
        match self.links.get_mut(earlier as usize) {
            Some(link) => link.later = at,
            None => entered.first = at,
        }
        let link = &mut self.links[at as usize];
        (link.pair, link.earlier, link.later) = (pair, earlier, NONE);
    }

    /// Takes a place out of those of its pair.
    fn leave(&mut self, at: u32) {
        let Some(link) = self.links.get_mut(at as usize).filter(|link| link.pair != NONE) else { return };
        let Link { earlier, later, .. } = *link;
        let left = &mut self.pairs[std::mem::replace(&mut link.pair, NONE) as usize];
        left.count -= 1;
        match self.links.get_mut(earlier as usize) {
            Some(link) => link.later = later,
            None => left.first = later,
        }
        match self.links.get_mut(later as usize) {
            Some(link) => link.earlier = earlier,
            None => left.last = earlier,
        }
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

    /// What joining a text takes: places and pairs that are looked at, over all rounds.
    fn work(text: &str) -> usize {
        let mut joined = Joined::lexemes(text, |_, _| 0);
        let mut rounds = Rounds::of(&joined);
        let mut looked_at = joined.places.len();
        for _ in 0..ROUNDS {
            looked_at += rounds.often.len() + joined.symbols.len();
            if !rounds.join(&mut joined) {
                break;
            }
        }
        looked_at + 2 * joined.places.iter().filter(|place| place.symbol == GONE).count()
    }

    #[test]
    fn a_doubled_text_takes_twice_the_work() {
        let page = |rows: usize| -> String {
            (0..rows)
                .map(|at| format!("<tr class=\"row-{}\"><td>{at}</td><td>item {}</td></tr>\n", at % 7, at * at % 911))
                .collect()
        };
        for (one, two) in [(page(2000), page(4000)), ("ab ".repeat(9000), "ab ".repeat(18_000))] {
            let (one, two) = (work(&one), work(&two));
            assert!(two * 10 <= one * 22, "{one} and {two}");
        }
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

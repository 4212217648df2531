//! Search results and listings.
//!
//! Hits keep their line number beside their text, and every name is written. What is saved exactly are the paths that lines share
//! ([`fold`]) and the layout of rows ([`crate::log::exact`], [`long`]); where omissions are allowed, also modes, owners and times of long listings ([`long`]).

pub(crate) mod fold;
pub(crate) mod line;
mod long;
pub(crate) mod recursive;

use std::cell::LazyCell;

use fold::Style;
use headroom_core::{Compressed, Compressor, Goal, Kind, Segment};

use crate::phrases;

/// The compressor of search results and listings.
pub(crate) struct SearchCompressor;

impl Compressor for SearchCompressor {
    fn name(&self) -> &'static str {
        "search"
    }

    fn accepts(&self, kind: Kind) -> bool {
        kind == Kind::Search
    }

    fn compress(&self, segment: &Segment<'_>, goal: &Goal<'_>) -> Option<Compressed> {
        if segment.hints.editable {
            return None;
        }
        let text = segment.text;
        let exact = shortest(text, goal, &|_| false);
        let exact = long::encode(text)
            .filter(|long| exact.as_ref().is_none_or(|exact| goal.tokens.count(long) < goal.tokens.count(exact)))
            .or(exact);
        // Names of files are copied into commands: where they may be cut otherwise they are not cut into phrases. Hits stay whole.
        let exact = if fold::have_context(&crate::lines::between(text)) {
            phrases::over(text, exact, goal.tokens, decode, |text, at| whole(text, at, fold::is_hit_or_file))
        } else if goal.original().is_none() {
            phrases::over(text, exact, goal.tokens, decode, |text, at| whole(text, at, fold::is_hit_row))
        } else {
            exact
        };
        let Some(original) = goal.original() else { return exact.map(Compressed::exact) };
        let asked = segment.hints.command.is_some_and(long::asks_for_times);
        let Some(short) = long::shorten(segment.text).filter(|_| !asked) else { return exact.map(Compressed::exact) };
        let omitting = Compressed::omitting(short, original, Vec::new());
        let best = goal.tokens.count(exact.as_deref().unwrap_or(segment.text));
        if goal.tokens.count(&omitting.text) + long::WORTH > best {
            return exact.map(Compressed::exact);
        }
        Some(omitting)
    }
}

/// The length of the line that starts at a place, if it is to stay whole.
fn whole(text: &str, at: usize, stays: fn(&str) -> bool) -> usize {
    phrases::line_at(text, at).filter(|line| stays(line)).map_or(0, str::len)
}

/// An exact form of a text must be this many percent shorter in bytes before its tokens are counted.
const WORTH_COUNTING: usize = 4;

/// One that is not shorter in bytes must be this many percent shorter by the estimate.
const WORTH_JOINING: usize = 8;

/// The exact encoding of lines with the fewest tokens; `None` when none is shorter. Every candidate has been decoded. Lines for which
/// `plain` holds (by number, from 0) are written as they are.
pub(crate) fn shortest(text: &str, goal: &Goal<'_>, plain: &dyn Fn(usize) -> bool) -> Option<String> {
    let (body, terminated) = text.strip_suffix('\n').map_or((text, false), |body| (body, true));
    let lines = crate::lines::between(body);
    let worth = |encoded: &String| encoded.len() * 100 <= text.len() * (100 - WORTH_COUNTING);
    // Names that share a row are no shorter in bytes, but each loses the token of its line end.
    let names = LazyCell::new(|| estimate(text));
    let joined = |encoded: &String| worth(encoded) || estimate(encoded) * 100 <= *names * (100 - WORTH_JOINING);
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut offer = |text: Option<String>, decode| candidates.extend(text.map(|text| Candidate { text, decode }));
    // Hits stand in few files, one below the other; and templates would part the text of a hit from its number.
    let hits = fold::are_hits(&lines);
    let styles: &[Style] = match (hits, fold::are_dotted(&lines)) {
        (true, _) => &[Style::Flat],
        (false, true) => &[Style::Flat, Style::Tree, Style::Dotted],
        (false, false) if fold::start_alike(&lines) || recursive::is_listing(&lines) => &[Style::Flat, Style::Tree],
        (false, false) => &[],
    };
    for style in styles {
        offer(fold::encode(&lines, terminated, *style, plain).filter(joined), fold::decode);
        offer(recursive::encode(&lines, terminated, *style).filter(joined), recursive::decode);
    }
    if !hits {
        offer(crate::log::write_but(text, plain).filter(worth), crate::log::exact::decode);
    }
    candidates.dedup_by(|one, other| one.text == other.text);
    // Reading back takes as long as writing, so only what would be chosen is read; the next one if it is not what was written.
    let costs: &dyn Fn(&str) -> usize = match candidates.len() {
        0 | 1 => &|_| 0,
        _ if text.len() > COUNTED => &estimate,
        _ => &|encoded| goal.tokens.count(encoded),
    };
    let mut ranked: Vec<(usize, Candidate)> =
        candidates.into_iter().map(|candidate| (costs(&candidate.text), candidate)).collect();
    ranked.sort_by_key(|(cost, _)| *cost);
    let reads_back = |candidate: &Candidate| (candidate.decode)(&candidate.text).as_deref() == Some(text);
    ranked.into_iter().map(|(_, candidate)| candidate).find(reads_back).map(|candidate| candidate.text)
}

/// A text that may be written, and what is to read it.
struct Candidate {
    text: String,
    decode: fn(&str) -> Option<String>,
}

/// What an exact encoding of lines says; `None` for a text that is none.
pub(crate) fn decode(written: &str) -> Option<String> {
    let decoders = [crate::log::exact::decode, fold::decode, recursive::decode, long::decode];
    decoders.iter().find_map(|decode| decode(written))
}

/// Candidates for larger texts than this are compared by an estimate: counting takes longer than encoding.
const COUNTED: usize = 8 * 1024;

/// Roughly how many tokens a text has: words of a few letters, digits in threes, and every other sign by itself. Good enough to
/// compare two encodings of one text.
pub(crate) fn estimate(text: &str) -> usize {
    let (mut tokens, mut state) = (0, 0_u8);
    for byte in text.bytes() {
        let step = STEPS[usize::from(state)][usize::from(SORT[usize::from(byte)] & 3)];
        tokens += usize::from(step >> 4);
        state = step & 15;
    }
    tokens
}

/// Letters that make a token, and digits.
const LETTERS: u8 = 5;
const DIGITS: u8 = 3;

/// The sorts of bytes that an estimate tells apart: letters, digits, blanks, signs.
const SORT: [u8; 256] = {
    let mut sort = [3; 256];
    let mut byte = 0;
    while byte < 256 {
        sort[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | 0x80..=0xff => 0,
            b'0'..=b'9' => 1,
            b' ' => 2,
            _ => 3,
        };
        byte += 1;
    }
    sort
};

/// Estimating as a table, because the sort of the next byte cannot be foreseen and a wrong guess costs more than the rest: for the letters and
/// digits of the word so far that make no whole token yet, and the sort of a byte, what they are behind it, and above that whether a token
/// begins.
const STEPS: [[u8; 4]; 16] = {
    let mut steps = [[0, 0, 0, 1 << 4]; 16];
    let mut state = 0;
    while state < LETTERS * DIGITS {
        let (letters, digits) = (state % LETTERS, state / LETTERS);
        let (letter, digit) = (((letters == 0) as u8) << 4, ((digits == 0) as u8) << 4);
        steps[state as usize][0] = letter | ((letters + 1) % LETTERS + digits * LETTERS);
        steps[state as usize][1] = digit | (letters + (digits + 1) % DIGITS * LETTERS);
        state += 1;
    }
    steps
};

#[cfg(test)]
mod tests;

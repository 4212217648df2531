//! Logs.
//!
//! Exact: lines are sorted into templates ([`mine`]) and written as template and values ([`exact`]); the decoder is run before the
//! encoding is offered. Standard: whole records are left out ([`omit`]) when what remains still shows every message, every
//! rare one whole, and everything that is odd.

pub(crate) mod exact;
pub(crate) mod lex;
pub(crate) mod mine;
pub(crate) mod omit;
pub(crate) mod stamp;

use headroom_core::{Compressed, Compressor, Goal, Kind, Segment};
use lex::Quotes;
use mine::Mined;

use crate::lines;

/// The log compressor.
pub(crate) struct LogCompressor;

impl Compressor for LogCompressor {
    fn name(&self) -> &'static str {
        "log"
    }

    fn accepts(&self, kind: Kind) -> bool {
        kind == Kind::Log
    }

    fn compress(&self, segment: &Segment<'_>, goal: &Goal<'_>) -> Option<Compressed> {
        let text = segment.text;
        // A file that may be edited has to be quoted as it is.
        if segment.hints.editable {
            return None;
        }
        let Some(original) = goal.original() else { return encode(text).map(Compressed::exact) };
        let lines = lines::between(text.strip_suffix('\n').unwrap_or(text));
        let mined = mine::mine(&lines, Quotes::Whole);
        let exact = || {
            // Without a quote it makes no difference what quotes are taken for.
            if memchr::memchr(b'"', text.as_bytes()).is_some() {
                return encode(text).map(Compressed::exact);
            }
            write(&mined, |_| false, text).filter(|encoded| reads_back(encoded, text)).map(Compressed::exact)
        };
        let Some(omitting) = omit::omit(original, &mined) else { return exact() };
        if omitting.text.len() * CLEARLY < text.len() {
            return Some(omitting);
        }
        Some(match exact() {
            Some(exact) => shorter(exact, omitting, goal),
            None => omitting,
        })
    }
}

/// No exact encoding was seen to reach a fifth of a text that leaving out brings to this fraction of it.
const CLEARLY: usize = 8;

/// The exact encoding, if it is shorter and reads back.
fn encode(text: &str) -> Option<String> {
    encode_but(text, |_| false)
}

/// [`encode`], with some lines written as they are.
pub(crate) fn encode_but(text: &str, plain: impl Fn(usize) -> bool) -> Option<String> {
    write_but(text, plain).filter(|encoded| reads_back(encoded, text))
}

/// [`encode_but`], not yet read back.
pub(crate) fn write_but(text: &str, plain: impl Fn(usize) -> bool) -> Option<String> {
    let lines = lines::between(text.strip_suffix('\n').unwrap_or(text));
    write(&mine::mine(&lines, Quotes::Open), plain, text)
}

/// Writes the lines of a text; `None` when that is not shorter.
fn write(mined: &Mined<'_>, plain: impl Fn(usize) -> bool, text: &str) -> Option<String> {
    exact::encode(mined, plain, text.ends_with('\n')).filter(|encoded| encoded.len() < text.len())
}

fn reads_back(encoded: &str, text: &str) -> bool {
    exact::decode(encoded).as_deref() == Some(text)
}

/// The form with fewer tokens; the exact one when there is little between them.
fn shorter(exact: Compressed, omitting: Compressed, goal: &Goal<'_>) -> Compressed {
    let (with_all, with_gaps) = (goal.tokens.count(&exact.text), goal.tokens.count(&omitting.text));
    if with_gaps + with_gaps / 8 < with_all { omitting } else { exact }
}

#[cfg(test)]
mod tests;

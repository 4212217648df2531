//! One text.

use std::panic::{AssertUnwindSafe, catch_unwind};

use headroom::{Engine, Hints, Kind, Kinds, Level, Reason, TextOptions, TextResult, Tokenizer, compress_text_with};
use headroom_store::Scope;

use crate::Error;
use crate::options::no_such;

/// What a caller says about one text; what is `None` has its default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Call<'a> {
    /// What it is: `auto`, `json`, `log`, `code:python` and so on.
    pub kind: Option<&'a str>,
    /// How far to go: `lossless`, `light`, `standard`.
    pub level: Option<&'a str>,
    /// What the reader is after, in words.
    pub query: Option<&'a str>,
    /// Tool that produced it.
    pub tool: Option<&'a str>,
    /// Command line that produced it.
    pub command: Option<&'a str>,
    /// File it was read from.
    pub path: Option<&'a str>,
    /// Model whose tokens are counted; o200k_base by default.
    pub model: Option<&'a str>,
}

/// Makes a text shorter without a place to keep anything: only encodings that hold everything, whatever the level.
///
/// # Errors
///
/// When the kind or the level is unknown.
pub fn compress(text: &str, call: &Call<'_>) -> Result<TextResult, Error> {
    compress_in(None, &Kinds::DEFAULT, text, call)
}

pub(crate) fn compress_in(
    keep: Option<(&Engine, &Scope)>,
    kinds: &Kinds,
    text: &str,
    call: &Call<'_>,
) -> Result<TextResult, Error> {
    let kind = match call.kind {
        None | Some("auto") => None,
        Some(kind) => Some(kind.parse().map_err(|error| Error::Config(format!("kind: {error}, or auto")))?),
    };
    let level = match call.level {
        None | Some("standard") => Level::Standard,
        Some("light") => Level::Light,
        Some("lossless") => Level::Lossless,
        Some(other) => return Err(no_such("level", other, &["lossless", "light", "standard"])),
    };
    let hints =
        Hints { tool: call.tool, command: call.command, path: call.path, kind, query: call.query, ..Hints::NONE };
    let tokenizer = call.model.map_or(Tokenizer::O200k, Tokenizer::for_model);
    let options = TextOptions { tokenizer, kinds, ..TextOptions::DEFAULT };
    Ok(guarded(text, tokenizer, || compress_text_with(&options, text, hints, level, keep)))
}

/// A compressor that fails costs the savings, not the caller's program.
fn guarded(text: &str, tokenizer: Tokenizer, work: impl FnOnce() -> TextResult) -> TextResult {
    // What a panic leaves behind is locals of the compressor: the store is written after it, in one batch.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let tokens = tokenizer.count(text);
        TextResult {
            text: text.to_owned(),
            kind: Kind::Opaque,
            compressor: None,
            exact: true,
            tokens_before: tokens,
            tokens_after: tokens,
            handle: None,
            omissions: Vec::new(),
            reason: Reason::Panic,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compressor_that_panics_gives_the_text_as_it_was() {
        let result = guarded("a text", Tokenizer::O200k, || panic!("a compressor's own bug"));
        assert_eq!((result.text.as_str(), result.exact, result.reason), ("a text", true, Reason::Panic));
        assert_eq!((result.tokens_before, result.tokens_after), (2, 2));
    }
}

//! One text, shorter: what the library's `compress`, the command line and `POST /v1/compress` do.

use headroom_core::{Goal, Handle, Hints, Kind, Omission, Original, Reason, Segment};
use headroom_store::{Batch, Scope, StoreError};
use headroom_tokens::Tokenizer;

use crate::hints::Call;
use crate::memory::{Source, Witness};
use crate::reuse::Reuse;
use crate::{Engine, Kinds, route};

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Only encodings whose decoder gives the text back.
    Lossless,
    /// What has no effect on what a text does may be left out too, comments of a program, if there is a store to keep the original in.
    Light,
    /// Whole units may be left out, if there is a store to keep the original in.
    Standard,
}

/// A text and what became of it.
#[derive(Clone, Debug)]
pub struct TextResult {
    /// The text to read: shorter, or the one that was given.
    pub text: String,
    /// What it was found to be.
    pub kind: Kind,
    /// The compressor that was asked.
    pub compressor: Option<&'static str>,
    /// Whether the text holds everything that the original holds.
    pub exact: bool,
    /// Tokens of the original.
    pub tokens_before: usize,
    /// Tokens of the text.
    pub tokens_after: usize,
    /// Where the original is, when something was left out.
    pub handle: Option<Handle>,
    /// What was left out.
    pub omissions: Vec<Omission>,
    /// Why.
    pub reason: Reason,
}

impl TextResult {
    /// The text as it was.
    fn unchanged(
        tokenizer: Tokenizer,
        text: &str,
        kind: Kind,
        compressor: Option<&'static str>,
        reason: Reason,
    ) -> Self {
        let tokens = tokenizer.count(text);
        Self {
            text: text.to_owned(),
            kind,
            compressor,
            exact: true,
            tokens_before: tokens,
            tokens_after: tokens,
            handle: None,
            omissions: Vec::new(),
            reason,
        }
    }
}

/// Compresses one text, counting tokens as o200k_base does.
///
/// Without `keep` nothing is left out, whatever the level: an omission needs a place that the original can be read back from. If the store
/// cannot keep it, the text comes back as it was, with [`Reason::StoreFailed`].
pub fn compress_text(text: &str, hints: Hints<'_>, level: Level, keep: Option<(&Engine, &Scope)>) -> TextResult {
    compress_text_for(Tokenizer::O200k, text, hints, level, keep)
}

/// [`compress_text`] for a given tokenizer.
pub fn compress_text_for(
    tokenizer: Tokenizer,
    text: &str,
    hints: Hints<'_>,
    level: Level,
    keep: Option<(&Engine, &Scope)>,
) -> TextResult {
    compress_text_with(&TextOptions { tokenizer, ..TextOptions::DEFAULT }, text, hints, level, keep)
}

/// What shapes the compression of a text besides what is known about it.
#[derive(Clone, Copy, Debug)]
pub struct TextOptions<'a> {
    /// Whose tokens are counted.
    pub tokenizer: Tokenizer,
    /// What may be done to each kind of text.
    pub kinds: &'a Kinds,
    /// Who is recorded as having met the text, if it is kept.
    pub witness: Option<&'a Witness>,
}

impl TextOptions<'_> {
    /// o200k_base, every kind as far as the level goes, and nobody.
    pub const DEFAULT: Self = Self { tokenizer: Tokenizer::O200k, kinds: &Kinds::DEFAULT, witness: None };
}

/// [`compress_text`] for a given tokenizer, with settings by kind, and with memory.
pub fn compress_text_with(
    options: &TextOptions<'_>,
    text: &str,
    hints: Hints<'_>,
    level: Level,
    keep: Option<(&Engine, &Scope)>,
) -> TextResult {
    let TextOptions { tokenizer, kinds, witness } = *options;
    let key = keep.filter(|_| level != Level::Lossless).map(|(engine, _)| engine.store().handle_key());
    let original = key.map(|key| Original::new(key, text));
    let level = match &original {
        Some(original) if level == Level::Light => headroom_core::Level::Light { original },
        Some(original) => headroom_core::Level::Standard { original },
        None => headroom_core::Level::Exact,
    };
    let goal = Goal { level, tokens: &tokenizer };
    let segment = Segment { text, hints };
    let reuse = keep.map(|(engine, scope)| Reuse::new(engine.store(), scope, route::compress, (kinds, tokenizer)));
    let outcome = match &reuse {
        Some(reuse) => reuse.outcome(&segment, &goal),
        None => route::compress(kinds, &segment, &goal),
    };
    let unchanged = |kind, compressor, reason| TextResult::unchanged(tokenizer, text, kind, compressor, reason);
    let handle = outcome.compressed.as_ref().and_then(headroom_core::Compressed::handle);
    if let (Some((engine, scope)), Some(reuse)) = (keep, &reuse) {
        let mut batch = Batch::at(crate::engine::now_ms());
        reuse.file(&mut batch, handle.as_slice());
        if let Some(handle) = handle {
            batch.keep(engine.store().handle_key(), text);
            if let Some(witness) = witness {
                batch.sight(handle, witness.sighting(text, &source_of(&hints)));
            }
        }
        if let Err(error) = engine.store().write(scope, batch)
            && handle.is_some()
        {
            tracing::warn!(%error, "an original could not be kept; the text is passed as it is");
            return unchanged(outcome.kind, outcome.compressor, Reason::StoreFailed);
        }
    }
    let Some(compressed) = outcome.compressed else {
        return unchanged(outcome.kind, outcome.compressor, outcome.reason);
    };
    TextResult {
        kind: outcome.kind,
        compressor: outcome.compressor,
        exact: handle.is_none(),
        tokens_before: outcome.tokens.0,
        tokens_after: outcome.tokens.1,
        handle,
        omissions: compressed.omissions().to_vec(),
        reason: outcome.reason,
        text: compressed.text,
    }
}

/// The call that a text is the result of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToolCall<'a> {
    /// The tool, as the agent calls it.
    pub tool: &'a str,
    /// The call's arguments: JSON.
    pub arguments: Option<&'a str>,
    /// Exit code, where the tool ran a command.
    pub exit_code: Option<i32>,
    /// The tool reports the result as an error: nothing is left out of it.
    pub is_error: bool,
}

/// [`compress_text`] for what a tool returned: the call says what the text is and whether the agent may go on to edit it, in which case it is
/// left as it is. `kinds` are the user's settings by kind of text.
pub fn compress_tool_result(
    kinds: &Kinds,
    call: &ToolCall<'_>,
    text: &str,
    keep: Option<(&Engine, &Scope)>,
) -> TextResult {
    let known = Call::new(Some(call.tool), call.arguments);
    let hints = Hints { exit_code: call.exit_code, ..known.hints(text, call.is_error) };
    let level = if call.is_error { Level::Lossless } else { Level::Standard };
    if hints.editable {
        let kind = hints.kind.unwrap_or(Kind::Opaque);
        return TextResult::unchanged(Tokenizer::O200k, text, kind, None, Reason::Editable);
    }
    compress_text_with(&TextOptions { kinds, ..TextOptions::DEFAULT }, text, hints, level, keep)
}

fn source_of(hints: &Hints<'_>) -> Source {
    let command = hints.command.or(hints.tool).map(str::to_owned);
    Source { path: hints.path.map(str::to_owned), command }
}

impl Engine {
    /// Keeps a text and gives its handle; durable when this returns. Blocks on the store.
    ///
    /// # Errors
    ///
    /// When the store cannot keep it.
    pub fn keep(&self, scope: &Scope, text: &str) -> Result<Handle, StoreError> {
        let key = self.store().handle_key();
        let mut batch = Batch::at(crate::engine::now_ms());
        batch.keep(key, text);
        self.store().write(scope, batch)?;
        Ok(Original::new(key, text).handle())
    }
}

//! How a compressed text is shown.

use headroom::{Hints, Level, TextResult, Tokenizer, compress_text_before};

use super::{Output, Rest, Workplace};

/// Bytes of one answer. Clients cut longer ones off, or refuse them (Claude Code from 25,000 tokens on); at under three bytes a token,
/// which only the densest text has, this stays below.
const PAGE_BYTES: usize = 60_000;

/// Compresses a text and writes it out, with one line in brackets before it that says what was done. What does not fit in one answer
/// is kept, and the last line says how to go on.
pub(super) fn compressed(workplace: &Workplace, text: &str, hints: Hints<'_>, level: Level) -> Result<Output, String> {
    let Workplace { engine, scope, witness, .. } = workplace;
    let keep = Some((engine, scope));
    let result = compress_text_before(witness.as_ref(), Tokenizer::O200k, text, hints, level, keep);
    let heading = heading(&result);
    if result.text.len() <= PAGE_BYTES {
        return Ok(Output { text: format!("{heading}\n{}", result.text), rest: None });
    }
    let handle = engine
        .keep(scope, &result.text)
        .map_err(|error| format!("This is too long for one answer, and the rest cannot be kept: {error}."))?;
    let cut = &result.text[..result.text.floor_char_boundary(PAGE_BYTES)];
    let page = cut.rfind('\n').filter(|end| *end > PAGE_BYTES / 2).map_or(cut, |end| &cut[..=end]);
    let (shown, all) = (page.chars().count(), result.text.chars().count());
    let more = format!("[{shown} of {all} characters; go on with content_id {handle}, offset {shown}]");
    let ended = if page.ends_with('\n') { "" } else { "\n" };
    Ok(Output {
        text: format!("{heading}\n{page}{ended}{more}"),
        rest: Some(Rest { handle, bytes: result.text.len() as u64 }),
    })
}

fn heading(result: &TextResult) -> String {
    let (before, after) = (result.tokens_before, result.tokens_after);
    match result.handle {
        Some(handle) => format!("[{}: {before} -> {after} tokens; the whole text is {handle}]", result.kind),
        None if after < before => format!("[{}: {before} -> {after} tokens; nothing is left out]", result.kind),
        None => format!("[{}: {before} tokens, as it is: {}]", result.kind, result.reason.code()),
    }
}

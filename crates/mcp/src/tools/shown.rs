//! How a compressed text is shown.

use headroom::{Hints, Level, TextOptions, TextResult, compress_text_with};

use super::{Output, Rest, Workplace};

/// Bytes of one answer. Clients cut longer ones off, or refuse them (Claude Code from 25,000 tokens on); at under three bytes a token,
/// which only the densest text has, this stays below.
const PAGE_BYTES: usize = 60_000;

/// Compresses a text and writes it out, with one line in brackets before it that says what was done. What does not fit in one answer
/// is kept, and the last line says how to go on.
pub(super) fn compressed(workplace: &Workplace, text: &str, hints: Hints<'_>, level: Level) -> Result<Output, String> {
    let options = TextOptions { kinds: &workplace.kinds, witness: workplace.witness.as_ref(), ..TextOptions::DEFAULT };
    let result = compress_text_with(&options, text, hints, level, Some((&workplace.engine, &workplace.scope)));
    paged(workplace, &heading(&result), &result.text)
}

/// A heading and a text, of which what does not fit in one answer is kept.
pub(super) fn paged(workplace: &Workplace, heading: &str, text: &str) -> Result<Output, String> {
    if text.len() <= PAGE_BYTES {
        return Ok(Output { text: format!("{heading}\n{text}"), rest: None });
    }
    let handle = workplace
        .engine
        .keep(&workplace.scope, text)
        .map_err(|error| format!("This is too long for one answer, and the rest cannot be kept: {error}."))?;
    let cut = &text[..text.floor_char_boundary(PAGE_BYTES)];
    let page = cut.rfind('\n').filter(|end| *end > PAGE_BYTES / 2).map_or(cut, |end| &cut[..=end]);
    let (shown, all) = (page.chars().count(), text.chars().count());
    let more = format!("[{shown} of {all} characters; go on with content_id {handle}, offset {shown}]");
    let ended = if page.ends_with('\n') { "" } else { "\n" };
    Ok(Output {
        text: format!("{heading}\n{page}{ended}{more}"),
        rest: Some(Rest { handle, bytes: text.len() as u64 }),
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

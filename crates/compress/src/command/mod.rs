//! Command output.
//!
//! Exact: lines that start alike are folded under what they share ([`crate::search::fold`]) or written as template and values
//! ([`crate::log::exact`]), but for lines that somebody may quote ([`verbatim`]). Standard: escape sequences, which nobody sees, go;
//! noise is left out, by declarative filters ([`filter`], `filters/*.toml`) and by shape ([`noise`], [`git`]). Failures, findings,
//! places, counts and verdicts stay, and nothing is said that the command did not say.

pub(crate) mod again;
mod blame;
mod family;
mod filter;
mod findings;
mod git;
mod noise;
mod oids;
mod rows;
mod stat;
mod steps;

use std::borrow::Cow;
use std::sync::{LazyLock, OnceLock};

pub use filter::FilterError;
use filter::{Filters, Judgement};
use headroom_core::{Compressed, Compressor, Goal, Kind, Segment};

use crate::{lines, matter, phrases, search, terminal, verbatim};

/// Adds a user's filter files (name and text; see [`filter`] for the format) to those that come with the program. All of them count or none.
///
/// Meant to be called once, before the first text is compressed.
///
/// # Errors
///
/// A file that cannot be read or fails its own tests; filters that are in use already: what was decided with them would not be decided
/// again.
pub fn add_filters(files: &[(String, String)]) -> Result<(), FilterError> {
    let mut filters = Filters::default();
    for (name, text) in files {
        let own = Filters::parse(text).map_err(|error| error.in_file(name))?;
        filters.extend(own).map_err(|error| error.in_file(name))?;
    }
    OWN_FILTERS.set(filters).map_err(|_| FilterError::too_late())
}

/// The user's filters.
static OWN_FILTERS: OnceLock<Filters> = OnceLock::new();

/// The filters that are in use: those that come with the program, then the user's.
static FILTERS: LazyLock<Filters> = LazyLock::new(|| {
    let mut filters = Filters::default();
    for text in FILTER_FILES {
        // A test reads every file; one that could not be read would filter nothing.
        if let Ok(more) = Filters::parse(text) {
            filters.extend(more).unwrap_or_default();
        }
    }
    filters.borrow(OWN_FILTERS.get_or_init(Filters::default));
    filters
});

const FILTER_FILES: &[&str] = &[include_str!("filters/tests.toml"), include_str!("filters/tools.toml")];

/// The compressor of command output.
pub(crate) struct CommandCompressor;

impl Compressor for CommandCompressor {
    fn name(&self) -> &'static str {
        "command"
    }

    fn accepts(&self, kind: Kind) -> bool {
        kind == Kind::Command
    }

    fn compress(&self, segment: &Segment<'_>, goal: &Goal<'_>) -> Option<Compressed> {
        if segment.hints.editable {
            return None;
        }
        let exact = || encode(segment.text, goal).map(Compressed::exact);
        if goal.original().is_none() && git::is_history(&segment.text.lines().take(git::SAMPLE).collect::<Vec<_>>()) {
            let encoded = encode(segment.text, goal);
            return phrases::over(segment.text, encoded, goal.tokens, decode, |_, _| 0).map(Compressed::exact);
        }
        let Some(omitting) = omit(segment, goal) else { return exact() };
        if omitting.text.len() * CLEARLY < segment.text.len() {
            return Some(omitting);
        }
        Some(match exact() {
            Some(exact) if goal.tokens.count(&exact.text) <= goal.tokens.count(&omitting.text) => exact,
            _ => omitting,
        })
    }
}

/// The exact encoding, proved by decoding it; `None` when none is shorter.
fn encode(text: &str, goal: &Goal<'_>) -> Option<String> {
    let reads_back = |encoded: &String| decode(encoded).as_deref() == Some(text);
    if let Some(blame) = blame::encode(text).filter(reads_back) {
        return Some(blame);
    }
    if let Some(list) = stat::encode(text).filter(|list| stat::decode(list).as_deref() == Some(text)) {
        // Names of files are no findings, whatever words they are made of.
        return Some(search::shortest(&list, goal, &|_| false).unwrap_or(list)).filter(reads_back);
    }
    let again = again::encode(text).filter(|encoded| encoded.len() < text.len());
    let source = again.as_deref().unwrap_or(text);
    let lines: Vec<&str> = source.split('\n').map(lines::body).collect();
    let mut fixed = verbatim::lines(&lines);
    if again.is_some() {
        fixed.iter_mut().zip(&lines).for_each(|(fixed, line)| *fixed |= again::is_mark(line));
    }
    let shortest = search::shortest(source, goal, &|line| fixed.get(line) != Some(&false));
    // What that wrote has been read back. It is read once more only where it was given something other than the text.
    if again.is_none() && !again::is_encoded(text) {
        return shortest;
    }
    shortest.or(again).filter(reads_back)
}

/// What an exact encoding of command output says; `None` for a text that is none.
pub(crate) fn decode(written: &str) -> Option<String> {
    if let Some(text) = blame::decode(written) {
        return Some(text);
    }
    let lines = search::decode(written);
    match lines.as_deref().unwrap_or(written) {
        list if stat::is_encoded(list) => stat::decode(list),
        blocks if again::is_encoded(blocks) => again::decode(blocks),
        _ => lines,
    }
}

/// No exact encoding of command output was seen to come close to this fraction of it.
const CLEARLY: usize = 3;

/// Diffs of fewer lines keep all their context, as they do when they stand alone.
const LARGE_DIFF: usize = 150;

/// Guards what belongs to a failure or is somebody's source: hunks, code, stack frames, and indented lines below a line that matters.
fn guard(bodies: &[&str], hunks: &[bool], guarded: &mut [bool]) {
    let mut below = false;
    for ((line, guarded), in_hunk) in bodies.iter().zip(guarded).zip(hunks) {
        let indented = line.starts_with([' ', '\t']) && !line.trim().is_empty();
        below = matter::matters(line) || (below && indented);
        *guarded |= *in_hunk || matter::is_frame(line) || (below && indented) || verbatim::is_code(line);
    }
}

/// The output without noise; `None` where omitting is not allowed, or there is none.
fn omit(segment: &Segment<'_>, goal: &Goal<'_>) -> Option<Compressed> {
    let original = goal.original()?;
    if let Some((body, omissions)) = blame::shorten(original) {
        return Some(Compressed::omitting(body, original, omissions));
    }
    if let Some(list) = stat::shorten(segment.text) {
        let list = search::shortest(&list, goal, &|_| false).unwrap_or(list);
        return Some(Compressed::omitting(list, original, Vec::new()));
    }
    let raw = lines::split(segment.text);
    let seen: Vec<Cow<'_, str>> = raw.iter().map(|line| seen(line)).collect();
    let bodies: Vec<&str> = seen.iter().map(|line| lines::body(line)).collect();
    let shown: Vec<&str> = seen.iter().map(Cow::as_ref).collect();

    let fixed = verbatim::lines(&bodies);
    let hunks = verbatim::hunks(&bodies);
    let Judgement { mut keep, mut guarded, steps, known } = FILTERS.judge(segment.hints.command, &bodies);
    let steps = steps || segment.hints.command.and_then(family::output_of) == Some(family::Output::Steps);
    noise::fold(&bodies, &mut keep);
    git::fold_log(&bodies, &mut keep);
    findings::fold(&bodies, &mut keep);
    if steps {
        guard(&bodies, &hunks, &mut guarded);
        steps::fold(&bodies, &guarded, &mut keep);
    }
    for (keep, in_hunk) in keep.iter_mut().zip(&hunks) {
        *keep |= in_hunk;
    }
    if hunks.iter().filter(|in_hunk| **in_hunk).count() >= LARGE_DIFF {
        for ((keep, kept), in_hunk) in keep.iter_mut().zip(crate::diff::fold::keep(&bodies)).zip(&hunks) {
            *keep &= kept || !in_hunk;
        }
    }
    let is_data = !known && !steps && !git::is_history(&bodies);
    let names = if is_data { rows::fold(&bodies, &fixed_rows(&bodies, &hunks), &mut keep) } else { Vec::new() };
    noise::fold_blocks(&bodies, &hunks, &mut keep);
    noise::drop_blank_between(&bodies, &mut keep);
    lines::fill_small_gaps(&shown, &mut keep);
    let same = raw.iter().zip(&shown).all(|(raw, shown)| raw == shown) && keep.iter().all(|kept| *kept);
    let name = |line: usize| names.get(line).copied().unwrap_or_default();
    let (body, omissions) = lines::omit_named(original, &keep, |line| shown[line], name);
    let short = oids::shorten(&body);
    if same && short.is_none() {
        return None;
    }
    let (body, said) = short.unwrap_or((body, String::new()));
    // What is left may still start alike; gap marks are written as they are.
    let fixed = after_omission(&fixed, &keep);
    let mut body = search::shortest(&body, goal, &|line| fixed.get(line) != Some(&false)).unwrap_or(body);
    if !said.is_empty() && !body.ends_with('\n') {
        body.push('\n');
    }
    Some(Compressed::omitting(body + &said, original, omissions))
}

/// Lines that are no row of data: hunks, frames and code.
fn fixed_rows(bodies: &[&str], hunks: &[bool]) -> Vec<bool> {
    // A title of what stands below it ends like code in Python.
    let is_code = |line: &str| verbatim::is_code(line) && !line.trim_end().ends_with(':');
    let fixed = |(line, in_hunk): (&&str, &bool)| *in_hunk || matter::is_frame(line) || is_code(line);
    bodies.iter().zip(hunks).map(fixed).collect()
}

/// Which lines of the shortened text are fixed: kept ones as before, and every gap mark.
fn after_omission(fixed: &[bool], keep: &[bool]) -> Vec<bool> {
    let mut after = Vec::new();
    for (at, (fixed, kept)) in fixed.iter().zip(keep).enumerate() {
        if *kept {
            after.push(*fixed);
        } else if at == 0 || keep[at - 1] {
            after.push(true);
        }
    }
    after
}

/// A line as a terminal shows it, with its line end; a line that has nothing invisible is itself.
fn seen(line: &str) -> Cow<'_, str> {
    let body = line.strip_suffix('\n').unwrap_or(line);
    match terminal::visible(body) {
        Cow::Borrowed(_) => Cow::Borrowed(line),
        Cow::Owned(seen) => Cow::Owned(seen + if line.ends_with('\n') { "\n" } else { "" }),
    }
}

#[cfg(test)]
mod tests;

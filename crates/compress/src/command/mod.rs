//! Command output.
//!
//! Exact: lines that start alike are folded under what they share ([`crate::search::fold`]) or written as template and values
//! ([`crate::log::exact`]), but for lines that somebody may quote ([`verbatim`]). Standard: escape sequences, which nobody sees, go;
//! noise is left out, by declarative filters ([`filter`], `filters/*.toml`) and by shape ([`noise`], [`git`]). Failures, findings,
//! places, counts and verdicts stay, and nothing is said that the command did not say.

pub(crate) mod filter;
mod git;
pub(crate) mod matter;
mod noise;
pub(crate) mod terminal;
pub(crate) mod verbatim;

use std::borrow::Cow;
use std::sync::LazyLock;

use filter::Filters;
use headroom_core::{Compressed, Compressor, Goal, Kind, Segment};

use crate::{lines, search};

/// The filters that come with the program.
static FILTERS: LazyLock<Filters> = LazyLock::new(|| {
    let mut filters = Filters::default();
    for text in FILTER_FILES {
        // A test reads every file; one that could not be read would filter nothing.
        filters.extend(Filters::parse(text).unwrap_or_default());
    }
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
        let lines: Vec<&str> = segment.text.lines().collect();
        let fixed = verbatim::lines(&lines);
        let exact =
            || search::shortest(segment.text, goal, &|line| fixed.get(line) != Some(&false)).map(Compressed::exact);
        let Some(omitting) = omit(segment, goal) else { return exact() };
        Some(match exact() {
            Some(exact) if goal.tokens.count(&exact.text) <= goal.tokens.count(&omitting.text) => exact,
            _ => omitting,
        })
    }
}

/// The output without noise; `None` where omitting is not allowed, or there is none.
fn omit(segment: &Segment<'_>, goal: &Goal<'_>) -> Option<Compressed> {
    let original = goal.original()?;
    let raw = lines::split(segment.text);
    let seen: Vec<Cow<'_, str>> = raw.iter().map(|line| seen(line)).collect();
    let bodies: Vec<&str> = seen.iter().map(|line| lines::body(line)).collect();
    let shown: Vec<&str> = seen.iter().map(Cow::as_ref).collect();

    let fixed = verbatim::lines(&bodies);
    let hunks = verbatim::hunks(&bodies);
    let mut keep = FILTERS.keep(segment.hints.command, &bodies);
    noise::fold(&bodies, &mut keep);
    git::fold_bodies(&bodies, &mut keep);
    for (keep, in_hunk) in keep.iter_mut().zip(&hunks) {
        *keep |= in_hunk;
    }
    noise::drop_blank_between(&bodies, &mut keep);
    lines::fill_small_gaps(&shown, &mut keep);
    let same = raw.iter().zip(&shown).all(|(raw, shown)| raw == shown);
    if same && keep.iter().all(|kept| *kept) {
        return None;
    }
    let (body, omissions) = lines::omit(original, &keep, |line| shown[line]);
    // What is left may still start alike; gap marks are written as they are.
    let fixed = after_omission(&fixed, &keep);
    let body = search::shortest(&body, goal, &|line| fixed.get(line) != Some(&false)).unwrap_or(body);
    Some(Compressed::omitting(body, original, omissions))
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

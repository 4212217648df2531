//! Prose (Kompress): whole sentences and lines in their order, and a mark for each gap.
//!
//! [`segment`] cuts the text, [`words`] reads the words of each segment, [`grammar`] finds what is protected, [`select`] chooses. Nothing
//! is rewritten: what is shown is a subsequence of the text's own bytes. With a query the choice is made by nearness
//! to it, without one by coverage of the text's concepts, where numbers and names weigh more than words. [`explain`] gives the reason for
//! every segment.

mod grammar;
mod segment;
mod select;
mod words;

use std::ops::Range;

use headroom_core::{Compressed, Compressor, Goal, Kind, Omission, Original, Unit, gap_mark};

use segment::{Role, Segment};
use select::{Budget, Index, Objective};

pub use select::Why;

/// Without a budget from the caller, shorter texts are left alone: they are read faster than asked back for.
const MIN_BYTES: usize = 6000;

/// Without a budget from the caller, a text with more than this percentage pinned is left alone: it is not written to be skipped.
const MAX_PINNED_PERCENT: usize = 60;

/// Without a budget from the caller, this percentage and this many bytes, about 200 tokens, must be saved. Tokens are counted where the
/// result is weighed.
const MIN_SAVED_PERCENT: usize = 15;
const MIN_SAVED_BYTES: usize = 800;

/// Without a budget from the caller, the share that stays lies between these.
const KNEE: Budget = Budget::Knee { least: 0.25, most: 0.7 };

/// A gap that hides less is not worth its mark: about forty tokens.
const MIN_GAP_BYTES: usize = 160;

/// What became of one segment, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentScore {
    /// Where the segment stands, in bytes.
    pub range: Range<usize>,
    /// Whether it stays.
    pub kept: bool,
    /// Why it stays or goes.
    pub reason: Why,
    /// What the objective gained by it when it was chosen; 0 for what was never chosen.
    pub score: f64,
}

/// The compressor of prose.
#[derive(Clone, Copy, Debug)]
pub struct Kompress {
    /// The share of bytes that may stay; `None` lets the text decide.
    ratio: Option<f32>,
}

impl Kompress {
    /// The text decides how much of it stays.
    pub(crate) const BY_ITSELF: Self = Self { ratio: None };

    /// So large a share of a text's bytes may stay, marks not counted; see [`compress_prose`].
    pub const fn with_ratio(share: f32) -> Self {
        Self { ratio: Some(share) }
    }
}

impl Compressor for Kompress {
    fn name(&self) -> &'static str {
        "prose"
    }

    fn accepts(&self, kind: Kind) -> bool {
        kind == Kind::Prose
    }

    fn compress(&self, input: &headroom_core::Segment<'_>, goal: &Goal<'_>) -> Option<Compressed> {
        let original = goal.original()?;
        if input.hints.editable || input.hints.is_error {
            return None;
        }
        let compressed = compress_prose(input.text, input.hints.query, self.ratio, original)?;
        if self.ratio.is_some() {
            // Whoever says how much may stay has said what is worth it.
            return Some(compressed);
        }
        let before = input.text.len();
        let saved = before.saturating_sub(compressed.text.len());
        (saved >= MIN_SAVED_BYTES && saved * 100 >= before * MIN_SAVED_PERCENT).then_some(compressed)
    }
}

/// The segments of `text` that say most: about `query` if there is one, about everything otherwise. `ratio` is the share of bytes that may
/// stay, marks not counted; pinned segments stay in any case. Without a ratio the text's own curve of gains decides,
/// every segment with a number, an identifier or code stays, and a text of which too little could go gives `None`.
pub fn compress_prose(
    text: &str,
    query: Option<&str>,
    ratio: Option<f32>,
    original: &Original<'_>,
) -> Option<Compressed> {
    compress_passages(text, &[], query, ratio, original)
}

/// [`compress_prose`] for several texts that were put one behind the other: `passages` are the offsets of lines at which another one begins,
/// in order. They share the budget, and what one says another need not say again.
pub fn compress_passages(
    text: &str,
    passages: &[usize],
    query: Option<&str>,
    ratio: Option<f32>,
    original: &Original<'_>,
) -> Option<Compressed> {
    let scores = explain_passages(text, passages, query, ratio);
    if scores.iter().all(|score| score.kept) {
        return None;
    }
    let (body, omissions) = write(text, &scores, original);
    Some(Compressed::omitting(body, original, omissions))
}

/// What [`compress_prose`] does with each segment of the text. The segments follow each other and cover the text.
pub fn explain(text: &str, query: Option<&str>, ratio: Option<f32>) -> Vec<SegmentScore> {
    explain_passages(text, &[], query, ratio)
}

fn explain_passages(text: &str, passages: &[usize], query: Option<&str>, ratio: Option<f32>) -> Vec<SegmentScore> {
    let segments = segment::cut(text, passages);
    let whole = |reason| {
        let kept = |segment: &Segment| SegmentScore { range: segment.range.clone(), kept: true, reason, score: 0.0 };
        segments.iter().map(kept).collect()
    };
    if ratio.is_none() && text.len() < MIN_BYTES {
        return whole(Why::Filled);
    }
    let index = Index::of(text, &segments);
    let pinned = pins(text, &segments, &index, query, ratio.is_none());
    let pinned_bytes: usize =
        segments.iter().zip(&pinned).filter(|(_, pinned)| **pinned).map(|(segment, _)| segment.range.len()).sum();
    if ratio.is_none() && pinned_bytes * 100 > text.len() * MAX_PINNED_PERCENT {
        return whole(Why::Pinned);
    }
    let budget = ratio.map_or(KNEE, |ratio| Budget::Share(f64::from(ratio.clamp(0.0, 1.0))));
    let (whys, scores) = settle(text, &segments, &index, query, &pinned, budget);
    let score = |((segment, reason), score): ((Segment, Why), f64)| SegmentScore {
        range: segment.range,
        kept: is_kept(reason),
        reason,
        score,
    };
    segments.into_iter().zip(whys).zip(scores).map(score).collect()
}

/// Chooses, binds headings and fills small gaps. Where that takes more than the caller's share, it is chosen again with as much less, a
/// few times at most.
fn settle(
    text: &str,
    segments: &[Segment],
    index: &Index,
    query: Option<&str>,
    pinned: &[bool],
    mut budget: Budget,
) -> (Vec<Why>, Vec<f64>) {
    let cap = match budget {
        Budget::Share(share) => share,
        Budget::Knee { .. } => 1.0,
    };
    let objective = Objective::new(text, segments, index, query);
    let mut rounds = 3;
    loop {
        let mut choice = select::choose(&objective, pinned, budget);
        bind_headings(text, segments, &mut choice.whys);
        fill_small_gaps(segments, &mut choice.whys);
        let kept: usize = segments
            .iter()
            .zip(&choice.whys)
            .filter(|(_, why)| is_kept(**why))
            .map(|(segment, _)| segment.range.len())
            .sum();
        let excess = kept as f64 / text.len().max(1) as f64 - cap;
        rounds -= 1;
        match budget {
            Budget::Share(share) if excess > 0.0 && rounds > 0 && share > excess => {
                budget = Budget::Share(share - excess);
            }
            _ => return (choice.whys, choice.scores),
        }
    }
}

const fn is_kept(why: Why) -> bool {
    !matches!(why, Why::Duplicate | Why::BelowCut)
}

/// Which segments must stay. `careful`: those with exact values too, because nobody knows what will be asked.
fn pins(text: &str, segments: &[Segment], index: &Index, query: Option<&str>, careful: bool) -> Vec<bool> {
    let quoted = query.map_or_else(|| vec![false; segments.len()], |query| index.quoted(query, segments.len()));
    let pin = |(at, segment): (usize, &Segment)| {
        let part = &text[segment.range.clone()];
        let is_first_of_kind = !index.duplicates[at];
        segment.role == Role::Code
            || quoted[at]
            || (is_first_of_kind
                && (grammar::states_failure(part) || (careful && (index.is_exact(at) || grammar::holds_code(part)))))
    };
    segments.iter().enumerate().map(pin).collect()
}

/// A heading stays with anything below it, and a line that announces a list or a listing with what follows it.
fn bind_headings(text: &str, segments: &[Segment], whys: &mut [Why]) {
    let mut something_below = false;
    for at in (0..segments.len()).rev() {
        let is_heading = segments[at].role == Role::Heading;
        let announces = text[segments[at].range.clone()].trim_end().ends_with(':')
            && whys.get(at + 1).is_some_and(|why| is_kept(*why));
        if !is_kept(whys[at]) && ((is_heading && something_below) || announces) {
            whys[at] = Why::Bound;
        }
        // A section without a kept line of its own may still have kept sections; its heading then leads to theirs.
        something_below |= is_kept(whys[at]);
        if is_heading && !is_kept(whys[at]) {
            something_below = false;
        }
    }
}

fn fill_small_gaps(segments: &[Segment], whys: &mut [Why]) {
    let mut at = 0;
    while at < whys.len() {
        if is_kept(whys[at]) {
            at += 1;
            continue;
        }
        let end = whys[at..].iter().position(|why| is_kept(*why)).map_or(whys.len(), |offset| at + offset);
        if segments[end - 1].range.end - segments[at].range.start < MIN_GAP_BYTES {
            whys[at..end].fill(Why::Filled);
        }
        at = end;
    }
}

/// Writes what stays byte for byte, and a mark for each gap: in lines where all gaps are made of whole lines, in sentences otherwise.
fn write(text: &str, scores: &[SegmentScore], original: &Original<'_>) -> (String, Vec<Omission>) {
    let is_line_start = |at: usize| at == 0 || at == text.len() || text.as_bytes()[at - 1] == b'\n';
    let gaps: Vec<Range<usize>> = gaps(scores);
    let by_line = gaps
        .iter()
        .all(|gap| is_line_start(scores[gap.start].range.start) && is_line_start(scores[gap.end - 1].range.end));
    let lines = crate::lines::split(text).len();
    let (mut body, mut omissions) = (String::with_capacity(text.len() / 2), Vec::new());
    let (mut shown, mut line, mut counted) = (0, 1, 0);
    let mut line_at = |at: usize| {
        line += memchr::memchr_iter(b'\n', &text.as_bytes()[counted..at]).count();
        counted = at;
        line
    };
    for gap in gaps {
        let (start, end) = (scores[gap.start].range.start, scores[gap.end - 1].range.end);
        body.push_str(&text[shown..start]);
        let omission = if by_line {
            let first = line_at(start);
            let behind = line_at(end) - usize::from(text.as_bytes()[end - 1] == b'\n');
            Omission::new(original, Unit::Line, first..=behind, lines)
        } else {
            Omission::new(original, Unit::Sentence, gap.start + 1..=gap.end, scores.len())
        };
        body.push_str(&gap_mark(&omission));
        // What follows the gap begins as it did: on a new line, or in the same one.
        body.push(if is_line_start(end) { '\n' } else { ' ' });
        omissions.push(omission);
        shown = end;
    }
    body.push_str(&text[shown..]);
    (body, omissions)
}

/// Runs of segments that go.
fn gaps(scores: &[SegmentScore]) -> Vec<Range<usize>> {
    let mut gaps = Vec::new();
    let mut at = 0;
    while at < scores.len() {
        let run = scores[at..].iter().take_while(|score| score.kept == scores[at].kept).count();
        if !scores[at].kept {
            gaps.push(at..at + run);
        }
        at += run;
    }
    gaps
}

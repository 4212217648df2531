//! Finding the runs and writing the references.

use std::ops::Range;

use super::line::{Line, continues, lines};
use super::seeds::{Body, seeds};
use super::{Earlier, hash};

/// A run must be at least this many bytes longer than its reference.
const GAIN_BYTES: usize = 120;

/// Characters of a label that are shown.
const LABEL_CHARS: usize = 48;

/// A text with references, as parts; [`Folded::text`] writes it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folded {
    parts: Vec<Part>,
    /// Lines that stand earlier, of all lines.
    repeated: (usize, usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// Lines of the new text as they are; no line end at the end.
    Kept(String),
    /// Lines that stand earlier.
    Reference { mark: String, runs: Run },
}

/// Lines of the new text and the earlier lines whose bodies they have.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    new: Range<usize>,
    earlier: usize,
}

impl Folded {
    /// The text to send.
    pub fn text(&self) -> String {
        let parts: Vec<_> = self
            .parts
            .iter()
            .map(|part| match part {
                Part::Kept(text) => text.as_str(),
                Part::Reference { mark, .. } => mark,
            })
            .collect();
        parts.join("\n")
    }

    /// How many lines are references now, and how many there were.
    pub const fn repeated(&self) -> (usize, usize) {
        self.repeated
    }
}

impl Earlier {
    /// Folds what stands earlier out of `text`; `None` when nothing worth it does. `label` is how a later text would refer to this one:
    /// a reference to a source with the same label need not name it.
    ///
    /// The result is exact: [`unfold`](Self::unfold) gives `text` back, and that is checked here before it is returned.
    pub fn fold(&self, label: &str, text: &str) -> Option<Folded> {
        if self.is_empty() {
            return None;
        }
        let folded = self.whole(label, text).or_else(|| self.by_runs(label, text))?;
        (self.unfold(&folded, text).as_deref() == Some(text)).then_some(folded)
    }

    /// The text a folded one stands for. `text` supplies what a reference states about line numbering.
    pub(super) fn unfold(&self, folded: &Folded, text: &str) -> Option<String> {
        let new: Vec<Line> = lines(text).collect();
        let mut out: Vec<String> = Vec::new();
        for part in &folded.parts {
            match part {
                Part::Kept(kept) => out.push(kept.clone()),
                Part::Reference { runs, .. } if runs.earlier == usize::MAX => out.push(text.to_owned()),
                Part::Reference { runs, .. } => {
                    for (offset, line) in new.get(runs.new.clone())?.iter().enumerate() {
                        let body = self.lines.get(runs.earlier + offset)?.body(&self.text);
                        out.push(format!("{}{body}", line.scaffold(text)));
                    }
                }
            }
        }
        Some(out.join("\n"))
    }

    /// The whole text was a result before, whatever that one was rendered as.
    fn whole(&self, label: &str, text: &str) -> Option<Folded> {
        let whole = hash(text.as_bytes());
        let source = self.sources.iter().rev().find(|source| source.whole == whole)?;
        // The hash is 64 bits wide and the index keeps no original of a compressed text, so the visible text decides.
        let visible = self.lines.get(source.first..source.first + source.count)?;
        let (first, last) = (visible.first()?.range().start, visible.last()?.range().end);
        if self.text.get(first..last)? != text {
            return None;
        }
        let count = source.count;
        let name = if source.label == label || source.label.is_empty() {
            "above".to_owned()
        } else {
            format!("above: {}", shown(&source.label))
        };
        let mark = format!("[unchanged: the same {count} lines as {name}]");
        (mark.len() + GAIN_BYTES <= text.len()).then(|| Folded {
            parts: vec![Part::Reference { mark, runs: Run { new: 0..count, earlier: source.first } }],
            repeated: (count, count),
        })
    }

    fn by_runs(&self, label: &str, text: &str) -> Option<Folded> {
        let new: Vec<Line> = lines(text).collect();
        let bodies: Vec<Body> = new.iter().map(|line| Body::of(text, line)).collect();
        let mut parts = Vec::new();
        let mut repeated = 0;
        let mut kept_from = 0;
        let mut at = 0;
        while at < new.len() {
            let places = seeds(&bodies[at..]).flat_map(|seed| self.seeds.places(seed));
            let Some(run) = self.longest_run(text, &new, at, places) else {
                at += 1;
                continue;
            };
            at = run.new.end;
            let Some((run, mark)) = self.reference(label, &new, run) else { continue };
            if kept_from < run.new.start {
                parts.push(Part::Kept(
                    text[new[kept_from].range().start..new[run.new.start - 1].range().end].to_owned(),
                ));
            }
            repeated += run.new.len();
            kept_from = run.new.end;
            parts.push(Part::Reference { mark, runs: run });
        }
        if repeated == 0 {
            return None;
        }
        if let Some(first) = new.get(kept_from) {
            parts.push(Part::Kept(text[first.range().start..].to_owned()));
        }
        Some(Folded { parts, repeated: (repeated, new.len()) })
    }

    /// The longest run of earlier lines, from one of these places on, with the bodies of the new lines from `at` on; the first of
    /// several.
    fn longest_run(&self, text: &str, new: &[Line], at: usize, places: impl Iterator<Item = usize>) -> Option<Run> {
        let mut best: Option<Run> = None;
        for earlier in places {
            let length = self.agreement(text, &new[at..], earlier);
            if length > best.as_ref().map_or(0, |best| best.new.len()) {
                best = Some(Run { new: at..at + length, earlier });
            }
        }
        best
    }

    /// How many lines from `earlier` on have the bodies of the lines of `new`, inside one source, with numbers that count on.
    fn agreement(&self, text: &str, new: &[Line], earlier: usize) -> usize {
        let source = self.source_of[earlier];
        let agree = |offset: usize| {
            let (Some(old), Some(line)) = (self.lines.get(earlier + offset), new.get(offset)) else { return false };
            self.source_of[earlier + offset] == source
                && old.body(&self.text) == line.body(text)
                && counts_on(&self.text, &self.lines[earlier], old, offset)
                && counts_on(text, &new[0], line, offset)
        };
        (0..new.len()).take_while(|offset| agree(*offset)).count()
    }

    /// Trims a run to what will be replaced and writes its reference; `None` when that is not worth it.
    ///
    /// Between numbered lines the numbers say what is meant. Otherwise the run's first and last line stay, as landmarks.
    fn reference(&self, label: &str, new: &[Line], run: Run) -> Option<(Run, String)> {
        let source = &self.sources[self.source_of[run.earlier] as usize];
        let name = if source.label == label || source.label.is_empty() {
            String::new()
        } else {
            format!(": {}", shown(&source.label))
        };
        let number = |line: Option<&Line>| line.and_then(Line::number);
        let new_numbers = number(new.get(run.new.start)).zip(number(new.get(run.new.end - 1)));
        let old = &self.lines[run.earlier..run.earlier + run.new.len()];
        let old_numbers = number(old.first()).zip(number(old.last()));
        let (run, mark) = match (new_numbers, old_numbers) {
            (Some((from, to)), Some(before)) if before == (from, to) => {
                (run, format!("[{from}-{to}: unchanged, as above{name}]"))
            }
            (Some((from, to)), Some((old_from, old_to))) => {
                (run, format!("[{from}-{to}: the same as lines {old_from}-{old_to} above{name}]"))
            }
            (Some((from, to)), None) => (run, format!("[{from}-{to}: as above{name}]")),
            (None, _) => {
                let inner = Run { new: run.new.start + 1..run.new.end.saturating_sub(1), earlier: run.earlier + 1 };
                let count = inner.new.len();
                (inner, format!("[{count} lines as above{name}]"))
            }
        };
        let bytes = new.get(run.new.clone()).filter(|lines| !lines.is_empty())?;
        let length = bytes.last()?.range().end - bytes.first()?.range().start;
        (mark.len() + GAIN_BYTES <= length).then_some((run, mark))
    }
}

/// Whether `line`, `offset` lines after `first`, carries the number that follows; lines without numbers must all be without.
fn counts_on(text: &str, first: &Line, line: &Line, offset: usize) -> bool {
    match (first.number(), line.number()) {
        (None, None) => true,
        (Some(from), Some(to)) => {
            u32::try_from(offset).ok().and_then(|offset| from.checked_add(offset)) == Some(to)
                && continues(first.scaffold(text), from, line.scaffold(text), to)
        }
        _ => false,
    }
}

/// A label cut to what fits in a mark: one line, and the end of a path rather than its start.
fn shown(label: &str) -> String {
    let line = label.lines().next().unwrap_or_default();
    if line.chars().count() <= LABEL_CHARS {
        return line.to_owned();
    }
    line.chars().take(LABEL_CHARS - 3).chain("...".chars()).collect()
}

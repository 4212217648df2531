//! Ranking: the store says what may be meant, and this reads it.

use headroom_core::Handle;
use headroom_store::{Match, Note, StoreError, words};

use super::{Known, Memory};

/// Texts that are read for one search.
const CANDIDATES: usize = 64;

/// Bytes of them.
const READ_BYTES: usize = 8 << 20;

/// Lines shown of one hit.
const LINES: usize = 3;

/// Characters shown of one line.
const LINE_CHARS: usize = 200;

/// Places of one word that are looked at in one long line.
const MOST_PLACES: usize = 10_000;

/// How quickly further occurrences of a word stop counting.
const SATURATION: f64 = 1.5;

/// A text that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The text.
    pub known: Known,
    /// How well it fits; comparable within one search.
    pub score: f64,
    /// The lines that fit best, with their numbers from 1, in order of place.
    pub lines: Vec<(usize, String)>,
    /// Lines of the text.
    pub total_lines: usize,
}

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Texts, best first.
    pub hits: Vec<Hit>,
    /// Notes, best first.
    pub notes: Vec<Note>,
}

pub(super) fn search(memory: &Memory, query: &str, limit: usize) -> Result<Found, StoreError> {
    let terms = words(query);
    let mut notes = rank_notes(memory.store().notes(&memory.scope, &memory.workspace)?, query);
    notes.truncate(limit);
    let candidates = |which| memory.store().candidates(&memory.scope, &memory.workspace, query, which, CANDIDATES);
    let mut handles = candidates(Match::All)?;
    if handles.len() < limit && terms.len() > 1 {
        let all: Vec<Handle> = handles.clone();
        handles.extend(candidates(Match::Any)?.into_iter().filter(|handle| !all.contains(handle)));
    }
    let mut read = Vec::new();
    let mut bytes = 0;
    for handle in handles {
        let Some(known) = memory.show(handle)? else { continue };
        // A damaged text is no hit; a store that cannot be read at all has said so above.
        let Ok(Some(text)) = memory.store().original(&memory.scope, handle) else { continue };
        bytes += text.len();
        read.push(Read::of(known, &text, &terms));
        if bytes > READ_BYTES {
            break;
        }
    }
    let weights = weights(&read, terms.len());
    let mut hits: Vec<Hit> = read.into_iter().map(|read| read.hit(&weights)).collect();
    hits.sort_by(|a, b| {
        b.score.total_cmp(&a.score).then_with(|| b.known.remembered.last_ms().cmp(&a.known.remembered.last_ms()))
    });
    hits.truncate(limit);
    Ok(Found { hits, notes })
}

/// A candidate, read.
struct Read {
    known: Known,
    /// For each word, how often it stands in the text, and whether in its source.
    counts: Vec<(usize, bool)>,
    /// Lines with a word in them: number, how many of the words, the line.
    lines: Vec<(usize, usize, String)>,
    total_lines: usize,
}

impl Read {
    fn of(known: Known, text: &str, terms: &[String]) -> Self {
        let source = known.source().to_lowercase();
        let mut counts: Vec<(usize, bool)> = terms.iter().map(|term| (0, source.contains(term.as_str()))).collect();
        let mut lines = Vec::new();
        let mut total_lines = 0;
        for (line, number) in text.lines().zip(1..) {
            total_lines = number;
            let lower = line.to_lowercase();
            let mut here = 0;
            for (term, (count, _)) in terms.iter().zip(&mut counts) {
                if lower.contains(term.as_str()) {
                    *count += 1;
                    here += 1;
                }
            }
            if here > 0 {
                lines.push((number, here, excerpt(line, terms)));
                if lines.len() >= 64 * LINES {
                    keep_best(&mut lines);
                }
            }
        }
        keep_best(&mut lines);
        Self { known, counts, lines, total_lines }
    }

    fn hit(self, weights: &[f64]) -> Hit {
        let of_term = |((count, in_source), weight): (&(usize, bool), &f64)| {
            let count = *count as f64;
            weight * (count / (count + SATURATION) + if *in_source { 1.0 } else { 0.0 })
        };
        let score = self.counts.iter().zip(weights).map(of_term).sum();
        let lines = self.lines.into_iter().map(|(number, _, line)| (number, line)).collect();
        Hit { known: self.known, score, lines, total_lines: self.total_lines }
    }
}

/// A word that few candidates have says more about those that have it.
fn weights(read: &[Read], terms: usize) -> Vec<f64> {
    let having = |at: usize| read.iter().filter(|read| read.counts[at].0 > 0 || read.counts[at].1).count();
    (0..terms).map(|at| (1.0 + read.len() as f64 / (1.0 + having(at) as f64)).ln()).collect()
}

/// Keeps the lines with most of the words, the first of equals, in order of place.
fn keep_best(lines: &mut Vec<(usize, usize, String)>) {
    lines.sort_by_key(|(number, here, _)| (std::cmp::Reverse(*here), *number));
    lines.truncate(LINES);
    lines.sort_by_key(|(number, ..)| *number);
}

/// Where the part of a long line begins that has most of the words, the first of equals: characters, with some room before.
fn best_window(line: &str, terms: &[String]) -> usize {
    // Lower case may have another length: the place is only where to look.
    let lower = line.to_lowercase();
    let mut places: Vec<(usize, usize)> = terms
        .iter()
        .enumerate()
        .flat_map(|(term, text)| lower.match_indices(text.as_str()).take(MOST_PLACES).map(move |(at, _)| (at, term)))
        .collect();
    places.sort_unstable();
    let mut inside = vec![0_usize; terms.len()];
    let (mut first, mut distinct, mut best) = (0, 0, (0, 0));
    for (at, term) in &places {
        distinct += usize::from(inside[*term] == 0);
        inside[*term] += 1;
        while at - places[first].0 > LINE_CHARS / 2 {
            let gone = places[first].1;
            inside[gone] -= 1;
            distinct -= usize::from(inside[gone] == 0);
            first += 1;
        }
        if distinct > best.0 {
            best = (distinct, places[first].0);
        }
    }
    lower[..best.1].chars().count().saturating_sub(LINE_CHARS / 4)
}

/// A line, or the part of a long one where most of the words are.
fn excerpt(line: &str, terms: &[String]) -> String {
    let characters: Vec<char> = line.chars().collect();
    if characters.len() <= LINE_CHARS {
        return line.to_owned();
    }
    let at = best_window(line, terms).min(characters.len() - LINE_CHARS);
    let shown: String = characters[at..at + LINE_CHARS].iter().collect();
    let (before, after) =
        (if at > 0 { "..." } else { "" }, if at + LINE_CHARS < characters.len() { "..." } else { "" });
    format!("{before}{shown}{after}")
}

/// The notes that have a word of the query, those with most of them first, the latest of equals first.
pub(super) fn rank_notes(notes: Vec<Note>, query: &str) -> Vec<Note> {
    let terms = words(query);
    let fit = |note: &Note| {
        let text = format!("{} {}", note.topic, note.text).to_lowercase();
        terms.iter().filter(|term| text.contains(term.as_str())).count()
    };
    let mut ranked: Vec<(usize, Note)> = notes.into_iter().map(|note| (fit(&note), note)).collect();
    ranked.retain(|(fit, _)| *fit > 0);
    ranked.sort_by_key(|(fit, note)| (std::cmp::Reverse(*fit), std::cmp::Reverse(note.last_ms)));
    ranked.into_iter().map(|(_, note)| note).collect()
}

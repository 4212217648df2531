//! Scores, and the choice of segments under a budget.
//!
//! The objective is monotone and submodular: relevance to the query, and coverage of the text's concepts with diminishing returns.
//! Greedy choice by gain for its length comes within a constant factor of the best choice, and repeats stop paying by
//! themselves. Arithmetic uses only operations that IEEE 754 rounds the same way everywhere, so that every machine chooses
//! alike.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use super::grammar::{Lean, lean};
use super::segment::{Role, Segment};
use super::words::{self, Class};

/// Share of relevance in the objective when there is a query.
const LAMBDA: f64 = 0.8;

/// A query word that names an exact value pins the segments that hold it, if they are so few.
const MAX_QUERY_PINS: usize = 3;

/// Weight of terms taken over from the best segments into the query.
const EXPANSION: f64 = 0.4;

/// Why a segment stays or goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// A failure, a listing, or an exact value that must stay.
    Pinned,
    /// Its gain for its length was high enough.
    Chosen,
    /// A segment that stays leans on it.
    Bound,
    /// A gap mark would cost as much as it hides.
    Filled,
    /// It says what an earlier segment says.
    Duplicate,
    /// Its concepts are covered by what stays, or it is far from the query.
    BelowCut,
}

/// The hash is already one.
#[derive(Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

type HashTo<V> = HashMap<u64, V, BuildHasherDefault<Identity>>;

/// The text seen as words: for each segment its terms, for each term its weight.
pub(super) struct Index {
    terms: HashTo<u32>,
    classes: Vec<Class>,
    /// How many segments hold the term.
    frequency: Vec<u32>,
    /// The distinct terms of all segments with their counts, and where each segment's begin.
    postings: Vec<(u32, u32)>,
    starts: Vec<usize>,
    lengths: Vec<u32>,
    /// The segment says what an earlier one says.
    pub(super) duplicates: Vec<bool>,
}

impl Index {
    pub(super) fn of(text: &str, segments: &[Segment]) -> Self {
        let mut index = Self {
            terms: HashTo::default(),
            classes: Vec::new(),
            frequency: Vec::new(),
            postings: Vec::new(),
            starts: vec![0],
            lengths: Vec::with_capacity(segments.len()),
            duplicates: Vec::with_capacity(segments.len()),
        };
        let mut seen: HashTo<()> = HashTo::default();
        let mut found: Vec<u32> = Vec::new();
        for segment in segments {
            found.clear();
            let mut print = 0_u64;
            words::each(&text[segment.range.clone()], |word| {
                print = (print.rotate_left(7) ^ word.hash).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                let next = index.classes.len() as u32;
                let term = *index.terms.entry(word.hash).or_insert(next);
                if term == next {
                    index.classes.push(word.class);
                    index.frequency.push(0);
                }
                let class = &mut index.classes[term as usize];
                *class = (*class).max(word.class);
                found.push(term);
            });
            index.lengths.push(found.len() as u32);
            // Same words, numbers and names in the same order; a short line may repeat for a reason.
            index.duplicates.push(found.len() >= 4 && seen.insert(print, ()).is_some());
            found.sort_unstable();
            for run in found.chunk_by(|a, b| a == b) {
                index.frequency[run[0] as usize] += 1;
                index.postings.push((run[0], run.len() as u32));
            }
            index.starts.push(index.postings.len());
        }
        index
    }

    fn terms_of(&self, segment: usize) -> &[(u32, u32)] {
        &self.postings[self.starts[segment]..self.starts[segment + 1]]
    }

    /// Whether the segment holds a number or an identifier.
    pub(super) fn is_exact(&self, segment: usize) -> bool {
        self.terms_of(segment).iter().any(|(term, _)| self.classes[*term as usize].is_exact())
    }

    /// The query's terms that the text knows, with their weights, in order of term.
    fn query(&self, query: &str) -> Vec<(u32, f64)> {
        let mut terms = Vec::new();
        words::each(query, |word| terms.extend(self.terms.get(&word.hash).map(|term| (*term, 1.0))));
        terms.sort_unstable_by_key(|(term, _)| *term);
        terms.dedup_by_key(|(term, _)| *term);
        terms
    }

    /// Segments that hold an exact value of the query, where they are few.
    pub(super) fn quoted(&self, query: &str, segments: usize) -> Vec<bool> {
        let mut quoted = vec![false; segments];
        let exact: Vec<u32> = self
            .query(query)
            .into_iter()
            .map(|(term, _)| term)
            .filter(|term| {
                self.classes[*term as usize].is_exact() && self.frequency[*term as usize] as usize <= MAX_QUERY_PINS
            })
            .collect();
        for (segment, quoted) in quoted.iter_mut().enumerate().take(if exact.is_empty() { 0 } else { segments }) {
            *quoted = self.terms_of(segment).iter().any(|(term, _)| exact.binary_search(term).is_ok());
        }
        quoted
    }

    /// How near each segment is to the query, from 0.
    fn relevance(&self, segments: &[Segment], query: &str) -> Vec<f64> {
        let mut terms = self.query(query);
        let first = self.relevance_to(segments, &terms);
        let mut best: Vec<usize> = (0..segments.len()).collect();
        best.sort_by(|a, b| first[*b].total_cmp(&first[*a]).then(a.cmp(b)));
        for segment in best.into_iter().take(3).filter(|segment| first[*segment] > 0.0) {
            let named = self.terms_of(segment).iter().filter(|(term, _)| self.classes[*term as usize] >= Class::Name);
            terms.extend(named.map(|(term, _)| (*term, EXPANSION)));
        }
        // Of two weights of a term the higher, which is the query's own.
        terms.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
        terms.dedup_by_key(|(term, _)| *term);
        self.relevance_to(segments, &terms)
    }

    fn relevance_to(&self, segments: &[Segment], query: &[(u32, f64)]) -> Vec<f64> {
        let blocks = segments.last().map_or(0, |segment| segment.block + 1);
        let mut block_counts: HashTo<u32> = HashTo::default();
        let mut block_lengths = vec![0_u32; blocks];
        let hit = |term: u32| query.binary_search_by_key(&term, |(known, _)| *known).ok();
        let mut hits: Vec<Vec<(usize, u32)>> = Vec::with_capacity(segments.len());
        for (at, segment) in segments.iter().enumerate() {
            block_lengths[segment.block] += self.lengths[at];
            let of_segment: Vec<_> =
                self.terms_of(at).iter().filter_map(|(term, count)| Some((hit(*term)?, *count))).collect();
            for (place, count) in &of_segment {
                *block_counts.entry(((segment.block as u64) << 20) | *place as u64).or_default() += count;
            }
            hits.push(of_segment);
        }
        let mean = |lengths: &[u32]| {
            let sum: u64 = lengths.iter().map(|length| u64::from(*length)).sum();
            (sum as f64 / lengths.len().max(1) as f64).max(1.0)
        };
        let (segment_mean, block_mean) = (mean(&self.lengths), mean(&block_lengths));
        let rarity = |place: usize| {
            let (term, weight) = query[place];
            let frequency = f64::from(self.frequency[term as usize]);
            weight * ln(1.0 + (segments.len() as f64 - frequency + 0.5).max(0.0) / (frequency + 0.5))
        };
        let mut own: Vec<f64> = hits
            .iter()
            .zip(&self.lengths)
            .map(|(hits, length)| {
                let part = f64::from(*length) / segment_mean;
                hits.iter().map(|(place, count)| rarity(*place) * saturated(*count, part, 0.4)).sum()
            })
            .collect();
        let mut of_block = vec![0.0; blocks];
        let mut counted: Vec<_> = block_counts.into_iter().collect();
        counted.sort_unstable();
        for (key, count) in counted {
            let block = (key >> 20) as usize;
            let part = f64::from(block_lengths[block]) / block_mean;
            of_block[block] += rarity((key & 0xF_FFFF) as usize) * saturated(count, part, 0.75);
        }
        normalize(&mut own);
        normalize(&mut of_block);
        let near = |at: Option<usize>, block: usize| {
            at.filter(|at| segments.get(*at).is_some_and(|segment| segment.block == block)).map_or(0.0, |at| own[at])
        };
        segments
            .iter()
            .enumerate()
            .map(|(at, segment)| {
                let neighbours = near(at.checked_sub(1), segment.block) + near(Some(at + 1), segment.block);
                own[at] + 0.25 * neighbours + of_block[segment.block]
            })
            .collect()
    }
}

/// BM25's part for one term: `count` occurrences in a text `part` times as long as the mean.
fn saturated(count: u32, part: f64, b: f64) -> f64 {
    const K1: f64 = 1.2;
    let count = f64::from(count);
    count * (K1 + 1.0) / (count + K1 * (1.0 - b + b * part))
}

fn normalize(values: &mut [f64]) {
    let max = values.iter().copied().fold(0.0, f64::max);
    if max > 0.0 {
        values.iter_mut().for_each(|value| *value /= max);
    }
}

/// The natural logarithm for `x >= 1`, by operations that are rounded alike on every machine.
fn ln(x: f64) -> f64 {
    let (mut mantissa, mut doublings) = (x, 0.0);
    while mantissa > 1.5 {
        mantissa /= 2.0;
        doublings += 1.0;
    }
    let ratio = (mantissa - 1.0) / (mantissa + 1.0);
    let square = ratio * ratio;
    let (mut power, mut sum) = (ratio, 0.0);
    for odd in [1.0, 3.0, 5.0, 7.0, 9.0, 11.0] {
        sum += power / odd;
        power *= square;
    }
    doublings * std::f64::consts::LN_2 + 2.0 * sum
}

/// How many bytes may stay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Budget {
    /// This share of the text.
    Share(f64),
    /// As much as still pays, between two shares.
    Knee { least: f64, most: f64 },
}

/// What was chosen: for each segment why it stays or goes, and its gain when it was looked at.
pub(super) struct Choice {
    pub(super) whys: Vec<Why>,
    pub(super) scores: Vec<f64>,
}

/// Chooses the segments that stay. `pinned` ones stay whatever the budget says.
pub(super) fn choose(
    text: &str,
    segments: &[Segment],
    index: &Index,
    query: Option<&str>,
    pinned: &[bool],
    budget: Budget,
) -> Choice {
    let total: usize = segments.iter().map(|segment| segment.range.len()).sum();
    let mut state = State::new(text, segments, index, query);
    for at in (0..segments.len()).filter(|at| pinned[*at]) {
        state.take(at, Why::Pinned);
    }
    let mut heap: BinaryHeap<Candidate> =
        (0..segments.len()).filter(|at| state.whys[*at].is_none()).map(|at| state.candidate(at)).collect();
    let (least, most) = match budget {
        Budget::Share(share) => (share, share),
        Budget::Knee { least, most } => (least, most),
    };
    let bytes = |share: f64| (share * total as f64) as usize;
    // Each choice with the bytes that stay after it and the sum of gains so far.
    let mut steps: Vec<(usize, f64)> = vec![(state.bytes, 0.0)];
    let mut order: Vec<Vec<usize>> = vec![Vec::new()];
    let mut gained = 0.0;
    while let Some(candidate) = heap.pop() {
        let at = candidate.at;
        if state.whys[at].is_some() {
            continue;
        }
        let fresh = state.candidate(at);
        if heap.peek().is_some_and(|next| fresh < *next) && fresh.worth < candidate.worth {
            heap.push(fresh);
            continue;
        }
        let group = state.group(at);
        let cost: usize = group.iter().map(|at| segments[*at].range.len()).sum();
        if state.bytes + cost > bytes(most) {
            continue;
        }
        for member in &group {
            gained += state.gain(*member);
            state.scores[*member] = state.gain(*member);
            state.take(*member, if *member == at { Why::Chosen } else { Why::Bound });
        }
        steps.push((state.bytes, gained));
        order.push(group);
    }
    let cut = if least < most { knee(&steps, bytes(least)) } else { steps.len() };
    for at in order.into_iter().skip(cut).flatten() {
        state.whys[at] = None;
    }
    let dropped = |(at, why): (usize, &Option<Why>)| {
        why.unwrap_or(if index.duplicates[at] { Why::Duplicate } else { Why::BelowCut })
    };
    Choice { whys: state.whys.iter().enumerate().map(dropped).collect(), scores: state.scores }
}

/// How many steps are worth taking: up to the point of the curve of gains that lies highest above the straight line from its start to
/// its end, and at least `least` bytes.
fn knee(steps: &[(usize, f64)], least: usize) -> usize {
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return 0 };
    let (width, height) = ((last.0 - first.0).max(1) as f64, last.1.max(f64::MIN_POSITIVE));
    let above = |step: &(usize, f64)| step.1 / height - (step.0 - first.0) as f64 / width;
    let mut best = 0;
    for (at, step) in steps.iter().enumerate() {
        if above(step) > above(&steps[best]) {
            best = at;
        }
    }
    let enough = steps.iter().position(|step| step.0 >= least).unwrap_or(steps.len());
    best.max(enough) + 1
}

struct State<'a> {
    segments: &'a [Segment],
    index: &'a Index,
    /// Relevance squared over its sum, times lambda.
    relevance: Vec<f64>,
    /// For each term its weight over the sum of weights, times what lambda leaves.
    weights: Vec<f64>,
    counts: Vec<u32>,
    leans: Vec<Lean>,
    whys: Vec<Option<Why>>,
    scores: Vec<f64>,
    bytes: usize,
}

impl<'a> State<'a> {
    fn new(text: &str, segments: &'a [Segment], index: &'a Index, query: Option<&str>) -> Self {
        let lambda = if query.is_some() { LAMBDA } else { 0.0 };
        let mut relevance = query.map_or_else(|| vec![0.0; segments.len()], |query| index.relevance(segments, query));
        relevance.iter_mut().for_each(|value| *value *= *value);
        scale(&mut relevance, lambda);
        let mut weights: Vec<f64> = index
            .classes
            .iter()
            .zip(&index.frequency)
            .map(|(class, frequency)| class.weight() * ln(1.0 + segments.len() as f64 / f64::from(*frequency).max(1.0)))
            .collect();
        scale(&mut weights, 1.0 - lambda);
        let lean_of = |(at, segment): (usize, &Segment)| {
            let follows = at > 0 && segments[at - 1].block == segment.block && segment.role == Role::Sentence;
            if follows { lean(&text[segment.range.clone()]) } else { Lean::No }
        };
        Self {
            segments,
            index,
            relevance,
            weights,
            counts: vec![0; index.classes.len()],
            leans: segments.iter().enumerate().map(lean_of).collect(),
            whys: vec![None; segments.len()],
            scores: vec![0.0; segments.len()],
            bytes: 0,
        }
    }

    /// What the objective grows by when the segment stays.
    fn gain(&self, at: usize) -> f64 {
        let covered = |(term, _): &(u32, u32)| {
            let count = f64::from(self.counts[*term as usize]);
            self.weights[*term as usize] * ((count + 1.0).sqrt() - count.sqrt())
        };
        self.relevance[at] + self.index.terms_of(at).iter().map(covered).sum::<f64>()
    }

    /// What the segment is worth for its length, with those that must stay with it.
    fn candidate(&self, at: usize) -> Candidate {
        let group = self.group(at);
        let bytes: usize = group.iter().map(|member| self.segments[*member].range.len()).sum();
        let words = bytes as f64 / 5.0 + 15.0;
        // The power 5/8, made of roots because these are exact.
        let length = words.sqrt() * words.sqrt().sqrt().sqrt();
        let redundant = if self.index.duplicates[at] { 0.1 } else { 1.0 };
        let gain: f64 = group.iter().map(|member| self.gain(*member)).sum();
        Candidate { worth: redundant * gain / length, at }
    }

    /// The segment and those that must stay with it, and do not yet.
    fn group(&self, at: usize) -> Vec<usize> {
        let mut group = vec![at];
        let mut first = at;
        while self.leans[first] != Lean::No && at - first < 2 {
            first -= 1;
            group.push(first);
        }
        let next = at + 1;
        if self.leans.get(next) == Some(&Lean::Both) {
            group.push(next);
        }
        group.retain(|member| self.whys[*member].is_none());
        group
    }

    fn take(&mut self, at: usize, why: Why) {
        self.whys[at] = Some(why);
        self.bytes += self.segments[at].range.len();
        for (term, _) in self.index.terms_of(at) {
            self.counts[*term as usize] += 1;
        }
    }
}

fn scale(values: &mut [f64], to: f64) {
    let sum: f64 = values.iter().sum();
    if sum > 0.0 {
        values.iter_mut().for_each(|value| *value *= to / sum);
    }
}

/// A segment and its worth when it was last looked at. Ties go to the earlier segment.
struct Candidate {
    worth: f64,
    at: usize,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.worth.total_cmp(&other.worth).then(other.at.cmp(&self.at))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_one() {
        for x in [1.0_f64, 1.3, 2.0, 17.5, 1000.0] {
            assert!((ln(x) - x.ln()).abs() < 1e-6, "{x}");
        }
    }

    #[test]
    fn the_knee_is_where_gains_stop_growing() {
        let steps = [(0, 0.0), (10, 5.0), (20, 8.0), (30, 8.5), (40, 9.0)];
        assert_eq!(knee(&steps, 0), 3);
        assert_eq!(knee(&steps, 30), 4);
    }
}

//! Scores, and the choice of segments under a budget.
//!
//! The objective is monotone and submodular: relevance to the query, and coverage of the text's concepts with diminishing returns.
//! Nearly greedy choice by gain for its length comes within a constant factor of the best choice, and repeats stop paying by
//! themselves. Arithmetic uses only operations that IEEE 754 rounds the same way everywhere, so that every machine chooses
//! alike.

use std::collections::HashMap;
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

/// Levels of worth that candidates are sorted into, and how much lower each begins than the one before. The last holds all the rest.
const LEVELS: usize = 96;
const STEP: f64 = 0.93;

/// Chooses the segments that stay. `pinned` ones stay whatever the budget says.
///
/// What a segment is worth falls as others are taken. Looking for the best again after every choice would cost the square of the
/// text's length; instead candidates wait in levels of worth. A level is gone through once, from its best: a candidate that is still worth
/// its level is taken, another moves down. So each is looked at once for each level at most, and what is chosen is worth at
/// least [`STEP`] of the best that was left.
pub(super) fn choose(objective: &Objective<'_>, pinned: &[bool], budget: Budget) -> Choice {
    let segments = objective.segments;
    let total: usize = segments.iter().map(|segment| segment.range.len()).sum();
    let mut state = State::new(objective);
    for at in (0..segments.len()).filter(|at| pinned[*at]) {
        state.take(at, Why::Pinned);
    }
    let (least, most) = match budget {
        Budget::Share(share) => (share, share),
        Budget::Knee { least, most } => (least, most),
    };
    let bytes = |share: f64| (share * total as f64) as usize;
    let mut waiting = Waiting::of(
        (0..segments.len()).filter(|at| state.whys[*at].is_none()).map(|at| Candidate { worth: state.worth(at), at }),
    );
    // Each choice with the bytes that stay after it and the sum of gains so far.
    let mut steps: Vec<(usize, f64)> = vec![(state.bytes, 0.0)];
    let mut order: Vec<Group> = vec![Group::default()];
    let mut gained = 0.0;
    for level in 0..LEVELS {
        for candidate in waiting.take(level) {
            let at = candidate.at;
            if state.whys[at].is_some() || state.bytes + segments[at].range.len() > bytes(most) {
                continue;
            }
            let worth = state.worth(at);
            if waiting.level(worth) > level {
                waiting.add(Candidate { worth, at });
                continue;
            }
            let group = state.group(at);
            let cost: usize = group.members().map(|member| segments[member].range.len()).sum();
            if state.bytes + cost > bytes(most) {
                continue;
            }
            for member in group.members() {
                let gain = state.gain(member);
                gained += gain;
                state.scores[member] = gain;
                state.take(member, if member == at { Why::Chosen } else { Why::Bound });
            }
            steps.push((state.bytes, gained));
            order.push(group);
        }
    }
    let cut = if least < most { knee(&steps, bytes(least)) } else { steps.len() };
    for at in order.iter().skip(cut).flat_map(Group::members) {
        state.whys[at] = None;
    }
    let dropped = |(at, why): (usize, &Option<Why>)| {
        why.unwrap_or(if objective.index.duplicates[at] { Why::Duplicate } else { Why::BelowCut })
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

/// What is known about the choice before anything is chosen.
pub(super) struct Objective<'a> {
    segments: &'a [Segment],
    index: &'a Index,
    /// Relevance squared over its sum, times lambda.
    relevance: Vec<f64>,
    /// For each term its weight over the sum of weights, times what lambda leaves.
    weights: Vec<f64>,
    /// What a segment's gain is divided by: a power of its length.
    lengths: Vec<f64>,
    leans: Vec<Lean>,
}

impl<'a> Objective<'a> {
    pub(super) fn new(text: &str, segments: &'a [Segment], index: &'a Index, query: Option<&str>) -> Self {
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
            lengths: segments.iter().map(|segment| length_power(segment.range.len())).collect(),
            leans: segments.iter().enumerate().map(lean_of).collect(),
        }
    }
}

/// The power 5/8 of a length in words, made of roots because these are exact.
fn length_power(bytes: usize) -> f64 {
    let words = bytes as f64 / 5.0 + 15.0;
    words.sqrt() * words.sqrt().sqrt().sqrt()
}

struct State<'a> {
    objective: &'a Objective<'a>,
    counts: Vec<u32>,
    /// What one more segment with the term would gain by it.
    margins: Vec<f64>,
    whys: Vec<Option<Why>>,
    scores: Vec<f64>,
    bytes: usize,
}

impl<'a> State<'a> {
    fn new(objective: &'a Objective<'a>) -> Self {
        Self {
            objective,
            counts: vec![0; objective.weights.len()],
            margins: objective.weights.clone(),
            whys: vec![None; objective.segments.len()],
            scores: vec![0.0; objective.segments.len()],
            bytes: 0,
        }
    }

    /// What the objective grows by when the segment stays.
    fn gain(&self, at: usize) -> f64 {
        let terms = self.objective.index.terms_of(at);
        self.objective.relevance[at] + terms.iter().map(|(term, _)| self.margins[*term as usize]).sum::<f64>()
    }

    /// What the segment is worth for its length, with those that must stay with it.
    fn worth(&self, at: usize) -> f64 {
        let objective = self.objective;
        let stands_alone = objective.leans[at] == Lean::No && objective.leans.get(at + 1) != Some(&Lean::Both);
        let (gain, length) = if stands_alone {
            (self.gain(at), objective.lengths[at])
        } else {
            let group = self.group(at);
            let bytes = group.members().map(|member| objective.segments[member].range.len()).sum();
            (group.members().map(|member| self.gain(member)).sum(), length_power(bytes))
        };
        let redundant = if objective.index.duplicates[at] { 0.1 } else { 1.0 };
        redundant * gain / length
    }

    /// The segment and those that must stay with it, and do not yet.
    fn group(&self, at: usize) -> Group {
        let leans = &self.objective.leans;
        let mut group = Group::default();
        let mut add = |member: usize| {
            if self.whys[member].is_none() {
                group.add(member);
            }
        };
        add(at);
        let mut first = at;
        while leans[first] != Lean::No && at - first < 2 {
            first -= 1;
            add(first);
        }
        if leans.get(at + 1) == Some(&Lean::Both) {
            add(at + 1);
        }
        group
    }

    fn take(&mut self, at: usize, why: Why) {
        self.whys[at] = Some(why);
        self.bytes += self.objective.segments[at].range.len();
        for (term, _) in self.objective.index.terms_of(at) {
            let term = *term as usize;
            self.counts[term] += 1;
            let count = f64::from(self.counts[term]);
            self.margins[term] = self.objective.weights[term] * ((count + 1.0).sqrt() - count.sqrt());
        }
    }
}

/// Segments that stay together: one, two that it leans on at most, and the next one if that takes it back.
#[derive(Clone, Copy, Default)]
struct Group {
    members: [usize; 4],
    count: usize,
}

impl Group {
    fn add(&mut self, member: usize) {
        self.members[self.count] = member;
        self.count += 1;
    }

    fn members(&self) -> impl Iterator<Item = usize> + use<> {
        self.members.into_iter().take(self.count)
    }
}

/// Candidates by levels of worth.
struct Waiting {
    /// Where each level ends, downwards.
    ends: Vec<f64>,
    levels: Vec<Vec<Candidate>>,
}

impl Waiting {
    fn of(candidates: impl Iterator<Item = Candidate>) -> Self {
        let candidates: Vec<Candidate> = candidates.collect();
        let mut end = candidates.iter().map(|candidate| candidate.worth).fold(0.0, f64::max);
        let mut ends = Vec::with_capacity(LEVELS - 1);
        for _ in 1..LEVELS {
            end *= STEP;
            ends.push(end);
        }
        let mut waiting = Self { ends, levels: vec![Vec::new(); LEVELS] };
        candidates.into_iter().for_each(|candidate| waiting.add(candidate));
        waiting
    }

    fn level(&self, worth: f64) -> usize {
        self.ends.partition_point(|end| *end > worth)
    }

    fn add(&mut self, candidate: Candidate) {
        let level = self.level(candidate.worth);
        self.levels[level].push(candidate);
    }

    /// The candidates of a level, the best first.
    fn take(&mut self, level: usize) -> Vec<Candidate> {
        let mut candidates = std::mem::take(&mut self.levels[level]);
        candidates.sort_unstable_by(|a, b| b.worth.total_cmp(&a.worth).then(a.at.cmp(&b.at)));
        candidates
    }
}

/// A segment and its worth when it was last looked at.
#[derive(Clone, Copy)]
struct Candidate {
    worth: f64,
    at: usize,
}

fn scale(values: &mut [f64], to: f64) {
    let sum: f64 = values.iter().sum();
    if sum > 0.0 {
        values.iter_mut().for_each(|value| *value *= to / sum);
    }
}

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

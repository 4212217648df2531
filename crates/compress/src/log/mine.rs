//! Template mining: which lines are the same message with other values.
//!
//! Two lines belong together when their separator text is equal byte for byte and their words differ only where a value may
//! stand. Words with digits are values from the start. Words without (user names, states) become values when several messages differ
//! in one such word only. The outcome depends on the set of lines, not on their order, except that a template is
//! represented by its first line. Cost: a constant number of passes over the words.

use std::ops::Range;

use super::lex::{self, HashedMap, Quotes, Word};

/// Lines with more words than this are not mined: they are data, not messages.
const MAX_WORDS: usize = 600;

/// How many messages must differ in one word for that word to count as a value. Two are enough: which words are values decides how a
/// message is written, and [`super::omit`] keeps one line for each value of a word that has few.
const MERGE_FROM: u32 = 2;

/// How often merging is repeated; each round can free one more word.
const MERGE_ROUNDS: usize = 3;

/// The lines of a text sorted into templates.
pub(crate) struct Mined<'t> {
    /// Each line without its `\n`, which is no part of the message.
    pub(crate) lines: &'t [&'t str],
    words: Vec<Word>,
    spans: Vec<Range<u32>>,
    template_of: Vec<u32>,
    /// In order of their first lines.
    pub(crate) templates: Vec<Template>,
}

/// A message.
#[derive(Debug)]
pub(crate) struct Template {
    /// Index of its first line.
    pub(crate) first: usize,
    /// Index of its last line.
    pub(crate) last: usize,
    /// How many lines.
    pub(crate) count: usize,
    /// Per word: whether any line differs from the first one there, and where.
    pub(crate) varying: Vec<Option<Varying>>,
}

/// Where a varying word varies: between the fixed start and the fixed end that all lines share, cut at a sign that
/// separates parts of a location (`Worker:17:Pool@688`), so that every part that varies is written whole.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Varying {
    /// Bytes at the start of the word that every line shares.
    pub(crate) prefix: usize,
    /// Bytes at its end.
    pub(crate) suffix: usize,
    /// Length of the shortest value.
    shortest: usize,
}

impl Varying {
    /// The part of a word that varies; `None` for a word that is too short to have the fixed ones.
    pub(crate) fn value<'w>(&self, word: &'w str) -> Option<&'w str> {
        word.get(self.prefix..word.len().checked_sub(self.suffix)?)
    }

    fn narrow(&mut self, first: &[u8], other: &[u8]) {
        self.shortest = self.shortest.min(other.len());
        self.prefix = first[..self.prefix].iter().zip(other).take_while(|(a, b)| a == b).count();
        let ends = first[first.len() - self.suffix..].iter().rev().zip(other.iter().rev());
        self.suffix = ends.take_while(|(a, b)| a == b).count();
    }

    /// Cuts both ends back to a separating sign, and leaves every value at least one byte.
    fn settle(&mut self, first: &[u8]) {
        let parts = |byte: &u8| matches!(byte, b':' | b'@' | b'#');
        self.prefix = first[..self.prefix].iter().rposition(parts).map_or(0, |at| at + 1);
        let end = first.len() - self.suffix;
        self.suffix = first[end..].iter().position(parts).map_or(0, |at| first.len() - end - at);
        if self.prefix + self.suffix >= self.shortest {
            self.prefix = 0;
        }
        if self.suffix >= self.shortest {
            self.suffix = 0;
        }
    }
}

const NONE: u32 = u32::MAX;

impl<'t> Mined<'t> {
    /// The template of a line; `None` for a line that is not mined.
    pub(crate) fn template(&self, line: usize) -> Option<usize> {
        Some(self.template_of[line]).filter(|id| *id != NONE).map(|id| id as usize)
    }

    /// The words of a line.
    pub(crate) fn words(&self, line: usize) -> &[Word] {
        let span = &self.spans[line];
        &self.words[span.start as usize..span.end as usize]
    }
}

/// A set of lines that are equal but for their values; what merging works on.
struct Group {
    /// Hash of everything that is not a value.
    hash: u64,
    /// Per word, its share of `hash`; 0 for values.
    terms: Range<usize>,
    merged_into: u32,
}

/// Groups, and the terms of all of them behind one another: a text may have as many groups as lines.
#[derive(Default)]
struct Groups {
    groups: Vec<Group>,
    terms: Vec<u64>,
}

/// Sorts lines into templates.
pub(crate) fn mine<'t>(lines: &'t [&'t str], quotes: Quotes) -> Mined<'t> {
    let mut words = Vec::with_capacity(lines.len() * 12);
    let mut spans = Vec::with_capacity(lines.len());
    let mut group_of = Vec::with_capacity(lines.len());
    let mut groups = Groups::default();
    let mut known: HashedMap<u32> = HashedMap::default();
    for line in lines {
        let start = words.len();
        lex::words(line, quotes, &mut words);
        let found = &words[start..];
        spans.push(start as u32..words.len() as u32);
        if found.len() > MAX_WORDS || u32::try_from(words.len()).is_err() {
            group_of.push(NONE);
            continue;
        }
        let terms = groups.terms.len();
        let hash = signature(line, found, &mut groups.terms);
        let next = groups.groups.len() as u32;
        let group = *known.entry(hash).or_insert(next);
        if group == next {
            let terms = terms..groups.terms.len();
            groups.groups.push(Group { hash, terms, merged_into: NONE });
        } else {
            groups.terms.truncate(terms);
        }
        group_of.push(group);
    }
    for _ in 0..MERGE_ROUNDS {
        if !merge(&mut groups) {
            break;
        }
    }
    let Groups { groups, .. } = groups;
    let mut mined = Mined { lines, words, spans, template_of: group_of, templates: Vec::new() };
    assign(&mut mined, &groups);
    mined
}

/// Hash of the separators and of the words that are no values. A sum over words, so that one word can be taken out of it; the share of each
/// is added to `terms`.
fn signature(line: &str, words: &[Word], terms: &mut Vec<u64>) -> u64 {
    let bytes = line.as_bytes();
    let mut sum = 0_u64;
    let mut from = 0;
    let mut separators = words.len() as u64;
    for (place, word) in words.iter().enumerate() {
        separators = fold_separator(separators, &bytes[from..word.start as usize]);
        from = word.end as usize;
        let term = term(line, word, place);
        sum = sum.wrapping_add(term);
        terms.push(term);
    }
    separators = fold_separator(separators, &bytes[from..]);
    sum.wrapping_add(lex::mix(separators))
}

/// Separators are short; most are one blank.
fn fold_separator(state: u64, separator: &[u8]) -> u64 {
    match separator {
        [one] => (state ^ u64::from(*one)).wrapping_mul(0x2545_f491_4f6c_dd1d).rotate_left(23),
        other => lex::mix(state.rotate_left(7) ^ lex::hash(other)),
    }
}

fn term(line: &str, word: &Word, place: usize) -> u64 {
    if word.digit { 0 } else { lex::mix(lex::hash(word.of(line)).wrapping_add(place as u64)) }
}

/// Joins groups that differ in one word; whether any were joined.
fn merge(Groups { groups, terms }: &mut Groups) -> bool {
    let without = |hash: u64, terms: &[u64], place: usize| hash.wrapping_sub(terms[place]) ^ lex::mix(place as u64 + 1);
    let live = |group: &Group| group.merged_into == NONE;
    let mut alike: HashedMap<u32> = HashedMap::default();
    alike.reserve(terms.len() / 4);
    for group in groups.iter().filter(|group| live(group)) {
        let terms = &terms[group.terms.clone()];
        for place in free_places(terms) {
            *alike.entry(without(group.hash, terms, place)).or_default() += 1;
        }
    }
    // Each group goes where most of its kind go; on a tie, to the earliest word.
    let mut joined: HashedMap<u32> = HashedMap::default();
    let mut any = false;
    for (index, group) in groups.iter_mut().enumerate() {
        if !live(group) {
            continue;
        }
        let terms = &mut terms[group.terms.clone()];
        let best = free_places(terms)
            .map(|place| (alike.get(&without(group.hash, terms, place)).copied().unwrap_or(0), place))
            .max_by_key(|(count, place)| (*count, std::cmp::Reverse(*place)));
        let Some((count, place)) = best else { continue };
        if count < MERGE_FROM {
            continue;
        }
        let key = without(group.hash, terms, place);
        match joined.get(&key).copied() {
            Some(into) => {
                group.merged_into = into;
                any = true;
            }
            None => {
                joined.insert(key, index as u32);
                group.hash = group.hash.wrapping_sub(terms[place]);
                terms[place] = 0;
            }
        }
    }
    any
}

/// The words that may still become values, by their terms. A message must keep two terms, and more than a quarter of its words.
fn free_places(terms: &[u64]) -> impl Iterator<Item = usize> + '_ {
    let left = terms.iter().filter(|term| **term != 0).count();
    let enough = left >= 3 && left * 4 > terms.len();
    terms.iter().enumerate().filter(move |(_, term)| enough && **term != 0).map(|(place, _)| place)
}

/// Turns groups into templates and finds the words that really vary. A line that does not fit its template (two different texts
/// with one hash) gets none.
fn assign(mined: &mut Mined<'_>, groups: &[Group]) {
    let mut template_of_group = vec![NONE; groups.len()];
    for line in 0..mined.lines.len() {
        if mined.template_of[line] == NONE {
            continue;
        }
        let mut group = mined.template_of[line] as usize;
        while groups[group].merged_into != NONE {
            group = groups[group].merged_into as usize;
        }
        if template_of_group[group] == NONE {
            template_of_group[group] = mined.templates.len() as u32;
            let varying = vec![None; mined.words(line).len()];
            mined.templates.push(Template { first: line, last: line, count: 1, varying });
            mined.template_of[line] = template_of_group[group];
            continue;
        }
        let id = template_of_group[group] as usize;
        let first = mined.templates[id].first;
        if !same_skeleton(mined, first, line) {
            mined.template_of[line] = NONE;
            continue;
        }
        mined.template_of[line] = id as u32;
        let Mined { lines, words, spans, templates, .. } = &mut *mined;
        let of = |index: usize| &words[spans[index].start as usize..spans[index].end as usize];
        let template = &mut templates[id];
        template.last = line;
        template.count += 1;
        for (place, (word, other)) in of(first).iter().zip(of(line)).enumerate() {
            let (word, other) = (word.of(lines[first]), other.of(lines[line]));
            if word != other {
                let whole = Varying { prefix: word.len(), suffix: word.len(), shortest: word.len() };
                template.varying[place].get_or_insert(whole).narrow(word, other);
            }
        }
    }
    let Mined { lines, words, spans, templates, .. } = mined;
    for template in templates {
        let span = &spans[template.first];
        for (word, varying) in words[span.start as usize..].iter().zip(&mut template.varying) {
            if let Some(varying) = varying {
                varying.settle(word.of(lines[template.first]));
            }
        }
    }
}

/// Whether two lines have equal separator text.
fn same_skeleton(mined: &Mined<'_>, one: usize, other: usize) -> bool {
    let (a, b) = (mined.words(one), mined.words(other));
    if a.len() != b.len() {
        return false;
    }
    let (line_a, line_b) = (mined.lines[one].as_bytes(), mined.lines[other].as_bytes());
    let (mut from_a, mut from_b) = (0, 0);
    for (x, y) in a.iter().zip(b) {
        if !same_separator(&line_a[from_a..x.start as usize], &line_b[from_b..y.start as usize]) {
            return false;
        }
        (from_a, from_b) = (x.end as usize, y.end as usize);
    }
    line_a[from_a..] == line_b[from_b..]
}

/// Whether two separators are equal. Most are one blank, for which a comparison of slices of any length is a call too many.
#[inline]
fn same_separator(one: &[u8], other: &[u8]) -> bool {
    match (one, other) {
        ([one], [other]) => one == other,
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn templates(text: &str) -> Vec<(usize, usize, usize)> {
        let lines: Vec<&str> = text.lines().collect();
        mine(&lines, Quotes::Open)
            .templates
            .iter()
            .map(|template| (template.first, template.count, template.varying.iter().flatten().count()))
            .collect()
    }

    #[test]
    fn lines_that_differ_in_numbers_are_one_message() {
        assert_eq!(templates("took 5 ms at 1\ndone\ntook 9 ms at 1\n"), [(0, 2, 1), (1, 1, 0)]);
    }

    #[test]
    fn names_become_values_when_several_messages_differ_in_them_only() {
        let text = "login of user ann failed\nlogin of user bob failed\nlogin of user eve failed\nstopped\n";
        assert_eq!(templates(text), [(0, 3, 1), (3, 1, 0)]);
    }

    #[test]
    fn the_templates_do_not_depend_on_the_order_of_lines() {
        let mut lines: Vec<String> = (0..40).map(|i| format!("job {i} of queue {} ended well\n", i % 3)).collect();
        lines.extend(["ann", "bob", "eve"].map(|name| format!("session of {name} was closed now\n")));
        let sizes = |text: &str| {
            let mut sizes: Vec<_> = templates(text).into_iter().map(|(_, count, varying)| (count, varying)).collect();
            sizes.sort_unstable();
            sizes
        };
        let forward = sizes(&lines.concat());
        lines.reverse();
        assert_eq!(sizes(&lines.concat()), forward);
    }
}

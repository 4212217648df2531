//! Command output.
//!
//! Exact: what git prints has forms of its own ([`history`], [`graph`], [`tree`], [`stat`], [`blame`]). Of all else padding ([`columns`]) and words
//! that come many times in a row ([`runs`]) go, and so do words that stand above ([`ditto`]); lines that start alike are folded under what they share ([`crate::search::fold`]) or written as
//! template and values ([`crate::log::exact`]), but for lines that somebody may quote ([`verbatim`]). Standard: escape sequences, which nobody sees, go;
//! noise is left out, by declarative filters ([`filter`], `filters/*.toml`) and by shape ([`noise`], [`git`]). Failures, findings,
//! places, counts and verdicts stay, and nothing is said that the command did not say.

mod blame;
mod columns;
mod ditto;
mod family;
mod filter;
mod findings;
mod git;
mod graph;
mod history;
mod noise;
mod oids;
mod rows;
mod runs;
mod stat;
mod steps;
mod tree;

use std::borrow::Cow;
use std::sync::{LazyLock, OnceLock};

pub use filter::FilterError;
use filter::{Filters, Judgement};
use headroom_core::{Compressed, Compressor, Goal, Kind, Original, Segment};

use crate::weigh::FLOOR_OMITTING;
use crate::{again, lines, matter, phrases, search, terminal, verbatim};

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
        filters.extend(own);
    }
    filters.compile()?;
    OWN_FILTERS.set(filters).map_err(|_| FilterError::too_late())
}

/// The user's filters.
static OWN_FILTERS: OnceLock<Filters> = OnceLock::new();

/// The filters that are in use: those that come with the program, then the user's.
static FILTERS: LazyLock<Filters> = LazyLock::new(|| {
    let mut filters = Filters::default();
    for text in FILTER_FILES {
        // A test reads every file and checks what it says; one that could not be read would filter nothing.
        filters.extend(Filters::read(text).unwrap_or_default());
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
        let exact = |phrases: Phrases| {
            let encoded = encode(segment.text, goal, phrases);
            let plain = match phrases {
                Phrases::None => return encoded.map(Compressed::exact),
                Phrases::Any => |_: &str, _| 0,
                Phrases::Unquoted => quoted,
            };
            phrases::over(segment.text, encoded, goal.tokens, decode, plain).map(Compressed::exact)
        };
        let Some(Omitted { omitting, data }) = goal.original().map(|original| omit(segment, original, goal)) else {
            return exact(Phrases::of(segment));
        };
        let phrases = if data { Phrases::Unquoted } else { Phrases::None };
        let Some(omitting) = omitting else { return exact(phrases) };
        let clearly = if data { CLEARLY_DATA } else { CLEARLY };
        if omitting.text.len() * clearly < segment.text.len() {
            return Some(omitting);
        }
        let Some(exact) = exact(phrases) else { return Some(omitting) };
        let (with_all, with_gaps) = (goal.tokens.count(&exact.text), goal.tokens.count(&omitting.text));
        // Gaps that save hardly anything are not worth asking for what is behind them, and would not be sent.
        let few = || with_gaps + FLOOR_OMITTING > goal.tokens.count(segment.text);
        Some(if with_all <= with_gaps || few() { exact } else { omitting })
    }
}

/// So many lines at either end of a text tell whether a filter knows it.
const ENDS: usize = 60;

/// What of an exact encoding may be written as phrases.
#[derive(Clone, Copy)]
enum Phrases {
    /// Nothing: in what a tool did, lines are looked for as they are.
    None,
    /// What nobody quotes of data.
    Unquoted,
    /// Everything: of a history that may not be cut otherwise.
    Any,
}

impl Phrases {
    /// For a text that may not be cut otherwise.
    fn of(segment: &Segment<'_>) -> Self {
        // Both ends of an output say what printed it.
        let ends = segment.text.lines().take(ENDS).chain(segment.text.lines().rev().take(ENDS));
        let lines: Vec<&str> = ends.collect();
        let is_steps = segment.hints.command.and_then(family::output_of) == Some(family::Output::Steps);
        match () {
            () if git::is_history(&lines) => Self::Any,
            () if is_steps || FILTERS.knows(segment.hints.command, &lines) => Self::None,
            () => Self::Unquoted,
        }
    }
}

/// How many bytes of a text stand in no phrase from a place on: a line that somebody may quote, or that marks a gap; the name of a file, which is
/// copied into commands.
fn quoted(text: &str, at: usize) -> usize {
    if let Some(line) = phrases::line_at(text, at).filter(|line| matter::is_quoted(line) || line.starts_with("[-")) {
        return line.len();
    }
    let bytes = text.as_bytes();
    if at > 0 && !bytes[at - 1].is_ascii_whitespace() || bytes[at].is_ascii_whitespace() {
        return 0;
    }
    let word = &bytes[at..];
    let word = &word[..word.iter().position(u8::is_ascii_whitespace).unwrap_or(word.len())];
    if memchr::memchr(b'/', word).is_some() { word.len() } else { 0 }
}

/// The exact encoding, proved by decoding it; `None` when none is shorter.
fn encode(text: &str, goal: &Goal<'_>, phrases: Phrases) -> Option<String> {
    let reads_back = |encoded: &String| decode(encoded).as_deref() == Some(text);
    if let Some(blame) = blame::encode(text).filter(reads_back) {
        return Some(blame);
    }
    if let Some(list) = stat::encode(text).filter(|list| stat::decode(list).as_deref() == Some(text)) {
        // Names of files are no findings, whatever words they are made of.
        return Some(search::shortest(&list, goal, &|_| false).unwrap_or(list)).filter(reads_back);
    }
    if let Some(history) = history::encode(text).or_else(|| graph::encode(text)) {
        // Messages that are alike, of bots, are folded where that is shorter still.
        let alike = search::shortest(&history, goal, &|_| false);
        let shorter = alike.filter(|alike| goal.tokens.count(alike) < goal.tokens.count(&history));
        if let Some(history) = Some(shorter.unwrap_or(history)).filter(reads_back) {
            return Some(history);
        }
    }
    if let Some(list) = tree::encode(text) {
        return Some(search::shortest(&list, goal, &|_| false).unwrap_or(list)).filter(reads_back);
    }
    let again = again::encode(text).filter(|encoded| encoded.len() < text.len());
    let source = again.as_deref().unwrap_or(text);
    let lines: Vec<&str> = lines::each(source).map(lines::body).collect();
    let mut fixed = verbatim::lines(&lines);
    if again.is_some() {
        fixed.iter_mut().zip(&lines).for_each(|(fixed, line)| *fixed |= again::is_mark(line));
    }
    let shortest = shortest(source, goal, &fixed, phrases);
    // What that wrote has been read back. It is read once more only where it was given something other than the text.
    if again.is_none() && !is_laid_out(text) && !again::is_encoded(text) {
        return shortest;
    }
    shortest.or(again).filter(reads_back)
}

/// The exact encoding of lines with the fewest tokens, laid out in another way where that helps; what it wrote has been read back. Lines that are
/// `fixed` are written as they are.
fn shortest(text: &str, goal: &Goal<'_>, fixed: &[bool], phrases: Phrases) -> Option<String> {
    let encode = |text: &str, fixed: &[bool]| search::shortest(text, goal, &|line| fixed.get(line) != Some(&false));
    let as_it_is = encode(text, fixed);
    // The steps of a tool are sentences, which are laid out in no columns.
    if matches!(phrases, Phrases::None) {
        return as_it_is;
    }
    let layouts = layouts(text, fixed);
    let (last, fixed_last) =
        layouts.last().map_or((text, fixed), |(layout, fixed)| (layout.as_str(), fixed.as_slice()));
    let ditto = ditto::encode(last, |line| fixed_last.get(line) != Some(&false));
    if layouts.is_empty() && ditto.is_none() {
        return as_it_is;
    }
    let cost = |text: &str| goal.tokens.count(text);
    let mut best = (as_it_is.as_deref().map_or_else(|| cost(text), cost), as_it_is);
    let laid_out = layouts.into_iter().map(|(layout, fixed)| (encode(&layout, &fixed).unwrap_or(layout), 100));
    for (encoded, percent) in laid_out.chain(ditto.map(|ditto| (ditto, DITTO_PERCENT))) {
        let tokens = cost(&encoded);
        if tokens * 100 < best.0 * percent && decode_lines(&encoded).as_deref() == Some(text) {
            best = (tokens, Some(encoded));
        }
    }
    best.1
}

/// Rows that say no more than what is not above must come to less than this part of the next best form in percent: phrases make that one shorter.
const DITTO_PERCENT: usize = 85;

/// Other layouts of a text, each with the lines of it that are fixed.
fn layouts(text: &str, fixed: &[bool]) -> Vec<(String, Vec<bool>)> {
    let plain = |fixed: &[bool], line: usize| fixed.get(line) != Some(&false);
    let mut layouts = Vec::new();
    if let Some((columns, marks)) = columns::encode(text, |line| plain(fixed, line)) {
        let mut inserted = fixed.to_vec();
        marks.into_iter().for_each(|mark| inserted.insert(mark, true));
        layouts.push((columns, inserted));
    }
    let (source, fixed) = layouts.last().map_or((text, fixed), |(columns, fixed)| (columns.as_str(), fixed.as_slice()));
    if let Some(runs) = runs::encode(source, |line| plain(fixed, line)) {
        let inserted = std::iter::once(true).chain(fixed.iter().copied()).collect();
        layouts.push((runs, inserted));
    }
    layouts
}

/// The rows of a table without padding, runs and what stands above, whichever is shortest; proved by decoding it.
pub(crate) fn rows_of_table(text: &str) -> Option<String> {
    let lines = memchr::memchr_iter(b'\n', text.as_bytes()).count() + 1;
    let (layout, fixed) = layouts(text, &vec![false; lines]).pop()?;
    let ditto = ditto::encode(&layout, |line| fixed.get(line) != Some(&false));
    Some(ditto.unwrap_or(layout)).filter(|encoded| decode_lines(encoded).as_deref() == Some(text))
}

/// What [`shortest`] wrote; `None` for a text that it did not write.
fn decode_lines(written: &str) -> Option<String> {
    let mut text = search::decode(written);
    for (is_encoded, decode) in LAYOUTS {
        if is_encoded(text.as_deref().unwrap_or(written)) {
            text = Some(decode(text.as_deref().unwrap_or(written))?);
        }
    }
    text
}

/// Whether a text starts like one that is laid out in another way.
fn is_laid_out(text: &str) -> bool {
    LAYOUTS.iter().any(|(is_encoded, _)| is_encoded(text))
}

/// How layouts are known and read, the one that is written last first.
const LAYOUTS: [Layout; 3] =
    [(ditto::is_encoded, ditto::decode), (runs::is_encoded, runs::decode), (columns::is_encoded, columns::decode)];

type Layout = (fn(&str) -> bool, fn(&str) -> Option<String>);

/// What an exact encoding of command output says; `None` for a text that is none.
pub(crate) fn decode(written: &str) -> Option<String> {
    if let Some(text) = blame::decode(written) {
        return Some(text);
    }
    let lines = decode_lines(written);
    match lines.as_deref().unwrap_or(written) {
        list if stat::is_encoded(list) => stat::decode(list),
        list if tree::is_encoded(list) => tree::decode(list),
        commits if history::is_encoded(commits) => history::decode(commits),
        commits if graph::is_encoded(commits) => graph::decode(commits),
        blocks if again::is_encoded(blocks) => again::decode(blocks),
        _ => lines,
    }
}

/// No exact encoding of what a tool did was seen to come close to this fraction of it, and none of data to this one.
const CLEARLY: usize = 3;
const CLEARLY_DATA: usize = 6;

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

/// An output without noise.
struct Omitted {
    /// `None` when there is no noise in it.
    omitting: Option<Compressed>,
    /// Whether it is data that no filter knows: nobody quotes its lines as findings.
    data: bool,
}

impl Omitted {
    fn data(omitting: Compressed) -> Self {
        Self { omitting: Some(omitting), data: true }
    }
}

/// Leaves the noise out.
fn omit(segment: &Segment<'_>, original: &Original<'_>, goal: &Goal<'_>) -> Omitted {
    if let Some((body, omissions)) = blame::shorten(original) {
        return Omitted::data(Compressed::omitting(body, original, omissions));
    }
    if let Some(list) = stat::shorten(segment.text) {
        let list = search::shortest(&list, goal, &|_| false).unwrap_or(list);
        return Omitted::data(Compressed::omitting(list, original, Vec::new()));
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
    let data = !known && !steps && !git::is_history(&bodies);
    let names = if data { rows::fold(&bodies, &fixed_rows(&bodies, &hunks), &mut keep) } else { Vec::new() };
    noise::fold_blocks(&bodies, &hunks, &mut keep);
    noise::drop_blank_between(&bodies, &mut keep);
    lines::fill_small_gaps(&shown, &mut keep);
    let same = raw.iter().zip(&shown).all(|(raw, shown)| raw == shown) && keep.iter().all(|kept| *kept);
    let name = |line: usize| names.get(line).copied().unwrap_or_default();
    let (body, omissions) = lines::omit_named(original, &keep, |line| shown[line], name);
    let short = oids::shorten(&body);
    if same && short.is_none() {
        return Omitted { omitting: None, data };
    }
    let (body, said) = short.unwrap_or((body, String::new()));
    // What is left may still start alike; gap marks are written as they are.
    let fixed = after_omission(&fixed, &keep);
    let mut encoded = shortest(&body, goal, &fixed, if data { Phrases::Unquoted } else { Phrases::None });
    if data {
        encoded = phrases::over(&body, encoded, goal.tokens, decode_lines, quoted);
    }
    let mut body = encoded.unwrap_or(body);
    if !said.is_empty() && !body.ends_with('\n') {
        body.push('\n');
    }
    Omitted { omitting: Some(Compressed::omitting(body + &said, original, omissions)), data }
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

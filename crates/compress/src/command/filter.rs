//! Declarative filters: which lines of a command's output are noise, as data.
//!
//! The files are TOML in the format of RTK's filters, and more:
//!
//! ```toml
//! [filters.make]
//! match_command = "^make\\b"                  # regex on the command line
//! when_lines_match = ["^make\\[\\d+\\]: "]    # or: two lines of the output look like this (ours)
//! strip_lines_matching = ["^make\\[\\d+\\]: (Entering|Leaving)"]
//! pass_lines_matching = ["^PASS: "]          # success lines: left out whatever they are about (ours)
//! pass_sections = [{ from = "^= PASSES =$", to = "^= " }]     # what belongs to successes, up to the line `to` (ours)
//! guard_sections = [{ from = "^= FAILURES =$", to = "^= " }]  # where no series of alike lines is folded (ours)
//! data = true                                # lines that are alike are data here, not steps (ours)
//! keep_lines_matching = []                   # if not empty, only these are kept
//! max_lines = 400                            # also head_lines, tail_lines
//! [[tests.make]]
//! name = "directories are noise"
//! input = "make[1]: Entering directory '/x'\ncc a.c"
//! expected = "cc a.c"
//! ```
//!
//! The inline tests run when a file is read. Fields that would put words into the output (`match_output.message`, `on_empty`) or change a line (`replace`,
//! `truncate_lines_at`) are read for what they say about noise: output that `match_output` sums up is noise but for the lines that match, a line
//! that `replace` empties is noise. Nothing is printed that the command did not print, and a line that [`matters`](super::matter::matters)
//! stays whatever a filter says, unless it is a success line; in a section of successes, a line that tells of a failure stays.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use regex::{Regex, RegexSet};
use serde::Deserialize;

use crate::matter::{is_failure, is_frame, matters};

/// A set of filters, in the order they are tried.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    filters: Vec<Filter>,
    /// What any of them is known by: most lines belong to none, and are asked once instead of by each. Patterns that start with a line are
    /// by themselves, because these have done with most lines after a few bytes.
    known: [Patterns; 2],
    /// Filters of somebody else that are tried last.
    more: Option<&'static Filters>,
}

impl Filters {
    /// Reads a filter file and holds it against its own tests.
    pub(crate) fn parse(text: &str) -> Result<Self, FilterError> {
        let (filters, tests) = Self::read_with_tests(text)?;
        for (name, filter) in &filters {
            let problem = |problem: String| FilterError { filter: Some(name.clone()), problem };
            filter.compile().map_err(|error| problem(error.to_string()))?;
            for case in tests.get(name).into_iter().flatten() {
                filter.check(case).map_err(problem)?;
            }
        }
        match tests.into_keys().find(|name| filters.iter().all(|(known, _)| known != name)) {
            None => Ok(Self::of(filters.into_iter().map(|(_, filter)| filter).collect())),
            Some(name) => Err(FilterError { filter: Some(name), problem: "has tests but no rules".to_owned() }),
        }
    }

    /// Reads a filter file that is known to do what its tests say. Its patterns are compiled when they are needed.
    ///
    /// # Errors
    ///
    /// Something else than a filter file.
    pub(crate) fn read(text: &str) -> Result<Self, FilterError> {
        Ok(Self::of(Self::read_with_tests(text)?.0.into_iter().map(|(_, filter)| filter).collect()))
    }

    fn read_with_tests(text: &str) -> Result<(Named, Tests), FilterError> {
        let file: File =
            toml::from_str(text).map_err(|error| FilterError { filter: None, problem: error.to_string() })?;
        let filter = |(name, rules): (String, Rules)| match Filter::new(rules) {
            Ok(filter) => Ok((name, filter)),
            Err(error) => Err(FilterError { filter: Some(name), problem: error.to_string() }),
        };
        Ok((file.filters.into_iter().map(filter).collect::<Result<_, _>>()?, file.tests))
    }

    fn of(filters: Vec<Filter>) -> Self {
        let patterns = filters.iter().flat_map(|filter| &filter.when.sources).cloned();
        let (anchored, others) = patterns.partition(|pattern: &String| pattern.starts_with('^'));
        Self { filters, known: [Patterns::new(anchored), Patterns::new(others)], more: None }
    }

    /// Compiles now what outputs are known by.
    ///
    /// # Errors
    ///
    /// Together they are more than a set of patterns may be.
    pub(crate) fn compile(&self) -> Result<(), FilterError> {
        let compiled = self.known.iter().try_for_each(Patterns::compile);
        compiled.map_err(|error| FilterError { filter: None, problem: error.to_string() })
    }

    /// Adds the filters of another file, which are tried later.
    pub(crate) fn extend(&mut self, other: Self) {
        let filters = std::mem::take(&mut self.filters).into_iter().chain(other.filters).collect();
        *self = Self { more: self.more, ..Self::of(filters) };
    }

    /// Adds filters that live as long as the program, which are tried last.
    pub(crate) fn borrow(&mut self, other: &'static Self) {
        self.more = Some(other);
    }

    /// What the filters say about lines (as seen). Every filter that fits the command or the output has its say.
    pub(crate) fn judge(&self, command: Option<&str>, lines: &[&str]) -> Judgement {
        let mut judgement = Judgement::all(lines.len());
        let mut is_data = false;
        let own = self.fitting(command, lines);
        let more = self.more.map(|more| more.fitting(command, lines)).unwrap_or_default();
        for filter in own.into_iter().chain(more) {
            filter.apply(lines, &mut judgement);
            judgement.steps = true;
            judgement.known = true;
            is_data |= filter.data;
        }
        judgement.steps &= !is_data;
        judgement
    }

    /// Whether any filter fits the command or the output.
    pub(crate) fn knows(&self, command: Option<&str>, lines: &[&str]) -> bool {
        !self.fitting(command, lines).is_empty() || self.more.is_some_and(|more| more.knows(command, lines))
    }

    /// The filters for this command or this output.
    fn fitting(&self, command: Option<&str>, lines: &[&str]) -> Vec<&Filter> {
        let sample = lines.iter().take(SAMPLE).chain(lines.iter().skip(SAMPLE).rev().take(SAMPLE));
        let is_known = |line: &&str| self.known.iter().any(|known| known.is_match(line));
        let known: Vec<&str> = sample.copied().filter(is_known).collect();
        self.filters.iter().filter(|filter| filter.fits(command, &known)).collect()
    }
}

/// Filters with their names.
type Named = Vec<(String, Filter)>;

/// The tests of filters, by name.
type Tests = BTreeMap<String, Vec<Case>>;

/// What filters say about the lines of an output.
#[derive(Debug)]
pub(crate) struct Judgement {
    /// Which lines are no noise.
    pub(crate) keep: Vec<bool>,
    /// Which lines belong to failures, where even lines that are alike stay.
    pub(crate) guarded: Vec<bool>,
    /// Whether the output is known, and reports steps rather than data.
    pub(crate) steps: bool,
    /// Whether any filter fits the output.
    pub(crate) known: bool,
}

impl Judgement {
    /// Nothing is noise.
    fn all(lines: usize) -> Self {
        Self { keep: vec![true; lines], guarded: vec![false; lines], steps: false, known: false }
    }
}

/// A filter file that cannot be read, or that does not do what its own tests say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError {
    filter: Option<String>,
    problem: String,
}

impl FilterError {
    pub(crate) fn in_file(self, file: &str) -> Self {
        Self { problem: format!("{file}: {self}"), filter: None }
    }

    pub(crate) fn too_late() -> Self {
        Self { filter: None, problem: "filters are in use already and cannot be changed".to_owned() }
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.filter {
            Some(name) => write!(f, "filter {name:?}: {}", self.problem),
            None => f.write_str(&self.problem),
        }
    }
}

impl std::error::Error for FilterError {}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    filters: BTreeMap<String, Rules>,
    #[serde(default)]
    tests: Tests,
}

/// What a filter is to make of an output; checked when the file is read.
#[derive(Deserialize)]
struct Case {
    name: String,
    input: String,
    expected: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Rules {
    match_command: Option<String>,
    when_lines_match: Vec<String>,
    strip_lines_matching: Vec<String>,
    pass_lines_matching: Vec<String>,
    pass_sections: Vec<SectionRule>,
    guard_sections: Vec<SectionRule>,
    data: bool,
    keep_lines_matching: Vec<String>,
    replace: Vec<Replace>,
    match_output: Vec<MatchOutput>,
    head_lines: Option<usize>,
    tail_lines: Option<usize>,
    max_lines: Option<usize>,
}

#[derive(Deserialize)]
struct SectionRule {
    from: String,
    to: String,
}

#[derive(Deserialize)]
struct Replace {
    pattern: String,
    #[serde(default)]
    replacement: String,
}

#[derive(Deserialize)]
struct MatchOutput {
    pattern: String,
    unless: Option<String>,
}

/// How many lines at either end are looked at to see whether a filter fits.
const SAMPLE: usize = 400;

/// Patterns that are compiled when a line is first held against them: of all filters few are ever needed, and compiling takes longer than
/// reading what most commands print.
#[derive(Debug, Default)]
struct Patterns {
    sources: Vec<String>,
    set: OnceLock<RegexSet>,
}

impl Patterns {
    const fn new(sources: Vec<String>) -> Self {
        Self { sources, set: OnceLock::new() }
    }

    fn one(source: String) -> Self {
        Self::new(vec![source])
    }

    fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Whether any of them matches. There is nothing to compile where there are none.
    fn is_match(&self, line: &str) -> bool {
        // Files that come with the program are read by a test, those of users by `compile`.
        !self.is_empty() && self.set.get_or_init(|| RegexSet::new(&self.sources).unwrap_or_default()).is_match(line)
    }

    /// Compiles them now.
    fn compile(&self) -> Result<(), regex::Error> {
        let set = RegexSet::new(&self.sources)?;
        // Whoever came first has compiled the same.
        let _ = self.set.set(set);
        Ok(())
    }
}

/// One filter.
#[derive(Debug)]
struct Filter {
    command: Patterns,
    when: Patterns,
    strip: Patterns,
    pass: Patterns,
    pass_sections: Vec<Section>,
    guard_sections: Vec<Section>,
    data: bool,
    keep: Patterns,
    replace: Vec<(Regex, String)>,
    sums_up: Vec<(Patterns, Patterns)>,
    head: Option<usize>,
    tail: Option<usize>,
}

impl Filter {
    fn new(rules: Rules) -> Result<Self, regex::Error> {
        let some = |source: Option<String>| Patterns::new(source.into_iter().collect());
        let sections = |rules: Vec<SectionRule>| rules.into_iter().map(Section::new).collect();
        let replace = |rule: Replace| Ok((Regex::new(&rule.pattern)?, rule.replacement));
        Ok(Self {
            command: some(rules.match_command),
            when: Patterns::new(rules.when_lines_match),
            strip: Patterns::new(rules.strip_lines_matching),
            pass: Patterns::new(rules.pass_lines_matching),
            pass_sections: sections(rules.pass_sections),
            guard_sections: sections(rules.guard_sections),
            data: rules.data,
            keep: Patterns::new(rules.keep_lines_matching),
            replace: rules.replace.into_iter().map(replace).collect::<Result<_, regex::Error>>()?,
            sums_up: rules
                .match_output
                .into_iter()
                .map(|rule| (Patterns::one(rule.pattern), some(rule.unless)))
                .collect(),
            head: rules.head_lines.or(rules.max_lines),
            tail: rules.tail_lines,
        })
    }

    /// Compiles all patterns now.
    ///
    /// # Errors
    ///
    /// One that is none.
    fn compile(&self) -> Result<(), regex::Error> {
        let sections = self.pass_sections.iter().chain(&self.guard_sections);
        [&self.command, &self.when, &self.strip, &self.pass, &self.keep]
            .into_iter()
            .chain(sections.flat_map(|section| [&section.from, &section.to]))
            .chain(self.sums_up.iter().flat_map(|(pattern, unless)| [pattern, unless]))
            .try_for_each(Patterns::compile)
    }

    fn check(&self, case: &Case) -> Result<(), String> {
        let lines: Vec<&str> = case.input.lines().collect();
        let mut judgement = Judgement::all(lines.len());
        self.apply(&lines, &mut judgement);
        let kept = lines.iter().zip(judgement.keep).filter(|(_, kept)| *kept).map(|(line, _)| *line);
        let kept = kept.collect::<Vec<_>>().join("\n");
        if kept == case.expected { Ok(()) } else { Err(format!("test {:?} keeps {kept:?}", case.name)) }
    }

    /// Whether the command is this filter's, or the output is: two of its lines are. `known` are those that some filter knows.
    fn fits(&self, command: Option<&str>, known: &[&str]) -> bool {
        let asked = command.is_some_and(|command| {
            command.split(['&', ';', '|', '\n']).any(|part| self.command.is_match(part.trim_start()))
        });
        let own = || known.iter().filter(|line| self.when.is_match(line)).take(2).count();
        asked || own() == 2
    }

    fn apply(&self, lines: &[&str], judgement: &mut Judgement) {
        self.guard_sections.iter().for_each(|section| section.mark(lines, &mut judgement.guarded));
        let mut passed = vec![false; lines.len()];
        self.pass_sections.iter().for_each(|section| section.mark(lines, &mut passed));
        let keep = &mut judgement.keep[..];
        let sums_up = |line: &str| self.sums_up.iter().any(|(pattern, _)| pattern.is_match(line));
        let summed_up = self.sums_up.iter().any(|(pattern, unless)| {
            lines.iter().any(|line| pattern.is_match(line)) && !lines.iter().any(|line| unless.is_match(line))
        });
        for ((line, keep), passed) in lines.iter().zip(&mut *keep).zip(passed) {
            let noise = self.strip.is_match(line)
                || (!self.keep.is_empty() && !self.keep.is_match(line))
                || (summed_up && !sums_up(line))
                || self.is_emptied(line);
            let succeeded = self.pass.is_match(line);
            *keep &= !succeeded && (!noise || matters(line)) && (!passed || is_failure(line) || is_frame(line));
        }
        self.cut(lines, keep);
    }

    fn is_emptied(&self, line: &str) -> bool {
        if self.replace.is_empty() || line.trim().is_empty() {
            return false;
        }
        let replaced = self
            .replace
            .iter()
            .fold(line.to_owned(), |line, (pattern, with)| pattern.replace_all(&line, with).into_owned());
        replaced.trim().is_empty()
    }

    /// Keeps the first and last of what is left, and what matters in between.
    fn cut(&self, lines: &[&str], keep: &mut [bool]) {
        if self.head.is_none() && self.tail.is_none() {
            return;
        }
        let kept: Vec<usize> = (0..keep.len()).filter(|line| keep[*line]).collect();
        let (head, tail) = (self.head.unwrap_or(0), self.tail.unwrap_or(0));
        let middle = kept.get(head..kept.len().saturating_sub(tail)).unwrap_or_default();
        for line in middle.iter().filter(|line| !matters(lines[**line])) {
            keep[*line] = false;
        }
    }
}

/// Lines between two lines, both of which are outside.
#[derive(Debug)]
struct Section {
    from: Patterns,
    to: Patterns,
}

impl Section {
    fn new(rule: SectionRule) -> Self {
        Self { from: Patterns::one(rule.from), to: Patterns::one(rule.to) }
    }

    /// A section without an end goes on to the last line. The line that ends one may begin the next.
    fn mark(&self, lines: &[&str], marks: &mut [bool]) {
        let mut inside = false;
        for (line, mark) in lines.iter().zip(marks) {
            if inside && self.to.is_match(line) {
                inside = false;
            }
            *mark |= inside;
            inside |= self.from.is_match(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(filters: &str, command: &str, output: &str) -> String {
        let filters = Filters::parse(filters).expect("a filter file");
        let lines: Vec<&str> = output.lines().collect();
        let keep = filters.judge(Some(command), &lines).keep;
        lines.iter().zip(keep).filter(|(_, keep)| *keep).map(|(line, _)| *line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_field_takes_lines_out_and_none_puts_any_in() {
        let strip = "[filters.x]\nmatch_command = '^make'\nstrip_lines_matching = ['^noise']";
        assert_eq!(kept(strip, "cd a && make all", "noise 1\ncc a.c\nnoise error 2"), "cc a.c\nnoise error 2");
        assert_eq!(kept(strip, "ninja", "noise 1\ncc a.c"), "noise 1\ncc a.c");
        let keep = "[filters.x]\nmatch_command = '.'\nkeep_lines_matching = ['^k']";
        assert_eq!(kept(keep, "a", "k1\nx\nk2\nwarning: w"), "k1\nk2\nwarning: w");
        let whole = "[filters.x]\nmatch_command = '.'\nmatch_output = [{ pattern = 'up to date', message = 'ok', unless = 'error' }]\non_empty = 'done'";
        assert_eq!(kept(whole, "a", "reading\nall up to date"), "all up to date");
        assert_eq!(kept(whole, "a", "reading\nall up to date\nerror: x"), "reading\nall up to date\nerror: x");
        let cut = "[filters.x]\nmatch_command = '.'\nhead_lines = 1\ntail_lines = 1";
        assert_eq!(kept(cut, "a", "1\n2\nfailed\n4\n5"), "1\nfailed\n5");
        let max = "[filters.x]\nmatch_command = '.'\nmax_lines = 2\nreplace = [{ pattern = '^#.*', replacement = '' }]";
        assert_eq!(kept(max, "a", "# c\n1\n2\n3"), "1\n2");
    }

    #[test]
    fn sections_of_successes_go_and_sections_of_failures_are_guarded() {
        let filters = "[filters.x]\nmatch_command = '.'\npass_sections = [{ from = '^= P', to = '^= ' }]\nguard_sections = [{ from = '^= F', to = '^= ' }]";
        let output = "= PASSES\nwarning: printed by a test that passed\n= FAILURES\nE x\n= end\nz";
        assert_eq!(kept(filters, "a", output), "= PASSES\n= FAILURES\nE x\n= end\nz");
        let lines: Vec<&str> = output.lines().collect();
        let judgement = Filters::parse(filters).expect("a filter file").judge(Some("a"), &lines);
        assert_eq!(judgement.guarded, [false, false, false, true, false, false]);
        assert!(judgement.steps);
    }

    #[test]
    fn a_file_that_fails_its_own_tests_is_refused() {
        let file = |expected: &str| {
            format!(
                "[filters.x]\nstrip_lines_matching = ['^a']\n[[tests.x]]\nname = 'n'\ninput = \"a\\nb\"\nexpected = '{expected}'"
            )
        };
        assert!(Filters::parse(&file("b")).is_ok());
        assert!(Filters::parse(&file("a")).unwrap_err().to_string().contains("test \"n\" keeps \"b\""));
        assert!(Filters::parse("[[tests.y]]\nname = 'n'\ninput = ''\nexpected = ''").is_err());
    }

    #[test]
    fn a_bad_file_says_which_filter_is_wrong() {
        assert!(Filters::parse("[filters.bad]\nmatch_command = '('").unwrap_err().to_string().contains("\"bad\""));
        assert!(Filters::parse("filters = 3").is_err());
    }
}

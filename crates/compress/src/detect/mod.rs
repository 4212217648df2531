//! What a text is (part of ContentRouter). One file per kind; structure decides, and doubt means [`Kind::Opaque`].
//!
//! Every test looks at a bounded [`Sample`] of lines and asks for shapes that repeat, never for a single word. What is known
//! about a text (the command, the file name) only chooses between readings that the text allows. Parsers are the
//! exception: JSON and HTML are certain from their syntax.

mod code;
mod command;
pub(crate) mod diff;
mod html;
mod json;
mod log;
mod prose;
mod search;
mod split;
pub(crate) mod starts;
mod table;

use headroom_core::{Hints, Kind, Language, Segment};

pub use split::{Piece, split};

/// What a text was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detection {
    /// The kind; [`Kind::Opaque`] when nothing was certain.
    pub kind: Kind,
}

/// Finds out what the segment's text is. Linear, and looks at a bounded sample where that is enough.
pub fn detect(segment: &Segment<'_>) -> Detection {
    Detection { kind: segment.hints.kind.unwrap_or_else(|| kind_of(segment.text, &segment.hints)) }
}

fn kind_of(text: &str, hints: &Hints<'_>) -> Kind {
    if text.trim_start().is_empty() {
        return Kind::Opaque;
    }
    if json::is_json(text) {
        return Kind::Json;
    }
    let sample = Sample::of(text);
    if sample.binary {
        return Kind::Opaque;
    }
    if text.trim_start().starts_with("<?xml") {
        return if command::is_test_report(&sample) { Kind::Command } else { Kind::Opaque };
    }
    if html::is_html(text) {
        return Kind::Html;
    }
    let origin = Origin::of(hints);
    if search::is_shell_history(&sample) {
        return Kind::Command;
    }
    if search::is_numbered_view(&sample) {
        // A file shown with line numbers. Without its name nothing is known about what may be left out of it.
        return origin.language.map_or(Kind::Opaque, Kind::Code);
    }
    if let Some(language) = origin.language.filter(|_| origin.is_file) {
        return Kind::Code(language);
    }
    if diff::is_diff(&sample) {
        return Kind::Diff;
    }
    // The parser of tables is strict, so what it reads is one, whatever else its cells look like.
    if table::is_table(text) {
        return Kind::Table;
    }
    if command::is_command(&sample) {
        return Kind::Command;
    }
    if search::is_search(&sample, &origin) {
        return Kind::Search;
    }
    if log::is_log(&sample) {
        let is_listing = command::is_padded(&sample) || log::is_register(&sample);
        return if is_listing { Kind::Command } else { Kind::Log };
    }
    let mixed = sample.lines.iter().any(|line| diff::is_hunk_header(line));
    if let Some(language) = code::language(&sample).filter(|_| !mixed) {
        return Kind::Code(language);
    }
    if prose::is_prose(&sample) {
        return Kind::Prose;
    }
    // What a shell command printed can be folded where it repeats itself, whatever it is.
    if (origin.is_shell || mixed || is_data(&sample)) && !origin.is_file { Kind::Command } else { Kind::Opaque }
}

/// Whether a machine wrote the lines, by their shapes.
fn is_data(sample: &Sample<'_>) -> bool {
    command::is_regular(sample) || command::is_numeric(sample) || command::is_columnar(sample)
}

/// Some lines of a text: all of a short one, else its start, a piece of its middle and its end.
pub(crate) struct Sample<'t> {
    /// Without line ends; long ones are cut.
    pub(crate) lines: Vec<&'t str>,
    /// Those of them that are not blank.
    filled: Vec<&'t str>,
    /// It holds NUL bytes.
    binary: bool,
}

impl<'t> Sample<'t> {
    const FROM_START: usize = 240;
    const FROM_MIDDLE: usize = 60;
    const FROM_END: usize = 60;
    const LINE_BYTES: usize = 400;
    /// How much of the text is looked at for each part, however long its lines are.
    const PART_BYTES: usize = 48 * 1024;

    pub(crate) fn of(text: &'t str) -> Self {
        let mut lines = Vec::new();
        let start = head(text, Self::PART_BYTES);
        let mut taken = 0;
        for line in start.split_inclusive('\n').take(Self::FROM_START) {
            taken += line.len();
            lines.push(line);
        }
        let rest = &text[taken..];
        let end = tail(rest, Self::PART_BYTES);
        if !rest.is_empty() {
            let middle = tail(&rest[..rest.len() - end.len()], rest.len() / 2);
            let after_line = |part: &'t str| part.find('\n').map_or("", |at| &part[at + 1..]);
            lines.extend(after_line(head(middle, Self::PART_BYTES)).split_inclusive('\n').take(Self::FROM_MIDDLE));
            let last = if end.len() == rest.len() { end } else { after_line(end) };
            let mut last: Vec<&str> = last.rsplit_terminator('\n').take(Self::FROM_END).collect();
            last.reverse();
            lines.extend(last);
        }
        let binary = lines.iter().any(|line| memchr::memchr(0, line.as_bytes()).is_some());
        let lines: Vec<&str> = lines.into_iter().map(|line| head(crate::lines::body(line), Self::LINE_BYTES)).collect();
        let filled = lines.iter().copied().filter(|line| !line.trim_start().is_empty()).collect();
        Self { lines, filled, binary }
    }

    /// Lines that are not blank.
    pub(crate) fn filled(&self) -> impl Iterator<Item = &'t str> + '_ {
        self.filled.iter().copied()
    }

    /// Whether at least `percent` of the lines that are not blank, and at least `least` of them, satisfy `test`.
    pub(crate) fn mostly(&self, percent: usize, least: usize, test: impl Fn(&str) -> bool) -> bool {
        let (mut all, mut hits) = (0, 0);
        for line in self.filled() {
            all += 1;
            hits += usize::from(test(line));
        }
        hits >= least && hits * 100 >= all * percent
    }

    /// How many lines satisfy `test`.
    pub(crate) fn count(&self, test: impl Fn(&str) -> bool) -> usize {
        self.lines.iter().filter(|line| test(line)).count()
    }
}

/// The start of `text`, at most `bytes` long.
fn head(text: &str, bytes: usize) -> &str {
    &text[..floor(text, bytes)]
}

/// The end of `text`, at most `bytes` long.
fn tail(text: &str, bytes: usize) -> &str {
    let mut from = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

fn floor(text: &str, bytes: usize) -> usize {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}

/// What the hints say about where a text came from.
pub(crate) struct Origin<'a> {
    /// The program that printed it.
    pub(crate) program: Option<&'a str>,
    /// It is what a file holds, as far as the hints go.
    is_file: bool,
    /// A shell or a tool like it ran.
    is_shell: bool,
    /// The language that the file's name stands for.
    language: Option<Language>,
}

impl<'a> Origin<'a> {
    fn of(hints: &Hints<'a>) -> Self {
        let words: Vec<&str> = hints.command.map(last_command).unwrap_or_default().split_whitespace().collect();
        let program = words.iter().find(|word| !is_setting(word)).map(|word| word.rsplit('/').next().unwrap_or(word));
        let shows_file = program.is_some_and(|program| {
            ["cat", "bat", "head", "tail", "sed", "nl", "less", "more", "open", "view", "type", "Get-Content"]
                .contains(&program)
        });
        // What the kernel says there is no file that anybody edits.
        let of_kernel = words.iter().any(|word| word.starts_with("/proc/") || word.starts_with("/sys/"));
        let shows_file = shows_file && !of_kernel;
        let of_name = |name: &str| Language::of_extension(name.rsplit_once('.')?.1.trim_matches(['"', '\'']));
        let named = words.iter().skip(1).rev().find_map(|word| of_name(word)).filter(|_| shows_file);
        Self {
            program,
            is_file: hints.path.is_some_and(|path| !holds_output(path)) || shows_file,
            is_shell: hints.command.is_some(),
            language: hints.path.and_then(of_name).or(named),
        }
    }
}

/// Whether a file's name says that it holds what a command printed.
fn holds_output(path: &str) -> bool {
    const ENDINGS: [&str; 7] = ["txt", "log", "out", "err", "stdout", "stderr", "output"];
    path.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

/// The last command of a line that prints what is seen: after `cd x &&`, `;`, and before a pipe that only shortens.
fn last_command(line: &str) -> &str {
    let line = line.lines().next().unwrap_or_default();
    let last =
        line.rsplit(['&', ';']).map(str::trim).find(|part| !part.is_empty() && !part.starts_with('>')).unwrap_or(line);
    last.split('|').next().unwrap_or(last).trim()
}

/// `NAME=value` before a command, and commands that run another one.
fn is_setting(word: &str) -> bool {
    ["sudo", "time", "env", "nice", "nohup", "command", "exec"].contains(&word)
        || word
            .split_once('=')
            .is_some_and(|(name, _)| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
}

#[cfg(test)]
mod tests;

//! The exact encoding of lines that repeat a message with other values, and its decoder.
//!
//! ```text
//! [lines: "A=" a line with its {varying parts}; "A x y" that line with x, y; " part as above, "/x its directory with x, '12 it
//! with another end; =3 three more times]
//! A=081109 {203615} {148} INFO dfs.DataNode: PacketResponder {1} for block {blk_388} terminating
//! A 203807 222 0 blk_695
//! ```
//!
//! A line that stands alone is written as it is. Order is kept, and every value that is written is written whole, except that
//! the time of day may repeat the start of the time above it (`'12`).

use std::fmt::Write as _;
use std::ops::Range;

use super::lex::{self, Quotes, Word};
use super::mine::{Mined, Template};
use crate::lines;

/// The first words of a line are mostly time, process and level: "as above" means the previous encoded line there. For
/// later words it means the previous line of the same template.
const HEAD: usize = 6;

/// A directory of fewer bytes is repeated: a whole path is easier to read and to find.
const DIRECTORY: usize = 16;

/// At most this many templates get a name: `A` to `Z` and `AA` to `ZZ`.
const NAMES: usize = 26 + 26 * 26;

/// Signs that can enclose the varying parts of a template; a pair that the text does not use is taken.
const BRACES: [(char, char); 5] = [('{', '}'), ('<', '>'), ('«', '»'), ('‹', '›'), ('⟦', '⟧')];

const INTRODUCTION: &str = "[lines: \"A=\" a line with its ";
const LEGEND: &str = "varying parts";
const RULES: &str = "; \"A x y\" that line with x, y; \" part as above, \"/x its directory with x, '12 it with another end; =3 three more times]\n";

/// Encodes lines; `None` when no template repeats, or no sign is free to enclose the varying parts.
///
/// Lines for which `plain` holds are written as they are. `terminated` says whether the last line ended in `\n`.
pub(crate) fn encode(mined: &Mined<'_>, plain: impl Fn(usize) -> bool, terminated: bool) -> Option<String> {
    let (open, close) = free_braces(mined.lines)?;
    let names = names(mined, &plain);
    if names.iter().all(Option::is_none) {
        return None;
    }
    let mut text = format!("{INTRODUCTION}{open}{LEGEND}{close}{RULES}");
    let mut above = Above::default();
    let mut last_of: Vec<usize> = vec![0; mined.templates.len()];
    let mut repeats = 0;
    for (index, line) in mined.lines.iter().enumerate() {
        let template = mined.template(index).filter(|_| !plain(index));
        let named = template.and_then(|id| Some((id, names[id].as_deref()?)));
        let Some((id, name)) = named else {
            end_run(&mut text, &mut repeats);
            write_plain(&mut text, line);
            continue;
        };
        let (words, template) = (mined.words(index), &mined.templates[id]);
        if template.first == index {
            end_run(&mut text, &mut repeats);
            write_definition(&mut text, name, line, words, template, (open, close));
        } else {
            let previous = last_of[id];
            let same =
                index > 0 && previous == index - 1 && mined.lines[previous] == *line && previous != template.first;
            if same {
                repeats += 1;
            } else {
                end_run(&mut text, &mut repeats);
                let old = Line { text: mined.lines[previous], words: mined.words(previous) };
                write_row(&mut text, name, Line { text: line, words }, old, template, &above);
            }
        }
        above.note(words, |word| &line[word.start as usize..word.end as usize]);
        last_of[id] = index;
    }
    end_run(&mut text, &mut repeats);
    if !terminated {
        text.pop();
    }
    Some(text)
}

/// Gives back what [`encode`] was given; `None` for a text it did not write.
pub(crate) fn decode(encoded: &str) -> Option<String> {
    let rest = encoded.strip_prefix(INTRODUCTION)?;
    let open = rest.chars().next()?;
    let rest = rest[open.len_utf8()..].strip_prefix(LEGEND)?;
    let close = rest.chars().next()?;
    let rows = rest[close.len_utf8()..].strip_prefix(RULES)?;
    let mut decoder = Decoder { open, close, above: Above::default(), templates: Vec::new(), words: Vec::new() };
    let mut text = String::with_capacity(encoded.len() * 2);
    for row in lines::split(rows) {
        let (row, end) = row.strip_suffix('\n').map_or((row, ""), |row| (row, "\n"));
        decoder.row(row, end, &mut text)?;
    }
    Some(text)
}

/// The first pair of signs that the lines do not use.
fn free_braces(lines: &[&str]) -> Option<(char, char)> {
    let uses = |line: &&str, (open, close): (char, char)| match (u8::try_from(open), u8::try_from(close)) {
        (Ok(open @ 0..0x80), Ok(close @ 0..0x80)) => memchr::memchr2(open, close, line.as_bytes()).is_some(),
        _ => !line.is_ascii() && line.contains([open, close]),
    };
    BRACES.into_iter().find(|pair| !lines.iter().any(|line| uses(line, *pair)))
}

/// Which templates are worth a name: those whose fixed text, written once less each time, outweighs the name and the braces.
fn names(mined: &Mined<'_>, plain: impl Fn(usize) -> bool) -> Vec<Option<String>> {
    let mut given = 0;
    mined
        .templates
        .iter()
        .map(|template| {
            let line = mined.lines[template.first];
            let varying = template.varying.iter().flatten().count();
            let words = mined.words(template.first).iter().zip(&template.varying);
            let values: usize =
                words.filter_map(|(word, varying)| varying.map(|at| word.of(line).len() - at.prefix - at.suffix)).sum();
            let gain = (line.len() - values) * (template.count - 1);
            let cost = 4 + 4 * varying + template.count * (2 + varying);
            (gain > cost && given < NAMES && !plain(template.first)).then(|| {
                given += 1;
                name(given - 1)
            })
        })
        .collect()
}

fn name(index: usize) -> String {
    let letter = |index: usize| char::from(b'A' + index as u8);
    match index.checked_sub(26) {
        None => letter(index).to_string(),
        Some(rest) => [letter(rest / 26), letter(rest % 26)].into_iter().collect(),
    }
}

fn index_of(name: &str) -> Option<usize> {
    let digit = |byte: u8| byte.is_ascii_uppercase().then(|| usize::from(byte - b'A'));
    match name.as_bytes() {
        [one] => digit(*one),
        [tens, ones] => Some(26 + digit(*tens)? * 26 + digit(*ones)?),
        _ => None,
    }
}

/// A row's name and what follows it, if the row starts with a name.
fn split_name(row: &str) -> Option<(&str, &str)> {
    let letters = row.bytes().take(3).take_while(u8::is_ascii_uppercase).count();
    let (name, rest) = row.split_at(letters);
    ((1..=2).contains(&letters) && matches!(rest.as_bytes().first(), None | Some(b' ' | b'='))).then_some((name, rest))
}

/// A line as it is; one that could be taken for a row is escaped.
fn write_plain(text: &mut String, line: &str) {
    if line.starts_with('\\') || split_name(line).is_some() {
        text.push('\\');
    }
    text.push_str(line);
    text.push('\n');
}

fn write_definition(
    text: &mut String,
    name: &str,
    line: &str,
    words: &[Word],
    template: &Template,
    (open, close): (char, char),
) {
    text.push_str(name);
    text.push('=');
    let mut from = 0;
    for (word, varying) in words.iter().zip(&template.varying) {
        if let Some(varying) = varying {
            let (start, end) = (word.start as usize + varying.prefix, word.end as usize - varying.suffix);
            text.push_str(&line[from..start]);
            text.push(open);
            text.push_str(&line[start..end]);
            text.push(close);
            from = end;
        }
    }
    text.push_str(&line[from..]);
    text.push('\n');
}

/// A line and its words.
#[derive(Clone, Copy)]
struct Line<'a> {
    text: &'a str,
    words: &'a [Word],
}

impl<'a> Line<'a> {
    fn word(&self, place: usize) -> &'a str {
        let word = self.words[place];
        &self.text[word.start as usize..word.end as usize]
    }
}

fn write_row(text: &mut String, name: &str, line: Line<'_>, old: Line<'_>, template: &Template, above: &Above<&str>) {
    text.push_str(name);
    let mut dittos = 0;
    for (place, varying) in template.varying.iter().enumerate() {
        let Some(varying) = varying else { continue };
        let (new, old) = (line.word(place), above.word(place).copied().unwrap_or(old.word(place)));
        if new == old {
            dittos += 1;
            continue;
        }
        for _ in 0..dittos {
            text.push_str(" \"");
        }
        dittos = 0;
        text.push(' ');
        let end = new.len() - varying.suffix;
        let value = &new[varying.prefix..end];
        match same_start(old, new) {
            Some(shared) if shared > varying.prefix && shared < end => {
                text.push('\'');
                text.push_str(&new[shared..end]);
            }
            _ => match varying.value(old).and_then(|old| same_directory(old, value)) {
                Some(name) => {
                    text.push_str("\"/");
                    text.push_str(name);
                }
                None => text.push_str(value),
            },
        }
    }
    text.push('\n');
}

/// Ends a run of equal lines: `=3` after the row means three more.
fn end_run(text: &mut String, repeats: &mut usize) {
    if *repeats > 0 {
        text.pop();
        // Writing to a string cannot fail.
        let _ = writeln!(text, " ={repeats}");
        *repeats = 0;
    }
}

/// How many bytes two times of day of equal length share at their start, up to a sign; `None` when that is not worth saying.
fn same_start(old: &str, new: &str) -> Option<usize> {
    let timely = |text: &str| {
        let bytes = text.as_bytes();
        bytes.len() >= 8
            && bytes.iter().all(|byte| {
                byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b',' | b'-' | b'T' | b'+' | b'Z' | b'/')
            })
            && bytes.iter().filter(|byte| **byte == b':').count() >= 2
    };
    if old.len() != new.len() || !timely(old) || !timely(new) {
        return None;
    }
    let equal = old.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
    let shared = new.as_bytes()[..equal].iter().rposition(|byte| !byte.is_ascii_digit())? + 1;
    (shared >= 3).then_some(shared)
}

/// What follows the directory of `old` in `new`, when both are in it and it is long enough to be worth not repeating.
fn same_directory<'t>(old: &str, new: &'t str) -> Option<&'t str> {
    let directory = directory(old)?;
    new.strip_prefix(directory).filter(|name| directory.len() >= DIRECTORY && !name.is_empty())
}

/// A path up to its last `/`.
fn directory(path: &str) -> Option<&str> {
    path.rfind('/').map(|at| &path[..=at])
}

/// The first words of the line above, as words or where they stand.
#[derive(Default)]
struct Above<W> {
    words: [W; HEAD],
    known: usize,
}

impl<W> Above<W> {
    /// The word at this place in the line above; `None` when that is not what "as above" means for this place.
    fn word(&self, place: usize) -> Option<&W> {
        self.words[..self.known].get(place)
    }

    fn note(&mut self, words: &[Word], of: impl Fn(&Word) -> W) {
        for (place, word) in words.iter().take(HEAD).enumerate() {
            self.words[place] = of(word);
        }
        self.known = self.known.max(words.len().min(HEAD));
    }
}

/// What the decoder knows of a template: its last line, cut at the values.
struct Known<'e> {
    /// Fixed text before each value, and after the last one.
    fixed: Vec<&'e str>,
    values: Vec<Value>,
}

struct Value {
    /// Where the value in the last line of the template stands in the decoded text.
    last: Range<usize>,
    /// Which word of the line it is in, and how many bytes of the word stand before and after it.
    place: usize,
    prefix: usize,
    suffix: usize,
}

/// Lines are written to the end of the decoded text, and what they repeat is copied from where it stands further up.
struct Decoder<'e> {
    open: char,
    close: char,
    above: Above<Range<usize>>,
    templates: Vec<Known<'e>>,
    /// Reused for every line.
    words: Vec<Word>,
}

impl<'e> Decoder<'e> {
    fn row(&mut self, row: &'e str, end: &str, text: &mut String) -> Option<()> {
        let Some((name, rest)) = split_name(row) else {
            text.push_str(row.strip_prefix('\\').unwrap_or(row));
            text.push_str(end);
            return Some(());
        };
        if let Some(definition) = rest.strip_prefix('=') {
            self.define(definition, text)?;
            text.push_str(end);
            return Some(());
        }
        let index = index_of(name)?;
        let (values, times) = match split_times(rest) {
            Some((values, times)) => (values, times.parse::<usize>().ok()?),
            None => (rest, 0),
        };
        let line = text.len();
        self.repeat(index, values, text)?;
        let line = line..text.len();
        for _ in 0..times {
            text.push('\n');
            text.extend_from_within(line.clone());
        }
        text.push_str(end);
        Some(())
    }

    fn define(&mut self, definition: &'e str, text: &mut String) -> Option<()> {
        let line = text.len();
        let mut fixed = Vec::new();
        let mut spans = Vec::new();
        let mut rest = definition;
        while let Some((before, tail)) = rest.split_once(self.open) {
            let (value, tail) = tail.split_once(self.close)?;
            text.push_str(before);
            spans.push(text.len() - line..text.len() - line + value.len());
            text.push_str(value);
            fixed.push(before);
            rest = tail;
        }
        text.push_str(rest);
        fixed.push(rest);
        self.words.clear();
        lex::words(&text[line..], Quotes::Open, &mut self.words);
        let mut places = self.words.iter().enumerate();
        let mut values = Vec::with_capacity(spans.len());
        for span in spans {
            let (place, word) = places.find(|(_, word)| word.end as usize >= span.end)?;
            let (prefix, suffix) =
                (span.start.checked_sub(word.start as usize)?, (word.end as usize).checked_sub(span.end)?);
            values.push(Value { last: line + span.start..line + span.end, place, prefix, suffix });
        }
        self.above.note(&self.words, |word| line + word.start as usize..line + word.end as usize);
        self.templates.push(Known { fixed, values });
        Some(())
    }

    fn repeat(&mut self, index: usize, row: &str, text: &mut String) -> Option<()> {
        let Known { fixed, values } = self.templates.get_mut(index)?;
        let line = text.len();
        let mut given = row.strip_prefix(' ').map(fields).into_iter().flatten();
        for (value, fixed) in values.iter_mut().zip(&*fixed) {
            // Where what it repeats stands.
            let old = |text: &str| match self.above.word(value.place) {
                Some(word) => {
                    let end = word.len().checked_sub(value.suffix)?;
                    text[word.clone()].get(value.prefix..end)?;
                    Some(word.start + value.prefix..word.start + end)
                }
                None => Some(value.last.clone()),
            };
            text.push_str(fixed);
            let start = text.len();
            match given.next() {
                None | Some("\"") => text.extend_from_within(old(text)?),
                Some(written) => match (written.strip_prefix('\''), written.strip_prefix("\"/")) {
                    (Some(tail), _) => {
                        let old = old(text)?;
                        let shared = old.len().checked_sub(tail.len())?;
                        text[old.clone()].get(..shared)?;
                        text.extend_from_within(old.start..old.start + shared);
                        text.push_str(tail);
                    }
                    (_, Some(name)) => {
                        let old = old(text)?;
                        let directory = directory(&text[old.clone()])?.len();
                        text.extend_from_within(old.start..old.start + directory);
                        text.push_str(name);
                    }
                    _ => text.push_str(written),
                },
            }
            value.last = start..text.len();
        }
        text.push_str(fixed.last()?);
        self.words.clear();
        lex::first_words(&text[line..], Quotes::Open, HEAD, &mut self.words);
        self.above.note(&self.words, |word| line + word.start as usize..line + word.end as usize);
        Some(())
    }
}

/// A row, and behind its last ` =` how often it is repeated.
fn split_times(row: &str) -> Option<(&str, &str)> {
    let bytes = row.as_bytes();
    let at = memchr::memrchr_iter(b'=', bytes).find(|at| *at > 0 && bytes[at - 1] == b' ')?;
    Some((&row[..at - 1], &row[at + 1..]))
}

/// The parts of a row between blanks. They are short, so that looking at each byte beats anything that has to be set up.
fn fields(row: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(row);
    std::iter::from_fn(move || {
        let from = rest?;
        let end = from.bytes().position(|byte| byte == b' ');
        rest = end.map(|end| &from[end + 1..]);
        Some(&from[..end.unwrap_or(from.len())])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::mine::mine;

    fn check(text: &str, expected: &str) {
        let lines: Vec<&str> = text.strip_suffix('\n').unwrap_or(text).split('\n').collect();
        let encoded = encode(&mine(&lines, Quotes::Open), |_| false, text.ends_with('\n')).expect("an encoding");
        assert_eq!(decode(&encoded).as_deref(), Some(text));
        assert_eq!(encoded.split_once('\n').expect("an introduction").1, expected);
    }

    #[test]
    fn rows_hold_what_varies_and_nothing_else() {
        check(
            "12:00:01 web[7]: GET /index.html took 5 ms, status 200\n\
             12:00:01 web[7]: GET /about.html took 9 ms, status 200\n\
             12:00:04 web[8]: GET /about.html took 9 ms, status 200\n\
             12:00:04 web[8]: GET /about.html took 9 ms, status 200\n\
             12:00:04 web[8]: GET /about.html took 9 ms, status 200\n\
             A thing that happened once",
            "A=12:00:{01} web[{7}]: GET {/index.html} took {5} ms, status 200\n\
             A \" \" /about.html 9\n\
             A 04 8 =2\n\
             \\A thing that happened once",
        );
    }

    #[test]
    fn signs_that_the_text_uses_do_not_enclose_values() {
        check(
            "{\"a\":1,\"message\":\"the first of these <1>\"}\n{\"a\":2,\"message\":\"the first of these <1>\"}\n\
             {\"a\":2,\"message\":\"the first of these <1>\"}\n",
            "A={\"a\":«1»,\"message\":\"the first of these <1>\"}\nA 2 =1\n",
        );
    }

    #[test]
    fn names_read_back() {
        for index in 0..NAMES {
            assert_eq!(index_of(&name(index)), Some(index));
        }
    }
}

//! Lines that start alike, written once: paths under their directories, hits under their file, results under what they have in common.
//!
//! ```text
//! [folded: ">x" starts the lines indented below it, and the parts after " + "]
//! >/home/me/project/src/
//!  >model/ + user.rs group.rs role.rs
//!  >view/page.rs:
//!   12:use crate::model;
//!   40:    let page = Page::new();
//! ```
//!
//! Many hits with lines of context have their own introduction: there a line of context that follows the line above it goes without its number,
//! `--` and its text. Hits keep theirs.
//!
//! Starts are cut only behind `/`, `:`, a blank or a tab, so that names stay whole; names without blanks share a line. Order is kept.
//! A row that starts with `\` is a line as it is; an empty row is an empty line.

use super::line::{Coordinate, coordinate};

const INTRODUCTION: &str = "[folded: \">x\" starts the lines indented below it, and the parts after \" + \"]\n";

const WITH_CONTEXT: &str = "[folded: \">x\" starts the lines indented below it; \"--x\" is context x, numbered one more than the line above]\n";

/// In results of fewer lines every line keeps its number.
const LONG: usize = 200;

/// Nesting beyond this is not folded.
const DEPTH: usize = 24;

/// How many shorter starts are tried when what follows one could not stand in a row.
const RETREATS: usize = 6;

/// A group goes on behind this many lines that belong anywhere, not behind more: looking for its rest would take too long.
const PASSED_OVER: usize = 16;

/// How lines are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Under every start that enough lines share: best for few names in many places.
    Tree,
    /// Under their whole directory or file, below what all lines share: best for many names in few places.
    Flat,
    /// As a tree whose names are parted by dots too: keys of settings, names of packages and of tests.
    Dotted,
}

/// Folds lines (without line ends); `None` when no lines start alike. Lines for which `plain` holds (by number, from 0) are written as they are.
pub(crate) fn encode(lines: &[&str], terminated: bool, style: Style, plain: &dyn Fn(usize) -> bool) -> Option<String> {
    let (hits, context) = (are_hits(lines), have_context(lines));
    let counted = context && lines.len() >= LONG;
    let introduction = if counted { WITH_CONTEXT } else { INTRODUCTION };
    let mut writer =
        Writer { text: introduction.to_owned(), style, folded: false, hits, context, counted, above: None };
    let rows: Vec<Row<'_>> =
        lines.iter().enumerate().map(|(at, line)| Row { line, through: is_through(line) || plain(at) }).collect();
    writer.range(&rows, 0, 0);
    if !terminated {
        writer.text.pop();
    }
    writer.folded.then_some(writer.text)
}

/// Gives back what [`encode`] was given; `None` for a text it did not write.
pub(crate) fn decode(encoded: &str) -> Option<String> {
    let (rows, context) = match encoded.strip_prefix(WITH_CONTEXT) {
        Some(rows) => (rows, true),
        None => (encoded.strip_prefix(INTRODUCTION)?, false),
    };
    let mut above: Option<usize> = None;
    let mut text = String::with_capacity(encoded.len() * 2);
    let mut starts: Vec<&str> = Vec::new();
    // Every line begins with all starts and ends with a line feed; the last line's is taken off.
    let mut write = |parts: &[&[&str]]| {
        parts.iter().copied().flatten().for_each(|part| text.push_str(part));
        text.push('\n');
    };
    for row in crate::lines::between(rows) {
        if let Some(line) = row.strip_prefix('\\') {
            write(&[&[line]]);
            continue;
        }
        let depth = row.bytes().take_while(|byte| *byte == b' ').count();
        let rest = &row[depth..];
        if rest.is_empty() {
            write(&[&[row]]);
            continue;
        }
        starts.truncate(depth);
        if starts.len() < depth {
            return None;
        }
        let parts = match rest.strip_prefix('>') {
            Some(heading) => {
                let (start, parts) =
                    heading.split_once(PARTS).map_or((heading, None), |(start, parts)| (start, Some(parts)));
                starts.push(start);
                above = None;
                parts
            }
            None => rest.strip_prefix(&PARTS[1..]),
        };
        match parts {
            Some(parts) => parts.split(' ').for_each(|part| write(&[&starts, &[part]])),
            None if rest.starts_with('>') => {}
            None => match rest.strip_prefix(FOLLOWING).filter(|_| context && depth > 0) {
                Some(following) => {
                    let number = above? + 1;
                    write(&[&starts, &["-", &number.to_string(), "-", following]]);
                    above = Some(number);
                }
                None => {
                    if context {
                        above = number_of(rest).map(|(number, _)| number).or(above);
                    }
                    write(&[&starts, &[rest]]);
                }
            },
        }
    }
    text.pop();
    Some(text)
}

/// Stands for the number of a line of context that follows the line above it, and both its signs.
const FOLLOWING: &str = "--";

/// The number and the text of a row `:12:text` or `-12-text`.
fn number_of(row: &str) -> Option<(usize, &str)> {
    let sign = row.chars().next().filter(|sign| matches!(sign, ':' | '-'))?;
    let (digits, text) = row[1..].split_once(sign)?;
    let number: usize = digits.parse().ok()?;
    // A number that is spelled otherwise, or has no next one, is none of `grep`'s.
    (number.to_string() == digits && number < usize::MAX).then_some((number, text))
}

/// Stands before parts that share a row.
const PARTS: &str = " + ";

/// A line, and whether it may stand inside a group without belonging to it.
#[derive(Clone, Copy)]
struct Row<'t> {
    line: &'t str,
    through: bool,
}

struct Writer {
    text: String,
    style: Style,
    /// Whether any start was written.
    folded: bool,
    /// Lines are hits: each keeps a row of its own, with its number.
    hits: bool,
    /// Hits come with lines of context, whose sign differs: a file is a start without its sign.
    context: bool,
    /// Lines of context that follow the line above them go without their number.
    counted: bool,
    /// The number of the line above, in the same file.
    above: Option<usize>,
}

impl Writer {
    /// Writes lines that share their first `from` bytes, below a start at `depth - 1`.
    fn range(&mut self, rows: &[Row<'_>], from: usize, depth: usize) {
        let mut at = 0;
        let mut parts: Vec<&str> = Vec::new();
        let grouped = self.style == Style::Flat && (depth > 0 || !shares(rows, from));
        // Parts right below a start stand in its row.
        let mut below = depth > 0;
        while at < rows.len() {
            let row = rows[at];
            let line = row.line;
            let run = if row.through || depth >= DEPTH { 1 } else { self.run(&rows[at..], from, grouped) };
            let start = if run > 1 { self.start(&rows[at..at + run], from) } else { None };
            let Some(to) = start else {
                // Nothing worth sharing: the lines by themselves, or as parts of a row.
                for row in &rows[at..at + run] {
                    let rest = row.line.get(from..).unwrap_or_default();
                    if !self.hits && !row.through && is_part(rest) {
                        parts.push(rest);
                    } else {
                        self.parts(&mut parts, depth, &mut below);
                        self.line(*row, from, depth);
                        below = false;
                    }
                }
                at += run;
                continue;
            };
            self.parts(&mut parts, depth, &mut below);
            below = false;
            self.indent(depth);
            self.text.push('>');
            self.text.push_str(&line[from..to]);
            self.text.push('\n');
            self.folded = true;
            self.above = None;
            self.range(&rows[at..at + run], to, depth + 1);
            at += run;
        }
        self.parts(&mut parts, depth, &mut below);
    }

    /// How many lines from the first one on belong together. Lines that belong anywhere are inside a run, not at its end.
    fn run(&self, rows: &[Row<'_>], from: usize, grouped: bool) -> usize {
        let key =
            |line: &str| if grouped { group_end(line, from, self.context) } else { next_cut(line, from, self.style) };
        let Some(end) = key(rows[0].line) else { return 1 };
        let start = &rows[0].line[..end];
        let mut run = 1;
        for (index, Row { line, through }) in rows.iter().enumerate().skip(1) {
            if *through {
                if index >= run + PASSED_OVER {
                    break;
                }
                continue;
            }
            if !line.starts_with(start) || key(line) != Some(end) {
                break;
            }
            run = index + 1;
        }
        run
    }

    /// Where the start that a run shares ends, if it is worth a row of its own.
    fn start(&self, run: &[Row<'_>], from: usize) -> Option<usize> {
        let first = run[0].line;
        let lines = || run.iter().filter(|row| !row.through).map(|row| row.line);
        let count = lines().count();
        let shared = lines().skip(1).fold(first.len(), |shared, line| {
            first.as_bytes()[..shared].iter().zip(line.as_bytes()).take_while(|(a, b)| a == b).count()
        });
        let group = group_end(first, from, self.context).filter(|end| self.style == Style::Flat && *end <= shared);
        let mut end = group.or_else(|| last_cut(first, from, shared, self.style))?;
        for _ in 0..RETREATS {
            if lines().all(|line| is_entry(&line[end..])) && !first[from..end].contains(" +") {
                let worth = (count - 1) * (end - from) >= 6 + count;
                return (worth && is_entry(&first[from..end])).then_some(end);
            }
            end = last_cut(first, from, end - 1, self.style)?;
        }
        None
    }

    /// Writes the parts gathered so far: several in one row, one alone as a line.
    fn parts(&mut self, parts: &mut Vec<&str>, depth: usize, below: &mut bool) {
        if parts.is_empty() {
            return;
        }
        if *below {
            self.text.pop();
            self.text.push_str(PARTS);
        } else {
            self.indent(depth);
            if parts.len() > 1 {
                self.text.push_str(&PARTS[1..]);
            }
        }
        self.folded |= parts.len() > 2;
        self.text.push_str(&parts.join(" "));
        self.text.push('\n');
        parts.clear();
        *below = false;
    }

    fn line(&mut self, Row { line, through }: Row<'_>, from: usize, depth: usize) {
        let nested = self.counted && depth > 0;
        let rest =
            line.get(from..).filter(|rest| is_entry(rest) && !through && !(nested && rest.starts_with(FOLLOWING)));
        match rest {
            Some(rest) => {
                self.indent(depth);
                let numbered = number_of(rest);
                match numbered.zip(self.above) {
                    Some(((number, text), above)) if nested && number == above + 1 && rest.starts_with('-') => {
                        self.text.push_str(FOLLOWING);
                        self.text.push_str(text);
                    }
                    _ => self.text.push_str(rest),
                }
                self.above = numbered.map(|(number, _)| number).or(self.above);
            }
            None if line.is_empty() => {}
            None => {
                self.text.push('\\');
                self.text.push_str(line);
            }
        }
        self.text.push('\n');
    }

    fn indent(&mut self, depth: usize) {
        self.text.extend(std::iter::repeat_n(' ', depth));
    }
}

/// Whether all of these lines go on alike.
fn shares(rows: &[Row<'_>], from: usize) -> bool {
    let Some(first) = rows.iter().find(|row| !row.through).map(|row| row.line) else { return false };
    let Some(end) = next_cut(first, from, Style::Flat) else { return false };
    rows.iter().all(|row| row.through || row.line.starts_with(&first[..end]))
}

/// Whether the lines are hits with coordinates: the first ones decide.
pub(crate) fn are_hits(lines: &[&str]) -> bool {
    let is_hit = |line: &&&str| coordinate(line).is_some();
    let first = || lines.iter().filter(|line| !is_through(line)).take(20);
    first().filter(is_hit).count() * 2 > first().count()
}

/// Whether the hits come with lines of context.
pub(crate) fn have_context(lines: &[&str]) -> bool {
    lines.contains(&"--") && are_hits(lines)
}

/// Whether a row, folded or not, is a hit: `:12:text`, `12:text`, `file:12:text`.
pub(crate) fn is_hit_row(row: &str) -> bool {
    let row = row.trim_start_matches(' ');
    number_of(row).is_some_and(|_| row.starts_with(':'))
        || coordinate(row).is_some_and(|found| {
            matches!(found, Coordinate::Full { sign: ':', .. } | Coordinate::Bare { sign: ':', .. })
        })
}

/// Whether a row is a hit or names a file.
pub(crate) fn is_hit_or_file(row: &str) -> bool {
    row.trim_start_matches(' ').starts_with('>') || is_hit_row(row)
}

/// A line that belongs wherever it stands.
fn is_through(line: &str) -> bool {
    line.trim().is_empty() || line == "--"
}

/// Whether a row can hold this as it is.
fn is_entry(rest: &str) -> bool {
    !rest.is_empty() && !rest.starts_with([' ', '>', '\\', '+'])
}

/// Whether this can share a row with others.
fn is_part(rest: &str) -> bool {
    is_entry(rest) && !rest.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Whether enough lines start like the one above them, or hold a single name, for folding to be worth a try.
pub(crate) fn start_alike(lines: &[&str]) -> bool {
    const SHARED: usize = 6;
    let alike = |pair: &[&str]| {
        let shares = pair[0].len() >= SHARED && pair[0].as_bytes().get(..SHARED) == pair[1].as_bytes().get(..SHARED);
        (shares && !pair[1].starts_with(' ')) || (!pair[1].is_empty() && !pair[1].contains(' '))
    };
    let alike = lines.windows(2).filter(|pair| alike(pair)).count();
    alike * ALIKE_SHARE >= lines.len()
}

/// One line in so many must start like the one above it.
const ALIKE_SHARE: usize = 6;

/// Whether most lines start with a name of several parts between dots, such as `net.ipv4.tcp_fin_timeout`.
pub(crate) fn are_dotted(lines: &[&str]) -> bool {
    let is_dotted = |line: &&&str| {
        let name =
            &line[..line.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(byte)).count()];
        name.split('.').filter(|part| !part.is_empty()).count() >= 3 && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    let first = || lines.iter().filter(|line| !line.is_empty()).take(40);
    first().filter(is_dotted).count() * 3 > first().count() * 2
}

fn is_cut(byte: u8, style: Style) -> bool {
    matches!(byte, b'/' | b':' | b' ' | b'\t') || (byte == b'.' && style == Style::Dotted)
}

/// The end of the next piece of a line that a start may hold.
fn next_cut(line: &str, from: usize, style: Style) -> Option<usize> {
    let bytes = line.as_bytes();
    let ends = |at: &usize| is_cut(bytes[*at], style) && !is_cut(bytes[at + 1], style);
    (from..bytes.len().saturating_sub(1)).find(ends).map(|at| at + 1)
}

/// The last place up to `shared` where a start that begins at `from` may end.
fn last_cut(line: &str, from: usize, shared: usize, style: Style) -> Option<usize> {
    let bytes = line.as_bytes();
    (from + 1..=shared).rev().find(|end| is_cut(bytes[end - 1], style))
}

/// The end of the directory or file that a line belongs to.
fn group_end(line: &str, from: usize, context: bool) -> Option<usize> {
    let end = match coordinate(line) {
        Some(Coordinate::Full { path, .. }) => path.len() + usize::from(!context),
        _ => {
            let ends = |byte: &u8| matches!(byte, b' ' | b'\t' | b'(' | b'[' | b'"');
            let path = line.as_bytes().iter().position(ends).unwrap_or(line.len());
            memchr::memrchr(b'/', &line.as_bytes()[..path])? + 1
        }
    };
    (end > from).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(style: Style, text: &str, expected: &str) {
        let lines: Vec<&str> = text.lines().collect();
        let encoded = encode(&lines, true, style, &|_| false).expect("an encoding");
        assert_eq!(decode(&encoded).as_deref(), Some(text));
        assert_eq!(encoded.split_once('\n').map(|(_, rows)| rows), Some(expected));
    }

    #[test]
    fn names_stand_behind_their_directory() {
        check(
            Style::Flat,
            "/p/src/model/user.rs\n/p/src/model/group.rs\n/p/src/model/role.rs\n/p/src/view/page.rs\n/p/src/view/list.rs\n/p/src/view/form.rs\n",
            ">/p/src/\n >model/ + user.rs group.rs role.rs\n >view/ + page.rs list.rs form.rs\n",
        );
    }

    #[test]
    fn hits_stand_below_their_file() {
        check(
            Style::Flat,
            "src/model/user.rs:12:use crate::model;\nsrc/model/user.rs:40:    let x = 1;\nsrc/view/page.rs:1:use x y;\nsrc/view/page.rs:2:use a b;\n",
            ">src/\n >model/user.rs:\n  12:use crate::model;\n  40:    let x = 1;\n >view/page.rs:\n  1:use x y;\n  2:use a b;\n",
        );
    }

    /// T058: context lines and separators stay where they are.
    #[test]
    fn context_stays_with_its_hit() {
        check(
            Style::Flat,
            "src/model/user.rs-11-before\nsrc/model/user.rs:12:the hit\n--\nsrc/model/user.rs:40:another\nsrc/model/user.rs-41-  after\n",
            ">src/model/user.rs\n -11-before\n :12:the hit\n\\--\n :40:another\n -41-  after\n",
        );
    }

    #[test]
    fn in_long_results_context_counts_on_from_its_hit() {
        let text: String = (0..60)
            .map(|at| {
                let path = format!("src/model/user{}.rs", at / 10);
                let line = at * 9 + 1;
                format!(
                    "{path}-{line}-before\n{path}:{}:the hit\n{path}-{}-after\n{path}-{}---x\n--\n",
                    line + 1,
                    line + 2,
                    line + 5
                )
            })
            .collect();
        let lines: Vec<&str> = text.lines().collect();
        let encoded = encode(&lines, true, Style::Flat, &|_| false).expect("an encoding");
        assert_eq!(decode(&encoded).as_deref(), Some(text.as_str()));
        assert!(encoded.contains("  -1-before\n  :2:the hit\n  --after\n  -6---x\n\\--\n"), "{encoded}");
    }

    #[test]
    fn a_tree_nests_as_deep_as_it_pays() {
        check(
            Style::Tree,
            "/dubbo/config/api/src/main/java\n/dubbo/config/api/src/test/java\n/dubbo/config/spring/src/main/java\n/dubbo/config/spring/src/test/java\n",
            ">/dubbo/config/\n >api/src/ + main/java test/java\n >spring/src/ + main/java test/java\n",
        );
    }
}

//! Lines, with and without the number in front of them.

use std::ops::Range;

/// One line of a text: where it is, and where its body starts behind a line number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    start: usize,
    body: usize,
    end: usize,
    /// The number in front, if there is one.
    number: Option<u32>,
}

impl Line {
    /// The same line in a text that has `offset` bytes before it.
    pub(super) const fn shifted(self, offset: usize) -> Self {
        Self { start: self.start + offset, body: self.body + offset, end: self.end + offset, ..self }
    }

    /// The line without its number.
    pub(super) fn body<'t>(&self, text: &'t str) -> &'t str {
        &text[self.body..self.end]
    }

    /// The whole line, without the line end.
    pub(super) const fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// What stands before the body: blanks, number, separator.
    pub(super) fn scaffold<'t>(&self, text: &'t str) -> &'t str {
        &text[self.start..self.body]
    }

    pub(super) const fn number(&self) -> Option<u32> {
        self.number
    }
}

/// Splits at `\n`; joining the lines with `\n` gives the text back.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line> + '_ {
    let mut start = 0;
    let ends = memchr::memchr_iter(b'\n', text.as_bytes()).chain([text.len()]);
    ends.map(move |end| {
        let (body, number) =
            numbered(&text[start..end]).map_or((start, None), |(length, number)| (start + length, Some(number)));
        let line = Line { start, body, end, number };
        start = end + 1;
        line
    })
}

/// Length of the scaffold (`   12\t`, `12:`, `12|`, `12→`, `12-`) at the start of a line, and its number.
///
/// `12:` may also be the time of day or a key; that does not matter, because a number only ever counts as one when the lines
/// around it count on.
fn numbered(line: &str) -> Option<(usize, u32)> {
    let bytes = line.as_bytes();
    let blanks = bytes.iter().take_while(|byte| **byte == b' ').count();
    let digits = bytes[blanks..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=7).contains(&digits) {
        return None;
    }
    let after = blanks + digits;
    let separator = match bytes.get(after)? {
        b'\t' | b':' | b'|' | b'-' => 1,
        _ if line[after..].starts_with('→') => '→'.len_utf8(),
        _ => return None,
    };
    Some((after + separator, line[blanks..after].parse().ok()?))
}

/// Whether `scaffold` with number `from` becomes `other` with number `to` when only the number changes and the column it ends in
/// stays, as right-aligned and unaligned numbering both do.
pub(super) fn continues(scaffold: &str, from: u32, other: &str, to: u32) -> bool {
    let (Some(this), Some(next)) = (Number::of(scaffold), Number::of(other)) else { return false };
    // Numbers with leading zeros are not counted on: they are not written again by saying where they begin.
    if next.separator != this.separator || next.digits != digits(to) {
        return false;
    }
    if this.blanks > 0 || digits(to) == digits(from) {
        next.blanks + next.digits == (this.blanks + this.digits).max(digits(to))
    } else {
        next.blanks == 0
    }
}

/// The parts of a scaffold: how many blanks and digits, and the separator.
struct Number<'t> {
    blanks: usize,
    digits: usize,
    separator: &'t str,
}

impl<'t> Number<'t> {
    fn of(scaffold: &'t str) -> Option<Self> {
        let digits_on = scaffold.trim_start_matches(' ');
        let separator = digits_on.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = digits_on.len() - separator.len();
        (digits > 0).then_some(Self { blanks: scaffold.len() - digits_on.len(), digits, separator })
    }
}

/// Digits of a number as it is usually written.
const fn digits(number: u32) -> usize {
    match number.checked_ilog10() {
        Some(tens) => tens as usize + 1,
        None => 1,
    }
}

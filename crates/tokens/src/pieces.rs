//! Pre-tokenizing: cutting text into the pieces that byte-pair merging works on.
//!
//! The two vocabularies define the cut by a regular expression each (published with `tiktoken`). They are written out here as
//! scanners, because a backtracking engine would not be linear and an automaton cannot look ahead. Each alternative of the expression
//! is one function; the tests hold them against another implementation of the expressions.

use unicode_general_category::{GeneralCategory, get_general_category};

/// Which expression cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    Cl100k,
    O200k,
}

/// What the expressions distinguish about a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// `\p{Lu}`, `\p{Lt}`
    Upper,
    /// `\p{Ll}`
    Lower,
    /// `\p{Lm}`, `\p{Lo}`: letters without case, in both of o200k's letter classes.
    Letter,
    /// `\p{M}`: in o200k's letter classes too, but no `\p{L}`.
    Mark,
    /// `\p{N}`
    Number,
    /// `\r`, `\n`
    LineEnd,
    /// Any other `\s`
    Space,
    /// Everything else
    Other,
}

impl Class {
    const fn of_ascii(byte: u8) -> Self {
        match byte {
            b'A'..=b'Z' => Self::Upper,
            b'a'..=b'z' => Self::Lower,
            b'0'..=b'9' => Self::Number,
            b'\r' | b'\n' => Self::LineEnd,
            b' ' | b'\t' | 0x0b | 0x0c => Self::Space,
            _ => Self::Other,
        }
    }

    fn of(c: char) -> Self {
        use GeneralCategory as G;
        if c.is_whitespace() {
            return Self::Space;
        }
        match get_general_category(c) {
            G::UppercaseLetter | G::TitlecaseLetter => Self::Upper,
            G::LowercaseLetter => Self::Lower,
            G::ModifierLetter | G::OtherLetter => Self::Letter,
            G::NonspacingMark | G::SpacingMark | G::EnclosingMark => Self::Mark,
            G::DecimalNumber | G::LetterNumber | G::OtherNumber => Self::Number,
            _ => Self::Other,
        }
    }

    const fn is_letter(self) -> bool {
        matches!(self, Self::Upper | Self::Lower | Self::Letter)
    }

    const fn is_space(self) -> bool {
        matches!(self, Self::Space | Self::LineEnd)
    }

    /// `[^\r\n\p{L}\p{N}]`
    const fn may_lead(self) -> bool {
        !self.is_letter() && !matches!(self, Self::Number | Self::LineEnd)
    }

    /// `[^\s\p{L}\p{N}]`
    const fn is_symbol(self) -> bool {
        self.may_lead() && !self.is_space()
    }
}

/// The classes of the ASCII characters, so that the common case is one load.
const ASCII: [Class; 128] = {
    let mut classes = [Class::Other; 128];
    let mut byte = 0;
    while byte < 128 {
        classes[byte] = Class::of_ascii(byte as u8);
        byte += 1;
    }
    classes
};

/// What the fast path distinguishes about a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plain {
    Upper,
    Lower,
    Digit,
    /// White space other than a line end.
    Space,
    LineEnd,
    Symbol,
    /// Part of a character that is not ASCII.
    Part,
}

const PLAIN: [Plain; 256] = {
    let mut plain = [Plain::Part; 256];
    let mut byte = 0;
    while byte < 128 {
        plain[byte] = match ASCII[byte] {
            Class::Upper => Plain::Upper,
            Class::Lower => Plain::Lower,
            Class::Number => Plain::Digit,
            Class::LineEnd => Plain::LineEnd,
            Class::Space => Plain::Space,
            Class::Letter | Class::Mark | Class::Other => Plain::Symbol,
        };
        byte += 1;
    }
    plain
};

/// Finds where the pieces of a text end.
#[derive(Clone, Copy)]
pub(crate) struct Scanner<'t> {
    text: &'t str,
    bytes: &'t [u8],
}

/// Every byte of a word has its highest bit set, or its lowest.
const HIGH: u64 = 0x8080_8080_8080_8080;
const LOW: u64 = 0x0101_0101_0101_0101;

/// How many of the first bytes of a word (little-endian) are lower-case letters. All eight are looked at together: a loop that ends after
/// an unforeseeable number of bytes costs a misprediction for each piece.
#[inline]
const fn lower_letters(word: u64) -> usize {
    let ascii = word & !HIGH;
    let from_a = ascii + (0x80 - b'a' as u64) * LOW;
    let after_z = ascii + (0x7f - b'z' as u64) * LOW;
    let others = !(from_a & !after_z & !word) & HIGH;
    (others.trailing_zeros() / 8) as usize
}

impl<'t> Scanner<'t> {
    pub(crate) const fn new(text: &'t str) -> Self {
        Self { text, bytes: text.as_bytes() }
    }

    /// Class of the character at `at` and where the next one starts; `None` at the end.
    #[inline]
    fn class(self, at: usize) -> Option<(Class, usize)> {
        let byte = *self.bytes.get(at)?;
        if byte < 128 {
            return Some((ASCII[byte as usize], at + 1));
        }
        let c = self.text[at..].chars().next()?;
        Some((Class::of(c), at + c.len_utf8()))
    }

    /// The end of the run of characters from `at` on that `test` accepts.
    #[inline]
    fn run(self, mut at: usize, test: impl Fn(Class) -> bool) -> usize {
        while let Some((class, next)) = self.class(at)
            && test(class)
        {
            at = next;
        }
        at
    }

    /// The end of the piece that starts at `at`, which is where another one ended and not the end of the text.
    #[inline]
    pub(crate) fn end_of_piece(self, pattern: Pattern, at: usize) -> usize {
        self.end_of_plain(pattern, at).unwrap_or_else(|| self.end_of_any(pattern, at))
    }

    /// The same for the pieces that most text consists of: ASCII words, numbers and symbols, where the alternatives come down to a
    /// load and a comparison for each byte. `None` sends what is anything else down the whole expression.
    #[inline]
    fn end_of_plain(self, pattern: Pattern, at: usize) -> Option<usize> {
        let first = *self.bytes.get(at)?;
        let lead = PLAIN[usize::from(first)];
        match lead {
            Plain::Upper | Plain::Lower => self.end_of_plain_word(pattern, at),
            Plain::Digit => self.end_of_plain_number(at),
            Plain::LineEnd => self.end_of_plain_spaces(at),
            Plain::Part => None,
            // A contraction, perhaps.
            Plain::Symbol if first == b'\'' && pattern == Pattern::Cl100k => None,
            Plain::Space | Plain::Symbol => match self.bytes.get(at + 1).map(|next| PLAIN[usize::from(*next)]) {
                Some(Plain::Upper | Plain::Lower) => self.end_of_plain_word(pattern, at + 1),
                Some(Plain::Part) => None,
                _ if lead == Plain::Symbol => self.end_of_plain_symbols(pattern, at + 1),
                Some(Plain::Symbol) if first == b' ' => self.end_of_plain_symbols(pattern, at + 2),
                _ => self.end_of_plain_spaces(at),
            },
        }
    }

    /// The end of the letters from `at` on, of which there is one, unless what follows them may belong to them.
    #[inline]
    fn end_of_plain_word(self, pattern: Pattern, at: usize) -> Option<usize> {
        let end = match pattern {
            Pattern::O200k => self.lower_run(self.plain(at, Plain::Upper)),
            Pattern::Cl100k => self.plain_run(at, |plain| matches!(plain, Plain::Upper | Plain::Lower)),
        };
        let may_go_on = match self.bytes.get(end) {
            Some(b'\'') => pattern == Pattern::O200k,
            follows => follows.is_some_and(|byte| !byte.is_ascii()),
        };
        (!may_go_on).then_some(end)
    }

    /// The end of up to three digits from `at` on, of which there is one.
    #[inline]
    fn end_of_plain_number(self, at: usize) -> Option<usize> {
        let is_digit = |at: usize| self.bytes.get(at).is_some_and(u8::is_ascii_digit);
        if is_digit(at + 1) && is_digit(at + 2) {
            return Some(at + 3);
        }
        let end = at + 1 + usize::from(is_digit(at + 1));
        self.bytes.get(end).is_none_or(u8::is_ascii).then_some(end)
    }

    /// The end of white space before something that is not white space; see [`spaces`](Self::spaces).
    #[inline]
    fn end_of_plain_spaces(self, at: usize) -> Option<usize> {
        let mut after_line = None;
        let mut end = at;
        loop {
            match PLAIN[usize::from(*self.bytes.get(end)?)] {
                Plain::Space => end += 1,
                Plain::LineEnd => {
                    end += 1;
                    after_line = Some(end);
                }
                Plain::Part => return None,
                _ => return Some(after_line.unwrap_or((end - 1).max(at + 1))),
            }
        }
    }

    /// The end of a run of symbols of which those up to `at` are known, unless what follows them takes a closer look.
    #[inline]
    fn end_of_plain_symbols(self, pattern: Pattern, at: usize) -> Option<usize> {
        let end = self.plain(at, Plain::Symbol);
        match self.bytes.get(end) {
            Some(b'\r' | b'\n') => Some(self.end_of_tail(pattern, end)),
            follows => follows.is_none_or(u8::is_ascii).then_some(end),
        }
    }

    /// `[\r\n/]*` (o200k), `[\r\n]*+` (cl100k)
    fn end_of_tail(self, pattern: Pattern, at: usize) -> usize {
        let tail = self.bytes[at..].iter().take_while(|byte| match byte {
            b'\r' | b'\n' => true,
            b'/' => pattern == Pattern::O200k,
            _ => false,
        });
        at + tail.count()
    }

    /// The end of the run of ASCII lower-case letters from `at` on.
    #[inline]
    fn lower_run(self, mut at: usize) -> usize {
        while let Some(chunk) = self.bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
            let letters = lower_letters(u64::from_le_bytes(*chunk));
            at += letters;
            if letters < 8 {
                return at;
            }
        }
        self.plain(at, Plain::Lower)
    }

    #[inline]
    fn plain(self, at: usize, wanted: Plain) -> usize {
        self.plain_run(at, |plain| plain == wanted)
    }

    #[inline]
    fn plain_run(self, at: usize, test: impl Fn(Plain) -> bool) -> usize {
        let rest = self.bytes.get(at..).unwrap_or_default();
        at + rest.iter().position(|byte| !test(PLAIN[usize::from(*byte)])).unwrap_or(rest.len())
    }

    fn end_of_any(self, pattern: Pattern, at: usize) -> usize {
        let Some((class, next)) = self.class(at) else { return at };
        let word = match pattern {
            Pattern::O200k => self.o200k_word(at, class, next),
            Pattern::Cl100k => self.contraction(at).or_else(|| self.cl100k_word(at, class, next)),
        };
        word.or_else(|| self.number(class, next))
            .or_else(|| self.symbols(pattern, at, class, next))
            .unwrap_or_else(|| self.spaces(pattern, at, next))
    }

    /// `[^\r\n\p{L}\p{N}]?+\p{L}++`
    fn cl100k_word(self, at: usize, class: Class, next: usize) -> Option<usize> {
        let start = if class.may_lead() { next } else { at };
        let end = self.run(start, Class::is_letter);
        (end > start).then_some(end)
    }

    /// The first two alternatives of o200k: an optional leading character, upper-case letters, lower-case letters, a contraction. Letters
    /// without case belong to both; at least one of the second kind makes the first alternative, otherwise the second one applies.
    fn o200k_word(self, at: usize, class: Class, next: usize) -> Option<usize> {
        let led = class.may_lead().then_some(next);
        let starts = || led.into_iter().chain([at]);
        let end = starts()
            .find_map(|start| self.lower_word(start))
            .or_else(|| starts().find_map(|start| self.upper_word(start)))?;
        Some(self.contraction(end).unwrap_or(end))
    }

    /// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+`
    fn lower_word(self, start: usize) -> Option<usize> {
        let mut at = start;
        // Where the last character that both classes share ends: the expression backtracks to there if no lower-case letter follows.
        let mut shared = None;
        while let Some((class, next)) = self.class(at) {
            match class {
                Class::Upper => {}
                Class::Letter | Class::Mark => shared = Some(next),
                Class::Lower => {
                    return Some(self.run(at, |class| matches!(class, Class::Lower | Class::Letter | Class::Mark)));
                }
                _ => break,
            }
            at = next;
        }
        shared
    }

    /// `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*` where the alternative before it does not apply.
    fn upper_word(self, start: usize) -> Option<usize> {
        let end = self.run(start, |class| matches!(class, Class::Upper | Class::Letter | Class::Mark));
        (end > start).then_some(end)
    }

    /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)`, where `(?i:s)` is also the long s.
    fn contraction(self, at: usize) -> Option<usize> {
        let rest = self.text[at..].strip_prefix('\'')?;
        let mut letters = rest.chars();
        let first = letters.next()?;
        let one = at + 1 + first.len_utf8();
        match first.to_ascii_lowercase() {
            's' | 't' | 'm' | 'd' | 'ſ' => Some(one),
            lead @ ('r' | 'v' | 'l') => {
                let wanted = if lead == 'l' { 'l' } else { 'e' };
                letters.next().filter(|second| second.to_ascii_lowercase() == wanted).map(|_| one + 1)
            }
            _ => None,
        }
    }

    /// `\p{N}{1,3}`
    fn number(self, class: Class, next: usize) -> Option<usize> {
        if class != Class::Number {
            return None;
        }
        let mut end = next;
        for _ in 0..2 {
            match self.class(end) {
                Some((Class::Number, after)) => end = after,
                _ => break,
            }
        }
        Some(end)
    }

    /// ` ?[^\s\p{L}\p{N}]+[\r\n/]*` (o200k), ` ?[^\s\p{L}\p{N}]++[\r\n]*+` (cl100k)
    fn symbols(self, pattern: Pattern, at: usize, class: Class, next: usize) -> Option<usize> {
        let start = if class == Class::Space && self.bytes[at] == b' ' { next } else { at };
        let end = self.run(start, Class::is_symbol);
        if end == start {
            return None;
        }
        Some(self.end_of_tail(pattern, end))
    }

    /// What is left is white space: up to its last line end if it has one; otherwise all of it at the end of the text; otherwise all
    /// but its last character, which leads what follows.
    fn spaces(self, pattern: Pattern, at: usize, next: usize) -> usize {
        let end = self.run(at, Class::is_space);
        let run = &self.bytes[at..end];
        let at_end = end == self.bytes.len();
        if at_end && pattern == Pattern::Cl100k && !run.is_empty() {
            return end;
        }
        if let Some(last) = run.iter().rposition(|byte| matches!(byte, b'\r' | b'\n')) {
            return at + last + 1;
        }
        if at_end {
            return end;
        }
        let last = self.text[at..end].chars().next_back().map_or(1, char::len_utf8);
        if end - at > last { end - last } else { next.max(end) }
    }
}

//! Numbered views of files (`cat -n`, an editor's `view`), with fewer numbers.
//!
//! A right-aligned number in front of every line costs two to four tokens a line, a third of what agents read. Inside a run of
//! consecutive numbers, [`thin`] keeps the first, the last and every tenth; the lines themselves stay as they are, so that
//! what is quoted from them can be found in the file. The dropped numbers follow from the kept ones: [`full`] puts them back, and
//! that is checked before a thinned view is used.
//!
//! Only right-aligned numbering is thinned. Views numbered `12:` or `12|` come from editors that take line numbers as arguments;
//! there every number is wanted.

/// Numbers divisible by this stay.
const EVERY: u32 = 10;

/// A run of fewer lines is left alone.
const RUN_LINES: usize = 6;

/// The view with fewer numbers; `None` when there is nothing to drop.
pub fn thin(text: &str) -> Option<String> {
    let lines = crate::lines::between(text);
    let numbers: Vec<Option<Numbered<'_>>> = lines.iter().map(|line| Numbered::parse(line)).collect();
    let mut out: Vec<&str> = Vec::with_capacity(lines.len());
    let mut at = 0;
    while at < lines.len() {
        let length = run_length(&numbers[at..]);
        for (offset, line) in lines[at..at + length].iter().enumerate() {
            let dropped = numbers[at + offset].as_ref().filter(|numbered| {
                length >= RUN_LINES && offset > 0 && offset + 1 < length && !numbered.number.is_multiple_of(EVERY)
            });
            out.push(dropped.map_or(line, |numbered| numbered.body));
        }
        at += length;
    }
    let thinned = out.join("\n");
    (thinned.len() < text.len() && full(&thinned) == text).then_some(thinned)
}

/// Undoes [`thin`]: between two numbered lines that are as many lines apart as their numbers say, the lines are numbered.
pub fn full(text: &str) -> String {
    let lines = crate::lines::between(text);
    let mut out: Vec<String> = Vec::with_capacity(lines.len());
    let mut last: Option<(usize, Numbered<'_>)> = None;
    for (at, line) in lines.iter().enumerate() {
        if let Some(numbered) = Numbered::parse(line) {
            if let Some((from, first)) = &last
                && first.is_aligned_with(&numbered)
                && numbered.number.checked_sub(first.number).map(|apart| apart as usize) == Some(at - from)
            {
                for (between, number) in (from + 1..at).zip(first.number + 1..) {
                    out[between] = first.with(number, lines[between]);
                }
            }
            last = Some((at, numbered));
        }
        out.push((*line).to_owned());
    }
    out.join("\n")
}

/// How many lines from the start are numbered in sequence; at least 1.
fn run_length(numbers: &[Option<Numbered<'_>>]) -> usize {
    let follows = |pair: &[Option<Numbered<'_>>]| match pair {
        [Some(a), Some(b)] => a.number.checked_add(1) == Some(b.number) && a.is_aligned_with(b),
        _ => false,
    };
    1 + numbers.windows(2).take_while(|pair| follows(pair)).count()
}

/// A line with a right-aligned number in front.
#[derive(Debug)]
struct Numbered<'t> {
    number: u32,
    /// Column in which the number ends.
    column: usize,
    separator: char,
    body: &'t str,
}

impl<'t> Numbered<'t> {
    /// Reads `    12\tbody` or `    12→body`. The number may fill its column only if that is five wide or more, as it is in every
    /// right-aligned numbering; `12\tx` alone is a table.
    fn parse(line: &'t str) -> Option<Self> {
        let blanks = line.bytes().take_while(|byte| *byte == b' ').count();
        let digits = line[blanks..].bytes().take_while(u8::is_ascii_digit).count();
        let column = blanks + digits;
        if !(1..=7).contains(&digits) || column < 4 || (blanks == 0 && column < 5) {
            return None;
        }
        let separator = line[column..].chars().next().filter(|c| matches!(c, '\t' | '→'))?;
        let number = line[blanks..column].parse().ok().filter(|_| !line[blanks..].starts_with('0'))?;
        Some(Self { number, column, separator, body: &line[column + separator.len_utf8()..] })
    }

    const fn is_aligned_with(&self, other: &Self) -> bool {
        self.column == other.column && self.separator as u32 == other.separator as u32
    }

    fn with(&self, number: u32, body: &str) -> String {
        format!("{number:>width$}{}{body}", self.separator, width = self.column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn view(range: std::ops::Range<usize>, separator: char) -> String {
        range.map(|n| format!("{n:>6}{separator}  line {n}\n")).collect()
    }

    #[test]
    fn first_last_and_every_tenth_number_stay() {
        let text = format!("head\n{}\ntail", view(3..14, '→'));
        let thinned = thin(&text).unwrap();
        let numbered: Vec<_> = thinned.lines().filter(|line| line.contains('→')).map(str::trim_start).collect();
        assert_eq!(numbered, ["3→  line 3", "10→  line 10", "13→  line 13"]);
        assert!(thinned.contains("\n  line 4\n") && thinned.starts_with("head\n") && thinned.ends_with("\ntail"));
        assert_eq!(full(&thinned), text);
    }

    #[test]
    fn other_numberings_are_left_alone() {
        for text in [
            (1..40).map(|n| format!("{n}:line\n")).collect::<String>(),
            (1..40).map(|n| format!("{n}\tcell\tcell\n")).collect(),
            (1..40).map(|n| format!("{:>6}\tline\n", n * 2)).collect(),
            view(1..5, '\t'),
            "no numbers at all\n".repeat(30),
        ] {
            assert_eq!(thin(&text), None, "{text}");
        }
    }

    proptest! {
        /// Bodies that look like numbered lines themselves are the hard case: either the view is thinned exactly, or not at all.
        #[test]
        fn thinning_is_exact(
            from in 1_usize..99_990,
            bodies in prop::collection::vec(prop_oneof!["[a-z ]{0,9}", Just("    12\tx".to_owned()), "[ 0-9]{0,6}\t?"], 0..40),
            unnumbered in prop::collection::vec(any::<bool>(), 40),
        ) {
            let line = |(at, body): (usize, &String)| {
                if unnumbered[at] && at % 7 == 0 { body.clone() } else { format!("{:>6}\t{body}", from + at) }
            };
            let text = bodies.iter().enumerate().map(line).collect::<Vec<_>>().join("\n");
            if let Some(thinned) = thin(&text) {
                prop_assert_eq!(full(&thinned), text);
            }
        }
    }
}

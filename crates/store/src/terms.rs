//! The words by which a text is found again. One definition for every back end, so that all find the same.

use std::collections::HashSet;

/// Changes whenever [`terms`] gives other words for a text: an index made with another number is made anew.
pub(crate) const TERMS_VERSION: i64 = 1;

/// Bytes of a text that are looked at. What a reader remembers of a longer one stands near its start, or is found by its path.
const TEXT_BYTES: usize = 512 << 10;

/// Different words of one text at most.
const MOST_TERMS: usize = 20_000;

/// Words of more bytes are data, not words: nobody looks for them, and they would fill the index.
const LONGEST: usize = 48;

/// The words of a text, each once, in the order in which they first stand there.
///
/// A word is a run of letters and digits, in lower case; of `camelCase` its parts are words too. Scripts that are written without blanks
/// are cut into overlapping pairs.
pub(crate) fn terms(text: &str) -> Vec<String> {
    let text = &text[..text.floor_char_boundary(TEXT_BYTES)];
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    let mut add = |term: String| {
        if !term.is_empty() && term.len() <= LONGEST && found.len() < MOST_TERMS && !seen.contains(&term) {
            seen.insert(term.clone());
            found.push(term);
        }
    };
    for run in text.split(|c: char| !c.is_alphanumeric()).filter(|run| !run.is_empty()) {
        if run.is_ascii() {
            add(run.to_ascii_lowercase());
            camel_parts(run).for_each(|part| add(part.to_ascii_lowercase()));
        } else {
            unspaced(run, &mut add);
        }
    }
    found
}

/// `parseHTTPRequest2` is `parse`, `HTTP`, `Request2`; nothing for a word without such parts.
fn camel_parts(run: &str) -> impl Iterator<Item = &str> {
    let bytes = run.as_bytes();
    let starts_part = move |at: usize| {
        bytes[at].is_ascii_uppercase()
            && (!bytes[at - 1].is_ascii_uppercase() || bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase))
    };
    let cuts: Vec<usize> = (1..bytes.len()).filter(|at| starts_part(*at)).collect();
    let ends: Vec<usize> =
        if cuts.is_empty() { Vec::new() } else { [0].into_iter().chain(cuts).chain([run.len()]).collect() };
    (1..ends.len()).map(move |at| &run[ends[at - 1]..ends[at]])
}

/// The words of a run that is not all ASCII.
fn unspaced(run: &str, add: &mut impl FnMut(String)) {
    let mut rest = run;
    while let Some(first) = rest.chars().next() {
        let packed = is_packed(first);
        let end = rest.find(|c| is_packed(c) != packed).unwrap_or(rest.len());
        let (part, after) = rest.split_at(end);
        rest = after;
        if !packed {
            add(part.to_lowercase());
            continue;
        }
        let letters: Vec<char> = part.chars().collect();
        if letters.len() == 1 {
            add(part.to_owned());
        }
        letters.windows(2).for_each(|pair| add(pair.iter().collect()));
    }
}

/// Whether a letter belongs to a script that is written without blanks between words.
const fn is_packed(letter: char) -> bool {
    matches!(letter, '\u{e00}'..='\u{eff}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_runs_of_letters_and_digits_and_the_parts_of_compounds() {
        assert_eq!(terms("fn parse_at(x: u8) -> Foo::parse_at"), ["fn", "parse", "at", "x", "u8", "foo"]);
        assert_eq!(terms("parseHTTPRequest2"), ["parsehttprequest2", "parse", "http", "request2"]);
        assert_eq!(terms("Größe 日本語です"), ["größe", "日本", "本語", "語で", "です"]);
        assert_eq!(terms(&"a".repeat(49)), Vec::<String>::new());
    }

    proptest! {
        #[test]
        fn every_term_is_one_word_and_stands_there_once(text in "\\PC{0,200}") {
            let found = terms(&text);
            for term in &found {
                prop_assert!(!term.is_empty() && term.chars().all(|c| c.is_alphanumeric() || !c.is_ascii()), "{}", term);
            }
            let all: HashSet<&String> = found.iter().collect();
            prop_assert_eq!(all.len(), found.len());
        }
    }
}

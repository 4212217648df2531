//! The words of a segment: terms for relevance, concepts for coverage, and the shapes that are protected.

/// What kind of word a concept is; rarer kinds weigh more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Word,
    /// A name in the text: capitalised inside a sentence.
    Name,
    /// An identifier, a code, a path, an address: not a word of the language.
    Identifier,
    Number,
}

impl Class {
    /// The weight of the concept in coverage. A word that goes can often be guessed back, a number never.
    pub(super) const fn weight(self) -> f64 {
        match self {
            Self::Word => 1.0,
            Self::Name | Self::Identifier => 1.8,
            Self::Number => 8.0,
        }
    }

    /// Whether the word is an exact value that nobody can guess back.
    pub(super) const fn is_exact(self) -> bool {
        matches!(self, Self::Identifier | Self::Number)
    }
}

/// One word of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Hash of its stem in lower case.
    pub(super) hash: u64,
    pub(super) class: Class,
}

/// Calls `take` for every word of `text` that carries meaning. Stop words are left out; scripts without blanks give pairs of
/// characters; parts of compound identifiers come after the whole.
pub(super) fn each(text: &str, mut take: impl FnMut(Word)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut is_first = true;
    while at < bytes.len() {
        if bytes[at].is_ascii() && !is_word_byte(bytes[at]) {
            at += 1;
            continue;
        }
        let end = word_end(text, at);
        if end == at {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        }
        let word = &text[at..end];
        let is_joined = is_joint(bytes, at.wrapping_sub(1)) || is_joint(bytes, end);
        one(word, is_first, is_joined, &mut take);
        is_first = false;
        at = end;
    }
}

const fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where the word that begins at `at` ends: letters, digits and `_`, and the marks inside numbers.
fn word_end(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let mut end = at;
    while end < bytes.len() {
        let byte = bytes[end];
        if is_word_byte(byte) {
            end += 1;
        } else if byte.is_ascii() {
            let is_inside_number = matches!(byte, b'.' | b',')
                && end > at
                && bytes[end - 1].is_ascii_digit()
                && bytes.get(end + 1).is_some_and(u8::is_ascii_digit);
            if !is_inside_number {
                return end;
            }
            end += 1;
        } else {
            let Some(c) = text[end..].chars().next().filter(|c| c.is_alphanumeric()) else { return end };
            end += c.len_utf8();
        }
    }
    end
}

/// Whether the byte at `at` joins two parts of a path, an address or a dotted name, and does not end a sentence.
fn is_joint(bytes: &[u8], at: usize) -> bool {
    let around = |offset: usize| bytes.get(offset).is_some_and(|byte| is_word_byte(*byte));
    match bytes.get(at) {
        Some(b'/' | b'\\' | b'@' | b'=' | b'`') => true,
        Some(b'.' | b':') => at > 0 && around(at - 1) && around(at + 1),
        _ => false,
    }
}

fn one(word: &str, is_first: bool, is_joined: bool, take: &mut impl FnMut(Word)) {
    if !word.is_ascii() && word.chars().all(is_unspaced) {
        let mut last: Option<char> = None;
        for c in word.chars() {
            if let Some(before) = last {
                take(Word {
                    hash: mix(mix(SEED, u64::from(u32::from(before))), u64::from(u32::from(c))),
                    class: Class::Word,
                });
            }
            last = Some(c);
        }
        return;
    }
    let class = class(word, is_first, is_joined);
    if class == Class::Word && is_stop_word(word) {
        return;
    }
    take(Word { hash: stem_hash(word), class });
    if class == Class::Identifier {
        parts(word).filter(|part| part.len() >= 3 && part.len() < word.len()).for_each(|part| {
            take(Word { hash: stem_hash(part), class: Class::Word });
        });
    }
}

fn class(word: &str, is_first: bool, is_joined: bool) -> Class {
    let bytes = word.as_bytes();
    let has_digit = bytes.iter().any(u8::is_ascii_digit);
    let letters = bytes.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    if has_digit {
        return if letters > 2 { Class::Identifier } else { Class::Number };
    }
    let uppers = bytes.iter().skip(1).filter(|byte| byte.is_ascii_uppercase()).count();
    let has_lower = bytes.iter().any(u8::is_ascii_lowercase);
    if is_joined || bytes.contains(&b'_') || (uppers > 0 && has_lower) {
        return Class::Identifier;
    }
    let is_capital = word.chars().next().is_some_and(char::is_uppercase);
    if is_capital && (!is_first || uppers > 0) { Class::Name } else { Class::Word }
}

/// The parts of `snake_case` and `camelCase`.
fn parts(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches('_');
        if rest.is_empty() {
            return None;
        }
        let mut was_lower = false;
        let end = rest.find(|c: char| {
            let cuts = c == '_' || (was_lower && c.is_uppercase());
            was_lower = c.is_lowercase();
            cuts
        });
        let (part, left) = rest.split_at(end.unwrap_or(rest.len()));
        rest = left;
        Some(part)
    })
}

/// Scripts that put no blanks between words: Han, Kana, Thai and their kin.
const fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

const SEED: u64 = 0x9E37_79B9_7F4A_7C15;

const fn mix(hash: u64, value: u64) -> u64 {
    (hash ^ value).wrapping_mul(0x0100_0000_01B3).rotate_left(23).wrapping_mul(0xD6E8_FEB8_6659_FD93)
}

/// The hash of a word without its ending, in lower case. Endings are cut alike in text and query; that is all a stem is for.
fn stem_hash(word: &str) -> u64 {
    if !word.is_ascii() {
        return word.chars().flat_map(char::to_lowercase).fold(SEED, |hash, c| mix(hash, u64::from(u32::from(c))));
    }
    let bytes = word.as_bytes();
    let length = if bytes.iter().all(u8::is_ascii_alphabetic) { stem_length(bytes) } else { bytes.len() };
    bytes[..length].iter().fold(SEED, |hash, byte| mix(hash, u64::from(byte.to_ascii_lowercase())))
}

fn stem_length(word: &[u8]) -> usize {
    const ENDINGS: [&[u8]; 10] = [b"ations", b"ation", b"ing", b"ies", b"ed", b"es", b"ly", b"s", b"e", b"y"];
    let ends = |ending: &&[u8]| {
        word.len() >= ending.len() + 3 && word[word.len() - ending.len()..].eq_ignore_ascii_case(ending)
    };
    ENDINGS.iter().copied().find(|ending| ends(ending)).map_or(word.len(), |ending| word.len() - ending.len())
}

fn is_stop_word(word: &str) -> bool {
    if word.len() > 7 || !word.is_ascii() {
        return false;
    }
    let packed = word.bytes().fold(0, |packed, byte| packed << 8 | u64::from(byte.to_ascii_lowercase()));
    word.len() == 1 || PACKED_STOP_WORDS.binary_search(&(packed << (8 * (8 - word.len())))).is_ok()
}

/// The stop words as numbers in the same order: every word of a text is looked up here.
const PACKED_STOP_WORDS: [u64; STOP_WORDS.len()] = {
    let mut packed = [0; STOP_WORDS.len()];
    let mut at = 0;
    while at < packed.len() {
        let mut place = 0;
        while place < 8 {
            let byte = if place < STOP_WORDS[at].len() { STOP_WORDS[at][place] } else { 0 };
            packed[at] = packed[at] << 8 | byte as u64;
            place += 1;
        }
        at += 1;
    }
    packed
};

const STOP_WORDS: &[&[u8]] = &[
    b"about", b"after", b"all", b"also", b"am", b"an", b"and", b"any", b"are", b"as", b"at", b"be", b"been", b"being",
    b"both", b"but", b"by", b"can", b"could", b"did", b"do", b"does", b"during", b"each", b"for", b"from", b"had",
    b"has", b"have", b"he", b"her", b"his", b"how", b"if", b"in", b"into", b"is", b"it", b"its", b"may", b"me",
    b"more", b"most", b"my", b"of", b"on", b"one", b"or", b"other", b"our", b"s", b"she", b"so", b"some", b"such",
    b"t", b"than", b"that", b"the", b"their", b"them", b"then", b"there", b"these", b"they", b"this", b"those", b"to",
    b"too", b"up", b"was", b"we", b"were", b"what", b"when", b"where", b"which", b"while", b"who", b"whom", b"whose",
    b"why", b"will", b"with", b"would", b"you", b"your",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(text: &str) -> Vec<Class> {
        let mut classes = Vec::new();
        each(text, |word| classes.push(word.class));
        classes
    }

    #[test]
    fn words_have_classes() {
        use Class::{Identifier, Name, Number, Word};
        assert_eq!(classes("Paris loves Berlin."), [Word, Word, Name]);
        assert_eq!(classes("costs 1,234.5 now."), [Word, Number, Word]);
        assert_eq!(classes("read parse_line twice"), [Word, Identifier, Word, Word, Word]);
        assert_eq!(classes("in src/main.rs today"), [Identifier, Identifier, Identifier, Word]);
        assert_eq!(classes("the and of"), []);
    }

    #[test]
    fn a_word_and_its_forms_are_one_term() {
        let hash = |word: &str| stem_hash(word);
        assert_eq!(hash("Compress"), hash("compress"));
        assert_eq!(hash("opened"), hash("opening"));
        assert_ne!(hash("v12"), hash("v13"));
    }

    #[test]
    fn stop_words_are_sorted_and_found_in_any_case() {
        assert!(STOP_WORDS.is_sorted() && PACKED_STOP_WORDS.is_sorted());
        for word in STOP_WORDS.iter().map(|word| std::str::from_utf8(word).expect("ASCII")) {
            assert!(is_stop_word(word) && is_stop_word(&word.to_uppercase()), "{word}");
        }
        assert!(!is_stop_word("abouts") && !is_stop_word("whichever") && !is_stop_word("é"));
    }
}

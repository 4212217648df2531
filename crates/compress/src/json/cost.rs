//! A cheap estimate of tokens, to choose between two ways of writing the same thing.
//!
//! Modern byte-pair vocabularies first cut text into words (with the blank before them), runs of at most three digits and runs
//! of punctuation; most common words are one token. That is enough to rank encodings; the caller counts the winner with
//! the real tokenizer.

use super::value::Value;

/// Estimated tokens of `text`.
pub(super) fn of_text(text: &str) -> u32 {
    let mut tokens = 0;
    let (mut class, mut run) = (Class::Blank, 0_u32);
    for byte in text.bytes() {
        let next = CLASSES[byte as usize];
        if next == class {
            run += 1;
        } else {
            tokens += class.tokens(run);
            (class, run) = (next, 1);
        }
    }
    tokens + class.tokens(run)
}

/// Estimated tokens of a value whose children are already estimated.
pub(super) fn of_value(value: &Value<'_>) -> u32 {
    match value {
        Value::Null | Value::Bool(_) => 1,
        Value::Number(text) | Value::Broken(text) => of_text(text),
        Value::String(string) => of_text(&string.text) + 2 * u32::from(string.text.contains(' ')),
        Value::Embedded(embedded) => embedded.node.cost + 1,
        Value::Array(elements) => elements.iter().fold(2, |sum, element| sum.saturating_add(element.cost)),
        Value::Object(pairs) => {
            pairs.iter().fold(2, |sum, (key, node)| sum.saturating_add(of_key(key)).saturating_add(node.cost))
        }
    }
}

/// Estimated tokens of a key and its sign: keys are words, and there are many of them, so their length has to do.
fn of_key(key: &str) -> u32 {
    u32::try_from(key.len() / 6).unwrap_or(u32::MAX / 2) + 2
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Digit,
    Mark,
    Blank,
    Wide,
}

impl Class {
    fn tokens(self, run: u32) -> u32 {
        match self {
            Self::Letter => run.div_ceil(6),
            Self::Digit => run.div_ceil(3),
            Self::Mark => run.div_ceil(3),
            Self::Blank => run / 2,
            Self::Wide => run.div_ceil(3),
        }
    }
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Mark; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            0..=b' ' => Class::Blank,
            128.. => Class::Wide,
            _ => Class::Mark,
        };
        byte += 1;
    }
    classes
};

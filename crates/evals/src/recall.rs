//! Whether what a later turn used was still to be seen.
//!
//! An *atom* is something an assistant message repeats that must have been read somewhere: an identifier, a path, a number, a quoted
//! string, a line of an edit. An atom counts when it stands in a tool result and nowhere before that in the words of user, model
//! or instructions; each is judged once, at its first use.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

#[allow(clippy::unwrap_used, reason = "constant patterns, compiled by every test")]
static WORD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[A-Za-z0-9_@#$~/.][A-Za-z0-9_@#$%~/.:+\-]*[A-Za-z0-9_/]").unwrap());

#[allow(clippy::unwrap_used, reason = "constant patterns, compiled by every test")]
static QUOTED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"`([^`\n]{4,200})`|"([^"\n]{4,200})"|'([^'\n]{4,200})'"#).unwrap());

/// The atoms of an assistant message (JSON, either dialect), sorted.
pub(crate) fn atoms(message: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let Ok(message) = serde_json::from_str::<Value>(message) else { return found };
    let mut texts = Vec::new();
    let mut arguments = Vec::new();
    match message.get("content") {
        Some(Value::String(text)) => texts.push(text.clone()),
        Some(Value::Array(parts)) => {
            for part in parts {
                match (part.get("text").and_then(Value::as_str), part.get("input")) {
                    (Some(text), _) => texts.push(text.to_owned()),
                    (None, Some(input)) => strings(input, &mut arguments),
                    _ => {}
                }
            }
        }
        _ => {}
    }
    for call in message.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
        let Some(written) = call.pointer("/function/arguments").and_then(Value::as_str) else { continue };
        match serde_json::from_str(written) {
            Ok(input) => strings(&input, &mut arguments),
            Err(_) => arguments.push(written.to_owned()),
        }
    }
    for text in &texts {
        words(text, &mut found);
        quotes(text, &mut found);
    }
    for text in &arguments {
        words(text, &mut found);
        if text.contains('\n') {
            found
                .extend(text.lines().map(str::trim).filter(|line| (12..=300).contains(&line.len())).map(str::to_owned));
        } else {
            keep(text, &mut found);
            quotes(text, &mut found);
        }
    }
    found
}

fn strings(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => out.push(text.clone()),
        Value::Number(number) => out.push(number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, out)),
        Value::Object(fields) => fields.values().for_each(|value| strings(value, out)),
        Value::Bool(_) | Value::Null => {}
    }
}

fn words(text: &str, found: &mut BTreeSet<String>) {
    for word in WORD.find_iter(text).map(|found| found.as_str()) {
        for part in std::iter::once(word).chain(word.split(':').filter(|_| word.contains(':'))) {
            if informative(part) {
                found.insert(part.to_owned());
            }
        }
    }
}

fn quotes(text: &str, found: &mut BTreeSet<String>) {
    for quoted in QUOTED.captures_iter(text) {
        if let Some(inner) = quoted.iter().skip(1).flatten().next() {
            keep(inner.as_str(), found);
        }
    }
}

fn keep(text: &str, found: &mut BTreeSet<String>) {
    let text = text.trim();
    let speaks = text.as_bytes().windows(3).any(|three| three.iter().all(u8::is_ascii_alphanumeric));
    if (4..=200).contains(&text.len())
        && !text.contains('\n')
        && speaks
        && !text.bytes().all(|byte| byte.is_ascii_lowercase())
    {
        found.insert(text.to_owned());
    }
}

/// Whether a word is more than an English word: it has a digit, a separator, a capital inside, or is a constant's name.
fn informative(word: &str) -> bool {
    let bytes = word.as_bytes();
    let pair = |test: fn(u8, u8) -> bool| bytes.windows(2).any(|pair| test(pair[0], pair[1]));
    (4..=200).contains(&word.len())
        && (bytes.iter().any(|byte| byte.is_ascii_digit() || matches!(byte, b'_' | b'/'))
            || pair(|a, b| a.is_ascii_lowercase() && b.is_ascii_uppercase())
            || pair(|a, b| a == b'.' && b.is_ascii_alphabetic())
            || bytes.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'-'))
}

/// Whether `atom` stands in `text`, with word boundaries where it ends in word characters.
pub(crate) fn occurs(atom: &str, text: &str) -> bool {
    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let (opens, closes) = (word(atom.chars().next()), word(atom.chars().next_back()));
    text.match_indices(atom).any(|(at, _)| {
        let runs_on_before = opens && word(text[..at].chars().next_back());
        let runs_on_after = closes && word(text[at + atom.len()..].chars().next());
        !runs_on_before && !runs_on_after
    })
}

/// Whether `atom` stands in `text` in a spelling that a reader can undo: without blanks, or as a path whose parts follow one another.
pub(crate) fn readable(atom: &str, text: &str) -> bool {
    if atom.contains(char::is_whitespace) {
        let squeeze = |text: &str| text.split_whitespace().collect::<String>();
        if squeeze(text).contains(&squeeze(atom)) {
            return true;
        }
    }
    let parts: Vec<&str> = atom.split(['/', '\\', ':']).filter(|part| !part.is_empty()).collect();
    if parts.len() < 2 || !atom.contains(['/', '\\']) {
        return false;
    }
    let mut rest = text;
    parts.iter().all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn atoms_are_what_must_have_been_read() {
        let message = r#"{"role":"assistant","content":[{"type":"text","text":"Look at src/main.rs:12 and fooBar, please"},
            {"type":"tool_use","input":{"old":"let x = 1;\nlet yy = compute(x);","n":4711}}]}"#;
        let atoms = atoms(message);
        for atom in ["src/main.rs:12", "src/main.rs", "fooBar", "let yy = compute(x);", "4711"] {
            assert!(atoms.contains(atom), "{atom} in {atoms:?}");
        }
        assert!(!atoms.contains("please"));
    }

    #[test]
    fn occurrence_respects_word_boundaries() {
        assert!(occurs("ab12", "x ab12.") && !occurs("ab12", "xab12") && !occurs("ab12", "ab123"));
        assert!(readable("src/a/b.rs:3", "src/a\n  b.rs\n   3: x") && !readable("src/z/b.rs", "src/a\n b.rs"));
    }
}

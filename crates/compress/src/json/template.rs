//! Addresses that repeat what other fields of the same object say: `url=https://api.example.org/users/{login}/posts`.
//!
//! Only addresses are treated so (something with `://` in it), and they are only cut where a path segment ends, so that no
//! name, number or identifier is ever split.

use super::cost;
use super::value::{Node, Value};

/// What may stand for the rest of an address that no other field has.
pub(super) const REST: &str = "{}";

/// Refers to at most this many other fields.
const MAX_KEYS: usize = 2;

/// How the values of one field follow from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template<'t> {
    pub(super) parts: Vec<Part<'t>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'t> {
    Text(&'t str),
    /// The value of another field.
    Key(&'t str),
}

impl<'t> Template<'t> {
    /// Whether `text` is what the template gives, with `value` looking other fields up.
    pub(super) fn gives<'v>(&self, text: &str, mut value: impl FnMut(&str) -> Option<&'v str>) -> bool {
        let mut rest = Some(text);
        for part in &self.parts {
            let piece = match part {
                Part::Text(text) => Some(*text),
                Part::Key(key) => value(key),
            };
            rest = rest.zip(piece).and_then(|(rest, piece)| rest.strip_prefix(piece));
        }
        rest == Some("")
    }

    /// The template of `text`, given the other fields of its object, longest value first; `None` if none of them occurs in it.
    pub(super) fn of(text: &'t str, others: &[(&'t str, &'t str)]) -> Option<Self> {
        let mut parts = vec![Part::Text(text)];
        let mut keys = 0;
        for (key, value) in others {
            let before = parts.len();
            parts = parts.into_iter().flat_map(|part| split(part, key, value)).collect();
            keys += usize::from(parts.len() > before);
            if keys == MAX_KEYS {
                break;
            }
        }
        (keys > 0 && parts.iter().any(|part| matches!(part, Part::Text(text) if text.contains("://"))))
            .then_some(Self { parts })
    }

    pub(super) fn written(&self) -> String {
        let part = |part: &Part<'_>| match part {
            Part::Text(text) => (*text).to_owned(),
            Part::Key(key) => format!("{{{key}}}"),
        };
        self.parts.iter().map(part).collect()
    }

    /// Whether the written template reads back as this one, where `is_key` knows the fields that can be referred to.
    pub(super) fn is_readable(&self, is_key: impl Fn(&str) -> bool) -> bool {
        let text = self.written();
        is_plain(&text) && Template::read(&text, is_key).as_ref() == Some(self)
    }

    /// Reads a written template.
    pub(super) fn read(text: &'t str, is_key: impl Fn(&str) -> bool) -> Option<Self> {
        let mut parts = Vec::new();
        let (mut start, mut at) = (0, 0);
        while let Some(open) = text[at..].find('{').map(|open| at + open) {
            let close = open + text[open..].find('}')?;
            at = open + 1;
            if is_key(&text[at..close]) {
                if start < open {
                    parts.push(Part::Text(&text[start..open]));
                }
                parts.push(Part::Key(&text[at..close]));
                (start, at) = (close + 1, close + 1);
            }
        }
        if start < text.len() {
            parts.push(Part::Text(&text[start..]));
        }
        Some(Self { parts })
    }
}

/// `part` with every whole-segment occurrence of `value` replaced by `key`.
fn split<'t>(part: Part<'t>, key: &'t str, value: &'t str) -> Vec<Part<'t>> {
    let Part::Text(text) = part else { return vec![part] };
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(value) {
        let (before, after) = (text[..at].chars().next_back(), text[at + value.len()..].chars().next());
        if at < start || !matches!(before, Some('/' | '=')) || !after.is_none_or(ends_segment) {
            continue;
        }
        parts.push(Part::Text(&text[start..at]));
        parts.push(Part::Key(key));
        start = at + value.len();
    }
    if start < text.len() {
        parts.push(Part::Text(&text[start..]));
    }
    parts
}

fn ends_segment(c: char) -> bool {
    matches!(c, '/' | '?' | '&' | '#' | '{' | '.')
}

/// What all these addresses start and end with, if leaving it out is worth it.
pub(super) fn affixes<'t>(addresses: &[&'t str]) -> Option<(&'t str, &'t str)> {
    let first = *addresses.first()?;
    let common = |other: &str| first.bytes().zip(other.bytes()).take_while(|(one, two)| one == two).count();
    let prefix = addresses.iter().map(|other| common(other)).min()?;
    let prefix = first.as_bytes()[..prefix].iter().rposition(|byte| *byte == b'/')? + 1;
    let shared = |other: &str| {
        first.as_bytes()[prefix..]
            .iter()
            .rev()
            .zip(other.as_bytes()[prefix..].iter().rev())
            .take_while(|(a, b)| a == b)
            .count()
    };
    let suffix = addresses.iter().map(|other| shared(other)).min()?;
    let tail = &first.as_bytes()[first.len() - suffix..];
    let suffix = tail.iter().position(|byte| matches!(byte, b'/' | b'?' | b'.' | b'{')).map_or(0, |skip| suffix - skip);
    let (prefix, suffix) = (&first[..prefix], &first[first.len() - suffix..]);
    let host_is_whole = prefix.find("://").is_some_and(|scheme| scheme + 3 < prefix.len());
    let saved = (cost::of_text(prefix) + cost::of_text(suffix)) as usize * (addresses.len() - 1);
    (host_is_whole
        && saved >= 12
        && is_plain(prefix)
        && is_plain(suffix)
        && !prefix.contains(REST)
        && !suffix.contains(REST))
    .then_some((prefix, suffix))
}

/// Whether a text can stand in a header as a template: no blank, comma or quote, and braces that match.
fn is_plain(text: &str) -> bool {
    let mut open = 0_usize;
    text.bytes().all(|byte| {
        match byte {
            b'{' => open += 1,
            b'}' if open == 0 => return false,
            b'}' => open -= 1,
            b',' | b'"' | b';' | b'[' | b']' | 0..=b' ' | 127.. => return false,
            _ => {}
        }
        true
    }) && open == 0
}

/// The text of a string or number, as a template may quote it.
pub(super) fn scalar_text<'n>(node: &'n Node<'_>) -> Option<&'n str> {
    match &node.value {
        Value::String(string) => Some(&string.text),
        Value::Number(spelling) => Some(spelling),
        _ => None,
    }
}

/// The text of a string that is an address.
pub(super) fn address<'n>(node: &'n Node<'_>) -> Option<&'n str> {
    match &node.value {
        Value::String(string) if is_address(&string.text) => Some(&string.text),
        _ => None,
    }
}

fn is_address(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, rest)| {
        (2..=8).contains(&scheme.len()) && scheme.bytes().all(|byte| byte.is_ascii_lowercase()) && !rest.is_empty()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_segments_are_referred_to() {
        let template = Template::of("https://x.org/users/ann/repos{/id}", &[("login", "ann"), ("id", "7")]).unwrap();
        assert_eq!(template.written(), "https://x.org/users/{login}/repos{/id}");
        assert!(template.is_readable(|key| key == "login"));
        assert!(template.gives("https://x.org/users/bob/repos{/id}", |_| Some("bob")));
        assert!(!template.gives("https://x.org/users/bob/repos{/id}", |_| Some("bo")));
        assert_eq!(Template::of("https://x.org/annex/joann", &[("login", "ann")]), None);
        assert_eq!(Template::of("/users/ann", &[("login", "ann")]), None);
    }

    #[test]
    fn common_ends_stop_at_segments() {
        let addresses =
            ["https://x.org/i/abcde12._S.jpg", "https://x.org/i/abcxy12._S.jpg", "https://x.org/i/abcd._S.jpg"];
        assert_eq!(affixes(&addresses), Some(("https://x.org/i/", "._S.jpg")));
        assert_eq!(affixes(&["https://x.org", "https://y.org"]), None);
    }
}

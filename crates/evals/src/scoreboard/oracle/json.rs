//! JSON: every key and scalar of the input, found by walking it with `serde_json`.

use headroom::{TextResult, Unit};
use serde_json::Value;

use super::Verdict;

/// Strings longer than this may be shown by their start, when an omission says so.
const LONG: usize = 1000;
const SHOWN_START: usize = 80;

/// Whether two texts say the same value; one a line if they are no single one.
pub(super) fn same(one: &str, other: &str) -> bool {
    let one = one.strip_prefix('\u{feff}').unwrap_or(one);
    match (serde_json::from_str::<Value>(one), serde_json::from_str::<Value>(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => {
            let filled =
                |text: &str| text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect::<Vec<_>>();
            let (one, other) = (filled(one), filled(other));
            let equal = |a: &str, b: &str| match (serde_json::from_str::<Value>(a), serde_json::from_str::<Value>(b)) {
                (Ok(a), Ok(b)) => a == b,
                _ => a == b,
            };
            one.len() == other.len() && one.iter().zip(&other).all(|(one, other)| equal(one, other))
        }
    }
}

/// Every key and scalar stands in the output, or in an element that a stated omission counts.
pub(super) fn check(input: &str, result: &TextResult, verdict: &mut Verdict) {
    if result.text == input {
        verdict.facts += 1;
        return;
    }
    let mut walk = Walk { result, places: Vec::new(), path: String::new(), verdict };
    if let Ok(value) = serde_json::from_str::<Value>(input) {
        walk.value(&value);
        return;
    }
    let lines: Vec<&str> = input.lines().filter(|line| !line.trim().is_empty()).collect();
    for (place, line) in lines.iter().enumerate() {
        let Ok(value) = serde_json::from_str::<Value>(line) else { continue };
        walk.places.push((place + 1, lines.len()));
        walk.value(&value);
        walk.places.pop();
    }
}

struct Walk<'a> {
    result: &'a TextResult,
    /// For each array around the value: the element's number, and how many there are.
    places: Vec<(usize, usize)>,
    path: String,
    verdict: &'a mut Verdict,
}

impl Walk<'_> {
    fn value(&mut self, value: &Value) {
        let depth = self.path.len();
        match value {
            Value::Array(elements) => {
                for (place, element) in elements.iter().enumerate() {
                    self.places.push((place + 1, elements.len()));
                    self.path.push_str(&format!("[{place}]"));
                    self.value(element);
                    self.path.truncate(depth);
                    self.places.pop();
                }
            }
            Value::Object(pairs) => {
                for (key, value) in pairs {
                    self.fact(|text| text.contains(escaped(key).as_str()), key);
                    self.path.push_str(&format!(".{key}"));
                    self.value(value);
                    self.path.truncate(depth);
                }
            }
            Value::String(string) => match serde_json::from_str(string) {
                Ok(inner @ (Value::Array(_) | Value::Object(_))) => self.value(&inner),
                _ => self.fact(|text| is_shown(string, text), string),
            },
            Value::Number(number) => {
                // The parser may spell the exponent its own way.
                let spelled = number.to_string();
                let spellings = [
                    spelled.clone(),
                    spelled.replace("e+", "e"),
                    spelled.replace("e+", "E"),
                    spelled.replace('e', "E"),
                ];
                self.fact(|text| spellings.iter().any(|spelling| text.contains(spelling.as_str())), &spelled);
            }
            Value::Bool(_) | Value::Null => {}
        }
    }

    fn fact(&mut self, shown: impl Fn(&str) -> bool, fact: &str) {
        let found = shown(&self.result.text) || self.is_stated();
        let path = &self.path;
        self.verdict.note(found, || format!("{path} = {fact}"));
    }

    /// Whether a stated omission counts one of the elements that the value is in.
    fn is_stated(&self) -> bool {
        self.result.omissions.iter().filter(|omission| omission.unit() == Unit::Row).any(|omission| {
            self.places.iter().any(|(place, total)| *total == omission.total() && omission.range().contains(place))
        })
    }
}

fn is_shown(string: &str, text: &str) -> bool {
    let written = escaped(string);
    let start = written.get(..SHOWN_START).unwrap_or(&written);
    text.contains(string)
        || text.contains(written.as_str())
        || (written.len() >= LONG && text.contains(start))
        // An address may be written as the part that many share, and the segments that differ.
        || (string.contains("://") && string.split(['/', '?', '{', '}', '=', '&', '.']).all(|part| text.contains(part)))
}

/// As it stands between the quotes of a JSON text.
fn escaped(string: &str) -> String {
    let written = serde_json::to_string(string).unwrap_or_default();
    written[1..written.len().max(2) - 1].to_owned()
}

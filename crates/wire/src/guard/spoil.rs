//! Arguments that no tool can do anything with, beginning with what the client already has of them.

use crate::literal::quoted;

use super::events::Form;

/// The argument that says why.
pub(super) const REASON: &str = "headroom_refused";

/// How a patch in free text begins. It ends with a line of its own, without which nobody applies it.
const PATCH: &str = "*** Begin Patch";

/// Whether free text is a patch, as far as can be told.
pub(super) fn is_patch(text: &str) -> bool {
    text.starts_with(PATCH) || PATCH.starts_with(text)
}

/// The arguments that begin with `passed` and are `null`, all of them, with the reason as one more. JSON says a member twice then; every
/// parser in use takes the last or refuses, and either way nothing is done.
pub(super) fn spoiled(passed: &str, form: Form, reason: &str) -> String {
    if form == Form::Free {
        return format!("{passed}{}{reason}", if passed.is_empty() { "" } else { "\n" });
    }
    let mut state = Parsed::of(passed);
    let mut text = passed.to_owned();
    if state.open.is_empty() {
        // Nothing but white space has passed, or what is no object: then it stays what nobody can read.
        text.push('{');
        state.place = Place::Open;
    }
    text.push_str(&state.rest());
    while state.open.len() > 1 {
        text.push(if state.open.pop() == Some(b'{') { '}' } else { ']' });
        state.place = Place::Behind;
    }
    let members = state.keys.iter().map(|key| format!("{}:null", quoted(key)));
    let members: Vec<String> = members.chain([format!("\"{REASON}\":{}", quoted(reason))]).collect();
    if state.place == Place::Behind {
        text.push(',');
    }
    text.push_str(&members.join(","));
    text.push('}');
    text
}

/// What may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Behind an opening bracket.
    Open,
    /// Behind a comma in an object.
    Key,
    /// Behind a key.
    Colon,
    /// A value, behind a colon or a comma.
    Value,
    /// Behind a value.
    Behind,
    /// Inside a string that began here.
    String { key: bool, start: usize },
    /// Inside a number or a word that began here.
    Word { start: usize },
}

/// The beginning of a JSON text.
struct Parsed<'a> {
    text: &'a str,
    /// Brackets that are open.
    open: Vec<u8>,
    place: Place,
    /// Names of the outermost members.
    keys: Vec<String>,
}

impl<'a> Parsed<'a> {
    fn of(text: &'a str) -> Self {
        let mut parsed = Self { text, open: Vec::new(), place: Place::Value, keys: Vec::new() };
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            at = parsed.step(bytes, at);
        }
        parsed
    }

    /// Takes what stands at `at` and says where to go on.
    fn step(&mut self, bytes: &[u8], at: usize) -> usize {
        let in_object = self.open.last() == Some(&b'{');
        match (self.place, bytes[at]) {
            (Place::String { .. }, b'\\') => return if bytes.get(at + 1) == Some(&b'u') { at + 6 } else { at + 2 },
            (Place::String { key, start }, b'"') => {
                if key && self.open.len() == 1 {
                    self.keys.extend(serde_json::from_str::<String>(&self.text[start..=at]));
                }
                self.place = if key { Place::Colon } else { Place::Behind };
            }
            (Place::String { .. }, _) | (_, b' ' | b'\n' | b'\r' | b'\t') => {
                if let Place::Word { .. } = self.place {
                    self.place = Place::Behind;
                }
            }
            (Place::Word { .. }, b',' | b'}' | b']') => {
                self.place = Place::Behind;
                return at;
            }
            (Place::Word { .. }, _) => {}
            (_, b'"') => {
                let key = in_object && matches!(self.place, Place::Open | Place::Key);
                self.place = Place::String { key, start: at };
            }
            (_, bracket @ (b'{' | b'[')) => {
                self.open.push(bracket);
                self.place = Place::Open;
            }
            (_, b'}' | b']') => {
                self.open.pop();
                self.place = Place::Behind;
            }
            (_, b':') => self.place = Place::Value,
            (_, b',') => self.place = if in_object { Place::Key } else { Place::Value },
            _ => self.place = Place::Word { start: at },
        }
        at + 1
    }

    /// What ends the value in progress, so that a comma or a bracket may follow.
    fn rest(&mut self) -> String {
        let outermost = self.open.len() <= 1;
        let rest = match self.place {
            Place::Open | Place::Behind => return String::new(),
            Place::Key if outermost => return String::new(),
            Place::Key => "\"\":null".to_owned(),
            Place::Colon => ":null".to_owned(),
            Place::Value => "null".to_owned(),
            Place::String { key, start } => {
                format!("{}\"{}", rest_of_escape(&self.text[start..]), if key { ":null" } else { "" })
            }
            Place::Word { start } => rest_of_word(&self.text[start..]),
        };
        self.place = Place::Behind;
        rest
    }
}

/// What completes the escape at the end of an open string, and the pair of a surrogate that stands there.
fn rest_of_escape(string: &str) -> String {
    let bytes = string.as_bytes();
    let mut at = 1;
    let mut high = false;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            (at, high) = (at + 1, false);
            continue;
        }
        let escape = &string[at..string.floor_char_boundary(at + 6)];
        match escape.as_bytes() {
            // After the first half of a pair only a second half may stand.
            [_] => return if high { "udc00" } else { "\\" }.to_owned(),
            [_, b'u', digits @ ..] if digits.len() < 4 => {
                let whole = if high { "dc00" } else { "0000" };
                let begun = digits.len();
                let fits = high && whole.as_bytes()[..begun].eq_ignore_ascii_case(digits);
                let first = !high && matches!(digits, [b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', ..]);
                let rest = if fits { &whole[begun..] } else { &"0000"[begun..] };
                return if first { format!("{rest}\\udc00") } else { rest.to_owned() };
            }
            [_, b'u', ..] => {
                let unit = u32::from_str_radix(&escape[2..], 16).unwrap_or_default();
                (at, high) = (at + 6, !high && (0xd800..0xdc00).contains(&unit));
            }
            _ => (at, high) = (at + 2, false),
        }
    }
    if high { "\\udc00".to_owned() } else { String::new() }
}

fn rest_of_word(word: &str) -> String {
    for whole in ["true", "false", "null"] {
        if let Some(rest) = whole.strip_prefix(word) {
            return rest.to_owned();
        }
    }
    let ends = word.bytes().next_back().is_some_and(|byte| byte.is_ascii_digit());
    if ends { String::new() } else { "0".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_testkit::generate::any_text;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn check(arguments: &str) {
        for end in (0..arguments.len()).filter(|end| arguments.is_char_boundary(*end)) {
            let spoiled = spoiled(&arguments[..end], Form::Text, "why");
            assert!(spoiled.starts_with(&arguments[..end]));
            let Value::Object(read) =
                serde_json::from_str(&spoiled).unwrap_or_else(|error| panic!("{error}: {spoiled}"))
            else {
                panic!("{spoiled}")
            };
            assert_eq!(read[REASON], "why");
            assert!(read.iter().all(|(key, value)| key == REASON || value.is_null()), "{spoiled}");
        }
    }

    #[test]
    fn arguments_are_spoiled_at_every_byte() {
        check(
            r#"{"path":"/a \"b\"\\","n":-12.5e+3,"ok":true,"no":false,"edits":[{"old":"x","new":[1,null,{}]},[]],"z":"\ud83d\ude00\u00e9\n"}"#,
        );
        check(" \n{ \"a\" : [ 1 , 2 ] , \"b\" : { \"c\" : \"d\" , \"e\" : [ ] } }");
        assert_eq!(spoiled("", Form::Text, "why"), r#"{"headroom_refused":"why"}"#);
    }

    #[test]
    fn a_patch_loses_its_end() {
        assert!(is_patch("") && is_patch("*** Beg") && is_patch("*** Begin Patch\n") && !is_patch("import"));
        assert_eq!(spoiled("*** Begin Patch\n+a", Form::Free, "why"), "*** Begin Patch\n+a\nwhy");
    }

    proptest! {
        #[test]
        fn any_arguments_are_spoiled_at_every_byte(key in any_text(), text in any_text(), more in any_text()) {
            let (key, text) = (&key[..key.floor_char_boundary(20)], &text[..text.floor_char_boundary(40)]);
            let more = &more[..more.floor_char_boundary(20)];
            check(&json!({key: text, "k": [{"a": more}, 1.5, text]}).to_string());
        }
    }
}

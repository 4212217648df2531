//! What marks look like, and whose they are.

use bytes::Bytes;
use headroom_core::{Handle, find_marks};
use memchr::memmem;

/// The forms of all marks (`headroom_core::mark`, `headroom_compress::repeat` and `headroom_compress`'s `again`). `#` is a number, `*` a run of what gap
/// marks and trailers are made of. References end where the name of what they refer to begins.
const FORMS: &[&str] = &[
    "[-# *]",
    "[-..#]",
    "[layout changed; original in *]",
    "[unchanged: the same # lines as above",
    "[#-#: unchanged, as above",
    "[#-#: the same as lines #-# above",
    "[#-#: as above",
    "[# lines as above",
    "[=# again]",
];

/// Longest run that `*` stands for: a trailer over every unit has about half of it.
const RUN: usize = 200;

/// Digits of a number at most.
const DIGITS: usize = 10;

/// Handles that are asked for on account of one mark.
const HANDLES: usize = 8;

/// What stands at a bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Nothing,
    /// The text ends before it can be told.
    Begun,
    /// A mark of this many bytes.
    Mark(usize),
}

/// What stands at the beginning of `text`.
pub(super) fn at(text: &[u8]) -> Seen {
    let mut begun = false;
    for form in FORMS {
        match fits(form.as_bytes(), text) {
            Seen::Mark(length) => return Seen::Mark(length),
            Seen::Begun => begun = true,
            Seen::Nothing => {}
        }
    }
    if begun { Seen::Begun } else { Seen::Nothing }
}

fn fits(form: &[u8], text: &[u8]) -> Seen {
    let mut at = 0;
    for sign in form {
        let run =
            |most: usize, of: fn(u8) -> bool| text[at..].iter().take(most + 1).take_while(|byte| of(**byte)).count();
        match sign {
            b'#' | b'*' => {
                let digits = *sign == b'#';
                let (most, least) = if digits { (DIGITS, 1) } else { (RUN, 0) };
                let length = if digits { run(most, |byte| byte.is_ascii_digit()) } else { run(most, in_run) };
                if length > most {
                    return Seen::Nothing;
                }
                if at + length == text.len() {
                    return Seen::Begun;
                }
                if length < least {
                    return Seen::Nothing;
                }
                at += length;
            }
            sign => match text.get(at) {
                None => return Seen::Begun,
                Some(byte) if byte == sign => at += 1,
                Some(_) => return Seen::Nothing,
            },
        }
    }
    Seen::Mark(at)
}

fn in_run(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b" ,;_-".contains(&byte)
}

/// Every mark in a text, in order.
pub(super) fn all(text: &str) -> impl Iterator<Item = (usize, &str)> + '_ {
    let brackets = text.match_indices('[').map(|(at, _)| at);
    brackets.filter_map(|at| match self::at(&text.as_bytes()[at..]) {
        Seen::Mark(length) => Some((at, &text[at..at + length])),
        Seen::Nothing | Seen::Begun => None,
    })
}

/// The original that a mark names.
pub(super) fn named(mark: &str) -> Option<Handle> {
    find_marks(mark).next().map(|mark| mark.handle)
}

/// The originals that the marks in a text name.
pub(super) fn handles_in_marks(text: &str) -> Vec<Handle> {
    let mut handles: Vec<Handle> = Vec::new();
    for handle in all(text).filter_map(|(_, mark)| named(mark)) {
        if !handles.contains(&handle) {
            handles.push(handle);
        }
    }
    handles
}

/// Where marks of ours can come from: the request as it came and as it went out.
#[derive(Debug)]
pub(super) struct Sources {
    body: Bytes,
    sent: Bytes,
}

impl Sources {
    /// `None` when there can be no mark of ours in the request.
    pub(super) fn of(body: &Bytes, sent: &Bytes) -> Option<Self> {
        let changed = body.as_ptr() != sent.as_ptr() || body.len() != sent.len();
        let named = || memmem::find(sent, b" in hr_").is_some();
        (!sent.is_empty() && (changed || named())).then(|| Self { body: body.clone(), sent: sent.clone() })
    }

    /// Whether a mark can be ours: the model has read it.
    pub(super) fn may_own(&self, mark: &str) -> bool {
        self.is_added(mark) || !self.handles_of(mark).is_empty()
    }

    /// Whether a mark is certainly ours: it was sent more often than it came.
    pub(super) fn is_added(&self, mark: &str) -> bool {
        let count = |text: &[u8]| memmem::find_iter(text, mark.as_bytes()).count();
        let sent = count(&self.sent);
        sent > 0 && sent > count(&self.body)
    }

    /// The originals that a mark may speak of, where the model has read it: the one that it names, or those that the texts around it
    /// name at their ends.
    pub(super) fn handles_of(&self, mark: &str) -> Vec<Handle> {
        if let Some(handle) = named(mark) {
            let known = memmem::find(&self.sent, handle.to_string().as_bytes()).is_some();
            return known.then_some(handle).into_iter().collect();
        }
        let mut handles: Vec<Handle> = Vec::new();
        if !mark.starts_with("[-") {
            return handles;
        }
        for at in memmem::find_iter(&self.sent, mark.as_bytes()) {
            let rest = &self.sent[at..];
            let text = std::str::from_utf8(&rest[..string_end(rest)]).unwrap_or_default();
            let trailer = all(text).find_map(|(_, mark)| named(mark));
            if let Some(handle) = trailer.filter(|handle| !handles.contains(handle)) {
                handles.push(handle);
            }
            if handles.len() == HANDLES {
                break;
            }
        }
        handles
    }

    /// The originals that all marks in a text may speak of.
    pub(super) fn handles_for(&self, text: &str) -> Vec<Handle> {
        let mut handles: Vec<Handle> = all(text).flat_map(|(_, mark)| self.handles_of(mark)).collect();
        handles.truncate(4 * HANDLES);
        handles
    }
}

/// Where the JSON string ends in whose middle `text` begins.
fn string_end(text: &[u8]) -> usize {
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_known_from_its_first_byte_on() {
        for mark in [
            "[-14 lines 38-51]",
            "[-1 row 60]",
            "[-..51]",
            "[-212 of 400 lines, -3 of 12 rows; all in hr_4k2m9x7qw3]",
            "[layout changed; original in hr_4k2m9x7qw3]",
            "[unchanged: the same 31 lines as above",
            "[12-80: unchanged, as above",
            "[12-80: the same as lines 3-71 above",
            "[12-80: as above",
            "[69 lines as above",
            "[=31 again]",
        ] {
            for end in 1..mark.len() {
                assert_eq!(at(&mark.as_bytes()[..end]), Seen::Begun, "{}", &mark[..end]);
            }
            let longer = format!("{mark} and more");
            assert_eq!(at(longer.as_bytes()), Seen::Mark(mark.len()), "{mark}");
        }
        for other in
            ["[1, 2]", "[]", "[-x", "[a-z]", "[-1, 2]", "[- 1", "[-..x]", "[..51]", "[12-80]", "[\"a\"", "[12 lines of"]
        {
            assert_eq!(at(format!("{other} ").as_bytes()), Seen::Nothing, "{other}");
        }
    }

    #[test]
    fn a_mark_is_ours_where_it_was_added_or_where_a_text_names_an_original() {
        let of = |body: &str, sent: &str| Sources::of(&body.to_owned().into(), &sent.to_owned().into());
        assert!(of("", "").is_none());
        let (gap, trailer) = ("[-14 lines 38-51]", "[-14 of 400 lines; all in hr_4k2m9x7qw3]");
        let sent = format!(r#"{{"a":"x\n{gap}\ny\"\n{trailer}","b":"{trailer}"}}"#);
        let sources = of("{\"a\":\"long\"}", &sent).unwrap();
        assert!(sources.is_added(gap) && sources.may_own(trailer) && !sources.may_own("[-2 lines 3-4]"));
        assert_eq!(sources.handles_of(gap), ["hr_4k2m9x7qw3".parse().unwrap()]);
        // The client's own text is its own, unless the store knows better.
        let quoted = format!("{{\"a\":\"{gap} in a document\"}}");
        let changed = of(&quoted, &format!("{quoted} ")).unwrap();
        assert!(!changed.may_own(gap));
    }
}

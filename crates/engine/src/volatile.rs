//! What in a text looks as if it were another on every request: times, identifiers, counters.

use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// What kind of value a span holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Date and time, or seconds or milliseconds since 1970.
    Timestamp,
    Date,
    Time,
    Uuid,
    /// Letters and digits mixed, as requests and sessions are named.
    Id,
    /// Anything that counts.
    Number,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::Time => "time",
            Self::Uuid => "uuid",
            Self::Id => "id",
            Self::Number => "number",
        })
    }
}

/// A value, and where it stands in its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) kind: Kind,
    pub(crate) range: Range<usize>,
}

/// A value that differs between two texts that are otherwise the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) kind: Kind,
    pub(crate) before: Range<usize>,
    pub(crate) now: Range<usize>,
}

/// The values in which two texts differ; `None` when they differ in anything else as well.
pub(crate) fn changed(before: &str, now: &str) -> Option<Vec<Changed>> {
    let (before_spans, now_spans) = (spans(before), spans(now));
    if before_spans.len() != now_spans.len() {
        return None;
    }
    let mut changed = Vec::new();
    let (mut before_from, mut now_from) = (0, 0);
    for (was, is) in before_spans.iter().zip(&now_spans) {
        if was.kind != is.kind || before[before_from..was.range.start] != now[now_from..is.range.start] {
            return None;
        }
        if before[was.range.clone()] != now[is.range.clone()] {
            changed.push(Changed { kind: is.kind, before: was.range.clone(), now: is.range.clone() });
        }
        (before_from, now_from) = (was.range.end, is.range.end);
    }
    (before[before_from..] == now[now_from..]).then_some(changed)
}

/// Every value in a text, in order.
pub(crate) fn spans(text: &str) -> Vec<Span> {
    let Some(values) = VALUES.as_ref() else { return Vec::new() };
    let found = values.find_iter(text).filter_map(|found| {
        let kind = kind_of(found.as_str())?;
        Some(Span { kind, range: found.range() })
    });
    found.collect()
}

/// Candidates, the longer forms first. A word with a digit in it is one whatever it is, so that `kind_of` sees all of it.
static VALUES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    const MONTH: &str = "(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:t(?:ember)?)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)";
    const DAY: &str = "(?:(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?,? )";
    const CLOCK: &str = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?: ?[AaPp]\.?[Mm]\b\.?)?(?: ?(?:Z\b|UTC\b|GMT\b|[+-]\d{2}:?\d{2}\b))?";
    let date = format!(
        r"(?:{DAY}?(?:\d{{4}}[-/.]\d{{1,2}}[-/.]\d{{1,2}}|\d{{1,2}}[/.]\d{{1,2}}[/.]\d{{2,4}}|{MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}|\d{{1,2}}(?:st|nd|rd|th)?[ -]{MONTH}\.?[ -]\d{{4}}))"
    );
    let unix = format!(r"{DAY}{MONTH} +\d{{1,2}} {CLOCK}(?: [A-Z]{{2,5}})? \d{{4}}");
    let uuid = "[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}";
    let word = r"[A-Za-z]*\d[A-Za-z0-9]*(?:\.\d+)*";
    // The pattern is fixed and a test compiles it; without it nothing looks volatile.
    Regex::new(&format!(r"(?:{uuid}|{unix}|{date}(?:(?:[T ]|, | at ){CLOCK})?|{CLOCK}|{word})")).ok()
});

fn kind_of(value: &str) -> Option<Kind> {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let letters = value.bytes().filter(u8::is_ascii_alphabetic).count();
    let has_clock = value.contains(':');
    let is_word = value.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if value.len() == 36 && value.bytes().filter(|byte| *byte == b'-').count() == 4 {
        return Some(Kind::Uuid);
    }
    if is_word && letters > 0 {
        // `sha256` and `utf8` are words. What is drawn by lot is longer.
        return (value.len() >= 10).then_some(Kind::Id);
    }
    if is_word {
        let since_1970 = (digits == 10 || digits == 13) && value.starts_with(['1', '2']);
        return Some(if since_1970 { Kind::Timestamp } else { Kind::Number });
    }
    let separated = value.contains(['-', '/', ' ']) || value.matches('.').count() == 2;
    Some(match (has_clock, separated && digits >= 4) {
        (true, true) if digits >= 8 => Kind::Timestamp,
        (true, _) => Kind::Time,
        (false, true) if digits >= 5 => Kind::Date,
        (false, _) => Kind::Number,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, Kind)]) {
        let found = spans(text);
        let found: Vec<_> = found.iter().map(|span| (&text[span.range.clone()], span.kind)).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn values_are_told_apart() {
        check("It is 2026-11-23T03:18:26Z now", &[("2026-11-23T03:18:26Z", Kind::Timestamp)]);
        check("at 2026-11-23 03:18:26.123 +0100", &[("2026-11-23 03:18:26.123 +0100", Kind::Timestamp)]);
        check("Today's date: 2026-11-23.", &[("2026-11-23", Kind::Date)]);
        check("Today is Monday, November 23, 2026", &[("Monday, November 23, 2026", Kind::Date)]);
        check("on 23 Nov 2026 at 9:05 PM", &[("23 Nov 2026 at 9:05 PM", Kind::Timestamp)]);
        check("Mon Nov 23 03:18:26 UTC 2026", &[("Mon Nov 23 03:18:26 UTC 2026", Kind::Timestamp)]);
        check("at 03:18:26 sharp", &[("03:18:26", Kind::Time)]);
        check("now=1795403906", &[("1795403906", Kind::Timestamp)]);
        check("id 6f1ee9b2-aaaa-4bbb-8ccc-123456789012", &[("6f1ee9b2-aaaa-4bbb-8ccc-123456789012", Kind::Uuid)]);
        check("request req_8f3k2m9x7qw3 of", &[("8f3k2m9x7qw3", Kind::Id)]);
        check("turn 7 of 50, sha256 and utf8", &[("7", Kind::Number), ("50", Kind::Number)]);
        check("no value at all", &[]);
    }

    #[test]
    fn only_texts_that_are_otherwise_the_same_differ_in_values() {
        let now = changed("It is 09:59:59. Turn 9.", "It is 10:00:00. Turn 10.").unwrap();
        assert_eq!(now.iter().map(|change| change.kind).collect::<Vec<_>>(), [Kind::Time, Kind::Number]);
        assert_eq!(now[1].before, 21..22);
        assert_eq!(now[1].now, 21..23);
        assert_eq!(changed("same 1", "same 1"), Some(vec![]));
        assert_eq!(changed("It is 09:59. Be brief.", "It is 10:00. Be long."), None);
        assert_eq!(changed("a 1 b 2", "a 1 b"), None);
    }
}

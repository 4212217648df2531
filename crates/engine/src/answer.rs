//! Giving back what was left out: one function for the proxy, the MCP server and the command line.

use headroom_core::Handle;
use headroom_store::{Scope, Store};
use regex::RegexBuilder;
use serde_json::Value;
use serde_json_path::JsonPath;

/// Characters of an answer when the question sets no limit: about 4,000 tokens.
pub const DEFAULT_LIMIT: usize = 16_000;

/// Characters of an answer at most, whatever the question asks: a model's window must survive a careless question.
pub const MAX_LIMIT: usize = 64_000;

/// Bytes a compiled pattern may take. The engine behind it is linear in the text for any pattern.
const PATTERN_BYTES: usize = 1 << 20;

/// What is asked of an original.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Which original.
    pub handle: Handle,
    /// Only these lines, from 1, both included.
    pub line_range: Option<(usize, usize)>,
    /// Only lines that match this regular expression, each with its number.
    pub pattern: Option<String>,
    /// Only what this JSONPath (RFC 9535) selects, one value a line.
    pub json_path: Option<String>,
    /// Characters of the selection to skip.
    pub offset: usize,
    /// Characters to give; `None` means [`DEFAULT_LIMIT`], and [`MAX_LIMIT`] bounds it.
    pub limit: Option<usize>,
}

impl Query {
    /// The whole original, first page.
    pub const fn whole(handle: Handle) -> Self {
        Self { handle, line_range: None, pattern: None, json_path: None, offset: 0, limit: None }
    }

    /// Reads the arguments of a `retrieve_original_content` call. Models write them in many ways, so spellings that have one meaning are
    /// accepted: a handle in brackets or quotes, a line range as `"3-9"`, `"7"`, `7` or `[3, 9]`, numbers as strings.
    ///
    /// # Errors
    ///
    /// A sentence for the model that says what was wrong and what a right call looks like.
    pub fn from_arguments(arguments: &str) -> Result<Self, String> {
        const EXAMPLE: &str = r#"a call looks like {"content_id": "hr_4k2m9x7qw3", "line_range": "120-180"}"#;
        let Ok(Value::Object(given)) = serde_json::from_str(arguments) else {
            return Err(format!("The arguments are not a JSON object; {EXAMPLE}."));
        };
        let text = |name: &str| match given.get(name) {
            Some(Value::String(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let Some(id) = text("content_id") else {
            return Err(format!("content_id is missing; {EXAMPLE}."));
        };
        let handle = id
            .trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .parse()
            .map_err(|error| format!("{error}. Copy it from the mark in the text; {EXAMPLE}."))?;
        let count = |name: &str| -> Result<Option<usize>, String> {
            let Some(written) = text(name) else { return Ok(None) };
            written.parse().map(Some).map_err(|_| format!("{name} is {written:?}, not a whole number; {EXAMPLE}."))
        };
        let line_range = match given.get("line_range") {
            None | Some(Value::Null) => None,
            Some(value) => Some(
                line_range(value).ok_or_else(|| format!("line_range is {value}, not \"FIRST-LAST\"; {EXAMPLE}."))?,
            ),
        };
        Ok(Self {
            handle,
            line_range,
            pattern: text("pattern"),
            json_path: text("json_path"),
            offset: count("offset")?.unwrap_or(0),
            limit: count("limit")?,
        })
    }
}

/// `"3-9"`, `"7"`, `7`, `[3, 9]`; an empty or reversed range is none.
fn line_range(value: &Value) -> Option<(usize, usize)> {
    let number = |value: &Value| value.as_u64().and_then(|number| usize::try_from(number).ok());
    let (first, last) = match value {
        Value::Array(ends) => match ends.as_slice() {
            [first, last] => (number(first)?, number(last)?),
            _ => return None,
        },
        Value::Number(_) => (number(value)?, number(value)?),
        Value::String(text) => parse_line_range(text)?,
        _ => return None,
    };
    (1 <= first && first <= last).then_some((first, last))
}

/// Reads `FIRST-LAST`, `FIRST:LAST`, `FIRST,LAST` or one number.
pub fn parse_line_range(text: &str) -> Option<(usize, usize)> {
    let mut ends = text.trim().splitn(2, ['-', ':', ',']).map(|end| end.trim().parse().ok());
    let first = ends.next()??;
    let last = ends.next().unwrap_or(Some(first))?;
    (1 <= first && first <= last).then_some((first, last))
}

/// What the model gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A page of what was asked for.
    Found {
        /// The page, with one bracketed line at the end when there is more.
        text: String,
        /// Characters of the whole selection.
        selected: usize,
    },
    /// Nothing can be given; final, with what to do instead.
    Miss {
        /// The sentence for the model.
        text: String,
    },
}

impl Answer {
    /// The text to give to the model, found or not.
    pub fn text(&self) -> &str {
        match self {
            Self::Found { text, .. } | Self::Miss { text } => text,
        }
    }

    /// Whether something was found.
    pub const fn is_found(&self) -> bool {
        matches!(self, Self::Found { .. })
    }

    fn miss(text: impl Into<String>) -> Self {
        Self::Miss { text: text.into() }
    }
}

/// Answers one question from the store. A miss never says whether another scope has the original.
pub(crate) fn answer(store: &Store, scope: &Scope, query: &Query) -> Answer {
    selection(store, scope, query).map_or_else(Answer::miss, |selection| page(&selection, query))
}

/// The same for a reader without a window: everything that is selected, whatever `offset` and `limit` say.
pub(crate) fn answer_in_full(store: &Store, scope: &Scope, query: &Query) -> Answer {
    let whole = |text: String| Answer::Found { selected: text.chars().count(), text };
    selection(store, scope, query).map_or_else(Answer::miss, whole)
}

/// What a query selects, or the sentence that says why nothing.
fn selection(store: &Store, scope: &Scope, query: &Query) -> Result<String, String> {
    let original = match store.original(scope, query.handle) {
        Ok(Some(original)) => original,
        Ok(None) => {
            return Err(format!(
                "{} is not kept here, and asking again will not change that. Work from what is shown, or produce it again \
                 (re-run the command, re-read the file).",
                query.handle
            ));
        }
        Err(error) => {
            return Err(format!("{} cannot be read now ({error}). Produce it again if you need it.", query.handle));
        }
    };
    select(&original, query)
}

/// What the query selects, before paging. Lines first, then the pattern or the path on what is left.
fn select(original: &str, query: &Query) -> Result<String, String> {
    let (text, first_line) = match query.line_range {
        None => (original, 1),
        Some((first, last)) => (lines_of(original, first, last)?, first),
    };
    match (&query.pattern, &query.json_path) {
        (None, None) => Ok(text.to_owned()),
        (Some(pattern), _) => matching_lines(text, first_line, pattern),
        (None, Some(path)) => at_path(text, path),
    }
}

fn lines_of(text: &str, first: usize, last: usize) -> Result<&str, String> {
    let starts = std::iter::once(0).chain(memchr::memchr_iter(b'\n', text.as_bytes()).map(|end| end + 1));
    let mut wanted = starts.skip(first - 1);
    let Some(start) = wanted.next().filter(|start| *start < text.len()) else {
        return Err(format!("There is no line {first}; the text has {} lines.", text.lines().count()));
    };
    let end = wanted.nth(last - first).unwrap_or(text.len());
    Ok(&text[start..end])
}

fn matching_lines(text: &str, first_line: usize, pattern: &str) -> Result<String, String> {
    let regex = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).build().map_err(|error| {
        format!("The pattern {pattern:?} is not a regular expression this tool knows (no look-around, no back-references): {error}")
    })?;
    let hits: Vec<_> = text
        .lines()
        .zip(first_line..)
        .filter(|(line, _)| regex.is_match(line))
        .map(|(line, number)| format!("{number}:{line}"))
        .collect();
    if hits.is_empty() {
        return Err(format!("No line matches {pattern:?} in {} lines.", text.lines().count()));
    }
    Ok(hits.join("\n"))
}

fn at_path(text: &str, path: &str) -> Result<String, String> {
    let parsed = JsonPath::parse(path)
        .map_err(|error| format!("{path:?} is not a JSONPath ({error}); it looks like $.items[0].name or $..id."))?;
    let value: Value = serde_json::from_str(text)
        .map_err(|_| "The text is not one JSON value; use line_range or pattern.".to_owned())?;
    let hits: Vec<_> = parsed.query(&value).all().into_iter().map(Value::to_string).collect();
    if hits.is_empty() {
        return Err(format!("{path:?} selects nothing in it."));
    }
    Ok(hits.join("\n"))
}

/// One page of a selection, in characters so that no page splits one.
fn page(selection: &str, query: &Query) -> Answer {
    let selected = selection.chars().count();
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    if query.offset >= selected && selected > 0 {
        return Answer::miss(format!(
            "offset {} is past the end; the selection has {selected} characters.",
            query.offset
        ));
    }
    let mut text: String = selection.chars().skip(query.offset).take(limit).collect();
    let end = query.offset + limit.min(selected - query.offset);
    if end < selected {
        text.push_str(&format!("\n[characters {}-{end} of {selected}; ask with offset={end} for more]", query.offset));
    }
    Answer::Found { text, selected }
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_store::Batch;

    fn kept(text: &str) -> (Store, Handle) {
        let store = Store::memory();
        let mut batch = Batch::at(1);
        let handle = batch.keep(store.handle_key(), text);
        store.write(&Scope::default(), batch).unwrap();
        (store, handle)
    }

    fn ask(text: &str, change: impl FnOnce(&mut Query)) -> Answer {
        let (store, handle) = kept(text);
        let mut query = Query::whole(handle);
        change(&mut query);
        answer(&store, &Scope::default(), &query)
    }

    #[test]
    fn lines_patterns_and_paths_select() {
        let text = "one\ntwo\nthree\nfour";
        assert_eq!(ask(text, |q| q.line_range = Some((2, 3))).text(), "two\nthree\n");
        assert_eq!(ask(text, |q| q.line_range = Some((4, 9))).text(), "four");
        assert_eq!(ask(text, |q| q.pattern = Some("^t".into())).text(), "2:two\n3:three");
        assert_eq!(ask(text, |q| (q.line_range, q.pattern) = (Some((3, 4)), Some("o".into()))).text(), "4:four");
        assert_eq!(
            ask(r#"{"a":[{"b":1.0},{"b":12345678901234567890}]}"#, |q| q.json_path = Some("$.a[*].b".into())).text(),
            "1.0\n12345678901234567890"
        );
    }

    #[test]
    fn what_cannot_be_selected_is_said_in_words() {
        let text = "one\ntwo";
        for (change, word) in [
            (Box::new(|q: &mut Query| q.line_range = Some((9, 9))) as Box<dyn FnOnce(&mut Query)>, "2 lines"),
            (Box::new(|q| q.pattern = Some("(".into())), "regular expression"),
            (Box::new(|q| q.pattern = Some("zzz".into())), "No line matches"),
            (Box::new(|q| q.json_path = Some("$.a".into())), "not one JSON value"),
            (Box::new(|q| q.offset = 99), "past the end"),
        ] {
            let answer = ask(text, change);
            assert!(!answer.is_found() && answer.text().contains(word), "{answer:?}");
        }
    }

    /// T080
    #[test]
    fn a_large_original_comes_in_pages_that_join_to_the_whole() {
        let text: String = (0..40_000).map(|n| format!("строка {n}\n")).collect();
        let (store, handle) = kept(&text);
        let mut joined = String::new();
        let mut query = Query { limit: Some(usize::MAX), ..Query::whole(handle) };
        loop {
            let answer = answer(&store, &Scope::default(), &query);
            assert!(answer.text().chars().count() <= MAX_LIMIT + 100);
            let Some(cut) = answer.text().rfind("\n[characters ") else {
                joined.push_str(answer.text());
                break;
            };
            joined.push_str(&answer.text()[..cut]);
            query.offset += MAX_LIMIT;
        }
        assert_eq!(joined, text);
    }

    /// T043, T077
    #[test]
    fn a_miss_is_final_and_the_same_for_absent_and_foreign() {
        let (store, handle) = kept("x");
        let foreign = answer(&store, &Scope::new("other", "p"), &Query::whole(handle));
        let absent = answer(&Store::memory(), &Scope::default(), &Query::whole(handle));
        assert_eq!(foreign, absent);
        assert!(foreign.text().contains("asking again will not change that"));
    }

    #[test]
    fn arguments_are_read_as_models_write_them() {
        let query = |json: &str| Query::from_arguments(json);
        let plain = query(r#"{"content_id":"hr_4k2m9x7qw3"}"#).unwrap();
        assert_eq!(query(r#"{"content_id":" [hr_4k2m9x7qw3] ","line_range":null}"#).unwrap(), plain);
        for range in [r#""3-9""#, r#""3:9""#, "[3,9]"] {
            let json = format!(r#"{{"content_id":"hr_4k2m9x7qw3","line_range":{range},"limit":"100"}}"#);
            let asked = query(&json).unwrap();
            assert_eq!((asked.line_range, asked.limit), (Some((3, 9)), Some(100)));
        }
        for (bad, word) in [
            ("nonsense", "not a JSON object"),
            ("{}", "content_id is missing"),
            (r#"{"content_id":"hr_4k2m9x7qwx!"}"#, "hr_4k2m9x7qwx"),
            (r#"{"content_id":"hr_l"}"#, "not a handle"),
            (r#"{"content_id":"hr_4k2m9x7qw3","line_range":"9-3"}"#, "FIRST-LAST"),
            (r#"{"content_id":"hr_4k2m9x7qw3","limit":"many"}"#, "whole number"),
        ] {
            let problem = query(bad).err().or_else(|| query(bad).ok().map(|query| query.handle.to_string())).unwrap();
            assert!(problem.contains(word), "{bad}: {problem}");
        }
    }
}

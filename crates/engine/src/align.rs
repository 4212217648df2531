//! CacheAligner: how a conversation's tools and instructions are sent when its client changes them from request to request.
//!
//! A clock in the instructions makes every request a new one to the provider's cache. Once two requests of a conversation were seen to
//! differ in nothing but such values, the instructions are sent as they were first seen, and what has changed is said at the end of
//! the newest turn, where everything is new anyway. What is said there stays there on every later request. Pure.

use std::ops::Range;

use headroom_core::Reason;
use headroom_store::{Rendering, Replacement};
use headroom_wire::{Request, Role};

use crate::volatile::{self, Changed, Kind};

/// Names the rendering that holds how tools and instructions are sent.
const HEAD: &str = "align-head";

/// Names the rendering that holds what is said at the end of a turn.
const NOTE: &str = "align";

/// More changed values than this are no clock.
const MAX_VALUES: usize = 8;

/// More bytes of changed values than this cost more to say than they save.
const MAX_VALUE_BYTES: usize = 400;

/// Tools and instructions as a conversation was first seen to have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stable {
    pub(crate) instructions: Vec<String>,
    /// The list of tools, and where the last definition in it ends.
    pub(crate) tools: Option<(String, Option<usize>)>,
}

/// How a request differs from what is stable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fit {
    /// What is put into the instructions: index, range, the stable value.
    pub(crate) changes: Vec<(usize, Range<usize>, String)>,
    /// The stable values, and those that this request has instead.
    pub(crate) values: Vec<(String, String)>,
    pub(crate) kinds: Vec<Kind>,
    /// The tools have another order or spacing.
    pub(crate) tools: bool,
}

impl Stable {
    /// As this request has them.
    pub(crate) fn of(request: &Request) -> Self {
        let tools = request.tools().map(|tools| {
            let span = tools.span();
            let list = String::from_utf8_lossy(&request.body()[span.clone()]).into_owned();
            (list, tools.last_end().map(|end| end - span.start))
        });
        Self { instructions: request.instructions().iter().map(|text| text.text().to_owned()).collect(), tools }
    }

    /// How a request differs; `None` when it differs by more than values and the order of tools.
    pub(crate) fn fit(&self, request: &Request) -> Option<Fit> {
        let now = request.instructions();
        if self.instructions.len() != now.len() {
            return None;
        }
        let mut fit = Fit::default();
        for (index, (stable, now)) in self.instructions.iter().zip(now).enumerate() {
            let now = now.text();
            if stable == now {
                continue;
            }
            for Changed { kind, before, now: at } in volatile::changed(stable, now)? {
                let (stable, now) = (stable[before].to_owned(), now[at.clone()].to_owned());
                fit.kinds.push(kind);
                fit.changes.push((index, at, stable.clone()));
                fit.values.push((stable, now));
            }
        }
        let said: usize = fit.values.iter().map(|(was, is)| was.len() + is.len()).sum();
        if fit.values.len() > MAX_VALUES || said > MAX_VALUE_BYTES {
            return None;
        }
        match (&self.tools, request.tools()) {
            (None, None) => {}
            (Some((list, _)), Some(tools)) => {
                fit.tools = list.as_bytes() != &request.body()[tools.span()];
                // Where the client marks a tool, the order is its own business.
                if fit.tools && same_tools(list, request).is_none() {
                    return None;
                }
            }
            _ => return None,
        }
        Some(fit)
    }

    /// Bytes it takes in memory.
    pub(crate) fn weight(&self) -> usize {
        self.instructions.iter().map(String::len).sum::<usize>() + self.tools.as_ref().map_or(0, |(list, _)| list.len())
    }

    /// As it is recorded: the list of tools with the offset of its end, then the instructions.
    pub(crate) fn rendering(&self) -> Rendering {
        let (list, end) = self.tools.clone().unwrap_or_default();
        let tools = Replacement { range: 0..end.map_or(0, |end| end + 1), text: list };
        let instructions = self.instructions.iter().map(|text| Replacement { range: 0..0, text: text.clone() });
        Rendering {
            compressor: HEAD.to_owned(),
            replacements: std::iter::once(tools).chain(instructions).collect(),
            ..Rendering::kept(Reason::Aligned)
        }
    }

    /// Reads what was recorded; `None` where the conversation is not to be aligned.
    pub(crate) fn recorded(rendering: &Rendering) -> Option<Self> {
        let (tools, instructions) = rendering.replacements.split_first().filter(|_| rendering.compressor == HEAD)?;
        let list = (!tools.text.is_empty()).then(|| (tools.text.clone(), tools.range.end.checked_sub(1)));
        Some(Self { instructions: instructions.iter().map(|text| text.text.clone()).collect(), tools: list })
    }
}

/// `Some` when a list holds the same tools as a request.
fn same_tools(list: &str, request: &Request) -> Option<()> {
    let mut digests = Request::tool_digests(list);
    let now = request.tools_digest()?;
    digests.sort_unstable();
    (Request::digest_of_tools(&digests) == now).then_some(())
}

impl Fit {
    /// Whether anything is to be changed.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty() && !self.tools
    }

    /// Whether nothing but numbers differs. One change of a number may be a change of mind; only what counts on is a counter.
    pub(crate) fn only_numbers(&self) -> bool {
        !self.tools && !self.kinds.is_empty() && self.kinds.iter().all(|kind| *kind == Kind::Number)
    }

    /// What is to be said at the end of the newest turn; empty for nothing. `earlier` are the notes of the turns before, in order.
    pub(crate) fn note(&self, earlier: &[&str]) -> String {
        let said: Vec<&str> = earlier.iter().copied().filter(|note| !note.is_empty()).collect();
        let Some(last) = said.last() else { return self.full() };
        if self.values.is_empty() {
            return if *last == AS_WRITTEN { String::new() } else { AS_WRITTEN.to_owned() };
        }
        let short = match self.values.as_slice() {
            // Once it has been said which value is meant, the new one is enough.
            [(was, is)] if said.iter().any(|note| note.starts_with(&opening(was))) => {
                format!("\n[now {}]", news(was, is))
            }
            _ => self.full(),
        };
        if *last == short || *last == self.full() { String::new() } else { short }
    }

    /// Which values are meant, and what they are now; empty where nothing differs.
    fn full(&self) -> String {
        let Some(((was, is), others)) = self.values.split_first() else { return String::new() };
        let mut note = format!("{}{}", opening(was), news(was, is));
        for (was, is) in others {
            note.push_str(&format!(", {was} is now {}", news(was, is)));
        }
        note.push(']');
        note
    }
}

/// How a note begins that says which value is meant.
fn opening(was: &str) -> String {
    format!("\n[in the instructions {was} is now ")
}

/// What is new in a value: of a time on the same day in the same zone only the time.
fn news<'v>(was: &str, is: &'v str) -> &'v str {
    let day = |value: &str| value.find(['T', ' ']).filter(|at| value[..*at].matches('-').count() == 2);
    let Some(at) = day(is).filter(|at| was.get(..=*at) == is.get(..=*at)) else { return is };
    let time = &is[at + 1..];
    let zone = time.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ':' | '.' | ','));
    if was.ends_with(zone) && !time.is_empty() { &time[..time.len() - zone.len()] } else { time }
}

/// What is said when values are again what the instructions say.
const AS_WRITTEN: &str = "\n[The values in the instructions hold again]";

/// What is said at the end of a turn, as it is recorded. `end` is the length of the turn's last text.
pub(crate) fn note_rendering(text: String, end: usize) -> Rendering {
    if text.is_empty() {
        return Rendering::kept(Reason::Policy);
    }
    let replacements = vec![Replacement { range: end..end, text }];
    Rendering { compressor: NOTE.to_owned(), replacements, ..Rendering::kept(Reason::Aligned) }
}

/// The text of a recorded note, if it is one of this turn's.
pub(crate) fn note_of(rendering: &Rendering, end: usize) -> &str {
    match rendering.replacements.as_slice() {
        [note] if rendering.compressor == NOTE && note.range == (end..end) => &note.text,
        _ => "",
    }
}

/// The slots with which the user's turns end, in order: what the model reads last before it speaks.
pub(crate) fn turn_ends(request: &Request) -> Vec<usize> {
    let slots = request.slots();
    let answered = |from: usize, to: usize| {
        request
            .messages()
            .get(from..to)
            .is_some_and(|between| between.iter().any(|message| message.role() == Role::Assistant))
    };
    let ends = (0..slots.len()).filter(|index| match slots.get(index + 1) {
        Some(next) => answered(slots[*index].message(), next.message()),
        None => true,
    });
    ends.collect()
}

/// Whether the newest turn ends with the last slot: nothing but the beginning of an answer follows it.
pub(crate) fn ends_with_a_slot(request: &Request) -> bool {
    let Some(last) = request.slots().last() else { return false };
    let behind = request.messages().get(last.message() + 1..).unwrap_or_default();
    behind.len() <= 1 && behind.iter().all(|message| message.role() == Role::Assistant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_wire::{Dialect, parse};

    fn request(system: &str, tools: &str) -> Request {
        parse(
            Dialect::AnthropicMessages,
            format!(r#"{{"system":"{system}","tools":{tools},"messages":[{{"role":"user","content":"q"}}]}}"#),
        )
    }

    #[test]
    fn values_and_the_order_of_tools_fit_and_words_do_not() {
        let stable = Stable::of(&request("At 10:00:01, be brief.", r#"[{"name":"a"},{"name":"b"}]"#));
        let same = |system: &str, tools: &str| stable.fit(&request(system, tools));
        assert!(same("At 10:00:01, be brief.", r#"[{"name":"a"},{"name":"b"}]"#).unwrap().is_empty());
        let later = same("At 11:30:59, be brief.", r#"[{"name":"b"}, {"name":"a"}]"#).unwrap();
        assert_eq!(later.changes, [(0, 3..11, "10:00:01".to_owned())]);
        assert!(later.tools);
        assert_eq!(same("At 10:00:01, be long.", r#"[{"name":"a"},{"name":"b"}]"#), None);
        assert_eq!(same("At 10:00:01, be brief.", r#"[{"name":"a"}]"#), None);
        assert_eq!(same("At 10:00:01, be brief.", r#"[{"name":"b"},{"name":"a","cache_control":{}}]"#), None);
    }

    #[test]
    fn what_is_recorded_reads_back() {
        for tools in ["[]", r#"[{"name":"a"} ]"#] {
            let stable = Stable::of(&request("At 10:00:01.", tools));
            assert_eq!(Stable::recorded(&stable.rendering()).as_ref(), Some(&stable));
        }
        let none = Stable { instructions: vec![], tools: None };
        assert_eq!(Stable::recorded(&none.rendering()), Some(none));
        assert_eq!(Stable::recorded(&Rendering::kept(Reason::Refused)), None);
    }

    #[test]
    fn a_note_says_what_has_changed_since_the_last_one() {
        let stable = Stable::of(&request("At 10:00:01.", "[]"));
        let fit = |clock: &str| stable.fit(&request(&format!("At {clock}."), "[]")).unwrap();
        let first = fit("10:05:00").note(&[]);
        assert_eq!(first, "\n[in the instructions 10:00:01 is now 10:05:00]");
        assert_eq!(fit("10:05:00").note(&["", &first]), "");
        let second = fit("10:06:00").note(&[&first]);
        assert_eq!(second, "\n[now 10:06:00]");
        assert_eq!(fit("10:06:00").note(&[&first, &second, ""]), "");
        assert_eq!(fit("10:05:00").note(&[&first, &second]), "\n[now 10:05:00]");
        assert_eq!(fit("10:00:01").note(&[]), "");
        let again = fit("10:00:01").note(&[&first, &second]);
        assert_eq!(again, AS_WRITTEN);
        assert_eq!(fit("10:00:01").note(&[&first, &again]), "");
        assert_eq!(fit("10:05:00").note(&[&first, &again]), "\n[now 10:05:00]");
    }

    #[test]
    fn of_a_time_on_the_same_day_the_time_is_said() {
        for (was, is, new) in [
            ("2026-11-23T10:00:01Z", "2026-11-23T10:05:02Z", "10:05:02"),
            ("2026-11-23 10:00:01.5 +01:00", "2026-11-23 10:05:02.7 +01:00", "10:05:02.7"),
            ("2026-11-23T10:00:01Z", "2026-11-23T10:05:02+01:00", "10:05:02+01:00"),
            ("2026-11-23T10:00:01Z", "2026-11-24T10:05:02Z", "2026-11-24T10:05:02Z"),
            ("2026-11-23", "2026-11-24", "2026-11-24"),
            ("10:00", "10:05", "10:05"),
            ("8f3k2m9x7qw3", "8f3k2m9x7qw4", "8f3k2m9x7qw4"),
        ] {
            assert_eq!(news(was, is), new);
        }
    }

    #[test]
    fn turns_end_where_the_model_speaks() {
        let request = parse(
            Dialect::OpenAiChat,
            r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":[]},{"role":"tool","tool_call_id":"1","content":"b"},{"role":"tool","tool_call_id":"2","content":"c"},{"role":"assistant","content":"d"},{"role":"user","content":"e"}]}"#,
        );
        assert_eq!(turn_ends(&request), [0, 2, 3]);
        assert!(ends_with_a_slot(&request));
    }
}

//! What compressing a text gave before, to whichever agent of the scope: looked up by content, not computed again.
//!
//! Filed is what names an original, with which it is forgotten, and that nothing could be gained, which says nothing of the text.
//!
//! The key holds everything that the outcome is a function of, so what is looked up is what would have been computed. Which tool or path a
//! text came from decides what kind it is, and nothing after that; so the kind is found out first, and agents that name the same
//! thing differently share what came of it.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use headroom_compress::{FilterError, Outcome, detect};
use headroom_core::{Compressed, Goal, Handle, Hints, Level, Omission, Reason, Segment, Shape, Unit};
use headroom_store::{Batch, Lineage, Scope, Store};
use headroom_tokens::Tokenizer;
use serde::{Deserialize, Serialize};

use crate::plan::Compress;
use crate::{Kinds, route};

/// Texts of fewer bytes are compressed faster than they are looked up.
const FROM_BYTES: usize = 4096;

/// What stands for the user's own filters in keys.
static FILTERS: OnceLock<Lineage> = OnceLock::new();

/// Adds a user's filter files (name and text) to those that come with the program. All of them count or none. Meant to be called once, before the
/// first text is compressed.
///
/// # Errors
///
/// See [`headroom_compress::add_filters`].
pub fn add_filters(files: &[(String, String)]) -> Result<(), FilterError> {
    headroom_compress::add_filters(files)?;
    if !files.is_empty() {
        let all = files.iter().fold(Lineage::root(b"filters"), |all, (_, text)| all.then(text.as_bytes()));
        let _ = FILTERS.set(all); // Filters are added once, so this is empty.
    }
    Ok(())
}

/// Compresses with a look at what is known, and gathers what is not.
pub(crate) struct Reuse<'a> {
    store: &'a Store,
    scope: &'a Scope,
    compress: Compress,
    kinds: &'a Kinds,
    tokenizer: Tokenizer,
    fresh: Mutex<Vec<headroom_store::Outcome>>,
}

impl<'a> Reuse<'a> {
    pub(crate) fn new(
        store: &'a Store,
        scope: &'a Scope,
        compress: Compress,
        (kinds, tokenizer): (&'a Kinds, Tokenizer),
    ) -> Self {
        Self { store, scope, compress, kinds, tokenizer, fresh: Mutex::default() }
    }

    /// What compressing the segment gives. Reads the store where that is worth it.
    pub(crate) fn outcome(&self, segment: &Segment<'_>, goal: &Goal<'_>) -> Outcome {
        if segment.text.len() < FROM_BYTES {
            return (self.compress)(self.kinds, segment, goal);
        }
        let Hints { command, exit_code, is_error, editable, query, .. } = segment.hints;
        let kind = detect(segment).kind;
        let segment = &Segment {
            text: segment.text,
            hints: Hints { kind: Some(kind), command, exit_code, is_error, editable, query, ..Hints::NONE },
        };
        let key = self.key(segment, goal);
        // A store that cannot be read costs the time to compute.
        let known = self.store.outcome(self.scope, key).ok().flatten();
        if let Some(outcome) = known.and_then(|document| read(&document, goal)) {
            return outcome;
        }
        let outcome = (self.compress)(self.kinds, segment, goal);
        if let Some(document) = write(&outcome) {
            let handle = outcome.compressed.as_ref().and_then(Compressed::handle);
            self.fresh().push(headroom_store::Outcome { key, handle, document });
        }
        outcome
    }

    /// Adds to a batch what was computed now, but for what names an original that is not `kept` by it: nobody could forget that.
    pub(crate) fn file(&self, batch: &mut Batch, kept: &[Handle]) {
        let owned = |outcome: &headroom_store::Outcome| outcome.handle.is_none_or(|handle| kept.contains(&handle));
        std::mem::take(&mut *self.fresh()).into_iter().filter(owned).for_each(|outcome| batch.outcome(outcome));
    }

    /// What was computed now.
    fn fresh(&self) -> MutexGuard<'_, Vec<headroom_store::Outcome>> {
        // Nothing panics while it is held.
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, segment: &Segment<'_>, goal: &Goal<'_>) -> Lineage {
        let Hints { command, exit_code, is_error, editable, kind, query, .. } = segment.hints;
        let level = match goal.level {
            Level::Exact => "exact",
            Level::Light { .. } => "light",
            Level::Standard { .. } => "standard",
        };
        let kind = kind.map(|kind| kind.to_string()).unwrap_or_default();
        let filters = FILTERS.get().copied().unwrap_or(Lineage::root(b"no filters"));
        let flags = [is_error, editable, command.is_some(), query.is_some(), exit_code.is_some()].map(u8::from);
        // Another version may make something better of a text.
        Lineage::root(concat!("outcome ", env!("CARGO_PKG_VERSION")).as_bytes())
            .then(filters.as_bytes())
            .then(level.as_bytes())
            .then(self.tokenizer.name().as_bytes())
            .then(kind.as_bytes())
            .then(&flags)
            .then(&exit_code.unwrap_or_default().to_le_bytes())
            .then(self.kinds.canonical().unwrap_or_default().as_bytes())
            .then(command.unwrap_or_default().as_bytes())
            .then(query.unwrap_or_default().as_bytes())
            .then(segment.text.as_bytes())
    }
}

/// An outcome as it is filed.
#[derive(Serialize, Deserialize)]
struct Filed {
    kind: String,
    compressor: String,
    reason: String,
    tokens: (usize, usize),
    /// Nothing when the text stays as it is.
    text: Option<String>,
    /// Unit, first, last and total of each omission.
    omissions: Option<Vec<(String, usize, usize, usize)>>,
}

/// An outcome as it is filed; `None` for one that is not. An exact encoding is a text of its own that belongs to no original, so that forgetting
/// an original would leave it behind.
fn write(outcome: &Outcome) -> Option<String> {
    let compressed = outcome.compressed.as_ref();
    if compressed.is_some_and(|compressed| compressed.handle().is_none()) {
        return None;
    }
    let omissions = compressed.and_then(|compressed| match &compressed.shape {
        Shape::Exact => None,
        Shape::Omitting { omissions, .. } => Some(
            omissions
                .iter()
                .map(|omission| {
                    (
                        omission.unit().name(1).to_owned(),
                        *omission.range().start(),
                        *omission.range().end(),
                        omission.total(),
                    )
                })
                .collect(),
        ),
    });
    let filed = Filed {
        kind: outcome.kind.to_string(),
        compressor: outcome.compressor.unwrap_or_default().to_owned(),
        reason: outcome.reason.code().to_owned(),
        tokens: outcome.tokens,
        text: compressed.map(|compressed| compressed.text.clone()),
        omissions,
    };
    serde_json::to_string(&filed).ok()
}

/// Reads a filed outcome; `None` for one that this version cannot make sense of.
fn read(document: &str, goal: &Goal<'_>) -> Option<Outcome> {
    const UNITS: [Unit; 5] = [Unit::Line, Unit::Row, Unit::Key, Unit::Byte, Unit::Sentence];
    let filed: Filed = serde_json::from_str(document).ok()?;
    let compressor = match filed.compressor.as_str() {
        "" => None,
        name => Some(route::names().find(|known| *known == name)?),
    };
    let compressed = match (filed.text, filed.omissions) {
        (None, _) => None,
        (Some(_), None) => return None,
        (Some(text), Some(omissions)) => {
            let (Level::Standard { original } | Level::Light { original }) = goal.level else { return None };
            let omission = |(unit, first, last, total): (String, usize, usize, usize)| {
                let unit = UNITS.into_iter().find(|known| known.name(1) == unit)?;
                Some(Omission::new(original, unit, first..=last, total))
            };
            let omissions = omissions.into_iter().map(omission).collect::<Option<Vec<_>>>()?;
            // The words say the same: an outcome must name the original that it is of.
            if !text.contains(&original.handle().to_string()) {
                return None;
            }
            Some(Compressed { text, shape: Shape::Omitting { handle: original.handle(), omissions } })
        }
    };
    Some(Outcome {
        kind: filed.kind.parse().ok()?,
        compressor,
        compressed,
        reason: Reason::from_code(&filed.reason)?,
        tokens: filed.tokens,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use headroom_core::Original;

    use crate::route;

    fn log(lines: usize) -> String {
        (0..lines)
            .map(|n| {
                format!("2026-01-05T10:{:02}:{:02}Z INFO worker-{} handled {}\n", n / 60 % 60, n % 60, n % 7, n * 7919)
            })
            .collect()
    }

    /// Compresses twice, the second time in another engine's place, and says whether the second had to compute.
    fn twice(text: &str, first: Hints<'_>, second: Hints<'_>, level: &str) -> (Outcome, Outcome, usize) {
        let (store, scope) = (Store::memory(), Scope::default());
        let original = Original::new(store.handle_key(), text);
        let level = match level {
            "exact" => Level::Exact,
            "light" => Level::Light { original: &original },
            _ => Level::Standard { original: &original },
        };
        let tokens = Tokenizer::O200k;
        let goal = Goal { level, tokens: &tokens };
        let one = Reuse::new(&store, &scope, route::compress, (const { &Kinds::DEFAULT }, tokens));
        let computed = one.outcome(&Segment { text, hints: first }, &goal);
        let mut batch = Batch::at(1);
        batch.keep(store.handle_key(), text);
        one.file(&mut batch, &[original.handle()]);
        store.write(&scope, batch).unwrap();
        let other = Reuse::new(&store, &scope, route::compress, (const { &Kinds::DEFAULT }, tokens));
        let again = other.outcome(&Segment { text, hints: second }, &goal);
        let fresh = other.fresh().len();
        (computed, again, fresh)
    }

    #[test]
    fn what_is_looked_up_is_what_was_computed_whatever_the_tool_was_called() {
        let json = format!(
            "[{}]",
            (0..300)
                .map(|n| format!("{{\"id\":{n},\"state\":\"up\",\"zone\":\"eu-{}\"}}", n % 3))
                .collect::<Vec<_>>()
                .join(",")
        );
        let code: String = (0..80)
            .map(|n| format!("/// Doc {n}.\npub fn f{n}(x: u32) -> u32 {{\n    let y = x + {n};\n    y * 2\n}}\n\n"))
            .collect();
        let python: String = (0..80)
            .map(|n| format!("def f{n}(x):\n    \"\"\"Doc.\"\"\"\n    y = x + {n}\n    return y * 2\n\n"))
            .collect();
        for text in [log(200), json, code, python, "words without a kind ".repeat(400)] {
            for level in ["exact", "light", "standard"] {
                let one = Hints { tool: Some("Read"), path: Some("/home/a/x/m.py"), ..Hints::NONE };
                let other = Hints { tool: Some("read_file"), path: Some("m.py"), ..Hints::NONE };
                let (computed, again, fresh) = twice(&text, one, other, level);
                assert_eq!(fresh, 0, "{level}: {}", &text[..40]);
                assert_eq!(computed.compressed, again.compressed);
                assert_eq!(
                    (computed.kind, computed.compressor, computed.reason, computed.tokens),
                    (again.kind, again.compressor, again.reason, again.tokens)
                );
                let goal = Goal { level: Level::Exact, tokens: &Tokenizer::O200k };
                if level == "exact" {
                    assert_eq!(
                        route::compress(&Kinds::DEFAULT, &Segment { text: &text, hints: other }, &goal).compressed,
                        again.compressed
                    );
                }
            }
        }
    }

    #[test]
    fn what_the_outcome_depends_on_tells_outcomes_apart() {
        let text = log(200);
        let changes: [fn(&mut Hints<'_>); 5] = [
            |hints| hints.exit_code = Some(1),
            |hints| hints.is_error = true,
            |hints| hints.editable = true,
            |hints| hints.command = Some("cat x.log"),
            |hints| hints.query = Some("worker"),
        ];
        for change in changes {
            let mut other = Hints::NONE;
            change(&mut other);
            assert_eq!(twice(&text, Hints::NONE, other, "standard").2, 1);
        }
    }

    #[test]
    fn a_damaged_or_a_foreign_document_is_computed_again() {
        let store = Store::memory();
        let original = Original::new(store.handle_key(), "x");
        let goal = Goal { level: Level::Standard { original: &original }, tokens: &Tokenizer::O200k };
        for document in [
            "",
            "{}",
            r#"{"kind":"log","compressor":"nobody","reason":"compressed","tokens":[1,1],"text":"x","omissions":null}"#,
            r#"{"kind":"log","compressor":"log","reason":"compressed","tokens":[1,1],"text":"names nothing","omissions":[]}"#,
            r#"{"kind":"log","compressor":"log","reason":"compressed","tokens":[1,1],"text":"x","omissions":[["mile",1,2,3]]}"#,
        ] {
            assert!(read(document, &goal).is_none(), "{document}");
        }
    }
}

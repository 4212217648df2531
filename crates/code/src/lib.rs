//! Source code, shorter: skeletons and pruning.
//!
//! A text is parsed with the tree-sitter grammar of its language. [`Level::Light`] takes out what a program does not need
//! (comments, documentation, imports that nothing names) and leaves a text that still parses; [`Level::Standard`] leaves the
//! skeleton: every symbol with its signature, and the bodies away. Rows are shown byte for byte or not at all, but for data inside of strings, of
//! which a mark says the bytes; where rows are missing a mark says which, so that the line number of every row that is shown follows.
//!
//! Both are omissions, made only from an [`Original`]. A text of which more than a tenth cannot be read, that an agent may edit, or
//! that is longer than 1 MiB is left alone. Nothing is recursive in the text, and parsing is bounded in steps.
//!
//! ```
//! use headroom_code::CodeCompressor;
//! use headroom_core::{Compressor, Goal, HandleKey, Hints, Kind, Language, Level, Original, Segment};
//!
//! let text = "def area(width, height):\n    # A long comment on how areas are computed, and why\n    return width * height\n";
//! let original = Original::new(&HandleKey::from_bytes([7; 32]), text);
//! let goal = Goal { level: Level::Standard { original: &original }, tokens: &|text: &str| text.len() / 4 };
//! let hints = Hints { kind: Some(Kind::Code(Language::Python)), ..Hints::NONE };
//! let skeleton = CodeCompressor.compress(&Segment { text, hints }, &goal).unwrap().text;
//! assert!(skeleton.starts_with("def area(width, height):\n[-2 lines 2-3]\n"));
//! ```

mod comments;
mod languages;
mod numbered;
mod opaque;
mod outline;
mod parse;
mod prune;
mod rows;
mod rules;
mod skeleton;
mod write;

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use headroom_core::{Compressed, Compressor, Goal, Kind, Language, Level, Original, Segment};

use tree_sitter::Tree;

use languages::Grammar;
use rows::Rows;
use write::Marks;

/// The languages that this build can parse.
pub fn languages() -> impl Iterator<Item = Language> {
    languages::ALL.iter().map(|grammar| grammar.language)
}

/// The compressor of source code.
#[derive(Clone, Copy, Debug)]
pub struct CodeCompressor;

impl Compressor for CodeCompressor {
    fn name(&self) -> &'static str {
        "code"
    }

    fn accepts(&self, kind: Kind) -> bool {
        matches!(kind, Kind::Code(language) if languages::of(language).is_some())
    }

    /// Needs the language in the hint for the kind: [`headroom_core::Hints::kind`].
    fn compress(&self, segment: &Segment<'_>, goal: &Goal<'_>) -> Option<Compressed> {
        let hints = &segment.hints;
        let Some(Kind::Code(language)) = hints.kind else { return None };
        if hints.editable || hints.is_error {
            return None;
        }
        let grammar = languages::of(language)?;
        let (original, is_light) = match goal.level {
            Level::Exact => return None,
            Level::Light { original } => (original, true),
            Level::Standard { original } => (original, false),
        };
        let source = numbered::source(segment.text);
        let rows = Rows::of(source.as_deref().unwrap_or(segment.text));
        let tree = parse::parse(rows.text, grammar)?;
        let outline = outline::outline(&tree, &rows, grammar.rules())?;
        let parsed = Parsed { text: segment.text, rows, tree, outline, grammar, original };
        if is_light {
            return parsed.prune();
        }
        let focus = hints.query.map(focus).unwrap_or_default();
        parsed.skeleton(&focus).or_else(|| parsed.prune()).or_else(|| parsed.without_data())
    }
}

/// The names in what the reader asks for: everything that could be one.
fn focus(query: &str) -> HashSet<&str> {
    prune::words(query).collect()
}

/// A text that was parsed.
struct Parsed<'t> {
    /// As it was given.
    text: &'t str,
    /// Without the numbers of its lines, if it has any.
    rows: Rows<'t>,
    tree: Tree,
    outline: outline::Outline,
    grammar: &'t Grammar,
    original: &'t Original<'t>,
}

impl Parsed<'_> {
    fn skeleton(&self, focus: &HashSet<&str>) -> Option<Compressed> {
        let skeleton = skeleton::keep(&self.outline, &self.rows, focus)?;
        self.finish(skeleton.kept, Marks::Bare { named: &skeleton.named, names: self.rows.text })
    }

    fn prune(&self) -> Option<Compressed> {
        let pruned = prune::keep(&self.outline, &self.rows);
        let rules = self.grammar.rules();
        let marks = Marks::Commented { comment: rules.mark, inner: &pruned.inner };
        let mut kept = pruned.kept.clone();
        write::settle_gaps(&self.rows, &mut kept, marks);
        // What is left must parse as it did.
        let (code, _) = write::write(&self.rows, &kept, marks, self.original);
        let (again, tree) = (Rows::of(&code), parse::parse(&code, self.grammar)?);
        let errors = outline::outline(&tree, &again, rules)?.errors;
        (errors <= self.outline.errors).then_some(())?;
        // Where the parser makes no sense of something, what it takes for a comment elsewhere may be none.
        let is_same = || prune::code(&self.tree, self.rows.text, rules) == prune::code(&tree, &code, rules);
        (self.outline.errors == 0 || is_same()).then_some(())?;
        self.finish(pruned.kept.clone(), marks)
    }

    /// Every row, but not the data inside of strings.
    fn without_data(&self) -> Option<Compressed> {
        self.finish(vec![true; self.rows.len()], Marks::Bare { named: &[], names: self.rows.text })
    }

    /// Writes the rows that stay as the text has them, with their numbers if it has any.
    fn finish(&self, mut kept: Vec<bool>, marks: Marks<'_>) -> Option<Compressed> {
        write::settle_gaps(&self.rows, &mut kept, marks);
        let shown = Rows::of(self.text);
        let (body, omissions) = write::write(&shown, &kept, marks, self.original);
        if omissions.is_empty() {
            return None;
        }
        Some(Compressed::omitting(body, self.original, omissions))
    }
}

//! TypeScript, and TypeScript with markup: two grammars with one set of rules.

use headroom_core::Language;

use super::Grammar;

const RULES: &str = include_str!("typescript.rules");

pub(super) static GRAMMAR: Grammar =
    Grammar::new(Language::TypeScript, || tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(), RULES);

#[cfg(feature = "tsx")]
pub(super) static WITH_MARKUP: Grammar =
    Grammar::new(Language::Tsx, || tree_sitter_typescript::LANGUAGE_TSX.into(), RULES);

//! JavaScript.

use headroom_core::Language;

use super::Grammar;

pub(super) static GRAMMAR: Grammar =
    Grammar::new(Language::JavaScript, || tree_sitter_javascript::LANGUAGE.into(), include_str!("javascript.rules"));

//! Ruby.

use headroom_core::Language;

use super::Grammar;

pub(super) static GRAMMAR: Grammar =
    Grammar::new(Language::Ruby, || tree_sitter_ruby::LANGUAGE.into(), include_str!("ruby.rules"));

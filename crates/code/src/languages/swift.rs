//! Swift.

use headroom_core::Language;

use super::Grammar;

pub(super) static GRAMMAR: Grammar =
    Grammar::new(Language::Swift, || tree_sitter_swift::LANGUAGE.into(), include_str!("swift.rules"));

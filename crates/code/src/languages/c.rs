//! C.

use headroom_core::Language;

use super::Grammar;

pub(super) static GRAMMAR: Grammar =
    Grammar::new(Language::C, || tree_sitter_c::LANGUAGE.into(), include_str!("c.rules"));

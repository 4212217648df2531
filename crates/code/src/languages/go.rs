//! Go.

use headroom_core::Language;

use super::Grammar;

pub(super) static GRAMMAR: Grammar =
    Grammar::new(Language::Go, || tree_sitter_go::LANGUAGE.into(), include_str!("go.rules"));

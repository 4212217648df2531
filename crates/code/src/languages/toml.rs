//! TOML.

use headroom_core::Language;

use super::Grammar;

pub(super) static GRAMMAR: Grammar =
    Grammar::new(Language::Toml, || tree_sitter_toml_ng::LANGUAGE.into(), include_str!("toml.rules"));

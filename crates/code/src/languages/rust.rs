//! Rust.

use headroom_core::Language;

use super::Grammar;

pub(super) static GRAMMAR: Grammar =
    Grammar::new(Language::Rust, || tree_sitter_rust::LANGUAGE.into(), include_str!("rust.rules"));

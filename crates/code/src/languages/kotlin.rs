//! Kotlin.

use headroom_core::Language;

use super::Grammar;

pub(super) static GRAMMAR: Grammar =
    Grammar::new(Language::Kotlin, || tree_sitter_kotlin_ng::LANGUAGE.into(), include_str!("kotlin.rules"));

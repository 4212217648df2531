//! Java.

use headroom_core::Language;

use super::Grammar;

pub(super) static GRAMMAR: Grammar =
    Grammar::new(Language::Java, || tree_sitter_java::LANGUAGE.into(), include_str!("java.rules"));

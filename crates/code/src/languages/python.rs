//! Python.

use headroom_core::Language;

use super::Grammar;

pub(super) static GRAMMAR: Grammar =
    Grammar::new(Language::Python, || tree_sitter_python::LANGUAGE.into(), include_str!("python.rules"));

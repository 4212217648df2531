//! C++.

use headroom_core::Language;

use super::Grammar;

pub(super) static GRAMMAR: Grammar =
    Grammar::new(Language::Cpp, || tree_sitter_cpp::LANGUAGE.into(), include_str!("cpp.rules"));

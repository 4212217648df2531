//! Shell.

use headroom_core::Language;

use super::Grammar;

pub(super) static GRAMMAR: Grammar =
    Grammar::new(Language::Bash, || tree_sitter_bash::LANGUAGE.into(), include_str!("bash.rules"));

//! PHP.

use headroom_core::Language;

use super::Grammar;

pub(super) static GRAMMAR: Grammar =
    Grammar::new(Language::Php, || tree_sitter_php::LANGUAGE_PHP.into(), include_str!("php.rules"));

//! YAML.

use headroom_core::Language;

use super::Grammar;

pub(super) static GRAMMAR: Grammar =
    Grammar::new(Language::Yaml, || tree_sitter_yaml::LANGUAGE.into(), include_str!("yaml.rules"));

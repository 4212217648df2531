//! C#.

use headroom_core::Language;

use super::Grammar;

pub(super) static GRAMMAR: Grammar =
    Grammar::new(Language::CSharp, || tree_sitter_c_sharp::LANGUAGE.into(), include_str!("csharp.rules"));

//! The languages: for each one a file with its grammar and a data file with its rules (see [`crate::rules`]), and a line in [`ALL`].

use std::sync::OnceLock;

use headroom_core::Language;

use crate::rules::Rules;

#[cfg(feature = "bash")]
mod bash;
#[cfg(feature = "c")]
mod c;
#[cfg(feature = "cpp")]
mod cpp;
#[cfg(feature = "csharp")]
mod csharp;
#[cfg(feature = "go")]
mod go;
#[cfg(feature = "java")]
mod java;
#[cfg(feature = "javascript")]
mod javascript;
#[cfg(feature = "kotlin")]
mod kotlin;
#[cfg(feature = "php")]
mod php;
#[cfg(feature = "python")]
mod python;
#[cfg(feature = "ruby")]
mod ruby;
#[cfg(feature = "rust")]
mod rust;
#[cfg(feature = "swift")]
mod swift;
#[cfg(feature = "toml")]
mod toml;
#[cfg(feature = "typescript")]
mod typescript;
#[cfg(feature = "yaml")]
mod yaml;

/// Every language that this build knows.
pub(crate) static ALL: &[&Grammar] = &[
    #[cfg(feature = "bash")]
    &bash::GRAMMAR,
    #[cfg(feature = "c")]
    &c::GRAMMAR,
    #[cfg(feature = "cpp")]
    &cpp::GRAMMAR,
    #[cfg(feature = "csharp")]
    &csharp::GRAMMAR,
    #[cfg(feature = "go")]
    &go::GRAMMAR,
    #[cfg(feature = "java")]
    &java::GRAMMAR,
    #[cfg(feature = "javascript")]
    &javascript::GRAMMAR,
    #[cfg(feature = "kotlin")]
    &kotlin::GRAMMAR,
    #[cfg(feature = "php")]
    &php::GRAMMAR,
    #[cfg(feature = "python")]
    &python::GRAMMAR,
    #[cfg(feature = "ruby")]
    &ruby::GRAMMAR,
    #[cfg(feature = "rust")]
    &rust::GRAMMAR,
    #[cfg(feature = "swift")]
    &swift::GRAMMAR,
    #[cfg(feature = "toml")]
    &toml::GRAMMAR,
    #[cfg(feature = "typescript")]
    &typescript::GRAMMAR,
    #[cfg(feature = "tsx")]
    &typescript::WITH_MARKUP,
    #[cfg(feature = "yaml")]
    &yaml::GRAMMAR,
];

/// The grammar of a language, if this build knows it.
pub(crate) fn of(language: Language) -> Option<&'static Grammar> {
    ALL.iter().copied().find(|grammar| grammar.language == language)
}

/// A language: how it is parsed, and what its nodes mean.
pub(crate) struct Grammar {
    pub(crate) language: Language,
    parser: fn() -> tree_sitter::Language,
    data: &'static str,
    loaded: OnceLock<(tree_sitter::Language, Rules)>,
}

impl Grammar {
    const fn new(language: Language, parser: fn() -> tree_sitter::Language, data: &'static str) -> Self {
        Self { language, parser, data, loaded: OnceLock::new() }
    }

    /// The parser's tables.
    pub(crate) fn parser(&self) -> &tree_sitter::Language {
        &self.load().0
    }

    /// What the nodes mean.
    pub(crate) fn rules(&self) -> &Rules {
        &self.load().1
    }

    fn load(&self) -> &(tree_sitter::Language, Rules) {
        self.loaded.get_or_init(|| {
            let parser = (self.parser)();
            let rules = Rules::read(self.data, &parser);
            (parser, rules)
        })
    }

    /// What the data file names and the grammar does not know.
    #[cfg(test)]
    pub(crate) fn unknown_names(&self) -> Vec<String> {
        Rules::unknown_names(self.data, self.parser())
    }
}

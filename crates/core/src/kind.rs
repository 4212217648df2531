//! What a text is.

use std::fmt;
use std::str::FromStr;

/// What a text is, as far as its compressor is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// One JSON value, or one a line.
    Json,
    /// CSV, TSV, Markdown or fixed-width tables.
    Table,
    /// Lines that programs append over time.
    Log,
    /// What a command printed: tests, builds, package managers, version control.
    Command,
    /// Hits with coordinates (grep, ripgrep) and listings of names (find, ls).
    Search,
    /// Unified diffs.
    Diff,
    /// Source code.
    Code(Language),
    /// HTML pages.
    Html,
    /// Sentences.
    Prose,
    /// Anything else: left alone.
    Opaque,
}

/// A programming language that a parser exists for, or may come to exist for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the variants are names of languages")]
pub enum Language {
    Bash,
    C,
    Cpp,
    CSharp,
    Go,
    Java,
    JavaScript,
    Kotlin,
    Php,
    Python,
    Ruby,
    Rust,
    Sql,
    Swift,
    Toml,
    Tsx,
    TypeScript,
    Yaml,
}

/// Every language with its name and the file endings it goes by.
const LANGUAGES: &[(Language, &str, &[&str])] = &[
    (Language::Bash, "bash", &["sh", "bash", "zsh"]),
    (Language::C, "c", &["c", "h"]),
    (Language::Cpp, "cpp", &["cc", "cpp", "cxx", "hh", "hpp", "hxx"]),
    (Language::CSharp, "csharp", &["cs"]),
    (Language::Go, "go", &["go"]),
    (Language::Java, "java", &["java"]),
    (Language::JavaScript, "javascript", &["js", "cjs", "mjs", "jsx"]),
    (Language::Kotlin, "kotlin", &["kt", "kts"]),
    (Language::Php, "php", &["php"]),
    (Language::Python, "python", &["py", "pyi"]),
    (Language::Ruby, "ruby", &["rb"]),
    (Language::Rust, "rust", &["rs"]),
    (Language::Sql, "sql", &["sql"]),
    (Language::Swift, "swift", &["swift"]),
    (Language::Toml, "toml", &["toml"]),
    (Language::Tsx, "tsx", &["tsx"]),
    (Language::TypeScript, "typescript", &["ts", "cts", "mts"]),
    (Language::Yaml, "yaml", &["yaml", "yml"]),
];

impl Language {
    /// The language of a file with this ending (no dot, any case).
    pub fn of_extension(extension: &str) -> Option<Self> {
        let extension = extension.to_ascii_lowercase();
        LANGUAGES.iter().find(|(.., endings)| endings.contains(&extension.as_str())).map(|(language, ..)| *language)
    }

    /// Its lower-case name, as the command line accepts it.
    pub fn name(self) -> &'static str {
        LANGUAGES.iter().find(|(language, ..)| *language == self).map_or("", |(_, name, _)| name)
    }
}

/// The kinds without a parameter and their names.
const KINDS: &[(Kind, &str)] = &[
    (Kind::Json, "json"),
    (Kind::Table, "table"),
    (Kind::Log, "log"),
    (Kind::Command, "command"),
    (Kind::Search, "search"),
    (Kind::Diff, "diff"),
    (Kind::Html, "html"),
    (Kind::Prose, "prose"),
    (Kind::Opaque, "opaque"),
];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(language) => write!(f, "code:{}", language.name()),
            plain => f.write_str(KINDS.iter().find(|(kind, _)| kind == plain).map_or("opaque", |(_, name)| name)),
        }
    }
}

impl FromStr for Kind {
    type Err = ParseKindError;

    /// Accepts what [`Kind`] prints: `json`, `log`, `code:python` and so on.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let code = |name: &str| {
            LANGUAGES.iter().find(|(_, known, _)| *known == name).map(|(language, ..)| Self::Code(*language))
        };
        KINDS
            .iter()
            .find(|(_, name)| *name == text)
            .map(|(kind, _)| *kind)
            .or_else(|| text.strip_prefix("code:").and_then(code))
            .ok_or_else(|| ParseKindError { given: text.to_owned() })
    }
}

/// A name that is no kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseKindError {
    given: String,
}

impl fmt::Display for ParseKindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown kind {:?}; known: ", self.given)?;
        for (_, name) in KINDS {
            write!(f, "{name}, ")?;
        }
        f.write_str("code:LANGUAGE (for example code:python)")
    }
}

impl std::error::Error for ParseKindError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_from_its_name() {
        let code = LANGUAGES.iter().map(|(language, ..)| Kind::Code(*language));
        for kind in KINDS.iter().map(|(kind, _)| *kind).chain(code) {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!("Json".parse::<Kind>().unwrap_err().to_string().contains("json"));
    }
}

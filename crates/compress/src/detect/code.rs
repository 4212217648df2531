//! Source code, by what its lines look like.

use headroom_core::Language;

use super::Sample;

/// Beginnings of lines (after indentation) that are statements or declarations of a language, and ends of lines. A line that matches
/// counts once for the language.
struct Signs {
    language: Language,
    starts: &'static [&'static str],
    ends: &'static [&'static str],
}

const SIGNS: &[Signs] = &[
    Signs {
        language: Language::Rust,
        starts: &[
            "pub fn ",
            "fn ",
            "use ",
            "let ",
            "impl ",
            "impl<",
            "pub struct ",
            "pub(crate) ",
            "pub enum ",
            "mod ",
            "match ",
            "#[",
            "//!",
        ],
        ends: &["=> {", "?;", ");", "},"],
    },
    Signs {
        language: Language::Python,
        starts: &[
            "def ",
            "class ",
            "import ",
            "from ",
            "self.",
            "elif ",
            "except ",
            "return ",
            "@",
            "async def ",
            "with ",
            "raise ",
        ],
        ends: &["):", "else:", "try:", "self,"],
    },
    Signs {
        language: Language::Go,
        starts: &["func ", "package ", "import (", "type ", "if err ", "return ", "defer ", "var ", "go func"],
        ends: &[" {", ":= range", "nil {"],
    },
    Signs {
        language: Language::Java,
        starts: &[
            "public ",
            "private ",
            "protected ",
            "import java",
            "package ",
            "@Override",
            "final ",
            "return ",
            "static ",
        ],
        ends: &[") {", ");", "throws IOException {"],
    },
    Signs {
        language: Language::TypeScript,
        starts: &["export ", "import {", "interface ", "type ", "const ", "return ", "readonly ", "private ", "async "],
        ends: &[": string;", ": number;", "=> {", "});", ": boolean;"],
    },
    Signs {
        language: Language::JavaScript,
        starts: &[
            "const ",
            "let ",
            "var ",
            "function ",
            "module.exports",
            "import ",
            "export ",
            "return ",
            "'use strict'",
            "async ",
        ],
        ends: &["=> {", "});", "function() {", ");"],
    },
    Signs {
        language: Language::C,
        starts: &[
            "#include ",
            "#define ",
            "#ifdef ",
            "#endif",
            "static ",
            "struct ",
            "typedef ",
            "return ",
            "void ",
            "int ",
        ],
        ends: &[") {", ");", "*/"],
    },
    Signs {
        language: Language::Cpp,
        starts: &[
            "#include ",
            "namespace ",
            "template",
            "std::",
            "class ",
            "public:",
            "private:",
            "virtual ",
            "auto ",
            "using ",
        ],
        ends: &["const {", "override;", ");"],
    },
    Signs {
        language: Language::Ruby,
        starts: &["def ", "require ", "module ", "class ", "end", "attr_", "include ", "@"],
        ends: &[" do", "end", "|"],
    },
    Signs {
        language: Language::Php,
        starts: &[
            "<?php",
            "namespace ",
            "use ",
            "public function ",
            "private function ",
            "$this->",
            "$",
            "protected function ",
        ],
        ends: &[");", "): void", "];"],
    },
    Signs {
        language: Language::Kotlin,
        starts: &[
            "fun ",
            "val ",
            "override fun ",
            "override val ",
            "private val ",
            "private fun ",
            "data class ",
            "companion object",
            "package ",
            "import ",
            "interface ",
            "return ",
            "var ",
        ],
        ends: &["-> {", "?: return", "by lazy {"],
    },
    Signs {
        language: Language::Swift,
        starts: &[
            "func ",
            "let ",
            "guard ",
            "public func ",
            "private func ",
            "extension ",
            "protocol ",
            "struct ",
            "init(",
            "import Foundation",
            "import UIKit",
            "return ",
            "var ",
        ],
        ends: &["else {", "-> Void {", "in"],
    },
    Signs {
        language: Language::Bash,
        starts: &["#!/", "if [", "fi", "then", "echo ", "export ", "done", "for ", "local ", "esac", "set -"],
        ends: &["; then", "; do", ";;", "() {"],
    },
];

/// The language, when the lines have its signs and few lines look like anything else.
pub(super) fn language(sample: &Sample<'_>) -> Option<Language> {
    let first = sample.lines.first()?;
    if let Some(language) = shebang(first) {
        return Some(language);
    }
    let filled = sample.filled().count();
    if filled < 8 || !structured(sample) {
        return None;
    }
    let score = |signs: &Signs| {
        sample.count(|line| {
            let line = line.trim();
            signs.starts.iter().any(|start| line.starts_with(start)) || signs.ends.iter().any(|end| line.ends_with(end))
        })
    };
    let mut scores: Vec<(usize, Language)> = SIGNS.iter().map(|signs| (score(signs), signs.language)).collect();
    scores.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    let [(best, language), (second, _), ..] = scores[..] else { return None };
    (best >= 6 && best * 100 >= filled * 28 && best > second).then_some(language)
}

fn shebang(line: &str) -> Option<Language> {
    let interpreter =
        line.strip_prefix("#!")?.split_whitespace().flat_map(|part| part.rsplit('/').next()).next_back()?;
    match interpreter.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') {
        "sh" | "bash" | "zsh" | "dash" => Some(Language::Bash),
        "python" => Some(Language::Python),
        "node" => Some(Language::JavaScript),
        "ruby" => Some(Language::Ruby),
        "php" => Some(Language::Php),
        _ => None,
    }
}

/// Code indents most of its lines by a few steady steps, or ends them with the punctuation of code.
fn structured(sample: &Sample<'_>) -> bool {
    let indented = |line: &str| line.starts_with(['\t', ' ']);
    let closed = |line: &str| line.trim_end().ends_with(['{', '}', ';', ':', ',', '(', ')']);
    sample.mostly(25, 3, indented) && sample.mostly(40, 4, closed) || sample.mostly(70, 6, closed)
}

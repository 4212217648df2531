//! Source code, by what its lines look like.

use headroom_core::Language;

use super::Sample;
use super::starts::{Ends, Starts};

/// Beginnings of lines (after indentation) that are statements or declarations of a language, and ends of lines. A line that matches
/// counts once for the language.
struct Signs {
    language: Language,
    starts: Starts,
    ends: Ends,
}

static SIGNS: [Signs; 13] = [
    Signs {
        language: Language::Rust,
        starts: Starts::new(&[
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
        ]),
        ends: Ends::new(&["=> {", "?;", ");", "},"]),
    },
    Signs {
        language: Language::Python,
        starts: Starts::new(&[
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
        ]),
        ends: Ends::new(&["):", "else:", "try:", "self,"]),
    },
    Signs {
        language: Language::Go,
        starts: Starts::new(&[
            "func ", "package ", "import (", "type ", "if err ", "return ", "defer ", "var ", "go func",
        ]),
        ends: Ends::new(&[" {", ":= range", "nil {"]),
    },
    Signs {
        language: Language::Java,
        starts: Starts::new(&[
            "public ",
            "private ",
            "protected ",
            "import java",
            "package ",
            "@Override",
            "final ",
            "return ",
            "static ",
        ]),
        ends: Ends::new(&[") {", ");", "throws IOException {"]),
    },
    Signs {
        language: Language::TypeScript,
        starts: Starts::new(&[
            "export ",
            "import {",
            "interface ",
            "type ",
            "const ",
            "return ",
            "readonly ",
            "private ",
            "async ",
        ]),
        ends: Ends::new(&[": string;", ": number;", "=> {", "});", ": boolean;"]),
    },
    Signs {
        language: Language::JavaScript,
        starts: Starts::new(&[
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
        ]),
        ends: Ends::new(&["=> {", "});", "function() {", ");"]),
    },
    Signs {
        language: Language::C,
        starts: Starts::new(&[
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
        ]),
        ends: Ends::new(&[") {", ");", "*/"]),
    },
    Signs {
        language: Language::Cpp,
        starts: Starts::new(&[
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
        ]),
        ends: Ends::new(&["const {", "override;", ");"]),
    },
    Signs {
        language: Language::Ruby,
        starts: Starts::new(&["def ", "require ", "module ", "class ", "end", "attr_", "include ", "@"]),
        ends: Ends::new(&[" do", "end", "|"]),
    },
    Signs {
        language: Language::Php,
        starts: Starts::new(&[
            "<?php",
            "namespace ",
            "use ",
            "public function ",
            "private function ",
            "$this->",
            "$",
            "protected function ",
        ]),
        ends: Ends::new(&[");", "): void", "];"]),
    },
    Signs {
        language: Language::Kotlin,
        starts: Starts::new(&[
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
        ]),
        ends: Ends::new(&["-> {", "?: return", "by lazy {"]),
    },
    Signs {
        language: Language::Swift,
        starts: Starts::new(&[
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
        ]),
        ends: Ends::new(&["else {", "-> Void {", "in"]),
    },
    Signs {
        language: Language::Bash,
        starts: Starts::new(&[
            "#!/", "if [", "fi", "then", "echo ", "export ", "done", "for ", "local ", "esac", "set -",
        ]),
        ends: Ends::new(&["; then", "; do", ";;", "() {"]),
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
    let mut scores: Vec<(usize, Language)> = SIGNS.iter().map(|signs| (0, signs.language)).collect();
    for line in sample.filled().map(str::trim) {
        for (signs, (score, _)) in SIGNS.iter().zip(&mut scores) {
            *score += usize::from(signs.starts.of(line) || signs.ends.of(line));
        }
    }
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

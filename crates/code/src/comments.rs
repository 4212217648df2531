//! What comments say.

/// Signs, in lower case, of a comment that a tool or a reader acts on: it stays where comments are pruned.
const ACTED_ON: &[&str] = &[
    "todo",
    "fixme",
    "xxx",
    "hack",
    "safety",
    "bug:",
    "warning",
    "noqa",
    "nosec",
    "nolint",
    "type:",
    "pylint:",
    "pyright:",
    "mypy:",
    "ruff:",
    "fmt:",
    "isort:",
    "yapf:",
    "pragma",
    "coverage:",
    "eslint",
    "tslint",
    "prettier-ignore",
    "@ts-",
    "@flow",
    "istanbul ignore",
    "c8 ignore",
    "go:",
    "+build",
    "clang-format",
    "cspell",
    "noinspection",
    "rubocop",
    "frozen_string_literal",
    "coding:",
    "shellcheck",
    "phpcs",
    "@phpstan",
    "@psalm",
    "swiftlint",
    "ktlint",
    "sourcemappingurl",
    "<reference ",
    "@jsx",
    "#region",
    "#endregion",
    "deprecated",
];

/// Whether something in the comment is acted on, or it is the `#!` line.
pub(crate) fn is_acted_on(comment: &str) -> bool {
    let lower = comment.to_ascii_lowercase();
    comment.starts_with("#!") || ACTED_ON.iter().any(|sign| lower.contains(sign))
}

/// Whether the row has words, not only the marks that begin, end or frame a comment. Copyright lines say nothing about what follows.
pub(crate) fn says_something(row: &str) -> bool {
    let lower = row.to_ascii_lowercase();
    !lower.trim_start().starts_with("#!")
        && row.chars().filter(|c| c.is_alphanumeric()).count() >= 3
        && !["copyright", "spdx", "license", "(c)", "eslint", "-*-"].iter().any(|sign| lower.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_acted_on_is_told_from_talk() {
        for comment in
            ["# type: ignore", "// SAFETY: checked above", "#!/bin/sh", "//go:build linux", "/* eslint-disable */"]
        {
            assert!(is_acted_on(comment), "{comment}");
        }
        assert!(!is_acted_on("// Adds one to the counter."));
        assert!(
            says_something("/// Adds one.") && !says_something(" */") && !says_something("// Copyright 2020 A. B.")
        );
    }
}

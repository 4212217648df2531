//! Source code: every definition is there, and every line that is shown has the number that the marks give it.
//!
//! Definitions are found by the look of their lines, which is how a reader with `grep` finds them: those at the margin, and members of a type that is
//! defined there. What is defined inside of functions is no symbol of the file.

use std::sync::LazyLock;

use headroom::TextResult;
use regex::Regex;

use super::Verdict;
use crate::scoreboard::items::Item;

/// How a language defines things at the margin, and members of what is there.
struct Look {
    endings: &'static [&'static str],
    /// What a line at the margin looks like; its last group is the name.
    outer: &'static str,
    /// What a line at the margin looks like whose members are symbols as well, and what these look like, indented once.
    holder: &'static str,
    member: &'static str,
}

const LOOKS: &[Look] = &[
    Look {
        endings: &["rs"],
        outer: r#"^(?:pub(?:\([^)]*\))? )?(?:default )?(?:const )?(?:async )?(?:unsafe )?(?:extern "[^"]*" )?(?:fn|struct|enum|trait|union|type|static|mod) +(?:r\x23)?(\w+)"#,
        holder: r#"^(?:pub(?:\([^)]*\))? )?(?:unsafe )?(?:impl|trait)\b"#,
        member: r#"^    (?:pub(?:\([^)]*\))? )?(?:default )?(?:const )?(?:async )?(?:unsafe )?(?:extern "[^"]*" )?(?:fn|type) +(?:r\x23)?(\w+)"#,
    },
    Look {
        endings: &["py"],
        outer: r#"^(?:async )?(?:def (\w+)\(|class (\w+)[(:])"#,
        holder: r#"^class \w+[(:]"#,
        member: r#"^    (?:async )?(?:def (\w+)\(|class (\w+)[(:])"#,
    },
    Look {
        endings: &["js", "ts"],
        outer: r#"^(?:export (?:default )?)?(?:declare )?(?:abstract )?(?:async )?(?:function\*? |class |interface |enum |namespace )(\w+)"#,
        holder: r#"^(?:export (?:default )?)?(?:abstract )?class "#,
        member: r#"^  (?:(?:public|private|protected|static|async|override|readonly) )*(\w+)(?:<[^>]*>)?\([^;]*\{$"#,
    },
    Look {
        endings: &["go"],
        outer: r#"^(?:func (?:\([^)]*\) )?(\w+)|type (\w+) )"#,
        holder: r#"^type \w+ interface"#,
        member: r#"^\t(\w+)\("#,
    },
    Look {
        endings: &["c", "h"],
        // A function's head says a type before its name, and does not end like a declaration; it may go on in the next line.
        outer: r"^(?:(?:typedef )?(?:struct|enum|union) (\w+)\s*\{$|(?:[A-Za-z_]\w*[ *]+)+(\w+)\([^;]*[,){]$)",
        holder: "^$",
        member: "^$",
    },
    Look { endings: &["sh"], outer: r"^(?:function +([\w:.-]+)|([\w:.-]+) ?\(\))", holder: "^$", member: "^$" },
];

/// Words that look like members and are statements.
const STATEMENTS: &[&str] = &["if", "for", "while", "switch", "catch", "return", "function", "with", "do", "else"];

pub(super) fn check(item: &Item, result: &TextResult, verdict: &mut Verdict) {
    for (number, name) in definitions(&item.name, &item.text) {
        let shown = result.text.lines().any(|line| line == item.text.lines().nth(number).unwrap_or_default());
        verdict.note(shown, || format!("{name}, defined in line {}", number + 1));
    }
    check_numbers(&item.text, &result.text, verdict);
}

/// Lines, from 0, that define something, and what.
fn definitions<'t>(name: &str, text: &'t str) -> Vec<(usize, &'t str)> {
    let ending = name.rsplit('.').next().unwrap_or_default();
    let Some(look) = LOOKS.iter().find(|look| look.endings.contains(&ending)) else { return Vec::new() };
    let [Ok(outer), Ok(holder), Ok(member)] = [look.outer, look.holder, look.member].map(Regex::new) else {
        return Vec::new();
    };
    let named = |look: &Regex, line: &'t str| {
        let groups = look.captures(line)?;
        groups.iter().skip(1).flatten().last().map(|group| group.as_str())
    };
    let mut inside = false;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let at_the_margin = line.starts_with(|first: char| first.is_alphabetic() || first == '_');
        if at_the_margin {
            // The conditions of a type stand between its head and its members.
            inside = holder.is_match(line) || (inside && line.starts_with("where"));
        }
        let here = named(&outer, line).or_else(|| named(&member, line).filter(|_| inside));
        found.extend(here.filter(|name| !STATEMENTS.contains(name)).map(|name| (number, name)));
    }
    found
}

/// A mark for missing lines says which, or the last of them where one before it has said which: the lines around it must be those that follow
/// from it. A mark for data inside of a line says its bytes, and the line must be what comes of putting them back.
fn check_numbers(text: &str, result: &str, verdict: &mut Verdict) {
    static MARK: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(r"\[-(\d+) lines? (\d+)(?:-(\d+))?\](.*)$").ok());
    static SHORT: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\[-\.\.(\d+)\](.*)$").ok());
    let (Some(mark), Some(short), true) = (MARK.as_ref(), SHORT.as_ref(), result != text) else { return };
    let lines: Vec<&str> = text.lines().collect();
    let (mut next, mut is_known) = (0, false);
    for shown in result.lines() {
        if lines.get(next).is_some_and(|line| *line == shown || *line == with_data(text, shown)) {
            next += 1;
            continue;
        }
        if next >= lines.len() {
            // What stands behind the last line names the original.
            continue;
        }
        let number = |groups: &regex::Captures<'_>, at: usize| groups.get(at)?.as_str().parse::<usize>().ok();
        let gap = mark.captures(shown).and_then(|groups| {
            let (count, first) = (number(&groups, 1)?, number(&groups, 2)?);
            Some((count, first, number(&groups, 3).unwrap_or(first)))
        });
        let last = short.captures(shown).filter(|_| is_known).and_then(|groups| number(&groups, 1));
        let names = [(mark, 4), (short, 2)].into_iter().find_map(|(mark, group)| mark.captures(shown)?.get(group));
        let end = gap.map(|(_, _, last)| last).or(last).unwrap_or(next);
        let left_out = lines.get(next..end.min(lines.len())).unwrap_or_default();
        if !are_names(names.map_or("", |names| names.as_str()), left_out) {
            verdict.note(false, || format!("{shown:?} does not name line by line what is left out"));
            return;
        }
        match (gap, last) {
            (Some((count, first, last)), _)
                if first == next + 1 && last + 1 == first + count && last <= lines.len() =>
            {
                (next, is_known) = (last, true);
            }
            (None, Some(last)) if last > next && last <= lines.len() => next = last,
            _ => {
                verdict.note(false, || format!("line {} should follow, and there stands {shown:?}", next + 1));
                return;
            }
        }
    }
    verdict.note(next == lines.len(), || format!("lines from {} on are missing without a mark", next + 1));
}

/// Whether a mark is followed by nothing, or by one name for each line that it stands for, found in that line.
fn are_names(names: &str, lines: &[&str]) -> bool {
    let names: Vec<&str> = names.split_whitespace().collect();
    names.is_empty() || (names.len() == lines.len() && names.iter().zip(lines).all(|(name, line)| line.contains(name)))
}

/// A line with the bytes that its marks speak of.
fn with_data(text: &str, line: &str) -> String {
    static DATA: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\[-(\d+) bytes (\d+)-(\d+)\]").ok());
    let Some(data) = DATA.as_ref() else { return line.to_owned() };
    let put_back = |groups: &regex::Captures<'_>| {
        let [count, first, last] = [1, 2, 3].map(|at| groups[at].parse::<usize>().unwrap_or(0));
        let bytes = first.checked_sub(1).and_then(|start| text.get(start..last));
        bytes.filter(|bytes| bytes.len() == count).unwrap_or(&groups[0]).to_owned()
    };
    data.replace_all(line, put_back).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_held_against_the_lines_around_them() {
        let text = "a\nb\nc\nd\ndata 123456\nf\n";
        let holds = |shown: &str| {
            let mut verdict = Verdict::default();
            check_numbers(text, shown, &mut verdict);
            verdict.missing.is_empty()
        };
        assert!(holds("[-1 line 1]\nb\n[-..4]\ndata [-5 bytes 14-18]6\nf\n[all in it]\n"));
        assert!(holds("[-1 line 1] a\n[-..3] b c\nd\ndata 123456\nf\n"));
        for shown in [
            "[-1 line 1] x\nb\nc\nd\ndata 123456\nf\n",
            "[-1 line 1]\n[-..3] b d\nd\ndata 123456\nf\n",
            "[-..1]\nb\nc\nd\ndata 123456\nf\n",
            "[-1 line 1]\nb\n[-..3]\ndata 123456\nf\n",
            "[-1 line 1]\nb\n[-..9]\n",
            "[-1 line 1]\nb\nc\nd\ndata [-4 bytes 14-17]6\nf\n",
            "[-1 line 1]\nb\nc\n",
        ] {
            assert!(!holds(shown), "{shown}");
        }
    }

    #[test]
    fn what_is_defined_is_found_where_a_reader_finds_it() {
        let names = |file: &str, text: &str| -> Vec<String> {
            definitions(file, text).into_iter().map(|(_, name)| name.to_owned()).collect()
        };
        let rust = "pub(crate) fn a() {\n    fn inner() {}\n}\nimpl<T> B for C\nwhere\n    T: D,\n{\n    async fn b() {}\n}\nconst X: u8 = 1;\npub enum E {}\n";
        assert_eq!(names("x.rs", rust), ["a", "b", "E"]);
        let python = "class A(B):\n    x = 1\n    def f(self):\n        def inner(): pass\nasync def g(): pass\nif True:\n    def h(): pass\n";
        assert_eq!(names("x.py", python), ["A", "f", "g"]);
        let javascript =
            "export class A {\n  async f(x) {\n    if (x) {\n    }\n  }\n}\nexport default function g() {}\n";
        assert_eq!(names("x.ts", javascript), ["A", "f", "g"]);
        let c =
            "struct s {\n};\nstatic int *f(int a,\n             int b)\n{\n}\nint g(void);\nvoid h(void) {\n}\nM(x)\n";
        assert_eq!(names("x.c", c), ["s", "f", "h"]);
        assert_eq!(names("x.sh", "a::b() {\n}\nfunction c-d {\n}\ne f\n"), ["a::b", "c-d"]);
        assert_eq!(names("x.go", "func (s *S) F() {\n}\ntype I interface {\n\tG()\n}\n"), ["F", "I", "G"]);
    }
}

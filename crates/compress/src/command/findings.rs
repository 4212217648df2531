//! Warnings that come again: a compiler shows the source at each, a reader who has seen two needs only the places.
//!
//! Of the third and later finding of one kind the source excerpt and its notes are left out; what it says and where stays. Errors stay whole, and so
//! does every finding that is the first or second of its kind.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use crate::log::lex::{self, HashedMap};

/// So many findings of one kind are shown whole.
const WHOLE: usize = 2;

/// A finding has at most this many lines.
const LINES: usize = 60;

/// Looked for in nearly every line, so it is prepared once.
static WARNING: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(": warning: "));

/// Takes the excerpts of repeated warnings out of `keep`.
pub(super) fn fold(lines: &[&str], keep: &mut [bool]) {
    let mut seen: HashedMap<usize> = HashedMap::default();
    let mut at = 0;
    while at < lines.len() {
        let head = at;
        at += 1;
        let Some(kind) = kind(lines[head], lines.get(at).copied()) else { continue };
        let end = (at..lines.len().min(at + LINES))
            .find(|line| !belongs(lines[*line]))
            .unwrap_or(lines.len().min(at + LINES));
        let count = seen.entry(kind).or_default();
        *count += 1;
        if *count > WHOLE {
            for line in (at..end).filter(|line| is_excerpt(lines[*line])) {
                keep[line] = false;
            }
        }
        at = end;
    }
}

/// What a finding is about, if this line is the first one of a finding that is no error: the rule in brackets at its end, else its words without
/// the names it quotes. `below` is the next line.
fn kind(line: &str, below: Option<&str>) -> Option<u64> {
    let below = below.map(str::trim_start)?;
    let said = if let Some(rest) = line.strip_prefix("warning") {
        // rustc, clippy: the place stands below.
        rest.strip_prefix(": ")
            .or_else(|| rest.starts_with('[').then_some(rest))
            .filter(|_| below.starts_with("--> "))?
    } else if below.starts_with("--> ") && is_rule(line.split(' ').next()?) {
        // ruff: every finding has a rule.
        return Some(lex::hash(line.split(' ').next()?.as_bytes()));
    } else {
        // gcc, clang: `a.c:1:2: warning: unused variable 'x' [-Wunused-variable]`.
        let at = WARNING.find(line.as_bytes())?;
        let (place, said) = (&line[..at], &line[at + WARNING.needle().len()..]);
        place.ends_with(|c: char| c.is_ascii_digit()).then_some(said)?
    };
    let rule = said.strip_suffix(']').and_then(|said| Some(&said[said.rfind(" [-W")?..]));
    Some(rule.map_or_else(|| lex::hash(without_quoted(said).as_bytes()), |rule| lex::hash(rule.as_bytes())))
}

/// `F401`, `SIM102`: letters and then digits.
fn is_rule(word: &str) -> bool {
    let letters = word.bytes().take_while(u8::is_ascii_uppercase).count();
    let digits = &word[letters..];
    (1..=4).contains(&letters) && (3..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The words of a message outside `` `...` `` and `'...'`.
fn without_quoted(said: &str) -> String {
    let parts = said.split(['`', '\'']).enumerate();
    parts.filter(|(at, _)| at % 2 == 0).map(|(_, part)| part).collect()
}

/// Whether a line goes on with the finding above it.
fn belongs(line: &str) -> bool {
    line.starts_with(' ') && !line.trim().is_empty() || is_excerpt(line) || line.starts_with("help: ") || line == "..."
}

/// A line of source behind its number, the marks below it, or a note: `12 | let x;`, `   |    ^`, `   = note: ...`.
fn is_excerpt(line: &str) -> bool {
    let rest = line.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit());
    (rest.starts_with('|') && (rest.len() < line.len())) || (rest.starts_with("= ") && line.starts_with(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> String {
        let lines: Vec<&str> = text.lines().collect();
        let mut keep = vec![true; lines.len()];
        fold(&lines, &mut keep);
        lines.iter().zip(keep).filter(|(_, keep)| *keep).map(|(line, _)| format!("{line}\n")).collect()
    }

    #[test]
    fn the_third_warning_of_a_kind_is_its_message_and_place() {
        let whole = |word: &str, at: usize| {
            format!(
                "{word}: unused variable: `x{at}`\n  --> src/a.rs:{at}:9\n   |\n{at:2} |     let x{at} = 1;\n   |         ^^ help: prefix it\n   = note: on\n\n"
            )
        };
        let short = |at: usize| format!("warning: unused variable: `x{at}`\n  --> src/a.rs:{at}:9\n\n");
        let text: String = (10..14).map(|at| whole("warning", at)).collect();
        assert_eq!(kept(&text), whole("warning", 10) + &whole("warning", 11) + &short(12) + &short(13));
        let errors: String = (10..14).map(|at| whole("error", at)).collect();
        assert_eq!(kept(&errors), errors);
    }

    #[test]
    fn other_compilers_and_linters_say_it_their_way() {
        let c = |at: usize| {
            format!(
                "a.c:{at}:7: warning: unused variable 'x{at}' [-Wunused-variable]\n   {at} |   int x{at};\n      |       ^~\n"
            )
        };
        let text: String = (10..13).map(c).collect();
        assert_eq!(kept(&text), c(10) + &c(11) + "a.c:12:7: warning: unused variable 'x12' [-Wunused-variable]\n");
        let ruff = |at: usize| {
            format!(
                "F401 [*] `m{at}` imported but unused\n --> a.py:{at}:8\n   |\n{at} | import m{at}\n   |        ^^\n   |\nhelp: Remove unused import: `m{at}`\n\n"
            )
        };
        let text: String = (10..13).map(ruff).collect();
        let last = "F401 [*] `m12` imported but unused\n --> a.py:12:8\nhelp: Remove unused import: `m12`\n\n";
        assert_eq!(kept(&text), ruff(10) + &ruff(11) + last);
    }

    #[test]
    fn what_only_looks_like_a_finding_stays() {
        let text = "warning: unused\nplain\n  12 | a table | x\nwarning: unused\nplain\nwarning: unused\n| a | b |\n";
        assert_eq!(kept(text), text);
    }
}

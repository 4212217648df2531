//! What holds for every language: symbols, rows, hostile texts, time.
#![allow(clippy::print_stdout, reason = "tests say what they found and what they skipped")]

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use headroom_core::{Compressed, Compressor, Goal, Hints, Kind, Language, Level, Original, Segment, Unit};
use headroom_testkit::laws::{self, KEY};
use headroom_testkit::{corpus, generate};
use headroom_tokens::Tokenizer;
use proptest::prelude::*;
use tree_sitter::Node;

use crate::languages::{self, Grammar};
use crate::outline::outline;
use crate::parse::{self, parse};
use crate::prune::code;
use crate::rows::Rows;
use crate::{CodeCompressor, focus};

fn hints(language: Language) -> Hints<'static> {
    Hints { kind: Some(Kind::Code(language)), ..Hints::NONE }
}

fn skeleton(text: &str, hints: Hints<'_>) -> Option<Compressed> {
    let original = Original::new(&KEY, text);
    let goal = Goal { level: Level::Standard { original: &original }, tokens: &Tokenizer::O200k };
    CodeCompressor.compress(&Segment { text, hints }, &goal)
}

fn pruned(text: &str, language: Language) -> Option<Compressed> {
    let original = Original::new(&KEY, text);
    let goal = Goal { level: Level::Light { original: &original }, tokens: &Tokenizer::O200k };
    CodeCompressor.compress(&Segment { text, hints: hints(language) }, &goal)
}

/// Reads a shortened text as a reader would: each row that is shown stands where the marks before it say, and marks and rows together are the
/// whole text. Gives the rows that are shown, from 0.
#[track_caller]
fn shown_rows(text: &str, compressed: &Compressed) -> HashSet<usize> {
    let rows = Rows::of(text);
    let (body, _trailer) = compressed.text.trim_end_matches('\n').rsplit_once('\n').unwrap_or(("", ""));
    let (lines, bytes): (Vec<_>, Vec<_>) =
        compressed.omissions().iter().partition(|omission| omission.unit() == Unit::Line);
    let mut omissions = lines.iter().copied().peekable();
    let mut data = bytes.into_iter().peekable();
    let mut shown = HashSet::new();
    let mut at = 0;
    for line in format!("{body}\n").lines() {
        if let Some(omission) = omissions.peek()
            && *omission.range().start() == at + 1
        {
            // The first mark says all that there is to say of a gap; those after it may stand by themselves, and say where it ends.
            let (full, short) = (headroom_core::gap_mark(omission), headroom_core::short_gap_mark(omission));
            let named =
                line.strip_prefix(&full).or_else(|| line.strip_prefix(&short).filter(|_| *omission != lines[0]));
            assert!(line.ends_with(&full) || named.is_some(), "no mark for {omission} in {line:?}");
            // Behind a mark stands nothing, or one name for each row.
            let names: Vec<&str> = named.unwrap_or_default().split(' ').skip(1).collect();
            assert!(names.is_empty() || names.len() == omission.count(), "{line:?} does not name every row");
            for (row, name) in (at..).zip(names) {
                assert!(
                    crate::prune::words(rows.row(row)).any(|word| word == name),
                    "row {row} does not define {name}"
                );
            }
            assert_eq!((omission.unit(), omission.total()), (Unit::Line, rows.len()));
            at += omission.count();
            omissions.next();
            continue;
        }
        // Data is marked where it stood, and the mark says its bytes.
        let mut line = line.to_owned();
        while let Some(omission) = data.peek()
            && let Some(place) = line.find(&headroom_core::gap_mark(omission))
        {
            assert_eq!((omission.unit(), omission.total()), (Unit::Byte, text.len()));
            let hidden = &text[*omission.range().start() - 1..*omission.range().end()];
            assert_eq!(omission.range().start() - 1, rows.start(at) + place, "bytes of another place");
            line.replace_range(place..place + headroom_core::gap_mark(omission).len(), hidden);
            data.next();
        }
        assert_eq!(line.trim_end_matches('\r'), rows.row(at).trim_end_matches('\n').trim_end_matches('\r'), "row {at}");
        shown.insert(at);
        at += 1;
    }
    assert_eq!((at, omissions.next(), data.next()), (rows.len(), None, None), "something is missing");
    shown
}

/// Source files that any machine that builds this has: the repository's own, the packages of its lock file, Python's library. Nothing else that
/// happens to lie on the machine, so that every machine checks the same; but all files of a folder that `HEADROOM_CODE` names.
fn files(language: Language, most: usize) -> Vec<(PathBuf, String)> {
    let mut folders = vec![corpus::repository().join("crates")];
    folders.extend(packages());
    if language == Language::Python
        && let Ok(output) =
            Command::new("python3").args(["-c", "import os; print(os.path.dirname(os.__file__))"]).output()
    {
        folders.push(String::from_utf8_lossy(&output.stdout).trim().into());
    }
    let mut paths = Vec::new();
    for folder in folders {
        walk(&folder, language, most * 4, &mut paths);
    }
    let step = (paths.len() / most.max(1)).max(1);
    let mut paths: Vec<_> = paths.into_iter().step_by(step).take(most).collect();
    if let Some(folder) = std::env::var_os("HEADROOM_CODE") {
        walk(Path::new(&folder), language, usize::MAX, &mut paths);
    }
    let read = |path: PathBuf| Some((path.clone(), std::fs::read_to_string(path).ok()?));
    paths.into_iter().filter_map(read).filter(|(_, text)| text.len() < 200_000).collect()
}

/// The sources of the packages that the lock file names, where Cargo has put them.
fn packages() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let registries = home.and_then(|home| std::fs::read_dir(home.join("registry/src")).ok());
    let registries: Vec<_> = registries.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    let lock = std::fs::read_to_string(corpus::repository().join("Cargo.lock")).expect("a lock file");
    let mut lines = lock.lines();
    let mut folders = Vec::new();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("name = ") else { continue };
        let Some(version) = lines.next().and_then(|line| line.strip_prefix("version = ")) else { continue };
        let folder = format!("{}-{}", name.trim_matches('"'), version.trim_matches('"'));
        folders.extend(registries.iter().map(|registry| registry.join(&folder)).filter(|path| path.is_dir()));
    }
    folders
}

fn walk(folder: &Path, language: Language, most: usize, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        if found.len() >= most {
            return;
        }
        let ending = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            walk(&path, language, most, found);
        } else if Language::of_extension(&ending) == Some(language) {
            found.push(path);
        }
    }
}

/// A small text of each language, and the names that it defines.
fn samples() -> Vec<(&'static Grammar, String)> {
    let folder = corpus::repository().join("crates/code/tests/samples");
    let mut samples = Vec::new();
    for grammar in languages::ALL {
        let path = folder.join(format!("{}.txt", grammar.language.name()));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        samples.push((*grammar, text));
    }
    samples
}

/// Where names of definitions stand, by a rule that knows no data file: a node whose kind speaks of a function, a type or a module, with a name
/// and not only a use of it.
fn definitions(tree: &tree_sitter::Tree) -> Vec<usize> {
    const NOUNS: [&str; 15] = [
        "function",
        "method",
        "class",
        "struct",
        "enum",
        "trait",
        "interface",
        "module",
        "namespace",
        "constructor",
        "mod_item",
        "record",
        "object",
        "protocol",
        "union",
    ];
    const NOT: [&str; 18] = [
        "call",
        "invocation",
        "expression",
        "type_parameter",
        "modifier",
        "import",
        "argument",
        "signature_",
        "pointer",
        "literal",
        "access",
        "use",
        "template_function",
        "template_method",
        "function_type",
        "alias",
        "lambda",
        "preproc",
    ];
    fn visit(node: Node<'_>, found: &mut Vec<usize>) {
        let kind = node.kind();
        let name = node.child_by_field_name("name").or_else(|| {
            let declarator = (kind == "function_definition").then(|| node.child_by_field_name("declarator"))??;
            std::iter::successors(Some(declarator), |node| node.child_by_field_name("declarator")).last()
        });
        let is_use = NOT.iter().any(|word| kind.contains(word))
            || (kind.ends_with("_specifier") && node.child_by_field_name("body").is_none());
        if let Some(name) = name.filter(|_| !is_use && NOUNS.iter().any(|noun| kind.contains(noun))) {
            found.push(name.start_position().row);
        }
        let mut cursor = node.walk();
        for child in node.named_children(&mut cursor) {
            visit(child, found);
        }
    }
    let mut found = Vec::new();
    visit(tree.root_node(), &mut found);
    found
}

/// Shortens a text at both levels and checks what holds for every text. Says how many symbols it has.
#[track_caller]
fn check(text: &str, grammar: &Grammar, name: &str) -> usize {
    laws::check(&CodeCompressor, text, hints(grammar.language));
    let tree = parse(text, grammar);
    let mut symbols = 0;
    if let (Some(compressed), Some(tree)) = (skeleton(text, hints(grammar.language)), &tree) {
        let shown = shown_rows(text, &compressed);
        if skeleton_was_made(text, grammar) {
            for row in definitions(tree) {
                symbols += 1;
                assert!(shown.contains(&row), "{name}:{} is not in the skeleton:\n{}", row + 1, compressed.text);
            }
        }
    }
    if let (Some(compressed), Some(tree)) = (pruned(text, grammar.language), &tree) {
        shown_rows(text, &compressed);
        let body = compressed.text.trim_end_matches('\n').rsplit_once('\n').map_or("", |(body, _)| body);
        let again = parse(body, grammar).expect("what was pruned is shorter");
        let (before, after) = (code(tree, text, grammar.rules()), code(&again, body, grammar.rules()));
        if let Some(at) = (0..before.len().max(after.len())).find(|at| before.get(*at) != after.get(*at)) {
            let around = |words: &[&str]| {
                words[at.saturating_sub(3).min(words.len())..].iter().take(8).copied().collect::<String>()
            };
            panic!("{name}: pruning changed the code: {:?} became {:?}", around(&before), around(&after));
        }
    }
    symbols
}

/// The standard level prunes where there is no symbol.
fn skeleton_was_made(text: &str, grammar: &Grammar) -> bool {
    let rows = Rows::of(text);
    let tree = parse(text, grammar).expect("a tree");
    outline(&tree, &rows, grammar.rules())
        .is_some_and(|outline| crate::skeleton::keep(&outline, &rows, &focus("")).is_some())
}

#[test]
fn the_data_files_name_what_the_grammars_know() {
    for grammar in languages::ALL {
        assert_eq!(grammar.unknown_names(), Vec::<String>::new(), "{:?}", grammar.language);
    }
}

#[test]
fn every_sample_keeps_its_symbols_and_its_code() {
    for (grammar, text) in samples() {
        let tree = parse(&text, grammar).expect("a tree");
        assert!(
            !tree.root_node().has_error(),
            "{:?}: the sample has an error: {}",
            grammar.language,
            tree.root_node().to_sexp()
        );
        let symbols = check(&text, grammar, grammar.language.name());
        let outlined = !matches!(grammar.language, Language::Toml | Language::Yaml);
        assert!(symbols >= 3 || !outlined, "{:?}: {symbols}", grammar.language);
        assert!(pruned(&text, grammar.language).is_some(), "{:?}", grammar.language);
        let windows = text.replace('\n', "\r\n");
        check(&windows, grammar, "with line ends of Windows");
        check(&format!("\u{feff}{text}"), grammar, "with a byte order mark");
        check(text.trim_end(), grammar, "without a last line end");
    }
}

#[test]
fn real_files_keep_their_symbols_and_their_code() {
    for grammar in languages::ALL {
        let (mut symbols, mut count) = (0, 0);
        for (path, text) in files(grammar.language, 24) {
            symbols += check(&text, grammar, &path.display().to_string());
            count += 1;
        }
        println!("{}: {symbols} symbols in {count} files", grammar.language.name());
    }
}

#[test]
fn data_inside_of_a_string_is_left_out_by_its_bytes() {
    let Some(grammar) = languages::of(Language::JavaScript) else { return };
    let data = "AGFzbQEAAAABJwdg/+".repeat(400);
    let texts = [
        format!("'use strict'\n\nmodule.exports = Buffer.from('{data}', 'base64')\n"),
        format!("const é = 1\nconst wasm = '{data}', more = \"{data}\"\nfunction load() {{\n  return wasm\n}}\n"),
    ];
    for text in texts {
        check(&text, grammar, "data");
        let shown = skeleton(&text, hints(Language::JavaScript)).expect("shorter").text;
        assert!(shown.contains("('AGFzbQ") || shown.contains("= 'AGFzbQ"), "{shown}");
        assert!(shown.len() < 400, "{shown}");
    }
}

#[test]
fn what_cannot_be_read_hides_nothing_but_itself() {
    let Some(grammar) = languages::of(Language::C) else { return };
    let body = "    step(&state);\n".repeat(30);
    // A limit in the notation of a macro: the grammar of C knows no `1 GB`.
    let text = format!(
        "#define GB *(1U<<30)\n#define LIMIT ((unsigned)1 GB)\nstatic int first(int a)\n{{\n{body}}}\nsize_t limit(void) {{ return (1 GB) - 1; }}\nint broken( {{ ) 1 GB ;\nstatic int second(int b)\n{{\n{body}}}\n"
    );
    check(&text, grammar, "broken");
    let shown = skeleton(&text, hints(Language::C)).expect("a skeleton").text;
    for head in ["static int first(int a)\n", "size_t limit(void)", "int broken( {", "static int second(int b)\n"] {
        assert!(shown.contains(head), "{head} in {shown}");
    }
    assert!(shown.len() < text.len() / 2, "{shown}");
}

#[test]
fn a_table_of_constants_is_shown_by_its_names() {
    let Some(grammar) = languages::of(Language::C) else { return };
    let rows = |count: usize| -> String {
        (0..count).map(|at| format!("#define part_{at} library_of_some_length_0_17_14_part_{at}\n")).collect()
    };
    let text = format!("#ifndef H\n#define H\n\n{}\n#if defined(X)\n{}#endif\n#endif\n", rows(23), rows(7));
    check(&text, grammar, "constants");
    let shown = skeleton(&text, hints(Language::C)).expect("a skeleton").text;
    assert!(
        shown.contains("#define H\n\n[-10 lines 4-13] part_0 part_1 ")
            && shown.contains("\n[-..26] part_20 part_21 part_22\n"),
        "{shown}"
    );
    assert!(shown.contains("#define part_6 library_of"), "{shown}");
    // What a run of small ones says is said as shortly by the rows themselves.
    let small: String = (0..20).map(|at| format!("#define LIMIT_OF_PART_{at} {at}\n")).collect();
    assert!(skeleton(&small, hints(Language::C)).is_none_or(|shown| !shown.text.contains("[-")));
}

#[test]
fn a_type_inside_a_function_is_shown_with_its_members() {
    let Some(grammar) = languages::of(Language::C) else { return };
    let calls = "    step(&state);\n".repeat(30);
    let text = format!(
        "int run(void) {{\n    enum phase {{\n        READY,\n        DONE\n    }};\n    int turns;\n{calls}    return 0;\n}}\n"
    );
    assert_eq!(check(&text, grammar, "a function"), 4);
    let shown = skeleton(&text, hints(Language::C)).expect("a skeleton").text;
    assert!(shown.contains("        READY,\n        DONE\n") && !shown.contains("turns"), "{shown}");
}

#[test]
fn a_named_type_inside_a_function_is_shown_whole() {
    let Some(grammar) = languages::of(Language::TypeScript) else { return };
    let calls = "  step(phases, state);\n".repeat(30);
    let text = format!(
        "test(\"phases\", () => {{\n  enum Phase {{\n    ready = \"r\",\n    done,\n  }}\n  type Turn = {{ next(): Phase }};\n{calls}}});\n"
    );
    assert_eq!(check(&text, grammar, "a test"), 4);
    let shown = skeleton(&text, hints(Language::TypeScript)).expect("a skeleton").text;
    assert!(shown.contains("    ready = \"r\",\n    done,\n") && !shown.contains("step"), "{shown}");
}

#[test]
fn a_character_that_lies_across_two_pieces_is_read_whole() {
    let Some(grammar) = languages::of(Language::Rust) else { return };
    for shift in 0..4 {
        let rows = (0..800).map(|row| format!("const ROW_{row}: [char; 2] = ['\u{d5e4}', '\u{d5e5}'];\n"));
        let text = format!("// {}\n{}", "x".repeat(shift), rows.collect::<String>());
        let tree = parse(&text, grammar).expect("a tree");
        let literals =
            code(&tree, &text, grammar.rules()).iter().filter(|word| word.len() == 5 && word.starts_with('\'')).count();
        assert_eq!((literals, tree.root_node().has_error()), (2 * 800, false), "shifted by {shift}");
    }
}

/// The reader of Python itself says what a file defines.
#[test]
fn pythons_own_parser_finds_nothing_that_is_missing() {
    const LIST: &str = "import ast, sys\nfor node in ast.walk(ast.parse(open(sys.argv[1], encoding='utf-8').read())):\n    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):\n        print(node.lineno)\n";
    if languages::of(Language::Python).is_none() || Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: no python3");
        return;
    }
    let (mut symbols, mut count) = (0, 0);
    for (path, text) in files(Language::Python, 16) {
        let output = Command::new("python3").args(["-c", LIST]).arg(&path).output().expect("python3 runs");
        let (Some(compressed), true) = (skeleton(&text, hints(Language::Python)), output.status.success()) else {
            continue;
        };
        let shown = shown_rows(&text, &compressed);
        for line in String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| line.parse::<usize>().ok()) {
            assert!(shown.contains(&(line - 1)), "{}:{line}", path.display());
            symbols += 1;
        }
        count += 1;
    }
    println!("{symbols} symbols in {count} files");
}

#[test]
fn the_reader_gets_what_it_asks_for_whole() {
    let text = "class Cart:\n    \"\"\"A cart.\"\"\"\n\n    def total(self):\n        # every line counts, whatever its currency may be\n        return sum(line.price for line in self.lines)\n\n    @cached\n    def weight(self):\n        # grams, for the courier who does not take pounds\n        return sum(line.weight for line in self.lines)\n";
    let asked = Hints { query: Some("why is Cart.weight wrong?"), ..hints(Language::Python) };
    let shown = skeleton(text, Hints { query: Some("weight"), ..asked }).expect("a skeleton").text;
    assert!(
        shown.contains("@cached\n    def weight(self):\n        # grams") && shown.contains("return sum(line.weight")
    );
    assert!(shown.contains("def total(self):\n[-3 lines 5-7]\n") && !shown.contains("line.price"), "{shown}");
}

#[test]
fn what_may_be_edited_or_is_an_error_is_left_alone() {
    let (_, text) = &samples()[0];
    let language = languages::ALL[0].language;
    assert!(skeleton(text, hints(language)).is_some());
    assert!(skeleton(text, Hints { editable: true, ..hints(language) }).is_none());
    assert!(skeleton(text, Hints { is_error: true, ..hints(language) }).is_none());
    assert!(skeleton(text, Hints::NONE).is_none());
}

#[test]
fn a_view_with_numbers_keeps_them() {
    for (grammar, text) in samples() {
        let view: String = (1..).zip(text.lines()).map(|(number, line)| format!("{number:>6}\t{line}\n")).collect();
        let Some(plain) = skeleton(&text, hints(grammar.language)) else { continue };
        let compressed = skeleton(&view, hints(grammar.language)).expect("a skeleton of the view");
        assert_eq!(compressed.omissions().len(), plain.omissions().len());
        for row in shown_rows(&view, &compressed) {
            assert!(compressed.text.contains(&format!("{:>6}\t", row + 1)));
        }
    }
}

#[test]
fn comments_that_are_acted_on_stay() {
    let text = "#!/usr/bin/env python3\n# A comment that goes on and on about nothing in particular, over and over again\nimport os  # noqa\n\n# TODO: mend the roof before the winter comes, or else\n# type: ignore\n# SAFETY: nobody else holds the key to the door at this time\nx = os.sep\n# One more comment that goes on and on about nothing in particular, over and over\nprint(x)\n";
    let shown = pruned(text, Language::Python).expect("pruned").text;
    for kept in ["#!/usr/bin/env", "# noqa", "# TODO: mend", "# type: ignore", "# SAFETY"] {
        assert!(shown.contains(kept), "{kept}: {shown}");
    }
    assert!(!shown.contains("One more comment"));
}

#[test]
fn imports_that_nothing_names_go() {
    let text = "import collections.abc, itertools, functools, operator, contextlib\nfrom typing import Any, Callable\n\n\ndef f(x: Any) -> Any:\n    return x\n";
    let shown = pruned(text, Language::Python).expect("pruned").text;
    assert!(!shown.contains("itertools") && shown.contains("from typing import Any, Callable"), "{shown}");
    let used = text.replace("return x", "return itertools.chain(x)");
    assert!(pruned(&used, Language::Python).is_none());
}

#[test]
fn hostile_texts_pass() {
    let deep = |open: &str, close: &str, count: usize| open.repeat(count) + &close.repeat(count);
    let texts = [
        deep("(", ")", 100_000),
        deep("(\n", ")\n", 100_000),
        deep("[\n", "]\n", 50_000),
        deep("{\n", "}\n", 50_000),
        deep("f(\n", ")\n", 20_000),
        (0..5_000).map(|n| format!("if x{n} {{\n")).collect::<String>() + &"}\n".repeat(5_000),
        (0..5_000).map(|n| format!("f{n}(\n")).collect(),
        (0..5_000).map(|n| format!("\"a{n}\n")).collect(),
        "(\n".repeat(50_000),
        "a=1;".repeat(parse::MAX_BYTES / 4),
        "\"\n".repeat(20_000),
        "/*\n".repeat(20_000),
        "<<A\n".repeat(10_000),
        format!("x = 1\n{}\0{}", "y".repeat(50), "z".repeat(50)),
        "\u{feff}".to_owned(),
        "\r\r\r\n\r".repeat(1000),
        (0..5_000).map(|n| format!("{}x\n", " ".repeat(n % 64))).collect(),
        "<?php\n".repeat(9000),
        "\u{1F600}\u{202E}é\n".repeat(3000),
    ];
    for grammar in languages::ALL {
        for text in &texts {
            let start = Instant::now();
            skeleton(text, hints(grammar.language));
            let took = start.elapsed();
            if took > Duration::from_millis(300) {
                println!(
                    "{}: {took:?} for {:?}...",
                    grammar.language.name(),
                    text.chars().take(12).collect::<String>()
                );
            }
        }
    }
}

#[test]
fn time_grows_with_the_text() {
    for (grammar, text) in samples() {
        let best = |text: &str| {
            let run = |_| {
                let start = Instant::now();
                skeleton(text, hints(grammar.language));
                start.elapsed()
            };
            (0..3).map(run).min().expect("several runs")
        };
        let (small, large) = (text.repeat(10), text.repeat(40));
        // Four times the text. Quadratic work would take 16 times as long; the rest is room for what else the machine does.
        let is_linear = || best(&large) < best(&small) * 8 + Duration::from_millis(5);
        assert!((0..12).any(|_| is_linear()), "{:?}", grammar.language);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_text_obeys_the_laws(text in generate::any_text()) {
        for grammar in languages::ALL {
            check(&text, grammar, "any text");
        }
    }

    #[test]
    fn a_damaged_program_obeys_the_laws(from in 0.0_f64..1.0, length in 0_usize..80, put in "[ -~\n]{0,6}") {
        for (grammar, text) in samples() {
            let place = |at: usize| (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
            let start = place((text.len() as f64 * from) as usize);
            let end = place(start + length);
            let damaged = format!("{}{put}{}", &text[..start], &text[end..]);
            laws::check(&CodeCompressor, &damaged, hints(grammar.language));
            if let Some(compressed) = skeleton(&damaged, hints(grammar.language)) {
                shown_rows(&damaged, &compressed);
            }
        }
    }
}

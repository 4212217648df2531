//! What the corpus says its files are, and what detection finds.

#![allow(clippy::print_stderr, reason = "says that a test was skipped")]

use headroom_compress::detect;
use headroom_core::{Kind, Segment};
use headroom_testkit::corpus;

/// Of the files below `folder`, how many are found to be one of `kinds`, and how many there are.
fn found(folder: &str, kinds: &[Kind]) -> (usize, usize) {
    let files = corpus::files(folder);
    let hits = files.iter().filter(|path| {
        let bytes = std::fs::read(path).unwrap_or_default();
        kinds.contains(&detect(&Segment::bare(&String::from_utf8_lossy(&bytes))).kind)
    });
    (hits.count(), files.len())
}

#[test]
fn files_are_found_to_be_what_they_are() {
    if corpus::full().is_none() {
        eprintln!("skipped: no corpus");
        return;
    }
    for (folder, kinds, percent) in [
        ("json_api", &[Kind::Json][..], 100),
        ("logs/loghub", &[Kind::Log], 100),
        ("logs", &[Kind::Log, Kind::Json], 95),
        ("commands/tests", &[Kind::Command, Kind::Json], 95),
        ("commands/compiler", &[Kind::Command], 100),
        ("commands/terminal", &[Kind::Command], 100),
        ("commands/git", &[Kind::Command, Kind::Search], 100),
        ("html", &[Kind::Html, Kind::Prose], 90),
        ("short_prompts", &[Kind::Json], 100),
    ] {
        let (hits, files) = found(folder, kinds);
        assert!(files > 0 && hits * 100 >= files * percent, "{folder}: {hits} of {files}");
    }
}

/// Doubt is no reason to touch a text: malformed JSON is not taken for anything that could lose lines.
#[test]
fn malformed_texts_are_left_alone() {
    for path in corpus::files("malformed") {
        let bytes = std::fs::read(&path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let kind = detect(&Segment::bare(&text)).kind;
        assert!(matches!(kind, Kind::Json | Kind::Opaque), "{}: {kind}", path.display());
    }
}

/// Code is recognised without its name, too; what is not recognised is left alone. Languages that share their words may be taken for each other.
#[test]
fn code_is_found_to_be_code() {
    use headroom_core::Language::{Bash, C, CSharp, Cpp, Java, JavaScript, Kotlin, Swift, Toml, Tsx, TypeScript, Yaml};
    let folder = corpus::repository().join("crates/code/tests/samples");
    let mut found = 0;
    for entry in std::fs::read_dir(folder).expect("samples").flatten() {
        let text = std::fs::read_to_string(entry.path()).expect("a text");
        let name = entry.path().file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let Ok(Kind::Code(is)) = format!("code:{name}").parse() else { panic!("{name} is no language") };
        let kind = detect(&Segment::bare(&text)).kind;
        let families: [&[headroom_core::Language]; 3] =
            [&[C, Cpp], &[JavaScript, TypeScript, Tsx], &[Java, CSharp, Kotlin, Swift]];
        let is_kin = |other| families.iter().any(|family| family.contains(&is) && family.contains(&other));
        match kind {
            Kind::Code(other) => {
                assert!(other == is || is_kin(other), "{name} was taken for {}", other.name());
                found += 1;
            }
            Kind::Opaque => {}
            Kind::Command if matches!(is, Bash | Toml | Yaml) => {}
            other => panic!("{name} was taken for {other}"),
        }
    }
    assert!(found >= 12, "{found}");
}

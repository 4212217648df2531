//! How many tokens are saved on a folder of files, per subfolder and level.
//!
//! ```text
//! cargo run --release -p headroom-compress --example saving -- DIR [--files] [--dump OUT] [--digest]
//! ```
//!
//! `--files` adds a line for each file; `--dump` writes what the model would read at the standard level to a folder; `--digest` prints a
//! hash of the kind and the outputs of each file instead, to compare before and after a change that should move nothing.
#![allow(clippy::print_stdout, reason = "an example that reports")]

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use headroom_core::{Goal, Kind, Level, Original, Segment};
use headroom_testkit::laws::KEY;
use headroom_tokens::Tokenizer;

#[derive(Default)]
struct Sum {
    files: usize,
    before: usize,
    exact: usize,
    standard: usize,
    kinds: BTreeMap<Kind, usize>,
}

fn main() {
    let mut folder = None;
    let (mut each, mut dump, mut digest) = (false, None, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--files" => each = true,
            "--digest" => digest = true,
            "--dump" => dump = arguments.next().map(PathBuf::from),
            _ => folder = Some(PathBuf::from(argument)),
        }
    }
    let Some(folder) = folder else {
        println!("usage: saving DIR [--files] [--dump OUT] [--digest]");
        return;
    };
    let mut files = Vec::new();
    walk(&folder, &mut files);
    files.sort();
    let mut sums = BTreeMap::<String, Sum>::new();
    for path in files {
        let Ok(text) = std::fs::read(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()) else { continue };
        let name = path.strip_prefix(&folder).unwrap_or(&path);
        let part = name.parent().filter(|part| !part.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let before = Tokenizer::O200k.count(&text);
        let segment = Segment::bare(&text);
        let original = Original::new(&KEY, &text);
        let after = |level| {
            let outcome = headroom_compress::compress(&segment, &Goal { level, tokens: &Tokenizer::O200k });
            let tokens = outcome.compressed.as_ref().map_or(before, |_| outcome.tokens.1);
            (outcome.kind, tokens, outcome.compressed.map(|compressed| compressed.text))
        };
        let (kind, exact, exact_text) = after(Level::Exact);
        let (_, standard, shorter) = after(Level::Standard { original: &original });
        if digest {
            println!(
                "{:016x} {} {kind} {exact} {standard}",
                hash(&(kind.to_string(), &exact_text, &shorter)),
                name.display()
            );
            continue;
        }
        if each {
            println!("{} {kind} {before} {exact} {standard}", name.display());
        }
        if let (Some(dump), Some(shorter)) = (&dump, shorter) {
            let flat = name.to_string_lossy().replace('/', "__");
            std::fs::write(dump.join(flat), shorter).unwrap_or_else(|error| println!("cannot write: {error}"));
        }
        let sum = sums.entry(part.display().to_string()).or_default();
        *sum.kinds.entry(kind).or_default() += 1;
        sum.files += 1;
        sum.before += before;
        sum.exact += exact;
        sum.standard += standard;
    }
    if digest {
        return;
    }
    let all = sums.values().fold(Sum::default(), |all, one| Sum {
        files: all.files + one.files,
        before: all.before + one.before,
        exact: all.exact + one.exact,
        standard: all.standard + one.standard,
        kinds: BTreeMap::new(),
    });
    println!(
        "{:<28} {:>5} {:>9} {:>9} {:>6} {:>9} {:>6}",
        "folder", "files", "tokens", "exact", "saved", "standard", "saved"
    );
    for (name, sum) in sums.iter().map(|(name, sum)| (name.as_str(), sum)).chain([("all", &all)]) {
        let saved = |after: usize| 100.0 * (1.0 - after as f64 / sum.before.max(1) as f64);
        let kinds: Vec<_> = sum.kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        println!(
            "{name:<28} {:>5} {:>9} {:>9} {:>5.1}% {:>9} {:>5.1}%  {}",
            sum.files,
            sum.before,
            sum.exact,
            saved(sum.exact),
            sum.standard,
            saved(sum.standard),
            kinds.join(", ")
        );
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "labels" && name != "needles" {
            walk(&path, found);
        } else if path.is_file() && !matches!(name.as_str(), "index.jsonl" | "probes.jsonl" | "dropped.jsonl") {
            found.push(path);
        }
    }
}

use headroom_tokens::Tokenizer;

use super::*;

/// Encodes, decodes, and compares; returns the encoding.
#[track_caller]
fn there_and_back(text: &str) -> Option<String> {
    let node = parse::parse(text)?;
    let written = write::write(&node)?;
    let back = read::read(&written).unwrap_or_else(|| panic!("cannot be read:\n{text}\n{written}"));
    assert!(back.same(&node), "{text}\n{written}\n{back:?}");
    Some(written)
}

#[test]
fn the_corpus_comes_back() {
    let mut sums = std::collections::BTreeMap::<String, (usize, usize)>::new();
    for path in headroom_testkit::corpus::files("json_api") {
        let text = std::fs::read_to_string(&path).unwrap();
        let after = there_and_back(&text);
        let sum = sums.entry(path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned()).or_default();
        let before = Tokenizer::O200k.count(&text);
        sum.0 += before;
        sum.1 += after.map_or(before, |after| Tokenizer::O200k.count(&after));
        if let Ok(folder) = std::env::var("DUMP") {
            let name = format!("{folder}/{}.txt", path.file_name().unwrap().to_string_lossy());
            std::fs::write(name, there_and_back(&text).unwrap_or_default()).unwrap();
        }
    }
    let all = sums.values().fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
    eprintln!("{sums:?} {:.3}", 1.0 - all.1 as f64 / all.0 as f64);
    for (name, sum) in sums {
        eprintln!("{name} {:.3}", 1.0 - sum.1 as f64 / sum.0 as f64);
    }
}

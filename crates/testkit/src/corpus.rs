//! Where test data is.
//!
//! The repository has a small corpus of its own (`corpus/`). The full one stands beside a developer's checkout
//! (`../shared/corpus`) or where `HEADROOM_CORPUS` says; tests over it run when it is there and say so when it is not.

use std::path::{Path, PathBuf};

/// The repository's root.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).map(Path::to_path_buf).unwrap_or_default()
}

/// The full corpus, if this machine has it.
pub fn full() -> Option<PathBuf> {
    let named = std::env::var_os("HEADROOM_CORPUS").map(PathBuf::from);
    let beside = repository().join("../shared/corpus");
    named.into_iter().chain([beside]).find(|folder| folder.is_dir())
}

/// Every file below `folder` of the full corpus, sorted by path; empty when the corpus is not there. Index, probe and label
/// files are left out.
pub fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Some(root) = full() {
        walk(&root.join(folder), &mut found);
    }
    found.sort();
    found
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "labels" && name != "needles" {
                walk(&path, found);
            }
        } else if !matches!(name.as_str(), "index.jsonl" | "probes.jsonl" | "dropped.jsonl") {
            found.push(path);
        }
    }
}

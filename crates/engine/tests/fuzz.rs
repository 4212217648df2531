//! The properties of the fuzz targets over mutated cases of the corpus, for a bounded number of rounds. `fuzz/` looks further.

use std::path::Path;

use headroom_testkit::corpus;

#[path = "../../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, missing_docs, reason = "the file is a crate of its own in fuzz/")]
mod properties;

/// Rounds of all targets: a few seconds without optimisation.
const ROUNDS: usize = 1000;

/// Seeds are cut to this, so that many rounds fit.
const SEED_BYTES: usize = 3000;

/// What decides whose memory is meant, where agents and git write it.
const SCOPES: [&str; 6] = [
    "[core]\n\tbare = false\n[remote \"origin\"]\n\turl = https://user@example.com:443/acme/tool.git\n\tfetch = +refs/heads/*\n",
    "[remote \"fork\"]\n\turl = git@example.com:other/tool.git\n[remote \"up\"]\n\turl = ../../acme/tool\n",
    "[url \"https://example.com/acme\"]\n\tinsteadOf = x\n[remote \"origin\"]\n\turl = x/tool\n",
    "Working directory: /etc\nPrimary working directory: /root\nCurrent Working Directory: /home/b\n",
    "<environment_context>\n  <cwd>/home/b</cwd>\n</environment_context>",
    "This is the Gemini CLI.\nI'm currently working in the directory: /home/b\n\"}],\"system\":\"Working directory: /b\"",
];

#[test]
fn what_holds_for_every_input_holds_for_mutated_cases() {
    let mut seeds = Vec::new();
    for folder in ["corpus/cases", "corpus/streams", "corpus/requests"] {
        read(&corpus::repository().join(folder), &mut seeds);
    }
    assert!(seeds.len() > 50, "only {} seeds", seeds.len());
    seeds.extend(SCOPES.iter().map(|seed| seed.as_bytes().to_vec()));
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..ROUNDS {
        let bytes = random.mutated(&seeds);
        let text = String::from_utf8_lossy(&bytes);
        properties::compress(&text);
        properties::detect(&text);
        properties::handle(&text);
        properties::wire(&bytes);
        properties::sse(&bytes);
        properties::turn(&bytes);
        properties::scope(&text);
    }
}

fn read(folder: &Path, seeds: &mut Vec<Vec<u8>>) {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            read(&path, seeds);
        } else if let Ok(mut bytes) = std::fs::read(&path) {
            bytes.truncate(SEED_BYTES);
            seeds.push(bytes);
        }
    }
}

/// Always the same numbers, so that a failure comes again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let (a, b) = (self.below(length + 1), self.below(length + 1));
        a.min(b)..a.max(b)
    }

    /// A seed with a few changes: a part cut, doubled or taken from another seed, a byte changed, a mark or a sign put in.
    fn mutated(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(4) {
            let range = self.range(bytes.len());
            match self.below(5) {
                0 => drop(bytes.drain(range)),
                1 => {
                    let part = bytes[range.clone()].to_vec();
                    bytes.splice(range.end..range.end, part);
                }
                2 => {
                    let other = &seeds[self.below(seeds.len())];
                    let part = other[self.range(other.len())].to_vec();
                    bytes.splice(range.start..range.start, part);
                }
                3 => {
                    const SIGNS: [&[u8]; 6] = [b"\r\n", b"\"", b"\\", b"[-3 lines 1-3]\n", b"\xff", b"\x1b[0m"];
                    bytes.splice(range.start..range.start, SIGNS[self.below(SIGNS.len())].iter().copied());
                }
                _ => {
                    if let Some(byte) = bytes.get_mut(range.start) {
                        *byte ^= 1 << self.below(8);
                    }
                }
            }
            bytes.truncate(2 * SEED_BYTES);
        }
        bytes
    }
}

//! Turns the published vocabularies into tables that need no loading: what is not looked at is never read from disk.
//!
//! Layout of a table (all numbers little-endian u32): number of tokens n; number of slots m, a power of two; longest token in
//! bytes; n + 1 offsets into the token bytes; m slots, each 0 or a rank + 1, open addressing by the hash in `src/hash.rs`;
//! then the bytes of all tokens in the order of their ranks.

use std::io::Read;
use std::path::Path;

#[path = "src/hash.rs"]
mod hash;

fn main() {
    println!("cargo::rerun-if-changed=data");
    println!("cargo::rerun-if-changed=src/hash.rs");
    let out = std::env::var("OUT_DIR").expect("cargo sets OUT_DIR");
    for name in ["o200k_base", "cl100k_base"] {
        let tokens = read(Path::new(&format!("data/{name}.tiktoken.gz")));
        std::fs::write(Path::new(&out).join(format!("{name}.bin")), table(&tokens)).expect("OUT_DIR can be written");
    }
}

/// The tokens in the order of their ranks.
fn read(path: &Path) -> Vec<Vec<u8>> {
    let packed = std::fs::File::open(path).expect("the vocabulary is part of the crate");
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).expect("the vocabulary is gzip");
    let mut tokens = Vec::new();
    for line in text.lines() {
        let (token, rank) = line.split_once(' ').expect("a line is TOKEN RANK");
        assert_eq!(rank.parse(), Ok(tokens.len()), "ranks count up from 0");
        tokens.push(base64(token));
    }
    tokens
}

fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0_u32, 0);
    for digit in text.bytes().filter(|byte| *byte != b'=') {
        let value = ALPHABET.iter().position(|known| *known == digit).expect("a base64 digit");
        bits = bits << 6 | value as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}

fn table(tokens: &[Vec<u8>]) -> Vec<u8> {
    let slots = (tokens.len() * 2).next_power_of_two();
    let mut filled = vec![0_u32; slots];
    for (rank, token) in tokens.iter().enumerate() {
        let mut at = hash::hash(token) as usize & (slots - 1);
        while filled[at] != 0 {
            at = (at + 1) & (slots - 1);
        }
        filled[at] = u32::try_from(rank).expect("fewer than 2^32 tokens") + 1;
    }
    let longest = tokens.iter().map(Vec::len).max().unwrap_or(0);
    let mut numbers = vec![tokens.len(), slots, longest];
    let mut offset = 0;
    numbers.push(0);
    for token in tokens {
        offset += token.len();
        numbers.push(offset);
    }
    let mut out: Vec<u8> = Vec::new();
    for number in numbers {
        out.extend(u32::try_from(number).expect("tables are small").to_le_bytes());
    }
    filled.iter().for_each(|slot| out.extend(slot.to_le_bytes()));
    tokens.iter().for_each(|token| out.extend(token));
    out
}

//! Turns the published vocabularies into tables that need no loading: what is not looked at is never read from disk.
//!
//! Layout of a table (all numbers little-endian u32): number of short slots, of long slots (both powers of two), of long tokens n,
//! longest token in bytes; the pairs; the short slots; the long slots; n ranks; n + 1 offsets into the token bytes; the bytes of the long
//! tokens.
//!
//! The pairs are the tokens of two bytes once more, because merging asks for them most: for each number that two bytes make
//! (little-endian) the rank + 1, or 0.
//!
//! A short token has at most 8 bytes. Its slot is three numbers: the token as one 64-bit number (`key` in `src/hash.rs`), and its
//! rank + 1 times 16 plus its length; all 0 when empty. A long slot is 0 or the token's place among the long ones, + 1. Both are open
//! addressing by the hash in `src/hash.rs`.

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
    let ranked = || tokens.iter().zip(0_u32..);
    let short: Vec<_> = ranked().filter(|(token, _)| token.len() <= hash::SHORT).collect();
    let long: Vec<_> = ranked().filter(|(token, _)| token.len() > hash::SHORT).collect();

    let short_slots = slots(short.iter().map(|(token, _)| hash::hash_key(hash::key(token), token.len())), short.len());
    let long_slots = slots(long.iter().map(|(token, _)| hash::hash(token)), long.len());
    let longest = tokens.iter().map(Vec::len).max().unwrap_or(0);

    let mut numbers = vec![number(short_slots.len()), number(long_slots.len()), number(long.len()), number(longest)];
    let mut pairs = vec![0; 1 << 16];
    for (token, rank) in ranked() {
        if let [first, second] = token[..] {
            pairs[usize::from(u16::from_le_bytes([first, second]))] = rank + 1;
        }
    }
    numbers.extend(pairs);
    for slot in short_slots {
        numbers.extend(slot.map_or([0; 3], |at| {
            let (token, rank) = short[at];
            let key = hash::key(token);
            [key as u32, (key >> 32) as u32, (rank + 1) << 4 | number(token.len())]
        }));
    }
    numbers.extend(long_slots.into_iter().map(|slot| slot.map_or(0, |at| number(at) + 1)));
    numbers.extend(long.iter().map(|(_, rank)| *rank));
    let mut offset = 0;
    numbers.push(0);
    for (token, _) in &long {
        offset += number(token.len());
        numbers.push(offset);
    }
    let mut out: Vec<u8> = numbers.into_iter().flat_map(u32::to_le_bytes).collect();
    long.iter().for_each(|(token, _)| out.extend(*token));
    out
}

/// Open addressing: which entry each slot holds.
fn slots(hashes: impl Iterator<Item = u32>, entries: usize) -> Vec<Option<usize>> {
    let mut slots = vec![None; (entries * 3 / 2).next_power_of_two()];
    let mask = slots.len() - 1;
    for (entry, hash) in hashes.enumerate() {
        let mut at = hash as usize & mask;
        while slots[at].is_some() {
            at = (at + 1) & mask;
        }
        slots[at] = Some(entry);
    }
    slots
}

fn number(n: usize) -> u32 {
    u32::try_from(n).expect("tables are small")
}

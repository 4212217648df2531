//! Turns the published vocabularies into tables that need no loading: what is not looked at is never read from disk.
//!
//! Layout of a table (all numbers little-endian): the longest token in bytes; the number of blocks of pairs; the pairs; for each length from 3 bytes on, up to the
//! longest, four numbers of 32 bits about its group: where its pilots stand, how many buckets it has, where its entries stand, how
//! many places it has; the groups; eight bytes of nothing, so that the last entry can be read in loads of fixed width.
//!
//! The pairs are the tokens of two bytes, apart because merging asks for them most. The number that two bytes make (big-endian) says by its
//! upper ten bits in which block the pair stands, by its lower six where in there: the rank + 1 in three bytes, or 0. First the 1024
//! numbers of blocks, in two bytes each, then the blocks. Most are the same empty one, so that the rest fits into a fast cache.
//!
//! A group holds the tokens of one length in a perfect hash (`src/hash.rs`). They fall into buckets of about four, and for each bucket a pilot
//! of two bytes was found with which all of its tokens come to places of their own, though hardly more places than tokens are left. An
//! entry is the token and its rank + 1 in three bytes, 0 at the places that stay empty. So a token is found, or found missing, with two
//! reads; open addressing took twice the room.

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
    let longest = tokens.iter().map(Vec::len).max().unwrap_or(0);
    let mut pairs = vec![[[0; 3]; 64]; 1024];
    let mut by_length = vec![Vec::new(); longest + 1];
    for (token, rank) in tokens.iter().zip(0_u32..) {
        if let [first, second] = token[..] {
            let pair = usize::from(u16::from_be_bytes([first, second]));
            pairs[pair / 64][pair % 64] = small(rank + 1);
        }
        by_length[token.len()].push((token.as_slice(), rank));
    }

    let mut blocks = vec![[[0; 3]; 64]];
    let mut chosen = Vec::new();
    for pairs in pairs {
        let known = blocks.iter().position(|block| *block == pairs).unwrap_or(blocks.len());
        if known == blocks.len() {
            blocks.push(pairs);
        }
        chosen.push(u16::try_from(known).expect("at most 1024 and the empty one"));
    }

    let mut out = [number(longest), number(blocks.len())].map(u32::to_le_bytes).as_flattened().to_vec();
    out.extend(chosen.into_iter().flat_map(u16::to_le_bytes));
    out.extend(blocks.as_flattened().as_flattened());
    let mut heads = out.len();
    out.resize(heads + 16 * (longest + 1 - hash::FIRST_LENGTH), 0);
    for (length, tokens) in by_length.iter().enumerate().skip(hash::FIRST_LENGTH) {
        let (pilots, places) = perfect(tokens);
        let numbers = [out.len(), pilots.len(), out.len() + 2 * pilots.len(), places.len()];
        out[heads..heads + 16].copy_from_slice(numbers.map(|n| number(n).to_le_bytes()).as_flattened());
        heads += 16;
        out.extend(pilots.into_iter().flat_map(u16::to_le_bytes));
        for place in places {
            let (token, rank) = place.map_or((vec![0; length], 0), |(token, rank)| (token.to_vec(), rank + 1));
            out.extend(token);
            out.extend(small(rank));
        }
    }
    out.extend([0; 8]);
    out
}

/// A token and its rank.
type Ranked<'a> = (&'a [u8], u32);

/// The pilots of the buckets, and which token each place holds. Buckets with many tokens choose first, while there is room.
fn perfect<'a>(tokens: &[Ranked<'a>]) -> (Vec<u16>, Vec<Option<Ranked<'a>>>) {
    let mut places = vec![None; tokens.len() + tokens.len() / 32 + 1];
    let mut buckets = vec![Vec::new(); tokens.len() / 4 + 1];
    for &(token, rank) in tokens {
        let hash = hash::hash(token);
        let bucket = hash::bucket(hash, buckets.len());
        buckets[bucket].push((hash, (token, rank)));
    }
    let mut order: Vec<_> = (0..buckets.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(buckets[*at].len()));

    let mut pilots = vec![0; buckets.len()];
    for at in order {
        let taken = |pilot| {
            let mut wanted: Vec<_> = Vec::new();
            for (hash, _) in &buckets[at] {
                let place = hash::place(*hash, pilot, places.len());
                if places[place].is_some() || wanted.contains(&place) {
                    return None;
                }
                wanted.push(place);
            }
            Some((pilot, wanted))
        };
        let (pilot, wanted) = (0..=u16::MAX).find_map(taken).expect("one of so many pilots fits");
        pilots[at] = pilot;
        for ((_, token), place) in buckets[at].iter().zip(wanted) {
            places[place] = Some(*token);
        }
    }
    (pilots, places)
}

fn number(n: usize) -> u32 {
    u32::try_from(n).expect("tables are smaller than 4 GB")
}

/// A number in three bytes.
fn small(n: u32) -> [u8; 3] {
    let [bytes @ .., 0] = n.to_le_bytes() else { panic!("vocabularies are smaller than 2^24") };
    bytes
}

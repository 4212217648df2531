//! A fast hash of pieces of text, to tell whether a request brings again what an earlier one brought.
//!
//! Several times as fast as a cryptographic hash, which matters because every byte of every request goes through it. Nothing that anybody
//! may read, and nothing that is sent, depends on it alone: two texts made to collide would make a report wrong.

/// Odd numbers without a pattern: the first digits of pi.
const SEEDS: [u64; 4] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7345, 0xa409_3822_299f_31d1, 0x082e_fa98_ec4e_6c89];

/// The hash of a sequence of slices. Where one ends and the next begins counts.
#[derive(Clone, Debug)]
pub(crate) struct Fold {
    lanes: [u64; 2],
}

impl Fold {
    pub(crate) const fn new() -> Self {
        Self { lanes: [SEEDS[0], SEEDS[1]] }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) -> &mut Self {
        let [mut one, mut two] = self.lanes;
        let mut step = |low: u64, high: u64| {
            one = multiply(low ^ one, high ^ SEEDS[2]);
            two = multiply(low ^ SEEDS[3], high ^ two);
        };
        let (words, rest) = bytes.as_chunks::<16>();
        for word in words {
            let word = u128::from_le_bytes(*word);
            step(word as u64, (word >> 64) as u64);
        }
        let mut last = [0; 16];
        last[..rest.len()].copy_from_slice(rest);
        let last = u128::from_le_bytes(last);
        step(last as u64, (last >> 64) as u64);
        step(bytes.len() as u64, SEEDS[0]);
        self.lanes = [one, two];
        self
    }

    pub(crate) fn finish(&self) -> [u8; 16] {
        let [one, two] = self.lanes;
        let high = multiply(one ^ SEEDS[3], two ^ SEEDS[2]);
        let low = multiply(two ^ SEEDS[1], one ^ SEEDS[0]);
        (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
    }
}

/// Both halves of the product, one over the other.
const fn multiply(a: u64, b: u64) -> u64 {
    let product = (a as u128) * (b as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn of(slices: &[&[u8]]) -> [u8; 16] {
        let mut fold = Fold::new();
        for slice in slices {
            fold.update(slice);
        }
        fold.finish()
    }

    #[test]
    fn every_bit_and_every_border_counts() {
        let text: Vec<u8> = (0..200_u8).collect();
        let mut seen = HashSet::from([of(&[&text])]);
        for bit in 0..text.len() * 8 {
            let mut other = text.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(seen.insert(of(&[&other])), "bit {bit}");
        }
        for cut in 0..text.len() {
            let (a, b) = text.split_at(cut);
            assert!(seen.insert(of(&[a, b])) && seen.insert(of(&[a])), "cut {cut}");
        }
        assert!(seen.insert(of(&[])) && seen.insert(of(&[b"", b""])));
    }

    #[test]
    fn numbers_that_count_do_not_meet() {
        let all: HashSet<_> = (0..200_000_u32).map(|n| of(&[n.to_string().as_bytes()])).collect();
        let low: HashSet<_> = all.iter().map(|hash| &hash[..8]).collect();
        assert_eq!((all.len(), low.len()), (200_000, 200_000));
    }
}

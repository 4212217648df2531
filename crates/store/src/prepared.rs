//! A batch with what takes time done before the transaction: hashed, and packed by whoever brings it, on several processors where it is much.
//! The one who writes holds up everybody else.

use std::sync::OnceLock;
use std::thread;

use headroom_core::{ContentHash, Handle};

use crate::packed::Packed;
use crate::{Batch, Lineage, Outcome, Rendering};

/// A thread of its own packs at least so many bytes: in less time it would hardly have started.
const BYTES_PER_THREAD: usize = 64 << 10;

/// A batch as it is written.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Without its originals.
    pub(crate) batch: Batch,
    pub(crate) originals: Vec<Original>,
    /// One for each outcome of the batch.
    outcomes: Vec<Packed>,
    /// The replacements of each rendering: of those that supersede others, then of the others.
    renderings: Vec<Packed>,
    /// Whether losing it in a power failure would lose something that cannot be recomputed.
    pub(crate) durable: bool,
}

/// An original as it is stored.
#[derive(Debug)]
pub(crate) struct Original {
    pub(crate) handle: Handle,
    pub(crate) length: usize,
    pub(crate) hash: ContentHash,
    pub(crate) text: Packed,
}

impl Prepared {
    pub(crate) fn of(mut batch: Batch) -> Self {
        let durable = batch.must_survive_power_loss();
        let originals = std::mem::take(&mut batch.originals);
        let replacements: Vec<Vec<u8>> =
            batch.superseding.iter().chain(&batch.renderings).map(|(_, of)| of.encode_replacements()).collect();
        let texts = originals.iter().map(|(_, text)| text.as_bytes());
        let outcomes = batch.outcomes.iter().map(|outcome| outcome.document.as_bytes());
        let all: Vec<&[u8]> = texts.chain(outcomes).chain(replacements.iter().map(|bytes| &bytes[..])).collect();
        let mut packed = pack_all(&all);
        let renderings = packed.split_off(originals.len() + batch.outcomes.len());
        let outcomes = packed.split_off(originals.len());
        let original = |((handle, text), packed): ((Handle, String), Packed)| Original {
            handle,
            length: text.len(),
            hash: ContentHash::of(&text),
            text: packed,
        };
        let originals = originals.into_iter().zip(packed).map(original).collect();
        Self { batch, originals, outcomes, renderings, durable }
    }

    /// The outcomes of the batch, with their documents as they are stored.
    pub(crate) fn outcomes(&self) -> impl Iterator<Item = (&Outcome, &Packed)> {
        self.batch.outcomes.iter().zip(&self.outcomes)
    }

    /// All renderings, first those that supersede others, with their replacements as they are stored.
    pub(crate) fn renderings(&self) -> impl Iterator<Item = (Lineage, &Rendering, &Packed)> {
        let all = self.batch.superseding.iter().chain(&self.batch.renderings);
        all.zip(&self.renderings).map(|((lineage, rendering), packed)| (*lineage, rendering, packed))
    }

    /// Bytes that the originals take.
    pub(crate) fn original_bytes(&self) -> u64 {
        self.originals.iter().map(|original| original.text.data.len() as u64).sum()
    }
}

/// Packs all of them, each as [`Packed::of`] would.
fn pack_all(texts: &[&[u8]]) -> Vec<Packed> {
    static PROCESSORS: OnceLock<usize> = OnceLock::new();
    let threads = texts.iter().map(|text| text.len()).sum::<usize>() / BYTES_PER_THREAD;
    let threads = threads.min(texts.len());
    if threads < 2 {
        return texts.iter().map(|text| Packed::of(text)).collect();
    }
    // To count them takes longer than to pack a page: the limits of containers are read from files.
    let threads = threads.min(*PROCESSORS.get_or_init(|| thread::available_parallelism().map_or(1, usize::from)));
    let share = |first: usize| texts.iter().skip(first).step_by(threads).map(|text| Packed::of(text));
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads)
            .map(|first| thread::Builder::new().spawn_scoped(scope, move || share(first).collect::<Vec<_>>()))
            .collect();
        let mut shares = vec![share(0).collect::<Vec<_>>().into_iter()];
        for (first, other) in (1..).zip(others) {
            // A thread that cannot be had, or that died, is work that is done here.
            let packed = other.ok().and_then(|other| other.join().ok());
            shares.push(packed.unwrap_or_else(|| share(first).collect()).into_iter());
        }
        (0..texts.len()).filter_map(|at| shares[at % threads].next()).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packed::unpack_bytes;

    #[test]
    fn on_several_threads_the_same_comes_out_in_the_same_order() {
        let texts: Vec<Vec<u8>> =
            (0..50_usize).map(|n| format!("line {n} of many\n").repeat(n * 17 % 900).into_bytes()).collect();
        let texts: Vec<&[u8]> = texts.iter().map(|text| &text[..]).collect();
        assert!(texts.iter().map(|text| text.len()).sum::<usize>() > 3 * BYTES_PER_THREAD);
        let packed = pack_all(&texts);
        assert_eq!(packed, texts.iter().map(|text| Packed::of(text)).collect::<Vec<_>>());
        for (text, packed) in texts.iter().zip(packed) {
            assert_eq!(unpack_bytes(&packed.data, packed.zstd, text.len()).as_deref(), Some(*text));
        }
    }
}

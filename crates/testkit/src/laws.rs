//! The laws every compressor obeys on every input.

use headroom_core::{Compressed, Compressor, Goal, HandleKey, Hints, Level, Original, Segment, Shape, find_marks};
use headroom_tokens::Tokenizer;

/// The key tests make handles with.
pub const KEY: HandleKey = HandleKey::from_bytes([42; 32]);

/// Runs a compressor at both levels and checks what holds for all of them: it does not panic, it is deterministic, an exact
/// result has no omissions, a result with omissions ends in a trailer that names the original's handle, every omission lies inside
/// its total. Returns the (exact, standard) results for further checks.
///
/// # Panics
///
/// When a law is broken.
pub fn check(compressor: &dyn Compressor, text: &str, hints: Hints<'_>) -> (Option<Compressed>, Option<Compressed>) {
    let segment = Segment { text, hints };
    let original = Original::new(&KEY, text);
    let exact_goal = Goal { level: Level::Exact, tokens: &Tokenizer::O200k };
    let standard_goal = Goal { level: Level::Standard { original: &original }, tokens: &Tokenizer::O200k };
    let exact = compressor.compress(&segment, &exact_goal);
    let standard = compressor.compress(&segment, &standard_goal);
    assert_eq!(exact, compressor.compress(&segment, &exact_goal), "the exact level is not deterministic");
    assert_eq!(standard, compressor.compress(&segment, &standard_goal), "the standard level is not deterministic");
    if let Some(exact) = &exact {
        assert_eq!(exact.shape, Shape::Exact, "the exact level left something out");
    }
    if let Some(Compressed { text: shorter, shape: Shape::Omitting { handle, omissions } }) = &standard {
        assert_eq!(*handle, original.handle());
        let trailer = shorter.lines().next_back().unwrap_or_default();
        assert!(find_marks(trailer).any(|mark| mark.handle == *handle), "no trailer: {trailer:?}");
        for omission in omissions {
            assert!(omission.count() >= 1 && *omission.range().end() <= omission.total(), "{omission:?}");
        }
    }
    (exact, standard)
}

//! Token counts.
//!
//! [`Tokenizer::for_model`] chooses by model name: exact for the o200k_base and cl100k_base vocabularies, a named estimate for
//! every other family. The vocabularies are embedded; nothing is read or downloaded at run time.
//!
//! ```
//! use headroom_tokens::Tokenizer;
//!
//! let tokenizer = Tokenizer::for_model("gpt-4o");
//! assert!(tokenizer.is_exact());
//! assert_eq!(tokenizer.count("hello world"), 2);
//! ```

mod hash;
mod pieces;
mod seen;
mod vocabulary;

use std::cell::RefCell;

use headroom_core::CountTokens;

use pieces::{Pattern, Scanner};
use seen::{Kept, Seen};
use vocabulary::Vocabulary;

/// How tokens are counted for one model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tokenizer {
    /// Exact: OpenAI models since GPT-4o.
    O200k,
    /// Exact: GPT-4 and GPT-3.5.
    Cl100k,
    /// Estimate for Claude models: the o200k_base count scaled.
    Claude,
    /// Estimate for Gemini models: the o200k_base count scaled.
    Gemini,
    /// Estimate for every other model: the o200k_base count as it is.
    Other,
}

impl Tokenizer {
    /// The tokenizer of a model, by its name as sent to the provider; vendor prefixes (`openai/gpt-4o`) are understood.
    pub fn for_model(model: &str) -> Self {
        let name = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
        let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
        if name.contains("claude") {
            Self::Claude
        } else if starts(&["gemini", "gemma"]) {
            Self::Gemini
        } else if starts(&["gpt-4o", "chatgpt-4o", "gpt-4.1", "gpt-4.5", "gpt-5", "gpt-oss", "o1", "o3", "o4", "codex"])
        {
            Self::O200k
        } else if starts(&["gpt-4", "gpt-3.5", "text-embedding-3", "text-embedding-ada"]) {
            Self::Cl100k
        } else {
            Self::Other
        }
    }

    /// Whether [`count`](Self::count) is the provider's own figure for plain text.
    pub const fn is_exact(self) -> bool {
        matches!(self, Self::O200k | Self::Cl100k)
    }

    /// The name shown beside figures made with it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::O200k => "o200k_base",
            Self::Cl100k => "cl100k_base",
            Self::Claude => "claude (estimate)",
            Self::Gemini => "gemini (estimate)",
            Self::Other => "o200k_base (estimate)",
        }
    }

    /// Tokens of `text`; special tokens in it are counted as the plain text they are.
    ///
    /// Linear in the worst case: a single word of more than 64 KiB is counted in cuts of 4 KiB, which may give up to one token more
    /// for each cut; every other count with an exact vocabulary is exact. Estimates are monotone in the o200k_base count, so comparing two texts by an estimate is
    /// comparing them by that vocabulary.
    pub fn count(self, text: &str) -> usize {
        match self {
            Self::O200k | Self::Other => O200K.count(text),
            Self::Cl100k => CL100K.count(text),
            Self::Claude => scaled(O200K.count(text), 118),
            Self::Gemini => scaled(O200K.count(text), 103),
        }
    }
}

impl CountTokens for Tokenizer {
    fn count(&self, text: &str) -> usize {
        Self::count(*self, text)
    }
}

/// How one family of models cuts text into pieces and pieces into tokens.
struct Encoding {
    pattern: Pattern,
    vocabulary: &'static Vocabulary,
    seen: &'static Kept,
}

thread_local! {
    static O200K_SEEN: RefCell<Seen> = RefCell::default();
    static CL100K_SEEN: RefCell<Seen> = RefCell::default();
}

static O200K: Encoding = Encoding { pattern: Pattern::O200k, vocabulary: &vocabulary::O200K, seen: &O200K_SEEN };
static CL100K: Encoding = Encoding { pattern: Pattern::Cl100k, vocabulary: &vocabulary::CL100K, seen: &CL100K_SEEN };

impl Encoding {
    fn count(&self, text: &str) -> usize {
        self.seen.with_borrow_mut(|seen| self.count_with(seen, text))
    }

    fn count_with(&self, seen: &mut Seen, text: &str) -> usize {
        let scanner = Scanner::new(text);
        let (mut at, mut tokens) = (0, 0);
        while at < text.len() {
            let end = scanner.end_of_piece(self.pattern, at);
            tokens += seen.count(text.as_bytes(), (at, end), |piece| self.vocabulary.count_piece(piece));
            at = end;
        }
        tokens
    }
}

/// `count` times `percent` / 100, rounded up.
const fn scaled(count: usize, percent: usize) -> usize {
    (count * percent).div_ceil(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_find_their_vocabulary() {
        for (model, expected) in [
            ("gpt-4o-mini", Tokenizer::O200k),
            ("openai/gpt-4.1", Tokenizer::O200k),
            ("o3", Tokenizer::O200k),
            ("gpt-4-turbo", Tokenizer::Cl100k),
            ("claude-sonnet-4-5-20250929", Tokenizer::Claude),
            ("anthropic.claude-3-haiku-20240307-v1:0", Tokenizer::Claude),
            ("gemini-2.5-pro", Tokenizer::Gemini),
            ("vendor/model:free", Tokenizer::Other),
            ("", Tokenizer::Other),
        ] {
            assert_eq!(Tokenizer::for_model(model), expected, "{model}");
        }
    }

    #[test]
    fn special_tokens_in_text_are_text() {
        assert!(Tokenizer::O200k.count("<|endoftext|>") > 1);
    }
}

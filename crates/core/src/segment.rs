//! A text and what is known about where it came from.

use crate::Kind;

/// Decoded text, with hints.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// The text the model would read.
    pub text: &'a str,
    /// What the request, the command line or the caller said about it.
    pub hints: Hints<'a>,
}

impl<'a> Segment<'a> {
    /// A text of which nothing is known.
    pub const fn bare(text: &'a str) -> Self {
        Self { text, hints: Hints::NONE }
    }
}

/// What is known about a text besides the text. Everything is optional and nothing is trusted: a hint may choose between
/// readings that the text itself allows, it never overrides the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hints<'a> {
    /// Name of the tool that produced it, as the agent calls it: `Bash`, `Read`, `search_flights`.
    pub tool: Option<&'a str>,
    /// Command line that produced it.
    pub command: Option<&'a str>,
    /// File it was read from.
    pub path: Option<&'a str>,
    /// Exit code of the command.
    pub exit_code: Option<i32>,
    /// The provider format marked it as an error result.
    pub is_error: bool,
    /// It is a file read whose text the agent may go on to edit by quoting it: nothing may be left out.
    pub editable: bool,
    /// The caller said what it is; detection is skipped.
    pub kind: Option<Kind>,
    /// What the reader is after, in words: what is near it is kept before the rest. Set only where it cannot change from one sending of the
    /// text to the next.
    pub query: Option<&'a str>,
}

impl Hints<'_> {
    /// Nothing is known.
    pub const NONE: Self = Self {
        tool: None,
        command: None,
        path: None,
        exit_code: None,
        is_error: false,
        editable: false,
        kind: None,
        query: None,
    };
}

//! Why a slot was sent as it was sent.

use std::fmt;

/// The reason for one decision, for receipts, `explain` and tests. Printed in words by [`fmt::Display`]; [`Reason::code`] is stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Compressed by the named compressor.
    Compressed,
    /// A reference to text that stands earlier in the same request.
    Repeated,
    /// Sent exactly as it was sent before.
    SentBefore,
    /// The policy leaves this alone.
    Policy,
    /// Too short for any gain to matter.
    BelowFloor,
    /// The compressor had nothing to offer, or its result would not have been shorter.
    NoGain,
    /// Nothing is known about this kind of text, or detection was not sure.
    Opaque,
    /// A file read that may still be edited by quoting it.
    Editable,
    /// An error output: nothing is left out.
    ErrorOutput,
    /// Signed, cached or instruction text.
    Frozen,
    /// The client could not have redeemed a handle.
    Unredeemable,
    /// The work budget of this request was used up.
    Budget,
    /// The wall-clock limit of this request had passed.
    Deadline,
    /// A compressor panicked.
    Panic,
    /// The store could not keep the original.
    StoreFailed,
    /// The provider refused this conversation's changed bytes and took the original ones.
    Refused,
    /// A value of the instructions that changes from request to request is said here, so that the instructions can stay as they are.
    Aligned,
    /// Shortening had cost this conversation more than it saved.
    StopLoss,
}

impl Reason {
    /// Every reason with its stable code and its sentence.
    const TABLE: &'static [(Self, &'static str, &'static str)] = &[
        (Self::Compressed, "compressed", "compressed"),
        (Self::Repeated, "repeated", "already stands earlier in this request"),
        (Self::SentBefore, "sent-before", "sent the same way as before"),
        (Self::Policy, "policy", "the policy leaves it alone"),
        (Self::BelowFloor, "below-floor", "too short for a gain to matter"),
        (Self::NoGain, "no-gain", "no shorter form was found"),
        (Self::Opaque, "opaque", "not recognised with certainty"),
        (Self::Editable, "editable", "a file read that may still be edited"),
        (Self::ErrorOutput, "error-output", "an error output"),
        (Self::Frozen, "frozen", "signed, cached or instruction text"),
        (Self::Unredeemable, "unredeemable", "the client could not read an omission back"),
        (Self::Budget, "budget", "the work budget of the request was used up"),
        (Self::Deadline, "deadline", "the time limit of the request had passed"),
        (Self::Panic, "panic", "the compressor failed"),
        (Self::StoreFailed, "store-failed", "the store could not keep the original"),
        (Self::Refused, "refused", "the provider refused this conversation's changed bytes"),
        (Self::Aligned, "aligned", "a changing value of the instructions is said here"),
        (Self::StopLoss, "stop-loss", "shortening had cost this conversation more than it saved"),
    ];

    /// Stable identifier for JSON output, metrics labels and the store.
    pub fn code(self) -> &'static str {
        Self::TABLE.iter().find(|(reason, ..)| *reason == self).map_or("unknown", |(_, code, _)| code)
    }

    /// The reason with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::TABLE.iter().find(|(_, known, _)| *known == code).map(|(reason, ..)| *reason)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::TABLE.iter().find(|(reason, ..)| reason == self).map_or("unknown", |(.., words)| words))
    }
}

//! What a command can end with.

use std::process::ExitCode;

/// Why a command ended early. Each kind has its own exit code, which scripts may rely on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// Exit 1: something failed while working.
    #[error("{0}")]
    Failed(String),
    /// Exit 2: an option or an argument is wrong.
    #[error("{0}")]
    Usage(String),
    /// Exit 3: what was asked for is not there.
    #[error("{0}")]
    NotFound(String),
    /// The exit code of the command that was run in the user's place.
    #[error("the command ended with {0}")]
    Command(u8),
    /// Exit 0: whoever read stdout has gone away, as `head` does.
    #[error("stdout was closed")]
    Closed,
}

impl CliError {
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code().1)
    }

    /// The code and the exit code of a failure, for scripts.
    pub(crate) const fn code(&self) -> (&'static str, u8) {
        match self {
            Self::Closed => ("closed", 0),
            Self::Command(code) => ("command", *code),
            Self::Failed(_) => ("failed", 1),
            Self::Usage(_) => ("usage", 2),
            Self::NotFound(_) => ("not-found", 3),
        }
    }

    /// For `map_err`: a failure with what was attempted.
    pub(crate) fn while_doing<E: std::fmt::Display>(what: impl std::fmt::Display) -> impl Fn(E) -> Self {
        move |error| Self::Failed(format!("{what}: {error}"))
    }
}

/// Every code with its exit code and when it is given, for the documentation.
pub(crate) const CODES: &[(&str, &str, &str)] = &[
    ("-", "0", "It is done, or whoever read stdout has gone away, as `head` does"),
    ("failed", "1", "Something failed while working; a check of `doctor` or `healthcheck` failed"),
    (
        "usage",
        "2",
        "An option, an argument or a setting is wrong, or a question was not answered with yes; nothing was changed",
    ),
    ("not-found", "3", "What was asked for is not there: a handle, a request, a program, a service"),
    (
        "command",
        "that of the command",
        "`run` and `wrap`: the command ended so; 128 and the signal's number where a signal ended it, 127 where it cannot be run",
    ),
];

impl From<crate::settings::SettingsError> for CliError {
    fn from(error: crate::settings::SettingsError) -> Self {
        Self::Usage(error.to_string())
    }
}

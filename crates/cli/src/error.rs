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
        match self {
            Self::Closed => ExitCode::SUCCESS,
            Self::Command(code) => ExitCode::from(*code),
            Self::Failed(_) => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
            Self::NotFound(_) => ExitCode::from(3),
        }
    }

    /// For `map_err`: a failure with what was attempted.
    pub(crate) fn while_doing<E: std::fmt::Display>(what: impl std::fmt::Display) -> impl Fn(E) -> Self {
        move |error| Self::Failed(format!("{what}: {error}"))
    }
}

impl From<crate::settings::SettingsError> for CliError {
    fn from(error: crate::settings::SettingsError) -> Self {
        Self::Usage(error.to_string())
    }
}

//! What can go wrong, by what the caller can do about it.

/// Why a call failed: the packages have an exception for each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An argument or a setting has a value that it cannot have.
    #[error("{0}")]
    Config(String),
    /// A handle or request id that is not one, or that names nothing here.
    #[error("{0}")]
    Handle(String),
    /// The store cannot be opened, read or written.
    #[error("{0}")]
    Store(String),
    /// What was called has been closed, or has not been started.
    #[error("{0}")]
    Closed(String),
    /// The proxy could not be started.
    #[error("{0}")]
    Proxy(String),
}

impl Error {
    /// The name of the exception in the packages.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Config(_) => "ConfigError",
            Self::Handle(_) => "HandleError",
            Self::Store(_) => "StoreError",
            Self::Closed(_) => "ClosedError",
            Self::Proxy(_) => "ProxyError",
        }
    }
}

impl From<headroom_store::StoreError> for Error {
    fn from(error: headroom_store::StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

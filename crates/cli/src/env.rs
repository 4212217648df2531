//! The one module that reads the environment.

use std::path::PathBuf;

use etcetera::BaseStrategy;

/// The value of a variable; empty and non-Unicode values count as unset.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where the configuration file usually is.
pub(crate) fn config_file() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.config_dir().join("headroom").join("config.toml"))
}

/// Where the store usually is.
pub(crate) fn store_file() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.data_dir().join("headroom").join("store.db"))
}

/// Where a user's own command filters are, as `*.toml` files; `None` without a home directory.
pub(crate) fn filter_folder() -> Option<PathBuf> {
    Some(config_file()?.parent()?.join("filters"))
}

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

/// Where everything else of ours is kept: journals, logs and leases.
pub(crate) fn data_folder() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.data_dir().join("headroom"))
}

/// The user's home directory.
pub(crate) fn home() -> Option<PathBuf> {
    etcetera::home_dir().ok()
}

/// Folders in which programs are looked for.
pub(crate) fn search_path() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

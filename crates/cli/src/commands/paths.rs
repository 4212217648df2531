//! `headroom paths`

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::service;
use crate::args::JsonArgs;
use crate::config_file::journal;
use crate::error::CliError;
use crate::settings::Settings;
use crate::{env, out};

/// A file or folder.
#[derive(Serialize)]
struct Used {
    what: &'static str,
    /// As text: names of files need not be Unicode, JSON must be.
    path: String,
    exists: bool,
    about: &'static str,
}

impl Used {
    fn new(what: &'static str, path: &Path, about: &'static str) -> Self {
        Self { what, path: path.display().to_string(), exists: path.exists(), about }
    }
}

pub(crate) fn run(args: &JsonArgs, settings: &Settings, config: Option<&Path>) -> Result<(), CliError> {
    let used = used(settings, config);
    if args.json {
        return out::json(&used);
    }
    for Used { what, path, exists, about } in &used {
        out::line(&format!("{what:12} {} {path}  # {about}", if *exists { "+" } else { "-" }))?;
    }
    Ok(())
}

fn used(settings: &Settings, config: Option<&Path>) -> Vec<Used> {
    let mut used = Vec::new();
    let mut add = |what, path: Option<PathBuf>, about| used.extend(path.map(|path| Used::new(what, &path, about)));
    add("config", config.map(Path::to_owned).or_else(env::config_file), "the configuration file");
    add("filters", env::filter_folder(), "your own command filters, *.toml");
    let store = match settings.store.as_deref() {
        None => env::store_file(),
        Some("memory") => None,
        Some(url) if crate::is_database(url) => None,
        Some(path) => Some(PathBuf::from(path)),
    };
    add("store", store, "what was left out, and what was sent");
    add("prices", settings.prices.as_ref().map(PathBuf::from), "your own prices");
    let data = env::data_folder();
    add(
        "journal",
        data.as_ref().map(|data| data.join("journal")),
        "what was changed in files of others, with the bytes from before",
    );
    add(
        "shared",
        data.as_ref().map(|data| data.join("shared")),
        "proxies that `wrap` started: their addresses, leases and logs",
    );
    add("service", service::unit_file(), "the unit that `service install` writes");
    for file in data.map(|data| journal::recorded(&data.join("journal"))).unwrap_or_default() {
        add("changed", Some(file), "a file that holds an entry of ours; unwrap or uninstall takes it back");
    }
    used
}

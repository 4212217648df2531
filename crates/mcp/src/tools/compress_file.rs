//! `compress_file`

use std::io::Read;

use headroom::{Hints, Kind, Level};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Output, ToolSpec, Workplace, shown};
use crate::arguments;

/// Longest file that is read: what is larger fits no model's window in any form.
const LONGEST_BYTES: u64 = 64 << 20;

pub(super) const SPEC: ToolSpec = ToolSpec {
    name: "compress_file",
    title: "Read a file, compressed",
    description: "Reads a file in a shorter form: logs, JSON, tables, pages. Not for a file you are about to edit.",
    schema: r#"{"type":"object","properties":{"path":{"type":"string"},"method":{"type":"string","description":"auto, lossless, or what it is: json, log, table, search, diff, html, command, prose, code:python"},"focus":{"type":"string","description":"What you look for, in words or names"}},"required":["path"]}"#,
    run,
};

#[derive(Deserialize)]
struct Arguments {
    path: String,
    method: Option<String>,
    focus: Option<String>,
}

fn run(workplace: &Workplace, given: Map<String, Value>) -> Result<Output, String> {
    let Arguments { path, method, focus } = arguments::read(given, &["path", "method", "focus"])?;
    let (level, kind) = method_of(method.as_deref().unwrap_or("auto"))?;
    let text = read(workplace, &path)?;
    let hints = Hints { path: Some(&path), kind, query: focus.as_deref(), ..Hints::NONE };
    shown::compressed(workplace, &text, hints, level)
}

fn method_of(method: &str) -> Result<(Level, Option<Kind>), String> {
    match method {
        "auto" | "" => Ok((Level::Standard, None)),
        "lossless" => Ok((Level::Lossless, None)),
        kind => {
            let kind = kind.parse().map_err(|error| format!("method: {error}; or use auto or lossless."))?;
            Ok((Level::Standard, Some(kind)))
        }
    }
}

fn read(workplace: &Workplace, path: &str) -> Result<String, String> {
    let file = workplace.admit(path)?;
    let cannot = |error: std::io::Error| format!("{path} cannot be read: {error}.");
    let opened = std::fs::File::open(&file).map_err(cannot)?;
    let about = opened.metadata().map_err(cannot)?;
    if !about.is_file() {
        return Err(format!("{path} is not a file."));
    }
    if about.len() > LONGEST_BYTES {
        return Err(format!("{path} has {} bytes; read a part of it with another tool.", about.len()));
    }
    let mut bytes = Vec::new();
    // A file that grows while it is read ends where it may.
    opened.take(LONGEST_BYTES).read_to_end(&mut bytes).map_err(cannot)?;
    String::from_utf8(bytes).map_err(|_| format!("{path} is not UTF-8 text."))
}

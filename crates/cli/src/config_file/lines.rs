//! TOML and YAML, by whole lines: ours are put in and taken out as a block, and the result is parsed to see that nothing else changed.
//!
//! Editors of the TOML syntax tree write line ends anew; whole lines keep a file with CRLF as it is.

use serde_json::Value;

use super::{Format, Refusal};

pub(super) fn get_toml(text: &str, path: &[&str]) -> Result<Option<Value>, Refusal> {
    let table = toml_of(text)?;
    let mut value = &toml::Value::Table(table);
    for name in path {
        match value.get(name) {
            Some(next) => value = next,
            None => return Ok(None),
        }
    }
    Ok(serde_json::to_value(value).ok())
}

pub(super) fn set_toml(text: &str, path: &[&str], value: &Value) -> Result<String, Refusal> {
    let before = toml_of(text)?;
    let block = block(Format::Toml, text, path, value);
    // A key of the first level must stand before every table header: the first line is always right.
    let changed = if path.len() == 1 { [block.as_str(), text].concat() } else { appended(text, &block) };
    let after = toml_of(&changed).map_err(|_| {
        Refusal::Unsafe(format!("{} is written there in a way that leaves no room for an entry", path[0]))
    })?;
    if without(after, path) == without(before, path) {
        Ok(changed)
    } else {
        Err(Refusal::Unsafe("the change would move something else".to_owned()))
    }
}

pub(super) fn get_yaml(text: &str, path: &[&str]) -> Option<Value> {
    let [name] = path else { return None };
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let value = line.split(" #").next().unwrap_or_default().trim();
    let unquoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
    let value = unquoted.unwrap_or(value);
    (!value.is_empty()).then(|| Value::String(value.to_owned()))
}

pub(super) fn set_yaml(text: &str, path: &[&str], value: &Value) -> Result<String, Refusal> {
    if path.len() != 1 {
        return Err(Refusal::Unsafe("only the first level of a YAML file is changed".to_owned()));
    }
    let mut lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    // Items and deeper lines belong to a key; before the first key they make the file something else.
    let headless = lines.clone().next().filter(|line| line.starts_with([' ', '-']));
    match headless.or_else(|| lines.find(|line| !is_plain_yaml(line))) {
        None => Ok(appended(text, &block(Format::Yaml, text, path, value))),
        Some(line) => Err(Refusal::Unsafe(format!("it is not a plain YAML mapping: {line:?}"))),
    }
}

/// Takes our lines out; `None` when they do not stand there as we wrote them.
pub(super) fn unset(format: Format, text: &str, path: &[&str], value: &Value) -> Result<Option<String>, Refusal> {
    let block = block(format, text, path, value);
    let Some(at) = text.find(&block).filter(|at| *at == 0 || text[..*at].ends_with('\n')) else { return Ok(None) };
    let changed = [&text[..at], &text[at + block.len()..]].concat();
    if format == Format::Toml && without(toml_of(text)?, path) != without(toml_of(&changed)?, path) {
        return Ok(None);
    }
    Ok(Some(changed))
}

/// Whether a line leaves the first level a mapping in block style: deeper, an item below a key, or a bare key whose value
/// ends on its line.
fn is_plain_yaml(line: &str) -> bool {
    if line.starts_with(' ') || line.starts_with("- ") && !line.contains(['{', '[']) {
        return true;
    }
    let Some((key, value)) = line.split_once(':') else { return false };
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let value = value.trim();
    let opens = ['[', '{', '|', '>', '&', '*', '!', '"', '\''].iter().any(|mark| value.starts_with(*mark));
    let closes = [('[', ']'), ('{', '}'), ('"', '"'), ('\'', '\'')];
    let closed =
        value.len() > 1 && closes.iter().any(|(open, close)| value.starts_with(*open) && value.ends_with(*close));
    bare && (!opens || closed)
}

fn toml_of(text: &str) -> Result<toml::Table, Refusal> {
    text.parse().map_err(|error: toml::de::Error| Refusal::Invalid(error.message().to_owned()))
}

/// The table without what stands at a path, and without parents that are empty then.
fn without(mut table: toml::Table, path: &[&str]) -> toml::Table {
    match path {
        [] => {}
        [last] => {
            table.remove(*last);
        }
        [first, rest @ ..] => {
            if let Some(toml::Value::Table(inner)) = table.remove(*first) {
                let inner = without(inner, rest);
                if !inner.is_empty() {
                    table.insert((*first).to_owned(), toml::Value::Table(inner));
                }
            }
        }
    }
    table
}

/// The lines that say `path = value`, in the file's own line ends.
fn block(format: Format, text: &str, path: &[&str], value: &Value) -> String {
    let lines = match (format, value) {
        (Format::Yaml, value) => vec![format!("{}: {value}", path.join("."))],
        (_, Value::Object(map)) => {
            let header = format!("[{}]", path.join("."));
            std::iter::once(header).chain(map.iter().map(|(key, value)| format!("{key} = {value}"))).collect()
        }
        (_, value) => vec![format!("{} = {value}", path.join("."))],
    };
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    lines.iter().map(|line| format!("{line}{end}")).collect()
}

fn appended(text: &str, block: &str) -> String {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let mut changed = text.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        changed.push_str(end);
    }
    if !text.is_empty() && block.starts_with('[') {
        changed.push_str(end);
    }
    changed + block
}

//! One interface to JSON (with comments), TOML and simple YAML: read a value, set one, take it out again.

use serde_json::Value;

use super::{json, lines};

/// UTF-8's byte order mark. Kept where it stands.
const BOM: &str = "\u{feff}";

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// JSON; comments and trailing commas are understood.
    Json,
    /// TOML.
    Toml,
    /// YAML whose first level is a plain mapping in block style. Only keys of that level are touched.
    Yaml,
}

/// Why a file is left as it is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// Not UTF-8, or not in the format its name promises.
    #[error("it cannot be understood: {0}")]
    Invalid(String),
    /// The change cannot be made without touching what is not ours.
    #[error("{0}")]
    Unsafe(String),
}

/// The value at a path; `None` when there is none. Only scalars are found in YAML, as text.
pub(crate) fn get(format: Format, bytes: &[u8], path: &[&str]) -> Result<Option<Value>, Refusal> {
    let (_, text) = text_of(bytes)?;
    match format {
        Format::Json => json::get(text, path),
        Format::Toml => lines::get_toml(text, path),
        Format::Yaml => Ok(lines::get_yaml(text, path)),
    }
}

/// The file with a value at a path where none was.
pub(crate) fn set(format: Format, bytes: &[u8], path: &[&str], value: &Value) -> Result<Vec<u8>, Refusal> {
    let (bom, text) = text_of(bytes)?;
    let changed = match format {
        Format::Json => json::set(text, path, value)?,
        Format::Toml => lines::set_toml(text, path, value)?,
        Format::Yaml => lines::set_yaml(text, path, value)?,
    };
    Ok([bom, &changed].concat().into_bytes())
}

/// The file without the value at a path, if that is still `value`; `None` when it is gone or someone has changed it.
pub(crate) fn unset(format: Format, bytes: &[u8], path: &[&str], value: &Value) -> Result<Option<Vec<u8>>, Refusal> {
    if get(format, bytes, path)?.as_ref() != Some(value) {
        return Ok(None);
    }
    let (bom, text) = text_of(bytes)?;
    let changed = match format {
        Format::Json => Some(json::unset(text, path)?),
        Format::Toml | Format::Yaml => lines::unset(format, text, path, value)?,
    };
    Ok(changed.map(|changed| [bom, &changed].concat().into_bytes()))
}

/// The file with a value behind the elements of the array at a path. Only in JSON.
pub(crate) fn push(format: Format, bytes: &[u8], path: &[&str], value: &Value) -> Result<Vec<u8>, Refusal> {
    let (bom, text) = text_of(bytes)?;
    match format {
        Format::Json => Ok([bom, &json::push(text, path, value)?].concat().into_bytes()),
        Format::Toml | Format::Yaml => Err(Refusal::Unsafe("lists are changed in JSON only".to_owned())),
    }
}

/// Whether the array at a path has the element `value`.
pub(crate) fn holds(format: Format, bytes: &[u8], path: &[&str], value: &Value) -> Result<bool, Refusal> {
    let (_, text) = text_of(bytes)?;
    match format {
        Format::Json => json::holds(text, path, value),
        Format::Toml | Format::Yaml => Ok(false),
    }
}

/// The file without the element `value` of the array at a path; `None` when it is gone or someone has changed it.
pub(crate) fn take(format: Format, bytes: &[u8], path: &[&str], value: &Value) -> Result<Option<Vec<u8>>, Refusal> {
    let (bom, text) = text_of(bytes)?;
    match format {
        Format::Json => Ok(json::take(text, path, value)?.map(|changed| [bom, &changed].concat().into_bytes())),
        Format::Toml | Format::Yaml => Ok(None),
    }
}

fn text_of(bytes: &[u8]) -> Result<(&str, &str), Refusal> {
    let text = std::str::from_utf8(bytes).map_err(|error| Refusal::Invalid(error.to_string()))?;
    Ok(text.strip_prefix(BOM).map_or(("", text), |rest| (BOM, rest)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(format: Format, before: &str, path: &[&str], value: &Value, after: &str) {
        let changed = set(format, before.as_bytes(), path, value).unwrap();
        assert_eq!(String::from_utf8(changed.clone()).unwrap(), after);
        assert_eq!(get(format, &changed, path).unwrap().as_ref(), Some(value));
        let back = unset(format, &changed, path, value).unwrap().unwrap();
        assert_eq!(get(format, &back, path).unwrap(), None, "{}", String::from_utf8_lossy(&back));
        assert_eq!(unset(format, &changed, path, &json!("someone else's")).unwrap(), None);
    }

    #[test]
    fn json_keeps_comments_commas_order_line_ends_and_mark() {
        let url = json!("http://127.0.0.1:8787");
        check(
            Format::Json,
            "",
            &["env", "URL"],
            &url,
            "{\n  \"env\": {\n    \"URL\": \"http://127.0.0.1:8787\"\n  }\n}\n",
        );
        check(
            Format::Json,
            "\u{feff}{\r\n  // mine\r\n  \"z\": 1, /* two */ \"a\": [1,],\r\n}\r\n",
            &["env", "URL"],
            &url,
            "\u{feff}{\r\n  // mine\r\n  \"z\": 1, /* two */ \"a\": [1,],\r\n  \"env\": {\r\n    \"URL\": \"http://127.0.0.1:8787\"\r\n  },\r\n}\r\n",
        );
        for broken in ["{\"a\": ", "[1]", "{\"env\": 3}", "{}{}"] {
            assert!(set(Format::Json, broken.as_bytes(), &["env", "URL"], &url).is_err(), "{broken}");
        }
        assert!(set(Format::Json, b"\xff{}", &["env"], &url).is_err());
    }

    #[test]
    fn toml_root_keys_go_before_the_first_table_and_tables_to_the_end() {
        let url = json!("http://127.0.0.1:8787/v1");
        check(
            Format::Toml,
            "# mine\r\nmodel = \"o\" # why\r\n\r\n[a]\r\nb = 1\r\n",
            &["openai_base_url"],
            &url,
            "openai_base_url = \"http://127.0.0.1:8787/v1\"\r\n# mine\r\nmodel = \"o\" # why\r\n\r\n[a]\r\nb = 1\r\n",
        );
        let server = json!({"command": "/opt/head room", "args": ["mcp"]});
        check(
            Format::Toml,
            "[mcp_servers.other]\ncommand = \"x\"",
            &["mcp_servers", "headroom"],
            &server,
            "[mcp_servers.other]\ncommand = \"x\"\n\n[mcp_servers.headroom]\ncommand = \"/opt/head room\"\nargs = [\"mcp\"]\n",
        );
        for broken in ["a = ", "mcp_servers = {}", "mcp_servers = 3"] {
            assert!(set(Format::Toml, broken.as_bytes(), &["mcp_servers", "headroom"], &server).is_err(), "{broken}");
        }
    }

    #[test]
    fn yaml_takes_whole_lines_at_the_first_level_or_nothing() {
        let url = json!("http://127.0.0.1:8787/v1");
        check(
            Format::Yaml,
            "# mine\nmodel: x\nlist:\n- 1\n  - 2\n",
            &["openai-api-base"],
            &url,
            "# mine\nmodel: x\nlist:\n- 1\n  - 2\nopenai-api-base: \"http://127.0.0.1:8787/v1\"\n",
        );
        for odd in ["{a: 1}\n", "a: 1\n---\nb: 2\n", "a: |\n", "- 1\n", "\"a\": 1\n", "a: [1,\n2]\n", "plain\n"] {
            assert!(set(Format::Yaml, odd.as_bytes(), &["k"], &url).is_err(), "{odd}");
        }
    }
}

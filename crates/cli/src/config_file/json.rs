//! JSON with comments, by its concrete syntax tree: every token that is not ours stays.

use jsonc_parser::cst::{CstInputValue, CstNode, CstRootNode};
use jsonc_parser::{ParseOptions, parse_to_serde_value};
use serde_json::Value;

use super::Refusal;

pub(super) fn get(text: &str, path: &[&str]) -> Result<Option<Value>, Refusal> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let Some((last, parents)) = path.split_last() else { return Ok(None) };
    let mut object = root(text)?.object_value();
    for name in parents {
        object = object.and_then(|object| object.object_value(name));
    }
    let found = object.and_then(|object| object.get(last)).and_then(|property| property.value());
    Ok(found.and_then(|value| plain(&value.to_string())))
}

pub(super) fn set(text: &str, path: &[&str], value: &Value) -> Result<String, Refusal> {
    let empty = text.trim().is_empty();
    let root = root(if empty { "{\n}\n" } else { text })?;
    let odd = |name: &str| Refusal::Unsafe(format!("{name} is there and is not an object"));
    let mut object = root.object_value().ok_or_else(|| odd("the whole file"))?;
    let Some((last, parents)) = path.split_last() else { return Ok(text.to_owned()) };
    for name in parents {
        object = object.object_value_or_create(name).ok_or_else(|| odd(name))?;
    }
    object.append(last, input(value));
    Ok(root.to_string())
}

pub(super) fn unset(text: &str, path: &[&str]) -> Result<String, Refusal> {
    let root = root(text)?;
    let Some((last, parents)) = path.split_last() else { return Ok(text.to_owned()) };
    let mut object = root.object_value();
    for name in parents {
        object = object.and_then(|object| object.object_value(name));
    }
    if let Some(property) = object.and_then(|object| object.get(last)) {
        property.remove();
    }
    Ok(root.to_string())
}

/// Puts a value behind the elements of the array at a path, which is made where there is none.
pub(super) fn push(text: &str, path: &[&str], value: &Value) -> Result<String, Refusal> {
    let empty = text.trim().is_empty();
    let root = root(if empty { "{\n}\n" } else { text })?;
    let odd = |name: &str, wanted| Refusal::Unsafe(format!("{name} is there and is not an {wanted}"));
    let mut object = root.object_value().ok_or_else(|| odd("the whole file", "object"))?;
    let Some((last, parents)) = path.split_last() else { return Ok(text.to_owned()) };
    for name in parents {
        object = object.object_value_or_create(name).ok_or_else(|| odd(name, "object"))?;
    }
    let array = object.array_value_or_create(last).ok_or_else(|| odd(last, "array"))?;
    array.append(input(value));
    Ok(root.to_string())
}

/// Takes the first element that is `value` out of the array at a path; `None` when none is.
pub(super) fn take(text: &str, path: &[&str], value: &Value) -> Result<Option<String>, Refusal> {
    let root = root(text)?;
    Ok(element(&root, path, value).map(|ours| {
        ours.remove();
        root.to_string()
    }))
}

/// Whether the array at a path has an element that is `value`, whatever comments stand around it.
pub(super) fn holds(text: &str, path: &[&str], value: &Value) -> Result<bool, Refusal> {
    if text.trim().is_empty() {
        return Ok(false);
    }
    Ok(element(&root(text)?, path, value).is_some())
}

fn element(root: &CstRootNode, path: &[&str], value: &Value) -> Option<CstNode> {
    let (last, parents) = path.split_last()?;
    let mut object = root.object_value();
    for name in parents {
        object = object.and_then(|object| object.object_value(name));
    }
    let elements = object?.array_value(last)?.elements();
    elements.into_iter().find(|element| plain(&element.to_string()).as_ref() == Some(value))
}

fn root(text: &str) -> Result<CstRootNode, Refusal> {
    CstRootNode::parse(text, &options(true)).map_err(|error| Refusal::Invalid(error.to_string()))
}

/// JSON with trailing commas, and with comments or without.
const fn options(allow_comments: bool) -> ParseOptions {
    ParseOptions {
        allow_comments,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
    }
}

/// A value as serde reads it. Comments inside make it something of the user's that is never equal to ours.
fn plain(text: &str) -> Option<Value> {
    let parsed = parse_to_serde_value(text, &options(false));
    Some(parsed.unwrap_or_else(|_| Value::String(text.to_owned())))
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(switch) => CstInputValue::Bool(*switch),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(items) => CstInputValue::Array(items.iter().map(input).collect()),
        Value::Object(map) => {
            CstInputValue::Object(map.iter().map(|(key, value)| (key.clone(), input(value))).collect())
        }
    }
}

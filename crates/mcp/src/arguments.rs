//! Reading the arguments of a call. What is wrong is said in a sentence that the model can act on.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The arguments of one call, as the type that a tool wants.
///
/// # Errors
///
/// A sentence that names what is wrong, the nearest right spelling, and what the tool takes.
pub(crate) fn read<T: DeserializeOwned>(given: Map<String, Value>, known: &[&str]) -> Result<T, String> {
    if let Some(unknown) = given.keys().find(|key| !known.contains(&key.as_str())) {
        let nearest = known.iter().max_by(|a, b| likeness(unknown, a).total_cmp(&likeness(unknown, b)));
        let meant = nearest.filter(|name| likeness(unknown, name) > 0.7).map(|name| format!(" Did you mean {name}?"));
        return Err(format!(
            "There is no argument {unknown}.{} The arguments are: {}.",
            meant.unwrap_or_default(),
            known.join(", ")
        ));
    }
    let given = given.into_iter().filter(|(_, value)| !value.is_null()).collect();
    serde_json::from_value(Value::Object(given)).map_err(|error| format!("The arguments cannot be used: {error}."))
}

fn likeness(a: &str, b: &str) -> f64 {
    strsim::jaro_winkler(a, b)
}

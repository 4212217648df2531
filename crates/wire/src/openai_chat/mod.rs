//! OpenAI Chat Completions, and the many servers that speak it.

mod request;

pub(crate) use request::outline;

/// Our tool as this dialect spells it.
pub(crate) const TOOL_DEFINITION: &str =
    crate::tool::definition!("{\"type\":\"function\",\"function\":{", "parameters", "}}");

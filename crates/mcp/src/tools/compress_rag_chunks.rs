//! `compress_rag_chunks`

use headroom::{Chunk, compress_chunks};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Output, ToolSpec, Workplace, shown};
use crate::arguments;

pub(super) const SPEC: ToolSpec = ToolSpec {
    name: "compress_rag_chunks",
    title: "Compress retrieved passages",
    description: "Shortens retrieved passages together: what they share is written once; with a budget (tokens) the sentences nearest to the query stay.",
    schema: r#"{"type":"object","properties":{"chunks":{"type":"array","items":{"type":["string","object"],"description":"Text, or {id, text}"}},"query":{"type":"string"},"budget":{"type":"integer"}},"required":["chunks"]}"#,
    run,
};

#[derive(Deserialize)]
struct Arguments {
    chunks: Vec<Given>,
    query: Option<String>,
    budget: Option<usize>,
}

/// A passage as callers write it.
#[derive(Deserialize)]
#[serde(untagged, expecting = "each chunk is a text, or an object with a text and perhaps an id")]
enum Given {
    Text(String),
    Named {
        #[serde(default)]
        id: Id,
        text: String,
    },
}

/// Stores number their passages, or name them.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Id {
    Name(String),
    Number(i64),
    #[default]
    None,
}

impl Id {
    fn written(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Number(number) => number.to_string(),
            Self::None => String::new(),
        }
    }
}

fn run(workplace: &Workplace, given: Map<String, Value>) -> Result<Output, String> {
    let Arguments { chunks, query, budget } = arguments::read(given, &["chunks", "query", "budget"])?;
    if chunks.is_empty() {
        return Err("chunks is empty; give at least one passage.".to_owned());
    }
    let named = |given: Given| match given {
        Given::Text(text) => (String::new(), text),
        Given::Named { id, text } => (id.written(), text),
    };
    let named: Vec<_> = chunks.into_iter().map(named).collect();
    let chunks: Vec<_> = named.iter().map(|(id, text)| Chunk { id, text }).collect();
    let keep = Some((&workplace.engine, &workplace.scope));
    let result = compress_chunks(&chunks, query.as_deref(), budget, keep);
    let (before, after) = (result.tokens_before, result.tokens_after);
    let left_out = if result.handles.is_empty() { "; nothing is left out" } else { "" };
    let over = budget.filter(|budget| after > *budget).map_or("", |_| "; what must stay is more than the budget");
    let heading = format!("[{} passages: {before} -> {after} tokens{left_out}{over}]", chunks.len());
    shown::paged(workplace, &heading, &result.text)
}

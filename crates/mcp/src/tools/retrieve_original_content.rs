//! `retrieve_original_content`

use headroom::Query;
use serde_json::{Map, Value};

use super::{Effect, Output, ToolSpec, Workplace};

pub(super) const SPEC: ToolSpec = ToolSpec {
    name: "retrieve_original_content",
    title: "Read what was left out",
    description: "Reads text that Headroom left out. `[-14 lines 38-51]` marks a gap; `hr_xxx` at the end is the content_id. \
                  Ask only for the part you need.",
    schema: r#"{"type":"object","properties":{"content_id":{"type":"string"},"line_range":{"type":"string","description":"38-51"},"pattern":{"type":"string","description":"Regular expression"},"json_path":{"type":"string"},"offset":{"type":"integer"},"limit":{"type":"integer"}},"required":["content_id"]}"#,
    effect: Effect::ReadsMarks,
    run,
};

fn run(workplace: &Workplace, given: Map<String, Value>) -> Result<Output, String> {
    let query = Query::from_arguments(&Value::Object(given).to_string())?;
    let answer = workplace.engine.answer(&workplace.scope, &query);
    let text = answer.text().to_owned();
    if answer.is_found() { Ok(Output { text, rest: None }) } else { Err(text) }
}

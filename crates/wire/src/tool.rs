//! The retrieval tool, as far as every dialect agrees about it.

/// Name of the tool by which the model reads back what was left out.
pub const NAME: &str = "retrieve_original_content";

/// The definition around its dialect's envelope. A macro because the pieces are joined at compile time: the bytes are frozen.
///
/// It explains the two marks that the model meets. Every token of it is paid for in each request, so it says nothing twice.
macro_rules! definition {
    ($before:literal, $schema_key:literal, $after:literal) => {
        concat!(
            $before,
            r#""name":"retrieve_original_content","description":"Reads text left out of this conversation. "#,
            r#"`[-14 lines 38-51]` marks a gap; `[...; all in hr_xxx]` at the end names the content_id. "#,
            r#"Ask only for the part you need.",""#,
            $schema_key,
            r#"":{"type":"object","properties":{"content_id":{"type":"string"},"#,
            r#""line_range":{"type":"string","description":"38-51"},"#,
            r#""pattern":{"type":"string"},"json_path":{"type":"string"},"#,
            r#""offset":{"type":"integer"},"limit":{"type":"integer"}},"required":["content_id"]}"#,
            $after
        )
    };
}

pub(crate) use definition;

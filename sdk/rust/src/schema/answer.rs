//! Answers that follow a schema: which of its means a service uses for the one that a request asks for.

use crate::claude::StrictSchemas;
use crate::losses::Losses;
use crate::schema::is_of_no_object;
use crate::types::{ChatRequest, JsonSchema, OutputFormat};

/// How a request asks for a schema.
#[derive(Debug, Default)]
pub struct Answer {
    /// The member with the format of the answer.
    pub format: Option<String>,
    /// A tool that represents the format, and the choice that forces it.
    pub tool: Option<(String, String)>,
}

/// How a service gives answers that follow a schema.
#[derive(Debug, Clone, Copy)]
pub struct Means {
    /// It holds the model to a schema.
    pub schemas: bool,
    /// It can be made to call a tool whose arguments are the answer, which is turned back into text. That only works if
    /// the client has no tools.
    pub by_tool: bool,
}

/// Whether the model is held to the schema of the answer, if one is asked for.
pub fn is_held(request: &ChatRequest, strict: &mut StrictSchemas) -> bool {
    match &request.output {
        Some(OutputFormat::Schema(schema)) => strict.admits_answer(&schema.schema),
        _ => true,
    }
}

/// Decides how to ask for the answer's format. `write` renders a schema as the format's member, `tool` one as a tool
/// with the choice that forces it. What the service cannot do is reported as a loss.
pub fn decide(
    request: &ChatRequest,
    format: &str,
    means: Means,
    losses: &mut Losses,
    write: impl FnOnce(&JsonSchema, &mut Losses) -> String,
    tool: impl FnOnce(&JsonSchema, &mut Losses) -> (String, String),
) -> Answer {
    let mut answer = Answer::default();
    match &request.output {
        None | Some(OutputFormat::Plain) => {}
        Some(OutputFormat::Json) => losses.dropped("response_format", "there is no JSON mode without a schema"),
        Some(OutputFormat::Schema(schema)) if means.schemas => {
            if schema.strict == Some(false) {
                losses.approximated("response_format.strict", "a schema is always followed strictly");
            }
            answer.format = Some(write(schema, losses));
        }
        Some(OutputFormat::Schema(schema)) if means.by_tool && !is_of_no_object(&schema.schema) => {
            losses.approximated("response_format", "the model is made to call a tool with the answer");
            answer.tool = Some(tool(schema, losses));
        }
        Some(OutputFormat::Schema(_)) => {
            losses.dropped("response_format", "the model has no place for it, not beside tools, or for objects only");
        }
        Some(OutputFormat::Opaque(opaque)) if opaque.format == format => answer.format = Some(opaque.json.clone()),
        Some(OutputFormat::Opaque(_)) => losses.dropped("response_format", "it belongs to another format"),
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{LossKind, Opaque};

    const BOTH: Means = Means { schemas: true, by_tool: true };

    fn schema(strict: Option<bool>) -> OutputFormat {
        OutputFormat::Schema(JsonSchema { name: None, description: None, schema: "{}".into(), strict })
    }

    fn decided(output: OutputFormat, means: Means) -> (Option<String>, Option<String>, Vec<LossKind>) {
        let request = ChatRequest { output: Some(output), ..ChatRequest::default() };
        let mut losses = Losses::default();
        let tool = |_: &JsonSchema, _: &mut Losses| ("tool".to_owned(), "choice".to_owned());
        let answer = decide(&request, "mine", means, &mut losses, |schema, _| schema.schema.clone(), tool);
        let losses = losses.into_losses().into_iter().map(|loss| loss.kind).collect();
        (answer.format, answer.tool.map(|(tool, _)| tool), losses)
    }

    #[test]
    fn c88_a_schema_is_enforced_or_a_tools_or_reported() {
        let by_tool = Means { schemas: false, by_tool: true };
        let neither = Means { schemas: false, by_tool: false };
        assert_eq!(decided(schema(Some(true)), BOTH), (Some("{}".into()), None, vec![]));
        assert_eq!(decided(schema(Some(false)), BOTH), (Some("{}".into()), None, vec![LossKind::Approximated]));
        assert_eq!(decided(schema(None), by_tool), (None, Some("tool".into()), vec![LossKind::Approximated]));
        assert_eq!(decided(schema(None), neither), (None, None, vec![LossKind::Dropped]));
        let list = |of: &str| {
            let schema = format!(r#"{{"type":"{of}"}}"#);
            OutputFormat::Schema(JsonSchema { name: None, description: None, schema, strict: None })
        };
        assert_eq!(decided(list("array"), by_tool), (None, None, vec![LossKind::Dropped]));
        assert_eq!(decided(list("object"), by_tool).1.as_deref(), Some("tool"));
    }

    #[test]
    fn formats_without_a_schema_are_kept_only_if_they_are_the_formats_own() {
        let opaque = |format: &str| {
            OutputFormat::Opaque(Opaque { format: format.into(), kind: "grammar".into(), json: "[]".into() })
        };
        assert_eq!(decided(OutputFormat::Plain, BOTH), (None, None, vec![]));
        assert_eq!(decided(OutputFormat::Json, BOTH), (None, None, vec![LossKind::Dropped]));
        assert_eq!(decided(opaque("mine"), BOTH), (Some("[]".into()), None, vec![]));
        assert_eq!(decided(opaque("theirs"), BOTH), (None, None, vec![LossKind::Dropped]));
    }
}

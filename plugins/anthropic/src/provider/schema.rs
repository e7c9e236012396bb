//! Answers that follow a schema.
//!
//! Models without structured output are forced to call a tool whose arguments are the answer, and the call is turned
//! back into text. That only works if the client has no tools.

use weir_sdk::json::object;
use weir_sdk::ledger::Ledger;
use weir_sdk::schema::closed;
use weir_sdk::types::{ChatRequest, JsonSchema, OutputFormat};

use crate::FORMAT;
use crate::generation::Generation;
use weir_sdk::names::Names;

/// How a request asks for a schema.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The member `format`.
    pub(super) format: Option<String>,
    /// A tool that represents the format, and the choice that forces it.
    pub(super) tool: Option<(String, String)>,
}

/// Decides how to ask for the answer's format.
pub(super) fn decide(request: &ChatRequest, generation: Generation, names: &mut Names, ledger: &mut Ledger) -> Answer {
    let nothing = Answer::default();
    match &request.output {
        None | Some(OutputFormat::Plain) => nothing,
        Some(OutputFormat::Json) => {
            ledger.dropped("response_format", "there is no JSON mode without a schema");
            nothing
        }
        Some(OutputFormat::Schema(schema)) if generation.schemas => {
            say(schema, ledger);
            let text = closed(&schema.schema, "response_format.schema", ledger);
            let mut format = String::new();
            object(&mut format, |o| {
                o.str("type", "json_schema");
                o.raw("schema", &text);
            });
            Answer { format: Some(format), tool: None }
        }
        Some(OutputFormat::Schema(schema)) if request.tools.is_empty() => {
            ledger.approximated("response_format", "the model is made to call a tool with the answer");
            Answer { format: None, tool: Some(tool(schema, names)) }
        }
        Some(OutputFormat::Schema(_)) => {
            ledger.dropped("response_format", "the model has no place for it beside tools");
            nothing
        }
        Some(OutputFormat::Opaque(opaque)) if opaque.format == FORMAT => {
            Answer { format: Some(opaque.json.clone()), tool: None }
        }
        Some(OutputFormat::Opaque(_)) => {
            ledger.dropped("response_format", "it belongs to another format");
            nothing
        }
    }
}

fn say(schema: &JsonSchema, ledger: &mut Ledger) {
    ledger.dropped_if(schema.description.is_some(), "response_format.description", "the format has no place for it");
    if schema.strict == Some(false) {
        ledger.approximated("response_format.strict", "a schema is always followed strictly");
    }
}

fn tool(schema: &JsonSchema, names: &mut Names) -> (String, String) {
    let name = names.answer(schema.name.as_deref().unwrap_or("answer"));
    let (mut tool, mut choice) = (String::new(), String::new());
    object(&mut tool, |o| {
        o.str("name", &name);
        o.str("description", schema.description.as_deref().unwrap_or("The answer."));
        o.raw("input_schema", &super::tools::schema(Some(&schema.schema)));
    });
    object(&mut choice, |o| {
        o.str("type", "tool");
        o.str("name", &name);
        o.bool("disable_parallel_tool_use", true);
    });
    (tool, choice)
}

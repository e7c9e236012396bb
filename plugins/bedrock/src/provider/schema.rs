//! Answers that follow a schema.
//!
//! Models for which the service does not enforce schemas are forced to call a tool whose arguments are the answer, and
//! the call is turned back into text. That only works if the client has no tools.

use std::borrow::Cow;

use weir_sdk::json::object;
use weir_sdk::ledger::Ledger;
use weir_sdk::names::Names;
use weir_sdk::schema::closed;
use weir_sdk::types::{ChatRequest, JsonSchema, OutputFormat};

use crate::FORMAT;
use crate::model::Model;

/// How a request asks for a schema.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The member `textFormat`.
    pub(super) format: Option<String>,
    /// A tool that represents the format, and the choice that forces it.
    pub(super) tool: Option<(String, String)>,
}

/// Decides how to ask for the answer's format.
pub(super) fn decide(
    request: &ChatRequest,
    model: Model,
    tools: bool,
    names: &mut Names,
    ledger: &mut Ledger,
) -> Answer {
    let nothing = Answer::default();
    match &request.output {
        None | Some(OutputFormat::Plain) => nothing,
        Some(OutputFormat::Json) => {
            ledger.dropped("response_format", "there is no JSON mode without a schema");
            nothing
        }
        Some(OutputFormat::Schema(schema)) if model.schemas => {
            if schema.strict == Some(false) {
                ledger.approximated("response_format.strict", "a schema is always followed strictly");
            }
            Answer { format: Some(format(schema, model, ledger)), tool: None }
        }
        Some(OutputFormat::Schema(schema)) if !tools && model.answers_by_tool() => {
            ledger.approximated("response_format", "the model is made to call a tool with the answer");
            Answer { format: None, tool: Some(tool(schema, names)) }
        }
        Some(OutputFormat::Schema(_)) => {
            ledger.dropped("response_format", "the model has no place for it, or not beside tools");
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

/// The schema, as text in a string.
fn format(schema: &JsonSchema, model: Model, ledger: &mut Ledger) -> String {
    let mut out = String::new();
    object(&mut out, |o| {
        o.str("type", "json_schema");
        o.object("structure", |o| {
            o.object("jsonSchema", |o| {
                o.str("schema", &strict(&schema.schema, model, "response_format.schema", ledger));
                o.opt_str("name", schema.name.as_deref());
                o.opt_str("description", schema.description.as_deref());
            });
        });
    });
    out
}

/// A schema as the service requires it for strict answers; a client of this format is responsible for that itself.
pub(super) fn strict<'a>(schema: &'a str, model: Model, field: &str, ledger: &mut Ledger) -> Cow<'a, str> {
    if model.is_unjudged() { schema.into() } else { closed(schema, field, ledger) }
}

fn tool(schema: &JsonSchema, names: &mut Names) -> (String, String) {
    let name = names.answer(schema.name.as_deref().unwrap_or("answer"));
    let (mut tool, mut choice) = (String::new(), String::new());
    object(&mut tool, |o| {
        o.object("toolSpec", |o| {
            o.str("name", &name);
            o.str("description", schema.description.as_deref().filter(|d| !d.is_empty()).unwrap_or("The answer."));
            o.object("inputSchema", |o| o.raw("json", &super::tools::object_schema(Some(&schema.schema))));
        });
    });
    object(&mut choice, |o| o.object("tool", |o| o.str("name", &name)));
    (tool, choice)
}

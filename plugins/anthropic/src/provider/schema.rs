//! Answers that follow a schema.
//!
//! Models without structured output are forced to call a tool whose arguments are the answer, and the call is turned
//! back into text. That only works if the client has no tools.

use weir_sdk::claude::StrictSchemas;
use weir_sdk::json::object;
use weir_sdk::losses::Losses;
use weir_sdk::names::Names;
use weir_sdk::schema::answer::{self, Answer, Means};
use weir_sdk::schema::{described_within, enforceable, of_arguments, without_union};
use weir_sdk::types::{ChatRequest, JsonSchema};

use crate::FORMAT;

/// Decides how to ask for the answer's format.
pub(super) fn decide(
    request: &ChatRequest,
    strict: &mut StrictSchemas,
    names: &mut Names,
    losses: &mut Losses,
) -> Answer {
    let means = Means { schemas: answer::is_held(request, strict), by_tool: request.tools.is_empty() };
    answer::decide(request, FORMAT, means, losses, format, |schema, losses| tool(schema, names, losses))
}

fn format(schema: &JsonSchema, losses: &mut Losses) -> String {
    let schema = &described_within(schema, losses);
    let mut out = String::new();
    object(&mut out, |o| {
        o.str("type", "json_schema");
        o.raw("schema", &enforceable(schema, "response_format.schema", losses));
    });
    out
}

fn tool(schema: &JsonSchema, names: &mut Names, losses: &mut Losses) -> (String, String) {
    let name = names.answer(schema.name.as_deref().unwrap_or("answer"));
    let parameters = without_union(of_arguments(Some(&schema.schema)), || "response_format.schema".to_owned(), losses);
    let (mut tool, mut choice) = (String::new(), String::new());
    object(&mut tool, |o| {
        o.str("name", &name);
        o.str("description", schema.description.as_deref().unwrap_or("The answer."));
        o.raw("input_schema", &parameters);
    });
    object(&mut choice, |o| {
        o.str("type", "tool");
        o.str("name", &name);
        o.bool("disable_parallel_tool_use", true);
    });
    (tool, choice)
}

//! Answers that follow a schema.
//!
//! Models for which the service does not enforce schemas are forced to call a tool whose arguments are the answer, and
//! the call is turned back into text. That only works if the client has no tools.

use std::borrow::Cow;

use weir_sdk::json::object;
use weir_sdk::losses::Losses;
use weir_sdk::names::Names;
use weir_sdk::schema::answer::{self, Answer, Means};
use weir_sdk::schema::{enforceable, of_arguments, without_union};
use weir_sdk::types::{ChatRequest, JsonSchema};

use crate::FORMAT;
use crate::model::Model;

/// Decides how to ask for the answer's format.
pub(super) fn decide(
    request: &ChatRequest,
    model: Model,
    means: Means,
    names: &mut Names,
    losses: &mut Losses,
) -> Answer {
    let write = |schema: &JsonSchema, losses: &mut Losses| format(schema, model, losses);
    answer::decide(request, FORMAT, means, losses, write, |schema, losses| tool(schema, model, names, losses))
}

/// The schema, as text in a string.
fn format(schema: &JsonSchema, model: Model, losses: &mut Losses) -> String {
    let mut out = String::new();
    object(&mut out, |o| {
        o.str("type", "json_schema");
        o.object("structure", |o| {
            o.object("jsonSchema", |o| {
                o.str("schema", &strict(&schema.schema, model, "response_format.schema", losses));
                o.opt_str("name", schema.name.as_deref());
                o.opt_str("description", schema.description.as_deref());
            });
        });
    });
    out
}

/// A schema as the service requires it for strict answers; a client of this format is responsible for that itself.
pub(super) fn strict<'a>(schema: &'a str, model: Model, field: &str, losses: &mut Losses) -> Cow<'a, str> {
    if model.is_unjudged() { schema.into() } else { enforceable(schema, field, losses) }
}

/// The schema of a function's arguments as the model takes it.
pub(super) fn arguments<'a>(
    parameters: Option<&'a str>,
    model: Model,
    field: impl FnOnce() -> String,
    losses: &mut Losses,
) -> Cow<'a, str> {
    let schema = of_arguments(parameters);
    if model.is_checked_claude() { without_union(schema, field, losses) } else { schema }
}

fn tool(schema: &JsonSchema, model: Model, names: &mut Names, losses: &mut Losses) -> (String, String) {
    let name = names.answer(schema.name.as_deref().unwrap_or("answer"));
    let parameters = arguments(Some(&schema.schema), model, || "response_format.schema".to_owned(), losses);
    let (mut tool, mut choice) = (String::new(), String::new());
    object(&mut tool, |o| {
        o.object("toolSpec", |o| {
            o.str("name", &name);
            o.str("description", schema.description.as_deref().filter(|d| !d.is_empty()).unwrap_or("The answer."));
            o.object("inputSchema", |o| o.raw("json", &parameters));
        });
    });
    object(&mut choice, |o| o.object("tool", |o| o.str("name", &name)));
    (tool, choice)
}

//! Answers that follow a schema.
//!
//! Models that know no format for answers are made to call a tool whose arguments are the answer, and the call is
//! turned back into text. That works only where the client has no tools of its own.

use std::borrow::Cow;

use weir_sdk::json::{Array, Object, RawValue, object, parse};
use weir_sdk::ledger::Ledger;
use weir_sdk::types::{ChatRequest, JsonSchema, OutputFormat};

use crate::FORMAT;
use crate::generation::Generation;
use crate::wire::Unnamed;
use weir_sdk::names::Names;

/// Schemas nested deeper than this are passed on as they are.
const DEPTH_LIMIT: usize = 64;

/// How an answer is asked for.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The member `format`.
    pub(super) format: Option<String>,
    /// A tool that stands for the format, and the choice that forces it.
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

/// The schema with `additionalProperties: false` in every object that does not say, as the service demands.
pub(super) fn closed<'a>(schema: &'a str, field: &str, ledger: &mut Ledger) -> Cow<'a, str> {
    let mut out = String::with_capacity(schema.len() + 32);
    if !close(schema, &mut out, 0) {
        return Cow::Borrowed(schema);
    }
    ledger.approximated(field, "its objects take no members that it does not name");
    Cow::Owned(out)
}

/// Writes a schema with its objects closed, and tells whether that changed anything.
fn close(schema: &str, out: &mut String, depth: usize) -> bool {
    let members = match parse::<Unnamed<'_>>(schema) {
        Ok(members) if depth < DEPTH_LIMIT => members.rest.0,
        _ => {
            out.push_str(schema);
            return false;
        }
    };
    let has = |name: &str| members.iter().any(|(key, _)| &**key == name);
    let typed = members.iter().any(|(key, raw)| &**key == "type" && raw.get().contains("\"object\""));
    let open = (typed || has("properties")) && !has("additionalProperties");
    let mut changed = open;
    object(out, |o| {
        for (key, raw) in &members {
            changed |= member(o, key, raw, depth + 1);
        }
        if open {
            o.bool("additionalProperties", false);
        }
    });
    changed
}

fn member(o: &mut Object<'_>, key: &str, raw: &RawValue, depth: usize) -> bool {
    let mut changed = false;
    match key {
        "properties" | "$defs" | "definitions" => match parse::<Unnamed<'_>>(raw.get()) {
            Ok(named) => o.object(key, |o| {
                for (name, schema) in &named.rest.0 {
                    changed |= close(schema.get(), o.value(name), depth);
                }
            }),
            Err(_) => o.raw(key, raw.get()),
        },
        "anyOf" | "allOf" | "oneOf" | "prefixItems" => match parse::<Vec<&RawValue>>(raw.get()) {
            Ok(schemas) => o.array(key, |a: &mut Array<'_>| {
                for schema in schemas {
                    changed |= close(schema.get(), a.value(), depth);
                }
            }),
            Err(_) => o.raw(key, raw.get()),
        },
        "items" | "not" => changed = close(raw.get(), o.value(key), depth),
        _ => o.raw(key, raw.get()),
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c88_objects_are_closed_wherever_they_stand() {
        let mut ledger = Ledger::default();
        let open = concat!(
            r#"{"type":"object","properties":{"a":{"type":["object","null"],"properties":{}},"type":{"type":"string"}},"#,
            r#""$defs":{"b":{"anyOf":[{"properties":{"c":true}},{"type":"array","items":{"type":"object"}}]}}}"#
        );
        let shut = concat!(
            r#"{"type":"object","properties":{"a":{"type":["object","null"],"properties":{},"additionalProperties":false},"#,
            r#""type":{"type":"string"}},"$defs":{"b":{"anyOf":[{"properties":{"c":true},"additionalProperties":false},"#,
            r#"{"type":"array","items":{"type":"object","additionalProperties":false}}]}},"additionalProperties":false}"#
        );
        assert_eq!(closed(open, "x", &mut ledger), shut);
        assert_eq!(closed(shut, "x", &mut ledger), shut);
        assert_eq!(ledger.into_losses().len(), 1);
    }

    #[test]
    fn schemas_of_any_depth_end() {
        let deep = format!("{}{}", "{\"items\":".repeat(5000), "{\"type\":\"object\"}".to_owned() + &"}".repeat(5000));
        assert_eq!(closed(&deep, "x", &mut Ledger::default()), deep);
    }
}

//! Renders the tools and the choice between them.

use weir_sdk::json::{object, parse};
use weir_sdk::ledger::Ledger;
use weir_sdk::schema::closed;
use weir_sdk::types::{ChatRequest, Error, FunctionTool, Tool, ToolChoice};

use crate::generation::Generation;
use crate::{FORMAT, MCP_SERVERS, wire, write};
use weir_sdk::names::Names;

/// Renders the tools. If only some are allowed, the others are left out, since the format cannot express that choice.
pub(super) fn write(
    request: &ChatRequest,
    generation: Generation,
    names: &mut Names,
    ledger: &mut Ledger,
) -> Result<Vec<String>, Error> {
    let allowed = match &request.tool_choice {
        Some(ToolChoice::Allowed(allowed)) => Some(&allowed.names),
        _ => None,
    };
    let mut written = Vec::with_capacity(request.tools.len());
    for (at, tool) in request.tools.iter().enumerate() {
        match tool {
            Tool::Function(tool) if allowed.is_none_or(|names| names.contains(&tool.name)) => {
                written.push(function(tool, at, generation, names, ledger));
            }
            Tool::Opaque(opaque) if opaque.format == FORMAT && opaque.kind == MCP_SERVERS => {}
            Tool::Opaque(opaque) if opaque.format == FORMAT => written.push(opaque.json.clone()),
            Tool::Opaque(opaque) => {
                let message = format!("the tool `{}` cannot be expressed in this format", opaque.kind);
                return Err(Error::unsupported(format!("tools[{at}]"), message));
            }
            Tool::Function(_) => {}
        }
    }
    Ok(written)
}

fn function(tool: &FunctionTool, at: usize, generation: Generation, names: &mut Names, ledger: &mut Ledger) -> String {
    let mut out = String::new();
    object(&mut out, |o| {
        o.str("name", &names.send(&tool.name));
        o.opt_str("description", tool.description.as_deref());
        let parameters = schema(tool.parameters.as_deref());
        match tool.strict {
            Some(true) if generation.schemas => {
                o.raw("input_schema", &closed(&parameters, &format!("tools[{at}].parameters"), ledger));
                o.bool("strict", true);
            }
            strict => {
                if strict == Some(true) {
                    ledger.dropped(format!("tools[{at}].strict"), "the model cannot be held to it");
                }
                o.raw("input_schema", &parameters);
            }
        }
        write::cache(o, tool.cache.as_ref());
        for own in write::own(&tool.extensions) {
            o.raw(&own.key, &own.json);
        }
        if !tool.extensions.is_empty() {
            ledger.foreign(&format!("tools[{at}]."), &tool.extensions, FORMAT);
        }
    });
    out
}

/// The schema, which must declare an object.
pub(super) fn schema(parameters: Option<&str>) -> std::borrow::Cow<'_, str> {
    let Some(parameters) = parameters else { return r#"{"type":"object","properties":{}}"#.into() };
    match parse::<wire::Schema<'_>>(parameters) {
        Ok(schema) if schema.kind.is_none() => {
            let mut out = String::new();
            object(&mut out, |o| {
                o.str("type", "object");
                schema.rest.0.iter().for_each(|(key, raw)| o.raw(key, raw.get()));
            });
            out.into()
        }
        _ => parameters.into(),
    }
}

/// The servers of tools from a client of this format.
pub(super) fn servers(request: &ChatRequest) -> Option<&str> {
    request.tools.iter().find_map(|tool| match tool {
        Tool::Opaque(opaque) if opaque.format == FORMAT && opaque.kind == MCP_SERVERS => Some(opaque.json.as_str()),
        _ => None,
    })
}

/// Renders the choice, which includes whether calls may be parallel.
pub(super) fn choice(request: &ChatRequest, names: &mut Names, ledger: &mut Ledger) -> Option<String> {
    let parallel = request.parallel_tool_calls;
    let (kind, name) = match &request.tool_choice {
        None if parallel == Some(false) => ("auto", None),
        None => return None,
        Some(ToolChoice::Automatic) => ("auto", None),
        Some(ToolChoice::Disabled) => ("none", None),
        Some(ToolChoice::Required) => ("any", None),
        Some(ToolChoice::Named(name)) => ("tool", Some(names.send(name))),
        Some(ToolChoice::Allowed(allowed)) => (if allowed.required { "any" } else { "auto" }, None),
        Some(ToolChoice::Opaque(opaque)) if opaque.format == FORMAT => return Some(opaque.json.clone()),
        Some(ToolChoice::Opaque(_)) => {
            ledger.dropped("tool_choice", "it belongs to another format");
            return None;
        }
    };
    let mut out = String::new();
    object(&mut out, |o| {
        o.str("type", kind);
        o.opt_str("name", name.as_deref());
        if kind != "none" {
            o.opt_bool("disable_parallel_tool_use", parallel.map(|parallel| !parallel));
        }
    });
    Some(out)
}

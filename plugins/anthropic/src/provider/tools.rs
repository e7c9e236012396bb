//! Renders the tools and the choice between them.

use weir_sdk::claude::StrictSchemas;
use weir_sdk::json::object;
use weir_sdk::losses::{Losses, extension};
use weir_sdk::names::Names;
use weir_sdk::schema::{enforceable, of_arguments, without_union};
use weir_sdk::tools::{self, SentTool, is_forced};
use weir_sdk::types::{ChatRequest, Error, FunctionTool, Tool, ToolChoice};

use crate::generation::Generation;
use crate::{FORMAT, MCP_SERVERS, TYPED, write};

/// Renders the tools. If only some are allowed, the others are left out, since the format cannot express that choice.
pub(super) fn write(
    request: &ChatRequest,
    strict: &mut StrictSchemas,
    names: &mut Names,
    losses: &mut Losses,
) -> Result<Vec<String>, Error> {
    let mut written = Vec::with_capacity(request.tools.len());
    for (at, tool) in tools::sent(request, tools::allowed(request), FORMAT)? {
        match tool {
            SentTool::Function(tool) => {
                let held = tool.strict == Some(true) && strict.admit(at, tool.parameters.as_deref(), losses);
                written.push(function(tool, at, held, names, losses));
            }
            SentTool::Own(opaque) if opaque.kind == MCP_SERVERS => {}
            SentTool::Own(opaque) => written.push(opaque.json.clone()),
        }
    }
    Ok(written)
}

fn function(tool: &FunctionTool, at: usize, strict: bool, names: &mut Names, losses: &mut Losses) -> String {
    let mut out = String::new();
    let field = || format!("tools[{at}].parameters");
    object(&mut out, |o| {
        let is_typed = extension(&tool.extensions, FORMAT, TYPED).is_some();
        o.opt_str("type", is_typed.then_some("custom"));
        o.str("name", &names.send(&tool.name));
        o.opt_str("description", tool.description.as_deref());
        let parameters = without_union(of_arguments(tool.parameters.as_deref()), field, losses);
        if strict {
            o.raw("input_schema", &enforceable(&parameters, &field(), losses));
            o.bool("strict", true);
        } else {
            o.raw("input_schema", &parameters);
        }
        write::cache(o, tool.cache.as_ref(), &tool.extensions);
        for own in write::own(&tool.extensions) {
            o.raw(&own.key, &own.json);
        }
        if !tool.extensions.is_empty() {
            losses.foreign(&format!("tools[{at}]."), &tool.extensions, FORMAT);
        }
    });
    out
}

/// The servers of tools from a client of this format.
pub(super) fn servers(request: &ChatRequest) -> Option<&str> {
    request.tools.iter().find_map(|tool| match tool {
        Tool::Opaque(opaque) if opaque.format == FORMAT && opaque.kind == MCP_SERVERS => Some(opaque.json.as_str()),
        _ => None,
    })
}

/// Renders the choice, which includes whether calls may be parallel.
pub(super) fn choice(
    request: &ChatRequest,
    generation: Generation,
    names: &mut Names,
    losses: &mut Losses,
) -> Option<String> {
    let parallel = request.parallel_tool_calls;
    let (kind, name) = match &request.tool_choice {
        None if parallel == Some(false) => ("auto", None),
        None => return None,
        Some(ToolChoice::Automatic) => ("auto", None),
        Some(ToolChoice::Disabled) => ("none", None),
        Some(choice) if !generation.forces && is_forced(choice) => {
            losses.approximated("tool_choice", "the model cannot be made to call a tool");
            ("auto", None)
        }
        Some(ToolChoice::Required) => ("any", None),
        Some(ToolChoice::Named(name)) => ("tool", Some(names.send(name))),
        Some(ToolChoice::Allowed(allowed)) => (if allowed.required { "any" } else { "auto" }, None),
        Some(ToolChoice::Opaque(opaque)) if opaque.format == FORMAT => return Some(opaque.json.clone()),
        Some(ToolChoice::Opaque(_)) => {
            losses.dropped("tool_choice", "it belongs to another format");
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

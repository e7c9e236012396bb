//! Renders the tools and the choice between them.

use weir_sdk::json::{Object, RawValue, object, parse};
use weir_sdk::losses::Losses;
use weir_sdk::names::Names;
use weir_sdk::tools::{self, SentTool, is_forced};
use weir_sdk::types::{ChatRequest, Error, FunctionTool, Tool, ToolChoice};

use super::config;
use super::request::Target;
use crate::schema::{self, Origin};
use crate::wire::Unnamed;
use crate::{FORMAT, write};

/// Key of the note on a function with its schema in the older member.
pub(crate) const OLD_SCHEMA: &str = "parameters";

/// Renders the tools: all functions in one entry, each of the service's own tools in another.
pub(super) fn write(
    target: Target<'_>,
    request: &ChatRequest,
    names: &mut Names,
    losses: &mut Losses,
) -> Result<Vec<String>, Error> {
    let mut entries = Vec::new();
    let mut declarations = String::new();
    for (at, tool) in tools::sent(request, None, FORMAT)? {
        match tool {
            SentTool::Function(tool) => write::raw_item(&mut declarations, &function(target, tool, at, names, losses)?),
            SentTool::Own(opaque) => entries.push(opaque.json.clone()),
        }
    }
    if !declarations.is_empty() {
        entries.push(format!(r#"{{"functionDeclarations":[{declarations}]}}"#));
    }
    Ok(entries)
}

fn function(
    target: Target<'_>,
    tool: &FunctionTool,
    at: usize,
    names: &mut Names,
    losses: &mut Losses,
) -> Result<String, Error> {
    let place = format!("tools[{at}]");
    let origin = Origin::of(&tool.extensions, OLD_SCHEMA);
    let old = target.old_schemas || origin.old;
    let parameters = match tool.parameters.as_deref().filter(|schema| !(old && is_empty(schema))) {
        Some(schema) if old => Some(schema::lower(schema, &format!("{place}.parameters"), origin, losses)?),
        Some(schema) => Some(schema.to_owned()),
        None => None,
    };
    losses.dropped_if(tool.strict == Some(true), &format!("{place}.strict"), "there is no place for it");
    losses.dropped_if(tool.cache.is_some(), &format!("{place}.cache_control"), "prompts are cached by their content");
    losses.foreign(&format!("{place}."), &tool.extensions, FORMAT);
    let mut out = String::new();
    object(&mut out, |o| {
        o.str("name", &names.send(&tool.name));
        o.opt_str("description", tool.description.as_deref());
        o.opt_raw(if old { "parameters" } else { "parametersJsonSchema" }, parameters.as_deref());
        write::members(o, &tool.extensions, "");
    });
    Ok(out)
}

/// Whether a schema has no content; the older member refuses an object without properties.
fn is_empty(schema: &str) -> bool {
    let Ok(read) = parse::<Unnamed<'_>>(schema) else { return false };
    read.rest.0.iter().all(|(key, raw)| match &**key {
        "type" => raw.get().eq_ignore_ascii_case("\"object\""),
        "properties" => parse::<Unnamed<'_>>(raw.get()).is_ok_and(|properties| properties.rest.0.is_empty()),
        "required" => parse::<Vec<&RawValue>>(raw.get()).is_ok_and(|names| names.is_empty()),
        "additionalProperties" => raw.get() == "false",
        key => key == "$schema",
    })
}

/// The settings for calls.
#[derive(Debug, PartialEq)]
pub(super) struct Choice {
    mode: &'static str,
    allowed: Vec<String>,
}

/// Whether a request declares functions.
pub(super) fn are_declared(request: &ChatRequest) -> bool {
    request.tools.iter().any(|tool| matches!(tool, Tool::Function(_)))
}

/// Decides on calls. Without functions the service refuses every choice, and only a required call is lost. The
/// service's validated mode allows only some functions without requiring a call.
pub(super) fn choice(request: &ChatRequest, names: &mut Names, losses: &mut Losses) -> Option<Choice> {
    let all = |mode| Some(Choice { mode, allowed: Vec::new() });
    let wanted = request.tool_choice.as_ref()?;
    if !are_declared(request) {
        losses.dropped_if(is_forced(wanted), "tool_choice", "there are no functions to call");
        return None;
    }
    match wanted {
        ToolChoice::Automatic => all("AUTO"),
        ToolChoice::Disabled => all("NONE"),
        ToolChoice::Required => all("ANY"),
        ToolChoice::Named(name) => Some(Choice { mode: "ANY", allowed: vec![names.send(name).into_owned()] }),
        ToolChoice::Allowed(some) => Some(Choice {
            mode: if some.required { "ANY" } else { "VALIDATED" },
            allowed: some.names.iter().map(|name| names.send(name).into_owned()).collect(),
        }),
        ToolChoice::Opaque(_) => {
            losses.dropped("tool_choice", "it belongs to another format");
            None
        }
    }
}

/// Writes `toolConfig`, with further members of a client of this format.
pub(super) fn write_choice(o: &mut Object<'_>, choice: Option<&Choice>, request: &ChatRequest) {
    const CALLING: &str = "toolConfig.functionCallingConfig.";
    let own = || request.extensions.iter().filter(|own| own.format == FORMAT && own.json != "null");
    let inner = || own().filter_map(|own| Some((own.key.strip_prefix(CALLING)?, own.json.as_str())));
    let outer = || {
        own()
            .filter_map(|own| Some((own.key.strip_prefix("toolConfig.")?, own.json.as_str())))
            .filter(|(key, _)| !key.contains('.'))
    };
    let calling = are_declared(request) && (choice.is_some() || inner().next().is_some());
    if !calling && outer().next().is_none() {
        return;
    }
    o.object("toolConfig", |o| {
        if calling {
            o.object("functionCallingConfig", |o| {
                let named = inner().any(|(key, _)| key == "mode");
                if let Some(choice) = choice {
                    o.opt_str("mode", Some(choice.mode).filter(|_| !named));
                    if !choice.allowed.is_empty() {
                        o.raw("allowedFunctionNames", &config::names(&choice.allowed));
                    }
                }
                inner().for_each(|(key, json)| o.raw(key, json));
            });
        }
        outer().for_each(|(key, json)| o.raw(key, json));
    });
}

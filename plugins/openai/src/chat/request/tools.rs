//! Parses tools, legacy functions, and the choice between them.

use weir_sdk::adapter::Result;
use weir_sdk::compat::custom;
use weir_sdk::compat::wire::{FORMAT, rest_json};
use weir_sdk::json::{self, RawValue, Rest, Str};
use weir_sdk::losses::{Losses, extensions};
use weir_sdk::types::{AllowedTools, CacheHint, Error, Extension, FunctionTool, Opaque, Tool, ToolChoice};

/// Parses the tools, and the choice between them.
pub(super) fn read(wire: &mut super::Request<'_>, losses: &mut Losses) -> Result<(Vec<Tool>, Option<ToolChoice>)> {
    let mut tools = Vec::new();
    for (at, raw) in wire.tools.take().unwrap_or_default().0.into_iter().enumerate() {
        tools.push(tool(raw).map_err(|error| error.at(format!("tools[{at}]")))?);
    }
    let mut choice = wire.tool_choice.map(tool_choice).transpose()?;
    if let Some(functions) = &wire.functions {
        losses.approximated("functions", "sent as tools");
        for (at, raw) in functions.0.iter().enumerate() {
            let function = members(raw).and_then(|function| function_tool(function, Rest::default()));
            tools.push(Tool::Function(function.map_err(|error| error.at(format!("functions[{at}]")))?));
        }
        choice = wire.function_call.map(function_choice).transpose()?.or(choice);
    }
    Ok((tools, choice))
}

fn members(raw: &RawValue) -> Result<Rest<'_>> {
    Rest::parse(raw.get()).map_err(|error| Error::invalid(format!("not readable: {error}")))
}

fn tool(raw: &RawValue) -> Result<Tool> {
    let mut wire = members(raw)?;
    let kind = wire.str("type").map_or_else(|| "function".to_owned(), Str::into_string);
    if kind == custom::KIND
        && let Some(function) = wire.object(custom::KIND).and_then(|members| custom::lowered(FORMAT, members))
    {
        return Ok(Tool::Function(function));
    }
    if kind != "function" {
        return Ok(Tool::Opaque(Opaque { format: FORMAT.to_owned(), kind, json: raw.get().to_owned() }));
    }
    let function = wire.object("function").ok_or_else(|| Error::invalid("a function tool has no `function`"))?;
    function_tool(function, wire).map(Tool::Function)
}

/// A function, and the members around it.
fn function_tool(mut function: Rest<'_>, mut around: Rest<'_>) -> Result<FunctionTool> {
    let name = function.str("name").ok_or_else(|| Error::invalid("a function has no name"))?;
    let cache = around.object("cache_control").map(|mut hint| CacheHint { ttl: hint.str("ttl").map(Str::into_string) });
    let mut tool = FunctionTool {
        name: name.into_string(),
        description: function.str("description").map(Str::into_string),
        parameters: function.value("parameters").map(|raw| raw.get().to_owned()),
        strict: function.bool("strict"),
        cache,
        extensions: extensions(FORMAT, around),
    };
    function.0.retain(|(_, value)| value.get() != "null");
    if !function.0.is_empty() {
        let json = rest_json(&function);
        tool.extensions.push(Extension { format: FORMAT.to_owned(), key: "function".to_owned(), json });
    }
    Ok(tool)
}

fn tool_choice(raw: &RawValue) -> Result<ToolChoice> {
    let opaque = |kind: &str| {
        let json = raw.get().to_owned();
        ToolChoice::Opaque(Opaque { format: FORMAT.to_owned(), kind: kind.to_owned(), json })
    };
    if let Some(word) = json::text(raw) {
        return Ok(match &*word {
            "auto" => ToolChoice::Automatic,
            "none" => ToolChoice::Disabled,
            "required" | "any" => ToolChoice::Required,
            other => opaque(other),
        });
    }
    let mut choice = members(raw).map_err(|error| error.at("tool_choice"))?;
    let kind = choice.str("type").map(Str::into_string).unwrap_or_default();
    if let Some(mut allowed) = choice.object("allowed_tools") {
        let tools = allowed.list("tools").unwrap_or_default();
        let names: Option<Vec<String>> = tools.iter().map(|tool| name(Rest::parse(tool.get()).ok()?)).collect();
        let required = allowed.str("mode").as_deref() == Some("required");
        let known = names.map(|names| ToolChoice::Allowed(AllowedTools { names, required }));
        return Ok(known.unwrap_or_else(|| opaque(&kind)));
    }
    Ok(name(choice).map_or_else(|| opaque(&kind), ToolChoice::Named))
}

/// The name of the chosen function or custom tool.
fn name(mut choice: Rest<'_>) -> Option<String> {
    let mut tool = choice.object("function").or_else(|| choice.object("custom"))?;
    tool.str("name").map(Str::into_string)
}

/// Parses `function_call`: a word, or a function by its name.
fn function_choice(raw: &RawValue) -> Result<ToolChoice> {
    if raw.get().starts_with('"') {
        return tool_choice(raw);
    }
    let name = members(raw).ok().and_then(|mut function| function.str("name"));
    let name = name.ok_or_else(|| Error::invalid("it names no function").at("function_call"))?;
    Ok(ToolChoice::Named(name.into_string()))
}

//! Tools, legacy functions, and which of them may be called.

use weir_sdk::adapter::Result;
use weir_sdk::compat::content::cache_hint;
use weir_sdk::compat::wire::{CacheControl, FORMAT, rest_json};
use weir_sdk::json::{self, RawValue, Rest, Seq, Str};
use weir_sdk::ledger::{Ledger, extensions};
use weir_sdk::types::{AllowedTools, Error, Extension, FunctionTool, Opaque, Tool, ToolChoice};
use weir_sdk::wire;

wire! {
    /// An entry of `tools`.
    struct ToolWire<'a> {
        "type" => kind: Str<'a>,
        "function" => function: FunctionWire<'a>,
        "cache_control" => cache_control: CacheControl<'a>,
    }

    /// A function.
    struct FunctionWire<'a> {
        "name" => name: Str<'a>,
        "description" => description: Str<'a>,
        "parameters" => parameters: &'a RawValue,
        "strict" => strict: bool,
    }

    /// `tool_choice` as an object.
    struct Choice<'a> {
        "type" => kind: Str<'a>,
        "function" => function: Name<'a>,
        "custom" => custom: Name<'a>,
        "allowed_tools" => allowed: Allowed<'a>,
    }

    /// A tool by its name.
    struct Name<'a> {
        "name" => name: Str<'a>,
    }

    /// `allowed_tools`.
    struct Allowed<'a> {
        "mode" => mode: Str<'a>,
        "tools" => tools: Seq<Choice<'a>>,
    }
}

/// Reads the tools, and what may be called of them.
pub(super) fn read(wire: &mut super::Request<'_>, ledger: &mut Ledger) -> Result<(Vec<Tool>, Option<ToolChoice>)> {
    let mut tools = Vec::new();
    for (at, raw) in wire.tools.take().unwrap_or_default().0.into_iter().enumerate() {
        tools.push(tool(raw).map_err(|error| error.at(format!("tools[{at}]")))?);
    }
    let mut choice = wire.tool_choice.map(tool_choice).transpose()?;
    if let Some(functions) = &wire.functions {
        ledger.approximated("functions", "sent as tools");
        for (at, raw) in functions.0.iter().enumerate() {
            let function = json::parse(raw.get()).map_err(|error| unreadable(&error));
            let function = function.and_then(|wire| function_tool(wire, None, Rest::default()));
            tools.push(Tool::Function(function.map_err(|error| error.at(format!("functions[{at}]")))?));
        }
        choice = wire.function_call.map(function_choice).transpose()?.or(choice);
    }
    Ok((tools, choice))
}

fn unreadable(error: &dyn std::fmt::Display) -> Error {
    Error::invalid(format!("not readable: {error}"))
}

fn tool(raw: &RawValue) -> Result<Tool> {
    let wire: ToolWire<'_> = json::parse(raw.get()).map_err(|error| unreadable(&error))?;
    match (wire.kind.as_deref(), wire.function) {
        (Some("function") | None, Some(function)) => {
            function_tool(function, wire.cache_control, wire.rest).map(Tool::Function)
        }
        (Some("function"), None) => Err(Error::invalid("a function tool has no `function`")),
        (kind, _) => {
            let kind = kind.unwrap_or_default().to_owned();
            Ok(Tool::Opaque(Opaque { format: FORMAT.to_owned(), kind, json: raw.get().to_owned() }))
        }
    }
}

fn function_tool(wire: FunctionWire<'_>, cache: Option<CacheControl<'_>>, rest: Rest<'_>) -> Result<FunctionTool> {
    let name = wire.name.ok_or_else(|| Error::invalid("a function has no name"))?;
    let cache = cache_hint(cache, &rest);
    let mut kept = extensions(FORMAT, rest);
    if !wire.rest.0.is_empty() {
        let json = rest_json(&wire.rest);
        kept.push(Extension { format: FORMAT.to_owned(), key: "function".to_owned(), json });
    }
    Ok(FunctionTool {
        name: name.into_string(),
        description: wire.description.map(Str::into_string),
        parameters: wire.parameters.map(|raw| raw.get().to_owned()),
        strict: wire.strict,
        cache,
        extensions: kept,
    })
}

fn tool_choice(raw: &RawValue) -> Result<ToolChoice> {
    let opaque = |kind: &str| Opaque { format: FORMAT.to_owned(), kind: kind.to_owned(), json: raw.get().to_owned() };
    let bad = |error| unreadable(&error).at("tool_choice");
    if raw.get().starts_with('"') {
        let word: Str<'_> = json::parse(raw.get()).map_err(bad)?;
        return Ok(match &*word {
            "auto" => ToolChoice::Automatic,
            "none" => ToolChoice::Disabled,
            "required" | "any" => ToolChoice::Required,
            other => ToolChoice::Opaque(opaque(other)),
        });
    }
    let choice: Choice<'_> = json::parse(raw.get()).map_err(bad)?;
    let kind = choice.kind.as_deref().unwrap_or_default().to_owned();
    let named = |choice: Choice<'_>| choice.function.or(choice.custom).and_then(|tool| tool.name).map(Str::into_string);
    let allowed = choice.allowed.clone();
    if let (Some(allowed), "allowed_tools") = (allowed, kind.as_str()) {
        let tools = allowed.tools.unwrap_or_default().0;
        let names: Option<Vec<String>> = tools.into_iter().map(named).collect();
        let required = allowed.mode.as_deref() == Some("required");
        return Ok(names.map_or_else(
            || ToolChoice::Opaque(opaque("allowed_tools")),
            |names| ToolChoice::Allowed(AllowedTools { names, required }),
        ));
    }
    Ok(named(choice).map_or_else(|| ToolChoice::Opaque(opaque(&kind)), ToolChoice::Named))
}

/// `function_call`: a word, or a function by its name.
fn function_choice(raw: &RawValue) -> Result<ToolChoice> {
    if raw.get().starts_with('"') {
        return tool_choice(raw);
    }
    let function: Name<'_> = json::parse(raw.get()).map_err(|error| unreadable(&error).at("function_call"))?;
    let name = function.name.ok_or_else(|| Error::invalid("`function_call` names no function").at("function_call"))?;
    Ok(ToolChoice::Named(name.into_string()))
}

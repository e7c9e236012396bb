//! Parses the tools and the choice between them.

use weir_sdk::json::{RawValue, Str, object};
use weir_sdk::losses::Losses;
use weir_sdk::types::{Error, FunctionTool, Opaque, Tool, ToolChoice};

use crate::FORMAT;
use crate::read::{hint, member};
use crate::wire::{self, extensions};
use crate::write::cache_point;

/// Parses `toolConfig`.
pub(super) fn read(config: Option<wire::ToolConfig<'_>>) -> Result<(Vec<Tool>, Option<ToolChoice>), Error> {
    let Some(config) = config else { return Ok((Vec::new(), None)) };
    let mut tools = Vec::new();
    for (at, tool) in config.tools.unwrap_or_default().0.into_iter().enumerate() {
        one(tool, at, &mut tools)?;
    }
    Ok((tools, config.choice.map(choice).transpose()?))
}

fn one(tool: wire::Tool<'_>, at: usize, tools: &mut Vec<Tool>) -> Result<(), Error> {
    if let Some(spec) = tool.spec {
        tools.push(Tool::Function(function(spec, at)?));
    } else if let Some(point) = tool.cache_point {
        // A cache point after a function belongs to that function; other tools have no place for one.
        if let Some(Tool::Function(function)) = tools.last_mut() {
            function.cache = Some(hint(point));
        } else {
            let mut item = String::new();
            cache_point(&mut item, &hint(point), true, &mut Losses::default(), "");
            tools.push(Tool::Opaque(Opaque { format: FORMAT.into(), kind: "cachePoint".into(), json: item }));
        }
    } else {
        let known = tool.rest.0.iter().find(|(_, raw)| raw.get() != "null");
        let place = format!("toolConfig.tools[{at}]");
        let (kind, raw) = known.ok_or_else(|| Error::invalid(format!("{place} is empty")).at(&*place))?;
        tools.push(Tool::Opaque(opaque(kind, raw.get())));
    }
    Ok(())
}

fn opaque(member: &str, json: &str) -> Opaque {
    let mut whole = String::new();
    object(&mut whole, |o| o.raw(member, json));
    Opaque { format: FORMAT.into(), kind: member.to_owned(), json: whole }
}

fn function(spec: wire::ToolSpec<'_>, at: usize) -> Result<FunctionTool, Error> {
    let place = format!("toolConfig.tools[{at}].toolSpec.name");
    let name = spec.name.ok_or_else(|| Error::invalid(format!("{place} is missing")).at(&*place))?;
    Ok(FunctionTool {
        name: name.into_string(),
        description: spec.description.map(Str::into_string),
        parameters: spec.schema.and_then(|schema| schema.json).map(|raw| raw.get().to_owned()),
        strict: spec.strict,
        cache: None,
        extensions: extensions("", spec.rest),
    })
}

fn choice(raw: &RawValue) -> Result<ToolChoice, Error> {
    let read: wire::Choice<'_> = member("toolConfig.toolChoice", raw)?;
    Ok(if let Some(name) = read.tool.and_then(|tool| tool.name) {
        ToolChoice::Named(name.into_string())
    } else if read.any.is_some() {
        ToolChoice::Required
    } else if read.auto.is_some() {
        ToolChoice::Automatic
    } else {
        ToolChoice::Opaque(Opaque { format: FORMAT.into(), kind: "toolChoice".into(), json: raw.get().to_owned() })
    })
}

//! Parses tool calls and their results.

use weir_sdk::json::{RawValue, object, quote};
use weir_sdk::types::{Error, Part, ResultPart, ToolCall, ToolResult};

use super::{member, opaque, result_part, within};
use crate::wire::{self, Block, extensions, own};

/// The kind of a call for the client, if a model names it at all.
const PLAIN: &str = "tool_use";

/// A call; one of a tool that the service runs itself becomes an opaque part.
pub(super) fn call(read: wire::ToolUse<'_>) -> Result<Part, Error> {
    let required = |name: &str| Error::invalid(format!("{name} is missing")).at(format!("toolUse.{name}"));
    let id = read.id.ok_or_else(|| required("toolUseId"))?;
    let name = read.name.ok_or_else(|| required("name"))?;
    let input = read.input.map_or("{}", RawValue::get);
    if let Some(kind) = read.kind.filter(|kind| &**kind != PLAIN) {
        let mut json = String::new();
        object(&mut json, |o| {
            o.str("toolUseId", &id);
            o.str("name", &name);
            o.raw("input", input);
            o.str("type", &kind);
            read.rest.0.iter().for_each(|(key, raw)| o.raw(key, raw.get()));
        });
        return Ok(Part::Opaque(opaque("toolUse", &json)));
    }
    Ok(Part::ToolCall(ToolCall { extensions: extensions("", read.rest), ..ToolCall::new(id, name, input) }))
}

pub(super) fn result(raw: &RawValue) -> Result<ToolResult, Error> {
    let read: wire::ToolResult<'_> = member("toolResult", raw)?;
    let id = read.id.ok_or_else(|| Error::invalid("toolUseId is missing").at("toolResult.toolUseId"))?;
    let mut result = ToolResult::new(id);
    result.content = content(read.content.unwrap_or_default().0)?;
    result.extensions = extensions("", read.rest);
    match read.status.as_deref() {
        Some("error") => result.is_error = Some(true),
        Some("success") => result.is_error = Some(false),
        Some(other) => {
            let mut json = String::new();
            quote(&mut json, other);
            result.extensions.push(own("status", json));
        }
        None => {}
    }
    Ok(result)
}

fn content(blocks: Vec<Block<'_>>) -> Result<Vec<ResultPart>, Error> {
    let read = |(at, block)| result_part(block).map_err(|error| within(error, &format!("toolResult.content[{at}]")));
    blocks.into_iter().enumerate().map(read).collect()
}

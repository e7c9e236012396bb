//! Parses the tools and the choice between them.

use weir_sdk::json::{RawValue, Str, object, parse};
use weir_sdk::types::{AllowedTools, ChatRequest, Error, FunctionTool, Opaque, Tool, ToolChoice};

use super::request::within;
use crate::provider::tools::OLD_SCHEMA;
use crate::wire::{self, Many, camel, extensions, own};
use crate::{FORMAT, schema};

/// Modes of calling, in the order of their numbers.
const MODES: [&str; 5] = ["MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"];

/// The member with an entry's functions.
const FUNCTIONS: &str = "functionDeclarations";

/// Whether all functions are in the first entry.
pub(super) fn are_in_first(entries: &[wire::Unnamed<'_>]) -> bool {
    let has_functions = |entry: &wire::Unnamed<'_>| entry.rest.0.iter().any(|(key, _)| camel(key) == FUNCTIONS);
    entries.iter().position(has_functions) == Some(0)
        && entries.iter().filter(|entry| has_functions(entry)).count() == 1
}

/// Parses the entries: functions, and the service's own tools under the names of their members.
pub(super) fn read(entries: Vec<wire::Unnamed<'_>>) -> Result<Vec<Tool>, Error> {
    let mut tools = Vec::new();
    for (at, entry) in entries.into_iter().enumerate() {
        for (key, raw) in entry.rest.0 {
            let key = camel(&key);
            if raw.get() == "null" {
                continue;
            }
            if key == FUNCTIONS {
                functions(raw, &mut tools).map_err(|error| within(error, &format!("tools[{at}]")))?;
            } else {
                tools.push(Tool::Opaque(hosted(key, raw)));
            }
        }
    }
    Ok(tools)
}

fn hosted(kind: String, raw: &RawValue) -> Opaque {
    let mut json = String::new();
    object(&mut json, |o| o.raw(&kind, raw.get()));
    Opaque { format: FORMAT.into(), kind, json }
}

fn functions(raw: &RawValue, tools: &mut Vec<Tool>) -> Result<(), Error> {
    let declarations: Many<wire::FunctionDeclaration<'_>> = parse(raw.get())
        .map_err(|error| Error::invalid(format!("functionDeclarations: {error}")).at("functionDeclarations"))?;
    for wire in declarations.0 {
        let name = wire.name.ok_or_else(|| Error::invalid("functionDeclarations: a name is missing").at("name"))?;
        let mut own_members = extensions("", wire.rest);
        let parameters = match (wire.json_schema, wire.parameters) {
            (Some(schema), _) => Some(schema.get().to_owned()),
            (None, Some(schema)) => {
                let (json, origin) = schema::raise(schema);
                own_members.extend(origin.notes(OLD_SCHEMA));
                Some(json)
            }
            (None, None) => None,
        };
        tools.push(Tool::Function(FunctionTool {
            name: name.into_string(),
            description: wire.description.map(Str::into_string),
            parameters,
            strict: None,
            cache: None,
            extensions: own_members,
        }));
    }
    Ok(())
}

/// Parses `toolConfig`. Other formats have no validated mode, unless it comes with a choice of tools.
pub(super) fn read_config(config: wire::ToolConfig<'_>, chat: &mut ChatRequest) {
    chat.extensions.extend(extensions("toolConfig.", config.rest));
    let Some(calling) = config.calling else { return };
    chat.extensions.extend(extensions("toolConfig.functionCallingConfig.", calling.rest));
    let mut names: Vec<String> = calling.allowed.unwrap_or_default().into_iter().map(Str::into_string).collect();
    let chooses = calling.mode.is_some() || !names.is_empty();
    // The service takes its words in small letters too, as some clients write them.
    let mode = calling.mode.as_ref().map_or("AUTO", |word| word.name(&MODES)).to_ascii_uppercase();
    let choice = match (mode.as_str(), names.len()) {
        ("NONE", _) => ToolChoice::Disabled,
        ("ANY", 0) => ToolChoice::Required,
        ("ANY", 1) => ToolChoice::Named(names.remove(0)),
        ("ANY", _) => ToolChoice::Allowed(AllowedTools { names, required: true }),
        ("AUTO" | "VALIDATED", 1..) => ToolChoice::Allowed(AllowedTools { names, required: false }),
        ("VALIDATED", 0) => {
            chat.extensions.push(own("toolConfig.functionCallingConfig.mode", "\"VALIDATED\""));
            ToolChoice::Automatic
        }
        _ => ToolChoice::Automatic,
    };
    chat.tool_choice = chooses.then_some(choice);
}

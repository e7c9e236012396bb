//! Writes the tools and which of them must be called.

use weir_sdk::json::{Object, Rest, object};
use weir_sdk::losses::Losses;
use weir_sdk::names::Names;
use weir_sdk::schema::of_arguments;
use weir_sdk::tools::{self, SentTool};
use weir_sdk::types::{ChatRequest, Error, FunctionTool, ToolChoice};

use crate::FORMAT;
use crate::write::extensions;

/// The rendered tools.
#[derive(Debug)]
pub(super) struct Tools {
    list: Vec<String>,
    strict: Option<bool>,
    choice: Option<&'static str>,
}

impl Tools {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn write(&self, o: &mut Object<'_>) {
        if self.list.is_empty() {
            return;
        }
        o.array("tools", |a| self.list.iter().for_each(|tool| a.raw(tool)));
        o.opt_bool("strict_tools", self.strict);
        o.opt_str("tool_choice", self.choice);
    }
}

/// Renders the tools. If only some are allowed, the others are left out, since the format cannot express that choice.
pub(super) fn write(request: &ChatRequest, names: &mut Names, losses: &mut Losses) -> Result<Tools, Error> {
    let (choice, only) = choice(request, losses);
    let mut list = Vec::with_capacity(request.tools.len());
    let mut functions = Vec::with_capacity(request.tools.len());
    for (at, tool) in tools::sent(request, only, FORMAT)? {
        match tool {
            SentTool::Function(tool) => {
                list.push(function(tool, at, names, losses));
                functions.push(tool);
            }
            SentTool::Own(opaque) => list.push(opaque.json.clone()),
        }
    }
    losses.dropped_if(list.is_empty() && choice == Some("REQUIRED"), "tool_choice", "there are no tools");
    let alone = request.parallel_tool_calls == Some(false) && !list.is_empty();
    losses.dropped_if(alone, "parallel_tool_calls", "calls come together where the model likes");
    Ok(Tools { list, strict: strict(&functions, losses), choice })
}

/// Whether tools are strict: either all or none are, and strict ones need a required parameter.
fn strict(tools: &[&FunctionTool], losses: &mut Losses) -> Option<bool> {
    let wanted = tools.iter().filter(|tool| tool.strict == Some(true)).count();
    if wanted == 0 {
        return tools.first().and_then(|tool| tool.strict);
    }
    if wanted == tools.len() && tools.iter().all(|tool| requires_something(tool)) {
        return Some(true);
    }
    losses
        .dropped("tools[].strict", "only tools that all have required parameters can be strict, and only all of them");
    None
}

fn requires_something(tool: &FunctionTool) -> bool {
    let schema = tool.parameters.as_deref().and_then(|json| Rest::parse(json).ok());
    schema.and_then(|mut schema| schema.list("required")).is_some_and(|required| !required.is_empty())
}

fn function(tool: &FunctionTool, at: usize, names: &mut Names, losses: &mut Losses) -> String {
    let mut out = String::new();
    let hinted = tool.cache.is_some();
    losses.dropped_if(hinted, &format!("tools[{at}].cache_control"), "prompts are cached by their content");
    object(&mut out, |o| {
        o.str("type", "function");
        o.object("function", |o| {
            o.str("name", &names.send(&tool.name));
            o.opt_str("description", tool.description.as_deref());
            o.raw("parameters", &of_arguments(tool.parameters.as_deref()));
            extensions(o, &tool.extensions, losses, &format!("tools[{at}]."));
        });
    });
    out
}

/// The word for the choice, and the tools that are still allowed.
fn choice<'a>(request: &'a ChatRequest, losses: &mut Losses) -> (Option<&'static str>, Option<&'a [String]>) {
    const NARROWED: &str = "said by leaving out all other tools";
    match &request.tool_choice {
        None | Some(ToolChoice::Automatic) => (None, None),
        Some(ToolChoice::Disabled) => (Some("NONE"), None),
        Some(ToolChoice::Required) => (Some("REQUIRED"), None),
        Some(ToolChoice::Named(name)) => {
            losses.approximated("tool_choice", NARROWED);
            (Some("REQUIRED"), Some(std::slice::from_ref(name)))
        }
        Some(ToolChoice::Allowed(allowed)) => {
            losses.approximated("tool_choice", NARROWED);
            (allowed.required.then_some("REQUIRED"), Some(&allowed.names))
        }
        Some(ToolChoice::Opaque(_)) => {
            losses.dropped("tool_choice", "it belongs to another format");
            (None, None)
        }
    }
}

//! Renders the tools and the choice between them.

use weir_sdk::claude::StrictSchemas;
use weir_sdk::json::object;
use weir_sdk::losses::Losses;
use weir_sdk::names::Names;
use weir_sdk::schema::of_arguments;
use weir_sdk::tools::{self, SentTool, is_forced};
use weir_sdk::types::{ChatRequest, Error, FunctionTool, ToolChoice};

use super::schema;
use crate::model::{Choices, Model};
use crate::{FORMAT, write};

/// Renders the tools. If only some are allowed, the others are left out, since the format cannot express that choice;
/// nor can it express to all models which tool must be called.
pub(super) fn write(
    request: &ChatRequest,
    model: Model,
    strict: &mut StrictSchemas,
    names: &mut Names,
    losses: &mut Losses,
) -> Result<Vec<String>, Error> {
    let mut written = Vec::with_capacity(request.tools.len());
    let allowed = match &request.tool_choice {
        Some(ToolChoice::Named(name)) if model.features.choices == Choices::Any => Some(std::slice::from_ref(name)),
        _ => tools::allowed(request),
    };
    for (at, tool) in tools::sent(request, allowed, FORMAT)? {
        let tool = match tool {
            SentTool::Function(tool) => tool,
            SentTool::Own(opaque) => {
                written.push(opaque.json.clone());
                continue;
            }
        };
        let held = tool.strict == Some(true) && strict.admit(at, tool.parameters.as_deref(), losses);
        written.push(function(tool, at, held, model, names, losses));
        let field = format!("tools[{at}].cache_control");
        match &tool.cache {
            Some(hint) if model.caches_tools() => {
                let mut point = String::new();
                write::cache_point(&mut point, hint, model.caches_an_hour(), losses, &field);
                written.push(point);
            }
            Some(_) => losses.dropped(field, "the model's tools are not cached"),
            None => {}
        }
    }
    Ok(written)
}

fn function(
    tool: &FunctionTool,
    at: usize,
    strict: bool,
    model: Model,
    names: &mut Names,
    losses: &mut Losses,
) -> String {
    let mut out = String::new();
    let field = || format!("tools[{at}].parameters");
    object(&mut out, |o| {
        o.object("toolSpec", |o| {
            o.str("name", &names.send(&tool.name));
            o.opt_str("description", tool.description.as_deref().filter(|text| !text.is_empty()));
            let parameters = schema::arguments(tool.parameters.as_deref(), model, field, losses);
            o.object("inputSchema", |o| {
                if strict {
                    o.raw("json", &schema::strict(&parameters, model, &field(), losses));
                } else {
                    o.raw("json", &parameters);
                }
            });
            if strict {
                o.bool("strict", true);
            }
            tool.extensions.iter().for_each(|own| write::member(o, own));
        });
    });
    losses.foreign(&format!("tools[{at}]."), &tool.extensions, FORMAT);
    out
}

/// The names of the history's calls, as tools: the service refuses a history with calls but without tools (C-90).
pub(super) fn remembered(called: &[String], losses: &mut Losses) -> Vec<String> {
    losses.approximated("tools", "the history's calls stand for the tools that are not named");
    let any = ["unknown".to_owned()];
    let names = if called.is_empty() { &any[..] } else { called };
    let tool = |name: &String| {
        let mut out = String::new();
        object(&mut out, |o| {
            o.object("toolSpec", |o| {
                o.str("name", name);
                o.object("inputSchema", |o| o.raw("json", &of_arguments(None)));
            });
        });
        out
    };
    names.iter().map(tool).collect()
}

/// The settings for calls.
#[derive(Debug, Default)]
pub(super) struct Choice {
    /// The member `toolChoice`.
    pub(super) json: Option<String>,
    /// Whether the model must call a tool.
    pub(super) forced: bool,
    /// The model's own member `tool_choice`, which has more settings.
    pub(super) additional: Option<String>,
    /// Whether no tool may be called, so that none is sent.
    pub(super) hidden: bool,
}

/// The choices without members.
const AUTO: &str = r#"{"auto":{}}"#;
const ANY: &str = r#"{"any":{}}"#;

/// Decides on calls.
pub(super) fn choice(
    request: &ChatRequest,
    model: Model,
    has_history: bool,
    names: &mut Names,
    losses: &mut Losses,
) -> Choice {
    let (json, forced) = match &request.tool_choice {
        None => (None, false),
        Some(ToolChoice::Disabled) if has_history => {
            losses.dropped("tool_choice", "the tools of a history cannot be kept from the model");
            (None, false)
        }
        Some(ToolChoice::Disabled) => {
            losses.approximated("tool_choice", "the tools are left out, for there is no choice of none");
            return Choice { hidden: true, ..Choice::default() };
        }
        Some(ToolChoice::Opaque(opaque)) if opaque.format == FORMAT => (Some(opaque.json.clone()), false),
        Some(ToolChoice::Opaque(_)) => {
            losses.dropped("tool_choice", "it belongs to another format");
            (None, false)
        }
        Some(choice) => nearest(choice, model.features.choices, names, losses),
    };
    if request.parallel_tool_calls != Some(false) {
        return Choice { json, forced, ..Choice::default() };
    }
    // Claude's own member expresses it, but cannot be combined with a forced choice of the format's.
    if forced || !model.calls_one_by_one() {
        losses.dropped("parallel_tool_calls", "calls cannot be had one by one here");
        return Choice { json, forced, ..Choice::default() };
    }
    let additional = Some(r#"{"type":"auto","disable_parallel_tool_use":true}"#.to_owned());
    Choice { additional, ..Choice::default() }
}

/// The choice of calls that is nearest to the client's among those that the model takes, and whether the model must
/// then call a tool.
fn nearest(choice: &ToolChoice, takes: Choices, names: &mut Names, losses: &mut Losses) -> (Option<String>, bool) {
    if let (ToolChoice::Named(name), Choices::Named) = (choice, takes) {
        let mut json = String::new();
        object(&mut json, |o| o.object("tool", |o| o.str("name", &names.send(name))));
        return (Some(json), true);
    }
    let wanted = if is_forced(choice) { Choices::Any } else { Choices::Auto };
    let nearest = wanted.min(takes);
    if nearest < Choices::Any && is_forced(choice) {
        losses.approximated("tool_choice", "the model cannot be made to call a tool");
    } else if matches!(choice, ToolChoice::Named(_)) {
        losses.approximated("tool_choice", "a tool must be called, and the others are not sent");
    }
    let json = match nearest {
        Choices::None => None,
        Choices::Auto => Some(AUTO),
        Choices::Any | Choices::Named => Some(ANY),
    };
    (json.map(str::to_owned), nearest == Choices::Any)
}

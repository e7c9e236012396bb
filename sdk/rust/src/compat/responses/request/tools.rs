//! Tools, and the choice between them.

use super::Writer;
use crate::compat::responses::{FORMAT, noted, write_members};
use crate::compat::{custom, wire};
use crate::json::{Array, Object};
use crate::losses::extension;
use crate::tools;
use crate::types::{AllowedTools, ChatRequest, FunctionTool, Tool, ToolChoice};

impl Writer<'_> {
    pub(super) fn tools(&mut self, o: &mut Object<'_>, request: &ChatRequest) {
        // A stored prompt may have tools of its own.
        let prompted = extension(&request.extensions, FORMAT, "prompt").is_some();
        if request.tools.is_empty() && !prompted {
            return self.losses.dropped_if(tools::is_choice_lost(request), "tool_choice", "there are no tools");
        }
        if !request.tools.is_empty() {
            o.array("tools", |a| {
                for (at, tool) in request.tools.iter().enumerate() {
                    match tool {
                        Tool::Function(function) if custom::is_lowered(function) => {
                            a.object(|o| custom::write_flat(o, function));
                            self.losses.foreign(&format!("tools[{at}]."), &custom::others(function), FORMAT);
                        }
                        Tool::Function(function) => self.function(a, &format!("tools[{at}]."), function),
                        Tool::Opaque(opaque) if opaque.format == FORMAT => a.raw(&opaque.json),
                        Tool::Opaque(opaque) if opaque.format == wire::FORMAT && opaque.kind == custom::KIND => {
                            a.raw(&custom::flat(&opaque.json));
                        }
                        Tool::Opaque(_) => self.refuse(format!("tools[{at}]"), "this provider has no such tool"),
                    }
                }
            });
        }
        match &request.tool_choice {
            None => {}
            Some(ToolChoice::Automatic) => o.str("tool_choice", "auto"),
            Some(ToolChoice::Disabled) => o.str("tool_choice", "none"),
            Some(ToolChoice::Required) => o.str("tool_choice", "required"),
            Some(ToolChoice::Named(name)) => {
                let kind = if custom::is_custom(&request.tools, name) { "custom" } else { "function" };
                o.object("tool_choice", |o| {
                    o.str("type", kind);
                    o.str("name", name);
                });
            }
            Some(ToolChoice::Allowed(allowed)) => {
                o.object("tool_choice", |o| write_allowed(o, allowed, &request.tools));
            }
            Some(ToolChoice::Opaque(opaque)) if opaque.format == FORMAT => o.raw("tool_choice", &opaque.json),
            Some(ToolChoice::Opaque(_)) => self.losses.dropped("tool_choice", "it belongs to another format"),
        }
        o.opt_bool("parallel_tool_calls", request.parallel_tool_calls);
    }

    fn function(&mut self, a: &mut Array<'_>, field: &str, tool: &FunctionTool) {
        self.losses.dropped_if(
            tool.cache.is_some(),
            &format!("{field}cache_control"),
            "caching is the provider's own affair",
        );
        self.losses.foreign(field, &tool.extensions, FORMAT);
        a.object(|o| {
            o.str("type", "function");
            o.str("name", &tool.name);
            o.opt_str("description", tool.description.as_deref());
            o.raw("parameters", tool.parameters.as_deref().unwrap_or(r#"{"type":"object","properties":{}}"#));
            // An absent member means strict here, and not strict in chat.
            o.opt_bool("strict", tool.strict.or_else(|| noted(&tool.extensions, "lax").is_none().then_some(false)));
            write_members(o, &tool.extensions);
        });
    }
}

fn write_allowed(o: &mut Object<'_>, allowed: &AllowedTools, tools: &[Tool]) {
    o.str("type", "allowed_tools");
    o.str("mode", if allowed.required { "required" } else { "auto" });
    o.array("tools", |a| {
        for name in &allowed.names {
            a.object(|o| {
                o.str("type", if custom::is_custom(tools, name) { "custom" } else { "function" });
                o.str("name", name);
            });
        }
    });
}

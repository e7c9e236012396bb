//! Tools, and the choice between them.

use super::Writer;
use crate::compat::custom;
use crate::compat::wire::FORMAT;
use crate::json::{self, Array, Object};
use crate::losses::extension;
use crate::schema;
use crate::tools;
use crate::types::{AllowedTools, ChatRequest, FunctionTool, Tool, ToolChoice};

impl Writer<'_> {
    pub(super) fn tools(&mut self, o: &mut Object<'_>, request: &ChatRequest) {
        let narrowed = match &request.tool_choice {
            Some(ToolChoice::Allowed(allowed)) if !self.quirks.allowed_tools => Some(allowed),
            _ => None,
        };
        if !request.tools.is_empty() && !self.quirks.tools {
            return self.refuse("tools".to_owned(), "this provider has no tools");
        }
        let hidden =
            |tool: &Tool| matches!((tool, narrowed), (Tool::Function(it), Some(a)) if !a.names.contains(&it.name));
        if request.tools.is_empty() && self.quirks.choice_alone {
            return self.tool_choice(o, request, narrowed);
        }
        if request.tools.iter().all(hidden) {
            return self.losses.dropped_if(tools::is_choice_lost(request), "tool_choice", "there are no tools");
        }
        o.array("tools", |a| {
            for (at, tool) in request.tools.iter().enumerate().filter(|(_, tool)| !hidden(tool)) {
                match tool {
                    Tool::Function(function) if self.takes_custom() && custom::is_lowered(function) => {
                        a.object(|o| custom::write_nested(o, function));
                        self.losses.foreign(&format!("tools[{at}]."), &custom::others(function), FORMAT);
                    }
                    Tool::Function(function) => self.function(a, &format!("tools[{at}]"), function),
                    Tool::Opaque(opaque) if opaque.format == FORMAT && self.quirks.takes_tool(&opaque.kind) => {
                        a.raw(&opaque.json);
                    }
                    Tool::Opaque(_) => self.refuse(format!("tools[{at}]"), "this provider has no such tool"),
                }
            }
        });
        self.tool_choice(o, request, narrowed);
        self.bool(o, "parallel_tool_calls", request.parallel_tool_calls);
    }

    /// Whether the provider takes tools for free text; others get a function in their place.
    pub(super) fn takes_custom(&self) -> bool {
        self.quirks.takes_tool(custom::KIND)
    }

    /// The type of the tool of this name.
    fn kind(&self, tools: &[Tool], name: &str) -> &'static str {
        if self.takes_custom() && custom::is_custom(tools, name) { "custom" } else { "function" }
    }

    fn function(&mut self, a: &mut Array<'_>, field: &str, tool: &FunctionTool) {
        let none = self.quirks.needs_parameters.then(|| schema::of_arguments(None));
        let parameters = tool.parameters.as_deref().or(none.as_deref());
        a.object(|o| {
            o.str("type", "function");
            o.object("function", |o| {
                o.str("name", &tool.name);
                o.opt_str("description", tool.description.as_deref());
                o.opt_raw("parameters", parameters);
                o.opt_bool("strict", tool.strict);
                let inner = extension(&tool.extensions, FORMAT, "function");
                if let Some(inner) = inner.and_then(|json| json.trim().strip_prefix('{')?.strip_suffix('}')) {
                    o.members(inner);
                }
            });
            self.cache(o, field, tool.cache.as_ref(), &tool.extensions);
            // A function that stands for a tool for free text only describes its grammar.
            let shape = custom::is_lowered(tool) && extension(&tool.extensions, FORMAT, custom::SHAPE).is_some();
            self.losses.dropped_if(shape, &format!("{field}.{}", custom::SHAPE), "functions have no such member");
            let skipped = if shape { &["function", custom::SHAPE][..] } else { &["function"] };
            self.extensions(o, &format!("{field}."), &tool.extensions, skipped);
        });
    }

    fn tool_choice(&mut self, o: &mut Object<'_>, request: &ChatRequest, narrowed: Option<&AllowedTools>) {
        let word = match (&request.tool_choice, narrowed) {
            (None, _) => return,
            (Some(ToolChoice::Opaque(opaque)), _) if opaque.format != FORMAT => {
                return self.losses.dropped("tool_choice", "it belongs to another format");
            }
            (_, Some(allowed)) => {
                self.losses.approximated("tool_choice", "the list of tools is narrowed instead");
                if allowed.required { self.quirks.tool_required } else { "auto" }
            }
            (Some(ToolChoice::Automatic), _) => "auto",
            (Some(ToolChoice::Disabled), _) => "none",
            (Some(ToolChoice::Required), _) => self.quirks.tool_required,
            (Some(ToolChoice::Named(_) | ToolChoice::Allowed(_) | ToolChoice::Opaque(_)), _) => "",
        };
        let Some(place) = self.place(o, "tool_choice", true) else { return };
        match &request.tool_choice {
            _ if !word.is_empty() => json::quote(place, word),
            Some(ToolChoice::Named(name)) => {
                let kind = self.kind(&request.tools, name);
                json::object(place, |o| {
                    o.str("type", kind);
                    o.object(kind, |o| o.str("name", name));
                });
            }
            Some(ToolChoice::Allowed(allowed)) => {
                let kind = |name: &str| self.kind(&request.tools, name);
                write_allowed(place, allowed, kind);
            }
            Some(ToolChoice::Opaque(opaque)) => place.push_str(&opaque.json),
            _ => place.push_str("\"auto\""),
        }
    }
}

fn write_allowed(place: &mut String, allowed: &AllowedTools, kind: impl Fn(&str) -> &'static str) {
    json::object(place, |o| {
        o.str("type", "allowed_tools");
        o.object("allowed_tools", |o| {
            o.str("mode", if allowed.required { "required" } else { "auto" });
            o.array("tools", |a| {
                for name in &allowed.names {
                    let kind = kind(name);
                    a.object(|o| {
                        o.str("type", kind);
                        o.object(kind, |o| o.str("name", name));
                    });
                }
            });
        });
    });
}

//! Tools and their calls. Arguments are a JSON object here (C-10), and its text in other formats.

use weir_sdk::calls::write_arguments;
use weir_sdk::json::{Object, RawValue, Str, object, parse, text};
use weir_sdk::losses::{Losses, extensions};
use weir_sdk::types::{
    ChatRequest, Error, Extension, FunctionTool, Opaque, Tool, ToolCall, ToolChoice, ToolKind, ToolStart,
};

use crate::{CHAT, is_own, wire};

/// The prefix of a member's name if the member is within `function`.
const FUNCTION: &str = "function.";
/// The loss's text for a choice between tools that becomes a shorter list of them.
const NARROWED: &str = "only what may be called is offered; the model may do without";
/// Key of the note on a call or a result that came without an id.
pub(crate) const NO_ID: &str = "id";

/// Parses a tool.
pub(crate) fn read(raw: &RawValue, at: usize) -> Result<Tool, Error> {
    let wire: wire::Tool<'_> =
        parse(raw.get()).map_err(|error| Error::invalid(format!("tools[{at}]: {error}")).at(format!("tools[{at}]")))?;
    let Some(function) = wire.function.filter(|_| wire.kind.as_deref().is_none_or(|kind| kind == "function")) else {
        let kind = wire.kind.map(Str::into_string).unwrap_or_default();
        return Ok(Tool::Opaque(Opaque { format: CHAT.into(), kind, json: raw.get().to_owned() }));
    };
    let missing = || Error::invalid(format!("tools[{at}].function.name is missing")).at(format!("tools[{at}]"));
    let mut own_members = extensions(CHAT, wire.rest);
    own_members.extend(within(FUNCTION, function.rest));
    Ok(Tool::Function(FunctionTool {
        name: function.name.ok_or_else(missing)?.into_string(),
        description: function.description.map(Str::into_string),
        parameters: function.parameters.map(|raw| raw.get().to_owned()),
        strict: function.strict,
        cache: None,
        extensions: own_members,
    }))
}

/// Extensions from an object within another.
pub(crate) fn within(prefix: &str, rest: weir_sdk::json::Rest<'_>) -> Vec<Extension> {
    let mut inner = extensions(CHAT, rest);
    for extension in &mut inner {
        extension.key.insert_str(0, prefix);
    }
    inner
}

/// Writes `tools`. There is no choice between them here: those that may not be called are left out, and a required call
/// is lost.
pub(crate) fn write(o: &mut Object<'_>, request: &ChatRequest, losses: &mut Losses) -> Result<(), Error> {
    let offered = offered(request, losses);
    let mut out = Vec::with_capacity(offered.len());
    for (at, tool) in offered {
        match tool {
            Tool::Function(tool) => out.push(function(tool, at, losses)),
            Tool::Opaque(opaque) if opaque.format == CHAT => out.push(opaque.json.clone()),
            Tool::Opaque(opaque) => {
                let message = format!("the tool `{}` cannot be expressed in this format", opaque.kind);
                return Err(Error::unsupported(format!("tools[{at}]"), message));
            }
        }
    }
    if !out.is_empty() {
        o.array("tools", |a| out.iter().for_each(|tool| a.raw(tool)));
    }
    let single = request.parallel_tool_calls == Some(false) && !out.is_empty();
    losses.dropped_if(single, "parallel_tool_calls", "the model decides how many calls it makes");
    Ok(())
}

fn offered<'a>(request: &'a ChatRequest, losses: &mut Losses) -> Vec<(usize, &'a Tool)> {
    let all = || request.tools.iter().enumerate();
    let named = |names: &[String]| {
        all().filter(|(_, tool)| matches!(tool, Tool::Function(tool) if names.contains(&tool.name))).collect()
    };
    match &request.tool_choice {
        None | Some(ToolChoice::Automatic) => {}
        Some(ToolChoice::Disabled) => return Vec::new(),
        Some(ToolChoice::Required) => losses.dropped("tool_choice", "the model may do without a call"),
        Some(ToolChoice::Named(name)) => {
            losses.approximated("tool_choice", NARROWED);
            return named(std::slice::from_ref(name));
        }
        Some(ToolChoice::Allowed(some)) => {
            if some.required {
                losses.approximated("tool_choice", NARROWED);
            }
            return named(&some.names);
        }
        Some(ToolChoice::Opaque(_)) => losses.dropped("tool_choice", "it belongs to another format"),
    }
    all().collect()
}

fn function(tool: &FunctionTool, at: usize, losses: &mut Losses) -> String {
    let place = format!("tools[{at}].");
    losses.dropped_if(tool.strict == Some(true), &format!("{place}strict"), "there is no place for it");
    losses.dropped_if(tool.cache.is_some(), &format!("{place}cache_control"), "the server caches by itself");
    lose(&tool.extensions, &place, losses);
    let mut out = String::with_capacity(256);
    object(&mut out, |o| {
        o.str("type", "function");
        o.object("function", |o| {
            o.str("name", &tool.name);
            o.opt_str("description", tool.description.as_deref());
            o.raw("parameters", tool.parameters.as_deref().unwrap_or(r#"{"type":"object","properties":{}}"#));
            members(o, &tool.extensions, FUNCTION);
        });
        members(o, &tool.extensions, "");
    });
    out
}

/// Writes the members that only this family has: those whose key begins with `prefix`, or that have none.
pub(crate) fn members(o: &mut Object<'_>, all: &[Extension], prefix: &str) {
    for extension in all.iter().filter(|extension| is_own(extension) && extension.json != "null") {
        match extension.key.strip_prefix(prefix) {
            Some(name) if !name.contains('.') => o.raw(name, &extension.json),
            _ => {}
        }
    }
}

/// Reports the members of other formats as lost.
pub(crate) fn lose(all: &[Extension], place: &str, losses: &mut Losses) {
    if all.iter().any(|extension| !is_own(extension)) {
        let foreign: Vec<Extension> = all.iter().filter(|extension| !is_own(extension)).cloned().collect();
        losses.foreign(place, &foreign, CHAT);
    }
}

/// The arguments as text; some servers send text instead of the object.
pub(crate) fn arguments(raw: Option<&RawValue>) -> String {
    match raw {
        None => "{}".to_owned(),
        Some(raw) if raw.get() == "null" => "{}".to_owned(),
        Some(raw) => match text(raw) {
            Some(text) if text.trim().is_empty() => "{}".to_owned(),
            Some(text) => text.into_string(),
            None => raw.get().to_owned(),
        },
    }
}

/// The parts of a call that are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written<'a> {
    pub(crate) id: Option<&'a str>,
    pub(crate) name: &'a str,
    pub(crate) kind: ToolKind,
    pub(crate) arguments: &'a str,
    /// Its index among the calls of an answer; the history has none.
    pub(crate) index: Option<u32>,
    pub(crate) extensions: &'a [Extension],
}

impl<'a> Written<'a> {
    /// A call of the history, or of a whole answer.
    pub(crate) fn call(call: &'a ToolCall, index: Option<u32>) -> Self {
        let given = !call.id.is_empty() && !crate::is_noted(&call.extensions, NO_ID);
        Self {
            id: Some(call.id.as_str()).filter(|_| given || index.is_some()),
            name: &call.name,
            kind: call.kind,
            arguments: &call.arguments,
            index,
            extensions: &call.extensions,
        }
    }

    /// A call of a streamed answer.
    pub(crate) fn streamed(start: &'a ToolStart, arguments: &'a str, index: u32, extensions: &'a [Extension]) -> Self {
        let (id, name) = (Some(start.id.as_str()), start.name.as_str());
        Self { id, name, kind: start.kind, arguments, index: Some(index), extensions }
    }

    /// Writes the call; `field` is its place in a loss.
    pub(crate) fn write(self, o: &mut Object<'_>, field: &str, losses: &mut Losses) {
        o.opt_str("id", self.id.filter(|id| !id.is_empty()));
        if self.index.is_none() {
            o.str("type", "function");
        }
        o.object("function", |o| {
            o.opt_num("index", self.index);
            o.str("name", self.name);
            let field = |member: &str| format!("{field}.{member}");
            write_arguments(o, "arguments", self.kind, self.arguments, field, losses);
            members(o, self.extensions, FUNCTION);
        });
        members(o, self.extensions, "");
        lose(self.extensions, &format!("{field}."), losses);
    }
}

/// Generates ids for calls without one, the same for the same place, and for those that repeat an id (C-04).
#[derive(Debug)]
pub(crate) struct Ids {
    prefix: String,
    next: u32,
    given: Vec<String>,
}

impl Ids {
    /// Starts ids with this prefix.
    pub(crate) fn new(prefix: String) -> Self {
        Self { prefix, next: 0, given: Vec::new() }
    }

    /// Ids for the calls of an answer.
    pub(crate) fn of_answer(request_id: &str) -> Self {
        let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        Self::new(format!("call_{}_", request_id.chars().filter(fits).take(40).collect::<String>()))
    }

    /// The id of the next call, and whether it was given.
    pub(crate) fn next(&mut self, given: Option<Str<'_>>) -> (String, bool) {
        let number = self.next;
        self.next += 1;
        match given.filter(|id| !id.is_empty() && !self.given.iter().any(|known| *known == **id)) {
            Some(id) => {
                self.given.push(id.to_string());
                (id.into_string(), true)
            }
            None => (format!("{}{number}", self.prefix), false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c10_arguments_are_an_object_there_and_its_text_here() {
        assert_eq!(arguments(Some(parse(r#"{"a": 1}"#).unwrap())), r#"{"a": 1}"#);
        assert_eq!(arguments(Some(parse(r#""{\"a\":1}""#).unwrap())), r#"{"a":1}"#);
        assert_eq!(arguments(Some(parse("null").unwrap())), "{}");
        let call = ToolCall::new("c", "f", r#"{"a":1}"#);
        let mut out = String::new();
        object(&mut out, |o| Written::call(&call, None).write(o, "x", &mut Losses::default()));
        assert_eq!(out, r#"{"id":"c","type":"function","function":{"name":"f","arguments":{"a":1}}}"#);
    }

    #[test]
    fn c05_a_call_without_arguments_has_an_empty_object() {
        assert_eq!(arguments(None), "{}");
    }

    #[test]
    fn c04_neither_an_empty_id_nor_a_repeated_one_is_an_identity() {
        let mut ids = Ids::of_answer("r/1");
        let mut next = |id: &'static str| ids.next(Some(parse(id).unwrap())).0;
        assert_eq!([next(r#""a""#), next(r#""a""#), next(r#""""#)], ["a", "call_r1_1", "call_r1_2"]);
    }
}

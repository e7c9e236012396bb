//! Groups of tools: `{"type": "namespace", "name", "description", "tools"}`. A call names the group beside the tool.
//!
//! Other formats have no groups. So the tools of a client's group become separate tools named `GROUP__TOOL`, with a
//! note of their group: a provider of this format restores the groups, and calls from any other provider are split into
//! group and tool on the way back.

use super::{FORMAT, note, noted};
use crate::json::{self, RawValue, Rest, Str};
use crate::losses::extension;
use crate::types::{ChatRequest, Extension, Message, Opaque, Part, Tool, ToolCall};

/// The member for a group's name, and the type of groups among the tools.
pub const GROUP: &str = "namespace";
/// The note on all but a group's first tool.
const REST: &str = "grouped";
/// The note on a tool that an item of the input brings.
const BROUGHT: &str = "brought";

/// The note on a tool that an item of the input brings: [`gather`] leaves it to its item.
pub fn brought() -> Extension {
    note(BROUGHT, "")
}

/// The tools that an item of the input brings: `additional_tools`, or what a client's own search found. What the
/// service itself found is among the request's tools.
pub fn tools_of(item: &Opaque) -> Vec<&RawValue> {
    if item.format != FORMAT || !["additional_tools", "tool_search_output"].contains(&item.kind.as_str()) {
        return Vec::new();
    }
    let mut wire = Rest::parse(&item.json).unwrap_or_default();
    let is_theirs = wire.str("execution").as_deref() == Some("server");
    wire.list("tools").filter(|_| !is_theirs).unwrap_or_default()
}

/// The name of a group's tool in formats without groups.
pub fn joined(group: &str, tool: &str) -> String {
    format!("{group}__{tool}")
}

/// Makes separate tools of a group's functions. `raw` is the group's JSON.
pub fn spread(group: &str, raw: &str, tools: &mut [Tool]) {
    for (at, tool) in tools.iter_mut().enumerate() {
        let Tool::Function(function) = tool else { continue };
        function.name = joined(group, &function.name);
        function.extensions.push(if at == 0 { note(GROUP, raw) } else { note(REST, "") });
        if at == 0 {
            function.extensions.extend(described(raw));
        }
    }
}

/// What a group says of itself, which other formats lose.
fn described(raw: &str) -> Option<Extension> {
    let text = Rest::parse(raw).ok()?.get("description")?.get().to_owned();
    let key = format!("{GROUP}.description");
    (text != "\"\"").then(|| Extension { format: FORMAT.to_owned(), key, json: text })
}

/// Renames the calls of a history like the tools that [`spread`] made.
pub fn spread_calls(messages: &mut [Message]) {
    for part in messages.iter_mut().flat_map(|message| &mut message.parts) {
        match part {
            Part::ToolCall(call) => {
                if let Some(group) = taken(&mut call.extensions) {
                    call.name = joined(&group, &call.name);
                }
            }
            Part::ToolResult(result) => _ = taken(&mut result.extensions),
            _ => {}
        }
    }
}

/// Removes the group's name from the members and adds a note of it.
fn taken(extensions: &mut Vec<Extension>) -> Option<String> {
    let group: String = json::parse::<Str<'_>>(extension(extensions, FORMAT, GROUP)?).ok()?.into_string();
    extensions.retain(|member| member.format != FORMAT || member.key != GROUP);
    extensions.push(note(GROUP, &group));
    Some(group)
}

/// Restores the groups, and leaves tools to the items that bring them, for a provider that supports both.
pub fn gather(request: &mut ChatRequest) {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let items = parts.filter_map(|part| if let Part::Opaque(item) = part { Some(item) } else { None });
    let brought: Vec<&str> = items.flat_map(tools_of).map(RawValue::get).collect();
    request.tools.retain_mut(|tool| {
        let function = match tool {
            Tool::Function(function) => function,
            Tool::Opaque(opaque) => return !brought.contains(&opaque.json.as_str()),
        };
        if [REST, BROUGHT].iter().any(|key| noted(&function.extensions, key).is_some()) {
            return false;
        }
        if let Some(raw) = noted(&function.extensions, GROUP) {
            *tool = Tool::Opaque(Opaque { format: FORMAT.to_owned(), kind: GROUP.to_owned(), json: raw.to_owned() });
        }
        true
    });
    for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
        let (name, extensions) = match part {
            Part::ToolCall(call) => (Some(&mut call.name), &mut call.extensions),
            Part::ToolResult(result) => (None, &mut result.extensions),
            _ => continue,
        };
        let Some(group) = noted(extensions, GROUP).map(str::to_owned) else { continue };
        if let Some(name) = name
            && let Some(bare) = name.strip_prefix(&joined(&group, ""))
        {
            *name = bare.to_owned();
        }
        extensions.push(member(&group));
    }
}

fn member(group: &str) -> Extension {
    let mut text = String::new();
    json::quote(&mut text, group);
    Extension { format: FORMAT.to_owned(), key: GROUP.to_owned(), json: text }
}

/// Restores the tool's name and the group of a call in an answer, from the request's lists of tools, each as JSON.
pub fn part(lists: &[&str], call: &mut ToolCall) {
    let lists = lists.iter().filter_map(|list| json::parse::<Vec<&RawValue>>(list).ok());
    let groups = lists.flatten().filter_map(|raw| {
        let mut tool = Rest::parse(raw.get()).ok()?;
        let is_group = tool.str("type").as_deref() == Some(GROUP);
        tool.str("name").filter(|_| is_group).map(Str::into_string)
    });
    let fitting = groups.filter(|group| call.name.starts_with(&joined(group, "")));
    let Some(group) = fitting.max_by_key(String::len) else { return };
    call.name = call.name.split_off(group.len() + 2);
    call.extensions.push(member(&group));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{FunctionTool, Role};

    fn function(name: &str) -> Tool {
        Tool::Function(FunctionTool::new(name))
    }

    #[test]
    fn a_group_is_spread_and_gathered_again() {
        let raw = r#"{"type":"namespace","name":"crm","description":"d","tools":[]}"#;
        let mut tools = vec![function("find"), function("add")];
        spread("crm", raw, &mut tools);
        let name = |tool: &Tool| if let Tool::Function(one) = tool { one.name.clone() } else { String::new() };
        assert_eq!(tools.iter().map(name).collect::<Vec<_>>(), ["crm__find", "crm__add"]);
        let call = ToolCall { extensions: vec![member("crm")], ..ToolCall::new("c", "find", "{}") };
        let mut messages = vec![Message::new(Role::Assistant, vec![Part::ToolCall(call)])];
        spread_calls(&mut messages);
        assert!(matches!(&messages[0].parts[0], Part::ToolCall(call) if call.name == "crm__find"));
        tools.push(function("plain"));
        let mut request = ChatRequest { tools, messages, ..ChatRequest::default() };
        gather(&mut request);
        assert!(matches!(&request.tools[..], [Tool::Opaque(group), Tool::Function(_)] if group.json == raw));
        let Part::ToolCall(call) = &request.messages[0].parts[0] else { panic!("a call") };
        assert_eq!((call.name.as_str(), extension(&call.extensions, FORMAT, GROUP)), ("find", Some("\"crm\"")));
    }

    #[test]
    fn a_call_of_an_answer_finds_its_group() {
        let tools = r#"[{"type":"function","name":"a__b"},{"type":"namespace","name":"crm"},
            {"type":"namespace","name":"crm__eu"}]"#;
        for (name, bare, group) in [
            ("crm__find", "find", Some("\"crm\"")),
            ("crm__eu__find", "find", Some("\"crm__eu\"")),
            ("a__b", "a__b", None),
        ] {
            let mut call = ToolCall::new("c", name, "{}");
            part(&[tools], &mut call);
            assert_eq!((call.name.as_str(), extension(&call.extensions, FORMAT, GROUP)), (bare, group));
        }
    }
}

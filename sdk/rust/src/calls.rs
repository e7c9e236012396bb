//! Tool calls as other formats take them: arguments as an object, which in the unified model are text, as the other
//! side wrote it, and ids that occur once in a conversation.

use std::collections::HashMap;

use crate::json::{Object, RawValue, Rest, parse};
use crate::losses::Losses;
use crate::types::{Message, Part, ResultPart, ToolKind, ToolResult};

/// The text of a JSON object; empty text counts as an empty object.
pub fn object_text(text: &str) -> Option<&str> {
    let text = text.trim();
    if text.is_empty() {
        return Some("{}");
    }
    (text.starts_with('{') && parse::<&RawValue>(text).is_ok()).then_some(text)
}

/// Whether a tool's result, an object, says that the tool failed: by the member `error`, as Gemini's formats have it
/// and tools of many clients do.
pub fn tells_failure(object: &str) -> bool {
    let empty = ["null", "false", "\"\"", "{}", "[]"];
    Rest::parse(object).is_ok_and(|object| object.get("error").is_some_and(|error| !empty.contains(&error.get())))
}

/// Whether a format that has no place for it loses that a tool failed: unless the result says so itself.
pub fn loses_failure(result: &ToolResult) -> bool {
    let tells = |part: &ResultPart| matches!(part, ResultPart::Json(json) if tells_failure(json));
    result.is_error == Some(true) && !result.content.iter().any(tells)
}

/// Writes a call's arguments as the member `key`; `field` names a member of the call in a loss.
pub fn write_arguments(
    o: &mut Object<'_>,
    key: &str,
    kind: ToolKind,
    arguments: &str,
    field: impl Fn(&str) -> String,
    losses: &mut Losses,
) {
    match (kind, object_text(arguments)) {
        (ToolKind::Function, Some(object)) => o.raw(key, object),
        (ToolKind::Function, None) => {
            losses.dropped(field("arguments"), "they are no JSON object");
            o.raw(key, "{}");
        }
        (ToolKind::Custom, _) => {
            losses.approximated(field("input"), "free text becomes the member `input` of an object");
            o.object(key, |o| o.str("input", arguments));
        }
    }
}

/// The messages with ids of calls that occur once, for services that refuse others; `None` if they do already. Some
/// providers count the calls of each answer from zero (`call_0`). A result belongs to the last call before it.
pub fn with_distinct_ids(messages: &[Message]) -> Option<Vec<Message>> {
    let mut known: HashMap<&str, usize> = HashMap::new();
    let calls = |message: &'_ Message| message.parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let is_repeated = messages.iter().filter(|message| calls(message)).enumerate().any(|(turn, message)| {
        message.parts.iter().any(|part| match part {
            Part::ToolCall(call) => *known.entry(&call.id).or_insert(turn) != turn,
            _ => false,
        })
    });
    is_repeated.then(|| renamed(messages.to_vec()))
}

fn renamed(mut messages: Vec<Message>) -> Vec<Message> {
    // How often an id has been used, in which message last, and what it is written as there.
    let mut used: HashMap<String, (usize, usize, String)> = HashMap::new();
    for (at, message) in messages.iter_mut().enumerate() {
        for part in &mut message.parts {
            match part {
                Part::ToolCall(call) => {
                    let entry = used.entry(call.id.clone()).or_insert_with(|| (0, usize::MAX, call.id.clone()));
                    if entry.1 != at {
                        (entry.0, entry.1) = (entry.0 + 1, at);
                        if entry.0 > 1 {
                            entry.2 = format!("{}_{}", call.id, entry.0);
                        }
                    }
                    call.id.clone_from(&entry.2);
                }
                Part::ToolResult(result) => {
                    if let Some((_, _, id)) = used.get(&result.call_id) {
                        result.call_id.clone_from(id);
                    }
                }
                _ => {}
            }
        }
    }
    messages
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_failure_that_a_result_tells_itself_is_not_lost() {
        use super::loses_failure;
        use crate::types::{ResultPart, TextPart, ToolResult};
        for (is_error, json, lost) in [
            (Some(true), r#"{"error":"x"}"#, false),
            (Some(true), r#"{"error": null}"#, true),
            (Some(true), r#"{"result":"x"}"#, true),
            (Some(true), "[1]", true),
            (None, r#"{"result":"x"}"#, false),
            (Some(false), "{}", false),
        ] {
            let content = vec![ResultPart::Text(TextPart::new("a")), ResultPart::Json(json.to_owned())];
            let result = ToolResult { is_error, content, ..ToolResult::new("c") };
            assert_eq!(loses_failure(&result), lost, "{json}");
        }
    }

    #[test]
    fn calls_that_repeat_an_id_of_another_turn_get_one_of_their_own() {
        use super::with_distinct_ids;
        use crate::types::{Message, Part, Role, ToolCall, ToolResult};
        let turn = |id: &str| {
            let call = Message::new(Role::Assistant, vec![Part::ToolCall(ToolCall::new(id, "f", "{}"))]);
            [call, Message::new(Role::Tool, vec![Part::ToolResult(ToolResult::new(id))])]
        };
        let ids = |messages: &[Message]| -> Vec<String> {
            let id = |part: &Part| match part {
                Part::ToolCall(call) => call.id.clone(),
                Part::ToolResult(result) => result.call_id.clone(),
                _ => String::new(),
            };
            messages.iter().flat_map(|message| message.parts.iter().map(id)).collect()
        };
        let distinct = [turn("call_0"), turn("call_1")].concat();
        assert_eq!(with_distinct_ids(&distinct), None);
        let repeated = [turn("call_0"), turn("a"), turn("call_0"), turn("call_0")].concat();
        let expected = ["call_0", "call_0", "a", "a", "call_0_2", "call_0_2", "call_0_3", "call_0_3"];
        assert_eq!(ids(&with_distinct_ids(&repeated).unwrap()), expected);
    }

    use super::*;
    use crate::json::object;

    fn written(kind: ToolKind, arguments: &str) -> (String, Vec<String>) {
        let (mut out, mut losses) = (String::new(), Losses::default());
        object(&mut out, |o| {
            write_arguments(o, "args", kind, arguments, |member| format!("x.{member}"), &mut losses);
        });
        (out, losses.into_losses().into_iter().map(|loss| loss.field).collect())
    }

    #[test]
    fn c05_arguments_that_are_no_object_are_told_from_those_that_are() {
        assert_eq!(object_text(""), Some("{}"));
        assert_eq!(object_text(" {\"a\": 1} "), Some("{\"a\": 1}"));
        for text in ["[1]", "{\"a\"", "null", "\"x\"", "{} {}"] {
            assert_eq!(object_text(text), None, "{text}");
        }
    }

    #[test]
    fn c10_an_object_is_written_and_anything_else_is_reported() {
        assert_eq!(written(ToolKind::Function, r#"{"a":1}"#), (r#"{"args":{"a":1}}"#.into(), vec![]));
        assert_eq!(written(ToolKind::Function, "[1]"), (r#"{"args":{}}"#.into(), vec!["x.arguments".into()]));
        assert_eq!(written(ToolKind::Custom, "ls"), (r#"{"args":{"input":"ls"}}"#.into(), vec!["x.input".into()]));
    }
}

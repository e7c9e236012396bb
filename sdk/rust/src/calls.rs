//! Arguments of tool calls, for formats in which they are an object. In the unified model they are text, as the other
//! side wrote it.

use crate::json::{Object, RawValue, parse};
use crate::losses::Losses;
use crate::types::ToolKind;

/// The text of a JSON object; empty text counts as an empty object.
pub fn object_text(text: &str) -> Option<&str> {
    let text = text.trim();
    if text.is_empty() {
        return Some("{}");
    }
    (text.starts_with('{') && parse::<&RawValue>(text).is_ok()).then_some(text)
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

#[cfg(test)]
mod tests {
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

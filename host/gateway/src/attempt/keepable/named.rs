//! Requests that name stored content instead of containing it: the content may change, and with it the answer.

use serde::Deserialize;
use serde::de::IgnoredAny;
use weir_types::contract::types::{ChatRequest, Opaque, Part};

/// Longer values are not mere names.
const NAME: usize = 1024;

/// Whether a request names something stored.
pub(super) fn names_stored(chat: &ChatRequest) -> bool {
    let mut parts = chat.messages.iter().flat_map(|message| &message.parts);
    chat.extensions.iter().any(|member| is_unversioned(&member.json))
        || parts.any(|part| matches!(part, Part::Opaque(opaque) if is_name(opaque)))
}

/// A member that has the id of an object.
#[derive(Deserialize)]
struct ObjectReference<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    version: Option<IgnoredAny>,
}

/// A string, borrowed only where it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);

/// Whether a member is an object with an id and no version: the newest is meant.
fn is_unversioned(json: &str) -> bool {
    let named = serde_json::from_str::<ObjectReference<'_>>(json).ok();
    named.is_some_and(|named| named.id.is_some_and(|id| !id.0.is_empty()) && named.version.is_none())
}

/// Whether a part has an id, and besides it nothing but its type and state.
fn is_name(part: &Opaque) -> bool {
    if part.json.len() > NAME {
        return false;
    }
    let Ok(serde_json::Value::Object(members)) = serde_json::from_str(&part.json) else { return false };
    let says_more = |(name, value): (&String, &serde_json::Value)| {
        !matches!(name.as_str(), "id" | "type" | "status") && !value.is_null()
    };
    members.get("id").is_some_and(serde_json::Value::is_string) && !members.iter().any(says_more)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::Extension;

    #[test]
    fn a_member_with_an_id_and_no_version_names_the_newest() {
        let names = |json: &str| {
            let mut chat = ChatRequest::user("Hi");
            chat.extensions = vec![Extension { format: "x.chat".into(), key: "prompt".into(), json: json.into() }];
            names_stored(&chat)
        };
        for stored in [r#"{"id":"p_1"}"#, r#"{"id":"p\u005f1","version":null,"variables":{"a":1}}"#] {
            assert!(names(stored), "{stored}");
        }
        for own in [r#"{"id":"p_1","version":"2"}"#, r#"{"id":""}"#, r#"{"id":1}"#, r#"["id"]"#, r#""id""#, "{", "null"]
        {
            assert!(!names(own), "{own}");
        }
    }

    #[test]
    fn a_part_with_nothing_but_an_id_is_a_name() {
        let names = |json: &str| {
            let mut chat = ChatRequest::user("Hi");
            let (format, kind) = ("x.chat".to_owned(), "item_reference".to_owned());
            chat.messages[0].parts.push(Part::Opaque(Opaque { format, kind, json: json.to_owned() }));
            names_stored(&chat)
        };
        for name in [r#"{"type":"item_reference","id":"msg_1"}"#, r#"{"id":"msg_1","type":null,"status":"completed"}"#]
        {
            assert!(names(name), "{name}");
        }
        for value in [r#"{"type":"call","id":"c_1","action":{}}"#, r#"{"type":"item"}"#, r#"{"id":1}"#, "[]"] {
            assert!(!names(value), "{value}");
        }
    }
}

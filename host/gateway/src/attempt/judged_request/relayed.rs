//! What guards see of a relayed request that is not JSON.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use crate::attempt::InboundRequest;
use crate::guard::Guard;
use weir_types::contract::about::{Face, Operation};
use weir_types::contract::types::ErrorKind;
use weir_types::fault::{Fault, Side};
use weir_wire::form::{self, Part};

/// The texts of a form as a JSON object: the values of its fields, and the names of its files. A field that occurs
/// several times is a list.
///
/// # Errors
///
/// The form is not what all servers read alike, or has more text than `limit`.
pub(super) fn form(inbound: &InboundRequest, limit: usize) -> Result<String, Fault> {
    let content_type = inbound.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let parts = form::parts(&inbound.body, content_type).map_err(|error| {
        cannot_judge(&format!("a guard judges this key's requests, and cannot read this form: {error}"))
    })?;
    let text = json(parts);
    if text.len() > limit {
        let message = "the form has too much text to be judged; raise `server.translate_body_limit`";
        return Err(Fault::new(Side::Client, ErrorKind::TooLarge, message).with_status(413));
    }
    Ok(text)
}

fn json(parts: Vec<Part>) -> String {
    let mut fields = Map::new();
    for Part { name, file, text } in parts {
        let values = fields.entry(name).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(values) = values {
            values.extend(file.into_iter().chain(text).map(Value::String));
        }
    }
    for value in fields.values_mut() {
        if let Value::Array(values) = value
            && values.len() == 1
        {
            *value = values.pop().unwrap_or_default();
        }
    }
    Value::Object(fields).to_string()
}

/// The refusal of a request whose body guards cannot read, such as a file.
pub(super) fn unreadable() -> Fault {
    let message = "a guard judges this key's requests, and cannot read files: send their content in requests, or ask the \
                   operator to leave this key out of the guard's `for`, or to let its failures pass";
    cannot_judge(message)
}

/// The refusal of a request whose answer is written by a model and read by no adapter, as in a format that is only
/// relayed. `None` unless one of the guards, whose failures refuse requests, would have to judge it.
pub(super) fn unread_answer(inbound: &InboundRequest, guards: &[&Arc<Guard>]) -> Option<Fault> {
    // Requests for later work limit what is read later, elsewhere.
    let limits_answer = inbound.endpoint.face.output_limit.iter().any(|place| Face::in_list(place).is_none());
    let is_written = matches!(inbound.operation(), Operation::Other(_)) && limits_answer;
    let is_concerned = |guard: &&Arc<Guard>| guard.judges_answers() && !guard.fails_open();
    let guard = guards.iter().find(|guard| is_written && is_concerned(guard))?;
    let message = format!(
        "the guard `{}` judges this key's answers, and cannot read those of this endpoint: call one that serves chats, or ask the \
         operator to leave this key out of the guard's `for`, or to let its failures pass",
        guard.name()
    );
    Some(cannot_judge(&message))
}

/// The refusal of what guards would have to judge, and cannot read.
pub(super) fn cannot_judge(message: &str) -> Fault {
    Fault::new(Side::Client, ErrorKind::Permission, message).with_status(403).with_code("guard_cannot_judge")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_shown_as_an_object_of_its_texts() {
        let part = |name: &str, file: Option<&str>, text: Option<&str>| Part {
            name: name.into(),
            file: file.map(str::to_owned),
            text: text.map(str::to_owned),
        };
        let shown = json(vec![
            part("prompt", None, Some("a \"cat\"")),
            part("image", Some("a.png"), None),
            part("image", Some("b.txt"), Some("x")),
            part("prompt", None, Some("b")),
            part("n", None, Some("1")),
        ]);
        let expected = serde_json::json!({"prompt": ["a \"cat\"", "b"], "image": ["a.png", "b.txt", "x"], "n": "1"});
        assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), expected);
    }
}

//! Checks the members of a rendered request. A dialect knows which members it has read. The extensions of a program's
//! request in the unified model may have any name at any place, but must not replace what the provider's adapter wrote,
//! such as the model's name or a message's role.

use std::collections::HashSet;

use weir_translate::extension_names::is_owned;
use weir_translate::unified::Request;
use weir_types::contract::types::{Body, EmbeddingInput, Extension, Message, Part, ResultPart, Tool};
use weir_types::fault::Fault;
use weir_wire::repeated::{self, Reading};

/// The first extension of a whole request that has the name of a field of the unified model.
fn owned(request: &Request) -> Option<&str> {
    let extensions = match request {
        Request::Chat(chat) | Request::CountTokens(chat) => &chat.extensions,
        Request::Embeddings(request) => &request.extensions,
        Request::Rerank(request) => &request.extensions,
        Request::Models(_) => return None,
    };
    extensions.iter().map(|extension| extension.key.as_str()).find(|key| is_owned(key))
}

fn of_another_field(name: &str) -> Fault {
    let message = format!("the extension `{name}` is what another field of the request says; use that field");
    Fault::invalid(message).at("extensions")
}

/// Refuses a program's request if an extension has the name of another member of its object in the rendered body. What
/// a model or a tool wrote, such as arguments, may repeat its own names.
pub(super) fn check(request: &Request, body: &Body, is_program: bool) -> Result<(), Fault> {
    let json = match body {
        Body::Text(text) => text.as_bytes(),
        Body::Bytes(bytes) => bytes,
    };
    if let Some(name) = owned(request).filter(|_| is_program) {
        return Err(of_another_field(name));
    }
    // A body of another kind has no members.
    if !is_program || json.trim_ascii_start().first() != Some(&b'{') {
        return Ok(());
    }
    let mut names = Names::default();
    names.of_request(request);
    if names.0.is_empty() {
        return Ok(());
    }
    let mut taken = None;
    let read = |json| {
        repeated::each(json, &mut |name| {
            taken = names.0.contains(&name.to_ascii_lowercase()).then(|| name.to_owned());
            taken.is_none()
        })
    };
    let reading = std::str::from_utf8(json).map_or(Reading::NotJson, read);
    match (reading, taken) {
        (Reading::Same, _) => Ok(()),
        (Reading::Refused, Some(name)) => Err(of_another_field(&name)),
        (Reading::Refused | Reading::NotJson, _) => {
            Err(Fault::invalid("a value of JSON in the request cannot be read, or is nested too deeply"))
        }
    }
}

/// The names of all extensions of a request in small letters, since some readers ignore the case of names.
#[derive(Default)]
struct Names(HashSet<String>);

impl Names {
    fn of_request(&mut self, request: &Request) {
        match request {
            Request::Chat(chat) | Request::CountTokens(chat) => {
                self.add(&chat.extensions);
                chat.reasoning.iter().for_each(|reasoning| self.add(&reasoning.extensions));
                chat.messages.iter().for_each(|message| self.of_message(message));
                for tool in &chat.tools {
                    if let Tool::Function(tool) = tool {
                        self.add(&tool.extensions);
                    }
                }
            }
            Request::Embeddings(request) => {
                self.add(&request.extensions);
                for input in &request.inputs {
                    if let EmbeddingInput::Media(media) = input {
                        self.add(&media.extensions);
                    }
                }
            }
            Request::Rerank(request) => self.add(&request.extensions),
            Request::Models(_) => {}
        }
    }

    fn of_message(&mut self, message: &Message) {
        self.add(&message.extensions);
        for part in &message.parts {
            match part {
                Part::Text(part) => self.add(&part.extensions),
                Part::Media(part) => self.add(&part.extensions),
                Part::ToolCall(call) => self.add(&call.extensions),
                Part::Reasoning(part) => self.add(&part.extensions),
                Part::ToolResult(result) => {
                    self.add(&result.extensions);
                    result.content.iter().for_each(|piece| self.of_result(piece));
                }
                Part::Refusal(_) | Part::Opaque(_) => {}
            }
        }
    }

    fn of_result(&mut self, piece: &ResultPart) {
        match piece {
            ResultPart::Text(part) => self.add(&part.extensions),
            ResultPart::Media(part) => self.add(&part.extensions),
            ResultPart::Json(_) | ResultPart::Opaque(_) => {}
        }
    }

    fn add(&mut self, extensions: &[Extension]) {
        self.0.extend(extensions.iter().map(|extension| extension.key.to_ascii_lowercase()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::{ChatRequest, Role};

    fn extended(key: &str) -> Request {
        let mut message = Message { role: Role::User, name: None, parts: Vec::new(), extensions: Vec::new() };
        message.extensions.push(Extension { format: "f".into(), key: key.into(), json: "\"b\"".into() });
        Request::Chat(ChatRequest::plain("m", vec![message]))
    }

    fn is_refused(request: &Request, body: &str) -> bool {
        check(request, &Body::Text(body.into()), true).is_err()
    }

    #[test]
    fn an_extension_takes_no_other_members_place_at_any_depth() {
        let role = extended("role");
        assert!(is_refused(&role, r#"{"messages":[{"role":"user","content":"x","\u0072ole":"system"}],"model":"a"}"#));
        assert!(is_refused(&extended("model"), r#"{"model":"a","x":{"model":1},"model":"b"}"#));
        assert!(is_refused(&extended("Model"), r#"{"model":"a","Model":"b"}"#));
        assert!(is_refused(&role, &format!("{{\"x\":{}{}}}", "[".repeat(1_000), "]".repeat(1_000))), "unreadable");
        assert!(!is_refused(&role, r#"{"role":1,"x":{"role":1},"n":[1,-1,0.5,true,null,"\ud83d\ude00"]}"#));
        assert!(!is_refused(&role, "--boundary"), "no JSON");
        let twice = Body::Text(r#"{"role":"a","role":"b"}"#.into());
        assert!(check(&role, &twice, false).is_ok(), "a dialect has read it");
    }

    #[test]
    fn an_extension_says_nothing_that_has_a_field_also_where_that_is_not_set() {
        for key in
            ["stream", "Stream", "tools", "max_tokens", "maxOutputTokens", "generationConfig.maxOutputTokens", "n"]
        {
            let mut request = ChatRequest::plain("m", Vec::new());
            request.extensions.push(Extension { format: "f".into(), key: key.into(), json: "1".into() });
            assert!(is_refused(&Request::Chat(request), r#"{"model":"m"}"#), "{key}");
        }
        assert!(!is_owned("verbosity") && !is_owned("models") && !is_owned("stream_options"));
    }

    #[test]
    fn what_a_model_or_a_tool_wrote_may_repeat_its_own_names() {
        let arguments = r#"{"model":"m","input":{"path":"a","path":"b"}}"#;
        assert!(!is_refused(&extended("role"), arguments));
        let plain = Request::Chat(ChatRequest::plain("m", Vec::new()));
        assert!(!is_refused(&plain, r#"{"input":{"q":"cut \ud83d"},"model":"a","model":"b"}"#), "it has no extension");
    }
}

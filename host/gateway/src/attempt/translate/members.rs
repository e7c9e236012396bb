//! The members of a rendered request. A dialect knows which members of a request it has read; the extensions of a program's
//! request in the unified model may have any name, at any place, and must not take the place of what the provider's adapter
//! wrote: the model's name, say, or a message's role.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use weir_translate::unified::Request;
use weir_types::contract::types::{Body, EmbeddingInput, Extension, Message, Part, ResultPart, Tool};
use weir_types::fault::Fault;

/// Refuses a program's request if an extension has the name of another member of its object in the rendered body. What a
/// model or a tool wrote, such as arguments, may repeat its own names.
pub(super) fn check(request: &Request, body: &Body, is_program: bool) -> Result<(), Fault> {
    let json = match body {
        Body::Text(text) => text.as_bytes(),
        Body::Bytes(bytes) => bytes,
    };
    // A body of another kind has no members.
    if !is_program || json.trim_ascii_start().first() != Some(&b'{') {
        return Ok(());
    }
    let mut names = Names::default();
    names.of_request(request);
    if names.0.is_empty() {
        return Ok(());
    }
    let mut repeated = HashSet::new();
    let read = Repeated(&mut repeated).deserialize(&mut serde_json::Deserializer::from_slice(json));
    let taken = repeated.iter().map(|name| &**name).find(|name| names.0.contains(name));
    let fault = match (taken, read) {
        (Some(name), _) => {
            let message = format!("the extension `{name}` is what another field of the request says; use that field");
            Fault::invalid(message).at("extensions")
        }
        (None, Err(error)) => Fault::invalid(format!("a value of JSON makes the request unreadable: {error}")),
        (None, Ok(())) => return Ok(()),
    };
    Err(fault)
}

/// The names of all extensions of a request.
#[derive(Default)]
struct Names<'r>(HashSet<&'r str>);

impl<'r> Names<'r> {
    fn of_request(&mut self, request: &'r Request) {
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

    fn of_message(&mut self, message: &'r Message) {
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

    fn of_result(&mut self, piece: &'r ResultPart) {
        match piece {
            ResultPart::Text(part) => self.add(&part.extensions),
            ResultPart::Media(part) => self.add(&part.extensions),
            ResultPart::Json(_) | ResultPart::Opaque(_) => {}
        }
    }

    fn add(&mut self, extensions: &'r [Extension]) {
        self.0.extend(extensions.iter().map(|extension| &*extension.key));
    }
}

/// Collects the names that an object has more than once, at any depth.
struct Repeated<'t>(&'t mut HashSet<String>);

impl<'de> DeserializeSeed<'de> for Repeated<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Repeated<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // Objects of requests have few members; those of schemas may have many.
        let mut names: Vec<Cow<'de, str>> = Vec::new();
        while let Some(name) = map.next_key_seed(Name)? {
            map.next_value_seed(Repeated(self.0))?;
            names.push(name);
        }
        names.sort_unstable();
        let twice =
            names.windows(2).filter_map(|pair| matches!(pair, [one, other] if one == other).then(|| pair.first())?);
        self.0.extend(twice.map(|name| name.clone().into_owned()));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Repeated(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// A member's name, borrowed where it is written without escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
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
        assert!(is_refused(&role, &format!("{{\"x\":{}{}}}", "[".repeat(1_000), "]".repeat(1_000))), "unreadable");
        assert!(!is_refused(&role, r#"{"role":1,"x":{"role":1},"n":[1,-1,0.5,true,null,"\ud83d\ude00"]}"#));
        assert!(!is_refused(&role, "--boundary"), "no JSON");
        let twice = Body::Text(r#"{"role":"a","role":"b"}"#.into());
        assert!(check(&role, &twice, false).is_ok(), "a dialect has read it");
    }

    #[test]
    fn what_a_model_or_a_tool_wrote_may_repeat_its_own_names() {
        let arguments = r#"{"model":"m","input":{"path":"a","path":"b"}}"#;
        assert!(!is_refused(&extended("role"), arguments));
        let plain = Request::Chat(ChatRequest::plain("m", Vec::new()));
        assert!(!is_refused(&plain, r#"{"input":{"q":"cut \ud83d"},"model":"a","model":"b"}"#), "it has no extension");
    }
}

//! The members of a rendered request. A dialect knows which members of a request it has read; the extensions of a request in
//! the unified model may have any name, and must not take the place of what the provider's adapter wrote: the model's name, say.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};

use weir_translate::unified::Request;
use weir_types::contract::types::Body;
use weir_types::fault::Fault;

/// Refuses a program's request with extensions if a member of the rendered body occurs twice.
pub(super) fn check(request: &Request, body: &Body, is_program: bool) -> Result<(), Fault> {
    let extensions = match request {
        Request::Chat(request) | Request::CountTokens(request) => &request.extensions,
        Request::Embeddings(request) => &request.extensions,
        Request::Rerank(request) => &request.extensions,
        Request::Models(_) => return Ok(()),
    };
    if !is_program || extensions.is_empty() {
        return Ok(());
    }
    let json = match body {
        Body::Text(text) => text.as_bytes(),
        Body::Bytes(bytes) => bytes,
    };
    match serde_json::Deserializer::from_slice(json).deserialize_map(FirstTwice) {
        Ok(Some(name)) => {
            let message = format!("the extension `{name}` is what another field of the request says; use that field");
            Err(Fault::invalid(message).at("extensions"))
        }
        // A body of another kind has no members.
        Ok(None) | Err(_) => Ok(()),
    }
}

/// Finds the first name that an object has twice.
struct FirstTwice;

impl<'de> Visitor<'de> for FirstTwice {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut names, mut twice) = (HashSet::new(), None);
        while let Some(name) = map.next_key::<String>()? {
            map.next_value::<IgnoredAny>()?;
            if twice.is_none() && !names.insert(name.clone()) {
                twice = Some(name);
            }
        }
        Ok(twice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::{ChatRequest, Extension};

    #[test]
    fn an_extension_takes_no_other_members_place() {
        let mut chat = ChatRequest::plain("m", Vec::new());
        let body = |text: &str| Body::Text(text.into());
        let shadowed = body(r#"{"model":"a","x":{"model":1},"model":"b"}"#);
        assert!(check(&Request::Chat(chat.clone()), &shadowed, true).is_ok(), "it has no extension");
        chat.extensions = vec![Extension { format: "f".into(), key: "model".into(), json: "\"b\"".into() }];
        let request = Request::Chat(chat);
        assert!(check(&request, &shadowed, true).is_err());
        assert!(check(&request, &shadowed, false).is_ok(), "a dialect has read it");
        assert!(check(&request, &body(r#"{"model":"a","x":{"model":1}}"#), true).is_ok());
    }
}

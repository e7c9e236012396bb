//! The rights of a client to the objects that a request in the unified model names, which stand in values of known names.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::super::{Gateway, further_models};
use super::may_do;
use crate::attempt::InboundRequest;
use crate::provenance::{anothers, not_here};
use crate::serving::Serving;
use weir_translate::dialect::endpoints::Endpoint;
use weir_types::contract::about::{BodyKind, Face};
use weir_types::fault::Fault;

/// How many times JSON may be folded into texts of JSON.
const MAX_FOLDS: u8 = 8;
/// The member in which a folded value stands.
const FOLDED: &str = "folded";
/// The member with what only one format has.
const OWN: &str = "json";

impl Gateway {
    /// Checks that the caller may use the operation and the objects that a request in the unified model names.
    pub(in crate::gateway) fn permit_unified(&self, serving: &Serving, asked: &InboundRequest) -> Result<(), Fault> {
        may_do(asked)?;
        if !asked.caller.may_use_all() {
            let request = serde_json::from_slice(&asked.side.json()).unwrap_or_default();
            further_models::permit_unified(&asked.caller, &request)?;
        }
        if !serving.separates(&self.stored_keys) {
            return Ok(());
        }
        let (owners, tenant) = (&**self.reasoning_cache.owners(), &*asked.caller.tenant);
        if !asked.caller.is_restricted() && !owners.has_any() {
            return Ok(());
        }
        let request = serde_json::from_slice(&asked.side.json()).unwrap_or_default();
        let request = unfolded(request, MAX_FOLDS);
        if asked.caller.is_restricted() {
            let endpoints = serving.endpoints.all();
            let members: HashSet<&str> = endpoints.iter().flat_map(|endpoint| object_members(endpoint)).collect();
            let inner: HashSet<&str> = endpoints.iter().flat_map(|endpoint| inner_members(endpoint)).collect();
            let named = named_objects(&request, &members, &inner);
            if let Some(id) = named.into_iter().find(|id| !owners.is_own(id.as_bytes(), tenant)) {
                return Err(not_here(id));
            }
        }
        if owners.has_any()
            && let Some(id) = anothers(owners, tenant, &[request.to_string().into()])
        {
            return Err(not_here(&id));
        }
        Ok(())
    }
}

/// Where a face's requests name objects. Where they have no body, the places are those of earlier answers; and what work of one
/// model is begun on stands in no chat.
fn object_places(endpoint: &Endpoint) -> impl Iterator<Item = &str> {
    let Face { body, operation, .. } = &endpoint.face;
    let is_of_chats = *body != BodyKind::Empty && (!endpoint.face.names_model() || !operation.is_relayed_only());
    endpoint.face.own_object_ids().filter(move |_| is_of_chats).filter_map(|place| place.strip_prefix('/'))
}

/// The names of the members in which a face's requests name objects.
fn object_members(endpoint: &Endpoint) -> impl Iterator<Item = &str> {
    object_places(endpoint).filter_map(|place| place.split('/').next())
}

/// The same by the last part of each place, as the format's own parts have it.
fn inner_members(endpoint: &Endpoint) -> impl Iterator<Item = &str> {
    object_places(endpoint).filter_map(|place| place.rsplit('/').find(|part| *part != "*"))
}

/// JSON whose texts that are JSON themselves, such as a format's own parts, are in it as values,
/// each below [`FOLDED`].
fn unfolded(value: Value, folds: u8) -> Value {
    match value {
        Value::String(text) if folds > 0 && text.trim_start().starts_with(['{', '[', '"']) => {
            let inner = serde_json::from_str(&text).map(|inner| unfolded(inner, folds - 1));
            inner.map_or(Value::String(text), |inner| json!({ FOLDED: inner }))
        }
        Value::Array(values) => values.into_iter().map(|value| unfolded(value, folds)).collect(),
        Value::Object(object) => object.into_iter().map(|(name, value)| (name, unfolded(value, folds))).collect(),
        value => value,
    }
}

/// The objects that a request in the unified model names: files, the texts in extensions with these names, and those in
/// members with these names of what the format has for itself.
fn named_objects<'a>(request: &'a Value, members: &HashSet<&str>, inner: &HashSet<&str>) -> Vec<&'a str> {
    let (mut left, mut found) = (vec![(request, false)], Vec::new());
    while let Some((value, is_inner)) = left.pop() {
        match value {
            Value::Object(object) => {
                if object.get("key").and_then(Value::as_str).is_some_and(|name| members.contains(name)) {
                    object.get(OWN).into_iter().for_each(|value| texts(value, &mut found));
                }
                for (name, value) in object {
                    if name == "FileId" || (is_inner && inner.contains(name.as_str())) {
                        texts(value, &mut found);
                    }
                    // JSON in a message or in a call's arguments is nobody's format.
                    let own = value.get(FOLDED).filter(|_| !is_inner && name == OWN);
                    left.push((own.unwrap_or(value), is_inner || own.is_some()));
                }
            }
            Value::Array(values) => left.extend(values.iter().map(|value| (value, is_inner))),
            _ => {}
        }
    }
    found
}

/// All texts in a value.
fn texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        Value::Object(object) => object.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::{ChatRequest, Extension, MediaKind, MediaSource, Message, Part, Role, TextPart};

    #[test]
    fn files_and_named_extensions_of_a_unified_request_are_its_objects() {
        let file = serde_json::json!({
            "kind": MediaKind::Document, "mime": null, "source": MediaSource::FileId("file-1".into()),
            "name": null, "detail": null, "cache": null, "extensions": [],
        });
        let parts = vec![Part::Media(serde_json::from_value(file).unwrap())];
        let mut chat = ChatRequest::plain("m", vec![Message::plain(Role::User, parts)]);
        let extension = |key: &str, json: &str| Extension { format: "f".into(), key: key.into(), json: json.into() };
        chat.extensions = vec![extension("former", r#"{"id":"resp-2"}"#), extension("other", "\"resp-3\"")];
        let opaque = r#"{"type":"file","file":{"f\u0069le_id":"\u0066ile-3"},"more":"{\"file_id\":\"file-4\"}"}"#;
        chat.extensions.push(extension("own", opaque));
        let said = Part::Text(TextPart::plain(r#"{"file_id":"of-the-clients-own-files"}"#));
        chat.messages.push(Message::plain(Role::User, vec![said]));
        let request = unfolded(serde_json::to_value(&chat).unwrap(), MAX_FOLDS);
        let mut named = named_objects(&request, &HashSet::from(["former", "messages"]), &HashSet::from(["file_id"]));
        named.sort_unstable();
        assert_eq!(named, ["file-1", "file-3", "file-4", "resp-2"]);
        assert!(request.to_string().contains("\"file-3\""), "as the scan for others' ids sees it");
    }
}

//! The rights of a client to the objects that a request in the unified model names, which stand in values of known
//! names.

use bytes::Bytes;
use serde_json::{Value, json};

use super::super::{Gateway, further_models};
use super::{may_do, refuse_anothers_in, refuse_anothers_named, refuse_too_many};
use crate::attempt::InboundRequest;
use crate::dialect::own_parts::{self, NotJson};
use crate::dialect::request_peek::ObjectIds;
use crate::provenance::not_here;
use crate::serving::Serving;
use weir_types::fault::Fault;

/// How many times JSON may be folded into texts of JSON.
const MAX_FOLDS: u8 = 8;
/// The member in which a folded value stands.
const FOLDED: &str = "folded";

impl Gateway {
    /// Checks that the caller may use the operation and the objects that a request in the unified model names.
    pub(in crate::gateway) fn permit_unified(&self, serving: &Serving, inbound: &InboundRequest) -> Result<(), Fault> {
        may_do(inbound)?;
        if !inbound.caller.may_use_all() {
            let request = serde_json::from_slice(&inbound.side.json()).unwrap_or_default();
            further_models::permit_unified(&inbound.caller, &request)?;
        }
        if !serving.separates(&self.stored_keys) {
            return Ok(());
        }
        let (owners, tenant) = (&**self.reasoning_cache.owners(), &*inbound.caller.tenant);
        if !inbound.caller.is_restricted() && !owners.has_any() {
            return Ok(());
        }
        let request = serde_json::from_slice(&inbound.side.json()).unwrap_or_default();
        let parts =
            own_parts::document(&request).map_err(|NotJson| Fault::invalid("a part of one format is no JSON"))?;
        let named = named_objects(serving, &request, parts.as_ref());
        if inbound.caller.is_restricted() {
            refuse_too_many(&named)?;
            let is_unproved = |id: &&String| !owners.is_own(id.as_bytes(), tenant) && named.is_kept(id);
            if let Some(id) = named.all().find(is_unproved) {
                return Err(not_here(id));
            }
        }
        if owners.has_any() {
            let request = unfolded(request, MAX_FOLDS).to_string();
            refuse_anothers_in(owners, tenant, &[request.into()])?;
            // Of two members of one name, the value has one only.
            refuse_anothers_in(owners, tenant, parts.as_slice())?;
        }
        refuse_anothers_named(owners, tenant, &named)
    }
}

/// The objects that a program's request names.
pub(in crate::gateway) fn objects_of_program(serving: &Serving, inbound: &InboundRequest) -> ObjectIds {
    let request = serde_json::from_slice(&inbound.side.json()).unwrap_or_default();
    match own_parts::document(&request) {
        Ok(parts) => named_objects(serving, &request, parts.as_ref()),
        Err(NotJson) => ObjectIds::unread(true),
    }
}

/// The objects that a request in the unified model names: files, and what its parts of one format name.
fn named_objects(serving: &Serving, request: &Value, parts: Option<&Bytes>) -> ObjectIds {
    let mut named = ObjectIds::default();
    files(request, &mut named);
    let Some(parts) = parts else { return named };
    named.append(serving.own_parts().named_in(parts));
    named
}

/// Adds the files that a value names.
fn files(value: &Value, named: &mut ObjectIds) {
    match value {
        Value::Object(object) => {
            object.get("FileId").and_then(Value::as_str).into_iter().for_each(|name| named.add(name));
            object.values().for_each(|value| files(value, named));
        }
        Value::Array(values) => values.iter().for_each(|value| files(value, named)),
        _ => {}
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_are_json_are_scanned_as_values() {
        let inner = r#"{"more":"{\"f\u0069le_id\":\"file-4\"}"}"#;
        let request = unfolded(json!({"extensions": [{"key": "own", "json": inner}]}), MAX_FOLDS).to_string();
        assert!(request.contains("\"file_id\":\"file-4\""), "{request}");
    }

    #[test]
    fn files_are_named_by_the_last_part_of_their_names() {
        let mut named = ObjectIds::default();
        files(&json!({"parts": [{"Media": {"source": {"FileId": "files/f-1"}}}], "FileId": "f-2"}), &mut named);
        let mut ids: Vec<&String> = named.all().collect();
        ids.sort_unstable();
        assert_eq!(ids, ["f-1", "f-2"]);
    }
}

//! The fields of a key that callers write, and changes of documents as merge patches (RFC 7396).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use weir_config::KeyHash;
use weir_identity::change::{ChangeError, KeyEdit, NewKey};
use weir_identity::document::{
    Budget, Document, Grant, Invalid, Key, Limits, Metadata, Owner, Pattern, Priority, Terms,
};
use weir_identity::{Kind, object};

/// What callers write of a key. The id, the times and the hashes are Weir's.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyFields {
    name: String,
    #[serde(default)]
    owner: Owner,
    #[serde(default, deserialize_with = "expiry")]
    expires: Option<Timestamp>,
    #[serde(default)]
    models: Option<Vec<Pattern>>,
    #[serde(default)]
    operations: Option<Vec<Pattern>>,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    budgets: Vec<Budget>,
    #[serde(default)]
    tags: BTreeSet<String>,
    #[serde(default)]
    aliases: BTreeMap<String, String>,
    #[serde(default)]
    priority: Option<Priority>,
    #[serde(default)]
    may_choose: Option<bool>,
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    grants: Vec<Grant>,
}

/// Reads when a key expires. The refusal says what is taken, since that of the parser is about parts of a calendar.
fn expiry<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let wrong = || D::Error::custom("`expires` must be a time such as 2027-01-31T00:00:00Z, before 9999-12-30");
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::String(text) => text.parse().map(Some).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

/// Fields of a key that answers show and that have other ways to change.
const NOT_WRITTEN: [&str; 5] = ["schema", "id", "created", "disabled", "rotated"];

impl KeyFields {
    /// The fields of a new key.
    pub(super) fn parse(body: Value) -> Result<Self, ChangeError> {
        object::from_value(body).map_err(|error| invalid("key", error.to_string()))
    }

    /// The fields of a key after a merge patch.
    pub(super) fn patched(key: &Key, patch: &Value) -> Result<Self, ChangeError> {
        if let Some(name) = NOT_WRITTEN.iter().find(|name| patch.get(name).is_some()) {
            let how = match *name {
                "disabled" => "is changed by POST to the key's `/disable` and `/enable`",
                "rotated" => "is changed by POST to the key's `/rotate`",
                _ => "never changes",
            };
            return Err(invalid(name, how));
        }
        let mut value = key.public_view();
        if let Some(fields) = value.as_object_mut() {
            fields.retain(|name, _| !NOT_WRITTEN.contains(&name.as_str()));
        }
        merge(&mut value, patch);
        let fields = Self::parse(value)?;
        if fields.owner.team != key.owner.team {
            return Err(invalid("owner.team", "is changed by POST to the key's `/move`"));
        }
        Ok(fields)
    }

    fn terms(&mut self) -> Terms {
        Terms {
            models: self.models.take(),
            operations: self.operations.take(),
            limits: self.limits,
            budgets: std::mem::take(&mut self.budgets),
            tags: std::mem::take(&mut self.tags),
            aliases: std::mem::take(&mut self.aliases),
            priority: self.priority,
            may_choose: self.may_choose,
        }
    }

    /// Makes a new key of the fields.
    pub(super) fn into_new(mut self) -> NewKey {
        let terms = self.terms();
        let Self { name, owner, expires, grants, metadata, .. } = self;
        NewKey { name, owner, expires, terms, grants, metadata, disabled: false }
    }

    /// Makes a change of the fields that were given.
    pub(super) fn into_edit(mut self) -> KeyEdit {
        let terms = Some(self.terms());
        let Self { name, owner, expires, grants, metadata, .. } = self;
        KeyEdit {
            name: Some(name),
            user: Some(owner.user),
            expires: Some(expires),
            terms,
            grants: Some(grants),
            metadata: Some(metadata),
        }
    }
}

/// A key that another gateway made: its hash, and its fields as those of a new key.
pub(super) fn imported(body: &Value) -> Result<(KeyHash, NewKey), ChangeError> {
    let mut fields = body.clone();
    let mut taken = |name: &str| fields.as_object_mut().and_then(|fields| fields.remove(name));
    let hash = taken("hash").and_then(|hash| KeyHash::parse(hash.as_str()?));
    let hash =
        hash.ok_or_else(|| invalid("hash", "is `sha256:` and the 64 hexadecimal digits of the key's SHA-256"))?;
    let disabled = match taken("disabled") {
        None => false,
        Some(Value::Bool(disabled)) => disabled,
        Some(_) => return Err(invalid("disabled", "is true or false")),
    };
    Ok((hash, NewKey { disabled, ..KeyFields::parse(fields)?.into_new() }))
}

/// A value that is refused.
pub(super) fn invalid(field: &str, problem: impl Into<String>) -> ChangeError {
    ChangeError::Invalid(Invalid { field: field.to_owned(), problem: problem.into() })
}

/// A new team, organisation, user, budget or price.
pub(super) fn new_document(kind: Kind, body: &Value, now: Timestamp) -> Result<Document, ChangeError> {
    if let Some(name) = ["schema", "created"].iter().find(|name| body.get(name).is_some()) {
        return Err(invalid(name, "is not written"));
    }
    document(kind, body.clone(), now)
}

/// A team, organisation, user, budget or price after a merge patch.
pub(super) fn patched_document(before: &Document, patch: &Value) -> Result<Document, ChangeError> {
    if let Some(name) = ["schema", "created", "id"].iter().find(|name| patch.get(name).is_some()) {
        return Err(invalid(name, "never changes"));
    }
    let mut value = before.public_view();
    merge(&mut value, patch);
    let created = value["created"].as_str().and_then(|created| created.parse().ok());
    document(before.kind(), value, created.unwrap_or(Timestamp::UNIX_EPOCH))
}

fn document(kind: Kind, mut value: Value, created: Timestamp) -> Result<Document, ChangeError> {
    value["schema"] = Value::from(1);
    value["created"] = Value::from(created.to_string());
    Document::from_value(kind, value).map_err(|error| invalid(kind.name(), error.to_string()))
}

/// Applies a merge patch: members replace others, `null` removes, and objects are merged.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Value::Object(members) = target else { return };
    for (name, change) in changes {
        if change.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name).or_insert(Value::Null), change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_expiry_beyond_the_calendar_is_refused_by_its_name() {
        let read = |expires: Value| KeyFields::parse(json!({"name": "k", "expires": expires}));
        assert_eq!(read(json!(null)).unwrap().expires, None);
        assert_eq!(read(json!("2027-01-31T00:00:00Z")).unwrap().expires.unwrap().to_string(), "2027-01-31T00:00:00Z");
        for wrong in [json!("10000-01-01T00:00:00Z"), json!("9999-12-31T23:59:59Z"), json!("90d"), json!(1)] {
            let refusal = read(wrong.clone()).unwrap_err().to_string();
            assert!(refusal.contains("`expires` must be a time such as"), "{wrong}: {refusal}");
        }
    }

    /// The example of RFC 7396, and its cases that differ.
    #[test]
    fn patches_are_merged() {
        for (before, patch, after) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": "foo"}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
        ] {
            let mut value = before;
            merge(&mut value, &patch);
            assert_eq!(value, after, "{patch}");
        }
    }
}

//! JSON Schemas for services that enforce them strictly, and [answers](answer) that follow one or are one of [several
//! texts](choices).

pub mod answer;
pub mod choices;
mod full;
mod strict;
mod union;
mod weight;

use std::borrow::Cow;

pub use full::is_full;
pub use strict::enforceable;
pub use union::without_union;
pub use weight::Weight;

use crate::json::{Rest, object, text};
use crate::losses::Losses;
use crate::types::JsonSchema;

/// Whether a schema is of something else than an object, such as a list, which services do not take at the top.
pub fn is_of_no_object(schema: &str) -> bool {
    let kind = Rest::parse(schema).ok().and_then(|members| members.get("type").and_then(text));
    kind.is_some_and(|kind| !kind.eq_ignore_ascii_case("object"))
}

/// The schema of a function's arguments, for formats in which it is required and must declare an object.
pub fn of_arguments(parameters: Option<&str>) -> Cow<'_, str> {
    let Some(parameters) = parameters else { return Cow::Borrowed(r#"{"type":"object","properties":{}}"#) };
    let Ok(members) = Rest::parse(parameters) else { return Cow::Borrowed(parameters) };
    if members.get("type").is_some() {
        return Cow::Borrowed(parameters);
    }
    let mut out = String::with_capacity(parameters.len() + 16);
    object(&mut out, |o| {
        o.str("type", "object");
        members.0.iter().for_each(|(key, raw)| o.raw(key, raw.get()));
    });
    Cow::Owned(out)
}

/// The schema of an answer for a format that has no place for its description but the schema's own.
pub fn described_within<'a>(wanted: &'a JsonSchema, losses: &mut Losses) -> Cow<'a, str> {
    let Some(description) = &wanted.description else { return Cow::Borrowed(&wanted.schema) };
    if let Some(schema) = described(&wanted.schema, description) {
        return Cow::Owned(schema);
    }
    losses.dropped("response_format.description", "the schema has a description of its own");
    Cow::Borrowed(&wanted.schema)
}

/// The schema with a description at its top; `None` if it has one, or is no object.
pub fn described(schema: &str, description: &str) -> Option<String> {
    let members = Rest::parse(schema).ok().filter(|members| members.get("description").is_none())?;
    let mut out = String::with_capacity(schema.len() + description.len() + 24);
    object(&mut out, |o| {
        members.0.iter().for_each(|(key, raw)| o.raw(key, raw.get()));
        o.str("description", description);
    });
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_always_an_object() {
        assert_eq!(of_arguments(None), r#"{"type":"object","properties":{}}"#);
        assert_eq!(of_arguments(Some(r#"{"properties":{}}"#)), r#"{"type":"object","properties":{}}"#);
        for unchanged in [r#"{"type":"array"}"#, "true", "{"] {
            assert_eq!(of_arguments(Some(unchanged)), unchanged);
        }
    }

    #[test]
    fn a_description_is_added_where_there_is_none() {
        let added = described(r#"{"type":"object"}"#, "A \"b\".");
        assert_eq!(added.as_deref(), Some(r#"{"type":"object","description":"A \"b\"."}"#));
        assert_eq!((described(r#"{"description":""}"#, "b"), described("true", "b")), (None, None));
    }
}

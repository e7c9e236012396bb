//! JSON Schemas for services that enforce them strictly, and [answers](answer) that follow one.

pub mod answer;

use std::borrow::Cow;

use crate::json::{Array, Object, RawValue, Rest, object, parse};
use crate::losses::Losses;

/// Schemas nested deeper than this are passed on unchanged.
const DEPTH_LIMIT: usize = 64;

/// The schema with `additionalProperties: false` in every object that does not set it, as the service requires.
pub fn closed<'a>(schema: &'a str, field: &str, losses: &mut Losses) -> Cow<'a, str> {
    let mut out = String::with_capacity(schema.len() + 32);
    if !close(schema, &mut out, 0) {
        return Cow::Borrowed(schema);
    }
    losses.approximated(field, "its objects take no members that it does not name");
    Cow::Owned(out)
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

/// Writes a schema with its objects closed; returns whether that changed it.
fn close(schema: &str, out: &mut String, depth: usize) -> bool {
    let members = match parse::<Rest<'_>>(schema) {
        Ok(members) if depth < DEPTH_LIMIT => members.0,
        _ => {
            out.push_str(schema);
            return false;
        }
    };
    let has = |name: &str| members.iter().any(|(key, _)| &**key == name);
    let typed = members.iter().any(|(key, raw)| &**key == "type" && raw.get().contains("\"object\""));
    let open = (typed || has("properties")) && !has("additionalProperties");
    let mut changed = open;
    object(out, |o| {
        for (key, raw) in &members {
            changed |= member(o, key, raw, depth + 1);
        }
        if open {
            o.bool("additionalProperties", false);
        }
    });
    changed
}

fn member(o: &mut Object<'_>, key: &str, raw: &RawValue, depth: usize) -> bool {
    let mut changed = false;
    match key {
        "properties" | "$defs" | "definitions" => match parse::<Rest<'_>>(raw.get()) {
            Ok(named) => o.object(key, |o| {
                for (name, schema) in &named.0 {
                    changed |= close(schema.get(), o.value(name), depth);
                }
            }),
            Err(_) => o.raw(key, raw.get()),
        },
        "anyOf" | "allOf" | "oneOf" | "prefixItems" => match parse::<Vec<&RawValue>>(raw.get()) {
            Ok(schemas) => o.array(key, |a: &mut Array<'_>| {
                for schema in schemas {
                    changed |= close(schema.get(), a.value(), depth);
                }
            }),
            Err(_) => o.raw(key, raw.get()),
        },
        "items" | "not" => changed = close(raw.get(), o.value(key), depth),
        _ => o.raw(key, raw.get()),
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c88_objects_are_closed_wherever_they_stand() {
        let mut losses = Losses::default();
        let open = concat!(
            r#"{"type":"object","properties":{"a":{"type":["object","null"],"properties":{}},"type":{"type":"string"}},"#,
            r#""$defs":{"b":{"anyOf":[{"properties":{"c":true}},{"type":"array","items":{"type":"object"}}]}}}"#
        );
        let shut = concat!(
            r#"{"type":"object","properties":{"a":{"type":["object","null"],"properties":{},"additionalProperties":false},"#,
            r#""type":{"type":"string"}},"$defs":{"b":{"anyOf":[{"properties":{"c":true},"additionalProperties":false},"#,
            r#"{"type":"array","items":{"type":"object","additionalProperties":false}}]}},"additionalProperties":false}"#
        );
        assert_eq!(closed(open, "x", &mut losses), shut);
        assert_eq!(closed(shut, "x", &mut losses), shut);
        assert_eq!(losses.into_losses().len(), 1);
    }

    #[test]
    fn arguments_are_always_an_object() {
        assert_eq!(of_arguments(None), r#"{"type":"object","properties":{}}"#);
        assert_eq!(of_arguments(Some(r#"{"properties":{}}"#)), r#"{"type":"object","properties":{}}"#);
        for unchanged in [r#"{"type":"array"}"#, "true", "{"] {
            assert_eq!(of_arguments(Some(unchanged)), unchanged);
        }
    }

    #[test]
    fn schemas_of_any_depth_end() {
        let deep = format!("{}{}", "{\"items\":".repeat(5000), "{\"type\":\"object\"}".to_owned() + &"}".repeat(5000));
        assert_eq!(closed(&deep, "x", &mut Losses::default()), deep);
    }
}

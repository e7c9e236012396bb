//! Schemas that a service enforces while the model writes, which are less than JSON Schema.
//!
//! Source: Anthropic's guide to structured outputs ("JSON Schema limitations", which Bedrock's repeats), and what its
//! own clients make of a schema (`transform_schema`): limits stand in descriptions, alternatives are `anyOf`, and
//! objects are closed.

use std::borrow::Cow;

use crate::json::{Array, Object, RawValue, Rest, Str, list, object, parse, text};
use crate::losses::Losses;

/// Schemas nested deeper than this are passed on unchanged.
const DEPTH_LIMIT: usize = 64;

/// Keywords that the services refuse: "For 'integer' type, property 'minimum' is not supported".
const LIMITS: [&str; 11] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];

/// The formats of strings that they enforce.
const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

type Member<'a> = (Str<'a>, &'a RawValue);

/// What became of a schema.
#[derive(Debug, Default)]
struct Changes {
    /// Objects were closed.
    closed: bool,
    /// Limits were moved, or alternatives.
    moved: bool,
}

/// The schema with `additionalProperties: false` in every object, and with nothing that the service refuses.
pub fn enforceable<'a>(schema: &'a str, field: &str, losses: &mut Losses) -> Cow<'a, str> {
    let (mut out, mut changes) = (String::with_capacity(schema.len() + 32), Changes::default());
    write(schema, &mut out, &mut changes, 0);
    let note = match changes {
        Changes { closed: false, moved: false } => return Cow::Borrowed(schema),
        Changes { moved: false, .. } => "its objects take no members that it does not name",
        Changes { .. } => "limits that cannot be enforced stand in its descriptions",
    };
    losses.approximated(field, note);
    Cow::Owned(out)
}

fn write(schema: &str, out: &mut String, changes: &mut Changes, depth: usize) {
    let members = match Rest::parse(schema) {
        Ok(members) if depth < DEPTH_LIMIT => members,
        _ => return out.push_str(schema),
    };
    let open = is_open(&members);
    let limits: Vec<&Member<'_>> = members.0.iter().filter(|(key, raw)| is_limit(key, raw)).collect();
    changes.closed |= open;
    changes.moved |= !limits.is_empty();
    let described = members.get("description").and_then(text);
    object(out, |o| {
        for (key, raw) in &members.0 {
            match &**key {
                "additionalProperties" if open => {}
                "description" if !limits.is_empty() => {}
                "oneOf" if members.get("anyOf").is_none() => {
                    changes.moved = true;
                    member(o, "oneOf", "anyOf", raw, changes, depth + 1);
                }
                key if is_limit(key, raw) => {}
                key => member(o, key, key, raw, changes, depth + 1),
            }
        }
        if !limits.is_empty() {
            o.str("description", &description(described.as_deref(), &limits));
        }
        if open {
            o.bool("additionalProperties", false);
        }
    });
}

/// Whether a schema's objects may have members that it does not name.
fn is_open(members: &Rest<'_>) -> bool {
    let typed = members.get("type").is_some_and(|raw| raw.get().contains("\"object\""));
    let closed = members.get("additionalProperties").is_some_and(|raw| raw.get() == "false");
    (typed || members.get("properties").is_some()) && !closed
}

/// Whether the service refuses a keyword. Of an array's least length it takes 0 and 1.
fn is_limit(key: &str, raw: &RawValue) -> bool {
    match key {
        "minItems" => !matches!(raw.get(), "0" | "1"),
        "format" => text(raw).is_some_and(|name| !FORMATS.contains(&&*name)),
        key => LIMITS.contains(&key),
    }
}

/// The description with the limits at its end, as Anthropic's clients write them.
fn description(given: Option<&str>, limits: &[&Member<'_>]) -> String {
    let limits: Vec<String> = limits.iter().map(|(key, raw)| format!("{}: {}", &**key, raw.get())).collect();
    let space = if given.is_some_and(|given| !given.is_empty()) { "\n\n" } else { "" };
    format!("{}{space}{{{}}}", given.unwrap_or_default(), limits.join(", "))
}

/// Writes a keyword under a name that may be another one, with the schemas in its value.
fn member(o: &mut Object<'_>, key: &str, name: &str, raw: &RawValue, changes: &mut Changes, depth: usize) {
    match key {
        "properties" | "$defs" | "definitions" => match parse::<Rest<'_>>(raw.get()) {
            Ok(named) => o.object(name, |o| {
                named.0.iter().for_each(|(name, schema)| write(schema.get(), o.value(name), changes, depth));
            }),
            Err(_) => o.raw(name, raw.get()),
        },
        "anyOf" | "allOf" | "oneOf" | "prefixItems" => match list(raw) {
            Some(schemas) => o.array(name, |a: &mut Array<'_>| {
                for schema in schemas {
                    write(schema.get(), a.value(), changes, depth);
                }
            }),
            None => o.raw(name, raw.get()),
        },
        "items" | "not" => write(raw.get(), o.value(name), changes, depth),
        _ => o.raw(name, raw.get()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(schema: &str) -> (String, Vec<String>) {
        let mut losses = Losses::default();
        let out = enforceable(schema, "x", &mut losses).into_owned();
        (out, losses.into_losses().into_iter().filter_map(|loss| loss.note).collect())
    }

    #[test]
    fn c88_objects_are_closed_wherever_they_stand() {
        let open = concat!(
            r#"{"type":"object","properties":{"a":{"type":["object","null"],"properties":{}},"type":{"type":"string"}},"#,
            r#""$defs":{"b":{"anyOf":[{"properties":{"c":true}},{"type":"array","items":{"type":"object"}}]}}}"#
        );
        let shut = concat!(
            r#"{"type":"object","properties":{"a":{"type":["object","null"],"properties":{},"additionalProperties":false},"#,
            r#""type":{"type":"string"}},"$defs":{"b":{"anyOf":[{"properties":{"c":true},"additionalProperties":false},"#,
            r#"{"type":"array","items":{"type":"object","additionalProperties":false}}]}},"additionalProperties":false}"#
        );
        assert_eq!(written(open), (shut.into(), vec!["its objects take no members that it does not name".into()]));
        assert_eq!(written(shut), (shut.into(), vec![]));
        let map = r#"{"type":"object","additionalProperties":{"type":"string"}}"#;
        assert_eq!(written(map).0, r#"{"type":"object","additionalProperties":false}"#);
    }

    #[test]
    fn c88_limits_that_are_refused_stand_in_descriptions() {
        let schema = concat!(
            r#"{"type":"object","additionalProperties":false,"properties":{"#,
            r#""age":{"type":"integer","description":"Years.","minimum":0,"maximum":150},"#,
            r#""minimum":{"type":"string","minLength":1,"format":"date"},"#,
            r#""list":{"type":"array","minItems":2,"uniqueItems":true,"items":{"type":"number","multipleOf":0.5}},"#,
            r#""some":{"type":"array","minItems":1,"items":{"type":"string","format":"iri"}}}}"#
        );
        let expected = concat!(
            r#"{"type":"object","additionalProperties":false,"properties":{"#,
            r#""age":{"type":"integer","description":"Years.\n\n{minimum: 0, maximum: 150}"},"#,
            r#""minimum":{"type":"string","format":"date","description":"{minLength: 1}"},"#,
            r#""list":{"type":"array","items":{"type":"number","description":"{multipleOf: 0.5}"},"#,
            r#""description":"{minItems: 2, uniqueItems: true}"},"#,
            r#""some":{"type":"array","minItems":1,"items":{"type":"string","description":"{format: \"iri\"}"}}}}"#
        );
        let (out, losses) = written(schema);
        assert_eq!(out, expected);
        assert_eq!(losses, ["limits that cannot be enforced stand in its descriptions"]);
    }

    #[test]
    fn c88_one_of_several_is_any_of_them() {
        let (out, losses) = written(r#"{"oneOf":[{"type":"string","maxLength":3},{"type":"null"}]}"#);
        assert_eq!(out, r#"{"anyOf":[{"type":"string","description":"{maxLength: 3}"},{"type":"null"}]}"#);
        assert_eq!(losses.len(), 1);
        let values = r#"{"enum":["minimum"],"const":{"minimum":1},"default":{"oneOf":[]}}"#;
        assert_eq!(written(values), (values.into(), vec![]));
    }

    #[test]
    fn schemas_of_any_depth_end() {
        let deep = format!("{}{}", "{\"items\":".repeat(5000), "{\"type\":\"object\"}".to_owned() + &"}".repeat(5000));
        assert_eq!(written(&deep).0, deep);
    }
}

//! Whether a schema is full: its objects name all of their members, and have each of them.

use crate::json::{RawValue, Rest, Str, list, parse, text};

/// Schemas nested deeper than this are not looked into.
const DEPTH_LIMIT: usize = 64;

/// Whether no object of a schema may lack a member, or have one that the schema does not name. OpenAI demands that of
/// those that its models follow strictly: "'additionalProperties' is required to be supplied and to be false",
/// "'required' is required to be supplied and to be an array including every key in properties". One that cannot be
/// read counts as full.
pub fn is_full(schema: &str) -> bool {
    is_full_at(schema, 0)
}

fn is_full_at(schema: &str, depth: usize) -> bool {
    let Ok(members) = Rest::parse(schema) else { return true };
    depth >= DEPTH_LIMIT || has_all(&members) && members.0.iter().all(|(key, raw)| are_full(key, raw, depth + 1))
}

/// Whether a schema's own object is full.
fn has_all(members: &Rest<'_>) -> bool {
    let named = members.get("properties").and_then(|raw| parse::<Rest<'_>>(raw.get()).ok());
    let is_object = members.get("type").is_some_and(|raw| raw.get().contains("\"object\""));
    if !is_object && named.is_none() {
        return true;
    }
    let required: Vec<Str<'_>> =
        members.get("required").and_then(list).unwrap_or_default().into_iter().filter_map(text).collect();
    let is_required = |name: &Str<'_>| required.iter().any(|required| **required == **name);
    let is_closed = members.get("additionalProperties").is_some_and(|raw| raw.get() == "false");
    is_closed && named.unwrap_or_default().0.iter().all(|(name, _)| is_required(name))
}

/// Whether the schemas in a keyword's value are full.
fn are_full(key: &str, raw: &RawValue, depth: usize) -> bool {
    match key {
        "properties" | "$defs" | "definitions" => {
            let named = parse::<Rest<'_>>(raw.get()).unwrap_or_default();
            named.0.iter().all(|(_, schema)| is_full_at(schema.get(), depth))
        }
        "anyOf" | "allOf" | "oneOf" | "prefixItems" => {
            list(raw).into_iter().flatten().all(|schema| is_full_at(schema.get(), depth))
        }
        "items" => is_full_at(raw.get(), depth),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c88_an_object_that_may_lack_a_member_or_have_others_is_not_full_wherever_it_stands() {
        let full = r#"{"type":"object","properties":{"a":{"type":["string","null"]}},"required":["a"],"additionalProperties":false}"#;
        let optional =
            r#"{"type":"object","properties":{"a":true,"b":true},"required":["a"],"additionalProperties":false}"#;
        let open = r#"{"type":"object","properties":{}}"#;
        for (schema, expected) in [(full, true), (optional, false), (open, false)] {
            for within in [
                schema.to_owned(),
                format!(r#"{{"type":"array","items":{schema}}}"#),
                format!(r#"{{"anyOf":[{{"type":"null"}},{schema}]}}"#),
                format!(r##"{{"$ref":"#/$defs/x","$defs":{{"x":{schema}}}}}"##),
                full.replace(r#"{"type":["string","null"]}"#, schema),
            ] {
                assert_eq!(is_full(&within), expected, "{within}");
            }
        }
        for other in ["", "true", "{}", r#"{"type":"string"}"#, r#"{"default":{"type":"object"}}"#] {
            assert!(is_full(other), "{other}");
        }
        let deep = format!("{}{open}{}", "{\"items\":".repeat(5000), "}".repeat(5000));
        assert!(is_full(&deep), "schemas of any depth end");
    }
}

//! How complex a schema is, by what a service limits over all schemas of a request.

use crate::json::{RawValue, Rest, list, parse, text};

/// Schemas nested deeper than this are not looked into.
const DEPTH_LIMIT: usize = 64;

/// What a schema has of what is limited.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Weight {
    /// Properties that an object may lack.
    pub optional: usize,
    /// Properties that may be of several types.
    pub unions: usize,
}

impl Weight {
    /// Counts a schema with those within it. One that cannot be read counts nothing.
    pub fn of(schema: &str) -> Self {
        let mut weight = Self::default();
        weight.add(schema, 0);
        weight
    }

    fn add(&mut self, schema: &str, depth: usize) {
        let Ok(members) = Rest::parse(schema) else { return };
        if depth == DEPTH_LIMIT {
            return;
        }
        if let Some(named) = members.get("properties").and_then(|raw| parse::<Rest<'_>>(raw.get()).ok()) {
            let required = members.get("required").and_then(list).unwrap_or_default();
            let required: Vec<_> = required.into_iter().filter_map(text).collect();
            for (name, schema) in &named.0 {
                self.optional += usize::from(!required.iter().any(|required| **required == **name));
                self.unions += usize::from(is_union(schema));
            }
        }
        for (key, raw) in &members.0 {
            match &**key {
                "properties" | "$defs" | "definitions" => {
                    let named = parse::<Rest<'_>>(raw.get()).unwrap_or_default();
                    named.0.iter().for_each(|(_, schema)| self.add(schema.get(), depth + 1));
                }
                "anyOf" | "allOf" | "oneOf" | "prefixItems" => {
                    list(raw).into_iter().flatten().for_each(|schema| self.add(schema.get(), depth + 1));
                }
                "items" => self.add(raw.get(), depth + 1),
                _ => {}
            }
        }
    }
}

/// Whether a property may be of several types.
fn is_union(schema: &RawValue) -> bool {
    let Ok(members) = Rest::parse(schema.get()) else { return false };
    let alternatives = ["anyOf", "oneOf"].iter().any(|key| members.get(key).is_some());
    alternatives || members.get("type").is_some_and(|raw| raw.get().starts_with('['))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_count_that_are_optional_or_of_several_types() {
        let schema = concat!(
            r#"{"type":"object","required":["a","b"],"properties":{"a":{"type":["string","null"]},"b":{"type":"object","#,
            r#""properties":{"c":{"anyOf":[{"type":"string"},{"type":"object","properties":{"d":true}}]}}},"e":{"type":"array","#,
            r#""items":{"type":"object","properties":{"f":{"oneOf":[]}},"required":["f"]}}},"#,
            r#""$defs":{"g":{"properties":{"h":{"type":"string"}}}},"default":{"properties":{"i":1}}}"#
        );
        assert_eq!(Weight::of(schema), Weight { optional: 4, unions: 3 });
        for nothing in ["", "true", "[]", "{}", r#"{"properties":[1]}"#, r#"{"type":"string"}"#] {
            assert_eq!(Weight::of(nothing), Weight::default(), "{nothing}");
        }
    }

    #[test]
    fn schemas_of_any_depth_end() {
        let deep = format!("{}{}", "{\"items\":".repeat(5000), "{}".to_owned() + &"}".repeat(5000));
        assert_eq!(Weight::of(&deep), Weight::default());
    }
}

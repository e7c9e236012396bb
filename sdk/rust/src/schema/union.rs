//! Schemas of arguments with alternatives at their top, for services that refuse them there.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::json::{RawValue, Rest, Str, list, object, text};
use crate::losses::Losses;

/// The keywords that hold alternatives.
const UNIONS: [&str; 3] = ["anyOf", "oneOf", "allOf"];

/// The schema of a function's arguments as one object with the members of all its alternatives. Those that each of them
/// requires are required. Claude refuses the alternatives themselves: "`input_schema` does not support oneOf, allOf, or
/// anyOf at the top level".
pub fn without_union<'a>(schema: Cow<'a, str>, field: impl FnOnce() -> String, losses: &mut Losses) -> Cow<'a, str> {
    let Some(merged) = merged(&schema) else { return schema };
    losses.approximated(field(), "its alternatives are one object, since the model takes none at the top");
    Cow::Owned(merged)
}

fn merged(schema: &str) -> Option<String> {
    // Few schemas have any of them, so that most are not parsed.
    if !schema.contains("Of\"") {
        return None;
    }
    let root = Rest::parse(schema).ok()?;
    if !UNIONS.iter().any(|union| root.get(union).is_some()) {
        return None;
    }
    let mut properties = Properties::default();
    properties.add(&root);
    properties.fixed = properties.order.len();
    let mut required = names(&root);
    for union in UNIONS {
        let alternatives = alternatives(&root, union);
        for one in &alternatives {
            properties.add(one);
        }
        required.extend(common(&alternatives, union == "allOf"));
    }
    let mut out = String::with_capacity(schema.len());
    object(&mut out, |o| {
        let apart = |key: &str| UNIONS.contains(&key) || matches!(key, "properties" | "required");
        root.0.iter().filter(|(key, _)| !apart(key)).for_each(|(key, raw)| o.raw(key, raw.get()));
        o.object("properties", |o| properties.write(o));
        let mut seen = BTreeSet::new();
        let required: Vec<String> = required.into_iter().filter(|name| seen.insert(name.clone())).collect();
        o.opt_strs("required", &required);
    });
    Some(out)
}

/// The alternatives of a keyword, found by their names where they stand among the definitions.
fn alternatives<'a>(root: &Rest<'a>, union: &str) -> Vec<Rest<'a>> {
    let all = root.get(union).and_then(list).unwrap_or_default();
    all.into_iter().map(|raw| resolved(root, Rest::parse(raw.get()).unwrap_or_default())).collect()
}

fn resolved<'a>(root: &Rest<'a>, schema: Rest<'a>) -> Rest<'a> {
    let named = schema.get("$ref").and_then(text).and_then(|place| {
        let (definitions, name) = place.strip_prefix("#/")?.split_once('/')?;
        let all = Rest::parse(root.get(definitions)?.get()).ok()?;
        Rest::parse(all.get(name)?.get()).ok()
    });
    named.unwrap_or(schema)
}

/// The names that a schema requires.
fn names(schema: &Rest<'_>) -> Vec<String> {
    let all = schema.get("required").and_then(list).unwrap_or_default();
    all.into_iter().filter_map(text).map(Str::into_string).collect()
}

/// The names that all alternatives require, or any of them where all apply.
fn common(alternatives: &[Rest<'_>], all_apply: bool) -> Vec<String> {
    let mut lists = alternatives.iter().map(names);
    if all_apply {
        return lists.flatten().collect();
    }
    let first = lists.next().unwrap_or_default();
    lists.fold(first, |common, next| {
        let next: BTreeSet<String> = next.into_iter().collect();
        common.into_iter().filter(|name| next.contains(name)).collect()
    })
}

/// The members of an object, each with its schemas, in order.
#[derive(Debug, Default)]
struct Properties<'a> {
    order: Vec<(Str<'a>, Vec<&'a RawValue>)>,
    by_name: BTreeMap<String, usize>,
    seen: BTreeSet<(usize, &'a str)>,
    /// How many of them are the schema's own, which stay as they are.
    fixed: usize,
}

impl<'a> Properties<'a> {
    fn add(&mut self, schema: &Rest<'a>) {
        let members = schema.get("properties").and_then(|raw| Rest::parse(raw.get()).ok()).unwrap_or_default();
        for (name, raw) in members.0 {
            let next = self.order.len();
            let at = *self.by_name.entry(name.to_string()).or_insert(next);
            if at == next {
                self.order.push((name, Vec::new()));
            }
            if at >= self.fixed
                && self.seen.insert((at, raw.get()))
                && let Some((_, schemas)) = self.order.get_mut(at)
            {
                schemas.push(raw);
            }
        }
    }

    fn write(&self, o: &mut crate::json::Object<'_>) {
        for (name, schemas) in &self.order {
            match schemas.as_slice() {
                [one] => o.raw(name, one.get()),
                several => o.object(name, |o| {
                    o.array("anyOf", |a| several.iter().for_each(|schema| a.raw(schema.get())));
                }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(schema: &str) -> (String, usize) {
        let mut losses = Losses::default();
        let out = without_union(Cow::Borrowed(schema), || "x".to_owned(), &mut losses).into_owned();
        (out, losses.into_losses().len())
    }

    #[test]
    fn alternatives_at_the_top_become_one_object() {
        let schema = concat!(
            r##"{"type":"object","oneOf":[{"$ref":"#/$defs/a"},{"properties":{"kind":{"const":"b"},"n":true},"##,
            r#""required":["n","kind"]}],"$defs":{"a":{"properties":{"kind":{"const":"a"}},"required":["kind"]}}}"#
        );
        let expected = concat!(
            r#"{"type":"object","$defs":{"a":{"properties":{"kind":{"const":"a"}},"required":["kind"]}},"#,
            r#""properties":{"kind":{"anyOf":[{"const":"a"},{"const":"b"}]},"n":true},"required":["kind"]}"#
        );
        assert_eq!(written(schema), (expected.into(), 1));
    }

    #[test]
    fn what_the_schema_names_itself_stays() {
        let schema = concat!(
            r#"{"type":"object","properties":{"id":{"type":"string"}},"required":["id"],"#,
            r#""anyOf":[{"required":["a"]},{"properties":{"id":true},"required":["b"]}],"allOf":[{"required":["c","id"]}]}"#
        );
        let expected = r#"{"type":"object","properties":{"id":{"type":"string"}},"required":["id","c"]}"#;
        assert_eq!(written(schema), (expected.into(), 1));
        for other in [r#"{"type":"object","properties":{"anyOf":{"anyOf":[]}}}"#, "true", "{"] {
            assert_eq!(written(other), (other.into(), 0));
        }
    }
}

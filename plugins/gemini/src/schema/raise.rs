//! Converts schemas of the older place to JSON Schema.

use weir_sdk::json::{Array, Object, RawValue, Str, object, parse};

use super::{DEPTH, TYPES};
use crate::wire::{Unnamed, Word, camel};

/// Renders a schema of the older place as JSON Schema. A value that is not an object is unchanged.
pub(crate) fn raise(raw: &RawValue) -> String {
    let mut out = String::with_capacity(raw.get().len() + 64);
    schema(&mut out, raw, 0);
    out
}

fn schema(out: &mut String, raw: &RawValue, depth: usize) {
    let read = parse::<Unnamed<'_>>(raw.get()).ok().filter(|_| depth < DEPTH);
    let Some(Unnamed { rest: mut members }) = read else { return out.push_str(raw.get()) };
    members.0.iter_mut().for_each(|(key, _)| *key = Str(camel(key).into()));
    let nullable = members.take("nullable").is_some_and(|raw| raw.get() == "true");
    let order: Vec<Str<'_>> =
        members.take("propertyOrdering").and_then(|raw| parse(raw.get()).ok()).unwrap_or_default();
    object(out, |o| {
        for (key, raw) in &members.0 {
            member(o, key, raw, nullable, &order, depth + 1);
        }
    });
}

fn member(o: &mut Object<'_>, key: &str, raw: &RawValue, nullable: bool, order: &[Str<'_>], depth: usize) {
    match key {
        "type" => types(o, raw, nullable),
        "properties" => map(o, "properties", raw, order, depth),
        "defs" | "$defs" => map(o, "$defs", raw, &[], depth),
        "ref" => o.raw("$ref", raw.get()),
        "items" | "additionalProperties" => schema(o.value(key), raw, depth),
        "anyOf" => list(o, raw, nullable, depth),
        "enum" => enumeration(o, raw, nullable),
        "format" if raw.get() == "\"enum\"" => {}
        "example" => o.array("examples", |a| a.raw(raw.get())),
        "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties" => {
            // Numbers of 64 bits may be texts.
            let number = raw.get().trim_matches('"');
            let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            o.raw(key, if is_number { number } else { raw.get() });
        }
        _ => o.raw(key, raw.get()),
    }
}

fn types(o: &mut Object<'_>, raw: &RawValue, nullable: bool) {
    let Ok(word) = parse::<Word<'_>>(raw.get()) else { return o.raw("type", raw.get()) };
    let name = word.name(&TYPES).to_ascii_lowercase();
    match name.as_str() {
        "type_unspecified" => {}
        "null" => o.str("type", "null"),
        name if nullable => o.array("type", |a| {
            a.str(name);
            a.str("null");
        }),
        name => o.str("type", name),
    }
}

/// Writes schemas by name, those in `order` first.
fn map(o: &mut Object<'_>, key: &str, raw: &RawValue, order: &[Str<'_>], depth: usize) {
    let Ok(Unnamed { rest: mut members }) = parse::<Unnamed<'_>>(raw.get()) else {
        return o.raw(key, raw.get());
    };
    o.object(key, |o| {
        for name in order {
            if let Some(raw) = members.take(name) {
                schema(o.value(name), raw, depth);
            }
        }
        members.0.iter().for_each(|(name, raw)| schema(o.value(name), raw, depth));
    });
}

fn list(o: &mut Object<'_>, raw: &RawValue, nullable: bool, depth: usize) {
    let Ok(branches) = parse::<Vec<&RawValue>>(raw.get()) else { return o.raw("anyOf", raw.get()) };
    o.array("anyOf", |a: &mut Array<'_>| {
        for raw in &branches {
            schema(a.value(), raw, depth);
        }
        if nullable {
            a.raw(r#"{"type":"null"}"#);
        }
    });
}

fn enumeration(o: &mut Object<'_>, raw: &RawValue, nullable: bool) {
    let values: Vec<&RawValue> = parse(raw.get()).unwrap_or_default();
    o.array("enum", |a| {
        for raw in &values {
            a.raw(raw.get());
        }
        if nullable && !values.iter().any(|raw| raw.get() == "null") {
            a.raw("null");
        }
    });
}

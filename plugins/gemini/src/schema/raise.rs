//! Converts schemas of the older place to JSON Schema.

use weir_sdk::json::{Array, Object, RawValue, Str, object, parse};

use super::{DEPTH, TYPES};
use crate::wire::{Unnamed, Word, camel};

/// What the members of a schema say about each other.
struct Siblings<'s> {
    nullable: bool,
    /// Whether its values are numbers.
    numeric: bool,
    /// The order of its properties.
    order: &'s [Str<'s>],
}

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
    let kind = members.0.iter().find(|(key, _)| &**key == "type").and_then(|(_, raw)| kind(raw));
    let numeric = matches!(kind.as_deref(), Some("integer" | "number"));
    let siblings = Siblings { nullable, numeric, order: &order };
    object(out, |o| {
        for (key, raw) in &members.0 {
            member(o, key, raw, &siblings, depth + 1);
        }
    });
}

fn member(o: &mut Object<'_>, key: &str, raw: &RawValue, siblings: &Siblings<'_>, depth: usize) {
    let nullable = siblings.nullable;
    match key {
        "type" => types(o, raw, nullable),
        "properties" => map(o, "properties", raw, siblings.order, depth),
        "defs" | "$defs" => map(o, "$defs", raw, &[], depth),
        "ref" => o.raw("$ref", raw.get()),
        "items" | "additionalProperties" => schema(o.value(key), raw, depth),
        "anyOf" => list(o, raw, nullable, depth),
        "enum" => enumeration(o, raw, siblings),
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

/// The name of a type, as JSON Schema spells it.
fn kind(raw: &RawValue) -> Option<String> {
    parse::<Word<'_>>(raw.get()).ok().map(|word| word.name(&TYPES).to_ascii_lowercase())
}

fn types(o: &mut Object<'_>, raw: &RawValue, nullable: bool) {
    let Some(name) = kind(raw) else { return o.raw("type", raw.get()) };
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

/// Writes the values to choose from. The older place has only texts for them, also where they are numbers.
fn enumeration(o: &mut Object<'_>, raw: &RawValue, siblings: &Siblings<'_>) {
    let values: Vec<&RawValue> = parse(raw.get()).unwrap_or_default();
    o.array("enum", |a| {
        for raw in &values {
            a.raw(quoted_number(raw.get()).filter(|_| siblings.numeric).unwrap_or(raw.get()));
        }
        if siblings.nullable && !values.iter().any(|raw| raw.get() == "null") {
            a.raw("null");
        }
    });
}

/// The number that a JSON text quotes.
fn quoted_number(json: &str) -> Option<&str> {
    let text = json.strip_prefix('"')?.strip_suffix('"')?;
    let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    parse::<&RawValue>(text).ok().filter(|_| is_number).map(RawValue::get)
}

//! Converts schemas of the older place to JSON Schema.

use weir_sdk::json::{Object, RawValue, Str, array, object, parse};

use super::{DEPTH, ORDER, Origin, TYPES};
use crate::wire::{Unnamed, Word, camel};

/// What the members of a schema say about each other.
struct Siblings<'s> {
    nullable: bool,
    /// Whether its values are numbers.
    numeric: bool,
    /// The order of its properties.
    order: &'s [Str<'s>],
}

/// Renders a schema of the older place as JSON Schema, and tells what else it said. A value that is not an object is
/// unchanged.
pub(crate) fn raise(raw: &RawValue) -> (String, Origin) {
    let mut out = String::with_capacity(raw.get().len() + 64);
    let mut writer = Raise { ordered: false };
    writer.schema(&mut out, raw, 0);
    (out, Origin { old: true, ordered: writer.ordered })
}

struct Raise {
    /// Whether a schema so far has an order of its properties.
    ordered: bool,
}

impl Raise {
    fn schema(&mut self, out: &mut String, raw: &RawValue, depth: usize) {
        let read = parse::<Unnamed<'_>>(raw.get()).ok().filter(|_| depth < DEPTH);
        let Some(Unnamed { rest: mut members }) = read else { return out.push_str(raw.get()) };
        members.0.iter_mut().for_each(|(key, _)| *key = Str(camel(key).into()));
        let nullable = members.take("nullable").is_some_and(|raw| raw.get() == "true");
        let order: Vec<Str<'_>> = members.take(ORDER).and_then(|raw| parse(raw.get()).ok()).unwrap_or_default();
        self.ordered |= !order.is_empty();
        let kind = members.0.iter().find(|(key, _)| &**key == "type").and_then(|(_, raw)| kind(raw));
        let numeric = matches!(kind.as_deref(), Some("integer" | "number"));
        let siblings = Siblings { nullable, numeric, order: &order };
        object(out, |o| {
            for (key, raw) in &members.0 {
                self.member(o, key, raw, &siblings, depth + 1);
            }
        });
    }

    fn member(&mut self, o: &mut Object<'_>, key: &str, raw: &RawValue, siblings: &Siblings<'_>, depth: usize) {
        let nullable = siblings.nullable;
        match key {
            "type" => types(o, raw, nullable),
            "properties" => self.map(o.value(key), raw, siblings.order, depth),
            "defs" | "$defs" => self.map(o.value("$defs"), raw, &[], depth),
            "ref" => reference(o, raw),
            "items" | "additionalProperties" => self.schema(o.value(key), raw, depth),
            "anyOf" => self.list(o.value(key), raw, nullable, depth),
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

    /// Writes schemas by name, those in `order` first.
    fn map(&mut self, out: &mut String, raw: &RawValue, order: &[Str<'_>], depth: usize) {
        let Ok(Unnamed { rest: mut members }) = parse::<Unnamed<'_>>(raw.get()) else {
            return out.push_str(raw.get());
        };
        object(out, |o| {
            for name in order {
                if let Some(raw) = members.take(name) {
                    self.schema(o.value(name), raw, depth);
                }
            }
            members.0.iter().for_each(|(name, raw)| self.schema(o.value(name), raw, depth));
        });
    }

    fn list(&mut self, out: &mut String, raw: &RawValue, nullable: bool, depth: usize) {
        let Ok(branches) = parse::<Vec<&RawValue>>(raw.get()) else { return out.push_str(raw.get()) };
        array(out, |a| {
            for raw in &branches {
                self.schema(a.value(), raw, depth);
            }
            if nullable {
                a.raw(r#"{"type":"null"}"#);
            }
        });
    }
}

/// Writes a reference, which leads to a definition under JSON Schema's name for their place.
fn reference(o: &mut Object<'_>, raw: &RawValue) {
    let path: Option<Str<'_>> = parse(raw.get()).ok();
    match path.as_deref().and_then(|path| path.strip_prefix("#/defs/")) {
        Some(name) => o.str("$ref", &format!("#/$defs/{name}")),
        None => o.raw("$ref", raw.get()),
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

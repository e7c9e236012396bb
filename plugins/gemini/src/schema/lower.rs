//! Converts JSON Schema for the older place.

use weir_sdk::json::{Object, RawValue, Str, object, parse};
use weir_sdk::losses::Losses;
use weir_sdk::types::Error;

use super::flat::Flat;
use super::{DEPTH, ORDER, Origin};

/// Most schemas that one may become when its references are replaced.
const NODES: usize = 2000;
/// Keywords that both have in the same form.
const ALIKE: [&str; 12] = [
    "title",
    "description",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "minProperties",
    "maxProperties",
    "pattern",
    "default",
];
/// Keywords that mean nothing once references are replaced, or nothing at all.
const SPENT: [&str; 6] = ["$defs", "definitions", "$id", "$comment", "$anchor", "nullable"];
/// Values of `format` that every service takes.
const FORMATS: [&str; 6] = ["date-time", "float", "double", "int32", "int64", "enum"];

/// Renders a JSON Schema for the older place; `place` names it in losses. If it came from such a place, it gets
/// keywords back that not all services take: numbers to choose from, quoted again, further formats, and additional
/// properties.
pub(crate) fn lower(json: &str, place: &str, origin: Origin, losses: &mut Losses) -> Result<String, Error> {
    let root: &RawValue =
        parse(json).map_err(|error| Error::invalid(format!("{place}: {error}")).at(place.to_owned()))?;
    let mut out = String::with_capacity(json.len() + 64);
    let mut writer = Lower { root, origin, losses, open: Vec::new(), nodes: 0 };
    writer.schema(&mut out, root, place, 0);
    Ok(out)
}

struct Lower<'a, 'l> {
    root: &'a RawValue,
    origin: Origin,
    losses: &'l mut Losses,
    /// The references that are being followed.
    open: Vec<String>,
    nodes: usize,
}

/// The types that a schema allows.
#[derive(Debug, Default)]
struct Kinds {
    types: Vec<String>,
    nullable: bool,
    /// The values of `enum`, or of `const`.
    values: Vec<String>,
    /// Whether they are quoted numbers.
    numbers: bool,
}

impl Kinds {
    fn are_numbers(&self) -> bool {
        self.types.iter().all(|name| matches!(name.as_str(), "NUMBER" | "INTEGER")) && !self.types.is_empty()
    }
}

impl<'a> Lower<'a, '_> {
    fn schema(&mut self, out: &mut String, raw: &'a RawValue, place: &str, depth: usize) {
        self.nodes += 1;
        if depth >= DEPTH || self.nodes > NODES {
            self.losses.approximated(place, "it is nested too deeply, or too large once written out");
            return out.push_str(r#"{"type":"OBJECT"}"#);
        }
        let opened = self.open.len();
        let mut flat = Flat::default();
        flat.add(self.root, raw, &mut self.open);
        let mut kinds = Kinds::default();
        let branches = self.branches(&mut flat, &mut kinds);
        if flat.circle {
            self.losses.approximated(place, "a schema that holds itself is cut off");
        }
        if flat.dangling {
            self.losses.dropped(format!("{place}.$ref"), "it leads nowhere");
        }
        self.kinds(&mut flat, &mut kinds, place);
        object(out, |o| {
            self.heads(o, &mut flat, &kinds, place);
            self.children(o, &mut flat, &kinds, place, depth);
            if !branches.is_empty() {
                o.array("anyOf", |a| {
                    for branch in &branches {
                        self.schema(a.value(), branch, place, depth + 1);
                    }
                });
            }
        });
        for (key, _) in flat.members.iter().filter(|(key, _)| !SPENT.contains(&&**key)) {
            self.losses.dropped(format!("{place}.{}", &**key), "this field's schemas have no place for it");
        }
        self.open.truncate(opened);
    }

    /// The branches of `anyOf` and `oneOf` without the one that only allows null; a single one is merged.
    fn branches(&mut self, flat: &mut Flat<'a>, kinds: &mut Kinds) -> Vec<&'a RawValue> {
        for _ in 0..DEPTH {
            let lists = [flat.take("anyOf"), flat.take("oneOf")];
            let all =
                lists.into_iter().flatten().flat_map(|raw| parse::<Vec<&RawValue>>(raw.get()).unwrap_or_default());
            let (null, others): (Vec<&RawValue>, Vec<_>) = all.partition(|raw| is_null(raw));
            kinds.nullable |= !null.is_empty();
            match others.as_slice() {
                [only] => flat.add(self.root, only, &mut self.open),
                _ => return others,
            }
        }
        Vec::new()
    }

    fn kinds(&mut self, flat: &mut Flat<'a>, kinds: &mut Kinds, place: &str) {
        if let Some(raw) = flat.take("type") {
            let one = parse::<Str<'_>>(raw.get()).map(|one| vec![one]);
            let all = one.or_else(|_| parse::<Vec<Str<'_>>>(raw.get())).unwrap_or_default();
            kinds.types = all.iter().map(|name| name.to_ascii_uppercase()).collect();
        }
        let listed = kinds.types.len();
        kinds.types.retain(|name| name != "NULL");
        kinds.nullable |= kinds.types.len() < listed;
        kinds.nullable |= flat.members.iter().any(|(key, raw)| &**key == "nullable" && raw.get() == "true");
        let listed = flat.take("enum").and_then(|raw| parse::<Vec<&RawValue>>(raw.get()).ok());
        let values = flat.take("const").map(|one| vec![one]).or(listed).unwrap_or_default();
        kinds.nullable |= values.iter().any(|raw| raw.get() == "null");
        let others = values.iter().filter(|raw| raw.get() != "null");
        if others.clone().all(|raw| raw.get().starts_with('"')) {
            kinds.values = others.map(|raw| raw.get().to_owned()).collect();
        } else if self.origin.old && kinds.are_numbers() && others.clone().all(|raw| as_text(raw).is_some()) {
            kinds.values = others.filter_map(|raw| as_text(raw)).collect();
            kinds.numbers = true;
        } else {
            self.losses.dropped(format!("{place}.enum"), "only texts can be listed here");
            if kinds.types.is_empty() {
                kinds.types.extend(values.iter().find_map(|raw| type_of(raw)).map(str::to_owned));
            }
        }
        if kinds.types.is_empty() {
            kinds.types.extend(guess(flat, kinds).map(str::to_owned));
        }
    }

    fn heads(&mut self, o: &mut Object<'_>, flat: &mut Flat<'a>, kinds: &Kinds, place: &str) {
        if let [only] = kinds.types.as_slice() {
            o.str("type", only);
        }
        let format = flat.take("format");
        o.opt_str("format", Some("enum").filter(|_| kinds.numbers && format.is_none()));
        if let Some(format) = format {
            let known = self.origin.old || FORMATS.iter().any(|known| format.get().trim_matches('"') == *known);
            o.opt_raw("format", known.then(|| format.get()));
            self.losses.dropped_if(!known, &format!("{place}.format"), "the service does not know it");
        }
        if kinds.nullable {
            o.bool("nullable", true);
        }
        if !kinds.values.is_empty() {
            o.array("enum", |a| kinds.values.iter().for_each(|value| a.raw(value)));
        }
        for (exclusive, inclusive) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
            let has_other = flat.members.iter().any(|(key, _)| &**key == inclusive);
            if let Some(raw) = flat.take(exclusive).filter(|_| !has_other) {
                self.losses.approximated(format!("{place}.{exclusive}"), inclusive);
                o.raw(inclusive, raw.get());
            }
        }
        for key in ALIKE {
            o.opt_raw(key, flat.take(key).map(RawValue::get));
        }
        let examples: Vec<&RawValue> = flat.take("examples").and_then(|raw| parse(raw.get()).ok()).unwrap_or_default();
        o.opt_raw("example", examples.first().map(|raw| raw.get()));
    }

    fn children(&mut self, o: &mut Object<'_>, flat: &mut Flat<'a>, kinds: &Kinds, place: &str, depth: usize) {
        if kinds.types.len() > 1 {
            self.losses.approximated(format!("{place}.type"), "several types become branches");
            o.array("anyOf", |a| kinds.types.iter().for_each(|name| a.object(|o| o.str("type", name))));
        }
        let properties = std::mem::take(&mut flat.properties);
        if !properties.is_empty() {
            o.object("properties", |o| {
                for (name, raw) in &properties {
                    self.schema(o.value(name), raw, &format!("{place}.{}", &**name), depth + 1);
                }
            });
        }
        if self.origin.ordered && !properties.is_empty() {
            o.array(ORDER, |a| properties.iter().for_each(|(name, _)| a.str(name)));
        }
        if let Some(raw) = self.origin.old.then(|| flat.take("additionalProperties")).flatten() {
            self.additional(o, raw, place, depth);
        }
        let known = |name: &&Str<'_>| properties.iter().any(|(known, _)| known == *name);
        let required: Vec<String> = flat.required.iter().filter(known).map(ToString::to_string).collect();
        o.opt_strs("required", &required);
        match flat.take("items") {
            Some(items) => self.schema(o.value("items"), items, &format!("{place}[]"), depth + 1),
            None if kinds.types.iter().any(|name| name == "ARRAY") => {
                self.losses.approximated(format!("{place}.items"), "elements of an array must have a type");
                o.object("items", |o| o.str("type", "STRING"));
            }
            None => {}
        }
    }

    /// Writes what further properties an object may have: any, none, or those of a schema.
    fn additional(&mut self, o: &mut Object<'_>, raw: &'a RawValue, place: &str, depth: usize) {
        const KEY: &str = "additionalProperties";
        match raw.get() {
            any @ ("true" | "false") => o.raw(KEY, any),
            _ => self.schema(o.value(KEY), raw, &format!("{place}.{KEY}"), depth + 1),
        }
    }
}

fn is_null(raw: &RawValue) -> bool {
    let mut flat = Flat::default();
    flat.add(raw, raw, &mut Vec::new());
    flat.take("type").is_some_and(|kind| kind.get() == "\"null\"")
}

fn type_of(raw: &RawValue) -> Option<&'static str> {
    match raw.get().as_bytes().first()? {
        b't' | b'f' => Some("BOOLEAN"),
        b'-' | b'0'..=b'9' if raw.get().contains(['.', 'e', 'E']) => Some("NUMBER"),
        b'-' | b'0'..=b'9' => Some("INTEGER"),
        _ => None,
    }
}

/// A text, or a number as one.
fn as_text(raw: &RawValue) -> Option<String> {
    match type_of(raw) {
        Some("NUMBER" | "INTEGER") => Some(format!("\"{}\"", raw.get())),
        _ => raw.get().starts_with('"').then(|| raw.get().to_owned()),
    }
}

/// The type that the other keywords imply.
fn guess(flat: &Flat<'_>, kinds: &Kinds) -> Option<&'static str> {
    if !flat.properties.is_empty() || flat.circle {
        Some("OBJECT")
    } else if flat.members.iter().any(|(key, _)| &**key == "items") {
        Some("ARRAY")
    } else if !kinds.values.is_empty() {
        Some("STRING")
    } else {
        None
    }
}

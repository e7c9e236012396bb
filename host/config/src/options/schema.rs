//! Checks options against the JSON Schema of a manifest's `settings`.
//!
//! Of JSON Schema (draft 2020-12) it understands what manifests use: `type`, `enum`, `const`, `properties`, `required`,
//! `additionalProperties`, `items`, `minimum` and `maximum`. A keyword that it does not understand constrains nothing
//! here, so that no value is refused which the schema allows.

use serde_json::{Map, Value};

use super::{AUTH, Options, escape};
use crate::{Place, Problem, suggest};

/// What options may be set, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct OptionRules<'a> {
    /// Who takes them, for messages: ``the adapter `openai` ``.
    pub owner: &'a str,
    /// The manifest's `settings`: a JSON Schema, or empty where there are no options.
    pub schema: &'a str,
    /// Names that the host reads itself, whatever the schema says.
    pub host: &'a [&'a str],
    /// Whether these are all options, so that a required one must be among them.
    pub whole: bool,
}

impl Options {
    /// The mistakes in these options, each with its place: unknown names, and values that the schema does not allow.
    /// The option `auth` is not checked here: its values are the adapter's authentication schemes.
    pub fn mistakes(&self, rules: OptionRules<'_>) -> Vec<Problem> {
        if rules.schema.trim().is_empty() {
            return self.unasked(rules);
        }
        let Ok(Value::Object(schema)) = serde_json::from_str(rules.schema) else { return Vec::new() };
        let mut check = Check { options: self, rules, problems: Vec::new() };
        check.members(&self.values, &schema, "");
        check.problems
    }

    /// Warns of options for an adapter that says it has none. It may read them all the same, so they are no errors.
    fn unasked(&self, OptionRules { owner, host, .. }: OptionRules<'_>) -> Vec<Problem> {
        let names = self.values.keys().filter(|name| *name != AUTH && !host.contains(&name.as_str()));
        let warning = |name: &String| {
            let place = self.place_of(&format!("/{}", escape(name)));
            let message = format!("{owner} says that it has no options, but `{name}` is set");
            Problem::warning(&place, message).with_help("leave it out, unless the adapter's documentation names it")
        };
        names.map(warning).collect()
    }
}

struct Check<'a> {
    options: &'a Options,
    rules: OptionRules<'a>,
    problems: Vec<Problem>,
}

impl Check<'_> {
    /// Checks the members of a table against an object's schema.
    fn members(&mut self, values: &Map<String, Value>, schema: &Map<String, Value>, pointer: &str) {
        let is_top = pointer.is_empty();
        let properties = schema.get("properties").and_then(Value::as_object);
        for (name, value) in values {
            if is_top && name == AUTH {
                continue;
            }
            let pointer = format!("{pointer}/{}", escape(name));
            if let Some(schema) = properties.and_then(|known| known.get(name)) {
                self.value(value, schema, &pointer);
            } else if !(is_top && self.rules.host.contains(&name.as_str())) {
                self.further(name, value, schema, &pointer);
            }
        }
        if is_top && !self.rules.whole {
            return;
        }
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for name in required.filter_map(Value::as_str).filter(|name| !values.contains_key(*name)) {
            let place = self.options.place_of(pointer);
            let message = match shown(pointer) {
                path if path.is_empty() => format!("{} needs the option `{name}`", self.rules.owner),
                path => format!("`{path}` needs `{name}`"),
            };
            self.problems.push(Problem::error(&place, message));
        }
    }

    /// Checks a member that the schema does not list.
    fn further(&mut self, name: &str, value: &Value, schema: &Map<String, Value>, pointer: &str) {
        let listed = schema.get("properties").and_then(Value::as_object);
        let listed = listed.into_iter().flat_map(Map::keys).map(String::as_str);
        let known: Vec<&str> = listed.filter(|known| !(*known == AUTH && pointer.rfind('/') == Some(0))).collect();
        // Names may be allowed by a pattern, which is not understood here.
        let has_patterns = schema.contains_key("patternProperties");
        match schema.get("additionalProperties") {
            Some(Value::Bool(false)) if !has_patterns => self.unknown(name, pointer, &known),
            Some(Value::Object(_)) if !has_patterns => {
                let further = schema.get("additionalProperties").unwrap_or(&Value::Bool(true));
                self.value(value, further, pointer);
            }
            _ => self.near_miss(name, pointer, &known),
        }
    }

    fn unknown(&mut self, name: &str, pointer: &str, known: &[&str]) {
        let place = self.options.place_of(pointer);
        let path = shown(parent(pointer));
        let message = match path.as_str() {
            "" => format!("{} has no option `{name}`", self.rules.owner),
            path => format!("{} has no `{name}` in its option `{path}`", self.rules.owner),
        };
        let problem = match place {
            // As with other variables, one that means nothing does not keep the program from starting.
            Place::Variable(_) => Problem::warning(&place, message),
            _ => Problem::error(&place, message),
        };
        let names = |known: &[&str]| known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let help = match suggest::nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "it has none of its own".to_owned(),
            None => format!("it has {}", names(known)),
        };
        self.problems.push(problem.with_help(help));
    }

    /// Where any name is allowed, one that nearly is a known one may be a slip.
    fn near_miss(&mut self, name: &str, pointer: &str, known: &[&str]) {
        let Some(near) = suggest::nearest(name, known.iter().copied()) else { return };
        if self.options.values.contains_key(near) {
            return;
        }
        let message = format!("{} lists no option `{name}`", self.rules.owner);
        let problem = Problem::warning(&self.options.place_of(pointer), message);
        self.problems.push(problem.with_help(format!("did you mean `{near}`?")));
    }

    /// Checks one value against its schema. What is wrong with its kind is all that is said of it.
    fn value(&mut self, value: &Value, schema: &Value, pointer: &str) {
        let Some(schema) = schema.as_object() else { return };
        if let Some(wanted) = wanted(value, schema) {
            let place = self.options.place_of(pointer);
            let message = format!("`{}` must be {wanted}, not {}", shown(pointer), text_of(value, &wanted));
            let of_words = schema.get("enum").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            let near = value.as_str().and_then(|word| suggest::nearest(word, of_words));
            let problem = Problem::error(&place, message);
            self.problems.push(match near {
                Some(near) => problem.with_help(format!("did you mean `{near}`?")),
                None => problem.with_help(format!("an option of {}", self.rules.owner)),
            });
            return;
        }
        match value {
            Value::Object(members) => self.members(members, schema, pointer),
            Value::Array(items) => {
                let Some(of_items) = schema.get("items") else { return };
                for (at, item) in items.iter().enumerate() {
                    self.value(item, of_items, &format!("{pointer}/{at}"));
                }
            }
            _ => {}
        }
    }
}

/// What a value would have to be, if the schema does not allow it.
fn wanted(value: &Value, schema: &Map<String, Value>) -> Option<String> {
    let kinds: Vec<&str> = match schema.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is_a(value, kind)) {
        return Some(kinds.into_iter().map(with_article).collect::<Vec<_>>().join(" or "));
    }
    let listed = schema.get("enum").and_then(Value::as_array);
    if let Some(listed) = listed.filter(|listed| !listed.contains(value)) {
        return Some(one_of(listed));
    }
    if let Some(only) = schema.get("const").filter(|only| *only != value) {
        return Some(one_of(std::slice::from_ref(only)));
    }
    let (number, bound) = (value.as_f64()?, |name: &str| schema.get(name).and_then(Value::as_f64));
    match (bound("minimum"), bound("maximum")) {
        (Some(least), _) if number < least => Some(format!("at least {least}")),
        (_, Some(most)) if number > most => Some(format!("at most {most}")),
        _ => None,
    }
}

fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        // A kind that JSON Schema does not have constrains nothing.
        _ => true,
    }
}

/// A kind of JSON in the words of the configuration's other messages.
fn with_article(kind: &str) -> &'static str {
    match kind {
        "boolean" => "a boolean",
        "object" => "a table",
        "array" => "a list",
        "string" => "a string",
        "number" => "a number",
        "integer" => "an integer",
        _ => "nothing",
    }
}

/// The value as messages show it: a word of a closed list by itself, anything else by its kind, as it may be a secret.
fn text_of(value: &Value, wanted: &str) -> String {
    match value {
        Value::String(text) if wanted.contains('`') && text.len() <= MAX_SHOWN => format!("`{text}`"),
        Value::Number(number) => number.to_string(),
        Value::String(_) => "a string".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a table".to_owned(),
        Value::Null => "nothing".to_owned(),
    }
}

/// The longest word, in bytes, that a message repeats.
const MAX_SHOWN: usize = 40;

fn one_of(listed: &[Value]) -> String {
    let shown = |value: &Value| value.as_str().map_or_else(|| format!("`{value}`"), |word| format!("`{word}`"));
    listed.iter().map(shown).collect::<Vec<_>>().join(" or ")
}

fn parent(pointer: &str) -> &str {
    pointer.rfind('/').map_or("", |end| &pointer[..end])
}

/// A JSON pointer as people write a place in a table: `patterns[0].name`.
fn shown(pointer: &str) -> String {
    let mut path = String::new();
    for segment in pointer.split('/').skip(1) {
        let name = segment.replace("~1", "/").replace("~0", "~");
        if !path.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit()) {
            path.extend(["[", name.as_str(), "]"]);
        } else {
            path.push_str(if path.is_empty() { "" } else { "." });
            path.push_str(&name);
        }
    }
    path
}

#[cfg(test)]
mod tests;

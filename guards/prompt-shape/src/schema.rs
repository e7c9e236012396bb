//! The part of JSON Schema that is checked, on documents and in steps that are bounded.

mod keywords;

use serde_json::{Map, Value};

pub(crate) use keywords::Unknown;

/// The most bytes of a schema.
const BYTES: usize = 64 << 10;
/// How deep schemas may be within each other, references included.
const DEPTH: usize = 100;
/// The most comparisons of a schema with a value: alternatives of alternatives multiply.
const STEPS: usize = 100_000;

/// A schema whose keywords have been checked.
#[derive(Debug)]
pub(crate) struct Schema(Value);

/// The keyword that a document breaks, and where: a JSON pointer with `*` for names that the schema does not have.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Breach {
    pub(crate) keyword: &'static str,
    pub(crate) place: String,
}

impl Schema {
    /// A schema, checked.
    ///
    /// # Errors
    ///
    /// What is wrong with it, or not supported.
    pub(crate) fn new(schema: Value, unknown: Unknown) -> Result<Self, String> {
        if schema.to_string().len() > BYTES {
            return Err(format!("it is larger than {BYTES} bytes"));
        }
        keywords::check(&schema, &schema, unknown, DEPTH)?;
        Ok(Self(schema))
    }

    /// The schema of a request, whose unknown keywords are not checked.
    ///
    /// # Errors
    ///
    /// As of [`Self::new`].
    pub(crate) fn of_request(text: &str) -> Result<Self, String> {
        if text.len() > BYTES {
            return Err(format!("it is larger than {BYTES} bytes"));
        }
        Self::new(serde_json::from_str(text).map_err(|_| "it is not JSON".to_owned())?, Unknown::Ignored)
    }

    /// Checks a document.
    ///
    /// # Errors
    ///
    /// The first keyword that it breaks.
    pub(crate) fn check(&self, document: &Value) -> Result<(), Breach> {
        let mut check = Check { root: &self.0, steps: 0, depth: 0, place: Vec::new() };
        match check.schema(&self.0, document) {
            Ok(()) => Ok(()),
            Err(keyword) => Err(Breach { keyword, place: check.place.concat() }),
        }
    }
}

/// The schema that a reference leads to: `#`, `#/$defs/NAME`.
fn referred<'s>(root: &'s Value, reference: &str) -> Option<&'s Value> {
    root.pointer(reference.strip_prefix('#')?)
}

/// What stands for a breach of the bounds.
const TOO_COMPLEX: &str = "complexity";

/// A check under way. Its place is where the last breach was found.
struct Check<'s> {
    root: &'s Value,
    steps: usize,
    depth: usize,
    place: Vec<String>,
}

/// The name of the keyword that is broken.
type Checked = Result<(), &'static str>;

fn unless(holds: bool, keyword: &'static str) -> Checked {
    if holds { Ok(()) } else { Err(keyword) }
}

impl Check<'_> {
    fn schema(&mut self, schema: &Value, value: &Value) -> Checked {
        self.steps += 1;
        if self.steps > STEPS || self.depth > DEPTH {
            return Err(TOO_COMPLEX);
        }
        let schema = match schema {
            Value::Object(schema) => schema,
            // `true` allows anything, `false` nothing.
            other => return unless(*other != Value::Bool(false), "false"),
        };
        self.depth += 1;
        let checked = self.keywords(schema, value);
        self.depth -= 1;
        checked
    }

    fn keywords(&mut self, schema: &Map<String, Value>, value: &Value) -> Checked {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let root = self.root;
            self.schema(referred(root, reference).ok_or("$ref")?, value)?;
        }
        if let Some(kinds) = schema.get("type") {
            unless(words(kinds).any(|kind| is_of(kind, value)), "type")?;
        }
        if let Some(Value::Array(all)) = schema.get("enum") {
            self.steps += all.len();
            unless(all.iter().any(|one| equal(one, value)), "enum")?;
        }
        if let Some(constant) = schema.get("const") {
            unless(equal(constant, value), "const")?;
        }
        match value {
            Value::Object(members) => self.object(schema, members)?,
            Value::Array(items) => self.array(schema, items)?,
            Value::String(text) => {
                let length = text.chars().count() as f64;
                within(schema, length, "minLength", "maxLength")?;
            }
            Value::Number(number) => numeric(schema, number.as_f64().unwrap_or(f64::NAN))?,
            Value::Null | Value::Bool(_) => {}
        }
        self.alternatives(schema, value)
    }

    fn object(&mut self, schema: &Map<String, Value>, members: &Map<String, Value>) -> Checked {
        within(schema, members.len() as f64, "minProperties", "maxProperties")?;
        let known = schema.get("properties").and_then(Value::as_object);
        if let Some(required) = schema.get("required") {
            unless(words(required).all(|name| members.contains_key(name)), "required")?;
        }
        for (name, value) in members {
            match (known.and_then(|known| known.get(name)), schema.get("additionalProperties")) {
                (Some(known), _) => self.within(name, |check| check.schema(known, value))?,
                (None, Some(Value::Bool(false))) => return Err("additionalProperties"),
                (None, Some(further)) => self.within("*", |check| check.schema(further, value))?,
                (None, None) => {}
            }
        }
        Ok(())
    }

    fn array(&mut self, schema: &Map<String, Value>, items: &[Value]) -> Checked {
        within(schema, items.len() as f64, "minItems", "maxItems")?;
        let first = schema.get("prefixItems").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for (at, item) in items.iter().enumerate() {
            if let Some(schema) = first.get(at).or_else(|| schema.get("items")) {
                self.within(&at.to_string(), |check| check.schema(schema, item))?;
            }
        }
        if schema.get("uniqueItems") == Some(&Value::Bool(true)) {
            self.steps = self.steps.saturating_add(items.len().saturating_mul(items.len()));
            if self.steps > STEPS {
                return Err(TOO_COMPLEX);
            }
            let is_repeated = |(at, item)| items.iter().take(at).any(|other| equal(item, other));
            unless(!items.iter().enumerate().any(is_repeated), "uniqueItems")?;
        }
        Ok(())
    }

    fn alternatives(&mut self, schema: &Map<String, Value>, value: &Value) -> Checked {
        for all in list(schema, "allOf") {
            self.schema(all, value)?;
        }
        for (keyword, allowed) in [("anyOf", 1..=usize::MAX), ("oneOf", 1..=1)] {
            if schema.contains_key(keyword) {
                let mut holding = 0;
                for one in list(schema, keyword) {
                    holding += usize::from(self.holds(one, value)?);
                    if holding > 0 && keyword == "anyOf" {
                        break;
                    }
                }
                unless(allowed.contains(&holding), keyword)?;
            }
        }
        if let Some(not) = schema.get("not") {
            unless(!self.holds(not, value)?, "not")?;
        }
        Ok(())
    }

    /// Whether a value keeps to one of several schemas.
    ///
    /// # Errors
    ///
    /// The bounds are reached before it is known.
    fn holds(&mut self, schema: &Value, value: &Value) -> Result<bool, &'static str> {
        let (depth, place) = (self.depth, self.place.len());
        let checked = self.schema(schema, value);
        if checked == Err(TOO_COMPLEX) {
            return Err(TOO_COMPLEX);
        }
        self.depth = depth;
        self.place.truncate(place);
        Ok(checked.is_ok())
    }

    /// Checks something within the value, whose place stays known if it breaks the schema.
    fn within(&mut self, name: &str, check: impl FnOnce(&mut Self) -> Checked) -> Checked {
        self.place.push(format!("/{name}"));
        check(self)?;
        self.place.pop();
        Ok(())
    }
}

/// The schemas of a keyword that has a list of them.
fn list<'s>(schema: &'s Map<String, Value>, keyword: &str) -> impl Iterator<Item = &'s Value> + use<'s> {
    schema.get(keyword).and_then(Value::as_array).into_iter().flatten()
}

/// The words of a keyword that has one or several.
fn words(value: &Value) -> impl Iterator<Item = &str> {
    let several = value.as_array().into_iter().flatten().filter_map(Value::as_str);
    value.as_str().into_iter().chain(several)
}

fn is_of(kind: &str, value: &Value) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => false,
    }
}

fn within(schema: &Map<String, Value>, count: f64, least: &'static str, most: &'static str) -> Checked {
    unless(number(schema, least).is_none_or(|least| count >= least), least)?;
    unless(number(schema, most).is_none_or(|most| count <= most), most)
}

fn numeric(schema: &Map<String, Value>, value: f64) -> Checked {
    within(schema, value, "minimum", "maximum")?;
    unless(number(schema, "exclusiveMinimum").is_none_or(|least| value > least), "exclusiveMinimum")?;
    unless(number(schema, "exclusiveMaximum").is_none_or(|most| value < most), "exclusiveMaximum")?;
    let is_multiple = |unit: f64| {
        let times = value / unit;
        (times - times.round()).abs() <= times.abs().max(1.0) * 1e-9
    };
    unless(number(schema, "multipleOf").is_none_or(is_multiple), "multipleOf")
}

fn number(schema: &Map<String, Value>, keyword: &str) -> Option<f64> {
    schema.get(keyword).and_then(Value::as_f64)
}

/// Whether two values are the same in JSON's sense: `1` and `1.0` are.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => a == b || (a.as_f64() == b.as_f64() && (a.is_f64() || b.is_f64())),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b)))
        }
        _ => one == other,
    }
}

#[cfg(test)]
mod tests;

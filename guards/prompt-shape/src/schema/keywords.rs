//! The keywords of a schema: which ones are checked, and what values they have.

use serde_json::Value;

use super::referred;

/// What becomes of a schema with a keyword that is not checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    Refused,
    Ignored,
}

/// What the value of a keyword is.
enum Shape {
    Schema,
    /// A list of schemas, not empty.
    Schemas,
    /// Schemas by name.
    Named,
    Number,
    Count,
    Flag,
    Words,
    Kinds,
    List,
    Reference,
    /// Anything: nothing follows from it.
    Anything,
}

const KINDS: [&str; 7] = ["null", "boolean", "object", "array", "string", "number", "integer"];

fn shape(keyword: &str) -> Option<Shape> {
    Some(match keyword {
        "type" => Shape::Kinds,
        "enum" => Shape::List,
        "properties" | "$defs" | "definitions" => Shape::Named,
        "additionalProperties" | "items" | "not" => Shape::Schema,
        "anyOf" | "oneOf" | "allOf" | "prefixItems" => Shape::Schemas,
        "required" => Shape::Words,
        "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties" => Shape::Count,
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => Shape::Number,
        "uniqueItems" => Shape::Flag,
        "$ref" => Shape::Reference,
        "const" | "title" | "description" | "default" | "examples" | "format" | "$schema" | "$id" | "$comment"
        | "deprecated" | "readOnly" | "writeOnly" => Shape::Anything,
        _ => return None,
    })
}

/// Checks a schema and those within it, this deep at most.
///
/// # Errors
///
/// The first keyword that is not known or has another value.
pub(super) fn check(root: &Value, schema: &Value, unknown: Unknown, depth: usize) -> Result<(), String> {
    let schema = match schema {
        Value::Object(schema) => schema,
        Value::Bool(_) => return Ok(()),
        _ => return Err("a schema is an object".into()),
    };
    let Some(depth) = depth.checked_sub(1) else { return Err("its schemas are too deep within each other".into()) };
    for (keyword, value) in schema {
        let Some(shape) = shape(keyword) else {
            if unknown == Unknown::Refused {
                return Err(format!("the keyword `{keyword}` is not supported"));
            }
            continue;
        };
        let within = |one: &Value| check(root, one, unknown, depth);
        let is_sound = match (shape, value) {
            (Shape::Anything, _) => true,
            (Shape::Schema, schema) => {
                within(schema)?;
                true
            }
            (Shape::Schemas, Value::Array(all)) => {
                all.iter().try_for_each(within)?;
                !all.is_empty()
            }
            (Shape::Named, Value::Object(all)) => {
                all.values().try_for_each(within)?;
                true
            }
            (Shape::Number, value) => value.as_f64().is_some_and(|number| keyword != "multipleOf" || number > 0.0),
            (Shape::Count, value) => value.is_u64(),
            (Shape::Flag, value) => value.is_boolean(),
            (Shape::Words, Value::Array(all)) => all.iter().all(Value::is_string),
            (Shape::Kinds, Value::String(kind)) => KINDS.contains(&kind.as_str()),
            (Shape::Kinds, Value::Array(all)) => {
                all.iter().all(|kind| kind.as_str().is_some_and(|kind| KINDS.contains(&kind)))
            }
            (Shape::List, value) => value.is_array(),
            (Shape::Reference, Value::String(reference)) => {
                referred(root, reference).is_some_and(|found| found.is_object() || found.is_boolean())
            }
            _ => false,
        };
        if !is_sound {
            return Err(format!("the keyword `{keyword}` has a value that is not supported"));
        }
    }
    Ok(())
}

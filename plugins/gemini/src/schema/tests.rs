use serde_json::{Value, json};
use weir_sdk::json::parse;
use weir_sdk::losses::Losses;

use super::*;

fn lowered(schema: &Value) -> (Value, Vec<String>) {
    lowered_from(Origin::default(), schema)
}

/// The same for a schema of this origin.
fn lowered_from(origin: Origin, schema: &Value) -> (Value, Vec<String>) {
    let mut losses = Losses::default();
    let json = lower(&schema.to_string(), "p", origin, &mut losses).unwrap();
    let losses = losses.into_losses().into_iter().map(|loss| loss.field).collect();
    (serde_json::from_str(&json).unwrap(), losses)
}

fn raised_text(schema: &Value) -> (String, Origin) {
    let text = schema.to_string();
    raise(parse(&text).unwrap())
}

fn raised(schema: &Value) -> Value {
    serde_json::from_str(&raised_text(schema).0).unwrap()
}

#[test]
fn c53_local_references_are_written_out() {
    let (schema, losses) = lowered(&json!({
        "type": "object", "properties": {"a": {"$ref": "#/$defs/A", "description": "mine"}},
        "$defs": {"A": {"type": "string", "description": "its"}},
    }));
    assert_eq!(schema["properties"]["a"], json!({"type": "STRING", "description": "mine"}));
    assert!(losses.is_empty(), "{losses:?}");
}

#[test]
fn c53_a_recursive_schema_is_cut_and_reported() {
    let (schema, losses) = lowered(&json!({
        "$ref": "#/$defs/Tree",
        "$defs": {"Tree": {"type": "object", "properties": {
            "leaf": {"type": "integer"}, "left": {"$ref": "#/$defs/Tree"}, "twice": {"$ref": "#/$defs/Leaf"},
            "again": {"$ref": "#/$defs/Leaf"},
        }}, "Leaf": {"type": "string"}},
    }));
    assert_eq!(schema["properties"]["left"], json!({"type": "OBJECT"}));
    assert_eq!(schema["properties"]["again"], json!({"type": "STRING"}));
    assert_eq!(losses, ["p.left"]);
}

#[test]
fn c53_const_becomes_an_enum_and_null_becomes_nullable() {
    let (schema, losses) = lowered(&json!({
        "type": "object", "properties": {
            "kind": {"const": "cat"},
            "age": {"type": ["integer", "null"]},
            "name": {"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}], "description": "d"},
            "either": {"oneOf": [{"type": "string"}, {"type": "number"}]},
        }, "required": ["kind", "gone"],
    }));
    let properties = &schema["properties"];
    assert_eq!(properties["kind"], json!({"type": "STRING", "enum": ["cat"]}));
    assert_eq!(properties["age"], json!({"type": "INTEGER", "nullable": true}));
    let name = json!({"type": "STRING", "nullable": true, "maxLength": 9, "description": "d"});
    assert_eq!(properties["name"], name);
    assert_eq!(properties["either"], json!({"anyOf": [{"type": "STRING"}, {"type": "NUMBER"}]}));
    assert_eq!(schema["required"], json!(["kind"]));
    assert!(losses.is_empty(), "{losses:?}");
}

#[test]
fn c53_keywords_without_a_place_are_reported() {
    let (schema, losses) = lowered(&json!({
        "$schema": "x", "type": "object", "additionalProperties": false,
        "properties": {"n": {"type": "integer", "enum": [1, 2]}, "u": {"type": "string", "format": "uri"}, "l": {"type": "array"}},
    }));
    assert_eq!(schema["properties"]["l"]["items"], json!({"type": "STRING"}));
    for field in ["p.$schema", "p.additionalProperties", "p.n.enum", "p.u.format", "p.l.items"] {
        assert!(losses.iter().any(|loss| loss == field), "{field} in {losses:?}");
    }
    assert_eq!(losses.len(), 5);
}

#[test]
fn all_of_is_merged() {
    let (schema, _) = lowered(&json!({"allOf": [
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"properties": {"b": {"type": "boolean"}}, "required": ["b"]},
    ]}));
    assert_eq!(schema["required"], json!(["a", "b"]));
    assert_eq!(schema["properties"].as_object().unwrap().len(), 2);
}

#[test]
fn schemas_that_explode_are_bounded() {
    let mut defs = serde_json::Map::new();
    for level in 0..30 {
        let next = json!({"$ref": format!("#/$defs/L{}", level + 1)});
        defs.insert(format!("L{level}"), json!({"type": "object", "properties": {"a": next, "b": next}}));
    }
    let (_, losses) = lowered(&json!({"$ref": "#/$defs/L0", "$defs": defs}));
    assert!(!losses.is_empty());
}

#[test]
fn limits_that_are_texts_become_numbers_if_they_are_some() {
    let limits = json!({"type": "STRING", "minLength": "2", "maxLength": 5, "maxItems": "many"});
    assert_eq!(raised(&limits), json!({"type": "string", "minLength": 2, "maxLength": 5, "maxItems": "many"}));
}

#[test]
fn the_older_place_is_read_as_json_schema_and_comes_back() {
    let old = json!({
        "type": "OBJECT", "required": ["city"], "property_ordering": ["country", "city"],
        "properties": {
            "city": {"type": "STRING", "enum": ["a", "b"], "nullable": true},
            "country": {"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": "2"},
            "any": {"anyOf": [{"type": 1}, {"type": "BOOLEAN"}]},
        },
    });
    let schema = raised(&old);
    assert_eq!(schema["type"], "object");
    let names: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(names.len(), 3);
    let (text, origin) = raised_text(&old);
    assert!(origin.ordered && text.find("country") < text.find("\"city\":"));
    assert_eq!(schema["properties"]["city"], json!({"type": ["string", "null"], "enum": ["a", "b", null]}));
    assert_eq!(schema["properties"]["country"]["minItems"], 2);
    let (back, losses) = lowered(&schema);
    assert_eq!(back["properties"]["city"], old["properties"]["city"]);
    assert_eq!(back["properties"]["any"]["anyOf"][0], json!({"type": "STRING"}));
    assert!(losses.is_empty(), "{losses:?}");
}

#[test]
fn c53_numbers_to_choose_from_are_numbers_to_others_and_texts_in_the_older_place() {
    let old = json!({"type": "OBJECT", "properties": {
        "room": {"type": "INTEGER", "format": "enum", "enum": ["101", "201"]},
        "size": {"type": 2, "format": "double", "nullable": true, "enum": ["1.5", "-2"]},
        "name": {"type": "STRING", "enum": ["101"]},
        "odd": {"type": "INTEGER", "format": "enum", "enum": ["1", "1st"]},
    }});
    let schema = raised(&old);
    assert_eq!(schema["properties"]["room"], json!({"type": "integer", "enum": [101, 201]}));
    assert_eq!(schema["properties"]["size"]["enum"], json!([1.5, -2, null]));
    assert_eq!(schema["properties"]["name"]["enum"], json!(["101"]));
    assert_eq!(schema["properties"]["odd"]["enum"], json!([1, "1st"]));
    let (back, losses) = lowered_from(Origin { old: true, ordered: false }, &schema);
    assert_eq!(back["properties"]["room"], old["properties"]["room"]);
    let size = json!({"type": "NUMBER", "format": "double", "nullable": true, "enum": ["1.5", "-2"]});
    assert_eq!(back["properties"]["size"], size);
    assert_eq!(back["properties"]["odd"], old["properties"]["odd"]);
    assert!(losses.is_empty(), "{losses:?}");
    assert_eq!(lowered(&schema).1, ["p.odd.enum", "p.room.enum", "p.size.enum"]);
}

/// What a service of this format gets of its client's schema.
fn back(schema: &Value) -> (Value, Vec<String>) {
    let (json, origin) = raised_text(schema);
    let mut losses = Losses::default();
    let json = lower(&json, "p", origin, &mut losses).unwrap();
    (serde_json::from_str(&json).unwrap(), losses.into_losses().into_iter().map(|loss| loss.field).collect())
}

#[test]
fn c53_keywords_of_the_older_place_come_back_to_it() {
    let pet = json!({"type": "OBJECT", "propertyOrdering": ["name", "born"], "properties": {
        "name": {"type": "STRING", "format": "email"}, "born": {"type": "STRING", "format": "date", "nullable": true},
    }});
    for further in [json!(true), json!(false), json!({"type": "STRING", "format": "byte"})] {
        let schema = json!({"type": "OBJECT", "propertyOrdering": ["pets", "at"], "additionalProperties": further,
            "properties": {"at": {"type": "STRING", "format": "time"}, "pets": {"type": "ARRAY", "items": pet}}});
        assert_eq!(back(&schema), (schema, Vec::new()));
    }
    let unordered = json!({"type": "OBJECT", "properties": {"b": {"type": "STRING"}, "a": {"type": "STRING"}}});
    assert_eq!(back(&unordered), (unordered, Vec::new()));
}

#[test]
fn c53_definitions_of_the_older_place_are_found() {
    let pet = json!({"type": "object", "properties": {"name": {"type": "string"}}});
    let old = json!({"type": "OBJECT", "properties": {"pet": {"ref": "#/defs/Pet"}}, "defs": {"Pet": {
        "type": "OBJECT", "properties": {"name": {"type": "STRING"}}}}});
    let schema = raised(&old);
    assert_eq!(schema["properties"]["pet"], json!({"$ref": "#/$defs/Pet"}));
    assert_eq!(schema["$defs"]["Pet"], pet);
    let (schema, losses) = back(&old);
    assert_eq!(schema["properties"]["pet"], old["defs"]["Pet"]);
    assert!(losses.is_empty(), "{losses:?}");
}

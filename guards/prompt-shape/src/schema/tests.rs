use super::*;
use serde_json::json;

fn broken(schema: Value, document: &Value) -> Option<String> {
    let schema = Schema::new(schema, Unknown::Refused).unwrap();
    schema.check(document).err().map(|at| format!("{} {}", at.keyword, at.place))
}

#[test]
fn each_keyword_is_kept_and_broken_at_its_border() {
    let cases = [
        (json!({"type": "object"}), json!({}), json!([]), "type "),
        (json!({"type": ["null", "integer"]}), json!(1.0), json!(1.5), "type "),
        (json!({"type": "number"}), json!(-1.5), json!("1"), "type "),
        (json!({"enum": ["a", 1]}), json!(1.0), json!("b"), "enum "),
        (json!({"const": {"a": [1]}}), json!({"a": [1.0]}), json!({"a": [1, 1]}), "const "),
        (json!({"required": ["a"]}), json!({"a": null}), json!({"b": 1}), "required "),
        (json!({"properties": {"a": {"type": "string"}}}), json!({"b": 1}), json!({"a": 1}), "type /a"),
        (
            json!({"properties": {"a": {}}, "additionalProperties": false}),
            json!({"a": 1}),
            json!({"b": 1}),
            "additionalProperties ",
        ),
        (json!({"additionalProperties": {"type": "null"}}), json!({"b": null}), json!({"b": 1}), "type /*"),
        (json!({"items": {"maxLength": 1}}), json!(["é", 12]), json!(["é", "12"]), "maxLength /1"),
        (json!({"prefixItems": [{}], "items": false}), json!([1]), json!([1, 2]), "false /1"),
        (json!({"minItems": 1, "maxItems": 2}), json!([1, 2]), json!([1, 2, 3]), "maxItems "),
        (json!({"minItems": 1}), json!([1]), json!([]), "minItems "),
        (json!({"uniqueItems": true}), json!([1, "1"]), json!([1, 2, 1.0]), "uniqueItems "),
        (json!({"minimum": 0, "maximum": 9}), json!(9), json!(9.5), "maximum "),
        (json!({"exclusiveMinimum": 0}), json!(0.1), json!(0), "exclusiveMinimum "),
        (json!({"multipleOf": 0.1}), json!(0.3), json!(0.35), "multipleOf "),
        (json!({"minLength": 2}), json!("ää"), json!("ä"), "minLength "),
        (json!({"maxProperties": 1}), json!({"a": 1}), json!({"a": 1, "b": 2}), "maxProperties "),
        (json!({"anyOf": [{"type": "null"}, {"minimum": 3}]}), json!(3), json!(2), "anyOf "),
        (json!({"oneOf": [{"minimum": 1}, {"minimum": 3}]}), json!(2), json!(3), "oneOf "),
        (json!({"allOf": [{"minimum": 1}, {"maximum": 3}]}), json!(3), json!(4), "maximum "),
        (json!({"not": {"type": "null"}}), json!(0), json!(null), "not "),
    ];
    for (schema, kept, not_kept, rule) in cases {
        assert_eq!(broken(schema.clone(), &kept), None, "{schema} {kept}");
        assert_eq!(broken(schema.clone(), &not_kept).as_deref(), Some(rule), "{schema} {not_kept}");
    }
}

#[test]
fn references_lead_to_schemas_within_the_same_one() {
    let tree = json!({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "required": ["value"],
        "properties": {"value": {"type": "integer"}, "next": {"$ref": "#/$defs/node"}}}}});
    assert_eq!(broken(tree.clone(), &json!({"value": 1, "next": {"value": 2}})), None);
    let wrong = json!({"value": 1, "next": {"value": 2, "next": {}}});
    assert_eq!(broken(tree, &wrong).as_deref(), Some("required /next/next"));
}

#[test]
fn what_takes_too_many_steps_breaks_the_schema() {
    let endless = json!({"$ref": "#"});
    assert_eq!(broken(endless, &json!(1)).as_deref(), Some("complexity "));
    let fork = json!({"anyOf": [{"$ref": "#/$defs/b"}, {"$ref": "#/$defs/b"}]});
    let mut definitions = Map::new();
    for (name, next) in ('b'..'z').zip('c'..='z') {
        let next = format!("#/$defs/{next}");
        definitions.insert(name.to_string(), json!({"oneOf": [{"$ref": next}, {"$ref": next}]}));
    }
    definitions.insert("z".into(), json!({"type": "null"}));
    let mut schema = fork;
    schema["$defs"] = Value::Object(definitions);
    assert_eq!(broken(schema, &json!(1)).as_deref(), Some("complexity "));
    let many: Vec<u32> = (0..1000).collect();
    assert_eq!(broken(json!({"uniqueItems": true}), &json!(many)).as_deref(), Some("complexity "));
    assert_eq!(broken(json!({"not": {"$ref": "#"}}), &json!(1)).as_deref(), Some("complexity "), "not a no");
}

#[test]
fn a_schema_that_cannot_be_checked_is_refused() {
    for (schema, problem) in [
        (json!({"properties": {"a": {"pattern": "^a"}}}), "the keyword `pattern` is not supported"),
        (json!({"type": "text"}), "the keyword `type` has a value that is not supported"),
        (json!({"items": [{}]}), "a schema is an object"),
        (json!({"$ref": "https://example.com/a"}), "the keyword `$ref` has a value that is not supported"),
        (json!({"$ref": "#/$defs/none"}), "the keyword `$ref` has a value that is not supported"),
        (json!({"multipleOf": 0}), "the keyword `multipleOf` has a value that is not supported"),
        (json!({"anyOf": []}), "the keyword `anyOf` has a value that is not supported"),
    ] {
        assert_eq!(Schema::new(schema, Unknown::Refused).unwrap_err(), problem);
    }
    assert!(Schema::of_request(r#"{"pattern":"^a"}"#).is_ok(), "a client's further keywords are not checked");
    assert!(Schema::of_request(r#"{"type":7}"#).is_err() && Schema::of_request("{").is_err());
    let deep = format!("{}true{}", "{\"not\":".repeat(110), "}".repeat(110));
    assert!(Schema::of_request(&deep).is_err());
    assert!(Schema::of_request(&format!("{{\"title\":\"{}\"}}", "x".repeat(BYTES))).is_err());
}

//! Compares the meaning of two bodies: removes members without meaning from JSON values.

use serde_json::{Map, Value, json};

/// Removes members whose value is null, at any depth.
pub fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, value| !value.is_null());
            members.values_mut().for_each(without_nulls);
        }
        Value::Array(elements) => elements.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// Writes all numbers alike: `1` and `1.0` are equal.
pub fn numbers(value: &mut Value) {
    match value {
        Value::Object(members) => members.values_mut().for_each(numbers),
        Value::Array(elements) => elements.iter_mut().for_each(numbers),
        Value::Number(number) => *value = json!(number.as_f64()),
        _ => {}
    }
}

/// Removes a member that has its default value.
pub fn remove_if(members: &mut Map<String, Value>, key: &str, value: &Value) {
    if members.get(key) == Some(value) {
        members.remove(key);
    }
}

//! Compares the meaning of two bodies: removes members without meaning from JSON values, and finds what differs.

use std::collections::BTreeSet;

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

/// Fails if two values of the recording with this id differ, except at the places that exceptions name: each is a
/// recording's id, the beginning of a pointer, and why it may differ.
#[track_caller]
pub fn assert_alike(left: &Value, right: &Value, id: &str, exceptions: &[(&str, &str, &str)]) {
    let mut found = differences(left, right);
    found.retain(|place| !exceptions.iter().any(|(one, at, _)| *one == id && place.starts_with(at)));
    assert!(found.is_empty(), "{id}: {found:#?}");
}

/// The differences of two values, as pointers with both sides.
pub fn differences(left: &Value, right: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("", left, right, &mut found);
    found
}

fn compare(place: &str, left: &Value, right: &Value, found: &mut Vec<String>) {
    match (left, right) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            let side = |members: &Map<String, Value>, key: &str| members.get(key).cloned().unwrap_or_default();
            for key in keys {
                compare(&format!("{place}/{key}"), &side(a, key), &side(b, key), found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{place}/{at}"), a, b, found);
            }
        }
        (a, b) if a == b => {}
        (a, b) => {
            let short = |value: &Value| value.to_string().chars().take(160).collect::<String>();
            found.push(format!("{place}: {} is not {}", short(a), short(b)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_unless_an_exception_does() {
        let (left, right) = (json!({"a": [1, {"b": 2}], "c": null}), json!({"a": [1, {"b": 3}]}));
        assert_eq!(differences(&left, &right), ["/a/1/b: 2 is not 3"]);
        assert_eq!(differences(&json!([1]), &json!([1, 2])), [": [1] is not [1,2]"]);
        assert_alike(&left, &right, "one", &[("one", "/a/1", "it may")]);
        assert!(
            std::panic::catch_unwind(|| assert_alike(&left, &right, "other", &[("one", "/a/1", "it may")])).is_err()
        );
    }
}

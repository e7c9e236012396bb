//! The first difference between what was expected and what came.

use serde::Serialize;
use serde_json::Value;

use super::neutral;

/// Bytes of a value that are shown.
const EXCERPT: usize = 200;

/// Where two values part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// A JSON pointer; empty for the whole value.
    pub at: String,
    /// What was expected there.
    pub expected: String,
    /// What came.
    pub got: String,
}

impl Difference {
    /// A difference of texts or of values that are no JSON.
    pub fn of(at: impl Into<String>, expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { at: at.into(), expected: excerpt(&expected.into()), got: excerpt(&got.into()) }
    }
}

/// The first place where values differ, members in alphabetical order. Numbers are compared by value, and texts that are
/// JSON as what they say.
pub(super) fn first(expected: &Value, got: &Value) -> Option<Difference> {
    let mut at = String::new();
    walk(expected, got, &mut at)
}

fn walk(expected: &Value, got: &Value, at: &mut String) -> Option<Difference> {
    let parts = |at: &str| Some(Difference::of(at, shown(Some(expected)), shown(Some(got))));
    match (expected, got) {
        (Value::Object(left), Value::Object(right)) => {
            let mut names: Vec<&String> =
                left.keys().chain(right.keys().filter(|key| !left.contains_key(*key))).collect();
            names.sort_unstable();
            names.into_iter().find_map(|name| {
                within(at, &name.replace('~', "~0").replace('/', "~1"), |at| both(left.get(name), right.get(name), at))
            })
        }
        (Value::Array(left), Value::Array(right)) => (0..left.len().max(right.len()))
            .find_map(|index| within(at, &index.to_string(), |at| both(left.get(index), right.get(index), at))),
        (Value::Number(left), Value::Number(right)) => (left.as_f64() != right.as_f64()).then(|| parts(at)).flatten(),
        (Value::String(left), Value::String(right)) if left != right => {
            match (neutral::parsed(left), neutral::parsed(right)) {
                (Some(left), Some(right)) => walk(&left, &right, at),
                _ => Some(text(left, right, at)),
            }
        }
        (left, right) => (left != right).then(|| parts(at)).flatten(),
    }
}

fn within<T>(at: &mut String, segment: &str, look: impl FnOnce(&mut String) -> Option<T>) -> Option<T> {
    let length = at.len();
    at.push('/');
    at.push_str(segment);
    let found = look(at);
    at.truncate(length);
    found
}

fn both(expected: Option<&Value>, got: Option<&Value>, at: &mut String) -> Option<Difference> {
    match (expected, got) {
        (Some(expected), Some(got)) => walk(expected, got, at),
        (None, None) => None,
        _ => Some(Difference::of(at.clone(), shown(expected), shown(got))),
    }
}

/// Long texts are shown from shortly before the place where they part.
fn text(expected: &str, got: &str, at: &str) -> Difference {
    let same = expected.chars().zip(got.chars()).take_while(|(left, right)| left == right).count();
    let skipped = if expected.len().max(got.len()) > EXCERPT { same.saturating_sub(30) } else { 0 };
    let tail = |text: &str| {
        let tail: String = text.chars().skip(skipped).collect();
        let shown = Value::String(tail).to_string();
        if skipped > 0 { format!("…{shown}") } else { shown }
    };
    Difference::of(at, tail(expected), tail(got))
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "nothing".to_owned(), Value::to_string)
}

fn excerpt(text: &str) -> String {
    let clean: String = text.chars().filter(|c| !c.is_control()).take(EXCERPT).collect();
    if clean.len() < text.len() { format!("{clean}…") } else { clean }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_difference_is_named_with_its_place() {
        let found = first(&json!({"a": [1, {"b/c": "x"}], "z": 1}), &json!({"a": [1, {"b/c": "y"}], "z": 2})).unwrap();
        assert_eq!(found, Difference { at: "/a/1/b~1c".into(), expected: "\"x\"".into(), got: "\"y\"".into() });
        let found = first(&json!([1]), &json!([1, 2])).unwrap();
        assert_eq!((found.at.as_str(), found.expected.as_str(), found.got.as_str()), ("/1", "nothing", "2"));
        assert_eq!(first(&json!({"a": null}), &json!({})).unwrap().expected, "null", "null is something");
    }

    #[test]
    fn values_that_say_the_same_are_equal() {
        assert_eq!(first(&json!({"n": 1, "s": "{\"a\": 1}"}), &json!({"n": 1.0, "s": "{\"a\":1}"})), None);
        let within = first(&json!({"s": "{\"a\": 1}"}), &json!({"s": "{\"a\":2}"})).unwrap();
        assert_eq!(within.at, "/s/a", "texts that are JSON are looked into");
    }

    #[test]
    fn of_long_texts_the_place_where_they_part_is_shown() {
        let long = "x".repeat(1000);
        let found = first(&json!(format!("{long}A{long}")), &json!(format!("{long}B{long}"))).unwrap();
        assert!(found.expected.contains('A') && found.got.contains('B'), "{found:?}");
        assert!(found.expected.len() < 300);
    }
}

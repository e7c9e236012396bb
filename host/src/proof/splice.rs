//! Puts a new `expect` into the text of a fixture and leaves every other byte as its author wrote it.

use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// The text of a fixture with this expectation in place of its own.
pub fn with_expect(text: &str, expect: &Value) -> Result<String, String> {
    let wrong = |error: serde_json::Error| error.to_string();
    let pretty = serde_json::to_string_pretty(expect).map_err(wrong)?.replace('\n', "\n  ");
    let known = serde_json::Deserializer::from_str(text).deserialize_map(Find).map_err(wrong)?;
    if let Some(known) = known {
        let from = known.get().as_ptr().addr() - text.as_ptr().addr();
        let (before, behind) = (text.get(..from), text.get(from + known.get().len()..));
        return Ok([before.unwrap_or_default(), &pretty, behind.unwrap_or_default()].concat());
    }
    let (members, _) = text.rsplit_once('}').ok_or("it is no object")?;
    let members = members.trim_end();
    let comma = if members.ends_with('{') { "" } else { "," };
    Ok(format!("{members}{comma}\n  \"expect\": {pretty}\n}}\n"))
}

/// The member `expect` as it stands in the text.
struct Find;

impl<'de> Visitor<'de> for Find {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(name) = map.next_key::<String>()? {
            if name == "expect" {
                found = Some(map.next_value::<&RawValue>()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_expectation_is_added_at_the_end() {
        let text = "{\n  \"id\": \"a\",\n  \"n\": 1.50\n}\n";
        let written = with_expect(text, &json!({"answer": {"id": "x"}})).unwrap();
        let wanted = "{\n  \"id\": \"a\",\n  \"n\": 1.50,\n  \"expect\": {\n    \"answer\": {\n      \"id\": \"x\"\n    }\n  }\n}\n";
        assert_eq!(written, wanted);
        assert_eq!(with_expect(&written, &json!({"answer": {"id": "x"}})).unwrap(), wanted, "and again in its place");
    }

    #[test]
    fn what_stands_around_it_is_left_alone() {
        let text = r#"{"z": {"expect": 1}, "expect": {"old": [1, 2]}, "a":   "}"}"#;
        let written = with_expect(text, &json!({})).unwrap();
        assert_eq!(written, r#"{"z": {"expect": 1}, "expect": {}, "a":   "}"}"#);
    }
}

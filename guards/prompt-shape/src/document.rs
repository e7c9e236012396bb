//! JSON in which each object has each member once: where one is repeated, two readers may take different values.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Why a text is not such a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    /// It is not JSON.
    NoJson,
    /// An object has a member twice.
    Repeated,
}

/// What serde's error says of a repeated member.
const REPEATED: &str = "a member is repeated";

/// Reads a document.
pub(crate) fn read(text: &str) -> Result<Value, Unread> {
    let unread = |error: serde_json::Error| {
        if error.to_string().starts_with(REPEATED) { Unread::Repeated } else { Unread::NoJson }
    };
    serde_json::from_str::<Document>(text).map(|document| document.0).map_err(unread)
}

struct Document(Value);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Document(item)) = items.next_element()? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some((name, Document(value))) = members.next_entry::<String, _>()? {
            if all.insert(name, value).is_some() {
                return Err(A::Error::custom(REPEATED));
            }
        }
        Ok(Value::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_is_read_once_and_whole() {
        let text = r#" {"a":[1,-2,2.5,null,true,"\u0078"],"b":{"a":{}}} "#;
        assert_eq!(read(text), Ok(json!({"a": [1, -2, 2.5, null, true, "x"], "b": {"a": {}}})));
        for text in ["", "{", "{} {}", "```json\n{}\n```", "{\"a\":1,}", "1e999"] {
            assert_eq!(read(text), Err(Unread::NoJson), "{text}");
        }
        for text in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"\u0061":2}}]"#] {
            assert_eq!(read(text), Err(Unread::Repeated), "{text}");
        }
        assert_eq!(read(&"[".repeat(10_000)), Err(Unread::NoJson), "nesting is bounded");
    }
}

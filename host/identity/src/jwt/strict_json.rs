//! JSON from outside in which a member may occur once only, at any depth. Two parsers that choose different ones of
//! doubled members would see two different tokens.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The deepest nesting. `serde_json` itself stops at 128.
const DEEPEST: u32 = 16;

/// Text that is no JSON object, or nests too deeply, or has a member twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON object in which each member occurs once")]
pub(crate) struct StrictJsonError;

/// Parses an object.
pub(crate) fn parse_object(json: &[u8]) -> Result<Map<String, Value>, StrictJsonError> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = Strict(DEEPEST).deserialize(&mut reader).map_err(|_| StrictJsonError)?;
    reader.end().map_err(|_| StrictJsonError)?;
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(StrictJsonError),
    }
}

/// Reads a value with so many levels of nesting.
#[derive(Clone, Copy)]
struct Strict(u32);

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Self).ok_or_else(|| E::custom("too deep"))
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        while let Some(item) = from.next_element_seed(inner)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut members = Map::new();
        while let Some(name) = from.next_key::<String>()? {
            let value = from.next_value_seed(inner)?;
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member occurs twice"));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubled_members_depth_and_rests_are_refused() {
        for good in ["{}", r#"{"a": [1, -2, 1.5, "x", true, null, {"a": 1}]}"#, " {\"a\":1} "] {
            let members = parse_object(good.as_bytes()).unwrap();
            assert_eq!(Value::Object(members), serde_json::from_str::<Value>(good).unwrap());
        }
        let deep = format!("{}{}", "{\"a\":".repeat(17), "1".to_owned() + &"}".repeat(17));
        for bad in
            [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"{"b":[{"a":1,"a":2}]}"#, "[]", "1", "{} {}", "", &deep]
        {
            assert!(parse_object(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse_object(b"{\"a\":\"\xff\"}").is_err());
    }
}

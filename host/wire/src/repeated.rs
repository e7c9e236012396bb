//! Tells whether all readers of a JSON text read the same. They differ where an object has two members of one name: some
//! take the first, others the last.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

/// Whether all readers read the same in this text: it is JSON, and no object has two members whose names are equal once
/// escapes are resolved, or differ in the case of letters only, which some readers take for equal.
///
/// False as well for what is nested deeper than readers usually go.
pub fn is_unambiguous(json: &str) -> bool {
    serde_json::from_str::<Unrepeated>(json).is_ok()
}

/// A value in which no object repeats a member.
struct Unrepeated;

impl<'de> Deserialize<'de> for Unrepeated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Walk)
    }
}

struct Walk;

impl<'de> Visitor<'de> for Walk {
    type Value = Unrepeated;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Unrepeated, A::Error> {
        let mut names = HashSet::new();
        while let Some(mut name) = map.next_key::<String>()? {
            name.make_ascii_lowercase();
            if !names.insert(name) {
                return Err(A::Error::custom("a member is repeated"));
            }
            map.next_value::<Unrepeated>()?;
        }
        Ok(Unrepeated)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Unrepeated, A::Error> {
        while seq.next_element::<Unrepeated>()?.is_some() {}
        Ok(Unrepeated)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Unrepeated, E> {
        Ok(Unrepeated)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Unrepeated, E> {
        Ok(Unrepeated)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Unrepeated, E> {
        Ok(Unrepeated)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Unrepeated, E> {
        Ok(Unrepeated)
    }

    fn visit_str<E>(self, _: &str) -> Result<Unrepeated, E> {
        Ok(Unrepeated)
    }

    fn visit_unit<E>(self) -> Result<Unrepeated, E> {
        Ok(Unrepeated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_member_is_found_at_any_depth_and_however_it_is_spelled() {
        let deep = format!("{{\"a\":{}1{},\"a\":2}}", "[".repeat(500), "]".repeat(500));
        for json in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"messages":[],"Messages":[]}"#,
            r#"[{"x":[1,{"b":{},"c":null,"b":true}]}]"#,
            r#"{"a":1,"a"#,
            r#"{"a":"\ud800"}"#,
            &deep,
            "no JSON",
            "",
        ] {
            assert!(!is_unambiguous(json), "{json}");
        }
    }

    #[test]
    fn equal_names_in_different_objects_are_no_repetition() {
        for json in
            [r#"{"a":{"a":{"a":1.5}},"b":[{"a":1},{"a":-2}]}"#, r#"{"é":"a","É":"a","text":"\"a\":1,\"a\":2"}"#, "[]"]
        {
            assert!(is_unambiguous(json), "{json}");
        }
    }
}

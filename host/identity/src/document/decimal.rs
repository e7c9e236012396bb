//! Decimal numbers of documents: texts, so that none is rounded on its way. A JSON number is taken as its text.

use std::fmt;

use serde::Deserializer;
use serde::de::{Error, Visitor};

/// Reads a decimal number, if there is one: `"12.50"`, or `12.5`.
pub(super) fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_option(Decimal)
}

struct Decimal;

impl<'de> Visitor<'de> for Decimal {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number such as \"12.50\"")
    }

    fn visit_none<E: Error>(self) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<String>, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<String>, E> {
        Ok(Some(text.to_owned()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Option<String>, E> {
        Ok(Some(number.to_string()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Option<String>, E> {
        Ok(Some(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Option<String>, E> {
        // From here on, a number has not the digits that were written.
        const EXACT: f64 = 1e15;
        if number.abs() < EXACT {
            Ok(Some(number.to_string()))
        } else {
            Err(E::custom("write a large number as a text"))
        }
    }
}

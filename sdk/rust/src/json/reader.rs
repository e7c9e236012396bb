//! A JSON deserializer for serde's types, small and fast in the sandbox.
//!
//! It accepts the same texts as `serde_json` and returns the same raw values, without that crate's tables and generic
//! code: everything that does not depend on the parsed type is in [`Scanner`], once.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::error::Error;
use super::scan::{Scanner, Token};

/// The name of the struct with which a raw value requests its text.
const RAW: &str = "$serde_json::private::RawValue";

/// Parses one complete value.
pub(super) fn read<'de, T: serde::Deserialize<'de>>(text: &'de str) -> Result<T, Error> {
    let mut scanner = Scanner::new(text);
    let value = T::deserialize(Reader(&mut scanner))?;
    end(&mut scanner)?;
    Ok(value)
}

#[inline(never)]
fn end(scanner: &mut Scanner<'_>) -> Result<(), Error> {
    if scanner.peek().is_some() { Err(scanner.wrong("more than one value")) } else { Ok(()) }
}

/// The next value of a text.
struct Reader<'s, 'de>(&'s mut Scanner<'de>);

impl<'de> Deserializer<'de> for Reader<'_, 'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.token()? {
            Token::Borrowed(text) => visitor.visit_borrowed_str(text),
            Token::Escaped => visitor.visit_str(self.0.scratch()),
            Token::Null => visitor.visit_unit(),
            Token::Bool(flag) => visitor.visit_bool(flag),
            Token::Unsigned(value) => visitor.visit_u64(value),
            Token::Signed(value) => visitor.visit_i64(value),
            Token::Float(value) => visitor.visit_f64(value),
            Token::List => list(self.0, visitor),
            Token::Object => object(self.0, visitor),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.token()? {
            Token::Borrowed(text) => visitor.visit_borrowed_str(text),
            Token::Escaped => visitor.visit_str(self.0.scratch()),
            other => Err(unexpected(self.0, &other, &visitor)),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.token()? {
            Token::List => list(self.0, visitor),
            other => Err(unexpected(self.0, &other, &visitor)),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.token()? {
            Token::Object => object(self.0, visitor),
            other => Err(unexpected(self.0, &other, &visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.0.null()? { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        if name == RAW { visitor.visit_map(Raw(self.0.raw()?)) } else { visitor.visit_newtype_struct(self) }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.0.raw()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct
        struct enum
    }
}

fn list<'de, V: Visitor<'de>>(scanner: &mut Scanner<'de>, visitor: V) -> Result<V::Value, Error> {
    let mut within = Within { scanner, first: true, ended: false };
    let value = visitor.visit_seq(&mut within)?;
    within.finish(b']')?;
    Ok(value)
}

fn object<'de, V: Visitor<'de>>(scanner: &mut Scanner<'de>, visitor: V) -> Result<V::Value, Error> {
    let mut within = Within { scanner, first: true, ended: false };
    let value = visitor.visit_map(&mut within)?;
    within.finish(b'}')?;
    Ok(value)
}

#[cold]
#[inline(never)]
fn unexpected(scanner: &Scanner<'_>, found: &Token<'_>, expected: &dyn serde::de::Expected) -> Error {
    let found = match found {
        Token::Null => "null",
        Token::Bool(_) => "a flag",
        Token::Unsigned(_) | Token::Signed(_) | Token::Float(_) => "a number",
        Token::Borrowed(_) | Token::Escaped => "a string",
        Token::List => "an array",
        Token::Object => "an object",
    };
    scanner.wrong(&format!("expected {expected}, found {found}"))
}

/// A list or an object whose bracket has been read.
struct Within<'s, 'de> {
    scanner: &'s mut Scanner<'de>,
    first: bool,
    ended: bool,
}

impl Within<'_, '_> {
    fn more(&mut self, close: u8) -> Result<bool, Error> {
        if self.ended {
            return Ok(false);
        }
        let more = self.scanner.more(self.first, close)?;
        self.first = false;
        if !more {
            self.ended = true;
            self.scanner.leave();
        }
        Ok(more)
    }

    /// A visitor may stop early, which is an error if elements are left.
    fn finish(&mut self, close: u8) -> Result<(), Error> {
        if self.more(close)? { Err(self.scanner.wrong("more values than expected")) } else { Ok(()) }
    }
}

impl<'de> SeqAccess<'de> for &mut Within<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        if !self.more(b']')? {
            return Ok(None);
        }
        seed.deserialize(Reader(self.scanner)).map(Some)
    }
}

impl<'de> MapAccess<'de> for &mut Within<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        if self.ended {
            return Ok(None);
        }
        let Some(token) = self.scanner.member(self.first)? else {
            self.ended = true;
            self.scanner.leave();
            return Ok(None);
        };
        self.first = false;
        seed.deserialize(Key(self.scanner, token)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        self.scanner.colon()?;
        seed.deserialize(Reader(self.scanner))
    }
}

/// A member's key, a string that has been read.
struct Key<'s, 'de>(&'s Scanner<'de>, Token<'de>);

impl<'de> Deserializer<'de> for Key<'_, 'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.1 {
            Token::Borrowed(text) => visitor.visit_borrowed_str(text),
            _ => visitor.visit_str(self.0.scratch()),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

/// The text of a raw value, in the wrapper that it requests.
struct Raw<'de>(&'de str);

impl<'de> MapAccess<'de> for Raw<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        seed.deserialize(BorrowedStrDeserializer::new(RAW)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(BorrowedStrDeserializer::new(self.0))
    }
}

#[cfg(test)]
mod tests;

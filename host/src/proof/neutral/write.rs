//! From the contract's types to JSON.

use std::fmt::{self, Display, Formatter};

use serde::ser::{self, Impossible, Serialize};
use serde_json::{Map, Value};

use super::{JSON, parsed, snake};

/// A value of the contract as JSON.
pub(in super::super) fn write<T: Serialize + ?Sized>(value: &T) -> Value {
    value.serialize(Writer).map_or(Value::Null, |written| written.value)
}

/// What became of a value, and whether it says nothing.
struct Written {
    value: Value,
    is_empty: bool,
}

impl Written {
    fn full(value: impl Into<Value>) -> Self {
        Self { value: value.into(), is_empty: false }
    }

    fn scalar(value: impl Into<Value>, is_empty: bool) -> Self {
        Self { value: value.into(), is_empty }
    }

    /// JSON held as text, as what it is.
    fn opened(self) -> Value {
        match &self.value {
            Value::String(text) => parsed(text).unwrap_or(self.value),
            _ => self.value,
        }
    }
}

/// Never met: the contract's types are of a few kinds only.
#[derive(Debug)]
pub(super) struct Unknown(String);

impl Display for Unknown {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unknown {}

impl ser::Error for Unknown {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

type Done = Result<Written, Unknown>;

fn unknown() -> Done {
    Err(ser::Error::custom("no type of the contract"))
}

struct Writer;

macro_rules! numbers {
    ($($method:ident: $type:ty),+) => { $(
        fn $method(self, value: $type) -> Done {
            Ok(Written::scalar(value, value == <$type>::default()))
        }
    )+ };
}

impl ser::Serializer for Writer {
    type Ok = Written;
    type Error = Unknown;
    type SerializeSeq = List;
    type SerializeTuple = Impossible<Written, Unknown>;
    type SerializeTupleStruct = Impossible<Written, Unknown>;
    type SerializeTupleVariant = Impossible<Written, Unknown>;
    type SerializeMap = Impossible<Written, Unknown>;
    type SerializeStruct = Record;
    type SerializeStructVariant = Impossible<Written, Unknown>;

    numbers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_u8: u8,
        serialize_u16: u16, serialize_u32: u32, serialize_u64: u64
    }

    fn serialize_bool(self, value: bool) -> Done {
        Ok(Written::scalar(value, !value))
    }

    fn serialize_f32(self, value: f32) -> Done {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Done {
        Ok(Written::scalar(value, value == 0.0))
    }

    fn serialize_char(self, value: char) -> Done {
        Ok(Written::full(value.to_string()))
    }

    fn serialize_str(self, value: &str) -> Done {
        Ok(Written::scalar(value, value.is_empty()))
    }

    fn serialize_bytes(self, _: &[u8]) -> Done {
        unknown()
    }

    fn serialize_none(self) -> Done {
        Ok(Written::scalar(Value::Null, true))
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        Ok(Written::full(value.serialize(Self)?.value))
    }

    fn serialize_unit(self) -> Done {
        unknown()
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        unknown()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        Ok(Written::full(snake(variant)))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        let name = snake(variant);
        let inner = value.serialize(Self)?;
        let inner = if JSON.contains(&name.as_str()) { inner.opened() } else { inner.value };
        Ok(Written::full(Value::Object(Map::from_iter([(name, inner)]))))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<List, Unknown> {
        Ok(List(Vec::with_capacity(len.unwrap_or_default())))
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Unknown> {
        Err(ser::Error::custom("a tuple"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Unknown> {
        Err(ser::Error::custom("a tuple"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Unknown> {
        Err(ser::Error::custom("a tuple"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Unknown> {
        Err(ser::Error::custom("a map"))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Record, Unknown> {
        Ok(Record(Map::new()))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Unknown> {
        Err(ser::Error::custom("a record in a case"))
    }
}

/// Every element is shown, however little it says.
struct List(Vec<Value>);

impl ser::SerializeSeq for List {
    type Ok = Written;
    type Error = Unknown;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unknown> {
        self.0.push(value.serialize(Writer)?.value);
        Ok(())
    }

    fn end(self) -> Done {
        let is_empty = self.0.is_empty();
        Ok(Written::scalar(self.0, is_empty))
    }
}

struct Record(Map<String, Value>);

impl ser::SerializeStruct for Record {
    type Ok = Written;
    type Error = Unknown;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Unknown> {
        let written = value.serialize(Writer)?;
        if !written.is_empty {
            let value = if JSON.contains(&key) { written.opened() } else { written.value };
            self.0.insert(key.to_owned(), value);
        }
        Ok(())
    }

    fn end(self) -> Done {
        let is_empty = self.0.is_empty();
        Ok(Written::scalar(self.0, is_empty))
    }
}

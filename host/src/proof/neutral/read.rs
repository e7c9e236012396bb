//! From JSON to the contract's types.

use std::fmt::{self, Display, Formatter};

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

use super::{JSON, snake};

/// Reads a value of the contract.
pub(in super::super) fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Wrong> {
    T::deserialize(Reader { place: Place::There(value), is_json: false })
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Wrong {
    /// A JSON pointer.
    pub(in super::super) at: String,
    /// What is wrong there.
    pub(in super::super) what: String,
}

impl Wrong {
    fn within(mut self, segment: impl Display) -> Self {
        self.at = format!("/{segment}{}", self.at);
        self
    }
}

impl Display for Wrong {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.at.is_empty() { f.write_str(&self.what) } else { write!(f, "at {}: {}", self.at, self.what) }
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<T: Display>(message: T) -> Self {
        Self { at: String::new(), what: message.to_string() }
    }
}

fn wrong<T>(what: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { at: String::new(), what: what.into() })
}

#[derive(Clone, Copy)]
enum Place<'v> {
    There(&'v Value),
    /// A text that stands for a record with this as its first member.
    Short(&'v str),
    /// A member that was left out.
    Absent,
}

#[derive(Clone, Copy)]
struct Reader<'v> {
    place: Place<'v>,
    /// Whether the text that belongs here is JSON.
    is_json: bool,
}

impl<'v> Reader<'v> {
    fn of(value: &'v Value) -> Self {
        Self { place: Place::There(value), is_json: false }
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl<'de> de::Deserializer<'de> for Reader<'_> {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.place {
            Place::There(Value::Number(number)) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), ..) => visitor.visit_u64(number),
                (_, Some(number), _) => visitor.visit_i64(number),
                (.., Some(number)) => visitor.visit_f64(number),
                _ => wrong("a number that is too large"),
            },
            Place::There(Value::Bool(value)) => visitor.visit_bool(*value),
            Place::There(Value::String(text)) => visitor.visit_str(text),
            Place::Short(text) => visitor.visit_str(text),
            Place::There(value @ (Value::Object(_) | Value::Array(_))) if self.is_json => {
                visitor.visit_string(value.to_string())
            }
            Place::There(other) => wrong(format!("{} does not belong here", kind(other))),
            Place::Absent => visitor.visit_u64(0),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        if matches!(self.place, Place::Absent) { visitor.visit_bool(false) } else { self.deserialize_any(visitor) }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        if matches!(self.place, Place::Absent) { visitor.visit_str("") } else { self.deserialize_any(visitor) }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.place {
            Place::Absent | Place::There(Value::Null) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.place {
            Place::There(Value::Array(list)) => visitor.visit_seq(List { list, next: 0 }),
            Place::Absent => visitor.visit_seq(List { list: &[], next: 0 }),
            Place::There(other) => wrong(format!("a list belongs here, not {}", kind(other))),
            Place::Short(_) => wrong("a list belongs here"),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        match self.place {
            Place::There(Value::Object(members)) => {
                if let Some(stray) = members.keys().find(|key| !fields.contains(&key.as_str())) {
                    return wrong(format!("there is no member `{stray}`; there are {}", fields.join(", ")));
                }
                visitor.visit_map(Members { there: Some(members), short: None, fields, current: "" })
            }
            Place::There(Value::String(text)) if fields.first() == Some(&"text") => {
                visitor.visit_map(Members { there: None, short: Some(text), fields, current: "" })
            }
            Place::Short(text) => visitor.visit_map(Members { there: None, short: Some(text), fields, current: "" }),
            Place::Absent => visitor.visit_map(Members { there: None, short: None, fields, current: "" }),
            Place::There(other) => wrong(format!("an object belongs here, not {}", kind(other))),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let find = |name: &str| variants.iter().find(|variant| snake(variant) == name).copied();
        match self.place {
            Place::There(Value::String(text)) => match find(text) {
                Some(variant) => visitor.visit_enum(Case { variant, inner: None }),
                None if variants.contains(&"Text") => {
                    visitor.visit_enum(Case { variant: "Text", inner: Some(Place::Short(text)) })
                }
                None => wrong(no_case(text, variants)),
            },
            Place::There(Value::Object(members)) if members.len() == 1 => {
                let Some((name, value)) = members.iter().next() else { return wrong("an empty object") };
                let Some(variant) = find(name) else { return wrong(no_case(name, variants)) };
                let inner = Some(Place::There(value));
                visitor.visit_enum(Case { variant, inner }).map_err(|wrong| wrong.within(name))
            }
            Place::Absent => wrong(format!("it is missing: one of {}", names(variants))),
            _ => wrong(format!("one of these belongs here: {}", names(variants))),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct newtype_struct tuple
        tuple_struct map identifier
    }
}

fn no_case(name: &str, variants: &[&str]) -> String {
    format!("there is no `{name}`; there are {}", names(variants))
}

fn names(variants: &[&str]) -> String {
    variants.iter().map(|variant| snake(variant)).collect::<Vec<_>>().join(", ")
}

struct List<'v> {
    list: &'v [Value],
    next: usize,
}

impl<'de> de::SeqAccess<'de> for List<'_> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Wrong> {
        let Some(value) = self.list.get(self.next) else { return Ok(None) };
        let read = seed.deserialize(Reader::of(value)).map_err(|wrong| wrong.within(self.next))?;
        self.next += 1;
        Ok(Some(read))
    }
}

struct Members<'v> {
    there: Option<&'v Map<String, Value>>,
    short: Option<&'v str>,
    /// Those that are still to be read.
    fields: &'static [&'static str],
    current: &'static str,
}

impl<'de> de::MapAccess<'de> for Members<'_> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        let Some((first, rest)) = self.fields.split_first() else { return Ok(None) };
        (self.current, self.fields) = (first, rest);
        let name: StrDeserializer<'_, Wrong> = self.current.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        let place = match (self.there.and_then(|members| members.get(self.current)), self.short.take()) {
            (Some(value), _) => Place::There(value),
            (None, Some(text)) => Place::Short(text),
            (None, None) => Place::Absent,
        };
        let reader = Reader { place, is_json: JSON.contains(&self.current) };
        seed.deserialize(reader).map_err(|wrong| wrong.within(self.current))
    }
}

struct Case<'v> {
    variant: &'static str,
    inner: Option<Place<'v>>,
}

impl<'de, 'v> de::EnumAccess<'de> for Case<'v> {
    type Error = Wrong;
    type Variant = Inner<'v>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Inner<'v>), Wrong> {
        let name: StrDeserializer<'_, Wrong> = self.variant.into_deserializer();
        let is_json = JSON.contains(&snake(self.variant).as_str());
        Ok((seed.deserialize(name)?, Inner { place: self.inner, is_json, variant: self.variant }))
    }
}

struct Inner<'v> {
    place: Option<Place<'v>>,
    is_json: bool,
    variant: &'static str,
}

impl<'de> de::VariantAccess<'de> for Inner<'_> {
    type Error = Wrong;

    fn unit_variant(self) -> Result<(), Wrong> {
        if self.place.is_none() { Ok(()) } else { wrong(format!("`{}` has no value", snake(self.variant))) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Wrong> {
        match self.place {
            Some(place) => seed.deserialize(Reader { place, is_json: self.is_json }),
            None => wrong(format!("`{}` needs a value", snake(self.variant))),
        }
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Wrong> {
        wrong("no type of the contract")
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, Wrong> {
        wrong("no type of the contract")
    }
}

//! Types that borrow from the body and tolerate what real servers send.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Unexpected, Visitor};
use serde_json::value::RawValue;

use super::error::Error;
use super::reader;

/// Parses one complete JSON value; the error has the position and the reason.
pub fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    reader::read(text)
}

/// A string, borrowed unless it contains escapes.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Str<'a>(pub Cow<'a, str>);

impl Str<'_> {
    /// The text, owned. Not inlined, since there are calls for every member of every request.
    #[inline(never)]
    pub fn into_string(self) -> String {
        self.0.into_owned()
    }
}

impl Deref for Str<'_> {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<Str<'_>> for String {
    fn from(text: Str<'_>) -> Self {
        text.into_string()
    }
}

impl fmt::Display for Str<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Str<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Str<'de>, E> {
                Ok(Str(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Str<'de>, E> {
                Ok(Str(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// A count: any number, taken as the nearest `u32`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count(pub u32);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The cast saturates.
        Ok(Self(Number::deserialize(deserializer)?.0 as u32))
    }
}

/// Any number. One written as text counts too: the JSON of Protocol Buffers has numbers of 64 bits so, and takes all.
#[derive(Debug, Clone, Copy, Default, PartialEq, PartialOrd)]
pub struct Number(pub f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }
            fn visit_u64<E>(self, value: u64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Number, E> {
                Ok(Number(value))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
                let is_number = text.starts_with(|first: char| first == '-' || first.is_ascii_digit());
                let number = if is_number { parse(text).ok() } else { None };
                number.ok_or_else(|| E::invalid_type(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A text, or a list of `T`: the common spelling of content. `null` is an empty list.
#[derive(Debug, Clone, PartialEq)]
pub enum Either<'a, T> {
    /// One string.
    Text(Str<'a>),
    /// Several, in brackets.
    List(Vec<T>),
}

impl<T> Default for Either<'_, T> {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Either<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Content<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Content<T> {
            type Value = Either<'de, T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Either::Text(Str(Cow::Borrowed(text))))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Either::Text(Str(Cow::Owned(text.to_owned()))))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Either::List(Vec::new()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                elements(&mut seq).map(Either::List)
            }
        }
        deserializer.deserialize_any(Content(PhantomData))
    }
}

/// A list whose errors name the element.
#[derive(Debug, Clone, PartialEq)]
pub struct Seq<T>(pub Vec<T>);

impl<T> Default for Seq<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Seq<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<T> {
            type Value = Seq<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                elements(&mut seq).map(Seq)
            }
        }
        deserializer.deserialize_seq(Elements(PhantomData))
    }
}

fn elements<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(seq: &mut A) -> Result<Vec<T>, A::Error> {
    let mut list = Vec::new();
    loop {
        match seq.next_element() {
            Ok(Some(element)) => list.push(element),
            Ok(None) => return Ok(list),
            Err(error) => return Err(in_element(list.len(), error)),
        }
    }
}

/// Parses a member's value into its place. One function for all members of a type, whatever their object.
#[doc(hidden)]
#[inline(never)]
pub fn member<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    map: &mut A,
    key: &'static str,
    place: &mut Option<T>,
) -> Result<(), A::Error> {
    match map.next_value() {
        // A member may have two spellings, one of which is null.
        Ok(None) => {}
        Ok(value) => *place = value,
        Err(error) => return Err(in_member(key, error)),
    }
    Ok(())
}

/// Keeps a member that the type does not name.
#[doc(hidden)]
#[inline(never)]
pub fn rest<'de, A: MapAccess<'de>>(map: &mut A, key: Str<'de>, rest: &mut Rest<'de>) -> Result<(), A::Error> {
    rest.0.push((key, map.next_value()?));
    Ok(())
}

/// Adds the name of the member to an error. Not inlined: every member of every type has such a branch.
#[doc(hidden)]
#[cold]
#[inline(never)]
#[expect(clippy::needless_pass_by_value, reason = "an error is handed over, and another comes back")]
pub fn in_member<E: serde::de::Error>(key: &str, error: E) -> E {
    E::custom(format_args!("{key}: {error}"))
}

/// Adds the index of the element to an error.
#[doc(hidden)]
#[cold]
#[inline(never)]
#[expect(clippy::needless_pass_by_value, reason = "an error is handed over, and another comes back")]
pub fn in_element<E: serde::de::Error>(at: usize, error: E) -> E {
    E::custom(format_args!("[{at}]: {error}"))
}

/// The members of an object that its type does not name, in order.
#[derive(Debug, Clone, Default)]
pub struct Rest<'a>(pub Vec<(Str<'a>, &'a RawValue)>);

impl<'a> Rest<'a> {
    /// Parses an object whose members are read one by one. For rare objects this is smaller than a type.
    pub fn parse(text: &'a str) -> Result<Self, Error> {
        parse(text)
    }

    /// Removes a member and returns its value.
    pub fn take(&mut self, key: &str) -> Option<&'a RawValue> {
        let at = self.0.iter().position(|(name, _)| &**name == key)?;
        Some(self.0.remove(at).1)
    }

    /// The value of a member that is not null.
    pub fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(name, value)| &**name == key && value.get() != "null").map(|(_, value)| *value)
    }

    /// Removes a member; returns its value if it is not null.
    pub fn value(&mut self, key: &str) -> Option<&'a RawValue> {
        self.take(key).filter(|value| value.get() != "null")
    }

    /// Removes a string; a member of another type stays. The methods below do the same.
    pub fn str(&mut self, key: &str) -> Option<Str<'a>> {
        let text = text(self.get(key)?)?;
        self.take(key);
        Some(text)
    }

    /// Removes a number.
    pub fn number(&mut self, key: &str) -> Option<f64> {
        let number: Number = parse(self.get(key)?.get()).ok()?;
        self.take(key);
        Some(number.0)
    }

    /// Removes a count; a negative number stays, since it counts nothing.
    pub fn count(&mut self, key: &str) -> Option<u32> {
        let number: Number = parse(self.get(key)?.get()).ok()?;
        if number.0 < 0.0 {
            return None;
        }
        self.take(key);
        Some(number.0 as u32)
    }

    /// Removes a flag.
    pub fn bool(&mut self, key: &str) -> Option<bool> {
        let flag = self.get(key)?.get() == "true";
        if flag || self.get(key)?.get() == "false" {
            self.take(key);
            return Some(flag);
        }
        None
    }

    /// Removes an object.
    pub fn object(&mut self, key: &str) -> Option<Rest<'a>> {
        let object = Rest::parse(self.get(key)?.get()).ok()?;
        self.take(key);
        Some(object)
    }

    /// Removes a list.
    pub fn list(&mut self, key: &str) -> Option<Vec<&'a RawValue>> {
        let list = list(self.get(key)?)?;
        self.take(key);
        Some(list)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Rest<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Rest<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Rest(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A string's text; `None` for any other value.
pub fn text(raw: &RawValue) -> Option<Str<'_>> {
    parse(raw.get()).ok()
}

/// A list's elements; `None` for any other value.
pub fn list(raw: &RawValue) -> Option<Vec<&RawValue>> {
    parse(raw.get()).ok()
}

/// Declares an object of a wire format: its members by name, each optional, and a `rest` for all others. A member that
/// a format spells in several ways names them all: `"mimeType" | "mime_type" => mime: Str<'a>`.
///
/// ```
/// weir_sdk::wire! {
///     /// A message.
///     pub struct Message<'a> {
///         "role" => role: weir_sdk::json::Str<'a>,
///         "content" => content: weir_sdk::json::Either<'a, &'a weir_sdk::json::RawValue>,
///     }
/// }
/// let message: Message<'_> = weir_sdk::json::parse(r#"{"role": "user", "name": "Ann"}"#)?;
/// assert_eq!(message.role.as_deref(), Some("user"));
/// assert_eq!(&*message.rest.0[0].0, "name");
/// # Ok::<(), weir_sdk::json::Error>(())
/// ```
#[macro_export]
macro_rules! wire {
    ($($(#[$meta:meta])* $vis:vis struct $name:ident<$life:lifetime> {
        $($(#[$field_meta:meta])* $key:literal $(| $spelling:literal)* => $field:ident: $type:ty),* $(,)?
    })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Default)]
        $vis struct $name<$life> {
            $($(#[$field_meta])* #[doc = concat!("The member `", $key, "`.")] $vis $field: Option<$type>,)*
            /// The members that are not declared.
            $vis rest: $crate::json::Rest<$life>,
        }
        impl<'de: $life, $life> $crate::serde::Deserialize<'de> for $name<$life> {
            fn deserialize<D: $crate::serde::Deserializer<'de>>(deserializer: D) -> ::core::result::Result<Self, D::Error> {
                struct Members;
                impl<'de> $crate::serde::de::Visitor<'de> for Members {
                    type Value = $name<'de>;
                    fn expecting(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<A: $crate::serde::de::MapAccess<'de>>(self, mut map: A) -> ::core::result::Result<Self::Value, A::Error> {
                        let mut object = $name::default();
                        while let Some(key) = map.next_key::<$crate::json::Str<'de>>()? {
                            match &*key {
                                $($key $(| $spelling)* => $crate::json::member(&mut map, $key, &mut object.$field)?,)*
                                _ => $crate::json::rest(&mut map, key, &mut object.rest)?,
                            }
                        }
                        Ok(object)
                    }
                }
                deserializer.deserialize_map(Members)
            }
        }
    )+};
}

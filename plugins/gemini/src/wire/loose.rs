//! Values with several possible shapes.

use std::fmt;
use std::marker::PhantomData;

use weir_sdk::json::Str;
use weir_sdk::serde::de::value::MapAccessDeserializer;
use weir_sdk::serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Content, Part};

/// A list, or a single element without brackets, which the service accepts too.
#[derive(Debug, Clone)]
pub(crate) struct Many<T>(pub(crate) Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<T> {
            type Value = Many<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array or an object")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Many<T>, A::Error> {
                let mut list = Vec::new();
                loop {
                    match seq.next_element() {
                        Ok(Some(element)) => list.push(element),
                        Ok(None) => return Ok(Many(list)),
                        Err(error) => return Err(A::Error::custom(format_args!("[{}]: {error}", list.len()))),
                    }
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Many<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(|one| Many(vec![one]))
            }
        }
        deserializer.deserialize_any(Elements(PhantomData))
    }
}

/// System text: a turn, or a mere string.
#[derive(Debug, Clone, Default)]
pub(crate) struct System<'a>(pub(crate) Content<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for System<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = System<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(system(Str(text.into())))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(system(Str(text.to_owned().into())))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Content::deserialize(MapAccessDeserializer::new(map)).map(System)
            }
        }
        deserializer.deserialize_any(Text)
    }
}

fn system(text: Str<'_>) -> System<'_> {
    let part = Part { text: Some(text), ..Part::default() };
    System(Content { parts: Some(Many(vec![part])), ..Content::default() })
}

/// A word of an enum, by name or, if the client requested `enum-encoding=int`, by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word<'a> {
    /// In the capitals of the specification.
    Name(Str<'a>),
    /// As protobuf numbers it, which some clients send.
    Number(u32),
}

impl Word<'_> {
    /// The name; `names` is the list of all names in the order of their numbers.
    pub(crate) fn name<'n>(&'n self, names: &[&'n str]) -> &'n str {
        match self {
            Self::Name(name) => name,
            Self::Number(number) => names.get(*number as usize).copied().unwrap_or("OTHER"),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Word<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Word<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a number")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Word::Name(Str(text.into())))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Word::Name(Str(text.to_owned().into())))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Word::Number(u32::try_from(number).unwrap_or(u32::MAX)))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::json::parse;

    #[test]
    fn c87_lists_may_lack_their_brackets_and_system_text_its_object() {
        let content: Content<'_> = parse(r#"{"parts": {"text": "a"}}"#).unwrap();
        assert_eq!(content.parts.unwrap().0.len(), 1);
        let System(content) = parse(r#""be \"brief\"""#).unwrap();
        assert_eq!(content.parts.unwrap().0[0].text.as_deref(), Some("be \"brief\""));
    }

    #[test]
    fn words_may_be_numbers() {
        let names = ["NONE", "STOP"];
        assert_eq!(parse::<Word<'_>>("1").unwrap().name(&names), "STOP");
        assert_eq!(parse::<Word<'_>>("\"SAFETY\"").unwrap().name(&names), "SAFETY");
        assert_eq!(parse::<Word<'_>>("99").unwrap().name(&names), "OTHER");
    }
}

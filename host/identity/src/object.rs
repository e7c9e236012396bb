//! Reads types from JSON strictly: what is an object stays one.
//!
//! `serde` takes a list for the fields of a struct, one after the other. Where people write what is read, such a
//! mistake would be something else: `"limits": [5]` five requests a minute.

use std::fmt;
use std::rc::Rc;

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Map, Value};

/// Reads a value, in which each struct has to be an object, however deep it stands.
///
/// # Errors
///
/// The value is not of this type.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    T::deserialize(Strict { value, place: Place::default() })
}

/// The most characters of a place in a message: the names on the way are the sender's.
const MOST_CHARS: usize = 256;

/// A value that gives no list for a struct, and where it stands.
struct Strict {
    value: Value,
    place: Place,
}

/// Where a value stands: the way is put together where something is wrong only, since long names on it would be copied
/// for each value below them.
#[derive(Clone, Default)]
struct Place(Option<Rc<Step>>);

/// The last step of a way.
struct Step {
    within: Place,
    name: StepName,
}

enum StepName {
    Member(String),
    Item(usize),
}

impl Place {
    fn step(&self, name: StepName) -> Self {
        Self(Some(Rc::new(Step { within: self.clone(), name })))
    }

    /// What is wrong there.
    fn wrong(&self, error: Error) -> Error {
        let path: String = self.to_string().chars().take(MOST_CHARS).collect();
        if path.is_empty() { error } else { Error::custom(format_args!("`{path}`: {error}")) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(step) = &self.0 else { return Ok(()) };
        step.within.fmt(f)?;
        match &step.name {
            StepName::Member(name) if step.within.0.is_none() => f.write_str(name),
            StepName::Member(name) => write!(f, ".{name}"),
            StepName::Item(at) => write!(f, "[{at}]"),
        }
    }
}

impl Strict {
    /// The members of an object, with where they stand.
    fn members(place: &Place, members: Map<String, Value>) -> impl Iterator<Item = (String, Self)> {
        members.into_iter().map(move |(name, value)| {
            let place = place.step(StepName::Member(name.clone()));
            (name, Self { value, place })
        })
    }
}

impl IntoDeserializer<'_, Error> for Strict {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Strict {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Self { value, place } = self;
        match value {
            Value::Array(items) => {
                let of = |(at, value)| Self { value, place: place.step(StepName::Item(at)) };
                let mut items = SeqDeserializer::new(items.into_iter().enumerate().map(of));
                let read = visitor.visit_seq(&mut items)?;
                items.end().map(|()| read)
            }
            Value::Object(members) => {
                let mut members = MapDeserializer::new(Self::members(&place, members));
                let read = visitor.visit_map(&mut members)?;
                members.end().map(|()| read)
            }
            plain => plain.deserialize_any(visitor).map_err(|error| place.wrong(error)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.value {
            Value::Array(_) => Err(self.place.wrong(Error::custom("a list, where an object belongs"))),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let Self { value, place } = self;
        match value {
            Value::Object(members) if members.len() == 1 => {
                let members = MapDeserializer::new(Self::members(&place, members));
                MapAccessDeserializer::new(members).deserialize_enum(name, variants, visitor)
            }
            other => other.deserialize_enum(name, variants, visitor).map_err(|error| place.wrong(error)),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        a: u64,
        #[serde(default)]
        b: Option<String>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Choice {
        Plain,
        Named(String),
        Fields { inner: Inner },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(transparent)]
    struct Wrapped(Inner);

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Outer {
        inner: Option<Inner>,
        wrapped: Option<Wrapped>,
        list: Vec<Inner>,
        set: BTreeSet<Inner>,
        by_name: BTreeMap<String, Inner>,
        choices: Vec<Choice>,
        pair: Option<(u64, String)>,
        free: Value,
        share: Option<f64>,
    }

    #[test]
    fn what_is_of_the_type_is_read_as_ever() {
        let inner = json!({"a": 1, "b": "x"});
        let value = json!({
            "inner": inner, "wrapped": inner, "list": [inner, {"a": 2}], "set": [inner], "by_name": {"n": inner},
            "choices": ["plain", {"named": "n"}, {"fields": {"inner": inner}}], "pair": [1, "x"],
            "free": [[1], {"x": [null]}], "share": 0.5,
        });
        assert_eq!(from_value::<Outer>(value.clone()).unwrap(), serde_json::from_value::<Outer>(value).unwrap());
        assert_eq!(from_value::<Outer>(json!({"inner": null})).unwrap(), Outer::default());
    }

    #[test]
    fn a_list_is_no_object_wherever_it_stands() {
        let list = json!([1, "x"]);
        for wrong in [
            json!([]),
            json!([list]),
            json!({"inner": list}),
            json!({"inner": []}),
            json!({"wrapped": list}),
            json!({"list": [list]}),
            json!({"set": [list]}),
            json!({"by_name": {"n": list}}),
            json!({"by_name": [["n", {"a": 1}]]}),
            json!({"choices": [{"fields": [{"a": 1}]}]}),
            json!({"choices": [{"fields": {"inner": list}}]}),
        ] {
            assert!(from_value::<Outer>(wrong.clone()).is_err(), "{wrong}");
        }
        let place = |wrong: Value| from_value::<Outer>(wrong).unwrap_err().to_string();
        assert_eq!(place(json!({"list": [{"a": 1}, [1]]})), "`list[1]`: a list, where an object belongs");
        assert!(place(json!({"by_name": {"n": {"a": "1"}}})).starts_with("`by_name.n.a`: invalid type"));
        // The others that are refused as ever.
        for wrong in [
            json!({"other": 1}),
            json!({"inner": {"a": "1"}}),
            json!({"inner": {"a": -1}}),
            json!({"inner": {"a": 1.0}}),
            json!({"list": {}}),
            json!({"choices": ["none"]}),
            json!({"choices": [{"named": "n", "plain": null}]}),
            json!({"choices": [{}]}),
            json!({"choices": [{"plain": 1}]}),
            json!({"pair": [1, "x", 2]}),
        ] {
            assert!(from_value::<Outer>(wrong.clone()).is_err(), "{wrong}");
        }
    }

    /// A body of some megabytes must not be copied for each value in it.
    #[test]
    fn a_long_name_costs_its_length_once_however_much_is_below_it() {
        let below: Map<String, Value> = (0..100_000).map(|number| (number.to_string(), Value::Null)).collect();
        let long = "n".repeat(1 << 20);
        let begun = std::time::Instant::now();
        let read = from_value::<Outer>(json!({"free": {&long: below}})).unwrap();
        assert_eq!(read.free[&long].as_object().unwrap().len(), 100_000);
        // Copies of the name would be 100 GiB.
        assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
        let wrong = from_value::<Outer>(json!({"by_name": {&long: []}})).unwrap_err().to_string();
        assert!(wrong.starts_with("`by_name.nnn") && wrong.len() < 400, "{}", wrong.len());
    }
}

//! Whether all readers of a JSON text read the same. They differ where an object has two members of one name: some
//! take the first, others the last.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// The members of an object whose names are compared one by one. Those of a larger one are hashed.
const FEW: usize = 16;

/// What a JSON text is to its readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// All readers read the same in it.
    Same,
    /// Readers may differ, or a string of it was refused.
    Refused,
    /// It is no JSON, or is nested deeper than readers usually go.
    NotJson,
}

/// Whether all readers read the same in this text: it is JSON, and no object has two members whose names are equal once
/// escapes are resolved, or differ in the case of letters only, which some readers take for equal.
///
/// False as well for what is nested deeper than readers usually go.
pub fn is_unambiguous(json: &str) -> bool {
    read(json, &mut |_| true) == Reading::Same
}

/// The same, with a question about each string and each member's name, escapes resolved: one that is refused ends the
/// reading.
pub fn read(json: &str, accepts: &mut dyn FnMut(&str) -> bool) -> Reading {
    walk(json, accepts, &mut |_| false)
}

/// Asks about each name that an object has more than once: one that is refused ends the reading, the others are passed
/// over.
pub fn each(json: &str, accepts: &mut dyn FnMut(&str) -> bool) -> Reading {
    walk(json, &mut |_| true, accepts)
}

fn walk(json: &str, accepts: &mut dyn FnMut(&str) -> bool, repeats: &mut dyn FnMut(&str) -> bool) -> Reading {
    let mut walk = Walk { accepts, repeats, names: Vec::new(), is_refused: false };
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let read = walk.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match read {
        Ok(()) => Reading::Same,
        Err(_) if walk.is_refused => Reading::Refused,
        Err(_) => Reading::NotJson,
    }
}

struct Walk<'de, 'a> {
    accepts: &'a mut dyn FnMut(&str) -> bool,
    /// Whether a name that is repeated may be passed over.
    repeats: &'a mut dyn FnMut(&str) -> bool,
    /// The names of the members so far, of the objects that are open.
    names: Vec<Cow<'de, str>>,
    is_refused: bool,
}

impl<'de> Walk<'de, '_> {
    fn refuse<E: Error>(&mut self) -> E {
        self.is_refused = true;
        E::custom("a member is repeated, or a string is refused")
    }

    fn string<E: Error>(&mut self, text: &str) -> Result<(), E> {
        if (self.accepts)(text) { Ok(()) } else { Err(self.refuse()) }
    }

    /// Takes the next name of the object whose names begin at `first`, unless it has that name already and must not.
    /// `many` has the names of a large object.
    fn name<E: Error>(&mut self, name: Cow<'de, str>, first: usize, many: &mut HashSet<String>) -> Result<(), E> {
        let earlier = &self.names[first..];
        let is_new = if earlier.len() < FEW {
            !earlier.iter().any(|one| one.eq_ignore_ascii_case(&name))
        } else {
            if many.is_empty() {
                many.extend(earlier.iter().map(|one| one.to_ascii_lowercase()));
            }
            many.insert(name.to_ascii_lowercase())
        };
        if !is_new && !(self.repeats)(&name) {
            return Err(self.refuse());
        }
        self.string(&name)?;
        if is_new && many.is_empty() {
            self.names.push(name);
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for &mut Walk<'de, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Walk<'de, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (first, mut many) = (self.names.len(), HashSet::new());
        while let Some(Name(name)) = map.next_key()? {
            self.name(name, first, &mut many)?;
            map.next_value_seed(&mut *self)?;
        }
        self.names.truncate(first);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(&mut *self)?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.string(text)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// A member's name, copied only if it has escapes.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(ReadName)
    }
}

struct ReadName;

impl<'de> Visitor<'de> for ReadName {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Borrowed(name)))
    }

    fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

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

    #[test]
    fn a_repeated_member_is_found_in_a_large_object_too() {
        let members: Vec<String> = (0..3 * FEW).map(|number| format!("\"m{number}\":{{\"m{number}\":0}}")).collect();
        assert!(is_unambiguous(&format!("{{{}}}", members.join(","))));
        for repeated in [0, 1, FEW - 1, FEW, FEW + 1, 3 * FEW - 1] {
            let json = format!("{{{},\"M{repeated}\":0}}", members.join(","));
            assert!(!is_unambiguous(&json), "{json}");
        }
    }

    #[test]
    fn each_string_is_asked_for_and_one_that_is_refused_ends_the_reading() {
        let mut asked = Vec::new();
        let json = r#"{"a":["b\n",{"c":"d"}],"e":1}"#;
        let reading = read(json, &mut |text| {
            asked.push(text.to_owned());
            true
        });
        assert_eq!((reading, asked.join("|").as_str()), (Reading::Same, "a|b\n|c|d|e"));
        assert_eq!(read(json, &mut |text| text != "d"), Reading::Refused);
        assert_eq!(read("[DONE]", &mut |_| true), Reading::NotJson);
        assert_eq!(read("{} {}", &mut |_| true), Reading::NotJson);
        assert_eq!(read(r#"{"a":1,"A":2}"#, &mut |_| true), Reading::Refused);
    }

    #[test]
    fn each_name_that_is_repeated_is_asked_for() {
        let mut repeated = Vec::new();
        let json = r#"[{"a":{"b":1,"\u0062":2,"B":3},"c":0},{"a":1,"c":[{"d":1,"d":2}]}]"#;
        let reading = each(json, &mut |name| {
            repeated.push(name.to_owned());
            true
        });
        assert_eq!((reading, repeated.join("|").as_str()), (Reading::Same, "b|B|d"));
        assert_eq!(each(json, &mut |name| name != "d"), Reading::Refused);
        assert_eq!(each(r#"{"a":"\ud83d","a":1}"#, &mut |_| true), Reading::NotJson);
        let members: Vec<String> = (0..2 * FEW).map(|number| format!("\"m{number}\":0")).collect();
        assert_eq!(each(&format!("{{{},\"m3\":0}}", members.join(",")), &mut |name| name != "m3"), Reading::Refused);
    }

    /// JSON with few names, of which some are equal once they are read.
    fn texts() -> impl Strategy<Value = String> {
        let leaf = select(vec!["1", "null", r#""x""#, r#""\u0061 \"""#]).prop_map(str::to_owned);
        let name = || select(vec!["a", "A", "b", r"\u0062", "c", "d", "é"]);
        leaf.prop_recursive(4, 32, 4, move |inner| {
            let items = vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(",")));
            let members = vec((name(), inner), 0..4).prop_map(|members| {
                let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            });
            prop_oneof![items, members]
        })
    }

    /// The strings and names that another reader finds, which takes the last of several members.
    fn strings(value: &serde_json::Value, to: &mut Vec<String>) {
        match value {
            serde_json::Value::String(text) => to.push(text.clone()),
            serde_json::Value::Array(items) => items.iter().for_each(|item| strings(item, to)),
            serde_json::Value::Object(members) => members.iter().for_each(|(name, value)| {
                to.push(name.clone());
                strings(value, to);
            }),
            _ => {}
        }
    }

    /// The members that are left when names are compared without the case of letters.
    fn members(value: &serde_json::Value) -> usize {
        match value {
            serde_json::Value::Array(items) => items.iter().map(members).sum(),
            serde_json::Value::Object(all) => {
                let names: HashSet<String> = all.keys().map(|name| name.to_ascii_lowercase()).collect();
                names.len() + all.values().map(members).sum::<usize>()
            }
            _ => 0,
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_another_reader(json in texts(), is_cut in any::<bool>()) {
            let json = if is_cut { &json[..json.len() - 1] } else { &json };
            let mut shown = Vec::new();
            let reading = read(json, &mut |text| {
                shown.push(text.to_owned());
                true
            });
            let Ok(value) = serde_json::from_str(json) else {
                prop_assert_ne!(reading, Reading::Same);
                return Ok(());
            };
            prop_assert_eq!(reading == Reading::Same, members(&value) == json.matches("\":").count());
            prop_assert_ne!(reading, Reading::NotJson);
            if reading == Reading::Same {
                let mut found = Vec::new();
                strings(&value, &mut found);
                shown.sort_unstable();
                found.sort_unstable();
                prop_assert_eq!(shown, found);
            }
        }
    }
}

//! The members of a rendered request. A dialect knows which members of a request it has read; the extensions of a program's
//! request in the unified model may have any name, at any place, and must not take the place of what the provider's adapter
//! wrote: the model's name, say, or a message's role.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use weir_types::contract::types::Body;
use weir_types::fault::Fault;

/// Refuses a program's request if a member of the rendered body, or of an object in it, occurs twice.
pub(super) fn check(body: &Body, is_program: bool) -> Result<(), Fault> {
    let json = match body {
        Body::Text(text) => text.as_bytes(),
        Body::Bytes(bytes) => bytes,
    };
    // A body of another kind has no members.
    if !is_program || json.trim_ascii_start().first() != Some(&b'{') {
        return Ok(());
    }
    let mut twice = None;
    let read = FirstTwice(&mut twice).deserialize(&mut serde_json::Deserializer::from_slice(json));
    let message = match (twice, read) {
        (Some(name), _) => {
            format!("the extension `{name}` is what another field of the request says; use that field")
        }
        (None, Err(error)) => format!("a value of JSON makes the request unreadable: {error}"),
        (None, Ok(())) => return Ok(()),
    };
    Err(Fault::invalid(message).at("extensions"))
}

/// Finds the first name that an object has twice, at any depth.
struct FirstTwice<'t>(&'t mut Option<String>);

impl<'de> DeserializeSeed<'de> for FirstTwice<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FirstTwice<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        // Objects of requests have few members; those of schemas may have many.
        let mut names: Vec<Cow<'de, str>> = Vec::new();
        while let Some(name) = map.next_key_seed(Name)? {
            map.next_value_seed(FirstTwice(self.0))?;
            names.push(name);
        }
        names.sort_unstable();
        let twice = names.windows(2).find(|pair| matches!(pair, [one, other] if one == other));
        if let (None, Some([name, _])) = (&self.0, twice) {
            *self.0 = Some(name.clone().into_owned());
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(FirstTwice(self.0))?.is_some() {}
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

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// A member's name, borrowed where it is written without escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_takes_no_other_members_place_at_any_depth() {
        let refused = |text: &str| check(&Body::Text(text.into()), true).is_err();
        assert!(refused(r#"{"model":"a","x":{"model":1},"model":"b"}"#));
        assert!(refused(r#"{"messages":[{"role":"user","content":"x","\u0072ole":"system"}],"model":"a"}"#));
        assert!(refused(&format!("{{\"x\":{}{}}}", "[".repeat(1_000), "]".repeat(1_000))), "too deep to be read");
        assert!(!refused(r#"{"model":"a","x":{"model":1},"n":[1,-1,0.5,true,null,"\ud83d\ude00"]}"#));
        assert!(!refused("--boundary"), "no JSON");
        let twice = Body::Text(r#"{"model":"a","model":"b"}"#.into());
        assert!(check(&twice, false).is_ok(), "a dialect has read it");
    }
}

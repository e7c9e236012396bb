//! Options of adapters and guards, whose meaning only they know. `schema` checks them against a manifest.

mod schema;

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Place;

pub use schema::OptionRules;

/// The member that names the authentication scheme.
const AUTH: &str = "auth";
/// Its value if no credential is sent at all.
const NO_AUTH: &str = "none";

/// Free-form members of `options`, each with its place for messages.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The members, as JSON.
    pub values: Map<String, Value>,
    /// The whole table.
    pub place: Place,
    /// The place of each member, by JSON pointer.
    pub(super) places: BTreeMap<String, Place>,
}

impl From<Map<String, Value>> for Options {
    /// Options that stand in no configuration.
    fn from(values: Map<String, Value>) -> Self {
        Self { values, ..Self::default() }
    }
}

impl Options {
    /// The place of the value at a JSON pointer, or of the nearest table around it.
    pub fn place_of(&self, pointer: &str) -> Place {
        let mut pointer = pointer;
        loop {
            if let Some(place) = self.places.get(pointer) {
                return place.clone();
            }
            let Some(end) = pointer.rfind('/') else { return self.place.clone() };
            pointer = &pointer[..end];
        }
    }

    /// These options with another set laid over them, member by member.
    #[must_use]
    pub(crate) fn overlaid(&self, upper: &Self) -> Self {
        let mut all = self.clone();
        all.place = upper.place.or(&self.place);
        for (name, value) in &upper.values {
            let pointer = format!("/{}", escape(name));
            let inside = format!("{pointer}/");
            all.places.retain(|known, _| *known != pointer && !known.starts_with(&inside));
            all.values.insert(name.clone(), value.clone());
        }
        all.places.extend(upper.places.iter().map(|(pointer, place)| (pointer.clone(), place.clone())));
        all
    }

    /// Sets the authentication scheme.
    pub(super) fn set_auth(&mut self, name: String, place: Place) {
        self.place = self.place.or(&place);
        self.places.insert(format!("/{AUTH}"), place);
        self.values.insert(AUTH.to_owned(), name.into());
    }

    /// The chosen authentication scheme.
    pub fn auth(&self) -> Option<&str> {
        self.text(AUTH)
    }

    /// Whether no credential is sent.
    pub fn is_without_auth(&self) -> bool {
        self.auth() == Some(NO_AUTH)
    }

    /// The options for the adapter: all but the choice to send no credential, which the host handles.
    pub fn for_adapter(&self) -> impl Iterator<Item = (&String, &Value)> {
        let is_hidden = self.is_without_auth();
        self.values.iter().filter(move |(name, _)| !(is_hidden && *name == AUTH))
    }

    /// The value of a member, if it is text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.as_str()
    }
}

/// A member's name as a segment of a JSON pointer (RFC 6901).
pub(super) fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(members: &[(&str, Value)], at: usize) -> Options {
        let values = members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let places = members.iter().map(|(name, _)| (format!("/{}", escape(name)), Place::File(at..at + 1))).collect();
        Options { values, place: Place::File(at..at + 9), places }
    }

    #[test]
    fn the_upper_set_wins_and_brings_its_places() {
        let lower = options(&[("a", 1.into()), ("b", 1.into())], 10);
        let all = lower.overlaid(&options(&[("b", 2.into())], 20));
        assert_eq!(Value::Object(all.values.clone()), serde_json::json!({"a": 1, "b": 2}));
        assert_eq!(all.place_of("/a"), Place::File(10..11));
        assert_eq!(all.place_of("/b/deep/inside"), Place::File(20..21));
        assert_eq!(all.place_of("/missing"), Place::File(20..29));
    }
}

//! What the client's messages name that a client needs a right to: models, and objects that a provider keeps.

use std::ops::Range;

use weir_types::contract::about::ModelPointer;
use weir_wire::peek::{Found, Scalar, Wanted};

/// Where the client's messages name models and objects, as the face of a format's sessions declares it.
#[derive(Debug, Default)]
pub struct NamePlaces<'m> {
    /// The model of the session.
    pub own: Vec<&'m ModelPointer>,
    /// Models beside it.
    pub further: Vec<&'m str>,
    /// Ids of what a provider keeps.
    pub objects: Vec<&'m str>,
}

/// What is named at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// The model of the session.
    OwnModel,
    /// A model beside it, such as one that writes down what is said.
    FurtherModel,
    /// An object that a provider keeps.
    Object,
}

/// What stands at one of the places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// What it names.
    pub named: Named,
    /// The place, as a pointer.
    pub place: String,
    /// Where its value stands in the message.
    pub range: Range<usize>,
    /// The name, without the text in front of it; `None` if the value is no text, or too long for a name.
    pub name: Option<String>,
    /// The text in front of the name.
    pub front: String,
}

impl Name {
    /// The place as clients call it: `session.model`.
    pub fn member(&self) -> String {
        self.place.trim_start_matches('/').replace('/', ".")
    }
}

/// The places, each with the number of its pointer in a scan.
#[derive(Debug)]
pub(super) struct CompiledPlaces(Vec<Place>);

#[derive(Debug)]
struct Place {
    number: usize,
    named: Named,
    pointer: String,
    /// Text that may stand in front of the name.
    front: String,
}

impl CompiledPlaces {
    /// Adds the pointers of these places to those to scan for.
    pub(super) fn new(places: &NamePlaces<'_>, wanted: &mut Wanted) -> Self {
        let own = places.own.iter().map(|own| (Named::OwnModel, own.pointer.as_str(), own.prefix.as_str()));
        let further = places.further.iter().map(|place| (Named::FurtherModel, *place, ""));
        let objects = places.objects.iter().map(|place| (Named::Object, *place, ""));
        let mut compiled = Vec::new();
        for (named, pointer, front) in own.chain(further).chain(objects) {
            let number = wanted.add(pointer);
            compiled.push(Place { number, named, pointer: pointer.to_owned(), front: front.to_owned() });
        }
        Self(compiled)
    }

    /// What a message names. Each of several members with the same name counts, since readers differ in their choice;
    /// `null` names nothing.
    pub(super) fn names(&self, found: &Found) -> Vec<Name> {
        let mut names = Vec::new();
        for hit in found.hits().iter().filter(|hit| hit.value != Scalar::Null) {
            let Some(place) = self.0.iter().find(|place| place.number == hit.pointer) else { continue };
            let text = hit.value.as_text();
            let bare = text.and_then(|text| text.strip_prefix(place.front.as_str()));
            names.push(Name {
                named: place.named,
                place: place.pointer.clone(),
                range: hit.range.clone(),
                name: bare.or(text).map(str::to_owned),
                front: if bare.is_some() { place.front.clone() } else { String::new() },
            });
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use weir_types::contract::about::{FrameTest, PointerEquals};

    use super::*;
    use crate::requests::{CompiledRequests, ReadRequest, RequestReader};

    /// What a message asks for that is cut after so many bytes.
    fn read(text: &str, cut: usize) -> ReadRequest {
        let own = ModelPointer { pointer: "/session/model".into(), prefix: "models/".into() };
        let places = NamePlaces { own: vec![&own], further: vec!["/session/ears/model"], objects: vec!["/files/*/id"] };
        let asks = PointerEquals { pointer: "/type".into(), json: "\"ask\"".into() };
        let requests = CompiledRequests::new(&[FrameTest::Equals(asks)], &places).unwrap();
        let (front, end) = text.split_at(cut.min(text.len()));
        let mut reader = RequestReader::default();
        assert_eq!(reader.read(&requests, front.as_bytes(), false), Ok(ReadRequest::default()));
        reader.read(&requests, end.as_bytes(), true).unwrap()
    }

    fn names(text: &str, cut: usize) -> Vec<(Named, Option<String>, String)> {
        let names = read(text, cut).names.into_iter();
        names.map(|name| (name.named, name.name, text[name.range].to_owned())).collect()
    }

    #[test]
    fn names_are_found_however_they_are_written_repeated_and_cut() {
        let named = |named, name: &str, written: &str| (named, Some(name.to_owned()), written.to_owned());
        let own = |name, written| named(Named::OwnModel, name, written);
        let further = |name, written| named(Named::FurtherModel, name, written);
        for cut in 0..70 {
            assert_eq!(names(r#"{"type":"x","session":{"model":"a"}}"#, cut), [own("a", "\"a\"")]);
            let escaped = r#"{"sess\u0069on" : {"\u006dodel":"models\/\u0061"}}"#;
            assert_eq!(names(escaped, cut), [own("a", r#""models\/\u0061""#)]);
            let twice = r#"{"session":{"model":"a","model":"b"},"session":{"ears":{"model":"c"}}}"#;
            assert_eq!(names(twice, cut), [own("a", "\"a\""), own("b", "\"b\""), further("c", "\"c\"")]);
            let objects = r#"{"files":[{"id":"f"},{"id":null},{}],"model":"x","session":{"model":null}}"#;
            assert_eq!(names(objects, cut), [named(Named::Object, "f", "\"f\"")]);
            assert!(names(r#"{"type":"ask","text":"{\"session\":{\"model\":\"a\"}}"}"#, cut).is_empty());
        }
        assert!(read(r#"{"type":"ask","session":{"model":"a"}}"#, 9).asks);
        assert_eq!(read(r#"{"session":{"model":"models/a"}}"#, 9).names[0].front, "models/");
    }

    #[test]
    fn what_is_no_name_is_told() {
        for value in ["7", "true", "{}", "[\"a\"]", &format!("\"{}\"", "a".repeat(600))] {
            let text = format!(r#"{{"session":{{"model":{value}}}}}"#);
            assert_eq!(names(&text, 5), [(Named::OwnModel, None, value.to_owned())]);
        }
    }
}

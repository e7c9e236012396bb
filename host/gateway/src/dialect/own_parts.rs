//! The parts of a request or an answer in the unified model that are of one format only: extensions, and values that
//! are passed on unread. If manifests declare ids of objects in documents of the format, these parts, which are members
//! or elements of such documents, have them too.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::request_peek::{ObjectIds, ObjectPlaces, PUBLIC};
use crate::provenance::MadePlaces;
use weir_translate::dialect::endpoints::{Endpoint, Endpoints};
use weir_types::contract::about::{BodyKind, Face, Feature, FrameTest, Operation, PointerEquals};

/// The members of the document in which parts are put together: those of media are members of something inside an
/// element.
const PARTS: &str = "parts";
const MEDIA: &str = "media";
/// What makes objects, for a manifest: here, that is not looked at.
const MADE: &str = "{made}";

/// A part that is no JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotJson;

/// The places of objects that own parts of requests name, and of ids that answers give to what they make.
#[derive(Debug)]
pub(crate) struct OwnParts {
    named: Option<ObjectPlaces>,
    /// Whether there are places of names, even if they cannot be read.
    has_named: bool,
    made: Option<MadePlaces>,
}

impl OwnParts {
    /// The places of all formats.
    pub(crate) fn of(endpoints: &Endpoints) -> Self {
        let face = face_of_parts(endpoints.all().iter().map(|endpoint| &**endpoint));
        let has_named = face.own_object_ids().next().is_some();
        Self { named: ObjectPlaces::new(&face), has_named, made: MadePlaces::of(&face) }
    }

    /// The ids in the [`document`] of a request's parts.
    pub(crate) fn named_in(&self, parts: &Bytes) -> ObjectIds {
        let read = self.named.as_ref().map(|places| places.read(std::slice::from_ref(parts), None));
        read.unwrap_or_else(|| ObjectIds::unread(self.has_named))
    }

    /// Where answers have the ids of what they make.
    pub(crate) fn made(&self) -> Option<&MadePlaces> {
        self.made.as_ref()
    }
}

/// The own parts of a value in the unified model as one document, as [`face_of_parts`] knows it; `None` if there are
/// none.
pub(crate) fn document(value: &Value) -> Result<Option<Bytes>, NotJson> {
    let mut parts = BTreeMap::new();
    collect(value, false, &mut parts)?;
    let written = |(format, lists): (&str, [Vec<String>; 2])| {
        let [parts, media] = lists.map(|list| list.join(","));
        format!("{}:{{\"{PARTS}\":[{parts}],\"{MEDIA}\":[{media}]}}", Value::from(format))
    };
    let formats: Vec<String> = parts.into_iter().map(written).collect();
    Ok((!formats.is_empty()).then(|| format!("{{{}}}", formats.join(",")).into()))
}

/// Finds the own parts in a value: by format, those of media last.
fn collect<'a>(
    value: &'a Value,
    is_of_medium: bool,
    found: &mut BTreeMap<&'a str, [Vec<String>; 2]>,
) -> Result<(), NotJson> {
    match value {
        Value::Array(values) => values.iter().try_for_each(|value| collect(value, is_of_medium, found)),
        Value::Object(object) => {
            let text = |name: &str| object.get(name).and_then(Value::as_str);
            if let (Some(format), Some(json)) = (text("format"), text("json")) {
                serde_json::from_str::<IgnoredAny>(json).map_err(|_| NotJson)?;
                let [parts, media] = found.entry(format).or_default();
                let list = if is_of_medium { media } else { parts };
                // Adapters keep a whole element as well, by a name of their own, and a member's value by the member's
                // name.
                list.push(json.to_owned());
                let name = text("key").or_else(|| text("kind"));
                list.extend(name.map(|name| format!("{{{}:{json}}}", Value::from(name))));
            }
            let is_medium = object.contains_key("mime") && object.contains_key("source");
            object.values().try_for_each(|value| collect(value, is_medium || is_of_medium, found))
        }
        _ => Ok(()),
    }
}

/// A face whose requests and answers are such documents, with the ids of objects where those of these endpoints have
/// them.
fn face_of_parts<'a>(endpoints: impl Iterator<Item = &'a Endpoint>) -> Face {
    let (mut places, mut public) = (BTreeSet::new(), BTreeSet::new());
    for endpoint in endpoints {
        let format = endpoint.format().replace('~', "~0").replace('/', "~1");
        let within = |list: &str, rest: &str| format!("/{format}/{list}/*{rest}");
        for place in of_requests(endpoint) {
            places.extend(tails(place).map(|rest| within(PARTS, rest)));
            places.extend(tails(place).chain(of_medium(place)).map(|rest| within(MEDIA, rest)));
        }
        // The unified model has a member for the answer's own id.
        for (_, place) in endpoint.face.made_ids().filter(|(_, place)| place.rfind('/') != Some(0)) {
            places.extend(tails(place).map(|rest| format!("{MADE}{}", within(PARTS, rest))));
            places.extend(of_medium(place).map(|rest| format!("{MADE}{}", within(MEDIA, rest))));
        }
        for test in endpoint.face.features.iter().filter(|feature| feature.name == PUBLIC).flat_map(|it| &it.tests) {
            if let FrameTest::Equals(PointerEquals { pointer, json }) = test {
                public.extend(tails(pointer).map(|rest| (within(PARTS, rest), json.clone())));
            }
        }
    }
    let tests = public.into_iter().map(|(pointer, json)| FrameTest::Equals(PointerEquals { pointer, json })).collect();
    let features = vec![Feature { name: PUBLIC.to_owned(), tests }];
    let plain = Face::unread("", Operation::Chat, "POST", String::new());
    Face { body: BodyKind::Json, object_ids: places.into_iter().collect(), features, ..plain }
}

/// Where the bodies of a face's requests name objects. Where they have no body, the places are those of earlier
/// answers; and what work of one model is begun on stands in no chat.
fn of_requests(endpoint: &Endpoint) -> impl Iterator<Item = &str> {
    let Face { body, operation, .. } = &endpoint.face;
    let is_of_chats = *body != BodyKind::Empty && (!endpoint.face.names_model() || !operation.is_relayed_only());
    let places = endpoint.face.own_object_ids().filter(move |place| is_of_chats && place.starts_with('/'));
    places.map(String::as_str)
}

/// A place in a document, and what is left of it in the element of each list that it leads through: a part is a member
/// or an element of one of them.
fn tails(place: &str) -> impl Iterator<Item = &str> {
    let elements = place.match_indices("/*/").filter_map(|(at, _)| place.get(at + 2..));
    std::iter::once(place).chain(elements)
}

/// What is left of a place in a medium, which is a member of an element.
fn of_medium(place: &str) -> Option<&str> {
    let (before, _) = place.strip_suffix("/*").unwrap_or(place).rsplit_once('/')?;
    (before.contains("/*/") && !before.ends_with("/*")).then(|| place.get(before.len()..)).flatten()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    fn face() -> Face {
        let object_ids = [
            "/box",
            "/box/id",
            "/box/skills/*/name",
            "/list/*/content/*/file/file_id",
            "/list/*/sound/id",
            "/tools/*/box",
            "/tools/*/ids/*",
            "/tools/*/k/names/*",
            "{tools}/box/id",
            "{tools}/id",
            "{tools}/choices/*/said/id",
        ];
        let public = FrameTest::Equals(PointerEquals { pointer: "/box/skills/*/kind".into(), json: "\"own\"".into() });
        let endpoint = Endpoint {
            adapter: Arc::from("a"),
            face: Face {
                body: BodyKind::Json,
                object_ids: object_ids.map(str::to_owned).to_vec(),
                features: vec![Feature { name: PUBLIC.to_owned(), tests: vec![public] }],
                ..Face::unread("f/1", Operation::Chat, "POST", "/x".to_owned())
            },
            errors: None,
            id_header: None,
            limit_headers: Vec::new(),
            index: 0,
        };
        face_of_parts(std::iter::once(&endpoint))
    }

    fn named(value: &Value) -> Vec<String> {
        let Some(document) = document(value).unwrap() else { return Vec::new() };
        let named = ObjectPlaces::new(&face()).unwrap().read(&[document], None);
        assert!(!named.may_miss_some);
        named.all().cloned().collect()
    }

    fn keyed(key: &str, value: &Value) -> Value {
        json!({"extensions": [{"format": "f/1", "key": key, "json": value.to_string()}]})
    }

    fn opaque(value: &Value) -> Value {
        json!({"messages": [{"parts": [{"Opaque": {"format": "f/1", "kind": "k", "json": value.to_string()}}]}]})
    }

    #[test]
    fn parts_name_objects_where_documents_of_their_format_do() {
        for (value, ids) in [
            (keyed("box", &json!("b-1")), vec!["b-1"]),
            (keyed("box", &json!({"id": "b-1", "kind": "auto", "other": {"id": "no"}})), vec!["b-1"]),
            (keyed("id", &json!("no")), vec![]),
            (keyed("block", &json!({"type": "t", "content": [{"file": {"file_id": "f-1"}}]})), vec!["f-1"]),
            (keyed("file", &json!({"file_id": "f-1", "title": "no"})), vec!["f-1"]),
            (keyed("list", &json!([{"sound": {"id": "s-1"}}])), vec!["s-1"]),
            (opaque(&json!({"type": "box", "box": "b-1", "id": "no"})), vec!["b-1"]),
            (opaque(&json!({"box": {"kind": "auto"}, "ids": ["v-1", "v-2"]})), vec!["v-1", "v-2"]),
            (opaque(&json!({"names": ["n-1"]})), vec!["n-1"]),
            (opaque(&json!({"data": {"box": "no", "ids": ["no"]}})), vec![]),
        ] {
            assert_eq!(named(&value), ids, "{value}");
        }
        let twice = json!([{"format": "f/1", "key": "box", "json": r#"{"id":"b-1","id":"b-2"}"#},
            {"format": "g", "key": "box", "json": "\"no\""}, {"format": "f/1", "json": r#"{"box":"b-3"}"#}]);
        let mut both = named(&twice);
        both.sort_unstable();
        assert_eq!(both, ["b-1", "b-2", "b-3"], "whichever of two a reader takes");
        assert!(document(&json!({"text": "{\"box\":\"no\"}"})).unwrap().is_none());
        assert_eq!(document(&json!({"format": "f/1", "json": "1],\"x\":[2"})), Err(NotJson));
    }

    #[test]
    fn what_stands_at_a_medium_is_in_a_member_of_an_element() {
        let medium = json!({"kind": "Audio", "mime": null, "source": {"FileId": "s-1"},
            "extensions": [{"format": "f/1", "key": "id", "json": "\"s-1\""}]});
        assert_eq!(named(&json!({"parts": [{"Media": medium}]})), ["s-1"]);
    }

    #[test]
    fn names_that_each_account_has_are_no_objects() {
        let with = |kind: &str| keyed("box", &json!({"skills": [{"name": "paint", "kind": kind}]}));
        assert!(named(&with("own")).is_empty());
        assert_eq!(named(&with("mine")), ["paint"]);
    }

    #[test]
    fn answers_have_places_of_their_own() {
        let made = face().made_ids().map(|(_, place)| place.to_owned()).collect::<Vec<_>>();
        let expected =
            ["/f~11/media/*/id", "/f~11/parts/*/box/id", "/f~11/parts/*/choices/*/said/id", "/f~11/parts/*/said/id"];
        assert_eq!(made, expected);
    }
}

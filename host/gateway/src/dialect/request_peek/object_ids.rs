//! The ids in a request of objects that earlier answers made.

use bytes::Bytes;

use super::PUBLIC;
use crate::provenance::{last_segment, may_be_owned};
use weir_types::contract::about::{BodyKind, Face, FrameTest, PointerEquals};
use weir_wire::peek::{Found, Hit, Limits, Peek, Pointers, Scalar, Wanted};

/// The manifest's entry for the id in the path.
pub(super) const PATH_ID: &str = "{id}";
/// The most values that are read of one place for object ids.
pub(crate) const MAX_IDS: usize = 64;

/// Limits of a scan. What is beyond them is dropped, and known to be missing.
const LIMITS: Limits =
    Limits { depth: 256, hits: MAX_IDS, drop_excess: true, text_bytes: 1 << 10, utf8: false, variants: false };

/// The ids in a request of objects that earlier answers made.
#[derive(Debug, Clone, Default)]
pub(crate) struct ObjectIds {
    /// The id in the path.
    pub(crate) of_path: Option<String>,
    in_body: Vec<String>,
    /// Whether there may be others: a place has more values than are read, of whatever type, or the body cannot be
    /// read.
    pub(crate) may_miss_some: bool,
}

impl ObjectIds {
    /// The one in a path.
    pub(crate) fn of_path(id: Option<&str>) -> Self {
        Self { of_path: id.map(str::to_owned), ..Self::default() }
    }

    /// The ids of a body that cannot be read: none is known, and there may be some if `may_have_some`.
    pub(crate) fn unread(may_have_some: bool) -> Self {
        Self { may_miss_some: may_have_some, ..Self::default() }
    }

    /// Adds the id in the path.
    pub(super) fn and_of_path(self, id: Option<&str>) -> Self {
        Self { of_path: id.map(str::to_owned), ..self }
    }

    /// The ids in fields of a form; `None` stands for a field that cannot be read.
    pub(super) fn of_fields<'a>(texts: impl Iterator<Item = Option<&'a str>>) -> Self {
        let mut ids = Self::default();
        for text in texts.take(MAX_IDS) {
            ids.may_miss_some |= text.is_none();
            ids.in_body.extend(text.map(|text| id_in(text.trim()).to_owned()));
        }
        ids.may_miss_some |= ids.in_body.len() >= MAX_IDS;
        ids
    }

    /// Adds the object with this name.
    pub(crate) fn add(&mut self, name: &str) {
        self.in_body.push(id_in(name).to_owned());
    }

    /// Adds those of another body.
    pub(crate) fn append(&mut self, other: Self) {
        self.in_body.extend(other.in_body);
        self.may_miss_some |= other.may_miss_some;
    }

    /// The ids that were read.
    pub(crate) fn all(&self) -> impl DoubleEndedIterator<Item = &String> {
        self.of_path.iter().chain(&self.in_body)
    }

    /// Whether the request names no object.
    pub(crate) fn are_none(&self) -> bool {
        !self.may_miss_some && self.all().next().is_none()
    }

    /// Whether an id is one that is recorded: the path's own, or a word of the usual form of ids. Urls are not
    /// recorded.
    pub(crate) fn is_kept(&self, id: &str) -> bool {
        is_word(id) || self.of_path.as_deref() == Some(id)
    }
}

/// Where ids of objects stand in a body.
#[derive(Debug)]
pub(crate) struct ObjectPlaces {
    pointers: Pointers,
    count: usize,
    publics: Vec<Public>,
}

/// Ids that name no object of a client, since every account has the object, such as a tool of the provider.
#[derive(Debug)]
struct Public {
    /// The place of the ids.
    ids: usize,
    /// The place of the objects that have them.
    around: usize,
    /// The place of the value beside them.
    beside: usize,
    value: String,
}

impl Public {
    /// Those beside the value that a test is about.
    fn of(test: &FrameTest, face: &Face, wanted: &mut Wanted) -> Vec<Self> {
        let FrameTest::Equals(PointerEquals { pointer, json }) = test else { return Vec::new() };
        let (Some((around, _)), Ok(value)) = (pointer.rsplit_once('/'), serde_json::from_str::<String>(json)) else {
            return Vec::new();
        };
        let is_beside = |place: &&String| place.rsplit_once('/').is_some_and(|(parent, _)| parent == around);
        let mut of_one = |place: &String| {
            let [ids, around, beside] = [place, around, pointer].map(|pointer| wanted.add(pointer));
            Self { ids, around, beside, value: value.clone() }
        };
        face.object_ids.iter().filter(is_beside).map(&mut of_one).collect()
    }

    /// Whether it is about this id. Each of several values of one name counts, since readers differ in their choice,
    /// and what looks like an object's id is one in any case.
    fn is_about(&self, hit: &Hit, id: &str, found: &Found) -> bool {
        let is_within =
            |hit: &Hit, around: &Hit| around.range.start <= hit.range.start && hit.range.end <= around.range.end;
        let around = found.all(self.around).find(|around| is_within(hit, around));
        let Some(around) = around.filter(|_| hit.pointer == self.ids && !may_be_owned(id.as_bytes())) else {
            return false;
        };
        let mut beside = found.all(self.beside).filter(|beside| is_within(beside, around)).peekable();
        let is_all_there = found.all(self.beside).nth(MAX_IDS - 1).is_none();
        let is_it = |beside: &Hit| matches!(&beside.value, Scalar::Text(text) if *text == self.value);
        is_all_there && beside.peek().is_some() && beside.all(is_it)
    }
}

impl ObjectPlaces {
    /// The places that a manifest names; none for bodies that are not JSON.
    pub(crate) fn new(claim: &Face) -> Option<Self> {
        let mut wanted = Wanted::default();
        let places = claim.object_ids.iter().filter(|place| place.starts_with('/'));
        let count = places.map(|pointer| wanted.add(pointer)).max()? + 1;
        let publics = claim.features.iter().filter(|feature| feature.name == PUBLIC).flat_map(|feature| &feature.tests);
        let publics = publics.flat_map(|test| Public::of(test, claim, &mut wanted)).collect();
        let pointers = (claim.body == BodyKind::Json).then(|| wanted.compile().ok()).flatten()?;
        Some(Self { pointers, count, publics })
    }

    /// The ids in a body, beside the one in the path.
    pub(crate) fn read(&self, body: &[Bytes], of_path: Option<&str>) -> ObjectIds {
        let mut peek = Peek::new(&self.pointers, LIMITS);
        for chunk in body {
            peek.push(chunk);
        }
        let Ok(found) = peek.finish() else { return ObjectIds { may_miss_some: true, ..ObjectIds::of_path(of_path) } };
        let hits = (0..self.count).flat_map(|pointer| found.all(pointer));
        let is_object = |hit: &Hit, id: &str| !self.publics.iter().any(|public| public.is_about(hit, id, &found));
        let ids = hits.filter_map(|hit| hit.value.as_text().map(id_in).filter(|id| is_object(hit, id)));
        // A place that is full may have had more.
        let is_full = |pointer: usize| found.all(pointer).nth(MAX_IDS - 1).is_some();
        ObjectIds {
            of_path: of_path.map(str::to_owned),
            in_body: ids.map(str::to_owned).collect(),
            may_miss_some: (0..self.count).any(is_full),
        }
    }
}

/// The id in an object's name, if it is of the usual form of ids.
pub(crate) fn kept_id(name: &str) -> Option<&str> {
    Some(id_in(name)).filter(|id| is_word(id))
}

/// The id in an object's name: what stands behind the last slash of a path of words (`files/f-1`), which no url is.
fn id_in(name: &str) -> &str {
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(is_of_word);
    if name.split('/').all(is_word) { last_segment(name) } else { name }
}

fn is_word(id: &str) -> bool {
    id.bytes().all(is_of_word)
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use weir_types::contract::about::Operation;

    #[test]
    fn a_name_with_slashes_is_the_object_that_its_last_part_names_and_a_url_is_none() {
        for (name, id) in [
            ("files/f-1", "f-1"),
            ("f_1", "f_1"),
            ("/f-1", "/f-1"),
            ("files/", "files/"),
            ("https://x.example/f-1", "https://x.example/f-1"),
            ("a.b/f-1", "a.b/f-1"),
        ] {
            assert_eq!(id_in(name), id);
        }
    }

    fn places() -> ObjectPlaces {
        let plain = Face::unread("f", Operation::Chat, "POST", "/x".to_owned());
        let object_ids = ["{id}", "/earlier", "/files/*/id"].map(str::to_owned).to_vec();
        ObjectPlaces::new(&Face { body: BodyKind::Json, object_ids, ..plain }).unwrap()
    }

    fn read(body: &str) -> ObjectIds {
        places().read(&[Bytes::copy_from_slice(body.as_bytes())], None)
    }

    #[test]
    fn ids_are_read_at_all_places() {
        let named = read(r#"{"files":[{"id":"file-1"},{"id":2}],"earlier":"answer-1","id":"no"}"#);
        assert_eq!(named.all().collect::<Vec<_>>(), ["answer-1", "file-1"]);
        assert!(!named.may_miss_some && !named.are_none() && read("{}").are_none());
        assert!(named.is_kept("file-1") && !named.is_kept("https://x.example/1"));
    }

    #[test]
    fn values_of_any_type_do_not_hide_those_behind_them() {
        for filler in [json!(null), json!(1), json!("file-0"), json!({}), json!([])] {
            let mut files: Vec<Value> = (1..MAX_IDS).map(|_| json!({ "id": filler })).collect();
            assert!(!read(&json!({ "files": files }).to_string()).may_miss_some, "{filler}");
            files.push(json!({"id": filler}));
            files.push(json!({"id": "file-of-another"}));
            assert!(read(&json!({ "files": files }).to_string()).may_miss_some, "{filler}");
            let repeated = format!("{{{}\"earlier\":\"another\"}}", format!("\"earlier\":{filler},").repeat(MAX_IDS));
            assert!(read(&repeated).may_miss_some, "{filler}");
        }
        let deep = format!("{{\"files\":{}{}}}", "[".repeat(300), "]".repeat(300));
        assert!(read(&deep).may_miss_some && read("{").may_miss_some, "what cannot be read may name any");
    }
}

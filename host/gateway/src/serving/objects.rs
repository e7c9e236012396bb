//! Which faces' answers name objects that later requests refer to, and that exist at one of several providers only.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::route::{Routes, keys};
use weir_translate::dialect::faces::{Endpoint, Faces};
use weir_types::contract::about::Operation;

/// How a manifest names the id in a face's own path.
const ID: &str = "{id}";

/// When an answer is scanned for the objects that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScanPolicy {
    /// Never: the format refers to nothing by id.
    Nothing,
    /// If the model has several targets or keys.
    WithChoice,
    /// Always: the object can be requested without a model, and several accounts may have it.
    Always,
}

/// Determines [`ScanPolicy`] for each face.
pub(super) fn makes(faces: &Faces, routes: &Routes, created: &[CreatedObject]) -> Vec<ScanPolicy> {
    let named: BTreeSet<&str> =
        faces.all().iter().filter(|face| !face.claim.object_ids.is_empty()).map(|face| face.format()).collect();
    let fetched: BTreeSet<&str> =
        faces.all().iter().filter(|face| is_fetched(face, routes)).map(|face| &*face.adapter).collect();
    let makes = |(face, created): (&Arc<Endpoint>, &CreatedObject)| match (
        named.contains(face.format()),
        fetched.contains(&*face.adapter),
    ) {
        _ if *created == CreatedObject::Named => ScanPolicy::Nothing,
        (true, true) => ScanPolicy::Always,
        (true, false) => ScanPolicy::WithChoice,
        (false, _) => ScanPolicy::Nothing,
    };
    faces.all().iter().zip(created).map(makes).collect()
}

/// What a face's answers make that belongs to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreatedObject {
    /// Nothing that a later request could refer to.
    Nothing,
    /// Nothing, but the face's requests may name objects that other faces' answers made.
    Named,
    /// A stored answer.
    Answer,
    /// An object of its own, such as a file or a batch.
    Object,
}

/// Determines [`CreatedObject`] for each face.
pub(super) fn created_objects(faces: &Faces) -> Vec<CreatedObject> {
    let asks_by_id = |face: &&Arc<Endpoint>| is_without_model(face) && !face.claim.object_ids.is_empty();
    let keeping: BTreeSet<&str> = faces.all().iter().filter(asks_by_id).map(|face| &*face.adapter).collect();
    let stored = stored_chats(faces);
    let of_one = |face: &Endpoint| match &face.claim.operation {
        _ if !keeping.contains(&*face.adapter) => CreatedObject::Nothing,
        Operation::Chat if stored.contains(&(&*face.adapter, face.format())) => CreatedObject::Answer,
        operation if operation.is_relayed_only() && is_without_model(face) => CreatedObject::Object,
        _ => CreatedObject::Named,
    };
    faces.all().iter().map(|face| of_one(face)).collect()
}

/// What a face's requests have to do with objects that providers store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// They have nothing to do with such objects.
    Nothing,
    /// Their answers are stored, and may be read later.
    Made,
    /// They are about a stored answer, which comes as it was made.
    Answer,
    /// They begin work on other stored objects, such as a batch, which reports what it used once it is done.
    Begun,
    /// They are about such work.
    Work,
    /// They are about another stored object, or list such objects.
    Object,
}

impl Stored {
    /// Whether requests are about what is stored already, so that nothing new is made and charged for.
    pub fn is_old(self) -> bool {
        matches!(self, Self::Answer | Self::Work | Self::Object)
    }

    /// Whether requests may have something made that is read later, and what those have to do with stored objects that read
    /// it.
    pub(crate) fn read_by(self) -> Option<Self> {
        match self {
            Self::Made => Some(Self::Answer),
            Self::Begun => Some(Self::Work),
            Self::Nothing | Self::Answer | Self::Work | Self::Object => None,
        }
    }

    /// Whether requests read what was made by others, which is booked when it is first read finished.
    pub(crate) fn reads(self) -> bool {
        matches!(self, Self::Answer | Self::Work)
    }
}

/// Determines [`Stored`] for each face.
pub(super) fn stored(faces: &Faces, created: &[CreatedObject]) -> Vec<Stored> {
    let chats: Vec<&Arc<Endpoint>> = faces.all().iter().filter(|face| is_chat_with_objects(face)).collect();
    let by_id: Vec<&Arc<Endpoint>> = faces.all().iter().filter(|face| is_by_id(face)).collect();
    let begins: Vec<&Arc<Endpoint>> = faces.all().iter().filter(|face| begins_work(face)).collect();
    let of_one = |(face, created): (&Arc<Endpoint>, &CreatedObject)| {
        if *created == CreatedObject::Answer {
            Stored::Made
        } else if reads_what_was_made(face, &chats) {
            Stored::Answer
        } else if begins_work(face) {
            Stored::Begun
        } else if reads_what_was_made(face, &begins) {
            Stored::Work
        } else if is_by_id(face) || lists(face, &by_id) {
            Stored::Object
        } else {
            Stored::Nothing
        }
    };
    faces.all().iter().zip(created).map(of_one).collect()
}

/// The formats, by adapter, whose answers to chats are stored: another face reads them.
fn stored_chats(faces: &Faces) -> BTreeSet<(&str, &str)> {
    let chats = faces.all().iter().filter(|face| is_chat_with_objects(face));
    let is_read = |chat: &&Arc<Endpoint>| faces.all().iter().any(|face| reads_what_was_made(face, &[*chat]));
    chats.filter(is_read).map(|chat| (&*chat.adapter, chat.format())).collect()
}

/// Whether a face's requests are chats that may name stored objects.
fn is_chat_with_objects(face: &Endpoint) -> bool {
    face.claim.operation == Operation::Chat && !face.claim.object_ids.is_empty()
}

/// The last segments of the paths of faces whose requests begin work.
pub(super) fn begin_work(faces: &Faces, stored: &[Stored]) -> Vec<String> {
    let begin = faces.all().iter().zip(stored).filter(|(_, stored)| **stored == Stored::Begun);
    begin.filter_map(|(face, _)| face.claim.path.rsplit('/').next().map(str::to_owned)).collect()
}

/// Whether a face answers with what one of these had made, as its provider has kept it: its path continues that one's.
fn reads_what_was_made(face: &Endpoint, makers: &[&Arc<Endpoint>]) -> bool {
    let continues = |maker: &&Arc<Endpoint>| {
        let rest = face.claim.path.strip_prefix(&maker.claim.path);
        face.adapter == maker.adapter && rest.is_some_and(|rest| rest.starts_with('/'))
    };
    is_without_model(face) && face.claim.method != "DELETE" && makers.iter().any(continues)
}

/// Whether a face's requests have a provider work on stored objects that their bodies name, so that neither the work nor its
/// model is known to anyone else.
fn begins_work(face: &Endpoint) -> bool {
    is_without_model(face) && !is_by_id(face) && !face.claim.object_ids.is_empty()
}

/// Whether a face's requests name a stored object in their path and no model, so that they ask for nothing new.
fn is_by_id(face: &Endpoint) -> bool {
    is_without_model(face) && face.claim.object_ids.iter().any(|place| place == ID)
}

/// Whether a face answers with what is in a stored object, such as a file, and not only with what is known of it: its path
/// goes on behind the id.
pub(crate) fn reads_content(face: &Endpoint) -> bool {
    let goes_on = face.claim.path.split_once(ID).is_some_and(|(_, rest)| !rest.is_empty());
    face.claim.method == "GET" && is_by_id(face) && goes_on
}

/// Whether a face lists the objects that these faces read: their paths continue its own by the id.
fn lists(face: &Endpoint, by_id: &[&Arc<Endpoint>]) -> bool {
    let is_element = |element: &&Arc<Endpoint>| {
        let rest = element.claim.path.strip_prefix(&face.claim.path);
        face.adapter == element.adapter && rest.and_then(|rest| rest.strip_prefix('/')) == Some(ID)
    };
    is_without_model(face) && face.claim.method == "GET" && by_id.iter().any(is_element)
}

/// Whether a face's requests name no model, so that only the provider knows what they concern.
fn is_without_model(face: &Endpoint) -> bool {
    face.claim.model.is_empty() && face.claim.operation.is_relayed_only()
}

/// Whether several accounts accept a request that refers to an object by nothing but its id.
fn is_fetched(face: &Endpoint, routes: &Routes) -> bool {
    let claim = &face.claim;
    if claim.object_ids.is_empty() || !is_without_model(face) {
        return false;
    }
    let targets = routes.iter().flat_map(|(_, route)| route.targets.iter().flatten());
    let able = targets.filter(|target| target.accepts(face.format(), &claim.operation).is_some());
    able.flat_map(keys).map(|target| (&*target.label, target.key)).collect::<BTreeSet<_>>().len() > 1
}

//! Which faces' answers name objects that later requests refer to, and that exist at one of several providers only.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::route::{Routes, keys};
use weir_translate::dialect::faces::{Endpoint, Faces};
use weir_types::contract::about::Operation;

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
pub(super) fn makes(faces: &Faces, routes: &Routes) -> Vec<ScanPolicy> {
    let named: BTreeSet<&str> =
        faces.all().iter().filter(|face| !face.claim.object_ids.is_empty()).map(|face| face.format()).collect();
    let fetched: BTreeSet<&str> =
        faces.all().iter().filter(|face| is_fetched(face, routes)).map(|face| &*face.adapter).collect();
    let makes = |face: &Endpoint| match (named.contains(face.format()), fetched.contains(&*face.adapter)) {
        (true, true) => ScanPolicy::Always,
        (true, false) => ScanPolicy::WithChoice,
        (false, _) => ScanPolicy::Nothing,
    };
    faces.all().iter().map(|face| makes(face)).collect()
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
    let of_one = |face: &Endpoint| match (&face.claim.operation, face.claim.object_ids.is_empty()) {
        _ if !keeping.contains(&*face.adapter) => CreatedObject::Nothing,
        (Operation::Chat, false) => CreatedObject::Answer,
        (operation, _) if operation.is_relayed_only() && is_without_model(face) => CreatedObject::Object,
        _ => CreatedObject::Named,
    };
    faces.all().iter().map(|face| of_one(face)).collect()
}

/// Whether a face answers with what an earlier chat was answered, as its provider has kept it, by the face's index: its path
/// continues the chat's.
pub(super) fn gives_kept_answers(faces: &Faces) -> Vec<bool> {
    let chats: Vec<&Arc<Endpoint>> = faces
        .all()
        .iter()
        .filter(|face| face.claim.operation == Operation::Chat && !face.claim.object_ids.is_empty())
        .collect();
    let continues = |face: &Endpoint, chat: &Endpoint| {
        let rest = face.claim.path.strip_prefix(&chat.claim.path);
        face.adapter == chat.adapter && rest.is_some_and(|rest| rest.starts_with('/'))
    };
    let gives = |face: &Endpoint| {
        is_without_model(face) && face.claim.method != "DELETE" && chats.iter().any(|chat| continues(face, chat))
    };
    faces.all().iter().map(|face| gives(face)).collect()
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

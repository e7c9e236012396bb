//! Which answers may name objects that a later request is about, and that exist at one of several providers only.

use std::collections::BTreeSet;

use crate::contract::about::exports::weir::adapter::about::Operation;
use crate::dialect::faces::{Face, Faces};
use crate::route::{Routes, keys};

/// When an answer is looked at for the objects that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Makes {
    /// Never: in its format nothing is asked for by an id.
    Nothing,
    /// Where its model has several targets, or keys.
    WithChoice,
    /// Always: what it names can be asked for without a model, and several accounts may have it.
    Always,
}

/// By face.
pub(super) fn makes(faces: &Faces, routes: &Routes) -> Vec<Makes> {
    let named: BTreeSet<&str> =
        faces.all().iter().filter(|face| !face.claim.object_ids.is_empty()).map(|face| face.format()).collect();
    let fetched: BTreeSet<&str> =
        faces.all().iter().filter(|face| is_fetched(face, routes)).map(|face| &*face.adapter).collect();
    let makes = |face: &Face| match (named.contains(face.format()), fetched.contains(&*face.adapter)) {
        (true, true) => Makes::Always,
        (true, false) => Makes::WithChoice,
        (false, _) => Makes::Nothing,
    };
    faces.all().iter().map(|face| makes(face)).collect()
}

/// Whether several accounts take a request for an object that says nothing but its id.
fn is_fetched(face: &Face, routes: &Routes) -> bool {
    let claim = &face.claim;
    if claim.object_ids.is_empty() || !claim.model.is_empty() || !matches!(claim.operation, Operation::Other(_)) {
        return false;
    }
    let targets = routes.iter().flat_map(|(_, route)| route.targets.iter().flatten());
    let able = targets.filter(|target| target.accepts(face.format(), &claim.operation).is_some());
    able.flat_map(keys).map(|target| (&*target.label, target.key)).collect::<BTreeSet<_>>().len() > 1
}

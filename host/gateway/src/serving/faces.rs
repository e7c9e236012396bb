//! Prepares for the requests of each face what follows from all adapters, or from the routes.

use std::sync::Arc;

use http::Method;
use http::request::Parts;

use super::Serving;
use super::objects::{self, CreatedObject, ScanPolicy, Stored};
use crate::auth::StoredKeys;
use crate::dialect::inline_requests::InlinePlaces;
use crate::dialect::request_lines::LinePlaces;
use crate::dialect::request_peek::PeekPlan;
use crate::method::reads_as;
use crate::passthrough::path::{decoded, plainest};
use crate::provenance::{MadePlaces, WorkIdPlaces};
use crate::route::{Routes, Target};
use weir_translate::dialect::endpoints::{Endpoint, Endpoints};

/// What was prepared for one face.
#[derive(Debug)]
pub(super) struct PreparedFace {
    /// The plan for peeking at its requests.
    peek_plan: Arc<PeekPlan>,
    /// Whether its answers are scanned for objects that they name.
    scans: ScanPolicy,
    /// What its answers make that belongs to the client.
    creates: CreatedObject,
    /// What its requests have to do with stored objects.
    stored: Stored,
    /// Where the requests in a file that it uploads name models and objects.
    request_lines: Option<Arc<LinePlaces>>,
    /// The places of the requests for work in the request that begins it.
    inline_requests: Option<Arc<InlinePlaces>>,
    /// Whether its requests begin work on files of requests.
    begins_on_files: bool,
    /// Whether its answers are about work on stored objects.
    tells_of_work: bool,
    /// Where its answers have the ids of work and of its results.
    work_id_places: Option<WorkIdPlaces>,
    /// Where its answers have the ids of objects that they make beside themselves.
    made_places: Option<MadePlaces>,
}

/// Prepares all faces, in the order of their indexes.
pub(super) fn prepare(
    endpoints: &Endpoints,
    routes: &Routes,
    peek_plan: impl Fn(&Endpoint) -> PeekPlan,
) -> Vec<PreparedFace> {
    let created = objects::created_objects(endpoints);
    let stored = objects::stored(endpoints, &created);
    let lines: Vec<_> = endpoints.all().iter().map(|endpoint| LinePlaces::new(&endpoint.face).map(Arc::new)).collect();
    let on_files = objects::begin_on_files(endpoints, &stored, &lines);
    let work = objects::tell_of_work(endpoints, &stored).into_iter().zip(objects::work_id_places(endpoints, &stored));
    let work = on_files.into_iter().zip(work);
    let scans = objects::makes(endpoints, routes, &created);
    let about_objects = scans.into_iter().zip(created).zip(stored.into_iter().zip(lines));
    let faces = endpoints.all().iter().zip(about_objects).zip(work);
    let prepared = faces.map(|((endpoint, about_objects), work)| {
        let ((scans, creates), (stored, request_lines)) = about_objects;
        let (begins_on_files, (tells_of_work, work_id_places)) = work;
        let has_requests = stored == Stored::Begun;
        PreparedFace {
            peek_plan: Arc::new(peek_plan(endpoint)),
            scans,
            creates,
            stored,
            request_lines,
            inline_requests: has_requests.then(|| InlinePlaces::new(&endpoint.face)).flatten().map(Arc::new),
            begins_on_files,
            tells_of_work,
            work_id_places,
            made_places: MadePlaces::of(&endpoint.face),
        }
    });
    prepared.collect()
}

/// The ends of the paths of faces that begin work: a whole segment, or what follows the model in it.
pub(super) fn ends_of_work_paths(endpoints: &Endpoints, faces: &[PreparedFace]) -> Vec<objects::PathEnd> {
    let begin = endpoints.all().iter().zip(faces).filter(|(_, face)| face.stored == Stored::Begun);
    begin.filter_map(|(endpoint, _)| objects::PathEnd::of(&endpoint.face.path)).collect()
}

impl Serving {
    fn face(&self, index: usize) -> Option<&PreparedFace> {
        self.faces.get(index)
    }

    /// The plan for peeking at a face's requests.
    pub(crate) fn peek_plan(&self, face: usize) -> Option<&Arc<PeekPlan>> {
        self.face(face).map(|face| &face.peek_plan)
    }

    /// Whether a face's answers name objects that later requests may refer to, and that exist at one of several
    /// places only.
    pub(crate) fn makes_objects(&self, face: usize, may_differ: bool) -> bool {
        match self.face(face).map(|face| face.scans) {
            Some(ScanPolicy::Always) => true,
            Some(ScanPolicy::WithChoice) => may_differ,
            Some(ScanPolicy::Nothing) | None => false,
        }
    }

    /// What a face's answers make that belongs to the client; `None` if clients need not be kept apart.
    pub(crate) fn created_objects(&self, face: usize, keys: &StoredKeys) -> Option<CreatedObject> {
        self.face(face).map(|face| face.creates).filter(|_| self.separates(keys))
    }

    /// What a face's requests have to do with objects that providers store.
    pub(crate) fn stored(&self, face: usize) -> Stored {
        self.face(face).map_or(Stored::Nothing, |face| face.stored)
    }

    /// Whether a face's answers are stored at the provider, where later requests name them.
    pub(crate) fn stores_answers(&self, face: usize) -> bool {
        self.stored(face) == Stored::Made
    }

    /// Whether a target takes requests that read what its provider stores.
    pub(crate) fn takes_readers(&self, reads: Stored, target: &Target) -> bool {
        let mut endpoints = self.endpoints.all().iter().zip(&self.faces).filter(|(_, face)| face.stored == reads);
        endpoints.any(|(endpoint, _)| target.accepts(endpoint.format(), &endpoint.face.operation).is_some())
    }

    /// Where the requests in a file that a face uploads name models and objects; `None` if it uploads none that is
    /// known to have requests.
    pub(crate) fn request_lines(&self, face: usize) -> Option<&Arc<LinePlaces>> {
        self.face(face)?.request_lines.as_ref()
    }

    /// The places of the requests for work in the request of a face that begins it; `None` if the requests are
    /// elsewhere.
    pub(crate) fn inline_requests(&self, face: usize) -> Option<&Arc<InlinePlaces>> {
        self.face(face)?.inline_requests.as_ref()
    }

    /// Whether a face's requests begin work on files of requests.
    pub(crate) fn begins_on_files(&self, face: usize) -> bool {
        self.face(face).is_some_and(|face| face.begins_on_files)
    }

    /// Whether a face's answers are about work on stored objects: what was begun, how far it is, and where its results
    /// are.
    pub(crate) fn tells_of_work(&self, face: usize) -> bool {
        self.face(face).is_some_and(|face| face.tells_of_work)
    }

    /// The places of the ids of work and of its results in a face's answers, if the manifest names them.
    pub(crate) fn work_id_places(&self, face: usize) -> Option<&WorkIdPlaces> {
        self.face(face)?.work_id_places.as_ref()
    }

    /// The places of the ids of objects that a face's answers make besides themselves, if the manifest names them.
    pub(crate) fn made_places(&self, face: usize) -> Option<&MadePlaces> {
        self.face(face)?.made_places.as_ref()
    }

    /// Whether a request may begin work on stored objects, at a face or by pass-through, as far as its head shows.
    pub(crate) fn may_begin_work(&self, head: &Parts) -> bool {
        let begins = |path: &str| {
            let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            self.work_paths.iter().any(|end| end.is(last))
        };
        let path = head.uri.path();
        let is_plain = || !path.contains(['%', ';']);
        reads_as(head.method.as_str(), &[Method::POST])
            && !self.work_paths.is_empty()
            && (begins(path)
                || !is_plain() && decoded(path.trim_start_matches('/')).is_ok_and(|path| begins(&plainest(&path))))
    }
}

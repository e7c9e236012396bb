//! What each face has to do with objects that providers store, such as files, batches and stored answers: which answers
//! make them, which requests begin work on them, and which read them.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::dialect::request_lines::LinePlaces;
use crate::provenance::WorkIdPlaces;
use crate::route::{Routes, keys};
use weir_translate::dialect::endpoints::{Endpoint, Endpoints};
use weir_types::contract::about::{BodyKind, Face, Operation};
use weir_types::contract::types::Framing;

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
pub(super) fn makes(endpoints: &Endpoints, routes: &Routes, created: &[CreatedObject]) -> Vec<ScanPolicy> {
    let named: BTreeSet<&str> = endpoints
        .all()
        .iter()
        .filter(|endpoint| !endpoint.face.object_ids.is_empty())
        .map(|endpoint| endpoint.format())
        .collect();
    let fetched: BTreeSet<&str> = endpoints
        .all()
        .iter()
        .filter(|endpoint| is_fetched(endpoint, routes))
        .map(|endpoint| &*endpoint.adapter)
        .collect();
    let makes = |(endpoint, created): (&Arc<Endpoint>, &CreatedObject)| match (
        named.contains(endpoint.format()),
        fetched.contains(&*endpoint.adapter),
    ) {
        _ if *created == CreatedObject::Named => ScanPolicy::Nothing,
        (true, true) if !matches!(created, CreatedObject::Nothing | CreatedObject::Unmade) => ScanPolicy::Always,
        (true, _) => ScanPolicy::WithChoice,
        (false, _) => ScanPolicy::Nothing,
    };
    endpoints.all().iter().zip(created).map(makes).collect()
}

/// What a face's answers make that belongs to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreatedObject {
    /// Nothing that a later request could refer to.
    Nothing,
    /// Nothing, but the face's requests may name objects that other faces' answers made.
    Named,
    /// Nothing that is known, but the face's requests may name objects of any maker.
    Unmade,
    /// A stored answer.
    Answer,
    /// An object of its own, such as a file or a batch.
    Object,
}

/// Determines [`CreatedObject`] for each face.
pub(super) fn created_objects(endpoints: &Endpoints) -> Vec<CreatedObject> {
    let asks_by_id =
        |endpoint: &&Arc<Endpoint>| is_without_model(endpoint) && endpoint.face.own_object_ids().next().is_some();
    let keeping: BTreeSet<&str> =
        endpoints.all().iter().filter(asks_by_id).map(|endpoint| &*endpoint.adapter).collect();
    let (stored, readers) = (stored_chats(endpoints), work_readers(endpoints));
    // Work, such as a batch, is named by no request but those about itself.
    let uploads: BTreeSet<&str> =
        endpoints.all().iter().filter(|endpoint| is_upload(endpoint)).map(|endpoint| &*endpoint.adapter).collect();
    let other =
        |endpoint: &Endpoint| if names_objects(endpoint) { CreatedObject::Unmade } else { CreatedObject::Nothing };
    let of_one = |endpoint: &Endpoint| match &endpoint.face.operation {
        _ if !keeping.contains(&*endpoint.adapter) => other(endpoint),
        Operation::Chat if stored.contains(&(&*endpoint.adapter, endpoint.format())) => CreatedObject::Answer,
        operation if operation.is_relayed_only() && is_without_model(endpoint) => CreatedObject::Object,
        _ if begins_work_for(endpoint, &readers) => CreatedObject::Object,
        _ if stored.iter().any(|(adapter, _)| *adapter == &*endpoint.adapter) => CreatedObject::Named,
        _ if uploads.contains(&*endpoint.adapter) => CreatedObject::Named,
        _ => other(endpoint),
    };
    endpoints.all().iter().map(|endpoint| of_one(endpoint)).collect()
}

/// Whether the bodies of a face's requests have places for ids of objects.
fn names_objects(endpoint: &Endpoint) -> bool {
    endpoint.face.body != BodyKind::Empty && endpoint.face.own_object_ids().any(|place| place.starts_with('/'))
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
    /// They read the results of such work, each of which reports what it used.
    Results,
    /// They are about another stored object, or list such objects.
    Object,
}

impl Stored {
    /// Whether requests are about stored objects, so that nothing new is made and charged for.
    pub fn is_old(self) -> bool {
        matches!(self, Self::Answer | Self::Work | Self::Results | Self::Object)
    }

    /// The kind of request that later reads what these requests have made; `None` if they make nothing that is read
    /// later.
    pub(crate) fn read_by(self) -> Option<Self> {
        match self {
            Self::Made => Some(Self::Answer),
            Self::Begun => Some(Self::Work),
            Self::Nothing | Self::Answer | Self::Work | Self::Results | Self::Object => None,
        }
    }

    /// Whether requests concern work that a provider does later, which is booked by what their answers report.
    pub(crate) fn is_work(self) -> bool {
        matches!(self, Self::Begun | Self::Work | Self::Results)
    }

    /// Whether requests read what was made by others, which is booked when it is first read finished.
    pub(crate) fn reads(self) -> bool {
        matches!(self, Self::Answer | Self::Work | Self::Results)
    }
}

/// Determines [`Stored`] for each face.
pub(super) fn stored(endpoints: &Endpoints, created: &[CreatedObject]) -> Vec<Stored> {
    let chats: Vec<&Arc<Endpoint>> = endpoints.all().iter().filter(|endpoint| is_chat_with_objects(endpoint)).collect();
    let by_id: Vec<&Arc<Endpoint>> = endpoints.all().iter().filter(|endpoint| is_by_id(endpoint)).collect();
    let begins: Vec<&Arc<Endpoint>> = endpoints.all().iter().filter(|endpoint| begins_work(endpoint)).collect();
    let readers = work_readers(endpoints);
    let of_one = |(endpoint, created): (&Arc<Endpoint>, &CreatedObject)| {
        if *created == CreatedObject::Answer {
            Stored::Made
        } else if reads_what_was_made(endpoint, &chats) {
            Stored::Answer
        } else if begins_work(endpoint) || begins_work_for(endpoint, &readers) {
            Stored::Begun
        } else if reads_what_was_made(endpoint, &begins) {
            if has_lines(endpoint) { Stored::Results } else { Stored::Work }
        } else if reads_results_by_id(endpoint) {
            Stored::Results
        } else if is_about_work_of(endpoint, &readers) {
            Stored::Work
        } else if is_by_id(endpoint) || lists(endpoint, &by_id) {
            Stored::Object
        } else {
            Stored::Nothing
        }
    };
    endpoints.all().iter().zip(created).map(of_one).collect()
}

/// The formats, by adapter, whose answers to chats are stored: another face reads them.
fn stored_chats(endpoints: &Endpoints) -> BTreeSet<(&str, &str)> {
    let chats = endpoints.all().iter().filter(|endpoint| is_chat_with_objects(endpoint));
    let is_read =
        |chat: &&Arc<Endpoint>| endpoints.all().iter().any(|endpoint| reads_what_was_made(endpoint, &[*chat]));
    chats.filter(is_read).map(|chat| (&*chat.adapter, chat.format())).collect()
}

/// Whether a face's requests are chats that may name stored objects.
fn is_chat_with_objects(endpoint: &Endpoint) -> bool {
    endpoint.face.operation == Operation::Chat && !endpoint.face.object_ids.is_empty()
}

/// Whether a face's requests begin work on files of requests that another face of its adapter uploads.
pub(super) fn begin_on_files(endpoints: &Endpoints, stored: &[Stored], lines: &[Option<Arc<LinePlaces>>]) -> Vec<bool> {
    let uploading = endpoints.all().iter().zip(lines).filter(|(_, lines)| lines.is_some());
    let uploading: BTreeSet<&str> = uploading.map(|(endpoint, _)| &*endpoint.adapter).collect();
    let begins = |(endpoint, stored): (&Arc<Endpoint>, &Stored)| {
        *stored == Stored::Begun && is_without_model(endpoint) && uploading.contains(&*endpoint.adapter)
    };
    endpoints.all().iter().zip(stored).map(begins).collect()
}

/// How a path ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PathEnd {
    /// By this segment.
    Whole(String),
    /// By a segment that ends so.
    Part(String),
}

impl PathEnd {
    pub(super) fn of(path: &str) -> Option<Self> {
        let last = path.rsplit('/').next()?;
        Some(match last.rsplit_once('}') {
            Some((_, after)) => Self::Part(after.to_owned()),
            None => Self::Whole(last.to_owned()),
        })
    }

    /// Whether this is the last segment of such a path.
    pub(super) fn is(&self, last: &str) -> bool {
        match self {
            Self::Whole(name) => name == last,
            Self::Part(end) => {
                let ending = last.len().checked_sub(end.len()).and_then(|from| last.as_bytes().get(from..));
                ending.is_some_and(|ending| ending.eq_ignore_ascii_case(end.as_bytes()))
            }
        }
    }
}

/// Whether a face's answers are about work, which it begins, reads, cancels or lists.
pub(super) fn tell_of_work(endpoints: &Endpoints, stored: &[Stored]) -> Vec<bool> {
    let about = endpoints.all().iter().zip(stored);
    let works: Vec<&Arc<Endpoint>> =
        about.clone().filter(|(_, stored)| **stored == Stored::Work).map(|(endpoint, _)| endpoint).collect();
    let tells = |(endpoint, stored): (&Arc<Endpoint>, &Stored)| {
        matches!(stored, Stored::Begun | Stored::Work) || lists(endpoint, &works)
    };
    about.map(tells).collect()
}

/// Whether a face's requests put an object there that others name.
fn is_upload(endpoint: &Endpoint) -> bool {
    is_without_model(endpoint) && endpoint.face.method == "POST" && endpoint.face.own_object_ids().next().is_none()
}

/// Whether a face answers with the content of a stored object, one JSON value a line.
fn has_lines(endpoint: &Endpoint) -> bool {
    let is_lines = endpoint.face.framings.iter().any(|answer| answer.framing == Framing::Ndjson);
    reads_content(endpoint) && is_lines
}

/// Whether a face answers with what a request of one of these has made, as its provider has kept it: its path continues
/// theirs with the id.
fn reads_what_was_made(endpoint: &Endpoint, makers: &[&Arc<Endpoint>]) -> bool {
    let continues = |maker: &&Arc<Endpoint>| {
        let rest = endpoint.face.path.strip_prefix(&maker.face.path);
        endpoint.adapter == maker.adapter
            && rest.and_then(|rest| rest.strip_prefix('/')).is_some_and(|rest| rest.starts_with(ID))
    };
    is_without_model(endpoint) && endpoint.face.method != "DELETE" && makers.iter().any(continues)
}

/// Where earlier answers have the id that a face's path names, as the manifest says: for a face that reads without a
/// body, the pointers among its object ids.
fn id_pointers(endpoint: &Endpoint) -> impl Iterator<Item = &String> {
    let Face { method, body, object_ids, .. } = &endpoint.face;
    let reads = method == "GET" && *body == BodyKind::Empty && is_by_id(endpoint);
    object_ids.iter().filter(move |place| reads && place.starts_with('/'))
}

/// Whether a face reads the results of work, which have an id of their own.
fn reads_results_by_id(endpoint: &Endpoint) -> bool {
    has_lines(endpoint) && id_pointers(endpoint).next().is_some()
}

/// The faces that read work by the id at the places that they declare.
fn work_readers(endpoints: &Endpoints) -> Vec<&Arc<Endpoint>> {
    let reads = |endpoint: &&Arc<Endpoint>| id_pointers(endpoint).next().is_some() && !has_lines(endpoint);
    endpoints.all().iter().filter(reads).collect()
}

/// Whether a face's requests begin work that one of these reads: they are of the same format and name no such work.
/// They may name a model, which is that of the whole work.
fn begins_work_for(endpoint: &Endpoint, readers: &[&Arc<Endpoint>]) -> bool {
    let is_of = |reader: &&Arc<Endpoint>| endpoint.adapter == reader.adapter && endpoint.format() == reader.format();
    let Face { method, operation, object_ids, .. } = &endpoint.face;
    let begins = method == "POST" && operation.is_relayed_only() && !object_ids.iter().any(|place| place == ID);
    begins && readers.iter().any(is_of)
}

/// Whether a face is one of these, or its path continues one's, as that of a request to cancel work does.
fn is_about_work_of(endpoint: &Endpoint, readers: &[&Arc<Endpoint>]) -> bool {
    let continues = |reader: &&Arc<Endpoint>| {
        endpoint.adapter == reader.adapter && endpoint.face.path.starts_with(&reader.face.path)
    };
    is_by_id(endpoint) && endpoint.face.method != "DELETE" && readers.iter().any(continues)
}

/// Where the answers of each face have the ids of work and of its results, if manifests say so.
pub(super) fn work_id_places(endpoints: &Endpoints, stored: &[Stored]) -> Vec<Option<WorkIdPlaces>> {
    let readers = work_readers(endpoints);
    let of_one = |(endpoint, stored): (&Arc<Endpoint>, &Stored)| {
        let is_of =
            |reader: &&&Arc<Endpoint>| endpoint.adapter == reader.adapter && endpoint.format() == reader.format();
        if !matches!(stored, Stored::Begun | Stored::Work) {
            return None;
        }
        let own: BTreeSet<String> = readers.iter().filter(is_of).flat_map(|one| id_pointers(one)).cloned().collect();
        let results = endpoints.all().iter().filter(|one| one.adapter == endpoint.adapter && reads_results_by_id(one));
        let results: BTreeSet<String> = results.flat_map(|one| id_pointers(one)).cloned().collect();
        let [own, results] = [own, results].map(|places| places.into_iter().collect::<Vec<_>>());
        (!own.is_empty()).then(|| WorkIdPlaces::new(&own, &results).ok()).flatten()
    };
    endpoints.all().iter().zip(stored).map(of_one).collect()
}

/// Whether a face's requests have a provider work on stored objects that their bodies name, so that only the provider
/// knows the work and its model.
fn begins_work(endpoint: &Endpoint) -> bool {
    is_without_model(endpoint) && !is_by_id(endpoint) && endpoint.face.own_object_ids().next().is_some()
}

/// Whether a face's requests name a stored object in their path and no model, so that they ask for nothing new.
fn is_by_id(endpoint: &Endpoint) -> bool {
    is_without_model(endpoint) && endpoint.face.object_ids.iter().any(|place| place == ID)
}

/// Whether a face answers with the content of a stored object, such as a file, and not only with facts about it: its
/// path continues behind the id.
pub(crate) fn reads_content(endpoint: &Endpoint) -> bool {
    let goes_on = endpoint.face.path.split_once(ID).is_some_and(|(_, rest)| !rest.is_empty());
    endpoint.face.method == "GET" && is_by_id(endpoint) && goes_on
}

/// Whether a face lists the objects that these faces read: their paths continue its own by the id.
fn lists(endpoint: &Endpoint, by_id: &[&Arc<Endpoint>]) -> bool {
    let is_element = |element: &&Arc<Endpoint>| {
        let rest = element.face.path.strip_prefix(&endpoint.face.path);
        endpoint.adapter == element.adapter && rest.and_then(|rest| rest.strip_prefix('/')) == Some(ID)
    };
    is_without_model(endpoint) && endpoint.face.method == "GET" && by_id.iter().any(is_element)
}

/// Whether a face's requests name no model, so that only the provider knows what they concern.
fn is_without_model(endpoint: &Endpoint) -> bool {
    !endpoint.face.names_model() && endpoint.face.operation.is_relayed_only()
}

/// Whether several accounts accept a request that refers to an object by nothing but its id.
fn is_fetched(endpoint: &Endpoint, routes: &Routes) -> bool {
    if endpoint.face.own_object_ids().next().is_none() || !is_without_model(endpoint) {
        return false;
    }
    let targets = routes.iter().flat_map(|(_, route)| route.targets.iter().flatten());
    let takers = targets.filter(|target| target.accepts(endpoint.format(), &endpoint.face.operation).is_some());
    takers.flat_map(keys).map(|target| (&*target.label, target.key)).collect::<BTreeSet<_>>().len() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_begins_work_by_its_last_segment_or_by_what_follows_the_model_in_it() {
        let [whole, part] = ["/v1/batches", "/v1/models/{model...}:batchMake"].map(|path| PathEnd::of(path).unwrap());
        assert!(whole.is("batches") && !whole.is("batches:batchMake") && !whole.is("x-batches"));
        assert!(part.is("m:batchMake") && part.is("m:BATCHMAKE") && !part.is("batchMake") && !part.is("m:batchMakes"));
    }
}

//! Peeks at a request without parsing it, as the face's manifest directs: model, stream flag, limits, features, and
//! whether a target's provider accepts it unchanged.

mod acceptance_tests;
pub(crate) mod counts;
mod form_fields;
mod model;
pub(crate) mod named_models;
mod object_ids;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use foldhash::fast::RandomState;

use self::acceptance_tests::acceptance_tests;
use self::counts::{Lists, greatest_number, is_list};
use self::form_fields::form_fields;
use self::model::not_a_name;
pub(crate) use self::model::{ModelSpot, ModelSpots, second_model};
pub(crate) use self::object_ids::{MAX_IDS, ObjectIds, ObjectPlaces, kept_id};
use super::exclusion::{CompiledExclusion, Excluded};
use crate::accept::Acceptance;
use crate::provenance::last_segment;
use weir_translate::dialect::endpoints::{Endpoint, Head};
use weir_translate::dialect::path::PathParams;
use weir_types::contract::about::{BodyKind, Face, FrameTest, ModelPlace, StreamFlag, StreamPointer};
use weir_types::fault::Fault;
use weir_types::headers;
use weir_wire::form::Field;
use weir_wire::peek::{Found, Limits, Peek, Pointers, Scalar, Test, Wanted};

/// The most candidates that are reserved for, of each prompt; no provider makes as many.
pub(crate) const MAX_CANDIDATES: u64 = 1_024;

/// The name in manifests of the tests for values beside which an id is no object's.
pub(super) const PUBLIC: &str = "public";

/// The name in manifests of the feature that a request goes on with what its provider stores.
const EARLIER: &str = "history";

/// What to look for in the requests of one face, compiled.
#[derive(Debug)]
pub struct PeekPlan {
    face: Face,
    pointers: Option<Pointers>,
    /// Indexes of the pointers at the model's name, with the prefix that precedes the name.
    models: Vec<(usize, String)>,
    stream: Option<usize>,
    /// The multipart fields to read: those with the model's name, with the stream flag, and with ids of objects.
    fields: Vec<String>,
    output_limit: Vec<usize>,
    candidates: Vec<usize>,
    /// The lists of which each element gets candidates of its own.
    lists: Option<Lists>,
    service_tier: Vec<usize>,
    /// The names of the body's members that are read here.
    names: Vec<String>,
    /// Tests for the features of a request, by name; empty if no route needs them.
    features: Vec<(String, Vec<Test>)>,
    /// The places where a request names stored content that its provider reads again.
    earlier: Vec<usize>,
    /// By acceptance.
    exclusions: HashMap<usize, Vec<CompiledExclusion>, RandomState>,
    /// Holds for requests whose client asks that a stream report its usage; none if the format has no such member.
    usage_is_asked: Option<Test>,
    /// Where ids of objects stand, and whether the path has one. They are looked for by themselves, since most requests
    /// need not be asked.
    objects: Option<ObjectPlaces>,
    path_object: bool,
    /// The members without which answers make no objects.
    makes: Vec<usize>,
}

/// The facts read of one request.
#[derive(Debug)]
pub struct RequestPeek {
    plan: Arc<PeekPlan>,
    /// The model, if the operation has one.
    pub model: Option<String>,
    /// Whether the client wants a streamed answer.
    pub stream: bool,
    /// The limit of output tokens of each candidate, if the request sets one.
    pub output_limit: Option<u64>,
    /// How many candidates are asked for, for all prompts together; at least one.
    pub candidates: u64,
    /// The service tier that is asked for.
    pub service_tier: Option<String>,
    /// Whether strict mode is on: the request is refused rather than losing a field.
    pub strict: bool,
    /// The positions of the model's name in the body.
    pub model_places: ModelSpots,
    /// The peek's findings; `None` for bodies that are not JSON.
    pub found: Option<Found>,
    /// The ids of objects in the fields of a form.
    form_objects: ObjectIds,
}

impl PeekPlan {
    /// Compiles the plan of a face. `accepts` are all acceptances, whose exclusions are tested too. Features are
    /// searched for only if a route needs them.
    pub fn new<'a>(endpoint: &Endpoint, accepts: impl Iterator<Item = &'a Acceptance>, wants_features: bool) -> Self {
        let face = endpoint.face.clone();
        let mut wanted = Wanted::default();
        // Where the face has no model of its own, these are of many requests.
        let models = face.model.iter().filter(|_| face.names_model()).filter_map(|place| match place {
            ModelPlace::Pointer(place) => Some((wanted.add(&place.pointer), place.prefix.clone())),
            _ => None,
        });
        let models = models.collect();
        let stream = match &face.stream {
            StreamFlag::Pointer(flag) => Some(wanted.add(&flag.pointer)),
            StreamFlag::Constant(_) | StreamFlag::Query(_) => None,
        };
        let is_own = |pointer: &&String| Face::in_list(pointer).is_none();
        let mut all = |pointers: &[String]| pointers.iter().filter(is_own).map(|pointer| wanted.add(pointer)).collect();
        let output_limit = all(&face.output_limit);
        let numbers: Vec<String> = face.candidates.iter().filter(|pointer| !is_list(pointer)).cloned().collect();
        let (candidates, service_tier) = (all(&numbers), all(&face.service_tier));
        let mut names = names_read(&face);
        let tests = acceptance_tests(&face, accepts, &mut wanted);
        names.extend(tests.names);
        let mut makes: Vec<usize> = face.made_ids().map(|(member, _)| wanted.add(&format!("/{member}"))).collect();
        makes.dedup();
        let earlier = places_of_earlier(&face).map(|place| wanted.add(place)).collect();
        let features = if wants_features { features(&face, &mut wanted) } else { Vec::new() };
        for pointer in face.object_ids.iter().filter(|place| place.rfind('/') == Some(0)) {
            wanted.add(pointer);
        }
        let pointers = (face.body == BodyKind::Json).then(|| wanted.compile().ok()).flatten();
        let fields = form_fields(&face);
        let path_object = face.object_ids.iter().any(|place| place == object_ids::PATH_ID);
        let (objects, lists) = (ObjectPlaces::new(&face), Lists::new(&face));
        Self {
            face,
            pointers,
            models,
            stream,
            fields,
            output_limit,
            candidates,
            lists,
            service_tier,
            names,
            features,
            earlier,
            exclusions: tests.exclusions,
            usage_is_asked: tests.usage_is_asked,
            objects,
            path_object,
            makes,
        }
    }

    /// The scan of a body, which is given its pieces in their order; none for bodies that are not JSON.
    pub fn scan(&self) -> Option<Peek> {
        let pointers = self.pointers.as_ref()?;
        Some(Peek::new(pointers, Limits { variants: true, ..Limits::default() }))
    }

    /// Reads a request.
    pub fn read(
        self: &Arc<Self>,
        body: &[Bytes],
        path_params: &PathParams,
        head: &Head<'_>,
    ) -> Result<RequestPeek, Fault> {
        let mut scan = self.scan();
        for piece in body {
            if let Some(scan) = &mut scan {
                scan.push(piece);
            }
        }
        self.read_scanned(scan, body, path_params, head)
    }

    /// Reads a request whose scan has been given the whole body.
    pub(crate) fn read_scanned(
        self: &Arc<Self>,
        scan: Option<Peek>,
        body: &[Bytes],
        path_params: &PathParams,
        head: &Head<'_>,
    ) -> Result<RequestPeek, Fault> {
        let found = scan.map(found_in).transpose()?;
        let fields = self.fields(body, head)?;
        self.facts(found, &fields, body, path_params, head)
    }

    /// The facts of a request, from what was found in it.
    fn facts(
        self: &Arc<Self>,
        found: Option<Found>,
        fields: &[Field],
        body: &[Bytes],
        path_params: &PathParams,
        head: &Head<'_>,
    ) -> Result<RequestPeek, Fault> {
        let strict = head.headers.get(&headers::STRICT).is_some_and(|value| value == "true" || value == "1");
        let (model, model_places) = self.model(found.as_ref(), fields, path_params)?;
        if let Some(found) = &found {
            self.refuse_variants(found)?;
        }
        let stream = match &self.face.stream {
            StreamFlag::Constant(flag) => *flag,
            StreamFlag::Query(pair) => head.query(&pair.name).is_some_and(|value| value == pair.value),
            StreamFlag::Pointer(flag) if self.pointers.is_some() => self.stream_member(found.as_ref(), flag)?,
            StreamFlag::Pointer(flag) => self.stream_field(fields)?.unwrap_or(flag.fallback),
        };
        let greatest =
            |pointers| found.as_ref().map(|found| greatest_number(found, pointers)).transpose().map(Option::flatten);
        let (output_limit, candidates) = (greatest(&self.output_limit)?, greatest(&self.candidates)?);
        let of_each = candidates.unwrap_or(1).clamp(1, MAX_CANDIDATES);
        Ok(RequestPeek {
            plan: Arc::clone(self),
            model,
            stream,
            output_limit,
            candidates: of_each * self.lists.as_ref().map_or(1, |lists| lists.elements(body)),
            service_tier: found.as_ref().and_then(|found| self.service_tier(found)),
            strict,
            model_places,
            found,
            form_objects: self.form_objects(fields),
        })
    }

    /// Refuses members whose names equal those read here except for letter case: some parsers accept both, so the
    /// gateway and the provider could read the request differently.
    fn refuse_variants(&self, found: &Found) -> Result<(), Fault> {
        let Some((name, known)) = found.variants().iter().find(|(_, known)| self.names.contains(known)) else {
            return Ok(());
        };
        let shown: String = name.chars().take(64).collect();
        Err(Fault::invalid(format!("`{shown}` is not a member of this request; write `{known}`")).at(shown))
    }

    /// Reads the stream flag. Refuses values that are not booleans, and repeated flags that differ, since servers
    /// disagree about them.
    fn stream_member(&self, found: Option<&Found>, flag: &StreamPointer) -> Result<bool, Fault> {
        let hits = found.zip(self.stream).into_iter().flat_map(|(found, pointer)| found.all(pointer));
        let mut wanted = None;
        for hit in hits {
            let value = match &hit.value {
                Scalar::Null => flag.fallback,
                value => value.as_bool().ok_or_else(|| wrong(&flag.pointer, "must be true or false"))?,
            };
            if wanted.is_some_and(|known| known != value) {
                return Err(wrong(&flag.pointer, "is given twice, with different values"));
            }
            wanted = Some(value);
        }
        Ok(wanted.unwrap_or(flag.fallback))
    }

    /// Reads the service tier: at the first pointer that has one, and of repeated ones the last, as providers do. What
    /// is no text has no price.
    fn service_tier(&self, found: &Found) -> Option<String> {
        let text = |pointer: &usize| found.all(*pointer).last().and_then(|hit| hit.value.as_text()).map(str::to_owned);
        self.service_tier.iter().find_map(text)
    }
}

impl RequestPeek {
    /// The features that the request uses, by their names in the manifest.
    pub fn features(&self) -> Vec<String> {
        let Some(found) = &self.found else { return Vec::new() };
        let asks = |(_, tests): &&(String, Vec<Test>)| tests.iter().any(|test| test.holds(found));
        self.plan.features.iter().filter(asks).map(|(name, _)| name.clone()).collect()
    }

    /// The ids of what its provider stores and reads again before it, such as an earlier answer: in a name with
    /// slashes, the last part.
    pub(crate) fn earlier(&self) -> impl Iterator<Item = &str> {
        let hits =
            self.found.iter().flat_map(|found| self.plan.earlier.iter().flat_map(move |place| found.all(*place)));
        hits.filter_map(|hit| hit.value.as_text()).map(last_segment)
    }

    /// The ids in the request of objects that earlier answers made.
    pub(crate) fn object_ids(&self, body: &[Bytes], path_params: &PathParams) -> ObjectIds {
        let of_path = path_params.get("id").filter(|_| self.plan.path_object);
        let in_form = || self.form_objects.clone().and_of_path(of_path);
        self.plan.objects.as_ref().map_or_else(in_form, |places| places.read(body, of_path))
    }

    /// Whether the answer may make objects whose ids stand where the manifest says.
    pub(crate) fn makes_objects(&self) -> bool {
        let is_there = |(found, member): (&Found, usize)| found.all(member).any(|hit| hit.value != Scalar::Null);
        self.found.iter().flat_map(|found| self.plan.makes.iter().map(move |member| (found, *member))).any(is_there)
    }

    /// Whether the client asks for a stream's usage.
    pub(crate) fn asks_usage(&self) -> bool {
        self.plan.usage_is_asked.as_ref().zip(self.found.as_ref()).is_some_and(|(test, found)| test.holds(found))
    }

    /// Why a request has to be translated although its format is accepted.
    pub fn excluded(&self, acceptance: &Acceptance) -> Option<Excluded<'_>> {
        let (found, tests) = (self.found.as_ref()?, self.plan.exclusions.get(&acceptance.id)?);
        tests.iter().find_map(|exclusion| exclusion.found_in(found))
    }
}

/// What a scan found in a whole body.
fn found_in(scan: Peek) -> Result<Found, Fault> {
    let found = scan.finish().map_err(|error| unreadable(&error))?;
    if found.object().is_none() {
        return Err(Fault::invalid("the request's body must be a JSON object"));
    }
    Ok(found)
}

/// The pointers at ids of what the provider stores and reads again before a request: the feature of this name has them.
fn places_of_earlier(face: &Face) -> impl Iterator<Item = &str> {
    let tests = face.features.iter().filter(|feature| feature.name == EARLIER).flat_map(|feature| &feature.tests);
    tests.filter_map(|test| match test {
        FrameTest::Present(pointer) => Some(&**pointer),
        _ => None,
    })
}

/// Compiles the tests for features.
fn features(face: &Face, wanted: &mut Wanted) -> Vec<(String, Vec<Test>)> {
    let mut compiled = Vec::new();
    for feature in face.features.iter().filter(|feature| ![EARLIER, PUBLIC].contains(&&*feature.name)) {
        let tests = feature.tests.iter().filter_map(|test| Test::compile(test, wanted).ok()).collect();
        compiled.push((feature.name.clone(), tests));
    }
    compiled
}

/// The first segments of the pointers at members that are read.
fn names_read(face: &Face) -> Vec<String> {
    let models = face.model.iter().filter_map(|place| match place {
        ModelPlace::Pointer(place) => Some(&place.pointer),
        _ => None,
    });
    let stream = match &face.stream {
        StreamFlag::Pointer(flag) => Some(&flag.pointer),
        StreamFlag::Constant(_) | StreamFlag::Query(_) => None,
    };
    let counted = [&face.output_limit, &face.candidates, &face.service_tier, &face.object_ids].into_iter().flatten();
    models.chain(stream).chain(counted).filter_map(|pointer| first_name(pointer)).collect()
}

fn first_name(pointer: &str) -> Option<String> {
    let first = pointer.strip_prefix('/')?.split('/').next()?;
    Some(first.replace("~1", "/").replace("~0", "~"))
}

fn wrong(pointer: &str, what: &str) -> Fault {
    let field = pointer.trim_start_matches('/').replace('/', ".");
    Fault::invalid(format!("`{field}` {what}")).at(field)
}

fn unreadable(error: &dyn std::error::Error) -> Fault {
    Fault::invalid(format!("the request's body cannot be read: {error}"))
}

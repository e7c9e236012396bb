//! Batches of chats and of embeddings, which are relayed and never translated.
//!
//! Source: "Batch API" in the reference of Google's Gemini API. A batch is an operation (`batches/ID`), whose model
//! stands in the path of the request that makes it. A finished one has its results in it, each with its own usage, or
//! names a file that has them as lines. There is no face for deleting one, which would lose that. Masks of fields are
//! not passed on, nor other encodings: the answer has to tell what is booked.

use weir_sdk::manifest::{
    Acceptance, AnswerFraming, BodyKind, Bucket, Condition, Face, FixedQuery, Format, FrameTest, Merge, ModelPlace,
    ModelPointer, Operation, Tap, UnitPlace, UsagePlace, strings,
};
use weir_sdk::types::{Framing, Unit};

use super::faces::{CANDIDATES, OUTPUT_LIMITS, PREFIX, VERSIONS, credentials};
use super::{format, usage};

const FORMAT: &str = "gemini.batches";
/// The lines of a file of results.
const RESULTS: &str = "gemini.batch-results";

/// Where a finished batch has its results, if it has them itself: twice, usually.
const INLINED: [&str; 2] =
    ["/response/inlinedResponses/inlinedResponses/*", "/metadata/output/inlinedResponses/inlinedResponses/*"];

/// The states of a batch whose requests are not all answered, and those of one that came to nothing.
/// The names of the second kind are those of the official clients.
const UNDER_WAY: [&str; 4] = ["BATCH_STATE_PENDING", "BATCH_STATE_RUNNING", "JOB_STATE_PENDING", "JOB_STATE_RUNNING"];
const FAILED: [&str; 6] = [
    "BATCH_STATE_FAILED",
    "BATCH_STATE_CANCELLED",
    "BATCH_STATE_EXPIRED",
    "JOB_STATE_FAILED",
    "JOB_STATE_CANCELLED",
    "JOB_STATE_EXPIRED",
];

/// Embeds what a batch has, and makes no output.
const EMBED: &str = "batches-embed";

/// What requests do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Create,
    List,
    Read,
    Cancel,
    Results,
}

/// Operation, method, path after the version, path at the provider.
const ENDPOINTS: [(&str, &str, &str, &str, Does); 6] = [
    (
        "batches-create",
        "POST",
        "models/{model...}:batchGenerateContent",
        "models/{model}:batchGenerateContent",
        Does::Create,
    ),
    (EMBED, "POST", "models/{model...}:asyncBatchEmbedContent", "models/{model}:asyncBatchEmbedContent", Does::Create),
    ("batches-list", "GET", "batches", "batches", Does::List),
    ("batches-get", "GET", "batches/{id}", "batches/{id}", Does::Read),
    ("batches-cancel", "POST", "batches/{id}:cancel", "batches/{id}:cancel", Does::Cancel),
    ("batches-results", "GET", "files/{id}:download", "files/{id}:download", Does::Results),
];

pub(super) fn faces() -> Vec<Face> {
    let mut faces = Vec::new();
    for version in VERSIONS {
        for (name, method, path, _, does) in ENDPOINTS {
            let below = |root: &str| face(name, method, format!("{root}/{version}/{path}"), does);
            // Other formats have the path of `v1` as well, unless it is below the prefix.
            if version == "v1" && matches!(does, Does::List | Does::Read) {
                faces.push(Face { prefixes: Vec::new(), ..below(PREFIX) });
                faces.extend(conditions().map(|when| Face { when: Some(when), prefixes: Vec::new(), ..below("") }));
                continue;
            }
            faces.push(below(""));
            faces.extend((does == Does::Results).then(|| below("/download")));
        }
    }
    faces
}

/// What shows that a request is one of this format.
fn conditions() -> impl Iterator<Item = Condition> {
    [Condition::HeaderPresent("x-goog-api-key".into()), Condition::QueryPresent("key".into())].into_iter()
}

fn face(name: &str, method: &str, path: String, does: Does) -> Face {
    let format = if does == Does::Results { RESULTS } else { FORMAT };
    let plain = Face {
        prefixes: strings([PREFIX]),
        credentials: credentials(),
        model: Vec::new(),
        method: method.to_owned(),
        ..Face::post(format, Operation::Other(name.to_owned()), path)
    };
    // The id of the path, and where earlier answers have it.
    let by_id = |body, object_ids| Face { body, object_ids, ..plain.clone() };
    match does {
        Does::Create => Face {
            model: models(),
            output_limit: if name == EMBED { Vec::new() } else { in_requests(&OUTPUT_LIMITS) },
            candidates: if name == EMBED { Vec::new() } else { in_requests(&CANDIDATES) },
            object_ids: in_input(&["fileName", "file_name"]),
            ..plain
        },
        Does::List => Face { body: BodyKind::Empty, ..plain },
        Does::Read => by_id(BodyKind::Empty, strings(["{id}", "/name"])),
        Does::Cancel => by_id(BodyKind::Raw, strings(["{id}"])),
        Does::Results => Face {
            framings: AnswerFraming::always(Framing::Ndjson),
            ..by_id(BodyKind::Empty, strings(["{id}", "/response/responsesFile", "/metadata/output/responsesFile"]))
        },
    }
}

/// Where the model stands: in the path, and perhaps in the batch and in each of its requests.
fn models() -> Vec<ModelPlace> {
    let pointer = |pointer: String| ModelPlace::Pointer(ModelPointer { pointer, prefix: "models/".into() });
    let each = in_requests(&["/model"]);
    [ModelPlace::Path, pointer("/batch/model".into())].into_iter().chain(each.into_iter().map(pointer)).collect()
}

/// Places in each request of a batch.
fn in_requests(places: &[&str]) -> Vec<String> {
    let members: Vec<String> = places.iter().map(|place| format!("requests/requests/*/request{place}")).collect();
    in_input(&members.iter().map(String::as_str).collect::<Vec<_>>())
}

fn in_input(members: &[&str]) -> Vec<String> {
    let inputs = ["inputConfig", "input_config"].into_iter();
    inputs.flat_map(|input| members.iter().map(move |member| format!("/batch/{input}/{member}"))).collect()
}

pub(super) fn accepts() -> impl Iterator<Item = Acceptance> {
    ENDPOINTS.into_iter().map(|(name, method, _, path, does)| {
        let (format, query, query_forwarded) = match does {
            Does::Create | Does::Read | Does::Cancel => (FORMAT, None, strings(["prettyPrint"])),
            Does::List => (FORMAT, None, strings(["prettyPrint", "pageSize", "pageToken", "filter"])),
            Does::Results => (RESULTS, Some(("alt", "media")), Vec::new()),
        };
        let fixed = |(name, value): (&str, &str)| FixedQuery { name: name.into(), value: value.into(), stream: None };
        Acceptance {
            query: query.into_iter().map(fixed).collect(),
            query_forwarded,
            request_headers: strings(["x-goog-api-client", "x-goog-request-params", "x-server-timeout"]),
            response_headers: strings(["x-gemini-*", "server-timing", "retry-after", "x-request-id"]),
            preferred: true,
            ..Acceptance::new(format, Operation::Other(name.to_owned()), method, path)
        }
    })
}

pub(super) fn formats() -> [Format; 2] {
    let state = |state: &str| FrameTest::equals("/metadata/state", state);
    let work = Tap {
        under_way: UNDER_WAY.map(state).into(),
        failure: FAILED.map(state).into(),
        ..result(&INLINED, Merge::Sum)
    };
    [(FORMAT, work), (RESULTS, result(&[""], Merge::Last))].map(|(id, tap)| Format {
        errors: Some(format::errors()),
        tap: Some(tap),
        ..Format::new(id)
    })
}

/// What is read of each result at these places: an answer to a chat or for an embedding, as `response`.
fn result(places: &[&str], merge: Merge) -> Tap {
    let at = |pointer: &str| places.iter().map(|place| format!("{place}/response{pointer}")).collect::<Vec<_>>();
    let of_result = |place: UsagePlace| UsagePlace {
        pointers: place.pointers.iter().flat_map(|pointer| at(pointer)).collect(),
        ..place
    };
    let searches = |pointer: String| UnitPlace::matches(Unit::Search, FrameTest::present(pointer));
    let mut usage: Vec<_> = usage::places("candidates", merge).into_iter().map(of_result).collect();
    usage.push(UsagePlace { merge, ..UsagePlace::new(Bucket::Input, at("/tokenCount")) });
    Tap {
        usage,
        model: at("/modelVersion"),
        units: at("/candidates/*/groundingMetadata/webSearchQueries/*").into_iter().map(searches).collect(),
        batch: at("").into_iter().map(FrameTest::present).collect(),
        ..Tap::default()
    }
}

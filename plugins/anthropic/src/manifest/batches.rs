//! Batches of messages, which are relayed and never translated.
//!
//! Source: "Message Batches" in Anthropic's API reference. A batch tells nothing of what it used; each line of its
//! results does, with a model of its own. There is no face for deleting one, which would lose that.

use weir_sdk::manifest::{
    Acceptance, AnswerFraming, BodyKind, Face, Format, FrameTest, ModelPlace, Operation, Tap, features, strings,
};
use weir_sdk::types::Framing;

use super::accepts::of_format;
use super::faces::{PREFIX, credentials, public, request_headers};
use super::format::{errors, kind, usage};

const FORMAT: &str = "anthropic.batches";

/// The states of a batch whose requests are not all answered.
const UNDER_WAY: [&str; 2] = ["in_progress", "canceling"];

/// What requests do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Does {
    Create,
    List,
    Read,
    Cancel,
    Results,
}

/// Operation, method, path after `/v1/`.
const ENDPOINTS: [(&str, &str, &str, Does); 5] = [
    ("batches-create", "POST", "messages/batches", Does::Create),
    ("batches-list", "GET", "messages/batches", Does::List),
    ("batches-get", "GET", "messages/batches/{id}", Does::Read),
    ("batches-cancel", "POST", "messages/batches/{id}/cancel", Does::Cancel),
    ("batches-results", "GET", "messages/batches/{id}/results", Does::Results),
];

pub(super) fn faces() -> impl Iterator<Item = Face> {
    ENDPOINTS.iter().map(|&(name, method, path, does)| {
        let operation = Operation::Other(name.to_owned());
        let plain = Face {
            prefixes: strings([PREFIX]),
            credentials: credentials(),
            request_headers: request_headers(),
            model: Vec::new(),
            method: method.to_owned(),
            ..Face::post(FORMAT, operation, format!("/v1/{path}"))
        };
        let by_id = |body| Face { body, object_ids: strings(["{id}"]), ..plain.clone() };
        match does {
            Does::Create => {
                let features = features([("public", public("/requests/*/params"))]);
                let model = vec![ModelPlace::pointer(&in_requests("/model"))];
                let output_limit = vec![in_requests("/max_tokens")];
                Face { model, output_limit, object_ids: named(), features, ..plain }
            }
            Does::List => Face { body: BodyKind::Empty, ..plain },
            Does::Read => by_id(BodyKind::Empty),
            Does::Cancel => by_id(BodyKind::Raw),
            Does::Results => Face { framings: AnswerFraming::always(Framing::Ndjson), ..by_id(BodyKind::Empty) },
        }
    })
}

/// A place in each request of a batch.
fn in_requests(place: &str) -> String {
    format!("/requests/*/params{place}")
}

/// The objects that the requests of a batch name.
fn named() -> Vec<String> {
    super::faces::OBJECTS.map(in_requests).into()
}

pub(super) fn accepts() -> impl Iterator<Item = Acceptance> {
    ENDPOINTS.iter().map(|&(name, method, path, _)| {
        let query = ["limit", "after_id", "before_id", "beta"];
        of_format(FORMAT, Operation::Other(name.to_owned()), method, path, query)
    })
}

pub(super) fn format() -> Format {
    let at = |member: &str| vec![format!("/result/message/usage/{member}")];
    let tap = Tap {
        model: strings(["/result/message/model"]),
        service_tier: [at("speed"), at("service_tier")].concat(),
        batch: vec![FrameTest::equals("/result/type", "succeeded")],
        under_way: UNDER_WAY.map(|state| FrameTest::equals("/processing_status", state)).into(),
        failure: vec![kind("error")],
        ..usage(&at)
    };
    Format { errors: Some(errors()), tap: Some(tap), ..Format::new(FORMAT) }
}

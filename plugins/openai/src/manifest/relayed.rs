//! Operations that are relayed and never translated: images, audio, moderations, files, batches, stored answers.
//!
//! Source: the paths of OpenAI's API description. A request goes to a provider that takes it unchanged; one without a
//! model goes to the provider that the client names, or to the only one.

use weir_sdk::compat::manifest::{acceptance, option_headers};
use weir_sdk::compat::relayed::{self, FORMAT, IMAGES, Relayed};
use weir_sdk::manifest::{
    Acceptance, AnswerFraming, BodyKind, Face, Format, FrameTest, ModelPlace, Operation, StreamFlag, Tap, features,
};
use weir_sdk::types::Framing;

use super::{OBJECTS_OF_CHATS, errors, face, history, objects_of_responses};
use crate::quirks::QUIRKS;

/// The place of the model's name.
#[derive(Clone, Copy)]
enum Takes {
    /// JSON with a `model`, which may be absent.
    Json,
    /// JSON with a `model`; the member `stream` requests a stream.
    Stream,
    /// JSON with a `model`; the answer is always a stream: of bytes or, if `stream_format` is `sse`, of events.
    Speech,
    /// A form with a `model`; the field `stream` requests a stream.
    Form,
    /// A request for an answer: JSON with a `model` and perhaps the ids of objects.
    Answer,
    /// JSON with a file's id and without a model.
    Batch,
    /// A form with a file, which may be one of requests for a batch.
    File,
    /// Any other body, without a model.
    Object,
}

/// Operation, method, path after `/v1/`, kind of body. The operation's name is a label of metrics.
const ENDPOINTS: [(&str, &str, &str, Takes); 21] = [
    ("images", "POST", "images/generations", Takes::Stream),
    ("image-edits", "POST", "images/edits", Takes::Form),
    ("image-variations", "POST", "images/variations", Takes::Form),
    ("speech", "POST", "audio/speech", Takes::Speech),
    ("transcriptions", "POST", "audio/transcriptions", Takes::Form),
    ("translations", "POST", "audio/translations", Takes::Form),
    ("moderations", "POST", "moderations", Takes::Json),
    ("files-create", "POST", "files", Takes::File),
    ("files-list", "GET", "files", Takes::Object),
    ("files-get", "GET", "files/{id}", Takes::Object),
    ("files-delete", "DELETE", "files/{id}", Takes::Object),
    ("files-content", "GET", "files/{id}/content", Takes::Object),
    ("batches-create", "POST", "batches", Takes::Batch),
    ("batches-list", "GET", "batches", Takes::Object),
    ("batches-get", "GET", "batches/{id}", Takes::Object),
    ("batches-cancel", "POST", "batches/{id}/cancel", Takes::Object),
    ("responses-compact", "POST", "responses/compact", Takes::Answer),
    ("responses-get", "GET", "responses/{id}", Takes::Object),
    ("responses-delete", "DELETE", "responses/{id}", Takes::Object),
    ("responses-cancel", "POST", "responses/{id}/cancel", Takes::Object),
    ("responses-items", "GET", "responses/{id}/input_items", Takes::Object),
];

/// The states of a batch whose requests are not all answered, or not all counted.
const BATCH_UNDER_WAY: [&str; 4] = ["validating", "in_progress", "finalizing", "cancelling"];

pub(super) fn faces() -> impl Iterator<Item = Face> {
    ENDPOINTS.iter().map(|&(name, method, path, takes)| {
        let plain = face(format(name), operation(name), method, &format!("/v1/{path}"));
        let plain = Face { end_user: Vec::new(), object_ids: object_ids(path), ..plain };
        let streams = |plain: Face| Face {
            stream: StreamFlag::member(false),
            framings: AnswerFraming::always(Framing::Sse),
            ..plain
        };
        match takes {
            Takes::Json => plain,
            Takes::Stream => streams(plain),
            // The answer's content type says which of the two it is.
            Takes::Speech => Face { stream: StreamFlag::Constant(true), ..streams(plain) },
            Takes::Form => {
                Face { model: vec![ModelPlace::Field("model".to_owned())], body: BodyKind::Multipart, ..streams(plain) }
            }
            Takes::Answer => {
                let features = features([("history", history())]);
                let service_tier = vec!["/service_tier".to_owned()];
                Face { object_ids: objects_of_responses(), features, service_tier, ..plain }
            }
            Takes::Batch => Face { model: Vec::new(), object_ids: vec!["/input_file_id".to_owned()], ..plain },
            Takes::File => Face {
                model: vec![ModelPlace::pointer(&in_requests("/model"))],
                body: BodyKind::Raw,
                output_limit: OUTPUT_LIMITS.map(in_requests).into(),
                candidates: ["/n", "/best_of"].map(in_requests).into(),
                object_ids: objects_of_requests(),
                ..plain
            },
            Takes::Object if method == "POST" => Face { model: Vec::new(), body: BodyKind::Raw, ..plain },
            Takes::Object => Face { model: Vec::new(), body: BodyKind::Empty, ..plain },
        }
    })
}

/// Where chats, answers and completions limit their output.
const OUTPUT_LIMITS: [&str; 3] = ["/max_completion_tokens", "/max_output_tokens", "/max_tokens"];

/// A place in each request of a file for a batch, as a line of it has it: `{"url", "body"}`.
fn in_requests(place: &str) -> String {
    format!("/file/*/body{place}")
}

/// The objects that such requests name, which are those of chats.
fn objects_of_requests() -> Vec<String> {
    let of_chats = OBJECTS_OF_CHATS.map(str::to_owned);
    of_chats.iter().chain(&objects_of_responses()).map(|place| in_requests(place)).collect()
}

fn operation(name: &str) -> Operation {
    Relayed::named(name).map_or_else(|| Operation::Other(name.to_owned()), Relayed::operation)
}

fn format(name: &str) -> &'static str {
    match name {
        "image-variations" => IMAGES,
        name => Relayed::named(name).map_or(FORMAT, Relayed::format),
    }
}

fn object_ids(path: &str) -> Vec<String> {
    match path {
        // At services that take this format with files of their own.
        "audio/transcriptions" => vec!["/file_id".to_owned()],
        path if path.contains("{id}") => vec!["{id}".to_owned()],
        _ => Vec::new(),
    }
}

pub(super) fn accepts() -> impl Iterator<Item = Acceptance> {
    ENDPOINTS.iter().map(|&(name, method, path, _)| Acceptance {
        query_forwarded: vec!["*".to_owned()],
        set_headers: option_headers(&QUIRKS),
        ..acceptance(format(name), operation(name), method, path)
    })
}

pub(super) fn formats() -> impl Iterator<Item = Format> {
    relayed::taps("/usage/seconds").into_iter().map(|(id, tap)| {
        // Objects, such as batches, are among the rest.
        let tap = if id == FORMAT { of_objects(tap) } else { tap };
        Format { errors: Some(errors()), tap: Some(tap), ..Format::new(id) }
    })
}

fn of_objects(tap: Tap) -> Tap {
    Tap {
        finish: vec!["/status".to_owned()],
        batch: vec![FrameTest::equals("/object", "batch")],
        under_way: BATCH_UNDER_WAY.map(|state| FrameTest::equals("/status", state)).into(),
        ..tap
    }
}

#[cfg(test)]
mod tests {
    use weir_sdk::compat::relayed::SPEECH;
    use weir_sdk::manifest::Bucket;

    use super::*;

    fn tap_of(path: &str) -> (Face, Tap) {
        let face = faces().find(|face| face.path == path).unwrap();
        let format = formats().find(|format| format.id == face.format).unwrap();
        (face, format.tap.unwrap())
    }

    #[test]
    fn what_is_relayed_has_a_face_and_is_accepted_in_a_format_with_errors() {
        assert!(faces().zip(accepts()).all(|(face, accepted)| {
            (face.format, face.operation) == (accepted.format, accepted.operation)
                && face.path == format!("/v1/{}", accepted.path)
        }));
        let formats: Vec<Format> = formats().collect();
        assert!(formats.iter().all(|format| format.errors.is_some()));
        assert_eq!(formats.iter().map(|format| format.id.as_str()).collect::<Vec<_>>(), [FORMAT, IMAGES, SPEECH]);
    }

    #[test]
    fn the_requests_in_a_file_name_what_chats_do_and_only_files_have_requests() {
        let files: Vec<Face> = faces().filter(|face| face.body == BodyKind::Raw && !face.model.is_empty()).collect();
        assert_eq!(files.iter().map(|face| face.path.as_str()).collect::<Vec<_>>(), ["/v1/files"]);
        assert_eq!(files[0].model, [ModelPlace::pointer("/file/*/body/model")]);
        for place in [
            "/messages/*/content/*/file/file_id",
            "/messages/*/audio/id",
            "/previous_response_id",
            "/input/*/content/*/file_id",
        ] {
            assert!(files[0].object_ids.contains(&format!("/file/*/body{place}")), "{place}");
        }
    }

    #[test]
    fn only_images_put_out_images_and_only_objects_are_under_way() {
        let bucket_of_output = |tap: &Tap| {
            let mut places =
                tap.usage.iter().filter(|place| place.pointers.iter().any(|at| at == "/usage/output_tokens"));
            places.next().map(|place| place.bucket)
        };
        for path in ["images/generations", "images/edits", "images/variations"] {
            let (_, tap) = tap_of(&format!("/v1/{path}"));
            assert_eq!(bucket_of_output(&tap), Some(Bucket::OutputImage), "{path}");
            assert!(tap.under_way.is_empty(), "{path}");
        }
        for path in ["audio/transcriptions", "responses/compact", "batches/{id}"] {
            let (_, tap) = tap_of(&format!("/v1/{path}"));
            assert_eq!((bucket_of_output(&tap), tap.under_way.is_empty()), (Some(Bucket::Output), false), "{path}");
        }
    }

    #[test]
    fn speech_is_read_as_events_where_it_comes_as_such() {
        let (face, tap) = tap_of("/v1/audio/speech");
        assert_eq!((face.stream, face.framings), (StreamFlag::Constant(true), AnswerFraming::always(Framing::Sse)));
        assert!(tap.usage.iter().any(|place| place.bucket == Bucket::OutputAudio));
        assert_eq!(tap.end, [FrameTest::equals("/type", "speech.audio.done")]);
    }
}

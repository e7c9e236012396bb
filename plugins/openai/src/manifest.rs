//! The manifest: the endpoints for clients, and the requests that OpenAI takes unchanged.

mod realtime;
mod relayed;

use weir_sdk::compat::{self, completions, embeddings, models, responses, wire};
use weir_sdk::manifest::{
    AnswerFraming, BodyKind, CredentialPlace, ErrorFormat, ErrorSpelling, Face, Feature, FrameTemplate, FrameTest,
    Manifest, ModelPlace, Operation, StreamFlag, features, strings,
};
use weir_sdk::types::{Error, ErrorKind, Framing, Header};

use crate::count;
use crate::quirks::QUIRKS;

/// The manifest.
pub(crate) fn describe() -> Manifest {
    let mut manifest = compat::manifest::describe(&QUIRKS);
    for format in &mut manifest.formats {
        format.errors = Some(errors());
    }
    manifest.formats.extend(relayed::formats());
    manifest.formats.push(realtime::format());
    manifest.faces = faces();
    manifest.faces.extend(relayed::faces());
    manifest.faces.push(realtime::face_of_sessions());
    manifest.faces.push(realtime::face_of_secrets());
    manifest.accepts.extend(relayed::accepts());
    manifest.accepts.push(realtime::accepts());
    let count = compat::manifest::acceptance(responses::FORMAT, Operation::CountTokens, "POST", count::PATH);
    manifest.accepts.push(count);
    manifest.capabilities.counts_tokens = true;
    manifest.capabilities.operations.push(Operation::CountTokens);
    manifest
}

fn faces() -> Vec<Face> {
    let chat = chat_face("/v1/chat/completions");
    let embeddings = face(embeddings::FORMAT, Operation::Embeddings, "POST", "/v1/embeddings");
    let models = face(models::FORMAT, Operation::Models, "GET", "/v1/models");
    let one = face(models::FORMAT, Operation::Models, "GET", "/v1/models/{model...}");
    let deployment = |face: Face, path: &str| Face {
        path: format!("/openai/deployments/{{model}}/{path}"),
        prefixes: Vec::new(),
        model: vec![ModelPlace::Path, ModelPlace::pointer("/model")],
        ..face
    };
    vec![
        deployment(chat_face(""), "chat/completions"),
        deployment(completions_face(""), "completions"),
        deployment(embeddings.clone(), "embeddings"),
        chat_face("/chat/completions"),
        chat,
        completions_face("/completions"),
        completions_face("/v1/completions"),
        responses_face("/responses"),
        responses_face("/v1/responses"),
        Face {
            operation: Operation::CountTokens,
            stream: StreamFlag::Constant(false),
            framings: Vec::new(),
            ..responses_face("/v1/responses/input_tokens")
        },
        Face { path: "/embeddings".to_owned(), ..embeddings.clone() },
        embeddings,
        Face { path: "/models".to_owned(), ..models.clone() },
        models,
        Face { model: vec![ModelPlace::Path], ..one },
    ]
}

fn face(format: &str, operation: Operation, method: &str, path: &str) -> Face {
    let reads = method == "GET";
    let plain = Face::post(format, operation, path);
    Face {
        method: method.to_owned(),
        prefixes: strings(["/openai"]),
        credentials: vec![CredentialPlace::bearer(), CredentialPlace::header("api-key")],
        model: if reads { Vec::new() } else { plain.model },
        body: if reads { BodyKind::Empty } else { BodyKind::Json },
        end_user: if reads { Vec::new() } else { strings(["/user"]) },
        ..plain
    }
}

/// Where chats name objects. The second place is at services that take this format with files of their own.
const OBJECTS_OF_CHATS: [&str; 3] =
    ["/messages/*/content/*/file/file_id", "/messages/*/content/*/file_id", "/messages/*/audio/id"];

/// Where the answers to chats have the id of what the model said aloud, which later requests name.
const SOUNDS: [&str; 2] = ["{audio}/choices/*/message/audio/id", "{audio}/choices/*/delta/audio/id"];
/// Where they have their own id, by which they are read again if they are stored.
const STORED: [&str; 1] = ["{store}/id"];

fn chat_face(path: &str) -> Face {
    Face {
        stream: StreamFlag::member(false),
        output_limit: strings(["/max_completion_tokens", "/max_tokens"]),
        candidates: strings(["/n"]),
        service_tier: strings(["/service_tier"]),
        end_user: strings(["/safety_identifier", "/user"]),
        object_ids: [strings(OBJECTS_OF_CHATS), strings(SOUNDS), strings(STORED)].concat(),
        features: features_of_chat(),
        framings: AnswerFraming::always(Framing::Sse),
        ..face(wire::FORMAT, Operation::Chat, "POST", path)
    }
}

fn completions_face(path: &str) -> Face {
    Face {
        format: completions::FORMAT.to_owned(),
        output_limit: strings(["/max_tokens"]),
        // Each prompt of a list gets as many.
        candidates: strings(["/n", "/best_of", "/prompt/*"]),
        end_user: strings(["/user"]),
        object_ids: Vec::new(),
        features: Vec::new(),
        ..chat_face(path)
    }
}

/// The tools for which a model must call functions. The others run at the provider, or are of a kind that the model was
/// made for, also with models that call no functions (those for research).
const CALLED: [&str; 3] = ["function", "custom", "namespace"];

fn responses_face(path: &str) -> Face {
    let part = |kind: &str| vec![FrameTest::equals("/input/*/content/*/type", kind)];
    Face {
        format: responses::FORMAT.to_owned(),
        output_limit: strings(["/max_output_tokens"]),
        candidates: Vec::new(),
        object_ids: objects_of_responses().into_iter().chain(containers()).collect(),
        features: features([
            ("tools", CALLED.map(|kind| FrameTest::equals("/tools/*/type", kind)).to_vec()),
            ("vision", part("input_image")),
            ("audio", part("input_audio")),
            ("documents", part("input_file")),
            ("schema", vec![FrameTest::equals("/text/format/type", "json_schema")]),
            ("reasoning", vec![FrameTest::present("/reasoning")]),
            ("history", history()),
        ]),
        ..chat_face(path)
    }
}

/// What the service reads again before the request: an earlier answer with all that it went on with, or a conversation.
fn history() -> Vec<FrameTest> {
    ["/previous_response_id", "/conversation", "/conversation/id"].map(FrameTest::present).into()
}

/// The ids of parts of answers, such as those of items that the input repeats or refers to, are not among these: they
/// are no objects of their own.
fn objects_of_responses() -> Vec<String> {
    let own = [
        "/previous_response_id",
        "/conversation",
        "/conversation/id",
        "/prompt",
        "/prompt/id",
        "/input/*/content/*/file_id",
        "/input/*/output/*/file_id",
        "/input/*/output/file_id",
        "/input/*/environment/container_id",
        // A tool that makes a container goes on in that of an earlier call.
        "/input/*/container_id",
    ];
    // The input may have tools too, which a search for tools has found.
    let of_tools = ["/tools", "/input/*/tools"].into_iter().flat_map(|tools| {
        [
            "vector_store_ids/*",
            "container",
            "container/file_ids/*",
            "input_image_mask/file_id",
            "environment/container_id",
            "environment/file_ids/*",
        ]
        .map(|place| format!("{tools}/*/{place}"))
    });
    strings(own).into_iter().chain(of_tools).collect()
}

/// Where answers have the ids of containers that tools ran in: whole, and in the events of a stream.
fn containers() -> impl Iterator<Item = String> {
    let items = ["/output/*", "/response/output/*", "/item"].into_iter();
    items.flat_map(|item| ["container_id", "environment/container_id"].map(|id| format!("{{tools}}{item}/{id}")))
}

fn features_of_chat() -> Vec<Feature> {
    let part = |kind: &str| FrameTest::equals("/messages/*/content/*/type", kind);
    let thinking = ["/reasoning_effort", "/reasoning", "/thinking"];
    features([
        ("tools", ["/tools", "/functions"].map(FrameTest::present).to_vec()),
        ("vision", vec![part("image_url")]),
        ("audio", vec![part("input_audio"), FrameTest::present("/audio")]),
        ("documents", vec![part("file")]),
        ("schema", vec![FrameTest::equals("/response_format/type", "json_schema")]),
        ("reasoning", thinking.map(FrameTest::present).to_vec()),
    ])
}

/// `{"error": {"message", "type", "param", "code"}}`, whole and as the last frame of a broken stream.
pub(crate) const ERROR_BODY: &str =
    r#"{"error":{"message":{{message}},"type":{{kind}},"param":{{param}},"code":{{code}}}}"#;

/// OpenAI's spelling of each error kind: kind, `type`, `code`, status.
pub(crate) const SPELLINGS: [(ErrorKind, &str, Option<&str>, u16); 14] = [
    (ErrorKind::InvalidRequest, "invalid_request_error", None, 400),
    (ErrorKind::Authentication, "invalid_request_error", Some("invalid_api_key"), 401),
    (ErrorKind::Permission, "permission_error", None, 403),
    (ErrorKind::NotFound, "invalid_request_error", Some("model_not_found"), 404),
    (ErrorKind::TooLarge, "invalid_request_error", Some("request_too_large"), 413),
    (ErrorKind::ContextLength, "invalid_request_error", Some("context_length_exceeded"), 400),
    (ErrorKind::RateLimited, "rate_limit_exceeded", Some("rate_limit_exceeded"), 429),
    (ErrorKind::Quota, "insufficient_quota", Some("insufficient_quota"), 429),
    (ErrorKind::ContentFiltered, "content_filter", Some("content_filter"), 422),
    (ErrorKind::Overloaded, "server_error", Some("overloaded"), 503),
    (ErrorKind::Timeout, "timeout", Some("timeout"), 504),
    (ErrorKind::Unsupported, "invalid_request_error", Some("unsupported_parameter"), 400),
    (ErrorKind::Upstream, "server_error", None, 502),
    (ErrorKind::Internal, "server_error", None, 500),
];

fn errors() -> ErrorFormat {
    let spelling = |&(kind, name, code, status): &(ErrorKind, &str, Option<&str>, u16)| ErrorSpelling {
        kind,
        name: name.to_owned(),
        code: code.map(str::to_owned),
        status,
    };
    ErrorFormat {
        body: ERROR_BODY.to_owned(),
        spellings: SPELLINGS.iter().map(spelling).collect(),
        headers: Vec::new(),
        stream_failure: Some(FrameTemplate { event: None, data: ERROR_BODY.to_owned() }),
        keep_alive: None,
        request_id_header: Some("x-request-id".to_owned()),
        rate_limit_headers: vec![
            Header::new("x-ratelimit-limit-{{scope}}", "{{limit}}"),
            Header::new("x-ratelimit-remaining-{{scope}}", "{{remaining}}"),
            Header::new("x-ratelimit-reset-{{scope}}", "{{reset}}"),
        ],
    }
}

/// The `type` and `code` of an error that this adapter renders itself.
pub(crate) fn spelling(kind: ErrorKind) -> (&'static str, Option<&'static str>) {
    let found = SPELLINGS.iter().find(|(known, ..)| *known == kind);
    found.map_or(("server_error", None), |&(_, name, code, _)| (name, code))
}

/// The `code` of an error. Clients act upon two kinds by this format's own code, whatever a provider calls them: they
/// shorten the conversation, or wait.
pub(crate) fn code(error: &Error) -> Option<&str> {
    let (_, own) = spelling(error.kind);
    match error.kind {
        ErrorKind::ContextLength | ErrorKind::RateLimited => own.or(error.code.as_deref()),
        _ => error.code.as_deref().or(own),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_has_a_spelling() {
        for kind in ErrorKind::ALL {
            assert_eq!(SPELLINGS.iter().filter(|(known, ..)| *known == kind).count(), 1, "{kind:?}");
        }
    }

    #[test]
    fn templates_are_json_once_their_placeholders_are_filled() {
        let filled = ["message", "kind", "param", "code"]
            .iter()
            .fold(ERROR_BODY.to_owned(), |body, placeholder| body.replace(&format!("{{{{{placeholder}}}}}"), "null"));
        assert!(serde_json::from_str::<serde_json::Value>(&filled).is_ok(), "{filled}");
        assert!(serde_json::from_str::<serde_json::Value>(&describe().settings).is_ok());
    }

    #[test]
    fn objects_are_found_where_each_format_names_them() {
        let ids = |path: &str| faces().into_iter().find(|face| face.path == path).unwrap().object_ids;
        assert_eq!(
            ids("/v1/chat/completions"),
            [
                "/messages/*/content/*/file/file_id",
                "/messages/*/content/*/file_id",
                "/messages/*/audio/id",
                "{audio}/choices/*/message/audio/id",
                "{audio}/choices/*/delta/audio/id",
                "{store}/id"
            ]
        );
        assert!(ids("/v1/completions").is_empty());
        let of_responses = ids("/v1/responses");
        for place in ["/prompt", "/prompt/id", "/input/*/output/*/file_id", "/tools/*/input_image_mask/file_id"] {
            assert!(of_responses.iter().any(|one| one == place), "{place}");
        }
    }

    #[test]
    fn every_format_with_a_face_is_declared() {
        let manifest = describe();
        for face in &manifest.faces {
            assert!(manifest.formats.iter().any(|format| format.id == face.format), "{}", face.format);
        }
    }
}

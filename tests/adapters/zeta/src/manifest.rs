//! The adapter's manifest: every feature of the manifest that real formats use, under other names.

use weir_sdk::adapter::About;
use weir_sdk::manifest::{
    Acceptance, AnswerFraming, Auth, AuthScheme, BodyKind, Bucket, CONTRACT, Capabilities, Condition, CredentialPlace,
    ErrorFormat, Exclusion, Face, Feature, FixedQuery, Format, FrameTemplate, FrameTest, Isolation, Manifest,
    ModelPlace, ModelPointer, Oauth, Operation, PointerEquals, StreamFlag, StreamPointer, Suggestions, Tap, UsagePlace,
    UsageRequest, strings,
};
use weir_sdk::types::{Framing, Header};

use crate::{CHANT, PARLEY, ROSTER, TALLY, VECTORS, Zeta, version, woe};

/// JSON Schema of the options.
const SETTINGS: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "auth": {"enum": ["seal", "query", "open", "signed", "token", "stray", "account"]},
    "token_url": {"type": "string", "description": "Where access tokens are to be had."},
    "quest": {"type": "boolean", "description": "Answers come in several steps."},
    "pause_ms": {"type": "integer", "minimum": 0, "description": "The pause between two steps."},
    "origin": {"type": "string", "description": "Where the steps after the first one go."}
  }
}"#;

impl About for Zeta {
    fn describe() -> Manifest {
        Manifest {
            name: "zeta".into(),
            version: version().into(),
            contract: CONTRACT.into(),
            description: "A made-up format and provider".into(),
            family: "zeta".into(),
            settings: SETTINGS.into(),
            isolation: Isolation::Fresh,
            takes_blobs: true,
            suggests: Suggestions { url: None, key_variables: Vec::new(), models: Vec::new(), origins: Vec::new() },
            formats: [PARLEY, VECTORS, ROSTER, TALLY, CHANT].map(format).into(),
            faces: faces(),
            accepts: accepts(),
            auth: vec![
                Auth { name: "seal".into(), scheme: AuthScheme::Header(Header::new("zeta-seal", "wax:")) },
                Auth { name: "query".into(), scheme: AuthScheme::Query("seal".into()) },
                Auth { name: "open".into(), scheme: AuthScheme::Open },
                Auth { name: "signed".into(), scheme: AuthScheme::AwsSigv4("zeta".into()) },
                Auth {
                    name: "token".into(),
                    scheme: AuthScheme::Oauth2ClientCredentials(oauth("{origin}/zeta/token")),
                },
                Auth {
                    name: "stray".into(),
                    scheme: AuthScheme::Oauth2ClientCredentials(oauth("http://127.0.0.1:9/zeta/token")),
                },
                Auth { name: "account".into(), scheme: AuthScheme::ServiceAccount(oauth("{origin}/zeta/token")) },
            ],
            capabilities: Capabilities {
                operations: vec![Operation::Chat, Operation::Embeddings, Operation::Models, Operation::CountTokens],
                media: Vec::new(),
                tools: true,
                counts_tokens: true,
            },
        }
    }
}

fn oauth(token_url: &str) -> Oauth {
    Oauth { token_url: token_url.into(), scopes: strings(["talk", "list"]) }
}

fn chants() -> Operation {
    Operation::Other("chants".into())
}

fn kind(name: &str) -> FrameTest {
    FrameTest::Equals(PointerEquals { pointer: "/k".into(), json: format!("\"{name}\"") })
}

fn format(id: &str) -> Format {
    let tap = matches!(id, PARLEY | VECTORS | CHANT).then(tap);
    Format { id: id.into(), errors: Some(errors()), tap, session: None }
}

fn tap() -> Tap {
    let place = |bucket, member: &str, includes: Vec<Bucket>| UsagePlace {
        includes,
        ..UsagePlace::new(bucket, vec![format!("/toll/{member}")])
    };
    Tap {
        usage: vec![
            place(Bucket::Input, "all_in", vec![Bucket::CacheRead, Bucket::CacheWrite]),
            place(Bucket::CacheRead, "of_cached", Vec::new()),
            place(Bucket::CacheWrite, "of_written", Vec::new()),
            place(Bucket::Output, "all_out", vec![Bucket::Reasoning]),
            place(Bucket::Reasoning, "of_musing", Vec::new()),
        ],
        finish: strings(["/ended"]),
        model: strings(["/brain"]),
        content: vec![kind("bit"), kind("want")],
        end: vec![kind("bye")],
        failure: vec![kind("woe")],
        ..Tap::default()
    }
}

fn errors() -> ErrorFormat {
    ErrorFormat {
        body: woe::TEMPLATE.into(),
        spellings: woe::spellings(),
        headers: vec![Header::new("zeta-woe", "{{request_id}}")],
        stream_failure: Some(FrameTemplate { event: None, data: woe::FRAME.into() }),
        keep_alive: Some(FrameTemplate { event: None, data: r#"{"k":"still"}"#.into() }),
        request_id_header: Some("zeta-ref".into()),
        rate_limit_headers: vec![Header::new("zeta-left-{{scope}}", "{{remaining}}")],
    }
}

fn faces() -> Vec<Face> {
    let drip = StreamFlag::Query(Header::new("drip", "yes"));
    let parley = |path: &str, place: ModelPlace| Face {
        stream: drip.clone(),
        output_limit: strings(["/tuning/most"]),
        features: vec![Feature { name: "tools".into(), tests: vec![FrameTest::Present("/deeds".into())] }],
        framings: vec![
            AnswerFraming {
                framing: Framing::JsonArray,
                when: Some(Condition::QueryEquals(Header::new("shape", "array"))),
            },
            AnswerFraming { framing: Framing::Ndjson, when: None },
        ],
        ..face(PARLEY, Operation::Chat, path, place)
    };
    let brain = |prefix: &str, pointer: &str| {
        ModelPlace::Pointer(ModelPointer { pointer: pointer.into(), prefix: prefix.into() })
    };
    let roster = |path: &str, model: Vec<ModelPlace>| Face {
        method: "GET".into(),
        model,
        body: BodyKind::Empty,
        ..face(ROSTER, Operation::Models, path, ModelPlace::Path)
    };
    vec![
        parley("/zeta/v0/minds/{model}:parley", ModelPlace::Path),
        parley("/zeta/v0/parley", brain("minds/", "/brain/called")),
        face(VECTORS, Operation::Embeddings, "/zeta/v0/vectors", brain("", "/brain")),
        face(TALLY, Operation::CountTokens, "/zeta/v0/minds/{model}:tally", ModelPlace::Path),
        Face {
            body: BodyKind::Multipart,
            stream: StreamFlag::Pointer(StreamPointer { pointer: "/drip".into(), fallback: false }),
            framings: vec![AnswerFraming { framing: Framing::Ndjson, when: None }],
            ..face(CHANT, chants(), "/zeta/v0/chants", ModelPlace::Field("brain".into()))
        },
        roster("/zeta/v0/roster", Vec::new()),
        roster("/zeta/v0/roster/{model}", vec![ModelPlace::Path]),
    ]
}

fn face(format: &str, operation: Operation, path: &str, model: ModelPlace) -> Face {
    Face {
        format: format.into(),
        operation,
        method: "POST".into(),
        path: path.into(),
        prefixes: strings(["/odd"]),
        when: None,
        credentials: vec![
            CredentialPlace::Header(Header::new("zeta-pass", "pass ")),
            CredentialPlace::Query("pass".into()),
        ],
        model: vec![model],
        stream: StreamFlag::Constant(false),
        body: BodyKind::Json,
        output_limit: Vec::new(),
        candidates: Vec::new(),
        service_tier: Vec::new(),
        end_user: Vec::new(),
        object_ids: Vec::new(),
        features: Vec::new(),
        request_headers: strings(["zeta-mood"]),
        framings: Vec::new(),
    }
}

fn accepts() -> Vec<Acceptance> {
    vec![
        Acceptance {
            stream_path: Some("minds/{model}:parley-drip".into()),
            query: vec![FixedQuery { name: "shape".into(), value: "lines".into(), stream: Some(true) }],
            exclusions: vec![Exclusion {
                test: FrameTest::Present("/tuning/old_heat".into()),
                reason: "the provider calls it heat".into(),
            }],
            ask_usage: Some(UsageRequest { pointer: "/tell/toll".into(), json: "true".into(), withheld: kind("toll") }),
            ..acceptance(PARLEY, Operation::Chat, "minds/{model}:parley")
        },
        acceptance(VECTORS, Operation::Embeddings, "vectors"),
        Acceptance { stream_path: Some("chants-drip".into()), ..acceptance(CHANT, chants(), "chants") },
        acceptance(TALLY, Operation::CountTokens, "minds/{model}:tally"),
    ]
}

fn acceptance(format: &str, operation: Operation, path: &str) -> Acceptance {
    Acceptance {
        format: format.into(),
        operation,
        method: "POST".into(),
        path: path.into(),
        stream_path: None,
        query: Vec::new(),
        query_forwarded: strings(["mood"]),
        request_headers: strings(["zeta-mood", "zeta-x-*"]),
        set_headers: vec![Header::new("zeta-era", "third")],
        response_headers: strings(["zeta-ref", "zeta-left-*", "retry-after"]),
        exclusions: Vec::new(),
        ask_usage: None,
        transport: None,
        preferred: true,
    }
}

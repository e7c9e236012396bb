//! The endpoints for clients: the methods of a model, below each version of the API. A relayed request goes to the
//! version in the provider's url, whichever the client has.

use weir_sdk::manifest::{
    AnswerFraming, Condition, CredentialPlace, Face, Feature, FrameTest, ModelPlace, ModelPointer, Operation,
    StreamFlag, features, strings,
};
use weir_sdk::types::{Framing, Header};

use crate::{BATCH_EMBED, EMBED, FORMAT};

/// Prefix of the base urls that clients of this format are configured with.
pub(super) const PREFIX: &str = "/genai";
/// The versions of the API by which clients ask; requests and messages are the same.
pub(super) const VERSIONS: [&str; 3] = ["v1beta", "v1", "v1alpha"];

pub(super) fn all() -> Vec<Face> {
    let mut faces = Vec::new();
    for version in VERSIONS {
        let path = |method: &str| format!("/{version}/models/{{model...}}:{method}");
        faces.push(chat(path("generateContent"), false));
        faces.push(chat(path("streamGenerateContent"), true));
        let count = Operation::CountTokens;
        let counted = ["/model", "/generateContentRequest/model", "/generate_content_request/model"];
        faces.push(post(FORMAT, count, path("countTokens"), &counted));
        faces.push(post(EMBED, Operation::Embeddings, path("embedContent"), &["/model"]));
        let each = ["/requests/*/model"];
        faces.push(post(BATCH_EMBED, Operation::Embeddings, path("batchEmbedContents"), &each));
    }
    for path in ["models", "models/{model...}"] {
        for version in VERSIONS {
            // Below the prefix no other format is possible; without it many formats have the path of `v1`.
            faces.push(models(format!("{PREFIX}/{version}/{path}"), None));
            faces.extend((version != "v1").then(|| models(format!("/{version}/{path}"), None)));
        }
        faces.push(models(format!("/v1/{path}"), Some(Condition::HeaderPresent("x-goog-api-key".into()))));
        faces.push(models(format!("/v1/{path}"), Some(Condition::QueryPresent("key".into()))));
    }
    faces
}

/// Where a request limits its output, and asks for several candidates.
pub(super) const OUTPUT_LIMITS: [&str; 4] = [
    "/generationConfig/maxOutputTokens",
    "/generationConfig/max_output_tokens",
    "/generation_config/maxOutputTokens",
    "/generation_config/max_output_tokens",
];
pub(super) const CANDIDATES: [&str; 4] = [
    "/generationConfig/candidateCount",
    "/generationConfig/candidate_count",
    "/generation_config/candidateCount",
    "/generation_config/candidate_count",
];

fn chat(path: String, streams: bool) -> Face {
    let sse = Condition::QueryEquals(Header::new("alt", "sse"));
    let framings = vec![
        AnswerFraming { framing: Framing::Sse, when: Some(sse) },
        AnswerFraming { framing: Framing::JsonArray, when: None },
    ];
    Face {
        stream: StreamFlag::Constant(streams),
        output_limit: strings(OUTPUT_LIMITS),
        candidates: strings(CANDIDATES),
        service_tier: strings(["/serviceTier", "/service_tier"]),
        framings: if streams { framings } else { Vec::new() },
        ..post(FORMAT, Operation::Chat, path, &["/model"])
    }
}

/// Where a request names objects. The service takes one element in place of a list of one.
fn objects() -> Vec<String> {
    let own = strings(["/cachedContent", "/cached_content"]);
    own.into_iter().chain(files("/contents")).chain(searches("/tools")).collect()
}

/// Where contents at a place name files.
pub(super) fn files(contents: &str) -> impl Iterator<Item = String> {
    ["/*/parts/*", "/*/parts", "/parts/*", "/parts"]
        .into_iter()
        .flat_map(move |part| ["fileData/fileUri", "file_data/file_uri"].map(|file| format!("{contents}{part}/{file}")))
}

/// Where tools at a place name stores of files.
pub(super) fn searches(tools: &str) -> impl Iterator<Item = String> {
    ["/*", ""].into_iter().flat_map(move |each| {
        ["fileSearch", "file_search"].into_iter().flat_map(move |search| {
            ["fileSearchStoreNames", "file_search_store_names"]
                .into_iter()
                .flat_map(move |stores| ["", "/*"].map(|one| format!("{tools}{each}/{search}/{stores}{one}")))
        })
    })
}

fn post(format: &str, operation: Operation, path: String, models: &[&str]) -> Face {
    let pointer = |at: &&str| ModelPlace::Pointer(ModelPointer { pointer: (*at).to_owned(), prefix: "models/".into() });
    let mut model = vec![ModelPlace::Path];
    model.extend(models.iter().map(pointer));
    Face {
        prefixes: strings([PREFIX]),
        credentials: credentials(),
        model,
        object_ids: objects(),
        features: features_of_contents(),
        ..Face::post(format, operation, path)
    }
}

pub(super) fn credentials() -> Vec<CredentialPlace> {
    vec![CredentialPlace::header("x-goog-api-key"), CredentialPlace::Query("key".into()), CredentialPlace::bearer()]
}

fn models(path: String, when: Option<Condition>) -> Face {
    Face { when, credentials: credentials(), ..Face::get(FORMAT, Operation::Models, path) }
}

/// Media types that identify a medium; there is no test for the beginning of a text.
const IMAGES: [&str; 6] = ["image/png", "image/jpeg", "image/webp", "image/gif", "image/heic", "image/heif"];
const AUDIO: [&str; 8] =
    ["audio/wav", "audio/mp3", "audio/mpeg", "audio/aac", "audio/ogg", "audio/flac", "audio/aiff", "audio/webm"];
const DOCUMENTS: [&str; 5] = ["application/pdf", "text/plain", "text/csv", "text/html", "text/markdown"];

fn features_of_contents() -> Vec<Feature> {
    let config = |names: [&str; 2]| {
        let [camel, snake] = names;
        ["generationConfig", "generation_config"]
            .iter()
            .flat_map(|config| [format!("/{config}/{camel}"), format!("/{config}/{snake}")])
            .map(FrameTest::present)
            .collect::<Vec<_>>()
    };
    let mut schema = config(["responseSchema", "response_schema"]);
    schema.extend(config(["responseJsonSchema", "response_json_schema"]));
    schema.extend(config(["responseJsonSchemaOrdered", "response_json_schema_ordered"]));
    features([
        ("tools", functions()),
        ("vision", media(&IMAGES)),
        ("audio", media(&AUDIO)),
        ("documents", media(&DOCUMENTS)),
        ("schema", schema),
        ("reasoning", config(["thinkingConfig", "thinking_config"])),
    ])
}

/// Functions, in a list of tools or in the only one. The other tools run at the provider, also with models that call no
/// functions (those for images).
fn functions() -> Vec<FrameTest> {
    let names = ["functionDeclarations", "function_declarations"];
    ["/tools/*", "/tools"]
        .iter()
        .flat_map(|place| names.map(|name| format!("{place}/{name}")))
        .map(FrameTest::present)
        .collect()
}

fn media(types: &[&str]) -> Vec<FrameTest> {
    let places = ["inlineData/mimeType", "inline_data/mime_type", "fileData/mimeType", "file_data/mime_type"];
    let test = |place: &str, mime: &str| FrameTest::equals(format!("/contents/*/parts/*/{place}"), mime);
    places.iter().flat_map(|place| types.iter().map(|mime| test(place, mime))).collect()
}

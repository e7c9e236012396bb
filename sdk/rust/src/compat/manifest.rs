//! Builds the manifest of a compatible provider from its quirks.

mod exclusions;
mod taps;

pub use taps::{chat_tap, completions_tap, embeddings_tap, place, rerank_tap, responses_tap};

use crate::compat::quirks::{Paths, Quirks, Vectors};
use crate::compat::{completions, embeddings, models, relayed, rerank, responses, wire};
use crate::manifest::{
    Acceptance, Capabilities, FixedQuery, Format, FrameTest, Manifest, Operation, PointerEquals, Suggestions, Tap,
    UsageRequest, strings,
};
use crate::types::Header;
use exclusions::{embedding_exclusions, exclusions, refused_seeds, responses_exclusions};
use taps::{responses_tap_of, tap_of};

/// The manifest. Adapters with faces or more operations add them to it.
pub fn describe(quirks: &Quirks) -> Manifest {
    let owned = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
    Manifest {
        family: "openai".to_owned(),
        settings: quirks.settings.to_owned(),
        suggests: Suggestions {
            url: quirks.url.map(str::to_owned),
            key_variables: owned(quirks.key_variables),
            models: owned(quirks.models),
            origins: Vec::new(),
        },
        formats: formats(quirks),
        accepts: accepts(quirks),
        auth: quirks.auth.iter().map(|scheme| scheme.auth()).collect(),
        capabilities: capabilities(quirks),
        ..Manifest::new(quirks.name, env!("CARGO_PKG_VERSION"), quirks.description)
    }
}

fn formats(quirks: &Quirks) -> Vec<Format> {
    let format = |id: &str, tap: Option<Tap>| Format { tap, ..Format::new(id) };
    let mut formats = vec![format(wire::FORMAT, Some(tap_of(quirks)))];
    if !quirks.paths.completions.is_empty() {
        formats.push(format(completions::FORMAT, Some(completions_tap())));
    }
    if !quirks.paths.responses.is_empty() {
        formats.push(format(responses::FORMAT, Some(responses_tap_of(quirks))));
    }
    if !quirks.paths.embeddings.is_empty() {
        formats.push(format(embeddings::FORMAT, Some(embeddings_tap())));
    }
    if !quirks.paths.models.is_empty() {
        formats.push(format(models::FORMAT, None));
    }
    if !quirks.paths.rerank.is_empty() {
        formats.push(format(rerank::FORMAT, Some(rerank_tap())));
    }
    let is_relayed = |id: &str| quirks.paths.relayed.iter().any(|(kind, _)| kind.format() == id);
    let taps = relayed::taps(quirks.audio_seconds).into_iter().filter(|(id, _)| is_relayed(id));
    formats.extend(taps.map(|(id, tap)| format(id, Some(tap))));
    formats
}

fn capabilities(quirks: &Quirks) -> Capabilities {
    let mut operations = vec![Operation::Chat];
    let paths = quirks.paths;
    let optional = [
        (paths.embeddings, Operation::Embeddings),
        (paths.models, Operation::Models),
        (paths.rerank, Operation::Rerank),
    ];
    operations.extend(optional.into_iter().filter(|(path, _)| !path.is_empty()).map(|(_, operation)| operation));
    let takes = quirks.media;
    let media = [("image", takes.images), ("audio", takes.audio), ("video", takes.video), ("document", takes.files)];
    Capabilities {
        operations,
        media: media.iter().filter(|(_, taken)| *taken).map(|(name, _)| (*name).to_owned()).collect(),
        tools: quirks.tools,
        counts_tokens: false,
    }
}

/// The formats that the provider takes unchanged: first the paths that depend on an option, then the usual ones.
fn accepts(quirks: &Quirks) -> Vec<Acceptance> {
    let mut accepts = Vec::new();
    for variant in quirks.variants {
        let at = accepts.len();
        accepts.extend(accepts_at(quirks, variant.paths));
        for acceptance in accepts.iter_mut().skip(at).filter(|_| !variant.query.is_empty()) {
            let value = format!("{{option.{}}}", variant.option);
            acceptance.query.push(FixedQuery { name: variant.query.to_owned(), value, stream: None });
        }
    }
    accepts.extend(accepts_at(quirks, quirks.paths));
    accepts
}

fn accepts_at(quirks: &Quirks, paths: Paths) -> Vec<Acceptance> {
    let mut accepts = vec![Acceptance {
        exclusions: exclusions(quirks),
        ask_usage: (quirks.stream_usage && !quirks.tells_usage).then(ask_usage),
        preferred: true,
        ..acceptance(wire::FORMAT, Operation::Chat, "POST", paths.chat)
    }];
    if !paths.completions.is_empty() {
        accepts.push(Acceptance {
            exclusions: refused_seeds(quirks).into_iter().collect(),
            ask_usage: (quirks.stream_usage && !quirks.tells_usage).then(ask_usage),
            ..acceptance(completions::FORMAT, Operation::Chat, "POST", paths.completions)
        });
    }
    if !paths.responses.is_empty() {
        accepts.push(Acceptance {
            exclusions: responses_exclusions(quirks),
            ..acceptance(responses::FORMAT, Operation::Chat, "POST", paths.responses)
        });
    }
    if !paths.embeddings.is_empty() && quirks.vectors == Vectors::Floats {
        accepts.push(Acceptance {
            exclusions: embedding_exclusions(quirks),
            ..acceptance(embeddings::FORMAT, Operation::Embeddings, "POST", paths.embeddings)
        });
    }
    if !paths.rerank.is_empty() {
        accepts.push(acceptance(rerank::FORMAT, Operation::Rerank, "POST", paths.rerank));
    }
    if !paths.models.is_empty() {
        accepts.push(acceptance(models::FORMAT, Operation::Models, "GET", paths.models));
        let one = format!("{}/{{model}}", paths.models);
        accepts.push(acceptance(models::FORMAT, Operation::Models, "GET", &one));
    }
    for (kind, path) in paths.relayed {
        accepts.push(acceptance(kind.format(), kind.operation(), "POST", path));
    }
    for acceptance in &mut accepts {
        acceptance.set_headers = option_headers(quirks);
    }
    accepts
}

/// Headers whose values come from options.
pub fn option_headers(quirks: &Quirks) -> Vec<Header> {
    let header = |(name, option): &(&str, &str)| Header::new(*name, format!("{{option.{option}}}"));
    quirks.option_headers.iter().map(header).collect()
}

/// An acceptance with OpenAI's headers and nothing else.
pub fn acceptance(format: &str, operation: Operation, method: &str, path: &str) -> Acceptance {
    Acceptance {
        request_headers: strings(["openai-beta", "idempotency-key", "x-client-request-id"]),
        response_headers: strings(RESPONSE_HEADERS),
        ..Acceptance::new(format, operation, method, path)
    }
}

const RESPONSE_HEADERS: [&str; 8] = [
    "x-request-id",
    "request-id",
    "openai-*",
    "x-ratelimit-*",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "content-language",
];

/// `stream_options.include_usage`, and the chunk that comes only because of it (C-57).
pub fn ask_usage() -> UsageRequest {
    UsageRequest {
        pointer: "/stream_options/include_usage".to_owned(),
        json: "true".to_owned(),
        withheld: FrameTest::Equals(PointerEquals { pointer: "/choices".to_owned(), json: "[]".to_owned() }),
    }
}

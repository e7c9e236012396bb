//! Recorded requests to compatible providers, through the dialect and through the base with each one's quirks: they
//! come out meaning the same. The quirks here are what an adapter of that provider would say.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test: what does not hold fails it")]

mod corpus {
    #![allow(dead_code, reason = "shared with another test")]
    pub(crate) mod recording;
    pub(crate) mod same;
}

use corpus::recording::all;
use corpus::same::{describe, normal_request};
use serde_json::Value;
use weir_adapter_openai::OpenAi;
use weir_sdk::adapter::DialectChat;
use weir_sdk::compat::quirks::{Cache, Effort, Media, Quirks, Thinking};
use weir_sdk::compat::request::render;
use weir_sdk::types::{Context, HttpRequest};

const BASE: Quirks = Quirks {
    max_tokens: "max_completion_tokens",
    developer_role: true,
    efforts: &["none", "minimal", "low", "medium", "high", "xhigh", "max"],
    media: Media { audio: true, files: true, file_urls: true, video: true, ..Quirks::COMPATIBLE.media },
    ..Quirks::COMPATIBLE
};

const ROUTER: Quirks = Quirks {
    effort: Effort::Object,
    thinking: Thinking::Details,
    issuers: &["*"],
    cache: Cache::Control,
    media: Media { in_tools: true, ..BASE.media },
    tool_types: &["*"],
    ..BASE
};

const PROVIDERS: &[(&str, Quirks)] = &[
    ("azure_openai", BASE),
    ("cerebras", Quirks { thinking: Thinking::Reasoning, ..BASE }),
    ("deepseek", Quirks { effort: Effort::ThinkingAndEffort, ..BASE }),
    ("groq", Quirks { thinking: Thinking::Reasoning, ..BASE }),
    ("huggingface", BASE),
    ("llamacpp", Quirks { media: Media { in_tools: true, ..BASE.media }, ..BASE }),
    (
        "mistral",
        Quirks {
            thinking: Thinking::Parts,
            seed: "random_seed",
            tool_required: "any",
            media: Media { document_urls: true, bare_audio: true, ..BASE.media },
            ..BASE
        },
    ),
    ("openrouter", ROUTER),
    ("perplexity", BASE),
    ("together", BASE),
    ("vercel_gateway", ROUTER),
    ("xai", BASE),
    ("zai", Quirks { effort: Effort::ThinkingAndEffort, ..BASE }),
];

/// Requests that come out differently on purpose.
const EXCUSED: &[(&str, &str)] = &[
    ("mistral-chat-104077afd578", "the texts of one thought are joined"),
    ("together-chat-4daaff215925", "`function_call` without `functions` says nothing"),
];

#[test]
fn requests_to_compatible_providers_mean_the_same() {
    let mut differences = Vec::new();
    for recording in
        all(&["chat"]).into_iter().filter(|recording| recording.is_openai_shaped() && recording.status < 400)
    {
        let Some((_, quirks)) = PROVIDERS.iter().find(|(name, _)| recording.id.starts_with(&format!("{name}-"))) else {
            continue;
        };
        let Some(body) = recording.request_body() else { continue };
        let ctx = Context { model: body["model"].as_str().unwrap_or_default().into(), ..Context::default() };
        let request = HttpRequest::post("", body.to_string());
        let parsed = <OpenAi as DialectChat>::parse_request(&ctx, request).unwrap();
        let rendered = match render(quirks, &ctx, parsed.request) {
            Ok(rendered) => rendered,
            Err(error) => {
                differences.push(format!("{}: {} {:?}", recording.id, error.message, error.param));
                continue;
            }
        };
        let is: Value = serde_json::from_str(rendered.request.body.as_text().unwrap()).unwrap();
        let (was, is) = (normal_request(body), normal_request(&is));
        if was != is && !EXCUSED.iter().any(|(id, _)| *id == recording.id) {
            differences.push(format!("{}{}", recording.id, describe("", &was, &is)));
        }
    }
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

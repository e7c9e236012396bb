//! The recordings of the real services: whose, in which format, and what each is.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use weir_tests::parsed_answer::{Format, ParsedAnswer};
use weir_tests::{Answer, Request};

use crate::wire_format::{
    ANTHROPIC, BEDROCK, COHERE, COMPLETIONS, GEMINI, OLLAMA, OLLAMA_GENERATE, OPENAI, RESPONSES, WireFormat,
};

/// The recordings of one service in one format.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    /// Their folder below the recordings'.
    folder: &'static str,
    /// The adapter that reads them.
    pub(super) adapter: &'static str,
    pub(super) wire_format: WireFormat,
}

impl Service {
    /// What the provider's configuration says beyond the usual.
    pub(super) fn settings(self) -> &'static str {
        match (self.adapter, self.wire_format) {
            ("vertex", GEMINI) => {
                "format = \"gemini.generate\"\noptions = { auth = \"bearer\", project = \"p\", call_ids = true }\n"
            }
            ("vertex", _) => {
                "format = \"anthropic.messages\"\noptions = { auth = \"bearer\", project = \"p\", call_ids = true }\n"
            }
            (_, wire_format) => wire_format.settings(),
        }
    }
}

const fn service(folder: &'static str, adapter: &'static str, wire_format: WireFormat) -> Service {
    Service { folder, adapter, wire_format }
}

/// The services that take requests in their format unchanged, and that answer as its specification says.
pub(crate) const SERVICES: [Service; 15] = [
    service("openai/chat", "openai", OPENAI),
    service("anthropic/chat", "anthropic", ANTHROPIC),
    service("gemini/chat", "gemini", GEMINI),
    service("openai/completions", "openai", COMPLETIONS),
    service("openai/responses", "openai", RESPONSES),
    service("azure_openai/responses", "azure-openai", RESPONSES),
    service("bedrock/responses", "openai", RESPONSES),
    service("deepseek/responses", "deepseek", RESPONSES),
    service("llamacpp/responses", "openai", RESPONSES),
    service("openrouter/responses", "openrouter", RESPONSES),
    service("xai/responses", "xai", RESPONSES),
    service("cohere/chat", "cohere", COHERE),
    service("ollama/chat", "ollama", OLLAMA),
    service("ollama/completions", "ollama", OLLAMA_GENERATE),
    service("bedrock/chat", "bedrock", BEDROCK),
];

/// The services whose formats are nearly those of others, and those that no client can call in their own format.
pub(crate) const COMPATIBLE: [Service; 25] = [
    service("azure_openai/chat", "azure-openai", OPENAI),
    service("bedrock/chat", "openai", OPENAI),
    service("cerebras/chat", "openai", OPENAI),
    service("cloudflare/chat", "openai", OPENAI),
    service("crusoe/chat", "openai", OPENAI),
    service("databricks/chat", "databricks", OPENAI),
    service("deepseek/chat", "deepseek", OPENAI),
    service("doubleword/chat", "openai", OPENAI),
    service("groq/chat", "groq", OPENAI),
    service("heroku/chat", "openai", OPENAI),
    service("huggingface/chat", "huggingface", OPENAI),
    service("llamacpp/chat", "openai", OPENAI),
    service("mistral/chat", "mistral", OPENAI),
    service("ollama/chat", "openai", OPENAI),
    service("openrouter/chat", "openrouter", OPENAI),
    service("perplexity/chat", "perplexity", OPENAI),
    service("snowflake/chat", "openai", OPENAI),
    service("together/chat", "together", OPENAI),
    service("together/completions", "together", COMPLETIONS),
    service("vercel_gateway/chat", "openai", OPENAI),
    service("vertex/chat", "vertex", GEMINI),
    service("vertex/chat", "vertex", ANTHROPIC),
    service("xai/chat", "xai", OPENAI),
    service("zai/chat", "openai", OPENAI),
    service("anthropic/chat", "openai", OPENAI),
];

/// A recorded exchange.
pub(crate) struct Recording {
    pub(crate) id: String,
    wire_format: WireFormat,
    model: String,
    pub(crate) stream: bool,
    features: Vec<String>,
    path: String,
    pub(super) request: Value,
    kind: String,
    pub(super) body: Vec<u8>,
}

fn folder() -> PathBuf {
    weir_tests::plugins::root().join("../shared/fixtures")
}

/// The successful chats of a service; none if the recordings are not available.
pub(crate) fn recordings(service: Service) -> Vec<Recording> {
    let Ok(entries) = std::fs::read_dir(folder().join(service.folder)) else {
        println!("skipped: there are no recordings in {}", service.folder);
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    files.iter().filter_map(|file| recording(service.wire_format, &std::fs::read_to_string(file).ok()?)).collect()
}

fn recording(wire_format: WireFormat, text: &str) -> Option<Recording> {
    let whole: Value = serde_json::from_str(text).ok()?;
    let response = &whole["response"];
    let body = match (&response["body_text"], &response["body_base64"]) {
        (Value::String(text), _) => text.clone().into_bytes(),
        (_, Value::String(bytes)) => STANDARD.decode(bytes).ok()?,
        _ => serde_json::to_vec_pretty(&response["body"]).ok()?,
    };
    let path = whole["request"]["path_and_query"].as_str()?;
    let place = path.split('?').next()?;
    // A service's folder also has recordings in other formats that it knows.
    let is_chat = match wire_format.format {
        Format::OpenAi => place.ends_with("/chat/completions"),
        Format::Completions => place == "/v1/completions",
        Format::Responses => place.ends_with("/responses"),
        Format::Anthropic => place == "/v1/messages" || place.ends_with("awPredict"),
        // Without `alt=sse`, a stream is a list, which Weir never asks for.
        Format::Gemini => place.ends_with("enerateContent") && whole["framing"] != "json_array",
        Format::Cohere => place == "/v2/chat",
        Format::Ollama => place == "/api/chat",
        Format::OllamaGenerate => place == "/api/generate",
        Format::Bedrock => place.ends_with("/converse") || place.ends_with("/converse-stream"),
        Format::Zeta => false,
    };
    // Gemini's has it in the path, and Bedrock's.
    let in_path = || match place.strip_prefix("/model/") {
        Some(rest) => Some(rest.rsplit_once('/')?.0.replace("%3A", ":").replace("%2F", "/")),
        None => Some(place.rsplit_once('/')?.1.split(':').next()?.to_owned()),
    };
    let in_body = || Some(whole["request"]["body"]["model"].as_str()?.to_owned());
    let features = whole["features"].as_array()?.iter().filter_map(|word| Some(word.as_str()?.to_owned())).collect();
    (response["status"] == 200 && is_chat).then(|| Recording {
        id: whole["id"].as_str().unwrap_or_default().to_owned(),
        wire_format,
        model: in_body().or_else(in_path).unwrap_or_default(),
        stream: whole["streaming"] == true,
        features,
        path: path.to_owned(),
        request: whole["request"]["body"].clone(),
        kind: response["headers"]["content-type"].as_str().unwrap_or("application/json").to_owned(),
        body,
    })
}

impl Recording {
    /// The same request, with white space added.
    pub(super) fn request(&self) -> Request {
        let body = serde_json::to_string_pretty(&self.request).unwrap();
        match self.wire_format.format {
            Format::Anthropic => Request::post("/v1/messages", body).header("anthropic-version", "2023-06-01"),
            Format::OpenAi => Request::post("/v1/chat/completions", body),
            Format::Responses => Request::post("/v1/responses", body),
            _ => Request::post(&self.path, body),
        }
    }

    /// The requested model.
    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    pub(crate) fn answer(&self) -> Answer {
        Answer::begin(200, &[("content-type", &self.kind)]).pieces(&self.body, 617).end()
    }

    pub(crate) fn parsed(&self) -> ParsedAnswer {
        parse(self.wire_format.format, self.stream, &self.body)
    }

    pub(super) fn has(&self, feature: &str) -> bool {
        self.features.iter().any(|word| word == feature)
    }

    /// Whether the service's answer is an error, or ends in one.
    pub(crate) fn fails(&self) -> bool {
        self.parsed().error.is_some()
    }

    /// Whether the recorded stream stops before its end.
    pub(crate) fn is_cut(&self) -> bool {
        self.has("stream_cut") || (self.stream && !self.parsed().complete)
    }
}

pub(super) fn parse(format: Format, stream: bool, body: &[u8]) -> ParsedAnswer {
    if stream {
        ParsedAnswer::stream(format, body)
    } else {
        ParsedAnswer::whole(format, &serde_json::from_slice(body).unwrap_or_default())
    }
}

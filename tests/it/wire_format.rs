//! The formats, with clients' requests and providers' answers. All answers have the same content.

mod answer;

use weir_tests::parsed_answer::{Format, ParsedAnswer, Tokens};
use weir_tests::{Answer, Gate, Received, Reply, Request, Upstream};

pub(crate) use answer::gemini;

/// A format with its requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WireFormat {
    /// The name of a provider and of a model; the adapter has it too, unless it knows several formats.
    pub(crate) name: &'static str,
    /// The format that a client parses.
    pub(crate) format: Format,
}

pub(crate) const OPENAI: WireFormat = WireFormat { name: "openai", format: Format::OpenAi };
pub(crate) const ANTHROPIC: WireFormat = WireFormat { name: "anthropic", format: Format::Anthropic };
pub(crate) const ZETA: WireFormat = WireFormat { name: "zeta", format: Format::Zeta };
pub(crate) const GEMINI: WireFormat = WireFormat { name: "gemini", format: Format::Gemini };
pub(crate) const COMPLETIONS: WireFormat = WireFormat { name: "completions", format: Format::Completions };
pub(crate) const RESPONSES: WireFormat = WireFormat { name: "responses", format: Format::Responses };
pub(crate) const COHERE: WireFormat = WireFormat { name: "cohere", format: Format::Cohere };
pub(crate) const OLLAMA: WireFormat = WireFormat { name: "ollama", format: Format::Ollama };
pub(crate) const OLLAMA_GENERATE: WireFormat = WireFormat { name: "ollama-generate", format: Format::OllamaGenerate };
pub(crate) const BEDROCK: WireFormat = WireFormat { name: "bedrock", format: Format::Bedrock };
pub(crate) const ALL: [WireFormat; 3] = [OPENAI, ANTHROPIC, ZETA];

/// The other formats of chat.
pub(crate) const FURTHER: [WireFormat; 6] = [COMPLETIONS, RESPONSES, COHERE, OLLAMA, OLLAMA_GENERATE, BEDROCK];

/// All formats for attacks.
pub(crate) const EVERY: [WireFormat; 4] = [OPENAI, ANTHROPIC, ZETA, GEMINI];

/// The most common formats of clients and providers.
pub(crate) const PROVIDERS: [WireFormat; 3] = [OPENAI, ANTHROPIC, GEMINI];

/// The text of every answer.
pub(crate) const TEXT: &str = "Grüße, 世界 🦀!";
/// The token counts of every answer.
pub(crate) const TOKENS: Tokens = Tokens { input: 10, cached: 4, output: 7 };

/// A provider of each format, all at one upstream; for each a model that is relayed if possible (`openai`) and one that
/// is always translated (`openai-t`). Failures are reported at once, and no target rests after one.
pub(crate) fn config(upstream: &Upstream) -> String {
    config_of(&ALL, upstream)
}

/// The same configuration for these formats.
pub(crate) fn config_of(wire_formats: &[WireFormat], upstream: &Upstream) -> String {
    let one = |wire_format: &WireFormat| {
        let name = wire_format.name;
        format!(
            "[[providers]]\nname = \"{name}\"\nadapter = \"{}\"\nurl = \"{}\"\napi_key = \"KEY-OF-{name}\"\n{}\
             timeouts = {{ connect = \"5s\" }}\nretry = {{ max_retries = 0 }}\n\
             breaker = {{ min_attempts = 1000000, max_cooldown = \"0s\" }}\n\
             [[models]]\nalias = \"{name}\"\ntarget = {{ provider = \"{name}\", model = \"{name}\" }}\n\
             [[models]]\nalias = \"{name}-t\"\ntranslate = true\n\
             target = {{ provider = \"{name}\", model = \"{name}\" }}\n",
            wire_format.adapter(),
            upstream.url(),
            wire_format.settings(),
        )
    };
    wire_formats.iter().map(one).collect()
}

impl WireFormat {
    /// The adapter that reads the answers of this provider.
    pub(crate) fn adapter(self) -> &'static str {
        match self.format {
            Format::Completions | Format::Responses => "openai",
            Format::OllamaGenerate => "ollama",
            _ => self.name,
        }
    }

    /// What the provider's configuration says of its format beyond the usual.
    pub(crate) fn settings(self) -> &'static str {
        match self.format {
            Format::Completions => "format = \"openai.completions\"\n",
            Format::Responses => "format = \"openai.responses\"\n",
            Format::OllamaGenerate => "format = \"ollama.generate\"\n",
            Format::Bedrock => "region = \"us-east-1\"\nauth = \"bearer\"\n",
            _ => "",
        }
    }

    /// The name of this provider's model that is always translated.
    pub(crate) fn translated(self) -> String {
        format!("{}-t", self.name)
    }

    /// A client's request.
    pub(crate) fn request(self, model: &str, stream: bool) -> Request {
        match self.format {
            Format::OpenAi => {
                let options = if stream { ",\"stream_options\":{\"include_usage\":true}" } else { "" };
                let body = format!(
                    "{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hi\"}}],\"stream\":{stream}{options}}}"
                );
                Request::post("/v1/chat/completions", body)
            }
            Format::Completions => {
                let body = format!(r#"{{"model":"{model}","prompt":"Hi","max_tokens":64,"stream":{stream}}}"#);
                Request::post("/v1/completions", body)
            }
            Format::Responses => {
                let body = format!(r#"{{"model":"{model}","input":"Hi","stream":{stream}}}"#);
                Request::post("/v1/responses", body)
            }
            Format::Cohere | Format::Ollama => {
                let body =
                    format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"Hi"}}],"stream":{stream}}}"#);
                Request::post(if self.format == Format::Cohere { "/v2/chat" } else { "/api/chat" }, body)
            }
            Format::OllamaGenerate => {
                let body = format!(r#"{{"model":"{model}","prompt":"Hi","stream":{stream}}}"#);
                Request::post("/api/generate", body)
            }
            Format::Bedrock => {
                let method = if stream { "converse-stream" } else { "converse" };
                let body = r#"{"messages":[{"role":"user","content":[{"text":"Hi"}]}]}"#;
                Request::post(&format!("/model/{model}/{method}"), body)
            }
            Format::Anthropic => {
                let body = format!(
                    "{{\"model\":\"{model}\",\"max_tokens\":64,\"messages\":[{{\"role\":\"user\",\"content\":\"Hi\"}}],\"stream\":{stream}}}"
                );
                Request::post("/v1/messages", body).header("anthropic-version", "2023-06-01")
            }
            Format::Gemini => {
                let method = if stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
                let body = r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}"#;
                Request::post(&format!("/v1beta/models/{model}:{method}"), body)
            }
            Format::Zeta => {
                let drip = if stream { "?drip=yes" } else { "" };
                let body = "{\"scroll\":[{\"who\":\"pilgrim\",\"says\":\"Hi\"}],\"tell\":{\"toll\":true}}";
                Request::post(&format!("/zeta/v0/minds/{model}:parley{drip}"), body)
            }
        }
    }

    /// A stream, one event a piece.
    pub(crate) fn streamed(self) -> Answer {
        self.stream().iter().fold(self.begin(), |answer, piece| answer.piece(self.on_the_wire(piece))).end()
    }

    /// An answer whose end waits at a gate; of a stream, the first content arrives before.
    pub(crate) fn gated(self, gate: &Gate, stream: bool) -> Answer {
        if !stream {
            let head = Answer::begin(200, &[("content-type", "application/json")]);
            return head.gate(gate).piece(self.whole()).end();
        }
        let pieces = self.stream().into_iter().map(|piece| self.on_the_wire(&piece)).enumerate();
        let gated = |answer: Answer, (at, piece)| if at == 2 { answer.gate(gate) } else { answer }.piece(piece);
        pieces.fold(self.begin(), gated).end()
    }

    /// A whole answer with its head as bytes, so that all of it can wait at a gate.
    pub(crate) fn whole_with_head(self) -> String {
        let body = self.whole();
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    }

    /// The format in which a provider of one of [`PROVIDERS`] is asked, by the request's path.
    pub(crate) fn of(request: &Received) -> Self {
        let parts = [(ANTHROPIC, "/messages"), (GEMINI, "enerateContent")];
        let known = parts.into_iter().find(|(_, part)| request.line().contains(part));
        known.map_or(OPENAI, |(wire_format, _)| wire_format)
    }

    /// Whether a request to a provider of this format requests a stream.
    pub(crate) fn wants_stream(self, request: &Received) -> bool {
        match self.format {
            Format::Zeta => request.line().contains("drip"),
            Format::Gemini => request.line().contains("streamGenerateContent"),
            Format::Bedrock => request.line().ends_with("/converse-stream"),
            // Without the member, these stream.
            Format::Ollama | Format::OllamaGenerate => request.json()["stream"] != false,
            Format::OpenAi | Format::Completions | Format::Responses | Format::Anthropic | Format::Cohere => {
                request.json()["stream"] == true
            }
        }
    }

    /// Parses an answer as a client does.
    pub(crate) fn parsed(self, reply: &Reply, stream: bool) -> ParsedAnswer {
        if stream {
            ParsedAnswer::stream(self.format, &reply.body)
        } else {
            ParsedAnswer::whole(self.format, &reply.json())
        }
    }

    /// The message of an error in this format; `None` for other bodies.
    pub(crate) fn error(self, reply: &Reply) -> Option<String> {
        let body = reply.json();
        let (error, words) = match self.format {
            Format::OpenAi | Format::Completions | Format::Responses | Format::Gemini => (&body["error"], "message"),
            Format::Ollama | Format::OllamaGenerate => (&body, "error"),
            Format::Cohere | Format::Bedrock => (&body, "message"),
            Format::Anthropic if body["type"] == "error" => (&body["error"], "message"),
            Format::Anthropic => return None,
            Format::Zeta => (&body["woe"], "words"),
        };
        error[words].as_str().map(str::to_owned)
    }
}

/// A provider that answers in the format of each request, at whose gate all answers wait.
pub(crate) async fn gated_provider(gate: &Gate) -> Upstream {
    let gate = gate.clone();
    Upstream::scripted(move |request| {
        let wire_format = WireFormat::of(request);
        wire_format.gated(&gate, wire_format.wants_stream(request))
    })
    .await
}

/// A provider that answers in this format, streaming if the request wants it.
pub(crate) async fn provider(wire_format: WireFormat) -> Upstream {
    Upstream::scripted(move |request| {
        if wire_format.wants_stream(request) { wire_format.streamed() } else { Answer::json(200, wire_format.whole()) }
    })
    .await
}

//! The formats, with clients' requests and providers' answers. All answers have the same content.

use weir_tests::parsed_answer::{Format, ParsedAnswer, Tokens};
use weir_tests::{Answer, Received, Reply, Request, Upstream};

/// A format with its requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WireFormat {
    /// The adapter's name, which is also that of a provider and of a model.
    pub(crate) name: &'static str,
    /// The format that a client parses.
    pub(crate) format: Format,
}

pub(crate) const OPENAI: WireFormat = WireFormat { name: "openai", format: Format::OpenAi };
pub(crate) const ANTHROPIC: WireFormat = WireFormat { name: "anthropic", format: Format::Anthropic };
pub(crate) const ZETA: WireFormat = WireFormat { name: "zeta", format: Format::Zeta };
pub(crate) const GEMINI: WireFormat = WireFormat { name: "gemini", format: Format::Gemini };
pub(crate) const ALL: [WireFormat; 3] = [OPENAI, ANTHROPIC, ZETA];

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
            "[[providers]]\nname = \"{name}\"\nadapter = \"{name}\"\nurl = \"{}\"\napi_key = \"KEY-OF-{name}\"\n\
             timeouts = {{ connect = \"5s\" }}\nretry = {{ max_retries = 0 }}\n\
             breaker = {{ min_attempts = 1000000, max_cooldown = \"0s\" }}\n\
             [[models]]\nalias = \"{name}\"\ntarget = {{ provider = \"{name}\", model = \"{name}\" }}\n\
             [[models]]\nalias = \"{name}-t\"\ntranslate = true\n\
             target = {{ provider = \"{name}\", model = \"{name}\" }}\n",
            upstream.url()
        )
    };
    wire_formats.iter().map(one).collect()
}

impl WireFormat {
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

    /// A provider's whole answer.
    pub(crate) fn whole(self) -> String {
        match self.format {
            Format::OpenAi => format!(
                "{{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"openai\",\
                 \"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\"content\":\"{TEXT}\"}},\
                 \"finish_reason\":\"stop\"}}],\"usage\":{{\"prompt_tokens\":10,\"completion_tokens\":7,\
                 \"total_tokens\":17,\"prompt_tokens_details\":{{\"cached_tokens\":4}}}}}}"
            ),
            Format::Anthropic => format!(
                "{{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"anthropic\",\
                 \"content\":[{{\"type\":\"text\",\"text\":\"{TEXT}\"}}],\"stop_reason\":\"end_turn\",\
                 \"stop_sequence\":null,\"usage\":{{\"input_tokens\":6,\"cache_read_input_tokens\":4,\
                 \"cache_creation_input_tokens\":0,\"output_tokens\":7}}}}"
            ),
            Format::Gemini => gemini(&format!(r#"{{"text":"{TEXT}"}}"#), true),
            Format::Zeta => format!(
                "{{\"ref\":\"z-1\",\"brain\":\"zeta\",\"reply\":{{\"says\":\"{TEXT}\"}},\"ended\":\"done\",\
                 \"toll\":{{\"all_in\":10,\"of_cached\":4,\"all_out\":7}}}}"
            ),
        }
    }

    /// A provider's stream, a piece for each event: the second piece is the first content, the third the rest of the
    /// content, the others the end.
    pub(crate) fn stream(self) -> Vec<String> {
        let (first, second) = TEXT.split_at(6);
        match self.format {
            Format::OpenAi => {
                let chunk = |inner: String| {
                    format!(
                        "data: {{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"openai\",{inner}}}\n\n"
                    )
                };
                let delta = |delta: String, finish: &str| {
                    chunk(format!("\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]"))
                };
                vec![
                    delta("{\"role\":\"assistant\",\"content\":\"\"}".into(), "null"),
                    delta(format!("{{\"content\":\"{first}\"}}"), "null"),
                    delta(format!("{{\"content\":\"{second}\"}}"), "null"),
                    delta("{}".into(), "\"stop\""),
                    chunk(
                        "\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":7,\"total_tokens\":17,\
                         \"prompt_tokens_details\":{\"cached_tokens\":4}}"
                            .into(),
                    ),
                    "data: [DONE]\n\n".into(),
                ]
            }
            Format::Anthropic => {
                let event =
                    |name: &str, inner: &str| format!("event: {name}\ndata: {{\"type\":\"{name}\"{inner}}}\n\n");
                let delta = |text: &str| {
                    let inner = format!(",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"{text}\"}}");
                    event("content_block_delta", &inner)
                };
                let start = event(
                    "message_start",
                    ",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"anthropic\",\
                     \"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":6,\
                     \"cache_read_input_tokens\":4,\"cache_creation_input_tokens\":0,\"output_tokens\":1}}",
                );
                let block = ",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}";
                let end =
                    ",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":7}";
                vec![
                    start + &event("content_block_start", block),
                    delta(first),
                    delta(second),
                    event("content_block_stop", ",\"index\":0"),
                    event("message_delta", end),
                    event("message_stop", ""),
                ]
            }
            Format::Gemini => [("", false), (first, false), (second, false), ("", true)]
                .map(|(text, last)| format!("data: {}\n\n", gemini(&format!(r#"{{"text":"{text}"}}"#), last)))
                .to_vec(),
            Format::Zeta => vec![
                "{\"k\":\"hail\",\"ref\":\"z-1\",\"brain\":\"zeta\"}\n".into(),
                format!("{{\"k\":\"bit\",\"says\":\"{first}\"}}\n"),
                format!("{{\"k\":\"bit\",\"says\":\"{second}\"}}\n"),
                "{\"k\":\"end\",\"ended\":\"done\"}\n".into(),
                "{\"k\":\"toll\",\"toll\":{\"all_in\":10,\"of_cached\":4,\"all_out\":7}}\n".into(),
                "{\"k\":\"bye\"}\n".into(),
            ],
        }
    }

    /// The head of a stream in this format.
    pub(crate) fn begin(self) -> Answer {
        match self.format {
            Format::Zeta => Answer::lines(),
            Format::OpenAi | Format::Anthropic | Format::Gemini => Answer::sse(),
        }
    }

    /// A stream, one event a piece.
    pub(crate) fn streamed(self) -> Answer {
        self.stream().iter().fold(self.begin(), Answer::piece).end()
    }

    /// Whether a request to a provider of this format requests a stream.
    pub(crate) fn wants_stream(self, request: &Received) -> bool {
        match self.format {
            Format::Zeta => request.line().contains("drip"),
            Format::Gemini => request.line().contains("streamGenerateContent"),
            Format::OpenAi | Format::Anthropic => request.json()["stream"] == true,
        }
    }

    /// Parses an answer as a client does.
    pub(crate) fn parsed(self, reply: &Reply, stream: bool) -> ParsedAnswer {
        if stream {
            ParsedAnswer::stream(self.format, &reply.text())
        } else {
            ParsedAnswer::whole(self.format, &reply.json())
        }
    }

    /// The message of an error in this format; `None` for other bodies.
    pub(crate) fn error(self, reply: &Reply) -> Option<String> {
        let body = reply.json();
        let (error, words) = match self.format {
            Format::OpenAi | Format::Gemini => (&body["error"], "message"),
            Format::Anthropic if body["type"] == "error" => (&body["error"], "message"),
            Format::Anthropic => return None,
            Format::Zeta => (&body["woe"], "words"),
        };
        error[words].as_str().map(str::to_owned)
    }
}

/// A provider that answers in this format, streaming if the request wants it.
pub(crate) async fn provider(wire_format: WireFormat) -> Upstream {
    Upstream::scripted(move |request| {
        if wire_format.wants_stream(request) { wire_format.streamed() } else { Answer::json(200, wire_format.whole()) }
    })
    .await
}

/// An answer of Gemini, or a frame of one: with this part, and at the end with the finish reason and the tokens.
pub(crate) fn gemini(part: &str, last: bool) -> String {
    let tokens = r#""promptTokenCount":10,"cachedContentTokenCount":4,"candidatesTokenCount":7,"totalTokenCount":17"#;
    let finish = if last { r#""finishReason":"STOP","# } else { "" };
    let usage = if last { format!(r#""usageMetadata":{{{tokens}}},"#) } else { String::new() };
    let content = format!(r#"{{"parts":[{part}],"role":"model"}}"#);
    format!(
        r#"{{"candidates":[{{"content":{content},{finish}"index":0}}],{usage}"modelVersion":"gemini","responseId":"g-1"}}"#
    )
}

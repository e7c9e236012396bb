//! Helpers for the unified model: defaults, short constructors, common queries.

use crate::manifest::Tap;
use crate::types::{
    Body, ChatRequest, ChatResponse, Citation, Context, Decoded, Encoded, Error, ErrorKind, Finish, FinishReason,
    FunctionTool, Header, HttpRequest, HttpResponse, MediaKind, MediaPart, MediaSource, Message, Part, ReasoningPart,
    ReasoningRequest, RenderedRequest, RenderedResponse, ResponseStart, Role, Sampling, TextPart, ToolCall, ToolKind,
    ToolResult, Unit, UnitCount, Usage,
};

impl Error {
    /// An error of this kind; see the shorter ones below.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), status: None, code: None, param: None, retry_after_ms: None }
    }

    /// An error for a wrong request.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, message)
    }

    /// An error for a request that the other side cannot fulfil; `param` names the field.
    pub fn unsupported(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { param: Some(param.into()), ..Self::new(ErrorKind::Unsupported, message) }
    }

    /// An error with the provider's message, shortened if necessary; without one, with a message made from the status.
    pub fn of_provider(kind: ErrorKind, message: Option<String>, status: Option<u16>) -> Self {
        let message = match (message, status) {
            (Some(message), _) => shortened(message),
            (None, Some(status)) => format!("the provider answered with status {status}"),
            (None, None) => "the provider failed".to_owned(),
        };
        Self { status, ..Self::new(kind, message) }
    }

    /// An error for a medium given by address (in `param`) to a provider that takes only bytes; the host may fetch
    /// them.
    pub fn needs_bytes(param: impl Into<String>) -> Self {
        let message =
            "this provider takes media as bytes only: send them as data, or have the operator set media.fetch";
        Self::unsupported(param, message).with_code("media_url")
    }

    /// An error for an upstream answer that cannot be parsed.
    pub fn unreadable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Upstream, message)
    }

    /// Sets the name of the wrong field.
    #[must_use]
    pub fn at(self, param: impl Into<String>) -> Self {
        Self { param: Some(param.into()), ..self }
    }

    /// Sets the HTTP status.
    #[must_use]
    pub fn with_status(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }

    /// Sets the format's own code.
    #[must_use]
    pub fn with_code(self, code: impl Into<String>) -> Self {
        Self { code: Some(code.into()), ..self }
    }
}

/// Longest message passed on, in bytes.
const MESSAGE_LIMIT: usize = 1000;

fn shortened(mut message: String) -> String {
    if message.len() > MESSAGE_LIMIT {
        let end = (0..=MESSAGE_LIMIT).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
        message.truncate(end);
        message.push('…');
    }
    message
}

impl ErrorKind {
    /// All kinds, in the order of the contract.
    pub const ALL: [Self; 14] = [
        Self::InvalidRequest,
        Self::Authentication,
        Self::Permission,
        Self::NotFound,
        Self::TooLarge,
        Self::ContextLength,
        Self::RateLimited,
        Self::Quota,
        Self::ContentFiltered,
        Self::Overloaded,
        Self::Timeout,
        Self::Unsupported,
        Self::Upstream,
        Self::Internal,
    ];

    /// The kind for a status alone, if the body has no error.
    pub const fn of_status(status: u16) -> Self {
        match status {
            401 => Self::Authentication,
            402 => Self::Quota,
            403 => Self::Permission,
            404 => Self::NotFound,
            408 | 504 => Self::Timeout,
            413 => Self::TooLarge,
            429 => Self::RateLimited,
            503 | 529 => Self::Overloaded,
            400..500 => Self::InvalidRequest,
            _ => Self::Upstream,
        }
    }
}

impl Body {
    /// The body as text; an error if it is not UTF-8.
    pub fn as_text(&self) -> Result<&str, Error> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).map_err(|_| Error::invalid("the body is not UTF-8")),
        }
    }
}

impl HttpResponse {
    /// The body of a provider's answer as text; the provider is at fault if it is not UTF-8.
    pub fn text(&self) -> Result<&str, Error> {
        self.body.as_text().map_err(|_| Error::unreadable("the answer is not UTF-8"))
    }
}

impl Header {
    /// A header or query parameter.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}

/// Finds a header or query parameter; names of headers are in lower case.
pub fn header<'a>(headers: &'a [Header], name: &str) -> Option<&'a str> {
    headers.iter().find(|header| header.name == name).map(|header| header.value.as_str())
}

impl Context {
    /// An option's JSON text.
    pub fn option(&self, key: &str) -> Option<&str> {
        self.options.iter().find(|setting| setting.key == key).map(|setting| setting.json.as_str())
    }

    /// The value of an option that is a string.
    pub fn option_str(&self, key: &str) -> Option<String> {
        self.option(key).and_then(|json| crate::json::parse(json).ok())
    }

    /// The value of an option that is a flag.
    pub fn option_bool(&self, key: &str) -> Option<bool> {
        self.option(key).and_then(|json| crate::json::parse(json).ok())
    }

    /// Seconds since the Unix epoch.
    pub fn now_seconds(&self) -> u32 {
        (self.now_ms / 1000.0) as u32
    }
}

impl HttpRequest {
    /// A POST of JSON text to a path relative to the target's url.
    pub fn post(path: impl Into<String>, json: String) -> Self {
        Self {
            method: "POST".into(),
            path: path.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::Text(json),
        }
    }

    /// A GET of a path relative to the target's url.
    pub fn get(path: impl Into<String>) -> Self {
        Self {
            method: "GET".into(),
            path: path.into(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::Bytes(Vec::new()),
        }
    }
}

impl RenderedRequest {
    /// A request without losses and memo.
    pub fn new(request: HttpRequest) -> Self {
        Self { request, losses: Vec::new(), memo: String::new(), framing: None }
    }
}

impl RenderedResponse {
    /// A JSON answer with status 200.
    pub fn json(body: String) -> Self {
        let headers = vec![Header::new("content-type", "application/json")];
        Self { response: HttpResponse { status: 200, headers, body: Body::Text(body) }, losses: Vec::new() }
    }
}

impl Citation {
    /// The range that it belongs to, in a text of `length` characters. Without one, it belongs to the whole text.
    pub fn range(&self, length: u32) -> (u32, u32) {
        let start = self.start.unwrap_or(0);
        (start, self.end.unwrap_or(length).max(start))
    }

    /// Whether its range is known only when its text is complete: it has no end, and a format other than its own is to
    /// write one.
    pub fn awaits_text(&self, format: &str) -> bool {
        self.end.is_none() && self.source.as_ref().is_none_or(|source| source.format != format)
    }
}

impl FunctionTool {
    /// A function without a description or parameters.
    pub fn new(name: impl Into<String>) -> Self {
        let (description, parameters, strict) = (None, None, None);
        Self { name: name.into(), description, parameters, strict, cache: None, extensions: Vec::new() }
    }
}

impl TextPart {
    /// Plain text.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), citations: Vec::new(), signature: None, cache: None, extensions: Vec::new() }
    }
}

impl Part {
    /// Plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(TextPart::new(text))
    }
}

impl MediaPart {
    /// A medium without optional fields.
    pub fn new(kind: MediaKind, source: MediaSource) -> Self {
        Self { kind, mime: None, source, name: None, detail: None, cache: None, extensions: Vec::new() }
    }
}

impl ToolCall {
    /// A function call.
    pub fn new(id: impl Into<String>, name: impl Into<String>, arguments: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            kind: ToolKind::Function,
            arguments: arguments.into(),
            signature: None,
            cache: None,
            extensions: Vec::new(),
        }
    }
}

impl ToolResult {
    /// A result without content.
    pub fn new(call_id: impl Into<String>) -> Self {
        Self {
            call_id: call_id.into(),
            name: None,
            content: Vec::new(),
            is_error: None,
            cache: None,
            extensions: Vec::new(),
        }
    }
}

impl ReasoningPart {
    /// Readable thinking and its signature.
    pub fn new(text: impl Into<String>) -> Self {
        Self { id: None, text: Some(text.into()), signature: None, encrypted: None, extensions: Vec::new() }
    }
}

impl Message {
    /// A message of these parts.
    pub fn new(role: Role, parts: Vec<Part>) -> Self {
        Self { role, name: None, parts, extensions: Vec::new() }
    }
}

impl Finish {
    /// A finish with the provider's own word.
    pub fn new(reason: FinishReason, raw: impl Into<String>) -> Self {
        Self { reason, raw: Some(raw.into()), stop_sequence: None }
    }
}

macro_rules! empty {
    ($($type:ident { $($field:ident),* $(,)? })+) => {$(
        impl Default for $type {
            fn default() -> Self {
                Self { $($field: Default::default()),* }
            }
        }
    )+};
}
empty! {
    Sampling {
        temperature, top_p, top_k, seed, stop, frequency_penalty, presence_penalty, candidates, logprobs, top_logprobs,
    }
    Usage {
        input, input_audio, input_image, cache_read, cache_write, cache_write_hour, output, output_audio, output_image,
        reasoning, units, service_tier, batch, region, extensions,
    }
    Tap {
        usage, finish, model, units, service_tier, service_tier_headers, batch, region, under_way, content, end, failure,
        wrapped,
    }
    ReasoningRequest { mode, effort, budget_tokens, summary, extensions }
    ChatRequest {
        model, messages, tools, tool_choice, parallel_tool_calls, output, sampling, max_output_tokens, reasoning, stream,
        end_user, metadata, service_tier, cache_key, extensions,
    }
    ChatResponse { id, model, created_ms, candidates, usage, service_tier, extensions }
    ResponseStart { id, model, created_ms, service_tier, extensions }
    Decoded { events, losses }
    Encoded { frames, losses }
    Context { request_id, now_ms, model, format, options, blobs, input_tokens, memo }
}

impl Usage {
    /// All input, cached or not; `None` if nothing is known.
    pub fn input_total(&self) -> Option<u32> {
        total([self.input_uncached(), self.cache_read, self.cache_write_total()])
    }

    /// Input that was neither read from nor written to a cache, whatever it is; none where nothing is known.
    pub fn input_uncached(&self) -> Option<u32> {
        total([self.input, self.input_audio, self.input_image])
    }

    /// Input written to a cache, for any time; none where nothing is known.
    pub fn cache_write_total(&self) -> Option<u32> {
        total([self.cache_write, self.cache_write_hour])
    }

    /// How many of a unit; none where nothing is known.
    pub fn units_of(&self, unit: Unit) -> Option<f64> {
        self.units.iter().find(|count| count.unit == unit).map(|count| count.count)
    }

    /// The same with so many of a unit, if it is known.
    #[must_use]
    pub fn with_units(mut self, unit: Unit, count: Option<f64>) -> Self {
        self.units.extend(count.map(|count| UnitCount { unit, count }));
        self
    }

    /// Replaces values by those of a later report for the same answer.
    pub fn update(&mut self, later: Self) {
        self.input = later.input.or(self.input);
        self.input_audio = later.input_audio.or(self.input_audio);
        self.input_image = later.input_image.or(self.input_image);
        self.cache_read = later.cache_read.or(self.cache_read);
        self.cache_write = later.cache_write.or(self.cache_write);
        self.cache_write_hour = later.cache_write_hour.or(self.cache_write_hour);
        self.output = later.output.or(self.output);
        self.output_audio = later.output_audio.or(self.output_audio);
        self.output_image = later.output_image.or(self.output_image);
        self.reasoning = later.reasoning.or(self.reasoning);
        self.service_tier = later.service_tier.or(self.service_tier.take());
        self.batch = later.batch.or(self.batch);
        self.region = later.region.or(self.region.take());
        for count in later.units {
            self.units.retain(|known| known.unit != count.unit);
            self.units.push(count);
        }
        for extension in later.extensions {
            self.extensions.retain(|old| old.format != extension.format || old.key != extension.key);
            self.extensions.push(extension);
        }
    }

    /// All output, including reasoning; `None` if nothing is known.
    pub fn output_total(&self) -> Option<u32> {
        total([self.output_visible(), self.reasoning])
    }

    /// Output without reasoning, whatever it is; none where nothing is known.
    pub fn output_visible(&self) -> Option<u32> {
        total([self.output, self.output_audio, self.output_image])
    }
}

fn total<const N: usize>(buckets: [Option<u32>; N]) -> Option<u32> {
    buckets.iter().any(Option::is_some).then(|| buckets.iter().flatten().fold(0u32, |sum, n| sum.saturating_add(*n)))
}

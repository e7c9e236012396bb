//! The messages around the JSON: `OpenAIRequest`, `OpenAIStreamChunk` and `OpenAIResponse`, as Protocol Buffers spell
//! them in JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use weir_sdk::compat::error::from_json;
use weir_sdk::json::{self, RawValue, Rest, Str};
use weir_sdk::types::{Body, Error, HttpRequest, HttpResponse, RenderedRequest};

/// The request with its JSON in an `OpenAIRequest`.
pub(crate) fn wrap(rendered: RenderedRequest) -> Result<RenderedRequest, Error> {
    let mut body = String::with_capacity(256);
    let json = STANDARD.encode(rendered.request.body.as_text()?);
    json::object(&mut body, |o| o.str("jsonBody", &json));
    Ok(RenderedRequest { request: HttpRequest { body: Body::Text(body), ..rendered.request }, ..rendered })
}

/// The JSON of a whole answer, in an `OpenAIResponse` or in the one chunk of a list that has any.
pub(crate) fn unwrap(response: HttpResponse) -> Result<HttpResponse, Error> {
    let text = response.text()?.trim();
    let json = if text.starts_with('[') { of_chunks(text)? } else { of_response(text)? };
    Ok(HttpResponse { body: Body::Text(json), ..response })
}

fn of_chunks(text: &str) -> Result<String, Error> {
    for chunk in json::parse::<Vec<&RawValue>>(text).map_err(|error| unreadable(&error))? {
        let Chunk { json, .. } = Chunk::read(chunk.get())?;
        if !json.is_empty() {
            return refusal(&json).map_or(Ok(json), Err);
        }
    }
    Err(Error::unreadable("the provider's answer is empty"))
}

fn of_response(text: &str) -> Result<String, Error> {
    let mut answer = Rest::parse(text).map_err(|error| unreadable(&error))?;
    let json = bytes(&mut answer, "jsonBody")?;
    let status = answer.count("statusCode").and_then(|status| u16::try_from(status).ok());
    match status.filter(|status| *status >= 400) {
        Some(status) => Err(from_json(&json, Some(status))),
        None => refusal(&json).map_or(Ok(json), Err),
    }
}

/// A chunk of an answer.
pub(crate) struct Chunk {
    /// The JSON, or nothing.
    pub(crate) json: String,
    /// Whether it is the last one.
    pub(crate) finished: bool,
}

impl Chunk {
    /// Reads a chunk.
    pub(crate) fn read(text: &str) -> Result<Self, Error> {
        let mut chunk = Rest::parse(text).map_err(|error| unreadable(&error))?;
        let finished = chunk.get("finished").is_some_and(|finished| finished.get() == "true");
        Ok(Self { json: bytes(&mut chunk, "jsonChunk")?, finished })
    }
}

/// The error in place of an answer. SGLang's has no wrapper: `{"object": "error", "message", "type", "code"}`.
pub(crate) fn refusal(json: &str) -> Option<Error> {
    let mut answer = Rest::parse(json).ok()?;
    let is_bare = answer.str("object").is_some_and(|object| &*object == "error");
    (is_bare || answer.get("error").is_some_and(|error| error.get() != "null")).then(|| from_json(json, None))
}

/// A field of bytes that are a text.
fn bytes(message: &mut Rest<'_>, field: &str) -> Result<String, Error> {
    let text = message.str(field).map(Str::into_string).unwrap_or_default();
    let bytes = STANDARD.decode(text).map_err(|_| Error::unreadable("a message of the provider's is not readable"))?;
    String::from_utf8(bytes).map_err(|_| Error::unreadable("the provider's JSON is no text"))
}

fn unreadable(error: &json::Error) -> Error {
    Error::unreadable(format!("the provider's answer is not readable: {error}"))
}

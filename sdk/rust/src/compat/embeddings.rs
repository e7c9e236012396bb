//! Embeddings: requests, answers, and vectors in base64 (C-56, C-93).

use crate::compat::quirks::{Quirks, Vectors};
use crate::compat::{end_user, error, usage, wire};
use crate::json::{self, Array, Rest, Str};
use crate::losses::{Losses, extension, extensions};
use crate::types::{
    Context, Embedding, EmbeddingEncoding, EmbeddingInput, EmbeddingsRequest, EmbeddingsResponse, Error, HttpRequest,
    HttpResponse, Opaque, RenderedRequest, Vector,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The id of the format.
pub const FORMAT: &str = "openai.embeddings";

/// Encodings that are not floats. An extension of the request names the encoding for providers that have it; their
/// answers are opaque vectors.
pub const BYTE_ENCODINGS: [&str; 2] = ["base64_int8", "base64_binary"];

const ENCODING: &str = "encoding_format";

/// The encoding that a request asks for, if it is not floats.
fn byte_encoding(request: &EmbeddingsRequest) -> Option<&'static str> {
    let asked = extension(&request.extensions, FORMAT, ENCODING)?;
    BYTE_ENCODINGS.into_iter().find(|name| asked.trim_matches('"') == *name)
}

/// Renders a request.
pub fn render(quirks: &Quirks, ctx: &Context, request: &EmbeddingsRequest) -> Result<RenderedRequest, Error> {
    if let Some(at) = request.inputs.iter().position(|input| matches!(input, EmbeddingInput::Media(_))) {
        return Err(Error::unsupported(format!("input[{at}]"), "this provider embeds text only"));
    }
    let bytes = byte_encoding(request);
    if bytes.is_some() && quirks.vectors != Vectors::Bytes {
        return Err(Error::unsupported(ENCODING, "this provider's vectors are floats: ask for `float` or `base64`"));
    }
    let mut losses = Losses::default();
    losses.dropped_if(request.task.is_some(), "task", "there is no place for it");
    losses.dropped_if(request.title.is_some(), "title", "there is no place for it");
    losses.foreign("", &request.extensions, FORMAT);
    let mut body = String::with_capacity(256);
    json::object(&mut body, |o| {
        o.str("model", if ctx.model.is_empty() { &request.model } else { &ctx.model });
        match request.inputs.as_slice() {
            [one] if request.single => input(o.value("input"), one),
            inputs => o.array("input", |a| inputs.iter().for_each(|one| input(a.value(), one))),
        }
        let mut member = |name: &'static str, present: bool| {
            let spelling = present.then(|| quirks.spelling(name))?;
            spelling.map_err(|why| losses.dropped(name, why)).ok()
        };
        let encoding = request.encoding.filter(|_| quirks.vectors == Vectors::Floats);
        if let Some((encoding, name)) = encoding.zip(member(ENCODING, encoding.is_some())) {
            o.str(name, if encoding == EmbeddingEncoding::Base64 { "base64" } else { "float" });
        }
        if let Some((dimensions, name)) = request.dimensions.zip(member("dimensions", request.dimensions.is_some())) {
            o.num(name, dimensions);
        }
        if let Some((user, name)) = request.end_user.as_deref().zip(member("user", request.end_user.is_some())) {
            o.str(name, &end_user::fit(quirks, user, &mut losses));
        }
        request.extensions.iter().filter(|e| e.format == FORMAT).for_each(|e| o.raw(&e.key, &e.json));
    });
    let http = quirks.address(ctx, HttpRequest::post("", body), |paths| paths.embeddings);
    let memo = bytes.unwrap_or_default().to_owned();
    Ok(RenderedRequest { losses: losses.into_losses(), memo, ..RenderedRequest::new(http) })
}

fn input(out: &mut String, input: &EmbeddingInput) {
    match input {
        EmbeddingInput::Text(text) => json::quote(out, text),
        EmbeddingInput::Tokens(tokens) => json::array(out, |a| tokens.iter().for_each(|token| a.num(*token))),
        EmbeddingInput::Media(_) => out.push_str("null"),
    }
}

/// Parses an answer; the vectors are sorted by index. Bytes that the client did not ask for become numbers.
pub fn parse(quirks: &Quirks, ctx: &Context, response: &HttpResponse) -> Result<EmbeddingsResponse, Error> {
    let unreadable = |e| Error::unreadable(format!("the provider's answer is not readable: {e}"));
    let mut answer = Rest::parse(response.text()?).map_err(unreadable)?;
    if let Some(error) = answer.get("error") {
        return Err(error::from_json(error.get(), None));
    }
    answer.take("object");
    let mut embeddings = Vec::new();
    for (position, raw) in (0..).zip(answer.list("data").unwrap_or_default()) {
        let mut entry = Rest::parse(raw.get()).map_err(unreadable)?;
        let vector =
            entry.value("embedding").ok_or_else(|| Error::unreadable("the provider's answer lacks a vector"))?;
        let vector = match vector_of(vector.get()).map_err(unreadable)? {
            Vector::Base64(text) if quirks.vectors == Vectors::Bytes => bytes_of(&ctx.memo, vector.get(), &text)?,
            vector => vector,
        };
        embeddings.push(Embedding { index: entry.count("index").unwrap_or(position), vector });
    }
    in_order(&mut embeddings);
    let usage = answer.value("usage").and_then(|raw| json::parse(raw.get()).ok()).map(counted);
    Ok(EmbeddingsResponse {
        id: answer.str("id").map(Str::into_string),
        model: answer.str("model").map(Str::into_string),
        embeddings,
        usage: usage.and_then(usage::read),
        extensions: extensions(FORMAT, answer),
    })
}

/// Usage whose input is known: some servers (Voyage) only count the total, and an embedding has no output.
fn counted(usage: wire::Usage<'_>) -> wire::Usage<'_> {
    wire::Usage { prompt: usage.prompt.or(usage.total), ..usage }
}

/// Sorts by index. Nearly all answers are sorted already, so this is insertion sort, for its small code.
fn in_order(embeddings: &mut [Embedding]) {
    for end in 1..embeddings.len() {
        let mut at = end;
        while at > 0 && embeddings.get(at - 1..=at).is_some_and(|two| matches!(two, [a, b] if a.index > b.index)) {
            embeddings.swap(at - 1, at);
            at -= 1;
        }
    }
}

/// A vector of bytes: unchanged if the client asked for bytes, else as numbers.
fn bytes_of(asked: &str, json: &str, text: &str) -> Result<Vector, Error> {
    if !asked.is_empty() {
        let opaque = Opaque { format: FORMAT.to_owned(), kind: asked.to_owned(), json: json.to_owned() };
        return Ok(Vector::Opaque(opaque));
    }
    let bytes = STANDARD.decode(text).map_err(|_| Error::unreadable("a vector is not base64"))?;
    Ok(Vector::Floats(bytes.into_iter().map(|byte| f64::from(byte.cast_signed())).collect()))
}

/// A vector as a list of numbers, or as base64.
fn vector_of(text: &str) -> Result<Vector, json::Error> {
    if text.starts_with('"') {
        return json::parse::<Str<'_>>(text).map(|text| Vector::Base64(text.into_string()));
    }
    json::parse::<Vec<f64>>(text).map(Vector::Floats)
}

/// Numbers as little-endian 32-bit floats in base64.
pub fn to_base64(floats: &[f64]) -> String {
    let bytes: Vec<u8> = floats.iter().flat_map(|value| (*value as f32).to_le_bytes()).collect();
    STANDARD.encode(bytes)
}

/// Little-endian 32-bit floats in base64 as numbers.
pub fn from_base64(text: &str) -> Result<Vec<f64>, Error> {
    let bytes = STANDARD.decode(text).map_err(|_| Error::unreadable("a vector is not base64"))?;
    let (values, []) = bytes.as_chunks::<4>() else {
        return Err(Error::unreadable("a vector does not consist of 32-bit floats"));
    };
    Ok(values.iter().map(|value| f64::from(f32::from_le_bytes(*value))).collect())
}

/// Writes a vector's numbers.
pub fn write_floats(a: &mut Array<'_>, floats: &[f64]) {
    a.floats(floats);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Body;

    #[test]
    fn c56_floats_and_base64_are_the_same_numbers() {
        let floats = [0.5, -1.25, 0.0, 3.0];
        assert_eq!(to_base64(&floats), "AAAAPwAAoL8AAAAAAABAQA==");
        assert_eq!(from_base64(&to_base64(&floats)).unwrap(), floats);
        assert!(from_base64("AAAA").is_err() && from_base64("?").is_err());
    }

    const BYTES: Quirks = Quirks { vectors: Vectors::Bytes, ..Quirks::COMPATIBLE };

    fn asked(encoding: Option<EmbeddingEncoding>, extension: Option<&str>) -> EmbeddingsRequest {
        let other = extension.map(|name| crate::types::Extension {
            format: FORMAT.into(),
            key: ENCODING.into(),
            json: format!("\"{name}\""),
        });
        EmbeddingsRequest {
            model: "m".into(),
            inputs: vec![EmbeddingInput::Text("a".into())],
            single: true,
            dimensions: None,
            encoding,
            task: None,
            title: None,
            end_user: None,
            extensions: other.into_iter().collect(),
        }
    }

    #[test]
    fn vectors_of_bytes_are_numbers_unless_bytes_were_asked_for() {
        let body = |request: &EmbeddingsRequest| {
            let rendered = render(&BYTES, &Context::default(), request).unwrap();
            (rendered.request.body.as_text().unwrap().to_owned(), rendered.memo)
        };
        let text = r#"{"data":[{"index":0,"embedding":"AX+AAP8="}],"model":"m"}"#;
        let answer = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(text.into()) };
        let vector = |memo: &str| {
            let ctx = Context { memo: memo.into(), ..Context::default() };
            parse(&BYTES, &ctx, &answer).unwrap().embeddings.remove(0).vector
        };
        for encoding in [None, Some(EmbeddingEncoding::Floats), Some(EmbeddingEncoding::Base64)] {
            assert_eq!(body(&asked(encoding, None)), (r#"{"model":"m","input":"a"}"#.into(), String::new()));
        }
        assert_eq!(vector(""), Vector::Floats(vec![1.0, 127.0, -128.0, 0.0, -1.0]));
        for name in BYTE_ENCODINGS {
            let (sent, memo) = body(&asked(None, Some(name)));
            assert_eq!(
                (sent, memo.as_str()),
                (format!(r#"{{"model":"m","input":"a","encoding_format":"{name}"}}"#), name)
            );
            let Vector::Opaque(opaque) = vector(name) else { panic!("bytes") };
            assert_eq!((opaque.kind.as_str(), opaque.json.as_str()), (name, r#""AX+AAP8=""#));
            let refused = render(&Quirks::COMPATIBLE, &Context::default(), &asked(None, Some(name))).unwrap_err();
            assert_eq!(refused.param.as_deref(), Some(ENCODING));
        }
    }

    #[test]
    fn c93_vectors_come_in_the_order_of_their_indices() {
        let text = r#"{"object":"list","model":"m","data":[
            {"object":"embedding","index":1,"embedding":[1,2.5]},{"object":"embedding","index":0,"embedding":"AAAAPw=="}],
            "usage":{"prompt_tokens":3,"total_tokens":3}}"#;
        let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(text.into()) };
        let answer = parse(&Quirks::COMPATIBLE, &Context::default(), &response).unwrap();
        assert_eq!(answer.embeddings[0].vector, Vector::Base64("AAAAPw==".into()));
        assert_eq!(answer.embeddings[1].vector, Vector::Floats(vec![1.0, 2.5]));
        assert_eq!(answer.usage.unwrap().input, Some(3));
    }

    #[test]
    fn c93_a_total_alone_is_the_input() {
        let text = r#"{"data":[{"index":0,"embedding":[1]}],"model":"m","usage":{"total_tokens":10}}"#;
        let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(text.into()) };
        let answer = parse(&Quirks::COMPATIBLE, &Context::default(), &response).unwrap();
        assert_eq!(answer.usage.unwrap().input, Some(10));
    }
}

//! Embeddings: requests, answers, and vectors in base64 (C-56, C-93).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize, Deserializer, Error as _, SeqAccess, Visitor};

use crate::compat::error;
use crate::compat::quirks::Quirks;
use crate::compat::request::path;
use crate::compat::usage;
use crate::compat::wire::{Skipped, Usage};
use crate::json::{self, Array, Count, RawValue, Seq, Str};
use crate::ledger::{Ledger, extensions};
use crate::types::{
    Context, Embedding, EmbeddingEncoding, EmbeddingInput, EmbeddingsRequest, EmbeddingsResponse, Error, HttpRequest,
    HttpResponse, RenderedRequest, Vector,
};

/// The id of the format.
pub const FORMAT: &str = "openai.embeddings";

/// Writes a request.
pub fn render(quirks: &Quirks, ctx: &Context, request: &EmbeddingsRequest) -> Result<RenderedRequest, Error> {
    if let Some(at) = request.inputs.iter().position(|input| matches!(input, EmbeddingInput::Media(_))) {
        return Err(Error::unsupported(format!("input[{at}]"), "this provider embeds text only"));
    }
    let mut ledger = Ledger::default();
    ledger.dropped_if(request.task.is_some(), "task", "there is no place for it");
    ledger.dropped_if(request.title.is_some(), "title", "there is no place for it");
    ledger.foreign("", &request.extensions, FORMAT);
    let mut body = String::with_capacity(256);
    json::object(&mut body, |o| {
        o.str("model", if ctx.model.is_empty() { &request.model } else { &ctx.model });
        match request.inputs.as_slice() {
            [one] if request.single => input(o.value("input"), one),
            inputs => o.array("input", |a| inputs.iter().for_each(|one| input(a.value(), one))),
        }
        let mut taken = |member: &str| quirks.spelling(member).map_err(|why| ledger.dropped(member, why)).is_ok();
        if let Some(encoding) = request.encoding.filter(|_| taken("encoding_format")) {
            o.str("encoding_format", if encoding == EmbeddingEncoding::Base64 { "base64" } else { "float" });
        }
        if let Some(dimensions) = request.dimensions.filter(|_| taken("dimensions")) {
            o.num("dimensions", dimensions);
        }
        if let Some(user) = request.end_user.as_deref().filter(|_| taken("user")) {
            o.str("user", user);
        }
        request.extensions.iter().filter(|e| e.format == FORMAT).for_each(|e| o.raw(&e.key, &e.json));
    });
    let mut http = HttpRequest::post(path(quirks.paths.embeddings, ctx), body);
    http.headers = quirks.headers(ctx);
    Ok(RenderedRequest { losses: ledger.into_losses(), ..RenderedRequest::new(http) })
}

fn input(out: &mut String, input: &EmbeddingInput) {
    match input {
        EmbeddingInput::Text(text) => json::quote(out, text),
        EmbeddingInput::Tokens(tokens) => json::array(out, |a| tokens.iter().for_each(|token| a.num(*token))),
        EmbeddingInput::Media(_) => out.push_str("null"),
    }
}

crate::wire! {
    /// An answer.
    struct Answer<'a> {
        "object" => object: Skipped,
        "id" => id: Str<'a>,
        "model" => model: Str<'a>,
        "data" => data: Seq<Entry<'a>>,
        "usage" => usage: Usage<'a>,
        "error" => error: &'a RawValue,
    }

    /// One vector.
    struct Entry<'a> {
        "object" => object: Skipped,
        "index" => index: Count,
        "embedding" => embedding: AnyVector<'a>,
    }
}

/// Reads an answer; the vectors come in the order of their indices.
pub fn parse(response: &HttpResponse) -> Result<EmbeddingsResponse, Error> {
    let answer: Answer<'_> = json::parse(response.body.as_text()?)
        .map_err(|e| Error::unreadable(format!("the provider's answer is not readable: {e}")))?;
    if let Some(error) = answer.error {
        return Err(error::from_json(error.get(), None));
    }
    let mut embeddings = Vec::new();
    for (position, entry) in (0..).zip(answer.data.unwrap_or_default().0) {
        let vector = match entry.embedding {
            Some(AnyVector::Floats(floats)) => Vector::Floats(floats),
            Some(AnyVector::Base64(text)) => Vector::Base64(text.into_string()),
            None => return Err(Error::unreadable("the provider's answer lacks a vector")),
        };
        embeddings.push(Embedding { index: entry.index.map_or(position, |index| index.0), vector });
    }
    embeddings.sort_by_key(|embedding| embedding.index);
    Ok(EmbeddingsResponse {
        id: answer.id.map(Str::into_string),
        model: answer.model.map(Str::into_string),
        embeddings,
        usage: answer.usage.and_then(usage::read),
        extensions: extensions(FORMAT, answer.rest),
    })
}

/// A vector as a list of numbers or as base64.
#[derive(Debug, Clone)]
pub enum AnyVector<'a> {
    /// Numbers.
    Floats(Vec<f64>),
    /// Little-endian 32-bit floats in base64.
    Base64(Str<'a>),
}

impl<'de: 'a, 'a> Deserialize<'de> for AnyVector<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = AnyVector<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("numbers or base64")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(AnyVector::Base64(Str(text.into())))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(AnyVector::Base64(Str(text.to_owned().into())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut floats = Vec::new();
                while let Some(json::Number(value)) = seq.next_element().map_err(A::Error::custom)? {
                    floats.push(value);
                }
                Ok(AnyVector::Floats(floats))
            }
        }
        deserializer.deserialize_any(Any)
    }
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
    floats.iter().for_each(|value| a.num(*value));
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

    #[test]
    fn c93_vectors_come_in_the_order_of_their_indices() {
        let text = r#"{"object":"list","model":"m","data":[
            {"object":"embedding","index":1,"embedding":[1,2.5]},{"object":"embedding","index":0,"embedding":"AAAAPw=="}],
            "usage":{"prompt_tokens":3,"total_tokens":3}}"#;
        let response = HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(text.into()) };
        let answer = parse(&response).unwrap();
        assert_eq!(answer.embeddings[0].vector, Vector::Base64("AAAAPw==".into()));
        assert_eq!(answer.embeddings[1].vector, Vector::Floats(vec![1.0, 2.5]));
        assert_eq!(answer.usage.unwrap().input, Some(3));
    }
}

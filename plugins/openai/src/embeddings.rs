//! `openai.embeddings`, the dialect's side.

use weir_sdk::adapter::{ParsedEmbeddings, Result};
use weir_sdk::compat::embeddings::{BYTE_ENCODINGS, FORMAT, from_base64, to_base64, write_floats};
use weir_sdk::json::{self, RawValue, Rest};
use weir_sdk::losses::{Losses, extensions};
use weir_sdk::types::{
    Context, EmbeddingEncoding, EmbeddingInput, EmbeddingsRequest, EmbeddingsResponse, Error, HttpRequest,
    RenderedResponse, Usage, Vector,
};

use crate::chat::answer_model;

/// Memo: the client wants base64.
const BASE64: &str = "b";

/// Reads a request.
pub(crate) fn parse(ctx: &Context, request: &HttpRequest) -> Result<ParsedEmbeddings> {
    let unreadable = |error| Error::invalid(format!("the request is not readable: {error}"));
    let mut wire = Rest::parse(request.body.as_text()?).map_err(unreadable)?;
    let raw = wire.value("input").ok_or_else(|| Error::invalid("`input` is missing").at("input"))?;
    let (inputs, single) = inputs(raw)?;
    let raw = wire.get("encoding_format");
    let encoding = match raw.and_then(json::text).as_deref() {
        Some("base64") => Some(EmbeddingEncoding::Base64),
        Some("float") => Some(EmbeddingEncoding::Floats),
        // For providers with vectors of bytes, it is kept as an extension.
        Some(name) if BYTE_ENCODINGS.contains(&name) => None,
        Some(_) => return Err(Error::invalid("`encoding_format` is float or base64").at("encoding_format")),
        None => None,
    };
    if encoding.is_some() {
        wire.take("encoding_format");
    }
    let request = EmbeddingsRequest {
        model: wire.str("model").map_or_else(|| ctx.model.clone(), json::Str::into_string),
        inputs,
        single,
        dimensions: wire.count("dimensions"),
        encoding,
        task: None,
        title: None,
        end_user: wire.str("user").map(json::Str::into_string),
        extensions: extensions(FORMAT, wire),
    };
    let memo = if encoding == Some(EmbeddingEncoding::Base64) { BASE64 } else { "" };
    Ok(ParsedEmbeddings { request, losses: Vec::new(), memo: memo.to_owned() })
}

/// Parses one text, one list of tokens, or a list of either; returns whether it was a single one.
fn inputs(raw: &RawValue) -> Result<(Vec<EmbeddingInput>, bool)> {
    let bad = || Error::invalid("`input` is a text, a list of tokens, or a list of these").at("input");
    let Some(list) = json::list(raw) else {
        return input(raw).map(|input| (vec![input], true)).ok_or_else(bad);
    };
    if list.first().is_some_and(|first| first.get().starts_with(|c: char| c.is_ascii_digit())) {
        return input(raw).map(|input| (vec![input], true)).ok_or_else(bad);
    }
    let inputs: Option<Vec<EmbeddingInput>> = list.into_iter().map(input).collect();
    inputs.map(|inputs| (inputs, false)).ok_or_else(bad)
}

fn input(raw: &RawValue) -> Option<EmbeddingInput> {
    if let Some(text) = json::text(raw) {
        return Some(EmbeddingInput::Text(text.into_string()));
    }
    let tokens: Option<Vec<u32>> = json::list(raw)?.iter().map(|token| token.get().parse().ok()).collect();
    tokens.map(EmbeddingInput::Tokens)
}

/// Renders an answer, in the encoding that the client asked for (C-56).
pub(crate) fn render(ctx: &Context, response: EmbeddingsResponse) -> Result<RenderedResponse> {
    let mut losses = Losses::default();
    losses.foreign("", &response.extensions, FORMAT);
    let mut vectors = Vec::with_capacity(response.embeddings.len());
    for embedding in response.embeddings {
        vectors.push((embedding.index, vector(embedding.vector, ctx.memo == BASE64)?));
    }
    let mut out = String::with_capacity(256 + vectors.len() * 1024);
    json::object(&mut out, |o| {
        o.opt_str("id", response.id.as_deref());
        o.str("object", "list");
        o.array("data", |a| {
            for (index, vector) in &vectors {
                a.object(|o| {
                    o.str("object", "embedding");
                    o.num("index", *index);
                    match vector {
                        Vector::Base64(text) => o.str("embedding", text),
                        Vector::Floats(floats) => o.array("embedding", |a| write_floats(a, floats)),
                        Vector::Opaque(opaque) => o.raw("embedding", &opaque.json),
                    }
                });
            }
        });
        o.str("model", answer_model(ctx, response.model.as_deref()));
        write_usage(o, response.usage.as_ref());
        response.extensions.iter().filter(|e| e.format == FORMAT).for_each(|e| o.raw(&e.key, &e.json));
    });
    Ok(RenderedResponse { losses: losses.into_losses(), ..RenderedResponse::json(out) })
}

/// The vector in the wanted encoding.
fn vector(vector: Vector, base64: bool) -> Result<Vector> {
    match vector {
        Vector::Floats(floats) if base64 => Ok(Vector::Base64(to_base64(&floats))),
        Vector::Base64(text) if !base64 => from_base64(&text).map(Vector::Floats),
        Vector::Opaque(opaque) if opaque.format != FORMAT => {
            Err(Error::unreadable("the provider's vectors are of a kind that this format does not know"))
        }
        vector => Ok(vector),
    }
}

fn write_usage(o: &mut json::Object<'_>, usage: Option<&Usage>) {
    let tokens = usage.and_then(Usage::input_total).unwrap_or(0);
    o.object("usage", |o| {
        o.num("prompt_tokens", tokens);
        o.num("total_tokens", tokens);
        let kept = usage.map(|usage| usage.extensions.as_slice()).unwrap_or_default();
        crate::chat::write_extensions(o, kept, &[]);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_sdk::types::{Body, Embedding};

    fn parsed(body: &str) -> ParsedEmbeddings {
        let request = HttpRequest { body: Body::Text(body.into()), ..HttpRequest::get("") };
        parse(&Context::default(), &request).unwrap()
    }

    #[test]
    fn texts_tokens_and_batches_are_distinguished() {
        let inputs = |input: &str| parsed(&format!(r#"{{"model":"m","input":{input}}}"#)).request;
        assert_eq!(inputs(r#""a""#).inputs, [EmbeddingInput::Text("a".into())]);
        assert!(inputs(r#""a""#).single && !inputs(r#"["a"]"#).single);
        assert_eq!(inputs("[1,2]").inputs, [EmbeddingInput::Tokens(vec![1, 2])]);
        assert_eq!(inputs("[[1],[2]]").inputs.len(), 2);
        assert_eq!(inputs(r#"["a","b"]"#).inputs.len(), 2);
    }

    #[test]
    fn an_answer_keeps_the_id_that_a_compatible_server_gives_it() {
        let answer = |id: Option<&str>| {
            let id = id.map(str::to_owned);
            let response =
                EmbeddingsResponse { id, model: None, embeddings: Vec::new(), usage: None, extensions: Vec::new() };
            render(&Context::default(), response).unwrap().response.body.as_text().unwrap().to_owned()
        };
        assert!(answer(Some("e-1")).contains(r#""id":"e-1""#));
        assert!(!answer(None).contains("\"id\""));
    }

    #[test]
    fn c56_the_client_gets_the_encoding_it_asked_for() {
        let answer = |memo: &str, vector| {
            let ctx = Context { memo: memo.into(), ..Context::default() };
            let embeddings = vec![Embedding { index: 0, vector }];
            let response =
                EmbeddingsResponse { id: None, model: None, embeddings, usage: None, extensions: Vec::new() };
            render(&ctx, response).unwrap().response.body.as_text().unwrap().to_owned()
        };
        let base64 = parsed(r#"{"model":"m","input":"a","encoding_format":"base64"}"#).memo;
        assert!(answer(&base64, Vector::Floats(vec![0.5])).contains(r#""embedding":"AAAAPw==""#));
        assert!(answer("", Vector::Base64("AAAAPw==".into())).contains(r#""embedding":[0.5]"#));
        assert!(answer("", Vector::Floats(vec![0.5])).contains(r#""embedding":[0.5]"#));
    }
}

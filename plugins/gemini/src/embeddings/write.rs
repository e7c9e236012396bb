//! Renders the request for the service and the answer for a client.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use weir_sdk::adapter::Result;
use weir_sdk::json::{Array, Object, object, parse};
use weir_sdk::losses::{Losses, extension};
use weir_sdk::types::{
    Context, Embedding, EmbeddingInput, EmbeddingsRequest, EmbeddingsResponse, Error, HttpRequest, RenderedRequest,
    RenderedResponse, Vector,
};

use super::{EACH, ONE};
use crate::wire::Unnamed;
use crate::{FORMAT, path, usage, write};

pub(super) fn request(ctx: &Context, request: &EmbeddingsRequest) -> Result<RenderedRequest> {
    let mut losses = Losses::default();
    let model = if ctx.model.is_empty() { &request.model } else { &ctx.model };
    let each = extension(&request.extensions, FORMAT, EACH);
    let each: Vec<Unnamed<'_>> = each.and_then(|json| parse(json).ok()).unwrap_or_default();
    let mut items = Vec::with_capacity(request.inputs.len());
    for (at, input) in request.inputs.iter().enumerate() {
        items.push(item(ctx, request, input, at, each.get(at))?);
    }
    let resource = path::resource(model);
    let one = request.single && items.len() == 1;
    let mut body = String::new();
    object(&mut body, |o| {
        let member = |o: &mut Object<'_>, item: &str| {
            o.str("model", &resource);
            let item: Unnamed<'_> = parse(item).unwrap_or_default();
            item.rest.0.iter().for_each(|(key, raw)| o.raw(key, raw.get()));
        };
        match items.as_slice() {
            [only] if one => member(o, only),
            all => o.array("requests", |a| all.iter().for_each(|item| a.object(|o| member(o, item)))),
        }
    });
    losses.dropped_if(request.end_user.is_some(), "user", "the format has no place for it");
    losses.foreign("", &request.extensions, FORMAT);
    let method = if one { "embedContent" } else { "batchEmbedContents" };
    let http = HttpRequest::post(path::method(model, method), body);
    Ok(RenderedRequest { losses: losses.into_losses(), ..RenderedRequest::new(http) })
}

/// Renders one request of a batch, without its model.
fn item(
    ctx: &Context,
    request: &EmbeddingsRequest,
    input: &EmbeddingInput,
    at: usize,
    own: Option<&Unnamed<'_>>,
) -> Result<String> {
    let named = |key: &str| own.is_some_and(|own| own.rest.0.iter().any(|(known, _)| &**known == key));
    let mut out = String::new();
    let mut content = String::new();
    if !named("content") {
        content = part(ctx, input, at)?;
    }
    object(&mut out, |o| {
        if !content.is_empty() {
            o.object("content", |o| o.raw("parts", &format!("[{content}]")));
        }
        if let Some(own) = own {
            own.rest.0.iter().for_each(|(key, raw)| o.raw(key, raw.get()));
        } else {
            o.opt_str("taskType", request.task.as_deref().and_then(task).as_deref());
            o.opt_str("title", request.title.as_deref());
            o.opt_num("outputDimensionality", request.dimensions);
            let members = request.extensions.iter().filter(|own| own.format == FORMAT && own.key != EACH);
            members.for_each(|own| o.raw(&own.key, &own.json));
        }
    });
    Ok(out)
}

/// Other formats' words for the purpose of the vectors, in this format's. That an image is one is no purpose.
pub fn task(name: &str) -> Option<String> {
    Some(match name {
        "image" => return None,
        "search_query" | "query" => "RETRIEVAL_QUERY".into(),
        "search_document" | "document" | "passage" => "RETRIEVAL_DOCUMENT".into(),
        other => other.to_ascii_uppercase(),
    })
}

fn part(ctx: &Context, input: &EmbeddingInput, at: usize) -> Result<String> {
    let mut out = String::new();
    match input {
        EmbeddingInput::Text(text) => object(&mut out, |o| o.str("text", text)),
        EmbeddingInput::Media(media) => {
            let mime = write::mime_of(media, &ctx.blobs);
            object(&mut out, |o| write::media(o, media, mime.as_deref()));
        }
        EmbeddingInput::Tokens(_) => {
            return Err(Error::unsupported(format!("input[{at}]"), "the service embeds texts, not tokens"));
        }
    }
    Ok(out)
}

pub(super) fn response(ctx: &Context, response: &EmbeddingsResponse) -> Result<RenderedResponse> {
    let mut losses = Losses::default();
    let mut vectors: Vec<&Embedding> = Vec::with_capacity(response.embeddings.len());
    for embedding in &response.embeddings {
        // They usually arrive in order.
        let at = vectors.partition_point(|known| known.index <= embedding.index);
        vectors.insert(at, embedding);
    }
    let mut lists = Vec::with_capacity(vectors.len());
    for embedding in vectors {
        lists.push(values(&embedding.vector)?);
    }
    let mut body = String::with_capacity(lists.iter().map(String::len).sum::<usize>() + 256);
    object(&mut body, |o| {
        match lists.first().filter(|_| ctx.memo == ONE) {
            Some(first) => o.object("embedding", |o| o.raw("values", first)),
            None => o.array("embeddings", |a| lists.iter().for_each(|list| a.object(|o| o.raw("values", list)))),
        }
        write::members(o, &response.extensions, "");
        if let Some(known) = &response.usage {
            losses.foreign("usage.", &known.extensions, FORMAT);
            write_usage(o, known);
        }
    });
    losses.foreign("", &response.extensions, FORMAT);
    Ok(RenderedResponse { losses: losses.into_losses(), ..RenderedResponse::json(body) })
}

/// Writes the usage without output: the total would only repeat the input.
fn write_usage(o: &mut Object<'_>, known: &weir_sdk::types::Usage) {
    let input = weir_sdk::types::Usage {
        output: None,
        output_audio: None,
        output_image: None,
        reasoning: None,
        ..known.clone()
    };
    let mut whole = String::new();
    object(&mut whole, |o| usage::write(o, &input, None, None, &mut Losses::default()));
    let read: Unnamed<'_> = parse(&whole).unwrap_or_default();
    for (key, raw) in &read.rest.0 {
        let inner: Unnamed<'_> = parse(raw.get()).unwrap_or_default();
        o.object(key, |o| {
            let kept = inner.rest.0.iter().filter(|(key, _)| &**key != "totalTokenCount");
            kept.for_each(|(key, raw)| o.raw(key, raw.get()));
        });
    }
}

/// A vector as a list of numbers; base64 contains 32-bit floats, which are written as short as possible (C-56).
fn values(vector: &Vector) -> Result<String> {
    let mut out = String::new();
    match vector {
        Vector::Floats(floats) => {
            weir_sdk::json::array(&mut out, |a: &mut Array<'_>| floats.iter().for_each(|float| a.num(*float)));
        }
        Vector::Base64(text) => {
            let bytes = STANDARD.decode(text).map_err(|_| Error::unreadable("a vector is not base64"))?;
            out.push('[');
            for four in bytes.as_chunks::<4>().0 {
                let comma = if out.len() > 1 { "," } else { "" };
                let value = Some(f32::from_le_bytes(*four)).filter(|value| value.is_finite());
                let _ = write!(out, "{comma}{}", value.unwrap_or_default());
            }
            out.push(']');
        }
        Vector::Opaque(_) => {
            return Err(Error::unsupported("encoding_format", "the format has vectors of floats only"));
        }
    }
    Ok(out)
}

//! Renders the request for the server and the answer for a client.

use weir_sdk::adapter::Result;
use weir_sdk::compat::embeddings::{from_base64, write_floats};
use weir_sdk::json::object;
use weir_sdk::losses::Losses;
use weir_sdk::types::{
    Context, EmbeddingInput, EmbeddingsRequest, EmbeddingsResponse, Error, HttpRequest, RenderedRequest,
    RenderedResponse, Vector,
};

use super::LEGACY;
use crate::body::NO_PLACE;
use crate::tools::lose;
use crate::{EMBEDDINGS, is_own, options, usage};

pub(super) fn request(ctx: &Context, request: &EmbeddingsRequest) -> Result<RenderedRequest> {
    let mut losses = Losses::default();
    let mut texts = Vec::with_capacity(request.inputs.len());
    for (at, input) in request.inputs.iter().enumerate() {
        match input {
            EmbeddingInput::Text(text) => texts.push(text.as_str()),
            _ => return Err(Error::unsupported(format!("input[{at}]"), "the server embeds texts only")),
        }
    }
    let legacy = ctx.format == EMBEDDINGS && texts.len() == 1 && request.dimensions.is_none();
    let mut body = String::with_capacity(texts.iter().map(|text| text.len()).sum::<usize>() + 128);
    object(&mut body, |o| {
        o.str("model", if ctx.model.is_empty() { &request.model } else { &ctx.model });
        match texts.as_slice() {
            [one] if legacy => o.str("prompt", one),
            [one] if request.single => o.str("input", one),
            all => o.array("input", |a| all.iter().for_each(|text| a.str(text))),
        }
        o.opt_num("dimensions", request.dimensions);
        options::write_only_others(o, &request.extensions);
        for own in request.extensions.iter().filter(|own| is_own(own) && own.json != "null") {
            if !options::is_option(own) {
                o.raw(&own.key, &own.json);
            }
        }
    });
    losses.dropped_if(request.end_user.is_some(), "user", NO_PLACE);
    losses.dropped_if(request.task.is_some(), "task", NO_PLACE);
    losses.dropped_if(request.title.is_some(), "title", NO_PLACE);
    lose(&request.extensions, "", &mut losses);
    let http = HttpRequest::post(if legacy { "api/embeddings" } else { "api/embed" }, body);
    Ok(RenderedRequest { losses: losses.into_losses(), ..RenderedRequest::new(http) })
}

pub(super) fn response(ctx: &Context, mut response: EmbeddingsResponse) -> Result<RenderedResponse> {
    let mut losses = Losses::default();
    response.embeddings.sort_by_key(|embedding| embedding.index);
    let mut vectors = Vec::with_capacity(response.embeddings.len());
    for embedding in response.embeddings {
        vectors.push(floats(embedding.vector)?);
    }
    let mut body = String::with_capacity(vectors.iter().map(|floats| floats.len() * 13).sum::<usize>() + 256);
    object(&mut body, |o| {
        if ctx.memo == LEGACY {
            let none = Vec::new();
            return o.array("embedding", |a| write_floats(a, vectors.first().unwrap_or(&none)));
        }
        o.str("model", if ctx.model.is_empty() { response.model.as_deref().unwrap_or_default() } else { &ctx.model });
        o.array("embeddings", |a| vectors.iter().for_each(|floats| a.array(|a| write_floats(a, floats))));
        let own = response.extensions.iter().filter(|own| is_own(own) && own.json != "null");
        own.for_each(|own| o.raw(&own.key, &own.json));
        if let Some(known) = &response.usage {
            // There is no output to count.
            usage::write(
                o,
                &weir_sdk::types::Usage {
                    output: None,
                    output_audio: None,
                    output_image: None,
                    reasoning: None,
                    ..known.clone()
                },
            );
            lose(&known.extensions, "usage.", &mut losses);
        }
    });
    lose(&response.extensions, "", &mut losses);
    Ok(RenderedResponse { losses: losses.into_losses(), ..RenderedResponse::json(body) })
}

/// A vector as numbers (C-56): the format has no base64.
fn floats(vector: Vector) -> Result<Vec<f64>> {
    match vector {
        Vector::Floats(floats) => Ok(floats),
        Vector::Base64(text) => from_base64(&text),
        Vector::Opaque(_) => Err(Error::unsupported("encoding_format", "the format has vectors of floats only")),
    }
}

//! Embeddings: predictions of the text models (`:predict`), of the multimodal model, and the newer `:embedContent`.
//!
//! Sources: `TextEmbeddingPredictionInstance` and `TextEmbeddingPredictionParams` of the REST reference, the guide to
//! multimodal embeddings, and recordings.

use weir_adapter_gemini::{EMBED_EACH, FORMAT, Gemini, media_type, task_type, user_project};
use weir_sdk::adapter::{ProviderEmbeddings, Result};
use weir_sdk::json::{Number, Object, Rest, Seq, Str, array, object, parse};
use weir_sdk::losses::{Losses, extension};
use weir_sdk::types::{
    Body, Context, Embedding, EmbeddingInput, EmbeddingsRequest, EmbeddingsResponse, Error, HttpRequest, HttpResponse,
    MediaSource, RenderedRequest, Usage, Vector,
};

use crate::target::{Publisher, Target};
use crate::{Vertex, google};

impl ProviderEmbeddings for Vertex {
    fn render_request(ctx: &Context, request: EmbeddingsRequest) -> Result<RenderedRequest> {
        let target = Target::of(ctx, &request.model)?;
        if target.publisher != Publisher::Google {
            return Err(Error::unsupported("model", "this publisher has no embeddings"));
        }
        let rendered = match Shape::of(&target.name) {
            Shape::Content => content(ctx, &target, request)?,
            shape => predict(&target, &request, shape)?,
        };
        Ok(user_project::named(ctx, rendered))
    }

    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<EmbeddingsResponse> {
        let text = response.text()?;
        let unreadable = |error| Error::unreadable(format!("the vectors cannot be read: {error}"));
        let body: Predictions<'_> = parse(text).map_err(unreadable)?;
        match body.list {
            Some(list) => predicted(list.0),
            None => <Gemini as ProviderEmbeddings>::parse_response(ctx, response),
        }
    }
}

weir_sdk::wire! {
    /// The answer of `:predict`.
    struct Predictions<'a> {
        "predictions" => list: Seq<Prediction<'a>>,
    }

    /// A prediction of any model.
    struct Prediction<'a> {
        "embeddings" => embeddings: Figured<'a>,
        "textEmbedding" => text: Vec<Number>,
        "imageEmbedding" => image: Vec<Number>,
    }

    /// A vector with its statistics.
    struct Figured<'a> {
        "values" => values: Vec<Number>,
        "statistics" => statistics: Rest<'a>,
    }
}

/// The shape of a model's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `{"content": ..., "task_type": ..., "title": ...}`.
    Text,
    /// `{"text": ...}` or `{"image": ...}`.
    Multimodal,
    /// A whole content, one a request.
    Content,
}

impl Shape {
    fn of(model: &str) -> Self {
        if model.starts_with("multimodalembedding") {
            return Self::Multimodal;
        }
        let newer = model.contains("gemini") && !model.starts_with("gemini-embedding-001");
        if newer { Self::Content } else { Self::Text }
    }
}

fn content(ctx: &Context, target: &Target, request: EmbeddingsRequest) -> Result<RenderedRequest> {
    if request.inputs.len() != 1 {
        return Err(Error::unsupported("input", "this model embeds one input at a time"));
    }
    let request = EmbeddingsRequest { single: true, ..request };
    let mut rendered = <Gemini as ProviderEmbeddings>::render_request(&google::inner(ctx, target), request)?;
    let text = rendered.request.body.as_text()?;
    let members = Rest::parse(text).map_err(|error| Error::invalid(format!("the request cannot be read: {error}")))?;
    let mut body = String::with_capacity(text.len());
    object(&mut body, |o| {
        let kept = members.0.iter().filter(|(key, _)| &**key != "model");
        kept.for_each(|(key, raw)| o.raw(key, raw.get()));
    });
    rendered.request.body = Body::Text(body);
    rendered.request.path = target.method("embedContent");
    Ok(rendered)
}

fn predict(target: &Target, request: &EmbeddingsRequest, shape: Shape) -> Result<RenderedRequest> {
    let mut losses = Losses::default();
    let each = extension(&request.extensions, FORMAT, EMBED_EACH);
    let each: Vec<Rest<'_>> = each.and_then(|json| parse(json).ok()).unwrap_or_default();
    let mut instances = String::new();
    let mut failure = None;
    array(&mut instances, |a| {
        for (at, input) in request.inputs.iter().enumerate() {
            let own = each.get(at);
            a.object(|o| {
                let written = match shape {
                    Shape::Multimodal => multimodal(o, input, at),
                    _ => instance(o, request, input, own, at),
                };
                failure = failure.take().or(written.err());
            });
        }
    });
    if let Some(error) = failure {
        return Err(error);
    }
    let mut body = String::with_capacity(instances.len() + 64);
    object(&mut body, |o| {
        o.raw("instances", &instances);
        parameters(o, request, shape);
    });
    losses.dropped_if(request.end_user.is_some(), "user", "the format has no place for it");
    if shape == Shape::Multimodal {
        losses.dropped_if(request.task.is_some(), "task", "the model knows none");
        losses.dropped_if(request.title.is_some(), "title", "the model knows none");
    }
    losses.foreign("", &request.extensions, FORMAT);
    let http = HttpRequest::post(target.method("predict"), body);
    Ok(RenderedRequest { losses: losses.into_losses(), ..RenderedRequest::new(http) })
}

/// Writes a text. Settings of an item in a batch only apply to that item.
fn instance(
    o: &mut Object<'_>,
    request: &EmbeddingsRequest,
    input: &EmbeddingInput,
    own: Option<&Rest<'_>>,
    at: usize,
) -> Result<()> {
    let EmbeddingInput::Text(text) = input else {
        return Err(Error::unsupported(format!("input[{at}]"), "the model embeds texts only"));
    };
    let found = |key: &str, common: Option<&str>| match own {
        Some(own) => own.get(key).and_then(weir_sdk::json::text).map(Str::into_string),
        None => common.map(str::to_owned),
    };
    o.str("content", text);
    o.opt_str("task_type", found("taskType", request.task.as_deref()).and_then(|name| task_type(&name)).as_deref());
    o.opt_str("title", found("title", request.title.as_deref()).as_deref());
    Ok(())
}

fn multimodal(o: &mut Object<'_>, input: &EmbeddingInput, at: usize) -> Result<()> {
    let unsupported = |what: &str| Err(Error::unsupported(format!("input[{at}]"), what));
    let media = match input {
        EmbeddingInput::Text(text) => {
            o.str("text", text);
            return Ok(());
        }
        EmbeddingInput::Media(media) => media,
        EmbeddingInput::Tokens(_) => return unsupported("the model embeds texts and images, not tokens"),
    };
    let (member, value) = match &media.source {
        MediaSource::Base64(data) => ("bytesBase64Encoded", data),
        MediaSource::Url(uri) if uri.starts_with("gs://") => ("gcsUri", uri),
        _ => return unsupported("the image's bytes must stand in the request"),
    };
    o.object("image", |o| {
        o.str(member, value);
        o.opt_str("mimeType", media.mime.as_deref().map(|mime| media_type(media.kind, mime)).as_deref());
    });
    Ok(())
}

fn parameters(o: &mut Object<'_>, request: &EmbeddingsRequest, shape: Shape) {
    let truncate = extension(&request.extensions, FORMAT, "autoTruncate");
    if request.dimensions.is_none() && truncate.is_none() {
        return;
    }
    let dimensions = if shape == Shape::Multimodal { "dimension" } else { "outputDimensionality" };
    o.object("parameters", |o| {
        o.opt_num(dimensions, request.dimensions);
        o.opt_raw("autoTruncate", truncate);
    });
}

/// The vectors, and the sum of their tokens if each has a count.
fn predicted(predictions: Vec<Prediction<'_>>) -> Result<EmbeddingsResponse> {
    let mut tokens = Some(0u32);
    let mut embeddings = Vec::with_capacity(predictions.len());
    for (index, prediction) in (0..).zip(predictions) {
        let mut values = prediction.embeddings.unwrap_or_default();
        let count = values.statistics.as_mut().and_then(|figures| figures.count("token_count"));
        tokens = tokens.zip(count).map(|(sum, count)| sum.saturating_add(count));
        let floats = values.values.or(prediction.text).or(prediction.image);
        let floats = floats.ok_or_else(|| Error::unreadable("a prediction has no vector"))?;
        let vector = Vector::Floats(floats.into_iter().map(|number| number.0).collect());
        embeddings.push(Embedding { index, vector });
    }
    let usage = tokens.filter(|_| !embeddings.is_empty()).map(|input| Usage { input: Some(input), ..Usage::default() });
    Ok(EmbeddingsResponse { id: None, model: None, embeddings, usage, extensions: Vec::new() })
}

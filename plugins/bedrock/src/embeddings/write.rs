//! Renders the request for the service.

use weir_sdk::adapter::Result;
use weir_sdk::json::{Object, object};
use weir_sdk::losses::Losses;
use weir_sdk::types::{
    Blob, Context, EmbeddingInput, EmbeddingsRequest, Error, Header, HttpRequest, MediaKind, MediaPart, MediaSource,
    RenderedRequest,
};

use super::Kind;
use crate::{INVOKE, mime, path};

/// Default dimensions of a vector, which are those of the models themselves.
const NOVA_DIMENSIONS: u32 = 3072;

pub(super) fn request(ctx: &Context, request: &EmbeddingsRequest) -> Result<RenderedRequest> {
    let model = if ctx.model.is_empty() { &request.model } else { &ctx.model };
    let kind = Kind::of(&ctx.option_str("base_model").unwrap_or_else(|| model.clone()))?;
    let mut losses = Losses::default();
    let body = match kind {
        Kind::Cohere { shortens } => cohere(ctx, request, shortens, &mut losses)?,
        kind => single(ctx, request, kind, &mut losses)?,
    };
    losses.dropped_if(request.title.is_some(), "title", "there is no place for it");
    losses.dropped_if(request.end_user.is_some(), "user", "there is no place for it");
    losses.foreign("", &request.extensions, INVOKE);
    let mut http = HttpRequest::post(path::operation(model, "invoke"), body);
    http.headers = vec![Header::new("accept", "application/json")];
    Ok(RenderedRequest { losses: losses.into_losses(), ..RenderedRequest::new(http) })
}

/// The single input that Titan and Nova take.
fn only(request: &EmbeddingsRequest) -> Result<&EmbeddingInput> {
    match request.inputs.as_slice() {
        [one] => Ok(one),
        [] => Err(Error::invalid("there is nothing to embed").at("input")),
        several => {
            let message = format!("this model embeds one input a request, not {}; send them one by one", several.len());
            Err(Error::unsupported("input", message))
        }
    }
}

fn single(ctx: &Context, request: &EmbeddingsRequest, kind: Kind, losses: &mut Losses) -> Result<String> {
    let input = only(request)?;
    let mut body = String::new();
    let mut failed = None;
    object(&mut body, |o| {
        let written = match kind {
            Kind::Nova => nova(o, ctx, request, input),
            kind => titan(o, ctx, request, kind, input, losses),
        };
        failed = written.err();
    });
    if kind != Kind::Nova {
        losses.dropped_if(request.task.is_some(), "task", "the model has no place for it");
    }
    failed.map_or(Ok(body), Err)
}

fn titan(
    o: &mut Object<'_>,
    ctx: &Context,
    request: &EmbeddingsRequest,
    kind: Kind,
    input: &EmbeddingInput,
    losses: &mut Losses,
) -> Result<()> {
    match input {
        EmbeddingInput::Text(text) => o.str("inputText", text),
        EmbeddingInput::Media(media) if kind == Kind::TitanImage => o.str("inputImage", image(media, &ctx.blobs)?.1),
        _ => return Err(only_text(0)),
    }
    match (kind, request.dimensions) {
        (Kind::Titan, Some(dimensions)) => o.num("dimensions", dimensions),
        (Kind::TitanImage, Some(dimensions)) => {
            o.object("embeddingConfig", |o| o.num("outputEmbeddingLength", dimensions));
        }
        (_, Some(_)) => losses.dropped("dimensions", "the model's vectors have one length"),
        (_, None) => {}
    }
    if kind == Kind::Titan {
        o.opt_bool("normalize", ctx.option_bool("normalize"));
    }
    Ok(())
}

fn nova(o: &mut Object<'_>, ctx: &Context, request: &EmbeddingsRequest, input: &EmbeddingInput) -> Result<()> {
    let medium = match input {
        EmbeddingInput::Media(media) => Some(image(media, &ctx.blobs)?),
        EmbeddingInput::Text(_) => None,
        EmbeddingInput::Tokens(_) => return Err(only_text(0)),
    };
    o.str("taskType", "SINGLE_EMBEDDING");
    o.object("singleEmbeddingParams", |o| {
        o.str("embeddingPurpose", purpose(request.task.as_deref()));
        o.num("embeddingDimension", request.dimensions.unwrap_or(NOVA_DIMENSIONS));
        match (input, medium) {
            (EmbeddingInput::Text(text), _) => o.object("text", |o| {
                o.str("truncationMode", "END");
                o.str("value", text);
            }),
            (_, Some((format, data))) => o.object("image", |o| {
                o.str("format", format);
                o.object("source", |o| o.str("bytes", data));
            }),
            _ => {}
        }
    });
    Ok(())
}

/// Other formats' words for the purpose of the vectors, in Nova's.
fn purpose(task: Option<&str>) -> &'static str {
    match cohere_task(task) {
        "search_query" => "GENERIC_RETRIEVAL",
        "classification" => "CLASSIFICATION",
        "clustering" => "CLUSTERING",
        _ => "GENERIC_INDEX",
    }
}

fn cohere(ctx: &Context, request: &EmbeddingsRequest, shortens: bool, losses: &mut Losses) -> Result<String> {
    let mut texts = Vec::with_capacity(request.inputs.len());
    let mut images = Vec::new();
    for (at, input) in request.inputs.iter().enumerate() {
        match input {
            EmbeddingInput::Text(text) => texts.push(text.as_str()),
            EmbeddingInput::Media(media) => {
                let (format, data) = image(media, &ctx.blobs)?;
                images.push(format!("data:image/{format};base64,{data}"));
            }
            EmbeddingInput::Tokens(_) => return Err(only_text(at)),
        }
    }
    if !texts.is_empty() && !images.is_empty() {
        return Err(Error::unsupported("input", "the model embeds texts or images, not both at once"));
    }
    let task = if images.is_empty() { cohere_task(request.task.as_deref()) } else { "image" };
    let mut body = String::new();
    object(&mut body, |o| {
        if images.is_empty() {
            o.array("texts", |a| texts.iter().for_each(|text| a.str(text)));
        } else {
            o.array("images", |a| images.iter().for_each(|url| a.str(url)));
        }
        o.str("input_type", task);
        if shortens {
            // Without this member the newer model uses a different shape of answer for each request.
            o.array("embedding_types", |a| a.str("float"));
            o.opt_num("output_dimension", request.dimensions);
        }
    });
    losses.dropped_if(!shortens && request.dimensions.is_some(), "dimensions", "the model's vectors have one length");
    Ok(body)
}

/// Other formats' words for the purpose of the vectors, in Cohere's; Cohere requires one.
fn cohere_task(task: Option<&str>) -> &'static str {
    match task.map(str::to_ascii_lowercase).as_deref() {
        Some("search_query" | "query" | "retrieval_query" | "question_answering" | "code_retrieval_query") => {
            "search_query"
        }
        Some("classification") => "classification",
        Some("clustering" | "semantic_similarity") => "clustering",
        _ => "search_document",
    }
}

/// An image's format and its bytes.
fn image<'m>(media: &'m MediaPart, blobs: &[Blob]) -> Result<(&'static str, &'m str)> {
    let refused = || Error::unsupported("input", "the model embeds images whose bytes stand in the request");
    let (MediaKind::Image, MediaSource::Base64(data)) = (media.kind, &media.source) else { return Err(refused()) };
    let named = media.mime.as_deref().and_then(|mime| mime::format(media.kind, mime));
    let format = named.or_else(|| mime::sniff(media.kind, data, blobs)).ok_or_else(refused)?;
    Ok((format, data))
}

fn only_text(at: usize) -> Error {
    Error::unsupported(format!("input[{at}]"), "the model embeds texts, not tokens or other media")
}

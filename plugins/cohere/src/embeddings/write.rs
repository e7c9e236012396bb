//! Renders the request for the service and the answer for a client.

use weir_sdk::adapter::Result;
use weir_sdk::compat::embeddings::{from_base64, to_base64, write_floats};
use weir_sdk::compat::media::{mime, to_data_url};
use weir_sdk::json::{Object, Rest, Str, object, parse};
use weir_sdk::losses::{Losses, extension};
use weir_sdk::types::{
    Context, EmbeddingEncoding, EmbeddingInput, EmbeddingsRequest, EmbeddingsResponse, Error, HttpRequest, MediaKind,
    MediaPart, MediaSource, RenderedRequest, RenderedResponse, Vector,
};

use super::{CONTENT, FORMAT, FURTHER, INPUTS, OLD, TYPES};
use crate::provider::model;
use crate::usage;
use crate::write::{marked_in, own};

/// Default purpose of the vectors; newer models refuse a request without one.
const DEFAULT_TASK: &str = "search_document";

pub(super) fn request(ctx: &Context, request: &EmbeddingsRequest) -> Result<RenderedRequest> {
    let mut losses = Losses::default();
    let inputs = inputs(ctx, request)?;
    let mut body = String::with_capacity(inputs.len() + 256);
    object(&mut body, |o| {
        o.str("model", model(ctx, &request.model));
        o.members(&inputs);
        o.str("input_type", &task(ctx, request));
        match extension(&request.extensions, FORMAT, TYPES) {
            // Only clients of this format get the service's base64: base64 in other formats encodes floats.
            Some("null") if request.encoding == Some(EmbeddingEncoding::Base64) => o.array(TYPES, |a| a.str("base64")),
            Some(types) if types != "null" => o.raw(TYPES, types),
            // The older answers are bare lists if no type is requested.
            None if ctx.format == OLD && request.encoding.is_none() => {}
            _ => o.array(TYPES, |a| a.str("float")),
        }
        o.opt_num("output_dimension", request.dimensions);
        own(&request.extensions, FORMAT).filter(|own| own.key != TYPES).for_each(|own| o.raw(&own.key, &own.json));
    });
    losses.dropped_if(request.title.is_some(), "title", "the format has no place for it");
    losses.dropped_if(request.end_user.is_some(), "user", "the format has no place for it");
    losses.foreign("", &request.extensions, FORMAT);
    let path = if ctx.format == OLD { "v1/embed" } else { "v2/embed" };
    Ok(RenderedRequest { losses: losses.into_losses(), ..RenderedRequest::new(HttpRequest::post(path, body)) })
}

/// The member with the inputs: texts alone and a single image have separate members.
fn inputs(ctx: &Context, request: &EmbeddingsRequest) -> Result<String> {
    let mut members = String::new();
    let texts: Option<Vec<&str>> = request.inputs.iter().map(text).collect();
    let listed = marked_in(&request.extensions, FORMAT, INPUTS);
    let mut out = Ok(());
    object(&mut members, |o| match (texts, request.inputs.as_slice()) {
        (Some(texts), _) if !listed => o.array("texts", |a| texts.iter().for_each(|text| a.str(text))),
        (None, [EmbeddingInput::Media(media)]) if !listed => match url(ctx, media) {
            Ok(url) => o.array("images", |a| a.str(&url)),
            Err(error) => out = Err(error.at("input[0]")),
        },
        (_, all) => o.array("inputs", |a| {
            for (at, one) in all.iter().enumerate() {
                match content(ctx, one) {
                    Ok(content) => a.object(|o| o.raw("content", &content)),
                    Err(error) => out = Err(error.at(format!("input[{at}]"))),
                }
            }
        }),
    });
    out.map(|()| members.trim_start_matches('{').trim_end_matches('}').to_owned())
}

fn text(input: &EmbeddingInput) -> Option<&str> {
    match input {
        EmbeddingInput::Text(text) => Some(text),
        _ => None,
    }
}

fn content(ctx: &Context, input: &EmbeddingInput) -> Result<String> {
    let mut item = String::new();
    match input {
        EmbeddingInput::Text(text) => object(&mut item, |o| {
            o.str("type", "text");
            o.str("text", text);
        }),
        EmbeddingInput::Media(media) => {
            if let Some(whole) = extension(&media.extensions, FORMAT, CONTENT) {
                return Ok(whole.to_owned());
            }
            let url = url(ctx, media)?;
            object(&mut item, |o| {
                o.str("type", "image_url");
                o.object("image_url", |o| o.str("url", &url));
            });
        }
        EmbeddingInput::Tokens(_) => return Err(Error::unsupported("", "the service embeds texts, not tokens")),
    }
    Ok(format!("[{item}]"))
}

fn url(ctx: &Context, media: &MediaPart) -> Result<String> {
    match (media.kind, &media.source) {
        (MediaKind::Image, MediaSource::Base64(data)) => Ok(to_data_url(&mime(ctx, media), data)),
        (MediaKind::Image, MediaSource::Url(url)) => Ok(url.clone()),
        _ => Err(Error::unsupported("", "the service embeds texts and images only")),
    }
}

/// The purpose of the vectors, in this format's words.
fn task(ctx: &Context, request: &EmbeddingsRequest) -> String {
    let images = request.inputs.iter().all(|input| matches!(input, EmbeddingInput::Media(_)));
    let Some(task) = request.task.as_deref() else {
        let usual = || ctx.option_str("input_type").unwrap_or_else(|| DEFAULT_TASK.to_owned());
        return if images { "image".to_owned() } else { usual() };
    };
    match task.to_ascii_lowercase().as_str() {
        "retrieval_query" | "query" | "question_answering" | "fact_verification" | "code_retrieval_query" => {
            "search_query".to_owned()
        }
        "retrieval_document" | "document" | "passage" | "semantic_similarity" => "search_document".to_owned(),
        other => other.to_owned(),
    }
}

weir_sdk::wire! {
    /// The memo of the request.
    struct Memo<'a> {
        "types" => types: Vec<Str<'a>>,
        "bare" => bare: bool,
        "old" => old: bool,
        "texts" => texts: Vec<Str<'a>>,
    }
}

pub(super) fn response(ctx: &Context, mut response: EmbeddingsResponse) -> Result<RenderedResponse> {
    let mut losses = Losses::default();
    let memo: Memo<'_> = parse(&ctx.memo).unwrap_or_default();
    response.embeddings.sort_by_key(|embedding| embedding.index);
    let vectors: Vec<&Vector> = response.embeddings.iter().map(|embedding| &embedding.vector).collect();
    let further = extension(&response.extensions, FORMAT, FURTHER);
    let further = further.and_then(|json| Rest::parse(json).ok()).unwrap_or_default();
    let lists = lists(&vectors, &memo, &further, &mut losses)?;
    let mut body = String::with_capacity(lists.iter().map(|(_, list)| list.len()).sum::<usize>() + 256);
    object(&mut body, |o| {
        o.str("id", response.id.as_deref().unwrap_or(&ctx.request_id));
        match lists.as_slice() {
            [(_, list), ..] if memo.bare == Some(true) => o.raw(FURTHER, list),
            all => o.object(FURTHER, |o| all.iter().for_each(|(kind, list)| o.raw(kind, list))),
        }
        if let Some(texts) = &memo.texts {
            o.array("texts", |a| texts.iter().for_each(|text| a.str(text)));
        }
        let others = own(&response.extensions, FORMAT).filter(|own| own.key != FURTHER && own.key != "warnings");
        others.for_each(|own| o.raw(&own.key, &own.json));
        o.object("meta", |o| meta(o, &response, memo.old == Some(true)));
        o.str("response_type", if memo.bare == Some(true) { "embeddings_floats" } else { "embeddings_by_type" });
    });
    losses.foreign("", &response.extensions, FORMAT);
    if let Some(known) = &response.usage {
        losses.foreign("usage.", &known.extensions, crate::FORMAT);
    }
    Ok(RenderedResponse { losses: losses.into_losses(), ..RenderedResponse::json(body) })
}

fn meta(o: &mut Object<'_>, response: &EmbeddingsResponse, old: bool) {
    o.object("api_version", |o| o.str("version", if old { "1" } else { "2" }));
    if let Some(known) = &response.usage {
        usage::members_of(o, known);
    }
    o.opt_raw("warnings", extension(&response.extensions, FORMAT, "warnings"));
}

/// The vectors, as a list for each requested type.
fn lists(
    vectors: &[&Vector],
    memo: &Memo<'_>,
    further: &Rest<'_>,
    losses: &mut Losses,
) -> Result<Vec<(String, String)>> {
    let wanted: Vec<String> = match memo.types.as_deref() {
        None | Some([]) => vec!["float".to_owned()],
        Some(types) => types.iter().map(ToString::to_string).collect(),
    };
    let mut lists = Vec::with_capacity(wanted.len());
    for kind in wanted {
        if let Some((_, raw)) = further.0.iter().find(|(known, _)| **known == *kind) {
            lists.push((kind, raw.get().to_owned()));
        } else if let Some(list) = list(vectors, &kind)? {
            lists.push((kind, list));
        } else {
            losses.dropped(format!("{TYPES}.{kind}"), "the provider has no vectors of this type");
        }
    }
    if lists.is_empty() {
        return Err(Error::unsupported(TYPES, "the provider has no vectors of these types"));
    }
    Ok(lists)
}

/// Vectors of one type; `None` if they have another type that cannot be converted.
fn list(vectors: &[&Vector], kind: &str) -> Result<Option<String>> {
    let mut out = String::from("[");
    for (at, vector) in vectors.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        match (vector, kind) {
            (Vector::Floats(floats), "float") => weir_sdk::json::array(&mut out, |a| write_floats(a, floats)),
            (Vector::Base64(text), "float") => {
                let floats = from_base64(text)?;
                weir_sdk::json::array(&mut out, |a| write_floats(a, &floats));
            }
            (Vector::Base64(text), "base64") => weir_sdk::json::quote(&mut out, text),
            (Vector::Floats(floats), "base64") => weir_sdk::json::quote(&mut out, &to_base64(floats)),
            (Vector::Opaque(opaque), _) if opaque.format == FORMAT && opaque.kind == kind => out.push_str(&opaque.json),
            _ => return Ok(None),
        }
    }
    out.push(']');
    Ok(Some(out))
}

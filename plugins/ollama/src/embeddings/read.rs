//! Parses a client's request and the server's answer.

use weir_sdk::adapter::{ParsedEmbeddings, Result};
use weir_sdk::json::{Either, Str, parse};
use weir_sdk::losses::extensions;
use weir_sdk::types::{
    Context, Embedding, EmbeddingInput, EmbeddingsRequest, EmbeddingsResponse, Error, HttpRequest, HttpResponse, Vector,
};

use super::LEGACY;
use crate::dialect::request::{model, unreadable};
use crate::provider::error;
use crate::{EMBED, EMBEDDINGS, options, usage, wire};

pub(super) fn request(ctx: &Context, request: &HttpRequest) -> Result<ParsedEmbeddings> {
    let legacy = ctx.format == EMBEDDINGS || ctx.format != EMBED && request.path.ends_with("/embeddings");
    let mut body: wire::Embed<'_> = parse(request.body.as_text()?).map_err(|error| unreadable(&error))?;
    let (inputs, single) = if legacy { prompt(&mut body)? } else { input(&mut body)? };
    let format = if legacy { EMBEDDINGS } else { EMBED };
    let others = body.rest.object("options").map(|rest| options::others(format, rest)).unwrap_or_default();
    let mut chat_extensions = extensions(format, body.rest);
    chat_extensions.extend(others);
    let request = EmbeddingsRequest {
        model: model(ctx, body.model)?,
        inputs,
        single,
        dimensions: body.dimensions.map(|count| count.0),
        encoding: None,
        task: None,
        title: None,
        end_user: None,
        extensions: chat_extensions,
    };
    let memo = if legacy { LEGACY.to_owned() } else { String::new() };
    Ok(ParsedEmbeddings { request, losses: Vec::new(), memo })
}

fn input(body: &mut wire::Embed<'_>) -> Result<(Vec<EmbeddingInput>, bool)> {
    let text = |text: Str<'_>| EmbeddingInput::Text(text.into_string());
    match body.input.take() {
        Some(Either::Text(one)) => Ok((vec![text(one)], true)),
        Some(Either::List(list)) => Ok((list.into_iter().map(text).collect(), false)),
        None => Err(Error::invalid("input is missing").at("input")),
    }
}

fn prompt(body: &mut wire::Embed<'_>) -> Result<(Vec<EmbeddingInput>, bool)> {
    let prompt = body.prompt.take().ok_or_else(|| Error::invalid("prompt is missing").at("prompt"))?;
    Ok((vec![EmbeddingInput::Text(prompt.into_string())], true))
}

pub(super) fn response(response: &HttpResponse) -> Result<EmbeddingsResponse> {
    let text = response.text()?;
    let answer: wire::Embedded<'_> =
        parse(text).map_err(|error| Error::unreadable(format!("the vectors cannot be read: {error}")))?;
    if let Some(raw) = answer.error {
        return Err(error::object(raw, None));
    }
    let vectors = answer.embeddings.or(answer.embedding.map(|one| vec![one]));
    let vectors = vectors.ok_or_else(|| Error::unreadable("the answer has no vectors"))?;
    let embedding = |(index, floats)| Embedding { index, vector: Vector::Floats(floats) };
    Ok(EmbeddingsResponse {
        id: None,
        model: answer.model.map(Str::into_string),
        embeddings: (0..).zip(vectors).map(embedding).collect(),
        usage: usage::read(answer.prompt_eval_count.map(|count| count.0), None, extensions(EMBED, answer.rest)),
        extensions: Vec::new(),
    })
}

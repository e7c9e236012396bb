//! Parses a client's request and the service's answer.

use weir_sdk::adapter::{ParsedEmbeddings, Result};
use weir_sdk::json::{RawValue, Str, array, object, parse};
use weir_sdk::types::{
    Blob, Context, Embedding, EmbeddingInput, EmbeddingsRequest, EmbeddingsResponse, Error, Extension, HttpRequest,
    HttpResponse, Part, Vector,
};

use super::{EACH, ONE};
use crate::dialect::request::{model, unreadable};
use crate::read::{self, Ids};
use crate::wire::{self, Content, Embed, Word, extensions, own};
use crate::{path, usage};

/// Purposes of vectors, in the order of their numbers.
const TASKS: [&str; 9] = [
    "TASK_TYPE_UNSPECIFIED",
    "RETRIEVAL_QUERY",
    "RETRIEVAL_DOCUMENT",
    "SEMANTIC_SIMILARITY",
    "CLASSIFICATION",
    "CLUSTERING",
    "QUESTION_ANSWERING",
    "FACT_VERIFICATION",
    "CODE_RETRIEVAL_QUERY",
];

pub(super) fn request(ctx: &Context, request: &HttpRequest) -> Result<ParsedEmbeddings> {
    let text = request.body.as_text()?;
    let single = path::method_of(&request.path) == "embedContent";
    let wires: Vec<Embed<'_>> = if single {
        vec![parse(text).map_err(|error| unreadable(&error))?]
    } else {
        let batch: wire::BatchEmbed<'_> = parse(text).map_err(|error| unreadable(&error))?;
        batch.requests.ok_or_else(|| Error::invalid("requests is missing").at("requests"))?
    };
    let named = wires.first().and_then(|wire| wire.model.clone());
    let mut texts = Vec::with_capacity(wires.len());
    for (at, wire) in wires.into_iter().enumerate() {
        texts.push(Text::read(wire, &ctx.blobs).map_err(|error| placed(error, at, single))?);
    }
    let each = each(&texts);
    let first = texts.first();
    let request = EmbeddingsRequest {
        model: model(ctx, request, named)?,
        single,
        dimensions: first.and_then(|text| text.dimensions),
        encoding: None,
        task: first.and_then(|text| text.task.clone()),
        title: first.and_then(|text| text.title.clone()),
        end_user: None,
        extensions: each.into_iter().chain(first.into_iter().flat_map(|text| text.others.clone())).collect(),
        inputs: texts.into_iter().map(|text| text.input).collect(),
    };
    let memo = if single { ONE.to_owned() } else { String::new() };
    Ok(ParsedEmbeddings { request, losses: Vec::new(), memo })
}

fn placed(error: Error, at: usize, single: bool) -> Error {
    if single { error } else { error.at(format!("requests[{at}].content")) }
}

/// A text with its settings.
struct Text {
    input: EmbeddingInput,
    /// The original content, if the input does not express all of it.
    content: Option<String>,
    task: Option<String>,
    title: Option<String>,
    dimensions: Option<u32>,
    others: Vec<Extension>,
}

impl Text {
    fn read(wire: Embed<'_>, blobs: &[Blob]) -> Result<Self> {
        let raw = wire.content.ok_or_else(|| Error::invalid("content is missing").at("content"))?;
        let (input, whole) = input(raw, blobs)?;
        Ok(Self {
            input,
            content: (!whole).then(|| raw.get().to_owned()),
            task: wire.task.as_ref().and_then(task),
            title: wire.title.map(Str::into_string),
            dimensions: wire.dimensions.map(|count| count.0),
            others: extensions("", wire.rest),
        })
    }

    fn settings(&self) -> String {
        let mut out = String::new();
        object(&mut out, |o| {
            o.opt_raw("content", self.content.as_deref());
            o.opt_str("taskType", self.task.as_deref());
            o.opt_str("title", self.title.as_deref());
            o.opt_num("outputDimensionality", self.dimensions);
            self.others.iter().for_each(|own| o.raw(&own.key, &own.json));
        });
        out
    }
}

/// The purpose of the vectors, if a client named one.
fn task(word: &Word<'_>) -> Option<String> {
    Some(word.name(&TASKS)).filter(|name| *name != TASKS[0]).map(str::to_owned)
}

/// The settings of each text, if they differ.
fn each(texts: &[Text]) -> Option<Extension> {
    let all: Vec<String> = texts.iter().map(Text::settings).collect();
    let alike = all.windows(2).all(|pair| pair.first() == pair.last());
    if alike && texts.iter().all(|text| text.content.is_none()) {
        return None;
    }
    let mut json = String::new();
    array(&mut json, |a| all.iter().for_each(|settings| a.raw(settings)));
    Some(own(EACH, json))
}

/// The input for a content, and whether it expresses all of it. Several texts are joined for other formats.
fn input(raw: &RawValue, blobs: &[Blob]) -> Result<(EmbeddingInput, bool)> {
    let content: Content<'_> = parse(raw.get()).map_err(|error| unreadable(&error))?;
    let mut ids = Ids::new(String::new());
    let wires = content.parts.unwrap_or_default().0;
    let parts = wires.into_iter().map(|wire| read::part(wire, &mut ids, blobs)).collect::<Result<Vec<_>>>()?;
    let mut texts: Vec<&str> = Vec::new();
    for part in &parts {
        match part {
            Part::Text(text) => texts.push(&text.text),
            Part::Media(media) if parts.len() == 1 => return Ok((EmbeddingInput::Media(media.clone()), true)),
            _ => return Err(Error::unsupported("content", "only texts, or one medium, can be embedded")),
        }
    }
    let whole = texts.len() == 1;
    Ok((EmbeddingInput::Text(texts.join("\n")), whole))
}

pub(super) fn response(response: &HttpResponse) -> Result<EmbeddingsResponse> {
    let text = response.text()?;
    let read: wire::Embedded<'_> =
        parse(text).map_err(|error| Error::unreadable(format!("the vectors cannot be read: {error}")))?;
    let all = match (read.embeddings, read.embedding) {
        (Some(all), _) => all,
        (None, Some(one)) => vec![one],
        (None, None) => return Err(Error::unreadable("the answer has no vectors")),
    };
    let embedding = |(at, values): (usize, wire::Values<'_>)| Embedding {
        index: at as u32,
        vector: Vector::Floats(values.values.unwrap_or_default().into_iter().map(|number| number.0).collect()),
    };
    Ok(EmbeddingsResponse {
        id: None,
        model: None,
        embeddings: all.into_iter().enumerate().map(embedding).collect(),
        usage: read.usage.map(|wire| usage::read(wire).0),
        extensions: extensions("", read.rest),
    })
}

//! Parses the service's answer: Titan's single vector, Cohere's vectors (by type, if types were requested), Nova's list
//! of objects.

use weir_sdk::adapter::Result;
use weir_sdk::json::{Count, Number, RawValue, Rest, Str, parse};
use weir_sdk::model::header;
use weir_sdk::types::{Embedding, EmbeddingsResponse, Error, HttpResponse, Usage, Vector};
use weir_sdk::wire;

wire! {
    /// An answer of any vendor.
    struct Answer<'a> {
        "id" => id: Str<'a>,
        "embedding" => embedding: Vec<Number>,
        "embeddings" => embeddings: &'a RawValue,
        "inputTextTokenCount" => input: Count,
        "message" => message: Str<'a>,
    }

    /// A vector of Nova's.
    struct One<'a> {
        "embedding" => embedding: Vec<Number>,
    }
}

pub(super) fn response(response: &HttpResponse) -> Result<EmbeddingsResponse> {
    let text = response.text()?;
    let read: Answer<'_> = parse(text).map_err(|error| unreadable(&error))?;
    let vectors = match (read.embeddings, read.embedding) {
        (Some(raw), _) => several(raw)?,
        (None, Some(one)) => vec![one],
        (None, None) => {
            let message = read.message.filter(|message| !message.is_empty());
            return Err(Error::unreadable(message.map_or("the answer has no vectors".into(), Str::into_string)));
        }
    };
    let counted = header(&response.headers, "x-amzn-bedrock-input-token-count").and_then(|text| text.parse().ok());
    let input = read.input.map(|count| count.0).or(counted);
    let embedding = |(at, numbers): (usize, Vec<Number>)| Embedding {
        index: at as u32,
        vector: Vector::Floats(numbers.into_iter().map(|number| number.0).collect()),
    };
    Ok(EmbeddingsResponse {
        id: read.id.map(Str::into_string),
        model: None,
        embeddings: vectors.into_iter().enumerate().map(embedding).collect(),
        usage: input.map(|input| Usage { input: Some(input), ..Usage::default() }),
        extensions: Vec::new(),
    })
}

fn several(raw: &RawValue) -> Result<Vec<Vec<Number>>> {
    if let Ok(vectors) = parse::<Vec<Vec<Number>>>(raw.get()) {
        return Ok(vectors);
    }
    if let Ok(objects) = parse::<Vec<One<'_>>>(raw.get()) {
        return Ok(objects.into_iter().map(|one| one.embedding.unwrap_or_default()).collect());
    }
    let by_type = Rest::parse(raw.get()).map_err(|error| unreadable(&error))?;
    let floats = by_type.get("float").ok_or_else(|| Error::unreadable("the vectors are not floats"))?;
    parse(floats.get()).map_err(|error| unreadable(&error))
}

fn unreadable(error: &impl std::fmt::Display) -> Error {
    Error::unreadable(format!("the vectors cannot be read: {error}"))
}

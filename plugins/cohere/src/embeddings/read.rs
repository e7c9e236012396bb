//! Parses a client's request and the service's answer.

use weir_sdk::adapter::{ParsedEmbeddings, Result};
use weir_sdk::compat::media::at_url;
use weir_sdk::json::{Count, RawValue, Rest, Str, object, parse, text};
use weir_sdk::losses::extensions;
use weir_sdk::types::{
    Context, Embedding, EmbeddingEncoding, EmbeddingInput, EmbeddingsRequest, EmbeddingsResponse, Error, Extension,
    HttpRequest, HttpResponse, MediaKind, MediaPart, Opaque, Vector,
};

use super::{CONTENT, FORMAT, FURTHER, INPUTS, OLD, TYPES};
use crate::wire::{self, ImageUrl, Item};
use crate::{error, read, usage};

/// Most bytes of texts that the memo keeps for the answer.
const ECHO_LIMIT: usize = 16 << 10;

weir_sdk::wire! {
    /// The body of a request.
    struct Request<'a> {
        "model" => model: Str<'a>,
        "texts" => texts: Vec<Str<'a>>,
        "images" => images: Vec<Str<'a>>,
        "inputs" => inputs: Vec<Input<'a>>,
        "input_type" => input_type: Str<'a>,
        "embedding_types" => types: &'a RawValue,
        "output_dimension" => dimension: Count,
    }

    /// An input with texts and images.
    struct Input<'a> {
        "content" => content: &'a RawValue,
    }

    /// A response of `/v2/embed`, with vectors by type.
    struct Answer<'a> {
        "id" => id: Str<'a>,
        "embeddings" => embeddings: &'a RawValue,
        "meta" => meta: Meta<'a>,
        "message" => message: &'a RawValue,
    }

    /// The further members of an answer.
    struct Meta<'a> {
        "tokens" => tokens: wire::Tokens<'a>,
        "billed_units" => billed_units: &'a RawValue,
        "cached_tokens" => cached_tokens: Count,
        "warnings" => warnings: &'a RawValue,
    }
}

fn own(key: &str, json: impl Into<String>) -> Extension {
    Extension { format: FORMAT.into(), key: key.into(), json: json.into() }
}

pub(super) fn request(ctx: &Context, request: &HttpRequest) -> Result<ParsedEmbeddings> {
    let body: Request<'_> =
        parse(request.body.as_text()?).map_err(|error| Error::invalid(format!("the body cannot be read: {error}")))?;
    let mut kept = extensions(FORMAT, body.rest);
    let mut inputs = Vec::new();
    let texts = body.texts.unwrap_or_default();
    let memo = memo(&texts, body.types, ctx.format == OLD);
    inputs.extend(texts.into_iter().map(|text| EmbeddingInput::Text(text.into_string())));
    let image = |url: &str| EmbeddingInput::Media(at_url(MediaKind::Image, url));
    inputs.extend(body.images.unwrap_or_default().iter().map(|url| image(url)));
    if let Some(all) = body.inputs {
        kept.push(own(INPUTS, "null"));
        for (at, one) in all.into_iter().enumerate() {
            inputs.push(input(&one).map_err(|error| error.at(format!("inputs[{at}]")))?);
        }
    }
    if inputs.is_empty() {
        return Err(Error::invalid("texts: at least one text or image is needed").at("texts"));
    }
    let types: Vec<Str<'_>> = body.types.and_then(|raw| parse(raw.get()).ok()).unwrap_or_default();
    let encoding = match types.as_slice() {
        [one] if &**one == "float" => Some(EmbeddingEncoding::Floats),
        [one] if &**one == "base64" => Some(EmbeddingEncoding::Base64),
        _ => None,
    };
    match (encoding, body.types) {
        (None, Some(raw)) if !types.is_empty() => kept.push(own(TYPES, raw.get())),
        (Some(EmbeddingEncoding::Base64), _) => kept.push(own(TYPES, "null")),
        _ => {}
    }
    let request = EmbeddingsRequest {
        model: body.model.map_or_else(|| ctx.model.clone(), Str::into_string),
        inputs,
        single: false,
        dimensions: body.dimension.map(|count| count.0),
        encoding,
        task: body.input_type.map(Str::into_string),
        title: None,
        end_user: None,
        extensions: kept,
    };
    Ok(ParsedEmbeddings { request, losses: Vec::new(), memo })
}

/// The memo for the answer: the requested types, whether it is a bare list, and the texts, which it repeats.
fn memo(texts: &[Str<'_>], types: Option<&RawValue>, old: bool) -> String {
    let mut memo = String::new();
    object(&mut memo, |o| {
        o.opt_raw("types", types.map(RawValue::get));
        o.bool("bare", old && types.is_none());
        o.bool("old", old);
        if texts.iter().map(|text| text.len()).sum::<usize>() <= ECHO_LIMIT {
            o.array("texts", |a| texts.iter().for_each(|text| a.str(text)));
        }
    });
    memo
}

/// Parses an input: one text, one image, or several items for one vector. Other formats cannot embed the last.
fn input(wire: &Input<'_>) -> Result<EmbeddingInput> {
    let raw = wire.content.ok_or_else(|| read::required("content"))?;
    let items: Vec<Item<'_>> = parse(raw.get()).map_err(|error| Error::invalid(format!("content: {error}")))?;
    let mut words = Vec::new();
    let mut image: Option<MediaPart> = None;
    let count = items.len();
    for item in items {
        match (item.text, item.image_url) {
            (Some(text), _) => words.push(text.into_string()),
            (None, Some(raw)) => {
                let url: ImageUrl<'_> = parse(raw.get()).unwrap_or_default();
                let url = url.url.or_else(|| text(raw)).ok_or_else(|| read::required("image_url.url"))?;
                image = Some(at_url(MediaKind::Image, &url));
            }
            _ => return Err(Error::invalid("content: an item is neither text nor image")),
        }
    }
    match (image, words.as_slice()) {
        (None, [text]) => Ok(EmbeddingInput::Text(text.clone())),
        (None, []) => Err(read::required("content")),
        (None, several) => Ok(EmbeddingInput::Text(several.join("\n"))),
        (Some(image), _) if count == 1 => Ok(EmbeddingInput::Media(image)),
        (Some(mut image), _) => {
            image.extensions.push(own(CONTENT, raw.get()));
            Ok(EmbeddingInput::Media(image))
        }
    }
}

pub(super) fn response(response: &HttpResponse) -> Result<EmbeddingsResponse> {
    let body = response.text()?;
    let answer: Answer<'_> = parse(body).map_err(|error| unreadable(&error))?;
    let Some(raw) = answer.embeddings else {
        return Err(answer
            .message
            .map_or_else(|| Error::unreadable("the answer has no vectors"), |_| error::from_json(body, None)));
    };
    let mut kept = Vec::new();
    let vectors = if raw.get().starts_with('[') {
        floats(raw)?
    } else {
        let (vectors, further) = by_type(raw)?;
        kept.extend(further);
        vectors
    };
    let usage = answer.meta.and_then(|meta| {
        kept.extend(meta.warnings.map(|raw| own("warnings", raw.get())));
        let Meta { tokens, billed_units, cached_tokens, .. } = meta;
        let reported = tokens.is_some() || billed_units.is_some();
        let wire = wire::Usage { tokens, billed_units, cached_tokens, rest: Rest::default() };
        reported.then(|| usage::read_of_vectors(wire))
    });
    kept.extend(extensions(FORMAT, answer.rest).into_iter().filter(|one| !REPEATED.contains(&one.key.as_str())));
    Ok(EmbeddingsResponse {
        id: answer.id.map(Str::into_string),
        model: None,
        embeddings: (0..).zip(vectors).map(|(index, vector)| Embedding { index, vector }).collect(),
        usage,
        extensions: kept,
    })
}

/// Members of an answer that repeat the request or name its shape.
const REPEATED: [&str; 3] = ["texts", "response_type", "meta"];

fn unreadable(error: &weir_sdk::json::Error) -> Error {
    Error::unreadable(format!("the vectors cannot be read: {error}"))
}

fn floats(raw: &RawValue) -> Result<Vec<Vector>> {
    let lists: Vec<Vec<f64>> = parse(raw.get()).map_err(|error| unreadable(&error))?;
    Ok(lists.into_iter().map(Vector::Floats).collect())
}

/// Parses vectors by type: those of the type that most formats support, and those of all other types unchanged.
fn by_type(raw: &RawValue) -> Result<(Vec<Vector>, Option<Extension>)> {
    let mut types = Rest::parse(raw.get()).map_err(|error| unreadable(&error))?;
    types.0.retain(|(_, raw)| raw.get() != "null");
    // A list without vectors beside others is that of a type which was not asked for.
    if types.0.iter().any(|(_, raw)| raw.get() != "[]") {
        types.0.retain(|(_, raw)| raw.get() != "[]");
    }
    let vectors = if let Some(raw) = types.take("float") {
        floats(raw)?
    } else if let Some(raw) = types.take("base64") {
        let texts: Vec<Str<'_>> = parse(raw.get()).map_err(|error| unreadable(&error))?;
        texts.into_iter().map(|text| Vector::Base64(text.into_string())).collect()
    } else if !types.0.is_empty() {
        let (kind, raw) = types.0.remove(0);
        let lists = weir_sdk::json::list(raw).unwrap_or_default();
        let opaque =
            |json: &RawValue| Opaque { format: FORMAT.into(), kind: kind.to_string(), json: json.get().into() };
        lists.into_iter().map(|json| Vector::Opaque(opaque(json))).collect()
    } else {
        return Err(Error::unreadable("the answer has no vectors"));
    };
    let further = (!types.0.is_empty()).then(|| own(FURTHER, read::members(&types)));
    Ok((vectors, further))
}

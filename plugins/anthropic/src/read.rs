//! Converts content blocks to parts: those of a client's history and those of a provider's answer.

use weir_sdk::json::{Either, RawValue, Str, parse};
use weir_sdk::losses::extensions;
use weir_sdk::signature::{sign_call, sign_last};
use weir_sdk::types::{
    CacheHint, Citation, Error, Extension, MediaKind, MediaPart, MediaSource, Opaque, Part, ReasoningPart, ResultPart,
    Signature, TextPart, ToolCall, ToolKind, ToolResult,
};

use crate::names;
use crate::signature::{self, Carried, Use};
use crate::wire::{self, Block};
use crate::{BLOCK, CACHE, FORMAT, OWN_FILE, UNSIGNED};

/// Parses the content of a turn.
pub(crate) fn content(content: Either<'_, Block<'_>>) -> Result<Vec<Part>, Error> {
    let blocks = match content {
        Either::Text(text) => return Ok(vec![Part::text(text)]),
        Either::List(blocks) => blocks,
    };
    let mut parts = Vec::with_capacity(blocks.len());
    let mut next_call = None;
    for (at, block) in blocks.into_iter().enumerate() {
        match part(block).map_err(|error| within(error, at))? {
            Read::Part(mut part) => {
                sign_call(&mut part, &mut next_call, &names::ID);
                parts.push(part);
            }
            Read::NextCall(carried) => next_call = Some(carried),
            Read::Previous(signature) => sign_last(&mut parts, signature),
        }
    }
    Ok(parts)
}

fn within(error: Error, at: usize) -> Error {
    let param = match &error.param {
        Some(param) => format!("content[{at}].{param}"),
        None => format!("content[{at}]"),
    };
    Error { param: Some(param), ..error }
}

/// The result of parsing one block.
enum Read {
    Part(Part),
    /// A signature for the tool call that follows.
    NextCall(Carried),
    /// A signature for the part before it.
    Previous(Signature),
}

fn part(block: Block<'_>) -> Result<Read, Error> {
    let part = match block.kind() {
        "text" => Part::Text(text(block)?),
        "thinking" => Part::Reasoning(thinking(block)?),
        "redacted_thinking" => return redacted(block),
        "tool_use" => Part::ToolCall(tool_call(block)?),
        "tool_result" => Part::ToolResult(tool_result(block)?),
        "image" | "document" | "search_result" => medium(block)?.map_or_else(Part::Opaque, Part::Media),
        "" => return Err(Error::invalid("type: field required").at("type")),
        _ => Part::Opaque(opaque(&block)),
    };
    Ok(Read::Part(part))
}

/// A block that is passed on unchanged.
pub(crate) fn opaque(block: &Block<'_>) -> Opaque {
    Opaque { format: FORMAT.into(), kind: block.kind().to_owned(), json: block.to_json() }
}

/// A text block.
pub(crate) fn text(mut block: Block<'_>) -> Result<TextPart, Error> {
    let text = block.text.take().ok_or_else(|| required("text"))?.into_string();
    let citations: Vec<&RawValue> = block.take("citations")?.unwrap_or_default();
    let cache = cache(&mut block)?;
    Ok(TextPart {
        text,
        citations: citations.into_iter().map(citation).collect(),
        signature: None,
        cache,
        extensions: extensions(FORMAT, block.rest),
    })
}

/// A citation, with the fields that other formats can use.
pub(crate) fn citation(raw: &RawValue) -> Citation {
    let read: wire::Citation<'_> = parse(raw.get()).unwrap_or_default();
    let page = read.source.filter(|source| source.starts_with("http"));
    Citation {
        url: read.url.or(page).map(Str::into_string),
        title: read.title.or(read.document_title).map(Str::into_string),
        quote: read.cited_text.map(Str::into_string),
        start: None,
        end: None,
        source: Some(Opaque {
            format: FORMAT.into(),
            kind: read.kind.map(Str::into_string).unwrap_or_default(),
            json: raw.get().to_owned(),
        }),
    }
}

/// The member `cache_control`. Further members of it, as `scope`, become further members of the block.
pub(crate) fn cache(block: &mut Block<'_>) -> Result<Option<CacheHint>, Error> {
    let Some(control) = block.take::<wire::CacheControl<'_>>("cache_control")? else { return Ok(None) };
    let further = control.rest.0.into_iter().map(|(key, raw)| (Str(format!("{CACHE}{}", &*key).into()), raw));
    block.rest.0.extend(further);
    Ok(Some(CacheHint { ttl: control.ttl.map(Str::into_string) }))
}

fn thinking(mut block: Block<'_>) -> Result<ReasoningPart, Error> {
    let text = block.thinking.take().map(Str::into_string).unwrap_or_default();
    let mut part = ReasoningPart::new(text);
    let signature = block.take_str("signature")?.filter(|value| !value.is_empty());
    part.extensions = extensions(FORMAT, block.rest);
    match signature {
        None => part.extensions.push(own(UNSIGNED, "null".into())),
        Some(value) => {
            let carried = signature::unwrap(&value);
            part.id = carried.id;
            match carried.purpose {
                Some(Use::Encrypted) => part.encrypted = Some(carried.signature),
                _ => part.signature = Some(carried.signature),
            }
        }
    }
    Ok(part)
}

fn redacted(mut block: Block<'_>) -> Result<Read, Error> {
    let data = block.take_str("data")?.ok_or_else(|| required("data"))?;
    let carried = signature::unwrap(&data);
    match carried.purpose {
        Some(Use::NextCall) => return Ok(Read::NextCall(carried)),
        Some(Use::Previous) => return Ok(Read::Previous(carried.signature)),
        _ => {}
    }
    Ok(Read::Part(Part::Reasoning(ReasoningPart {
        id: carried.id,
        text: None,
        signature: None,
        encrypted: Some(carried.signature),
        extensions: extensions(FORMAT, block.rest),
    })))
}

fn tool_call(mut block: Block<'_>) -> Result<ToolCall, Error> {
    let id = block.take_str("id")?.ok_or_else(|| required("id"))?;
    let name = block.take_str("name")?.ok_or_else(|| required("name"))?;
    let arguments = block.rest.value("input").map_or_else(|| "{}".to_owned(), |input| input.get().to_owned());
    let cache = cache(&mut block)?;
    let extensions = extensions(FORMAT, block.rest);
    Ok(ToolCall { id, name, kind: ToolKind::Function, arguments, signature: None, cache, extensions })
}

fn tool_result(mut block: Block<'_>) -> Result<ToolResult, Error> {
    let call_id = block.take_str("tool_use_id")?.ok_or_else(|| required("tool_use_id"))?;
    let content = match block.take_content()? {
        Either::Text(text) => vec![ResultPart::Text(TextPart::new(text))],
        Either::List(blocks) => {
            let read = |(at, block)| result_part(block).map_err(|error| within(error, at));
            blocks.into_iter().enumerate().map(read).collect::<Result<_, _>>()?
        }
    };
    let is_error = block.take("is_error")?;
    let cache = cache(&mut block)?;
    Ok(ToolResult { call_id, name: None, content, is_error, cache, extensions: extensions(FORMAT, block.rest) })
}

fn result_part(block: Block<'_>) -> Result<ResultPart, Error> {
    Ok(match block.kind() {
        "text" => ResultPart::Text(text(block)?),
        "image" | "document" | "search_result" => medium(block)?.map_or_else(ResultPart::Opaque, ResultPart::Media),
        "tool_reference" => tool_reference(block)?,
        _ => ResultPart::Opaque(opaque(&block)),
    })
}

/// A tool that a search for tools found: its name for other formats, and the block (in an extension) for this one.
fn tool_reference(mut block: Block<'_>) -> Result<ResultPart, Error> {
    let whole = own(BLOCK, block.to_json());
    let name = block.take_str("tool_name")?.ok_or_else(|| required("tool_name"))?;
    let cache = cache(&mut block)?;
    Ok(ResultPart::Text(TextPart { cache, extensions: vec![whole], ..TextPart::new(name) }))
}

/// The summary that stands for a long history before it: its text for other formats, and the block (in an extension)
/// for this one. In an answer it stays a block of this format, for it is nothing that the model says.
pub(crate) fn summary(part: &mut Part) {
    let Part::Opaque(opaque) = &*part else { return };
    if opaque.kind != "compaction" {
        return;
    }
    let Ok(mut block) = parse::<Block<'_>>(&opaque.json) else { return };
    let cache = cache(&mut block).unwrap_or_default();
    // A summary that failed has no content.
    let Ok(Either::Text(text)) = block.take_content() else { return };
    let extensions = vec![own(BLOCK, opaque.json.clone())];
    *part = Part::Text(TextPart { cache, extensions, ..TextPart::new(text) });
}

/// An image or a document; opaque if the unified model has no such kind of source.
fn medium(mut block: Block<'_>) -> Result<Result<MediaPart, Opaque>, Error> {
    if block.kind() == "search_result" {
        return Ok(text_document(block, None));
    }
    let Some(raw) = block.rest.0.iter().find(|(key, _)| &**key == "source").map(|(_, raw)| *raw) else {
        return Err(required("source"));
    };
    let source: wire::Source<'_> =
        parse(raw.get()).map_err(|error| Error::invalid(format!("source: {error}")).at("source"))?;
    let kind = if block.kind() == "image" { MediaKind::Image } else { MediaKind::Document };
    let mut marks = Vec::new();
    if !source.rest.0.is_empty() {
        marks.push(own(BLOCK, opaque(&block).json));
    }
    let media_source = match (source.kind.as_deref().unwrap_or_default(), source.data, source.url, source.file_id) {
        ("base64", Some(data), _, _) => MediaSource::Base64(data.into_string()),
        ("text", Some(data), _, _) => MediaSource::Text(data.into_string()),
        ("url", _, Some(url), _) => MediaSource::Url(url.into_string()),
        ("file", _, _, Some(id)) => {
            marks.push(own(OWN_FILE, "null".into()));
            MediaSource::FileId(id.into_string())
        }
        ("content", ..) => return Ok(text_document(block, source.content)),
        _ => return Ok(Err(opaque(&block))),
    };
    block.rest.take("source");
    let name = block.take_str("title")?;
    let cache = cache(&mut block)?;
    marks.extend(extensions(FORMAT, block.rest));
    let mime = source.media_type.map(Str::into_string);
    Ok(Ok(MediaPart { kind, mime, source: media_source, name, detail: None, cache, extensions: marks }))
}

/// A document made of blocks: plain text for other formats, and the blocks (in an extension) for this one.
fn text_document<'a>(mut block: Block<'a>, nested: Option<Either<'a, Block<'a>>>) -> Result<MediaPart, Opaque> {
    let whole = opaque(&block);
    let content = nested.unwrap_or_else(|| block.take_content().unwrap_or_default());
    let Some(text) = plain_text(content) else { return Err(whole) };
    let mut part = MediaPart::new(MediaKind::Document, MediaSource::Text(text));
    part.mime = Some("text/plain".into());
    part.name = block.take_str("title").unwrap_or_default();
    part.cache = cache(&mut block).unwrap_or_default();
    part.extensions.push(own(BLOCK, whole.json));
    Ok(part)
}

fn own(key: &str, json: String) -> Extension {
    Extension { format: FORMAT.into(), key: key.into(), json }
}

/// The text of blocks that are all text.
fn plain_text(content: Either<'_, Block<'_>>) -> Option<String> {
    match content {
        Either::Text(text) => Some(text.into_string()),
        Either::List(blocks) => {
            let texts: Option<Vec<_>> =
                blocks.into_iter().map(|block| if block.kind() == "text" { block.text } else { None }).collect();
            Some(texts?.iter().map(|text| &**text).collect::<Vec<_>>().join("\n"))
        }
    }
}

fn required(member: &str) -> Error {
    Error::invalid(format!("{member}: field required")).at(member)
}

//! Converts content blocks to parts: those of a client's history and those of the service's answer.

mod media;
mod tool;

pub(crate) use media::{failure, image_made};
use weir_sdk::json::{RawValue, Str, object, parse};
use weir_sdk::signature::{sign_call, sign_last};
use weir_sdk::types::{
    Blob, CacheHint, Citation, Error, MediaKind, MediaPart, MediaSource, Opaque, Part, ReasoningPart, ResultPart,
    TextPart,
};

use crate::FORMAT;
use crate::names;
use crate::signature::{self, Carried, Use};
use crate::wire::{self, Block, CachePoint, extensions, note, own};

/// Key of the note on thinking without a signature: some models accept their own without one.
pub(crate) const UNSIGNED: &str = "unsigned";
/// Key of the note on media with a name of this format.
pub(crate) const NAMED: &str = "named";
/// Keys of extensions with a whole member, for parts that other formats only know in a simpler shape.
pub(crate) const GUARD: &str = "guardContent";
pub(crate) const SEARCH_RESULT: &str = "searchResult";
pub(crate) const SOURCE: &str = "source";

/// Parses the content of a turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'r> {
    /// The issuer of signatures that are not wrapped.
    pub(crate) issuer: &'r str,
    /// Whether it is the model's turn: results are then those of the service's own tools.
    pub(crate) assistant: bool,
    /// The long values that were lifted out of the request.
    pub(crate) blobs: &'r [Blob],
}

/// What one block is.
enum Read {
    Part(Part),
    /// A cache point for the content before it.
    Cache(CacheHint),
    /// A signature for the tool call that follows.
    NextCall(Carried),
    /// A signature for the part before it.
    Previous(Carried),
}

impl Reader<'_> {
    /// Reads blocks; an error names the block.
    pub(crate) fn content(self, blocks: Vec<Block<'_>>) -> Result<Vec<Part>, Error> {
        let mut parts = Vec::with_capacity(blocks.len());
        let mut next_call = None;
        for (at, block) in blocks.into_iter().enumerate() {
            match self.block(block).map_err(|error| within(error, &format!("content[{at}]")))? {
                Read::Part(Part::Text(text)) if is_more(&text, &parts) => cite_last(&mut parts, text),
                Read::Part(mut part) => {
                    sign_call(&mut part, &mut next_call, &names::ID);
                    parts.push(part);
                }
                Read::Cache(hint) => cache(&mut parts, hint),
                Read::NextCall(carried) => next_call = Some(carried),
                Read::Previous(carried) => sign_last(&mut parts, carried.signature),
            }
        }
        Ok(parts)
    }

    fn block(self, block: Block<'_>) -> Result<Read, Error> {
        let media = |member: &str, media, kind| match media::failed(&media) {
            Some(json) if self.assistant => Ok(Part::Opaque(opaque(member, &json))),
            _ => media::read(media, kind).map(Part::Media),
        };
        let part = if let Some(text) = block.text {
            Part::text(text)
        } else if let Some(call) = block.tool_use {
            tool::call(call)?
        } else if let Some(raw) = block.tool_result {
            self.tool_result(raw)?
        } else if let Some(thought) = block.reasoning {
            return self.reasoning(thought);
        } else if let Some(point) = block.cache_point {
            return Ok(Read::Cache(hint(point)));
        } else if let Some(image) = block.image {
            media("image", image, MediaKind::Image)?
        } else if let Some(document) = block.document {
            media("document", document, MediaKind::Document)?
        } else if let Some(video) = block.video {
            media("video", video, MediaKind::Video)?
        } else if let Some(audio) = block.audio {
            media("audio", audio, MediaKind::Audio)?
        } else if let Some(cited) = block.cited {
            Part::Text(cited_text(cited))
        } else if let Some(raw) = block.guard {
            guarded(raw)?
        } else if let Some(raw) = block.search_result {
            Part::Media(found(raw)?)
        } else {
            unknown(&block)?
        };
        Ok(Read::Part(part))
    }

    /// A tool result. One in the model's own turn is of the service's own tool, which other formats have no place for.
    fn tool_result(self, raw: &RawValue) -> Result<Part, Error> {
        if self.assistant {
            return Ok(Part::Opaque(opaque("toolResult", raw.get())));
        }
        tool::result(raw).map(Part::ToolResult)
    }

    fn reasoning(self, thought: wire::Reasoning<'_>) -> Result<Read, Error> {
        if let Some(redacted) = thought.redacted {
            // A lifted value can be neither unwrapped, so that its issuer stays unknown, nor decoded.
            let carried = match self.blobs.iter().find(|blob| blob.token == *redacted) {
                Some(blob) if signature::is_wrapped(&blob.head) => Carried::bare(&redacted, "weir"),
                Some(_) => Carried::bare(&redacted, crate::FAMILY),
                None => signature::unwrap_bytes(&redacted, self.issuer),
            };
            return Ok(match carried.purpose {
                Some(Use::NextCall) => Read::NextCall(carried),
                Some(Use::Previous) => Read::Previous(carried),
                _ => Read::Part(Part::Reasoning(ReasoningPart {
                    id: carried.id,
                    text: None,
                    signature: None,
                    encrypted: Some(carried.signature),
                    extensions: extensions("", thought.rest),
                })),
            });
        }
        let read = thought.text.ok_or_else(|| Error::invalid("reasoningText is missing").at("reasoningContent"))?;
        let mut part = ReasoningPart::new(read.text.map(Str::into_string).unwrap_or_default());
        part.extensions = extensions("", read.rest);
        match read.signature.filter(|value| !value.is_empty()) {
            None => part.extensions.push(note(UNSIGNED)),
            Some(value) => {
                let carried = signature::unwrap(&value, self.issuer);
                part.id = carried.id;
                match carried.purpose {
                    Some(Use::Encrypted) => part.encrypted = Some(carried.signature),
                    _ => part.signature = Some(carried.signature),
                }
            }
        }
        Ok(Read::Part(Part::Reasoning(part)))
    }
}

/// The same error with an outer place added.
pub(crate) fn within(error: Error, place: &str) -> Error {
    let param = match &error.param {
        Some(param) => format!("{place}.{param}"),
        None => place.to_owned(),
    };
    Error { param: Some(param), ..error }
}

/// A block that is passed on unchanged: one member with its value.
pub(crate) fn opaque(member: &str, json: &str) -> Opaque {
    let mut whole = String::with_capacity(json.len() + member.len() + 8);
    object(&mut whole, |o| o.raw(member, json));
    Opaque { format: FORMAT.into(), kind: member.into(), json: whole }
}

fn unknown(block: &Block<'_>) -> Result<Part, Error> {
    let known = block.rest.0.iter().find(|(_, raw)| raw.get() != "null");
    known
        .map(|(member, raw)| Part::Opaque(opaque(member, raw.get())))
        .ok_or_else(|| Error::invalid("the block has no content"))
}

/// The hint for a cache point.
pub(crate) fn hint(point: CachePoint<'_>) -> CacheHint {
    CacheHint { ttl: point.ttl.map(Str::into_string) }
}

/// Marks the last part. Thinking cannot be marked, so the cache point becomes a separate part after it.
fn cache(parts: &mut Vec<Part>, hint: CacheHint) {
    let place = match parts.last_mut() {
        Some(Part::Text(text)) => &mut text.cache,
        Some(Part::Media(media)) => &mut media.cache,
        Some(Part::ToolCall(call)) => &mut call.cache,
        Some(Part::ToolResult(result)) => &mut result.cache,
        _ => {
            let mut text = TextPart::new("");
            text.cache = Some(hint);
            return parts.push(Part::Text(text));
        }
    };
    *place = Some(hint);
}

/// Whether a text only has sources for the text before it.
fn is_more(text: &TextPart, parts: &[Part]) -> bool {
    text.text.is_empty() && !text.citations.is_empty() && matches!(parts.last(), Some(Part::Text(_)))
}

fn cite_last(parts: &mut [Part], more: TextPart) {
    if let Some(Part::Text(text)) = parts.last_mut() {
        text.citations.extend(more.citations);
    }
}

fn cited_text(cited: wire::Cited<'_>) -> TextPart {
    let texts = cited.content.unwrap_or_default().into_iter().filter_map(|block| block.text);
    let mut part = TextPart::new(texts.map(Str::into_string).collect::<String>());
    part.citations = cited.citations.unwrap_or_default().into_iter().map(citation).collect();
    part
}

/// A citation, with the fields that other formats can use.
pub(crate) fn citation(raw: &RawValue) -> Citation {
    let read: wire::Citation<'_> = parse(raw.get()).unwrap_or_default();
    let page = read.location.and_then(|location| location.web).and_then(|web| web.url);
    let source = read.source.filter(|source| source.starts_with("http"));
    let quotes = read.content.unwrap_or_default().into_iter().filter_map(|block| block.text);
    let quote: String = quotes.map(Str::into_string).collect();
    Citation {
        url: page.or(source).map(Str::into_string),
        title: read.title.map(Str::into_string),
        quote: Some(quote).filter(|quote| !quote.is_empty()),
        start: None,
        end: None,
        source: Some(Opaque { format: FORMAT.into(), kind: "citation".into(), json: raw.get().to_owned() }),
    }
}

/// Content for a guardrail, which becomes plain content for other formats.
fn guarded(raw: &RawValue) -> Result<Part, Error> {
    let read: wire::Guard<'_> = member(GUARD, raw)?;
    if let Some(image) = read.image {
        let mut part = media::read(image, MediaKind::Image)?;
        part.extensions.push(own(GUARD, raw.get()));
        return Ok(Part::Media(part));
    }
    let Some(text) = read.text.and_then(|text| text.text) else {
        return Ok(Part::Opaque(opaque(GUARD, raw.get())));
    };
    let mut part = TextPart::new(text);
    part.extensions.push(own(GUARD, raw.get()));
    Ok(Part::Text(part))
}

/// A search result, which becomes a document for other formats.
fn found(raw: &RawValue) -> Result<MediaPart, Error> {
    let read: wire::SearchResult<'_> = member(SEARCH_RESULT, raw)?;
    let mut part = MediaPart::new(MediaKind::Document, MediaSource::Text(joined(read.content.unwrap_or_default())));
    part.mime = Some("text/plain".into());
    part.name = read.title.map(Str::into_string);
    part.extensions.push(own(SEARCH_RESULT, raw.get()));
    Ok(part)
}

fn joined(blocks: Vec<Block<'_>>) -> String {
    let texts: Vec<String> = blocks.into_iter().filter_map(|block| block.text).map(Str::into_string).collect();
    texts.join("\n")
}

/// Parses a member of this type.
pub(crate) fn member<'a, T: weir_sdk::serde::Deserialize<'a>>(key: &str, raw: &'a RawValue) -> Result<T, Error> {
    parse(raw.get()).map_err(|error| Error::invalid(format!("{key}: {error}")).at(key))
}

/// Parses a piece of a tool's result.
fn result_part(block: Block<'_>) -> Result<ResultPart, Error> {
    if let Some(json) = block.json {
        return Ok(ResultPart::Json(json.get().to_owned()));
    }
    let reader = Reader { issuer: "", assistant: false, blobs: &[] };
    Ok(match reader.block(block)? {
        Read::Part(Part::Text(text)) => ResultPart::Text(text),
        Read::Part(Part::Media(media)) => ResultPart::Media(media),
        Read::Part(Part::Opaque(opaque)) => ResultPart::Opaque(opaque),
        _ => return Err(Error::invalid("a tool result cannot hold this block")),
    })
}

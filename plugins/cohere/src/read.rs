//! Converts messages to parts: shared by a request's history and an answer.

use weir_sdk::compat::media::at_url;
use weir_sdk::json::{Either, RawValue, Str, object, parse};
use weir_sdk::losses::extensions;
use weir_sdk::types::{
    Error, Extension, MediaKind, MediaPart, MediaSource, Opaque, Part, ReasoningPart, ResultPart, TextPart, ToolCall,
    ToolKind, ToolResult,
};

use crate::wire::{self, Document, Item, Message};
use crate::write::mark;
use crate::{DOCUMENTS, FORMAT, PLAN, THINKING, citation};

/// The parts of a message other than a tool's, in order: its content, its plan, its calls; and its members that are
/// kept as extensions.
pub(crate) fn parts(message: Message<'_>) -> Result<(Vec<Part>, Vec<Extension>), Error> {
    let mut parts = match message.content.unwrap_or_default() {
        Either::Text(text) => vec![Part::text(text)],
        Either::List(items) => {
            let read = |(at, raw): (usize, &RawValue)| item(raw).map_err(|error| within(error, "content", at));
            items.into_iter().enumerate().map(read).collect::<Result<_, _>>()?
        }
    };
    let mut kept = extensions(FORMAT, message.rest);
    kept.extend(citation::attach(&mut parts, &message.citations.unwrap_or_default()));
    parts.retain(|part| !matches!(part, Part::Text(text) if text.text.is_empty() && text.citations.is_empty()));
    parts.extend(message.tool_plan.filter(|plan| !plan.is_empty()).map(plan));
    for (at, call) in message.tool_calls.unwrap_or_default().0.into_iter().enumerate() {
        parts.push(Part::ToolCall(tool_call(call).map_err(|error| within(error, "tool_calls", at))?));
    }
    Ok((parts, kept))
}

fn within(error: Error, list: &str, at: usize) -> Error {
    let param = error.param.as_deref().map(|param| format!(".{param}")).unwrap_or_default();
    error.at(format!("{list}[{at}]{param}"))
}

/// A plan for calling tools, as thinking with a mark.
fn plan(text: Str<'_>) -> Part {
    Part::Reasoning(ReasoningPart { extensions: vec![mark(PLAN, "null")], ..ReasoningPart::new(text) })
}

/// Parses an element of the content, which may be a bare string.
fn item(raw: &RawValue) -> Result<Part, Error> {
    if raw.get().starts_with('"') {
        return Ok(Part::text(weir_sdk::json::text(raw).map(Str::into_string).unwrap_or_default()));
    }
    let read: Item<'_> = parse(raw.get()).map_err(|error| Error::invalid(error.to_string()))?;
    let rest = read.rest;
    Ok(match (read.kind.as_deref().unwrap_or("text"), read.text, read.thinking, read.image_url, read.document) {
        ("text", Some(text), ..) => {
            Part::Text(TextPart { extensions: extensions(FORMAT, rest), ..TextPart::new(text) })
        }
        ("thinking", _, Some(text), ..) => {
            let mut kept = extensions(FORMAT, rest);
            kept.push(mark(THINKING, "null"));
            Part::Reasoning(ReasoningPart { extensions: kept, ..ReasoningPart::new(text) })
        }
        ("image_url", _, _, Some(image), _) => {
            Part::Media(MediaPart { extensions: extensions(FORMAT, rest), ..self::image(image)? })
        }
        ("document", _, _, _, Some(raw)) => Part::Media(document(raw)),
        (kind, ..) => Part::Opaque(opaque(kind, raw)),
    })
}

/// A value that is passed on unchanged.
pub(crate) fn opaque(kind: &str, raw: &RawValue) -> Opaque {
    Opaque { format: FORMAT.into(), kind: kind.to_owned(), json: raw.get().to_owned() }
}

/// An image: `{"url": ..., "detail": ...}`, or the url alone.
fn image(raw: &RawValue) -> Result<MediaPart, Error> {
    if let Some(url) = weir_sdk::json::text(raw) {
        return Ok(at_url(MediaKind::Image, &url));
    }
    let read: wire::ImageUrl<'_> = parse(raw.get()).map_err(|error| Error::invalid(error.to_string()))?;
    let url = read.url.ok_or_else(|| required("image_url.url"))?;
    Ok(MediaPart { detail: read.detail.map(Str::into_string), ..at_url(MediaKind::Image, &url) })
}

/// Parses a document beside the messages: a text, or an object with some fields. Other formats get a plain text; this
/// format gets the document itself, from an extension.
pub(crate) fn document(raw: &RawValue) -> MediaPart {
    let (text, name) = document_text(raw);
    let mut media = MediaPart::new(MediaKind::Document, MediaSource::Text(text));
    media.mime = Some("text/plain".into());
    media.name = name;
    media.extensions.push(mark(DOCUMENTS, raw.get()));
    media
}

/// A document's text and title. If there are other fields, the text is its JSON, so that none gets lost.
fn document_text(raw: &RawValue) -> (String, Option<String>) {
    if let Some(text) = weir_sdk::json::text(raw) {
        return (text.into_string(), None);
    }
    let read: Document<'_> = parse(raw.get()).unwrap_or_default();
    let Some(data) = read.data else { return (raw.get().to_owned(), None) };
    if let Some(text) = weir_sdk::json::text(data) {
        return (text.into_string(), read.id.map(Str::into_string));
    }
    let mut fields = weir_sdk::json::Rest::parse(data.get()).unwrap_or_default();
    let title = fields.str("title").map(Str::into_string).or_else(|| read.id.map(Str::into_string));
    let body = ["text", "snippet", "content"].iter().find_map(|key| fields.str(key));
    match body {
        Some(text) if fields.0.is_empty() => (text.into_string(), title),
        _ => (data.get().to_owned(), title),
    }
}

/// A call. The service writes `null` for no arguments (C-05).
fn tool_call(wire: wire::ToolCall<'_>) -> Result<ToolCall, Error> {
    let function = wire.function.unwrap_or_default();
    let name = function.name.ok_or_else(|| required("function.name"))?.into_string();
    let mut kept = extensions(FORMAT, wire.rest);
    kept.retain(|kept| kept.key != "index");
    Ok(ToolCall {
        id: wire.id.map(Str::into_string).unwrap_or_default(),
        name,
        kind: ToolKind::Function,
        arguments: Some(arguments(function.arguments)).filter(|text| text != "null").unwrap_or_else(|| "{}".to_owned()),
        signature: None,
        cache: None,
        extensions: kept,
    })
}

/// The arguments as the text of an object; some servers send the object itself.
pub(crate) fn arguments(raw: Option<&RawValue>) -> String {
    match raw {
        None => String::new(),
        Some(raw) => weir_sdk::json::text(raw).map_or_else(|| raw.get().to_owned(), Str::into_string),
    }
}

/// Parses a tool's message.
pub(crate) fn tool_result(message: Message<'_>) -> Result<ToolResult, Error> {
    let mut result = ToolResult::new(message.tool_call_id.ok_or_else(|| required("tool_call_id"))?);
    result.content = match message.content.unwrap_or_default() {
        Either::Text(text) => vec![ResultPart::Text(TextPart::new(text))],
        Either::List(items) => {
            let read = |(at, raw): (usize, &RawValue)| result_part(raw).map_err(|error| within(error, "content", at));
            items.into_iter().enumerate().map(read).collect::<Result<_, _>>()?
        }
    };
    result.extensions = extensions(FORMAT, message.rest);
    Ok(result)
}

fn result_part(raw: &RawValue) -> Result<ResultPart, Error> {
    let document = parse::<Item<'_>>(raw.get()).ok().filter(|item| item.kind.as_deref() == Some("document"));
    if let Some(document) = document.and_then(|item| item.document) {
        return Ok(ResultPart::Json(document_json(document)));
    }
    Ok(match item(raw)? {
        Part::Text(text) => ResultPart::Text(text),
        Part::Media(media) => ResultPart::Media(media),
        Part::Opaque(opaque) => ResultPart::Opaque(opaque),
        _ => ResultPart::Opaque(opaque("content", raw)),
    })
}

/// The JSON of a document in a tool's result: its fields, or all of it if it has an id.
fn document_json(raw: &RawValue) -> String {
    let Ok(read) = parse::<Document<'_>>(raw.get()) else { return raw.get().to_owned() };
    match (read.id, read.data) {
        (None, Some(data)) if data.get().starts_with('{') && !is_document(data.get()) && read.rest.0.is_empty() => {
            data.get().to_owned()
        }
        _ => raw.get().to_owned(),
    }
}

/// Whether JSON is a document that a tool's result may contain: fields in `data`, an optional `id`, and nothing else.
pub(crate) fn is_document(json: &str) -> bool {
    parse::<Document<'_>>(json)
        .is_ok_and(|read| read.rest.0.is_empty() && read.data.is_some_and(|data| data.get().starts_with(['{', '"'])))
}

/// The members of an object as JSON; `{}` if there are none.
pub(crate) fn members(rest: &weir_sdk::json::Rest<'_>) -> String {
    let mut json = String::new();
    object(&mut json, |o| rest.0.iter().for_each(|(key, raw)| o.raw(key, raw.get())));
    json
}

/// The error for a missing member.
pub(crate) fn required(member: &str) -> Error {
    Error::invalid(format!("{member}: field required")).at(member)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> &RawValue {
        parse(json).unwrap()
    }

    #[test]
    fn documents_show_their_words_to_others() {
        let text = |json: &str| document_text(raw(json));
        assert_eq!(text(r#""words""#), ("words".into(), None));
        assert_eq!(text(r#"{"id":"d","data":{"title":"t","text":"words"}}"#), ("words".into(), Some("t".into())));
        assert_eq!(text(r#"{"id":"d","data":{"snippet":"words"}}"#), ("words".into(), Some("d".into())));
        let fields = text(r#"{"data":{"a":1,"text":"words"}}"#);
        assert_eq!(fields, (r#"{"a":1,"text":"words"}"#.into(), None));
    }

    #[test]
    fn c90_documents_of_tools_keep_their_structure() {
        let json = |json: &str| document_json(raw(json));
        assert_eq!(json(r#"{"data":{"output":"60"}}"#), r#"{"output":"60"}"#);
        for whole in [r#"{"id":"x","data":{"a":1}}"#, r#"{"data":"words"}"#, r#"{"data":{"data":{"a":1}}}"#] {
            assert_eq!(json(whole), whole);
        }
        assert!(is_document(r#"{"id":"x","data":{"a":1}}"#) && !is_document(r#"{"output":"60"}"#));
    }
}

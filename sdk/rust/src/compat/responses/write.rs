//! Renders messages as items: those of a request's input and of an answer's output.

use super::read::split;
use super::{FORMAT, image, inner, noted, write_members};
use crate::compat::decoder::calls;
use crate::compat::media::{mime, to_data_url};
use crate::json::{Array, Object};
use crate::losses::{ITEM, extension};
use crate::types::{
    Citation, Context, Extension, MediaKind, MediaPart, MediaSource, Part, ReasoningPart, TextPart, ToolCall, ToolKind,
};

/// Generates the ids and statuses of items that have none and need them.
#[derive(Debug)]
pub struct Ids<'c> {
    /// The exchange of an answer, whose items all need them; `None` for a request.
    answer: Option<&'c Context>,
    count: u32,
    is_cut_off: bool,
}

impl<'c> Ids<'c> {
    /// Creates the generator for the answer of this exchange. If the answer is cut off, its last item is incomplete.
    pub fn new(ctx: &'c Context, is_cut_off: bool) -> Self {
        Self { answer: Some(ctx), count: 0, is_cut_off }
    }

    /// Creates the generator for a request. The same items get the same ids in the next request.
    pub fn of_request() -> Self {
        Self { answer: None, count: 0, is_cut_off: false }
    }

    fn of_answer(&mut self) -> Option<&mut Self> {
        self.answer.is_some().then_some(self)
    }

    fn next(&mut self, prefix: &str) -> String {
        self.count += 1;
        let at = self.count - 1;
        self.answer.map_or_else(|| format!("{prefix}_{at}"), |ctx| item_id(ctx, prefix, at))
    }
}

/// The id of the item at this index of an answer.
pub fn item_id(ctx: &Context, prefix: &str, at: u32) -> String {
    format!("{prefix}_{at}_{}", ctx.request_id)
}

/// Writes an assistant's parts as items.
pub fn assistant(a: &mut Array<'_>, parts: &[&Part], ids: &mut Ids<'_>) {
    let mut at = 0;
    while let Some(part) = parts.get(at) {
        at += 1;
        match part {
            Part::Text(_) | Part::Refusal(_) => {
                let begins = |part: &&Part| matches!(part, Part::Text(text) if is_item(text));
                let more = parts.get(at..).unwrap_or_default();
                let same = |part: &&&Part| matches!(part, Part::Text(_) | Part::Refusal(_)) && !begins(part);
                let further = more.iter().take_while(same).count();
                if ids.answer.is_none()
                    && let Some((words, members)) = plain(part, further == 0)
                {
                    a.object(|o| {
                        o.str("role", "assistant");
                        if let Some(members) = members {
                            o.members(members);
                        }
                        o.str("content", words);
                    });
                    continue;
                }
                let end = at + further;
                let is_whole = end < parts.len() || !ids.is_cut_off;
                let texts = parts.get(at - 1..end).unwrap_or_default();
                a.object(|o| message(o, texts, ids, status(is_whole)));
                at = end;
            }
            Part::Reasoning(thought) => a.object(|o| reasoning(o, thought, Some(&mut *ids))),
            Part::ToolCall(one) => a.object(|o| call(o, one, ids.of_answer())),
            Part::Opaque(opaque) if opaque.format == FORMAT => a.raw(&opaque.json),
            Part::Media(media) if image::has_place(media) => a.object(|o| match ids.answer {
                Some(_) => image::write_signed(o, media, || ids.next("ig")),
                None => image::write(o, media, || ids.next("ig")),
            }),
            Part::Opaque(_) | Part::Media(_) | Part::ToolResult(_) => {}
        }
    }
}

/// The text of a part that has nothing else to be written, and its item's members: a request can use the short form of
/// a message, without id and status. The long form, which has all other parts, wants an id.
fn plain(part: &Part, is_alone: bool) -> Option<(&str, Option<&str>)> {
    let Part::Text(text) = part else { return None };
    let members = item_members(text).and_then(inner);
    if members.is_some_and(|members| !is_alone || members.contains("\"id\":")) {
        return None;
    }
    let is_other = |own: &Extension| own.format != FORMAT || own.json == "null" || own.key == ITEM;
    let bare = !text.citations.iter().any(is_annotation) && text.extensions.iter().all(is_other);
    bare.then_some((text.text.as_str(), members))
}

/// Whether an item of this format begins with this text.
pub(super) fn is_item(text: &TextPart) -> bool {
    item_members(text).is_some()
}

/// The members of the item that begins with this text.
fn item_members(text: &TextPart) -> Option<&str> {
    extension(&text.extensions, FORMAT, ITEM)
}

/// The status of an item.
fn status(is_whole: bool) -> &'static str {
    if is_whole { "completed" } else { "incomplete" }
}

/// The status of a call that has none of its own. A function whose arguments break off must not be run. They show that
/// by themselves: in a stream, the reason why the answer ended comes later (C-09).
pub fn call_status(call: &ToolCall) -> &'static str {
    status(call.kind == ToolKind::Custom || !calls::is_cut_off(&call.arguments))
}

/// Writes a message with an id and a status. In a request, an item of this format stays as the client has sent it.
fn message(o: &mut Object<'_>, parts: &[&Part], ids: &mut Ids<'_>, status: &str) {
    let item = parts.first().and_then(|part| match part {
        Part::Text(text) => item_members(text),
        _ => None,
    });
    let members = item.and_then(inner);
    o.str("type", "message");
    o.str("role", "assistant");
    if ids.answer.is_some() || item.is_none() {
        own_id(o, members, "msg", ids, status);
    }
    if let Some(members) = members {
        o.members(members);
    }
    o.array("content", |a| {
        for part in parts.iter().filter(|part| !matches!(part, Part::Text(text) if super::only_begins_item(text))) {
            a.object(|o| match part {
                Part::Text(text) => output_text(o, text),
                Part::Refusal(words) => {
                    o.str("type", "refusal");
                    o.str("refusal", words);
                }
                _ => {}
            });
        }
    });
}

/// Writes an id and a status, unless the item's own members have them.
fn own_id(o: &mut Object<'_>, members: Option<&str>, prefix: &str, ids: &mut Ids<'_>, status: &str) {
    let has = |key: &str| members.is_some_and(|members| members.contains(key));
    if !has("\"id\":") {
        o.str("id", &ids.next(prefix));
    }
    if !has("\"status\":") {
        o.str("status", status);
    }
}

/// Writes a text of an answer.
pub fn output_text(o: &mut Object<'_>, text: &TextPart) {
    o.str("type", "output_text");
    o.str("text", &text.text);
    o.array("annotations", |a| {
        let length = text.text.chars().count() as u32;
        for entry in text.citations.iter().filter_map(|citation| annotation(citation, length)) {
            a.raw(&entry);
        }
    });
    for extension in text.extensions.iter().filter(|e| e.format == FORMAT && e.json != "null" && e.key != ITEM) {
        o.raw(&extension.key, &extension.json);
    }
    // The schema requires them, even if empty.
    if extension(&text.extensions, FORMAT, "logprobs").is_none() {
        o.array("logprobs", |_| {});
    }
}

/// Whether [`annotation`] has a place for a citation: it is one of a page, or this format's own.
pub fn is_annotation(citation: &Citation) -> bool {
    citation.url.is_some() || citation.source.as_ref().is_some_and(|source| source.format == FORMAT)
}

/// A citation as an annotation; `None` if it is not one of a page. Its text has `length` characters so far.
pub fn annotation(citation: &Citation, length: u32) -> Option<String> {
    if let Some(source) = citation.source.as_ref().filter(|source| source.format == FORMAT) {
        return Some(source.json.clone());
    }
    let url = citation.url.as_deref()?;
    let (start, end) = citation.range(length);
    let mut out = String::new();
    crate::json::object(&mut out, |o| {
        o.str("type", "url_citation");
        o.num("start_index", start);
        o.num("end_index", end);
        o.str("title", citation.title.as_deref().unwrap_or_default());
        o.str("url", url);
    });
    Some(out)
}

/// Writes thinking, which needs an id. In a request, encrypted thinking that has lost its own gets none: OpenAI takes
/// it without one, and refuses it with another ("… did not match the target item id"). An item of this format stays as
/// the client has sent it.
pub fn reasoning(o: &mut Object<'_>, thought: &ReasoningPart, ids: Option<&mut Ids<'_>>) {
    o.str("type", "reasoning");
    match (thought.id.as_deref().or_else(|| noted(&thought.extensions, "id")), ids) {
        (Some(id), _) => o.str("id", id),
        (None, Some(ids)) if ids.answer.is_some() || is_plain(thought) => o.str("id", &ids.next("rs")),
        (None, _) => {}
    }
    let text = thought.text.as_deref().filter(|text| !text.is_empty());
    let content = noted(&thought.extensions, "content").filter(|_| text.is_some());
    let summary = noted(&thought.extensions, "summary").unwrap_or_default();
    let words = text.map(|text| split(text, content.unwrap_or(summary))).unwrap_or_default();
    let list = |a: &mut Array<'_>, kind: &str, words: &[&str]| {
        for word in words {
            a.object(|o| {
                o.str("type", kind);
                o.str("text", word);
            });
        }
    };
    o.array("summary", |a| list(a, "summary_text", if content.is_some() { &[] } else { &words }));
    if content.is_some() {
        o.array("content", |a| list(a, "reasoning_text", &words));
    }
    o.opt_str("encrypted_content", super::pack(thought, "openai").as_deref());
    write_members(o, &thought.extensions);
}

/// Whether thinking is the words of another format and nothing else.
fn is_plain(thought: &ReasoningPart) -> bool {
    let is_item = ["summary", "content"].iter().any(|kind| noted(&thought.extensions, kind).is_some());
    thought.encrypted.is_none() && !is_item
}

/// Writes a call.
pub fn call(o: &mut Object<'_>, call: &ToolCall, ids: Option<&mut Ids<'_>>) {
    let (kind, text) = match call.kind {
        ToolKind::Function => ("function_call", "arguments"),
        ToolKind::Custom => ("custom_tool_call", "input"),
    };
    o.str("type", kind);
    if let Some(ids) = ids {
        if extension(&call.extensions, FORMAT, "id").is_none() {
            o.str("id", &ids.next(if call.kind == ToolKind::Function { "fc" } else { "ctc" }));
        }
        if extension(&call.extensions, FORMAT, "status").is_none() {
            o.str("status", call_status(call));
        }
    }
    o.str("call_id", &call.id);
    o.str("name", &call.name);
    let empty = call.kind == ToolKind::Function && call.arguments.trim().is_empty();
    o.str(text, if empty { "{}" } else { &call.arguments });
    write_members(o, &call.extensions);
}

/// Writes a medium as a part of a request; returns whether the format has a place for it, which it lacks for audio.
pub fn media(o: &mut Object<'_>, ctx: &Context, media: &MediaPart) -> bool {
    match (media.kind, &media.source) {
        (MediaKind::Image, MediaSource::FileId(id)) => {
            o.str("type", "input_image");
            o.str("file_id", id);
        }
        (MediaKind::Image, MediaSource::Url(url)) => {
            o.str("type", "input_image");
            o.str("image_url", url);
        }
        (MediaKind::Image, MediaSource::Base64(data)) => {
            o.str("type", "input_image");
            o.str("image_url", &to_data_url(&mime(ctx, media), data));
        }
        (MediaKind::Document, source) => {
            o.str("type", "input_file");
            match source {
                MediaSource::FileId(id) => o.str("file_id", id),
                MediaSource::Url(url) => o.str("file_url", url),
                MediaSource::Base64(data) => {
                    if media.name.is_none() {
                        // The API refuses file data without a file name.
                        o.str("filename", "document");
                    }
                    o.str("file_data", &to_data_url(&mime(ctx, media), data));
                }
                MediaSource::Text(_) => return false,
            }
            o.opt_str("filename", media.name.as_deref());
        }
        _ => return false,
    }
    // Required for an image; an absent one means "auto".
    let default = (media.kind == MediaKind::Image).then_some("auto");
    o.opt_str("detail", media.detail.as_deref().or(default));
    write_members(o, &media.extensions);
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compat::responses::note;
    use crate::json;
    use crate::types::Signature;

    fn written(write: impl FnOnce(&mut Array<'_>)) -> String {
        let mut out = String::new();
        json::object(&mut out, |o| o.array("items", write));
        out
    }

    #[test]
    fn earlier_words_of_the_assistant_need_no_id() {
        let text = Part::text("Hi");
        let items = written(|a| assistant(a, &[&text], &mut Ids::of_request()));
        assert_eq!(items, r#"{"items":[{"role":"assistant","content":"Hi"}]}"#);
        let answer = written(|a| assistant(a, &[&text], &mut Ids::new(&Context::default(), false)));
        assert!(answer.contains(r#""id":"msg_0_","status":"completed","content":[{"type":"output_text""#), "{answer}");
    }

    #[test]
    fn earlier_thinking_of_another_format_gets_an_id_unless_it_is_encrypted_under_its_own() {
        let plain = Part::Reasoning(ReasoningPart::new("hm"));
        let encrypted = Some(Signature { issuer: "openai".into(), value: "E".into() });
        let lost = Part::Reasoning(ReasoningPart { encrypted: encrypted.clone(), ..ReasoningPart::new("hm") });
        let known = ReasoningPart { id: Some("rs_x".into()), encrypted, ..ReasoningPart::new("hm") };
        let item = ReasoningPart { extensions: vec![note("summary", "2")], ..ReasoningPart::new("hm") };
        let parts = [plain, lost, Part::Reasoning(known), Part::Reasoning(item)];
        let items = written(|a| assistant(a, &parts.iter().collect::<Vec<_>>(), &mut Ids::of_request()));
        let ids: Vec<&str> = items.split(r#"{"type":"reasoning","#).skip(1).map(|item| &item[..11]).collect();
        assert_eq!(ids, [r#""id":"rs_0""#, r#""summary":["#, r#""id":"rs_x""#, r#""summary":["#], "{items}");
    }

    #[test]
    fn a_citation_without_a_range_is_one_of_the_whole_text() {
        let url = Some("https://example.com".to_owned());
        let citation = Citation { url, title: None, quote: None, start: None, end: None, source: None };
        let text = TextPart { citations: vec![citation], ..TextPart::new("äbc") };
        let mut out = String::new();
        json::object(&mut out, |o| output_text(o, &text));
        assert!(out.contains(r#""start_index":0,"end_index":3,"#), "{out}");
    }

    #[test]
    fn c89_images_have_a_detail_and_audio_has_no_place() {
        let ctx = Context::default();
        let medium = |kind| MediaPart {
            kind,
            mime: None,
            source: MediaSource::Base64("AAAA".into()),
            name: None,
            detail: None,
            cache: None,
            extensions: Vec::new(),
        };
        let mut out = String::new();
        json::object(&mut out, |o| assert!(media(o, &ctx, &medium(MediaKind::Image))));
        assert!(out.ends_with(r#""detail":"auto"}"#), "{out}");
        json::object(&mut String::new(), |o| assert!(!media(o, &ctx, &medium(MediaKind::Audio))));
    }
}

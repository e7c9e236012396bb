//! Parses items into messages: those of a request's input and of an answer's output.

use super::{BARE, FORMAT, image, note};
use crate::compat::content::{breakpoint, stored};
use crate::compat::media::{at_url, audio_mime};
use crate::compat::quirks::Quirks;
use crate::compat::wire::rest_json;
use crate::json::{self, RawValue, Rest, Str};
use crate::losses::{ITEM, extensions};
use crate::types::{
    Citation, Extension, MediaKind, MediaPart, MediaSource, Message, Opaque, Part, ReasoningPart, ResultPart, Role,
    Signature, TextPart, ToolCall, ToolKind, ToolResult,
};

/// Parses items in order: a client's, or those of a provider's answer. Consecutive assistant items become one message.
pub fn items(raws: &[&RawValue], provider: Option<&Quirks>) -> Vec<Message> {
    runs(raws, provider).into_iter().map(|(message, _)| message).collect()
}

/// Parses items like [`items`], each message with the number of its items.
pub fn runs(raws: &[&RawValue], provider: Option<&Quirks>) -> Vec<(Message, usize)> {
    let mut messages: Vec<(Message, usize)> = Vec::new();
    for raw in raws {
        let message = item(raw, provider);
        match messages.last_mut() {
            Some((last, n_items)) if last.role == Role::Assistant && message.role == Role::Assistant => {
                last.parts.extend(message.parts);
                *n_items += 1;
            }
            _ => messages.push((message, 1)),
        }
    }
    messages
}

/// Parses one item as a separate message.
pub fn item(raw: &RawValue, provider: Option<&Quirks>) -> Message {
    let mut wire = Rest::parse(raw.get()).unwrap_or_default();
    let kind = wire.str("type").map(Str::into_string);
    let part = match kind.as_deref() {
        Some("message") | None if wire.get("role").is_some() => return message(wire, provider.is_none()),
        Some("function_call") => call(wire, ToolKind::Function, provider.is_some()),
        Some("custom_tool_call") if !is_own_call(&wire, provider) => call(wire, ToolKind::Custom, provider.is_some()),
        // In an answer, it is that of a tool which the provider ran.
        Some("function_call_output") if provider.is_none() => return result(wire, false),
        Some("custom_tool_call_output") if provider.is_none() => return result(wire, true),
        Some(image::KIND) => image::read(wire).map(Part::Media),
        Some("reasoning") => Some(Part::Reasoning(reasoning(wire, provider.map_or("", |it| it.family)))),
        _ => None,
    };
    let kind = kind.unwrap_or_default();
    let opaque = || Part::Opaque(Opaque { format: FORMAT.to_owned(), kind, json: raw.get().to_owned() });
    Message::new(Role::Assistant, vec![part.unwrap_or_else(opaque)])
}

/// Whether an item is a call that the provider itself runs: nothing for the client to do.
pub fn is_own_call(item: &Rest<'_>, provider: Option<&Quirks>) -> bool {
    let id = || item.get("call_id").and_then(json::text);
    provider.is_some_and(|provider| id().is_some_and(|id| provider.runs(&id)))
}

fn message(mut wire: Rest<'_>, is_asked: bool) -> Message {
    let role = match wire.str("role").as_deref() {
        Some("assistant") => Role::Assistant,
        Some("user") | None => Role::User,
        Some("system") => Role::System,
        Some("developer") => Role::Developer,
        Some(other) => Role::Other(other.to_owned()),
    };
    let mut parts = wire.value("content").map(content).unwrap_or_default();
    if role != Role::Assistant {
        return Message { role, name: None, parts, extensions: extensions(FORMAT, wire) };
    }
    // In a request, an item of thinking may need it behind itself.
    if parts.is_empty() && is_asked {
        parts.push(Part::text(""));
    }
    // The item's own members are kept on its first text, which marks the beginning of an item.
    wire.0.retain(|(_, value)| value.get() != "null");
    let json = if wire.0.is_empty() { "null".to_owned() } else { rest_json(&wire) };
    let item = Extension { format: FORMAT.to_owned(), key: ITEM.to_owned(), json };
    match parts.first_mut() {
        Some(Part::Text(text)) => text.extensions.push(item),
        // A refusal has no place for them: a text without words begins the item.
        Some(_) if item.json != "null" => {
            let extensions = vec![item, note(BARE, "")];
            parts.insert(0, Part::Text(TextPart { extensions, ..TextPart::new("") }));
        }
        _ => {}
    }
    Message::new(role, parts)
}

/// Parses content, one text or a list, into parts. Anything else, which some servers take, is a part by itself, so that
/// nothing of a request goes unseen.
pub fn content(raw: &RawValue) -> Vec<Part> {
    if let Some(text) = json::text(raw) {
        return if text.is_empty() { Vec::new() } else { vec![Part::text(text)] };
    }
    match json::list(raw) {
        Some(list) => list.into_iter().map(part).collect(),
        None if raw.get() == "null" => Vec::new(),
        None => vec![part(raw)],
    }
}

/// Parses a part of content.
pub fn part(raw: &RawValue) -> Part {
    let mut wire = Rest::parse(raw.get()).unwrap_or_default();
    let kind = wire.str("type").map(Str::into_string).unwrap_or_default();
    let media = match kind.as_str() {
        "input_text" | "output_text" | "text" => return Part::Text(text(wire)),
        // Some clients write its words as those of a text.
        "refusal" => {
            let words = wire.str("refusal").or_else(|| wire.str("text"));
            return Part::Refusal(words.map(Str::into_string).unwrap_or_default());
        }
        "input_image" => image(&mut wire),
        "input_file" => file(&mut wire),
        "input_audio" => audio(&mut wire),
        _ => None,
    };
    let Some(mut media) = media else {
        return Part::Opaque(Opaque { format: FORMAT.to_owned(), kind, json: raw.get().to_owned() });
    };
    media.cache = breakpoint(&wire);
    media.extensions.extend(extensions(FORMAT, wire));
    Part::Media(media)
}

fn text(mut wire: Rest<'_>) -> TextPart {
    let text = wire.str("text").map(Str::into_string).unwrap_or_default();
    let citations = wire.list("annotations").unwrap_or_default().into_iter().map(citation).collect();
    if wire.get("logprobs").is_some_and(|list| list.get() == "[]") {
        wire.take("logprobs");
    }
    let cache = breakpoint(&wire);
    TextPart { citations, cache, extensions: extensions(FORMAT, wire), ..TextPart::new(text) }
}

/// Parses an annotation; any but a plain citation of a page is also kept whole.
pub fn citation(raw: &RawValue) -> Citation {
    let mut wire = Rest::parse(raw.get()).unwrap_or_default();
    let kind = wire.str("type").map(Str::into_string).unwrap_or_default();
    let citation = Citation {
        url: wire.str("url").map(Str::into_string),
        // A file has a name instead.
        title: wire.str("title").or_else(|| wire.get("filename").and_then(json::text)).map(Str::into_string),
        quote: None,
        start: wire.count("start_index"),
        end: wire.count("end_index"),
        source: None,
    };
    let plain = kind == "url_citation" && citation.url.is_some() && wire.0.is_empty();
    let whole = || Opaque { format: FORMAT.to_owned(), kind, json: raw.get().to_owned() };
    Citation { source: (!plain).then(whole), ..citation }
}

fn image(wire: &mut Rest<'_>) -> Option<MediaPart> {
    let mut media = match wire.str("image_url") {
        Some(url) => at_url(MediaKind::Image, &url),
        None => stored(MediaKind::Image, &wire.str("file_id")?),
    };
    media.detail = wire.str("detail").map(Str::into_string);
    Some(media)
}

fn file(wire: &mut Rest<'_>) -> Option<MediaPart> {
    let mut media = if let Some(data) = wire.str("file_data") {
        if data.starts_with("data:") {
            at_url(MediaKind::Document, &data)
        } else {
            MediaPart::new(MediaKind::Document, MediaSource::Base64(data.into_string()))
        }
    } else if let Some(url) = wire.str("file_url") {
        MediaPart::new(MediaKind::Document, MediaSource::Url(url.into_string()))
    } else {
        stored(MediaKind::Document, &wire.str("file_id")?)
    };
    media.name = wire.str("filename").map(Str::into_string);
    Some(media)
}

fn audio(wire: &mut Rest<'_>) -> Option<MediaPart> {
    let mut inner = wire.object("input_audio")?;
    let mut media = MediaPart::new(MediaKind::Audio, MediaSource::Base64(inner.str("data")?.into_string()));
    media.mime = inner.str("format").map(|format| audio_mime(&format));
    Some(media)
}

/// Parses a call; in an answer, some servers have its id in the item's own alone.
fn call(mut wire: Rest<'_>, kind: ToolKind, answered: bool) -> Option<Part> {
    let own = wire.get("id").filter(|_| answered).and_then(json::text);
    let id = wire.str("call_id").or(own)?;
    let name = wire.str("name")?;
    let member = if kind == ToolKind::Custom { "input" } else { "arguments" };
    // Some write the arguments as an object.
    let text = wire.str(member).map(Str::into_string);
    let text = text.or_else(|| wire.value(member).map(|raw| raw.get().to_owned()));
    let call = ToolCall::new(id, name, text.unwrap_or_default());
    Some(Part::ToolCall(ToolCall { kind, extensions: extensions(FORMAT, wire), ..call }))
}

fn result(mut wire: Rest<'_>, custom: bool) -> Message {
    let mut result = ToolResult::new(wire.str("call_id").unwrap_or_default());
    result.content = match wire.value("output") {
        Some(raw) if raw.get().starts_with('{') => vec![ResultPart::Json(raw.get().to_owned())],
        output => output.map(content).unwrap_or_default().into_iter().map(result_part).collect(),
    };
    result.extensions = extensions(FORMAT, wire);
    if custom {
        result.extensions.push(note("custom", ""));
    }
    Message::new(Role::Tool, vec![Part::ToolResult(result)])
}

fn result_part(part: Part) -> ResultPart {
    match part {
        Part::Text(text) => ResultPart::Text(text),
        Part::Media(media) => ResultPart::Media(media),
        Part::Opaque(opaque) => ResultPart::Opaque(opaque),
        Part::Refusal(words) => ResultPart::Text(TextPart::new(words)),
        Part::Reasoning(_) | Part::ToolCall(_) | Part::ToolResult(_) => ResultPart::Text(TextPart::new("")),
    }
}

/// Parses thinking: all parts of its summary, or of its content if there is no summary (C-77).
pub fn reasoning(mut wire: Rest<'_>, family: &str) -> ReasoningPart {
    let texts = |list: Option<Vec<&RawValue>>| -> Vec<String> {
        let text = |raw: &RawValue| Rest::parse(raw.get()).ok()?.str("text").map(Str::into_string);
        list.unwrap_or_default().into_iter().filter_map(text).collect()
    };
    let whole = wire.get("content").filter(|_| wire.get("summary").is_some_and(|summary| summary.get() != "[]"));
    let summary = texts(wire.list("summary"));
    let content = texts(wire.list("content"));
    // Some servers write it empty where there is none.
    let encrypted = wire.str("encrypted_content").filter(|value| !value.is_empty());
    // An item without words has an empty summary.
    let is_text = summary.is_empty() && !content.is_empty();
    let (words, kind) = if is_text { (content, "content") } else { (summary, "summary") };
    if let Some(whole) = whole.filter(|whole| kind == "summary" && !matches!(whole.get(), "[]" | "null")) {
        // An item with both gets its content back unchanged.
        wire.0.push((Str("content".into()), whole));
    }
    let mut part = ReasoningPart {
        id: wire.str("id").map(Str::into_string),
        text: (!words.is_empty()).then(|| words.join(BETWEEN)),
        signature: None,
        encrypted: encrypted.map(|value| {
            let issuer = if family.is_empty() { super::issuer(&value) } else { family };
            Signature { issuer: issuer.to_owned(), value: value.into_string() }
        }),
        extensions: extensions(FORMAT, wire),
    };
    part.extensions.push(note(kind, &lengths(words.iter().map(String::len))));
    super::unpack(&mut part);
    part
}

/// The separator between two parts of a summary in one text.
pub const BETWEEN: &str = "\n\n";

/// The lengths of a summary's parts, in bytes, so that the text can be split again.
pub fn lengths(lengths: impl Iterator<Item = usize>) -> String {
    let lengths: Vec<String> = lengths.map(|length| length.to_string()).collect();
    lengths.join(",")
}

/// Splits a text into a summary's parts; returns one part if the lengths do not fit.
pub fn split<'a>(text: &'a str, lengths: &str) -> Vec<&'a str> {
    let mut parts = Vec::new();
    let mut rest = text;
    for length in lengths.split(',').filter_map(|length| length.parse::<usize>().ok()) {
        let Some((part, tail)) = rest.split_at_checked(length) else { return vec![text] };
        parts.push(part);
        rest = tail.strip_prefix(BETWEEN).unwrap_or(tail);
    }
    if rest.is_empty() && !parts.is_empty() { parts } else { vec![text] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cited_file_has_its_name_as_the_title() {
        let read = |json| citation(json::parse(json).unwrap());
        let file = r#"{"type":"file_citation","file_id":"file_1","filename":"a.pdf","index":3}"#;
        let cited = read(file);
        assert_eq!(cited.title.as_deref(), Some("a.pdf"));
        assert_eq!(cited.source.map(|source| source.json).as_deref(), Some(file));
        let titled = r#"{"type":"url_citation","url":"https://a.example","title":"A","filename":"a.pdf"}"#;
        assert_eq!(read(titled).title.as_deref(), Some("A"));
    }

    #[test]
    fn summaries_of_several_parts_come_apart_again() {
        let words = ["a\n\nb", "c", "dé"];
        let text = words.join(BETWEEN);
        assert_eq!(split(&text, &lengths(words.iter().map(|word| word.len()))), words);
        assert_eq!(split("xyz", "9"), ["xyz"]);
        assert_eq!(split("xyz", "1"), ["xyz"]);
    }

    #[test]
    fn content_of_any_kind_is_seen() {
        let text = r#"[{"role":"user","content":{"type":"input_text","text":"x"}},
            {"type":"function_call_output","call_id":"a","output":{"key":"secret"}},{"role":"user","content":null}]"#;
        let raws: Vec<&RawValue> = json::parse(text).unwrap();
        let messages = items(&raws, None);
        assert!(matches!(&messages[0].parts[..], [Part::Text(text)] if text.text == "x"));
        let Part::ToolResult(result) = &messages[1].parts[0] else { panic!("no result") };
        assert!(matches!(&result.content[..], [ResultPart::Json(json)] if json == r#"{"key":"secret"}"#));
        assert!(messages[2].parts.is_empty());
    }

    #[test]
    fn arguments_may_be_an_object() {
        let read = |arguments: &str| {
            let json = format!(r#"{{"type":"function_call","call_id":"c","name":"f","arguments":{arguments}}}"#);
            let Part::ToolCall(call) = item(json::parse(&json).unwrap(), None).parts.remove(0) else {
                panic!("{json}")
            };
            assert!(call.extensions.is_empty(), "{call:?}");
            call.arguments
        };
        assert_eq!(read(r#"{"a": 1}"#), r#"{"a": 1}"#);
        assert_eq!(read(r#""{\"a\":1}""#), r#"{"a":1}"#);
        assert_eq!(read("null"), "");
    }

    #[test]
    fn the_words_of_a_refusal_are_kept_in_either_member() {
        for member in ["refusal", "text"] {
            let json = format!(r#"{{"type":"refusal","{member}":"No."}}"#);
            assert_eq!(part(json::parse(&json).unwrap()), Part::Refusal("No.".into()));
        }
    }

    /// The items of a request that an assistant's message becomes.
    fn sent(message: &Message) -> String {
        let parts: Vec<&Part> = message.parts.iter().collect();
        let mut out = String::new();
        json::array(&mut out, |a| {
            super::super::write::assistant(a, &parts, &mut super::super::write::Ids::of_request());
        });
        out
    }

    #[test]
    fn items_keep_their_members_whatever_they_begin_with() {
        let refusal = r#"{"type":"refusal","refusal":"No."}"#;
        let text = r#"{"type":"output_text","text":"But.","annotations":[],"logprobs":[]}"#;
        let item = |id: &str, content: &str| {
            format!(r#"{{"type":"message","role":"assistant","id":"{id}","status":"completed","content":[{content}]}}"#)
        };
        let all = format!(
            "[{},{},{}]",
            item("msg_1", refusal),
            item("msg_2", &format!("{refusal},{text}")),
            item("msg_3", text)
        );
        let raws: Vec<&RawValue> = json::parse(&all).unwrap();
        for provider in [None, Some(&Quirks::COMPATIBLE)] {
            let [message]: [Message; 1] = items(&raws, provider).try_into().unwrap();
            assert_eq!(sent(&message), all);
        }
        // A message without an id has the short form, whatever else the client says of it.
        let short =
            r#"[{"role":"assistant","phase":"final_answer","content":"Yes."},{"role":"assistant","content":"No."}]"#;
        let raws: Vec<&RawValue> = json::parse(short).unwrap();
        let [message]: [Message; 1] = items(&raws, None).try_into().unwrap();
        assert_eq!(sent(&message), short);
        // One without members of its own needs no such text.
        let bare = format!(r#"[{{"type":"message","role":"assistant","content":[{refusal}]}}]"#);
        let raws: Vec<&RawValue> = json::parse(&bare).unwrap();
        let [message]: [Message; 1] = items(&raws, None).try_into().unwrap();
        assert_eq!(message.parts, [Part::Refusal("No.".into())]);
    }

    #[test]
    fn items_of_one_turn_are_one_message() {
        let text = r#"[{"role":"user","content":"x"},{"type":"reasoning","id":"rs","summary":[],"encrypted_content":"E"},
            {"type":"function_call","call_id":"a","name":"f","arguments":"{}","id":"fc"},
            {"type":"message","role":"assistant","content":[{"type":"output_text","text":"y"}]},
            {"type":"function_call_output","call_id":"a","output":"1"},{"type":"web_search_call","id":"ws"}]"#;
        let raws: Vec<&RawValue> = json::parse(text).unwrap();
        let messages = items(&raws, None);
        let roles: Vec<_> = messages.iter().map(|message| message.role.clone()).collect();
        assert_eq!(roles, [Role::User, Role::Assistant, Role::Tool, Role::Assistant]);
        let parts = &messages[1].parts;
        assert!(matches!(parts.as_slice(), [Part::Reasoning(_), Part::ToolCall(_), Part::Text(_)]));
        assert!(matches!(messages[3].parts.as_slice(), [Part::Opaque(_)]));
    }
}

//! Converts parts to the wire: shared by a request's history and an answer.

use std::borrow::Cow;

use weir_sdk::calls::write_arguments;
use weir_sdk::json::{Object, object};
pub(crate) use weir_sdk::json::{item, raw_item};
use weir_sdk::losses::Losses;
pub(crate) use weir_sdk::losses::PartPath;
use weir_sdk::types::{Extension, MediaKind, MediaPart, MediaSource, ResultPart, ToolCall, ToolResult};

use crate::read::{NAMED, NO_ID, SIGNATURE};
use crate::wire::is_noted;
use crate::{FORMAT, mime, resolution, signature};

/// Writes the members that only this format has. Those of an object within the part have names with a dot: `inner`
/// selects the ones to write.
pub(crate) fn members(o: &mut Object<'_>, all: &[Extension], inner: &str) {
    for own in all.iter().filter(|own| own.format == FORMAT && own.json != "null") {
        let name = match inner {
            "" => Some(own.key.as_str()).filter(|key| !key.contains('.')),
            inner => own.key.strip_prefix(inner).and_then(|key| key.strip_prefix('.')),
        };
        if let Some(name) = name {
            o.raw(name, &own.json);
        }
    }
}

/// Writes the members of a text, or of a thought.
pub(crate) fn text(o: &mut Object<'_>, text: &str, thought: bool, signature: Option<&str>) {
    o.str("text", text);
    if thought {
        o.bool("thought", true);
    }
    o.opt_str(SIGNATURE, signature);
}

/// Writes the members of a call, with the given name.
pub(crate) fn call(
    o: &mut Object<'_>,
    call: &ToolCall,
    name: &str,
    signature: Option<&str>,
    losses: &mut Losses,
    place: PartPath,
) {
    o.object("functionCall", |o| {
        o.opt_str("id", Some(call.id.as_str()).filter(|id| !id.is_empty() && !is_noted(&call.extensions, NO_ID)));
        o.str("name", name);
        write_arguments(o, "args", call.kind, &call.arguments, |member| place.field(member), losses);
        members(o, &call.extensions, "functionCall");
    });
    members(o, &call.extensions, "");
    o.opt_str(SIGNATURE, signature);
}

/// Writes the members of a medium of this media type.
pub(crate) fn media(o: &mut Object<'_>, media: &MediaPart, mime: Option<&str>) {
    let bytes = match &media.source {
        MediaSource::Base64(data) => Cow::Borrowed(data),
        MediaSource::Text(text) => Cow::Owned(signature::encoded(text)),
        MediaSource::Url(uri) | MediaSource::FileId(uri) => {
            o.object("fileData", |o| {
                o.opt_str("mimeType", mime);
                o.str("fileUri", uri);
                display_name(o, media);
                members(o, &media.extensions, "fileData");
            });
            return media_members(o, media);
        }
    };
    o.object("inlineData", |o| {
        o.opt_str("mimeType", mime);
        o.str("data", &bytes);
        display_name(o, media);
        members(o, &media.extensions, "inlineData");
    });
    media_members(o, media);
}

/// Writes the members beside the medium itself.
fn media_members(o: &mut Object<'_>, media: &MediaPart) {
    resolution::write_given(o, media);
    members(o, &media.extensions, "");
}

/// Writes a medium's name, if a client of this format gave one: not every service of this format takes names.
fn display_name(o: &mut Object<'_>, media: &MediaPart) {
    o.opt_str(NAMED, media.name.as_deref().filter(|_| is_noted(&media.extensions, NAMED)));
}

/// The media type of a medium, as given or detected by its first bytes.
pub(crate) fn mime_of(media: &MediaPart, blobs: &[weir_sdk::types::Blob]) -> Option<String> {
    if let Some(named) = media.mime.as_deref().filter(|mime| !mime.ends_with("/*")) {
        return Some(mime::taken(media.kind, named));
    }
    match &media.source {
        MediaSource::Base64(data) => {
            let pdf = (media.kind == MediaKind::Document).then_some("application/pdf");
            mime::sniff(data, blobs).or(pdf).map(str::to_owned)
        }
        MediaSource::Text(_) => Some("text/plain".into()),
        MediaSource::Url(_) | MediaSource::FileId(_) => None,
    }
}

/// Writes a function's result of an answer as it came.
pub(crate) fn result_of_answer(result: &ToolResult) -> String {
    let mut json = String::new();
    object(&mut json, |o| {
        o.object("functionResponse", |o| {
            o.opt_str("id", Some(result.call_id.as_str()).filter(|id| !id.is_empty()));
            o.opt_str("name", result.name.as_deref());
            let response = result.content.iter().find_map(|part| match part {
                ResultPart::Json(json) => Some(json.as_str()),
                _ => None,
            });
            o.opt_raw("response", response);
            let mut parts = String::new();
            for part in &result.content {
                match part {
                    ResultPart::Media(medium) => {
                        item(&mut parts, |o| media(o, medium, medium.mime.as_deref()));
                    }
                    ResultPart::Text(words) => item(&mut parts, |o| text(o, &words.text, false, None)),
                    ResultPart::Opaque(opaque) => raw_item(&mut parts, &opaque.json),
                    ResultPart::Json(_) => {}
                }
            }
            if !parts.is_empty() {
                o.raw("parts", &format!("[{parts}]"));
            }
            members(o, &result.extensions, "functionResponse");
        });
        members(o, &result.extensions, "");
    });
    json
}

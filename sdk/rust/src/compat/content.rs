//! Parses parts of a message's content into the unified model.

use crate::compat::media::{at_url, audio_mime};
use crate::compat::reasoning::{self, UNKNOWN};
use crate::compat::wire::{CacheControl, Content, ContentPart, FORMAT};
use crate::json::{self, RawValue, Rest, Str};
use crate::losses::extensions;
use crate::types::{
    CacheHint, Extension, MediaKind, MediaPart, MediaSource, Opaque, Part, ReasoningPart, Signature, TextPart,
};

/// Parses one part; one of an unknown type is kept as it is.
pub fn read_part(mut part: ContentPart<'_>) -> Part {
    let media = match part.kind.as_deref() {
        Some("refusal") if part.refusal.is_some() => {
            return Part::Refusal(part.refusal.map(Str::into_string).unwrap_or_default());
        }
        Some("thinking") if part.thinking.is_some() => return Part::Reasoning(read_thinking(part)),
        Some("reasoning") if part.rest.get("summary").is_some() => return Part::Reasoning(read_summary(part)),
        Some("image_url") => part.image_url.and_then(|raw| url(MediaKind::Image, raw)),
        Some("video_url") => part.video_url.and_then(|raw| url(MediaKind::Video, raw)),
        Some("audio_url") => part.audio_url.and_then(|raw| url(MediaKind::Audio, raw)),
        Some("document_url") => part.document_url.and_then(|raw| url(MediaKind::Document, raw)),
        Some("input_audio") => part.input_audio.and_then(audio),
        Some("file") => part.file.and_then(file),
        Some("text") | None if part.text.is_some() => return Part::Text(read_text(part)),
        _ => None,
    };
    let Some(mut media) = media else { return Part::Opaque(opaque(part)) };
    media.cache = cache_hint(part.cache_control.take(), &part.rest);
    media.extensions.extend(extensions(FORMAT, part.rest));
    Part::Media(media)
}

/// Parses an image that a model made, which may be signed.
pub fn read_image(part: ContentPart<'_>) -> Part {
    let mut part = read_part(part);
    if let Part::Media(image) = &mut part {
        reasoning::sign_image(image);
    }
    part
}

fn read_text(part: ContentPart<'_>) -> TextPart {
    let cache = cache_hint(part.cache_control, &part.rest);
    let extensions = extensions(FORMAT, part.rest);
    TextPart { cache, extensions, ..TextPart::new(part.text.unwrap_or_default()) }
}

/// Parses Mistral's thinking, a list of texts.
fn read_thinking(part: ContentPart<'_>) -> ReasoningPart {
    let content = part.thinking.and_then(|raw| json::parse::<Content<'_>>(raw.get()).ok());
    let text = content.map(Content::into_text).unwrap_or_default();
    ReasoningPart { extensions: extensions(FORMAT, part.rest), ..ReasoningPart::new(text) }
}

/// Parses the thinking of Databricks: a summary of texts, one of which may be signed. The part does not name the
/// signature's issuer.
fn read_summary(mut part: ContentPart<'_>) -> ReasoningPart {
    let mut thought = ReasoningPart { text: None, ..ReasoningPart::new("") };
    for raw in part.rest.list("summary").unwrap_or_default() {
        let Ok(mut entry) = Rest::parse(raw.get()) else { continue };
        if let Some(text) = entry.str("text") {
            thought.text.get_or_insert_default().push_str(&text);
        }
        let signed = entry.str("signature").map(Str::into_string).filter(|value| !value.is_empty());
        let signed = signed.map(|value| Signature { issuer: UNKNOWN.to_owned(), value });
        thought.signature = signed.or(thought.signature);
    }
    thought.extensions = extensions(FORMAT, part.rest);
    thought
}

/// Fills in the issuer of a provider's answer: a signature without an issuer gets `family`.
pub fn owned(part: Part, family: &str) -> Part {
    let Part::Reasoning(mut thought) = part else { return part };
    if let Some(signature) = thought.signature.as_mut().filter(|signature| signature.issuer == UNKNOWN) {
        family.clone_into(&mut signature.issuer);
    }
    Part::Reasoning(thought)
}

/// Parses a cache hint: compatible servers' `cache_control`, or OpenAI's own breakpoint.
pub fn cache_hint(control: Option<CacheControl<'_>>, rest: &Rest<'_>) -> Option<CacheHint> {
    if let Some(control) = control {
        return Some(CacheHint { ttl: control.ttl.map(Str::into_string) });
    }
    breakpoint(rest)
}

/// The member of a part by which OpenAI's clients mark the end of a prompt's part that is to be cached.
pub const BREAKPOINT: &str = "prompt_cache_breakpoint";

/// Parses OpenAI's own breakpoint, which stays a member of the part.
pub fn breakpoint(rest: &Rest<'_>) -> Option<CacheHint> {
    rest.get(BREAKPOINT).map(|_| CacheHint { ttl: None })
}

/// `{"url": …, "detail": …}`, or the URL alone.
fn url(kind: MediaKind, raw: &RawValue) -> Option<MediaPart> {
    if let Some(url) = json::text(raw) {
        return Some(at_url(kind, &url));
    }
    let mut wire = Rest::parse(raw.get()).ok()?;
    let mut media = at_url(kind, &wire.str("url")?);
    media.detail = wire.str("detail").map(Str::into_string);
    Some(media)
}

/// `{"data": …, "format": …}`, or the base64 alone.
fn audio(raw: &RawValue) -> Option<MediaPart> {
    if let Some(data) = json::text(raw) {
        return Some(MediaPart::new(MediaKind::Audio, MediaSource::Base64(data.into_string())));
    }
    let mut wire = Rest::parse(raw.get()).ok()?;
    let mut media = MediaPart::new(MediaKind::Audio, MediaSource::Base64(wire.str("data")?.into_string()));
    media.mime = wire.str("format").map(|format| audio_mime(&format));
    Some(media)
}

/// A file given as a data URL, a plain URL, bare base64, or an id.
fn file(raw: &RawValue) -> Option<MediaPart> {
    let mut wire = Rest::parse(raw.get()).ok()?;
    let mut media = match (&wire.str("file_data"), &wire.str("file_id")) {
        (Some(data), _) if data.starts_with("data:") || data.starts_with("http") => at_url(MediaKind::Document, data),
        (Some(data), _) => MediaPart::new(MediaKind::Document, MediaSource::Base64(data.to_string())),
        (None, Some(id)) => stored(MediaKind::Document, id),
        (None, None) => return None,
    };
    media.name = wire.str("filename").map(Str::into_string);
    Some(media)
}

/// A file in OpenAI's store. The id alone does not show the store, so the part is marked: adapters of other families
/// refuse it.
pub fn stored(kind: MediaKind, id: &str) -> MediaPart {
    let mut media = MediaPart::new(kind, MediaSource::FileId(id.to_owned()));
    media.extensions.push(Extension { format: FORMAT.to_owned(), key: STORE.to_owned(), json: "null".to_owned() });
    media
}

/// The mark of a file in OpenAI's store.
pub const STORE: &str = "file_id";

/// Reassembles a part of unknown type.
fn opaque(part: ContentPart<'_>) -> Opaque {
    let mut out = String::new();
    json::object(&mut out, |o| {
        o.opt_str("type", part.kind.as_deref());
        o.opt_str("text", part.text.as_deref());
        o.opt_str("refusal", part.refusal.as_deref());
        let raws = [
            ("image_url", part.image_url),
            ("video_url", part.video_url),
            ("audio_url", part.audio_url),
            ("document_url", part.document_url),
            ("input_audio", part.input_audio),
            ("file", part.file),
            ("thinking", part.thinking),
        ];
        for (key, raw) in raws {
            o.opt_raw(key, raw.map(RawValue::get));
        }
        part.rest.0.iter().for_each(|(key, raw)| o.raw(key, raw.get()));
    });
    let kind = part.kind.map(Str::into_string).unwrap_or_default();
    Opaque { format: FORMAT.to_owned(), kind, json: out }
}

//! The texts of an answer that come as a whole.

use std::borrow::Cow;

use crate::guard::documents::Document;
use crate::types::{ChatEvent, Citation, Extension, MediaPart, MediaSource, Opaque, PartKind, PartStart};

/// The texts of an event that come as a whole, each with whether it is JSON.
pub(super) fn texts(event: &ChatEvent) -> Vec<(Cow<'_, str>, bool)> {
    if let ChatEvent::PartStart(PartStart { kind: PartKind::Media(media), .. }) = event
        && let MediaSource::Base64(data) = &media.source
        && let Some(Document { text, is_json, .. }) = Document::of_base64(media.mime.as_deref(), data)
    {
        return borrowed(of_media(media)).chain([(text.into(), is_json)]).collect();
    }
    borrowed(texts_as_they_stand(event)).collect()
}

fn borrowed(texts: Vec<(&str, bool)>) -> impl Iterator<Item = (Cow<'_, str>, bool)> {
    texts.into_iter().map(|(text, is_json)| (text.into(), is_json))
}

fn texts_as_they_stand(event: &ChatEvent) -> Vec<(&str, bool)> {
    match event {
        ChatEvent::PartStart(start) => match &start.kind {
            PartKind::ToolCall(call) => vec![(&call.name, false)],
            PartKind::Opaque(opaque) => vec![(&opaque.json, true)],
            PartKind::Media(media) => of_media(media),
            PartKind::Text | PartKind::Reasoning | PartKind::Refusal => Vec::new(),
        },
        ChatEvent::Citation(cited) => of_citation(&cited.citation),
        ChatEvent::Finish(end) => {
            let texts = [&end.finish.raw, &end.finish.stop_sequence].into_iter();
            texts.flatten().map(|text| (text.as_str(), false)).collect()
        }
        ChatEvent::Usage(usage) => of_extensions(&usage.extensions).collect(),
        ChatEvent::Opaque(opaque) => of_opaque(opaque),
        ChatEvent::Logprobs(logprobs) => vec![(&logprobs.json, true)],
        _ => Vec::new(),
    }
}

/// What an event of one format says. The kind of a note that an adapter leaves for itself holds what it notes, which
/// may be members of the answer (`end={…}`); others are ids.
fn of_opaque(opaque: &Opaque) -> Vec<(&str, bool)> {
    let note = opaque.kind.split_once('=').map(|(_, note)| note).filter(|note| note.starts_with('{'));
    note.into_iter().chain([opaque.json.as_str()]).map(|json| (json, true)).collect()
}

fn of_media(media: &MediaPart) -> Vec<(&str, bool)> {
    let source = match &media.source {
        MediaSource::Url(text) | MediaSource::Text(text) => Some(text),
        MediaSource::Base64(_) | MediaSource::FileId(_) => None,
    };
    let texts = media.name.iter().chain(source).map(|text| (text.as_str(), false));
    texts.chain(of_extensions(&media.extensions)).collect()
}

fn of_citation(citation: &Citation) -> Vec<(&str, bool)> {
    let texts = [&citation.quote, &citation.title, &citation.url].into_iter().flatten();
    let source = citation.source.iter().map(|source| (source.json.as_str(), true));
    texts.map(|text| (text.as_str(), false)).chain(source).collect()
}

/// The keys and the values of members of one format.
pub(super) fn of_extensions(extensions: &[Extension]) -> impl Iterator<Item = (&str, bool)> {
    extensions.iter().flat_map(|one| [(one.key.as_str(), false), (one.json.as_str(), true)])
}

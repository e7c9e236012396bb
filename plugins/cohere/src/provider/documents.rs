//! Documents beside the messages: those of this format unchanged, those of others as text.

use weir_sdk::json::{object, quote};
use weir_sdk::losses::extension;
use weir_sdk::types::{ChatRequest, MediaKind, MediaPart, MediaSource, Part};

use crate::{DOCUMENTS, FORMAT};

/// Whether a medium is sent beside the messages.
pub(super) fn is_document(media: &MediaPart) -> bool {
    media.kind == MediaKind::Document && matches!(media.source, MediaSource::Text(_))
}

/// Writes all documents of a request, a list without brackets.
pub(super) fn write(request: &ChatRequest) -> String {
    let mut out = String::new();
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    for part in parts {
        if let Part::Media(media) = part
            && is_document(media)
        {
            if !out.is_empty() {
                out.push(',');
            }
            document(&mut out, media);
        }
    }
    out
}

fn document(out: &mut String, media: &MediaPart) {
    if let Some(own) = extension(&media.extensions, FORMAT, DOCUMENTS) {
        return out.push_str(own);
    }
    let MediaSource::Text(text) = &media.source else { return };
    match &media.name {
        None => quote(out, text),
        Some(title) => object(out, |o| {
            o.object("data", |o| {
                o.str("title", title);
                o.str("text", text);
            });
        }),
    }
}

//! Media types: the kind of medium, and detection by the first characters of a base64 text.

use weir_sdk::compat::media::shown;
use weir_sdk::types::{Blob, MediaKind};

/// The media type of a base64 text, or of a blob by its token, in the service's words.
pub(crate) fn sniff(data: &str, blobs: &[Blob]) -> Option<&'static str> {
    shown(data, blobs).map(|mime| match mime {
        "audio/mpeg" => "audio/mp3",
        // Both begin alike, and the service takes only this one.
        "video/x-matroska" => "video/webm",
        "video/x-msvideo" => "video/avi",
        mime => mime,
    })
}

/// The kind of medium of a media type; a document by default.
pub(crate) fn kind(mime: &str) -> MediaKind {
    match mime.split_once('/').map_or(mime, |(top, _)| top) {
        "image" => MediaKind::Image,
        "audio" => MediaKind::Audio,
        "video" => MediaKind::Video,
        _ => MediaKind::Document,
    }
}

/// The media type as the service takes it. Other formats name an audio format where this one names a type, and clients
/// have names for images that the service refuses. Parameters are left out, except those that tell how to read audio.
pub fn taken(kind: MediaKind, mime: &str) -> String {
    if kind == MediaKind::Audio && !mime.contains('/') {
        return format!("audio/{mime}");
    }
    let bare = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match bare.as_str() {
        "image/jpg" | "image/pjpeg" => "image/jpeg".to_owned(),
        audio if audio.starts_with("audio/") => mime.to_owned(),
        _ => bare,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_names_of_a_media_type_are_the_services() {
        for name in ["image/jpeg", "image/jpg", "image/pjpeg", "IMAGE/JPG; q=1"] {
            assert_eq!(taken(MediaKind::Image, name), "image/jpeg", "{name}");
        }
        for (kind, name, expected) in [
            (MediaKind::Document, "text/plain; charset=utf-8", "text/plain"),
            (MediaKind::Document, "application/pdf", "application/pdf"),
            (MediaKind::Audio, "mp3", "audio/mp3"),
            (MediaKind::Audio, "audio/L16;codec=pcm;rate=24000", "audio/L16;codec=pcm;rate=24000"),
        ] {
            assert_eq!(taken(kind, name), expected);
        }
    }

    #[test]
    fn a_blob_is_known_by_the_head_of_what_it_stands_for() {
        let blob = Blob { token: "weir-blob-1".into(), length: 9000, head: "iVBORw0KGgoAAAANSUhEUg".into() };
        assert_eq!(sniff("weir-blob-1", &[blob]), Some("image/png"));
        assert_eq!(sniff("UklGRiQAAABXQVZFZm10", &[]), Some("audio/wav"));
        assert_eq!(sniff("SUQzBAAAAAAA", &[]), Some("audio/mp3"));
        assert_eq!(sniff("AAAA", &[]), None);
    }
}

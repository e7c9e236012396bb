//! Media types: the kind of medium, and detection by the first characters of a base64 text.

use weir_sdk::types::{Blob, MediaKind};

/// The first characters of well-known files in base64.
const HEADS: [(&str, &str); 8] = [
    ("/9j/", "image/jpeg"),
    ("iVBORw0KGgo", "image/png"),
    ("R0lGOD", "image/gif"),
    ("JVBERi", "application/pdf"),
    ("SUQz", "audio/mp3"),
    ("//u", "audio/mp3"),
    ("T2dnUw", "audio/ogg"),
    ("ZkxhQw", "audio/flac"),
];

/// The media type of a base64 text, or of a blob by its token.
pub(crate) fn sniff(kind: MediaKind, data: &str, blobs: &[Blob]) -> Option<&'static str> {
    let head = blobs.iter().find(|blob| blob.token == data).map_or(data, |blob| blob.head.as_str());
    if head.starts_with("UklGR") {
        return Some(if kind == MediaKind::Audio { "audio/wav" } else { "image/webp" });
    }
    HEADS.iter().find(|(start, _)| head.starts_with(start)).map(|(_, mime)| *mime)
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

/// The media type as the service takes it: other formats name an audio format where this one names a type.
pub(crate) fn taken(kind: MediaKind, mime: &str) -> String {
    match (kind, mime) {
        (MediaKind::Audio, bare) if !bare.contains('/') => format!("audio/{bare}"),
        _ => mime.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_known_by_the_head_of_what_it_stands_for() {
        let blob = Blob { token: "weir-blob-1".into(), length: 9000, head: "iVBORw0KGgoAAAANSUhEUg".into() };
        assert_eq!(sniff(MediaKind::Image, "weir-blob-1", &[blob]), Some("image/png"));
        assert_eq!(sniff(MediaKind::Audio, "UklGRiQA", &[]), Some("audio/wav"));
        assert_eq!(sniff(MediaKind::Image, "AAAA", &[]), None);
    }
}

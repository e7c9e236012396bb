//! The format's short names of file formats, and their media types.

use weir_sdk::compat::media::shown;
use weir_sdk::types::{Blob, MediaKind};

use MediaKind::{Audio, Document, Image, Video};

/// Formats and their media types; if a format has several, other formats get the first.
const FORMATS: [(MediaKind, &str, &str); 46] = [
    (Image, "png", "image/png"),
    (Image, "jpeg", "image/jpeg"),
    (Image, "jpeg", "image/jpg"),
    (Image, "gif", "image/gif"),
    (Image, "webp", "image/webp"),
    (Document, "pdf", "application/pdf"),
    (Document, "csv", "text/csv"),
    (Document, "csv", "application/csv"),
    (Document, "doc", "application/msword"),
    (Document, "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (Document, "xls", "application/vnd.ms-excel"),
    (Document, "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (Document, "html", "text/html"),
    (Document, "txt", "text/plain"),
    (Document, "md", "text/markdown"),
    (Document, "md", "text/x-markdown"),
    (Video, "mp4", "video/mp4"),
    (Video, "mov", "video/quicktime"),
    (Video, "mov", "video/mov"),
    (Video, "mkv", "video/x-matroska"),
    (Video, "mkv", "video/matroska"),
    (Video, "webm", "video/webm"),
    (Video, "flv", "video/x-flv"),
    (Video, "mpeg", "video/mpeg"),
    (Video, "mpg", "video/mpg"),
    (Video, "wmv", "video/x-ms-wmv"),
    (Video, "wmv", "video/wmv"),
    (Video, "three_gp", "video/3gpp"),
    (Audio, "mp3", "audio/mp3"),
    (Audio, "mp3", "audio/mpeg"),
    (Audio, "mpeg", "audio/mpeg3"),
    (Audio, "mpga", "audio/mpga"),
    (Audio, "wav", "audio/wav"),
    (Audio, "wav", "audio/x-wav"),
    (Audio, "wav", "audio/wave"),
    (Audio, "aac", "audio/aac"),
    (Audio, "x-aac", "audio/x-aac"),
    (Audio, "flac", "audio/flac"),
    (Audio, "ogg", "audio/ogg"),
    (Audio, "opus", "audio/opus"),
    (Audio, "mp4", "audio/mp4"),
    (Audio, "m4a", "audio/m4a"),
    (Audio, "m4a", "audio/x-m4a"),
    (Audio, "webm", "audio/webm"),
    (Audio, "pcm", "audio/pcm"),
    (Audio, "mka", "audio/x-matroska"),
];

/// The media type of a format.
pub(crate) fn of_format(kind: MediaKind, format: &str) -> Option<&'static str> {
    FORMATS.iter().find(|(of, name, _)| *of == kind && *name == format).map(|(_, _, mime)| *mime)
}

/// The format of a media type; parameters are ignored.
pub(crate) fn format(kind: MediaKind, mime: &str) -> Option<&'static str> {
    let mime = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    FORMATS.iter().find(|(of, _, known)| *of == kind && *known == mime).map(|(_, format, _)| *format)
}

/// The format by a file name's extension.
pub(crate) fn by_name(kind: MediaKind, name: &str) -> Option<&'static str> {
    let ending = name.rsplit_once('.')?.1.to_ascii_lowercase();
    let ending = match ending.as_str() {
        "jpg" => "jpeg",
        "htm" => "html",
        "text" => "txt",
        "markdown" => "md",
        "3gp" => "three_gp",
        ending => ending,
    };
    FORMATS.iter().find(|(of, format, _)| *of == kind && *format == ending).map(|(_, format, _)| *format)
}

/// The format of a base64 text, or of a blob by its token.
pub(crate) fn sniff(kind: MediaKind, data: &str, blobs: &[Blob]) -> Option<&'static str> {
    shown(data, blobs).and_then(|mime| format(kind, mime))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_and_media_types_come_back() {
        for (kind, name, _) in FORMATS {
            assert_eq!(of_format(kind, name).and_then(|mime| format(kind, mime)), Some(name));
        }
        assert_eq!(format(Document, "text/plain; charset=utf-8"), Some("txt"));
        assert_eq!(format(Image, "image/heic"), None);
        assert_eq!(by_name(Document, "Report.Final.DOCX"), Some("docx"));
    }

    #[test]
    fn a_blob_is_known_by_the_head_of_what_it_stands_for() {
        let blob = Blob { token: "weir-blob-1".into(), length: 9000, head: "iVBORw0KGgoAAAANSUhEUg".into() };
        assert_eq!(sniff(Image, "weir-blob-1", &[blob]), Some("png"));
        assert_eq!(sniff(Document, "JVBERi0xLjcK", &[]), Some("pdf"));
        assert_eq!(sniff(Image, "JVBERi0xLjcK", &[]), None);
        assert_eq!(sniff(Audio, "UklGRiQAAABXQVZFZm10", &[]), Some("wav"));
        assert_eq!(sniff(Video, "GkXfowAAAAA", &[]), Some("mkv"));
    }
}

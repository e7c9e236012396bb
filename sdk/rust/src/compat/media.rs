//! Media types and data URLs.

use std::borrow::Cow;

use crate::types::{Blob, Context, MediaKind, MediaPart, MediaSource};

/// Splits a data URL into its media type and its base64 text (which may be a blob's token).
pub fn data_url(url: &str) -> Option<(&str, &str)> {
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let mime = head.strip_suffix(";base64")?;
    Some((mime.split(';').next().unwrap_or(mime), data))
}

/// A medium at a URL, which may be a data URL.
pub fn at_url(kind: MediaKind, url: &str) -> MediaPart {
    let Some((mime, data)) = data_url(url) else {
        return MediaPart::new(kind, MediaSource::Url(url.to_owned()));
    };
    let mut media = MediaPart::new(kind, MediaSource::Base64(data.to_owned()));
    media.mime = (!mime.is_empty()).then(|| mime.to_owned());
    media
}

/// The media type: the given one, else the one that the first bytes show, else the usual one of its kind.
pub fn mime<'a>(ctx: &Context, media: &'a MediaPart) -> Cow<'a, str> {
    if let Some(mime) = &media.mime {
        return Cow::Borrowed(mime);
    }
    let seen = match &media.source {
        MediaSource::Base64(data) => shown(data, &ctx.blobs),
        _ => None,
    };
    Cow::Borrowed(seen.unwrap_or(match media.kind {
        MediaKind::Image => "image/png",
        MediaKind::Audio => "audio/wav",
        MediaKind::Video => "video/mp4",
        MediaKind::Document => "application/pdf",
    }))
}

/// The media type that the first bytes of base64 text show, or those of the blob that it stands for.
pub fn shown(data: &str, blobs: &[Blob]) -> Option<&'static str> {
    sniff(blobs.iter().find(|blob| blob.token == data).map_or(data, |blob| &blob.head))
}

/// Detects a media type from the beginning of its base64 text.
pub fn sniff(base64: &str) -> Option<&'static str> {
    const HEADS: [(&str, &str); 10] = [
        ("iVBORw0KGgo", "image/png"),
        ("/9j/", "image/jpeg"),
        ("R0lGOD", "image/gif"),
        ("JVBERi", "application/pdf"),
        ("SUQz", "audio/mpeg"),
        ("//u", "audio/mpeg"),
        ("//N", "audio/mpeg"),
        ("T2dnUw", "audio/ogg"),
        ("ZkxhQw", "audio/flac"),
        ("GkXfo", "video/x-matroska"),
    ];
    if base64.starts_with("UklGR") {
        return riff(base64);
    }
    HEADS.iter().find(|(head, _)| base64.starts_with(head)).map(|(_, mime)| *mime)
}

/// The type of a RIFF file: a container, whose form follows its length. Of one that ends before that, a picture's.
fn riff(base64: &str) -> Option<&'static str> {
    match base64.get(11..16) {
        Some("XQVZF") => Some("audio/wav"),
        Some("XRUJQ") | None => Some("image/webp"),
        Some("BVkkg") => Some("video/x-msvideo"),
        Some(_) => None,
    }
}

/// The media type of an audio format's short name.
pub fn audio_mime(format: &str) -> String {
    match format {
        "mp3" => "audio/mpeg".to_owned(),
        other => format!("audio/{other}"),
    }
}

/// The short name of an audio format.
pub fn audio_format(mime: &str) -> &str {
    match mime {
        "audio/mpeg" | "audio/mp3" => "mp3",
        "audio/x-wav" | "audio/wave" => "wav",
        other => other.strip_prefix("audio/").unwrap_or(other),
    }
}

/// `data:MIME;base64,DATA`; the data is base64 already.
pub fn to_data_url(mime: &str, data: &str) -> String {
    let mut url = String::with_capacity(mime.len() + data.len() + 13);
    url.push_str("data:");
    url.push_str(mime);
    url.push_str(";base64,");
    url.push_str(data);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_urls_are_taken_apart_and_others_left() {
        assert_eq!(data_url("data:image/png;base64,AAAA"), Some(("image/png", "AAAA")));
        assert_eq!(data_url("data:text/plain;charset=utf-8;base64,AAAA"), Some(("text/plain", "AAAA")));
        assert_eq!(data_url("https://example.com/a,b"), None);
    }

    #[test]
    fn a_token_is_seen_through() {
        let blob = Blob { token: "@1".into(), length: 9000, head: "JVBERi0xLjc".into() };
        let ctx = Context { blobs: vec![blob], ..Context::default() };
        let media = MediaPart::new(MediaKind::Document, MediaSource::Base64("@1".into()));
        assert_eq!(mime(&ctx, &media), "application/pdf");
    }

    #[test]
    fn waves_and_pictures_share_a_head_but_not_a_type() {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        assert_eq!(sniff(&STANDARD.encode(b"RIFF\x10\0\0\0WAVEfmt ")), Some("audio/wav"));
        assert_eq!(sniff(&STANDARD.encode(b"RIFF\x10\0\0\0WEBPVP8 ")), Some("image/webp"));
        assert_eq!(sniff(&STANDARD.encode(b"RIFF\x10\0\0\0AVI LIST")), Some("video/x-msvideo"));
        assert_eq!(sniff(&STANDARD.encode(b"RIFF\x10\0\0\0RMIDdata")), None);
    }
}

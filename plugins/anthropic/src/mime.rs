//! Detects media types by the first characters of a base64 text.

use weir_sdk::types::Blob;

/// The first characters of well-known files in base64.
const HEADS: [(&str, &str); 5] = [
    ("/9j/", "image/jpeg"),
    ("iVBORw0KGgo", "image/png"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
    ("JVBERi", "application/pdf"),
];

/// The media type of a base64 text, or of a blob by its token.
pub(crate) fn sniff(data: &str, blobs: &[Blob]) -> Option<&'static str> {
    let head = blobs.iter().find(|blob| blob.token == data).map_or(data, |blob| blob.head.as_str());
    HEADS.iter().find(|(start, _)| head.starts_with(start)).map(|(_, mime)| *mime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_known_by_the_head_of_what_it_stands_for() {
        let blob = Blob { token: "weir-blob-1".into(), length: 9000, head: "iVBORw0KGgoAAAANSUhEUg".into() };
        assert_eq!(sniff("weir-blob-1", &[blob]), Some("image/png"));
        assert_eq!(sniff("JVBERi0xLjcK", &[]), Some("application/pdf"));
        assert_eq!(sniff("AAAA", &[]), None);
    }
}

//! Media types: those of the images that the service takes, and those that the first characters of a base64 text show.

pub(crate) use weir_sdk::compat::media::shown as sniff;

/// The media type of the documents that the service takes in base64.
pub(crate) const PDF: &str = "application/pdf";

/// The media types of images that the service takes.
const IMAGES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// The service's name for an image's media type; `None` if it takes no such images.
pub(crate) fn image(mime: &str) -> Option<&'static str> {
    let mime = mime.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let mime = if matches!(mime.as_str(), "image/jpg" | "image/pjpeg") { "image/jpeg" } else { mime.as_str() };
    IMAGES.into_iter().find(|known| *known == mime)
}

/// Whether a document of this type is a text, such as Markdown or CSV. The service takes all of them as plain text.
pub(crate) fn is_text(mime: &str) -> bool {
    mime.get(..5).is_some_and(|head| head.eq_ignore_ascii_case("text/"))
}

/// Whether it is plain text.
pub(crate) fn is_plain(mime: &str) -> bool {
    mime.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("text/plain")
}

#[cfg(test)]
mod tests {
    use weir_sdk::types::Blob;

    use super::*;

    #[test]
    fn other_names_of_an_image_type_are_the_services() {
        for name in ["image/jpeg", "image/jpg", "image/pjpeg", "IMAGE/JPG; q=1"] {
            assert_eq!(image(name), Some("image/jpeg"), "{name}");
        }
        assert_eq!(
            (image("image/webp"), image("image/heic"), image("application/pdf")),
            (Some("image/webp"), None, None)
        );
    }

    #[test]
    fn a_blob_is_known_by_the_head_of_what_it_stands_for() {
        let blob = Blob { token: "weir-blob-1".into(), length: 9000, head: "iVBORw0KGgoAAAANSUhEUg".into() };
        assert_eq!(sniff("weir-blob-1", &[blob]), Some("image/png"));
        assert_eq!(sniff("JVBERi0xLjcK", &[]), Some("application/pdf"));
        assert_eq!(sniff("UklGRiQAAABXQVZFZm10", &[]), Some("audio/wav"));
        assert_eq!(sniff("AAAA", &[]), None);
    }
}

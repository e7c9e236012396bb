//! Media of a request: which are allowed, and the media type of an address.

use weir_sdk::types::{ChatRequest, Error, MediaPart, MediaSource, Part, ResultPart};

/// Media types by the file name's extension, for files that the models read.
const KINDS: [(&str, &str); 26] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("webp", "image/webp"),
    ("gif", "image/gif"),
    ("heic", "image/heic"),
    ("heif", "image/heif"),
    ("bmp", "image/bmp"),
    ("pdf", "application/pdf"),
    ("txt", "text/plain"),
    ("md", "text/plain"),
    ("csv", "text/csv"),
    ("html", "text/html"),
    ("json", "application/json"),
    ("mp3", "audio/mpeg"),
    ("wav", "audio/wav"),
    ("flac", "audio/flac"),
    ("ogg", "audio/ogg"),
    ("m4a", "audio/m4a"),
    ("aac", "audio/aac"),
    ("mp4", "video/mp4"),
    ("mov", "video/quicktime"),
    ("webm", "video/webm"),
    ("mpeg", "video/mpeg"),
    ("mpg", "video/mpeg"),
    ("wmv", "video/wmv"),
];

/// All media, each with the index of its message.
pub(crate) fn each(request: &mut ChatRequest) -> impl Iterator<Item = (usize, &mut MediaPart)> {
    request
        .messages
        .iter_mut()
        .enumerate()
        .flat_map(|(at, message)| message.parts.iter_mut().flat_map(of_part).map(move |medium| (at, medium)))
}

fn of_part(part: &mut Part) -> Vec<&mut MediaPart> {
    match part {
        Part::Media(medium) => vec![medium],
        Part::ToolResult(result) => result
            .content
            .iter_mut()
            .filter_map(|part| match part {
                ResultPart::Media(medium) => Some(medium),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Refuses media by address: Claude only takes bytes on this platform.
pub(crate) fn only_bytes(request: &mut ChatRequest) -> Result<(), Error> {
    for (at, medium) in each(request) {
        let field = format!("messages[{at}].content");
        match &medium.source {
            MediaSource::Url(_) => return Err(Error::needs_bytes(field)),
            MediaSource::FileId(_) => {
                return Err(Error::unsupported(field, "the platform has no file store for this model"));
            }
            MediaSource::Base64(_) | MediaSource::Text(_) => {}
        }
    }
    Ok(())
}

/// Sets the media type of every file that is fetched, which Gemini requires on this platform.
pub(crate) fn name_kinds(request: &mut ChatRequest) -> Result<(), Error> {
    for (at, medium) in each(request) {
        let MediaSource::Url(url) = &medium.source else { continue };
        if medium.mime.as_deref().is_some_and(|mime| !mime.ends_with("/*")) {
            continue;
        }
        let field = || format!("messages[{at}].content");
        let unknown = || Error::unsupported(field(), "the media type of this file is not known");
        let kind =
            kind(url).ok_or_else(|| if url.starts_with("http") { Error::needs_bytes(field()) } else { unknown() })?;
        medium.mime = Some(kind.to_owned());
    }
    Ok(())
}

fn kind(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let host = path.split_once("://").map_or(path, |(_, rest)| rest);
    let host = host.split('/').next().unwrap_or_default();
    if ["youtube.com", "www.youtube.com", "youtu.be"].contains(&host) {
        return Some("video/mp4");
    }
    let (_, end) = path.rsplit('/').next()?.rsplit_once('.')?;
    KINDS.iter().find(|(known, _)| end.eq_ignore_ascii_case(known)).map(|(_, mime)| *mime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_tells_the_kind_of_its_file() {
        assert_eq!(kind("gs://bucket/a.b/photo.JPG"), Some("image/jpeg"));
        assert_eq!(kind("https://h/x.pdf?sig=a.png#p"), Some("application/pdf"));
        assert_eq!(kind("https://www.youtube.com/watch?v=1"), Some("video/mp4"));
        assert_eq!((kind("https://h/x"), kind("https://h.png/x"), kind("")), (None, None, None));
    }
}

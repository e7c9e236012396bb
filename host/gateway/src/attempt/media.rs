//! Replaces media urls by the bytes behind them, for providers that take only bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use weir_buffers::Held;
use weir_config::Media;
use weir_types::contract::types::{ChatRequest, ErrorKind, MediaKind, MediaPart, MediaSource, Part, ResultPart};
use weir_types::fault::{Fault, Side};
use weir_upstream::{Fetched, MediaClient, MediaError, MediaRules};
use weir_wire::blob::Lifted;

/// The error code by which an adapter requests the bytes of media (`wit/types.wit`, `error.code`).
const NEEDS_BYTES: &str = "media_url";
/// The most media fetched for one request.
const MAX_MEDIA: usize = 20;

/// Whether a provider's adapter refused a request because it contains a medium's url.
pub(super) fn needs_bytes(fault: &Fault) -> bool {
    fault.error.code.as_deref() == Some(NEEDS_BYTES)
}

/// Fetches all media that are given by their url. Long ones are lifted if the adapters take blobs.
pub(super) async fn fetch_all(
    client: &MediaClient,
    config: &Media,
    request: &mut ChatRequest,
    mut lifted: Option<&mut Lifted>,
    held: &mut Held,
) -> Result<(), Fault> {
    let mut rules = MediaRules {
        max_bytes: config.max_bytes,
        timeout: config.timeout,
        origins: config.origins.iter().map(ToString::to_string).collect(),
    };
    let media = request.messages.iter_mut().flat_map(|message| &mut message.parts).flat_map(media_of);
    // Other schemes refer to a provider's own store, which only that provider can read.
    let addressed = media.filter(|medium| matches!(&medium.source, MediaSource::Url(url) if url.starts_with("http")));
    let mut left = config.max_total_bytes;
    for (number, medium) in addressed.enumerate() {
        if number == MAX_MEDIA {
            return Err(Fault::invalid(format!("more than {MAX_MEDIA} media would have to be fetched")));
        }
        let MediaSource::Url(url) = &medium.source else { continue };
        rules.max_bytes = config.max_bytes.min(left);
        let fetched = client.fetch(url, kinds(medium.kind), &rules, held).await;
        let fetched = fetched.map_err(|error| match error {
            MediaError::NoRoom(full) => full.into(),
            MediaError::TooLarge(_) if left < config.max_bytes => too_much(config.max_total_bytes),
            error @ MediaError::TooLarge(_) => {
                too_large(format!("{} {error}; `media.max_bytes` sets the limit", named(medium.kind, url)))
            }
            error => Fault::invalid(format!("{} {error}", named(medium.kind, url))),
        })?;
        left -= fetched.bytes.len();
        // Base64 takes a third more, for as long as the request is served.
        held.grow(fetched.bytes.len() / 3).await?;
        put(medium, fetched, lifted.as_deref_mut())?;
    }
    Ok(())
}

fn too_much(limit: usize) -> Fault {
    let message = format!(
        "the media that would have to be fetched are larger than {limit} bytes together; `media.max_total_bytes` sets \
         the limit"
    );
    too_large(message)
}

fn too_large(message: String) -> Fault {
    Fault::new(Side::Client, ErrorKind::TooLarge, message).with_status(413)
}

pub(super) fn media_of(part: &mut Part) -> Vec<&mut MediaPart> {
    match part {
        Part::Media(medium) => vec![medium],
        Part::ToolResult(result) => {
            let media = result.content.iter_mut().filter_map(|part| match part {
                ResultPart::Media(medium) => Some(medium),
                _ => None,
            });
            media.collect()
        }
        _ => Vec::new(),
    }
}

/// Lifts the large media that a request holds as base64; what is no base64 stays, to be escaped by its adapter.
pub(super) fn lift(request: &mut ChatRequest, least: usize, lifted: &mut Lifted) -> Result<(), Fault> {
    let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_');
    for medium in request.messages.iter_mut().flat_map(|message| &mut message.parts).flat_map(media_of) {
        let MediaSource::Base64(text) = &mut medium.source else { continue };
        if text.len() >= least && text.bytes().all(is_base64) {
            let value = Bytes::from(std::mem::take(text));
            *text = lifted.add(value).map_err(|error| Fault::internal(error.to_string()))?;
        }
    }
    Ok(())
}

/// Puts the lifted media of a request into base64's standard alphabet, which all formats take. Returns the bytes
/// copied.
pub(super) fn standardise(request: &mut ChatRequest, lifted: &mut Lifted) -> usize {
    let media = request.messages.iter_mut().flat_map(|message| &mut message.parts).flat_map(media_of);
    let tokens = media.filter_map(|medium| match &medium.source {
        MediaSource::Base64(token) => Some(token.as_str()),
        _ => None,
    });
    tokens.map(|token| lifted.standardise(token)).sum()
}

fn put(medium: &mut MediaPart, fetched: Fetched, lifted: Option<&mut Lifted>) -> Result<(), Fault> {
    let Fetched { mime, bytes } = fetched;
    if medium.kind == MediaKind::Document && mime.starts_with("text/") {
        let text = String::from_utf8(bytes.to_vec()).map_err(|_| Fault::invalid("a document is not UTF-8"))?;
        medium.source = MediaSource::Text(text);
    } else {
        let text = STANDARD.encode(&bytes);
        let place = match lifted {
            Some(lifted) => lifted.add(Bytes::from(text)).map_err(|error| Fault::internal(error.to_string()))?,
            None => text,
        };
        medium.source = MediaSource::Base64(place);
    }
    medium.mime = Some(mime);
    Ok(())
}

/// The media types that are accepted for a kind of medium.
fn kinds(kind: MediaKind) -> &'static [&'static str] {
    match kind {
        MediaKind::Image => &["image/"],
        MediaKind::Audio => &["audio/"],
        MediaKind::Video => &["video/"],
        MediaKind::Document => &["application/pdf", "text/"],
    }
}

/// A description of a medium for an error message, without its whole url, which may contain a secret.
fn named(kind: MediaKind, url: &str) -> String {
    let host = url.split("://").nth(1).and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
    let host: String = host.rsplit('@').next().unwrap_or_default().chars().take(100).collect();
    let what = match kind {
        MediaKind::Image => "the image",
        MediaKind::Audio => "the sound",
        MediaKind::Video => "the video",
        MediaKind::Document => "the document",
    };
    format!("{what} at {host:?} cannot be fetched:")
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_types::contract::types::{Message, Role, TextPart};

    #[test]
    fn only_media_are_put_into_the_standard_alphabet() {
        let mut lifted = Lifted::default();
        let tokens = [(); 2].map(|()| lifted.add(Bytes::from_static(b"_9j_-A==")).unwrap());
        let [image, text] = &tokens;
        let medium = MediaPart {
            kind: MediaKind::Image,
            source: MediaSource::Base64(image.clone()),
            mime: None,
            name: None,
            detail: None,
            cache: None,
            extensions: Vec::new(),
        };
        let parts = vec![Part::Media(medium), Part::Text(TextPart::plain(text))];
        let mut request = ChatRequest::plain("m", vec![Message::plain(Role::User, parts)]);
        assert_eq!(standardise(&mut request, &mut lifted), 8);
        let heads = lifted.describe().into_iter().map(|blob| blob.head);
        assert_eq!(heads.collect::<Vec<_>>(), ["/9j/+A==", "_9j_-A=="]);
    }
}

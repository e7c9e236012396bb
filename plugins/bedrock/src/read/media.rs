//! Images, documents, videos and audio.

use weir_sdk::json::{Str, object, parse, quote};
use weir_sdk::types::{Error, Extension, MediaKind, MediaPart, MediaSource};

use super::{NAMED, SOURCE, joined, member};
use crate::mime;
use crate::wire::{self, Block, extensions, note, own};

/// Parses a medium. One in the cloud's store is a file that other providers cannot read.
pub(super) fn read(wire: wire::Media<'_>, kind: MediaKind) -> Result<MediaPart, Error> {
    let source = wire.source.ok_or_else(|| Error::invalid("source is missing").at("source"))?;
    let mut marks = Vec::new();
    let media_source = if let Some(bytes) = source.bytes {
        MediaSource::Base64(bytes.into_string())
    } else if let Some(text) = source.text {
        MediaSource::Text(text.into_string())
    } else if let Some(raw) = source.content {
        marks.push(own(SOURCE, format!(r#"{{"content":{}}}"#, raw.get())));
        let blocks: Vec<Block<'_>> = member("content", raw)?;
        MediaSource::Text(joined(blocks))
    } else if let Some(raw) = source.s3 {
        in_store(raw.get(), &mut marks)
    } else {
        return Err(Error::invalid("source holds no bytes").at("source"));
    };
    if wire.name.is_some() {
        marks.push(note(NAMED));
    }
    marks.extend(extensions("", wire.rest));
    let mime = wire.format.as_deref().and_then(|format| mime::of_format(kind, format));
    if let Some(format) = wire.format.filter(|_| mime.is_none()) {
        let mut json = String::new();
        quote(&mut json, &format);
        marks.push(own("format", json));
    }
    let mut part = MediaPart::new(kind, media_source);
    part.mime = mime.map(str::to_owned);
    part.name = wire.name.map(Str::into_string);
    part.extensions = marks;
    Ok(part)
}

/// The medium of an answer that the service withheld or could not make, which has a reason in place of its bytes.
pub(super) fn failed(wire: &wire::Media<'_>) -> Option<String> {
    let source = wire.source.as_ref();
    let has_bytes = source.is_some_and(|source| {
        let bytes = source.bytes.as_ref().or(source.text.as_ref());
        bytes.is_some_and(|bytes| !bytes.is_empty()) || source.content.is_some() || source.s3.is_some()
    });
    let error = wire.rest.get("error").filter(|error| error.get() != "null" && !has_bytes)?;
    Some(failure(wire.format.as_deref(), error.get()))
}

/// The same of a stream.
pub(crate) fn failure(format: Option<&str>, error: &str) -> String {
    let mut json = String::new();
    object(&mut json, |o| {
        o.opt_str("format", format);
        o.object("source", |_| {});
        o.raw("error", error);
    });
    json
}

/// The file at a place in the cloud's store; the place itself is kept with the marks.
fn in_store(place: &str, marks: &mut Vec<Extension>) -> MediaSource {
    marks.push(own(SOURCE, format!(r#"{{"s3Location":{place}}}"#)));
    let place: wire::S3Location<'_> = parse(place).unwrap_or_default();
    MediaSource::FileId(place.uri.map(Str::into_string).unwrap_or_default())
}

/// An image that a model generated in a stream: its bytes, or the place where it is stored.
pub(crate) fn image_made(format: Option<&str>, bytes: String, stored: Option<&str>) -> MediaPart {
    let mut marks = Vec::new();
    let source = match stored {
        Some(place) => in_store(place, &mut marks),
        None => MediaSource::Base64(bytes),
    };
    let mut part = MediaPart::new(MediaKind::Image, source);
    part.extensions = marks;
    part.mime = format.and_then(|format| mime::of_format(MediaKind::Image, format)).map(str::to_owned);
    part
}

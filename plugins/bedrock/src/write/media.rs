//! Renders images, documents, videos and audio as blocks.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use weir_sdk::citations::documents::Document;
use weir_sdk::json::{Array, Object, Rest};
use weir_sdk::losses::{Losses, extension};
use weir_sdk::types::{Blob, Error, Extension, MediaKind, MediaPart, MediaSource};

use super::{PartPath, item, member};
use crate::model::Model;
use crate::read::{GUARD, NAMED, SEARCH_RESULT, SOURCE};
use crate::wire::is_noted;
use crate::{FORMAT, mime};

/// The longest name of a document.
const NAME_LIMIT: usize = 200;

/// Writes media blocks, and makes the names of documents unique.
#[derive(Debug)]
pub(crate) struct MediaWriter<'a> {
    blobs: &'a [Blob],
    names: Vec<String>,
    /// The model that gets the media; `None` for a client.
    model: Option<Model>,
}

impl<'a> MediaWriter<'a> {
    pub(crate) fn new(blobs: &'a [Blob]) -> Self {
        Self { blobs, names: Vec::new(), model: None }
    }

    /// Sets the model that gets the media.
    pub(crate) fn for_model(self, model: Model) -> Self {
        Self { model: Some(model), ..self }
    }

    /// Whether a value is the token of one that was lifted out of the request.
    pub(crate) fn is_lifted(&self, value: &str) -> bool {
        self.blobs.iter().any(|blob| blob.token == value)
    }

    /// Appends a medium.
    pub(crate) fn write(
        &mut self,
        out: &mut String,
        media: &MediaPart,
        losses: &mut Losses,
        place: PartPath,
    ) -> Result<(), Error> {
        self.write_as(&self.cited(media), out, media, losses, place)
    }

    /// Appends a medium to a tool's result. The service refuses documents there that shall be cited.
    pub(crate) fn write_in_result(
        &mut self,
        out: &mut String,
        media: &MediaPart,
        losses: &mut Losses,
        place: PartPath,
    ) -> Result<(), Error> {
        let mut cited = self.cited(media);
        if cited.found_at.is_none() && cited.citations.take().is_some_and(|json| enables(&json)) {
            losses.dropped(place.field("citations"), "documents of a tool's result cannot be cited");
        }
        self.write_as(&cited, out, media, losses, place)
    }

    fn write_as(
        &mut self,
        cited: &Document,
        out: &mut String,
        media: &MediaPart,
        losses: &mut Losses,
        place: PartPath,
    ) -> Result<(), Error> {
        losses.foreign_at(place, &cited.left, FORMAT);
        for whole in [GUARD, SEARCH_RESULT] {
            if let Some(json) = extension(&media.extensions, FORMAT, whole) {
                item(out, |o| o.raw(whole, json));
                return Ok(());
            }
        }
        if let Some(from) = cited.found_at.as_deref() {
            search_result(out, media, from, cited);
            return Ok(());
        }
        let source = self.source(cited, media, place)?;
        let format = self.format(media, place)?;
        if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
            losses.dropped(place.field("detail"), "there are no levels of detail here");
        }
        let document = media.kind == MediaKind::Document;
        losses.dropped_if(!document && media.name.is_some(), &place.field("name"), "only documents have names here");
        let name = if document { Some(self.name(media, losses, place)) } else { None };
        item(out, |o| {
            o.object(kind(media.kind), |o| {
                o.opt_str("format", format);
                o.opt_str("name", name.as_deref());
                source.write(o);
                let apart = |own: &&Extension| own.key != SOURCE;
                media.extensions.iter().filter(apart).for_each(|own| member(o, own));
                o.opt_raw("context", cited.context.as_deref());
                o.opt_raw("citations", cited.citations.as_deref());
            });
        });
        Ok(())
    }

    /// The source of the bytes. The service takes texts as such only if they shall be cited.
    fn source<'m>(&self, cited: &'m Document, media: &'m MediaPart, place: PartPath) -> Result<Source<'m>, Error> {
        let cites = cited.citations.as_deref().is_some_and(enables);
        let is_judged = self.model.is_some_and(|model| !model.is_unjudged());
        Ok(match (&cited.texts, Source::of(media, place)?) {
            (Some(texts), _) if cites => Source::Texts(texts),
            (_, Source::Text(text)) if is_judged && !cites => Source::Encoded(STANDARD.encode(text)),
            (_, source) => source,
        })
    }

    /// Whether a medium is written as a document.
    pub(crate) fn is_document(&self, media: &MediaPart) -> bool {
        media.kind == MediaKind::Document && self.cited(media).found_at.is_none()
    }

    /// What a document of Messages says of its citations, if the model takes that.
    fn cited(&self, media: &MediaPart) -> Document {
        if self.model.is_some_and(Model::cites) {
            return Document::of_messages(media);
        }
        Document { left: media.extensions.clone(), ..Document::default() }
    }

    /// The format's short name. Text needs none; an unknown one is among the members.
    fn format(&self, media: &MediaPart, place: PartPath) -> Result<Option<&'static str>, Error> {
        if extension(&media.extensions, FORMAT, "format").is_some() {
            return Ok(None);
        }
        let named = media.mime.as_deref().and_then(|mime| mime::format(media.kind, mime));
        let by_name = || media.name.as_deref().and_then(|name| mime::by_name(media.kind, name));
        let found = match &media.source {
            MediaSource::Base64(data) => named.or_else(|| mime::sniff(media.kind, data, self.blobs)).or_else(by_name),
            MediaSource::Text(_) if media.kind != MediaKind::Document => None,
            MediaSource::Text(_) => {
                let plain = !is_noted(&media.extensions, NAMED);
                return Ok(named.or(if plain { Some("txt") } else { None }));
            }
            MediaSource::Url(at) | MediaSource::FileId(at) => named.or_else(|| mime::by_name(media.kind, at)),
        };
        if found.is_none() {
            let what = media.mime.as_deref().unwrap_or("of an unknown type");
            let message = format!("the format takes no {} {what}", kind(media.kind));
            return Err(Error::unsupported(place.field(""), message));
        }
        Ok(found)
    }

    /// A document's name: only documents must have one, and its characters are limited.
    fn name(&mut self, media: &MediaPart, losses: &mut Losses, place: PartPath) -> String {
        let given = media.name.as_deref().unwrap_or("document");
        if is_noted(&media.extensions, NAMED) {
            self.names.push(given.to_owned());
            return given.to_owned();
        }
        let mut name = fitting(given);
        let mut number = 1;
        while self.names.contains(&name) {
            number += 1;
            name = format!("{} {number}", fitting(given));
        }
        if media.name.is_some() && name != given {
            losses.approximated(place.field("name"), &name);
        }
        self.names.push(name.clone());
        name
    }
}

/// Whether a member `citations` asks for some.
fn enables(citations: &str) -> bool {
    Rest::parse(citations).ok().and_then(|mut members| members.bool("enabled")).unwrap_or(false)
}

/// Writes a search result of Messages, which citations count apart from documents.
fn search_result(out: &mut String, media: &MediaPart, from: &str, cited: &Document) {
    item(out, |o| {
        o.object(SEARCH_RESULT, |o| {
            o.str("source", from);
            o.str("title", media.name.as_deref().unwrap_or(from));
            o.array("content", |a| texts(a, cited.texts.as_deref().unwrap_or_default()));
            o.opt_raw("citations", cited.citations.as_deref());
        });
    });
}

/// Writes texts as blocks.
fn texts(a: &mut Array<'_>, texts: &[String]) {
    for text in texts {
        a.object(|o| o.str("text", text));
    }
}

/// The name of a block of this kind.
pub(crate) const fn kind(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "image",
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
        MediaKind::Document => "document",
    }
}

/// Letters, digits, hyphens, brackets and single spaces, as the service's guide requires.
fn fitting(name: &str) -> String {
    let taken = |c: char| c.is_ascii_alphanumeric() || "-_()[]".contains(c);
    let clean: String = name.chars().map(|c| if taken(c) { c } else { ' ' }).collect();
    let words: Vec<&str> = clean.split_whitespace().collect();
    // Leaves room for a number.
    let mut name: String = words.join(" ").chars().take(NAME_LIMIT - 12).collect();
    if name.is_empty() {
        name.push_str("document");
    }
    name
}

/// The source of the bytes.
enum Source<'m> {
    /// The member of this format's own request.
    Own(&'m str),
    Bytes(&'m str),
    /// The bytes of a text.
    Encoded(String),
    Text(&'m str),
    /// The texts that a document is made of.
    Texts(&'m [String]),
    /// An address in the cloud's store.
    Store(&'m str),
}

impl<'m> Source<'m> {
    fn of(media: &'m MediaPart, place: PartPath) -> Result<Self, Error> {
        if let Some(own) = extension(&media.extensions, FORMAT, SOURCE) {
            return Ok(Self::Own(own));
        }
        let unsupported = |what: &str| Err(Error::unsupported(place.field(""), what));
        match &media.source {
            MediaSource::Base64(data) => Ok(Self::Bytes(data)),
            MediaSource::Text(text) if media.kind == MediaKind::Document => Ok(Self::Text(text)),
            MediaSource::Text(_) => unsupported("only a document can be text"),
            MediaSource::Url(url) if url.starts_with("s3://") => Ok(Self::Store(url)),
            MediaSource::Url(_) => Err(Error::needs_bytes(place.field(""))),
            MediaSource::FileId(_) => unsupported("a file of another provider's store cannot be read here"),
        }
    }

    fn write(&self, o: &mut Object<'_>) {
        match self {
            Self::Own(json) => o.raw("source", json),
            Self::Bytes(data) => o.object("source", |o| o.str("bytes", data)),
            Self::Encoded(data) => o.object("source", |o| o.str("bytes", data)),
            Self::Text(text) => o.object("source", |o| o.str("text", text)),
            Self::Texts(all) => o.object("source", |o| o.array("content", |a| texts(a, all))),
            Self::Store(uri) => o.object("source", |o| o.object("s3Location", |o| o.str("uri", uri))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(name: Option<&str>) -> MediaPart {
        let mut media = MediaPart::new(MediaKind::Document, MediaSource::Base64("JVBERi0x".into()));
        media.name = name.map(str::to_owned);
        media
    }

    fn written(all: &[MediaPart]) -> Result<(String, usize), Error> {
        let (mut out, mut losses) = (String::new(), Losses::default());
        let mut writer = MediaWriter::new(&[]);
        for (part, media) in all.iter().enumerate() {
            writer.write(&mut out, media, &mut losses, PartPath { message: Some(0), part })?;
        }
        Ok((out, losses.into_losses().len()))
    }

    #[test]
    fn c89_documents_get_names_that_fit_and_differ() {
        let (json, losses) = written(&[document(Some("a/b_c.pdf")), document(None), document(None)]).unwrap();
        for name in ["\"a b_c pdf\"", "\"document\"", "\"document 2\""] {
            assert!(json.contains(name), "{name}: {json}");
        }
        assert_eq!(losses, 1);
        assert!(json.starts_with(r#"{"document":{"format":"pdf","name":"a b_c pdf","source":{"bytes":"JVBERi0x"}}}"#));
    }

    #[test]
    fn what_the_service_cannot_read_is_refused_by_its_place() {
        let url = MediaPart::new(MediaKind::Image, MediaSource::Url("https://example.com/a.png".into()));
        let mut heic = MediaPart::new(MediaKind::Image, MediaSource::Base64("AAAA".into()));
        heic.mime = Some("image/heic".into());
        assert_eq!(written(std::slice::from_ref(&url)).unwrap_err().code.as_deref(), Some("media_url"));
        for media in [url, heic] {
            assert_eq!(written(&[media]).unwrap_err().param.as_deref(), Some("messages[0].content[0]"));
        }
        let stored = MediaPart::new(MediaKind::Video, MediaSource::Url("s3://bucket/a.mp4".into()));
        let expected = r#"{"video":{"format":"mp4","source":{"s3Location":{"uri":"s3://bucket/a.mp4"}}}}"#;
        assert_eq!(written(&[stored]).unwrap().0, expected);
    }
}

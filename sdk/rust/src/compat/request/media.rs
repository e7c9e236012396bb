//! Media: images, audio, files and video, if the provider takes them.

use super::Writer;
use super::messages::Lifted;
use crate::compat::content::STORE;
use crate::compat::media::{audio_format, mime, to_data_url};
use crate::compat::wire::FORMAT;
use crate::json::{Array, Object};
use crate::losses::extension;
use crate::types::{MediaKind, MediaPart, MediaSource};

/// The levels of an image's detail.
const DETAILS: [&str; 3] = ["auto", "low", "high"];

impl Writer<'_> {
    /// Writes the media that their own messages cannot contain.
    pub(super) fn lifted(&mut self, a: &mut Array<'_>, lifted: &mut Lifted<'_>) {
        if lifted.is_empty() {
            return;
        }
        a.object(|o| {
            o.str("role", "user");
            o.array("content", |a| lifted.drain(..).for_each(|(field, media)| self.media(a, &field, media)));
        });
    }

    pub(super) fn media(&mut self, a: &mut Array<'_>, field: &str, media: &MediaPart) {
        if let MediaSource::Text(text) = &media.source {
            return self.document_text(a, field, media, text);
        }
        if matches!(media.source, MediaSource::FileId(_)) && extension(&media.extensions, FORMAT, STORE).is_none() {
            return self.refuse(field.to_owned(), "a file of one provider's store is unknown to another");
        }
        let takes = self.quirks.media;
        let taken = match (media.kind, &media.source) {
            (MediaKind::Image, MediaSource::Url(_)) => takes.images && takes.urls,
            (MediaKind::Image, MediaSource::Base64(_)) => takes.images,
            (MediaKind::Audio, MediaSource::Base64(_)) => takes.audio,
            (MediaKind::Video, MediaSource::Url(_)) => takes.video && takes.urls,
            (MediaKind::Video, MediaSource::Base64(_)) => takes.video,
            (MediaKind::Document, MediaSource::Url(_)) => takes.document_urls || (takes.files && takes.file_urls),
            (MediaKind::Document, MediaSource::Base64(_)) if takes.document_urls => true,
            (_, MediaSource::Base64(_) | MediaSource::FileId(_)) => takes.files,
            _ => false,
        };
        if !taken {
            return self.refuse(field.to_owned(), "this provider does not take such media in chat");
        }
        a.object(|o| {
            match media.kind {
                MediaKind::Image if !matches!(media.source, MediaSource::FileId(_)) => {
                    self.address(o, field, "image_url", media);
                }
                MediaKind::Video if !matches!(media.source, MediaSource::FileId(_)) => {
                    self.address(o, field, "video_url", media);
                }
                MediaKind::Document if takes.document_urls && !matches!(media.source, MediaSource::FileId(_)) => {
                    o.str("type", "document_url");
                    o.str("document_url", &self.url(media));
                    o.opt_str("document_name", media.name.as_deref());
                }
                MediaKind::Audio if !matches!(media.source, MediaSource::FileId(_)) => self.audio(o, media),
                _ => self.file(o, media),
            }
            self.cache(o, field, media.cache.as_ref(), &media.extensions);
            self.message_members(o, &format!("{field}."), &media.extensions, &[STORE]);
        });
    }

    fn address(&mut self, o: &mut Object<'_>, field: &str, kind: &str, media: &MediaPart) {
        let detail = self.detail(field, media);
        o.str("type", kind);
        o.object(kind, |o| {
            o.str("url", &self.url(media));
            o.opt_str("detail", detail);
        });
    }

    /// The level of an image's detail. Responses have one more, `original`, which servers of this format refuse.
    fn detail<'m>(&mut self, field: &str, media: &'m MediaPart) -> Option<&'m str> {
        let detail = media.detail.as_deref()?;
        if !self.from_responses || DETAILS.contains(&detail) {
            return Some(detail);
        }
        self.losses.clamped(format!("{field}.detail"), "`high` is the highest level here");
        Some("high")
    }

    fn audio(&self, o: &mut Object<'_>, media: &MediaPart) {
        let MediaSource::Base64(data) = &media.source else { return };
        o.str("type", "input_audio");
        if self.quirks.media.bare_audio {
            return o.str("input_audio", data);
        }
        o.object("input_audio", |o| {
            o.str("data", data);
            o.str("format", audio_format(&mime(self.ctx, media)));
        });
    }

    fn file(&self, o: &mut Object<'_>, media: &MediaPart) {
        o.str("type", "file");
        o.object("file", |o| {
            // The official API refuses file data without a file name.
            let unnamed = matches!(media.source, MediaSource::Base64(_)).then_some("document");
            o.opt_str("filename", media.name.as_deref().or(unnamed));
            match &media.source {
                MediaSource::FileId(id) => o.str("file_id", id),
                _ => o.str("file_data", &self.url(media)),
            }
        });
    }

    fn url(&self, media: &MediaPart) -> String {
        match &media.source {
            MediaSource::Url(url) => url.clone(),
            MediaSource::Base64(data) => to_data_url(&mime(self.ctx, media), data),
            MediaSource::Text(text) | MediaSource::FileId(text) => text.clone(),
        }
    }

    /// Sends a text document as text, with its title in front.
    fn document_text(&mut self, a: &mut Array<'_>, field: &str, media: &MediaPart, text: &str) {
        self.losses.approximated(field, "a text document is sent as text");
        if let Some(name) = &media.name {
            a.object(|o| {
                o.str("type", "text");
                o.str("text", name);
            });
        }
        a.object(|o| {
            o.str("type", "text");
            o.str("text", text);
            self.cache(o, field, media.cache.as_ref(), &media.extensions);
        });
        self.losses.foreign(&format!("{field}."), &media.extensions, FORMAT);
    }
}

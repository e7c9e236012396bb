//! Collects the content of a message.

use weir_sdk::compat::media::{mime, to_data_url};
use weir_sdk::json::{Object, item, raw_item};
use weir_sdk::losses::{Losses, extension};
use weir_sdk::types::{Context, Extension, MediaKind, MediaPart, MediaSource, TextPart};

use crate::citation::is_further;
use crate::read::is_document;
use crate::write::{PartPath, extensions, own};
use crate::{DOCUMENTS, FORMAT};

/// Items, and the single text that replaces them if there is nothing else.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// A list without brackets.
    items: String,
    count: usize,
    /// The text, if everything so far is one plain text.
    plain: Option<String>,
    /// A list without brackets.
    citations: String,
}

impl Content {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Writes the member `content`: a string if that is enough.
    pub(super) fn write(&self, o: &mut Object<'_>) {
        match &self.plain {
            Some(text) if self.count == 1 => o.str("content", text),
            _ if self.count == 0 => o.str("content", ""),
            _ => o.raw("content", &format!("[{}]", self.items)),
        }
    }

    /// The citations of the texts, and `further` ones, a JSON array.
    pub(super) fn citations(&self, further: Option<&str>) -> Option<String> {
        let further = further.and_then(|json| json.trim().strip_prefix('[')?.strip_suffix(']')).unwrap_or_default();
        let comma = if self.citations.is_empty() || further.is_empty() { "" } else { "," };
        let all = format!("[{}{comma}{further}]", self.citations);
        (all != "[]").then_some(all)
    }

    fn item(&mut self, members: impl FnOnce(&mut Object<'_>)) {
        item(&mut self.items, members);
        self.count += 1;
        self.plain = None;
    }

    /// Adds a text, unless it is empty (C-42). Citations only return to their own format: what they refer to is
    /// elsewhere.
    pub(super) fn text(&mut self, text: &TextPart, losses: &mut Losses, place: PartPath) {
        losses.dropped_if(text.signature.is_some(), &place.field("signature"), "it returns only to its issuer");
        for citation in text.citations.iter().filter(|citation| !is_further(citation)) {
            match citation.source.as_ref().filter(|source| source.format == FORMAT) {
                Some(own) => raw_item(&mut self.citations, &own.json),
                None => losses.dropped(place.field("citations"), "it comes from another provider"),
            }
        }
        if text.text.is_empty() {
            return;
        }
        self.item(|o| {
            o.str("type", "text");
            o.str("text", &text.text);
            extensions(o, &text.extensions, losses, &place.members());
        });
        if own(&text.extensions, FORMAT).next().is_none() {
            self.plain = Some(text.text.clone());
        }
    }

    pub(super) fn words(&mut self, words: &str) {
        if !words.is_empty() {
            self.item(|o| {
                o.str("type", "text");
                o.str("text", words);
            });
            self.plain = Some(words.to_owned());
        }
    }

    pub(super) fn thinking(&mut self, text: &str, kept: &[Extension]) {
        self.item(|o| {
            o.str("type", "thinking");
            o.str("thinking", text);
            own(kept, FORMAT).for_each(|own| o.raw(&own.key, &own.json));
        });
    }

    /// Adds an item unchanged.
    pub(super) fn raw(&mut self, json: &str) {
        raw_item(&mut self.items, json);
        self.count += 1;
        self.plain = None;
    }

    /// Adds JSON of a tool's result: an object becomes a document's data, or a document; anything else becomes text.
    pub(super) fn document(&mut self, json: &str) {
        let json = json.trim();
        if !json.starts_with('{') {
            return self.words(json);
        }
        self.item(|o| {
            o.str("type", "document");
            if is_document(json) {
                o.raw("document", json);
            } else {
                o.object("document", |o| o.raw("data", json));
            }
        });
    }

    /// Adds a text document of a tool's result.
    pub(super) fn text_document(&mut self, media: &MediaPart) {
        if let Some(own) = extension(&media.extensions, FORMAT, DOCUMENTS).filter(|json| json.starts_with('{')) {
            return self.document(own);
        }
        let MediaSource::Text(text) = &media.source else { return };
        self.item(|o| {
            o.str("type", "document");
            o.object("document", |o| {
                o.object("data", |o| {
                    o.opt_str("title", media.name.as_deref());
                    o.str("text", text);
                });
            });
        });
    }

    /// Adds an image, by its address or its bytes; the error is the reason why a medium is refused.
    pub(super) fn image(
        &mut self,
        ctx: &Context,
        media: &MediaPart,
        losses: &mut Losses,
        place: PartPath,
    ) -> Result<(), &'static str> {
        if media.kind != MediaKind::Image {
            return Err("the format takes images and texts only");
        }
        let url = match &media.source {
            MediaSource::Url(url) => url.clone(),
            MediaSource::Base64(data) => to_data_url(&mime(ctx, media), data),
            MediaSource::Text(_) => return Err("an image cannot be text"),
            MediaSource::FileId(_) => return Err("a file of another provider's store cannot be read here"),
        };
        let detail = detail(media, losses, place);
        self.item(|o| {
            o.str("type", "image_url");
            o.object("image_url", |o| {
                o.str("url", &url);
                o.opt_str("detail", detail);
            });
            own(&media.extensions, FORMAT).for_each(|own| o.raw(&own.key, &own.json));
        });
        Ok(())
    }
}

/// The level of an image's detail. OpenAI's Responses have one above the highest here.
fn detail<'m>(media: &'m MediaPart, losses: &mut Losses, place: PartPath) -> Option<&'m str> {
    if media.detail.as_deref() != Some("original") {
        return media.detail.as_deref();
    }
    losses.clamped(place.field("detail"), "`high` is the highest level here");
    Some("high")
}

//! Renders the parts of a turn.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use weir_sdk::citations::documents::Document;
use weir_sdk::claude::trimmed;
use weir_sdk::json::{Object, object};
use weir_sdk::turns::{Speaker, Turn, refused_result};
use weir_sdk::types::{
    Error, Extension, MediaKind, MediaPart, MediaSource, Part, ReasoningPart, ResultPart, TextPart, ToolCall,
    ToolResult,
};

use super::Writer;
use crate::mime::{self, sniff};
use crate::names::fitting_id;
use crate::write::{self, PartPath};
use crate::{FORMAT, OWN_FILE, UNSIGNED, signature};

/// Whether thinking came without a signature in this format.
fn is_unsigned(extensions: &[Extension]) -> bool {
    extensions.iter().any(|note| note.format == FORMAT && note.key == UNSIGNED)
}

impl Writer<'_> {
    pub(super) fn part(&mut self, turn: &mut Turn, part: &Part, place: PartPath) -> Result<(), Error> {
        match part {
            Part::Text(text) => self.text(&mut turn.others, text, place),
            Part::Media(media) => self.media(&mut turn.others, media, place)?,
            Part::ToolCall(call) => {
                turn.calls = true;
                self.call(&mut turn.others, call, place);
            }
            Part::ToolResult(result) if turn.speaker == Speaker::User => {
                self.result(&mut turn.results, result, place)?;
            }
            Part::ToolResult(result) => self.result(&mut turn.others, result, place)?,
            Part::Reasoning(thought) => self.reasoning(turn, thought, place),
            Part::Refusal(words) => {
                self.losses.approximated(place.field("refusal"), "sent as text");
                self.text(&mut turn.others, &TextPart::new(words), place);
            }
            Part::Opaque(opaque) if opaque.format == FORMAT => write::raw_block(&mut turn.others, &opaque.json),
            Part::Opaque(opaque) => turn.refuse(opaque, place, self.losses)?,
        }
        Ok(())
    }

    /// Writes a text block, unless it is blank: the service refuses those (C-42). But it takes one back that it put
    /// between blocks of its own, and signed thinking with it only.
    fn text(&mut self, out: &mut String, text: &TextPart, place: PartPath) {
        let stays = !text.text.is_empty() && self.between_own.contains(&place.part);
        if let Some(json) = write::whole(&text.extensions) {
            write::raw_block(out, json);
        } else if stays || !text.text.trim().is_empty() {
            let text = trimmed(text, self.blank_end, place, self.losses);
            write::block(out, |o| write::text(o, &text, self.losses, place));
        } else {
            self.uncached(text, place);
        }
        if text.signature.is_some() {
            self.losses.dropped(place.field("signature"), "it returns only to its issuer");
        }
    }

    /// Reports the cache hint of a text that is not written.
    pub(super) fn uncached(&mut self, text: &TextPart, place: PartPath) {
        if text.cache.is_some() {
            self.losses.dropped(place.field("cache_control"), "there is no block that it could stand in");
        }
    }

    fn call(&mut self, out: &mut String, call: &ToolCall, place: PartPath) {
        if call.signature.is_some() {
            self.losses.dropped(place.field("signature"), "it returns only to its issuer");
        }
        let name = self.names.send(&call.name);
        write::block(out, |o| write::tool_call(o, call, &name, self.losses, place));
    }

    /// Writes thinking, which returns to its issuer unedited, even if its text is empty (C-29); other issuers' thinking
    /// is left out. Models that sign none have it back as they gave it.
    fn reasoning(&mut self, turn: &mut Turn, thought: &ReasoningPart, place: PartPath) {
        let first = turn.others.is_empty();
        let mut written = false;
        let bare = thought.signature.is_none() && thought.encrypted.is_none() && is_unsigned(&thought.extensions);
        let unsigned = (bare && !self.generation.signs).then_some("");
        if let Some(signature) = signature::own(thought.signature.as_ref()).or(unsigned) {
            written = true;
            write::block(&mut turn.others, |o| {
                write::thinking(o, thought.text.as_deref().unwrap_or_default(), signature);
                write::extensions(o, &thought.extensions, self.losses, place);
            });
        }
        if let Some(data) = signature::own(thought.encrypted.as_ref()) {
            written = true;
            write::block(&mut turn.others, |o| write::redacted(o, data));
        }
        if !written {
            self.losses.dropped(place.field("reasoning"), "it returns only to its issuer");
        }
        turn.thinking_first |= first && written;
    }

    fn media(&mut self, out: &mut String, media: &MediaPart, place: PartPath) -> Result<(), Error> {
        if let Some(json) = write::whole(&media.extensions) {
            write::raw_block(out, json);
            return Ok(());
        }
        let document = Document::of_converse(media);
        if let Some(from) = document.found_at.as_deref() {
            self.search_result(out, media, from, &document, place);
            return Ok(());
        }
        let source = match &document.texts {
            Some(texts) => write::texts(texts),
            None => self.source(media, place)?,
        };
        let image = media.kind == MediaKind::Image;
        if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
            self.losses.dropped(place.field("detail"), "images have no level of detail here");
        }
        if image && media.name.is_some() {
            self.losses.dropped(place.field("name"), "images have no names here");
        }
        write::block(out, |o| {
            o.str("type", if image { "image" } else { "document" });
            o.raw("source", &source);
            o.opt_str("title", media.name.as_deref().filter(|_| !image));
            o.opt_raw("context", document.context.as_deref());
            o.opt_raw("citations", document.citations.as_deref());
            write::cache(o, media.cache.as_ref(), &media.extensions);
            write::extensions(o, &document.left, self.losses, place);
        });
        Ok(())
    }

    /// Writes a search result of Converse, which citations count apart from documents.
    fn search_result(&mut self, out: &mut String, media: &MediaPart, from: &str, document: &Document, place: PartPath) {
        write::block(out, |o| {
            o.str("type", "search_result");
            o.str("source", from);
            o.str("title", media.name.as_deref().unwrap_or(from));
            o.array("content", |a| write::text_blocks(a, document.texts.as_deref().unwrap_or_default()));
            o.opt_raw("citations", document.citations.as_deref());
            write::cache(o, media.cache.as_ref(), &media.extensions);
            write::extensions(o, &document.left, self.losses, place);
        });
    }

    fn source(&mut self, media: &MediaPart, place: PartPath) -> Result<String, Error> {
        let unsupported = |what: &str| Err(Error::unsupported(place.field(""), what));
        let mut out = String::new();
        let mut write = |kind: &str, members: &dyn Fn(&mut Object<'_>)| {
            object(&mut out, |o| {
                o.str("type", kind);
                members(o);
            });
        };
        match (media.kind, &media.source) {
            (MediaKind::Audio, _) => return unsupported("the format takes no audio"),
            (MediaKind::Video, _) => return unsupported("the format takes no video"),
            (_, MediaSource::Url(url)) => write("url", &|o| o.str("url", url)),
            (MediaKind::Document, MediaSource::Text(text)) => write("text", &|o| {
                o.str("media_type", "text/plain");
                o.str("data", text);
            }),
            (MediaKind::Image, MediaSource::Text(_)) => return unsupported("an image cannot be text"),
            (MediaKind::Document, MediaSource::Base64(data)) if media.mime.as_deref().is_some_and(mime::is_text) => {
                let Some(text) = self.decoded(data) else {
                    return unsupported("a text in base64 must be UTF-8, and short enough to be read here");
                };
                if media.mime.as_deref().is_none_or(|mime| !mime::is_plain(mime)) {
                    self.losses.approximated(place.field("mime"), "sent as plain text");
                }
                write("text", &|o| {
                    o.str("media_type", "text/plain");
                    o.str("data", &text);
                });
            }
            (kind, MediaSource::Base64(data)) => {
                let (named, sniffed) = (media.mime.as_deref(), sniff(data, &self.ctx.blobs));
                let mime = match kind {
                    MediaKind::Document if named.or(sniffed).is_none_or(|mime| mime == mime::PDF) => mime::PDF,
                    MediaKind::Document => return unsupported("documents in base64 must be PDFs or texts"),
                    // Where the name is none of the service's, the bytes tell.
                    _ => match named.and_then(mime::image).or_else(|| sniffed.and_then(mime::image)) {
                        Some(mime) => mime,
                        None => return unsupported("images must be JPEG, PNG, GIF or WebP"),
                    },
                };
                write("base64", &|o| {
                    o.str("media_type", mime);
                    o.str("data", data);
                });
            }
            (_, MediaSource::FileId(id)) => {
                let own = media.extensions.iter().any(|e| e.format == FORMAT && e.key == OWN_FILE);
                if !own {
                    return unsupported("a file of another provider's store cannot be read here");
                }
                write("file", &|o| o.str("file_id", id));
            }
        }
        Ok(out)
    }

    /// The text that a document in base64 is. One that was lifted out of the request cannot be read here.
    fn decoded(&self, data: &str) -> Option<String> {
        let lifted = self.ctx.blobs.iter().any(|blob| blob.token == data);
        let bytes = if lifted { None } else { STANDARD.decode(data).ok() };
        bytes.and_then(|bytes| String::from_utf8(bytes).ok())
    }

    fn result(&mut self, out: &mut String, result: &ToolResult, place: PartPath) -> Result<(), Error> {
        let mut content = String::new();
        for part in &result.content {
            match part {
                ResultPart::Text(text) => self.text(&mut content, text, place),
                ResultPart::Media(media) => self.media(&mut content, media, place)?,
                ResultPart::Json(json) => self.text(&mut content, &TextPart::new(json), place),
                ResultPart::Opaque(opaque) if opaque.format == FORMAT => {
                    write::raw_block(&mut content, &opaque.json);
                }
                ResultPart::Opaque(opaque) => return Err(refused_result(opaque, place)),
            }
        }
        write::block(out, |o| {
            o.str("type", "tool_result");
            o.str("tool_use_id", &fitting_id(&result.call_id));
            if !content.is_empty() {
                o.raw("content", &format!("[{content}]"));
            }
            o.opt_bool("is_error", result.is_error);
            write::cache(o, result.cache.as_ref(), &result.extensions);
            write::extensions(o, &result.extensions, self.losses, place);
        });
        Ok(())
    }
}

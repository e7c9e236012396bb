//! Renders the parts of a turn.

use weir_sdk::calls;
use weir_sdk::json::{Object, array, quote};
use weir_sdk::turns::{Turn, refused_result};
use weir_sdk::types::{
    Error, MediaKind, MediaPart, MediaSource, Part, ReasoningPart, ResultPart, Signature, TextPart, ToolCall,
    ToolResult,
};

use super::Writer;
use crate::read::{NAMED, NAMED_FILE, NO_ID, UNSIGNED};
use crate::wire::is_noted;
use crate::write::{self, PartPath};
use crate::{FORMAT, resolution, signature};

/// Replaces the signature of a call by another model, so that the service does not require one. Source: the service's
/// documentation of thought signatures.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

impl<'a> Writer<'a> {
    pub(super) fn part(&mut self, turn: &mut Turn, part: &'a Part, place: PartPath) -> Result<(), Error> {
        match part {
            Part::Text(text) => self.text(&mut turn.others, text, place),
            Part::Media(media) => self.media(&mut turn.others, media, place, true)?,
            Part::ToolCall(call) => self.call(turn, call, place),
            Part::ToolResult(result) => self.result(turn, result, place)?,
            Part::Reasoning(thought) => self.reasoning(&mut turn.others, thought, place),
            Part::Refusal(words) => {
                self.losses.approximated(place.field("refusal"), "sent as text");
                self.text(&mut turn.others, &TextPart::new(words), place);
            }
            Part::Opaque(opaque) if opaque.format == FORMAT => write::raw_item(&mut turn.others, &opaque.json),
            Part::Opaque(opaque) => turn.refuse(opaque, place, self.losses)?,
        }
        Ok(())
    }

    /// Writes a text, unless it is empty and not signed (C-42, C-90).
    fn text(&mut self, out: &mut String, text: &TextPart, place: PartPath) {
        let signature = self.own(text.signature.as_ref(), place);
        self.lose_cache(text.cache.is_some(), place);
        self.lose_citations(text, place);
        self.losses.foreign_at(place, &text.extensions, FORMAT);
        if text.text.is_empty() && signature.is_none() {
            return;
        }
        write::item(out, |o| {
            write::text(o, &text.text, false, signature);
            write::members(o, &text.extensions, "");
        });
    }

    /// The signature if this family issued it; others are reported as lost.
    fn own<'s>(&mut self, signed: Option<&'s Signature>, place: PartPath) -> Option<&'s str> {
        let own = signature::own(signed);
        if signed.is_some() && own.is_none() {
            self.losses.dropped(place.field("signature"), "it returns only to its issuer");
        }
        own
    }

    /// Writes a call. Models of the third generation refuse their own calls without a signature in the current turn.
    fn call(&mut self, turn: &mut Turn, call: &'a ToolCall, place: PartPath) {
        let first = !std::mem::replace(&mut turn.calls, true);
        let mut signature = self.own(call.signature.as_ref(), place);
        let current = place.message >= Some(self.current);
        if signature.is_none() && first && current && self.target.generation.third {
            self.losses.approximated(place.field("signature"), "there is none: the service is asked not to check it");
            signature = Some(NO_SIGNATURE);
        }
        self.lose_cache(call.cache.is_some(), place);
        self.losses.foreign_at(place, &call.extensions, FORMAT);
        let name = self.names.send(&call.name);
        write::item(&mut turn.others, |o| write::call(o, call, &name, signature, self.losses, place));
        self.calls.push(call);
    }

    /// Writes thinking, which returns to its issuer unedited, even if its text is empty (C-29); other issuers' thinking
    /// is left out.
    fn reasoning(&mut self, out: &mut String, thought: &ReasoningPart, place: PartPath) {
        let text = thought.text.as_deref().unwrap_or_default();
        let signatures = [thought.signature.as_ref(), thought.encrypted.as_ref()];
        let mut own: Vec<Option<&str>> = signatures.into_iter().filter_map(signature::own).map(Some).collect();
        if own.is_empty() && is_noted(&thought.extensions, UNSIGNED) {
            own.push(None);
            let signed = thought.signature.is_some();
            self.losses.dropped_if(signed, &place.field("signature"), "it returns only to its issuer");
        }
        if own.is_empty() {
            return self.losses.dropped(place.field("reasoning"), "it returns only to its issuer");
        }
        self.losses.foreign_at(place, &thought.extensions, FORMAT);
        for (at, signature) in own.into_iter().enumerate() {
            write::item(out, |o| {
                write::text(o, if at == 0 { text } else { "" }, true, signature);
                write::members(o, &thought.extensions, "");
            });
        }
    }

    /// Writes a medium. `is_part` tells whether it is a part of the turn, which can have a level: those within a result
    /// cannot.
    fn media(&mut self, out: &mut String, media: &MediaPart, place: PartPath, is_part: bool) -> Result<(), Error> {
        let mime = self.taken(media, place)?;
        self.lose_cache(media.cache.is_some(), place);
        let level = self.level(media, place, is_part);
        let nameless = media.name.is_some() && !is_noted(&media.extensions, NAMED);
        self.losses.dropped_if(nameless, &place.field("name"), "media have no names here");
        self.losses.foreign_at(place, &media.extensions, FORMAT);
        write::item(out, |o| {
            write::media(o, media, mime.as_deref());
            if let Some(level) = level {
                resolution::write(o, level);
            }
        });
        Ok(())
    }

    /// The level for the detail of an image by another format. Models take levels of single parts from the third
    /// generation on.
    fn level(&mut self, media: &MediaPart, place: PartPath, is_part: bool) -> Option<&'static str> {
        let detail = media.detail.as_deref().filter(|detail| *detail != "auto")?;
        if is_noted(&media.extensions, resolution::MEMBER) {
            return None;
        }
        let takes = is_part && self.target.generation.third && media.kind == MediaKind::Image;
        let level = resolution::level(detail).filter(|_| takes);
        if level.is_none() {
            self.losses.dropped(place.field("detail"), "there is no such level here");
        } else if detail == "original" {
            self.losses.approximated(place.field("detail"), "the highest level is the nearest");
        }
        level
    }

    /// The media type, if the service takes the medium from its source.
    fn taken(&self, media: &MediaPart, place: PartPath) -> Result<Option<String>, Error> {
        let unsupported = |what: &str| Err(Error::unsupported(place.field(""), what));
        let mime = write::mime_of(media, &self.target.ctx.blobs);
        match &media.source {
            MediaSource::Url(url) if self.fetches(url) || is_noted(&media.extensions, NAMED_FILE) => Ok(mime),
            MediaSource::Url(_) => Err(Error::needs_bytes(place.field(""))),
            MediaSource::FileId(_) if is_noted(&media.extensions, NAMED_FILE) => Ok(mime),
            MediaSource::FileId(_) => unsupported("a file of another provider's store cannot be read here"),
            MediaSource::Text(_) if media.kind != MediaKind::Document => unsupported("only a document can be text"),
            _ if mime.is_none() => unsupported("the media type is unknown"),
            _ => Ok(mime),
        }
    }

    /// Whether the service fetches an address: its own stores and videos of one site, or addresses that the operator
    /// allows.
    fn fetches(&self, url: &str) -> bool {
        let host = url.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next()).unwrap_or_default();
        let known = ["youtube.com", "youtu.be", "generativelanguage.googleapis.com"];
        let is_known =
            known.iter().any(|known| host == *known || host.strip_suffix(known).is_some_and(|h| h.ends_with('.')));
        is_known || url.starts_with("gs://") || self.target.ctx.option_bool("fetches_urls") == Some(true)
    }

    /// Writes a function's result, under the function's real name (C-87). Media are part of it if the model supports
    /// that, else they follow it (C-43).
    fn result(&mut self, turn: &mut Turn, result: &ToolResult, place: PartPath) -> Result<(), Error> {
        let called = self.calls.iter().rev().find(|call| call.id == result.call_id).copied();
        let known = called.map(|call| call.name.as_str()).or(result.name.as_deref());
        if known.is_none() {
            self.losses.approximated(place.field("name"), "the call is not in the history: its id stands for the name");
        }
        let name = self.names.send(known.unwrap_or(&result.call_id));
        let (response, media) = self.response(result, place)?;
        let mut within = String::new();
        for medium in media {
            let inside = self.target.generation.third && !matches!(medium.source, MediaSource::Url(_));
            if inside {
                self.media(&mut within, medium, place, false)?;
            } else {
                self.losses.approximated(place.field(""), "a medium in a tool result stands behind it");
                self.media(&mut turn.others, medium, place, true)?;
            }
        }
        self.lose_cache(result.cache.is_some(), place);
        self.losses.foreign_at(place, &result.extensions, FORMAT);
        let unnamed =
            is_noted(&result.extensions, NO_ID) || called.is_some_and(|call| is_noted(&call.extensions, NO_ID));
        let id = Some(result.call_id.as_str()).filter(|id| !id.is_empty() && !unnamed);
        write::item(&mut turn.results, |o| {
            o.object("functionResponse", |o| {
                o.opt_str("id", id);
                o.str("name", &name);
                o.raw("response", &response);
                if !within.is_empty() {
                    o.raw("parts", &format!("[{within}]"));
                }
                write::members(o, &result.extensions, "functionResponse");
            });
            write::members(o, &result.extensions, "");
        });
        Ok(())
    }

    /// The response, always an object, and the media of the result.
    fn response<'r>(&mut self, result: &'r ToolResult, place: PartPath) -> Result<(String, Vec<&'r MediaPart>), Error> {
        let (mut values, mut media) = (Vec::new(), Vec::new());
        for (at, part) in result.content.iter().enumerate() {
            match part {
                ResultPart::Text(text) => {
                    let (hinted, within) = (text.cache.is_some(), |member: &str| format!("content[{at}]{member}"));
                    self.lose_cache_at(hinted, || place.field(&within(".cache_control")));
                    self.losses.dropped_if(
                        !text.citations.is_empty(),
                        &place.field(&within(".citations")),
                        "a result has no place for them",
                    );
                    self.losses.foreign(&place.field(&within(".")), &text.extensions, FORMAT);
                    values.push(Value::Text(&text.text));
                }
                ResultPart::Json(json) => values.push(Value::Json(json)),
                ResultPart::Media(medium) => media.push(medium),
                ResultPart::Opaque(opaque) if opaque.format == FORMAT => values.push(Value::Json(&opaque.json)),
                ResultPart::Opaque(opaque) => return Err(refused_result(opaque, place)),
            }
        }
        let failed = result.is_error == Some(true);
        if let [only] = values.as_slice()
            && let Some(object) = only.object()
        {
            let says_so = !failed || calls::tells_failure(object);
            let response = if says_so { object.to_owned() } else { format!(r#"{{"error":{object}}}"#) };
            return Ok((response, media));
        }
        let mut out = String::new();
        if values.is_empty() && !failed {
            out.push_str("{}");
        } else {
            weir_sdk::json::object(&mut out, |o| wrapped(o, if failed { "error" } else { "result" }, &values));
        }
        Ok((out, media))
    }
}

/// A piece of a tool's result.
enum Value<'v> {
    Text(&'v str),
    Json(&'v str),
}

impl<'v> Value<'v> {
    /// The JSON object, if the value is one.
    fn object(&self) -> Option<&'v str> {
        let (Self::Text(text) | Self::Json(text)) = self;
        calls::object_text(text).filter(|_| !text.trim().is_empty())
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Text(text) => quote(out, text),
            Self::Json(json) => out.push_str(json),
        }
    }
}

/// Writes one value as it is, several as a list.
fn wrapped(o: &mut Object<'_>, key: &str, values: &[Value<'_>]) {
    match values {
        [only] => only.write(o.value(key)),
        several => array(o.value(key), |a| several.iter().for_each(|value| value.write(a.value()))),
    }
}

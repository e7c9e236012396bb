//! Renders the parts of a turn.

use weir_sdk::calls::{loses_failure, object_text};
use weir_sdk::citations::{MESSAGES, to_converse};
use weir_sdk::claude::trimmed;
use weir_sdk::json::object;
use weir_sdk::turns::{Speaker, Turn, refused_result};
use weir_sdk::types::{
    CacheHint, Error, MediaKind, MediaPart, Opaque, Part, ReasoningPart, ResultPart, Signature, TextPart, ToolCall,
    ToolResult,
};

use super::Writer;
use crate::read::UNSIGNED;
use crate::signature::{CLAUDE, encoded, own_value};
use crate::wire::is_noted;
use crate::write::{self, PartPath};
use crate::{FORMAT, names};

impl Writer<'_> {
    pub(super) fn part(&mut self, turn: &mut Turn, part: &Part, place: PartPath) -> Result<(), Error> {
        match part {
            Part::Text(text) => self.text(&mut turn.others, text, place),
            Part::Media(media) => {
                self.media.write(&mut turn.others, media, self.losses, place)?;
                self.cache(&mut turn.others, media.cache.as_ref(), place);
            }
            Part::ToolCall(call) => self.call(turn, call, place),
            Part::ToolResult(result) => self.result(turn, result, place)?,
            Part::Reasoning(thought) => self.reasoning(turn, thought, place),
            Part::Refusal(words) => {
                self.losses.approximated(place.field("refusal"), "sent as text");
                self.text(&mut turn.others, &TextPart::new(words), place);
            }
            Part::Opaque(opaque) if opaque.format == FORMAT => {
                self.called.any |= opaque.kind.starts_with("tool");
                write::raw_item(&mut turn.others, &opaque.json);
            }
            Part::Opaque(opaque) => turn.refuse(opaque, place, self.losses)?,
        }
        Ok(())
    }

    fn text(&mut self, out: &mut String, text: &TextPart, place: PartPath) {
        let text = trimmed(text, self.blank_end, place, self.losses);
        let cited = self.cited(&text, place);
        write::text(out, cited.as_ref().unwrap_or(&text), self.losses, place);
        self.unsign(text.signature.as_ref(), place);
        self.cache(out, text.cache.as_ref(), place);
    }

    /// A text with its citations of Messages in this format, in which Claude takes them back.
    fn cited(&mut self, text: &TextPart, place: PartPath) -> Option<TextPart> {
        let is_theirs = |source: &Opaque| source.format == MESSAGES;
        let any = text.citations.iter().any(|one| one.source.as_ref().is_some_and(is_theirs));
        let mut cited = (any && self.model.cites()).then(|| text.clone())?;
        for source in cited.citations.iter_mut().filter_map(|one| one.source.as_mut()) {
            if let Some(json) = to_converse(source, self.losses, place) {
                *source = Opaque { format: FORMAT.into(), kind: "citation".into(), json };
            }
        }
        Some(cited)
    }

    fn unsign(&mut self, signature: Option<&Signature>, place: PartPath) {
        self.losses.dropped_if(signature.is_some(), &place.field("signature"), "it returns only to its issuer");
    }

    /// Writes a cache point, a separate block after the content that it marks.
    fn cache(&mut self, out: &mut String, hint: Option<&CacheHint>, place: PartPath) {
        let Some(hint) = hint else { return };
        if self.model.caches {
            write::cache_point(out, hint, self.model.caches_an_hour(), self.losses, &place.field("cache_control"));
        } else {
            self.losses.dropped(place.field("cache_control"), "the model's prompts are not cached");
        }
    }

    fn call(&mut self, turn: &mut Turn, call: &ToolCall, place: PartPath) {
        self.unsign(call.signature.as_ref(), place);
        let name = self.names.send(&call.name).into_owned();
        let id = names::ids(self.model).fit(&call.id);
        write::call(&mut turn.others, call, &id, &name, self.losses, place);
        self.cache(&mut turn.others, call.cache.as_ref(), place);
        if !self.called.names.contains(&name) {
            self.called.names.push(name);
        }
        self.called.any = true;
        turn.calls = true;
    }

    /// Writes thinking, which returns to its issuer unedited, even if its text is empty (C-29); other issuers' thinking
    /// is left out.
    fn reasoning(&mut self, turn: &mut Turn, thought: &ReasoningPart, place: PartPath) {
        let first = turn.others.is_empty();
        let mut written = false;
        let text = thought.text.as_deref().unwrap_or_default();
        let issuers = self.model.issuers();
        let signature = own_value(thought.signature.as_ref(), issuers);
        let bare = thought.signature.is_none() && is_noted(&thought.extensions, UNSIGNED);
        if signature.is_some() || bare {
            written = true;
            write::thinking(&mut turn.others, text, signature, &thought.extensions);
        }
        if let Some(bytes) = thought.encrypted.as_ref().and_then(|value| self.encrypted(value)) {
            written = true;
            write::redacted(&mut turn.others, &bytes);
        }
        if written {
            self.losses.foreign_at(place, &thought.extensions, FORMAT);
        } else {
            self.losses.dropped(place.field("reasoning"), "it returns only to its issuer");
        }
        turn.thinking_first |= first && written;
    }

    /// The bytes of encrypted thinking that the model takes. A value that was lifted out of the request is not encoded.
    fn encrypted(&self, value: &Signature) -> Option<String> {
        let data = own_value(Some(value), self.model.issuers())?;
        let lifted = self.media.is_lifted(data) && value.issuer == CLAUDE;
        (!lifted).then(|| encoded(&value.issuer, data.to_owned()))
    }

    fn result(&mut self, turn: &mut Turn, result: &ToolResult, place: PartPath) -> Result<(), Error> {
        let (mut content, mut behind) = (String::new(), String::new());
        let mut cache = result.cache.as_ref();
        for part in &result.content {
            match part {
                ResultPart::Text(text) => {
                    write::text(&mut content, text, self.losses, place);
                    cache = cache.or(text.cache.as_ref());
                }
                ResultPart::Media(media) => {
                    cache = cache.or(media.cache.as_ref());
                    self.result_media(&mut content, &mut behind, media, place)?;
                }
                ResultPart::Json(json) => json_result(&mut content, json),
                ResultPart::Opaque(opaque) if opaque.format == FORMAT => write::raw_item(&mut content, &opaque.json),
                ResultPart::Opaque(opaque) => return Err(refused_result(opaque, place)),
            }
        }
        let first = turn.speaker == Speaker::User && !self.model.is_unjudged();
        let out = if first { &mut turn.results } else { &mut turn.others };
        self.called.any = true;
        let status = result.is_error.filter(|failed| self.model.takes_status(*failed));
        let lost = status.is_none() && loses_failure(result);
        self.losses.dropped_if(lost, &place.field("is_error"), "the model does not take that a tool failed");
        let status = status.map(|failed| if failed { "error" } else { "success" });
        write::item(out, |o| {
            o.object("toolResult", |o| {
                o.str("toolUseId", &names::ids(self.model).fit(&result.call_id));
                o.raw("content", &format!("[{content}]"));
                o.opt_str("status", status);
                write::members(o, &result.extensions, self.losses, place);
            });
        });
        self.cache(if first { &mut turn.results } else { &mut turn.others }, cache, place);
        if !behind.is_empty() {
            write::raw_item(&mut turn.others, &behind);
        }
        Ok(())
    }

    /// Writes media of a result. Audio is not allowed in a result and goes after all results (C-43).
    fn result_media(
        &mut self,
        within: &mut String,
        behind: &mut String,
        media: &MediaPart,
        place: PartPath,
    ) -> Result<(), Error> {
        if media.kind == MediaKind::Audio {
            self.losses.approximated(place.field(""), "audio of a tool result stands behind it");
            return self.media.write(behind, media, self.losses, place);
        }
        self.media.write_in_result(within, media, self.losses, place)
    }
}

/// Writes a JSON result, which keeps its structure (C-90). The service takes objects; any other value is sent as text.
fn json_result(out: &mut String, json: &str) {
    if let Some(json) = object_text(json).filter(|_| !json.trim().is_empty()) {
        return write::item(out, |o| o.raw("json", json));
    }
    let mut text = String::new();
    object(&mut text, |o| o.str("text", json));
    write::raw_item(out, &text);
}

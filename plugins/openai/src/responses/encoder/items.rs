//! Open items: messages with their parts, thinking, calls.

use weir_sdk::compat::responses::write::{annotation, call_status, is_annotation, item_id};
use weir_sdk::compat::responses::{FORMAT, image, namespace};
use weir_sdk::compat::{logprobs, reasoning};
use weir_sdk::json::{Rest, Str, object};
use weir_sdk::types::{
    Citation, MediaPart, PartCitation, PartKind, PartSignature, PartStart, PartStop, ReasoningPart, ToolCall, ToolKind,
};

use super::EventEncoder;
use super::item::{Content, Item, Kind, ThoughtParts, list, unlisted, words};
use super::thinking::{end_thought, note_parts};
use crate::responses::{GROUPS, UNSIGNED, tool_lists};

/// A text that has started, and that is opened by its first words: one without any that only carries a signature, as
/// Gemini's behind a call, is no content here.
#[derive(Debug)]
pub(super) struct Unopened {
    part: u32,
    is_signed: bool,
}

impl EventEncoder {
    pub(super) fn part_start(&mut self, start: PartStart) {
        self.begin();
        self.open_text();
        match start.kind {
            PartKind::Text => self.unopened = Some(Unopened { part: start.part, is_signed: false }),
            PartKind::Refusal => {
                self.refused = true;
                self.content_start(start.part, true);
            }
            PartKind::Reasoning => {
                self.close_message();
                let thought = ReasoningPart { text: None, ..ReasoningPart::new("") };
                self.add("rs", Kind::Reasoning { part: start.part, thought, parts: ThoughtParts::default() });
            }
            PartKind::ToolCall(tool) => {
                self.close_message();
                self.losses.dropped_if(tool.signature.is_some(), "output.signature", UNSIGNED);
                let mut call = ToolCall { kind: tool.kind, ..ToolCall::new(tool.id, tool.name, "") };
                namespace::part(&tool_lists(&self.ctx.memo, GROUPS), &mut call);
                self.add(
                    if tool.kind == ToolKind::Custom { "ctc" } else { "fc" },
                    Kind::Call { part: start.part, call },
                );
            }
            PartKind::Opaque(opaque) if opaque.format == FORMAT => {
                self.close_message();
                self.foreign_item(&opaque.json);
            }
            PartKind::Opaque(opaque) => {
                self.losses.dropped(format!("output.{}", opaque.kind), "only its own format has it");
            }
            PartKind::Media(media) if image::has_place(&media) => {
                self.close_message();
                self.losses.foreign("output.", &reasoning::beside_signature(&media), FORMAT);
                self.image(&media);
            }
            PartKind::Media(_) => self.losses.dropped("output.media", "there is no place for it"),
        }
    }

    /// Adds an item and writes its event.
    fn add(&mut self, prefix: &str, kind: Kind) {
        let at = self.next;
        self.next += 1;
        let (id, phase) = self.hint.take().unwrap_or_else(|| (item_id(&self.ctx, prefix, at), None));
        let item = Item { id, phase, at, kind };
        let json = item.json("in_progress");
        self.emit("response.output_item.added", |o| {
            o.num("output_index", at);
            o.raw("item", &json);
        });
        self.items.push(item);
    }

    /// Writes a whole item that only this format has, at the index of its announcement if there was one.
    fn foreign_item(&mut self, json: &str) {
        let id = Rest::parse(json).ok().and_then(|mut item| item.str("id")).map(Str::into_string).unwrap_or_default();
        let at = self.place_of(&id, json);
        self.done(at, json.to_owned());
    }

    /// Writes an image, at the index of its announcement if there was one.
    fn image(&mut self, media: &MediaPart) {
        let id = image::id(media).unwrap_or_else(|| item_id(&self.ctx, "ig", self.next));
        let (mut begun, mut whole) = (String::new(), String::new());
        object(&mut begun, |o| image::write_begun(o, &id));
        let at = self.place_of(&id, &begun);
        object(&mut whole, |o| image::write_signed(o, media, || id));
        self.done(at, whole);
    }

    /// The index at which the item of this id was announced; one that was not is announced as this item.
    fn place_of(&mut self, id: &str, item: &str) -> u32 {
        let place = self.announced.iter().position(|(known, _)| *known == id && !id.is_empty());
        if let Some(place) = place {
            return self.announced.remove(place).1;
        }
        let at = self.next;
        self.next += 1;
        self.emit("response.output_item.added", |o| {
            o.num("output_index", at);
            o.raw("item", item);
        });
        at
    }

    /// Completes an item.
    fn done(&mut self, at: u32, item: String) {
        self.emit("response.output_item.done", |o| {
            o.num("output_index", at);
            o.raw("item", &item);
        });
        self.done.push((at, item));
    }

    /// Opens the text that has started, if it has not been.
    pub(super) fn open_text(&mut self) {
        if let Some(text) = self.unopened.take() {
            self.content_start(text.part, false);
        }
    }

    fn content_start(&mut self, part: u32, refusal: bool) {
        if !matches!(self.items.last(), Some(Item { kind: Kind::Message(_), .. })) {
            self.add("msg", Kind::Message(Vec::new()));
        }
        let Some(Item { id, at, kind: Kind::Message(contents), .. }) = self.items.last_mut() else { return };
        let content = Content::new(part, refusal);
        let (json, index, id, at) = (content.json(), contents.len() as u32, id.clone(), *at);
        contents.push(content);
        self.emit("response.content_part.added", |o| {
            o.str("item_id", &id);
            o.num("output_index", at);
            o.num("content_index", index);
            o.raw("part", &json);
        });
    }

    pub(super) fn delta(&mut self, part: u32, text: &str) {
        match &self.unopened {
            Some(unopened) if unopened.part == part && text.is_empty() => return,
            _ => self.open_text(),
        }
        let logprobs = std::mem::take(&mut self.logprobs);
        self.is_unsure = false;
        let Some((item, index)) = self.find(part) else { return };
        let (id, at) = (item.id.clone(), item.at);
        let kind = match &mut item.kind {
            Kind::Message(contents) => {
                let Some(content) = contents.get_mut(index) else { return };
                content.text.text.push_str(text);
                content.add_logprobs(&logprobs);
                if content.refusal { "response.refusal.delta" } else { "response.output_text.delta" }
            }
            Kind::Reasoning { .. } => {
                self.lose_own_logprobs(&logprobs, text);
                return self.thought(part, text);
            }
            Kind::Call { call, .. } => {
                call.arguments.push_str(text);
                match call.kind {
                    ToolKind::Function => "response.function_call_arguments.delta",
                    ToolKind::Custom => "response.custom_tool_call_input.delta",
                }
            }
        };
        if kind == "response.refusal.delta" {
            self.lose_logprobs(&logprobs);
        } else if kind != "response.output_text.delta" {
            self.lose_own_logprobs(&logprobs, text);
        }
        self.emit(kind, |o| {
            o.str("item_id", &id);
            o.num("output_index", at);
            if matches!(kind, "response.output_text.delta" | "response.refusal.delta") {
                o.num("content_index", index as u32);
            }
            o.str("delta", text);
            if kind == "response.output_text.delta" {
                o.raw("logprobs", &list(&logprobs));
            }
        });
    }

    /// The item of a part, and the part's index in a message.
    pub(super) fn find(&mut self, part: u32) -> Option<(&mut Item, usize)> {
        self.items.iter_mut().rev().find_map(|item| {
            let index = match &item.kind {
                Kind::Message(contents) => contents.iter().position(|content| content.part == part),
                Kind::Reasoning { part: own, .. } | Kind::Call { part: own, .. } => (*own == part).then_some(0),
            };
            index.map(|index| (item, index))
        })
    }

    /// Collects signatures of thinking until its end; others have no place.
    pub(super) fn signature(&mut self, event: PartSignature) {
        if let Some(text) = self.unopened.as_mut().filter(|text| text.part == event.part) {
            text.is_signed = true;
        }
        match self.find(event.part) {
            Some((Item { kind: Kind::Reasoning { thought, .. }, .. }, _)) if event.encrypted => {
                thought.encrypted = Some(event.signature);
            }
            Some((Item { kind: Kind::Reasoning { thought, .. }, .. }, _)) => match &mut thought.signature {
                Some(known) => known.value.push_str(&event.signature.value),
                None => thought.signature = Some(event.signature),
            },
            _ => self.losses.dropped("output.signature", UNSIGNED),
        }
    }

    pub(super) fn citation(&mut self, event: PartCitation) {
        self.open_text();
        let PartCitation { part, citation, .. } = event;
        if !is_annotation(&citation) {
            return self.losses.dropped("output.citations", "only citations of pages have a place");
        }
        if !citation.awaits_text(FORMAT) {
            return self.annotate(part, citation);
        }
        let Some((Item { kind: Kind::Message(contents), .. }, index)) = self.find(part) else { return };
        if let Some(content) = contents.get_mut(index) {
            content.whole.push(citation);
        }
    }

    /// Writes the citations that waited for the end of their text.
    fn annotate_whole(&mut self, part: u32) {
        let Some((Item { kind: Kind::Message(contents), .. }, index)) = self.find(part) else { return };
        let Some(content) = contents.get_mut(index) else { return };
        for citation in std::mem::take(&mut content.whole) {
            self.annotate(part, citation);
        }
    }

    fn annotate(&mut self, part: u32, citation: Citation) {
        let Some((Item { id, at, kind: Kind::Message(contents), .. }, index)) = self.find(part) else { return };
        let Some(content) = contents.get_mut(index) else { return };
        let Some(entry) = annotation(&citation, content.text.text.chars().count() as u32) else { return };
        let number = content.text.citations.len() as u32;
        content.text.citations.push(citation);
        let (id, at) = (id.clone(), *at);
        self.emit("response.output_text.annotation.added", |o| {
            o.str("item_id", &id);
            o.num("output_index", at);
            o.num("content_index", index as u32);
            o.num("annotation_index", number);
            o.raw("annotation", &entry);
        });
    }

    pub(super) fn part_stop(&mut self, stop: PartStop) {
        self.losses.foreign("output.", &stop.extensions, FORMAT);
        if self.unopened.take_if(|text| text.part == stop.part && text.is_signed).is_some() {
            return;
        }
        self.open_text();
        self.annotate_whole(stop.part);
        if self.find(stop.part).is_none() {
            // It came whole, and log probabilities that wait are another part's.
            return;
        }
        let late = std::mem::take(&mut self.logprobs);
        let Some((item, index)) = self.find(stop.part) else { return };
        match &mut item.kind {
            Kind::Message(contents) => {
                if let Some(content) = contents.get_mut(index) {
                    content.done = true;
                    content.add_logprobs(&late);
                    let (id, at, content) = (item.id.clone(), item.at, content.clone());
                    self.content_done(&id, at, index as u32, &content);
                }
                return;
            }
            Kind::Reasoning { thought, .. } => end_thought(thought, stop.extensions),
            Kind::Call { call, .. } => call.extensions.extend(stop.extensions),
        }
        // Providers send those of a chunk before its pieces, so they may be those of a text that begins with this
        // chunk.
        self.logprobs = late;
        self.item_done(stop.part);
    }

    /// Reports log probabilities that belong to no text.
    pub(super) fn lose_logprobs(&mut self, inside: &str) {
        self.losses.dropped_if(!inside.is_empty(), "logprobs", "only texts have a place for them");
    }

    /// Reports the log probabilities of a piece that is no text. Those of further tokens wait for the next piece: a
    /// chunk may have several.
    fn lose_own_logprobs(&mut self, inside: &str, piece: &str) {
        if inside.is_empty() {
            return;
        }
        let chat = format!(r#"{{"content":{}}}"#, list(inside));
        let mut lists = logprobs::of_texts(&chat, &[piece, ""]).into_iter();
        self.lose_logprobs(&lists.next().map(unlisted).unwrap_or_default());
        self.logprobs = lists.next().map(unlisted).unwrap_or_default();
        self.is_unsure = !self.logprobs.is_empty();
    }

    fn content_done(&mut self, id: &str, at: u32, index: u32, content: &Content) {
        let (json, refusal) = (content.json(), content.refusal);
        let (kind, key) =
            if refusal { ("response.refusal.done", "refusal") } else { ("response.output_text.done", "text") };
        self.emit(kind, |o| {
            o.str("item_id", id);
            o.num("output_index", at);
            o.num("content_index", index);
            o.str(key, &content.text.text);
            if !refusal {
                o.raw("logprobs", &list(&content.logprobs));
            }
        });
        self.emit("response.content_part.done", |o| {
            o.str("item_id", id);
            o.num("output_index", at);
            o.num("content_index", index);
            o.raw("part", &json);
        });
    }

    /// Completes an item of thinking, or a call.
    fn item_done(&mut self, part: u32) {
        let own = |item: &Item| matches!(&item.kind, Kind::Reasoning { part: own, .. } | Kind::Call { part: own, .. } if *own == part);
        let Some(place) = self.items.iter().position(own) else { return };
        let mut item = self.items.remove(place);
        note_parts(&mut item.kind);
        match &item.kind {
            Kind::Reasoning { thought, parts, .. } => self.last_thought(&item, thought, parts),
            Kind::Call { call, .. } => {
                let kind = match call.kind {
                    ToolKind::Function => "response.function_call_arguments.done",
                    ToolKind::Custom => "response.custom_tool_call_input.done",
                };
                let empty = call.kind == ToolKind::Function && call.arguments.trim().is_empty();
                self.emit(kind, |o| {
                    o.str("item_id", &item.id);
                    o.num("output_index", item.at);
                    if call.kind == ToolKind::Function {
                        o.str("name", &call.name);
                    }
                    o.str(words(call.kind).1, if empty { "{}" } else { &call.arguments });
                });
            }
            Kind::Message(_) => {}
        }
        let status = if let Kind::Call { call, .. } = &item.kind { call_status(call) } else { "completed" };
        self.done(item.at, item.json(status));
    }

    /// Completes the open message, because another item follows.
    pub(super) fn close_message(&mut self) {
        self.close_message_as("completed");
    }

    fn close_message_as(&mut self, status: &str) {
        let message = |item: &Item| matches!(item.kind, Kind::Message(_));
        let Some(place) = self.items.iter().position(message) else { return };
        if let Some(Item { kind: Kind::Message(contents), .. }) = self.items.get(place) {
            let parts: Vec<u32> = contents.iter().filter(|one| !one.whole.is_empty()).map(|one| one.part).collect();
            for part in parts {
                self.annotate_whole(part);
            }
        }
        let mut item = self.items.remove(place);
        let (id, at) = (item.id.clone(), item.at);
        if let Kind::Message(contents) = &mut item.kind {
            for (index, content) in (0..).zip(contents) {
                if !std::mem::replace(&mut content.done, true) {
                    content.add_logprobs(&std::mem::take(&mut self.logprobs));
                    self.content_done(&id, at, index, content);
                }
            }
        }
        self.done(at, item.json(status));
    }

    /// Completes all open items at the end; a message gets the answer's status.
    pub(super) fn close_all(&mut self, status: &str) {
        self.open_text();
        self.close_message_as(status);
        while let Some(Kind::Reasoning { part, .. } | Kind::Call { part, .. }) =
            self.items.first().map(|item| &item.kind)
        {
            let part = *part;
            self.item_done(part);
        }
    }
}

//! Thinking that is being streamed: a summary in parts, or the text itself.

use weir_sdk::compat::responses::read::{BETWEEN, lengths};
use weir_sdk::compat::responses::{note, noted};
use weir_sdk::types::{Extension, ReasoningPart};

use super::EventEncoder;
use super::item::{Item, Kind, ThoughtParts};

/// A part of thinking, as its events name it.
#[derive(Debug, Clone, Copy)]
struct ThinkingPart<'i> {
    item: &'i str,
    at: u32,
    index: usize,
    /// Whether it is the text itself, in place of a summary.
    is_text: bool,
}

impl EventEncoder {
    /// Marks the open thinking as the text itself: the provider did not send a summary of it.
    pub(super) fn thinking_is_text(&mut self) {
        if let Some(Item { kind: Kind::Reasoning { thought, .. }, .. }) = self.items.last_mut()
            && thought.text.is_none()
        {
            thought.extensions.push(note("content", ""));
        }
    }

    /// Notes that what separates two parts of thinking comes next.
    pub(super) fn next_thought(&mut self) {
        if let Some(Item { kind: Kind::Reasoning { parts, .. }, .. }) = self.items.last_mut() {
            parts.is_next = true;
        }
    }

    /// Writes a piece of thinking.
    pub(super) fn thought(&mut self, part: u32, text: &str) {
        let Some((item, _)) = self.find(part) else { return };
        let (id, at) = (item.id.clone(), item.at);
        let Kind::Reasoning { thought, parts, .. } = &mut item.kind else { return };
        let is_text = is_text(thought);
        let is_first = thought.text.is_none();
        let whole = thought.text.get_or_insert_default();
        let index = parts.done.len();
        let part = ThinkingPart { item: &id, at, index, is_text };
        // The note is about this piece alone: what separates parts may be missing where a guard has changed the text.
        let is_next = std::mem::take(&mut parts.is_next) && !is_first;
        let next = text.strip_prefix(BETWEEN).filter(|_| is_next);
        let ended = next.map(|_| parts.end(whole));
        whole.push_str(text);
        if is_first {
            self.thought_event("added", part, "");
        }
        let Some(ended) = ended else { return self.thought_delta(part, text) };
        let following = ThinkingPart { index: index + 1, ..part };
        self.thought_done(part, &ended);
        self.thought_event("added", following, "");
        if let Some(next) = next.filter(|next| !next.is_empty()) {
            self.thought_delta(following, next);
        }
    }

    /// Completes the last part of thinking that is done.
    pub(super) fn last_thought(&mut self, item: &Item, thought: &ReasoningPart, parts: &ThoughtParts) {
        let Some(text) = &thought.text else { return };
        let part = ThinkingPart { item: &item.id, at: item.at, index: parts.done.len(), is_text: is_text(thought) };
        self.thought_done(part, text.get(parts.begin..).unwrap_or_default());
    }

    fn thought_delta(&mut self, part: ThinkingPart<'_>, text: &str) {
        let event =
            if part.is_text { "response.reasoning_text.delta" } else { "response.reasoning_summary_text.delta" };
        self.emit(event, |o| {
            o.str("item_id", part.item);
            o.num("output_index", part.at);
            o.num(part.member(), part.index as u32);
            o.str("delta", text);
        });
    }

    fn thought_done(&mut self, part: ThinkingPart<'_>, text: &str) {
        let event = if part.is_text { "response.reasoning_text.done" } else { "response.reasoning_summary_text.done" };
        self.emit(event, |o| {
            o.str("item_id", part.item);
            o.num("output_index", part.at);
            o.num(part.member(), part.index as u32);
            o.str("text", text);
        });
        self.thought_event("done", part, text);
    }

    /// Writes the event that a part of thinking was added or is done: one of the summary, or one of the content.
    fn thought_event(&mut self, what: &str, part: ThinkingPart<'_>, text: &str) {
        let (event, kind) =
            if part.is_text { ("content_part", "reasoning_text") } else { ("reasoning_summary_part", "summary_text") };
        self.emit(&format!("response.{event}.{what}"), |o| {
            o.str("item_id", part.item);
            o.num("output_index", part.at);
            o.num(part.member(), part.index as u32);
            o.object("part", |o| {
                o.str("type", kind);
                o.str("text", text);
            });
        });
    }
}

impl ThinkingPart<'_> {
    /// The member with its index.
    fn member(self) -> &'static str {
        if self.is_text { "content_index" } else { "summary_index" }
    }
}

impl ThoughtParts {
    /// Ends the open part at the end of the text, and returns it. Another one begins behind what separates them.
    fn end(&mut self, text: &str) -> String {
        let ended = text.get(self.begin..).unwrap_or_default().to_owned();
        self.done.push(ended.len());
        self.begin = text.len() + BETWEEN.len();
        ended
    }
}

/// Notes the parts of finished thinking as they were written, by which its item is written.
pub(super) fn note_parts(kind: &mut Kind) {
    let Kind::Reasoning { thought, parts, .. } = kind else { return };
    let Some(text) = thought.text.as_ref().filter(|_| !parts.done.is_empty()) else { return };
    let all = parts.done.iter().copied().chain([text.len().saturating_sub(parts.begin)]);
    let key = if is_text(thought) { "content" } else { "summary" };
    let of_parts = note(key, &lengths(all));
    thought.extensions.retain(|one| noted(std::slice::from_ref(one), key).is_none());
    thought.extensions.push(of_parts);
}

/// Whether thinking is the text itself, by the rule that writes the finished item.
fn is_text(thought: &ReasoningPart) -> bool {
    noted(&thought.extensions, "content").is_some()
}

/// Takes over the members of finished thinking. What its pieces were stays.
pub(super) fn end_thought(thought: &mut ReasoningPart, extensions: Vec<Extension>) {
    let was_text = is_text(thought);
    thought.extensions = extensions;
    if was_text && !is_text(thought) {
        thought.extensions.push(note("content", ""));
    }
}

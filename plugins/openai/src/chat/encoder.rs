//! Renders streamed answers: from events to `chat.completion.chunk`s.
//!
//! All chunks have one id, one time of creation and one model; the first chunk of each candidate has the role (C-14);
//! tool calls are numbered densely, in the order of their starts (C-01).

mod candidate;

use weir_sdk::adapter::{Encoder, Result};
use weir_sdk::compat::wire::FORMAT;
use weir_sdk::compat::{spoken, usage};
use weir_sdk::json::{self, Rest};
use weir_sdk::losses::{Losses, extension, is_note};
use weir_sdk::tier;
use weir_sdk::types::{ChatEvent, Context, Encoded, Error, Extension, Frame, Opaque, ResponseStart, Usage};

use self::candidate::{Candidate, Words};
use super::{Memo, answer_id, answer_model, finish_word, write_error};
use crate::free_text::{FreeText, Restorer};

/// A chunk that only brings text, between its head, the text's member, the text and its end.
const BEFORE_KEY: &str = ",\"choices\":[{\"index\":0,\"delta\":{\"";
const BEFORE_TEXT: &str = "\":";
const AFTER_TEXT: &str = "},\"logprobs\":null,\"finish_reason\":null}";

/// Renders the chunks of one answer.
#[derive(Debug)]
pub struct ChatEncoder {
    ctx: Context,
    memo: Memo,
    free_text: Restorer,
    /// The beginning of every chunk, up to its choices.
    head: String,
    /// Members for the next chunk only.
    extra: String,
    candidates: Vec<Candidate>,
    usage: Option<Usage>,
    failed: bool,
    frames: Vec<Frame>,
    losses: Losses,
}

impl Encoder for ChatEncoder {
    fn new(ctx: Context) -> Self {
        Self {
            memo: Memo::read(&ctx.memo),
            free_text: Restorer::new(FreeText::of_chat(&ctx.memo)),
            ctx,
            head: String::new(),
            extra: String::new(),
            candidates: Vec::new(),
            usage: None,
            failed: false,
            frames: Vec::new(),
            losses: Losses::default(),
        }
    }

    fn push(&mut self, events: Vec<ChatEvent>) -> Result<Encoded> {
        for event in self.free_text.restore(events) {
            if !self.failed {
                self.event(event);
            }
        }
        self.flush_logprobs();
        Ok(self.take())
    }

    /// Writes usage in a separate chunk, if the client asked for it (C-57, C-58). A failed stream has ended with its
    /// error: no `[DONE]`, which would make it look complete (C-19).
    fn finish(&mut self) -> Result<Encoded> {
        if self.failed {
            return Ok(self.take());
        }
        if let Some(tokens) = self.usage.take().filter(|_| self.memo.usage) {
            let mut chunk = self.begin();
            chunk.push_str("],");
            let mut members = String::new();
            json::object(&mut members, |o| usage::write(o, &tokens));
            chunk.push_str(members.get(1..).unwrap_or("}"));
            self.frame(chunk);
        }
        self.frame("[DONE]".to_owned());
        Ok(self.take())
    }
}

impl ChatEncoder {
    fn take(&mut self) -> Encoded {
        let losses = std::mem::take(&mut self.losses).into_losses();
        Encoded { frames: std::mem::take(&mut self.frames), losses }
    }

    fn frame(&mut self, data: String) {
        self.frames.push(Frame { event: None, data });
    }

    fn event(&mut self, event: ChatEvent) {
        match event {
            ChatEvent::Start(start) => self.start(&start),
            ChatEvent::PartStart(start) => self.part_start(start),
            ChatEvent::Delta(delta) => self.delta(delta.candidate, delta.part, &delta.text),
            ChatEvent::Argument(piece) => self.delta(piece.candidate, piece.part, &piece.text),
            ChatEvent::Signature(event) => self.signature(event),
            ChatEvent::Citation(event) => self.citation(event),
            ChatEvent::PartStop(stop) => self.part_stop(stop),
            ChatEvent::Logprobs(event) => {
                let at = self.candidate(event.candidate);
                if let Some(candidate) = self.candidates.get_mut(at) {
                    candidate.logprobs.push(event.json);
                }
            }
            ChatEvent::Finish(event) => {
                let at = self.candidate(event.candidate);
                let called = self.candidates.get(at).is_some_and(|candidate| candidate.calls > 0);
                let (word, same) = finish_word(event.finish.reason, called, self.memo.legacy);
                if !same {
                    let raw = event.finish.raw.as_deref().unwrap_or("no reason given");
                    self.losses.approximated(format!("choices[{}].finish_reason", event.candidate), raw);
                }
                self.chunk(at, "", Some(word));
            }
            ChatEvent::Usage(tokens) => self.usage(tokens),
            ChatEvent::Failure(error) => self.failure(&error),
            ChatEvent::Opaque(opaque) => self.opaque(&opaque),
        }
    }

    fn start(&mut self, start: &ResponseStart) {
        self.losses.foreign("", &start.extensions, FORMAT);
        let tier = tier::answered(start.service_tier.as_deref(), tier::CHAT, &mut self.losses);
        self.head(&start.id, start.model.as_deref(), start.created_ms, tier, &start.extensions);
        for other in start.extensions.iter().filter(|e| e.format == FORMAT && e.key != "system_fingerprint") {
            add_member(&mut self.extra, &other.key, &other.json);
        }
    }

    fn head(
        &mut self,
        id: &str,
        model: Option<&str>,
        created_ms: Option<f64>,
        tier: Option<&str>,
        extensions: &[Extension],
    ) {
        let mut head = String::with_capacity(192);
        json::object(&mut head, |o| {
            o.str("id", &answer_id(&self.ctx, id));
            o.str("object", "chat.completion.chunk");
            o.num("created", (created_ms.unwrap_or(self.ctx.now_ms) / 1000.0).floor());
            o.str("model", answer_model(&self.ctx, model));
            o.opt_str("service_tier", tier);
            o.opt_raw("system_fingerprint", extension(extensions, FORMAT, "system_fingerprint"));
        });
        head.pop();
        self.head = head;
    }

    /// A chunk up to its first choice.
    fn begin(&mut self) -> String {
        if self.head.is_empty() {
            self.head("", None, None, None, &[]);
        }
        let mut chunk = String::with_capacity(self.head.len() + 160);
        chunk.push_str(&self.head);
        chunk.push_str(&std::mem::take(&mut self.extra));
        chunk.push_str(",\"choices\":[");
        chunk
    }

    fn end(&mut self, mut chunk: String) {
        chunk.push_str(self.ending());
        self.frame(chunk);
    }

    /// The end of every chunk behind its choices.
    fn ending(&self) -> &'static str {
        if self.memo.usage { "],\"usage\":null}" } else { "]}" }
    }

    /// Writes one chunk; `members` go into its delta, without braces.
    fn chunk(&mut self, at: usize, members: &str, finish: Option<&str>) {
        let mut chunk = self.begin();
        let Some(candidate) = self.candidates.get_mut(at) else { return };
        candidate.write(&mut chunk, members, finish);
        self.end(chunk);
    }

    /// Writes a chunk with a single text member in its delta; the hot path, which mostly writes nothing but that.
    fn text_chunk(&mut self, at: usize, key: &str, text: &str) {
        let is_plain = self.extra.is_empty() && self.candidates.get(at).is_some_and(Candidate::is_plain);
        if is_plain && !self.head.is_empty() {
            let end = self.ending();
            let fixed = BEFORE_KEY.len() + BEFORE_TEXT.len() + AFTER_TEXT.len() + end.len();
            // Exactly, unless a character is escaped: what crosses to the host is cut to its length, which would copy
            // it.
            let mut chunk = String::with_capacity(self.head.len() + key.len() + text.len() + 2 + fixed);
            chunk.push_str(&self.head);
            chunk.push_str(BEFORE_KEY);
            chunk.push_str(key);
            chunk.push_str(BEFORE_TEXT);
            json::quote(&mut chunk, text);
            chunk.push_str(AFTER_TEXT);
            chunk.push_str(end);
            return self.frame(chunk);
        }
        let mut members = String::with_capacity(text.len() + key.len() + 8);
        members.push('"');
        members.push_str(key);
        members.push_str("\":");
        json::quote(&mut members, text);
        self.chunk(at, &members, None);
    }

    /// The candidate's position in the list; it is added if it is new.
    fn candidate(&mut self, index: u32) -> usize {
        if let Some(at) = self.candidates.iter().position(|candidate| candidate.index == index) {
            at
        } else {
            self.candidates.push(Candidate::new(index));
            self.candidates.len() - 1
        }
    }

    fn delta(&mut self, candidate: u32, part: u32, text: &str) {
        let at = self.candidate(candidate);
        let Some(words) = self.candidates.get_mut(at).and_then(|candidate| candidate.add(part, text)) else { return };
        match words {
            Words::Text => self.text_chunk(at, "content", text),
            Words::Reasoning => self.text_chunk(at, "reasoning_content", text),
            Words::Refusal => self.text_chunk(at, "refusal", text),
            Words::Spoken => self.transcript(at, text),
            Words::Call { number, custom } => self.arguments(at, number, custom, text),
            Words::Silent => {}
        }
    }

    fn transcript(&mut self, at: usize, words: &str) {
        let mut members = "\"audio\":{\"transcript\":".to_owned();
        json::quote(&mut members, words);
        members.push('}');
        self.chunk(at, &members, None);
    }

    fn arguments(&mut self, at: usize, number: u32, custom: bool, text: &str) {
        if self.memo.legacy {
            if number == 0 {
                let mut members = "\"function_call\":{\"arguments\":".to_owned();
                json::quote(&mut members, text);
                members.push('}');
                self.chunk(at, &members, None);
            }
            return;
        }
        let mut members = format!("\"tool_calls\":[{{\"index\":{number},");
        members.push_str(if custom { "\"custom\":{\"input\":" } else { "\"function\":{\"arguments\":" });
        json::quote(&mut members, text);
        members.push_str("}}]");
        self.chunk(at, &members, None);
    }

    /// Later figures replace earlier ones.
    fn usage(&mut self, tokens: Usage) {
        self.losses.foreign("usage.", &tokens.extensions, FORMAT);
        self.usage.get_or_insert_default().update(tokens);
    }

    /// Writes an error frame, for which the official SDKs raise an error.
    fn failure(&mut self, error: &Error) {
        self.failed = true;
        self.frame(write_error(error));
    }

    fn opaque(&mut self, opaque: &Opaque) {
        if let Some(index) = spoken::candidate(opaque) {
            let at = self.candidate(index);
            return self.candidates.get_mut(at).map_or((), |candidate| candidate.speaks_next = true);
        }
        let inner = opaque.json.strip_prefix('{').and_then(|json| json.strip_suffix('}'));
        match (opaque.format == FORMAT, opaque.kind.as_str(), inner) {
            (true, "chunk", Some(members)) if !members.is_empty() => {
                self.extra.push(',');
                self.extra.push_str(members);
            }
            (true, "choice" | "audio", Some(members)) => self.choice_members(members, &opaque.json),
            // A note of another format is not a loss.
            _ if is_note(opaque) => {}
            _ => self.losses.dropped(opaque.kind.as_str(), "only its own format has such events"),
        }
    }

    /// Restores a choice of this format from the decoder's event.
    fn choice_members(&mut self, members: &str, whole: &str) {
        let index = Rest::parse(whole).ok().and_then(|mut choice| choice.count("index")).unwrap_or(0);
        let at = self.candidate(index);
        if self.candidates.get(at).is_some_and(|candidate| !candidate.spoke) {
            self.chunk(at, "", None);
        }
        let mut chunk = self.begin();
        chunk.push('{');
        chunk.push_str(members);
        chunk.push_str(",\"logprobs\":null,\"finish_reason\":null}");
        self.end(chunk);
    }

    /// Writes log probabilities for which their read had no chunk.
    fn flush_logprobs(&mut self) {
        for at in 0..self.candidates.len() {
            if self.candidates.get(at).is_some_and(|candidate| !candidate.logprobs.is_empty()) {
                self.chunk(at, "", None);
            }
        }
    }
}

/// Adds a member to those that the next chunk will have.
fn add_member(extra: &mut String, key: &str, json: &str) {
    extra.push(',');
    json::quote(extra, key);
    extra.push(':');
    extra.push_str(json);
}

#[cfg(test)]
mod tests;

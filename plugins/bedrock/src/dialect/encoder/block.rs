//! Writes the blocks of a streamed answer.

use weir_sdk::json::{Rest, escape};
use weir_sdk::ledger::Ledger;
use weir_sdk::signature::Pending;
use weir_sdk::types::{ChatEvent, Frame, MediaPart, MediaSource, Opaque, PartKind, Signature, ToolKind, ToolStart};

use super::frames;
use crate::finish::Seen;
use crate::names::ID;
use crate::signature::{Use, bytes, is_bare, text};
use crate::write::{self, Place};
use crate::{FORMAT, mime};

/// Writes blocks, one after the other.
#[derive(Debug, Default)]
pub(super) struct BlockWriter {
    /// The block that has started and not ended.
    block: Option<Block>,
    /// The number of the next block on the wire.
    next: u32,
    /// The content that affects the reason of the answer's end.
    pub(super) seen: Seen,
}

/// A part on its way out.
#[derive(Debug)]
struct Block {
    kind: Kind,
    /// Its number on the wire, after its start.
    index: Option<u32>,
    signatures: Pending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    /// A call with JSON arguments; `input` tells whether any have arrived.
    Call {
        input: bool,
    },
    /// A call with free text as its arguments.
    Custom,
    /// Nothing more is written.
    Done,
}

impl BlockWriter {
    fn begin(&mut self, part: u32, kind: PartKind, out: &mut Vec<Frame>, ledger: &mut Ledger) {
        let place = Place { message: None, part: part as usize };
        let mut index = None;
        let kind = match kind {
            PartKind::Text => Kind::Text,
            PartKind::Refusal => {
                self.seen.refusal = true;
                Kind::Text
            }
            PartKind::Reasoning => Kind::Thinking,
            PartKind::ToolCall(start) => {
                self.seen.call = true;
                index = Some(self.call(&start, out, ledger, place));
                if start.kind == ToolKind::Custom { Kind::Custom } else { Kind::Call { input: false } }
            }
            PartKind::Opaque(opaque) => {
                if opaque.format != FORMAT || !self.whole(&opaque, out) {
                    ledger.dropped(place.field(&opaque.kind), "a stream of this format has no place for it");
                }
                Kind::Done
            }
            PartKind::Media(media) => {
                if !self.image(&media, out) {
                    ledger.dropped(place.field(""), "streams of this format hold no such medium");
                }
                Kind::Done
            }
        };
        self.block = Some(Block { kind, index, signatures: Pending::default() });
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }

    fn call(&mut self, start: &ToolStart, out: &mut Vec<Frame>, ledger: &mut Ledger, place: Place) -> u32 {
        let id = ID.fit(&start.id);
        if let Some(signature) = &start.signature {
            self.carry(signature, Use::NextCall, Some(&id), out);
        }
        let index = self.number();
        out.push(frames::block_start(index, |o| {
            o.object("toolUse", |o| {
                o.str("toolUseId", &id);
                o.str("name", &start.name);
            });
        }));
        if start.kind == ToolKind::Custom {
            ledger.approximated(place.field("input"), "free text becomes the member `input` of an object");
            out.push(frames::input_delta(index, r#"{"input":""#));
        }
        index
    }

    /// Writes a block of this format that arrived whole: a call of the service's own tool, or its result.
    fn whole(&mut self, opaque: &Opaque, out: &mut Vec<Frame>) -> bool {
        let Ok(mut block) = Rest::parse(&opaque.json) else { return false };
        let (call, result) = (block.object("toolUse"), block.object("toolResult"));
        let (name, Some(mut members)) = (if call.is_some() { "toolUse" } else { "toolResult" }, call.or(result)) else {
            return false;
        };
        let value = members.take(if name == "toolUse" { "input" } else { "content" });
        let index = self.number();
        out.push(frames::block_start(index, |o| {
            o.object(name, |o| members.0.iter().for_each(|(key, raw)| o.raw(key, raw.get())));
        }));
        match value {
            Some(input) if name == "toolUse" => out.push(frames::input_delta(index, input.get())),
            Some(content) => out.push(frames::block_delta(index, |o| o.raw(name, content.get()))),
            None => {}
        }
        out.push(frames::block_stop(index));
        true
    }

    fn image(&mut self, media: &MediaPart, out: &mut Vec<Frame>) -> bool {
        let format = media.mime.as_deref().and_then(|mime| mime::format(media.kind, mime));
        let (Some(format), MediaSource::Base64(data)) = (format, &media.source) else { return false };
        if write::media::kind(media.kind) != "image" {
            return false;
        }
        let index = self.number();
        out.push(frames::block_start(index, |o| o.object("image", |o| o.str("format", format))));
        out.push(frames::block_delta(index, |o| {
            o.object("image", |o| o.object("source", |o| o.str("bytes", data)));
        }));
        out.push(frames::block_stop(index));
        true
    }

    /// Writes a block that only carries a signature to the client and back.
    fn carry(&mut self, signature: &Signature, purpose: Use, id: Option<&str>, out: &mut Vec<Frame>) {
        let index = self.number();
        out.push(frames::thought_delta(index, "redactedContent", &bytes(signature, purpose, id)));
        out.push(frames::block_stop(index));
    }

    /// Takes an event of the only open part, or a part's start.
    pub(super) fn event(&mut self, event: ChatEvent, out: &mut Vec<Frame>, ledger: &mut Ledger) {
        match event {
            ChatEvent::PartStart(start) => self.begin(start.part, start.kind, out, ledger),
            ChatEvent::Delta(delta) => self.delta(&delta.text, out),
            // Signatures come last in their block (C-30), so they are kept until its end.
            ChatEvent::Signature(event) => {
                if let Some(block) = &mut self.block {
                    block.signatures.add(event);
                }
            }
            ChatEvent::Citation(citation) => {
                let place = Place { message: None, part: citation.part as usize };
                if let Some(json) = write::citation(&citation.citation, ledger, place)
                    && let Some(index) = self.opened()
                {
                    out.push(frames::block_delta(index, |o| o.raw("citation", &json)));
                }
            }
            ChatEvent::PartStop(_) => self.close(out),
            _ => {}
        }
    }

    /// The number of the block, which is assigned with its first text.
    fn opened(&mut self) -> Option<u32> {
        let next = self.next;
        let block = self.block.as_mut().filter(|block| block.kind != Kind::Done)?;
        if block.index.is_none() {
            block.index = Some(next);
            self.next += 1;
        }
        block.index
    }

    fn delta(&mut self, text: &str, out: &mut Vec<Frame>) {
        if text.is_empty() {
            return;
        }
        let Some(index) = self.opened() else { return };
        let Some(block) = &mut self.block else { return };
        out.push(match &mut block.kind {
            Kind::Text => frames::text_delta(index, text),
            Kind::Thinking => frames::thought_delta(index, "text", text),
            Kind::Call { input } => {
                *input = true;
                frames::input_delta(index, text)
            }
            Kind::Custom => {
                let mut escaped = String::with_capacity(text.len() + 8);
                escape(&mut escaped, text);
                frames::input_delta(index, &escaped)
            }
            Kind::Done => return,
        });
    }

    /// Ends the block.
    fn close(&mut self, out: &mut Vec<Frame>) {
        let Some(block) = self.block.as_ref() else { return };
        match (block.kind, block.index) {
            (Kind::Thinking, _) => return self.close_thinking(out),
            (Kind::Call { input: false }, Some(index)) => out.push(frames::input_delta(index, "{}")),
            (Kind::Custom, Some(index)) => out.push(frames::input_delta(index, "\"}")),
            _ => {}
        }
        out.extend(block.index.map(frames::block_stop));
        if let Some(signature) = self.block.take().and_then(|block| block.signatures.signature) {
            self.carry(&signature, Use::Previous, None, out);
        }
    }

    /// Ends thinking with its signature. Thinking without text is a separate block, unless it is signed.
    fn close_thinking(&mut self, out: &mut Vec<Frame>) {
        let Some(block) = &mut self.block else { return };
        let mut signatures = std::mem::take(&mut block.signatures);
        let voucher = signatures.take_voucher(block.index.is_some(), is_bare);
        if let Some((value, purpose)) = voucher
            && let Some(index) = self.opened()
        {
            out.push(frames::thought_delta(index, "signature", &text(&value, purpose, None)));
        }
        if let Some(index) = self.block.take().and_then(|block| block.index) {
            out.push(frames::block_stop(index));
        }
        if let Some(value) = signatures.encrypted {
            self.carry(&value, Use::Encrypted, None, out);
        }
    }
}

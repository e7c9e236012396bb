//! Writes the parts of a streamed answer as numbered blocks.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt::Debug;

use crate::compat::responses::noted;
use crate::finish::Seen;
use crate::json::escape;
use crate::losses::{Losses, PartPath};
use crate::signature::{Pending, Use};
use crate::types::{ChatEvent, Citation, Frame, MediaPart, Opaque, PartKind, Signature, ToolKind, ToolStart};

/// The frames of a format's blocks. `index` is a block's number on the wire, from 0.
pub trait BlockFrames: Debug + Default {
    /// The format's id.
    const FORMAT: &'static str;

    /// Starts a block of text. By default its first delta starts it.
    fn start_text(&mut self, _index: u32, _out: &mut Vec<Frame>) {}

    /// Starts a block of thinking. By default its first delta starts it.
    fn start_thinking(&mut self, _index: u32, _out: &mut Vec<Frame>) {}

    /// Starts a tool call, which has no arguments yet.
    fn start_call(&mut self, index: u32, call: &ToolStart, out: &mut Vec<Frame>);

    /// A piece of text.
    fn text(index: u32, text: &str) -> Frame;

    /// A piece of thinking.
    fn thinking(index: u32, text: &str) -> Frame;

    /// A piece of a call's arguments.
    fn input(index: u32, piece: &str) -> Frame;

    /// A citation as the format's JSON; `None` if it has no counterpart, which is reported as a loss.
    fn citation<'a>(citation: &'a Citation, losses: &mut Losses, place: PartPath) -> Option<Cow<'a, str>>;

    /// The frame of such a citation.
    fn citation_frame(index: u32, json: &str) -> Frame;

    /// The signature of a block of thinking.
    fn signature(index: u32, signature: &Signature, purpose: Use) -> Frame;

    /// The signature of a block of thinking whose id is known. By default the format has no place for the id.
    fn signature_of(index: u32, signature: &Signature, purpose: Use, _id: &str) -> Frame {
        Self::signature(index, signature, purpose)
    }

    /// Writes a block that only carries a signature to the client and back, without its stop. `id` is that of the call
    /// or the thinking that the signature belongs to.
    fn carrier(&mut self, index: u32, signature: &Signature, purpose: Use, id: Option<&str>, out: &mut Vec<Frame>);

    /// Writes a block of this format that arrived whole, without its stop. Returns whether the format's streams have a
    /// place for it.
    fn whole(&mut self, index: u32, block: &Opaque, out: &mut Vec<Frame>) -> bool;

    /// Writes a medium, without its stop. Returns whether the format's streams have a place for it; by default they
    /// have none.
    fn media(&mut self, _index: u32, _media: &MediaPart, _out: &mut Vec<Frame>) -> bool {
        false
    }

    /// The end of a block.
    fn stop(index: u32) -> Frame;

    /// Whether a refusal has its words in a member of this format, so that they are no text. By default they are.
    fn explains(&self) -> bool {
        false
    }

    /// Whether this format's own services issued the signature. Encrypted thinking of theirs gets a block of its own.
    fn is_own(signature: &Signature) -> bool;
}

/// Writes blocks, one after the other. [`Blocks`](super::Blocks) puts the events in sequence before.
#[derive(Debug, Default)]
pub struct BlockWriter<F> {
    /// The format's frames, with what they keep between events.
    pub format: F,
    /// The content that affects the reason of the answer's end.
    pub seen: Seen,
    /// The block that has started and not ended.
    block: Option<Block>,
    /// The number of the next block.
    next: u32,
}

/// A part that is being written.
#[derive(Debug)]
struct Block {
    kind: Kind,
    /// Its number, after its start.
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

impl<F: BlockFrames> BlockWriter<F> {
    /// Takes an event of the only open part, or a part's start.
    pub fn event(&mut self, event: ChatEvent, out: &mut Vec<Frame>, losses: &mut Losses) {
        match event {
            ChatEvent::PartStart(start) => self.begin(start.part, start.kind, out, losses),
            ChatEvent::Delta(delta) => self.delta(&delta.text, out),
            // Signatures come last in their block (C-30), so they are kept until its end.
            ChatEvent::Signature(event) => {
                if let Some(block) = &mut self.block {
                    block.signatures.add(event);
                }
            }
            ChatEvent::Citation(citation) => {
                let place = PartPath { message: None, part: citation.part as usize };
                if let Some(json) = F::citation(&citation.citation, losses, place)
                    && let Some(index) = self.opened(out)
                {
                    out.push(F::citation_frame(index, &json));
                }
            }
            ChatEvent::PartStop(stop) => self.close(noted(&stop.extensions, "id"), out),
            _ => {}
        }
    }

    fn begin(&mut self, part: u32, kind: PartKind, out: &mut Vec<Frame>, losses: &mut Losses) {
        let place = PartPath { message: None, part: part as usize };
        let mut index = None;
        let kind = match kind {
            PartKind::Text => Kind::Text,
            PartKind::Refusal if self.format.explains() => Kind::Done,
            PartKind::Refusal => {
                self.seen.refusal = true;
                Kind::Text
            }
            PartKind::Reasoning => Kind::Thinking,
            PartKind::ToolCall(start) => {
                self.seen.call = true;
                index = Some(self.call(&start, out, losses, place));
                if start.kind == ToolKind::Custom { Kind::Custom } else { Kind::Call { input: false } }
            }
            PartKind::Opaque(opaque) if opaque.format != F::FORMAT => {
                losses.dropped(place.field(&opaque.kind), "it belongs to another format");
                Kind::Done
            }
            PartKind::Opaque(opaque) => {
                if !self.complete(out, |format, index, out| format.whole(index, &opaque, out)) {
                    losses.dropped(place.field(&opaque.kind), "a stream of this format has no place for it");
                }
                Kind::Done
            }
            PartKind::Media(media) => {
                if !self.complete(out, |format, index, out| format.media(index, &media, out)) {
                    losses.dropped(place.field(""), "streams of this format hold no such medium");
                }
                Kind::Done
            }
        };
        self.block = Some(Block { kind, index, signatures: Pending::default() });
    }

    fn call(&mut self, start: &ToolStart, out: &mut Vec<Frame>, losses: &mut Losses, place: PartPath) -> u32 {
        if let Some(signature) = &start.signature {
            self.carry(signature, Use::NextCall, Some(&start.id), out);
        }
        let index = self.number();
        self.format.start_call(index, start, out);
        if start.kind == ToolKind::Custom {
            losses.approximated(place.field("input"), "free text becomes the member `input` of an object");
            out.push(F::input(index, r#"{"input":""#));
        }
        index
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next - 1
    }

    /// Writes a complete block, if the format has a place for it.
    fn complete(&mut self, out: &mut Vec<Frame>, write: impl FnOnce(&mut F, u32, &mut Vec<Frame>) -> bool) -> bool {
        let written = write(&mut self.format, self.next, out);
        if written {
            let index = self.number();
            out.push(F::stop(index));
        }
        written
    }

    /// Writes a block that only carries a signature to the client and back.
    fn carry(&mut self, signature: &Signature, purpose: Use, id: Option<&str>, out: &mut Vec<Frame>) {
        let index = self.number();
        self.format.carrier(index, signature, purpose, id, out);
        out.push(F::stop(index));
    }

    /// The number of the block, which is started if it has not been.
    fn opened(&mut self, out: &mut Vec<Frame>) -> Option<u32> {
        let block = self.block.as_mut()?;
        if block.index.is_some() {
            return block.index;
        }
        match block.kind {
            Kind::Text => self.format.start_text(self.next, out),
            Kind::Thinking => self.format.start_thinking(self.next, out),
            Kind::Call { .. } | Kind::Custom | Kind::Done => return None,
        }
        block.index = Some(self.next);
        self.next += 1;
        block.index
    }

    fn delta(&mut self, text: &str, out: &mut Vec<Frame>) {
        if text.is_empty() {
            return;
        }
        let Some(index) = self.opened(out) else { return };
        let Some(block) = &mut self.block else { return };
        out.push(match &mut block.kind {
            Kind::Text => F::text(index, text),
            Kind::Thinking => F::thinking(index, text),
            Kind::Call { input } => {
                *input = true;
                F::input(index, text)
            }
            Kind::Custom => {
                let mut escaped = String::with_capacity(text.len() + 8);
                escape(&mut escaped, text);
                F::input(index, &escaped)
            }
            Kind::Done => return,
        });
    }

    /// Ends the block. `id` is that of the thinking, if its service gave it one: it knows its encrypted thinking by it.
    fn close(&mut self, id: Option<&str>, out: &mut Vec<Frame>) {
        let Some(block) = self.block.as_ref() else { return };
        match (block.kind, block.index) {
            (Kind::Thinking, _) => return self.close_thinking(id, out),
            (Kind::Call { input: false }, Some(index)) => out.push(F::input(index, "{}")),
            (Kind::Custom, Some(index)) => out.push(F::input(index, "\"}")),
            _ => {}
        }
        out.extend(block.index.map(F::stop));
        if let Some(signature) = self.block.take().and_then(|block| block.signatures.signature) {
            self.carry(&signature, Use::Previous, None, out);
        }
    }

    /// Ends thinking with its signature. Encrypted thinking without text is a block of its own, unless it is signed.
    fn close_thinking(&mut self, id: Option<&str>, out: &mut Vec<Frame>) {
        let Some(block) = &mut self.block else { return };
        let mut signatures = std::mem::take(&mut block.signatures);
        let voucher = signatures.take_voucher(block.index.is_some(), F::is_own);
        if let Some((value, purpose)) = voucher
            && let Some(index) = self.opened(out)
        {
            out.push(match id {
                Some(id) => F::signature_of(index, &value, purpose, id),
                None => F::signature(index, &value, purpose),
            });
        }
        if let Some(index) = self.block.take().and_then(|block| block.index) {
            out.push(F::stop(index));
        }
        if let Some(value) = signatures.encrypted {
            self.carry(&value, Use::Encrypted, id, out);
        }
    }
}

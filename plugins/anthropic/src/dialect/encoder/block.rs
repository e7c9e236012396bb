//! The block that is being written.

use std::borrow::Cow;

use weir_sdk::json::{object, quote};
use weir_sdk::ledger::Ledger;
use weir_sdk::types::{ChatEvent, Frame, PartKind, PartSignature, Signature, ToolKind, ToolStart};

use super::frames;
use crate::names::{fitting_id, fitting_name};
use crate::signature::{Use, wrap};
use crate::write::{self, Place};
use crate::{FAMILY, FORMAT};

/// Whose turn it is to write.
#[derive(Debug, Default)]
pub(super) struct Floor {
    block: Option<Block>,
    /// The number of the next block on the wire.
    next: u32,
    /// Members for the beginning of the next block, as a JSON object.
    pub(super) members: Option<String>,
}

/// A part that holds the floor.
#[derive(Debug)]
struct Block {
    part: u32,
    kind: Kind,
    /// Its number on the wire, once it has begun.
    index: Option<u32>,
    signature: Option<Signature>,
    encrypted: Option<Signature>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Thinking,
    /// A call whose arguments are JSON, and whether any have come.
    Call {
        input: bool,
    },
    /// A call whose arguments are free text.
    Custom,
    /// Nothing more is to be written.
    Done,
}

/// The candidate and the part that an event belongs to.
pub(super) fn place(event: &ChatEvent) -> Option<(u32, u32)> {
    match event {
        ChatEvent::PartStart(event) => Some((event.candidate, event.part)),
        ChatEvent::Delta(event) => Some((event.candidate, event.part)),
        ChatEvent::Signature(event) => Some((event.candidate, event.part)),
        ChatEvent::Citation(event) => Some((event.candidate, event.part)),
        ChatEvent::PartStop(event) => Some((event.candidate, event.part)),
        _ => None,
    }
}

impl Floor {
    pub(super) fn holds(&self, part: u32) -> bool {
        self.block.as_ref().is_some_and(|block| block.part == part)
    }

    pub(super) fn is_free(&self) -> bool {
        self.block.is_none()
    }

    /// Gives the floor to a part.
    pub(super) fn begin(&mut self, part: u32, kind: PartKind, out: &mut Vec<Frame>, ledger: &mut Ledger) {
        let place = Place { message: None, part: part as usize };
        let mut index = None;
        let kind = match kind {
            PartKind::Text | PartKind::Refusal => Kind::Text,
            PartKind::Reasoning => Kind::Thinking,
            PartKind::ToolCall(start) => {
                index = Some(self.call(&start, out, ledger, place));
                if start.kind == ToolKind::Custom { Kind::Custom } else { Kind::Call { input: false } }
            }
            PartKind::Opaque(opaque) if opaque.format == FORMAT => {
                self.whole(&opaque.json, out);
                Kind::Done
            }
            PartKind::Opaque(opaque) => {
                ledger.dropped(place.field(&opaque.kind), "it belongs to another format");
                Kind::Done
            }
            PartKind::Media(_) => {
                ledger.dropped(place.field(""), "answers of this format hold no media");
                Kind::Done
            }
        };
        self.block = Some(Block { part, kind, index, signature: None, encrypted: None });
    }

    fn call(&mut self, start: &ToolStart, out: &mut Vec<Frame>, ledger: &mut Ledger, place: Place) -> u32 {
        let members = self.members.take();
        if let Some(signature) = &start.signature {
            self.carry(signature, Use::NextCall, Some(&start.id), out);
        }
        self.members = members;
        let mut json = String::with_capacity(96);
        object(&mut json, |o| {
            o.str("type", "tool_use");
            o.str("id", &fitting_id(&start.id));
            o.str("name", &fitting_name(&start.name));
            o.raw("input", "{}");
        });
        let index = self.open(&json, out);
        if start.kind == ToolKind::Custom {
            ledger.approximated(place.field("input"), "free text becomes the member `input` of an object");
            out.push(frames::block_delta(index, "input_json_delta", "partial_json", r#"{"input":""#));
        }
        index
    }

    /// Writes a block's beginning and returns its number.
    fn open(&mut self, json: &str, out: &mut Vec<Frame>) -> u32 {
        let index = self.next;
        self.next += 1;
        let json = match self.members.take() {
            Some(members) => Cow::Owned(with_members(json, &members)),
            None => Cow::Borrowed(json),
        };
        out.push(frames::block_start(index, &json));
        index
    }

    /// Writes a block that is complete from the start.
    fn whole(&mut self, json: &str, out: &mut Vec<Frame>) {
        let index = self.open(json, out);
        out.push(frames::block_stop(index));
    }

    /// Writes a block that does nothing but carry a signature there and back.
    fn carry(&mut self, signature: &Signature, purpose: Use, id: Option<&str>, out: &mut Vec<Frame>) {
        let mut json = String::new();
        object(&mut json, |o| write::redacted(o, &wrap(signature, purpose, id)));
        self.whole(&json, out);
    }

    /// Takes an event of the part that holds the floor.
    pub(super) fn event(&mut self, event: ChatEvent, out: &mut Vec<Frame>, ledger: &mut Ledger) {
        match event {
            ChatEvent::Delta(delta) => self.delta(&delta.text, out),
            ChatEvent::Signature(signature) => self.sign(signature),
            ChatEvent::Citation(citation) => {
                let place = Place { message: None, part: citation.part as usize };
                if let Some(json) = write::citation(&citation.citation, ledger, place)
                    && let Some(index) = self.opened(out)
                {
                    out.push(frames::block_delta_raw(index, "citations_delta", "citation", &json));
                }
            }
            ChatEvent::PartStop(_) => self.close(out),
            _ => {}
        }
    }

    /// The number of the block that holds the floor, which begins now if it has not.
    fn opened(&mut self, out: &mut Vec<Frame>) -> Option<u32> {
        let (kind, index) = self.block.as_ref().map(|block| (block.kind, block.index))?;
        if index.is_some() {
            return index;
        }
        let json = match kind {
            Kind::Text => r#"{"type":"text","text":""}"#,
            Kind::Thinking => r#"{"type":"thinking","thinking":"","signature":""}"#,
            Kind::Call { .. } | Kind::Custom | Kind::Done => return None,
        };
        let index = self.open(json, out);
        if let Some(block) = &mut self.block {
            block.index = Some(index);
        }
        Some(index)
    }

    fn delta(&mut self, text: &str, out: &mut Vec<Frame>) {
        if text.is_empty() {
            return;
        }
        let Some(index) = self.opened(out) else { return };
        let Some(block) = &mut self.block else { return };
        out.push(match &mut block.kind {
            Kind::Text => frames::block_delta(index, "text_delta", "text", text),
            Kind::Thinking => frames::block_delta(index, "thinking_delta", "thinking", text),
            Kind::Call { input } => {
                *input = true;
                frames::block_delta(index, "input_json_delta", "partial_json", text)
            }
            Kind::Custom => {
                let mut escaped = String::with_capacity(text.len() + 8);
                quote(&mut escaped, text);
                frames::block_delta(index, "input_json_delta", "partial_json", &escaped[1..escaped.len() - 1])
            }
            Kind::Done => return,
        });
    }

    /// Signatures come last in their block (C-30), so they wait for its end.
    fn sign(&mut self, event: PartSignature) {
        let Some(block) = &mut self.block else { return };
        let place = if event.encrypted { &mut block.encrypted } else { &mut block.signature };
        match place {
            // Some providers send a signature in pieces.
            Some(known) if known.issuer == event.signature.issuer => known.value.push_str(&event.signature.value),
            _ => *place = Some(event.signature),
        }
    }

    /// Ends the block that holds the floor.
    pub(super) fn close(&mut self, out: &mut Vec<Frame>) {
        let Some(block) = self.block.as_ref() else { return };
        match (block.kind, block.index) {
            (Kind::Thinking, _) => return self.close_thinking(out),
            (Kind::Call { input: false }, Some(index)) => {
                out.push(frames::block_delta(index, "input_json_delta", "partial_json", "{}"));
            }
            (Kind::Custom, Some(index)) => {
                out.push(frames::block_delta(index, "input_json_delta", "partial_json", "\"}"));
            }
            _ => {}
        }
        out.extend(block.index.map(frames::block_stop));
        if let Some(signature) = self.block.take().and_then(|block| block.signature) {
            self.carry(&signature, Use::Previous, None, out);
        }
    }

    /// Ends thinking with what vouches for it. Thinking without words is a redacted block, unless it is signed.
    fn close_thinking(&mut self, out: &mut Vec<Frame>) {
        let Some(block) = &mut self.block else { return };
        let (signature, mut encrypted) = (block.signature.take(), block.encrypted.take());
        let wordless = block.index.is_none();
        let vouches = match signature {
            Some(signature) => Some(wrap(&signature, Use::Thinking, None)),
            None if wordless => None,
            None => encrypted.take_if(|value| value.issuer != FAMILY).map(|value| wrap(&value, Use::Encrypted, None)),
        };
        if let Some(value) = vouches
            && let Some(index) = self.opened(out)
        {
            out.push(frames::block_delta(index, "signature_delta", "signature", &value));
        }
        if let Some(index) = self.block.take().and_then(|block| block.index) {
            out.push(frames::block_stop(index));
        }
        if let Some(value) = encrypted {
            self.carry(&value, Use::Encrypted, None, out);
        }
    }
}

/// The block's JSON with further members at its end.
fn with_members(block: &str, members: &str) -> String {
    let inner = members.strip_prefix('{').and_then(|members| members.strip_suffix('}')).unwrap_or_default();
    match block.strip_suffix('}') {
        Some(open) if !inner.is_empty() => [open, ",", inner, "}"].concat(),
        _ => block.to_owned(),
    }
}

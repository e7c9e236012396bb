//! Writes the blocks of a streamed answer.

use std::borrow::Cow;

use weir_sdk::json::{escape, object};
use weir_sdk::ledger::Ledger;
use weir_sdk::signature::Pending;
use weir_sdk::types::{ChatEvent, Frame, PartKind, Signature, ToolKind, ToolStart};

use super::frames;
use crate::finish::Seen;
use crate::names::{fitting_id, fitting_name};
use crate::signature::{Use, wrap};
use crate::write::{self, Place};
use crate::{FAMILY, FORMAT};

/// Writes blocks, one after the other.
#[derive(Debug, Default)]
pub(super) struct BlockWriter {
    /// The block that has started and not ended.
    block: Option<Block>,
    /// The number of the next block on the wire.
    next: u32,
    /// The content that affects the reason of the answer's end.
    pub(super) seen: Seen,
    /// Members for the beginning of the next block, as a JSON object.
    pub(super) members: Option<String>,
}

/// A part that is being written.
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
        self.block = Some(Block { kind, index, signatures: Pending::default() });
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

    /// Writes a block's start and returns its number.
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

    /// Writes a complete block.
    fn whole(&mut self, json: &str, out: &mut Vec<Frame>) {
        let index = self.open(json, out);
        out.push(frames::block_stop(index));
    }

    /// Writes a block that only carries a signature to the client and back.
    fn carry(&mut self, signature: &Signature, purpose: Use, id: Option<&str>, out: &mut Vec<Frame>) {
        let mut json = String::new();
        object(&mut json, |o| write::redacted(o, &wrap(signature, purpose, id)));
        self.whole(&json, out);
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
                    && let Some(index) = self.opened(out)
                {
                    out.push(frames::block_delta_raw(index, "citations_delta", "citation", &json));
                }
            }
            ChatEvent::PartStop(_) => self.close(out),
            _ => {}
        }
    }

    /// The number of the block, which is started if it has not been.
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
                escape(&mut escaped, text);
                frames::block_delta(index, "input_json_delta", "partial_json", &escaped)
            }
            Kind::Done => return,
        });
    }

    /// Ends the block.
    fn close(&mut self, out: &mut Vec<Frame>) {
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
        if let Some(signature) = self.block.take().and_then(|block| block.signatures.signature) {
            self.carry(&signature, Use::Previous, None, out);
        }
    }

    /// Ends thinking with its signature. Thinking without text is a redacted block, unless it is signed.
    fn close_thinking(&mut self, out: &mut Vec<Frame>) {
        let Some(block) = &mut self.block else { return };
        let mut signatures = std::mem::take(&mut block.signatures);
        let voucher = signatures.take_voucher(block.index.is_some(), |value| value.issuer == FAMILY);
        if let Some((value, purpose)) = voucher
            && let Some(index) = self.opened(out)
        {
            out.push(frames::block_delta(index, "signature_delta", "signature", &wrap(&value, purpose, None)));
        }
        if let Some(index) = self.block.take().and_then(|block| block.index) {
            out.push(frames::block_stop(index));
        }
        if let Some(value) = signatures.encrypted {
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

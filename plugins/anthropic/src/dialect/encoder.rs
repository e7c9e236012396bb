//! Renders a streamed answer: the frames of this format. A block begins before its first delta and ends once.

mod frames;

use std::borrow::Cow;

use weir_sdk::blocks::encoder::{AnswerFrames, BlockEncoder, End};
use weir_sdk::blocks::writer::BlockFrames;
use weir_sdk::json::{object, parse};
use weir_sdk::losses::{Losses, PartPath};
use weir_sdk::types::{Citation, Context, Error, Extension, Frame, Opaque, ResponseStart, Signature, ToolStart, Usage};

use crate::names::{fitting_id, fitting_name};
use crate::signature::{Use, wrap};
use crate::wire::Unnamed;
use crate::{FAMILY, FORMAT, finish, write};

/// Renders frames of this format.
pub(crate) type MessagesEncoder = BlockEncoder<MessageFrames>;

/// What the frames need of earlier events.
#[derive(Debug, Default)]
pub struct MessageFrames {
    start: Option<ResponseStart>,
    /// Members for the beginning of the next block, as a JSON object.
    members: Option<String>,
    /// Details of the usage that arrived after the message had begun.
    late: Vec<Extension>,
    /// Members that this format's own answer had at its end, besides reason and usage.
    end: Option<Opaque>,
    /// Losses of the first frame, reported at the end.
    lost: Losses,
}

impl MessageFrames {
    /// The start of a block, with the members that wait for one.
    fn open(&mut self, index: u32, json: &str) -> Frame {
        match self.members.take() {
            Some(members) => frames::block_start(index, &with_members(json, &members)),
            None => frames::block_start(index, json),
        }
    }
}

impl BlockFrames for MessageFrames {
    const FORMAT: &'static str = FORMAT;

    fn start_text(&mut self, index: u32, out: &mut Vec<Frame>) {
        out.push(self.open(index, r#"{"type":"text","text":""}"#));
    }

    fn start_thinking(&mut self, index: u32, out: &mut Vec<Frame>) {
        out.push(self.open(index, r#"{"type":"thinking","thinking":"","signature":""}"#));
    }

    fn start_call(&mut self, index: u32, call: &ToolStart, out: &mut Vec<Frame>) {
        let mut json = String::with_capacity(96);
        object(&mut json, |o| {
            o.str("type", "tool_use");
            o.str("id", &fitting_id(&call.id));
            o.str("name", &fitting_name(&call.name));
            o.raw("input", "{}");
        });
        out.push(self.open(index, &json));
    }

    fn text(index: u32, text: &str) -> Frame {
        frames::block_delta(index, "text_delta", "text", text)
    }

    fn thinking(index: u32, text: &str) -> Frame {
        frames::block_delta(index, "thinking_delta", "thinking", text)
    }

    fn input(index: u32, piece: &str) -> Frame {
        frames::block_delta(index, "input_json_delta", "partial_json", piece)
    }

    fn citation<'a>(citation: &'a Citation, losses: &mut Losses, place: PartPath) -> Option<Cow<'a, str>> {
        write::citation(citation, losses, place)
    }

    fn citation_frame(index: u32, json: &str) -> Frame {
        frames::block_delta_raw(index, "citations_delta", "citation", json)
    }

    fn signature(index: u32, signature: &Signature, purpose: Use) -> Frame {
        frames::block_delta(index, "signature_delta", "signature", &wrap(signature, purpose, None))
    }

    fn signature_of(index: u32, signature: &Signature, purpose: Use, id: &str) -> Frame {
        frames::block_delta(index, "signature_delta", "signature", &wrap(signature, purpose, Some(id)))
    }

    fn carrier(&mut self, index: u32, signature: &Signature, purpose: Use, id: Option<&str>, out: &mut Vec<Frame>) {
        let mut json = String::new();
        object(&mut json, |o| write::redacted(o, &wrap(signature, purpose, id)));
        // Members that wait before a call are the call's.
        out.push(if purpose == Use::NextCall { frames::block_start(index, &json) } else { self.open(index, &json) });
    }

    fn whole(&mut self, index: u32, block: &Opaque, out: &mut Vec<Frame>) -> bool {
        out.push(self.open(index, &block.json));
        true
    }

    fn stop(index: u32) -> Frame {
        frames::block_stop(index)
    }

    fn explains(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end.json.contains(finish::DETAILS))
    }

    fn is_own(signature: &Signature) -> bool {
        signature.issuer == FAMILY
    }
}

impl AnswerFrames for MessageFrames {
    fn take_start(&mut self, start: ResponseStart) {
        self.start = Some(start);
    }

    /// Writes `message_start` with the real count of the input or an estimate (C-59).
    fn first(&mut self, ctx: &Context, known: &Usage) -> Frame {
        frames::message_start(ctx, self.start.take().as_ref(), known, &mut self.lost)
    }

    fn take_late_usage(&mut self, later: &Usage) {
        self.late.extend(write::own(&later.extensions).cloned());
    }

    /// Takes members for the end of the message, members of the next block, or a frame.
    fn take_opaque(&mut self, opaque: Opaque) -> Option<Frame> {
        match opaque.kind.as_str() {
            "message_delta" => self.end = Some(opaque),
            "content_block_start" => self.members = Some(opaque.json),
            _ => return Some(Frame { event: Some(opaque.kind), data: opaque.json }),
        }
        None
    }

    fn end(&mut self, _: &Context, end: &End<'_>, losses: &mut Losses, out: &mut Vec<Frame>) {
        losses.append(std::mem::take(&mut self.lost).into_losses());
        let own = self.end.take();
        let members: Unnamed<'_> = own.as_ref().and_then(|own| parse(&own.json).ok()).unwrap_or_default();
        out.push(frames::message_delta(end, &self.late, members.rest, losses));
        out.push(frames::fixed("message_stop", r#"{"type":"message_stop"}"#));
    }

    fn failure(&mut self, ctx: &Context, error: &Error, _: bool, out: &mut Vec<Frame>) {
        out.push(frames::error(ctx, error));
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

//! Renders a streamed answer: the frames of this format.
//!
//! Text and thinking have no start event: the official clients refuse an empty one (C-85). Only calls have one.

mod frames;

use std::borrow::Cow;

use weir_sdk::blocks::encoder::{AnswerFrames, BlockEncoder, End};
use weir_sdk::blocks::writer::BlockFrames;
use weir_sdk::json::{Object, RawValue, Rest};
use weir_sdk::losses::{Losses, PartPath, extension};
use weir_sdk::types::{
    Citation, Context, Error, Frame, MediaPart, MediaSource, Opaque, ResponseStart, Signature, ToolStart, Usage,
};

use crate::names::ID;
use crate::read::SOURCE;
use crate::signature::{Use, bytes, is_bare, text};
use crate::{FORMAT, mime, write};

/// Renders frames of this format.
pub(crate) type ConverseEncoder = BlockEncoder<ConverseFrames>;

/// What the frames need of earlier events.
#[derive(Debug, Default)]
pub struct ConverseFrames {
    /// Members that this format's own answer had at its end: those of `messageStop`, and of `metadata`.
    end: Vec<Opaque>,
    /// The service tier that the answer's start named.
    tier: Option<String>,
}

impl BlockFrames for ConverseFrames {
    const FORMAT: &'static str = FORMAT;

    fn start_call(&mut self, index: u32, call: &ToolStart, out: &mut Vec<Frame>) {
        out.push(frames::block_start(index, |o| {
            o.object("toolUse", |o| {
                o.str("toolUseId", &ID.fit(&call.id));
                o.str("name", &call.name);
            });
        }));
    }

    fn text(index: u32, text: &str) -> Frame {
        frames::text_delta(index, text)
    }

    fn thinking(index: u32, text: &str) -> Frame {
        frames::thought_delta(index, "text", text)
    }

    fn input(index: u32, piece: &str) -> Frame {
        frames::input_delta(index, piece)
    }

    fn citation<'a>(citation: &'a Citation, losses: &mut Losses, place: PartPath) -> Option<Cow<'a, str>> {
        write::citation(citation, losses, place)
    }

    fn citation_frame(index: u32, json: &str) -> Frame {
        frames::block_delta(index, |o| o.raw("citation", json))
    }

    fn signature(index: u32, signature: &Signature, purpose: Use) -> Frame {
        frames::thought_delta(index, "signature", &text(signature, purpose, None))
    }

    fn carrier(&mut self, index: u32, signature: &Signature, purpose: Use, call: Option<&str>, out: &mut Vec<Frame>) {
        let call = call.map(|id| ID.fit(id));
        out.push(frames::thought_delta(index, "redactedContent", &bytes(signature, purpose, call.as_deref())));
    }

    /// Writes a call of the service's own tool, its result, or an image that it withheld.
    fn whole(&mut self, index: u32, block: &Opaque, out: &mut Vec<Frame>) -> bool {
        let Ok(mut block) = Rest::parse(&block.json) else { return false };
        if let Some(image) = block.object("image") {
            let of = |member: &str, o: &mut Object<'_>| {
                o.object("image", |o| o.opt_raw(member, image.get(member).map(RawValue::get)));
            };
            out.push(frames::block_start(index, |o| of("format", o)));
            out.push(frames::block_delta(index, |o| of("error", o)));
            return true;
        }
        let (call, result) = (block.object("toolUse"), block.object("toolResult"));
        let (name, Some(mut members)) = (if call.is_some() { "toolUse" } else { "toolResult" }, call.or(result)) else {
            return false;
        };
        let value = members.take(if name == "toolUse" { "input" } else { "content" });
        out.push(frames::block_start(index, |o| {
            o.object(name, |o| members.0.iter().for_each(|(key, raw)| o.raw(key, raw.get())));
        }));
        match value {
            Some(input) if name == "toolUse" => out.push(frames::input_delta(index, input.get())),
            Some(content) => out.push(frames::block_delta(index, |o| o.raw(name, content.get()))),
            None => {}
        }
        true
    }

    /// Writes an image.
    fn media(&mut self, index: u32, media: &MediaPart, out: &mut Vec<Frame>) -> bool {
        let format = media.mime.as_deref().and_then(|mime| mime::format(media.kind, mime));
        let stored = extension(&media.extensions, FORMAT, SOURCE);
        let data = match &media.source {
            MediaSource::Base64(data) => data,
            _ if stored.is_some() => "",
            _ => return false,
        };
        let Some(format) = format.filter(|_| write::media::kind(media.kind) == "image") else { return false };
        out.push(frames::block_start(index, |o| o.object("image", |o| o.str("format", format))));
        out.push(frames::block_delta(index, |o| {
            o.object("image", |o| match stored {
                Some(source) => o.raw("source", source),
                None => o.object("source", |o| o.str("bytes", data)),
            });
        }));
        true
    }

    fn stop(index: u32) -> Frame {
        frames::block_stop(index)
    }

    fn is_own(signature: &Signature) -> bool {
        is_bare(signature)
    }
}

impl AnswerFrames for ConverseFrames {
    fn take_start(&mut self, start: ResponseStart) {
        self.tier = start.service_tier;
    }

    fn first(&mut self, _: &Context, _: &Usage) -> Frame {
        frames::message_start()
    }

    /// Takes members of the last frames, or a frame.
    fn take_opaque(&mut self, opaque: Opaque) -> Option<Frame> {
        if matches!(opaque.kind.as_str(), "messageStop" | "metadata") {
            self.end.push(opaque);
            return None;
        }
        Some(Frame { event: Some(opaque.kind), data: opaque.json })
    }

    fn end(&mut self, ctx: &Context, end: &End<'_>, losses: &mut Losses, out: &mut Vec<Frame>) {
        let own = |kind: &str| self.end.iter().find(|own| own.kind == kind).map(|own| own.json.as_str());
        out.push(frames::message_stop(end, own("messageStop"), losses));
        let tier = end.usage.service_tier.as_deref().or(self.tier.as_deref());
        out.push(frames::metadata(ctx, end.usage, tier, own("metadata"), losses));
    }

    fn failure(&mut self, _: &Context, error: &Error, begun: bool, out: &mut Vec<Frame>) {
        if !begun {
            out.push(frames::message_start());
        }
        out.push(frames::exception(error));
    }
}

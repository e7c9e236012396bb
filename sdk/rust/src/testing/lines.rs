//! An invented format of blocks, whose frames are lines of words: for tests of what all such formats share.

use std::borrow::Cow;

use crate::blocks::encoder::{AnswerFrames, End};
use crate::blocks::writer::BlockFrames;
use crate::losses::{Losses, PartPath};
use crate::signature::Use;
use crate::types::{Citation, Context, Error, Frame, Opaque, Signature, ToolStart, Usage};

/// The format's frames.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    kept: String,
}

fn line(text: String) -> Frame {
    Frame { event: None, data: text }
}

fn input(usage: &Usage) -> String {
    usage.input.map_or_else(|| "?".to_owned(), |count| count.to_string())
}

impl BlockFrames for Lines {
    const FORMAT: &'static str = "lines";

    fn start_text(&mut self, index: u32, out: &mut Vec<Frame>) {
        out.push(line(format!("{index} start")));
    }

    fn start_thinking(&mut self, index: u32, out: &mut Vec<Frame>) {
        out.push(line(format!("{index} start")));
    }

    fn start_call(&mut self, index: u32, call: &ToolStart, out: &mut Vec<Frame>) {
        out.push(line(format!("{index} call {}", call.id)));
    }

    fn text(index: u32, text: &str) -> Frame {
        line(format!("{index} text {text}"))
    }

    fn thinking(index: u32, text: &str) -> Frame {
        line(format!("{index} thinking {text}"))
    }

    fn input(index: u32, piece: &str) -> Frame {
        line(format!("{index} input {piece}"))
    }

    fn citation<'a>(citation: &'a Citation, _: &mut Losses, _: PartPath) -> Option<Cow<'a, str>> {
        citation.url.as_deref().map(Cow::Borrowed)
    }

    fn citation_frame(index: u32, json: &str) -> Frame {
        line(format!("{index} cites {json}"))
    }

    fn signature(index: u32, signature: &Signature, purpose: Use) -> Frame {
        line(format!("{index} {purpose:?} {}", signature.issuer))
    }

    fn carrier(&mut self, index: u32, signature: &Signature, purpose: Use, call: Option<&str>, out: &mut Vec<Frame>) {
        out.push(line(format!("{index} carries {purpose:?} {} {}", signature.issuer, call.unwrap_or("-"))));
    }

    fn whole(&mut self, index: u32, block: &Opaque, out: &mut Vec<Frame>) -> bool {
        let known = block.kind == "whole";
        if known {
            out.push(line(format!("{index} {}", block.json)));
        }
        known
    }

    fn stop(index: u32) -> Frame {
        line(format!("{index} stop"))
    }

    fn is_own(signature: &Signature) -> bool {
        signature.issuer == "lines"
    }
}

impl AnswerFrames for Lines {
    fn first(&mut self, _: &Context, known: &Usage) -> Frame {
        line(format!("first {}", input(known)))
    }

    fn take_opaque(&mut self, opaque: Opaque) -> Option<Frame> {
        if opaque.kind == "kept" {
            self.kept = format!(" {}", opaque.kind);
            return None;
        }
        Some(line(opaque.json))
    }

    fn end(&mut self, _: &Context, end: &End<'_>, _: &mut Losses, out: &mut Vec<Frame>) {
        let reason = end.finish.and_then(|finish| finish.raw.as_deref()).unwrap_or("-");
        out.push(line(format!("end {reason} {}{}", input(end.usage), self.kept)));
    }

    fn failure(&mut self, _: &Context, _: &Error, begun: bool, out: &mut Vec<Frame>) {
        out.push(line(format!("failed {begun}")));
    }
}

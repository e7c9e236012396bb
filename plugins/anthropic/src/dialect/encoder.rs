//! Renders a streamed answer: blocks one after the other, each begun before its first delta and ended once.
//!
//! Parts may overlap in the unified stream; [`Blocks`] puts them in sequence (C-05). A block begins with its first
//! text, so that there are no empty blocks.

mod block;
mod frames;

use block::BlockWriter;
use weir_sdk::adapter::{Encoder, Result};
use weir_sdk::blocks::{Blocks, part_of};
use weir_sdk::json::parse;
use weir_sdk::ledger::{Ledger, Once};
use weir_sdk::types::{ChatEvent, Context, Encoded, Error, Extension, Finish, Frame, Opaque, ResponseStart, Usage};

use crate::wire::Unnamed;
use crate::{FORMAT, write};

/// Renders frames of this format.
#[derive(Debug)]
pub struct MessagesEncoder {
    ctx: Context,
    start: Option<ResponseStart>,
    begun: bool,
    failed: bool,
    finish: Option<Finish>,
    usage: Usage,
    /// Details of the usage that arrived after the message had begun.
    late: Vec<Extension>,
    /// Members that this format's own answer had at its end, besides reason and usage.
    end: Option<Opaque>,
    /// Whether probabilities arrived; the format has no place for them.
    logprobs: bool,
    /// Kinds of other formats' events that arrived; the format has no place for them.
    lost: Once,
    blocks: Blocks,
    writer: BlockWriter,
    ledger: Ledger,
    frames: Vec<Frame>,
}

impl Encoder for MessagesEncoder {
    fn new(ctx: Context) -> Self {
        Self {
            ctx,
            start: None,
            begun: false,
            failed: false,
            finish: None,
            usage: Usage::default(),
            late: Vec::new(),
            end: None,
            logprobs: false,
            lost: Once::default(),
            blocks: Blocks::default(),
            writer: BlockWriter::default(),
            ledger: Ledger::default(),
            frames: Vec::new(),
        }
    }

    fn push(&mut self, events: Vec<ChatEvent>) -> Result<Encoded> {
        self.frames.reserve(events.len() + 1);
        for event in events {
            if !self.failed {
                self.event(event)?;
            }
        }
        if self.start.is_some() && !self.failed {
            self.begin();
        }
        Ok(self.encoded())
    }

    fn finish(&mut self) -> Result<Encoded> {
        if !self.failed {
            self.begin();
            self.close_all();
            self.write_end();
        }
        Ok(self.encoded())
    }
}

impl MessagesEncoder {
    fn encoded(&mut self) -> Encoded {
        let losses = std::mem::take(&mut self.ledger).into_losses();
        Encoded { frames: std::mem::take(&mut self.frames), losses }
    }

    fn event(&mut self, event: ChatEvent) -> Result<()> {
        match event {
            ChatEvent::Start(start) => {
                self.ledger.foreign("", &start.extensions, FORMAT);
                self.start = Some(start);
            }
            ChatEvent::Usage(later) => self.count(later),
            ChatEvent::Finish(one) if one.candidate == 0 => self.finish = Some(one.finish),
            ChatEvent::Failure(error) => self.fail(&error),
            ChatEvent::Logprobs(_) => self.logprobs = true,
            ChatEvent::Opaque(opaque) => self.opaque(opaque),
            event => return self.of_part(event),
        }
        Ok(())
    }

    fn count(&mut self, later: Usage) {
        if self.begun {
            self.late.extend(write::own(&later.extensions).cloned());
        }
        self.usage.update(later);
    }

    /// Takes an event of this format: members for the end of the message, members of the next block, or a frame.
    fn opaque(&mut self, opaque: Opaque) {
        if opaque.format != FORMAT {
            self.lost.dropped(&opaque.kind, "it belongs to another format", &mut self.ledger);
            return;
        }
        match opaque.kind.as_str() {
            "message_delta" => self.end = Some(opaque),
            "content_block_start" => self.writer.members = Some(opaque.json),
            _ => {
                self.begin();
                self.frames.push(Frame { event: Some(opaque.kind), data: opaque.json });
            }
        }
    }

    /// Takes an event of a part, which is written when the parts before it have ended.
    fn of_part(&mut self, event: ChatEvent) -> Result<()> {
        let Some((candidate, part)) = part_of(&event) else { return Ok(()) };
        if candidate != 0 {
            if matches!(event, ChatEvent::PartStart(_)) {
                self.ledger.dropped("candidates", "the format has room for the first one only");
            }
            return Ok(());
        }
        self.begin();
        let Self { blocks, writer, frames, ledger, .. } = self;
        blocks.push(part, event, &mut |event| writer.event(event, frames, ledger))
    }

    fn close_all(&mut self) {
        let Self { blocks, writer, frames, ledger, .. } = self;
        blocks.finish(&mut |event| writer.event(event, frames, ledger));
    }

    /// Writes `message_start`, once, with the real count of the input or an estimate (C-59).
    fn begin(&mut self) {
        if self.begun {
            return;
        }
        self.begun = true;
        let start = self.start.take();
        self.frames.push(frames::message_start(&self.ctx, start.as_ref(), &self.usage));
    }

    fn write_end(&mut self) {
        self.ledger.foreign("usage.", &self.usage.extensions, FORMAT);
        self.ledger.dropped_if(self.logprobs, "logprobs", "the format has no place for them");
        let end = self.end.take();
        let members: Unnamed<'_> = end.as_ref().and_then(|end| parse(&end.json).ok()).unwrap_or_default();
        let end =
            frames::End { finish: self.finish.as_ref(), seen: self.writer.seen, usage: &self.usage, late: &self.late };
        self.frames.push(frames::message_delta(&end, members.rest, &mut self.ledger));
        self.frames.push(frames::fixed("message_stop", r#"{"type":"message_stop"}"#));
    }

    /// Writes an error, which ends the stream (C-19).
    fn fail(&mut self, error: &Error) {
        self.failed = true;
        self.frames.push(frames::error(&self.ctx, error));
    }
}

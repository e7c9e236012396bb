//! Renders a streamed answer: blocks one after the other, each ended once.
//!
//! Text and thinking have no start event: the official clients refuse an empty one (C-85). Only calls have one. Parts
//! may overlap in the unified stream; [`Blocks`] puts them in sequence (C-05).

mod block;
mod frames;

use block::BlockWriter;
use weir_sdk::adapter::{Encoder, Result};
use weir_sdk::blocks::{Blocks, part_of};
use weir_sdk::ledger::{Ledger, Once};
use weir_sdk::types::{ChatEvent, Context, Encoded, Error, Finish, Frame, Opaque, Usage};

use crate::FORMAT;

/// Renders frames of this format.
#[derive(Debug)]
pub struct ConverseEncoder {
    ctx: Context,
    begun: bool,
    failed: bool,
    finish: Option<Finish>,
    usage: Usage,
    /// Members that this format's own answer had at its end: those of `messageStop`, and of `metadata`.
    end: Vec<Opaque>,
    /// Events that the format has no place for, each reported once.
    lost: Once,
    blocks: Blocks,
    writer: BlockWriter,
    ledger: Ledger,
    frames: Vec<Frame>,
}

impl Encoder for ConverseEncoder {
    fn new(ctx: Context) -> Self {
        Self {
            ctx,
            begun: false,
            failed: false,
            finish: None,
            usage: Usage::default(),
            end: Vec::new(),
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

impl ConverseEncoder {
    fn encoded(&mut self) -> Encoded {
        let losses = std::mem::take(&mut self.ledger).into_losses();
        Encoded { frames: std::mem::take(&mut self.frames), losses }
    }

    fn event(&mut self, event: ChatEvent) -> Result<()> {
        match event {
            ChatEvent::Start(start) => {
                self.ledger.foreign("", &start.extensions, FORMAT);
                self.begin();
            }
            ChatEvent::Usage(later) => self.usage.update(later),
            ChatEvent::Finish(one) if one.candidate == 0 => self.finish = Some(one.finish),
            ChatEvent::Failure(error) => self.fail(&error),
            ChatEvent::Logprobs(_) => self.lose("logprobs", "the format has no place for them"),
            ChatEvent::Opaque(opaque) => self.opaque(opaque),
            event => return self.of_part(event),
        }
        Ok(())
    }

    /// Reports a loss once: some recur with every frame.
    fn lose(&mut self, what: &str, why: &str) {
        self.lost.dropped(what, why, &mut self.ledger);
    }

    /// Takes an event of this format: members of the last frames, or a frame.
    fn opaque(&mut self, opaque: Opaque) {
        if opaque.format != FORMAT {
            self.lose(&opaque.kind, "it belongs to another format");
        } else if matches!(opaque.kind.as_str(), "messageStop" | "metadata") {
            self.end.push(opaque);
        } else {
            self.begin();
            self.frames.push(Frame { event: Some(opaque.kind), data: opaque.json });
        }
    }

    /// Takes an event of a part, which is written when the parts before it have ended.
    fn of_part(&mut self, event: ChatEvent) -> Result<()> {
        let Some((candidate, part)) = part_of(&event) else { return Ok(()) };
        if candidate != 0 {
            self.lose("candidates", "the format has room for the first one only");
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

    fn begin(&mut self) {
        if !std::mem::replace(&mut self.begun, true) {
            self.frames.push(frames::fixed("messageStart", r#"{"role":"assistant"}"#));
        }
    }

    fn write_end(&mut self) {
        let own = |kind: &str| self.end.iter().find(|own| own.kind == kind).map(|own| own.json.as_str());
        let (stop, metadata) = (own("messageStop"), own("metadata"));
        self.frames.push(frames::message_stop(self.finish.as_ref(), self.writer.seen, stop, &mut self.ledger));
        self.frames.push(frames::metadata(&self.ctx, &self.usage, metadata, &mut self.ledger));
    }

    /// Writes an error, which ends the stream (C-19).
    fn fail(&mut self, error: &Error) {
        self.failed = true;
        self.begin();
        self.frames.push(frames::exception(error));
    }
}

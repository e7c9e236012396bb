//! Renders a streamed answer of one candidate: its first frame, blocks one after the other, its end.

#[cfg(test)]
mod tests;

use super::writer::{BlockFrames, BlockWriter};
use super::{Blocks, part_of};
use crate::adapter::{Encoder, Result};
use crate::finish::Seen;
use crate::losses::{Losses, Once, is_note};
use crate::types::{ChatEvent, Context, Encoded, Error, Finish, Frame, Opaque, ResponseStart, Usage};

/// The frames around a format's blocks.
pub trait AnswerFrames: BlockFrames + 'static {
    /// Keeps what the first frame needs of the answer's start. Extensions of other formats are reported already.
    fn take_start(&mut self, _start: ResponseStart) {}

    /// The first frame, with the usage that is known so far.
    fn first(&mut self, ctx: &Context, known: &Usage) -> Frame;

    /// Keeps what the end needs of usage that arrived after the first frame.
    fn take_late_usage(&mut self, _later: &Usage) {}

    /// Takes an event of this format. Returns it as a frame, unless it is kept for a later one.
    fn take_opaque(&mut self, opaque: Opaque) -> Option<Frame>;

    /// Writes the end of an answer that did not fail.
    fn end(&mut self, ctx: &Context, end: &End<'_>, losses: &mut Losses, out: &mut Vec<Frame>);

    /// Writes an error, which ends the stream. `begun` tells whether the first frame is written.
    fn failure(&mut self, ctx: &Context, error: &Error, begun: bool, out: &mut Vec<Frame>);
}

/// What is known of an answer at its end.
#[derive(Debug)]
pub struct End<'a> {
    /// The first candidate's finish.
    pub finish: Option<&'a Finish>,
    /// The content that affects the reason.
    pub seen: Seen,
    /// The whole usage.
    pub usage: &'a Usage,
}

/// Renders frames of a format.
///
/// Parts may overlap in the unified stream; [`Blocks`] puts them in sequence (C-05). A block begins with its first
/// text, so that there are no empty blocks.
#[derive(Debug)]
pub struct BlockEncoder<F> {
    ctx: Context,
    /// Whether the answer's start has arrived.
    started: bool,
    /// Whether the first frame is written.
    begun: bool,
    failed: bool,
    finish: Option<Finish>,
    usage: Usage,
    /// Events that the format has no place for, each reported once.
    lost: Once,
    blocks: Blocks,
    writer: BlockWriter<F>,
    losses: Losses,
    frames: Vec<Frame>,
}

impl<F: AnswerFrames> Encoder for BlockEncoder<F> {
    fn new(ctx: Context) -> Self {
        Self {
            ctx,
            started: false,
            begun: false,
            failed: false,
            finish: None,
            usage: Usage::default(),
            lost: Once::default(),
            blocks: Blocks::default(),
            writer: BlockWriter::default(),
            losses: Losses::default(),
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
        // Usage often comes with the start, and belongs in the first frame.
        if self.started && !self.failed {
            self.begin();
        }
        Ok(self.encoded())
    }

    fn finish(&mut self) -> Result<Encoded> {
        if !self.failed {
            self.begin();
            let Self { blocks, writer, frames, losses, .. } = self;
            blocks.finish(&mut |event| writer.event(event, frames, losses));
            self.losses.foreign("usage.", &self.usage.extensions, F::FORMAT);
            let end = End { finish: self.finish.as_ref(), seen: self.writer.seen, usage: &self.usage };
            self.writer.format.end(&self.ctx, &end, &mut self.losses, &mut self.frames);
        }
        Ok(self.encoded())
    }
}

impl<F: AnswerFrames> BlockEncoder<F> {
    fn encoded(&mut self) -> Encoded {
        let losses = std::mem::take(&mut self.losses).into_losses();
        Encoded { frames: std::mem::take(&mut self.frames), losses }
    }

    fn event(&mut self, event: ChatEvent) -> Result<()> {
        match event {
            ChatEvent::Start(start) => {
                self.losses.foreign("", &start.extensions, F::FORMAT);
                self.started = true;
                self.writer.format.take_start(start);
            }
            ChatEvent::Usage(later) => {
                if self.begun {
                    self.writer.format.take_late_usage(&later);
                }
                self.usage.update(later);
            }
            ChatEvent::Finish(one) if one.candidate == 0 => self.finish = Some(one.finish),
            ChatEvent::Failure(error) => self.fail(&error),
            ChatEvent::Logprobs(_) => self.lose("logprobs", "the format has no place for them"),
            ChatEvent::Opaque(opaque) => self.opaque(opaque),
            event => return self.of_part(event),
        }
        Ok(())
    }

    fn lose(&mut self, what: &str, why: &str) {
        self.lost.dropped(what, why, &mut self.losses);
    }

    fn opaque(&mut self, opaque: Opaque) {
        if opaque.format != F::FORMAT {
            if !is_note(&opaque) {
                self.lose(&opaque.kind, "it belongs to another format");
            }
        } else if let Some(frame) = self.writer.format.take_opaque(opaque) {
            self.begin();
            self.frames.push(frame);
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
        let Self { blocks, writer, frames, losses, .. } = self;
        blocks.push(part, event, &mut |event| writer.event(event, frames, losses))
    }

    /// Writes the first frame, once.
    fn begin(&mut self) {
        if !std::mem::replace(&mut self.begun, true) {
            self.frames.push(self.writer.format.first(&self.ctx, &self.usage));
        }
    }

    /// Ends the stream with an error (C-19).
    fn fail(&mut self, error: &Error) {
        self.failed = true;
        self.writer.format.failure(&self.ctx, error, self.begun, &mut self.frames);
    }
}

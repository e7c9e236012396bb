//! Decodes the stream of a prediction's output: events `output` with pieces of text, `logs`, `error` and `done`.

use weir_sdk::adapter::{Decoder, Result};
use weir_sdk::json::Rest;
use weir_sdk::types::{
    CandidateFinish, ChatEvent, Context, Decoded, Error, Finish, FinishReason, Frame, PartDelta, PartKind, PartStart,
    PartStop, ResponseStart,
};

use crate::error;
use crate::memo::Memo;

/// Parses frames of this format.
#[derive(Debug)]
pub struct OutputDecoder {
    memo: Memo,
    started: bool,
    spoke: bool,
    ended: bool,
    events: Vec<ChatEvent>,
}

impl Decoder for OutputDecoder {
    fn new(ctx: Context) -> Self {
        let memo = Memo::parse(&ctx.memo);
        Self { memo, started: false, spoke: false, ended: false, events: Vec::new() }
    }

    fn push(&mut self, frames: Vec<Frame>) -> Result<Decoded> {
        for frame in frames {
            if !self.ended {
                self.frame(frame);
            }
        }
        Ok(self.decoded())
    }

    /// Fails without a `done` event: the answer was cut off, even if its bytes ended in an orderly way (C-19).
    fn finish(&mut self) -> Result<Decoded> {
        if !self.ended {
            self.fail(Error::unreadable("the answer ended before it was complete"));
        }
        Ok(self.decoded())
    }
}

impl OutputDecoder {
    fn decoded(&mut self) -> Decoded {
        Decoded { events: std::mem::take(&mut self.events), losses: Vec::new() }
    }

    fn frame(&mut self, frame: Frame) {
        match frame.event.as_deref() {
            Some("output") => self.output(frame.data),
            Some("error") => self.fail(error::streamed(&frame.data)),
            Some("done") => self.done(&frame.data),
            _ => {}
        }
    }

    fn start(&mut self) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let model = Some(std::mem::take(&mut self.memo.model)).filter(|model| !model.is_empty());
        let id = std::mem::take(&mut self.memo.id);
        self.events.push(ChatEvent::Start(ResponseStart { id, model, ..ResponseStart::default() }));
    }

    fn output(&mut self, text: String) {
        self.start();
        if text.is_empty() {
            return;
        }
        if !std::mem::replace(&mut self.spoke, true) {
            let start = PartStart { candidate: 0, part: 0, kind: PartKind::Text };
            self.events.push(ChatEvent::PartStart(start));
        }
        self.events.push(ChatEvent::Delta(PartDelta { candidate: 0, part: 0, text }));
    }

    fn done(&mut self, data: &str) {
        let reason = Rest::parse(data).ok().and_then(|mut members| members.str("reason"));
        match reason.as_deref() {
            Some("canceled" | "cancelled") => return self.fail(Error::unreadable("the prediction was canceled")),
            Some("error") => return self.fail(Error::unreadable("the prediction failed")),
            _ => {}
        }
        self.start();
        self.ended = true;
        if self.spoke {
            self.events.push(ChatEvent::PartStop(PartStop { candidate: 0, part: 0, extensions: Vec::new() }));
        }
        let finish = Finish::new(FinishReason::Complete, "done");
        self.events.push(ChatEvent::Finish(CandidateFinish { candidate: 0, finish }));
    }

    fn fail(&mut self, error: Error) {
        self.ended = true;
        self.events.push(ChatEvent::Failure(error));
    }
}

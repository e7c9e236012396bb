//! A streamed answer on its way through two components: bytes in, bytes out, nothing kept longer than one read.
//!
//! upstream bytes → frames → the provider's decoder → events → the referee → the dialect's encoder → frames → bytes

use std::sync::Arc;

use crate::recall::Witness;
use crate::route::Target;
use weir_sandbox::{ChatDecoder, ChatEncoder};
use weir_translate::dialect::reply;
use weir_translate::referee::Referee;
use weir_types::contract::about::ErrorFormat;
use weir_types::contract::types::{ChatEvent, Error, ErrorKind, Frame, Framing, Loss, PartKind, Usage};
use weir_types::fault::{Fault, Side};
use weir_types::surrogate;
use weir_wire::estimate::Content;
use weir_wire::frame;

use super::said::{self, Said};
use super::send::late_error;
use weir_translate::bounds;
use weir_translate::unified::heard;

/// Everything that a stream needs from read to read.
#[derive(Debug)]
pub(super) struct Pipeline {
    deframer: frame::Decoder,
    decoder: ChatDecoder,
    referee: Referee,
    encoder: ChatEncoder,
    enframer: frame::Encoder,
    errors: Option<Arc<ErrorFormat>>,
    request_id: String,
    frames: Vec<Frame>,
    model: String,
    /// Where the stream comes from.
    pub(super) target: Arc<Target>,
    witness: Witness,
    /// What was said, where somebody else may have to go on.
    said: Option<Said>,
    /// Tokens of those who broke off.
    spent: Option<Usage>,
    /// Tokens of the request, roughly.
    input: u32,
    /// What is known of the stream so far.
    pub(super) seen: Seen,
}

/// What passed by.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The tokens, as far as they were told.
    pub(super) usage: Option<Usage>,
    /// The service tier, as the head of the answer has it.
    pub(super) service_tier: Option<String>,
    /// Whether the stream brought a finish.
    pub(super) finished: bool,
    /// Whether any content has passed.
    pub(super) content: bool,
    /// What it weighs, since somebody else went on if somebody did.
    pub(super) weight: Content,
    /// The failure that ended it.
    pub(super) failure: Option<Error>,
    /// The ledger of both sides.
    pub(super) losses: Vec<Loss>,
}

/// What a pipeline is made of.
#[derive(Debug)]
pub(super) struct Parts {
    /// How the upstream's stream is framed.
    pub(super) from: Framing,
    /// How the client's stream is framed.
    pub(super) to: Framing,
    /// Limits of the upstream's frames.
    pub(super) limits: frame::Limits,
    /// Reads the upstream's frames.
    pub(super) decoder: ChatDecoder,
    /// Writes the client's frames.
    pub(super) encoder: ChatEncoder,
    /// How errors look to the client.
    pub(super) errors: Option<Arc<ErrorFormat>>,
    /// The request's id.
    pub(super) request_id: String,
    /// The model as the configuration names it, for a provider that does not.
    pub(super) model: String,
    /// Where the stream comes from.
    pub(super) target: Arc<Target>,
    /// Keeps what the client's format has no place for.
    pub(super) witness: Witness,
    /// Whether decoder and encoder are of one family, which exchanges pieces of arguments by their place.
    pub(super) takes_arguments: bool,
    /// Keeps what was said, where somebody else may have to go on.
    pub(super) said: Option<Said>,
    /// Tokens of the request, roughly.
    pub(super) input: u32,
}

/// Somebody who goes on with a stream that broke.
#[derive(Debug)]
pub(super) struct Successor {
    /// How its stream is framed.
    pub(super) from: Framing,
    /// Bounds for its frames.
    pub(super) limits: frame::Limits,
    /// Understands it.
    pub(super) decoder: ChatDecoder,
    /// Where it comes from.
    pub(super) target: Arc<Target>,
    /// Keeps what the client's format has no place for.
    pub(super) witness: Witness,
    /// What could not be told to it.
    pub(super) losses: Vec<Loss>,
    /// Tokens of its request, roughly.
    pub(super) input: u32,
}

impl Pipeline {
    /// Puts a pipeline together.
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            deframer: frame::Decoder::new(parts.from, parts.limits),
            decoder: parts.decoder,
            referee: Referee::new(&parts.request_id).with_arguments(parts.takes_arguments),
            encoder: parts.encoder,
            enframer: frame::Encoder::new(parts.to),
            errors: parts.errors,
            request_id: parts.request_id,
            frames: Vec::new(),
            model: parts.model,
            target: parts.target,
            witness: parts.witness,
            said: parts.said,
            spent: None,
            input: parts.input,
            seen: Seen::default(),
        }
    }

    /// Takes what one read gave.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let frames = &mut self.frames;
        let cut = self.deframer.push(bytes, &mut |frame| frames.push(mended(frame.to_owned())));
        self.decode(out)?;
        cut.map_err(|error| Fault::from_error(Side::Upstream, broken(&error.to_string())))
    }

    /// The upstream has ended in an orderly way.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        let frames = &mut self.frames;
        let cut = self.deframer.finish(&mut |frame| frames.push(mended(frame.to_owned())));
        self.decode(out)?;
        cut.map_err(|error| Fault::from_error(Side::Upstream, broken(&error.to_string())))?;
        let decoded = heard(self.decoder.finish(), Side::Upstream)?;
        bounds::note(&mut self.seen.losses, decoded.losses);
        let mut events = self.referee.push(decoded.events);
        if !self.referee.has_finish() && !self.seen.content && !self.referee.has_failed() {
            return Err(Fault::from_error(Side::Upstream, broken("the answer ended before it had begun")));
        }
        events.extend(self.referee.end());
        bounds::note(&mut self.seen.losses, self.referee.take_losses());
        self.encode(events, out)?;
        self.close(out)
    }

    /// The stream has broken: tells the client in its own format. Where the encoder cannot, the template does.
    /// Returns whether the client has been told.
    pub(super) fn fail(&mut self, fault: &Fault, out: &mut Vec<u8>) -> bool {
        let events = self.referee.fail(fault.error.clone());
        if events.is_empty() {
            return true;
        }
        let before = out.len();
        if fault.side != Side::Adapter
            && self.encode(events, out).and_then(|()| self.close(out)).is_ok()
            && out.len() > before
        {
            return true;
        }
        out.truncate(before);
        match reply::failure_frame(self.errors.as_deref(), &fault.error, &self.request_id) {
            Some(frame) => {
                self.enframer.push(&frame, out);
                self.enframer.finish(out);
                true
            }
            None => false,
        }
    }

    /// What was said so far, if it is such that somebody else can go on with it.
    pub(super) fn said(&self) -> Option<&str> {
        self.said.as_ref()?.text()
    }

    /// Whether the stream that broke had brought a finish: then nobody goes on with it. A decoder may keep it for the
    /// end, so that is asked for; it gets no more frames.
    pub(super) fn had_finish(&mut self) -> bool {
        let is_finish = |event: &ChatEvent| matches!(event, ChatEvent::Finish(_));
        self.referee.has_finish()
            || heard(self.decoder.finish(), Side::Upstream).is_ok_and(|last| last.events.iter().any(is_finish))
    }

    /// Tokens, input and output, of the one who breaks off that it did not tell of, roughly.
    pub(super) fn untold(&self) -> [u32; 2] {
        let output = self.said.as_ref().map_or(0, Said::tokens);
        said::untold(self.seen.usage.as_ref(), self.spent.as_ref(), [self.input, output])
    }

    /// Goes on with what somebody else says.
    pub(super) fn resume(&mut self, successor: Successor, out: &mut Vec<u8>) -> Result<(), Fault> {
        self.deframer = frame::Decoder::new(successor.from, successor.limits);
        std::mem::replace(&mut self.decoder, successor.decoder).release();
        self.frames.clear();
        self.target = successor.target;
        self.witness = successor.witness;
        self.spent.clone_from(&self.seen.usage);
        self.seen.weight = Content::default();
        self.input = successor.input;
        self.said.iter_mut().for_each(Said::goes_on);
        bounds::note(&mut self.seen.losses, successor.losses);
        out.extend_from_slice(self.enframer.resumed().unwrap_or_default());
        let events = self.referee.resume();
        self.encode(events, out)
    }

    /// The failure that the upstream told of, if it did.
    pub(super) fn failure(&self) -> Option<&Error> {
        self.seen.failure.as_ref()
    }

    /// Gives the instances back.
    pub(super) fn release(self) -> Seen {
        self.decoder.release();
        self.encoder.release();
        Seen { finished: self.referee.has_finish(), ..self.seen }
    }

    fn decode(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        if self.frames.is_empty() {
            return Ok(());
        }
        let decoded = heard(self.decoder.push(&self.frames), Side::Upstream);
        self.frames.clear();
        let decoded = decoded?;
        bounds::note(&mut self.seen.losses, decoded.losses);
        let mut events = decoded.events;
        let failure = self.said().is_some().then(|| said::split_failure(&mut events)).flatten();
        let events = self.referee.push(events);
        if self.referee.has_finish() {
            // The client hears of it at the end; nobody goes on with an answer that is complete.
            self.said = None;
        }
        self.encode(events, out)?;
        failure.map_or(Ok(()), |error| Err(Fault::from_error(Side::Upstream, bounds::error(error))))
    }

    fn encode(&mut self, mut events: Vec<ChatEvent>, out: &mut Vec<u8>) -> Result<(), Fault> {
        if events.is_empty() {
            return Ok(());
        }
        for event in &mut events {
            self.note(event);
            self.witness.see(event);
            self.said.iter_mut().for_each(|said| said.hear(event));
        }
        let encoded = heard(self.encoder.push(&events), Side::Adapter)?;
        bounds::note(&mut self.seen.losses, encoded.losses);
        encoded.frames.iter().for_each(|frame| self.enframer.push(frame, out));
        Ok(())
    }

    fn close(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        let encoded = heard(self.encoder.finish(), Side::Adapter)?;
        bounds::note(&mut self.seen.losses, encoded.losses);
        encoded.frames.iter().for_each(|frame| self.enframer.push(frame, out));
        self.enframer.finish(out);
        Ok(())
    }

    fn note(&mut self, event: &mut ChatEvent) {
        match event {
            ChatEvent::Start(start) => {
                if start.model.as_deref().is_none_or(str::is_empty) {
                    start.model = Some(self.model.clone());
                }
                self.seen.service_tier.clone_from(&start.service_tier);
            }
            ChatEvent::Delta(delta) => {
                self.seen.content = true;
                self.seen.weight.text(&delta.text);
            }
            ChatEvent::Argument(piece) => {
                self.seen.content = true;
                self.seen.weight.text(&piece.json);
            }
            ChatEvent::PartStart(start) => {
                self.seen.content = true;
                if let PartKind::ToolCall(call) = &start.kind {
                    self.seen.weight.text(&call.id);
                    self.seen.weight.text(&call.name);
                }
            }
            ChatEvent::Failure(error) => {
                *error = late_error(error.clone(), &self.target);
                self.seen.failure = Some(error.clone());
            }
            ChatEvent::Usage(usage) => {
                if let Some(spent) = &self.spent {
                    usage.add_before(spent);
                }
                match &mut self.seen.usage {
                    Some(known) => known.update(usage),
                    none => *none = Some(usage.clone()),
                }
            }
            _ => {}
        }
    }
}

fn mended(mut frame: Frame) -> Frame {
    if let std::borrow::Cow::Owned(mended) = surrogate::mend(&frame.data) {
        frame.data = mended;
    }
    frame
}

/// The error that a stream ends with when it breaks.
pub(super) fn broken(message: &str) -> Error {
    let message = format!("the provider's stream broke: {message}");
    Fault::new(Side::Upstream, ErrorKind::Upstream, message).with_status(502).error
}

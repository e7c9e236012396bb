//! The pipeline of a streamed answer through two components. It keeps nothing longer than one read.
//!
//! upstream bytes → frames → the provider's decoder → events → the validator → the dialect's encoder → frames → bytes
//!
//! If guards judge a relayed stream, the upstream's own bytes are sent in place of the encoder's (`original`).

mod breaks;
mod counted;
mod frames;
mod judged;
mod original;
mod parts;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

pub(super) use breaks::{broken, stopping};
pub(super) use original::Original;
pub(super) use parts::{Observed, Parts, Successor};

use crate::earlier_items::ItemKeeper;
use crate::guard::AnswerGuards;
use crate::reasoning_cache::ReasoningCollector;
use crate::route::Target;
use weir_sandbox::{ChatDecoder, ChatEncoder};
use weir_translate::dialect::reply;
use weir_translate::event_validator::EventValidator;
use weir_types::contract::about::ErrorFormat;
use weir_types::contract::types::{ChatEvent, Error, Frame, Framing, LossKind, Usage};
use weir_types::fault::{Fault, Side};
use weir_types::tokens::Tokens;
use weir_wire::estimate::Content;
use weir_wire::frame::{self, FrameError, FrameRef};
use weir_wire::tap::LastFrameCheck;

use self::breaks::unframed;
use self::frames::{ReadBytes, mended, room};
use super::frame_room::FrameRoom;
use super::outflow::Outflow;
use super::partial_answer::{self, PartialAnswer};
use super::send::late_error;
use super::usage_cost::UsageCost;
use weir_translate::bounds;
use weir_translate::unified::attribute;

/// The state of one stream.
#[derive(Debug)]
pub(super) struct Pipeline {
    deframer: frame::Decoder,
    room: FrameRoom,
    decoder: ChatDecoder,
    last_frame: Option<LastFrameCheck>,
    /// Whether the last frame has been read.
    is_over: bool,
    validator: EventValidator,
    /// `None` for a program, which takes the events.
    encoder: Option<ChatEncoder>,
    enframer: frame::Encoder,
    errors: Option<Arc<ErrorFormat>>,
    request_id: String,
    frames: Vec<Frame>,
    model: String,
    /// The target that the stream comes from.
    pub(super) target: Arc<Target>,
    collector: ReasoningCollector,
    item_keeper: Option<ItemKeeper>,
    /// The text so far, if another target may have to continue the stream.
    partial: Option<PartialAnswer>,
    /// The guards that judge the answer.
    guards: Option<Box<AnswerGuards>>,
    /// The upstream's bytes, sent in place of the encoder's as long as guards let everything through.
    original: Option<Original>,
    /// Whether the client got all of the provider's bytes.
    is_unchanged: bool,
    from: Framing,
    /// Whether a guard has refused the answer, so that it has ended for the client.
    is_refused: bool,
    /// Usage of targets whose streams broke.
    spent: Option<Usage>,
    /// The request's input tokens, estimated.
    input: u32,
    /// Prices the usage for a client that asked for it.
    usage_cost: Option<UsageCost>,
    /// What has passed so far.
    pub(super) seen: Observed,
}

impl Pipeline {
    /// Creates a pipeline.
    pub(super) fn new(parts: Parts) -> Self {
        Self {
            deframer: frame::Decoder::new(parts.from, parts.limits),
            room: parts.room,
            decoder: parts.decoder,
            last_frame: parts.last_frame,
            is_over: false,
            validator: EventValidator::new(&parts.request_id).with_arguments(parts.takes_arguments),
            encoder: parts.encoder,
            enframer: frame::Encoder::new(parts.to),
            errors: parts.errors,
            request_id: parts.request_id,
            frames: Vec::new(),
            model: parts.model,
            target: parts.target,
            collector: parts.collector,
            item_keeper: parts.item_keeper,
            partial: parts.partial,
            guards: parts.guards,
            original: parts.original,
            is_unchanged: false,
            from: parts.from,
            is_refused: false,
            spent: None,
            input: parts.input,
            usage_cost: parts.usage_cost,
            seen: Observed { answer_facts: parts.is_traced.then(Box::default), ..Observed::default() },
        }
    }

    /// How long a piece may wait to be judged together with the next ones; `None` if each is read as it comes.
    pub(super) fn judge_every(&self) -> Option<Duration> {
        self.guards.as_ref()?.judge_every()
    }

    /// Processes the bytes of one read, or of several, and appends the client's bytes to `out`.
    pub(super) fn push(&mut self, pieces: &[Bytes], out: &mut Outflow) -> Result<(), Fault> {
        if self.is_refused {
            return Ok(());
        }
        let cut = pieces.iter().try_for_each(|bytes| self.cut(bytes));
        let room = self.room.follow(self.deframer.held());
        self.decode(out)?;
        self.send_original(out)?;
        cut.map_err(|error| unframed(&error))?;
        Ok(room?)
    }

    /// Cuts bytes into frames.
    fn cut(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        let frames = &mut self.frames;
        let read = ReadBytes::new(bytes);
        let mut each = |frame: FrameRef<'_>| frames.push(read.frame(frame));
        let Some(original) = &mut self.original else { return self.deframer.push(bytes, &mut each) };
        let mut rest = bytes;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(Original::piece(self.from, rest));
            self.deframer.push(piece, &mut each)?;
            original.take(piece, self.deframer.is_between());
            rest = after;
        }
        Ok(())
    }

    /// Ends the stream: the upstream ended in an orderly way.
    pub(super) fn end(&mut self, out: &mut Outflow) -> Result<(), Fault> {
        if self.is_refused {
            return Ok(());
        }
        let frames = &mut self.frames;
        let cut = self.deframer.finish(&mut |frame| frames.push(mended(frame.to_owned())));
        self.decode(out)?;
        cut.map_err(|error| unframed(&error))?;
        let decoded = attribute(self.decoder.finish(), Side::Upstream)?;
        let is_made_up = decoded.losses.iter().any(|loss| loss.kind == LossKind::Approximated);
        self.seen.has_made_up_end = is_made_up || self.last_frame.is_some() && !self.is_over;
        bounds::note(&mut self.seen.losses, decoded.losses);
        self.hear(&decoded.events);
        let mut events = self.validator.push(decoded.events);
        if !self.validator.has_finish() && !self.seen.content && !self.validator.has_failed() {
            return Err(Fault::from_error(Side::Upstream, broken("the answer ended before it had begun")));
        }
        events.extend(self.validator.end());
        bounds::note(&mut self.seen.losses, self.validator.take_losses());
        self.encode(&[], events, out)?;
        self.judge_end(out)?;
        if self.is_refused || self.ends_unchanged(out)? { Ok(()) } else { self.close(out) }
    }

    /// Ends the stream with a failure in the client's format, from the encoder or else from the template. Returns
    /// whether the client gets the failure.
    pub(super) fn fail(&mut self, fault: &Fault, out: &mut Outflow) -> bool {
        let events = self.validator.fail(fault.error.clone());
        if events.is_empty() {
            return true;
        }
        let events = match &mut self.guards {
            Some(guards) => guards.cut(events),
            None => events,
        };
        let is_ready = self.leave_original(out).is_ok();
        let before = out.bytes.len();
        if is_ready
            && (fault.side != Side::Adapter || self.encoder.is_none())
            && self.send(events, out).and_then(|()| self.close(out)).is_ok()
            && (out.bytes.len() > before || self.encoder.is_none())
        {
            return true;
        }
        out.bytes.truncate(before);
        match reply::failure_frame(self.errors.as_deref(), &fault.error, &self.request_id) {
            Some(frame) => {
                self.enframer.push(&frame, &mut out.bytes);
                self.enframer.finish(&mut out.bytes);
                true
            }
            None => false,
        }
    }

    /// The text so far, if another target can continue it.
    pub(super) fn partial(&self) -> Option<&str> {
        self.partial.as_ref()?.text()
    }

    /// Whether the broken stream had brought a finish, in which case it is not continued. Also finishes the decoder,
    /// which may hold a finish back; the decoder gets no more frames.
    pub(super) fn had_finish(&mut self) -> bool {
        let is_finish = |event: &ChatEvent| matches!(event, ChatEvent::Finish(_));
        self.validator.has_finish()
            || attribute(self.decoder.finish(), Side::Upstream).is_ok_and(|last| last.events.iter().any(is_finish))
    }

    /// Input and output tokens of the broken part beyond the reported usage, estimated.
    pub(super) fn unreported(&self) -> [u32; 2] {
        let output = self.partial.as_ref().map_or(0, PartialAnswer::tokens);
        partial_answer::unreported(self.seen.usage.as_ref(), self.spent.as_ref(), [self.input, output])
    }

    /// Switches to the stream of another target.
    pub(super) fn resume(&mut self, successor: Successor, out: &mut Outflow) -> Result<(), Fault> {
        self.deframer = frame::Decoder::new(successor.from, successor.limits);
        self.from = successor.from;
        std::mem::replace(&mut self.decoder, successor.decoder).release();
        (self.last_frame, self.is_over) = (successor.last_frame, false);
        self.frames.clear();
        self.target = successor.target;
        self.collector = successor.collector;
        self.spent.clone_from(&self.seen.usage);
        // What the first target reported about itself does not describe the next one.
        (self.seen.service_tier, self.seen.model) = (None, None);
        self.seen.usage.iter_mut().for_each(Usage::forget_service);
        self.seen.weight = Content::default();
        self.input = successor.input;
        // The parts have different prices: only the request log reports the cost of such an answer.
        self.usage_cost = None;
        self.partial.iter_mut().for_each(PartialAnswer::goes_on);
        bounds::note(&mut self.seen.losses, successor.losses);
        if self.encoder.is_some() {
            out.bytes.extend_from_slice(self.enframer.resumed().unwrap_or_default());
        }
        let events = self.validator.resume();
        self.encode(&[], events, out)
    }

    /// The failure that the upstream's stream reported, if any.
    pub(super) fn failure(&self) -> Option<&Error> {
        self.seen.failure.as_ref()
    }

    /// The tokens that the provider has reported so far.
    pub(super) fn reported(&self) -> Tokens {
        self.seen.usage.as_ref().map(Tokens::from).unwrap_or_default()
    }

    /// Whether the provider has sent the frame that ends the stream.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether a guard has refused the answer: the output has its end, and nothing more is read.
    pub(super) fn is_refused(&self) -> bool {
        self.is_refused
    }

    /// Whether the client has got the provider's own bytes so far.
    pub(super) fn is_original(&self) -> bool {
        self.is_unchanged || self.original.is_some()
    }

    /// Whether a program takes the events as they are.
    pub(super) fn is_for_program(&self) -> bool {
        self.encoder.is_none()
    }

    /// Returns the instances to their pools.
    pub(super) fn release(mut self) -> Observed {
        let is_original = self.is_original();
        self.decoder.release();
        self.encoder.into_iter().for_each(ChatEncoder::release);
        if let Some(mut guards) = self.guards {
            bounds::note(&mut self.seen.losses, guards.take_losses());
            // The guards' notes are counted and logged only: the answer's head has been sent.
            guards.conclude();
        }
        // Nothing is lost in the provider's own bytes.
        let losses = if is_original { Vec::new() } else { self.seen.losses };
        Observed { finished: self.validator.has_finish(), losses, ..self.seen }
    }

    fn decode(&mut self, out: &mut Outflow) -> Result<(), Fault> {
        if self.frames.is_empty() {
            return Ok(());
        }
        let mut frames = std::mem::take(&mut self.frames);
        if let Some(last) = &mut self.last_frame {
            self.is_over |= frames.iter().any(|frame| last.is_last(FrameRef::from(frame)));
        }
        let decoded = attribute(self.decoder.push(&frames), Side::Upstream)?;
        if decoded.events.iter().any(|event| matches!(event, ChatEvent::Finish(_))) {
            self.original.iter_mut().for_each(Original::ends);
        }
        bounds::note(&mut self.seen.losses, decoded.losses);
        self.hear(&decoded.events);
        let mut events = decoded.events;
        let failure = self.partial().is_some().then(|| partial_answer::split_failure(&mut events)).flatten();
        let events = self.validator.push(events);
        if self.validator.has_finish() {
            // The finish is sent at the end of the stream; a complete answer is not continued.
            self.partial = None;
        }
        self.encode(&frames, events, out)?;
        // The allocation is used again.
        frames.clear();
        self.frames = frames;
        failure.map_or(Ok(()), |error| Err(Fault::from_error(Side::Upstream, bounds::error(error))))
    }

    fn send(&mut self, mut events: Vec<ChatEvent>, out: &mut Outflow) -> Result<(), Fault> {
        self.observe(&mut events);
        self.write(events, out)
    }

    /// Observes events that are sent on.
    fn observe(&mut self, events: &mut [ChatEvent]) {
        for event in events {
            self.note(event);
            self.collector.see(event);
            self.partial.iter_mut().for_each(|partial| partial.observe(event));
        }
    }

    /// Writes events with the encoder.
    fn write(&mut self, mut events: Vec<ChatEvent>, out: &mut Outflow) -> Result<(), Fault> {
        if events.is_empty() {
            return Ok(());
        }
        let Some(encoder) = &mut self.encoder else {
            out.events.append(&mut events);
            return Ok(());
        };
        let encoded = attribute(encoder.push(&events), Side::Adapter)?;
        bounds::note(&mut self.seen.losses, encoded.losses);
        out.bytes.reserve(room(&encoded.frames));
        encoded.frames.iter().for_each(|frame| self.enframer.push(frame, &mut out.bytes));
        Ok(())
    }

    fn close(&mut self, out: &mut Outflow) -> Result<(), Fault> {
        let Some(encoder) = &mut self.encoder else { return Ok(()) };
        let encoded = attribute(encoder.finish(), Side::Adapter)?;
        bounds::note(&mut self.seen.losses, encoded.losses);
        if let Some(keeper) = &self.item_keeper {
            encoded.frames.iter().for_each(|frame| keeper.keep(&frame.data));
        }
        encoded.frames.iter().for_each(|frame| self.enframer.push(frame, &mut out.bytes));
        self.enframer.finish(&mut out.bytes);
        Ok(())
    }

    /// Observes an event that is sent on, and adds what Weir knows about it.
    fn note(&mut self, event: &mut ChatEvent) {
        match event {
            ChatEvent::Start(start) if start.model.as_deref().is_none_or(str::is_empty) => {
                start.model = Some(self.model.clone());
            }
            ChatEvent::Failure(error) => {
                *error = late_error(error.clone(), &self.target);
                self.seen.failure = Some(error.clone());
            }
            _ => {}
        }
    }
}

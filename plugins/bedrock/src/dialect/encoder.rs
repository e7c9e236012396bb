//! Writes a streamed answer: blocks one after the other, each ended once.
//!
//! Text and thinking have no beginning of their own: an empty one is refused by the official clients (C-85). Only calls
//! are begun. Parts may overlap in the unified stream. The first that begins holds the floor; what belongs to others
//! waits until it has ended (C-05).

mod block;
mod frames;

use block::Floor;
use weir_sdk::adapter::{Encoder, Result};
use weir_sdk::ledger::Ledger;
use weir_sdk::types::{ChatEvent, Context, Encoded, Error, Finish, Frame, Opaque, PartKind, PartStart, Usage};

use crate::finish::Seen;
use crate::{FORMAT, usage};

/// Events that may wait for the floor.
const WAITING_LIMIT: usize = 1 << 16;
/// Kinds of lost events that are told apart.
const LOST_LIMIT: usize = 64;

/// Writes frames of this format.
#[derive(Debug)]
pub struct ConverseEncoder {
    ctx: Context,
    begun: bool,
    failed: bool,
    finish: Option<Finish>,
    usage: Usage,
    /// What an answer of this format said at its end: members of `messageStop`, and of `metadata`.
    end: Vec<Opaque>,
    seen: Seen,
    /// What came for which there is no place: said once each.
    lost: Vec<String>,
    floor: Floor,
    /// Parts that wait for the floor, in the order of their beginning, with their events.
    waiting: Vec<(u32, Vec<ChatEvent>)>,
    waiting_events: usize,
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
            seen: Seen::default(),
            lost: Vec::new(),
            floor: Floor::default(),
            waiting: Vec::new(),
            waiting_events: 0,
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
            ChatEvent::Usage(later) => usage::merge(&mut self.usage, later),
            ChatEvent::Finish(one) if one.candidate == 0 => self.finish = Some(one.finish),
            ChatEvent::Failure(error) => self.fail(&error),
            ChatEvent::Logprobs(_) => self.lose("logprobs", "the format has no place for them"),
            ChatEvent::Opaque(opaque) => self.opaque(opaque),
            event => return self.of_part(event),
        }
        Ok(())
    }

    /// Some things come with every frame, and are said once.
    fn lose(&mut self, what: &str, why: &str) {
        if self.lost.len() < LOST_LIMIT && !self.lost.iter().any(|known| known == what) {
            self.ledger.dropped(what, why);
            self.lost.push(what.to_owned());
        }
    }

    /// Events of this format bring members of its last frames, or are frames of their own.
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

    /// An event of a part goes to the part that holds the floor, or waits.
    fn of_part(&mut self, event: ChatEvent) -> Result<()> {
        let Some((candidate, part)) = block::place(&event) else { return Ok(()) };
        if candidate != 0 {
            self.lose("candidates", "the format has room for the first one only");
            return Ok(());
        }
        if self.floor.holds(part) {
            self.on_floor(event);
            return Ok(());
        }
        self.begin();
        if self.floor.is_free() && self.waiting.is_empty() {
            self.take_floor(event);
            return Ok(());
        }
        self.wait(part, event)
    }

    fn wait(&mut self, part: u32, event: ChatEvent) -> Result<()> {
        self.waiting_events += 1;
        if self.waiting_events > WAITING_LIMIT {
            return Err(Error::unreadable("too many events wait for a part that does not end"));
        }
        match self.waiting.iter_mut().find(|(known, _)| *known == part) {
            Some((_, events)) => events.push(event),
            None => self.waiting.push((part, vec![event])),
        }
        Ok(())
    }

    fn take_floor(&mut self, event: ChatEvent) {
        if let ChatEvent::PartStart(PartStart { part, kind, .. }) = event {
            self.seen.call |= matches!(kind, PartKind::ToolCall(_));
            self.seen.refusal |= kind == PartKind::Refusal;
            self.floor.begin(part, kind, &mut self.frames, &mut self.ledger);
        }
    }

    fn on_floor(&mut self, event: ChatEvent) {
        let stopped = matches!(event, ChatEvent::PartStop(_));
        self.floor.event(event, &mut self.frames, &mut self.ledger);
        if stopped {
            self.next();
        }
    }

    /// Gives the floor to whoever waits longest.
    fn next(&mut self) {
        while self.floor.is_free() && !self.waiting.is_empty() {
            let (_, events) = self.waiting.remove(0);
            self.waiting_events -= events.len();
            for event in events {
                if self.floor.is_free() {
                    self.take_floor(event);
                } else {
                    self.floor.event(event, &mut self.frames, &mut self.ledger);
                }
            }
        }
    }

    fn close_all(&mut self) {
        while !self.floor.is_free() {
            self.floor.close(&mut self.frames);
            self.next();
        }
    }

    fn begin(&mut self) {
        if !std::mem::replace(&mut self.begun, true) {
            self.frames.push(frames::fixed("messageStart", r#"{"role":"assistant"}"#));
        }
    }

    fn write_end(&mut self) {
        let own = |kind: &str| self.end.iter().find(|own| own.kind == kind).map(|own| own.json.as_str());
        let (stop, metadata) = (own("messageStop"), own("metadata"));
        self.frames.push(frames::message_stop(self.finish.as_ref(), self.seen, stop, &mut self.ledger));
        self.frames.push(frames::metadata(&self.ctx, &self.usage, metadata, &mut self.ledger));
    }

    /// Nothing follows an error (C-19).
    fn fail(&mut self, error: &Error) {
        self.failed = true;
        self.begin();
        self.frames.push(frames::exception(error));
    }
}

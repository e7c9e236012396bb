//! Renders a streamed answer: each frame is an answer with the next pieces.
//!
//! Text and thinking go out as they arrive. A call goes out whole, once its arguments are complete, and calls keep the
//! order of their starts. The last frame has the finish reasons and the usage; a failure is an error object, and
//! nothing follows it (C-19).

mod candidate;
mod partial;

use candidate::Written;
use weir_sdk::adapter::{Encoder, Result};
use weir_sdk::json::{Object, object, parse};
use weir_sdk::losses::{Losses, is_note};
use weir_sdk::types::{ChatEvent, Context, Encoded, Error, Extension, Frame, Opaque, ResponseStart, Usage};

use super::response::tail;
use crate::manifest::spelling;
use crate::wire::{Unnamed, own};
use crate::{FORMAT, usage, write};

/// Most candidates of one answer.
const CANDIDATES: usize = 64;
/// Most bytes of buffered arguments.
const WAITING_LIMIT: usize = 8 << 20;

/// Renders frames of this format.
#[derive(Debug)]
pub struct GenerateEncoder {
    ctx: Context,
    start: Option<ResponseStart>,
    candidates: Vec<Written>,
    usage: Usage,
    /// Members of the answer for the next frame.
    members: Vec<Extension>,
    waiting: usize,
    failed: bool,
    losses: Losses,
    frames: Vec<Frame>,
}

impl Encoder for GenerateEncoder {
    fn new(ctx: Context) -> Self {
        Self {
            ctx,
            start: None,
            candidates: Vec::new(),
            usage: Usage::default(),
            members: Vec::new(),
            waiting: 0,
            failed: false,
            losses: Losses::default(),
            frames: Vec::new(),
        }
    }

    fn push(&mut self, events: Vec<ChatEvent>) -> Result<Encoded> {
        for event in events {
            if !self.failed {
                self.event(event)?;
            }
        }
        let brings = self.candidates.iter().any(Written::brings);
        if brings && !self.failed {
            self.flush(false);
        }
        Ok(self.encoded())
    }

    fn finish(&mut self) -> Result<Encoded> {
        if !self.failed {
            for candidate in &mut self.candidates {
                candidate.release_all(&mut self.losses);
            }
            self.flush(true);
        }
        Ok(self.encoded())
    }
}

impl GenerateEncoder {
    fn encoded(&mut self) -> Encoded {
        let losses = std::mem::take(&mut self.losses).into_losses();
        Encoded { frames: std::mem::take(&mut self.frames), losses }
    }

    fn event(&mut self, event: ChatEvent) -> Result<()> {
        match event {
            ChatEvent::Start(start) => {
                self.losses.foreign("", &start.extensions, FORMAT);
                let own = start.extensions.iter().filter(|own| own.format == FORMAT);
                self.members.extend(own.cloned());
                self.start = Some(start);
            }
            ChatEvent::Usage(later) => {
                self.losses.foreign("usage.", &later.extensions, FORMAT);
                self.usage.update(later);
            }
            ChatEvent::Failure(error) => {
                // What came before in the same read.
                if self.candidates.iter().any(Written::brings) {
                    self.flush(false);
                }
                self.fail(&error);
            }
            ChatEvent::Opaque(opaque) => self.opaque(&opaque),
            event => self.of_candidate(event)?,
        }
        Ok(())
    }

    fn of_candidate(&mut self, event: ChatEvent) -> Result<()> {
        let Some(index) = candidate::index(&event) else { return Ok(()) };
        if let ChatEvent::Delta(delta) = &event {
            self.waiting += delta.text.len();
            // Text is not buffered for long; the limit is for arguments, which are counted along with it.
            let held: usize = if self.waiting > WAITING_LIMIT { self.held() } else { 0 };
            if held > WAITING_LIMIT {
                return Err(Error::unreadable("a call's arguments are too large"));
            }
        }
        let Some(at) = self.candidate(index) else { return Ok(()) };
        self.candidates[at].event(event, &mut self.losses);
        Ok(())
    }

    fn held(&self) -> usize {
        self.candidates.iter().map(Written::held).sum()
    }

    fn candidate(&mut self, index: u32) -> Option<usize> {
        let known = self.candidates.iter().position(|written| written.index == index);
        if known.is_some() || self.candidates.len() >= CANDIDATES {
            return known;
        }
        // Sorted by index: clients take the first candidate of a frame for the answer.
        let at = self.candidates.partition_point(|written| written.index < index);
        self.candidates.insert(at, Written::new(index));
        Some(at)
    }

    /// Takes members of this format, for the answer or for a candidate.
    fn opaque(&mut self, opaque: &Opaque) {
        if opaque.format != FORMAT {
            return self.losses.dropped_if(!is_note(opaque), &opaque.kind, "it belongs to another format");
        }
        let Ok(Unnamed { mut rest }) = parse::<Unnamed<'_>>(&opaque.json) else { return };
        let index = rest.take("index").and_then(|raw| raw.get().parse().ok());
        let members = rest.0.iter().map(|(key, raw)| own(key.to_string(), raw.get()));
        match index {
            None => self.members.extend(members),
            Some(index) => {
                let members: Vec<Extension> = members.collect();
                if let Some(at) = self.candidate(index) {
                    self.candidates[at].members.extend(members);
                }
            }
        }
    }

    /// Writes one frame with everything buffered.
    fn flush(&mut self, last: bool) {
        let mut data = String::with_capacity(512);
        let refused = last && self.is_refused();
        object(&mut data, |o| {
            if !refused {
                o.array("candidates", |a| {
                    for candidate in self.candidates.iter_mut().filter(|one| last || one.brings()) {
                        a.object(|o| candidate.write(o, last, &mut self.losses));
                    }
                });
            }
            let members = std::mem::take(&mut self.members);
            write::members(o, &members, "");
            if last {
                let tier = self.start.as_ref().and_then(|start| start.service_tier.as_deref());
                usage::write(o, &self.usage, self.ctx.input_tokens, tier, &mut self.losses);
            }
            self.tail(o);
        });
        self.frames.push(Frame { event: None, data });
    }

    fn tail(&self, o: &mut Object<'_>) {
        let start = self.start.as_ref();
        let model = start.and_then(|start| start.model.as_deref());
        tail(o, &self.ctx, model, start.map_or("", |start| start.id.as_str()));
    }

    /// Whether this format's service refused the prompt; such an answer has no candidates.
    fn is_refused(&self) -> bool {
        let reported = |own: &Extension| own.key == "promptFeedback" && own.json.contains("lockReason");
        self.members.iter().any(reported) && !self.candidates.iter().any(|one| one.brings() || one.has_begun())
    }

    fn fail(&mut self, error: &Error) {
        self.failed = true;
        let (name, status) = spelling(error.kind);
        let mut data = String::with_capacity(error.message.len() + 96);
        object(&mut data, |o| {
            o.object("error", |o| {
                o.num("code", error.status.unwrap_or(status));
                o.str("message", if error.message.is_empty() { "the provider failed" } else { &error.message });
                o.str("status", name);
            });
        });
        self.frames.push(Frame { event: None, data });
    }
}

//! Renders a streamed answer, a line for each piece.
//!
//! Text and thinking go out as they arrive. A call goes out whole, once its arguments are complete, and calls keep the
//! order of their starts. The last line has the finish reason and the counts; a failure is a separate line, and nothing
//! follows it (C-19).

use weir_sdk::adapter::{Encoder, Result};
use weir_sdk::compat::logprobs::joined;
use weir_sdk::json::{Object, object};
use weir_sdk::losses::{Losses, Once, is_note};
use weir_sdk::types::{
    ChatEvent, Context, Encoded, Error, Extension, Finish, Frame, MediaPart, PartDelta, PartKind, PartStart, PartStop,
    ResponseStart, ToolStart, Usage,
};

use super::response::{image, lose_image, members, write_logprobs};
use super::{GENERATES, head};
use crate::body::NO_PLACE;
use crate::tools::{Written, lose};
use crate::{finish, usage};

/// Most bytes of buffered arguments.
const WAITING_LIMIT: usize = 8 << 20;
/// Most parts that may be open at once.
const OPEN_LIMIT: usize = 256;

/// Renders lines of this format.
#[derive(Debug)]
pub struct LineEncoder {
    ctx: Context,
    generates: bool,
    start: Option<ResponseStart>,
    /// The members that every line begins with; empty until the first line.
    head: String,
    /// Open parts of text or thinking.
    open: Vec<(u32, Spoken)>,
    /// Calls that have not gone out, in the order of their starts.
    calls: Vec<Call>,
    n_calls: u32,
    waiting: usize,
    /// Log probabilities for the next line.
    logprobs: Vec<String>,
    finish: Option<Finish>,
    usage: Usage,
    failed: bool,
    /// Whether an image has gone out; the format has room for one.
    pictured: bool,
    /// Losses that were reported; some recur with every event.
    lost: Once,
    losses: Losses,
    frames: Vec<Frame>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Spoken {
    Text,
    Thinking,
}

#[derive(Debug)]
struct Call {
    part: u32,
    start: ToolStart,
    arguments: String,
    /// Set when the call is complete.
    extensions: Option<Vec<Extension>>,
}

impl Encoder for LineEncoder {
    fn new(ctx: Context) -> Self {
        Self {
            generates: ctx.memo == GENERATES,
            ctx,
            start: None,
            head: String::new(),
            open: Vec::new(),
            calls: Vec::new(),
            n_calls: 0,
            waiting: 0,
            logprobs: Vec::new(),
            finish: None,
            usage: Usage::default(),
            failed: false,
            pictured: false,
            lost: Once::default(),
            losses: Losses::default(),
            frames: Vec::new(),
        }
    }

    fn push(&mut self, events: Vec<ChatEvent>) -> Result<Encoded> {
        self.frames.reserve(events.len());
        for event in events {
            if !self.failed {
                self.event(event)?;
            }
        }
        Ok(self.encoded())
    }

    fn finish(&mut self) -> Result<Encoded> {
        if !self.failed {
            self.calls.iter_mut().for_each(|call| _ = call.extensions.get_or_insert_default());
            self.release();
            self.end();
        }
        Ok(self.encoded())
    }
}

impl LineEncoder {
    fn encoded(&mut self) -> Encoded {
        let losses = std::mem::take(&mut self.losses).into_losses();
        Encoded { frames: std::mem::take(&mut self.frames), losses }
    }

    fn event(&mut self, event: ChatEvent) -> Result<()> {
        match event {
            ChatEvent::Delta(delta) if delta.candidate == 0 => return self.delta(&delta),
            ChatEvent::PartStart(start) if start.candidate == 0 => self.begin(start),
            ChatEvent::PartStart(_) => self.lose("candidates", "the format has room for the first one only"),
            ChatEvent::PartStop(stop) if stop.candidate == 0 => self.stop(stop),
            ChatEvent::Start(start) => {
                let lost = start.service_tier.is_some();
                self.losses.dropped_if(lost, "service_tier", NO_PLACE);
                self.start = Some(start);
            }
            ChatEvent::Usage(later) => self.usage.update(later),
            ChatEvent::Finish(one) if one.candidate == 0 => self.finish = Some(one.finish),
            ChatEvent::Logprobs(one) if one.candidate == 0 => self.logprobs.push(one.json),
            ChatEvent::Failure(error) => self.fail(&error),
            ChatEvent::Signature(_) => self.lose("signature", NO_PLACE),
            ChatEvent::Citation(_) => self.lose("citations", NO_PLACE),
            ChatEvent::Opaque(opaque) if is_note(&opaque) => {}
            ChatEvent::Opaque(opaque) => self.lose(&opaque.kind, "it belongs to another format"),
            _ => {}
        }
        Ok(())
    }

    fn lose(&mut self, what: &str, why: &str) {
        self.lost.dropped(what, why, &mut self.losses);
    }

    fn begin(&mut self, start: PartStart) {
        let spoken = match start.kind {
            PartKind::Text => Spoken::Text,
            PartKind::Reasoning => Spoken::Thinking,
            PartKind::Refusal => {
                self.losses.approximated("refusal", "sent as text");
                Spoken::Text
            }
            PartKind::ToolCall(call) => return self.call(start.part, call),
            PartKind::Opaque(opaque) => return self.lose(&opaque.kind, "it belongs to another format"),
            PartKind::Media(media) => {
                self.image(&media);
                return;
            }
        };
        if self.open.len() < OPEN_LIMIT {
            self.open.push((start.part, spoken));
        }
    }

    fn call(&mut self, part: u32, start: ToolStart) {
        if start.signature.is_some() {
            self.lose("signature", NO_PLACE);
        }
        self.calls.push(Call { part, start, arguments: String::new(), extensions: None });
    }

    fn delta(&mut self, delta: &PartDelta) -> Result<()> {
        let known = self.open.iter().find(|(part, _)| *part == delta.part).map(|(_, spoken)| *spoken);
        if let Some(spoken) = known {
            if !delta.text.is_empty() {
                self.say(spoken, &delta.text);
            }
            return Ok(());
        }
        let Some(call) = self.calls.iter_mut().find(|call| call.part == delta.part) else { return Ok(()) };
        self.waiting += delta.text.len();
        if self.waiting > WAITING_LIMIT {
            return Err(Error::unreadable("the arguments of calls are too large"));
        }
        call.arguments.push_str(&delta.text);
        Ok(())
    }

    fn stop(&mut self, stop: PartStop) {
        if let Some(at) = self.open.iter().position(|(part, _)| *part == stop.part) {
            self.open.remove(at);
            return lose(&stop.extensions, "content.", &mut self.losses);
        }
        if let Some(call) = self.calls.iter_mut().find(|call| call.part == stop.part) {
            call.extensions = Some(stop.extensions);
            self.release();
        }
    }

    /// Writes the complete calls, up to the first incomplete one.
    fn release(&mut self) {
        let is_complete = |call: &Call| call.extensions.is_some();
        while self.calls.first().is_some_and(is_complete) {
            let call = self.calls.remove(0);
            self.waiting -= call.arguments.len();
            let index = self.n_calls;
            self.n_calls += 1;
            let extensions = call.extensions.unwrap_or_default();
            let written = Written::streamed(&call.start, &call.arguments, index, &extensions);
            let mut losses = std::mem::take(&mut self.losses);
            let mut json = String::with_capacity(call.arguments.len() + 128);
            object(&mut json, |o| written.write(o, &format!("tool_calls[{index}]"), &mut losses));
            self.losses = losses;
            self.line(|o, generates| {
                piece(o, generates, Spoken::Text, "", |o| o.array("tool_calls", |a| a.raw(&json)));
            });
        }
    }

    fn say(&mut self, spoken: Spoken, text: &str) {
        self.line(|o, generates| piece(o, generates, spoken, text, |_| {}));
    }

    fn image(&mut self, media: &MediaPart) {
        if !self.generates || std::mem::replace(&mut self.pictured, true) {
            return lose_image(self.generates, &mut self.losses);
        }
        if let Some(data) = image(media, &mut self.losses).map(str::to_owned) {
            self.line(|o, generates| piece(o, generates, Spoken::Text, "", |o| o.str("image", &data)));
        }
    }

    /// Writes a line that is not the last.
    fn line(&mut self, members: impl FnOnce(&mut Object<'_>, bool)) {
        let logprobs = joined(std::mem::take(&mut self.logprobs));
        let mut losses = std::mem::take(&mut self.losses);
        self.frame(|o, generates| {
            members(o, generates);
            write_logprobs(o, logprobs.as_deref(), &mut losses);
            o.bool("done", false);
        });
        self.losses.append(losses.into_losses());
    }

    fn end(&mut self) {
        let (usage, finish) = (std::mem::take(&mut self.usage), self.finish.take());
        let logprobs = joined(std::mem::take(&mut self.logprobs));
        let mut losses = std::mem::take(&mut self.losses);
        self.frame(|o, generates| {
            piece(o, generates, Spoken::Text, "", |_| {});
            write_logprobs(o, logprobs.as_deref(), &mut losses);
            o.bool("done", true);
            o.str("done_reason", finish::write(finish.as_ref(), &mut losses));
            usage::write(o, &usage);
        });
        lose(&usage.extensions, "usage.", &mut losses);
        self.losses.append(losses.into_losses());
    }

    /// Writes a frame. Every line repeats the head, which is rendered once.
    fn frame(&mut self, members: impl FnOnce(&mut Object<'_>, bool)) {
        if self.head.is_empty() {
            self.write_head();
        }
        let mut data = String::with_capacity(self.head.len() + 128);
        object(&mut data, |o| {
            o.members(&self.head);
            members(o, self.generates);
        });
        self.frames.push(Frame { event: None, data });
    }

    fn write_head(&mut self) {
        let start = self.start.take().unwrap_or_default();
        let mut out = String::with_capacity(96);
        object(&mut out, |o| {
            head(o, &self.ctx, start.model.as_deref(), start.created_ms);
            members(o, &start.extensions, &mut self.losses, "");
        });
        self.head = out.get(1..out.len() - 1).unwrap_or_default().to_owned();
    }

    fn fail(&mut self, error: &Error) {
        self.failed = true;
        let mut data = String::with_capacity(error.message.len() + 16);
        let message = if error.message.is_empty() { "the provider failed" } else { &error.message };
        object(&mut data, |o| o.str("error", message));
        self.frames.push(Frame { event: None, data });
    }
}

/// The members of a line with a delta.
fn piece(o: &mut Object<'_>, generates: bool, spoken: Spoken, text: &str, more: impl FnOnce(&mut Object<'_>)) {
    let (content, thinking) = if spoken == Spoken::Text { (text, None) } else { ("", Some(text)) };
    if generates {
        o.str("response", content);
        o.opt_str("thinking", thinking);
        return more(o);
    }
    o.object("message", |o| {
        o.str("role", "assistant");
        o.str("content", content);
        o.opt_str("thinking", thinking);
        more(o);
    });
}

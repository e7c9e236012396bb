//! Parses a streamed answer of either endpoint, line by line.
//!
//! The most frequent line has a few letters: one pass over it, one string copied. Calls come whole.

use weir_sdk::adapter::{Decoder, Result};
use weir_sdk::json::{Rest, Str, parse};
use weir_sdk::losses::extensions;
use weir_sdk::types::{
    CandidateFinish, CandidateLogprobs, ChatEvent, Context, Decoded, Error, Extension, Frame, Part, PartDelta,
    PartKind, PartStart, PartStop, ResponseStart, ToolCall, ToolStart,
};

use super::error;
use super::response::{created_ms, unified_logprobs};
use crate::dialect::history::read_call;
use crate::tools::Ids;
use crate::{CHAT, body, finish, usage, wire};

/// Most calls of one answer.
const CALLS_LIMIT: usize = 1024;

/// Parses lines of this format.
#[derive(Debug)]
pub struct LineDecoder {
    ids: Ids,
    started: bool,
    /// The open part, and whether it is thinking.
    open: Option<(u32, bool)>,
    /// Number of the next part.
    next: u32,
    n_calls: usize,
    /// Whether the last line or an error has arrived: nothing is missing.
    ended: bool,
    events: Vec<ChatEvent>,
}

impl Decoder for LineDecoder {
    fn new(ctx: Context) -> Self {
        let ids = Ids::of_answer(&ctx.request_id);
        Self { ids, started: false, open: None, next: 0, n_calls: 0, ended: false, events: Vec::new() }
    }

    fn push(&mut self, frames: Vec<Frame>) -> Result<Decoded> {
        self.events.reserve(frames.len() + 1);
        for frame in &frames {
            if !self.ended && !frame.data.is_empty() {
                self.line(&frame.data)?;
            }
        }
        Ok(Decoded { events: std::mem::take(&mut self.events), losses: Vec::new() })
    }

    /// Fails without the last line: the answer was cut off, even if its bytes ended in an orderly way (C-19).
    fn finish(&mut self) -> Result<Decoded> {
        if !self.ended {
            self.ended = true;
            self.events.push(ChatEvent::Failure(Error::unreadable("the answer ended before it was complete")));
        }
        Ok(Decoded { events: std::mem::take(&mut self.events), losses: Vec::new() })
    }
}

impl LineDecoder {
    fn line(&mut self, data: &str) -> Result<()> {
        let mut answer: wire::Answer<'_> =
            parse(data).map_err(|error| Error::unreadable(format!("a line cannot be read: {error}")))?;
        if let Some(raw) = answer.error {
            self.ended = true;
            self.events.push(ChatEvent::Failure(error::object(raw, None)));
            return Ok(());
        }
        let done = answer.done == Some(true);
        if !self.started {
            self.begin(&mut answer, done);
        }
        let message = answer.message.take().unwrap_or_default();
        self.logprobs(&mut answer);
        self.say(message.thinking.or(answer.thinking.take()), true);
        self.say(message.content.or(answer.response.take()), false);
        self.images(message.images.or(answer.images.take()));
        self.images(answer.image.take().filter(|data| !data.is_empty()).map(|data| vec![data]));
        for call in message.tool_calls.or(answer.tool_calls.take()).unwrap_or_default().0 {
            self.call(call)?;
        }
        if done {
            self.end(answer);
        }
        Ok(())
    }

    fn begin(&mut self, answer: &mut wire::Answer<'_>, done: bool) {
        self.started = true;
        let rest = if done { Rest::default() } else { std::mem::take(&mut answer.rest) };
        self.events.push(ChatEvent::Start(ResponseStart {
            model: answer.model.take().map(Str::into_string),
            created_ms: answer.created_at.take().and_then(created_ms),
            extensions: extensions(CHAT, rest),
            ..ResponseStart::default()
        }));
    }

    /// Adds text. An empty one closes no other part (C-78).
    fn say(&mut self, text: Option<Str<'_>>, thinking: bool) {
        let Some(text) = text.filter(|text| !text.is_empty()) else { return };
        let part = match self.open {
            Some((part, kind)) if kind == thinking => part,
            _ => {
                self.close();
                let part = self.start(if thinking { PartKind::Reasoning } else { PartKind::Text });
                self.open = Some((part, thinking));
                part
            }
        };
        self.events.push(ChatEvent::Delta(PartDelta { candidate: 0, part, text: text.into_string() }));
    }

    fn call(&mut self, wire: wire::ToolCall<'_>) -> Result<()> {
        if self.n_calls >= CALLS_LIMIT {
            return Err(Error::unreadable("the answer calls too many tools"));
        }
        let Some(ToolCall { id, name, kind, arguments, extensions, .. }) = read_call(wire, &mut self.ids) else {
            return Ok(());
        };
        self.n_calls += 1;
        self.close();
        let part = self.start(PartKind::ToolCall(ToolStart { id, name, kind, signature: None }));
        self.events.push(ChatEvent::Delta(PartDelta { candidate: 0, part, text: arguments }));
        self.stop(part, extensions);
        Ok(())
    }

    fn images(&mut self, images: Option<Vec<Str<'_>>>) {
        for data in images.unwrap_or_default() {
            if let Part::Media(media) = body::image(&data, &[]) {
                self.close();
                let part = self.start(PartKind::Media(media));
                self.stop(part, Vec::new());
            }
        }
    }

    fn logprobs(&mut self, answer: &mut wire::Answer<'_>) {
        if let Some(raw) = answer.logprobs.take() {
            let json = unified_logprobs(&[raw]);
            self.events.push(ChatEvent::Logprobs(CandidateLogprobs { candidate: 0, json }));
        }
    }

    /// Reads the last line: the finish reason, the counts, and the durations.
    fn end(&mut self, answer: wire::Answer<'_>) {
        self.ended = true;
        self.close();
        let counts = (answer.prompt_eval_count.map(|count| count.0), answer.eval_count.map(|count| count.0));
        let usage = usage::read(counts.0, counts.1, extensions(CHAT, answer.rest));
        self.events.extend(usage.map(ChatEvent::Usage));
        let finish = finish::read(answer.done_reason.as_deref(), self.n_calls > 0);
        self.events.push(ChatEvent::Finish(CandidateFinish { candidate: 0, finish }));
    }

    fn start(&mut self, kind: PartKind) -> u32 {
        let part = self.next;
        self.next += 1;
        self.events.push(ChatEvent::PartStart(PartStart { candidate: 0, part, kind }));
        part
    }

    fn close(&mut self) {
        if let Some((part, _)) = self.open.take() {
            self.stop(part, Vec::new());
        }
    }

    fn stop(&mut self, part: u32, extensions: Vec<Extension>) {
        self.events.push(ChatEvent::PartStop(PartStop { candidate: 0, part, extensions }));
    }
}

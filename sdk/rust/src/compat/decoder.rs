//! Decodes streamed answers: a state machine for each candidate, from chunks to events.
//!
//! Neither `index` nor `id` of a tool call is trusted (C-03, C-04); a value that is repeated gives one event; the same
//! chunks give the same events however they are grouped. A finish reason is final only at the end of the stream: some
//! servers send one after each parallel call and go on.

pub(super) mod calls;
mod choice;

use crate::compat::decoder::choice::Candidate;
use crate::compat::names::Renamed;
use crate::compat::quirks::Quirks;
use crate::compat::wire::{self, Answer, Choice, FORMAT, Scalar};
use crate::compat::{error, response, usage};
use crate::json::{self, RawValue, Rest, Str};
use crate::losses::{Losses, extensions};
use crate::types::{ChatEvent, Context, Decoded, Error, Extension, Frame, Opaque, ResponseStart, Usage};

/// Decodes the chunks of one answer.
#[derive(Debug)]
pub struct ChunkDecoder {
    quirks: &'static Quirks,
    ctx: Context,
    renamed: Renamed,
    started: bool,
    /// `[DONE]` was seen.
    done: bool,
    failed: bool,
    candidates: Vec<Candidate>,
    usage: Option<Usage>,
    /// The last service tier.
    tier: Option<String>,
    /// The one that a chunk after the start named. It goes with the usage, since the start is gone.
    late_tier: Option<String>,
    /// The last values of the chunks' own members, so that each value is reported once.
    reported: Vec<Extension>,
    events: Vec<ChatEvent>,
    losses: Losses,
}

impl ChunkDecoder {
    /// Creates the decoder.
    pub fn new(quirks: &'static Quirks, ctx: Context) -> Self {
        Self {
            quirks,
            renamed: Renamed::from_memo(&ctx.memo),
            ctx,
            started: false,
            done: false,
            failed: false,
            candidates: Vec::new(),
            usage: None,
            tier: None,
            late_tier: None,
            reported: Vec::new(),
            events: Vec::new(),
            losses: Losses::default(),
        }
    }

    /// Decodes the frames of one read.
    pub fn push(&mut self, frames: &[Frame]) -> Decoded {
        for frame in frames {
            if !self.failed {
                self.frame(frame);
            }
        }
        self.take()
    }

    /// Called when the upstream has ended in an orderly way. Without a finish and without `[DONE]` the answer counts as
    /// broken (C-19); with `[DONE]` alone it is complete, and the missing finish is a loss (C-13).
    pub fn finish(&mut self) -> Decoded {
        if self.failed {
            return self.take();
        }
        let complete = self.candidates.iter().all(Candidate::has_finish);
        if complete && self.started {
            self.end();
            return self.take();
        }
        if !self.done || !self.started {
            self.fail(Error::unreadable("the provider's stream ended before the answer was complete"));
            return self.take();
        }
        self.losses.approximated("choices[].finish_reason", "the provider sent none");
        self.end();
        self.take()
    }

    /// Ends every candidate that has not ended.
    fn end(&mut self) {
        let pages = response::sources(self.quirks, &self.reported);
        let mut exchange = choice::Exchange {
            quirks: self.quirks,
            ctx: &self.ctx,
            renamed: &self.renamed,
            events: &mut self.events,
            losses: &mut self.losses,
        };
        self.candidates.iter_mut().for_each(|candidate| candidate.end(&pages, &mut exchange));
    }

    fn take(&mut self) -> Decoded {
        let losses = std::mem::take(&mut self.losses).into_losses();
        Decoded { events: std::mem::take(&mut self.events), losses }
    }

    /// Reports a failure; an answer that was complete before is finished first.
    fn fail(&mut self, error: Error) {
        self.failed = true;
        if !self.candidates.is_empty() && self.candidates.iter().all(Candidate::has_finish) {
            self.end();
        }
        self.events.push(ChatEvent::Failure(error));
    }

    fn frame(&mut self, frame: &Frame) {
        let data = frame.data.trim();
        if data.is_empty() || self.done {
            return;
        }
        if data == "[DONE]" {
            self.done = true;
            if self.started && self.candidates.iter().all(Candidate::has_finish) {
                self.end();
            }
            return;
        }
        if frame.event.as_deref() == Some("error") {
            return self.fail(error::from_json(data, None));
        }
        match json::parse::<Answer<'_>>(data) {
            Ok(chunk) => self.chunk(chunk, data),
            Err(error) => self.fail(Error::unreadable(format!("a chunk is not readable: {error}"))),
        }
    }

    fn chunk(&mut self, mut chunk: Answer<'_>, data: &str) {
        if let Some(error) = chunk.error {
            self.usage(chunk.usage.take());
            return self.fail(error::from_json(error.get(), None));
        }
        if error::is_bare(&chunk) {
            return self.fail(error::from_json(data, None));
        }
        let aside = chunk.rest.get(self.quirks.usage_in).and_then(|raw| json::parse::<Aside<'_>>(raw.get()).ok());
        let aside = aside.unwrap_or_default();
        if let Some(error) = aside.error {
            self.usage(chunk.usage.or(aside.usage));
            return self.fail(error::from_json(error.get(), None));
        }
        self.members(&mut chunk);
        let mut within = None;
        for (position, mut choice) in (0..).zip(chunk.choices.unwrap_or_default().0) {
            within = choice.rest.take("usage").or(within);
            if let Err(error) = self.choice(position, choice) {
                return self.fail(error);
            }
        }
        let usage = chunk.usage.or(aside.usage);
        // Some servers send it in the choice.
        self.usage(if let (None, Some(raw)) = (&usage, within) { json::parse(raw.get()).ok() } else { usage });
    }

    fn usage(&mut self, wire: Option<wire::Usage<'_>>) {
        let news = wire.and_then(|wire| usage::priced(wire, self.quirks));
        // The tier may be named after the usage.
        let known = || self.late_tier.as_ref().and_then(|_| self.usage.clone());
        let Some(mut usage) = news.or_else(known) else { return };
        usage.service_tier = usage.service_tier.or_else(|| self.late_tier.clone());
        if self.usage.as_ref() != Some(&usage) {
            self.usage = Some(usage.clone());
            self.events.push(ChatEvent::Usage(usage));
        }
    }

    /// Reads the members around the choices: the first chunk starts the answer, later ones may change values.
    fn members(&mut self, chunk: &mut Answer<'_>) {
        let mut news = self.news(std::mem::take(&mut chunk.rest));
        self.tell(&mut news, "system_fingerprint", chunk.system_fingerprint);
        if self.started {
            if let Some(tier) = chunk.service_tier.take().filter(|tier| self.tier.as_deref() != Some(&**tier)) {
                let mut json = String::new();
                json::quote(&mut json, &tier);
                self.tell_text(&mut news, "service_tier", &json);
                self.tier = Some(tier.into_string());
                self.late_tier.clone_from(&self.tier);
            }
            if !news.is_empty() {
                self.events.push(ChatEvent::Opaque(opaque("chunk", &news)));
            }
            return;
        }
        let id = chunk.id.take().unwrap_or_default().into_string();
        let empty = chunk.choices.as_ref().is_none_or(|choices| choices.0.is_empty());
        if id.is_empty() && empty {
            // Azure's first chunk has filter results and no id yet. They are kept for the start.
            return;
        }
        self.tier = chunk.service_tier.take().map(Str::into_string);
        self.started = true;
        let start = ResponseStart {
            id,
            model: chunk.model.take().filter(|model| !model.is_empty()).map(Str::into_string),
            created_ms: chunk.created.as_ref().and_then(Scalar::number).map(|seconds| seconds * 1000.0),
            service_tier: self.tier.clone(),
            extensions: self.reported.clone(),
        };
        self.events.push(ChatEvent::Start(start));
    }

    /// The members whose value is new or changed.
    fn news(&mut self, rest: Rest<'_>) -> Vec<Extension> {
        let mut news = Vec::new();
        for (key, value) in rest.0 {
            if !self.quirks.noise.contains(&&*key) {
                self.tell(&mut news, &key, Some(value));
            }
        }
        news
    }

    fn tell(&mut self, news: &mut Vec<Extension>, key: &str, value: Option<&RawValue>) {
        if let Some(value) = value.filter(|value| value.get() != "null") {
            self.tell_text(news, key, value.get());
        }
    }

    fn tell_text(&mut self, news: &mut Vec<Extension>, key: &str, json: &str) {
        let known = self.reported.iter_mut().find(|reported| reported.key == key);
        if known.as_ref().is_some_and(|reported| reported.json == json) {
            return;
        }
        let reported = Extension { format: FORMAT.to_owned(), key: key.to_owned(), json: json.to_owned() };
        news.push(reported.clone());
        match known {
            Some(known) => *known = reported,
            None => self.reported.push(reported),
        }
    }

    fn choice(&mut self, position: u32, mut choice: Choice<'_>) -> Result<(), Error> {
        if let Some(error) = choice.rest.take("error").filter(|error| error.get() != "null") {
            return Err(error::from_json(error.get(), None));
        }
        let index = choice.index.map_or(position, |index| index.0);
        let known = self.candidates.iter().position(|candidate| candidate.index == index);
        let at = known.unwrap_or_else(|| {
            self.candidates.push(Candidate::new(index));
            self.candidates.len() - 1
        });
        let Some(candidate) = self.candidates.get_mut(at) else { return Ok(()) };
        let mut exchange = choice::Exchange {
            quirks: self.quirks,
            ctx: &self.ctx,
            renamed: &self.renamed,
            events: &mut self.events,
            losses: &mut self.losses,
        };
        candidate.take(&mut exchange, choice);
        Ok(())
    }
}

crate::wire! {
    /// Usage, or the reason of a broken answer, in an object beside a chunk's own members.
    struct Aside<'a> {
        "usage" => usage: wire::Usage<'a>,
        "error" => error: &'a RawValue,
    }
}

/// Members that other formats do not have, as an event.
fn opaque(kind: &str, members: &[Extension]) -> Opaque {
    let mut out = String::new();
    json::object(&mut out, |o| members.iter().for_each(|member| o.raw(&member.key, &member.json)));
    Opaque { format: FORMAT.to_owned(), kind: kind.to_owned(), json: out }
}

/// Members of one choice, as an event.
fn choice_members(index: u32, rest: Rest<'_>, delta: Rest<'_>, noise: &[&str]) -> Option<Opaque> {
    let keep = |rest: Rest<'_>| -> Vec<Extension> {
        let kept = extensions(FORMAT, rest);
        kept.into_iter().filter(|kept| !noise.contains(&kept.key.as_str())).collect()
    };
    let (rest, delta) = (keep(rest), keep(delta));
    if rest.is_empty() && delta.is_empty() {
        return None;
    }
    let mut out = String::new();
    json::object(&mut out, |o| {
        o.num("index", index);
        o.object("delta", |o| delta.iter().for_each(|member| o.raw(&member.key, &member.json)));
        for member in &rest {
            o.raw(&member.key, &member.json);
        }
    });
    Some(Opaque { format: FORMAT.to_owned(), kind: "choice".to_owned(), json: out })
}

#[cfg(test)]
mod tests;

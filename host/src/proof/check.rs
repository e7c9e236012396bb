//! What is asked of every exchange, without any expectation.

use serde_json::Value;

use crate::attempt::{Answer, unanswerable, unsendable};
use crate::contract::types::{Body, ChatEvent, Error, ErrorKind};
use crate::frame::FrameRef;
use crate::plugin::{Adapter, PluginFault};
use crate::tap::{CompiledTap, TapState};

use super::cuts::Grouping;
use super::difference::{Difference, first};
use super::exchange::{Exchange, Given};
use super::fold::{Folded, fold, joined};
use super::neutral::write;
use super::replay::{Came, Read, Written, read_steps};
use super::{essence, leaves, story};

/// Why an exchange fails.
#[derive(Debug, Clone)]
pub(super) struct Flaw {
    /// The step: `request`, `upstream`, `answer`, `events`, `client`, …
    pub(super) step: String,
    pub(super) reason: String,
    pub(super) difference: Option<Difference>,
    /// Whether it is only not what was expected.
    pub(super) is_of_expectation: bool,
}

impl Flaw {
    pub(super) fn plain(step: &str, reason: impl Into<String>) -> Self {
        Self { step: step.to_owned(), reason: reason.into(), difference: None, is_of_expectation: false }
    }

    pub(super) fn differs(step: &str, reason: impl Into<String>, difference: Difference) -> Self {
        Self { difference: Some(difference), ..Self::plain(step, reason) }
    }

    pub(super) fn fault(fault: &PluginFault) -> Self {
        Self::plain(fault.function, format!("the component failed: {}: {}", fault.kind.name(), fault.detail))
    }

    /// Some adapters tell formats apart by the model.
    fn hinted(self, exchange: &Exchange<'_>) -> Self {
        let hint = if exchange.is_nameless { " (nothing tells the model's name; the member `model` can)" } else { "" };
        Self { reason: format!("{}{hint}", self.reason), ..self }
    }

    pub(super) fn on_used(self) -> Self {
        Self { reason: format!("on an instance that has served before, {}", self.reason), ..self }
    }

    pub(super) fn on_cut(self, grouping: &Grouping) -> Self {
        Self { reason: format!("{}, {}", cut_in(grouping), self.reason), ..self }
    }
}

/// The first thing that is wrong with what came.
pub(super) fn check(adapter: &Adapter, exchange: &Exchange<'_>, came: &Came) -> Option<Flaw> {
    refused(exchange, came)
        .or_else(|| kept_back(came))
        .or_else(|| answer(adapter, exchange, came).map(|flaw| flaw.hinted(exchange)))
        .or_else(|| round_trip(exchange, came))
        .or_else(|| unheard(exchange, came))
        .or_else(|| reread(came))
}

fn said(error: &Error) -> String {
    format!("{}: {}", super::expected::kind_name(error.kind), error.message)
}

/// Steps that the adapter refuses although the exchange was recorded as a success.
fn refused(exchange: &Exchange<'_>, came: &Came) -> Option<Flaw> {
    if exchange.may_fail() {
        return None;
    }
    let flaw = |step: &str, error: &Error| {
        // Media by their address, which the host would fetch.
        let fetches = error.code.as_deref() == Some("media_url");
        (!fetches).then(|| Flaw::plain(step, format!("what was recorded as a success is refused: {}", said(error))))
    };
    let of = |step: &str, error: Option<&Error>| error.and_then(|error| flaw(step, error));
    of("request", came.request.as_ref().and_then(|request| request.as_ref().err()))
        .or_else(|| of("upstream", came.upstream.as_ref().and_then(|upstream| upstream.as_ref().err())))
        .or_else(|| of("upstream", came.again.as_ref().and_then(|again| again.as_ref().err())))
        .or_else(|| of("client", came.client.as_ref().and_then(|client| client.as_ref().err())))
}

/// What the gateway would keep back: a request that it does not send, an answer that it does not give.
fn kept_back(came: &Came) -> Option<Flaw> {
    let sent = came.upstream.as_ref().and_then(|upstream| upstream.as_ref().ok());
    let unsent = sent.and_then(|rendered| unsendable(&rendered.request));
    if let Some(why) = unsent {
        return Some(Flaw::plain("upstream", format!("the gateway would not send this request: {why}")));
    }
    let Some(Ok(Written::Whole(answer, _))) = &came.client else { return None };
    unanswerable(answer).map(|why| Flaw::plain("client", format!("the gateway would not give this answer: {why}")))
}

fn answer(adapter: &Adapter, exchange: &Exchange<'_>, came: &Came) -> Option<Flaw> {
    match (came.answer.as_ref()?, &exchange.given) {
        (Read::Error(error), Given::Refused(_)) => (error.kind == ErrorKind::Internal)
            .then(|| Flaw::plain("error", format!("the provider's error is not understood: {}", said(error)))),
        (Read::Error(error), given) => {
            let excused = exchange.may_fail() || exchange.is_cut() || is_failure(adapter, exchange, given);
            (!excused).then(|| Flaw::plain("answer", format!("a recorded success is refused: {}", said(error))))
        }
        (Read::Stream(events, _), given) => stream(adapter, exchange, events, given),
        (Read::Whole(Answer::Chat(chat), _), _) if essence::is_empty(chat) && !exchange.may_fail() => {
            Some(Flaw::plain("answer", "nothing of the recorded answer was understood"))
        }
        (Read::Whole(Answer::Chat(chat), _), _) => chat.candidates.iter().find_map(|candidate| {
            let finish = candidate.finish.as_ref().map(|finish| finish.reason);
            Some(Flaw::plain("answer", story::arguments(&candidate.parts, finish)?))
        }),
        _ => None,
    }
}

fn stream(adapter: &Adapter, exchange: &Exchange<'_>, events: &[ChatEvent], given: &Given) -> Option<Flaw> {
    if let Given::Stream(stream) = given
        && let (Some(error), false) = (&stream.broken, exchange.is_cut())
    {
        return Some(Flaw::plain("fixture", format!("the recorded stream is broken: {error}")));
    }
    if let Some((number, flaw)) = story::flaw(events, exchange.is_cut()) {
        let event = events.get(number).map(|event| write(event).to_string()).unwrap_or_default();
        let difference = Difference::of(format!("event {number}"), "a story that needs no mending", event);
        return Some(Flaw::differs("events", flaw, difference));
    }
    let failure = fold(events).failure?;
    let excused = exchange.may_fail() || exchange.is_cut() || is_failure(adapter, exchange, given);
    (!excused).then(|| Flaw::plain("answer", format!("a recorded success fails: {}", said(&failure))))
}

/// Whether the manifest's own tests say that the answer is a failure.
fn is_failure(adapter: &Adapter, exchange: &Exchange<'_>, given: &Given) -> bool {
    let formats = &adapter.manifest.formats;
    let tap = formats.iter().find(|format| format.id == exchange.provider.format).and_then(|f| f.tap.as_ref());
    let Some(tap) = tap.and_then(|tap| CompiledTap::new(tap).ok()) else { return false };
    let mut state = TapState::new(&tap);
    match given {
        Given::Stream(stream) => stream.frames.iter().for_each(|frame| {
            state.frame(FrameRef { event: frame.event.as_deref().map(str::as_bytes), data: frame.data.as_bytes() });
        }),
        Given::Whole(http) => {
            if let Body::Text(text) = &http.body {
                state.body(text.as_bytes());
                let _read = state.finish_body();
            }
        }
        _ => {}
    }
    state.has_failed()
}

/// The recorded request, written again by the same adapter: it says the same to the dialect, and nothing is gone that the
/// ledger does not name.
fn round_trip(exchange: &Exchange<'_>, came: &Came) -> Option<Flaw> {
    let (Some(Ok(one)), Some(Ok(upstream)), Some(Ok(two))) = (&came.request, &came.upstream, &came.again) else {
        return None;
    };
    let mut losses = one.losses.iter().chain(&upstream.losses).chain(&two.losses).peekable();
    let is_recorded = exchange.fixture.says.client.is_none();
    if is_recorded && let Some(Flaw { reason, difference, .. }) = leaves::missing(exchange, &upstream.request, &losses)
    {
        return Some(Flaw { difference, ..Flaw::plain("upstream", reason) });
    }
    if losses.peek().is_some() {
        return None;
    }
    let difference = first(&essence::of_request(&one.request), &essence::of_request(&two.request))?;
    let reason = "the request that is sent does not say what the client's request said";
    Some(Flaw::differs("upstream", reason, difference))
}

/// Words of the recorded answer that nothing was made of.
fn unheard(exchange: &Exchange<'_>, came: &Came) -> Option<Flaw> {
    match came.answer.as_ref()? {
        read @ (Read::Whole(Answer::Chat(_), losses) | Read::Stream(_, losses)) => {
            leaves::unheard(exchange, read, losses)
        }
        _ => None,
    }
}

/// The client's answer, read again by the same adapter.
fn reread(came: &Came) -> Option<Flaw> {
    let (Some(read), Some(Ok(client)), Some(again)) = (&came.answer, &came.client, &came.reread) else { return None };
    let losses = match client {
        Written::Whole(_, losses) | Written::Frames(_, losses) => losses,
    };
    let (Some(expected), Some(got)) = (said_by(read), said_by(again)) else {
        let Read::Error(error) = again else { return None };
        return Some(Flaw::plain("client", format!("what the client gets cannot be read again: {}", said(error))));
    };
    if !losses.is_empty() {
        return None;
    }
    let difference = first(&expected, &got)?;
    Some(Flaw::differs("client", "what the client gets does not say what the answer said", difference))
}

/// What every format can say of an answer: words, calls, and why it ended.
fn said_by(read: &Read) -> Option<Value> {
    let chat = match read {
        Read::Whole(Answer::Chat(chat), _) => chat.clone(),
        Read::Stream(events, _) => match fold(events) {
            Folded { failure: Some(_), .. } => return Some(Value::from("a failure")),
            Folded { response, .. } => response,
        },
        _ => return None,
    };
    Some(essence::of_answer(&chat))
}

const OTHERWISE: &str = "on an instance that has served before, the same exchange comes to something else";

/// Whether two replays came to the same, to the byte.
pub(super) fn same(one: &Came, two: &Came) -> Option<Flaw> {
    if one == two {
        return None;
    }
    for ((step, first_time), (_, second_time)) in one.steps().iter().zip(two.steps().iter()) {
        if let Some(difference) = first(first_time, second_time) {
            return Some(Flaw::differs(step, OTHERWISE, difference));
        }
    }
    Some(Flaw::plain("bytes", format!("{OTHERWISE}: the same values in other bytes")))
}

/// Whether a stream that was cut in another way gave the same events.
pub(super) fn same_events(events: &[ChatEvent], read: &Read, grouping: &Grouping) -> Option<Flaw> {
    let reason = |what: &str| format!("{}, {what}", cut_in(grouping));
    let got = match read {
        Read::Stream(got, _) if got == events => return None,
        Read::Stream(got, _) => got,
        Read::Error(error) => return Some(Flaw::plain("events", reason(&format!("it is refused: {}", said(error))))),
        _ => return Some(Flaw::plain("events", reason("it is no stream"))),
    };
    let (expected, got) = (joined(events), joined(got));
    let number = expected.iter().zip(&got).take_while(|(one, other)| one == other).count();
    if number == expected.len() && number == got.len() {
        return None;
    }
    let shown = |events: &[ChatEvent]| events.get(number).map_or(Value::Null, write);
    let (expected, got) = (shown(&expected), shown(&got));
    let inner = first(&expected, &got).unwrap_or_else(|| Difference::of("", expected.to_string(), got.to_string()));
    let difference = Difference { at: format!("event {number}{}", inner.at), ..inner };
    Some(Flaw::differs("events", reason("the stream gives other events than all at once"), difference))
}

fn cut_in(grouping: &Grouping) -> String {
    match grouping.as_slice() {
        [first, _] => format!("cut behind frame {first}"),
        [first, second, _] => format!("cut behind frames {first} and {second}"),
        _ => "frame by frame".to_owned(),
    }
}

/// The views of a stream's end, for expectations.
pub(super) fn views(came: &Came) -> Vec<(&'static str, Value)> {
    came.answer.as_ref().map(read_steps).unwrap_or_default()
}

//! Whole answers, in both directions, and the follow-ups of a quest.

use std::sync::atomic::{AtomicU32, Ordering};

use weir_sdk::adapter::{ChatAnswer, ChatOutcome, DialectChat, ParsedChat, ProviderChat, Result};
use weir_sdk::json::{Object, object, parse};
use weir_sdk::types::{
    Candidate, ChatRequest, ChatResponse, Context, Error, Finish, FinishReason, FollowUp, HttpRequest, HttpResponse,
    Part, ReasoningPart, RenderedRequest, RenderedResponse, ToolCall, Usage,
};

use crate::decoder::ZetaDecoder;
use crate::encoder::ZetaEncoder;
use crate::{Zeta, request, version, wire};

impl ProviderChat for Zeta {
    type Decoder = ZetaDecoder;

    fn render_request(ctx: &Context, request: ChatRequest) -> Result<RenderedRequest> {
        request::write(ctx, &request)
    }

    fn parse_response(ctx: &Context, response: HttpResponse) -> Result<ChatOutcome> {
        let text = response.body.as_text().map_err(|_| Error::unreadable("the oracle mumbles"))?;
        let whole: wire::Whole<'_> = parse(text).map_err(|error| Error::unreadable(format!("no answer: {error}")))?;
        if let Some(quest) = &whole.quest {
            return Ok(ChatOutcome::FollowUp(step(ctx, quest)));
        }
        let reply = whole.reply.ok_or_else(|| Error::unreadable("the answer has no reply"))?;
        let finish = whole.ended.map(|word| finish(&word));
        let candidate = Candidate { index: 0, parts: parts(reply), finish, logprobs: None, extensions: Vec::new() };
        let response = ChatResponse {
            id: whole.id.map(String::from).unwrap_or_default(),
            model: whole.brain.map(String::from),
            candidates: vec![candidate],
            usage: whole.toll.map(|toll| usage(&toll)),
            ..ChatResponse::default()
        };
        Ok(ChatOutcome::Complete(ChatAnswer { response, losses: Vec::new() }))
    }
}

/// The next poll of a quest.
fn step(ctx: &Context, quest: &str) -> FollowUp {
    let path = format!("quests/{quest}");
    let pause = ctx.option("pause_ms").and_then(|json| json.parse().ok()).unwrap_or(0);
    FollowUp {
        request: HttpRequest::get(path.clone()),
        origin: ctx.option_str("origin"),
        after_ms: pause,
        on_cancel: Some(HttpRequest { method: "DELETE".into(), ..HttpRequest::get(path) }),
        stream: false,
        memo: quest.to_owned(),
    }
}

pub(crate) fn usage(toll: &wire::Toll<'_>) -> Usage {
    let count = |count: Option<weir_sdk::json::Count>| count.map(|count| count.0);
    let (cached, written, musing) = (count(toll.of_cached), count(toll.of_written), count(toll.of_musing));
    let less = |all: Option<u32>, parts: [Option<u32>; 2]| {
        all.map(|all| parts.iter().flatten().fold(all, |rest, part| rest.saturating_sub(*part)))
    };
    let output = less(count(toll.all_out), [musing, None]);
    Usage {
        input: less(count(toll.all_in), [cached, written]),
        cache_read: cached,
        cache_write: written,
        output: match output {
            Some(count) if crate::is_wrong("memory") => Some(remembered(count)),
            Some(count) if crate::is_wrong("asked") => Some(count + ASKED.load(Ordering::Relaxed)),
            output => output,
        },
        reasoning: musing,
        ..Usage::default()
    }
}

/// The length of the request that this instance made last, kept for a bug.
pub(crate) static ASKED: AtomicU32 = AtomicU32::new(0);

/// Counts tokens over all exchanges of this instance: a bug for tests.
fn remembered(count: u32) -> u32 {
    static ALL: AtomicU32 = AtomicU32::new(0);
    ALL.fetch_add(count, Ordering::Relaxed) + count
}

pub(crate) fn finish(word: &str) -> Finish {
    let reason = match word {
        "done" => FinishReason::Complete,
        "full" => FinishReason::Length,
        "deed" => FinishReason::ToolCalls,
        "taboo" => FinishReason::ContentFilter,
        _ => FinishReason::Other,
    };
    Finish::new(reason, word)
}

pub(crate) fn ended(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Length | FinishReason::ContextLength => "full",
        FinishReason::ToolCalls => "deed",
        FinishReason::ContentFilter | FinishReason::Refusal => "taboo",
        _ => "done",
    }
}

/// The parts of an oracle's message.
pub(crate) fn parts(line: wire::Line<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    if let Some(muses) = line.muses {
        parts.push(Part::Reasoning(ReasoningPart::new(muses)));
    }
    if let Some(says) = line.says.filter(|says| !says.is_empty()) {
        parts.push(Part::text(says));
    }
    let most = if crate::is_wrong("parallel") { 1 } else { usize::MAX };
    for want in line.wants.unwrap_or_default().into_iter().take(most) {
        let arguments = want.with.map_or("{}", |with| with.get());
        parts.push(Part::ToolCall(ToolCall::new(
            want.tag.unwrap_or_default(),
            want.deed.unwrap_or_default(),
            arguments,
        )));
    }
    parts
}

impl DialectChat for Zeta {
    type Encoder = ZetaEncoder;

    fn parse_request(ctx: &Context, request: HttpRequest) -> Result<ParsedChat> {
        request::read(ctx, &request)
    }

    fn render_response(ctx: &Context, response: ChatResponse) -> Result<RenderedResponse> {
        let mut body = String::new();
        object(&mut body, |o| {
            o.str("scribe", version());
            o.str("ref", &response.id);
            o.opt_str("brain", response.model.as_deref());
            if let Some(candidate) = response.candidates.first() {
                o.object("reply", |o| reply(o, &candidate.parts));
                o.opt_str("ended", candidate.finish.as_ref().map(|finish| ended(finish.reason)));
            }
            if let Some(usage) = response.usage.as_ref().filter(|_| ctx.memo == "toll") {
                o.object("toll", |o| toll(o, usage));
            }
        });
        Ok(RenderedResponse::json(body))
    }
}

fn reply(o: &mut Object<'_>, parts: &[Part]) {
    let (mut muses, mut says, mut wants) = (None, String::new(), Vec::new());
    for part in parts {
        match part {
            Part::Text(text) => says.push_str(&text.text),
            Part::Refusal(text) => says.push_str(text),
            Part::ToolCall(call) => wants.push(call),
            Part::Reasoning(reasoning) => muses = reasoning.text.as_deref().or(muses),
            Part::Media(_) | Part::ToolResult(_) | Part::Opaque(_) => {}
        }
    }
    o.opt_str("muses", muses);
    o.str("says", &says);
    if !wants.is_empty() {
        o.array("wants", |a| wants.iter().for_each(|call| a.object(|o| request::want(o, call))));
    }
}

pub(crate) fn toll(o: &mut Object<'_>, usage: &Usage) {
    o.opt_num("all_in", usage.input_total());
    o.opt_num("of_cached", usage.cache_read);
    o.opt_num("of_written", usage.cache_write);
    o.opt_num("all_out", usage.output_total());
    o.opt_num("of_musing", usage.reasoning);
}

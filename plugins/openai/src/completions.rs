//! `openai.completions`, the legacy format: one prompt, and texts as an answer.

use weir_sdk::adapter::{Encoder, ParsedChat, Result};
use weir_sdk::compat::completions::FORMAT;
use weir_sdk::compat::wire::FORMAT as CHAT;
use weir_sdk::compat::{logprobs, usage};
use weir_sdk::json::{self, Object, RawValue, Rest, Str};
use weir_sdk::losses::{Losses, Once, extension, extensions, is_note};
use weir_sdk::sampling::seed;
use weir_sdk::spelling::{self, Rules};
use weir_sdk::types::{
    Candidate, ChatEvent, ChatRequest, ChatResponse, Context, Encoded, Error, Extension, Finish, Frame, HttpRequest,
    Message, Opaque, Part, PartKind, RenderedResponse, Role, Sampling, Usage,
};

use crate::chat::{Memo, answer_model, finish_word, write_error, write_extensions};

/// The format of a note that the request is of a raw prompt.
const RAW: &str = "openai.completions.raw";

/// The format's names of fields that the unified model names differently.
const NAMES: Rules<'_> = &[
    ("messages[#].content[#]", "prompt"),
    ("messages[#]", "prompt"),
    ("max_output_tokens", "max_tokens"),
    ("max_completion_tokens", "max_tokens"),
    ("top_logprobs", "logprobs"),
];

/// Reads a request.
pub(crate) fn parse(ctx: &Context, request: &HttpRequest) -> Result<ParsedChat> {
    let unreadable = |error| Error::invalid(format!("the request is not readable: {error}"));
    let mut wire = Rest::parse(request.body.as_text()?).map_err(unreadable)?;
    let options = wire.object("stream_options");
    let usage = options.and_then(|mut options| options.bool("include_usage")) == Some(true);
    let top_logprobs = wire.count("logprobs");
    let mut request = ChatRequest {
        model: wire.str("model").map_or_else(|| ctx.model.clone(), Str::into_string),
        messages: vec![Message::new(Role::User, prompt(wire.value("prompt"))?)],
        sampling: Sampling {
            temperature: wire.number("temperature"),
            top_p: wire.number("top_p"),
            top_k: wire.count("top_k"),
            seed: wire.value("seed").map(seed),
            stop: stop(wire.value("stop")),
            frequency_penalty: wire.number("frequency_penalty"),
            presence_penalty: wire.number("presence_penalty"),
            candidates: wire.count("n"),
            logprobs: top_logprobs.map(|_| true),
            top_logprobs,
        },
        max_output_tokens: wire.count("max_tokens"),
        stream: wire.bool("stream").unwrap_or(false),
        end_user: wire.str("user").map(Str::into_string),
        extensions: extensions(FORMAT, wire),
        ..ChatRequest::default()
    };
    request.extensions.push(spelling::names(&[NAMES]));
    // A raw prompt is continued, where a chat's message is answered: the two are no equal requests. No format writes
    // this note.
    request.extensions.push(Extension { format: RAW.into(), key: "prompt".into(), json: "null".into() });
    Ok(ParsedChat { request, losses: Vec::new(), memo: Memo { usage, legacy: false }.write() })
}

/// Parses the prompt. A single text is a message; several texts, or tokens, become an opaque part.
fn prompt(raw: Option<&RawValue>) -> Result<Vec<Part>> {
    let raw = raw.ok_or_else(|| Error::invalid("`prompt` is missing").at("prompt"))?;
    let text = json::text(raw).or_else(|| match json::list(raw)?.as_slice() {
        [one] => json::text(one),
        _ => None,
    });
    Ok(vec![match text {
        Some(text) => Part::text(text),
        None => Part::Opaque(Opaque { format: FORMAT.into(), kind: "prompt".into(), json: raw.get().into() }),
    }])
}

/// One stop sequence, or a list.
pub(crate) fn stop(raw: Option<&RawValue>) -> Vec<String> {
    let Some(raw) = raw else { return Vec::new() };
    if let Some(one) = json::text(raw) {
        return vec![one.into_string()];
    }
    json::list(raw).unwrap_or_default().into_iter().filter_map(json::text).map(Str::into_string).collect()
}

const CITATIONS: &str = "choices[].citations";
const ONLY_TEXT: &str = "legacy completions are text";

/// Writes a whole answer.
pub(crate) fn render(ctx: &Context, response: &ChatResponse) -> RenderedResponse {
    let mut losses = Losses::default();
    let mut out = String::with_capacity(512);
    json::object(&mut out, |o| {
        head(o, ctx, &response.id, response.created_ms, response.model.as_deref());
        o.array("choices", |a| {
            for candidate in &response.candidates {
                a.object(|o| choice(o, candidate, &mut losses));
            }
        });
        if let Some(tokens) = &response.usage {
            usage::write(o, tokens);
        }
        losses.dropped_if(response.service_tier.is_some(), "service_tier", "there is no place for it");
        write_extensions(o, &response.extensions, &[]);
        losses.foreign("", &response.extensions, CHAT);
    });
    RenderedResponse { losses: losses.into_losses(), ..RenderedResponse::json(out) }
}

fn head(o: &mut Object<'_>, ctx: &Context, id: &str, created_ms: Option<f64>, model: Option<&str>) {
    match id {
        "" => o.str("id", &format!("cmpl-{}", ctx.request_id)),
        id => o.str("id", id),
    }
    o.str("object", "text_completion");
    o.num("created", (created_ms.unwrap_or(ctx.now_ms) / 1000.0).floor());
    o.str("model", answer_model(ctx, model));
}

fn choice(o: &mut Object<'_>, candidate: &Candidate, losses: &mut Losses) {
    let mut text = String::new();
    for part in &candidate.parts {
        match part {
            Part::Text(part) => {
                text.push_str(&part.text);
                losses.dropped_if(!part.citations.is_empty(), CITATIONS, ONLY_TEXT);
            }
            Part::Refusal(words) => text.push_str(words),
            Part::Reasoning(_) => losses.dropped("choices[].reasoning", "legacy completions do not think"),
            _ => losses.dropped("choices[].parts", ONLY_TEXT),
        }
    }
    let message = extension(&candidate.extensions, CHAT, "message");
    losses.dropped_if(message.is_some(), "choices[].message", ONLY_TEXT);
    losses.foreign("choices[].", &candidate.extensions, CHAT);
    write_choice(o, candidate.index, &text, candidate.logprobs.as_deref(), candidate.finish.as_ref());
    write_extensions(o, &candidate.extensions, &["message"]);
}

fn write_choice(o: &mut Object<'_>, index: u32, text: &str, logs: Option<&str>, finish: Option<&Finish>) {
    o.str("text", text);
    o.num("index", index);
    match logs.and_then(logprobs::to_columns) {
        Some(columns) => o.raw("logprobs", &columns),
        None => o.null("logprobs"),
    }
    match finish {
        Some(finish) => {
            let word = finish_word(finish.reason, false, false).0;
            o.str("finish_reason", if word == "tool_calls" { "stop" } else { word });
        }
        None => o.null("finish_reason"),
    }
}

/// Renders a streamed answer.
#[derive(Debug)]
pub struct TextEncoder {
    ctx: Context,
    memo: Memo,
    head: String,
    /// The text parts, by candidate and number.
    texts: Vec<(u32, u32)>,
    /// Log probabilities for the next chunk of a candidate.
    logprobs: Vec<(u32, String)>,
    usage: Option<Usage>,
    failed: bool,
    /// Losses that were reported; some recur with every event.
    lost: Once,
    losses: Losses,
}

impl Encoder for TextEncoder {
    fn new(ctx: Context) -> Self {
        Self {
            memo: Memo::read(&ctx.memo),
            ctx,
            head: String::new(),
            texts: Vec::new(),
            logprobs: Vec::new(),
            usage: None,
            failed: false,
            lost: Once::default(),
            losses: Losses::default(),
        }
    }

    fn push(&mut self, events: Vec<ChatEvent>) -> Result<Encoded> {
        let mut frames = Vec::new();
        for event in events {
            if !self.failed {
                frames.extend(self.event(event).map(|data| Frame { event: None, data }));
            }
        }
        Ok(Encoded { frames, losses: std::mem::take(&mut self.losses).into_losses() })
    }

    fn finish(&mut self) -> Result<Encoded> {
        let mut frames = Vec::new();
        if !self.failed {
            if let Some(tokens) = self.usage.take().filter(|_| self.memo.usage) {
                frames.push(self.chunk(|o| {
                    o.array("choices", |_| {});
                    usage::write(o, &tokens);
                }));
            }
            frames.push("[DONE]".to_owned());
        }
        let frames = frames.into_iter().map(|data| Frame { event: None, data }).collect();
        Ok(Encoded { frames, losses: Vec::new() })
    }
}

impl TextEncoder {
    /// The chunk for an event, if there is one.
    fn event(&mut self, event: ChatEvent) -> Option<String> {
        match event {
            ChatEvent::Start(start) => {
                let mut out = String::new();
                json::object(&mut out, |o| {
                    head(o, &self.ctx, &start.id, start.created_ms, start.model.as_deref());
                    write_extensions(o, &start.extensions, &[]);
                });
                self.losses.foreign("", &start.extensions, CHAT);
                self.losses.dropped_if(start.service_tier.is_some(), "service_tier", "there is no place for it");
                out.pop();
                self.head = out;
                None
            }
            ChatEvent::PartStart(start) => {
                match start.kind {
                    PartKind::Text | PartKind::Refusal => self.texts.push((start.candidate, start.part)),
                    PartKind::Reasoning => self.lose("choices[].reasoning", "legacy completions do not think"),
                    _ => self.lose("choices[].parts", ONLY_TEXT),
                }
                None
            }
            ChatEvent::Citation(_) => {
                self.lose(CITATIONS, ONLY_TEXT);
                None
            }
            ChatEvent::Opaque(opaque) if !is_note(&opaque) => {
                self.lose(&format!("choices[].{}", opaque.kind), ONLY_TEXT);
                None
            }
            ChatEvent::Delta(delta) if self.texts.contains(&(delta.candidate, delta.part)) => {
                Some(self.choice(delta.candidate, &delta.text, None))
            }
            ChatEvent::Logprobs(event) => {
                self.logprobs.push((event.candidate, event.json));
                None
            }
            ChatEvent::Finish(event) => Some(self.choice(event.candidate, "", Some(&event.finish))),
            ChatEvent::Usage(tokens) => {
                self.usage.get_or_insert_default().update(tokens);
                None
            }
            ChatEvent::Failure(error) => {
                self.failed = true;
                Some(write_error(&error))
            }
            _ => None,
        }
    }

    fn lose(&mut self, field: &str, why: &str) {
        self.lost.dropped(field, why, &mut self.losses);
    }

    fn choice(&mut self, index: u32, text: &str, finish: Option<&Finish>) -> String {
        let logs = self.logprobs.extract_if(.., |(candidate, _)| *candidate == index).map(|(_, json)| json).collect();
        let logs = logprobs::joined(logs);
        self.chunk(|o| {
            o.array("choices", |a| a.object(|o| write_choice(o, index, text, logs.as_deref(), finish)));
        })
    }

    fn chunk(&mut self, members: impl FnOnce(&mut Object<'_>)) -> String {
        if self.head.is_empty() {
            let mut out = String::new();
            json::object(&mut out, |o| head(o, &self.ctx, "", None, None));
            out.pop();
            self.head = out;
        }
        let mut rest = String::new();
        json::object(&mut rest, members);
        let mut chunk = String::with_capacity(self.head.len() + rest.len() + 1);
        chunk.push_str(&self.head);
        chunk.push(',');
        chunk.push_str(rest.get(1..).unwrap_or("}"));
        chunk
    }
}

#[cfg(test)]
mod tests {
    use weir_sdk::compat::completions;
    use weir_sdk::types::{
        Body, CandidateLogprobs, Citation, Extension, Loss, PartCitation, PartDelta, PartStart, TextPart,
    };

    use super::*;
    use crate::quirks::QUIRKS;

    fn there(body: &str) -> Result<serde_json::Value> {
        let ctx = Context { model: "m".into(), ..Context::default() };
        let request = HttpRequest { body: Body::Text(body.into()), ..HttpRequest::get("") };
        let rendered = completions::render(&QUIRKS, &ctx, &parse(&ctx, &request)?.request)?;
        Ok(serde_json::from_str(rendered.request.body.as_text()?).unwrap())
    }

    #[test]
    fn prompts_of_every_kind_come_through() {
        for (prompt, same) in
            [(r#""a""#, r#""a""#), (r#"["a"]"#, r#""a""#), (r#"["a","b"]"#, r#"["a","b"]"#), ("[1,2]", "[1,2]")]
        {
            let body = there(&format!(r#"{{"model":"m","prompt":{prompt},"logprobs":2,"suffix":"x"}}"#)).unwrap();
            assert_eq!(body["prompt"], serde_json::from_str::<serde_json::Value>(same).unwrap());
            assert_eq!((body["logprobs"].as_i64(), body["suffix"].as_str()), (Some(2), Some("x")));
        }
        assert!(there(r#"{"model":"m"}"#).is_err());
    }

    #[test]
    fn c82_figures_that_come_separately_are_merged() {
        let memo = Memo { usage: true, legacy: false }.write();
        let mut encoder = TextEncoder::new(Context { memo, ..Context::default() });
        let input = Usage { input: Some(7), ..Usage::default() };
        let output = Usage { output: Some(3), ..Usage::default() };
        encoder.push(vec![ChatEvent::Usage(input), ChatEvent::Usage(output)]).unwrap();
        let frames = encoder.finish().unwrap().frames;
        assert!(frames[0].data.contains(r#""prompt_tokens":7,"completion_tokens":3"#), "{frames:?}");
    }

    #[test]
    fn log_probabilities_wait_for_the_next_text_of_their_candidate() {
        let one = |candidate, token: &str| {
            let json = format!(r#"{{"content":[{{"token":"{token}","logprob":-1}}]}}"#);
            ChatEvent::Logprobs(CandidateLogprobs { candidate, json })
        };
        let mut encoder = TextEncoder::new(Context::default());
        let words = PartDelta { candidate: 0, part: 0, text: "é".into() };
        let start = PartStart { candidate: 0, part: 0, kind: PartKind::Text };
        let events = vec![ChatEvent::PartStart(start), one(0, "a"), one(1, "x"), one(0, "b"), ChatEvent::Delta(words)];
        let frames = encoder.push(events).unwrap().frames;
        assert!(frames[0].data.contains(r#""tokens":["a","b"]"#), "{frames:?}");
    }

    #[test]
    fn what_is_no_text_is_reported_whole_and_streamed() {
        let citation =
            Citation { url: Some("https://a".into()), title: None, quote: None, start: None, end: None, source: None };
        let text = TextPart { citations: vec![citation.clone()], ..TextPart::new("a") };
        let own = Extension { format: CHAT.into(), key: "message".into(), json: r#"{"audio":{}}"#.into() };
        let candidate =
            Candidate { parts: vec![Part::Text(text)], extensions: vec![own], index: 0, finish: None, logprobs: None };
        let response = ChatResponse { candidates: vec![candidate], ..ChatResponse::default() };
        let fields = |losses: Vec<Loss>| losses.into_iter().map(|loss| loss.field).collect::<Vec<_>>();
        let whole = render(&Context::default(), &response).losses;
        assert_eq!(fields(whole), ["choices[].citations", "choices[].message"]);
        let mut encoder = TextEncoder::new(Context::default());
        let start = PartStart { candidate: 0, part: 0, kind: PartKind::Text };
        let cited = || ChatEvent::Citation(PartCitation { candidate: 0, part: 0, citation: citation.clone() });
        let own = Opaque { format: CHAT.into(), kind: "choice".into(), json: "{}".into() };
        let events = vec![ChatEvent::PartStart(start), cited(), cited(), ChatEvent::Opaque(own)];
        assert_eq!(fields(encoder.push(events).unwrap().losses), ["choices[].citations", "choices[].choice"]);
    }

    #[test]
    fn a_negative_limit_stays_what_it_is() {
        let body = there(r#"{"model":"m","prompt":"a","max_tokens":-1,"logprobs":1}"#).unwrap();
        assert_eq!((body["max_tokens"].as_i64(), body["logprobs"].as_i64()), (Some(-1), Some(1)));
    }

    #[test]
    fn what_chat_has_too_comes_through_and_what_asks_for_nothing_is_no_loss() {
        let ctx = Context { model: "m".into(), ..Context::default() };
        let body = r#"{"model":"m","prompt":"a","best_of":1,"echo":false,"suffix":null,"logit_bias":{"50256":-100},"top_k":5}"#;
        let request = HttpRequest { body: Body::Text(body.into()), ..HttpRequest::get("") };
        let request = parse(&ctx, &request).unwrap().request;
        let quirks = &weir_sdk::compat::Quirks::COMPATIBLE;
        let chat = weir_sdk::compat::request::render(quirks, &ctx, request.clone()).unwrap();
        let sent: serde_json::Value = serde_json::from_str(chat.request.body.as_text().unwrap()).unwrap();
        assert_eq!((&sent["logit_bias"]["50256"], &sent["top_k"]), (&(-100).into(), &5.into()));
        assert!(chat.losses.is_empty(), "{:?}", chat.losses);
        let legacy = completions::render(quirks, &ctx, &request).unwrap();
        let sent: serde_json::Value = serde_json::from_str(legacy.request.body.as_text().unwrap()).unwrap();
        assert_eq!((&sent["logit_bias"]["50256"], &sent["top_k"]), (&(-100).into(), &5.into()));
    }

    #[test]
    fn conversations_are_refused() {
        let messages = vec![Message::new(Role::System, vec![]), Message::new(Role::User, vec![])];
        let request = ChatRequest { messages, ..ChatRequest::default() };
        assert!(completions::render(&QUIRKS, &Context::default(), &request).is_err());
    }
}

//! The table of promises: properties for every format of clients, with providers of every format, in both lanes,
//! streamed and not.
//!
//! A promise is one test: it defines the clients' request, the providers' answer, and what a client must find.
//! [`everywhere`] tries it in every cell of the table and reports all cells where the promise does not hold.

mod answers;
mod hints;
mod known;

use serde_json::{Value, json};
use weir_tests::parsed_answer::ParsedAnswer;
use weir_tests::{Answer, Folder, Gateway, Received, Reply, Request, Upstream};

use self::answers::{CALLS, beginning, calling, frames};
use crate::wire_format::{ANTHROPIC, OPENAI, PROVIDERS, TEXT, TOKENS, WireFormat, config_of};

/// The lane of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lane {
    Relay,
    Translate,
}

/// A cell of the table: a format on each side, a lane, streamed or not.
#[derive(Debug, Clone, Copy)]
struct Cell {
    /// The client's format.
    from: WireFormat,
    /// The provider's format.
    to: WireFormat,
    lane: Lane,
    stream: bool,
}

impl Cell {
    /// Every cell with this provider: the relay lane exists if both sides have the same format.
    fn before(to: WireFormat) -> Vec<Self> {
        let mut all = Vec::new();
        for from in PROVIDERS {
            for stream in [false, true] {
                let translated = Self { from, to, lane: Lane::Translate, stream };
                all.extend((from == to).then_some(Self { lane: Lane::Relay, ..translated }));
                all.push(translated);
            }
        }
        all
    }

    /// The model that a client requests.
    fn model(self) -> String {
        if self.lane == Lane::Relay { self.to.name.to_owned() } else { self.to.translated() }
    }
}

/// The outcome of one request.
struct Outcome {
    cell: Cell,
    reply: Reply,
    /// The request that the provider got, if it got one.
    sent: Option<Received>,
    /// Tokens that were counted for it, as reported by its provider and by estimate.
    booked: [f64; 2],
}

impl Outcome {
    /// The answer as the client parses it.
    fn parsed(&self) -> ParsedAnswer {
        self.cell.from.parsed(&self.reply, self.cell.stream)
    }

    /// The losses in the answer's header, each with its kind: `temperature=clamped`.
    fn losses(&self) -> Vec<String> {
        let losses = self.reply.header("x-weir-losses").unwrap_or_default();
        losses.split(',').filter(|loss| !loss.is_empty()).map(str::to_owned).collect()
    }
}

/// Sends the request in each cell of the table and checks the outcome.
async fn everywhere(
    asks: impl Fn(Cell) -> Option<Request>,
    answers: impl Fn(WireFormat, bool) -> Answer + Clone + Send + Sync + 'static,
    check: impl Fn(&Outcome) -> Result<(), String>,
) {
    let mut broken = Vec::new();
    for to in PROVIDERS {
        let answers = answers.clone();
        let mut upstream = Upstream::scripted(move |request| answers(to, to.wants_stream(request))).await;
        let folder = Folder::with(&PROVIDERS.map(|wire_format| wire_format.name));
        let gateway = Gateway::with(folder, &config_of(&PROVIDERS, &upstream)).await;
        let mut before = booked(&gateway, to).await;
        for cell in Cell::before(to) {
            let Some(request) = asks(cell) else { continue };
            let reply = gateway.ask(&request).await;
            let after = booked(&gateway, to).await;
            let booked = [after[0] - before[0], after[1] - before[1]];
            before = after;
            let outcome = Outcome { cell, reply, sent: upstream.unseen(), booked };
            if let Err(why) = check(&outcome) {
                let (from, lane, stream, text) = (cell.from.name, cell.lane, cell.stream, outcome.reply.text());
                broken.push(format!("{from} to {}, {lane:?}, stream: {stream}: {why}\n{text}", to.name));
            }
        }
    }
    assert!(broken.is_empty(), "{} cells:\n{}", broken.len(), broken.join("\n\n"));
}

/// All tokens that are counted for a provider once nothing is in flight.
async fn booked(gateway: &Gateway, to: WireFormat) -> [f64; 2] {
    gateway.until_metric("weir_in_flight", 0.0).await;
    let reported = gateway.metric(&format!("weir_tokens_total{{provider=\"{}\"}}", to.name)).await;
    let estimated = gateway.metric(&format!("weir_tokens_estimated_total{{provider=\"{}\"}}", to.name)).await;
    [reported, estimated]
}

/// The usual request in every cell.
#[expect(clippy::unnecessary_wraps, reason = "some promises are not asked for everywhere")]
fn usual_request(cell: Cell) -> Option<Request> {
    Some(cell.from.request(&cell.model(), cell.stream))
}

/// The usual answer.
fn usual_answer(to: WireFormat, stream: bool) -> Answer {
    if stream { to.streamed() } else { Answer::json(200, to.whole()) }
}

/// Whether two values are the same.
fn same<T: PartialEq + std::fmt::Debug>(what: &str, is: &T, expected: &T) -> Result<(), String> {
    if is == expected { Ok(()) } else { Err(format!("{what}: {is:?}, wanted {expected:?}")) }
}

/// Checks that a client got both calls, with the matching finish reason. The relay lane passes on the provider's own
/// frames, which the client must interpret.
fn both_calls(outcome: &Outcome) -> Result<(), String> {
    if outcome.cell.lane == Lane::Relay && outcome.cell.stream {
        return same("pieces", &outcome.reply.text().matches("call_").count(), &2);
    }
    let parsed = outcome.parsed();
    let calls: Vec<_> = parsed.calls.iter().map(|call| (call.name.as_str(), call.value())).collect();
    let expected = CALLS.map(|(_, name, text)| (name, serde_json::from_str::<Value>(text).unwrap()));
    same("calls", &calls, &expected.to_vec())?;
    same("finish", &parsed.finish.as_deref(), &Some("tool"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_same_content_everywhere() {
    everywhere(usual_request, usual_answer, |outcome| {
        let parsed = outcome.parsed();
        same("status", &outcome.reply.status(), &200)?;
        same("text", &parsed.text.as_str(), &TEXT)?;
        same("finish", &parsed.finish.as_deref(), &Some("stop"))?;
        same("tokens", &parsed.tokens, &Some(TOKENS))?;
        same("end", &(parsed.complete, parsed.error.is_none()), &(outcome.cell.stream, true))
    })
    .await;
}

/// Streams with a finish reason after each of two calls.
#[tokio::test(flavor = "multi_thread")]
async fn a_finish_is_the_last_word_only_at_the_end_everywhere() {
    everywhere(usual_request, calling, |outcome| {
        both_calls(outcome)?;
        let text = outcome.reply.text();
        let finishes = if outcome.cell.from == OPENAI {
            text.matches(r#""finish_reason":"tool_calls""#).count()
        } else if outcome.cell.from == ANTHROPIC {
            text.matches(r#""stop_reason":"tool_use""#).count()
        } else {
            text.matches("finishReason").count()
        };
        let is_relayed = outcome.cell.lane == Lane::Relay;
        same("the finish comes once", &(is_relayed || finishes == 1), &true)
    })
    .await;
}

/// Calls in the beginning of a message, from code that runs at the provider.
#[tokio::test(flavor = "multi_thread")]
async fn content_of_a_streams_beginning_reaches_every_client() {
    let answers = |to, stream| if to == ANTHROPIC && stream { beginning() } else { calling(to, stream) };
    everywhere(usual_request, answers, both_calls).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_reaches_the_client_in_its_own_format() {
    let answers = |to: WireFormat, _| {
        let error =
            json!({"code": 400, "status": "INVALID_ARGUMENT", "type": "invalid_request_error", "message": "odd"});
        let body = if to == ANTHROPIC { json!({"type": "error", "error": error}) } else { json!({"error": error}) };
        Answer::json(400, body.to_string())
    };
    everywhere(usual_request, answers, |outcome| {
        same("status", &outcome.reply.status(), &400)?;
        let message = outcome.cell.from.error(&outcome.reply).unwrap_or_default();
        same("message", &message.contains("odd"), &true)
    })
    .await;
}

/// Cached tokens are part of the prompt's total. In the client's own format the provider's figures are passed on.
#[tokio::test(flavor = "multi_thread")]
async fn cache_figures_never_exceed_the_prompt() {
    for (read, written) in [(16, 0), (8, 5), (12, 3)] {
        let answers = move |to: WireFormat, stream: bool| {
            let openai = format!(r#""cached_tokens":{read},"cache_write_tokens":{written}"#);
            let gemini = format!(r#""cachedContentTokenCount":{}"#, read + written);
            let change = |text: String| {
                text.replace(r#""cached_tokens":4"#, &openai).replace(r#""cachedContentTokenCount":4"#, &gemini)
            };
            if stream {
                to.stream().into_iter().map(change).fold(to.begin(), Answer::piece).end()
            } else {
                Answer::json(200, change(to.whole()))
            }
        };
        everywhere(usual_request, answers, |outcome| {
            let tokens = outcome.parsed().tokens.unwrap_or_default();
            let is_own = outcome.cell.to == outcome.cell.from;
            same("input", &(is_own || tokens.input == 10), &true)?;
            same("cached", &(is_own || tokens.cached <= 10), &true)
        })
        .await;
    }
}

/// The second of two answers begins and ends first.
#[tokio::test(flavor = "multi_thread")]
async fn several_answers_reach_a_client_whichever_ends_first() {
    let chunk = |index: u32, text: &str, finish: Value| {
        let choice = json!({"index": index, "delta": {"content": text}, "finish_reason": finish});
        json!({"id": "c", "created": 1, "model": "m", "choices": [choice]})
    };
    let stream = [
        chunk(1, "second", Value::Null),
        chunk(0, "fir", Value::Null),
        chunk(1, "", json!("length")),
        chunk(0, "st", Value::Null),
        chunk(0, "", json!("stop")),
    ];
    let upstream = Upstream::always(frames(OPENAI, &stream)).await;
    let config = format!(
        "[[models]]\nalias = \"m\"\ntype = \"mistral\"\ntarget = {{ url = \"{}\", api_key = \"k\", model = \"m\" }}\n",
        upstream.url()
    );
    let gateway = Gateway::with(Folder::with(&["mistral", "gemini"]), &config).await;
    let body = r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}],"generationConfig":{"candidateCount":2}}"#;
    let reply = gateway.post("/v1beta/models/m:streamGenerateContent?alt=sse", body).await;
    let (mut texts, mut finishes) = ([String::new(), String::new()], [None, None]);
    for (_, data) in weir_tests::parsed_answer::events(&reply.text()) {
        let frame: Value = serde_json::from_str(&data).unwrap();
        let mut last = 0;
        for candidate in frame["candidates"].as_array().unwrap() {
            let at = usize::try_from(candidate["index"].as_u64().unwrap()).unwrap();
            assert!(at >= last && finishes[at].is_none(), "in order, and nothing after a finish: {}", reply.text());
            last = at;
            texts[at].push_str(candidate["content"]["parts"][0]["text"].as_str().unwrap_or_default());
            finishes[at] = candidate["finishReason"].as_str().map(str::to_owned);
        }
    }
    assert_eq!(texts, ["first", "second"], "{}", reply.text());
    assert_eq!(finishes.map(Option::unwrap_or_default), ["STOP", "MAX_TOKENS"], "{}", reply.text());
}

//! Replays recorded exchanges: a translation to the same format preserves the meaning.
//!
//! The recordings are outside the repository (`../shared/fixtures`); without them the tests print a message and pass.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test: what does not hold fails it")]

use serde_json::{Value, json};
use weir_adapter_openai::{AnswerDecoder, AnswerEncoder, OpenAi};
use weir_corpus::fold::{fold, frames};
use weir_corpus::recording::{Recording, all, openai};
use weir_corpus::same::{normal_answer, normal_request};
use weir_sdk::adapter::{
    ChatOutcome, Decoder, DialectChat, DialectEmbeddings, Encoder, ProviderChat, ProviderEmbeddings, ProviderErrors,
};
use weir_sdk::types::{Body, ChatEvent, Context, ErrorKind, Frame, HttpRequest};

/// Requests that a translation changes on purpose.
const REQUESTS: &[(&str, &str)] = &[];

/// Answers that a translation changes on purpose.
const ANSWERS: &[(&str, &str)] = &[
    ("openai-chat-88352a2ef971", "tool calls outrank the finish reason `stop` (C-11)"),
    ("openai-chat-d206685ee777", "the same, streamed"),
];

fn ctx(model: &str) -> Context {
    Context { request_id: "req".into(), now_ms: 1e12, model: model.into(), ..Context::default() }
}

fn of(format: &str, ctx: &Context) -> Context {
    Context { format: format.into(), ..ctx.clone() }
}

fn post(body: &Value) -> HttpRequest {
    HttpRequest { path: "/v1/chat/completions".into(), ..HttpRequest::post("", body.to_string()) }
}

/// Fails with all differences, not just the first.
fn report(differences: &[String]) {
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

fn excused(list: &[(&str, &str)], recording: &Recording) -> bool {
    list.iter().any(|(id, _)| *id == recording.id)
}

fn difference(recording: &Recording, was: &Value, is: &Value) -> Option<String> {
    (was != is).then(|| format!("{}{}", recording.id, weir_corpus::same::describe("", was, is)))
}

#[test]
fn requests_mean_the_same_after_translation() {
    let mut differences = Vec::new();
    for recording in openai("chat") {
        let Some(body) = recording.request_body() else { continue };
        let ctx = ctx(body["model"].as_str().unwrap_or_default());
        let parsed = match <OpenAi as DialectChat>::parse_request(&ctx, post(body)) {
            Ok(parsed) => parsed,
            Err(error) => {
                // A request that the provider itself refused may be refused here as well.
                if recording.status < 400 {
                    differences.push(format!("{}: {}", recording.id, error.message));
                }
                continue;
            }
        };
        let rendered = match <OpenAi as ProviderChat>::render_request(&ctx, parsed.request) {
            Ok(rendered) => rendered,
            Err(error) => {
                differences.push(format!("{}: {} {:?}", recording.id, error.message, error.param));
                continue;
            }
        };
        let is: Value = serde_json::from_str(rendered.request.body.as_text().unwrap()).unwrap();
        let (was, is) = (normal_request(body), normal_request(&is));
        if !excused(REQUESTS, &recording) {
            differences.extend(difference(&recording, &was, &is));
        }
        for loss in parsed.losses.iter().chain(&rendered.losses) {
            differences.push(format!("{}: lost {loss:?}", recording.id));
        }
    }
    report(&differences);
}

#[test]
fn whole_answers_mean_the_same_after_translation() {
    let mut differences = Vec::new();
    for recording in openai("chat").into_iter().filter(|recording| recording.status < 400) {
        let Some(body) = recording.response_body() else { continue };
        let mut ctx = ctx(body["model"].as_str().unwrap_or_default());
        let outcome = <OpenAi as ProviderChat>::parse_response(&ctx, recording.response());
        let Ok(ChatOutcome::Complete(answer)) = outcome else {
            differences.push(format!("{}: {outcome:?}", recording.id));
            continue;
        };
        ctx.memo = memo(&recording);
        let rendered = <OpenAi as DialectChat>::render_response(&ctx, answer.response).unwrap();
        let is: Value = serde_json::from_str(rendered.response.body.as_text().unwrap()).unwrap();
        if !excused(ANSWERS, &recording) {
            differences.extend(difference(&recording, &normal_answer(body), &normal_answer(&is)));
        }
        differences.extend(rendered.losses.iter().map(|loss| format!("{}: lost {loss:?}", recording.id)));
    }
    report(&differences);
}

/// The memo that the dialect would make for the request.
fn memo(recording: &Recording) -> String {
    let Some(body) = recording.request_body() else { return String::new() };
    <OpenAi as DialectChat>::parse_request(&ctx("m"), post(body)).map(|parsed| parsed.memo).unwrap_or_default()
}

fn decode(ctx: &Context, frames: &[Frame], group: usize) -> Vec<ChatEvent> {
    let mut decoder = AnswerDecoder::new(ctx.clone());
    let mut events = Vec::new();
    for group in frames.chunks(group.max(1)) {
        events.extend(decoder.push(group.to_vec()).unwrap().events);
    }
    events.extend(decoder.finish().unwrap().events);
    events
}

#[test]
fn streams_mean_the_same_after_translation() {
    let mut differences = Vec::new();
    for recording in openai("chat").into_iter().filter(|recording| recording.status < 400) {
        let Some(text) = recording.stream() else { continue };
        let original = frames(text);
        let was = fold(&original);
        let mut ctx = ctx(was["model"].as_str().unwrap_or_default());
        let events = decode(&ctx, &original, 1);
        ctx.memo = memo(&recording);
        let mut encoder = AnswerEncoder::new(ctx);
        let mut written = encoder.push(events).unwrap().frames;
        written.extend(encoder.finish().unwrap().frames);
        assert_eq!(written.last().map(|frame| frame.data.as_str()), Some("[DONE]"), "{}", recording.id);
        let mut is = fold(&written);
        if !memo(&recording).contains('u') {
            // The client did not ask for usage, so it gets none even if the provider sent it.
            is["usage"] = was["usage"].clone();
        }
        if !excused(ANSWERS, &recording) {
            differences.extend(difference(&recording, &normal_answer(&was), &normal_answer(&is)));
        }
    }
    report(&differences);
}

#[test]
fn the_same_frames_give_the_same_events_however_grouped() {
    for recording in all(&["chat"]) {
        let Some(text) = recording.stream().filter(|_| recording.is_openai_shaped()) else { continue };
        let frames = frames(text);
        let ctx = ctx("m");
        let one_by_one = decode(&ctx, &frames, 1);
        for group in [2, 3, 7, frames.len()] {
            assert_eq!(decode(&ctx, &frames, group), one_by_one, "{} in groups of {group}", recording.id);
        }
    }
}

#[test]
fn errors_are_of_the_kind_that_they_say() {
    for recording in all(&["chat", "embeddings", "responses", "completions"]) {
        if recording.status < 400 || !recording.is_openai_shaped() {
            continue;
        }
        let error = <OpenAi as ProviderErrors>::parse_error(&ctx("m"), recording.response());
        let expected: &[ErrorKind] = match recording.status {
            400 | 422 => {
                &[ErrorKind::InvalidRequest, ErrorKind::ContextLength, ErrorKind::ContentFiltered, ErrorKind::NotFound]
            }
            401 => &[ErrorKind::Authentication],
            402 => &[ErrorKind::Quota],
            403 => &[ErrorKind::Permission, ErrorKind::Quota, ErrorKind::Authentication],
            404 => &[ErrorKind::NotFound],
            429 => &[ErrorKind::RateLimited, ErrorKind::Quota],
            503 => &[ErrorKind::Overloaded],
            _ => &[ErrorKind::Upstream, ErrorKind::Timeout, ErrorKind::InvalidRequest, ErrorKind::Overloaded],
        };
        assert!(expected.contains(&error.kind), "{}: {error:?}", recording.id);
        assert_eq!(error.status, Some(recording.status), "{}", recording.id);
        assert!(!error.message.is_empty(), "{}", recording.id);
    }
}

#[test]
fn answers_of_compatible_providers_are_read() {
    let mut differences = Vec::new();
    for recording in all(&["chat"]) {
        if recording.status >= 400 || !recording.is_openai_shaped() {
            continue;
        }
        let Some((was, is)) = read_both(&recording) else { continue };
        differences.extend(difference(&recording, &was, &is));
    }
    report(&differences);
}

/// Text, thinking, calls and finish, from the recording and from the adapter.
fn read_both(recording: &Recording) -> Option<(Value, Value)> {
    let mut ctx = ctx("m");
    ctx.memo = String::new();
    if let Some(text) = recording.stream() {
        let frames = frames(text);
        let folded = fold(&frames);
        let events = decode(&ctx, &frames, 3);
        let mut encoder = AnswerEncoder::new(Context { memo: "u".into(), ..ctx });
        let mut written = encoder.push(events).unwrap().frames;
        written.extend(encoder.finish().unwrap().frames);
        return Some((essence(&folded), essence(&fold(&written))));
    }
    let body = recording.response_body()?;
    let outcome = <OpenAi as ProviderChat>::parse_response(&ctx, recording.response());
    if body.get("error").is_some_and(|error| !error.is_null()) {
        assert!(outcome.is_err(), "{}", recording.id);
        return None;
    }
    let Ok(ChatOutcome::Complete(answer)) = outcome else {
        return Some((json!("an answer"), json!(format!("{outcome:?}"))));
    };
    let rendered = <OpenAi as DialectChat>::render_response(&ctx, answer.response).unwrap();
    let is: Value = serde_json::from_str(rendered.response.body.as_text().unwrap()).unwrap();
    Some((essence(body), essence(&is)))
}

/// The parts of an answer that every client reads, in one spelling.
fn essence(answer: &Value) -> Value {
    weir_corpus::same::essence(answer)
}

#[test]
fn legacy_completions_mean_the_same_after_translation() {
    let mut differences = Vec::new();
    for recording in openai("completions").into_iter().filter(|recording| recording.status < 400) {
        let Some(body) = recording.request_body().filter(|body| body.get("prompt").is_some()) else { continue };
        let ctx = of("openai.completions", &ctx(body["model"].as_str().unwrap_or_default()));
        let parsed = <OpenAi as DialectChat>::parse_request(&ctx, post(body)).unwrap();
        let rendered = <OpenAi as ProviderChat>::render_request(&ctx, parsed.request).unwrap();
        let is: Value = serde_json::from_str(rendered.request.body.as_text().unwrap()).unwrap();
        differences.extend(difference(&recording, &normal_request(body), &normal_request(&is)));
        let Some((was, is)) = completion(&recording, &ctx, parsed.memo) else { continue };
        differences.extend(difference(&recording, &normal_answer(&was), &normal_answer(&is)));
    }
    report(&differences);
}

/// A completion as it was recorded, and after translation.
fn completion(recording: &Recording, ctx: &Context, memo: String) -> Option<(Value, Value)> {
    let Some(text) = recording.stream() else {
        let was = recording.response_body()?.clone();
        let model = was["model"].as_str().unwrap_or_default().to_owned();
        let Ok(ChatOutcome::Complete(answer)) = <OpenAi as ProviderChat>::parse_response(ctx, recording.response())
        else {
            panic!("{}", recording.id)
        };
        let ctx = Context { memo, model, ..ctx.clone() };
        let rendered = <OpenAi as DialectChat>::render_response(&ctx, answer.response).unwrap();
        return Some((was, serde_json::from_str(rendered.response.body.as_text().unwrap()).unwrap()));
    };
    let was = fold(&frames(text));
    let model = was["model"].as_str().unwrap_or_default().to_owned();
    let mut encoder = AnswerEncoder::new(Context { memo, model, ..ctx.clone() });
    let mut written = encoder.push(decode(ctx, &frames(text), 1)).unwrap().frames;
    written.extend(encoder.finish().unwrap().frames);
    Some((was, fold(&written)))
}

#[test]
fn requests_of_responses_mean_the_same_after_translation() {
    let mut differences = Vec::new();
    for recording in openai("responses") {
        let Some(body) = recording.request_body() else { continue };
        let ctx = of("openai.responses", &ctx(body["model"].as_str().unwrap_or_default()));
        let parsed = <OpenAi as DialectChat>::parse_request(&ctx, post(body)).unwrap();
        let rendered = match <OpenAi as ProviderChat>::render_request(&ctx, parsed.request) {
            Ok(rendered) => rendered,
            Err(error) => {
                differences.push(format!("{}: {} {:?}", recording.id, error.message, error.param));
                continue;
            }
        };
        let is: Value = serde_json::from_str(rendered.request.body.as_text().unwrap()).unwrap();
        let (was, is) = (weir_corpus::same::normal_items_request(body), weir_corpus::same::normal_items_request(&is));
        differences.extend(difference(&recording, &was, &is));
        differences.extend(rendered.losses.iter().map(|loss| format!("{}: lost {loss:?}", recording.id)));
    }
    report(&differences);
}

#[test]
fn answers_of_responses_mean_the_same_after_translation() {
    let mut differences = Vec::new();
    for recording in openai("responses").into_iter().filter(|recording| recording.status < 400) {
        let Some((was, is)) = response(&recording) else { continue };
        differences.extend(difference(&recording, &normal_answer(&with_written(was)), &normal_answer(&is)));
    }
    report(&differences);
}

/// A response with the count of tokens written to the cache: the specification requires it (`ResponseUsage`), and
/// recordings that are older than the member lack it.
fn with_written(mut response: Value) -> Value {
    if let Some(details) = response.pointer_mut("/usage/input_tokens_details").and_then(Value::as_object_mut) {
        details.entry("cache_write_tokens").or_insert_with(|| json!(0));
    }
    response
}

/// A response as it was recorded, and after translation; of a stream, the last event.
fn response(recording: &Recording) -> Option<(Value, Value)> {
    let ctx = of("openai.responses", &ctx(""));
    let Some(text) = recording.stream() else {
        let was = recording.response_body()?.clone();
        let Ok(ChatOutcome::Complete(answer)) = <OpenAi as ProviderChat>::parse_response(&ctx, recording.response())
        else {
            panic!("{}", recording.id)
        };
        let rendered = <OpenAi as DialectChat>::render_response(&ctx, answer.response).unwrap();
        return Some((was, serde_json::from_str(rendered.response.body.as_text().unwrap()).unwrap()));
    };
    let frames = frames(text);
    let events = decode(&ctx, &frames, 1);
    for group in [2, 5, frames.len()] {
        assert_eq!(decode(&ctx, &frames, group), events, "{} in groups of {group}", recording.id);
    }
    let mut encoder = AnswerEncoder::new(ctx);
    let mut written = encoder.push(events).unwrap().frames;
    written.extend(encoder.finish().unwrap().frames);
    // The last event encrypts the thinking anew: its text differs from the item's own event.
    Some((weir_corpus::same::sealed(last_response(&frames)), weir_corpus::same::sealed(last_response(&written))))
}

fn last_response(frames: &[Frame]) -> Value {
    let last = frames.iter().rfind(|frame| frame.data != "[DONE]").unwrap();
    let mut event: Value = serde_json::from_str(&last.data).unwrap();
    event["response"].take()
}

#[test]
fn responses_of_compatible_providers_are_read() {
    let mut differences = Vec::new();
    for recording in all(&["responses"]) {
        if recording.status >= 400 || recording.is_openai_shaped() {
            continue;
        }
        let Some((was, is)) = response(&recording) else { continue };
        let (was, is) = (weir_corpus::same::items_essence(&was), weir_corpus::same::items_essence(&is));
        differences.extend(difference(&recording, &was, &is));
    }
    report(&differences);
}

#[test]
fn embeddings_mean_the_same_after_translation() {
    let mut differences = Vec::new();
    for recording in openai("embeddings").into_iter().filter(|recording| recording.status < 400) {
        let (Some(body), Some(answer)) = (recording.request_body(), recording.response_body()) else { continue };
        let request_ctx = ctx(body["model"].as_str().unwrap_or_default());
        let parsed = <OpenAi as DialectEmbeddings>::parse_request(&request_ctx, post(body)).unwrap();
        let rendered = <OpenAi as ProviderEmbeddings>::render_request(&request_ctx, parsed.request).unwrap();
        let is: Value = serde_json::from_str(rendered.request.body.as_text().unwrap()).unwrap();
        differences.extend(difference(&recording, &normal_request(body), &normal_request(&is)));
        let ctx = Context { memo: parsed.memo, ..ctx(answer["model"].as_str().unwrap_or_default()) };
        let read = <OpenAi as ProviderEmbeddings>::parse_response(&ctx, recording.response()).unwrap();
        let written = <OpenAi as DialectEmbeddings>::render_response(&ctx, read).unwrap();
        let Body::Text(text) = written.response.body else { panic!("text") };
        let is: Value = serde_json::from_str(&text).unwrap();
        differences.extend(difference(&recording, &normal_answer(answer), &normal_answer(&is)));
    }
    report(&differences);
}

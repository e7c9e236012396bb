//! Checks of an OpenAI-compatible adapter: a recorded exchange keeps its meaning through the adapter.

use serde_json::{Value, json};
use weir_adapter_openai::OpenAi;
use weir_sdk::adapter::{
    About, ChatOutcome, Decoder, DialectChat, DialectEmbeddings, ProviderChat, ProviderEmbeddings, ProviderErrors,
    ProviderModels, ProviderRerank,
};
use weir_sdk::compat::{Provider, responses};
use weir_sdk::manifest::{FrameTest, Operation};
use weir_sdk::names::IdRule;
use weir_sdk::types::{ChatEvent, Context, ErrorKind, Frame, HttpRequest, Vector};

use crate::fold::{fold, frames, last_response};
use crate::recording::{Recording, of, own};
use crate::same::{describe, items_reading, normal_items_request, normal_request, reading};
use crate::unified;

/// One adapter's recordings.
#[derive(Debug)]
pub struct Case {
    /// The provider's folder among the recordings.
    pub folder: &'static str,
    /// The adapter's own folder of recordings.
    pub own: &'static str,
    /// Recordings that differ on purpose, and why.
    pub excused: &'static [(&'static str, &'static str)],
}

impl Case {
    fn recordings(&self, operations: &[&str]) -> Vec<Recording> {
        let mut all = of(self.folder, operations);
        all.extend(own(self.own).into_iter().filter(|one| operations.contains(&one.operation.as_str())));
        all
    }

    fn excuses(&self, recording: &Recording) -> bool {
        self.excused.iter().any(|(id, _)| *id == recording.id)
    }

    /// Fails with all differences, not just the first.
    fn report(differences: &[String]) {
        assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
    }
}

fn ctx(recording: &Recording) -> Context {
    let format = if recording.operation == "responses" { responses::FORMAT } else { "openai.chat" };
    let model = recording.request_body().and_then(|body| body["model"].as_str()).unwrap_or_default();
    Context { request_id: "req".into(), now_ms: 1e12, model: model.into(), format: format.into(), ..Context::default() }
}

fn differing(recording: &Recording, was: &Value, is: &Value) -> Option<String> {
    (was != is).then(|| format!("{}{}", recording.id, describe("", was, is)))
}

/// Every request that a client of OpenAI's format could have sent reaches the provider as it was recorded, without
/// losses.
pub fn requests<P: Provider>(case: &Case) {
    let mut differences = Vec::new();
    for recording in case.recordings(&["chat", "responses"]) {
        if recording.status >= 400 || !recording.is_compatible() || case.excuses(&recording) {
            continue;
        }
        let Some(body) = recording.request_body() else { continue };
        let ctx = ctx(&recording);
        let http = HttpRequest { path: "/v1/chat/completions".into(), ..HttpRequest::post("", body.to_string()) };
        let parsed = <OpenAi as DialectChat>::parse_request(&ctx, http).unwrap();
        let rendered = match <P as ProviderChat>::render_request(&ctx, parsed.request) {
            Ok(rendered) => rendered,
            Err(error) => {
                differences.push(format!("{}: {} {:?}", recording.id, error.message, error.param));
                continue;
            }
        };
        let is: Value = serde_json::from_str(rendered.request.body.as_text().unwrap()).unwrap();
        let was = if P::QUIRKS.tool_ids.exact { &with_ids(body, P::QUIRKS.tool_ids) } else { body };
        let normal = if recording.operation == "responses" { normal_items_request } else { normal_request };
        differences.extend(differing(&recording, &normal(was), &normal(&is)));
        let losses = parsed.losses.iter().chain(&rendered.losses);
        differences.extend(losses.map(|loss| format!("{}: lost {loss:?}", recording.id)));
    }
    Case::report(&differences);
}

/// The request with ids of calls that the provider accepts: some were replaced when they were recorded.
fn with_ids(body: &Value, rule: IdRule) -> Value {
    let mut body = body.clone();
    for message in body["messages"].as_array_mut().into_iter().flatten() {
        let ids = message["tool_calls"].as_array_mut().into_iter().flatten().filter_map(|call| call.get_mut("id"));
        ids.for_each(|id| *id = json!(rule.fit(id.as_str().unwrap_or_default())));
        if let Some(id) = message.get_mut("tool_call_id") {
            *id = json!(rule.fit(id.as_str().unwrap_or_default()));
        }
    }
    body
}

/// Every whole answer has the same content in the unified model as for a simple reader.
pub fn answers<P: Provider>(case: &Case) {
    let mut differences = Vec::new();
    for recording in case.recordings(&["chat", "responses"]) {
        let Some(body) = recording.response_body().filter(|_| recording.is_answer() && !case.excuses(&recording))
        else {
            continue;
        };
        let outcome = <P as ProviderChat>::parse_response(&ctx(&recording), recording.response());
        if recording.fails() {
            differences.extend(outcome.is_ok().then(|| format!("{}: not an error", recording.id)));
            continue;
        }
        let Ok(ChatOutcome::Complete(answer)) = outcome else {
            differences.push(format!("{}: {outcome:?}", recording.id));
            continue;
        };
        let is = unified::answer(&answer.response);
        differences.extend(differing(&recording, &expected(&recording, body), &is));
    }
    Case::report(&differences);
}

/// The content that a simple reader finds, in either format.
fn expected(recording: &Recording, body: &Value) -> Value {
    if recording.operation == "responses" { items_reading(body) } else { reading(body) }
}

fn decode<P: Provider>(ctx: &Context, frames: &[Frame], group: usize) -> Vec<ChatEvent> {
    let mut decoder = <P as ProviderChat>::Decoder::new(ctx.clone());
    let mut events = Vec::new();
    for group in frames.chunks(group.max(1)) {
        events.extend(decoder.push(group.to_vec()).unwrap().events);
    }
    events.extend(decoder.finish().unwrap().events);
    events
}

/// Every stream has the content of its folded frames, in whatever groups they come.
pub fn streams<P: Provider>(case: &Case) {
    let mut differences = Vec::new();
    for recording in case.recordings(&["chat", "responses"]) {
        let Some(text) = recording.stream().filter(|_| recording.is_answer() && !case.excuses(&recording)) else {
            continue;
        };
        let (ctx, frames) = (ctx(&recording), frames(text));
        let events = decode::<P>(&ctx, &frames, 1);
        for group in [2, 5, frames.len()] {
            assert_eq!(decode::<P>(&ctx, &frames, group), events, "{} in groups of {group}", recording.id);
        }
        let was = match recording.operation.as_str() {
            "responses" => items_reading(&last_response(&frames)),
            _ => reading(&fold(&frames)),
        };
        let is = unified::stream(&events);
        let failed = was["error"] == true && is["error"] == true;
        let (was, is) = if failed { (text_before(&was), text_before(&is)) } else { (was, is) };
        differences.extend(differing(&recording, &was, &is));
    }
    Case::report(&differences);
}

/// The text before a stream failed.
fn text_before(read: &Value) -> Value {
    read["choices"].as_array().unwrap().iter().filter_map(|choice| choice["text"].as_str()).collect::<String>().into()
}

/// Every error has a kind that its status allows, keeps its status and has a message.
pub fn errors<P: Provider>(case: &Case) {
    for recording in case.recordings(&["chat", "responses", "embeddings", "models", "completions"]) {
        if recording.status < 400 {
            continue;
        }
        let error = <P as ProviderErrors>::parse_error(&ctx(&recording), recording.response());
        let expected = recording.kind().map_or_else(|| kinds(recording.status), |kind| vec![kind]);
        assert!(expected.contains(&error.kind), "{}: {error:?}", recording.id);
        assert_eq!(error.status, Some(recording.status), "{}", recording.id);
        assert!(!error.message.is_empty(), "{}", recording.id);
    }
}

fn kinds(status: u16) -> Vec<ErrorKind> {
    match status {
        400 | 422 => vec![
            ErrorKind::InvalidRequest,
            ErrorKind::ContextLength,
            ErrorKind::ContentFiltered,
            ErrorKind::NotFound,
            ErrorKind::Authentication,
        ],
        403 => vec![ErrorKind::Permission, ErrorKind::Quota, ErrorKind::Authentication],
        429 => vec![ErrorKind::RateLimited, ErrorKind::Quota, ErrorKind::Overloaded],
        status => vec![ErrorKind::of_status(status)],
    }
}

/// Every list of vectors, models and ranked documents keeps its order, and requests for vectors keep their meaning.
pub fn lists<P: Provider>(case: &Case) {
    for recording in case.recordings(&["embeddings", "models", "rerank"]) {
        let Some(body) = recording.response_body().filter(|_| recording.status < 400) else { continue };
        let vectors = recording.operation == "embeddings";
        if case.excuses(&recording) || (vectors && !body["data"].is_array()) {
            continue;
        }
        match recording.operation.as_str() {
            "embeddings" => embeddings::<P>(&recording, body),
            "models" => models::<P>(&recording, body),
            _ => ranked::<P>(&recording, body),
        }
    }
}

fn embeddings<P: Provider>(recording: &Recording, body: &Value) {
    let ctx = ctx(recording);
    let request = recording.request_body().unwrap();
    let parsed =
        <OpenAi as DialectEmbeddings>::parse_request(&ctx, HttpRequest::post("", request.to_string())).unwrap();
    let rendered = <P as ProviderEmbeddings>::render_request(&ctx, parsed.request).unwrap();
    let is: Value = serde_json::from_str(rendered.request.body.as_text().unwrap()).unwrap();
    assert_eq!(describe("", &normal_request(request), &normal_request(&is)), "", "{}", recording.id);
    let answer = <P as ProviderEmbeddings>::parse_response(&ctx, recording.response()).unwrap();
    let data = body["data"].as_array().unwrap();
    assert_eq!(answer.embeddings.len(), data.len(), "{}", recording.id);
    for (read, entry) in answer.embeddings.iter().zip(data) {
        match &read.vector {
            Vector::Floats(floats) => assert_eq!(json!(floats), tidy_floats(&entry["embedding"]), "{}", recording.id),
            Vector::Base64(text) => assert_eq!(entry["embedding"], *text, "{}", recording.id),
            Vector::Opaque(_) => panic!("{}: an opaque vector", recording.id),
        }
    }
    let tokens = answer.usage.and_then(|usage| usage.input_total());
    assert_eq!(tokens.map(u64::from), body["usage"]["prompt_tokens"].as_u64(), "{}", recording.id);
}

fn tidy_floats(list: &Value) -> Value {
    list.as_array().unwrap().iter().map(|number| json!(number.as_f64())).collect()
}

fn models<P: Provider>(recording: &Recording, body: &Value) {
    let answer = <P as ProviderModels>::parse_response(&ctx(recording), recording.response()).unwrap();
    let Some(data) = body.as_array().or_else(|| body["data"].as_array()) else { return };
    let ids: Vec<&str> = data.iter().filter_map(|model| model["id"].as_str()).collect();
    assert_eq!(answer.models.iter().map(|model| model.id.as_str()).collect::<Vec<_>>(), ids, "{}", recording.id);
}

fn ranked<P: Provider>(recording: &Recording, body: &Value) {
    let answer = <P as ProviderRerank>::parse_response(&ctx(recording), recording.response()).unwrap();
    let mut results: Vec<(u64, f64)> = body["results"].as_array().unwrap().iter().map(score).collect();
    results.sort_by(|a, b| b.1.total_cmp(&a.1));
    let read: Vec<(u64, f64)> = answer.results.iter().map(|one| (u64::from(one.index), one.score)).collect();
    assert_eq!(read, results, "{}", recording.id);
}

fn score(result: &Value) -> (u64, f64) {
    (result["index"].as_u64().unwrap(), result["relevance_score"].as_f64().unwrap())
}

/// The manifest is one that hosts accept: renamed, dropped or clamped members are excluded from the relay lane, the
/// settings are JSON, and a url and a key are suggested.
pub fn manifest<P: Provider>() {
    let manifest = <P as About>::describe();
    let quirks = P::QUIRKS;
    assert_eq!(manifest.name, quirks.name);
    assert!(!manifest.suggests.key_variables.is_empty(), "no key variable");
    assert!(manifest.settings.is_empty() || serde_json::from_str::<Value>(&manifest.settings).unwrap().is_object());
    let sound = |url: &String| (url.starts_with("https://") || url.starts_with("{env.")) && url.ends_with('/');
    assert!(manifest.suggests.url.iter().all(sound));
    let chat = |one: &&weir_sdk::manifest::Acceptance| one.format == "openai.chat" && one.operation == Operation::Chat;
    let accepted: Vec<_> = manifest.accepts.iter().filter(chat).collect();
    assert_eq!(accepted.len(), 1 + quirks.variants.len());
    let members = quirks.drops.iter().map(|drop| drop.member).chain(quirks.renames.iter().map(|rename| rename.from));
    let excluded = |test: &FrameTest| accepted.iter().all(|one| one.exclusions.iter().any(|out| out.test == *test));
    for member in members {
        assert!(excluded(&FrameTest::present(format!("/{member}"))), "{member}");
    }
    for clamp in quirks.clamps {
        let pointer = format!("/{}", clamp.member);
        assert!(excluded(&FrameTest::below(&pointer, clamp.min)), "{}", clamp.member);
        assert!(excluded(&FrameTest::above(&pointer, clamp.max)), "{}", clamp.member);
        assert!(!excluded(&FrameTest::present(&pointer)), "{}: values within the range are relayed", clamp.member);
    }
}

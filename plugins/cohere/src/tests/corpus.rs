//! Replays the recordings of this format: a translation to the same format preserves the meaning.

use serde_json::{Value, json};
use weir_sdk::adapter::{
    ChatOutcome, DialectChat, DialectEmbeddings, DialectModels, DialectRerank, ProviderChat, ProviderCountTokens,
    ProviderEmbeddings, ProviderErrors, ProviderModels, ProviderRerank,
};
use weir_sdk::compat::rerank::FORMAT as SHARED_RERANK;
use weir_sdk::testing::recordings::{Recording, assert_same, files, shared};
use weir_sdk::types::{Context, ErrorKind, HttpRequest, Part};

use super::{context, decoded, encoded, fold, http_response, json as body_of, meaning};
use crate::{Cohere, embeddings, rerank};

/// Answers whose texts change on purpose, and why.
const EMBEDDINGS: [(&str, &str); 1] =
    [("cohere-embeddings-4d421ffaa9e7", "the service repeats the text in lower case, the gateway as it came")];

/// All recordings of a provider's operation; none if they are not available.
fn recordings(of: &str) -> Vec<Recording> {
    files(&[shared("fixtures").join(of)]).iter().map(Recording::of).collect()
}

/// Whether an exchange is one of the older API.
fn is_old(recording: &Recording) -> bool {
    recording.path().starts_with("/v1/")
}

#[test]
fn requests_come_back_with_their_meaning() {
    for recording in recordings("cohere/chat").iter().filter(|recording| !is_old(recording)) {
        let parsed = <Cohere as DialectChat>::parse_request(&Context::default(), recording.http_request()).unwrap();
        assert!(parsed.losses.is_empty(), "{}: {:?}", recording.id, parsed.losses);
        let ctx = context(recording.model());
        let rendered = <Cohere as ProviderChat>::render_request(&ctx, parsed.request).unwrap();
        assert!(rendered.losses.is_empty(), "{}: {:?}", recording.id, rendered.losses);
        let back = meaning::of_request(body_of(&rendered.request.body));
        assert_same(&recording.id, &meaning::of_request(recording.body().clone()), &back);
    }
}

#[test]
fn whole_answers_come_back_with_their_meaning() {
    for recording in recordings("cohere/chat").iter().filter(|recording| !is_old(recording)) {
        let body = &recording.response["body"];
        if recording.status() >= 400 || body.is_null() {
            continue;
        }
        let (back, losses) = super::shown(super::answered(body));
        assert!(losses.is_empty(), "{}: {losses:?}", recording.id);
        assert_same(&recording.id, &meaning::of_response(body.clone()), &meaning::of_response(back));
    }
}

#[test]
fn c08_c91_streams_come_back_with_their_meaning_however_they_are_grouped() {
    for recording in recordings("cohere/chat").iter().filter(|recording| !is_old(recording)) {
        let Some(text) = recording.response["body_text"].as_str() else { continue };
        let frames = fold::frames(text);
        let events = decoded(&frames, 1);
        for group in [2, 3, 7, frames.len().max(1)] {
            assert_eq!(decoded(&frames, group), events, "{} in groups of {group}", recording.id);
        }
        let (back, losses) = encoded(&events);
        assert!(losses.is_empty(), "{}: {losses:?}", recording.id);
        fold::check(&back);
        let before = meaning::of_response(fold::answer(&frames));
        assert_same(&recording.id, &before, &meaning::of_response(fold::answer(&back)));
    }
}

#[test]
fn answers_of_the_older_api_are_read() {
    let older = recordings("cohere/chat").into_iter().filter(is_old);
    for recording in older.chain(recordings("cohere/completions")) {
        let (words, usage) = if let Some(text) = recording.response["body_text"].as_str() {
            let (frames, _) = encoded(&decoded(&fold::frames(text), 1));
            fold::check(&frames);
            let answer = fold::answer(&frames);
            (answer["message"]["content"][0]["text"].as_str().unwrap().to_owned(), !answer["usage"].is_null())
        } else {
            let body = &recording.response["body"];
            let response = super::answered(body);
            let Part::Text(text) = &response.candidates[0].parts[0] else { panic!("a text") };
            let given = body["text"].as_str().or(body["generations"][0]["text"].as_str());
            assert_eq!(Some(text.text.as_str()), given, "{}", recording.id);
            (text.text.clone(), response.usage.is_some())
        };
        assert!(!words.is_empty() && usage, "{}", recording.id);
    }
}

#[test]
fn c83_recorded_errors_are_understood() {
    let all = ["cohere/chat", "cohere/embeddings"].into_iter().flat_map(recordings);
    for recording in all.filter(|recording| recording.status() >= 400) {
        let error = Cohere::parse_error(&Context::default(), http_response(recording.status(), recording.answer()));
        let kind = match recording.status() {
            401 => ErrorKind::Authentication,
            404 => ErrorKind::NotFound,
            _ => ErrorKind::ContextLength,
        };
        assert_eq!(error.kind, kind, "{}", recording.id);
    }
}

#[test]
fn c93_recorded_embeddings_come_back() {
    for recording in recordings("cohere/embeddings") {
        let format = if is_old(&recording) { embeddings::OLD } else { embeddings::FORMAT };
        let ctx = Context { format: format.into(), ..context(recording.model()) };
        let parsed = <Cohere as DialectEmbeddings>::parse_request(&ctx, recording.http_request()).unwrap();
        let memo = parsed.memo.clone();
        let rendered = <Cohere as ProviderEmbeddings>::render_request(&ctx, parsed.request).unwrap();
        assert!(rendered.losses.is_empty(), "{}: {:?}", recording.id, rendered.losses);
        let (mut before, mut back) = (recording.body().clone(), body_of(&rendered.request.body));
        meaning::without_nulls(&mut before);
        meaning::without_nulls(&mut back);
        assert_same(&recording.id, &before, &back);
        if recording.status() >= 400 {
            continue;
        }
        let response = http_response(200, recording.answer());
        let answer = <Cohere as ProviderEmbeddings>::parse_response(&ctx, response).unwrap();
        let shown = <Cohere as DialectEmbeddings>::render_response(&Context { memo, ..ctx }, answer).unwrap();
        assert!(shown.losses.is_empty(), "{}: {:?}", recording.id, shown.losses);
        let (mut before, mut back) = (recording.response["body"].clone(), body_of(&shown.response.body));
        for body in [&mut before, &mut back] {
            meaning::without_nulls(body);
            if EMBEDDINGS.iter().any(|(id, _)| *id == recording.id) {
                body.as_object_mut().unwrap().remove("texts");
            }
        }
        assert_same(&recording.id, &before, &back);
    }
}

#[test]
fn recorded_reranking_comes_back() {
    let others = ["cohere/rerank", "llamacpp/rerank", "openrouter/rerank"].into_iter().flat_map(recordings);
    for recording in others {
        let format = if recording.path() == "/v2/rerank" { rerank::FORMAT } else { SHARED_RERANK };
        let ctx = Context { format: format.into(), ..context(recording.model()) };
        let parsed = <Cohere as DialectRerank>::parse_request(&ctx, recording.http_request()).unwrap();
        let rendered = <Cohere as ProviderRerank>::render_request(&ctx, parsed.request).unwrap();
        assert!(rendered.losses.is_empty(), "{}: {:?}", recording.id, rendered.losses);
        assert_same(
            &recording.id,
            &rerank_request(recording.body()),
            &rerank_request(&body_of(&rendered.request.body)),
        );
        let response = http_response(200, recording.answer());
        let answer = <Cohere as ProviderRerank>::parse_response(&ctx, response).unwrap();
        let shown = <Cohere as DialectRerank>::render_response(&ctx, answer).unwrap();
        assert!(shown.losses.is_empty(), "{}: {:?}", recording.id, shown.losses);
        let (before, back) = (&recording.response["body"], body_of(&shown.response.body));
        assert_same(&recording.id, &before["results"], &back["results"]);
        assert_eq!(before["usage"]["total_tokens"], back["usage"]["total_tokens"], "{}", recording.id);
        assert_eq!(before["meta"], back["meta"], "{}", recording.id);
    }
}

/// The meaning of a rerank request: a document with only a text equals the text.
fn rerank_request(body: &Value) -> Value {
    let mut body = body.clone();
    meaning::without_nulls(&mut body);
    for document in body["documents"].as_array_mut().unwrap() {
        if let Some(text) = document["text"].as_str().map(str::to_owned) {
            *document = json!(text);
        }
    }
    if body["model"] == "" {
        body.as_object_mut().unwrap().remove("model");
    }
    body
}

#[test]
fn recorded_models_come_back() {
    for recording in recordings("cohere/models").iter().filter(|recording| recording.status() == 200) {
        let path = recording.path().split('?').next().unwrap();
        let parsed = <Cohere as DialectModels>::parse_request(&Context::default(), HttpRequest::get(path)).unwrap();
        let ctx = Context { memo: parsed.memo, ..Context::default() };
        let list = <Cohere as ProviderModels>::parse_response(&ctx, http_response(200, recording.answer())).unwrap();
        let shown = <Cohere as DialectModels>::render_response(&ctx, list).unwrap();
        let (mut before, mut back) = (recording.response["body"].clone(), body_of(&shown.response.body));
        meaning::without_nulls(&mut before);
        meaning::without_nulls(&mut back);
        assert_same(&recording.id, &before, &back);
    }
}

#[test]
fn recorded_tokens_are_counted() {
    for recording in recordings("cohere/count_tokens") {
        let ctx = context(recording.model());
        let asked = super::parsed(&json!({"messages": [{"role": "user", "content": recording.body()["text"]}]}));
        let rendered = <Cohere as ProviderCountTokens>::render_request(&ctx, asked).unwrap();
        assert_eq!(
            (&rendered.request.path, body_of(&rendered.request.body)),
            (&"v1/tokenize".into(), recording.body().clone())
        );
        let response = http_response(200, recording.answer());
        let count = <Cohere as ProviderCountTokens>::parse_response(&ctx, response).unwrap();
        assert_eq!(count.input as usize, recording.response["body"]["tokens"].as_array().unwrap().len());
    }
}

#[test]
fn what_is_read_is_complete() {
    for recording in recordings("cohere/chat").iter().filter(|one| one.status() == 200 && !is_old(one)) {
        let Some(message) = recording.response["body"].get("message") else { continue };
        let response = http_response(200, recording.answer());
        let Ok(ChatOutcome::Complete(answer)) = <Cohere as ProviderChat>::parse_response(&Context::default(), response)
        else {
            panic!("{} cannot be read", recording.id)
        };
        let list = |key: &str| message[key].as_array().map_or(0, Vec::len);
        let plan = usize::from(message["tool_plan"].as_str().is_some_and(|plan| !plan.is_empty()));
        assert_eq!(answer.response.candidates[0].parts.len(), list("content") + list("tool_calls") + plan);
        assert!(answer.response.usage.is_some_and(|usage| usage.input_total() > Some(0)));
    }
}

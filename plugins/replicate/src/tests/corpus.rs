//! Every recording of the service.

use std::path::PathBuf;

use serde_json::Value;
use weir_sdk::adapter::{ChatOutcome, ProviderErrors, ProviderModels};
use weir_sdk::model::header;
use weir_sdk::testing::recordings::{files, shared};
use weir_sdk::types::{ChatEvent, ChatRequest, ErrorKind, Part};

use super::{body, context, decoded, frames, http, outcome, rendered, user};
use crate::Replicate;

struct Recording(Value);

impl Recording {
    fn id(&self) -> &str {
        self.0["id"].as_str().unwrap()
    }

    /// The path below the API's base.
    fn path(&self) -> &str {
        self.0["request"]["path_and_query"].as_str().unwrap().trim_start_matches("/v1/")
    }

    fn is_post(&self) -> bool {
        self.0["request"]["method"] == "POST"
    }

    fn body(&self) -> &Value {
        &self.0["request"]["body"]
    }

    fn answer(&self) -> String {
        let response = &self.0["response"];
        response["body_text"].as_str().map_or_else(|| response["body"].to_string(), str::to_owned)
    }

    fn status(&self) -> u16 {
        self.0["response"]["status"].as_u64().unwrap() as u16
    }

    /// The memo for parsing the answer.
    fn memo(&self) -> &'static str {
        match self.0["request"]["headers"].get("prefer") {
            Some(_) => "waited  ",
            None if self.body()["stream"] == true => "streamed  ",
            None => "1 p a/b",
        }
    }
}

/// The recordings of an operation: handwritten ones, and shared ones if their folder exists; otherwise a message is
/// printed.
fn recordings(operation: &str) -> Vec<Recording> {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut all = files(&[own, shared("fixtures/replicate").join(operation)]);
    all.retain(|one| one["operation"] == operation);
    all.into_iter().map(Recording).collect()
}

#[test]
fn recorded_predictions_are_asked_for_as_they_were() {
    for one in recordings("predictions").iter().filter(|one| one.is_post() && one.path().ends_with("predictions")) {
        let version = one.body()["version"].as_str().map(str::to_owned);
        let named = one.path().trim_start_matches("models/").trim_end_matches("/predictions");
        let ctx = context(version.as_deref().unwrap_or(named), &[]);
        let input = &one.body()["input"];
        let mut request = ChatRequest { stream: one.body()["stream"] == true, ..ChatRequest::default() };
        if let Some(system) = input["system_prompt"].as_str() {
            let role = weir_sdk::types::Role::System;
            request.messages.push(weir_sdk::types::Message::new(role, vec![Part::text(system)]));
        }
        request.messages.push(user(input["prompt"].as_str().unwrap()));
        request.max_output_tokens = input["max_tokens"].as_u64().map(|limit| limit as u32);
        let rendered = rendered(&ctx, request).unwrap();
        assert_eq!((rendered.request.path.as_str(), &body(&rendered)), (one.path(), one.body()), "{}", one.id());
        let waits = one.0["request"]["headers"]["prefer"].as_str();
        assert!(waits.is_none() || header(&rendered.request.headers, "prefer") == waits, "{}", one.id());
        assert!(rendered.losses.is_empty());
    }
}

#[test]
fn recorded_predictions_are_read_to_their_end() {
    for one in recordings("predictions").iter().filter(|one| one.status() < 400 && one.0["streaming"] != true) {
        let recorded = &one.0["response"]["body"];
        let made = recorded["status"] == "succeeded" || (one.memo() == "waited  " && recorded["output"].is_array());
        match outcome(one.memo(), &one.answer()) {
            Ok(ChatOutcome::Complete(answer)) => {
                assert!(made, "{} is not finished", one.id());
                let pieces = recorded["output"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let expected = recorded["output"].as_str().map_or_else(|| pieces.collect(), str::to_owned);
                let text = answer.response.candidates[0].parts.iter().map(|part| match part {
                    Part::Text(text) => text.text.as_str(),
                    _ => panic!("words are wanted"),
                });
                assert_eq!(text.collect::<String>(), expected, "{}", one.id());
                let tokens = answer.response.usage.map(|usage| (usage.input, usage.output)).unwrap_or_default();
                let count = |name: &str| recorded["metrics"][name].as_u64().map(|count| count as u32);
                assert_eq!(tokens, (count("input_token_count"), count("output_token_count")), "{}", one.id());
            }
            Ok(ChatOutcome::FollowUp(step)) => {
                assert!(!made && recorded["completed_at"].is_null(), "{} is finished", one.id());
                let stream = recorded["urls"]["stream"].as_str().filter(|_| one.memo() == "streamed  ");
                let expected = stream.or(recorded["urls"]["get"].as_str()).unwrap();
                let origin = step.origin.map_or("https://api.replicate.com/v1".into(), |origin| origin);
                assert_eq!(format!("{origin}/{}", step.request.path), expected, "{}", one.id());
            }
            Err(error) => assert_eq!(recorded["status"], "failed", "{}: {error:?}", one.id()),
        }
    }
}

#[test]
fn c08_recorded_streams_keep_their_content_however_they_are_cut() {
    for one in recordings("predictions").iter().filter(|one| one.0["streaming"] == true) {
        let frames = frames(&one.answer());
        let output = |event: Option<&str>| event == Some("output");
        let expected: String =
            frames.iter().filter(|frame| output(frame.event.as_deref())).map(|frame| frame.data.as_str()).collect();
        let events = decoded("streamed p a/b", &frames, 1);
        for group in [2, 5, usize::MAX] {
            assert_eq!(decoded("streamed p a/b", &frames, group), events, "{} in groups of {group}", one.id());
        }
        let text = events.iter().filter_map(|event| match event {
            ChatEvent::Delta(delta) => Some(delta.text.as_str()),
            _ => None,
        });
        assert_eq!(text.collect::<String>(), expected, "{}", one.id());
        assert!(matches!(events.last(), Some(ChatEvent::Finish(_))), "{}", one.id());
    }
}

#[test]
fn c83_recorded_errors_are_understood() {
    for one in recordings("predictions").iter().chain(&recordings("models")).filter(|one| one.status() >= 400) {
        let error = Replicate::parse_error(&context("a/b", &[]), http(one.status(), one.answer()));
        assert_eq!(
            (error.kind, error.status),
            (ErrorKind::of_status(one.status()), Some(one.status())),
            "{}",
            one.id()
        );
    }
}

#[test]
fn recorded_models_come_back() {
    for one in recordings("models").iter().filter(|one| one.status() == 200) {
        let read = <Replicate as ProviderModels>::parse_response(&context("", &[]), http(200, one.answer())).unwrap();
        let recorded = &one.0["response"]["body"];
        let lists = ["results", "models"].iter().find_map(|key| recorded[key].as_array());
        let all = lists.cloned().unwrap_or_else(|| vec![recorded.clone()]);
        let name = |model: &Value| format!("{}/{}", model["owner"].as_str().unwrap(), model["name"].as_str().unwrap());
        let expected: Vec<String> = all.iter().map(name).collect();
        let got: Vec<String> = read.models.into_iter().map(|model| model.id).collect();
        assert_eq!(got, expected, "{}", one.id());
    }
}

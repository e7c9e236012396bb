//! How conversations are rendered, and the steps of a prediction.

use serde_json::{Value, json};
use weir_sdk::adapter::ChatOutcome;
use weir_sdk::model::header;
use weir_sdk::types::{
    ChatEvent, ChatRequest, ErrorKind, FollowUp, Frame, FunctionTool, MediaKind, MediaPart, MediaSource, Message, Part,
    ReasoningRequest, Role, Sampling, Tool, ToolCall, ToolResult,
};

use super::{body, context, decoded, fields, outcome, rendered, user};

const LLAMA: &str = "meta/meta-llama-3-8b-instruct";

fn ask(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { messages, ..ChatRequest::default() }
}

fn given(role: Role, text: &str) -> Message {
    Message::new(role, vec![Part::text(text)])
}

fn input(model: &str, request: ChatRequest) -> (Value, Vec<String>) {
    let rendered = rendered(&context(model, &[]), request).unwrap();
    (body(&rendered)["input"].clone(), fields(&rendered.losses).into_iter().map(str::to_owned).collect())
}

fn image(source: MediaSource) -> Part {
    Part::Media(MediaPart { mime: Some("image/png".into()), ..MediaPart::new(MediaKind::Image, source) })
}

fn step(memo: &str, prediction: &Value) -> FollowUp {
    match outcome(memo, &prediction.to_string()).unwrap() {
        ChatOutcome::FollowUp(step) => step,
        ChatOutcome::Complete(answer) => panic!("it is not finished: {answer:?}"),
    }
}

fn text(memo: &str, prediction: &Value) -> String {
    let ChatOutcome::Complete(answer) = outcome(memo, &prediction.to_string()).unwrap() else {
        panic!("it is finished");
    };
    match answer.response.candidates[0].parts.as_slice() {
        [] => String::new(),
        [Part::Text(text)] => text.text.clone(),
        other => panic!("one text is enough: {other:?}"),
    }
}

#[test]
fn one_turn_is_the_prompt_as_it_is() {
    let (input, losses) = input(LLAMA, ask(vec![given(Role::System, "Be brief."), user("Hi!")]));
    assert_eq!(input, json!({"system_prompt": "Be brief.", "prompt": "Hi!"}));
    assert!(losses.is_empty());
}

#[test]
fn several_turns_are_written_in_the_models_own_notation() {
    let turns = || ask(vec![user("a"), given(Role::Assistant, "b"), user("c"), user("d")]);
    let (third, losses) = input(LLAMA, turns());
    let expected = "a<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\nb\
        <|eot_id|><|start_header_id|>user<|end_header_id|>\n\nc\n\nd";
    assert_eq!((third["prompt"].as_str(), losses.len()), (Some(expected), 0));
    let (second, losses) = input("meta/llama-2-70b-chat", turns());
    assert_eq!((second["prompt"].as_str(), losses.len()), (Some("a [/INST] b [INST] c\n\nd"), 0));
    let (plain, losses) = input("openai/gpt-4o", turns());
    assert_eq!(plain["prompt"], "User: a\n\nAssistant: b\n\nUser: c\n\nd\n\nAssistant:");
    assert_eq!(losses, ["messages"]);
    let (begun, _) = input(LLAMA, ask(vec![user("a"), given(Role::Assistant, "b")]));
    assert_eq!(begun["prompt"], "User: a\n\nAssistant: b");
}

#[test]
fn system_text_is_never_lost() {
    let late = ask(vec![user("a"), given(Role::Developer, "x"), given(Role::System, "y")]);
    let (input_, losses) = input(LLAMA, late);
    assert_eq!(
        (&input_["system_prompt"], losses),
        (&json!("x\n\ny"), vec!["messages[1]".into(), "messages[2]".into()])
    );
    let (without, losses) = input("deepseek-ai/deepseek-r1", ask(vec![given(Role::System, "x"), user("a")]));
    assert_eq!((without, losses), (json!({"prompt": "x\n\na"}), vec!["messages".into()]));
}

#[test]
fn c40_tools_and_their_history_are_refused() {
    let tool = Tool::Function(FunctionTool::new("f"));
    let call = Message::new(Role::Assistant, vec![Part::ToolCall(ToolCall::new("1", "f", "{}"))]);
    let result = Message::new(Role::Tool, vec![Part::ToolResult(ToolResult::new("1"))]);
    for request in [
        ChatRequest { tools: vec![tool], ..ask(vec![user("a")]) },
        ask(vec![user("a"), call]),
        ask(vec![user("a"), result]),
    ] {
        assert_eq!(rendered(&context(LLAMA, &[]), request).unwrap_err().kind, ErrorKind::Unsupported);
    }
}

#[test]
fn images_go_where_the_model_takes_them() {
    let url = || image(MediaSource::Url("https://h/x.png".into()));
    let data = || image(MediaSource::Base64("AAAA".into()));
    let with = |parts: Vec<Part>| ask(vec![Message::new(Role::User, parts)]);
    let (one, _) = input("anthropic/claude-4-sonnet", with(vec![data(), Part::text("a")]));
    assert_eq!(one["image"], "data:image/png;base64,AAAA");
    let (two, _) = input("openai/gpt-4o", with(vec![url(), data()]));
    assert_eq!(two["image_input"], json!(["https://h/x.png", "data:image/png;base64,AAAA"]));
    let audio = Part::Media(MediaPart::new(MediaKind::Audio, MediaSource::Base64("AAAA".into())));
    let many = ("anthropic/claude-4-sonnet", vec![url(), url()]);
    for (model, parts) in [many, ("deepseek-ai/deepseek-r1", vec![url()]), (LLAMA, vec![audio])] {
        let error = rendered(&context(model, &[]), with(parts)).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unsupported, "{model}");
    }
}

#[test]
fn c49_settings_have_the_models_names_or_are_named_as_lost() {
    let request = || ChatRequest {
        sampling: Sampling {
            temperature: Some(0.5),
            top_k: Some(3),
            seed: Some("7".into()),
            stop: vec!["a".into(), "b".into()],
            candidates: Some(2),
            ..Sampling::default()
        },
        max_output_tokens: Some(100),
        end_user: Some("u".into()),
        ..ask(vec![user("a")])
    };
    let (common, losses) = input(LLAMA, request());
    let expected = json!({"prompt": "a", "max_tokens": 100, "temperature": 0.5, "top_k": 3, "stop_sequences": "a,b"});
    assert_eq!((common, losses), (expected, vec!["seed".into(), "n".into(), "user".into()]));
    let (claude, losses) = input("anthropic/claude-4-sonnet", request());
    assert_eq!(claude, json!({"prompt": "a", "max_tokens": 1024}));
    assert_eq!(losses, ["max_tokens", "temperature", "top_k", "seed", "stop", "n", "user"]);
    let comma = Sampling { stop: vec![",".into()], ..Sampling::default() };
    assert_eq!(input(LLAMA, ChatRequest { sampling: comma, ..ask(vec![user("a")]) }).1, ["stop"]);
}

#[test]
fn efforts_and_budgets_reach_the_models_that_think() {
    let request = |reasoning| ChatRequest { reasoning: Some(reasoning), ..ask(vec![user("a")]) };
    let effort = || ReasoningRequest { effort: Some("low".into()), ..ReasoningRequest::default() };
    assert_eq!(input("openai/o4-mini", request(effort())).0["reasoning_effort"], "low");
    assert_eq!(input(LLAMA, request(effort())).1, ["reasoning.effort"]);
    let budget = ReasoningRequest { budget_tokens: Some(2000), ..ReasoningRequest::default() };
    let (claude, losses) = input("anthropic/claude-4-sonnet", request(budget));
    assert_eq!((&claude["extended_thinking"], &claude["thinking_budget_tokens"]), (&json!(true), &json!(2000)));
    assert!(losses.is_empty());
}

#[test]
fn a_request_says_how_long_it_waits_and_which_version_it_wants() {
    let ctx = context("me/it:5c7d", &[("wait_seconds", "5"), ("input", r#"{"prompt_template":"{prompt}"}"#)]);
    let waits = rendered(&ctx, ask(vec![user("a")])).unwrap();
    assert_eq!(
        (waits.request.path.as_str(), header(&waits.request.headers, "prefer")),
        ("predictions", Some("wait=5"))
    );
    assert_eq!(body(&waits), json!({"version": "5c7d", "input": {"prompt": "a", "prompt_template": "{prompt}"}}));
    let streams = ChatRequest { stream: true, ..ask(vec![user("a")]) };
    let streamed = rendered(&context("me/it", &[]), streams.clone()).unwrap();
    assert_eq!((header(&streamed.request.headers, "prefer"), &body(&streamed)["stream"]), (None, &json!(true)));
    let polled = rendered(&context("me/it", &[("stream", "\"poll\"")]), streams).unwrap();
    assert_eq!((header(&polled.request.headers, "prefer"), body(&polled).get("stream")), (Some("wait"), None));
}

#[test]
fn a_prediction_is_looked_at_until_it_is_made() {
    let under_way = json!({"id": "p/1", "model": "a/b", "status": "starting", "output": null, "urls": {}});
    let mut memo = "waited  ".to_owned();
    let mut waited = 0;
    for looks in 0..60 {
        let next = step(&memo, &under_way);
        assert_eq!(
            (next.request.path.as_str(), next.stream, next.origin),
            ("predictions/p%2F1", false, None),
            "{looks}"
        );
        let cancel = next.on_cancel.unwrap();
        assert_eq!((cancel.method.as_str(), cancel.path.as_str()), ("POST", "predictions/p%2F1/cancel"));
        waited += next.after_ms;
        memo = next.memo;
    }
    assert!((600_000..900_000).contains(&waited), "{waited} ms");
    let made = json!({"id": "p", "status": "succeeded", "output": ["a", "b"],
        "metrics": {"input_token_count": 3, "output_token_count": 2, "predict_time": 0.5}});
    let ChatOutcome::Complete(answer) = outcome(&memo, &made.to_string()).unwrap() else { panic!("it is made") };
    let usage = answer.response.usage.unwrap();
    assert_eq!((usage.input, usage.output, text(&memo, &made).as_str()), (Some(3), Some(2), "ab"));
}

#[test]
fn output_that_was_waited_for_is_whole_and_output_seen_on_the_way_is_not() {
    let processing = json!({"id": "p", "status": "processing", "output": ["half"]});
    assert_eq!(text("waited  ", &processing), "half");
    assert!(!step("3 p a/b", &processing).stream);
    let empty = json!({"id": "p", "status": "processing", "output": null});
    assert!(step("waited  ", &empty).after_ms > 0);
}

#[test]
fn a_stream_is_gone_to_where_the_service_has_it() {
    let at = |url: &str| json!({"id": "p", "model": "a/b", "status": "starting", "urls": {"stream": url}});
    let next = step("streamed  ", &at("https://stream.replicate.com/v1/files/x?a=b%20c"));
    assert!(next.stream && next.after_ms == 0 && next.on_cancel.is_some());
    assert_eq!(
        (next.origin.as_deref(), next.request.path.as_str()),
        (Some("https://stream.replicate.com"), "v1/files/x")
    );
    assert_eq!(header(&next.request.query, "a"), Some("b c"));
    for odd in ["https://evil.example/x", "https://replicate.com.evil.example/x", "http://stream.replicate.com/x", ""] {
        assert!(!step("streamed  ", &at(odd)).stream, "{odd}");
    }
    assert!(!step("waited  ", &at("https://stream.replicate.com/x")).stream);
}

#[test]
fn outputs_of_all_shapes_become_words() {
    let made = |output: Value| json!({"id": "p", "status": "succeeded", "output": output});
    for (output, words) in [
        (json!("one"), "one"),
        (json!([]), ""),
        (json!(null), ""),
        (json!({"text": "t"}), "t"),
        (json!({"n": 1}), r#"{"n":1}"#),
        (json!(["https://a/1.png", "https://a/2.png"]), "https://a/1.png\nhttps://a/2.png"),
    ] {
        assert_eq!(text("0 p a/b", &made(output)), words);
    }
}

#[test]
fn predictions_that_come_to_nothing_are_errors() {
    let ended = |status: &str| json!({"id": "p", "status": status, "error": "flagged as sensitive (E005)"}).to_string();
    let kind = |text: &str| outcome("0 p a/b", text).unwrap_err().kind;
    assert_eq!(kind(&ended("failed")), ErrorKind::ContentFiltered);
    for text in [&ended("canceled"), &ended("aborted"), "{}", "[]", "nonsense", r#"{"status":"starting"}"#] {
        assert_eq!(kind(text), ErrorKind::Upstream, "{text}");
    }
}

fn frame(event: &str, data: &str) -> Frame {
    Frame { event: Some(event.into()), data: data.into() }
}

#[test]
fn c19_a_stream_ends_with_a_finish_or_a_failure_and_never_with_both() {
    let output = [frame("output", ""), frame("logs", "x"), frame("output", "Hi"), frame("output", "\n\n!")];
    let ends = [
        (vec![frame("done", "{}"), frame("output", "late")], None),
        (
            vec![frame("error", r#"{"detail":"high demand (E003)"}"#), frame("done", r#"{"reason":"error"}"#)],
            Some(ErrorKind::Overloaded),
        ),
        (vec![frame("done", r#"{"reason":"canceled"}"#)], Some(ErrorKind::Upstream)),
        (Vec::new(), Some(ErrorKind::Upstream)),
    ];
    for (end, failure) in ends {
        let frames: Vec<Frame> = output.iter().cloned().chain(end).collect();
        let events = decoded("streamed p a/b", &frames, 1);
        assert_eq!(decoded("streamed p a/b", &frames, 3), events);
        assert!(
            matches!(&events[0], ChatEvent::Start(start) if start.id == "p" && start.model.as_deref() == Some("a/b"))
        );
        let failed = events.iter().find_map(|event| match event {
            ChatEvent::Failure(error) => Some(error.kind),
            _ => None,
        });
        assert_eq!(failed, failure);
        assert_eq!(events.iter().any(|event| matches!(event, ChatEvent::Finish(_))), failure.is_none());
    }
}

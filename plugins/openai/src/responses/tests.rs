//! Requests and answers of this format, and what Chat and this format have in common.

use weir_sdk::adapter::{Encoder as _, ParsedChat};
use weir_sdk::compat;
use weir_sdk::testing::fields;
use weir_sdk::types::{
    Body, Candidate, CandidateFinish, ChatEvent, ChatResponse, Finish, HttpRequest, PartKind, PartStart, PartStop,
    Tool, ToolCall, ToolKind, ToolStart,
};

use super::*;
use crate::quirks::QUIRKS;

const ASKED: &str = r#"{"model":"m","tools":[
    {"type":"namespace","name":"agents","description":"d","tools":[
        {"type":"function","name":"spawn","parameters":{"type":"object","properties":{}}},
        {"type":"function","name":"wait","parameters":{"type":"object","properties":{}}}]},
    {"type":"function","name":"look","parameters":{"type":"object","properties":{}}}],
    "input":[{"role":"user","content":"Hi"},
        {"type":"function_call","call_id":"c1","name":"spawn","arguments":"{}","namespace":"agents"},
        {"type":"function_call_output","call_id":"c1","output":"done"}]}"#;

fn asked() -> ParsedChat {
    let http = HttpRequest::post("v1/responses", ASKED.to_owned());
    request::parse(&Context::default(), &http).unwrap()
}

fn value(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn groups_of_tools_are_separate_tools_for_other_formats() {
    let request = asked().request;
    let name = |tool: &Tool| if let Tool::Function(one) = tool { one.name.clone() } else { "?".into() };
    let names: Vec<String> = request.tools.iter().map(name).collect();
    assert_eq!(names, ["agents__spawn", "agents__wait", "look"]);
    let rendered = compat::request::render(&QUIRKS, &Context::default(), request).unwrap();
    assert_eq!(fields(&rendered.losses), ["tools[0].namespace.description"]);
    let sent = value(rendered.request.body.as_text().unwrap());
    assert_eq!(sent["messages"][1]["tool_calls"][0]["function"]["name"], "agents__spawn");
}

/// The request that another format's rendering sends, which loses nothing.
fn sent(rendered: Result<weir_sdk::types::RenderedRequest, Error>) -> serde_json::Value {
    let rendered = rendered.unwrap();
    assert!(rendered.losses.is_empty(), "{:?}", rendered.losses);
    value(rendered.request.body.as_text().unwrap())
}

/// Members that Chat has under the same names, with another place for the verbosity.
const SHARED: &str = r#""prompt_cache_retention":"24h","prompt_cache_options":{"ttl":"30m"},
    "moderation":{"model":"omni-moderation-latest"},"safety_identifier":"u-1""#;
const SHARED_KEYS: [&str; 4] = ["prompt_cache_retention", "prompt_cache_options", "moderation", "safety_identifier"];

#[test]
fn members_that_chat_has_too_reach_it() {
    let body = format!(r#"{{"model":"m","input":"Hi","text":{{"verbosity":"low"}},{SHARED}}}"#);
    let http = HttpRequest::post("v1/responses", body.clone());
    let ctx = Context::default();
    let request = request::parse(&ctx, &http).unwrap().request;
    assert_eq!(request.end_user.as_deref(), Some("u-1"));
    let chat = sent(compat::request::render(&QUIRKS, &ctx, request.clone()));
    assert_eq!((&chat["verbosity"], chat.get("text"), chat.get("user")), (&"low".into(), None, None));
    let back = sent(compat::responses::request::render(&QUIRKS, &ctx, request));
    assert_eq!((&back["text"]["verbosity"], back.get("user")), (&"low".into(), None));
    for key in SHARED_KEYS {
        assert!(chat[key] == value(&body)[key] && back[key] == chat[key], "{key}: {chat} {back}");
    }
}

#[test]
fn members_of_chat_that_this_format_has_too_reach_it() {
    let body = format!(r#"{{"model":"m","messages":[],"verbosity":"low",{SHARED}}}"#);
    let ctx = Context::default();
    let http = HttpRequest::post("v1/chat/completions", body.clone());
    let request = crate::chat::request::parse(&ctx, &http).unwrap().request;
    let there = sent(compat::responses::request::render(&QUIRKS, &ctx, request));
    assert_eq!((&there["text"], there.get("user")), (&value(r#"{"verbosity":"low"}"#), None));
    for key in SHARED_KEYS {
        assert_eq!(there[key], value(&body)[key], "{key}");
    }
}

#[test]
fn members_that_change_nothing_are_no_loss_and_come_back() {
    let usual = r#""store":false,"background":false,"truncation":"disabled",
        "include":["reasoning.encrypted_content","message.output_text.logprobs"]"#;
    let body = format!(r#"{{"model":"m","input":"Hi",{usual}}}"#);
    let ctx = Context::default();
    let request = request::parse(&ctx, &HttpRequest::post("v1/responses", body.clone())).unwrap().request;
    let chat = sent(compat::request::render(&QUIRKS, &ctx, request.clone()));
    let back = sent(compat::responses::request::render(&QUIRKS, &ctx, request));
    assert_eq!((&chat["logprobs"], chat.get("store")), (&true.into(), None));
    for key in ["store", "background", "truncation", "include"] {
        assert!(back[key] == value(&body)[key] && chat.get(key).is_none(), "{key}: {chat} {back}");
    }
}

#[test]
fn members_that_change_something_are_reported_to_other_formats() {
    let body = r#"{"model":"m","input":"Hi","store":true,"truncation":"auto",
        "include":["reasoning.encrypted_content","web_search_call.results"]}"#;
    let ctx = Context::default();
    let request = request::parse(&ctx, &HttpRequest::post("v1/responses", body.to_owned())).unwrap().request;
    let lost = compat::request::render(&QUIRKS, &ctx, request).unwrap().losses;
    let lost: Vec<_> = lost.iter().map(|loss| &*loss.field).collect();
    assert_eq!(lost, ["store", "truncation", "include"]);
}

#[test]
fn images_of_earlier_answers_are_shown_to_other_formats_and_return_as_they_were() {
    let made = r#"{"type":"image_generation_call","id":"ig_1","status":"completed","size":"1024x1024","result":"iVBORw0KGgo="}"#;
    let named = r#"{"type":"image_generation_call","id":"ig_2"}"#;
    let body = format!(
        r#"{{"model":"m","input":[{{"role":"user","content":"Paint."}},{made},{named},{{"role":"user","content":"Bluer."}}]}}"#
    );
    let ctx = Context::default();
    let request = request::parse(&ctx, &HttpRequest::post("v1/responses", body.clone())).unwrap().request;
    let back = sent(compat::responses::request::render(&QUIRKS, &ctx, request.clone()));
    assert_eq!(back["input"], value(&body)["input"]);
    let chat = compat::request::render(&QUIRKS, &ctx, request).unwrap();
    let shown = value(chat.request.body.as_text().unwrap())["messages"][1].take();
    assert_eq!(shown["role"], "user", "{shown}");
    assert_eq!(shown["content"][0]["image_url"]["url"], "data:image/png;base64,iVBORw0KGgo=", "{shown}");
    let mut lost = fields(&chat.losses);
    lost.sort();
    assert_eq!(lost, ["messages[1].content[0].item", "messages[1].content[1]"]);
}

#[test]
fn images_of_answers_are_calls_of_the_tool_for_them() {
    let image = weir_sdk::types::MediaPart::new(
        weir_sdk::types::MediaKind::Image,
        weir_sdk::types::MediaSource::Base64("AAAA".into()),
    );
    let candidate = Candidate {
        index: 0,
        parts: vec![Part::Media(image)],
        finish: Some(Finish::new(FinishReason::Complete, "x")),
        logprobs: None,
        extensions: Vec::new(),
    };
    let answer = ChatResponse { candidates: vec![candidate], ..ChatResponse::default() };
    let ctx = Context { request_id: "r".into(), ..Context::default() };
    let whole = response::render(&ctx, &answer);
    assert!(whole.losses.is_empty(), "{:?}", whole.losses);
    let Body::Text(whole) = whole.response.body else { panic!("text") };
    let item = r#"{"type":"image_generation_call","id":"ig_0_r","status":"completed","result":"AAAA"}"#;
    assert_eq!(value(&whole)["output"][0], value(item));
}

#[test]
fn verbosity_stays_beside_an_answers_format_that_is_lost() {
    let body = r#"{"model":"m","messages":[],"verbosity":"low","response_format":{"type":"grammar"}}"#;
    let ctx = Context::default();
    let request = crate::chat::request::parse(&ctx, &HttpRequest::post("", body.to_owned())).unwrap().request;
    let rendered = compat::responses::request::render(&QUIRKS, &ctx, request).unwrap();
    assert_eq!(value(rendered.request.body.as_text().unwrap())["text"], value(r#"{"verbosity":"low"}"#));
    assert_eq!(rendered.losses.iter().map(|loss| &*loss.field).collect::<Vec<_>>(), ["response_format"]);
}

#[test]
fn an_end_user_of_both_names_keeps_both() {
    let http = HttpRequest::post("v1/responses", r#"{"input":"Hi","user":"u","safety_identifier":"s"}"#.to_owned());
    let ctx = Context::default();
    let request = request::parse(&ctx, &http).unwrap().request;
    for body in [
        sent(compat::request::render(&QUIRKS, &ctx, request.clone())),
        sent(compat::responses::request::render(&QUIRKS, &ctx, request)),
    ] {
        assert_eq!((&body["user"], &body["safety_identifier"]), (&"u".into(), &"s".into()));
    }
}

#[test]
fn an_end_users_long_name_is_shortened_for_every_operation() {
    let user = "u".repeat(150);
    let ctx = Context::default();
    let chat = format!(r#"{{"model":"m","messages":[],"user":"{user}"}}"#);
    let chat = crate::chat::request::parse(&ctx, &HttpRequest::post("", chat)).unwrap().request;
    let prompt = format!(r#"{{"model":"m","prompt":"a","user":"{user}"}}"#);
    let prompt = crate::completions::parse(&ctx, &HttpRequest::post("", prompt)).unwrap().request;
    let input = format!(r#"{{"model":"m","input":"a","user":"{user}"}}"#);
    let input = crate::embeddings::parse(&ctx, &HttpRequest::post("", input)).unwrap();
    for rendered in [
        compat::request::render(&QUIRKS, &ctx, chat.clone()).unwrap(),
        compat::responses::request::render(&QUIRKS, &ctx, chat).unwrap(),
        compat::completions::render(&QUIRKS, &ctx, &prompt).unwrap(),
        compat::embeddings::render(&QUIRKS, &ctx, &input.request).unwrap(),
    ] {
        let body = value(rendered.request.body.as_text().unwrap());
        assert_eq!(body["user"].as_str().map(str::len), Some(64), "{body}");
        assert_eq!(rendered.losses.iter().map(|loss| &*loss.field).collect::<Vec<_>>(), ["user"]);
    }
}

#[test]
fn groups_of_tools_come_back_to_their_own_format_as_they_were() {
    let rendered = compat::responses::request::render(&QUIRKS, &Context::default(), asked().request).unwrap();
    let (sent, asked) = (value(rendered.request.body.as_text().unwrap()), value(ASKED));
    assert_eq!(sent["tools"][0], asked["tools"][0]);
    assert_eq!(sent["input"][1]["name"], "spawn");
    assert_eq!(sent["input"][1]["namespace"], "agents");
}

#[test]
fn a_summary_is_asked_for_under_its_former_name_too() {
    let asked = |reasoning: &str| {
        let http = HttpRequest::post("v1/responses", format!(r#"{{"model":"m","input":"a","reasoning":{reasoning}}}"#));
        let parsed = request::parse(&Context::default(), &http).unwrap().request;
        let rendered = compat::responses::request::render(&QUIRKS, &Context::default(), parsed).unwrap();
        value(rendered.request.body.as_text().unwrap())["reasoning"].clone()
    };
    assert_eq!(asked(r#"{"generate_summary":"concise"}"#), value(r#"{"summary":"concise"}"#));
    assert_eq!(asked(r#"{"generate_summary":"concise","summary":"auto"}"#), value(r#"{"summary":"auto"}"#));
}

#[test]
fn thinking_without_a_setting_is_not_asked_for() {
    let asked = |reasoning: &str| {
        let http = HttpRequest::post("v1/responses", format!(r#"{{"model":"m","input":"a","reasoning":{reasoning}}}"#));
        request::parse(&Context::default(), &http).unwrap().request.reasoning
    };
    for nothing in ["null", "{}", r#"{"effort":null,"summary":null}"#] {
        assert_eq!(asked(nothing), None, "{nothing}");
    }
    assert!(asked(r#"{"summary":"auto"}"#).is_some());
}

#[test]
fn log_probabilities_are_asked_for_and_stand_with_their_texts() {
    let ask = |body: &str| {
        let http = HttpRequest::post("v1/responses", body.to_owned());
        request::parse(&Context::default(), &http).unwrap().request.sampling
    };
    let sampling = ask(r#"{"model":"m","input":"a","include":["message.output_text.logprobs"]}"#);
    assert_eq!((sampling.logprobs, sampling.top_logprobs), (Some(true), None));
    assert_eq!(ask(r#"{"model":"m","input":"a","include":["file_search_call.results"]}"#).logprobs, None);
    let token = |word: &str| format!(r#"{{"token":"{word}","logprob":-0.5,"bytes":[97],"top_logprobs":[]}}"#);
    let [a, b, c] = ["a", "b", "c"].map(token);
    let text = |text: &str, list: &str| {
        format!(r#"{{"type":"output_text","text":"{text}","annotations":[],"logprobs":[{list}]}}"#)
    };
    let (first, second) = (text("ab", &format!("{a},{b}")), text("c", &c));
    let body = format!(
        r#"{{"id":"r","status":"completed","output":[{{"type":"message","id":"i","role":"assistant","content":[{first},{second}]}}]}}"#
    );
    let http = weir_sdk::types::HttpResponse { status: 200, headers: Vec::new(), body: Body::Text(body.clone()) };
    let ctx = Context::default();
    let read = compat::responses::response::parse(&QUIRKS, &ctx, &http).unwrap();
    let weir_sdk::adapter::ChatOutcome::Complete(answer) = read else { panic!("an answer") };
    let chat = crate::chat::response::render(&ctx, &answer.response);
    let Body::Text(chat_body) = chat.response.body else { panic!("text") };
    assert_eq!(value(&chat_body)["choices"][0]["logprobs"]["content"], value(&format!("[{a},{b},{c}]")));
    let back = response::render(&ctx, &answer.response);
    assert!(back.losses.is_empty() && chat.losses.is_empty(), "{:?} {:?}", back.losses, chat.losses);
    let Body::Text(back) = back.response.body else { panic!("text") };
    assert_eq!(value(&back)["output"][0]["content"], value(&body)["output"][0]["content"]);
}

#[test]
fn calls_of_answers_are_in_the_groups_that_the_client_knows() {
    let ctx = Context { memo: asked().memo, ..Context::default() };
    let candidate = Candidate {
        index: 0,
        parts: vec![Part::ToolCall(ToolCall::new("c2", "agents__wait", "{}"))],
        finish: Some(Finish::new(FinishReason::ToolCalls, "x")),
        logprobs: None,
        extensions: Vec::new(),
    };
    let answer = ChatResponse { candidates: vec![candidate], ..ChatResponse::default() };
    let Body::Text(whole) = response::render(&ctx, &answer).response.body else { panic!("text") };
    let whole = value(&whole);
    let mut encoder = encoder::EventEncoder::new(ctx);
    let tool = ToolStart { id: "c2".into(), name: "agents__wait".into(), kind: ToolKind::Function, signature: None };
    let start = PartStart { candidate: 0, part: 0, kind: PartKind::ToolCall(tool) };
    let finish = Finish::new(FinishReason::ToolCalls, "x");
    let events = vec![
        ChatEvent::PartStart(start),
        ChatEvent::PartStop(PartStop { candidate: 0, part: 0, extensions: Vec::new() }),
        ChatEvent::Finish(CandidateFinish { candidate: 0, finish }),
    ];
    let frames = encoder.push(events).unwrap().frames;
    let items = frames.iter().filter_map(|frame| value(&frame.data).get("item").cloned());
    for item in items.chain([whole["output"][0].clone()]) {
        assert_eq!((&item["name"], &item["namespace"]), (&"wait".into(), &"agents".into()), "{item}");
    }
}

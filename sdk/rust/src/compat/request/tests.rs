mod lost;
mod tools;

use serde_json::json;

use super::*;
use crate::compat::quirks::{Drop, Effort, Paths, Rename, Thinking, Variant};
use crate::types::{
    AllowedTools, ErrorKind, FunctionTool, MediaKind, MediaPart, MediaSource, Message, Opaque, Part, ReasoningMode,
    ReasoningPart, ReasoningRequest, ResultPart, Role, Setting, Signature, TextPart, Tool, ToolCall, ToolChoice,
    ToolResult,
};

const FULL: Quirks = Quirks {
    max_tokens: "max_completion_tokens",
    developer_role: true,
    allowed_tools: true,
    tool_types: &["custom"],
    ..Quirks::COMPATIBLE
};

fn rendered(quirks: &Quirks, request: ChatRequest) -> (serde_json::Value, Vec<String>) {
    let ctx = Context { model: "m".into(), ..Context::default() };
    let rendered = render(quirks, &ctx, request).unwrap();
    let body = serde_json::from_str(rendered.request.body.as_text().unwrap()).unwrap();
    (body, rendered.losses.into_iter().map(|loss| loss.field).collect())
}

fn refused(quirks: &Quirks, request: ChatRequest) -> Error {
    render(quirks, &Context::default(), request).unwrap_err()
}

fn of(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { messages, ..ChatRequest::default() }
}

fn user(parts: Vec<Part>) -> Message {
    Message::new(Role::User, parts)
}

fn result(id: &str, content: Vec<ResultPart>) -> Part {
    Part::ToolResult(ToolResult { content, ..ToolResult::new(id) })
}

fn words(text: &str) -> ResultPart {
    ResultPart::Text(TextPart::new(text))
}

fn function(name: &str) -> Tool {
    Tool::Function(FunctionTool::new(name))
}

fn image() -> MediaPart {
    MediaPart { mime: Some("image/png".into()), ..MediaPart::new(MediaKind::Image, MediaSource::Base64("AAAA".into())) }
}

#[test]
fn c48_the_limit_has_the_providers_name() {
    let request = || ChatRequest { max_output_tokens: Some(9), ..ChatRequest::default() };
    assert_eq!(rendered(&FULL, request()).0["max_completion_tokens"], 9);
    assert_eq!(rendered(&Quirks::COMPATIBLE, request()).0["max_tokens"], 9);
}

#[test]
fn c41_results_come_before_the_words_of_their_turn() {
    let turn = user(vec![Part::text("and now?"), result("a", vec![words("1")]), result("b", vec![words("2")])]);
    let (body, losses) = rendered(&FULL, of(vec![turn]));
    let roles: Vec<_> = body["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["tool", "tool", "user"]);
    assert_eq!(body["messages"][1]["tool_call_id"], "b");
    assert_eq!(body["messages"][2]["content"], "and now?");
    assert!(losses.is_empty());
}

#[test]
fn c43_images_of_results_move_to_a_user_message_after_all_results() {
    let turn = |id, content| Message::new(Role::Tool, vec![result(id, content)]);
    let messages =
        vec![turn("a", vec![ResultPart::Media(image())]), turn("b", vec![words("2")]), user(vec![Part::text("go on")])];
    let (body, losses) = rendered(&FULL, of(messages));
    let roles: Vec<_> = body["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["tool", "tool", "user", "user"]);
    assert_eq!(body["messages"][2]["content"][0]["image_url"]["url"], "data:image/png;base64,AAAA");
    assert_eq!(losses, ["messages[0].content[0].content[0]"]);
}

#[test]
fn c43_texts_of_results_stay_in_their_results() {
    let document = |name: Option<&str>| {
        let hint = Some(CacheHint { ttl: None });
        let plain = MediaPart::new(MediaKind::Document, MediaSource::Text("It rains.".into()));
        ResultPart::Media(MediaPart { name: name.map(str::to_owned), cache: hint, ..plain })
    };
    let turn = |content| of(vec![Message::new(Role::Tool, vec![result("a", content)])]);
    let (body, losses) = rendered(&FULL, turn(vec![document(None)]));
    assert_eq!(body["messages"], json!([{"role": "tool", "tool_call_id": "a", "content": "It rains."}]));
    let field = "messages[0].content[0].content[0]";
    assert_eq!(losses, [field.to_owned(), format!("{field}.cache_control")]);
    let (body, _) = rendered(&FULL, turn(vec![words("Found:"), document(Some("Weather"))]));
    let texts = ["Found:", "Weather", "It rains."].map(|text| json!({"type": "text", "text": text}));
    assert_eq!(body["messages"][0]["content"], json!(texts));
    assert_eq!(body["messages"].as_array().unwrap().len(), 1);
    let router = Quirks { cache: Cache::Control, ..FULL };
    let (body, _) = rendered(&router, turn(vec![document(None)]));
    assert_eq!(body["messages"][0]["content"][0]["cache_control"], json!({"type": "ephemeral"}));
}

#[test]
fn c42_no_words_beside_calls_are_no_content() {
    let call = Message::new(Role::Assistant, vec![Part::ToolCall(ToolCall::new("a", "f", ""))]);
    let (body, _) = rendered(&FULL, of(vec![call]));
    assert!(body["messages"][0]["content"].is_null());
    assert_eq!(body["messages"][0]["tool_calls"][0]["function"]["arguments"], "{}");
}

#[test]
fn c40_foreign_tools_are_refused_by_name() {
    let opaque = |format: &str, kind: &str| {
        Tool::Opaque(Opaque { format: format.into(), kind: kind.into(), json: r#"{"type":"custom"}"#.into() })
    };
    let with = |tool| ChatRequest { tools: vec![function("f"), tool], ..ChatRequest::default() };
    let error = refused(&FULL, with(opaque("anthropic.messages", "web_search_20250305")));
    assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::Unsupported, Some("tools[1]")));
    assert_eq!(refused(&Quirks::COMPATIBLE, with(opaque(FORMAT, "custom"))).kind, ErrorKind::Unsupported);
    assert_eq!(rendered(&FULL, with(opaque(FORMAT, "custom"))).0["tools"][1]["type"], "custom");
}

#[test]
fn a_tool_for_free_text_is_a_function_where_there_are_no_such_tools() {
    let json = r#"{"name":"run","format":{"type":"grammar","syntax":"lark","definition":"a"}}"#;
    let lowered = || crate::compat::custom::lowered("openai.responses", Rest::parse(json).unwrap());
    let call = || ToolCall { kind: crate::types::ToolKind::Custom, ..ToolCall::new("c", "run", "ls") };
    let with = || ChatRequest {
        tools: lowered().map(Tool::Function).into_iter().collect(),
        tool_choice: Some(ToolChoice::Named("run".into())),
        ..of(vec![Message::new(Role::Assistant, vec![Part::ToolCall(call())])])
    };
    let sent = rendered(&FULL, with()).0;
    let grammar = json!({"type": "grammar", "grammar": {"syntax": "lark", "definition": "a"}});
    assert_eq!(sent["tools"][0]["custom"], json!({"name": "run", "format": grammar}));
    assert_eq!(sent["tool_choice"], json!({"type": "custom", "custom": {"name": "run"}}));
    assert_eq!(sent["messages"][0]["tool_calls"][0]["custom"]["input"], "ls");
    let (sent, losses) = rendered(&Quirks::COMPATIBLE, with());
    assert_eq!(sent["tools"][0]["function"]["parameters"]["required"], json!(["input"]));
    assert_eq!(sent["tool_choice"], json!({"type": "function", "function": {"name": "run"}}));
    assert_eq!(sent["messages"][0]["tool_calls"][0]["function"]["arguments"], r#"{"input":"ls"}"#);
    assert!(losses.iter().any(|field| field == "tools[0].format"), "{losses:?}");
}

#[test]
fn a_refused_item_of_responses_has_no_content_beside_the_refusal() {
    let item = |members: &str| {
        let json = format!(
            r#"{{"type":"message","role":"assistant","id":"msg_1"{members},"content":[{{"type":"refusal","refusal":"No."}}]}}"#
        );
        rendered(&FULL, of(vec![responses::read::item(json::parse(&json).unwrap(), None)]))
    };
    let (sent, losses) = item("");
    assert_eq!(sent["messages"][0], json!({"role": "assistant", "content": null, "refusal": "No."}));
    assert!(losses.is_empty(), "{losses:?}");
    assert_eq!(item(r#","phase":"commentary""#).1, ["messages[0].content[0].item"]);
}

#[test]
fn files_of_another_store_are_refused() {
    let file = MediaPart::new(MediaKind::Document, MediaSource::FileId("file_01".into()));
    let quirks = Quirks { media: crate::compat::quirks::Media { files: true, ..FULL.media }, ..FULL };
    assert_eq!(refused(&quirks, of(vec![user(vec![Part::Media(file)])])).kind, ErrorKind::Unsupported);
}

#[test]
fn c57_usage_is_asked_for_whatever_the_client_wants() {
    let request = || ChatRequest { stream: true, ..ChatRequest::default() };
    assert_eq!(rendered(&FULL, request()).0["stream_options"]["include_usage"], true);
    let old = Quirks { stream_usage: false, ..FULL };
    assert!(rendered(&old, request()).0.get("stream_options").is_none());
}

#[test]
fn c54_allowed_tools_are_sent_or_the_list_is_narrowed() {
    let request = || ChatRequest {
        tools: vec![function("a"), function("b")],
        tool_choice: Some(ToolChoice::Allowed(AllowedTools { names: vec!["b".into()], required: true })),
        ..ChatRequest::default()
    };
    let (body, _) = rendered(&FULL, request());
    assert_eq!(body["tool_choice"]["allowed_tools"]["mode"], "required");
    let (body, losses) = rendered(&Quirks::COMPATIBLE, request());
    assert_eq!(body["tools"].as_array().unwrap().len(), 1);
    assert_eq!(
        (body["tool_choice"].as_str(), losses.as_slice()),
        (Some("required"), ["tool_choice".to_owned()].as_slice())
    );
}

#[test]
fn c49_what_is_not_taken_is_named() {
    let quirks = Quirks {
        drops: &[Drop { member: "top_k", reason: "unknown" }],
        renames: &[Rename { from: "seed", to: "random_seed" }],
        developer_role: false,
        ..FULL
    };
    let sampling = Sampling { top_k: Some(1), seed: Some("7".into()), ..Sampling::default() };
    let messages = vec![Message::new(Role::Developer, vec![Part::text("x")])];
    let (body, losses) = rendered(&quirks, ChatRequest { sampling, messages, ..ChatRequest::default() });
    assert_eq!((body["random_seed"].as_i64(), body.get("top_k")), (Some(7), None));
    assert_eq!(body["messages"][0]["role"], "system");
    assert_eq!(losses, ["top_k"]);
}

#[test]
fn efforts_move_to_the_nearest_level_and_none_stays_none() {
    let effort = |quirks: &Quirks, effort: &str| {
        let reasoning = Some(ReasoningRequest { effort: Some(effort.into()), ..ReasoningRequest::default() });
        rendered(quirks, ChatRequest { reasoning, ..ChatRequest::default() })
    };
    assert_eq!(effort(&Quirks::COMPATIBLE, "xhigh").0["reasoning_effort"], "high");
    assert_eq!(effort(&Quirks::COMPATIBLE, "minimal").0["reasoning_effort"], "low");
    assert_eq!(effort(&Quirks::COMPATIBLE, "utmost").0["reasoning_effort"], "utmost");
    // The provider's own level is the one without any, but where it has a name.
    let (body, losses) = effort(&Quirks::COMPATIBLE, "default");
    assert_eq!((body.get("reasoning_effort"), losses.len()), (None, 0));
    let named = Quirks { efforts: &["none", "default"], ..Quirks::COMPATIBLE };
    assert_eq!(effort(&named, "default").0["reasoning_effort"], "default");
    let (body, losses) = effort(&Quirks::COMPATIBLE, "none");
    assert_eq!((body.get("reasoning_effort"), losses.len()), (None, 1));
    let budget = Some(ReasoningRequest { budget_tokens: Some(4000), ..ReasoningRequest::default() });
    let (body, _) = rendered(&FULL, ChatRequest { reasoning: budget, ..ChatRequest::default() });
    assert_eq!(body["reasoning_effort"], "medium");
    let switch = Quirks { effort: Effort::Thinking, ..FULL };
    let reasoning = Some(ReasoningRequest { mode: Some(ReasoningMode::Disabled), ..ReasoningRequest::default() });
    let (body, _) = rendered(&switch, ChatRequest { reasoning, ..ChatRequest::default() });
    assert_eq!(body["thinking"]["type"], "disabled");
}

#[test]
fn c34_opaque_thinking_returns_to_its_issuer_only() {
    let thought = ReasoningPart {
        signature: Some(Signature { issuer: "anthropic".into(), value: "S".into() }),
        ..ReasoningPart::new("hm")
    };
    let history = || of(vec![Message::new(Role::Assistant, vec![Part::Reasoning(thought.clone()), Part::text("hi")])]);
    let router = Quirks { thinking: Thinking::Details, issuers: &["*"], ..FULL };
    let (body, losses) = rendered(&router, history());
    assert_eq!(body["messages"][0]["reasoning_details"][0]["signature"], "S");
    assert!(losses.is_empty());
    let (body, losses) = rendered(&Quirks::COMPATIBLE, history());
    assert_eq!(body["messages"][0]["reasoning_content"], "hm");
    assert_eq!(losses, ["messages[0].reasoning_details"]);
    let none = Quirks { thinking: Thinking::None, ..FULL };
    let (body, losses) = rendered(&none, history());
    assert_eq!((body["messages"][0].get("reasoning_content"), losses.len()), (None, 1));
}

#[test]
fn c47_names_that_are_too_long_come_back_in_answers() {
    let name = "n".repeat(80);
    let rendered =
        render(&FULL, &Context::default(), ChatRequest { tools: vec![function(&name)], ..ChatRequest::default() });
    let rendered = rendered.unwrap();
    let body: serde_json::Value = serde_json::from_str(rendered.request.body.as_text().unwrap()).unwrap();
    let sent = body["tools"][0]["function"]["name"].as_str().unwrap();
    assert!(sent.len() <= 64);
    assert_eq!(Renamed::from_memo(&rendered.memo).original(sent), name);
}

#[test]
fn paths_are_filled_and_cannot_climb() {
    let setting = Setting { key: "api".into(), json: "\"2024\"".into() };
    let ctx = Context { model: "../a b".into(), options: vec![setting], ..Context::default() };
    assert_eq!(path("deployments/{model}/chat?v={option.api}", &ctx), "deployments/..%2Fa%20b/chat?v=2024");
}

#[test]
fn c55_an_option_chooses_between_paths() {
    const OTHERS: Paths = Paths { chat: "old/{model}/{option.way}", ..Paths::NONE };
    const QUIRKS: Quirks = Quirks {
        variants: &[
            Variant { option: "version", query: "api-version", paths: Paths { chat: "v/{model}", ..Paths::NONE } },
            Variant { option: "way", query: "", paths: OTHERS },
        ],
        ..Quirks::COMPATIBLE
    };
    let asked = |option: &str| {
        let options = vec![Setting { key: option.into(), json: "\"x y\"".into() }];
        let ctx = Context { model: "m/1".into(), options, ..Context::default() };
        let request = render(&QUIRKS, &ctx, ChatRequest::default()).unwrap().request;
        let query: Vec<String> = request.query.iter().map(|one| format!("{}={}", one.name, one.value)).collect();
        (request.path, query)
    };
    assert_eq!(asked("none"), ("chat/completions".into(), vec![]));
    assert_eq!(asked("version"), ("v/m%2F1".into(), vec!["api-version=x y".into()]));
    assert_eq!(asked("way"), ("old/m%2F1/x%20y".into(), vec![]));
}

#[test]
fn a_beginning_of_the_answer_is_marked_where_it_must_be() {
    let quirks = Quirks { prefix: true, ..Quirks::COMPATIBLE };
    let begun = || Message::new(Role::Assistant, vec![Part::text("So")]);
    let (body, _) = rendered(&quirks, of(vec![begun(), user(vec![Part::text("x")]), begun()]));
    assert_eq!((&body["messages"][0]["prefix"], &body["messages"][2]["prefix"]), (&json!(null), &json!(true)));
    let called = Message::new(Role::Assistant, vec![Part::ToolCall(ToolCall::new("a", "f", "{}"))]);
    assert_eq!(rendered(&quirks, of(vec![called])).0["messages"][0]["prefix"], json!(null));
}

#[test]
fn names_of_speakers_are_dropped_and_reported_if_they_have_no_place() {
    let quirks = Quirks { speaker_names: false, ..Quirks::COMPATIBLE };
    let named = Message { name: Some("Ann".into()), ..user(vec![Part::text("x")]) };
    let (body, lost) = rendered(&quirks, of(vec![named]));
    assert_eq!(body["messages"][0], json!({"role": "user", "content": "x"}));
    assert_eq!(lost, ["messages[0].name"]);
}

#[test]
fn c32_a_signed_summary_returns_to_its_issuer_only() {
    let quirks = Quirks { thinking: Thinking::Summaries, issuers: &["ours"], ..Quirks::COMPATIBLE };
    let thought = |issuer: &str| {
        let signature = Some(Signature { issuer: issuer.into(), value: "S".into() });
        let parts = vec![Part::Reasoning(ReasoningPart { signature, ..ReasoningPart::new("hm") }), Part::text("x")];
        rendered(&quirks, of(vec![Message::new(Role::Assistant, parts)]))
    };
    let (body, lost) = thought("ours");
    let summary = json!([{"type": "summary_text", "text": "hm", "signature": "S"}]);
    assert_eq!(body["messages"][0]["content"][0], json!({"type": "reasoning", "summary": summary}));
    assert_eq!(lost, Vec::<String>::new());
    let (body, lost) = thought("another");
    assert_eq!(body["messages"][0]["content"][0]["summary"], json!([{"type": "summary_text", "text": "hm"}]));
    assert_eq!(lost, ["messages[0].reasoning_details"]);
}

#[test]
fn a_budget_is_kept_and_no_effort_turns_thinking_off() {
    let quirks = Quirks { effort: Effort::BudgetAndEffort, ..Quirks::COMPATIBLE };
    let of = |reasoning| rendered(&quirks, ChatRequest { reasoning: Some(reasoning), ..ChatRequest::default() });
    let (body, lost) = of(ReasoningRequest { budget_tokens: Some(1024), ..ReasoningRequest::default() });
    assert_eq!(body["thinking"], json!({"type": "enabled", "budget_tokens": 1024}));
    assert_eq!(lost, Vec::<String>::new());
    let (body, _) = of(ReasoningRequest { effort: Some("none".into()), ..ReasoningRequest::default() });
    assert_eq!((&body["thinking"], &body["reasoning_effort"]), (&json!({"type": "disabled"}), &json!(null)));
}

#[test]
fn a_switch_of_thinking_is_written_or_reported() {
    let own = |key: &str| Extension { format: FORMAT.into(), key: key.into(), json: r#"{"own":1}"#.into() };
    let asked = |effort, mode| {
        let quirks = Quirks { effort, ..Quirks::COMPATIBLE };
        let extensions = vec![own("reasoning"), own("thinking")];
        let reasoning = Some(ReasoningRequest { mode: Some(mode), extensions, ..ReasoningRequest::default() });
        rendered(&quirks, ChatRequest { reasoning, ..ChatRequest::default() })
    };
    let (body, lost) = asked(Effort::Effort, ReasoningMode::Enabled);
    assert_eq!(body, json!({"model": "m", "messages": []}));
    assert_eq!(lost, ["reasoning.enabled", "reasoning.own", "thinking.own"]);
    for (mode, enabled) in [(ReasoningMode::Enabled, true), (ReasoningMode::Disabled, false)] {
        let (body, lost) = asked(Effort::EnabledAndEffort, mode);
        assert_eq!(body["reasoning"], json!({"enabled": enabled, "own": 1}));
        assert_eq!(lost, ["thinking.own"]);
    }
    // A router's object may have it beside a level, and has it again then.
    for (notes, enabled) in
        [(vec![crate::compat::reasoning::note(SWITCHED, "")], json!(true)), (Vec::new(), json!(null))]
    {
        let (effort, mode) = (Some("low".to_owned()), Some(ReasoningMode::Enabled));
        let reasoning = Some(ReasoningRequest { mode, effort, extensions: notes, ..ReasoningRequest::default() });
        let quirks = Quirks { effort: Effort::Object, ..Quirks::COMPATIBLE };
        let (body, lost) = rendered(&quirks, ChatRequest { reasoning, ..ChatRequest::default() });
        assert_eq!((&body["reasoning"]["effort"], &body["reasoning"]["enabled"]), (&json!("low"), &enabled));
        assert_eq!(lost, Vec::<String>::new());
    }
    let (body, lost) = asked(Effort::Thinking, ReasoningMode::Enabled);
    assert_eq!((&body["thinking"], lost), (&json!({"type": "enabled", "own": 1}), vec!["reasoning.own".to_owned()]));
}

#[test]
fn log_probabilities_may_be_a_number() {
    let quirks = Quirks { logprobs_number: true, ..Quirks::COMPATIBLE };
    let asked = |logprobs, top_logprobs| {
        let sampling = Sampling { logprobs, top_logprobs, ..Sampling::default() };
        rendered(&quirks, ChatRequest { sampling, ..ChatRequest::default() }).0["logprobs"].clone()
    };
    assert_eq!(
        [asked(Some(true), None), asked(Some(true), Some(3)), asked(None, None)],
        [json!(1), json!(3), json!(null)]
    );
    assert_eq!([asked(None, Some(0)), asked(Some(false), Some(2))], [json!(null), json!(null)]);
}

#[test]
fn a_number_of_alternatives_is_sent_only_with_the_question_for_probabilities() {
    let asked = |logprobs, number| {
        let sampling = Sampling { logprobs, top_logprobs: Some(number), ..Sampling::default() };
        let (body, losses) = rendered(&FULL, ChatRequest { sampling, ..ChatRequest::default() });
        (body.get("logprobs").cloned(), body.get("top_logprobs").cloned(), losses.len())
    };
    assert_eq!(asked(Some(true), 0), (Some(json!(true)), Some(json!(0)), 0));
    assert_eq!(asked(None, 0), (None, None, 0));
    assert_eq!(asked(None, 2), (None, None, 0));
}

#[test]
fn c40_functions_are_refused_where_there_are_none() {
    let quirks = Quirks { tools: false, ..Quirks::COMPATIBLE };
    let error = refused(&quirks, ChatRequest { tools: vec![function("f")], ..ChatRequest::default() });
    assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::Unsupported, Some("tools")));
}

#[test]
fn c89_the_detail_of_responses_that_is_unknown_here_is_the_highest() {
    let of_image = |detail: &str, format: Option<&str>| {
        let note = |format: &str| Extension { format: format.into(), key: "dialect=".into(), json: "null".into() };
        let image = ResultPart::Media(MediaPart { detail: Some(detail.into()), ..image() });
        let request = of(vec![Message::new(Role::Tool, vec![result("a", vec![words("1"), image])])]);
        let (body, losses) =
            rendered(&FULL, ChatRequest { extensions: format.map(note).into_iter().collect(), ..request });
        (body["messages"][1]["content"][0]["image_url"]["detail"].clone(), losses.len() > 1)
    };
    let responses = Some("openai.responses");
    assert_eq!(of_image("original", responses), (json!("high"), true));
    assert_eq!(of_image("low", responses), (json!("low"), false));
    assert_eq!(of_image("original", None), (json!("original"), false), "a client of this format knows its server");
}

#[test]
fn c33_a_message_of_which_nothing_is_left_is_not_sent() {
    let assistant = |parts| Message::new(Role::Assistant, parts);
    let foreign = Opaque { format: "openai.responses".into(), kind: "web_search_call".into(), json: "{}".into() };
    let encrypted = Some(Signature { issuer: "openai.responses".into(), value: "E".into() });
    let thought = ReasoningPart { text: None, encrypted, ..ReasoningPart::new("") };
    for thinking in [Thinking::None, Thinking::Parts, Thinking::Content, Thinking::Reasoning, Thinking::Details] {
        let quirks = Quirks { thinking, ..FULL };
        for part in [Part::Reasoning(thought.clone()), Part::Opaque(foreign.clone())] {
            let messages = vec![user(vec![Part::text("a")]), assistant(vec![part]), user(vec![Part::text("b")])];
            let (body, losses) = rendered(&quirks, of(messages));
            assert_eq!(body["messages"], json!([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]));
            assert_eq!(losses.len(), 1, "{thinking:?}: {losses:?}");
        }
    }
    let (body, _) = rendered(&FULL, of(vec![assistant(Vec::new())]));
    assert_eq!(body["messages"], json!([{"role": "assistant", "content": ""}]), "the client's own");
}

#[test]
fn how_thinking_is_shown_has_a_place_in_the_object_of_routers() {
    let quirks = Quirks { effort: Effort::Object, ..FULL };
    let reasoning = ReasoningRequest { summary: Some("detailed".into()), ..ReasoningRequest::default() };
    let request = ChatRequest { reasoning: Some(reasoning), ..ChatRequest::default() };
    let (body, losses) = rendered(&quirks, request);
    assert_eq!((body["reasoning"].clone(), losses), (json!({"summary": "detailed"}), Vec::new()));
}

//! Requests of other formats, rendered in this one.

use serde_json::{Value, json};
use weir_sdk::types::{
    AllowedTools, CacheHint, ChatRequest, Extension, FunctionTool, JsonSchema, MediaKind, MediaPart, MediaSource,
    Message, OutputFormat, Part, ReasoningMode, ReasoningPart, ReasoningRequest, ResultPart, Role, Sampling, Signature,
    TextPart, Tool, ToolCall, ToolChoice, ToolResult,
};

use super::sent;

const MODEL: &str = "command-a-03-2025";
const THINKER: &str = "command-a-reasoning-08-2025";

fn user(parts: Vec<Part>) -> Message {
    Message::new(Role::User, parts)
}

fn asking(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { messages, ..ChatRequest::default() }
}

fn hello() -> ChatRequest {
    asking(vec![user(vec![Part::text("Hi")])])
}

fn tool(name: &str, strict: Option<bool>, parameters: &str) -> Tool {
    Tool::Function(FunctionTool { parameters: Some(parameters.into()), strict, ..FunctionTool::new(name) })
}

fn error(request: ChatRequest) -> Option<String> {
    let rendered = <crate::Cohere as weir_sdk::adapter::ProviderChat>::render_request(&super::context(MODEL), request);
    rendered.unwrap_err().param
}

#[test]
fn c42_c90_an_empty_text_beside_calls_vanishes() {
    let call = Part::ToolCall(ToolCall::new("c1", "f", ""));
    let assistant = Message::new(Role::Assistant, vec![Part::text(""), call]);
    let (body, losses) = sent(MODEL, asking(vec![user(vec![Part::text("Hi")]), assistant]));
    let expected = json!({"role": "assistant", "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]});
    assert_eq!((&body["messages"][1], losses), (&expected, Vec::new()));
    // A history is accepted without a list of tools.
    assert!(body.get("tools").is_none());
}

#[test]
fn c33_a_message_of_which_nothing_is_left_is_not_sent() {
    let encrypted = Some(Signature { issuer: "other".into(), value: "x".into() });
    let thought = ReasoningPart { text: None, encrypted, ..ReasoningPart::new("") };
    let assistant = Message::new(Role::Assistant, vec![Part::Reasoning(thought)]);
    let (body, losses) = sent(THINKER, asking(vec![user(vec![Part::text("Hi")]), assistant]));
    assert_eq!(body["messages"].as_array().unwrap().len(), 1);
    assert_eq!(losses, ["messages[1].content[0].signature"]);
}

#[test]
fn c43_images_in_tool_results_follow_in_a_message_of_the_users() {
    let mut result = ToolResult::new("c1");
    let image = MediaPart::new(MediaKind::Image, MediaSource::Base64("iVBORw0KGgo=".into()));
    result.content = vec![ResultPart::Text(TextPart::new("done")), ResultPart::Media(image)];
    let other = ToolResult { content: vec![ResultPart::Json("[1]".into())], ..ToolResult::new("c2") };
    let results = user(vec![Part::ToolResult(result), Part::ToolResult(other), Part::text("And?")]);
    let (body, losses) = sent(MODEL, asking(vec![results]));
    let roles: Vec<&str> = body["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["tool", "tool", "user", "user"]);
    assert_eq!(body["messages"][1]["content"], "[1]");
    assert_eq!(body["messages"][2]["content"][0]["image_url"]["url"], "data:image/png;base64,iVBORw0KGgo=");
    assert_eq!(losses, ["messages[0].content[0]"]);
}

#[test]
fn c90_json_results_keep_their_structure() {
    let json = ResultPart::Json(r#"{"temperature":21,"unit":"C"}"#.into());
    let result = ToolResult { content: vec![json], ..ToolResult::new("c1") };
    let (body, _) = sent(MODEL, asking(vec![Message::new(Role::Tool, vec![Part::ToolResult(result)])]));
    let document = json!([{"type": "document", "document": {"data": {"temperature": 21, "unit": "C"}}}]);
    assert_eq!(body["messages"][0]["content"], document);
}

#[test]
fn c46_c47_names_that_break_the_rule_become_fitting_and_return() {
    let long = format!("1st.{}", "x".repeat(80));
    let mut request = hello();
    request.tools = vec![tool(&long, None, "{}")];
    request.messages.push(Message::new(Role::Assistant, vec![Part::ToolCall(ToolCall::new("id:1", &long, "{}"))]));
    let rendered = super::rendered(MODEL, request);
    let body = super::json(&rendered.request.body);
    let name = body["tools"][0]["function"]["name"].as_str().unwrap();
    assert!(name.len() <= 64 && !name.starts_with('1') && !name.contains('.'), "{name}");
    assert_eq!(body["messages"][1]["tool_calls"][0]["function"]["name"], name);
    assert_eq!(body["messages"][1]["tool_calls"][0]["id"], "id:1");
    let calls = json!([{"id": "c", "type": "function", "function": {"name": name, "arguments": "{}"}}]);
    let answer =
        json!({"id": "a", "finish_reason": "TOOL_CALL", "message": {"role": "assistant", "tool_calls": calls}});
    let ctx = weir_sdk::types::Context { memo: rendered.memo, ..super::context(MODEL) };
    let response = super::http_response(200, answer.to_string());
    let outcome = <crate::Cohere as weir_sdk::adapter::ProviderChat>::parse_response(&ctx, response).unwrap();
    let weir_sdk::adapter::ChatOutcome::Complete(answer) = outcome else { panic!("an answer") };
    assert!(matches!(&answer.response.candidates[0].parts[0], Part::ToolCall(call) if call.name == long));
}

#[test]
fn c49_c51_members_of_other_formats_are_reported_and_never_sent() {
    let mut request = hello();
    let own = |format: &str, key: &str| Extension { format: format.into(), key: key.into(), json: "true".into() };
    request.extensions = vec![own("openai.chat", "store"), own("cohere.chat", "raw_prompting")];
    request.messages[0].name = Some("Ann".into());
    let Part::Text(text) = &mut request.messages[0].parts[0] else { panic!("a text") };
    text.extensions = vec![own("openai.chat", "annotations")];
    request.end_user = Some("ann".into());
    request.cache_key = Some("k".into());
    request.metadata = Some(r#"{"a":"b"}"#.into());
    request.sampling = Sampling { candidates: Some(2), top_logprobs: Some(3), ..Sampling::default() };
    let (body, losses) = sent(MODEL, request);
    let members: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(members, ["messages", "model", "raw_prompting"]);
    let annotations = "messages[0].content[0].annotations";
    let expected =
        ["messages[0].name", annotations, "n", "top_logprobs", "user", "metadata", "prompt_cache_key", "store"];
    assert_eq!(losses, expected);
}

#[test]
fn c54_choices_that_the_format_lacks_leave_out_the_other_tools() {
    let mut request = hello();
    request.tools = vec![tool("a", None, "{}"), tool("b", None, "{}"), tool("c", None, "{}")];
    request.parallel_tool_calls = Some(false);
    let names = |body: &Value| -> Vec<String> {
        let tools = body["tools"].as_array().unwrap().iter();
        tools.map(|tool| tool["function"]["name"].as_str().unwrap().to_owned()).collect()
    };
    let choose = |choice| sent(MODEL, ChatRequest { tool_choice: Some(choice), ..request.clone() });
    let (body, losses) = choose(ToolChoice::Named("b".into()));
    assert_eq!((names(&body), &body["tool_choice"]), (vec!["b".to_owned()], &json!("REQUIRED")));
    assert_eq!(losses, ["tool_choice", "parallel_tool_calls"]);
    let (body, _) = choose(ToolChoice::Allowed(AllowedTools { names: vec!["a".into(), "c".into()], required: false }));
    assert_eq!(names(&body), ["a", "c"]);
    assert!(body.get("tool_choice").is_none());
    let (body, _) = choose(ToolChoice::Disabled);
    assert_eq!(body["tool_choice"], "NONE");
}

fn schema() -> OutputFormat {
    let schema = "{\"type\":\"object\"}".into();
    OutputFormat::Schema(JsonSchema { name: Some("n".into()), description: None, schema, strict: None })
}

#[test]
fn c88_json_mode_and_schemas_arrive() {
    let (body, losses) = sent(MODEL, ChatRequest { output: Some(schema()), ..hello() });
    assert_eq!(body["response_format"], json!({"type": "json_object", "json_schema": {"type": "object"}}));
    assert!(losses.is_empty(), "{losses:?}");
    let (body, _) = sent(MODEL, ChatRequest { output: Some(OutputFormat::Json), ..hello() });
    assert_eq!(body["response_format"], json!({"type": "json_object"}));
}

#[test]
fn c88_the_description_of_an_answer_stands_in_its_schema() {
    let asked = |schema: &str| {
        let (description, schema) = (Some("A person.".to_owned()), schema.to_owned());
        let output = OutputFormat::Schema(JsonSchema { name: None, description, schema, strict: None });
        let (body, losses) = sent(MODEL, ChatRequest { output: Some(output), ..hello() });
        (body["response_format"]["json_schema"]["description"].clone(), losses)
    };
    assert_eq!(asked(r#"{"type":"object"}"#), (json!("A person."), Vec::new()));
    assert_eq!(
        asked(r#"{"description":"Anyone."}"#),
        (json!("Anyone."), vec!["response_format.description".to_owned()])
    );
}

#[test]
fn c88_required_tools_arrive() {
    let mut request = hello();
    request.tools = vec![tool("f", None, r#"{"properties":{"a":{"type":"string"}},"required":["a"]}"#)];
    request.tool_choice = Some(ToolChoice::Required);
    let (body, losses) = sent(MODEL, request);
    assert_eq!(body["tool_choice"], "REQUIRED");
    assert_eq!(body["tools"][0]["function"]["parameters"]["type"], "object");
    assert!(losses.is_empty(), "{losses:?}");
}

#[test]
fn json_is_not_asked_for_beside_tools_or_documents() {
    let document = Part::Media(MediaPart::new(MediaKind::Document, MediaSource::Text("Otters.".into())));
    let with_document = asking(vec![user(vec![document, Part::text("Where?")])]);
    let with_tool = ChatRequest { tools: vec![tool("f", None, "{}")], ..hello() };
    for request in [with_document, with_tool] {
        for output in [schema(), OutputFormat::Json] {
            let (body, losses) = sent(MODEL, ChatRequest { output: Some(output), ..request.clone() });
            assert_eq!((body.get("response_format"), losses), (None, vec!["response_format".to_owned()]));
        }
        let (body, _) = sent(MODEL, ChatRequest { output: Some(OutputFormat::Plain), ..request });
        assert_eq!(body["response_format"], json!({"type": "text"}));
    }
    // The service's own clients get its own answer.
    let own = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "documents": ["words"],
        "response_format": {"type": "json_object"}});
    let (body, losses) = sent("m", super::parsed(&own));
    assert_eq!((&body["response_format"], losses.len()), (&own["response_format"], 0));
}

#[test]
fn tools_are_strict_together_or_not_at_all() {
    let strict = |tools: Vec<Tool>| sent(MODEL, ChatRequest { tools, ..hello() });
    let needy = r#"{"type":"object","properties":{"a":{}},"required":["a"]}"#;
    let (body, losses) = strict(vec![tool("a", Some(true), needy), tool("b", Some(true), needy)]);
    assert_eq!((&body["strict_tools"], losses.len()), (&json!(true), 0));
    let (body, losses) = strict(vec![tool("a", Some(true), needy), tool("b", Some(true), "{}")]);
    assert_eq!((body.get("strict_tools"), losses), (None, vec!["tools[].strict".to_owned()]));
}

#[test]
fn c77_thinking_goes_where_the_model_would_have_put_it() {
    let call = || Part::ToolCall(ToolCall::new("c1", "f", "{}"));
    let history = |calls: bool| {
        let mut parts = vec![Part::Reasoning(ReasoningPart::new("Hm."))];
        parts.push(if calls { call() } else { Part::text("Yes.") });
        asking(vec![user(vec![Part::text("Hi")]), Message::new(Role::Assistant, parts)])
    };
    let (body, losses) = sent(THINKER, history(true));
    assert_eq!(body["messages"][1]["content"], json!([{"type": "thinking", "thinking": "Hm."}]));
    assert!(losses.is_empty());
    let (body, losses) = sent(MODEL, history(true));
    assert_eq!((&body["messages"][1]["tool_plan"], losses.len()), (&json!("Hm."), 0));
    let (body, losses) = sent(MODEL, history(false));
    assert_eq!(body["messages"][1]["content"], "Yes.");
    assert_eq!(losses, ["messages[1].content[0].reasoning"]);
}

#[test]
fn thinking_is_asked_for_by_budget() {
    let ask = |model: &str, reasoning| sent(model, ChatRequest { reasoning: Some(reasoning), ..hello() });
    let effort = |effort: &str| ReasoningRequest { effort: Some(effort.into()), ..ReasoningRequest::default() };
    let (body, losses) = ask(THINKER, effort("medium"));
    assert_eq!(body["thinking"], json!({"type": "enabled", "token_budget": 8192}));
    assert_eq!(losses, ["reasoning_effort"]);
    assert_eq!(ask(THINKER, effort("none")).0["thinking"], json!({"type": "disabled"}));
    let (body, losses) = ask(MODEL, effort("high"));
    assert_eq!((body.get("thinking"), losses), (None, vec!["reasoning_effort".to_owned()]));
    let budget =
        ReasoningRequest { mode: Some(ReasoningMode::Enabled), budget_tokens: Some(0), ..ReasoningRequest::default() };
    assert_eq!(ask(THINKER, budget).0["thinking"], json!({"type": "enabled", "token_budget": 1}));
}

#[test]
fn numbers_out_of_range_are_clamped_and_reported() {
    let mut request = hello();
    request.sampling = Sampling {
        temperature: Some(1.5),
        top_p: Some(1.0),
        top_k: Some(1000),
        frequency_penalty: Some(-0.5),
        presence_penalty: Some(0.5),
        seed: Some("-3".into()),
        stop: (0..6).map(|n| n.to_string()).collect(),
        ..Sampling::default()
    };
    let (body, losses) = sent(MODEL, request);
    let number = |key: &str| (body[key].as_f64().unwrap() * 100.0).round() as i64;
    assert_eq!([number("temperature"), number("p"), number("k")], [100, 99, 50_000]);
    assert_eq!([number("frequency_penalty"), number("presence_penalty")], [0, 50]);
    assert_eq!(body["stop_sequences"].as_array().unwrap().len(), 5);
    assert_eq!(losses, ["temperature", "top_p", "top_k", "frequency_penalty", "seed", "stop"]);
}

#[test]
fn a_k_of_zero_is_none_to_others_and_zero_here() {
    let request = super::parsed(&json!({"model": "m", "messages": [], "k": 0}));
    assert_eq!(request.sampling.top_k, None);
    assert_eq!(sent("m", request).0["k"], 0);
}

#[test]
fn c89_what_cannot_be_held_is_refused_by_name() {
    let part = |kind, source| asking(vec![user(vec![Part::text("Look:"), Part::Media(MediaPart::new(kind, source))])]);
    for (kind, source) in [
        (MediaKind::Document, MediaSource::Base64("JVBERi0=".into())),
        (MediaKind::Audio, MediaSource::Base64("UklGR".into())),
        (MediaKind::Image, MediaSource::FileId("file-1".into())),
    ] {
        assert_eq!(error(part(kind, source)).as_deref(), Some("messages[0].content[1]"));
    }
    let opaque = weir_sdk::types::Opaque { format: "x.y".into(), kind: "web_search".into(), json: "{}".into() };
    assert_eq!(error(ChatRequest { tools: vec![Tool::Opaque(opaque)], ..hello() }).as_deref(), Some("tools[0]"));
}

#[test]
fn text_documents_of_other_formats_stand_beside_the_messages() {
    let mut media = MediaPart::new(MediaKind::Document, MediaSource::Text("Otters sleep afloat.".into()));
    media.name = Some("otters.txt".into());
    media.cache = Some(CacheHint { ttl: None });
    let (body, losses) = sent(MODEL, asking(vec![user(vec![Part::Media(media), Part::text("Where?")])]));
    assert_eq!(body["documents"], json!([{"data": {"title": "otters.txt", "text": "Otters sleep afloat."}}]));
    assert_eq!(body["messages"][0]["content"], "Where?");
    assert_eq!(losses, ["messages[0].content[0].cache_control"]);
}

/// Converse's search results name their source, for which a document has no place.
#[test]
fn what_a_document_of_a_result_cannot_say_is_told_as_lost() {
    let mut media = MediaPart::new(MediaKind::Document, MediaSource::Text("Otters sleep afloat.".into()));
    media.extensions = vec![Extension {
        format: "bedrock.converse".into(),
        key: "searchResult".into(),
        json: r#"{"source":"https://otters.example"}"#.into(),
    }];
    let result = ToolResult { content: vec![ResultPart::Media(media)], ..ToolResult::new("c1") };
    let (_, losses) = sent(MODEL, asking(vec![user(vec![Part::ToolResult(result)])]));
    assert_eq!(losses, ["messages[0].content[0].content[0].searchResult"]);
}

#[test]
fn documents_belong_to_what_the_user_asks_last() {
    let body = json!({"model": "m", "messages": [
        {"role": "user", "content": "One"}, {"role": "assistant", "content": "1"}, {"role": "user", "content": "Two"}],
        "documents": ["words", {"id": "d", "data": {"title": "t", "text": "more"}}]});
    let request = super::parsed(&body);
    assert_eq!((request.messages[0].parts.len(), request.messages[2].parts.len()), (1, 3));
    let (back, _) = sent("m", request);
    assert_eq!((&back["documents"], &back["messages"]), (&body["documents"], &body["messages"]));
}

#[test]
fn what_is_wrong_is_named() {
    let parse = |body: Value| {
        let http = weir_sdk::types::HttpRequest::post("/v2/chat", body.to_string());
        <crate::Cohere as weir_sdk::adapter::DialectChat>::parse_request(&super::context("m"), http).unwrap_err()
    };
    assert_eq!(parse(json!({"model": "m"})).param.as_deref(), Some("messages"));
    let tool = json!({"messages": [{"role": "tool", "content": "x"}]});
    assert_eq!(parse(tool).param.as_deref(), Some("messages[0].tool_call_id"));
    let image = json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]});
    assert_eq!(parse(image).param.as_deref(), Some("messages[0].content[0].image_url.url"));
}

#[test]
fn c89_a_detail_above_the_highest_is_the_highest() {
    let sent_of = |detail: &str| {
        let url = MediaSource::Url("https://a.example/a.png".into());
        let image = MediaPart { detail: Some(detail.into()), ..MediaPart::new(MediaKind::Image, url) };
        let messages = vec![Message::new(Role::User, vec![Part::Media(image)])];
        let (body, losses) = sent("command-a-vision", ChatRequest { messages, ..ChatRequest::default() });
        (body["messages"][0]["content"][0]["image_url"]["detail"].clone(), losses)
    };
    assert_eq!(sent_of("original"), (json!("high"), vec!["messages[0].content[0].detail".to_owned()]));
    assert_eq!(sent_of("low"), (json!("low"), Vec::new()));
}

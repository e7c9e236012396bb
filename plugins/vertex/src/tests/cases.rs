//! Known bugs of other gateways, and cases that are specific to the platform.

use serde_json::{Value, json};
use weir_adapter_anthropic::{BETA, CACHE, FORMAT};
use weir_sdk::adapter::{ProviderCountTokens, ProviderEmbeddings, ProviderErrors, ProviderModels};
use weir_sdk::model::header;
use weir_sdk::types::{
    CacheHint, ChatEvent, ChatRequest, Context, EmbeddingInput, EmbeddingsRequest, ErrorKind, Extension, FinishReason,
    Frame, FunctionTool, MediaKind, MediaPart, MediaSource, Message, ModelsRequest, OutputFormat, Part, PartKind,
    ReasoningPart, ResultPart, Role, Sampling, Signature, TextPart, Tool, ToolCall, ToolResult, Vector,
};

use super::{answered, body, context, decoded, fields, http, rendered};
use crate::Vertex;

const GEMINI: &str = "gemini-2.5-flash";
const CLAUDE: &str = "claude-sonnet-4-5@20250929";

fn ask(messages: Vec<Message>) -> ChatRequest {
    ChatRequest { messages, ..ChatRequest::default() }
}

fn user(part: Part) -> Message {
    Message::new(Role::User, vec![part])
}

fn result(id: &str, text: &str) -> Message {
    let content = vec![ResultPart::Text(TextPart::new(text))];
    Message::new(Role::Tool, vec![Part::ToolResult(ToolResult { content, ..ToolResult::new(id) })])
}

fn url(url: &str) -> Part {
    Part::Media(MediaPart::new(MediaKind::Image, MediaSource::Url(url.into())))
}

#[test]
fn c51_claude_is_asked_with_the_model_in_the_path_and_the_version_in_the_body() {
    let options = [("project", "\"p\""), ("location", "\"us-east5\""), ("beta", "[\"b1\"]")];
    for (stream, method) in [(false, "rawPredict"), (true, "streamRawPredict")] {
        let request = ChatRequest { stream, ..ask(vec![user(Part::text("hi"))]) };
        let rendered = rendered(&context(CLAUDE, &options), request).unwrap();
        let path = format!("v1/projects/p/locations/us-east5/publishers/anthropic/models/{CLAUDE}:{method}");
        assert_eq!(rendered.request.path, path);
        let body = body(&rendered);
        assert_eq!(body["anthropic_version"], "vertex-2023-10-16");
        assert_eq!((body.get("model"), body["stream"].as_bool().unwrap_or(false)), (None, stream));
        assert_eq!(header(&rendered.request.headers, "anthropic-version"), None);
        assert_eq!(header(&rendered.request.headers, "anthropic-beta"), Some("b1"));
    }
}

#[test]
fn claude_is_asked_for_the_clients_features_that_the_platform_knows_and_a_count_for_none() {
    let asked = r#""interleaved-thinking-2025-05-14,files-api-2025-04-14""#;
    let extensions = vec![Extension { format: FORMAT.into(), key: BETA.into(), json: asked.into() }];
    let request = || ChatRequest { extensions: extensions.clone(), ..ask(vec![user(Part::text("hi"))]) };
    let ctx = context(CLAUDE, &[("beta", "[\"b1\"]")]);
    let sent = rendered(&ctx, request()).unwrap();
    assert_eq!(header(&sent.request.headers, BETA), Some("interleaved-thinking-2025-05-14,b1"));
    assert_eq!(fields(&sent.losses), [BETA]);
    let count = <Vertex as ProviderCountTokens>::render_request(&ctx, request()).unwrap();
    assert_eq!(header(&count.request.headers, BETA), None);
}

#[test]
fn further_members_of_cache_hints_are_not_sent_to_claude_and_reported() {
    let scope = || Extension { format: FORMAT.into(), key: format!("{CACHE}scope"), json: r#""global""#.into() };
    let hint = || Some(CacheHint { ttl: None });
    let text = TextPart { cache: hint(), extensions: vec![scope()], ..TextPart::new("a") };
    let tool = FunctionTool { cache: hint(), extensions: vec![scope()], ..FunctionTool::new("f") };
    let request = ChatRequest { tools: vec![Tool::Function(tool)], ..ask(vec![user(Part::Text(text))]) };
    let rendered = rendered(&context(CLAUDE, &[]), request).unwrap();
    assert_eq!(
        fields(&rendered.losses),
        ["messages[0].content[0].cache_control.scope", "tools[0].cache_control.scope"]
    );
    let body = body(&rendered);
    for hinted in [&body["messages"][0]["content"][0], &body["tools"][0]] {
        assert_eq!(hinted["cache_control"], json!({"type": "ephemeral"}));
    }
}

#[test]
fn gemini_is_asked_in_its_own_words() {
    let options = [("project", "\"p\""), ("location", "\"global\"")];
    let request = ChatRequest { stream: true, ..ask(vec![user(Part::text("hi"))]) };
    let rendered = rendered(&context(GEMINI, &options), request).unwrap();
    let path = format!("v1/projects/p/locations/global/publishers/google/models/{GEMINI}:streamGenerateContent");
    assert_eq!((rendered.request.path, header(&rendered.request.query, "alt")), (path, Some("sse")));
}

#[test]
fn c38_parallel_calls_of_one_function_keep_their_results_without_ids() {
    let calls = ["a", "b"].map(|id| Part::ToolCall(ToolCall::new(id, "add", "{}")));
    let history = || {
        let asked = user(Part::text("go"));
        vec![asked, Message::new(Role::Assistant, calls.to_vec()), result("b", "2"), result("a", "1")]
    };
    let body = |options: &[(&str, &str)]| body(&rendered(&context(GEMINI, options), ask(history())).unwrap());
    let without = body(&[]);
    assert_eq!(without["contents"][1]["parts"][0]["functionCall"], json!({"name": "add", "args": {}}));
    let responses = |body: &Value| {
        [&body["contents"][2]["parts"][0], &body["contents"][2]["parts"][1]]
            .map(|part| part["functionResponse"].clone())
    };
    let response = |text: &str| json!({"name": "add", "response": {"result": text}});
    assert_eq!(responses(&without), [response("1"), response("2")]);
    let with = body(&[("call_ids", "true")]);
    assert_eq!(responses(&with)[0]["id"], "b");
}

#[test]
fn c29_signatures_return_to_their_issuer_only() {
    let thought = |issuer: &str| {
        let signature = Some(Signature { issuer: issuer.into(), value: "AAAA".into() });
        Part::Reasoning(ReasoningPart { signature, ..ReasoningPart::new("hm") })
    };
    let history = || {
        let parts = vec![thought("anthropic"), thought("gemini"), Part::text("so")];
        ask(vec![user(Part::text("a")), Message::new(Role::Assistant, parts), user(Part::text("b"))])
    };
    let claude = body(&rendered(&context(CLAUDE, &[]), history()).unwrap());
    let content = claude["messages"][1]["content"].as_array().unwrap();
    assert_eq!(content[0]["signature"], "AAAA");
    assert_eq!(content.iter().filter(|block| block["type"] == "thinking").count(), 1);
    let gemini = body(&rendered(&context(GEMINI, &[]), history()).unwrap());
    let parts = gemini["contents"][1]["parts"].as_array().unwrap();
    assert_eq!(parts.iter().filter(|part| part.get("thoughtSignature").is_some()).count(), 1);
}

#[test]
fn c29_answers_name_the_issuer_of_their_signatures() {
    let claude = json!({"type": "message", "id": "m", "role": "assistant", "stop_reason": "end_turn",
        "content": [{"type": "thinking", "thinking": "", "signature": "S"}, {"type": "text", "text": "x"}]});
    let gemini = json!({"candidates": [{"finishReason": "STOP",
        "content": {"parts": [{"text": "x", "thoughtSignature": "S"}]}}]});
    for (model, answer, issuer) in [(CLAUDE, claude, "anthropic"), (GEMINI, gemini, "gemini")] {
        let response = answered(&context(model, &[]), &answer.to_string()).unwrap();
        let signature = match &response.candidates[0].parts[0] {
            Part::Reasoning(part) => part.signature.as_ref(),
            Part::Text(part) => part.signature.as_ref(),
            _ => None,
        };
        assert_eq!(signature.unwrap().issuer, issuer);
    }
}

#[test]
fn c89_urls_go_where_they_are_fetched_and_are_refused_elsewhere() {
    let request = || ask(vec![user(url("https://h/x.png"))]);
    let sent = body(&rendered(&context(GEMINI, &[]), request()).unwrap());
    let expected = json!({"mimeType": "image/png", "fileUri": "https://h/x.png"});
    assert_eq!(sent["contents"][0]["parts"][0]["fileData"], expected);
    for (model, options) in [(CLAUDE, &[][..]), (GEMINI, &[("fetches_urls", "false")])] {
        let error = rendered(&context(model, options), request()).unwrap_err();
        assert_eq!(error.code.as_deref(), Some("media_url"), "{model}: the host may fetch it");
    }
    let unknown = |address| rendered(&context(GEMINI, &[]), ask(vec![user(url(address))])).unwrap_err();
    let error = unknown("https://h/x");
    assert_eq!((error.code.as_deref(), error.param.as_deref()), (Some("media_url"), Some("messages[0].content")));
    assert_eq!(unknown("gs://b/x").code, None, "only the provider can fetch it");
}

#[test]
fn penalties_and_a_format_beside_functions_are_taken_here() {
    let sampling = Sampling { frequency_penalty: Some(0.5), ..Sampling::default() };
    let function = FunctionTool::new("f");
    let (output, tools) = (Some(OutputFormat::Json), vec![Tool::Function(function)]);
    let request = ChatRequest { sampling, output, tools, ..ask(vec![user(Part::text("a"))]) };
    let sent = rendered(&context(GEMINI, &[]), request).unwrap();
    let expected = json!({"frequencyPenalty": 0.5, "responseMimeType": "application/json"});
    assert_eq!(body(&sent)["generationConfig"], expected);
    assert!(sent.losses.is_empty());
}

#[test]
fn classes_of_service_are_asked_for_by_a_header() {
    let request = |tier: &str| ChatRequest { service_tier: Some(tier.into()), ..ask(vec![user(Part::text("a"))]) };
    let flex = rendered(&context(GEMINI, &[]), request("flex")).unwrap();
    assert_eq!(header(&flex.request.headers, "x-vertex-ai-llm-shared-request-type"), Some("flex"));
    assert!(flex.losses.is_empty() && body(&flex).get("serviceTier").is_none());
    let odd = rendered(&context(GEMINI, &[]), request("scale")).unwrap();
    assert_eq!(fields(&odd.losses), ["service_tier"]);
    let claude = rendered(&context(CLAUDE, &[]), request("flex")).unwrap();
    assert!(body(&claude).get("service_tier").is_none() && fields(&claude.losses) == ["service_tier"]);
}

#[test]
fn a_clients_labels_are_sent_only_if_the_operator_enables_it() {
    let metadata = Some(r#"{"team":"search","Bad Key":"x","n":1}"#.to_owned());
    let request = ChatRequest { metadata, ..ask(vec![user(Part::text("a"))]) };
    let silent = rendered(&context(GEMINI, &[]), request.clone()).unwrap();
    assert!(body(&silent).get("labels").is_none() && fields(&silent.losses) == ["metadata"]);
    let given = rendered(&context(GEMINI, &[("labels", "true")]), request).unwrap();
    assert_eq!(body(&given)["labels"], json!({"team": "search"}));
    assert_eq!(fields(&given.losses), ["metadata.Bad Key", "metadata.n"]);
}

#[test]
fn c59_tokens_are_counted_by_the_publishers_own_ways() {
    let options = [("project", "\"p\""), ("location", "\"l\"")];
    let count = |model: &str| {
        let request = ask(vec![user(Part::text("a"))]);
        <Vertex as ProviderCountTokens>::render_request(&context(model, &options), request).unwrap()
    };
    let claude = count(CLAUDE);
    let path = "v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict";
    assert_eq!(claude.request.path, path);
    assert_eq!(
        (&body(&claude)["model"], &body(&claude)["anthropic_version"]),
        (&json!(CLAUDE), &json!("vertex-2023-10-16"))
    );
    let gemini = count(GEMINI);
    let path = format!("v1/projects/p/locations/l/publishers/google/models/{GEMINI}:countTokens");
    assert_eq!(gemini.request.path, path);
    assert_eq!(body(&gemini), json!({"contents": [{"role": "user", "parts": [{"text": "a"}]}]}));
    let counted = |model, text| {
        <Vertex as ProviderCountTokens>::parse_response(&context(model, &[]), http(200, text)).unwrap().input
    };
    assert_eq!(counted(CLAUDE, r#"{"input_tokens":7}"#), 7);
    assert_eq!(counted(GEMINI, r#"{"totalTokens":9}"#), 9);
}

#[test]
fn the_project_that_pays_is_named_once_if_the_operator_sets_one() {
    for (options, expected) in [(vec![], 0), (vec![("project", "\"p\""), ("user_project", "\"q\"")], 1)] {
        let mut all = Vec::new();
        for model in [CLAUDE, GEMINI] {
            let (ctx, request) = (context(model, &options), || ask(vec![user(Part::text("a"))]));
            all.push(rendered(&ctx, request()).unwrap());
            all.push(<Vertex as ProviderCountTokens>::render_request(&ctx, request()).unwrap());
            all.push(
                <Vertex as ProviderModels>::render_request(&ctx, ModelsRequest { id: None, cursor: None, limit: None })
                    .unwrap(),
            );
        }
        for model in ["text-embedding-005", "gemini-embedding-2"] {
            let request = EmbeddingsRequest { model: model.into(), ..texts(&["a"]) };
            all.push(<Vertex as ProviderEmbeddings>::render_request(&context(model, &options), request).unwrap());
        }
        for one in all {
            let named = one.request.headers.iter().filter(|header| header.name == "x-goog-user-project");
            let named: Vec<_> = named.map(|header| header.value.as_str()).collect();
            assert_eq!(named, vec!["q"; expected], "{}", one.request.path);
        }
    }
}

#[test]
fn c83_errors_are_parsed_in_any_servers_format() {
    let long = r#"{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 2 > 1"}}"#;
    let limit = r#"[{"error":{"code":429,"message":"Quota exceeded for x_per_minute","status":"RESOURCE_EXHAUSTED"}}]"#;
    let gone = r#"{"error":{"code":404,"message":"Publisher Model was not found","status":"NOT_FOUND"}}"#;
    for (status, text, kind) in [
        (400, long, ErrorKind::ContextLength),
        (429, limit, ErrorKind::RateLimited),
        (404, gone, ErrorKind::NotFound),
        (401, r#"{"error":{"code":401,"status":"UNAUTHENTICATED"}}"#, ErrorKind::Authentication),
        (403, r#"{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}"#, ErrorKind::Permission),
        (529, r#"{"type":"error","error":{"type":"overloaded_error","message":"x"}}"#, ErrorKind::Overloaded),
        (502, "<html>", ErrorKind::Upstream),
        (408, "", ErrorKind::Timeout),
    ] {
        let error = Vertex::parse_error(&context(CLAUDE, &[]), http(status, text));
        assert_eq!((error.kind, error.status), (kind, Some(status)), "{text}");
    }
}

#[test]
fn c19_the_platforms_error_amid_claudes_events_fails_the_stream_once() {
    let frame = |event: Option<&str>, data: Value| Frame { event: event.map(str::to_owned), data: data.to_string() };
    let start = json!({"type": "message_start", "message": {"id": "m", "content": [], "role": "assistant"}});
    let limit = json!({"error": {"code": 429, "message": "slow", "status": "RESOURCE_EXHAUSTED"}});
    let frames =
        [frame(Some("message_start"), start), frame(None, limit), frame(Some("ping"), json!({"type": "ping"}))];
    for group in [1, 2, 3] {
        let events = decoded(&context(CLAUDE, &[]), &frames, group);
        let failures: Vec<_> = events.iter().filter(|event| matches!(event, ChatEvent::Failure(_))).collect();
        assert!(matches!(failures[..], [ChatEvent::Failure(error)] if error.kind == ErrorKind::RateLimited));
        assert_eq!(events.last(), failures.first().copied());
    }
    assert_eq!(answered(&context(CLAUDE, &[]), &frames[1].data).unwrap_err().kind, ErrorKind::RateLimited);
}

#[test]
fn c11_a_call_outranks_geminis_stop() {
    let parts = json!([{"functionCall": {"name": "f", "args": {}}}]);
    let data = json!({"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}).to_string();
    let response = answered(&context(GEMINI, &[]), &data).unwrap();
    assert_eq!(response.candidates[0].finish.as_ref().unwrap().reason, FinishReason::ToolCalls);
    let events = decoded(&context(GEMINI, &[]), &[Frame { event: None, data }], 1);
    let call =
        |event: &ChatEvent| matches!(event, ChatEvent::PartStart(start) if matches!(start.kind, PartKind::ToolCall(_)));
    assert!(events.iter().any(call));
}

#[test]
fn a_model_of_another_publisher_is_refused_in_streams_too() {
    let ctx = context("meta/llama-4", &[]);
    let error = rendered(&ctx, ask(vec![user(Part::text("a"))])).unwrap_err();
    assert_eq!((error.kind, error.param.as_deref()), (ErrorKind::Unsupported, Some("model")));
}

fn embed(model: &str, request: EmbeddingsRequest) -> Result<(String, Value), ErrorKind> {
    let rendered = <Vertex as ProviderEmbeddings>::render_request(&context(model, &[]), request);
    let rendered = rendered.map_err(|error| error.kind)?;
    Ok((rendered.request.path.clone(), body(&rendered)))
}

fn texts(texts: &[&str]) -> EmbeddingsRequest {
    EmbeddingsRequest {
        model: String::new(),
        inputs: texts.iter().map(|text| EmbeddingInput::Text((*text).into())).collect(),
        single: false,
        dimensions: Some(3),
        encoding: None,
        task: Some("search_query".into()),
        title: None,
        end_user: None,
        extensions: Vec::new(),
    }
}

#[test]
fn c93_texts_are_embedded_by_predictions() {
    let (path, body) = embed("text-embedding-005", texts(&["a", "b"])).unwrap();
    assert_eq!(path, "publishers/google/models/text-embedding-005:predict");
    let instance = |text: &str| json!({"content": text, "task_type": "RETRIEVAL_QUERY"});
    assert_eq!(body, json!({"instances": [instance("a"), instance("b")], "parameters": {"outputDimensionality": 3}}));
    let (path, body) = embed("gemini-embedding-2-preview", texts(&["a"])).unwrap();
    assert!(path.ends_with("gemini-embedding-2-preview:embedContent"));
    let expected =
        json!({"content": {"parts": [{"text": "a"}]}, "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 3});
    assert_eq!(body, expected);
    assert_eq!(embed("gemini-embedding-2-preview", texts(&["a", "b"])), Err(ErrorKind::Unsupported));
    let (_, body) = embed("multimodalembedding@001", texts(&["a"])).unwrap();
    assert_eq!(body, json!({"instances": [{"text": "a"}], "parameters": {"dimension": 3}}));
    let image = MediaPart {
        mime: Some("image/jpg".into()),
        ..MediaPart::new(MediaKind::Image, MediaSource::Base64("/9j/".into()))
    };
    let image = EmbeddingsRequest { inputs: vec![EmbeddingInput::Media(image)], ..texts(&[]) };
    let (_, body) = embed("multimodalembedding@001", image).unwrap();
    assert_eq!(body["instances"][0]["image"]["mimeType"], "image/jpeg");
    assert_eq!(embed(CLAUDE, texts(&["a"])), Err(ErrorKind::Unsupported));
    let tokens = EmbeddingsRequest { inputs: vec![EmbeddingInput::Tokens(vec![1])], ..texts(&[]) };
    assert_eq!(embed("text-embedding-005", tokens), Err(ErrorKind::Unsupported));
}

#[test]
fn c93_vectors_come_in_order_with_the_sum_of_their_tokens() {
    let read =
        |text: &str| <Vertex as ProviderEmbeddings>::parse_response(&Context::default(), http(200, text)).unwrap();
    let prediction = |value: u8, tokens: u8| json!({"embeddings": {"values": [value], "statistics": {"token_count": tokens, "truncated": false}}});
    let response = read(&json!({"predictions": [prediction(1, 4), prediction(2, 5)]}).to_string());
    assert_eq!(response.usage.unwrap().input, Some(9));
    let vectors: Vec<_> = response.embeddings.iter().map(|one| (one.index, one.vector.clone())).collect();
    assert_eq!(vectors, [(0, Vector::Floats(vec![1.0])), (1, Vector::Floats(vec![2.0]))]);
    let unknown = read(r#"{"predictions":[{"embeddings":{"values":[1]}}],"metadata":{"billableCharacterCount":2}}"#);
    assert_eq!(unknown.usage, None);
    let image = read(r#"{"predictions":[{"imageEmbedding":[0.5]}]}"#);
    assert_eq!(image.embeddings[0].vector, Vector::Floats(vec![0.5]));
    let content = read(r#"{"embedding":{"values":[0.25]},"usageMetadata":{"promptTokenCount":3}}"#);
    assert_eq!((content.embeddings.len(), content.usage.unwrap().input), (1, Some(3)));
}

//! Failures: a code, a reason, the field at fault, and what is known at the end.

use tonic::Code;
use tonic_types::StatusExt as _;
use weir_grpc::messages::{EmbedRequest, EmbedResponse};
use weir_grpc::types;
use weir_tests::{Answer, Folder, Gateway, Upstream};

use super::{Read, chat, connect, generate, naming, unary, with, with_tool};
use crate::budgets::settled;
use crate::guards;
use crate::wire_format::{OPENAI, config, config_of, provider};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request_is_named() {
    let mut upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let channel = connect(&gateway).await;
    let mut unset = chat("openai", true);
    unset.messages[0].role = None;
    let mut unknown = chat("openai", true);
    unknown.reasoning = Some(types::ReasoningRequest { mode: Some(77), ..Default::default() });
    let mut number = chat("openai", true);
    number.sampling.as_mut().unwrap().temperature = Some(f64::INFINITY);
    for (request, code, reason, param) in [
        (unset, Code::InvalidArgument, "INVALID_REQUEST", "chat.messages[0].role"),
        (unknown, Code::InvalidArgument, "INVALID_REQUEST", "chat.reasoning.mode"),
        (number, Code::InvalidArgument, "INVALID_REQUEST", "chat.sampling.temperature"),
        (chat("no-such", true), Code::NotFound, "MODEL_NOT_FOUND", "model"),
    ] {
        let status = generate(&channel, request, &[("x-request-id", "mine")]).await.unwrap_err();
        let info = status.get_error_details().error_info().cloned().unwrap();
        let details = (status.code(), info.reason.as_str(), info.metadata.get("param").map(String::as_str));
        assert_eq!(details, (code, reason, Some(param)), "{status:?}");
        let names_method = status.message().contains("the method ListModels lists those that you may use");
        assert_eq!(names_method, code == Code::NotFound, "{status:?}");
        assert_eq!(info.metadata["request_id"], "mine");
        assert_eq!(status.metadata().get("x-request-id").unwrap(), "mine");
    }
    let none: Result<tonic::Response<EmbedResponse>, _> =
        unary(&channel, "/weir.v1.Inference/Embed", with(EmbedRequest { embeddings: None }, &[])).await;
    assert_eq!(none.unwrap_err().code(), Code::InvalidArgument);
    let unknown: Result<tonic::Response<EmbedResponse>, _> =
        unary(&channel, "/weir.v1.Inference/Imagine", with(EmbedRequest { embeddings: None }, &[])).await;
    assert_eq!(unknown.unwrap_err().code(), Code::Unimplemented);
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_providers_refusal_and_its_silence_have_their_codes() {
    let refused = r#"{"error":{"message":"too much","type":"rate_limit"}}"#;
    let upstream = Upstream::always(Answer::whole(429, &[("content-type", "application/json")], refused)).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let channel = connect(&gateway).await;
    let status = generate(&channel, chat("openai", true), &[]).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    let info = status.get_error_details().error_info().cloned().unwrap();
    assert_eq!(info.metadata["source"], "upstream");
    // As in the headers of the other formats.
    let told = |name: &str| status.metadata().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    assert_eq!(told("x-weir-provider").as_deref(), Some("openai"), "{status:?}");
    assert!(told("x-weir-attempts").is_some_and(|attempts| attempts.contains("=rate_limited")), "{status:?}");
    upstream.now(Answer::json(500, "{}"));
    let status = generate(&channel, chat("openai", true), &[]).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    upstream.now(Answer::silence());
    let status = generate(&channel, chat("openai", true), &[("x-weir-timeout-ms", "50")]).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_words_of_a_provider_fit_into_the_headers_that_a_client_takes() {
    let said = serde_json::json!({"error": {"message": "語".repeat(4_000), "type": "invalid_request_error"}});
    let upstream = Upstream::always(Answer::json(400, said.to_string())).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", gateway.address)).unwrap();
    let channel = endpoint.http2_max_header_list_size(8 << 10).connect().await.unwrap();
    for stream in [false, true] {
        let status = generate(&channel, chat("openai", stream), &[]).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        assert!(status.message().contains("語語語"), "{status:?}");
        assert_eq!(status.get_error_details().error_info().unwrap().metadata["source"], "upstream");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_breaks_ends_with_a_status_and_without_a_summary() {
    let pieces = OPENAI.stream();
    let upstream = Upstream::always(Answer::sse().piece(&pieces[0]).piece(&pieces[1]).close()).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let channel = connect(&gateway).await;
    let read = Read::all(generate(&channel, chat("openai", true), &[]).await.unwrap()).await;
    assert!(read.summary.is_none() && !read.text.is_empty(), "{read:?}");
    assert_eq!(read.end.unwrap().code(), Code::Unavailable);
    gateway.until_metric("weir_requests_total{dialect=\"grpc\",outcome=\"broken\"}", 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_cancelled_ends_its_attempt_and_what_arrived_is_booked() {
    let pieces = OPENAI.stream();
    let mut upstream = Upstream::always(Answer::sse().piece(&pieces[0]).piece(&pieces[1]).hang()).await;
    let budget = "[[budgets]]\nname = \"all\"\nfor = \"all\"\ntokens = 1000000\nper = \"month\"\n";
    let gateway = Gateway::open(&(config(&upstream) + budget)).await;
    let channel = connect(&gateway).await;
    let mut stream = generate(&channel, chat("openai", true), &[]).await.unwrap();
    assert!(weir_tests::soon("an event", stream.message()).await.unwrap().is_some());
    drop(stream);
    upstream.departure().await;
    gateway.until_metric("weir_in_flight", 0.0).await;
    let booked = settled(&gateway).await;
    assert!((1..1000).contains(&booked), "{booked} tokens");
    // The connection goes on.
    let cancelled = generate(&channel, chat("openai", true), &[]).await.unwrap();
    drop(cancelled);
    upstream.departure().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_outlasts_the_stop_ends_with_a_status() {
    let pieces = OPENAI.stream();
    let upstream = Upstream::always(Answer::sse().piece(&pieces[0]).piece(&pieces[1]).hang()).await;
    let gateway = Gateway::open(&format!("[server]\nshutdown_timeout = \"50ms\"\n{}", config(&upstream))).await;
    let channel = connect(&gateway).await;
    let mut stream = generate(&channel, chat("openai", true), &[]).await.unwrap();
    assert!(weir_tests::soon("an event", stream.message()).await.unwrap().is_some());
    gateway.stop();
    let status = Read::all(stream).await.end.unwrap();
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    assert!(status.message().contains("send the request again"), "{status:?}");
    gateway.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_may_be_as_large_as_a_body() {
    let mut upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&format!("[server]\nmax_body_bytes = \"6MB\"\n{}", config(&upstream))).await;
    let channel = connect(&gateway).await;
    let large = |bytes: usize| {
        let mut chat = chat("openai", false);
        chat.cache_key = Some("x".repeat(bytes));
        chat
    };
    // Beyond the usual limit of gRPC's libraries, which is 4 MB.
    let read = Read::all(generate(&channel, large(5 << 20), &[]).await.unwrap()).await;
    assert!(read.summary.is_some());
    assert!(upstream.request().await.body.len() > 5 << 20);
    let status = generate(&channel, large(7 << 20), &[]).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guards_refusal_says_which_guard_it_was() {
    let mut upstream = provider(OPENAI).await;
    let gateway =
        guards::gateway(&upstream, &["openai"], &guards::guard("prompt-shape", "options = { roles = [] }")).await;
    let channel = connect(&gateway).await;
    let status = generate(&channel, chat("openai", true), &[]).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "{status:?}");
    assert_eq!(status.metadata().get("x-weir-guards").unwrap(), "prompt-shape=deny;limit=roles");
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_adds_to_its_usage_does_not_make_the_end_of_a_call_unreadable() {
    let usage = serde_json::json!({"prompt_tokens": 10, "completion_tokens": 7, "total_tokens": 17, "note": "x".repeat(200_000)});
    let mut answer: serde_json::Value = serde_json::from_str(&OPENAI.whole()).unwrap();
    answer["usage"] = usage;
    let upstream = Upstream::always(Answer::json(200, answer.to_string())).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let channel = connect(&gateway).await;
    for time in ["99999999H", "1M"] {
        let stream = generate(&channel, chat("openai", false), &[("grpc-timeout", time)]).await.unwrap();
        let read = Read::all(stream).await;
        assert!(read.end.is_none(), "{:?}", read.end);
        assert_eq!(read.summary.unwrap().usage.unwrap().output, Some(7));
        let bytes = read.trailers.get_bin("x-weir-usage-bin").unwrap().to_bytes().unwrap();
        assert_eq!(<types::Usage as prost::Message>::decode(bytes).unwrap().output, Some(7));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guards_of_a_model_judge_requests_that_name_it_beside_their_own() {
    let mut upstream = guards::upstream().await;
    let guard = guards::guard("prompt-shape", "for = { models = [\"dear\"] }\noptions = { roles = [] }");
    let gateway = guards::gateway(&upstream, &["openai"], &guard).await;
    let channel = connect(&gateway).await;
    for (chat, is_judged) in [
        (naming("[\"other\", \"dear\"]"), true),
        (naming("7"), true),
        (with_tool(r#"{"type":"look","model":"dear"}"#), true),
        (naming("[\"other\"]"), false),
        (chat("openai", false), false),
    ] {
        let judged = generate(&channel, chat, &[]).await.err();
        let verdict = judged.as_ref().map(|status| status.metadata().get("x-weir-guards").unwrap());
        assert_eq!(verdict.is_some(), is_judged, "{judged:?}");
        assert!(verdict.is_none_or(|verdict| *verdict == "prompt-shape=deny;limit=roles"), "{verdict:?}");
        assert_eq!(upstream.unseen().is_some(), !is_judged);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_has_room_for_the_dearest_model_that_a_request_names() {
    let mut upstream = provider(OPENAI).await;
    let adapters = Folder::with(&["openai"]);
    let prices = r#"{"providers": {"openai": {"openai": {"input": "1000000", "output": "1000000"},
        "dear": {"input": {"amount": "1000", "per": 1}, "output": {"amount": "1000", "per": 1}}}}}"#;
    std::fs::write(adapters.path().join("prices.json"), prices).unwrap();
    let budget = "[[budgets]]\nname = \"all\"\nfor = \"all\"\nusd = 9000\nper = \"total\"\n";
    let config = format!("price_file = \"prices.json\"\n{}{budget}", config_of(&[OPENAI], &upstream));
    let gateway = Gateway::with(adapters, &config).await;
    let channel = connect(&gateway).await;
    for (model, has_room) in [("dear", false), ("openai", true)] {
        let refused = generate(&channel, naming(&format!("[\"{model}\"]")), &[]).await.err();
        let code = refused.as_ref().map(tonic::Status::code);
        assert_eq!(code, (!has_room).then_some(Code::ResourceExhausted), "{refused:?}");
        assert_eq!(upstream.unseen().is_some(), has_room);
    }
}

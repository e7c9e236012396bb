//! `Generate`: events or a whole answer, a summary, and the way that every request takes.

use weir_grpc::types;
use weir_tests::{Answer, Folder, Gate, Gateway, Request, Upstream};

use super::{Read, chat, connect, generate, naming, with_tool};
use crate::wire_format::{ALL, ANTHROPIC, FURTHER, OLLAMA, OLLAMA_GENERATE, OPENAI, TEXT, config, config_of, provider};

#[tokio::test(flavor = "multi_thread")]
async fn every_provider_answers_with_events_or_whole() {
    for to in ALL.into_iter().chain(FURTHER) {
        let mut upstream = provider(to).await;
        let gateway = Gateway::with(Folder::with(&[to.adapter()]), &config_of(&[to], &upstream)).await;
        let channel = connect(&gateway).await;
        for stream in [true, false] {
            let read = Read::all(generate(&channel, chat(to.name, stream), &[]).await.unwrap()).await;
            assert_eq!(read.text, TEXT, "{} {stream}", to.name);
            assert_eq!((read.whole.is_some(), read.finishes), (!stream, usize::from(stream)));
            let summary = read.summary.as_ref().unwrap();
            let usage = summary.usage.as_ref().unwrap();
            // Ollama does not report what it read from a cache.
            let reports_no_cache = [OLLAMA, OLLAMA_GENERATE].contains(&to);
            let input = if reports_no_cache { (Some(10), None) } else { (Some(6), Some(4)) };
            assert_eq!(((usage.input, usage.cache_read), usage.output), (input, Some(7)), "{}", to.name);
            assert_eq!(read.usage(), *usage);
            // What runs on a machine of one's own costs nothing.
            let cost = reports_no_cache.then_some("0");
            assert_eq!((summary.attempts, summary.cost_usd.as_deref()), (1, cost), "{}", to.name);
            assert_eq!(summary.target, format!("{0}/{0}", to.name));
            let received = upstream.request().await;
            assert!(!received.head.contains("grpc"), "nothing of the protocol goes on: {}", received.head);
        }
        gateway.until_metric(&format!("weir_requests_total{{dialect=\"grpc\",route=\"{}\"}}", to.name), 2.0).await;
        gateway.until_metric("weir_in_flight", 0.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cost_and_losses_are_reported_at_the_end() {
    let upstream = provider(ANTHROPIC).await;
    let priced = config(&upstream)
        .replace("target = {", "price = { input = 1000000, output = 1000000, cache_read = 1000000 }\ntarget = {");
    let gateway = Gateway::open(&priced).await;
    let channel = connect(&gateway).await;
    for stream in [true, false] {
        let mut chat = chat("anthropic", stream);
        chat.sampling.as_mut().unwrap().frequency_penalty = Some(0.5);
        let read = Read::all(generate(&channel, chat, &[("x-request-id", "mine")]).await.unwrap()).await;
        let summary = read.summary.as_ref().unwrap();
        assert_eq!(summary.cost_usd.as_deref(), Some("17"), "{summary:?}");
        assert_eq!(read.trailers.get("x-weir-cost-usd").unwrap(), "17");
        let lost: Vec<&str> = summary.losses.iter().map(|loss| loss.field.as_str()).collect();
        assert_eq!(lost, ["frequency_penalty"]);
        assert_eq!(read.trailers.get("x-weir-losses").unwrap(), "frequency_penalty=dropped");
        assert_eq!(summary.request_id, "mine");
    }
}

/// A client's key in metadata.
const KEY: &[(&str, &str)] = &[("x-api-key", "weir-one-0123456789abcdef")];

#[tokio::test(flavor = "multi_thread")]
async fn keys_rights_and_limits_hold_as_at_the_other_entry_points() {
    let mut upstream = provider(OPENAI).await;
    let clients = "[[clients]]\nname = \"one\"\nkey = \"weir-one-0123456789abcdef\"\nmodels = [\"openai*\"]\n\
                   limits = { requests_per_minute = 3 }\n";
    let gateway = Gateway::open(&(config(&upstream) + clients)).await;
    let channel = connect(&gateway).await;
    let bearer = ("authorization", "Bearer weir-one-0123456789abcdef");
    let plain = ("x-api-key", "weir-one-0123456789abcdef");
    for key in [bearer, plain] {
        let read = Read::all(generate(&channel, chat("openai", true), &[key]).await.unwrap()).await;
        assert_eq!(read.text, TEXT);
        let received = upstream.request().await;
        assert_eq!(received.header("authorization"), Some("Bearer KEY-OF-openai"));
        assert!(!received.head.contains("weir-one"), "{}", received.head);
    }
    let refused = |metadata: &'static [(&'static str, &'static str)], model: &'static str| {
        let channel = channel.clone();
        async move { generate(&channel, chat(model, true), metadata).await.unwrap_err() }
    };
    assert_eq!(refused(&[], "openai").await.code(), tonic::Code::Unauthenticated);
    let wrong = refused(&[("x-api-key", "weir-two-0123456789abcdef")], "openai").await;
    assert_eq!(wrong.code(), tonic::Code::Unauthenticated);
    assert_eq!(refused(KEY, "zeta").await.code(), tonic::Code::PermissionDenied);
    let limited = refused(KEY, "openai").await;
    assert_eq!(limited.code(), tonic::Code::ResourceExhausted);
    let details = tonic_types::StatusExt::get_error_details(&limited);
    assert!(details.retry_info().unwrap().retry_delay.unwrap().as_secs() > 0);
    assert_eq!(details.error_info().unwrap().reason, "RATE_LIMIT_EXCEEDED");
    assert!(upstream.unseen().is_none());
    // The same limit counts at the other entry points.
    let request = OPENAI.request("openai", false).header(bearer.0, bearer.1);
    assert_eq!(gateway.ask(&request).await.status(), 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_counts_it_and_is_reported_when_it_is_used_up() {
    let upstream = provider(OPENAI).await;
    let money = "[[budgets]]\nname = \"all\"\nfor = \"all\"\nusd = 36\nper = \"total\"\n";
    let priced = config(&upstream)
        .replace("target = {", "price = { input = 1000000, output = 1000000, cache_read = 1000000 }\ntarget = {");
    let gateway = Gateway::open(&(priced + money)).await;
    let channel = connect(&gateway).await;
    let small = || types::ChatRequest { max_output_tokens: Some(1), ..chat("openai", true) };
    let read = Read::all(generate(&channel, small(), &[]).await.unwrap()).await;
    assert_eq!(read.summary.unwrap().cost_usd.as_deref(), Some("17"));
    gateway.until_metric("weir_budget_used{budget=\"all\"}", 17.0).await;
    let status = generate(&channel, small(), &[]).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::ResourceExhausted, "{status:?}");
    assert_eq!(status.metadata().get("x-should-retry").unwrap(), "false");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_cancels_ends_the_request_upstream() {
    let gate = Gate::default();
    let pieces = OPENAI.stream();
    let answer = Answer::sse().piece(&pieces[0]).piece(&pieces[1]).gate(&gate);
    let mut upstream = Upstream::always(answer).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let channel = connect(&gateway).await;
    let mut stream = generate(&channel, chat("openai", true), &[]).await.unwrap();
    assert!(weir_tests::soon("an event", stream.message()).await.unwrap().is_some());
    drop(stream);
    upstream.departure().await;
    gateway.until_metric("weir_in_flight", 0.0).await;
    gateway.until_metric("weir_requests_total{dialect=\"grpc\",outcome=\"cancelled\"}", 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_takes_no_other_fields_place() {
    let mut upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let channel = connect(&gateway).await;
    let extended = |key: &str, json: &str| {
        let mut chat = chat("openai", false);
        let (format, key, json) = ("openai.chat".into(), key.into(), json.into());
        chat.extensions = vec![types::Extension { format, key, json }];
        chat
    };
    let allowed = generate(&channel, extended("verbosity", "\"low\""), &[]).await.unwrap();
    assert_eq!(Read::all(allowed).await.text, TEXT);
    assert_eq!(upstream.request().await.json()["verbosity"], "low");
    // A field that is not set is none of the body's members.
    for (key, json) in [
        ("model", "\"dear\""),
        ("x", "1,\"model\":\"dear\""),
        ("stream", "true"),
        ("tools", "[{\"type\":\"function\",\"function\":{\"name\":\"evil\"}}]"),
        ("max_tokens", "100000"),
    ] {
        let status = generate(&channel, extended(key, json), &[]).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status:?}");
    }
    let extension =
        |key: &str, json: &str| types::Extension { format: "openai.chat".into(), key: key.into(), json: json.into() };
    let mut of_reasoning = chat("openai", false);
    of_reasoning.reasoning = Some(types::ReasoningRequest {
        extensions: vec![extension("model", "\"dear\"")],
        ..types::ReasoningRequest::default()
    });
    let mut of_message = chat("openai", false);
    of_message.messages[0].extensions = vec![extension("role", "\"system\"")];
    for chat in [of_reasoning, of_message] {
        let status = generate(&channel, chat, &[]).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status:?}");
    }
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_extension_names_no_model_that_the_key_may_not_use() {
    let mut upstream = provider(OPENAI).await;
    let clients = "[[clients]]\nname = \"one\"\nkey = \"weir-one-0123456789abcdef\"\nmodels = [\"openai*\"]\n";
    let gateway = Gateway::open(&(config(&upstream) + clients)).await;
    let channel = connect(&gateway).await;
    let tool = with_tool(r#"{"type":"look","model":"dear","model":"openai-2"}"#);
    let status = generate(&channel, tool, KEY).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::PermissionDenied, "a tool: {status:?}");
    for (json, code) in
        [("[\"openai-2\", \"dear\"]", tonic::Code::PermissionDenied), ("[7]", tonic::Code::InvalidArgument)]
    {
        let status = generate(&channel, naming(json), KEY).await.unwrap_err();
        assert_eq!(status.code(), code, "{json}: {status:?}");
        assert!(upstream.unseen().is_none(), "{json}");
    }
    let read = Read::all(generate(&channel, naming("[\"openai-2\"]"), KEY).await.unwrap()).await;
    assert_eq!(read.text, TEXT);
    assert_eq!(upstream.request().await.json()["models"][0], "openai-2");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_requests_of_the_connection_are_served_as_ever() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    // Without HTTP/2 it is no call of gRPC.
    let request = Request::post("/weir.v1.Inference/Generate", "{}").header("content-type", "application/grpc");
    assert_eq!(gateway.ask(&request).await.status(), 404);
}

//! Kept answers over gRPC: what clients of other formats caused serves its clients, and the other way round.

use weir_grpc::messages::{GenerateEvent, GenerateRequest};
use weir_tests::clients::{by, client, key};
use weir_tests::plugins::twin;
use weir_tests::{Answer, Gate, Gateway, Request, Upstream};

use super::{PathAndQuery, ProstCodec, Read, Streaming, chat, connect, soon, with};
use crate::wire_format::{OPENAI, TEXT, config_of, provider};

const ADMIN: &str = "an-admins-token-0123456789";

/// A call with the head of its answer.
async fn ask(gateway: &Gateway, stream: bool, metadata: &[(&'static str, &str)]) -> (String, Read) {
    let mut client = tonic::client::Grpc::new(connect(gateway).await);
    client.ready().await.unwrap();
    let request = with(GenerateRequest { chat: Some(chat("openai", stream)) }, metadata);
    let path = PathAndQuery::from_static("/weir.v1.Inference/Generate");
    let answer = soon("an answer", client.server_streaming(request, path, ProstCodec::default())).await.unwrap();
    let result = answer.metadata().get("x-weir-cache").map(|value| value.to_str().unwrap().to_owned());
    let stream: Streaming<GenerateEvent> = answer.into_inner();
    (result.unwrap_or_default(), Read::all(stream).await)
}

async fn keeping(upstream: &Upstream) -> Gateway {
    let kept = "cache = \"1h\"\nprice = { input = 1000000, output = 1000000 }\ntarget = {";
    let clients = ["one", "two"].map(|name| client(name, ""));
    let admin = format!("[admin]\ntoken = \"{ADMIN}\"\n");
    Gateway::open(&(config_of(&[OPENAI], upstream).replace("target = {", kept) + &clients.concat() + &admin)).await
}

/// The same question of a client of OpenAI's format.
fn question(who: &str) -> Request {
    let body = r#"{"model":"openai","max_tokens":64,"messages":[{"role":"user","content":"Hi"}]}"#;
    by(who, Request::post("/v1/chat/completions", body))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_serves_equal_requests_of_both_entry_points_and_of_its_caller_only() {
    for fills in ["a call", "a stream", "a request"] {
        let mut upstream = provider(OPENAI).await;
        let gateway = keeping(&upstream).await;
        let (one, two) = (key("one"), key("two"));
        if fills == "a request" {
            assert_eq!(gateway.ask(&question("one")).await.header("x-weir-cache"), Some("miss"));
            gateway.until_metric("weir_cache_entries", 2.0).await;
        } else {
            let (result, read) = ask(&gateway, fills == "a stream", &[("x-api-key", &one)]).await;
            assert_eq!((result.as_str(), read.text.as_str()), ("miss", TEXT));
            assert_eq!(read.whole.is_some(), fills == "a call");
            gateway.until_metric("weir_cache_entries", 1.0).await;
        }
        for stream in [false, true] {
            let (result, read) = ask(&gateway, stream, &[("x-api-key", &one)]).await;
            assert_eq!((result.as_str(), read.text.as_str()), ("hit", TEXT), "{stream}");
            assert_eq!((read.whole.is_some(), read.finishes), (!stream, usize::from(stream)));
            let summary = read.summary.unwrap();
            assert_eq!((summary.attempts, summary.cost_usd.as_deref(), summary.target.as_str()), (0, Some("0"), ""));
            assert_eq!(summary.usage.unwrap().output, Some(7));
        }
        assert_eq!(gateway.ask(&question("one")).await.header("x-weir-cache"), Some("hit"));
        assert_eq!(upstream.count_unseen(), 1);
        let (result, _) = ask(&gateway, false, &[("x-api-key", &two)]).await;
        assert_eq!((result.as_str(), upstream.count_unseen()), ("miss", 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_call_asks_of_the_cache_is_done() {
    let mut upstream = provider(OPENAI).await;
    let gateway = keeping(&upstream).await;
    let one = key("one");
    let ask = async |stream, control: &str| {
        ask(&gateway, stream, &[("x-api-key", one.as_str()), ("cache-control", control)]).await.0
    };
    assert_eq!(ask(true, "no-store").await, "bypass");
    assert_eq!(ask(false, "no-store").await, "bypass");
    assert_eq!(ask(false, "max-age=60").await, "miss");
    assert_eq!(ask(false, "only-if-cached").await, "hit");
    assert_eq!(ask(false, "no-cache").await, "miss");
    assert_eq!(upstream.count_unseen(), 4);
    let metadata = [("x-api-key", one.as_str()), ("cache-control", "only-if-cached, max-age=0")];
    let mut client = tonic::client::Grpc::new(connect(&gateway).await);
    client.ready().await.unwrap();
    let mut other = chat("openai", false);
    other.max_output_tokens = Some(65);
    let request = with(GenerateRequest { chat: Some(other) }, &metadata);
    let path = PathAndQuery::from_static("/weir.v1.Inference/Generate");
    let codec = ProstCodec::<GenerateRequest, GenerateEvent>::default();
    let refused = soon("an answer", client.server_streaming(request, path, codec)).await.unwrap_err();
    let details = tonic_types::StatusExt::get_error_details(&refused);
    assert_eq!(details.error_info().unwrap().reason, "NOT_CACHED");
    assert_eq!(upstream.count_unseen(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_not_complete_or_too_large_is_not_kept() {
    let stream = OPENAI.stream();
    let cut = stream.iter().take(3).fold(Answer::sse(), Answer::piece).close();
    let short = Answer::sse().piece(stream.concat().replace("\"stop\"", "\"length\"")).end();
    let filtered = Answer::sse().piece(stream.concat().replace("\"stop\"", "\"content_filter\"")).end();
    // Pieces of a megabyte each: more than is kept of one answer.
    let piece = stream[1].replace(&TEXT[..6], &"x".repeat(1 << 20));
    let large = (0..9).fold(Answer::sse().piece(&stream[0]), |answer, _| answer.piece(&piece));
    let large = stream.iter().skip(3).fold(large, Answer::piece).end();
    let one = key("one");
    for (name, answer) in [("cut", cut), ("short", short), ("filtered", filtered), ("large", large)] {
        let mut upstream = Upstream::always(answer).await;
        let gateway = keeping(&upstream).await;
        for _ in 0..2 {
            let (result, read) = ask(&gateway, true, &[("x-api-key", &one)]).await;
            assert_eq!((result.as_str(), read.end.is_some()), ("miss", name == "cut"), "{name}");
        }
        assert_eq!(upstream.count_unseen(), 2, "{name}");
        assert_eq!(gateway.metric("weir_cache_entries").await, 0.0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_its_client_leaves_or_that_was_removed_meanwhile_is_not_kept() {
    let (gate, one) = (Gate::default(), key("one"));
    let stream = OPENAI.stream();
    let begun = stream.iter().take(2).fold(Answer::sse(), Answer::piece).gate(&gate);
    let answer = stream.iter().skip(2).fold(begun, Answer::piece).end();
    let upstream = Upstream::always(answer).await;
    let gateway = keeping(&upstream).await;
    let mut client = tonic::client::Grpc::new(connect(&gateway).await);
    client.ready().await.unwrap();
    let request = with(GenerateRequest { chat: Some(chat("openai", true)) }, &[("x-api-key", &one)]);
    let path = PathAndQuery::from_static("/weir.v1.Inference/Generate");
    let codec = ProstCodec::<GenerateRequest, GenerateEvent>::default();
    let answer = soon("an answer", client.server_streaming(request, path, codec)).await.unwrap();
    drop(answer);
    gateway.until_metric("weir_in_flight", 0.0).await;
    let by_one = [("x-api-key", one.as_str())];
    let other = ask(&gateway, true, &by_one);
    let asking = gateway.until_metric("weir_upstream_attempts_total", 2.0);
    let remove = async {
        asking.await;
        let remove = Request::new("DELETE", "/admin/cache").header("authorization", &format!("Bearer {ADMIN}"));
        assert_eq!(gateway.ask(&remove).await.status(), 200);
        // For this one, the one that was left, and the next.
        (0..3).for_each(|_| gate.open());
    };
    let ((result, read), ()) = tokio::join!(other, remove);
    assert_eq!((result.as_str(), read.text.as_str()), ("miss", TEXT));
    assert_eq!(gateway.metric("weir_cache_entries").await, 0.0);
    // Nothing of either was kept; the next one is.
    assert_eq!(ask(&gateway, true, &[("x-api-key", &one)]).await.0, "miss");
    gateway.until_metric("weir_cache_entries", 1.0).await;
    assert_eq!(ask(&gateway, true, &[("x-api-key", &one)]).await.0, "hit");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_answer_is_held_until_its_client_has_read_it() {
    let whole = OPENAI.whole().replace(TEXT, &"a".repeat(6 << 20));
    let upstream = Upstream::always(Answer::json(200, whole)).await;
    let gateway = keeping(&upstream).await;
    assert_eq!(gateway.ask(&question("one")).await.header("x-weir-cache"), Some("miss"));
    gateway.until_metric("weir_cache_entries", 2.0).await;
    let (buffered, one) = ("weir_buffered_bytes", key("one"));
    for stream in [false, true] {
        gateway.until_metric(buffered, 0.0).await;
        let mut client = tonic::client::Grpc::new(connect(&gateway).await).max_decoding_message_size(16 << 20);
        client.ready().await.unwrap();
        let request = with(GenerateRequest { chat: Some(chat("openai", stream)) }, &[("x-api-key", &one)]);
        let path = PathAndQuery::from_static("/weir.v1.Inference/Generate");
        let codec = ProstCodec::<GenerateRequest, GenerateEvent>::default();
        let answer = soon("an answer", client.server_streaming(request, path, codec)).await.unwrap();
        assert_eq!(answer.metadata().get("x-weir-cache").unwrap(), "hit");
        for _ in 0..20 {
            assert!(gateway.metric(buffered).await >= f64::from(6 << 20), "{stream}");
        }
        let read = Read::all(answer.into_inner()).await;
        assert!(read.end.is_none() && read.text.len() == 6 << 20, "{stream}: {:?}", read.end);
    }
    gateway.until_metric(buffered, 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_asks_for_a_kept_answer_only_is_not_sent_to_a_provider_where_none_are_kept() {
    let mut upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&config_of(&[OPENAI], &upstream)).await;
    let metadata = [("cache-control", "only-if-cached")];
    for stream in [false, true] {
        let refused = super::generate(&connect(&gateway).await, chat("openai", stream), &metadata).await.unwrap_err();
        let details = tonic_types::StatusExt::get_error_details(&refused);
        assert_eq!(details.error_info().unwrap().reason, "NOT_CACHED");
    }
    assert_eq!(upstream.count_unseen(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_version_on_trial_has_written_is_not_kept() {
    let mut upstream = provider(OPENAI).await;
    let config = config_of(&[OPENAI], &upstream).replace("target = {", "cache = \"1h\"\ntarget = {");
    let trial = "[plugins.openai]\ncanary = { share = 1.0, requests = 1000, max_time = \"1h\" }\n";
    let gateway = Gateway::open(&(config + trial)).await;
    gateway.folder.put("openai", &twin("openai", 2));
    gateway.until_adapter("openai", |all| all.iter().any(|one| one["canary"].is_object())).await;
    for stream in [false, true] {
        for _ in 0..2 {
            let (result, read) = ask(&gateway, stream, &[]).await;
            assert_eq!((result.as_str(), read.text.as_str()), ("bypass", TEXT), "{stream}");
            assert_eq!(upstream.count_unseen(), 1, "{stream}");
        }
    }
}

//! Kept answers behind this door: what clients of other formats caused serves its clients, and the other way round.

use weir_grpc::messages::{GenerateEvent, GenerateRequest};
use weir_tests::{Gateway, Request, Upstream};

use super::{PathAndQuery, ProstCodec, Read, Streaming, chat, connect, soon, with};
use crate::wire_format::{OPENAI, TEXT, config_of, provider};

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
    let clients = ["one", "two"].map(|name| format!("[[clients]]\nname = \"{name}\"\nkey = \"{}\"\n", key(name)));
    Gateway::open(&(config_of(&[OPENAI], upstream).replace("target = {", kept) + &clients.concat())).await
}

fn key(name: &str) -> String {
    format!("weir-{name}-0123456789abcdef")
}

/// The same question of a client of OpenAI's format.
fn question(who: &str) -> Request {
    let body = r#"{"model":"openai","max_tokens":64,"messages":[{"role":"user","content":"Hi"}]}"#;
    Request::post("/v1/chat/completions", body).header("authorization", &format!("Bearer {}", key(who)))
}

fn requests(upstream: &mut Upstream) -> usize {
    std::iter::from_fn(|| upstream.unseen()).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_serves_equal_requests_of_both_doors_and_of_its_caller_only() {
    for fills in [true, false] {
        let mut upstream = provider(OPENAI).await;
        let gateway = keeping(&upstream).await;
        let (one, two) = (key("one"), key("two"));
        if fills {
            let (result, read) = ask(&gateway, false, &[("x-api-key", &one)]).await;
            assert_eq!((result.as_str(), read.text.as_str()), ("miss", TEXT));
        } else {
            assert_eq!(gateway.ask(&question("one")).await.header("x-weir-cache"), Some("miss"));
            gateway.until_metric("weir_cache_entries", 2.0).await;
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
        assert_eq!(requests(&mut upstream), 1);
        let (result, _) = ask(&gateway, false, &[("x-api-key", &two)]).await;
        assert_eq!((result.as_str(), requests(&mut upstream)), ("miss", 1));
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
    // A stream of events fills nothing.
    assert_eq!(ask(true, "max-age=60").await, "bypass");
    assert_eq!(ask(false, "no-store").await, "bypass");
    assert_eq!(ask(false, "max-age=60").await, "miss");
    assert_eq!(ask(false, "only-if-cached").await, "hit");
    assert_eq!(ask(false, "no-cache").await, "miss");
    assert_eq!(requests(&mut upstream), 4);
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
    assert_eq!(requests(&mut upstream), 0);
}

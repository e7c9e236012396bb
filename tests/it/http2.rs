//! Clients with HTTP/2, without TLS.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use weir_tests::parsed_answer::{Format, ParsedAnswer};
use weir_tests::{Answer, Gate, Gateway, Upstream, soon};

use crate::wire_format::{OPENAI, TEXT, config, provider};

async fn connect(gateway: &Gateway) -> SendRequest<Full<Bytes>> {
    let stream = tokio::net::TcpStream::connect(gateway.address).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn request(model: &str, stream: bool) -> http::Request<Full<Bytes>> {
    let body = OPENAI.request(model, stream).sent();
    http::Request::post("http://localhost/v1/chat/completions")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body)))
        .unwrap()
}

async fn ask(sender: &SendRequest<Full<Bytes>>, model: &str, stream: bool) -> http::Response<Incoming> {
    soon("an answer", sender.clone().send_request(request(model, stream))).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_share_a_connection() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let sender = connect(&gateway).await;
    let mut all = Vec::new();
    for n in 0..20 {
        let (sender, stream) = (sender.clone(), n % 2 == 0);
        let model = if n % 3 == 0 { "openai-t" } else { "openai" };
        all.push(tokio::spawn(async move {
            let body = ask(&sender, model, stream).await.into_body().collect().await.unwrap().to_bytes();
            let text = String::from_utf8_lossy(&body).into_owned();
            let parsed = if stream {
                ParsedAnswer::stream(Format::OpenAi, &text)
            } else {
                ParsedAnswer::whole(Format::OpenAi, &serde_json::from_str(&text).unwrap())
            };
            assert_eq!((parsed.text.as_str(), parsed.complete), (TEXT, stream), "{text}");
        }));
    }
    for one in all {
        soon("every answer", one).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c19_a_stream_that_dies_ends_with_an_error() {
    let pieces = OPENAI.stream();
    let upstream = Upstream::always(Answer::sse().piece(&pieces[0]).piece(&pieces[1]).close()).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let sender = connect(&gateway).await;
    for model in ["openai", "openai-t"] {
        let mut body = ask(&sender, model, true).await.into_body();
        let mut text = String::new();
        while let Some(Ok(frame)) = soon("the stream's end", body.frame()).await {
            text.push_str(&String::from_utf8_lossy(frame.data_ref().unwrap()));
        }
        let parsed = ParsedAnswer::stream(Format::OpenAi, &text);
        assert!(parsed.error.is_some() && !parsed.complete && parsed.finish.is_none(), "{model}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c27_a_stream_that_is_reset_is_left_upstream_and_its_neighbours_go_on() {
    let gate = Gate::default();
    let pieces = OPENAI.stream();
    let begun = Answer::sse().piece(&pieces[0]).piece(&pieces[1]).gate(&gate);
    let answer = pieces[2..].iter().fold(begun, Answer::piece).end();
    let mut upstream = Upstream::always(answer).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let sender = connect(&gateway).await;
    let stays = ask(&sender, "openai", true).await;
    for model in ["openai", "openai-t"] {
        let mut leaves = ask(&sender, model, true).await.into_body();
        soon("a piece", leaves.frame()).await.unwrap().unwrap();
        drop(leaves);
        upstream.departure().await;
    }
    gate.open();
    let text = soon("the rest", stays.into_body().collect()).await.unwrap().to_bytes();
    assert!(ParsedAnswer::stream(Format::OpenAi, &text).complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_may_speak_it_too() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let service = hyper::service::service_fn(|request: http::Request<Incoming>| async move {
            assert_eq!(request.version(), http::Version::HTTP_2);
            let response = http::Response::builder().header("content-type", "application/json");
            // Its head may be as large as over HTTP/1.1.
            let response = response.header("x-long", "y".repeat(48 << 10));
            response.body(Full::new(Bytes::from(OPENAI.whole())))
        });
        // Each worker has a connection of its own.
        while let Ok((stream, _)) = listener.accept().await {
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
        }
    });
    let settings = format!(
        "[[providers]]\nname = \"two\"\nadapter = \"openai\"\nurl = \"http://127.0.0.1:{port}/base/\"\nhttp2 = true\n\
         api_key = \"kkkk\"\n[[models]]\nalias = \"openai\"\ntarget = {{ provider = \"two\", model = \"openai\" }}\n"
    );
    let gateway = Gateway::open(&settings).await;
    for _ in 0..3 {
        assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.text(), OPENAI.whole());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_first_for_a_kept_answer_may_reset_its_stream_and_both_versions_get_what_is_kept() {
    for (model, stream) in [("openai", false), ("openai", true), ("openai-t", false), ("openai-t", true)] {
        let about = format!("{model} {stream}");
        let gate = Gate::default();
        let mut upstream = Upstream::always(OPENAI.gated(&gate, stream)).await;
        let gateway = Gateway::open(&config(&upstream).replace("target = {", "cache = \"1h\"\ntarget = {")).await;
        let sender = connect(&gateway).await;
        let asked = || tokio::spawn(sender.clone().send_request(request(model, stream)));
        let first = asked();
        upstream.request().await;
        let others = [asked(), asked()];
        gateway.until_metric("weir_cache_waiting", 2.0).await;
        first.abort();
        drop(first);
        upstream.request().await;
        (0..2).for_each(|_| gate.open());
        let (mut results, mut bodies) = (Vec::new(), Vec::new());
        for other in others {
            let answer = soon("an answer", other).await.unwrap().unwrap();
            results.push(answer.headers()["x-weir-cache"].to_str().unwrap().to_owned());
            bodies.push(soon("its end", answer.into_body().collect()).await.unwrap().to_bytes());
        }
        results.sort();
        assert_eq!(results, ["coalesced", "miss"], "{about}");
        gateway.until_metric("weir_cache_entries", 2.0).await;
        let kept = ask(&sender, model, stream).await;
        assert_eq!(kept.headers()["x-weir-cache"], "hit", "{about}");
        bodies.push(kept.into_body().collect().await.unwrap().to_bytes());
        let again = gateway.ask(&OPENAI.request(model, stream)).await;
        assert_eq!(again.header("x-weir-cache"), Some("hit"), "{about}");
        assert!(bodies.iter().all(|body| *body == again.body), "{about}: {bodies:?}");
        assert_eq!(OPENAI.parsed(&again, stream).text, TEXT, "{about}");
        assert!(upstream.unseen().is_none(), "{about}");
    }
}

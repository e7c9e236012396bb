//! Kept answers: equal requests of one caller get them, no other request does, and nothing else is kept.

mod attack;
mod flights;
mod formats;
mod incomplete;
mod nodes;
mod semantic;
mod shared_questions;
mod tenants;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir_tests::clients::{by, client};
use weir_tests::code::pack;
use weir_tests::{Answer, Gate, Gateway, Reply, Request, Upstream};

use crate::wire_format::{ANTHROPIC, GEMINI, OPENAI, WireFormat, config_of};

/// Models of these formats whose answers are kept.
fn keeping(wire_formats: &[WireFormat], upstream: &Upstream) -> String {
    let kept = "cache = \"1h\"\nprice = { input = 1000000, output = 1000000 }\ntarget = {";
    config_of(wire_formats, upstream).replace("target = {", kept)
}

fn result(reply: &Reply) -> Option<&str> {
    reply.header("x-weir-cache")
}

/// A request in OpenAI's format with these members besides.
fn chat(more: &Value) -> Request {
    let mut body = json!({"model": "openai", "messages": [{"role": "user", "content": "Hi"}]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Request::post("/v1/chat/completions", body.to_string())
}

/// A provider that answers in the format of the request.
async fn provider() -> Upstream {
    Upstream::scripted(|request| {
        let wire_format = WireFormat::of(request);
        if wire_format.wants_stream(request) { wire_format.streamed() } else { Answer::json(200, wire_format.whole()) }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_equal_request_gets_the_same_bytes_in_both_lanes_whole_and_streamed_and_costs_nothing() {
    let mut upstream = provider().await;
    let budget = "[[budgets]]\nname = \"all\"\nfor = \"all\"\ntokens = 1000000\nper = \"total\"\n";
    let gateway = Gateway::open(&(keeping(&[OPENAI, ANTHROPIC], &upstream) + budget)).await;
    let mut kept = 0.0;
    for client in [OPENAI, ANTHROPIC] {
        for model in ["openai", "openai-t", "anthropic"] {
            for stream in [false, true] {
                let about = format!("{} {model} {stream}", client.name);
                // One request for a whole answer and another for a stream: each would do for the other.
                let request = client.request(model, stream);
                let body = String::from_utf8(request.sent()).unwrap().replace("Hi", if stream { "Ho" } else { "Hi" });
                let request = request.body(body);
                let first = gateway.ask(&request).await;
                assert_eq!((first.status(), result(&first)), (200, Some("miss")), "{about}: {}", first.text());
                kept += 1.0;
                // As the client has it, and for clients of other formats.
                gateway.until_metric("weir_cache_entries", 2.0 * kept).await;
                let again = gateway.ask(&request).await;
                assert_eq!((again.status(), result(&again)), (200, Some("hit")), "{about}");
                assert_eq!(again.text(), first.text(), "{about}");
                for name in ["content-type", "x-weir-losses", "x-weir-cache-key"] {
                    assert_eq!(again.header(name), first.header(name), "{about}: {name}");
                }
                assert_eq!((again.header("age"), again.header("x-weir-lane")), (Some("0"), Some("cache")));
                assert!(!client.parsed(&again, stream).text.is_empty());
                assert_eq!(upstream.count_unseen(), 1, "{about}");
            }
        }
    }
    gateway.until_metric("weir_budget_used{budget=\"all\"}", kept * 17.0).await;
    assert_eq!(gateway.metric("weir_cache_requests_total{result=\"hit\"}").await, kept);
    assert_eq!(gateway.metric("weir_cache_saved_usd_total").await, kept * 17.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_given_for_the_lifetime_of_its_model_and_no_longer() {
    let mut upstream = provider().await;
    let gateway = Gateway::open(&keeping(&[OPENAI], &upstream).replace("\"1h\"", "\"10s\"")).await;
    let asked = Instant::now();
    assert_eq!(result(&gateway.ask(&chat(&json!({}))).await), Some("miss"));
    gateway.until_metric("weir_cache_entries", 2.0).await;
    assert_eq!(result(&gateway.ask(&chat(&json!({}))).await), Some("hit"));
    while result(&gateway.ask(&chat(&json!({}))).await) == Some("hit") {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(asked.elapsed() < Duration::from_mins(1), "it is kept for ever");
    }
    assert!(asked.elapsed() >= Duration::from_secs(10));
    assert_eq!(upstream.count_unseen(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_gets_only_its_own_and_one_that_opted_out_gets_none() {
    let mut upstream = provider().await;
    let clients = client("one", "") + &client("two", "") + &client("fresh", "cache = false");
    let gateway = Gateway::open(&(keeping(&[OPENAI], &upstream) + &clients)).await;
    for (who, expected) in [("one", Some("miss")), ("two", Some("miss")), ("one", Some("hit")), ("two", Some("hit"))] {
        let reply = gateway.ask(&by(who, chat(&json!({})))).await;
        assert_eq!(result(&reply), expected, "{who}");
        gateway
            .until_metric("weir_cache_entries", if who == "one" && expected == Some("miss") { 2.0 } else { 4.0 })
            .await;
    }
    assert_eq!(upstream.count_unseen(), 2);
    for _ in 0..2 {
        assert_eq!(result(&gateway.ask(&by("fresh", chat(&json!({})))).await), None);
    }
    assert_eq!(upstream.count_unseen(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_off_unless_a_model_has_it() {
    let mut upstream = provider().await;
    let gateway = Gateway::open(&config_of(&[OPENAI], &upstream)).await;
    for _ in 0..2 {
        assert_eq!(result(&gateway.ask(&chat(&json!({}))).await), None);
    }
    assert_eq!(upstream.count_unseen(), 2);
}

/// Requests of which each differs from the first one in something, with these members besides.
fn others(more: &Value) -> Vec<Request> {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}});
    let image = |data: &str| {
        let url = format!("data:image/png;base64,{data}");
        json!({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]})
    };
    let chat = |own: Value| {
        let mut all = more.clone();
        all.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
        chat(&all)
    };
    vec![
        chat(json!({})),
        chat(json!({"temperature": 0.5})),
        chat(json!({"temperature": 0.25})),
        chat(json!({"seed": 1})),
        chat(json!({"a_member_of_tomorrow": true})),
        chat(json!({"a_member_of_tomorrow": {"deep": [1, {"er": null}]}})),
        chat(json!({"a_member_of_tomorrow": {"deep": [1, {"er": 0}]}})),
        chat(json!({"tools": [tool("a"), tool("b")]})),
        chat(json!({"tools": [tool("b"), tool("a")]})),
        chat(image("iVBORw0KGgo=")),
        chat(image("iVBORw0KGgA=")),
        chat(json!({"user": "someone"})),
        chat(json!({})).header("openai-beta", "x=1"),
        chat(json!({})).header("openai-beta", "x=1").header("openai-beta", "y=2"),
        chat(json!({})).header("openai-beta", "y=2").header("openai-beta", "x=1"),
        chat(json!({})).header("openai-beta", "x=1").header("openai-beta", "x=1"),
        chat(json!({})).header("x-weir-strict", "true"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_differs_in_a_request_makes_it_another() {
    let mut upstream = provider().await;
    let gateway = Gateway::open(&keeping(&[OPENAI], &upstream)).await;
    let others = others(&json!({}));
    for (at, request) in others.iter().enumerate() {
        let reply = gateway.ask(request).await;
        assert_eq!(result(&reply), Some("miss"), "number {at}: {}", reply.text());
        gateway.until_metric("weir_cache_entries", 2.0 * (at + 1) as f64).await;
    }
    assert_eq!(upstream.count_unseen(), others.len());
    let reordered = r#"{ "messages":[{"content":"Hi", "role":"user"}],  "model":"openai" }"#;
    assert_eq!(result(&gateway.post("/v1/chat/completions", reordered).await), Some("hit"));
    // What the answer means is the same in another coding.
    assert_eq!(result(&gateway.ask(&chat(&json!({})).header("accept-encoding", "gzip")).await), Some("hit"));
    assert_eq!(upstream.count_unseen(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_differs_makes_it_another_where_it_is_translated_or_streamed_too() {
    let mut upstream = provider().await;
    let mut keys = std::collections::BTreeSet::new();
    let mut asked = 0;
    for (model, stream) in [("openai", true), ("openai-t", false), ("openai-t", true)] {
        // What is kept of one form would do for the other.
        let gateway = Gateway::open(&keeping(&[OPENAI], &upstream)).await;
        for request in others(&json!({"model": model, "stream": stream})) {
            let reply = gateway.ask(&request).await;
            // A loss is a refusal for those that allow none.
            if reply.status() == 400 {
                continue;
            }
            assert_eq!((reply.status(), result(&reply)), (200, Some("miss")), "{model} {stream}: {}", reply.text());
            asked += 1;
            assert!(keys.insert(reply.header("x-weir-cache-key").unwrap().to_owned()), "{model} {stream}: its own key");
        }
    }
    assert_eq!(upstream.count_unseen(), asked);
    assert!(asked > 36, "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_complete_is_not_kept() {
    let filtered = OPENAI.whole().replace("\"stop\"", "\"content_filter\"");
    let short = OPENAI.whole().replace("\"stop\"", "\"length\"");
    let streamed = OPENAI.stream();
    let cut = streamed.iter().take(3).fold(Answer::sse(), Answer::piece).close();
    let short_stream = Answer::sse().piece(streamed.concat().replace("\"stop\"", "\"length\"")).end();
    for (answer, stream) in [
        (Answer::json(200, filtered), false),
        (Answer::json(200, short), false),
        (Answer::json(200, "no JSON"), false),
        (Answer::json(500, "{\"error\":{\"message\":\"no\"}}"), false),
        (Answer::json(400, "{\"error\":{\"message\":\"no\"}}"), false),
        (cut, true),
        (short_stream, true),
    ] {
        let mut upstream = Upstream::always(answer).await;
        let gateway = Gateway::open(&keeping(&[OPENAI], &upstream)).await;
        for _ in 0..2 {
            let reply = gateway.ask(&chat(&json!({"stream": stream}))).await;
            assert!(matches!(result(&reply), Some("miss" | "bypass")), "{:?}: {}", result(&reply), reply.text());
        }
        assert_eq!(upstream.count_unseen(), 2);
        assert_eq!(gateway.metric("weir_cache_entries").await, 0.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_whose_answers_are_no_ones_but_theirs_are_not_kept() {
    let mut upstream = provider().await;
    let gateway = Gateway::open(&keeping(&[OPENAI, ANTHROPIC, GEMINI], &upstream)).await;
    let cached = json!({"contents": [{"parts": [{"text": "Hi"}]}], "cachedContent": "cachedContents/1"});
    let container = json!({"model": "anthropic", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}],
        "container": "container_1"});
    let conversation = |of: &Value| json!({"model": "openai", "input": "Hi", "store": false, "conversation": of});
    let search = json!({"model": "anthropic", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}],
        "tools": [{"type": "web_search_20250305", "name": "web_search"}]});
    for request in [
        chat(&json!({"store": true})),
        chat(&json!({"n": 2})),
        chat(&json!({"web_search_options": {}})),
        chat(&json!({"model": "openai-t", "web_search_options": {"search_context_size": "low"}})),
        chat(&json!({"plugins": [{"id": "web"}]})),
        chat(&json!({"search_parameters": {"mode": "on"}})),
        Request::post("/v1/messages", search.to_string()).header("anthropic-version", "2023-06-01"),
        Request::post("/v1/responses", r#"{"model":"openai","input":"Hi"}"#),
        Request::post(
            "/v1/responses",
            r#"{"model":"openai","input":"Hi","store":false,"previous_response_id":"resp_1"}"#,
        ),
        Request::post("/v1/responses", r#"{"model":"openai","input":"Hi","store":false,"prompt":{"id":"pmpt_1"}}"#),
        Request::post(
            "/v1/responses",
            r#"{"model":"openai","input":[{"type":"item_reference","id":"msg_1"}],"store":false}"#,
        ),
        Request::post("/v1/responses", conversation(&json!("conv_1")).to_string()),
        Request::post("/v1/responses", conversation(&json!({"id": "conv_1"})).to_string()),
        GEMINI.request("gemini", false).body(cached.to_string()),
        GEMINI.request("gemini-t", true).body(cached.to_string()),
        Request::post("/v1/messages", container.to_string()).header("anthropic-version", "2023-06-01"),
    ] {
        for _ in 0..2 {
            let reply = gateway.ask(&request).await;
            assert_eq!((reply.status(), result(&reply)), (200, Some("bypass")), "{}", reply.text());
        }
    }
    assert_eq!(upstream.count_unseen(), 32);
    let same = chat(&json!({"n": 2, "temperature": 0, "store": false}));
    assert_eq!(result(&gateway.ask(&same).await), Some("miss"));
    gateway.until_metric("weir_cache_entries", 2.0).await;
    assert_eq!(result(&gateway.ask(&same).await), Some("hit"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_says_what_it_wants_of_the_cache() {
    let mut upstream = provider().await;
    let gateway = Gateway::open(&keeping(&[OPENAI], &upstream)).await;
    let ask = async |control: &str| gateway.ask(&chat(&json!({})).header("cache-control", control)).await;
    let reply = ask("only-if-cached").await;
    assert_eq!((reply.status(), reply.json()["error"]["code"].as_str()), (504, Some("not_cached")), "{}", reply.text());
    assert_eq!(result(&ask("no-store").await), Some("bypass"));
    assert_eq!(result(&ask("max-age=60").await), Some("miss"));
    gateway.until_metric("weir_cache_entries", 2.0).await;
    assert_eq!(result(&ask("only-if-cached, max-age=60").await), Some("hit"));
    assert_eq!(result(&ask("no-store").await), Some("hit"));
    assert_eq!(result(&ask("no-cache").await), Some("miss"));
    assert_eq!(ask("no-cache, only-if-cached").await.status(), 504);
    assert_eq!(upstream.count_unseen(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_a_kept_answer_only_is_not_sent_to_a_provider_where_none_are_kept() {
    let mut upstream = provider().await;
    let clients = client("one", "") + &client("fresh", "cache = false");
    let without = config_of(&[OPENAI], &upstream);
    for (config, who) in [(without + &clients, "one"), (keeping(&[OPENAI], &upstream) + &clients, "fresh")] {
        let gateway = Gateway::open(&config).await;
        let embeddings = Request::post("/v1/embeddings", r#"{"model":"openai","input":"Hi"}"#);
        let images = Request::post("/v1/images/generations", r#"{"model":"openai","prompt":"Hi"}"#);
        let translated = chat(&json!({"model": "openai-t", "stream": true}));
        for request in [chat(&json!({})), translated, embeddings, images] {
            let reply = gateway.ask(&by(who, request.header("cache-control", "only-if-cached"))).await;
            assert_eq!(reply.status(), 504, "{who}: {}", reply.text());
            assert_eq!(reply.json()["error"]["code"], "not_cached", "{who}");
            assert_eq!(upstream.count_unseen(), 0, "{who}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_requests_wait_for_one_and_another_takes_over_if_it_leaves() {
    let mut pieces = OPENAI.stream();
    // The client did not ask for usage.
    pieces.remove(4);
    for (stream, expected) in [(false, OPENAI.whole().clone()), (true, pieces.concat())] {
        let gate = Gate::default();
        let mut upstream = Upstream::always(OPENAI.gated(&gate, stream)).await;
        let gateway = Gateway::open(&keeping(&[OPENAI], &upstream)).await;
        let request = chat(&json!({"stream": stream}));
        let mut leader = gateway.connect().await;
        leader.send(&request).await;
        upstream.request().await;
        if stream {
            leader.head().await;
            leader.until("Gr").await;
        }
        let mut followers = [gateway.connect().await, gateway.connect().await];
        for follower in &mut followers {
            follower.send(&request).await;
        }
        gateway.until_metric("weir_cache_waiting", 2.0).await;
        assert!(upstream.unseen().is_none(), "the followers wait");
        leader.leave();
        upstream.request().await;
        assert!(upstream.unseen().is_none(), "one of them took over");
        gate.open();
        gate.open();
        let mut results = Vec::new();
        for follower in &mut followers {
            let reply = follower.reply().await;
            assert_eq!(reply.text(), expected);
            results.push(result(&reply).unwrap().to_owned());
        }
        results.sort();
        assert_eq!(results, ["coalesced", "miss"]);
        assert!(upstream.unseen().is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_the_equal_request_of_another_caller() {
    let gate = Gate::default();
    let mut upstream = Upstream::always(OPENAI.gated(&gate, false)).await;
    let clients = client("one", "") + &client("two", "");
    let gateway = Gateway::open(&(keeping(&[OPENAI], &upstream) + &clients)).await;
    let mut both = [gateway.connect().await, gateway.connect().await];
    for (who, connection) in ["one", "two"].iter().zip(&mut both) {
        connection.send(&by(who, chat(&json!({})))).await;
        upstream.request().await;
    }
    (0..2).for_each(|_| gate.open());
    for connection in &mut both {
        assert_eq!(result(&connection.reply().await), Some("miss"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_waits_for_an_equal_one_as_long_as_an_answer_may_take_to_begin() {
    let gate = Gate::default();
    let pieces = OPENAI.stream();
    let begun = Answer::sse().piece(&pieces[0]).gate(&gate);
    let mut upstream = Upstream::always(pieces[1..].iter().fold(begun, Answer::piece).end()).await;
    let config = keeping(&[OPENAI], &upstream).replace("connect = \"5s\"", "first_byte = \"1s\"");
    let gateway = Gateway::open(&config).await;
    let mut leader = gateway.connect().await;
    leader.send(&chat(&json!({"stream": true}))).await;
    leader.head().await;
    upstream.request().await;
    upstream.now(OPENAI.streamed());
    let reply = gateway.ask(&chat(&json!({"stream": true}))).await;
    assert_eq!((reply.status(), result(&reply)), (200, Some("bypass")), "{}", reply.text());
    upstream.request().await;
    // A client that waits less than that is told so.
    let hurried = chat(&json!({"stream": true})).header("x-weir-timeout-ms", "100");
    assert_eq!(gateway.ask(&hurried).await.status(), 504);
    gate.open();
    leader.rest().await;
    let reply = gateway.ask(&chat(&json!({"stream": true}))).await;
    assert!(matches!(result(&reply), Some("hit" | "coalesced")), "the first one's answer is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_an_equal_request_waits_no_longer_than_it_says() {
    let gate = Gate::default();
    let answer = Answer::begin(200, &[("content-type", "application/json")]).gate(&gate).piece(OPENAI.whole()).end();
    let mut upstream = Upstream::always(answer).await;
    let gateway = Gateway::open(&keeping(&[OPENAI], &upstream)).await;
    let mut leader = gateway.connect().await;
    leader.send(&chat(&json!({}))).await;
    upstream.request().await;
    let hurried = chat(&json!({})).header("x-weir-timeout-ms", "50");
    let reply = gateway.ask(&hurried).await;
    assert_eq!(reply.status(), 504, "{}", reply.text());
    gate.open();
    assert_eq!(leader.reply().await.text(), OPENAI.whole());
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn kept_answers_are_removed_by_key_by_model_and_all_and_those_under_way_too() {
    let gate = Gate::default();
    let upstream = provider().await;
    let gateway = Gateway::open(&keeping(&[OPENAI], &upstream)).await;
    let fill = async || {
        let reply = gateway.ask(&chat(&json!({}))).await;
        assert_eq!(result(&reply), Some("miss"));
        gateway.until_metric("weir_cache_entries", 2.0).await;
        reply.header("x-weir-cache-key").unwrap().to_owned()
    };
    let remove = async |what: &str| gateway.ask(&Request::new("DELETE", &format!("/admin/cache{what}"))).await;
    let key = fill().await;
    assert_eq!(remove(&format!("?key={key}")).await.json(), json!({"removed": 1}));
    fill().await;
    assert_eq!(remove("?model=other").await.json(), json!({"removed": 0}));
    assert_eq!(remove("?model=openai").await.json(), json!({"removed": 2}));
    fill().await;
    assert_eq!(remove("").await.json(), json!({"generation": 1}));
    assert_eq!(remove("?generation=0").await.json(), json!({"generation": 1}), "it was removed before");
    for wrong in
        ["?key=x", "?key=", "?model=", "?generation=", "?models=x", "?generation=x", "?generation=1&model=openai"]
    {
        assert_eq!(remove(wrong).await.status(), 400, "{wrong}");
    }
    let shown = gateway.get("/admin/v1/cache").await.json();
    assert_eq!((&shown["entries"], &shown["bytes"], &shown["generation"]), (&json!(0), &json!(0), &json!(1)));
    assert_eq!((&shown["limit_bytes"], &shown["models"]["openai"]), (&json!(64 << 20), &json!({"miss": 3})));
    assert_eq!(gateway.get("/admin/cache").await.json(), shown);
    upstream.now(Answer::begin(200, &[("content-type", "application/json")]).gate(&gate).piece(OPENAI.whole()).end());
    let mut client = gateway.connect().await;
    client.send(&chat(&json!({"seed": 5}))).await;
    gateway.until_metric("weir_upstream_attempts_total", 4.0).await;
    remove("").await;
    gate.open();
    assert_eq!(result(&client.reply().await), Some("miss"));
    upstream.now(Answer::json(200, OPENAI.whole()));
    let again = gateway.ask(&chat(&json!({"seed": 5}))).await;
    assert!(result(&again) != Some("hit"), "it was under way when all was removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compressed_answer_is_kept_as_it_is() {
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    let packed = pack("gzip", OPENAI.whole().as_bytes());
    let mut upstream = Upstream::always(Answer::whole(200, &headers, &packed)).await;
    let gateway = Gateway::open(&keeping(&[OPENAI], &upstream)).await;
    let request = chat(&json!({})).header("accept-encoding", "gzip");
    assert_eq!(gateway.ask(&request).await.body, packed);
    gateway.until_metric("weir_cache_entries", 2.0).await;
    let reply = gateway.ask(&request).await;
    assert_eq!((result(&reply), reply.header("content-encoding")), (Some("hit"), Some("gzip")));
    assert_eq!(reply.body, packed);
    assert_eq!(upstream.count_unseen(), 1);
}

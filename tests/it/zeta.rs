//! An invented format and provider are served like any other: the host has no format built in.

use serde_json::json;
use weir_tests::{Answer, Gateway, Received, Request, Upstream};

use crate::wire_format::{ANTHROPIC, OPENAI, TEXT, ZETA, config, provider};

#[test]
fn the_host_does_not_contain_its_name() {
    fn look(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
            if path.is_dir() && name != "tests" {
                look(&path, found);
            } else if path.extension().is_some_and(|kind| kind == "rs") && name != "tests.rs" && name != "guest.rs" {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                let lines = code.lines().filter(|line| line.to_ascii_lowercase().contains("zeta"));
                found.extend(lines.map(|line| format!("{}: {line}", path.display())));
            }
        }
    }
    let mut found = Vec::new();
    look(&weir_tests::plugins::root().join("host"), &mut found);
    assert!(found.is_empty(), "{found:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_called_below_its_prefix_too() {
    let upstream = provider(ZETA).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let reply = gateway.post("/odd/zeta/v0/minds/zeta:parley", "{\"scroll\":[]}").await;
    assert_eq!(ZETA.parsed(&reply, false).text, TEXT);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_errs_in_its_own_words_without_a_component() {
    let upstream = provider(ZETA).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    for (request, status, sort) in [
        (Request::post("/zeta/v0/minds/nobody:parley", "{}"), 404, "nowhere"),
        (Request::post("/zeta/v0/minds/zeta:parley", "{"), 422, "garbled"),
        (Request::get("/zeta/v0/minds/zeta:parley"), 405, "garbled"),
        (Request::post("/zeta/v0/no/such/thing", "{}"), 404, "nowhere"),
        (Request::post("/zeta/v0/parley", "{\"scroll\":[]}"), 422, "garbled"),
        (Request::post("/zeta/v0/minds/zeta-t:parley", "{\"scroll\":7}"), 422, "garbled"),
    ] {
        let reply = gateway.ask(&request).await;
        assert_eq!(reply.status(), status, "{request:?}: {}", reply.text());
        assert_eq!(reply.json()["woe"]["sort"], sort, "{request:?}: {}", reply.text());
        assert_eq!(reply.json()["woe"]["ref"].as_str(), reply.header("zeta-ref"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vectors_cross_in_both_lanes() {
    let answer = "{\"brain\":\"e\",\"rows\":[[0.5,-1.25],[1,2]],\"toll\":{\"all_in\":3}}";
    let mut upstream = Upstream::always(Answer::json(200, answer)).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let relayed = gateway.post("/zeta/v0/vectors", "{\"brain\":\"zeta\",\"of\":[\"a\",\"b\"]}").await;
    assert_eq!(relayed.text(), answer);
    assert_eq!(upstream.request().await.text(), "{\"brain\":\"zeta\",\"of\":[\"a\",\"b\"]}");
    let body = json!({"model": "zeta", "input": ["a", "b"], "dimensions": 2});
    let reply = gateway.post("/v1/embeddings", &body.to_string()).await;
    assert_eq!(reply.json()["data"][0]["embedding"], json!([0.5, -1.25]), "{}", reply.text());
    assert_eq!(reply.json()["data"][1]["index"], 1);
    assert_eq!(reply.json()["usage"]["prompt_tokens"], 3);
    assert_eq!(upstream.request().await.json(), json!({"brain": "zeta", "of": ["a", "b"], "width": 2}));
    gateway.until_metric("weir_tokens_total{bucket=\"input\",model=\"zeta\"}", 6.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c56_vectors_come_as_base64_where_that_is_asked() {
    let answer = "{\"brain\":\"e\",\"rows\":[[0.5,-1.25]],\"toll\":{\"all_in\":3}}";
    let upstream = Upstream::always(Answer::json(200, answer)).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let body = json!({"model": "zeta", "input": "a", "encoding_format": "base64"});
    let reply = gateway.post("/v1/embeddings", &body.to_string()).await;
    // 0.5 and -1.25 as little-endian 32-bit floats.
    assert_eq!(reply.json()["data"][0]["embedding"], "AAAAPwAAoL8=", "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_cross_in_both_lanes() {
    let mut upstream = Upstream::always(Answer::json(200, "{\"all_in\":12}")).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    for model in ["zeta", "zeta-t"] {
        let reply = gateway.post(&format!("/zeta/v0/minds/{model}:tally"), "{\"scroll\":[]}").await;
        assert_eq!(reply.json()["all_in"], 12);
        assert_eq!(upstream.request().await.line(), "POST /base/minds/zeta:tally");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_several_steps_is_one_answer() {
    let script = |request: &Received| match request.line() {
        "POST /base/quests" => Answer::json(200, "{\"quest\":\"q1\"}"),
        "GET /base/quests/q1" => Answer::json(200, "{\"quest\":\"q2\"}"),
        _ => Answer::json(200, ZETA.whole()),
    };
    let mut upstream = Upstream::scripted(script).await;
    let settings = config(&upstream)
        .replace("api_key = \"KEY-OF-zeta\"", "api_key = \"KEY-OF-zeta\"\noptions = { quest = true, pause_ms = 1 }");
    let gateway = Gateway::open(&settings).await;
    for (from, stream) in [(OPENAI, false), (ANTHROPIC, true), (ZETA, true)] {
        let reply = gateway.ask(&from.request("zeta-t", stream)).await;
        let parsed = from.parsed(&reply, stream);
        assert_eq!((parsed.text.as_str(), parsed.complete), (TEXT, stream), "{}", reply.text());
        for line in ["POST /base/quests", "GET /base/quests/q1", "GET /base/quests/q2"] {
            let received = upstream.request().await;
            assert_eq!(received.line(), line);
            assert_eq!(received.header("zeta-seal"), Some("wax:KEY-OF-zeta"));
        }
    }
    assert!(upstream.unseen().is_none(), "no job is cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_without_end_end() {
    let mut upstream = Upstream::always(Answer::json(200, "{\"quest\":\"q\"}")).await;
    let settings =
        config(&upstream).replace("api_key = \"KEY-OF-zeta\"", "api_key = \"KEY-OF-zeta\"\noptions = { quest = true }");
    let gateway = Gateway::open(&settings).await;
    let reply = gateway.ask(&OPENAI.request("zeta", false)).await;
    assert_eq!(reply.status(), 504, "{}", reply.text());
    let mut steps = 0;
    while upstream.unseen().is_some() {
        steps += 1;
    }
    assert_eq!(steps, 61, "the first request and sixty follow-ups");
}

//! What could make a kept answer another than the one that its request would get: another model's, one that the
//! provider gave to another reading of the request.

use serde_json::{Value, json};
use weir_sandbox::Digest;
use weir_tests::plugins::twin;
use weir_tests::{Answer, Folder, Gateway, Request, Upstream};

use super::{by, chat, client, keeping, provider, result};
use crate::wire_format::{ANTHROPIC, OPENAI, TEXT, config_of};

const CHAT: &str = "/v1/chat/completions";
/// Quick, where one target goes on with the stream of another.
const QUICK: &str = "retry = { max_retries = 0, retry_delay_ms = 1 }";

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_of_a_model_that_stood_in_is_not_kept_for_the_one_that_was_asked_for() {
    let mut upstream = provider().await;
    let budget = "[[budgets]]\nname = \"one\"\nfor = { model = \"openai\" }\nrequests = 1\nper = \"total\"\n\
                  when_over = { downgrade = \"anthropic\" }\n";
    let gateway = Gateway::open(&(keeping(&[OPENAI, ANTHROPIC], &upstream) + budget)).await;
    let ask = async |seed: u32| gateway.ask(&chat(&json!({"seed": seed}))).await;
    assert_eq!(result(&ask(1).await), Some("miss"));
    gateway.until_metric("weir_cache_entries", 2.0).await;
    for _ in 0..2 {
        let reply = ask(2).await;
        assert_eq!((result(&reply), reply.header("x-weir-provider")), (Some("bypass"), Some("anthropic")));
    }
    assert_eq!(result(&ask(1).await), Some("hit"), "of the model itself");
    assert_eq!(upstream.count_unseen(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_of_a_fallbacks_model_is_not_kept_whole_nor_streamed_nor_as_the_rest_of_a_stream() {
    for is_begun in [false, true] {
        let half = OPENAI.stream().iter().take(2).fold(OPENAI.begin(), Answer::piece).close();
        let first = if is_begun { half } else { Answer::json(500, "{}") };
        let (first, mut second) = (Upstream::always(first).await, provider().await);
        let one = config_of(&[OPENAI], &first).replace("retry = { max_retries = 0 }", QUICK);
        let models = one
            + &config_of(&[ANTHROPIC], &second)
            + "[[models]]\nalias = \"both\"\ncache = \"1h\"\nresume = true\nfallbacks = [\"anthropic\"]\n\
               target = { provider = \"openai\", model = \"openai\" }\n";
        let gateway = Gateway::open(&models).await;
        let streams: &[bool] = if is_begun { &[true] } else { &[false, true] };
        for stream in streams {
            for _ in 0..2 {
                let reply = gateway.ask(&OPENAI.request("both", *stream)).await;
                let parsed = OPENAI.parsed(&reply, *stream);
                assert!(parsed.text.starts_with(&TEXT[..6]), "{}", reply.text());
                let expected = if is_begun { "miss" } else { "bypass" };
                assert_eq!((reply.status(), result(&reply)), (200, Some(expected)), "{is_begun} {stream}");
            }
            assert_eq!(second.count_unseen(), 2, "{is_begun} {stream}");
        }
        assert_eq!(gateway.metric("weir_cache_entries").await, 0.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_that_readers_round_make_another_request() {
    let mut upstream = provider().await;
    let gateway = Gateway::open(&keeping(&[OPENAI], &upstream)).await;
    let ask = async |seed: &str| {
        let body = format!(r#"{{"model":"openai","messages":[{{"role":"user","content":"Hi"}}],"limit":{seed}}}"#);
        gateway.ask(&Request::post(CHAT, body)).await
    };
    let numbers = ["18446744073709551616", "18446744073709551617", "0.1", "0.10000000000000000555", "1e-400", "2e-400"];
    for number in numbers {
        assert_eq!(result(&ask(number).await), Some("miss"), "{number}");
    }
    assert_eq!(upstream.count_unseen(), numbers.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_read_in_two_ways_answers_no_other_request() {
    let mut upstream = provider().await;
    let gateway = Gateway::open(&keeping(&[OPENAI], &upstream)).await;
    let twice =
        r#"{"model":"openai","messages":[{"role":"user","content":"Ho"}],"messages":[{"role":"user","content":"Hi"}]}"#;
    let request = Request::post(CHAT, twice);
    assert_eq!(result(&gateway.ask(&request).await), Some("miss"));
    gateway.until_metric("weir_cache_entries", 1.0).await;
    assert_eq!(result(&gateway.ask(&request).await), Some("hit"), "the same bytes are the same request");
    assert_eq!(result(&gateway.ask(&chat(&json!({}))).await), Some("miss"));
    assert_eq!(upstream.count_unseen(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_comes_with_status_200_in_place_of_embeddings_is_not_kept() {
    let error = r#"{"error":{"message":"try again","type":"server_error"}}"#;
    let good = r#"{"object":"list","model":"m","data":[{"object":"embedding","index":0,"embedding":[1]}]}"#;
    let mut upstream = Upstream::always(Answer::json(200, error)).await;
    let gateway = Gateway::open(&keeping(&[OPENAI], &upstream)).await;
    let body = json!({"model": "openai", "input": "Hi"}).to_string();
    let ask = async || gateway.post("/v1/embeddings", &body).await;
    for _ in 0..2 {
        let reply = ask().await;
        assert_eq!(reply.header("x-weir-lane"), Some("relay"), "{}", reply.text());
        // The second may come while the first one's answer is given up, and goes by itself then.
        assert!(matches!(result(&reply), Some("miss" | "bypass")), "{:?}", result(&reply));
    }
    assert_eq!((upstream.count_unseen(), gateway.metric("weir_cache_entries").await), (2, 0.0));
    upstream.script(move |_| Answer::json(200, good));
    // What a request brings that went by itself is not kept.
    let mut reply = ask().await;
    if result(&reply) == Some("bypass") {
        reply = ask().await;
    }
    assert_eq!(result(&reply), Some("miss"));
    gateway.until_metric("weir_cache_entries", 1.0).await;
    assert_eq!(result(&ask().await), Some("hit"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_version_of_an_adapter_answers_with_nothing_that_the_former_one_wrote() {
    let mut upstream = provider().await;
    let gateway = Gateway::open(&keeping(&[OPENAI, ANTHROPIC], &upstream)).await;
    let request = ANTHROPIC.request("openai", false);
    let mut kept = 0.0;
    // The adapter of the provider first, then the one of the client's format.
    for (mark, replaced) in [(1, ""), (2, "openai"), (3, "anthropic")] {
        if !replaced.is_empty() {
            let new = twin(replaced, mark);
            gateway.folder.put(replaced, &new);
            let digest = Digest::of(&new).hex();
            let serves = |one: &Value| one["status"] == "serving" && one["digest"] == digest;
            gateway.until_adapter(replaced, |all| all.iter().any(serves)).await;
        }
        assert_eq!(result(&gateway.ask(&request).await), Some("miss"), "{replaced}");
        kept += 2.0;
        gateway.until_metric("weir_cache_entries", kept).await;
        assert_eq!(result(&gateway.ask(&request).await), Some("hit"), "{replaced}");
        assert_eq!(upstream.count_unseen(), 1, "{replaced}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_version_on_trial_has_written_is_not_kept() {
    let mut upstream = provider().await;
    for on_trial in ["openai", "anthropic"] {
        let trial = format!("[plugins.{on_trial}]\ncanary = {{ share = 1.0, requests = 1000, max_time = \"1h\" }}\n");
        let folder = Folder::with(&["openai", "anthropic"]);
        let gateway = Gateway::with(folder, &(keeping(&[OPENAI, ANTHROPIC], &upstream) + &trial)).await;
        gateway.folder.put(on_trial, &twin(on_trial, 2));
        gateway.until_adapter(on_trial, |all| all.iter().any(|one| one["canary"].is_object())).await;
        for stream in [false, true] {
            let request = ANTHROPIC.request("openai", stream);
            for _ in 0..2 {
                let reply = gateway.ask(&request).await;
                assert_eq!((reply.status(), result(&reply)), (200, Some("bypass")), "{on_trial} {stream}");
                assert_eq!(upstream.count_unseen(), 1, "{on_trial} {stream}");
            }
        }
        // No component writes what is relayed.
        let relayed = OPENAI.request("openai", false);
        assert_eq!(result(&gateway.ask(&relayed).await), Some("miss"), "{on_trial}");
        gateway.until_metric("weir_cache_entries", 2.0).await;
        assert_eq!(result(&gateway.ask(&relayed).await), Some("hit"), "{on_trial}");
        assert_eq!(upstream.count_unseen(), 1, "{on_trial}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_takes_long_to_compare_is_neither_kept_nor_looked_for() {
    let mut upstream = Upstream::always(Answer::json(200, r#"{"data":[]}"#)).await;
    let gateway = Gateway::open(&keeping(&[OPENAI], &upstream)).await;
    let numbers = |count: usize| {
        let body = format!(r#"{{"model":"openai","input":[{}1]}}"#, "0,".repeat(count));
        Request::post("/v1/embeddings", body)
    };
    for (count, expected) in [(1 << 20, ["miss", "hit"]), (2 << 20, ["bypass", "bypass"])] {
        for (nth, expected) in expected.into_iter().enumerate() {
            let reply = gateway.ask(&numbers(count)).await;
            assert_eq!((reply.status(), result(&reply)), (200, Some(expected)), "{count} {nth}");
            gateway.until_metric("weir_cache_entries", 1.0).await;
        }
    }
    assert_eq!(upstream.count_unseen(), 3);
    let only_kept = numbers(2 << 20).header("cache-control", "only-if-cached");
    assert_eq!(gateway.ask(&only_kept).await.status(), 504);
    assert_eq!(upstream.count_unseen(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_guards_judge_is_neither_kept_nor_answered_from_the_cache_and_others_are_as_ever() {
    let mut upstream = provider().await;
    for grants in ["prompt = true", "answer = true", "prompt = true, answer = true"] {
        for lines in ["", "mode = \"monitor\"", "options = { action = \"mask\" }"] {
            let guard = format!(
                "[[guards]]\nname = \"secrets\"\ndeadline = \"20s\"\nfor = {{ clients = [\"one\"] }}\ngrants = {{ {grants} }}\n{lines}\n"
            );
            let clients = client("one", "") + &client("two", "");
            let config = keeping(&[OPENAI], &upstream) + &clients + &guard;
            let gateway = Gateway::with(Folder::with(&["openai", "secrets"]), &config).await;
            for stream in [false, true] {
                let request = |who| by(who, chat(&json!({"stream": stream, "seed": i32::from(stream)})));
                for expected in ["miss", "hit"] {
                    assert_eq!(result(&gateway.ask(&request("two")).await), Some(expected), "{grants} {lines}");
                    gateway.until_metric("weir_cache_entries", if stream { 4.0 } else { 2.0 }).await;
                }
                assert_eq!(upstream.count_unseen(), 1);
                for _ in 0..2 {
                    let reply = gateway.ask(&request("one")).await;
                    assert_eq!((reply.status(), result(&reply)), (200, None), "{grants} {lines} {stream}");
                }
                assert_eq!(upstream.count_unseen(), 2, "{grants} {lines} {stream}");
            }
        }
    }
}

//! Each function of the contract that no other test calls, by itself: whatever it does is one clean error in the
//! client's format, while another client is served.

use std::fmt::Write as _;

use serde_json::{Value, json};
use weir_tests::clients::{by, client};
use weir_tests::parsed_answer::events;
use weir_tests::{Answer, Folder, Gateway, Reply, Request, Upstream};

use super::{is_clean, settings, upstream};
use crate::keys::code;
use crate::wire_format::{ALL, ANTHROPIC, COHERE, GEMINI, OPENAI, TEXT, WireFormat};

const DEEDS: [&str; 6] = ["trap", "loop", "bomb", "deep", "flood", "text"];

/// Two clients, and models whose names are deeds of the dialect's side.
async fn gateway(upstream: &Upstream) -> Gateway {
    let mut more = "[admin]\ntoken = \"an-admins-token-0123456789\"\n".to_owned();
    for name in ["one", "two"] {
        more.push_str(&client(name, ""));
    }
    for site in ["read", "write", "begin", "encode", "close"] {
        for deed in DEEDS.into_iter().chain(["swarm"]) {
            let target = "target = { provider = \"hostile\", model = \"well\" }";
            let _ = write!(more, "[[models]]\nalias = \"{site}.{deed}\"\n{target}\n");
        }
    }
    let folder = Folder::with(&["openai", "anthropic", "gemini", "zeta", "cohere", "hostile"]);
    Gateway::with(folder, &settings(upstream, &more)).await
}

/// Asks for something that goes wrong, while another client is served.
async fn beside_another(gateway: &Gateway, request: Request) -> Reply {
    let other = by("two", OPENAI.request("zeta", false));
    let request = by("one", request);
    let (reply, other) = tokio::join!(gateway.ask(&request), gateway.ask(&other));
    assert_eq!(OPENAI.parsed(&other, false).text, TEXT, "{}", other.text());
    reply
}

/// The operations besides chat, each with a client's format that has it.
fn operations(model: &str) -> [(&'static str, WireFormat, Request); 4] {
    let said = json!([{"role": "user", "content": "Hi"}]);
    let count = json!({"model": model, "messages": said}).to_string();
    let count = Request::post("/v1/messages/count_tokens", count).header("anthropic-version", "2023-06-01");
    let texts = json!({"model": model, "texts": ["Hi"], "input_type": "search_query", "embedding_types": ["float"]});
    let order = json!({"model": model, "query": "Hi", "documents": ["a"]});
    [
        ("embeddings", OPENAI, Request::post("/v1/embeddings", json!({"model": model, "input": "Hi"}).to_string())),
        ("embeddings", COHERE, Request::post("/v2/embed", texts.to_string())),
        ("rerank", COHERE, Request::post("/v2/rerank", order.to_string())),
        ("count", ANTHROPIC, count),
    ]
}

/// The failures of the hostile adapter by kind.
async fn faults(gateway: &Gateway) -> Value {
    gateway.adapter("hostile").await[0]["faults_by_kind"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn c75_whatever_the_providers_side_of_an_operation_does_is_one_clean_error() {
    let upstream = upstream().await;
    let gateway = gateway(&upstream).await;
    for site in ["render", "parse"] {
        for deed in DEEDS.into_iter().chain(["swarm"]) {
            let model = format!("{site}.{deed}");
            for (operation, from, request) in operations(&model) {
                let has_list = site == "parse" && operation != "count";
                if deed == "swarm" && !has_list || deed == "text" && site == "parse" && !has_list {
                    continue;
                }
                let reply = beside_another(&gateway, request).await;
                is_clean(from, &reply, &format!("{operation} {model}"));
            }
        }
    }
    let faults = faults(&gateway).await;
    for kind in ["trap", "deadline", "memory", "invalid"] {
        assert!(faults[kind].as_u64() > Some(0), "{kind}: {faults}");
    }
    gateway.until_metric("weir_in_flight", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c75_whatever_the_dialects_side_of_an_operation_does_is_one_clean_error() {
    let upstream = upstream().await;
    let gateway = gateway(&upstream).await;
    for operation in ["embeddings", "rerank", "count"] {
        for site in ["read", "write"] {
            for deed in DEEDS {
                let path = format!("/hostile-{operation}/{site}.{deed}");
                let reply = beside_another(&gateway, Request::post(&path, "{}")).await;
                assert_eq!(reply.status(), 502, "{path}: {}", reply.text());
                assert_eq!(reply.json()["code"], "adapter_error", "{path}: {}", reply.text());
                assert_eq!(reply.header("x-weir-error-source"), Some("adapter"), "{path}");
            }
        }
    }
    for site in ["read", "write"] {
        for deed in DEEDS {
            // Of what is read of a list, no text goes on.
            if (site, deed) == ("read", "text") {
                continue;
            }
            let path = format!("/hostile-models?deed={site}.{deed}");
            let reply = beside_another(&gateway, Request::get(&path)).await;
            assert_eq!((reply.status(), &reply.json()["code"]), (502, &json!("adapter_error")), "{path}");
        }
    }
    gateway.until_metric("weir_in_flight", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c75_a_stream_fails_wherever_its_adapter_does() {
    let upstream = upstream().await;
    let gateway = gateway(&upstream).await;
    for (site, deeds) in [("open", &DEEDS[..4]), ("decode", &DEEDS[..]), ("end", &DEEDS[..])] {
        for deed in deeds {
            let model = format!("{site}.{deed}");
            for from in ALL {
                let reply = beside_another(&gateway, from.request(&model, true)).await;
                if reply.status() != 200 {
                    is_clean(from, &reply, &model);
                    continue;
                }
                let parsed = from.parsed(&reply, true);
                assert!(parsed.error.is_some(), "{model}, {}: {}", from.name, reply.text());
                assert_eq!((parsed.finish, parsed.complete), (None, false), "{model}, {}: {}", from.name, reply.text());
            }
        }
    }
    for (site, deeds) in [("begin", &DEEDS[..4]), ("encode", &DEEDS[..]), ("close", &DEEDS[..])] {
        for deed in deeds.iter().chain(["swarm"].iter().filter(|_| site == "encode")) {
            let path = format!("/hostile/{site}.{deed}?stream=1");
            let reply = beside_another(&gateway, Request::post(&path, "{}")).await;
            let (text, is_head) = (reply.text(), reply.status() == 502);
            assert!(is_head || reply.status() == 200 && reply.cut, "{path}: {} {text}", reply.status());
            assert_eq!(text.matches("\"adapter_error\"").count(), 1, "{path}: {text}");
        }
    }
    gateway.until_metric("weir_in_flight", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c75_what_reads_errors_is_held_in_the_same_way_in_every_format_whole_and_streamed() {
    let upstream = Upstream::scripted(|request| {
        let is_hostile = request.line().contains("/talk");
        if is_hostile { Answer::json(500, "{}") } else { Answer::json(200, crate::wire_format::ZETA.whole()) }
    })
    .await;
    let gateway = gateway(&upstream).await;
    for deed in DEEDS {
        let model = format!("error.{deed}");
        for from in ALL {
            for stream in [false, true] {
                let reply = beside_another(&gateway, from.request(&model, stream)).await;
                is_clean(from, &reply, &format!("{model} {stream}"));
            }
        }
        for (operation, from, request) in operations(&model) {
            is_clean(from, &beside_another(&gateway, request).await, &format!("{operation} {model}"));
        }
    }
}

/// Checks that each piece of a stream is JSON, or the end.
fn is_a_stream(text: &str, about: &str) {
    let mut ends = 0;
    for (_, data) in events(text) {
        ends += usize::from(data == "[DONE]");
        assert!(data == "[DONE]" || serde_json::from_str::<Value>(&data).is_ok(), "{about}: {data}");
    }
    assert!(ends <= 1, "{about}: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn c75_values_that_no_provider_gives_reach_a_client_as_json_of_its_format_or_as_an_error() {
    let upstream = upstream().await;
    let gateway = gateway(&upstream).await;
    let is_sound = |reply: &Reply, about: &str| {
        assert!(matches!(reply.status(), 200 | 502), "{about}: {} {}", reply.status(), reply.text());
        assert_eq!(reply.header("x-evil"), None, "{about}");
        assert!(!reply.text().contains('\u{1b}'), "{about}: {}", reply.text());
    };
    for from in [OPENAI, ANTHROPIC, GEMINI] {
        let whole = beside_another(&gateway, from.request("parse.lie", false)).await;
        is_sound(&whole, from.name);
        assert!(serde_json::from_slice::<Value>(&whole.body).is_ok(), "{}: {}", from.name, whole.text());
        is_told(&whole, from.name);
        // Whole and sent as a stream, and streamed.
        for model in ["parse.lie", "decode.lie"] {
            let about = format!("{} {model}", from.name);
            let stream = beside_another(&gateway, from.request(model, true)).await;
            is_sound(&stream, &about);
            if stream.status() == 200 {
                is_a_stream(&stream.text(), &about);
            }
        }
    }
    for (operation, from, request) in operations("parse.lie") {
        let about = format!("{operation}, {}", from.name);
        let reply = beside_another(&gateway, request).await;
        is_sound(&reply, &about);
        assert!(serde_json::from_slice::<Value>(&reply.body).is_ok(), "{about}: {}", reply.text());
        if operation != "count" {
            is_told(&reply, &about);
        }
    }
    gateway.until_metric("weir_in_flight", 0.0).await;
}

/// Checks that an answer has no member that is no JSON or came with another one, and reports which it lost.
fn is_told(reply: &Reply, about: &str) {
    if reply.status() == 200 {
        let (lost, text) = (reply.header("x-weir-dropped-params").unwrap_or_default(), reply.text());
        assert!(["wild", "more"].iter().all(|key| lost.split(',').any(|one| one == *key)), "{about}: {lost}");
        assert!(!["wild", "forged"].iter().any(|word| text.contains(word)), "{about}: {text}");
    }
}

/// The names of a list of models.
fn names(list: &Reply) -> Vec<String> {
    let list = list.json();
    list["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// A list of models by someone whose request has this id; none if a busy machine needs too long to write it.
async fn listed(gateway: &Gateway, id: &str) -> Option<Reply> {
    let reply = gateway.ask(&Request::get("/v1/models").header("x-request-id", id)).await;
    if reply.status() == 502 && code(&reply) == "too_large_to_translate" {
        return None;
    }
    assert_eq!(reply.status(), 200, "{id}: {}", reply.text());
    Some(reply)
}

#[tokio::test(flavor = "multi_thread")]
async fn c75_an_adapter_that_fails_at_lists_of_models_takes_only_its_own_away() {
    let upstream = upstream().await;
    let pattern = "[[models]]\nalias = \"well-*\"\ntarget = { provider = \"hostile\" }\n";
    let open = async || Gateway::with(super::folder(), &settings(&upstream, pattern)).await;
    // A provider's list that does not arrive in time, as on a busy machine, is left out and no fault: then once more.
    let listed_in_time = async |id: &str, is_in_time: fn(&[String], u64) -> bool| {
        for _ in 0..5 {
            let gateway = open().await;
            let Some(list) = listed(&gateway, id).await else { continue };
            let names = names(&list);
            assert!(names.contains(&"zeta".to_owned()), "{id}: {names:?}");
            let faults = gateway.adapter("hostile").await[0]["faults"].as_u64().unwrap();
            if is_in_time(&names, faults) {
                return (names, faults);
            }
        }
        panic!("{id}: never in time");
    };
    let is_well = |name: &String| name.starts_with("well-");
    let (well, faults) = listed_in_time("mine", |names, _| names.contains(&"well-0".to_owned())).await;
    assert_eq!(faults, 0, "{well:?}");
    for site in ["render", "parse"] {
        for deed in DEEDS.into_iter().chain(["swarm"]) {
            if (site, deed) == ("render", "swarm") {
                continue;
            }
            let (names, faults) = listed_in_time(&format!("{site}.{deed}"), |_, faults| faults > 0).await;
            assert_eq!(faults, 1, "{site}.{deed}");
            assert!(!names.iter().any(is_well), "{site}.{deed}: {names:?}");
        }
    }
    // A list that goes on and on, of names that it had before.
    let (endless, _) = listed_in_time("parse.lie", |names, _| names.iter().any(|name| name.starts_with("well-"))).await;
    assert_eq!(endless.into_iter().filter(is_well).count(), 15_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_more_models_than_any_provider_has_is_cut_and_costs_no_quarter_of_an_hour() {
    let models: Vec<String> = (0..60_000).map(|number| format!("{{\"id\":\"m{number}\"}}")).collect();
    let list = format!("{{\"object\":\"list\",\"data\":[{}]}}", models.join(","));
    let upstream = Upstream::always(Answer::json(200, list)).await;
    let config = format!(
        "[[providers]]\nname = \"p\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"KEY\"\n\
         [[models]]\nalias = \"m*\"\ntarget = {{ provider = \"p\" }}\n\
         [[models]]\nalias = \"other\"\ntarget = {{ provider = \"p\", model = \"m1\" }}\n",
        upstream.url()
    );
    // Once more where the list does not arrive in time, as on a busy machine.
    for _ in 0..5 {
        let Some(list) = listed(&Gateway::open(&config).await, "mine").await else { continue };
        let names = names(&list);
        assert!(names.contains(&"other".to_owned()), "{names:?}");
        if names.len() > 1 {
            assert_eq!(names.len(), 20_001);
            return;
        }
    }
    panic!("never in time");
}

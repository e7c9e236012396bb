//! An adapter that misbehaves costs one request, which gets a clean error.

mod every_function;
mod withdrawn;

use std::fmt::Write as _;

use weir_tests::{Answer, Folder, Gateway, Reply, Upstream};

use crate::wire_format::{ALL, OPENAI, TEXT, WireFormat, ZETA, config};

fn folder() -> Folder {
    Folder::with(&["openai", "anthropic", "zeta", "hostile"])
}

/// Every model goes to the hostile provider except those of [`config`].
fn settings(upstream: &Upstream, more: &str) -> String {
    format!(
        "default_provider = \"hostile\"\n[plugins]\ndeadline = \"300ms\"\n{more}\n{}\n\
         [[providers]]\nname = \"hostile\"\nadapter = \"hostile\"\nurl = \"{}\"\napi_key = \"HOSTILE-KEY\"\n",
        config(upstream),
        upstream.url()
    )
}

/// Answers hostile requests with a small body, and others well.
async fn upstream() -> Upstream {
    Upstream::scripted(|request| {
        if !request.line().contains("/talk") {
            return Answer::json(200, ZETA.whole());
        }
        let lines = ["{\"a\":1}\n", "{\"a\":2}\n", "{\"a\":3}\n"];
        match request.header("accept") {
            Some("fail") => Answer::json(500, "{}"),
            _ => lines.iter().fold(Answer::lines(), Answer::piece).end(),
        }
    })
    .await
}

fn is_clean(from: WireFormat, reply: &Reply, what: &str) {
    assert_eq!(reply.status(), 502, "{what}: {}", reply.text());
    assert!(from.error(reply).is_some_and(|message| message.contains("hostile")), "{what}: {}", reply.text());
    assert_eq!(reply.header("x-weir-error-source"), Some("adapter"), "{what}");
    let has_code = !["anthropic", "cohere"].contains(&from.name);
    assert!(reply.text().contains("adapter_error") || !has_code, "{what}: {}", reply.text());
}

async fn others_are_served(gateway: &Gateway) {
    let reply = gateway.ask(&OPENAI.request("zeta", false)).await;
    assert_eq!(OPENAI.parsed(&reply, false).text, TEXT, "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn c75_whatever_a_call_does_costs_one_clean_error() {
    let upstream = upstream().await;
    let gateway = Gateway::with(folder(), &settings(&upstream, "")).await;
    for deed in ["trap", "loop", "bomb", "deep", "flood", "text"] {
        for site in ["render", "parse"] {
            for from in ALL {
                let model = format!("{site}.{deed}");
                let reply = gateway.ask(&from.request(&model, false)).await;
                is_clean(from, &reply, &model);
            }
            others_are_served(&gateway).await;
        }
    }
    let adapter = gateway.adapter("hostile").await;
    assert!(adapter[0]["faults"].as_u64() > Some(0), "{adapter:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn c75_an_answer_of_100_mb_is_too_large_even_where_memory_is_not() {
    let upstream = upstream().await;
    let gateway = Gateway::with(folder(), &settings(&upstream, "memory = \"512MiB\"")).await;
    for model in ["render.flood", "parse.flood", "decode.flood"] {
        let reply = gateway.ask(&OPENAI.request(model, model.starts_with("decode"))).await;
        if model == "decode.flood" {
            assert!(reply.text().contains("\"error\""), "{}", reply.text().len());
        } else {
            is_clean(OPENAI, &reply, model);
        }
        others_are_served(&gateway).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c75_a_stream_whose_adapter_fails_ends_with_an_error() {
    let upstream = upstream().await;
    let gateway = Gateway::with(folder(), &settings(&upstream, "")).await;
    for deed in ["trap", "loop", "bomb", "text", "swarm"] {
        for from in ALL {
            let reply = gateway.ask(&from.request(&format!("decode.{deed}"), true)).await;
            let text = reply.text();
            if reply.status() == 200 {
                let parsed = from.parsed(&reply, true);
                assert!(parsed.error.is_some(), "{deed}: {text}");
                assert_eq!((parsed.finish, parsed.complete), (None, false), "{deed}: {text}");
            } else {
                is_clean(from, &reply, deed);
            }
        }
        others_are_served(&gateway).await;
    }
    for from in ALL {
        let reply = gateway.ask(&from.request("end.trap", true)).await;
        let parsed = from.parsed(&reply, true);
        assert!(parsed.error.is_some() && !parsed.complete, "{}", reply.text());
    }
    gateway.until_metric("weir_in_flight", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn c75_events_that_make_no_sense_become_a_well_formed_stream() {
    let upstream = upstream().await;
    let gateway = Gateway::with(folder(), &settings(&upstream, "")).await;
    for from in ALL {
        let reply = gateway.ask(&from.request("decode.nonsense", true)).await;
        let parsed = from.parsed(&reply, true);
        assert!(parsed.complete != parsed.error.is_some(), "one end: {}", reply.text());
        assert_eq!(
            reply.text().matches("message_stop").count() / 2,
            usize::from(from.name == "anthropic" && parsed.complete)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c75_the_dialects_side_is_held_in_the_same_way() {
    let upstream = upstream().await;
    let mut models = String::new();
    for site in ["read", "write", "encode"] {
        for deed in ["trap", "loop", "bomb", "flood", "text"] {
            let target = "target = { provider = \"hostile\", model = \"well\" }";
            let _ = write!(models, "[[models]]\nalias = \"{site}.{deed}\"\n{target}\n");
        }
    }
    let gateway = Gateway::with(folder(), &(settings(&upstream, "") + &models)).await;
    for site in ["read", "write"] {
        for deed in ["trap", "loop", "bomb", "flood", "text"] {
            let reply = gateway.post(&format!("/hostile/{site}.{deed}"), "{}").await;
            assert_eq!(reply.status(), 502, "{site}.{deed}: {}", reply.text());
            assert_eq!(reply.json()["code"], "adapter_error", "{site}.{deed}: {}", reply.text());
        }
        others_are_served(&gateway).await;
    }
    for deed in ["trap", "loop", "bomb", "text"] {
        let reply = gateway.post(&format!("/hostile/encode.{deed}?stream=1"), "{}").await;
        assert!(reply.text().contains("\"hostile\""), "the failure frame: {}", reply.text());
    }
    others_are_served(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_adapter_brings_members_by_what_is_no_json_leaves_for_nowhere() {
    let mut upstream = upstream().await;
    let models = "[[models]]\nalias = \"read.lie\"\ntarget = { provider = \"openai\", model = \"own\" }\n\
                  [[models]]\nalias = \"read.well\"\ntarget = { provider = \"openai\", model = \"own\" }\n";
    let gateway = Gateway::with(folder(), &(settings(&upstream, "") + models)).await;
    for path in ["/hostile/read.lie", "/hostile/read.lie?stream=1"] {
        let reply = gateway.post(path, "{}").await;
        assert_eq!(reply.status(), 502, "{path}: {}", reply.text());
        assert_eq!(reply.json()["code"], "adapter_error", "{path}: {}", reply.text());
    }
    assert!(upstream.unseen().is_none());
    gateway.post("/hostile/read.well", "{}").await;
    assert_eq!(upstream.request().await.json()["model"], "own");
    others_are_served(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_leaves_for_nowhere_but_the_configured_url() {
    let mut upstream = upstream().await;
    let gateway = Gateway::with(folder(), &settings(&upstream, "")).await;
    let deeds = [
        "slashes",
        "dots",
        "encoded-dots",
        "twice-encoded-dots",
        "encoded-slash",
        "inner-slashes",
        "tab",
        "encoded-break",
        "absolute",
        "root",
        "at",
        "user",
        "backslashes",
        "break",
        "query",
        "hash",
        "header-break",
        "header-name",
        "method",
        "connect",
    ];
    for deed in deeds {
        let reply = gateway.ask(&OPENAI.request(&format!("render.{deed}"), false)).await;
        match upstream.unseen() {
            None => is_clean(OPENAI, &reply, deed),
            Some(received) => {
                assert!(received.line().starts_with("POST /base/"), "{deed}: {}", received.head);
                assert!(!received.line().contains(".."), "{deed}: {}", received.head);
                assert!(!received.head.contains("x-evil: 1"), "{deed}: {}", received.head);
                assert!(
                    !received.line().contains("evil.example") || deed == "user" || deed == "at",
                    "{deed}: {}",
                    received.line()
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_the_hosts_own_cannot_be_forged() {
    let mut upstream = upstream().await;
    let gateway = Gateway::with(folder(), &settings(&upstream, "")).await;
    let deeds = ["host", "length", "chunked", "authorization", "cookie", "forwarded", "proxy", "hop", "upgrade", "te"];
    for deed in deeds {
        gateway.ask(&OPENAI.request(&format!("render.{deed}"), false)).await;
        let Some(received) = upstream.unseen() else { continue };
        assert_eq!(received.text(), "{\"hostile\":true}", "{deed}");
        assert_eq!(received.header("host").unwrap_or_default(), upstream.origin().trim_start_matches("http://"));
        assert_eq!(received.header("authorization"), Some("Bearer HOSTILE-KEY"), "{deed}");
        for name in ["cookie", "x-forwarded-for", "proxy-authorization", "upgrade", "te", "transfer-encoding"] {
            assert_eq!(received.header(name), None, "{deed}");
        }
        assert_ne!(received.header("connection"), Some("x-a"), "{deed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn follow_ups_end_and_stay_where_they_may_go() {
    let upstream = upstream().await;
    let gateway = Gateway::with(folder(), &settings(&upstream, "")).await;
    let reply = gateway.ask(&OPENAI.request("parse.follow", false)).await;
    assert_eq!(reply.status(), 504, "{}", reply.text());
    let reply = gateway.ask(&OPENAI.request("parse.follow-evil", false)).await;
    is_clean(OPENAI, &reply, "follow-evil");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_cannot_be_read_is_an_error_all_the_same() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    let gateway = Gateway::with(folder(), &settings(&upstream, "")).await;
    for deed in ["trap", "loop", "text"] {
        let reply = gateway.ask(&OPENAI.request(&format!("error.{deed}"), false)).await;
        is_clean(OPENAI, &reply, deed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_adapter_is_refused_and_the_others_serve() {
    let whole = std::fs::read(weir_tests::plugins::component("zeta")).unwrap();
    let folder = folder();
    let files = [
        ("half", whole[..whole.len() / 2].to_vec()),
        ("module", wat::parse_str("(module)").unwrap()),
        ("empty", wat::parse_str("(component)").unwrap()),
        ("text", b"hello".to_vec()),
        ("nothing", Vec::new()),
        ("twin", whole.clone()),
    ];
    for (name, bytes) in &files {
        folder.put(name, bytes);
    }
    let upstream = upstream().await;
    let gateway = Gateway::with(folder, &settings(&upstream, "")).await;
    for (name, _) in files {
        gateway.until_adapter(name, |all| !all.is_empty() && all.iter().all(|one| one["status"] == "refused")).await;
    }
    others_are_served(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_wants_its_hosts_network_is_refused() {
    let folder = folder();
    folder.put("zeta", &weir_tests::plugins::zeta_that_imports("host:network/dial@0.1.0"));
    let upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let gateway = Gateway::with(folder, &settings(&upstream, "")).await;
    gateway.until_adapter("zeta", |all| all.iter().all(|one| one["status"] == "refused") && !all.is_empty()).await;
    let reason = gateway.adapter("zeta").await[0]["reason"].to_string();
    assert!(reason.contains("host:network/dial"), "{reason}");
    assert_eq!(gateway.ask(&OPENAI.request("zeta", false)).await.status(), 503);
    assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.text(), OPENAI.whole());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_imports_sockets_has_none_behind_them() {
    let folder = folder();
    folder.put("zeta", &weir_tests::plugins::zeta_that_imports("wasi:sockets/tcp-create-socket@0.2.0"));
    let mut upstream = upstream().await;
    let gateway = Gateway::with(folder, &settings(&upstream, "")).await;
    // The runtimes of some languages import all of WASI: the imports exist, and do nothing.
    others_are_served(&gateway).await;
    assert_eq!(upstream.request().await.line(), "POST /base/minds/zeta:parley");
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn c75_others_are_served_while_one_adapter_spins() {
    let upstream = upstream().await;
    let gateway = Gateway::with(folder(), &settings(&upstream, "")).await;
    let spinning: Vec<_> = futures(&gateway, 8).await;
    for _ in 0..20 {
        others_are_served(&gateway).await;
    }
    let mut spun = 0;
    for mut client in spinning {
        let reply = client.reply().await;
        if reply.status() == 503 {
            // Only a few may spin at a time; the others are refused at once.
            assert_eq!(reply.json()["error"]["code"], "overloaded");
            continue;
        }
        is_clean(OPENAI, &reply, "spinning");
        spun += 1;
    }
    assert!(spun > 0);
}

async fn futures(gateway: &Gateway, count: usize) -> Vec<weir_tests::Client> {
    let mut all = Vec::new();
    for _ in 0..count {
        let mut client = gateway.connect().await;
        client.send(&OPENAI.request("render.loop", false)).await;
        all.push(client);
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exception_in_a_guest_is_its_fault_as_a_trap_is() {
    let upstream = upstream().await;
    let more = "[plugins.hostile]\nquarantine = { faults = 5, window = \"1m\", share = 0.1 }";
    let gateway = Gateway::with(folder(), &settings(&upstream, more)).await;
    for from in ALL {
        let reply = gateway.ask(&from.request("parse.except", false)).await;
        is_clean(from, &reply, "parse.except");
        assert!(!reply.text().contains("TypeError"), "its words may hold what was asked: {}", reply.text());
        let streamed = gateway.ask(&from.request("decode.except", true)).await;
        assert!(from.parsed(&streamed, true).error.is_some(), "{}", streamed.text());
    }
    let hostile = gateway.adapter("hostile").await.remove(0);
    assert_eq!(hostile["faults_by_kind"]["exception"], 6, "{hostile}");
    assert!(weir_tests::log::text().contains("TypeError: undefined is no function"), "the log has them");
    others_are_served(&gateway).await;
}

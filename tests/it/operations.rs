//! The operations side, for orchestrators, scrapers and operators.

use serde_json::json;
use weir_tests::{Answer, Folder, Gate, Gateway, Request, Upstream};

use crate::wire_format::{ALL, ANTHROPIC, OPENAI, TEXT, ZETA, config, provider};

#[tokio::test(flavor = "multi_thread")]
async fn a_serving_gateway_is_ready() {
    let upstream = provider(ZETA).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    assert_eq!(gateway.get("/health").await.json(), json!({"status": "ok"}));
    assert_eq!(gateway.get("/livez").await.status(), 200);
    let version = gateway.get("/version").await.json();
    assert_eq!((&version["name"], version["version"].is_string()), (&json!("weir"), true));
    let ready = gateway.get("/ready").await;
    assert_eq!((ready.status(), &ready.json()["status"]), (200, &json!("ready")));
    assert_eq!(ready.json()["providers"]["zeta"]["status"], "ok");
    let metrics = gateway.get("/metrics").await;
    assert!(metrics.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
    assert!(metrics.text().contains("# TYPE weir_in_flight gauge"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_an_adapter_is_degraded_and_names_what_is_missing() {
    let upstream = provider(ZETA).await;
    let gateway = Gateway::with(Folder::with(&["zeta"]), &config(&upstream)).await;
    let ready = gateway.get("/ready").await;
    assert_eq!((ready.status(), &ready.json()["status"]), (200, &json!("degraded")), "{}", ready.text());
    assert_eq!(ready.json()["providers"]["openai"]["status"], "unavailable");
    let empty =
        Gateway::with(Folder::with(&[]), &format!("{}\n[plugins]\nallow_empty = true\n", config(&upstream))).await;
    assert_eq!(empty.get("/ready").await.status(), 503);
    assert_eq!(empty.get("/livez").await.status(), 200, "it lives all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_come_from_the_configuration_and_never_from_requests() {
    let upstream = provider(ZETA).await;
    let settings = format!("default_provider = \"zeta\"\n{}", config(&upstream));
    let gateway = Gateway::open(&settings).await;
    for n in 0..20 {
        assert_eq!(gateway.ask(&ZETA.request(&format!("made-up-{n}"), false)).await.status(), 200);
        gateway.post(&format!("/no/such/path-{n}"), "{}").await;
    }
    let text = gateway.metrics().await;
    assert!(!text.contains("made-up-1"), "{text}");
    assert!(!text.contains("path-"), "{text}");
    gateway
        .until_metric("weir_requests_total{dialect=\"zeta.parley\",outcome=\"ok\",route=\"*\",status=\"200\"}", 20.0)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_side_wants_its_token() {
    let upstream = provider(ZETA).await;
    let gateway = Gateway::open(&format!("[admin]\ntoken = \"let-me-in-please\"\n{}", config(&upstream))).await;
    for path in ["/admin/plugins", "/admin/config", "/admin/nothing"] {
        let open = gateway.get(path).await.status();
        assert!(open == 401 || (open == 404 && path == "/admin/nothing"), "{path}: {open}");
        let wrong = gateway.ask(&Request::get(path).header("authorization", "Bearer let-me-in-pleasf")).await;
        assert_ne!(wrong.status(), 200, "{path}");
        assert!(!wrong.text().contains("let-me-in"));
    }
    let right = gateway.ask(&Request::get("/admin/config").header("authorization", "Bearer let-me-in-please")).await;
    assert_eq!(right.status(), 200);
    assert_eq!(right.json()["providers"][0]["keys"], 1);
    assert!(!right.text().contains("KEY-OF") && !right.text().contains("let-me-in"), "{}", right.text());
    assert_eq!(gateway.get("/health").await.status(), 200, "the rest is open");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_side_may_have_a_separate_listener() {
    let upstream = provider(ZETA).await;
    let gateway = Gateway::open(&format!("[admin]\nlisten = \"127.0.0.1:0\"\n{}", config(&upstream))).await;
    let mut admin = weir_tests::Client::connect(gateway.admin.unwrap()).await;
    admin.send(&Request::get("/admin/plugins")).await;
    assert_eq!(admin.reply().await.status(), 200);
    for path in ["/admin/plugins", "/metrics", "/health"] {
        assert_eq!(gateway.get(path).await.status(), 404, "{path} is not for clients");
    }
    admin.send(&ZETA.request("zeta", false)).await;
    assert_eq!(admin.reply().await.status(), 404, "and clients are not served there");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_side_hands_a_clients_request_on() {
    let upstream = provider(OPENAI).await;
    let settings = "[admin]\nlisten = \"127.0.0.1:0\"\ntoken = \"let-me-in-please\"\nread_token = \"look-only-please\"\n\
        [[clients]]\nname = \"ann\"\nkey = \"sk-ann-0123456789abcdef\"\n";
    let gateway = Gateway::open(&format!("{settings}{}", config(&upstream))).await;
    let mut admin = weir_tests::Client::connect(gateway.admin.unwrap()).await;
    let path = "/admin/v1/playground/v1/chat/completions";
    let body =
        |stream: bool| json!({"model": "openai", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]});
    let ask = |stream, token: &str| {
        Request::post(path, body(stream).to_string()).header("authorization", &format!("Bearer {token}"))
    };
    for stream in [false, true] {
        admin.send(&ask(stream, "let-me-in-please").header("x-weir-client-key", "sk-ann-0123456789abcdef")).await;
        let reply = admin.reply().await;
        assert_eq!((reply.status(), OPENAI.parsed(&reply, stream).text.as_str()), (200, TEXT), "{}", reply.text());
        assert!(reply.header("x-weir-request-id").is_some());
    }
    // They are requests of that client.
    let counted = async {
        loop {
            admin.send(&Request::get("/metrics")).await;
            let metrics = admin.reply().await.text();
            if metrics
                .lines()
                .any(|line| line.starts_with("weir_requests_total{client=\"ann\"") && line.ends_with(" 2"))
            {
                return;
            }
        }
    };
    weir_tests::soon("both requests are counted", counted).await;
    // Without the client's key it is a stranger's request, whoever hands it on.
    admin.send(&ask(false, "let-me-in-please")).await;
    let reply = admin.reply().await;
    assert!(reply.status() == 401 && reply.header("x-weir-request-id").is_some(), "{}", reply.text());
    for (token, status) in [("look-only-please", 403), ("another-token-123", 401)] {
        admin.send(&ask(false, token).header("x-weir-client-key", "sk-ann-0123456789abcdef")).await;
        let reply = admin.reply().await;
        assert!(reply.status() == status && reply.header("x-weir-request-id").is_none(), "{token}: {}", reply.text());
    }
    // No way leads back to the admin side.
    let inward =
        Request::post("/admin/v1/playground/admin/v1/keys", "{}").header("authorization", "Bearer let-me-in-please");
    admin.send(&inward.header("x-weir-client-key", "sk-ann-0123456789abcdef")).await;
    assert_eq!(admin.reply().await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_playground_needs_no_key_where_this_machine_needs_none() {
    let upstream = provider(OPENAI).await;
    let settings = "[admin]\nlisten = \"127.0.0.1:0\"\ntoken = \"let-me-in-please\"\n";
    let gateway = Gateway::open(&format!("{settings}{}", config(&upstream))).await;
    let mut admin = weir_tests::Client::connect(gateway.admin.unwrap()).await;
    let body = json!({"model": "openai", "messages": [{"role": "user", "content": "Hi"}]}).to_string();
    let request = || Request::post("/admin/v1/playground/v1/chat/completions", &body);
    admin.send(&request().header("authorization", "Bearer let-me-in-please")).await;
    let reply = admin.reply().await;
    assert_eq!((reply.status(), OPENAI.parsed(&reply, false).text.as_str()), (200, TEXT), "{}", reply.text());
    admin.send(&request()).await;
    let reply = admin.reply().await;
    assert!(reply.status() == 401 && reply.header("x-weir-request-id").is_none(), "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_closes_lets_streams_end() {
    let gate = Gate::default();
    let pieces = ZETA.stream();
    let begun = Answer::lines().piece(&pieces[0]).piece(&pieces[1]).gate(&gate);
    let upstream = Upstream::always(pieces[2..].iter().fold(begun, Answer::piece).end()).await;
    let gateway = Gateway::open(&format!("[admin]\nlisten = \"127.0.0.1:0\"\n{}", config(&upstream))).await;
    let mut streams = Vec::new();
    for model in ["zeta", "zeta-t"] {
        let mut client = gateway.connect().await;
        client.send(&ZETA.request(model, true)).await;
        client.head().await;
        client.until("Gr").await;
        streams.push(client);
    }
    let mut watching = weir_tests::Client::connect(gateway.admin.unwrap()).await;
    watching.send(&Request::get("/ready")).await;
    assert_eq!(watching.reply().await.status(), 200);
    let mut held = weir_tests::Client::connect(gateway.admin.unwrap()).await;
    held.write(b"GET /ready HTTP/1.1\r\nhost: x\r\n").await;
    gateway.stop();
    gate.open();
    gate.open();
    for mut client in streams {
        let (rest, cut) = client.rest().await;
        let rest = String::from_utf8_lossy(&rest).into_owned();
        assert!(rest.contains("\"k\":\"bye\"") && !cut, "{rest}");
        assert!(client.is_closed().await, "a connection is not used again");
    }
    let address = gateway.address;
    held.write(b"\r\n").await;
    gateway.ended().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "the listener is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_closes_is_not_ready() {
    let gate = Gate::default();
    let upstream = Upstream::always(Answer::lines().piece("{\"k\":\"bit\",\"says\":\"Gr\"}\n").gate(&gate).end()).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    // A busy connection stays open, and requests can follow on it.
    let mut busy = gateway.connect().await;
    busy.send(&ZETA.request("zeta", true)).await;
    busy.head().await;
    busy.until("Gr").await;
    // Sent before the end is known: it waits in the connection's buffer.
    busy.send(&Request::get("/ready")).await;
    gateway.stop();
    gate.open();
    busy.rest().await;
    // If the connection is closed instead, there is no answer that could claim readiness.
    if !busy.is_closed().await {
        let reply = busy.reply().await;
        assert_eq!((reply.status(), &reply.json()["status"]), (503, &json!("draining")), "{}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_waits_for_no_stream_for_ever() {
    let upstream = Upstream::always(Answer::lines().piece("{\"k\":\"bit\",\"says\":\"Gr\"}\n").hang()).await;
    let gateway = Gateway::open(&format!("[server]\nshutdown_timeout = \"50ms\"\n{}", config(&upstream))).await;
    let mut client = gateway.connect().await;
    client.send(&ZETA.request("zeta", true)).await;
    client.head().await;
    client.until("Gr").await;
    gateway.ended().await;
}

/// Aliases of all kinds; `silent` is a provider for the patterns.
fn listing(upstream: &Upstream, silent: Option<&Upstream>) -> String {
    let provider = |name: &str, url: &str| {
        format!("[[providers]]\nname = \"{name}\"\nadapter = \"zeta\"\nurl = \"{url}\"\napi_key = \"kkkk\"\n")
    };
    let models = "[[models]]\nalias = \"exact\"\ntarget = { provider = \"oracle\", model = \"behind\" }\n\
                  [[models]]\nalias = \"zeta-*\"\nprovider = \"oracle\"\n";
    let mute =
        silent.map(|silent| provider("mute", &silent.url()) + "[[models]]\nalias = \"mute-*\"\nprovider = \"mute\"\n");
    provider("oracle", &upstream.url()) + models + &mute.unwrap_or_default()
}

fn roster() -> Answer {
    Answer::json(
        200,
        "{\"minds\":[{\"called\":\"zeta-1\",\"by\":\"o\"},{\"called\":\"zeta-2\"},{\"called\":\"other\"},{\"called\":\"exact\"}]}",
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_hold_exact_names_and_what_patterns_lead_to() {
    let mut upstream = Upstream::always(roster()).await;
    // Configured, so that it may claim what another adapter serves, under a condition.
    let named = "[plugins.anthropic]\nprewarm = 1\n";
    let gateway = Gateway::open(&format!("{named}{}", listing(&upstream, None))).await;
    let zeta = gateway.get("/zeta/v0/roster").await.json();
    let names = |list: &serde_json::Value, key: &str| -> Vec<String> {
        list.as_array().unwrap().iter().map(|one| one[key].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(names(&zeta["minds"], "called"), ["exact", "zeta-1", "zeta-2"]);
    assert_eq!(upstream.request().await.line(), "GET /base/roster");
    let openai = gateway.get("/v1/models").await.json();
    assert_eq!(names(&openai["data"], "id"), ["exact", "zeta-1", "zeta-2"], "{openai}");
    let request = Request::get("/v1/models").header("anthropic-version", "2023-06-01");
    let anthropic = gateway.ask(&request).await.json();
    assert_eq!(names(&anthropic["data"], "id"), ["exact", "zeta-1", "zeta-2"]);
    assert!(anthropic["has_more"].is_boolean(), "the condition decides between two formats: {anthropic}");
    assert!(upstream.unseen().is_none(), "a provider's list is kept for a while");
    assert_eq!(gateway.get("/v1/models/zeta-1").await.json()["id"], "zeta-1");
    assert_eq!(gateway.get("/v1/models/zeta-unlisted").await.json()["id"], "zeta-unlisted", "the pattern serves it");
    let missing = gateway.get("/v1/models/nothing").await;
    assert_eq!(missing.status(), 404);
    assert!(OPENAI.error(&missing).is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_provider_is_left_out_of_lists() {
    let upstream = Upstream::always(roster()).await;
    let mut silent = Upstream::always(Answer::silence()).await;
    let gateway = Gateway::open(&listing(&upstream, Some(&silent))).await;
    let begun = std::time::Instant::now();
    let list = gateway.get("/zeta/v0/roster").await;
    assert!(begun.elapsed().as_secs() < 4, "two seconds and not many more: {:?}", begun.elapsed());
    assert_eq!(list.status(), 200);
    assert_eq!(list.json()["minds"].as_array().map(Vec::len), Some(3), "{}", list.text());
    silent.departure().await;
    let begun = std::time::Instant::now();
    gateway.get("/zeta/v0/roster").await;
    assert!(begun.elapsed().as_millis() < 1500, "it is left alone for a while");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_fails_is_left_out_of_lists() {
    let upstream = Upstream::always(Answer::json(500, "{}")).await;
    let gateway = Gateway::open(&listing(&upstream, None)).await;
    let list = gateway.get("/zeta/v0/roster").await;
    assert_eq!((list.status(), list.json()["minds"][0]["called"].as_str()), (200, Some("exact")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_goes_on_and_a_request_has_an_id() {
    let mut upstream = provider(ANTHROPIC).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for model in ["anthropic", "anthropic-t"] {
        let request = ANTHROPIC.request(model, false).header("traceparent", trace).header("x-request-id", "id-1");
        let reply = gateway.ask(&request).await;
        assert_eq!((reply.header("x-request-id"), reply.header("request-id")), (Some("id-1"), Some("id-1")));
        assert_eq!(upstream.request().await.header("traceparent"), Some(trace));
    }
    for from in ALL {
        let reply = gateway.ask(&from.request("anthropic", false)).await;
        assert!(reply.header("x-request-id").is_some_and(|id| id.len() > 8));
        assert_eq!(from.parsed(&reply, false).text, TEXT);
        let bad = from.request("anthropic", false).header("x-request-id", "with space and \u{7f}");
        assert_ne!(gateway.ask(&bad).await.header("x-request-id"), Some("with space and \u{7f}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn diagnostics_can_be_switched_off() {
    let upstream = provider(ZETA).await;
    let on = Gateway::open(&config(&upstream)).await.ask(&OPENAI.request("zeta", false)).await;
    for name in ["x-weir-provider", "x-weir-model", "x-weir-attempts", "x-weir-overhead-ms"] {
        assert!(on.header(name).is_some(), "{name}");
    }
    let settings = format!("[server]\ndiagnostic_headers = false\n{}", config(&upstream));
    let off = Gateway::open(&settings).await.ask(&OPENAI.request("zeta", false)).await;
    assert!(off.head.headers.iter().all(|(name, _)| !name.starts_with("x-weir-")), "{:?}", off.head.headers);
}

//! Requests that cannot be served are refused, clearly and in their own format.

use weir_tests::{Answer, Gate, Gateway, Request, Upstream};

use crate::wire_format::{ALL, ANTHROPIC, OPENAI, WireFormat, ZETA, config, provider};

async fn refused(gateway: &Gateway, from: WireFormat, body: &[u8], status: u16, what: &str) {
    let request = from.request(from.name, false).body(body);
    let reply = gateway.ask(&request).await;
    assert_eq!(reply.status(), status, "{what} for {}: {}", from.name, reply.text());
    assert!(from.error(&reply).is_some(), "{what} for {}: {}", from.name, reply.text());
    assert_eq!(reply.header("x-weir-error-source"), Some("gateway"), "{what}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_json_object_is_refused_in_the_format() {
    let mut upstream = provider(ZETA).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let bodies: [(&str, &[u8]); 9] = [
        ("nothing", b""),
        ("half", b"{\"model\":\"openai\""),
        ("no json", b"{model}"),
        ("an array", b"[]"),
        ("text", b"\"x\""),
        ("two values", b"{} {}"),
        ("no utf-8", b"{\"model\":\"\xff\xfe\"}"),
        ("a trailing comma", b"{\"model\":\"openai\",}"),
        ("too deep", deep.as_bytes()),
    ];
    for from in ALL {
        for (what, body) in bodies {
            refused(&gateway, from, body, if from == ZETA { 422 } else { 400 }, what).await;
        }
    }
    assert!(upstream.unseen().is_none());
    assert_eq!(gateway.ask(&ZETA.request("zeta", false)).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_none_is_refused() {
    let upstream = provider(ZETA).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    for from in [OPENAI, ANTHROPIC] {
        for body in ["{}", "{\"model\":7}", "{\"model\":\"\"}", "{\"model\":null}", "{\"model\":[\"openai\"]}"] {
            refused(&gateway, from, body.as_bytes(), 400, body).await;
        }
        refused(&gateway, from, b"{\"model\":\"no-such\"}", 404, "unknown").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_models_the_last_one_counts_for_every_reader() {
    let mut upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let body = "{\"model\":\"no-such\",\"messages\":[],\"mod\\u0065l\":\"openai\"}";
    assert_eq!(gateway.post("/v1/chat/completions", body).await.status(), 200);
    // Whichever member the provider reads, it has the routed model.
    assert_eq!(upstream.request().await.text(), body.replace("no-such", "openai"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let mut upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&format!("[server]\nmax_body_bytes = \"16KiB\"\n{}", config(&upstream))).await;
    let large = format!("{{\"model\":\"openai\",\"pad\":\"{}\"}}", "x".repeat(20_000));
    for from in ALL {
        refused(&gateway, from, large.as_bytes(), 413, "declared").await;
        let mut client = gateway.connect().await;
        client.write(from.request(from.name, false).header("content-length", "99999999").head().as_bytes()).await;
        let reply = client.reply().await;
        assert_eq!(reply.status(), 413, "without a byte of it: {}", reply.text());
        let mut client = gateway.connect().await;
        client.write(from.request(from.name, false).header("transfer-encoding", "chunked").head().as_bytes()).await;
        client.write(format!("{:x}\r\n{large}\r\n", large.len()).as_bytes()).await;
        assert_eq!(client.reply().await.status(), 413, "in chunks");
    }
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_too_large_to_translate_can_still_be_relayed() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&format!("[server]\ntranslate_body_limit = \"16KiB\"\n{}", config(&upstream))).await;
    let body = |model: &str| format!("{{\"model\":\"{model}\",\"messages\":[],\"pad\":\"{}\"}}", "x".repeat(20_000));
    assert_eq!(gateway.post("/v1/chat/completions", &body("openai")).await.status(), 200);
    let reply = gateway.post("/v1/chat/completions", &body("openai-t")).await;
    assert_eq!(reply.status(), 413, "{}", reply.text());
    assert!(OPENAI.error(&reply).is_some_and(|message| message.contains("translate_body_limit")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_comes_too_slowly_is_given_up() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&format!("[server]\nbody_timeout = \"50ms\"\n{}", config(&upstream))).await;
    for from in ALL {
        let mut client = gateway.connect().await;
        client.write(from.request(from.name, false).header("content-length", "100").head().as_bytes()).await;
        client.write(b"{").await;
        let reply = client.reply().await;
        assert_eq!(reply.status(), 408, "{}", reply.text());
        assert!(from.error(&reply).is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_drips_is_given_up_all_the_same() {
    let mut upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&format!("[server]\nbody_total_timeout = \"300ms\"\n{}", config(&upstream))).await;
    for from in ALL {
        let mut dripping = gateway.connect().await;
        dripping.write(from.request(from.name, false).header("content-length", "1000000").head().as_bytes()).await;
        let reply = loop {
            // Any number of times, until there is an answer.
            tokio::select! {
                biased;
                head = dripping.head() => break head,
                () = tokio::time::sleep(std::time::Duration::from_millis(20)) => {}
            }
            dripping.write(b"{").await;
        };
        assert_eq!(reply.status, 408);
    }
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_or_too_slow_is_cut() {
    let upstream = provider(OPENAI).await;
    let settings = format!("[server]\nmax_header_bytes = \"8KiB\"\nheader_timeout = \"50ms\"\n{}", config(&upstream));
    let gateway = Gateway::open(&settings).await;
    let reply = gateway.ask(&OPENAI.request("openai", false).header("x-pad", &"x".repeat(20_000))).await;
    assert_eq!(reply.status(), 431);
    let mut client = gateway.connect().await;
    client.write(b"POST /v1/chat/completions HTTP/1.1\r\nho").await;
    assert!(client.is_closed().await, "the connection is closed at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_are_refused_in_the_nearest_format() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    for (path, from) in [
        ("/v1/chat/nothing", OPENAI),
        ("/v1/messages/nothing", ANTHROPIC),
        ("/zeta/v0/nothing", ZETA),
        ("/anthropic/v1/nothing", ANTHROPIC),
        ("/odd/zeta/nothing", ZETA),
    ] {
        let reply = gateway.post(path, "{}").await;
        assert_eq!(reply.status(), 404, "{path}");
        assert!(from.error(&reply).is_some_and(|message| message.contains(path)), "{path}: {}", reply.text());
    }
    let reply = gateway.get("/nothing/at/all").await;
    assert_eq!(reply.status(), 404);
    assert!(reply.json()["error"]["message"].is_string(), "{}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_method_is_refused_with_the_right_one() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    for (from, path) in [(OPENAI, "/v1/chat/completions"), (ANTHROPIC, "/v1/messages")] {
        for method in ["GET", "PUT", "DELETE", "PATCH"] {
            let reply = gateway.ask(&Request::new(method, path)).await;
            assert_eq!(reply.status(), 405, "{method} {path}: {}", reply.text());
            assert!(from.error(&reply).is_some_and(|message| message.contains("POST")), "{}", reply.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_http_costs_one_connection() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    for bytes in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\0\0\0\0"] {
        let mut client = gateway.connect().await;
        client.write(bytes).await;
        client.write(b"\r\n\r\n").await;
        drop(client);
    }
    assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_free_instance_a_request_is_asked_to_come_again() {
    let gate = Gate::default();
    let pieces = ZETA.stream();
    let begun = Answer::lines().piece(&pieces[0]).piece(&pieces[1]).gate(&gate);
    let upstream = Upstream::always(pieces[2..].iter().fold(begun, Answer::piece).end()).await;
    let gateway = Gateway::open(&format!("[plugins]\nmax_instances = 4\n{}", config(&upstream))).await;
    // Each stream holds an instance for either side.
    let mut streams = Vec::new();
    let refused = loop {
        let mut client = gateway.connect().await;
        client.send(&ZETA.request("zeta-t", true)).await;
        let head = client.head().await;
        if head.status != 200 {
            let (body, _) = client.rest().await;
            break weir_tests::Reply { head, body, cut: false };
        }
        streams.push(client);
        assert!(streams.len() < 100, "there is a limit");
    };
    assert_eq!(refused.status(), 503, "{}", refused.text());
    assert!(refused.header("retry-after").is_some());
    assert!(ZETA.error(&refused).is_some());
    assert!(!streams.is_empty());
    assert_eq!(gateway.post("/zeta/v0/minds/nobody:parley", "{}").await.status(), 404, "errors need no instance");
    for mut client in streams {
        gate.open();
        assert!(String::from_utf8_lossy(&client.rest().await.0).contains("\"k\":\"bye\""));
    }
    gate.open();
    assert_eq!(gateway.ask(&ZETA.request("zeta-t", true)).await.status(), 200, "there is room again");
}

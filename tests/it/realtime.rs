//! Sessions over WebSockets: the gateway's key and not the client's, messages unchanged both ways, each response
//! billed, and every end reported to both sides.

mod bounds;
mod caller_check;
mod ephemeral;
mod first_message;
mod frames;
mod hidden;
mod idle;
mod money;
mod named;
mod resumed;
mod transcripts;

use serde_json::{Value, json};
use weir_tests::{Folder, Gateway, Request, SessionProvider, WebSocket, log};

/// A key in the form that providers use; it was made for tests and is worthless.
const KEY: &str = "sk-proj-7dK2wQ9mZt4RbX1yLc8VnA6dHs3JgE5pUo0iTqNe";
const CLIENT: &str = "weir-a-0123456789abcdef";

/// A provider whose model `rt` costs a dollar a token.
fn config(provider: &SessionProvider) -> String {
    format!(
        "[[providers]]\nname = \"p\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"{KEY}\"\n\
         [[models]]\nalias = \"rt\"\ntarget = {{ provider = \"p\", model = \"gpt-realtime\" }}\n\
         price = {{ input = 1000000, output = 1000000 }}\n",
        provider.url()
    )
}

fn client(more: &str) -> String {
    format!("[[clients]]\nname = \"a\"\nkey = \"{CLIENT}\"\n{more}\n")
}

/// The fields of `[realtime]`, which come before all tables of lists.
fn realtime(fields: &str) -> String {
    format!("[realtime]\n{fields}\n")
}

const PATH: &str = "/v1/realtime?model=rt";

/// A session through the gateway: the client's side and the provider's.
async fn session(gateway: &Gateway, provider: &SessionProvider) -> (WebSocket, WebSocket) {
    let (client, provider) = tokio::join!(WebSocket::ask(gateway.address, PATH, &[]), provider.grant());
    (client.unwrap(), provider)
}

/// A response's last event, with so many tokens.
fn done(input: u64, output: u64) -> Value {
    json!({"type": "response.done", "event_id": "e", "response": {"id": "resp_1", "status": "completed", "usage": {
        "total_tokens": input + output, "input_tokens": input, "output_tokens": output,
        "input_token_details": {"text_tokens": input, "audio_tokens": 0},
        "output_token_details": {"text_tokens": output, "audio_tokens": 0},
    }}})
}

fn asks() -> Value {
    json!({"type": "response.create"})
}

fn begun() -> Value {
    json!({"type": "response.created", "event_id": "e", "response": {"id": "resp_1", "status": "in_progress"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_has_our_key_and_nothing_of_the_clients_wherever_its_key_stands() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&(config(&provider) + &client(""))).await;
    let offer = format!("realtime, openai-insecure-api-key.{CLIENT}, openai-beta.realtime-v1");
    let bearer = format!("Bearer {CLIENT}");
    for headers in [
        vec![("sec-websocket-protocol", offer.as_str()), ("openai-beta", "realtime=v1"), ("x-own", "no")],
        vec![("authorization", bearer.as_str()), ("sec-websocket-extensions", "permessage-deflate")],
        vec![("api-key", CLIENT), ("cookie", "no")],
    ] {
        let is_offered = headers[0].0 == "sec-websocket-protocol";
        let chosen = if is_offered { "sec-websocket-protocol: realtime\r\nx-request-id: theirs\r\n" } else { "" };
        let (client, asked) =
            tokio::join!(WebSocket::ask(gateway.address, PATH, &headers), provider.grant_with(chosen));
        let client = client.unwrap();
        assert_eq!(asked.line(), "GET /base/realtime?model=gpt-realtime");
        assert_eq!(asked.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
        assert!(!asked.head.contains(CLIENT), "{}", asked.head);
        let gone = ["cookie", "api-key", "x-own", "sec-websocket-extensions"];
        assert!(gone.iter().all(|name| asked.header(name).is_none()), "{}", asked.head);
        let expected = is_offered.then_some("realtime, openai-beta.realtime-v1");
        assert_eq!(asked.header("sec-websocket-protocol"), expected);
        assert_eq!(asked.header("openai-beta"), is_offered.then_some("realtime=v1"));
        assert_eq!(client.header("sec-websocket-protocol"), is_offered.then_some("realtime"));
        assert_eq!(client.header("x-weir-provider"), Some("p"));
        assert!(client.header("sec-websocket-extensions").is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_pass_both_ways_and_close_codes_reach_the_other_side() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&config(&provider)).await;
    for (code, reason, by_client) in [
        (1000, "", true),
        (1001, "bye", false),
        (1011, "out of order", false),
        (4001, "own \u{e4}", true),
        (3999, "x", false),
        (1013, "later", false),
    ] {
        let (mut client, mut upstream) = session(&gateway, &provider).await;
        client.frame(true, 1, "{\"type\":\"session.update\",\"\u{e4}\":1}".as_bytes()).await;
        assert_eq!(upstream.hear().await.text(), "{\"type\":\"session.update\",\"\u{e4}\":1}");
        upstream.say(&json!({"type": "session.updated"})).await;
        assert_eq!(client.hear().await.json()["type"], "session.updated");
        client.frame(true, 2, &[0, 255, 1]).await;
        let frame = upstream.hear().await;
        assert_eq!((frame.opcode, frame.payload.as_slice(), frame.masked), (2, &[0u8, 255, 1][..], true));
        let (mut closes, mut hears) = if by_client { (client, upstream) } else { (upstream, client) };
        closes.close(code, reason).await;
        assert_eq!(hears.hear().await.close(), (code, reason.to_owned()));
        hears.close(code, "").await;
        assert_eq!(closes.hear().await.close(), (code, reason.to_owned()));
        assert_eq!(closes.next().await, None);
    }
    gateway.until_metric("weir_realtime_sessions", 0.0).await;
    assert_eq!(gateway.metric("weir_realtime_messages_total{from=\"client\"}").await, 12.0);
    assert_eq!(gateway.metric("weir_realtime_closed_total{by=\"client\",code=\"4xxx\"}").await, 1.0);
    assert_eq!(gateway.metric("weir_realtime_closed_total{by=\"provider\",code=\"1011\"}").await, 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_handshake_or_no_right_is_refused_in_the_clients_format() {
    let provider = SessionProvider::listen().await;
    let limited = "models = [\"rt\"]\n[[clients]]\nname = \"b\"\nkey = \"weir-b-0123456789abcdef\"\nmodels = [\"other\"]\n\
                   [[clients]]\nname = \"c\"\nkey = \"weir-c-0123456789abcdef\"\noperations = [\"chat\"]";
    let gateway = Gateway::open(&(config(&provider) + &client(limited))).await;
    let by = |name: &str| format!("Bearer weir-{name}-0123456789abcdef");
    let error = |(status, body): (u16, String)| {
        let body: Value = serde_json::from_str(&body).unwrap();
        (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    for (key, path, expected) in [
        ("", PATH, (401, "invalid_api_key")),
        ("nobody-knows", PATH, (401, "invalid_api_key")),
        ("b", PATH, (403, "")),
        ("c", PATH, (403, "operation_not_allowed")),
        ("a", "/v1/realtime", (400, "")),
        ("a", "/v1/realtime?model=", (400, "")),
    ] {
        let bearer = by(key);
        let headers = [("authorization", bearer.as_str())];
        let refused = WebSocket::ask(gateway.address, path, if key.is_empty() { &[] } else { &headers }).await;
        assert_eq!(error(refused.unwrap_err()), (expected.0, expected.1.to_owned()), "{key} {path}");
    }
    let plain = gateway.ask(&Request::get(PATH).header("authorization", &by("a"))).await;
    assert_eq!((plain.status(), plain.json()["error"]["code"].as_str()), (426, Some("websocket_handshake")));
    let old = Request::get(PATH).header("authorization", &by("a")).header("upgrade", "websocket");
    let old = old.header("connection", "upgrade").header("sec-websocket-version", "8");
    assert_eq!(gateway.ask(&old).await.status(), 426);
    assert_eq!(gateway.metric("weir_realtime_sessions").await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_target_is_asked_until_one_grants_the_session_and_a_refusal_is_reported() {
    let (first, second) = (SessionProvider::listen().await, SessionProvider::listen().await);
    let two = format!(
        "[[providers]]\nname = \"p\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"{KEY}\"\n\
         [[providers]]\nname = \"q\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"{KEY}\"\n\
         [[models]]\nalias = \"rt\"\ntargets = [{{ provider = \"p\", model = \"x\" }}, {{ provider = \"q\", model = \"y\" }}]\n",
        first.url(),
        second.url()
    );
    let gateway = Gateway::open(&two).await;
    let refusing = async {
        let mut asked = first.asked().await;
        asked.raw(b"HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy").await;
        asked
    };
    let (client, _refusing, mut upstream) =
        tokio::join!(WebSocket::ask(gateway.address, PATH, &[]), refusing, second.grant());
    let mut client = client.unwrap();
    assert_eq!(upstream.line(), "GET /base/realtime?model=y");
    assert_eq!(client.header("x-weir-provider"), Some("q"));
    client.say(&json!({"type": "x"})).await;
    assert_eq!(upstream.hear().await.json()["type"], "x");

    let gateway = Gateway::open(&config(&first)).await;
    let answers = [
        ("HTTP/1.1 401 No", 502, "the provider refused the gateway's credential".to_owned()),
        ("HTTP/1.1 404 No", 404, format!("no key {}", "*".repeat(KEY.len()))),
        (
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: x",
            502,
            String::new(),
        ),
        ("HTTP/1.1 200 OK", 502, "no key".to_owned()),
    ];
    for (head, status, message) in answers {
        let refusing = async {
            let mut asked = first.asked().await;
            let body = format!("no key {KEY}");
            asked.raw(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes()).await;
            asked
        };
        let (refused, _asked) = tokio::join!(WebSocket::ask(gateway.address, PATH, &[]), refusing);
        let (answered, body) = refused.unwrap_err();
        assert_eq!(answered, status, "{head}: {body}");
        assert!(body.contains(&message) && !body.contains(KEY), "{head}: {body}");
    }
}

/// Answers a handshake with this head instead of granting a session. Returns the key that it came with.
async fn refuses(provider: &SessionProvider, head: &str) -> String {
    let mut asked = provider.asked().await;
    let key = asked.header("authorization").unwrap().to_owned();
    asked.raw(format!("{head}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await;
    key
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_is_tried_where_a_provider_refuses_or_limits_one() {
    for head in ["HTTP/1.1 401 No", "HTTP/1.1 402 No", "HTTP/1.1 429 No\r\nretry-after: 60"] {
        let provider = SessionProvider::listen().await;
        let keys = config(&provider).replace(&format!("api_key = \"{KEY}\""), "api_keys = [\"KEY-1\", \"KEY-2\"]");
        let gateway = Gateway::open(&keys).await;
        let granting = async { (refuses(&provider, head).await, provider.grant().await) };
        let (client, (refused, granted)) = tokio::join!(WebSocket::ask(gateway.address, PATH, &[]), granting);
        assert_ne!(granted.header("authorization"), Some(&*refused), "{head}");
        client.unwrap().cut();
        // The key that was refused is left alone while the other one serves.
        let (client, granted) = session(&gateway, &provider).await;
        assert_ne!(granted.header("authorization"), Some(&*refused), "{head}");
        drop(client);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limited_provider_is_not_asked_before_its_time() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&config(&provider)).await;
    let limiting = refuses(&provider, "HTTP/1.1 429 No\r\nretry-after: 60");
    let (refused, _) = tokio::join!(WebSocket::ask(gateway.address, PATH, &[]), limiting);
    assert_eq!(refused.unwrap_err().0, 429);
    let (status, body) = WebSocket::ask(gateway.address, PATH, &[]).await.unwrap_err();
    assert_eq!(status, 429, "nobody was asked: {body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fallback_that_a_pattern_serves_has_its_own_guards() {
    let provider = SessionProvider::listen().await;
    let models = "[[models]]\nalias = \"voice\"\ntarget = { provider = \"p\", model = \"x\" }\nfallbacks = [\"gpt-other\"]\n\
                  [[models]]\nalias = \"gpt-*\"\ntarget = { provider = \"p\" }\n\
                  [[guards]]\nname = \"secrets\"\ndeadline = \"20s\"\nfor = { models = [\"gpt-other\"] }\ngrants = { prompt = true }\n";
    let folder = Folder::with(&["openai", "secrets"]);
    let gateway = Gateway::with(folder, &(config(&provider) + models)).await;
    let (status, body) = WebSocket::ask(gateway.address, "/v1/realtime?model=voice", &[]).await.unwrap_err();
    assert!(status == 403 && body.contains("guard_cannot_judge"), "{status}: {body}");
    session(&gateway, &provider).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_bounded_by_client_and_in_all() {
    let provider = SessionProvider::listen().await;
    let limits = client("limits = { streams = 1 }");
    let gateway = Gateway::open(&(realtime("max_sessions = 1") + &config(&provider) + &limits)).await;
    let bearer = format!("Bearer {CLIENT}");
    let headers = [("authorization", bearer.as_str())];
    let (one, upstream) = tokio::join!(WebSocket::ask(gateway.address, PATH, &headers), provider.grant());
    let (status, body) = WebSocket::ask(gateway.address, PATH, &headers).await.unwrap_err();
    assert_eq!(status, 503, "{body}");
    one.unwrap().cut();
    drop(upstream);
    gateway.until_metric("weir_realtime_sessions", 0.0).await;
    let gateway = Gateway::open(&(config(&provider) + &limits)).await;
    let (one, upstream) = tokio::join!(WebSocket::ask(gateway.address, PATH, &headers), provider.grant());
    let (status, body) = WebSocket::ask(gateway.address, PATH, &headers).await.unwrap_err();
    assert_eq!(status, 429, "{body}");
    one.unwrap().cut();
    drop(upstream);
    gateway.until_metric("weir_realtime_sessions", 0.0).await;
    let (again, _upstream) = tokio::join!(WebSocket::ask(gateway.address, PATH, &headers), provider.grant());
    assert!(again.is_ok(), "the place is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_silent_too_old_or_half_open_ends_and_both_sides_hear_why() {
    let provider = SessionProvider::listen().await;
    for (settings, reason) in [
        ("idle_timeout = \"300ms\"", "no message for `realtime.idle_timeout`"),
        ("max_duration = \"300ms\"", "the session lasted for `realtime.max_duration`"),
    ] {
        let gateway = Gateway::open(&(realtime(settings) + &config(&provider))).await;
        let (mut client, mut upstream) = session(&gateway, &provider).await;
        assert_eq!(client.hear().await.close(), (1001, reason.to_owned()));
        assert_eq!(upstream.hear().await.close().0, 1001);
    }
    let pings = realtime("ping_interval = \"200ms\"\nping_timeout = \"300ms\"");
    let gateway = Gateway::open(&(pings + &config(&provider))).await;
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    assert_eq!(client.next().await.map(|frame| frame.opcode), Some(9));
    // The client answers nothing; the provider answers its pings.
    assert_eq!(upstream.hear().await.close(), (1001, "the session was ended by a gateway".to_owned()));
    let (mut client, mut upstream) = session(&gateway, &provider).await;
    assert_eq!(upstream.next().await.map(|frame| frame.opcode), Some(9));
    assert_eq!(client.hear().await.close(), (1014, "the connection to the provider broke".to_owned()));
    gateway.until_metric("weir_stream_errors_total{side=\"upstream\"}", 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_lets_the_open_response_end_and_then_tells_both_sides() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&config(&provider)).await;
    let (mut idle, mut idle_upstream) = session(&gateway, &provider).await;
    let (mut busy, mut busy_upstream) = session(&gateway, &provider).await;
    busy.say(&asks()).await;
    assert_eq!(busy_upstream.hear().await.json()["type"], "response.create");
    busy_upstream.say(&begun()).await;
    assert_eq!(busy.hear().await.json()["type"], "response.created");
    gateway.stop();
    for client in [&mut idle, &mut busy] {
        let notice = client.hear().await.json();
        assert_eq!((&notice["type"], &notice["error"]["code"]), (&json!("error"), &json!("stopping")), "{notice}");
    }
    assert_eq!(idle.hear().await.close(), (1012, "the gateway restarts: connect again".to_owned()));
    assert_eq!(idle_upstream.hear().await.close().0, 1001);
    busy_upstream.say(&done(3, 4)).await;
    assert_eq!(busy.hear().await.json()["type"], "response.done");
    assert_eq!(busy.hear().await.close().0, 1012);
    for mut side in [idle, idle_upstream, busy, busy_upstream] {
        side.close(1000, "").await;
    }
    gateway.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_a_response_that_outlasts_the_time_to_drain_and_it_is_no_free_success() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&("[server]\nshutdown_timeout = \"4s\"\n".to_owned() + &config(&provider))).await;
    let headers = [("x-request-id", "session-that-is-drained")];
    let (client, mut upstream) = tokio::join!(WebSocket::ask(gateway.address, PATH, &headers), provider.grant());
    let mut client = client.unwrap();
    client.say(&asks()).await;
    upstream.hear().await;
    upstream.say(&begun()).await;
    assert_eq!(client.hear().await.json()["type"], "response.created");
    gateway.stop();
    assert_eq!(client.hear().await.json()["error"]["code"], "stopping");
    // Nothing ends the response.
    assert_eq!(client.hear().await.close(), (1012, "the gateway restarts: connect again".to_owned()));
    assert_eq!(upstream.hear().await.close().0, 1001);
    for mut side in [client, upstream] {
        side.close(1000, "").await;
    }
    gateway.ended().await;
    let text = log::text();
    let line = text.lines().find(|line| line.contains("session-that-is-drained.1") && line.contains("outcome"));
    let line = line.unwrap_or_else(|| panic!("the response has a line: {text}"));
    assert!(!line.contains("outcome=ok") && !line.contains("\"outcome\":\"ok\""), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_and_each_of_its_responses_have_a_line_of_their_own() {
    let provider = SessionProvider::listen().await;
    let gateway = Gateway::open(&config(&provider)).await;
    let headers = [("x-request-id", "session-of-lines")];
    let (client, mut upstream) = tokio::join!(WebSocket::ask(gateway.address, PATH, &headers), provider.grant());
    let mut client = client.unwrap();
    assert_eq!(client.header("x-request-id"), Some("session-of-lines"));
    for tokens in [3, 5] {
        client.say(&asks()).await;
        upstream.hear().await;
        upstream.say(&begun()).await;
        upstream.say(&done(tokens, 1)).await;
        client.hear().await;
        client.hear().await;
    }
    client.close(1000, "").await;
    upstream.hear().await;
    upstream.close(1000, "").await;
    gateway.until_metric("weir_realtime_sessions", 0.0).await;
    gateway.until_metric("weir_in_flight", 0.0).await;
    let text = log::text();
    let lines: Vec<&str> =
        text.lines().filter(|line| line.contains("session-of-lines") && line.contains("outcome")).collect();
    assert_eq!(lines.len(), 3, "{lines:#?}");
    let of = |id: &str| {
        let found = lines
            .iter()
            .find(|line| line.contains(&format!("\"{id}\"")) || line.contains(&format!("request_id={id} ")));
        *found.unwrap_or_else(|| panic!("{id}: {lines:#?}"))
    };
    let whole = of("session-of-lines");
    assert!(whole.contains("101") && whole.contains("ok") && whole.contains("realtime"), "{whole}");
    let sums = ["responses", "session_tokens", "session_cost"].map(|name| whole.contains(name));
    assert!(sums == [true; 3] && whole.contains("10"), "{whole}");
    assert!(of("session-of-lines.1").contains('3') && of("session-of-lines.2").contains('5'));
}

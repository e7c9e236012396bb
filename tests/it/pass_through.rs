//! Requests to a provider's own endpoints: with the gateway's credential, within the operator's rules, streamed both
//! ways.

mod forms;
mod objects;
mod other_models;
mod over_http2;
mod own_time;
mod readings;
mod streamed;
mod two_models;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use weir_tests::clients::{by, client};
use weir_tests::{Answer, Gateway, Request, Upstream, log, soon};

use crate::keys::code;
use crate::wire_format::{ANTHROPIC, OPENAI};

/// A key in the form that providers use; it was made for tests and is worthless.
const KEY: &str = "sk-proj-7dK2wQ9mZt4RbX1yLc8VnA6dHs3JgE5pUo0iTqNe";

/// A provider with these rules.
fn provider(upstream: &Upstream, rules: &str) -> String {
    format!(
        "[[providers]]\nname = \"p\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"{KEY}\"\npassthrough = {rules}\n\
         [[models]]\nalias = \"m\"\ntarget = {{ provider = \"p\", model = \"gpt\" }}\n\
         price = {{ input = 1000000, output = 1000000 }}\n",
        upstream.url()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn any_method_and_path_reaches_the_provider_with_our_key_and_nothing_of_the_clients() {
    let answer = Answer::whole(
        206,
        &[
            ("content-type", "application/x-anything"),
            ("x-own", "kept"),
            ("set-cookie", "no"),
            ("access-control-allow-origin", "*"),
            ("x-weir-provider", "forged"),
            ("connection", "x-hop"),
            ("x-hop", "no"),
        ],
        b"\x00\x01\xff",
    );
    let mut upstream = Upstream::always(answer).await;
    let gateway = Gateway::open(&(provider(&upstream, "[\"* *\"]") + &client("a", "passthrough = [\"p * *\"]"))).await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "PURGE"] {
        let request = by("a", Request::new(method, "/passthrough/p/any/thing:now?x=%2F+y&key2&z=1"))
            .header("x-custom", "kept")
            .header("x-api-key", "weir-a-0123456789abcdef")
            .header("x-repeats", "it is weir-a-0123456789abcdef")
            .header("x-http-method-override", "DELETE")
            .header("x-weir-session", "mine")
            .header("connection", "x-private")
            .header("x-private", "no")
            .header("cookie", "no")
            .header("host", "evil.example")
            .body(b"\x00bytes");
        let reply = gateway.ask(&request).await;
        assert_eq!((reply.status(), reply.body.as_slice()), (206, &b"\x00\x01\xff"[..]), "{method}: {}", reply.text());
        for (name, expected) in [
            ("content-type", Some("application/x-anything")),
            ("x-own", Some("kept")),
            ("set-cookie", None),
            ("access-control-allow-origin", None),
            ("x-hop", None),
            ("x-weir-provider", Some("p")),
            ("x-weir-lane", Some("passthrough")),
            ("content-security-policy", Some("sandbox")),
        ] {
            assert_eq!(reply.header(name), expected, "{name}");
        }
        let sent = upstream.request().await;
        assert_eq!(sent.line(), format!("{method} /base/any/thing:now?x=%2F+y&key2&z=1"));
        assert_eq!(sent.body, b"\x00bytes");
        assert_eq!(sent.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
        assert_eq!(sent.header("host"), Some(upstream.origin().trim_start_matches("http://")));
        assert_eq!(sent.header("x-custom"), Some("kept"));
        let gone = ["x-api-key", "x-repeats", "x-http-method-override", "x-weir-session", "x-private", "cookie"];
        assert!(gone.iter().all(|name| sent.header(name).is_none()), "{}", sent.head);
        assert!(!sent.head.contains("weir-a-"), "{}", sent.head);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_off_unless_the_operator_opens_it() {
    let mut upstream = Upstream::always(Answer::json(200, "{}")).await;
    let gateway = Gateway::open(&provider(&upstream, "[]")).await;
    let reply = gateway.get("/passthrough/p/files").await;
    assert_eq!((reply.status(), code(&reply).as_str()), (404, "unknown_url"), "{}", reply.text());
    let gateway = Gateway::open(&provider(&upstream, "[\"GET files*\"]")).await;
    for path in ["/passthrough/other/files", "/passthrough/", "/passthrough//files"] {
        assert_eq!(gateway.get(path).await.status(), 404, "{path}");
    }
    assert!(upstream.unseen().is_none(), "nothing was sent");
    assert_eq!(gateway.get("/passthrough/p/files?limit=1").await.status(), 200);
    assert_eq!(upstream.request().await.line(), "GET /base/files?limit=1");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_allowed_methods_and_paths_pass_by_provider_and_by_key() {
    let mut upstream = Upstream::always(Answer::json(200, "{}")).await;
    let clients = client("none", "")
        + &client("some", "passthrough = [\"p GET files/*\", \"p * batches\"]")
        + &client("elsewhere", "passthrough = [\"q * *\"]");
    let gateway = Gateway::open(&(provider(&upstream, "[\"GET *\", \"POST batches\"]") + &clients)).await;
    for (who, method, path, status) in [
        ("some", "GET", "files/f", 200),
        ("some", "GET", "files/a/b", 200),
        ("some", "POST", "batches", 200),
        ("some", "GET", "files", 403),
        ("some", "POST", "batches/1", 403),
        ("some", "DELETE", "files/f", 403),
        ("some", "PUT", "batches", 403),
        ("none", "GET", "files/f", 403),
        ("elsewhere", "GET", "files/f", 403),
    ] {
        let reply = gateway.ask(&by(who, Request::new(method, &format!("/passthrough/p/{path}")))).await;
        assert_eq!(reply.status(), status, "{who} {method} {path}: {}", reply.text());
        if status == 403 {
            assert_eq!(code(&reply), "passthrough_not_allowed");
            assert!(upstream.unseen().is_none(), "nothing was sent");
        } else {
            upstream.request().await;
        }
    }
    for query in ["_method=DELETE", "x=1&%24httpMethod=DELETE", "$httpHeaders=x-http-method-override:DELETE"] {
        let reply = gateway.ask(&by("some", Request::new("POST", &format!("/passthrough/p/batches?{query}")))).await;
        assert_eq!((reply.status(), code(&reply).as_str()), (400, "passthrough_path"), "{query}: {}", reply.text());
        assert!(upstream.unseen().is_none(), "nothing was sent");
    }
    let reply = gateway.get("/passthrough/p/files/f").await;
    assert_eq!((reply.status(), code(&reply).as_str()), (401, "invalid_api_key"));
    let body = reply.json();
    assert!(body["request_id"].is_string() && body["error"]["message"].is_string(), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_without_a_key_does_not_pass_where_others_have_keys() {
    let mut upstream = Upstream::always(Answer::json(200, "{}")).await;
    let open = "[server]\nanonymous = true\n".to_owned() + &provider(&upstream, "[\"* *\"]");
    let gateway = Gateway::open(&(open.clone() + &client("a", "passthrough = [\"* * *\"]"))).await;
    assert_eq!(gateway.get("/passthrough/p/files").await.status(), 403);
    assert!(upstream.unseen().is_none());
    assert_eq!(gateway.ask(&by("a", Request::get("/passthrough/p/files"))).await.status(), 200);
    let gateway = Gateway::open(&open).await;
    assert_eq!(gateway.get("/passthrough/p/files").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_could_lead_elsewhere_is_refused() {
    let mut upstream = Upstream::always(Answer::json(200, "{}")).await;
    let gateway = Gateway::open(&provider(&upstream, "[\"* *\"]")).await;
    for path in [
        "..",
        "../secret",
        "files/../../secret",
        "files/./x",
        "files/%2e%2e/x",
        "files/%2E./x",
        "files%2f..%2fx",
        "files%2Fx",
        "files/%252e%252e/x",
        "files%5cx",
        "files\\..\\x",
        "files/%00",
        "files/%0d%0aHost:%20evil",
        "/files",
        "//evil.example/x",
        "files//x",
        "..;/x",
        "%2f%2fevil.example",
        "@evil.example/x",
        "files/%",
        "files/%zz",
    ] {
        let reply = gateway.ask(&Request::get(&format!("/passthrough/p/{path}"))).await;
        assert_eq!(reply.status(), 400, "{path}: {}", reply.text());
        assert_eq!(code(&reply), "passthrough_path", "{path}: {}", reply.text());
    }
    for target in ["http://evil.example/passthrough/p/files", "http://localhost/passthrough/p/files"] {
        assert!((400..=403).contains(&gateway.ask(&Request::get(target)).await.status()), "{target}");
    }
    assert!(upstream.unseen().is_none(), "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn upgrades_and_tunnels_are_refused() {
    let mut upstream = Upstream::always(Answer::json(200, "{}")).await;
    let gateway = Gateway::open(&provider(&upstream, "[\"* *\"]")).await;
    let upgrade =
        Request::get("/passthrough/p/realtime").header("connection", "upgrade").header("upgrade", "websocket");
    let reply = gateway.ask(&upgrade).await;
    assert_eq!((reply.status(), code(&reply).as_str()), (400, "upgrade_not_supported"), "{}", reply.text());
    assert_eq!(code(&gateway.ask(&Request::new("TRACE", "/passthrough/p/x")).await), "method_not_allowed");
    assert!(upstream.unseen().is_none(), "nothing was sent");
    let offer = Request::get("/passthrough/p/x").header("connection", "upgrade").header("upgrade", "h2c");
    assert_eq!(gateway.ask(&offer).await.status(), 200);
    assert_eq!(upstream.request().await.header("upgrade"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_host_and_no_form_of_a_target_leads_elsewhere() {
    let mut upstream = Upstream::always(Answer::json(200, "{}")).await;
    // A key is more than a browser sends by itself: for its caller, the host's name is none of the gateway's business.
    let clients = client("a", "passthrough = [\"* * *\"]");
    let gateway = Gateway::open(&(provider(&upstream, "[\"GET files\"]") + &clients)).await;
    let own = gateway.address;
    for (head, is_served) in [
        ("GET /passthrough/p/files HTTP/1.1\r\nhost: evil.example\r\n\r\n".to_owned(), true),
        (format!("GET http://{own}/passthrough/p/files HTTP/1.1\r\nhost: {own}\r\n\r\n"), false),
        (format!("GET http://evil.example/passthrough/p/files HTTP/1.1\r\nhost: {own}\r\n\r\n"), false),
        (format!("GET http://u:p@evil.example/passthrough/p/files HTTP/1.1\r\nhost: {own}\r\n\r\n"), false),
        ("GET /passthrough/p/files HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".to_owned(), false),
        ("GET /passthrough/p/files HTTP/1.1\r\nhost: a@b/c\r\n\r\n".to_owned(), false),
        ("GET /passthrough/p/files HTTP/1.1\r\nhost: a b\r\n\r\n".to_owned(), false),
        ("GET /passthrough/p/files HTTP/1.1\r\n\r\n".to_owned(), false),
        ("CONNECT evil.example:443 HTTP/1.1\r\nhost: evil.example:443\r\n\r\n".to_owned(), false),
        ("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), false),
        ("GET *passthrough/p/files HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), false),
        ("GET passthrough/p/files HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), false),
        // What follows the sign is no part of a target.
        ("GET /passthrough/p/files#/../x HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), true),
        ("GET /passthrough/p/../p/files HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), false),
        ("GET //passthrough/p/files HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), false),
        ("GET /passthrough\\p\\files HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), false),
        ("GET /passthrough/p/files\0 HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), false),
        ("GET /passthrough%2fp/files HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), false),
    ] {
        let mut client = gateway.connect().await;
        let head = head.replace("\r\n\r\n", "\r\nauthorization: Bearer weir-a-0123456789abcdef\r\n\r\n");
        client.write(head.as_bytes()).await;
        let reply = client.reply().await;
        let sent = upstream.unseen();
        assert_eq!((reply.status() == 200, sent.is_some()), (is_served, is_served), "{head:?}: {}", reply.status());
        if let Some(sent) = sent {
            assert_eq!(
                (sent.line(), sent.header("host")),
                ("GET /base/files", Some(upstream.origin().trim_start_matches("http://")))
            );
        } else {
            assert!((400..500).contains(&reply.status()), "{head:?}: {}", reply.status());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_a_connection_is_of_that_connection_alone() {
    let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-late, set-cookie\r\nkeep-alive: timeout=9\r\n\
                  proxy-authenticate: Basic\r\nproxy-connection: keep-alive\r\nupgrade: h2c\r\n\
                  connection: x-hop, keep-alive\r\nconnection: X-Other\r\nx-hop: no\r\nx-other: no\r\n\r\n\
                  2\r\nok\r\n0\r\nx-late: yes\r\nset-cookie: a=b\r\nx-weir-provider: forged\r\n\r\n";
    let mut upstream = Upstream::always(Answer::raw(answer)).await;
    let gateway = Gateway::open(&provider(&upstream, "[\"* *\"]")).await;
    let body = "5\r\nhello\r\n0\r\nx-late: yes\r\nauthorization: Bearer forged\r\ncontent-length: 3\r\n\r\n";
    let request = Request::post("/passthrough/p/things", body)
        .header("transfer-encoding", "chunked")
        .header("trailer", "x-late, authorization")
        .header("expect", "100-continue")
        .header("te", "trailers, gzip")
        .header("keep-alive", "timeout=9")
        .header("proxy-authorization", "Basic no")
        .header("proxy-connection", "keep-alive")
        .header("http2-settings", "AAMAAABkAARAAAAAAAIAAAAA")
        .header("connection", "x-private, http2-settings")
        .header("connection", "X-Other, host, authorization, content-type")
        .header("x-private", "no")
        .header("x-other", "no");
    let mut client = gateway.connect().await;
    client.send(&request).await;
    let mut head = client.head().await;
    if head.status == 100 {
        head = client.head().await;
    }
    assert_eq!(head.status, 200);
    let gone =
        ["trailer", "keep-alive", "proxy-authenticate", "proxy-connection", "upgrade", "x-hop", "x-other", "x-late"];
    for name in gone {
        assert_eq!(head.header(name), None, "{name}");
    }
    assert_eq!(head.header("x-weir-provider"), Some("p"));
    assert_eq!(client.rest().await, (b"ok".to_vec(), false));
    let sent = upstream.request().await;
    assert_eq!(sent.body, b"hello");
    let gone = [
        "expect",
        "te",
        "trailer",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "http2-settings",
        "x-private",
        "x-other",
        "x-late",
    ];
    for name in gone {
        assert_eq!(sent.header(name), None, "{name}: {}", sent.head);
    }
    assert_eq!(sent.header("authorization"), Some(format!("Bearer {KEY}").as_str()), "whatever `connection` names");
    assert_eq!(sent.head.matches("uthorization").count(), 1, "{}", sent.head);
    // The connection goes on: no trailer was left for the next request.
    assert_eq!(gateway.get("/passthrough/p/things").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_for_leave_to_send_gets_it_once_it_may() {
    let mut upstream = Upstream::always(Answer::json(200, "{}")).await;
    let gateway =
        Gateway::open(&(provider(&upstream, "[\"POST files\"]") + &client("a", "passthrough = [\"* * *\"]"))).await;
    let head = |path: &str, key: &str| {
        format!(
            "POST /passthrough/p/{path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n"
        )
    };
    for (path, key, status) in [("files", "weir-a-wrong", 401), ("other", "weir-a-0123456789abcdef", 403)] {
        let mut client = gateway.connect().await;
        client.write(head(path, key).as_bytes()).await;
        assert_eq!(client.head().await.status, status, "without a byte of the body");
    }
    assert!(upstream.unseen().is_none());
    let mut client = TcpStream::connect(gateway.address).await.unwrap();
    client.write_all(head("files", "weir-a-0123456789abcdef").as_bytes()).await.unwrap();
    let mut read = [0; 25];
    soon("the leave", client.read_exact(&mut read)).await.unwrap();
    assert_eq!(&read, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"hello").await.unwrap();
    let mut read = [0; 15];
    soon("the answer", client.read_exact(&mut read)).await.unwrap();
    assert_eq!(&read, b"HTTP/1.1 200 OK");
    assert_eq!(upstream.request().await.body, b"hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed_and_our_key_stays() {
    let mut elsewhere = Upstream::always(Answer::json(200, "{}")).await;
    let target = format!("{}/stolen?key={KEY}", elsewhere.origin());
    for status in [301, 302, 303, 307, 308] {
        let mut upstream = Upstream::always(Answer::whole(status, &[("location", &target)], "")).await;
        let gateway = Gateway::open(&provider(&upstream, "[\"* *\"]")).await;
        let reply = gateway.get("/passthrough/p/files/f/content").await;
        assert_eq!(reply.status(), status);
        let location = reply.header("location").unwrap();
        assert!(location.contains("/stolen") && !location.contains(&KEY[4..]), "{location}");
        upstream.request().await;
    }
    assert!(elsewhere.unseen().is_none(), "no redirect was followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_content_ends_well_and_gives_back_what_it_held() {
    let empty = [("content-length", "0")];
    for (method, answer) in [
        ("DELETE", Answer::raw("HTTP/1.1 204 No Content\r\n\r\n")),
        ("POST", Answer::whole(200, &empty, "")),
        ("GET", Answer::raw("HTTP/1.1 304 Not Modified\r\n\r\n")),
    ] {
        let upstream = Upstream::always(answer).await;
        let gateway = Gateway::open(&provider(&upstream, "[\"* *\"]")).await;
        for path in ["/passthrough/p/things/1", "/passthrough/p/files/f"] {
            let reply = gateway.ask(&Request::new(method, path)).await;
            assert!(reply.text().is_empty(), "{method} {path}: {} {}", reply.status(), reply.text());
        }
        gateway.until_metric("weir_requests_total{outcome=\"ok\"}", 2.0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_protocol_that_nobody_asked_for_is_not_passed_through() {
    let switching = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
    let upstream = Upstream::always(Answer::raw(switching).close()).await;
    let gateway = Gateway::open(&provider(&upstream, "[\"* *\"]")).await;
    for method in ["GET", "POST"] {
        let reply = gateway.ask(&Request::new(method, "/passthrough/p/things/1")).await;
        assert_eq!(reply.status(), 502, "{method}: {}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_repeats_our_key_does_not_show_it() {
    let body = format!("{{\"you\":\"{KEY}\"}}");
    let half = body.len() / 2;
    let headers = [("content-type", "application/json"), ("x-key", KEY)];
    for answer in [
        Answer::whole(200, &headers, &body),
        Answer::begin(200, &headers).piece(&body[..half]).piece(&body[half..]).end(),
        Answer::whole(404, &headers, &body),
    ] {
        let upstream = Upstream::always(answer).await;
        let gateway = Gateway::open(&provider(&upstream, "[\"* *\"]")).await;
        let reply = gateway.get("/passthrough/p/echo").await;
        assert!(!reply.text().contains(&KEY[8..]), "{}", reply.text());
        assert!(!reply.header("x-key").unwrap().contains(&KEY[8..]));
    }
    let upstream = Upstream::always(Answer::json(401, &body)).await;
    let gateway = Gateway::open(&provider(&upstream, "[\"* *\"]")).await;
    let reply = gateway.get("/passthrough/p/echo").await;
    assert_eq!((reply.status(), code(&reply).as_str()), (502, "upstream_authentication"));
    assert!(!log::text().contains(KEY));
}

#[tokio::test(flavor = "multi_thread")]
async fn anothers_object_is_not_here_by_this_way_either() {
    let mut upstream = Upstream::scripted(|request| {
        let id = if request.line().starts_with("POST /base/files") {
            format!("file-abcdefgh1234567{}", request.text())
        } else {
            "x".to_owned()
        };
        Answer::json(200, json!({"id": id, "object": "file"}).to_string())
    })
    .await;
    let clients = client("one", "passthrough = [\"p * *\"]")
        + &client("two", "passthrough = [\"p * *\"]")
        + &client("bound", "models = [\"gpt\"]\npassthrough = [\"p * *\"]");
    let gateway = Gateway::open(&(provider(&upstream, "[\"* *\"]") + &clients)).await;
    let made = gateway.ask(&by("one", Request::new("POST", "/v1/files").body("8"))).await;
    assert_eq!(made.status(), 200, "{}", made.text());
    upstream.request().await;
    let path = "/passthrough/p/files/file-abcdefgh12345678/content";
    assert_eq!(gateway.ask(&by("one", Request::get(path))).await.status(), 200);
    upstream.request().await;
    let batch = |id: &str| {
        let body = json!({"input_file_id": id, "endpoint": "/v1/responses", "completion_window": "24h"});
        Request::post("/passthrough/p/batches", body.to_string())
    };
    let spelled = "/passthrough/p/files;a/file-abcdefgh12345678;x/content";
    for request in [Request::get(path), Request::get(spelled), batch("file-abcdefgh12345678")] {
        let reply = gateway.ask(&by("two", request)).await;
        assert_eq!((reply.status(), code(&reply).as_str()), (404, "not_found"), "{}", reply.text());
        assert!(upstream.unseen().is_none());
    }
    assert_eq!(gateway.ask(&by("one", batch("file-abcdefgh12345678"))).await.status(), 200);
    upstream.request().await;
    // A restricted key names its own objects only, such as those that it made by this way.
    let reply = gateway.ask(&by("bound", batch("file-abcdefgh12345670"))).await;
    assert_eq!((reply.status(), code(&reply).as_str()), (404, "not_found"), "{}", reply.text());
    assert!(upstream.unseen().is_none());
    let made = gateway.ask(&by("bound", Request::new("POST", "/passthrough/p/files").body("9"))).await;
    assert_eq!(made.status(), 200, "{}", made.text());
    upstream.request().await;
    let own = "/passthrough/p/files/file-abcdefgh12345679/content";
    assert_eq!(gateway.ask(&by("bound", Request::get(own))).await.status(), 200);
    upstream.request().await;
    // What it uploaded is no form, so that nothing was read of the requests in it.
    let reply = gateway.ask(&by("bound", batch("file-abcdefgh12345679"))).await;
    assert_eq!((reply.status(), code(&reply).as_str()), (403, "requests_not_read"), "{}", reply.text());
    assert!(upstream.unseen().is_none());
    let reply = gateway.ask(&by("two", batch("file-abcdefgh12345679"))).await;
    assert_eq!((reply.status(), code(&reply).as_str()), (404, "not_found"), "{}", reply.text());
}

fn chat(model: &str, stream: bool) -> Request {
    let body = OPENAI.request(model, stream).sent();
    Request::post("/passthrough/p/chat/completions", body)
}

#[tokio::test(flavor = "multi_thread")]
async fn usage_at_declared_endpoints_is_booked_and_their_models_have_rights() {
    let upstream = Upstream::scripted(|request| {
        if request.json()["stream"] == true { OPENAI.streamed() } else { Answer::json(200, OPENAI.whole()) }
    })
    .await;
    let budget = "[[budgets]]\nname = \"all\"\nfor = \"all\"\nusd = 100000000\nper = \"total\"\n";
    let clients = client("free", "passthrough = [\"p * *\"]")
        + &client("bound", "models = [\"gpt\"]\npassthrough = [\"p * *\"]")
        + &client("other", "models = [\"small\"]\npassthrough = [\"p * *\"]");
    let gateway = Gateway::open(&(provider(&upstream, "[\"* *\"]") + budget + &clients)).await;
    let whole = gateway.ask(&by("free", chat("gpt", false))).await;
    assert_eq!((whole.status(), whole.text()), (200, OPENAI.whole()));
    gateway.until_metric("weir_budget_used{budget=\"all\"}", 17.0).await;
    let streamed = gateway.ask(&by("bound", chat("gpt", true))).await;
    assert_eq!(streamed.text(), OPENAI.stream().concat());
    gateway.until_metric("weir_budget_used{budget=\"all\"}", 34.0).await;
    let reply = gateway.ask(&by("other", chat("gpt", false))).await;
    assert_eq!(reply.status(), 403, "{}", reply.text());
    let output = "weir_tokens_total{bucket=\"output\",model=\"passthrough\",provider=\"p\"}";
    assert_eq!(gateway.metric(output).await, 14.0);
    assert_eq!(gateway.metric("weir_billing_unknown_total").await, 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_spelling_of_a_declared_endpoint_leads_around_no_right_and_no_cost() {
    let mut upstream = Upstream::scripted(|request| {
        if request.json()["stream"] == true { OPENAI.streamed() } else { Answer::json(200, OPENAI.whole()) }
    })
    .await;
    let budget = "[[budgets]]\nname = \"all\"\nfor = \"all\"\nusd = 100000000\nper = \"total\"\n";
    let clients = client("bound", "models = [\"gpt\"]\npassthrough = [\"p * *\"]")
        + &client("other", "models = [\"small\"]\npassthrough = [\"p * *\"]");
    let gateway = Gateway::open(&(provider(&upstream, "[\"* *\"]") + budget + &clients)).await;
    let mut booked = 0.0;
    for (method, path) in [
        ("POST", "Chat/Completions"),
        ("POST", "chat/completions/"),
        ("POST", "chat/completions;x=1"),
        ("POST", "chat;a/completions%20"),
        ("POST", "%63hat/completions"),
        ("post", "chat/completions"),
        ("Post", "CHAT/completions;/"),
    ] {
        for stream in [false, true] {
            let target = format!("/passthrough/p/{path}");
            let request = || Request::new(method, &target).body(OPENAI.request("gpt", stream).sent());
            let reply = gateway.ask(&by("other", request())).await;
            assert_eq!(reply.status(), 403, "{method} {path}: {}", reply.text());
            assert!(upstream.unseen().is_none(), "{method} {path}");
            let reply = gateway.ask(&by("bound", request())).await;
            let expected = if stream { OPENAI.stream().concat() } else { OPENAI.whole().clone() };
            assert_eq!((reply.status(), reply.text()), (200, expected), "{method} {path}");
            assert_eq!(upstream.request().await.line(), format!("{method} /base/{path}"), "it goes on as it came");
            booked += 17.0;
            gateway.until_metric("weir_budget_used{budget=\"all\"}", booked).await;
        }
    }
    assert_eq!(gateway.metric("weir_billing_unknown_total").await, 0.0);
    for method in ["trace", "Connect"] {
        let reply = gateway.ask(&by("bound", Request::new(method, "/passthrough/p/chat/completions"))).await;
        assert_eq!((reply.status(), code(&reply).as_str()), (405, "method_not_allowed"), "{method}");
    }
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_known_keeps_what_was_reserved() {
    let upstream = Upstream::scripted(|request| {
        let status = if request.line().contains("bad") { 400 } else { 200 };
        Answer::json(status, "{}")
    })
    .await;
    let budget = "[[budgets]]\nname = \"all\"\nfor = \"all\"\ntokens = 1000000\nper = \"total\"\n";
    let gateway = Gateway::open(&(provider(&upstream, "[\"* *\"]") + budget)).await;
    let used = "weir_budget_used{budget=\"all\"}";
    assert_eq!(gateway.get("/passthrough/p/vector_stores").await.status(), 200);
    assert_eq!(gateway.post("/passthrough/p/bad", "{}").await.status(), 400);
    gateway.until_metric("weir_requests_total{route=\"passthrough\"}", 2.0).await;
    gateway.until_metric(used, 0.0).await;
    assert_eq!(gateway.post("/passthrough/p/vector_stores", "{\"q\":\"what may cost\"}").await.status(), 200);
    gateway.until_metric("weir_billing_unknown_total{model=\"passthrough\",provider=\"p\"}", 1.0).await;
    assert!(gateway.metric(used).await >= 4096.0, "{}", gateway.metric(used).await);
    let money = "[[budgets]]\nname = \"money\"\nfor = \"all\"\nusd = 5\nper = \"total\"\n";
    let gateway = Gateway::open(&(provider(&upstream, "[\"* *\"]") + money)).await;
    let reply = gateway.post("/passthrough/p/vector_stores", "{}").await;
    assert_eq!(reply.status(), 429, "a budget of money admits nothing whose cost cannot be known: {}", reply.text());
    assert_eq!(gateway.get("/passthrough/p/vector_stores").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_counts_the_same_whether_or_not_its_length_is_announced() {
    let upstream = Upstream::always(Answer::json(200, "{}")).await;
    let more = "limits = { tokens_per_minute = 15000 }\n\
                [[budgets]]\nname = \"all\"\nfor = \"all\"\ntokens = 1000000\nper = \"total\"\n\
                [[budgets]]\nname = \"there\"\nfor = { provider = \"p\" }\ntokens = 1000000\nper = \"total\"\n";
    let config = provider(&upstream, "[\"* *\"]") + &client("a", &format!("passthrough = [\"p * *\"]\n{more}"));
    let body = format!("{{\"q\":\"{}\"}}", "a".repeat(40_000));
    let pieces = body.as_bytes().chunks(10_000);
    let pieces = pieces.map(|piece| format!("{:x}\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece)));
    let chunked = pieces.collect::<Vec<String>>().concat();
    let path = "/passthrough/p/vector_stores";
    let unannounced = Request::post(path, chunked + "0\r\n\r\n").header("transfer-encoding", "chunked");
    let expected = 4096.0 + body.len().div_ceil(4) as f64;
    let announced = by("a", Request::post(path, &body));
    for request in [announced.clone(), by("a", unannounced)] {
        let gateway = Gateway::open(&config).await;
        assert_eq!(gateway.ask(&request).await.status(), 200);
        gateway.until_metric("weir_billing_unknown_total", 1.0).await;
        for budget in ["all", "there"] {
            gateway.until_metric(&format!("weir_budget_used{{budget=\"{budget}\"}}"), expected).await;
        }
        assert_eq!(gateway.ask(&announced).await.status(), 429, "the limit counts all of it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_for_passed_requests_too() {
    let mut upstream = Upstream::always(Answer::json(200, "{}")).await;
    let clients = client("a", "passthrough = [\"p * *\"]\nlimits = { requests_per_minute = 2 }");
    let gateway = Gateway::open(&(provider(&upstream, "[\"* *\"]") + &clients)).await;
    for status in [200, 200, 429] {
        let reply = gateway.ask(&by("a", Request::get("/passthrough/p/files"))).await;
        assert_eq!(reply.status(), status, "{}", reply.text());
    }
    upstream.request().await;
    upstream.request().await;
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_request_is_signed_with_its_body() {
    let mut upstream = Upstream::always(Answer::json(200, "{}")).await;
    let config = format!(
        "[[providers]]\nname = \"z\"\nadapter = \"zeta\"\nurl = \"{}\"\n\
         api_key = \"AKIDEXAMPLE:s3cret-key-of-signer\"\npassthrough = [\"* *\"]\n\
         options = {{ auth = \"signed\", region = \"eu-west-1\" }}\n\
         [server]\nmax_body_bytes = \"64KiB\"\n",
        upstream.url()
    );
    let gateway = Gateway::open(&config).await;
    let body = vec![7; 20_000];
    let put =
        |body: &[u8]| Request::new("PUT", "/passthrough/z/things/a%3Ab").header("x-amz-date", "forged").body(body);
    assert_eq!(gateway.ask(&put(&body)).await.status(), 200);
    let sent = upstream.request().await;
    assert_eq!((sent.line(), sent.body == body), ("PUT /base/things/a%3Ab", true));
    assert!(sent.header("authorization").unwrap().starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"));
    assert_ne!(sent.header("x-amz-date"), Some("forged"));
    let reply = gateway.ask(&put(&vec![7; 70_000])).await;
    assert_eq!(reply.status(), 413, "what is signed is held in memory: {}", reply.text());
    assert!(upstream.unseen().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_formats_client_key_is_found_in_its_place_and_does_not_go_on() {
    let mut upstream = Upstream::always(Answer::json(200, "{}")).await;
    let config = format!(
        "[[providers]]\nname = \"p\"\nadapter = \"{}\"\nurl = \"{}\"\napi_key = \"{KEY}\"\npassthrough = [\"* *\"]\n",
        ANTHROPIC.name,
        upstream.url()
    );
    let gateway = Gateway::open(&(config + &client("a", "passthrough = [\"p * *\"]"))).await;
    let request = Request::get("/passthrough/p/files").header("x-api-key", "weir-a-0123456789abcdef");
    assert_eq!(gateway.ask(&request).await.status(), 200);
    assert_eq!(upstream.request().await.header("x-api-key"), Some(KEY));
}

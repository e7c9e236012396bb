//! The dashboard's own side: its files, sessions of browsers, and the figures of the overview. `tests/ui` opens the
//! pages in a browser.

use serde_json::Value;
use weir_tests::{Answer, Gateway, Reply, Request, Upstream};

use crate::wire_format::{ALL, OPENAI, TOKENS, config_of};

const TOKEN: &str = "the-token-of-the-operator-0123";
const READ_TOKEN: &str = "the-token-that-only-reads-0123";

fn config(upstream: &Upstream) -> String {
    format!("{}[admin]\ntoken = \"{TOKEN}\"\nread_token = \"{READ_TOKEN}\"\n", config_of(&ALL, upstream))
}

async fn upstream() -> Upstream {
    Upstream::scripted(|_| Answer::json(200, OPENAI.whole())).await
}

fn login(token: &str) -> Request {
    Request::post("/admin/v1/session", format!("{{\"token\": \"{token}\"}}"))
}

/// The cookie and the value that changes repeat.
fn session_of(reply: &Reply) -> (String, String) {
    assert_eq!(reply.status(), 200, "{}", reply.text());
    let cookie = reply.header("set-cookie").unwrap();
    for part in ["; Path=/admin", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let csrf = reply.json()["csrf_token"].as_str().unwrap().to_owned();
    (cookie.split(';').next().unwrap().to_owned(), csrf)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_stands_for_its_token_and_changes_only_for_its_own_page() {
    let gateway = Gateway::open(&config(&upstream().await)).await;
    let (cookie, csrf) = session_of(&gateway.ask(&login(TOKEN)).await);
    let with = |request: Request| request.header("cookie", &format!("other=1; {cookie}"));
    let shown = gateway.ask(&with(Request::get("/admin/v1/session"))).await.json();
    assert_eq!((&shown["access"], &shown["actor"]["id"]), (&Value::from("write"), &Value::from("admin.token")));
    let validate = || with(Request::post("/admin/plugins/rescan", ""));
    for request in [validate(), validate().header("x-csrf-token", "wrong")] {
        let reply = gateway.ask(&request).await;
        assert_eq!((reply.status(), &reply.json()["error"]["code"]), (403, &Value::from("csrf_token_required")));
    }
    assert_eq!(gateway.ask(&validate().header("x-csrf-token", &csrf)).await.status(), 202);
    let ended = gateway.ask(&with(Request::new("DELETE", "/admin/v1/session")).header("x-csrf-token", &csrf)).await;
    assert_eq!(ended.status(), 204);
    assert_eq!(gateway.ask(&with(Request::get("/admin/v1/session"))).await.status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_may_do_what_its_token_may() {
    let gateway = Gateway::open(&config(&upstream().await)).await;
    let (cookie, csrf) = session_of(&gateway.ask(&login(READ_TOKEN)).await);
    let with = |request: Request| request.header("cookie", &cookie).header("x-csrf-token", &csrf);
    assert_eq!(gateway.ask(&with(Request::get("/admin/config"))).await.status(), 200);
    let refused = gateway.ask(&with(Request::post("/admin/plugins/rescan", ""))).await;
    assert_eq!((refused.status(), &refused.json()["error"]["code"]), (403, &Value::from("forbidden")));
    assert_eq!(gateway.ask(&login("wrong")).await.json()["error"]["code"], "wrong_token");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_sites_page_begins_a_session() {
    let gateway = Gateway::open(&config(&upstream().await)).await;
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let reply = gateway.ask(&login(TOKEN).header(name, value)).await;
        assert_eq!((reply.status(), &reply.json()["error"]["code"]), (403, &Value::from("origin_not_allowed")));
        assert_eq!(reply.header("set-cookie"), None);
    }
    let secure = gateway.ask(&login(TOKEN).header("origin", "https://localhost")).await;
    assert!(secure.header("set-cookie").unwrap().ends_with("; Secure"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_known_may_send_no_more_than_a_token() {
    let gateway = Gateway::open(&config(&upstream().await)).await;
    let reply = gateway.ask(&login(&"a".repeat(1 << 20))).await;
    assert_eq!(reply.status(), 413, "{}", reply.text());
    let validated = Request::post("/admin/v1/config/validate", vec![b'#'; 1 << 20]);
    let reply = gateway.ask(&validated.header("authorization", &format!("Bearer {TOKEN}"))).await;
    assert_ne!(reply.status(), 413, "{}", reply.text());
    // A body of unknown length is answered before more of it is read; a login at an identity provider has none.
    for (method, path) in [("POST", "/admin/v1/session"), ("GET", "/admin/login/callback")] {
        let mut client = gateway.connect().await;
        let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n");
        client.write(head.as_bytes()).await;
        for _ in 0..9 {
            client.write(format!("400\r\n{}\r\n", "a".repeat(1 << 10)).as_bytes()).await;
        }
        assert_eq!(client.reply().await.status(), 413, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_serves_everyone_begins_no_session() {
    let config = config(&upstream().await);
    let gateway = Gateway::open(&format!("{config}[server]\nanonymous = true\n")).await;
    let reply = gateway.ask(&login(TOKEN)).await;
    assert_eq!((reply.status(), &reply.json()["error"]["code"]), (403, &Value::from("admin_listen_required")));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_are_served_with_a_strict_policy() {
    let gateway = Gateway::open(&config(&upstream().await)).await;
    for path in ["/ui/", "/ui/requests", "/ui/main.js", "/ui/style.css"] {
        let reply = gateway.get(path).await;
        assert_eq!(reply.status(), 200, "{path}");
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    }
    assert_eq!(gateway.get("/ui").await.header("location"), Some("/ui/"));
    assert_eq!(gateway.get("/ui/missing.js").await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_counts_each_request_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("[store]\nurl = \"sqlite://{}\"\n", folder.path().join("weir.db").display());
    let gateway = Gateway::open(&(config(&upstream().await) + &store)).await;
    for _ in 0..3 {
        assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.status(), 200);
    }
    assert_eq!(gateway.ask(&OPENAI.request("unknown", false)).await.status(), 404);
    let authorization = format!("Bearer {TOKEN}");
    let overview = || Request::get("/admin/v1/overview").header("authorization", &authorization);
    let summed = async {
        loop {
            let found = gateway.ask(&overview()).await.json();
            if found["now"]["requests"] == 4 {
                return found;
            }
            tokio::task::yield_now().await;
        }
    };
    let found = weir_tests::soon("the sums", summed).await;
    let now = &found["now"];
    assert_eq!((&now["failed"], &found["before"]["requests"]), (&Value::from(1), &Value::from(0)), "{found}");
    let tokens = &now["tokens"];
    let input = tokens["input"].as_u64().unwrap() + tokens["cache_read"].as_u64().unwrap_or_default();
    assert_eq!(input, 3 * TOKENS.input, "{found}");
    assert!(now["took_ms"]["p50"].as_f64().unwrap() > 0.0);
    assert_eq!(found["providers"]["items"][0]["name"], "openai");
    let reply = gateway
        .ask(&Request::get("/admin/v1/overview?from=2026-11-22&to=2026-11-21").header("authorization", &authorization))
        .await;
    assert_eq!(reply.status(), 400);
}

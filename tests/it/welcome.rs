//! The first page, and errors for mistyped paths and models.

use weir_tests::{Client, Folder, Gateway, Reply, Request};

use crate::wire_format::{ANTHROPIC, OPENAI, WireFormat, ZETA, config, provider};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_page_tells_what_this_is_and_where_its_pages_are() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::with(Folder::with(&["openai", "anthropic", "zeta", "ollama"]), &config(&upstream)).await;
    let whole = gateway.get("/").await;
    assert_eq!((whole.status(), whole.header("content-type")), (200, Some("application/json")));
    let page = whole.json();
    assert_eq!(page["name"], "weir");
    for (format, endpoint) in
        [("openai.chat", "POST /v1/chat/completions"), ("anthropic.messages", "POST /v1/messages")]
    {
        let all = page["endpoints"][format].as_array().unwrap();
        assert!(all.iter().any(|one| one == endpoint), "{page}");
    }
    assert!(whole.text().lines().count() < 80, "a short page: {}", whole.text());
    for path in page["pages"].as_object().unwrap().values() {
        assert_eq!(gateway.get(path.as_str().unwrap()).await.status(), 200, "{path}");
    }
    let browser = gateway.ask(&Request::get("/").header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")).await;
    assert_eq!(browser.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(browser.text().contains("<a href=\"/metrics\">") && browser.text().contains("POST /v1/messages"));
    for text in [whole.text(), browser.text()] {
        assert!(!text.contains(env!("CARGO_PKG_VERSION")), "the version is not shown to every caller: {text}");
    }
    let mut client = gateway.connect().await;
    client.send(&Request::new("HEAD", "/")).await;
    assert_eq!(client.head().await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_page_names_no_page_that_is_on_another_listener() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&format!("[admin]\nlisten = \"127.0.0.1:0\"\n{}", config(&upstream))).await;
    assert_eq!(gateway.get("/").await.json()["pages"], serde_json::json!({}));
    let mut admin = Client::connect(gateway.admin.unwrap()).await;
    admin.send(&Request::get("/")).await;
    let page = admin.reply().await.json();
    assert!(page["pages"].as_array().unwrap().iter().any(|page| page == "/metrics"), "{page}");
}

/// An error's message, in this format and no other.
fn words(wire_format: WireFormat, reply: &Reply) -> String {
    let is_alike = wire_format == OPENAI && reply.json()["type"] == "error";
    let message = wire_format.error(reply).filter(|_| !is_alike);
    message.unwrap_or_else(|| panic!("not as {} tells it: {}", wire_format.name, reply.text()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistyped_path_is_answered_in_the_likeliest_format_with_a_suggestion() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let cases: [(&str, &str, WireFormat); 9] = [
        ("/v1/chat/completion", "/v1/chat/completions", OPENAI),
        ("/v1/chat/completions/", "/v1/chat/completions", OPENAI),
        ("/v1//chat/completions", "/v1/chat/completions", OPENAI),
        ("/v1/v1/chat/completions", "/v1/chat/completions", OPENAI),
        ("/V1/Chat/Completions", "/v1/chat/completions", OPENAI),
        ("/v1/chat", "/v1/chat/completions", OPENAI),
        ("/v1/message", "/v1/messages", ANTHROPIC),
        ("/v1/v1/messages", "/v1/messages", ANTHROPIC),
        ("/zeta/v0/mind/m:parley", "/zeta/v0/minds/m:parley", ZETA),
    ];
    for (path, meant, wire_format) in cases {
        let reply = gateway.post(path, "{}").await;
        assert_eq!(reply.status(), 404, "{path}: {}", reply.text());
        let message = words(wire_format, &reply);
        assert!(message.contains(&format!("did you mean POST {meant}?")), "{path}: {message}");
    }
    let slip = gateway.get("/metric").await.text();
    assert!(slip.contains("did you mean GET /metrics?"), "{slip}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_is_answered_in_the_clients_format() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&config(&upstream)).await;
    let asked = |name: &str, value: &str| Request::post("/v1/nothing/like/it", "{}").header(name, value);
    let cases = [
        (asked("authorization", "Bearer x"), OPENAI),
        (asked("x-api-key", "x"), ANTHROPIC),
        (Request::post("/v1/nothing", "{}"), OPENAI),
        (Request::post("/nothing/v1", "{}").header("x-api-key", "x"), ANTHROPIC),
    ];
    for (request, wire_format) in cases {
        let reply = gateway.ask(&request).await;
        assert_eq!(reply.status(), 404);
        let message = words(wire_format, &reply);
        assert!(message.contains("GET / lists what is"), "{message}");
    }
    let long = gateway.post(&format!("/v1/{}", "x".repeat(5000)), "{}").await;
    assert_eq!(long.status(), 404);
    assert!(long.text().len() < 600, "what is repeated is bounded");
}

//! Web pages of other origins that call from a browser.

use weir_tests::{Gateway, Request, Upstream};

use crate::wire_format::{EVERY, OPENAI, TEXT, WireFormat, config_of, provider};

const PAGE: &str = "https://chat.example.com";
const OTHER: &str = "https://other.example.com";
const CLIENT: &str = "[[clients]]\nname = \"one\"\nkey = \"key-of-the-client\"\n";

async fn gateway(upstream: &Upstream, origins: &str, clients: &str) -> Gateway {
    let settings = format!("[server]\nallowed_origins = [{origins}]\n{clients}");
    Gateway::open(&format!("{settings}{}", config_of(&EVERY, upstream))).await
}

fn asks_first(path: &str, origin: &str) -> Request {
    let request = Request::new("OPTIONS", path).header("origin", origin);
    let request = request.header("access-control-request-method", "POST");
    request.header("access-control-request-headers", "authorization,content-type,x-stainless-os")
}

fn from_page(format: WireFormat, model: &str, stream: bool, origin: &str) -> Request {
    let request = format.request(model, stream).header("origin", origin).header("sec-fetch-site", "cross-site");
    request.header("authorization", "Bearer key-of-the-client")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_allowed_asks_and_reads_in_every_format_and_another_one_does_not() {
    let upstream = provider(OPENAI).await;
    let gateway = gateway(&upstream, &format!("\"{PAGE}\""), CLIENT).await;
    let first = gateway.ask(&asks_first("/v1/chat/completions", PAGE)).await;
    assert_eq!((first.status(), first.text()), (204, String::new()));
    assert_eq!(first.header("access-control-allow-origin"), Some(PAGE));
    assert_eq!(first.header("access-control-allow-headers"), Some("authorization,content-type,x-stainless-os"));
    assert!(first.header("access-control-allow-methods").is_some_and(|methods| methods.contains("POST")));
    assert_eq!(first.header("access-control-allow-credentials"), None);
    let refused = gateway.ask(&asks_first("/v1/chat/completions", OTHER)).await;
    assert_eq!((refused.status(), refused.header("access-control-allow-origin")), (405, None));
    for format in EVERY {
        for (model, stream) in [("openai", false), ("openai", true), ("openai-t", false), ("openai-t", true)] {
            let reply = gateway.ask(&from_page(format, model, stream, PAGE)).await;
            assert_eq!((reply.status(), reply.header("access-control-allow-origin")), (200, Some(PAGE)));
            assert_eq!(reply.header("vary"), Some("origin"), "{}", format.name);
            assert_eq!(format.parsed(&reply, stream).text, TEXT);
            let other = gateway.ask(&from_page(format, model, stream, OTHER)).await;
            assert_eq!((other.status(), other.header("access-control-allow-origin")), (200, None));
        }
    }
    // Errors can be read, too: the page has to show them.
    let unknown = gateway.ask(&from_page(OPENAI, "unknown", false, PAGE)).await;
    assert_eq!((unknown.status(), unknown.header("access-control-allow-origin")), (404, Some(PAGE)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_side_is_not_opened_to_pages() {
    let upstream = provider(OPENAI).await;
    let gateway = gateway(&upstream, "\"*\"", CLIENT).await;
    for path in ["/admin/v1/keys", "/metrics", "/health"] {
        let asked = gateway.ask(&asks_first(path, PAGE)).await;
        assert_eq!(asked.header("access-control-allow-origin"), None, "{path}");
        let read = gateway.ask(&Request::get(path).header("origin", PAGE)).await;
        assert_eq!(read.header("access-control-allow-origin"), None, "{path}");
    }
    let reply = gateway.ask(&from_page(OPENAI, "openai", false, OTHER)).await;
    assert_eq!((reply.status(), reply.header("access-control-allow-origin")), (200, Some(OTHER)));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_only_a_page_that_is_named_is_served() {
    let upstream = provider(OPENAI).await;
    for (origins, page, expected) in [
        (format!("\"{PAGE}\""), PAGE, 200),
        (format!("\"{PAGE}\""), OTHER, 403),
        ("\"*\"".to_owned(), PAGE, 403),
        (String::new(), PAGE, 403),
    ] {
        let gateway = gateway(&upstream, &origins, "").await;
        let reply = gateway.ask(&from_page(OPENAI, "openai", false, page)).await;
        assert_eq!(reply.status(), expected, "{origins}: {}", reply.text());
    }
}

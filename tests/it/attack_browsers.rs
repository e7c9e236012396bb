//! Web pages, rebound names and proxies in front of a gateway without client keys, and guessed keys.

use bytes::Bytes;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use weir_tests::{Client, Gateway, Reply, Request, soon};

use crate::wire_format::{EVERY, OPENAI, WireFormat, ZETA, config_of, provider};

const KEY: &str = "weir-key-of-team-a-0123456789";
const TOKEN: &str = "let-me-in-please";
/// Names that a page may have rebound to loopback.
const HOSTS: [&str; 5] =
    ["evil.example", "evil.example:8080", "localhost.evil.example", "0.0.0.0", "127.0.0.1.evil.example"];
/// Headers of requests from other sites' pages.
const SITES: [(&str, &str); 4] = [
    ("origin", "https://evil.example"),
    ("origin", "null"),
    ("sec-fetch-site", "cross-site"),
    ("origin", "http://localhost.evil.example"),
];
/// Headers that proxies add.
const PROXIED: [(&str, &str); 6] = [
    ("forwarded", "for=192.0.2.1"),
    ("x-forwarded-for", "192.0.2.1"),
    ("x-forwarded-proto", "https"),
    ("x-real-ip", "192.0.2.1"),
    ("via", "1.1 proxy"),
    ("cf-connecting-ip", "192.0.2.1"),
];

fn keyed(more: &str, upstream: &weir_tests::Upstream) -> String {
    format!("{more}\n{}\n[[clients]]\nname = \"team-a\"\nkey = \"{KEY}\"\n", config_of(&EVERY, upstream))
}

/// Every header that marks a request as not this machine's own.
fn foreign() -> impl Iterator<Item = (&'static str, &'static str)> {
    HOSTS.into_iter().map(|host| ("host", host)).chain(SITES).chain(PROXIED)
}

/// All requests that the data plane serves, as a client of this format makes them.
fn requests(from: WireFormat) -> Vec<Request> {
    let mut all: Vec<Request> = ["openai", "openai-t"]
        .into_iter()
        .flat_map(|model| [false, true].map(|stream| from.request(model, stream)))
        .collect();
    if from == OPENAI {
        all.extend([Request::get("/v1/models"), Request::get("/v1/files")]);
    }
    all
}

fn is_refused(from: WireFormat, reply: &Reply) {
    assert_eq!(reply.status(), 403, "{}", reply.text());
    let message = from.error(reply).unwrap_or_else(|| panic!("not its format: {}", reply.text()));
    assert!(message.contains("[[clients]]") && message.contains("server.anonymous"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_no_rebound_name_no_other_site_and_no_proxy_is_served() {
    let mut upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&config_of(&EVERY, &upstream)).await;
    for from in EVERY {
        for (name, value) in foreign() {
            for request in requests(from) {
                is_refused(from, &gateway.ask(&request.header(name, value)).await);
            }
        }
    }
    assert!(upstream.unseen().is_none(), "nothing went out");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_names_models_and_adapters_is_shown_to_nothing_foreign_where_only_this_machine_is_served() {
    let upstream = provider(OPENAI).await;
    let own = Gateway::open(&config_of(&EVERY, &upstream)).await;
    let shared = [keyed("", &upstream), format!("[server]\nanonymous = true\n{}", config_of(&EVERY, &upstream))];
    let shared = [Gateway::open(&shared[0]).await, Gateway::open(&shared[1]).await];
    for path in ["/metrics", "/ready", "/readyz"] {
        assert_eq!(own.get(path).await.status(), 200);
        for (name, value) in foreign() {
            let request = Request::get(path).header(name, value);
            let reply = own.ask(&request).await;
            assert!(reply.status() == 403 && reply.text().contains("[[clients]]"), "{path}: {}", reply.text());
            // Metrics show what each client uses.
            let keyed = if path == "/metrics" { 401 } else { 200 };
            for (gateway, status) in shared.iter().zip([keyed, 200]) {
                assert_eq!(gateway.ask(&request).await.status(), status, "{path}");
            }
        }
    }
    assert_eq!(own.ask(&Request::get("/health").header("host", "evil.example")).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_loopback_names_and_this_machines_own_pages_are_served() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&config_of(&EVERY, &upstream)).await;
    let port = gateway.address.port();
    let hosts = ["localhost".to_owned(), format!("LOCALHOST:{port}"), format!("127.0.0.1:{port}"), "[::1]".to_owned()];
    for from in EVERY {
        for host in &hosts {
            let request = from.request("openai", false).header("host", host);
            assert_eq!(gateway.ask(&request).await.status(), 200, "{host}");
        }
        let page = from.request("openai-t", false).header("origin", "http://localhost:3000");
        assert_eq!(gateway.ask(&page.header("sec-fetch-site", "same-site")).await.status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_that_http2_tells_counts_as_well() {
    let mut upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&config_of(&EVERY, &upstream)).await;
    for (name, status) in [("evil.example", 403), ("localhost", 200), ("127.0.0.1:8080", 200)] {
        let stream = tokio::net::TcpStream::connect(gateway.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let body = Full::new(Bytes::from(OPENAI.request("openai", false).sent()));
        let request = http::Request::post(format!("http://{name}/v1/chat/completions"));
        let request = request.header("content-type", "application/json").body(body).unwrap();
        let answer = soon("an answer", sender.send_request(request)).await.unwrap();
        assert_eq!(answer.status(), status, "{name}");
        if status == 403 {
            assert!(upstream.unseen().is_none());
        }
    }
    let absolute = Request::new("POST", "http://evil.example/v1/chat/completions").body("{\"model\":\"openai\"}");
    assert_eq!(gateway.ask(&absolute).await.status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_keys_or_openly_any_name_and_any_proxy_is_served() {
    let upstream = provider(OPENAI).await;
    let open = Gateway::open(&format!("[server]\nanonymous = true\n{}", config_of(&EVERY, &upstream))).await;
    let closed = Gateway::open(&keyed("", &upstream)).await;
    for (name, value) in foreign() {
        let request = OPENAI.request("openai", false).header(name, value);
        assert_eq!(open.ask(&request).await.status(), 200, "{name}: {value}");
        assert_eq!(closed.ask(&request.header("x-api-key", KEY)).await.status(), 200, "{name}: {value}");
    }
}

/// Requests to the admin side that change or reveal something.
fn admin_requests() -> [Request; 4] {
    [
        Request::get("/admin/plugins"),
        Request::get("/admin/config"),
        Request::post("/admin/reload", ""),
        Request::post("/admin/plugins/zeta/quarantine", "{}"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_token_the_admin_side_serves_this_machine_itself_and_nothing_foreign() {
    let upstream = provider(ZETA).await;
    for apart in [false, true] {
        let listen = if apart { "[admin]\nlisten = \"127.0.0.1:0\"\n" } else { "" };
        let gateway = Gateway::open(&format!("{listen}{}", config_of(&EVERY, &upstream))).await;
        let ask = async |request: &Request| {
            let mut client = Client::connect(gateway.admin.unwrap_or(gateway.address)).await;
            client.send(request).await;
            client.reply().await
        };
        assert_eq!(ask(&Request::get("/admin/plugins")).await.status(), 200);
        for (name, value) in foreign() {
            for request in admin_requests() {
                let reply = ask(&request.header(name, value)).await;
                assert_eq!(reply.status(), 403, "{name}: {value}: {}", reply.text());
                assert!(reply.text().contains("admin.token"), "{}", reply.text());
            }
        }
        let page = Request::post("/admin/reload", "").header("origin", "http://localhost:3000");
        assert_eq!(ask(&page).await.status(), 403, "pages change nothing");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_others_are_served_the_admin_side_needs_a_token() {
    let upstream = provider(ZETA).await;
    for settings in [keyed("", &upstream), format!("[server]\nanonymous = true\n{}", config_of(&EVERY, &upstream))] {
        let gateway = Gateway::open(&settings).await;
        for request in admin_requests() {
            let reply = gateway.ask(&request.clone().header("authorization", &format!("Bearer {KEY}"))).await;
            assert_eq!(reply.status(), 403, "{}", reply.text());
            assert!(reply.text().contains("admin.token"), "{}", reply.text());
        }
        for path in ["/admin", "/admin/", "/admin/nothing"] {
            assert_eq!(gateway.get(path).await.status(), 403, "{path}");
        }
        assert_eq!(gateway.get("/health").await.status(), 200);
    }
    // A separate admin listener is the operator's.
    let gateway = Gateway::open(&keyed("[admin]\nlisten = \"127.0.0.1:0\"", &upstream)).await;
    let mut admin = Client::connect(gateway.admin.unwrap()).await;
    admin.send(&Request::get("/admin/plugins")).await;
    assert_eq!(admin.reply().await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_its_token_the_admin_side_is_served_through_proxies_too() {
    let upstream = provider(ZETA).await;
    let gateway = Gateway::open(&keyed(&format!("[admin]\ntoken = \"{TOKEN}\""), &upstream)).await;
    for (name, value) in HOSTS.map(|host| ("host", host)).into_iter().chain(PROXIED) {
        let request = Request::get("/admin/plugins").header(name, value);
        assert_eq!(gateway.ask(&request).await.status(), 401);
        assert_eq!(gateway.ask(&request.header("authorization", &format!("Bearer {TOKEN}"))).await.status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_are_slowed_by_address_and_right_ones_are_not() {
    let mut upstream = provider(OPENAI).await;
    for from in EVERY {
        let gateway = Gateway::open(&keyed("", &upstream)).await;
        let mut refused = Vec::new();
        for n in 0..40 {
            let (model, stream) = if n % 2 == 0 { ("openai", false) } else { ("openai-t", true) };
            let guess = from.request(model, stream).header("x-api-key", &format!("guess-{n}"));
            refused.push(gateway.ask(&guess).await);
        }
        let statuses: Vec<u16> = refused.iter().map(Reply::status).collect();
        assert!(statuses[..10].iter().all(|status| *status == 401), "{statuses:?}");
        let last = refused.last().unwrap();
        assert_eq!(last.status(), 429, "{statuses:?}");
        assert!(last.header("retry-after").is_some_and(|after| after.parse::<u32>().is_ok_and(|after| after <= 60)));
        assert!(from.error(last).is_some_and(|message| message.contains("too many wrong API keys")), "{}", last.text());
        assert!(upstream.unseen().is_none());
        // Other clients behind the same address.
        assert_eq!(gateway.ask(&from.request("openai", false).header("x-api-key", KEY)).await.status(), 200);
        assert_eq!(gateway.ask(&from.request("openai", false)).await.status(), 401, "no key is not a guess");
        upstream.request().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_tokens_are_slowed_by_address_and_the_right_one_is_not() {
    let upstream = provider(ZETA).await;
    let gateway = Gateway::open(&format!("[admin]\ntoken = \"{TOKEN}\"\n{}", config_of(&EVERY, &upstream))).await;
    let ask = async |token: &str| {
        gateway.ask(&Request::get("/admin/plugins").header("authorization", &format!("Bearer {token}"))).await
    };
    let mut statuses = Vec::new();
    for n in 0..30 {
        statuses.push(ask(&format!("guess-{n}")).await.status());
    }
    assert!(statuses.starts_with(&[401; 10]) && statuses.ends_with(&[429; 5]), "{statuses:?}");
    assert!(ask("guess").await.header("retry-after").is_some());
    assert_eq!(ask(TOKEN).await.status(), 200);
}

//! A burst, a broken model or a cold list of one client is not at other clients' cost.

use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;
use weir_tests::{Answer, Client, Gate, Gateway, Request, Upstream};

use crate::retries::provider;
use crate::wire_format::{ANTHROPIC, EVERY, OPENAI, TEXT, config_of};

async fn gated() -> (Upstream, Gate) {
    let gate = Gate::default();
    let shut = gate.clone();
    (Upstream::scripted(move |_| Answer::default().gate(&shut).piece(OPENAI.whole_with_head())).await, gate)
}

const QUEUE: &str = "[server]\nmax_concurrency = 1\nqueue = { length = 3, wait = \"20s\" }\n";

/// Fills the queue as one client, then sends a request as the other, who is served in its turn.
async fn crowd(gateway: &Gateway, gate: &Gate, [greedy, modest]: [Peer<'_>; 2]) {
    let mut waiting = Vec::new();
    for number in 0..4_u8 {
        waiting.push(greedy.asks(gateway).await);
        let (metric, expected) =
            if number == 0 { ("weir_in_flight", 1.0) } else { ("weir_queue_depth", f64::from(number)) };
        gateway.until_metric(metric, expected).await;
    }
    let mut other = modest.asks(gateway).await;
    let refused = waiting.pop().unwrap().reply().await;
    assert!(matches!(refused.status(), 503 | 529), "the newest of who has most: {}", refused.text());
    assert!(refused.header("retry-after").is_some());
    // The one that was being served, one more of the same client, and the other client: the fourth still waits.
    (0..3).for_each(|_| gate.open());
    let reply = other.reply().await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    gate.open();
    for mut client in waiting {
        assert_eq!(client.reply().await.status(), 200);
    }
    gateway.until_metric("weir_in_flight", 0.0).await;
}

/// A client that always uses the same address.
#[derive(Clone, Copy)]
struct Peer<'a> {
    address: Ipv4Addr,
    request: &'a Request,
}

impl Peer<'_> {
    async fn asks(self, gateway: &Gateway) -> Client {
        let mut client = Client::connect_from(IpAddr::V4(self.address), gateway.address).await;
        client.send(self.request).await;
        client
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_still_admits_other_clients() {
    let (upstream, gate) = gated().await;
    let client = |name: &str| format!("[[clients]]\nname = \"{name}\"\nkey = \"weir-key-of-{name}-0123456789\"\n");
    let clients = client("greedy") + &client("modest");
    let gateway = Gateway::open(&format!("{QUEUE}{}{clients}", config_of(&EVERY, &upstream))).await;
    for model in ["openai", "openai-t"] {
        for from in EVERY {
            let keyed = |name: &str| {
                let key = format!("weir-key-of-{name}-0123456789");
                from.request(model, false).header("x-litellm-api-key", &key)
            };
            let (greedy, modest) = (keyed("greedy"), keyed("modest"));
            let peer = |request| Peer { address: Ipv4Addr::LOCALHOST, request };
            crowd(&gateway, &gate, [peer(&greedy), peer(&modest)]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_does_not_belong_to_the_address_that_filled_it() {
    let (upstream, gate) = gated().await;
    let gateway = Gateway::open(&format!("{QUEUE}{}", config_of(&EVERY, &upstream))).await;
    let request = OPENAI.request("openai", false);
    let from = |last| Peer { address: Ipv4Addr::new(127, 0, 0, last), request: &request };
    crowd(&gateway, &gate, [from(2), from(3)]).await;
}

/// An upstream that answers well, except for one model.
async fn with_a_broken_model(wire_format: crate::wire_format::WireFormat) -> Upstream {
    Upstream::scripted(move |request| {
        let asked = request.json();
        match (asked["model"] == "m-broken", asked["stream"] == true) {
            (true, _) => Answer::json(500, "{}"),
            (false, true) => wire_format.streamed(),
            (false, false) => Answer::json(200, wire_format.whole()),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_model_of_a_pattern_closes_none_of_its_neighbours() {
    let settings = "retry = { max_retries = 0 }\nbreaker = { min_attempts = 2, open = \"1m\" }";
    for to in [OPENAI, ANTHROPIC] {
        for pattern in ["*", "m-*"] {
            let mut upstream = with_a_broken_model(to).await;
            let models = format!("[[models]]\nalias = \"{pattern}\"\nprovider = \"first\"\n");
            let gateway = Gateway::open(&(provider(&upstream, to, "first", settings) + &models)).await;
            for from in [OPENAI, ANTHROPIC] {
                for stream in [false, true] {
                    while gateway.ask(&from.request("m-broken", stream)).await.attempts() != Some("0") {}
                    let reply = gateway.ask(&from.request("m-fine", stream)).await;
                    assert_eq!(reply.status(), 200, "{pattern} {} {}", to.name, reply.text());
                    assert_eq!(from.parsed(&reply, stream).text, TEXT);
                }
            }
            let broken = std::iter::from_fn(|| upstream.unseen()).filter(|one| one.json()["model"] == "m-broken");
            assert_eq!(broken.count(), 2, "it rests");
            assert_eq!(gateway.metric("weir_breaker_state{model=\"*\",provider=\"first\"}").await, 2.0, "that is seen");
        }
    }
}

/// A list of one model, which an upstream sends when the gate opens.
fn listed() -> String {
    let body =
        "{\"object\":\"list\",\"data\":[{\"id\":\"m-1\",\"object\":\"model\",\"created\":1,\"owned_by\":\"o\"}]}";
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

async fn listing() -> (Upstream, Gate, Gateway) {
    let gate = Gate::default();
    let shut = gate.clone();
    let upstream = Upstream::scripted(move |_| Answer::default().gate(&shut).piece(listed())).await;
    let models = "[[models]]\nalias = \"m-*\"\nprovider = \"first\"\n";
    let gateway = Gateway::open(&(provider(&upstream, OPENAI, "first", "") + models)).await;
    (upstream, gate, gateway)
}

fn names(list: &Value) -> Vec<&str> {
    list["data"].as_array().unwrap().iter().filter_map(|model| model["id"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_list_of_models_is_fetched_once_for_all_that_wait() {
    let (mut upstream, gate, gateway) = listing().await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        let mut client = gateway.connect().await;
        client.send(&Request::get("/v1/models")).await;
        clients.push(client);
    }
    upstream.request().await;
    gate.open();
    for mut client in clients {
        assert!(names(&client.reply().await.json()).contains(&"m-1"));
    }
    assert!(upstream.unseen().is_none(), "one asked for all");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_fetches_a_list_for_all_may_leave() {
    let (mut upstream, gate, gateway) = listing().await;
    let mut first = gateway.connect().await;
    first.send(&Request::get("/v1/models")).await;
    upstream.request().await;
    let mut second = gateway.connect().await;
    second.send(&Request::get("/v1/models")).await;
    drop(first);
    upstream.departure().await;
    upstream.request().await;
    gate.open();
    gate.open();
    assert!(names(&second.reply().await.json()).contains(&"m-1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_models_are_under_limits() {
    let upstream = Upstream::always(Answer::json(200, OPENAI.whole())).await;
    let clients = "[[clients]]\nname = \"team\"\nkey = \"weir-key-of-team-0123456789\"\n\
                   limits = { requests_per_minute = 2, tokens_per_minute = 5000 }\n";
    let gateway = Gateway::open(&format!("{}{clients}", config_of(&EVERY, &upstream))).await;
    let keyed = |request: Request| request.header("x-litellm-api-key", "weir-key-of-team-0123456789");
    let first = gateway.ask(&keyed(Request::get("/v1/models"))).await;
    assert_eq!((first.status(), first.header("x-ratelimit-remaining-requests")), (200, Some("1")));
    assert_eq!(first.header("x-ratelimit-remaining-tokens"), None, "they cost no tokens");
    assert_eq!(gateway.ask(&keyed(OPENAI.request("openai", false))).await.status(), 200);
    for path in ["/v1/models", "/v1/models/openai"] {
        let refused = gateway.ask(&keyed(Request::get(path))).await;
        assert_eq!(refused.status(), 429, "{path}: {}", refused.text());
        assert!(OPENAI.error(&refused).is_some_and(|message| message.contains("2 requests a minute")));
        let refused = gateway.ask(&keyed(Request::get(path).header("anthropic-version", "2023-06-01"))).await;
        assert_eq!(refused.status(), 429, "{path}: {}", refused.text());
        assert!(ANTHROPIC.error(&refused).is_some());
        assert!(refused.header("retry-after").is_some());
    }
}

//! Client keys, limits, and the order of waiting requests.

use weir_tests::{Answer, Client, Gate, Gateway, Request, Upstream};

use crate::wire_format::{ALL, ANTHROPIC, OPENAI, WireFormat, ZETA, config, provider};

const KEY: &str = "weir-key-of-team-a-0123456789";

fn with_clients(upstream: &Upstream, more: &str) -> String {
    format!("{}\n[[clients]]\nname = \"team-a\"\nkey = \"{KEY}\"\n{more}\n", config(upstream))
}

fn keyed(wire_format: WireFormat, model: &str) -> Request {
    wire_format.request(model, false).header("x-litellm-api-key", KEY)
}

/// Two connections: the request of the first is at the provider, that of the second waits for its place.
async fn one_served_and_one_waiting(gateway: &Gateway, request: &Request) -> (Client, Client) {
    let mut served = gateway.connect().await;
    served.send(request).await;
    gateway.until_metric("weir_in_flight", 1.0).await;
    let mut waiting = gateway.connect().await;
    waiting.send(request).await;
    gateway.until_metric("weir_queue_depth", 1.0).await;
    (served, waiting)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_from_every_place_where_clients_put_it() {
    let mut upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&with_clients(&upstream, "")).await;
    let bearer = format!("bearer {KEY}");
    let places = [("authorization", bearer.as_str()), ("x-api-key", KEY), ("x-litellm-api-key", KEY)];
    for (name, value) in places.into_iter().chain([("x-litellm-api-key", bearer.as_str())]) {
        for path in ["/v1/chat/completions", "/chat/completions"] {
            let body = "{\"model\":\"openai\",\"messages\":[]}";
            let reply = gateway.ask(&Request::post(path, body).header(name, value)).await;
            assert_eq!(reply.status(), 200, "{name} {path}: {}", reply.text());
            assert!(!upstream.request().await.head.contains(KEY));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_known_key_nothing_is_served_and_the_error_is_the_formats_own() {
    let mut upstream = provider(ZETA).await;
    let gateway = Gateway::open(&with_clients(&upstream, "")).await;
    for from in ALL {
        for request in [from.request("zeta", false), from.request("zeta", false).header("x-api-key", "weir-key-of-x")] {
            let reply = gateway.ask(&request).await;
            assert_eq!(reply.status(), 401, "{}", reply.text());
            assert!(from.error(&reply).is_some_and(|message| message.contains("API key")), "{}", reply.text());
        }
    }
    assert!(upstream.unseen().is_none());
    assert!(gateway.metric("weir_rejected_total{reason=\"authentication\"}").await >= 6.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_the_models_that_it_may_use() {
    let upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&with_clients(&upstream, "models = [\"open*\"]")).await;
    assert_eq!(gateway.ask(&keyed(OPENAI, "openai-t")).await.status(), 200);
    let reply = gateway.ask(&keyed(ANTHROPIC, "zeta")).await;
    assert_eq!(reply.status(), 403, "{}", reply.text());
    let list = gateway.ask(&Request::get("/v1/models").header("x-api-key", KEY)).await.json();
    let names: Vec<&str> = list["data"].as_array().unwrap().iter().filter_map(|model| model["id"].as_str()).collect();
    assert_eq!(names, ["openai", "openai-t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_reported_in_the_clients_spelling_and_then_enforced() {
    let mut upstream = provider(OPENAI).await;
    let gateway = Gateway::open(&with_clients(&upstream, "limits = { requests_per_minute = 2 }")).await;
    let first = gateway.ask(&keyed(OPENAI, "openai")).await;
    assert_eq!(first.header("x-ratelimit-limit-requests"), Some("2"));
    assert_eq!(first.header("x-ratelimit-remaining-requests"), Some("1"));
    let second = gateway.ask(&keyed(ANTHROPIC, "openai")).await;
    assert_eq!(second.header("anthropic-ratelimit-requests-remaining"), Some("0"));
    assert!(
        second.header("anthropic-ratelimit-requests-reset").is_some_and(|at| at.ends_with('Z') && at.contains('T'))
    );
    for from in ALL {
        let reply = gateway.ask(&keyed(from, "openai")).await;
        assert_eq!(reply.status(), 429, "{}", reply.text());
        assert!(from.error(&reply).is_some_and(|message| message.contains("2 requests a minute")), "{}", reply.text());
        assert!(reply.header("retry-after").is_some_and(|after| (1..=30).contains(&after.parse::<u32>().unwrap())));
    }
    let refused = gateway.metric("weir_rate_limited_total{resource=\"requests\",scope=\"client\"}").await;
    assert!((refused - 3.0).abs() < f64::EPSILON);
    let seen = upstream.count_unseen();
    assert_eq!(seen, 2, "only those that were let in");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_settled_by_what_was_used() {
    let upstream = provider(OPENAI).await;
    // Each answer reports 17 tokens; 64 of output are reserved meanwhile.
    let gateway = Gateway::open(&with_clients(&upstream, "limits = { tokens_per_minute = 6000 }")).await;
    for (n, from) in [OPENAI, ANTHROPIC, ANTHROPIC].into_iter().enumerate() {
        let reply = gateway.ask(&keyed(from, "openai-t")).await;
        let header =
            if from == OPENAI { "x-ratelimit-remaining-tokens" } else { "anthropic-ratelimit-tokens-remaining" };
        let left: u64 = reply.header(header).unwrap().parse().unwrap();
        let settled = 6000 - n as u64 * 17;
        assert!(left < settled && left > settled - 1200, "{left} of {settled}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn c67_a_failed_request_costs_no_tokens() {
    let upstream = Upstream::scripted(|_| Answer::json(400, "{\"error\":{\"message\":\"no\"}}")).await;
    let gateway = Gateway::open(&with_clients(&upstream, "limits = { tokens_per_minute = 6000 }")).await;
    for _ in 0..10 {
        let reply = gateway.ask(&keyed(OPENAI, "openai")).await;
        assert_eq!(reply.status(), 400);
        let left: u64 = reply.header("x-ratelimit-remaining-tokens").unwrap().parse().unwrap();
        assert!(left > 4800, "{left}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_at_the_same_time_are_counted_until_they_end() {
    let gate = Gate::default();
    let shut = gate.clone();
    let upstream = Upstream::scripted(move |_| {
        let [first, rest @ ..] = &OPENAI.stream()[..] else { panic!() };
        let begun = OPENAI.begin().piece(first).gate(&shut);
        rest.iter().fold(begun, Answer::piece).end()
    })
    .await;
    let gateway = Gateway::open(&with_clients(&upstream, "limits = { streams = 1 }")).await;
    let stream = || OPENAI.request("openai", true).header("x-api-key", KEY);
    let mut first = gateway.connect().await;
    first.send(&stream()).await;
    first.head().await;
    let reply = gateway.ask(&stream()).await;
    assert_eq!(reply.status(), 429, "{}", reply.text());
    drop(first);
    gateway.until_metric("weir_streams_active", 0.0).await;
    gate.open();
    gate.open();
    assert_eq!(gateway.ask(&stream()).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_new_requests_and_serves_waiting_ones() {
    let gate = Gate::default();
    let shut = gate.clone();
    let upstream = Upstream::scripted(move |_| Answer::default().gate(&shut).piece(OPENAI.whole_with_head())).await;
    let server = "[server]\nmax_concurrency = 1\nqueue = { length = 1, wait = \"20s\" }\n";
    let gateway = Gateway::open(&format!("{server}{}", config(&upstream))).await;
    let request = OPENAI.request("openai", false);
    let (mut served, mut waiting) = one_served_and_one_waiting(&gateway, &request).await;
    for from in ALL {
        let reply = gateway.ask(&from.request("openai", false)).await;
        assert_eq!(reply.status(), if from == ZETA { 503 } else { reply.status() });
        assert!(matches!(reply.status(), 503 | 529), "{}", reply.text());
        assert!(reply.header("retry-after").is_some());
    }
    assert!((gateway.metric("weir_shed_total{reason=\"full\"}").await - 3.0).abs() < f64::EPSILON);
    gate.open();
    gate.open();
    assert_eq!(served.reply().await.status(), 200);
    assert_eq!(waiting.reply().await.status(), 200);
    gateway.until_metric("weir_queue_depth", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_providers_limit_sends_requests_to_the_next_target() {
    let (first, second) = (provider(OPENAI).await, provider(ANTHROPIC).await);
    let one = |name: &str, adapter: &str, upstream: &Upstream, limits: &str| {
        format!(
            "[[providers]]\nname = \"{name}\"\nadapter = \"{adapter}\"\nurl = \"{}\"\napi_key = \"k\"\n{limits}\n",
            upstream.url()
        )
    };
    let settings = one("scarce", "openai", &first, "limits = { requests_per_minute = 2 }")
        + &one("plenty", "anthropic", &second, "")
        + "[[models]]\nalias = \"both\"\ntargets = [{ provider = \"scarce\", model = \"a\" }, { provider = \"plenty\", model = \"b\" }]\n"
        + "[[models]]\nalias = \"one\"\ntarget = { provider = \"scarce\", model = \"a\" }\n";
    let gateway = Gateway::open(&settings).await;
    let mut served = Vec::new();
    for _ in 0..4 {
        let reply = gateway.ask(&OPENAI.request("both", false)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        served.push(reply.header("x-weir-provider").unwrap_or_default().to_owned());
    }
    assert_eq!(served, ["scarce", "scarce", "plenty", "plenty"]);
    let reply = gateway.ask(&ANTHROPIC.request("one", false)).await;
    assert_eq!(reply.status(), 429, "{}", reply.text());
    assert!(reply.header("retry-after").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_star_can_name_the_providers_model() {
    let mut upstream = provider(OPENAI).await;
    let star = "[[models]]\nalias = \"mine/*\"\ntarget = { provider = \"openai\", model = \"*\" }\n";
    let gateway = Gateway::open(&format!("{}{star}", config(&upstream))).await;
    for from in [OPENAI, ANTHROPIC] {
        assert_eq!(gateway.ask(&from.request("mine/meta/llama", false)).await.status(), 200);
        assert_eq!(upstream.request().await.json()["model"], "meta/llama");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_while_waiting_leaves_no_place_taken() {
    let gate = Gate::default();
    let shut = gate.clone();
    let upstream = Upstream::scripted(move |_| Answer::default().gate(&shut).piece(OPENAI.whole_with_head())).await;
    let model = "[[models]]\nalias = \"one\"\nmax_concurrency = 1\ntarget = { provider = \"openai\", model = \"m\" }\n";
    let gateway = Gateway::open(&format!("{}{model}", config(&upstream))).await;
    let request = OPENAI.request("one", false);
    let (mut served, waiting) = one_served_and_one_waiting(&gateway, &request).await;
    drop(waiting);
    gateway.until_metric("weir_queue_depth", 0.0).await;
    gate.open();
    gate.open();
    assert_eq!(served.reply().await.status(), 200);
    assert_eq!(gateway.ask(&request).await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_client_keys_only_this_machine_is_served() {
    // The address of this machine in its network; without one the test does nothing.
    let probe = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let outside = probe.connect("192.0.2.1:9").and_then(|()| probe.local_addr()).map(|address| address.ip());
    let Ok(ip) = outside else { return };
    if ip.is_loopback() || ip.is_unspecified() {
        return;
    }
    let upstream = provider(OPENAI).await;
    for (setting, status) in [("", 401), ("anonymous = true\n", 200)] {
        let gateway = Gateway::open_on("0.0.0.0", &format!("[server]\n{setting}{}", config(&upstream))).await;
        let mut client = Client::connect((ip, gateway.address.port()).into()).await;
        client.send(&OPENAI.request("openai", false)).await;
        assert_eq!(client.reply().await.status(), status);
        assert_eq!(gateway.ask(&OPENAI.request("openai", false)).await.status(), 200);
    }
}

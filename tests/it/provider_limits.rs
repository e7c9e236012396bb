//! Providers' rate limits: parsed from their headers, respected by the gateway, and passed on in the client's format.

use weir_tests::{Answer, Gateway, Reply, Upstream};

use crate::wire_format::{ANTHROPIC, OPENAI, WireFormat};

const KEY: &str = "weir-key-of-a-team";

/// A provider of each format with a model of its name, and one that is always translated.
fn config(upstream: &Upstream, more: &str) -> String {
    let one = |name: &str| {
        format!(
            "[[providers]]\nname = \"{name}\"\nadapter = \"{name}\"\nurl = \"{}\"\napi_key = \"KEY\"\n\
             retry = {{ max_retries = 0 }}\nbreaker = {{ max_cooldown = \"40s\" }}\n\
             [[models]]\nalias = \"{name}\"\ntarget = {{ provider = \"{name}\", model = \"{name}\" }}\n\
             [[models]]\nalias = \"{name}-t\"\ntranslate = true\n\
             target = {{ provider = \"{name}\", model = \"{name}-t\" }}\n",
            upstream.url()
        )
    };
    format!("{}{}{more}", one("openai"), one("anthropic"))
}

fn of_openai(remaining: &'static str, reset: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-remaining-requests", "59"),
        ("x-ratelimit-reset-requests", "1s"),
        ("x-ratelimit-limit-tokens", "1000"),
        ("x-ratelimit-remaining-tokens", remaining),
        ("x-ratelimit-reset-tokens", reset),
    ]
}

fn of_anthropic(remaining: &'static str) -> Vec<(&'static str, &'static str)> {
    vec![
        ("anthropic-ratelimit-requests-limit", "60"),
        ("anthropic-ratelimit-requests-remaining", "59"),
        ("anthropic-ratelimit-requests-reset", "2099-01-01T00:00:00Z"),
        ("anthropic-ratelimit-input-tokens-limit", "1000"),
        ("anthropic-ratelimit-input-tokens-remaining", remaining),
        ("anthropic-ratelimit-input-tokens-reset", "2000-01-01T00:00:00Z"),
        ("anthropic-ratelimit-output-tokens-limit", "1000"),
        ("anthropic-ratelimit-output-tokens-remaining", "999"),
    ]
}

/// A provider that answers in a format, with these headers.
async fn provider(wire_format: WireFormat, limits: Vec<(&'static str, &'static str)>) -> Upstream {
    Upstream::scripted(move |request| {
        let streams = request.json()["stream"] == true;
        let kind = if streams { "text/event-stream" } else { "application/json" };
        let headers: Vec<_> = limits.iter().copied().chain([("content-type", kind)]).collect();
        if !streams {
            return Answer::whole(200, &headers, wire_format.whole());
        }
        wire_format.stream().iter().fold(Answer::begin(200, &headers), Answer::piece).end()
    })
    .await
}

/// Names and values of the rate-limit headers.
fn limit_headers(reply: &Reply) -> Vec<(&str, &str)> {
    let headers = reply.head.headers.iter().filter(|(name, _)| name.contains("ratelimit"));
    let mut limit_headers: Vec<_> = headers.map(|(name, value)| (name.as_str(), value.as_str())).collect();
    limit_headers.sort_unstable();
    limit_headers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_providers_limits_are_passed_on_in_the_clients_spelling() {
    let upstream = provider(OPENAI, of_openai("10", "6m0s")).await;
    let gateway = Gateway::open(&config(&upstream, "")).await;
    for stream in [false, true] {
        let reply = gateway.ask(&ANTHROPIC.request("openai", stream)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        assert_eq!(reply.header("anthropic-ratelimit-requests-limit"), Some("60"));
        assert_eq!(reply.header("anthropic-ratelimit-tokens-remaining"), Some("10"));
        let reset = reply.header("anthropic-ratelimit-tokens-reset").unwrap_or_default();
        assert!(reset.ends_with('Z') && reset.starts_with("20"), "{reset}");
        assert_eq!(limit_headers(&reply).len(), 6, "each once: {:?}", limit_headers(&reply));
        let relayed = gateway.ask(&OPENAI.request("openai", stream)).await;
        let mut as_it_came = of_openai("10", "6m0s");
        as_it_came.sort_unstable();
        assert_eq!(limit_headers(&relayed), as_it_came);
        let same = gateway.ask(&OPENAI.request("openai-t", stream)).await;
        assert_eq!(limit_headers(&same), as_it_came);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_limits_the_nearest_to_its_end_is_passed_on() {
    let upstream = provider(ANTHROPIC, of_anthropic("7")).await;
    let gateway = Gateway::open(&config(&upstream, "")).await;
    for stream in [false, true] {
        let reply = gateway.ask(&OPENAI.request("anthropic", stream)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let expected = [
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-limit-tokens", "1000"),
            ("x-ratelimit-remaining-requests", "59"),
            ("x-ratelimit-remaining-tokens", "7"),
            // A time in the past, and one so far away that it is ignored.
            ("x-ratelimit-reset-tokens", "0ms"),
        ];
        assert_eq!(limit_headers(&reply), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_its_own_limits_gets_no_other_limits() {
    let mut limits = of_openai("10", "6m0s");
    limits.push(("x-ratelimit-remaining-project-tokens", "5"));
    let upstream = provider(OPENAI, limits).await;
    let client = format!(
        "[[clients]]\nname = \"team\"\nkey = \"{KEY}\"\nlimits = {{ requests_per_minute = 5 }}\n\
         [[clients]]\nname = \"free\"\nkey = \"{KEY}-2\"\n"
    );
    let gateway = Gateway::open(&config(&upstream, &client)).await;
    for model in ["openai", "openai-t"] {
        let reply = gateway.ask(&OPENAI.request(model, false).header("x-api-key", KEY)).await;
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let names: Vec<&str> = limit_headers(&reply).iter().map(|(name, _)| *name).collect();
        let ours = ["limit", "remaining", "reset"].map(|what| format!("x-ratelimit-{what}-requests"));
        assert_eq!(names, ours, "{model}");
        assert_eq!(reply.header("x-ratelimit-limit-requests"), Some("5"));
    }
    let reply = gateway.ask(&OPENAI.request("openai", false).header("x-api-key", &format!("{KEY}-2"))).await;
    assert_eq!(reply.header("x-ratelimit-limit-requests"), Some("60"), "who has none hears of the provider's");
}

#[tokio::test(flavor = "multi_thread")]
async fn c64_a_refusal_rests_until_what_is_used_up_is_there_again() {
    let error = "{\"error\":{\"message\":\"slow down\",\"type\":\"rate_limit\"}}";
    for (remaining, reset, rests) in [("0", "20s", 20.0), ("5", "20s", 20.0), ("0", "72h3m0s", 40.0)] {
        let mut headers = of_openai(remaining, reset);
        headers.push(("content-type", "application/json"));
        let upstream = Upstream::always(Answer::whole(429, &headers, error)).await;
        let gateway = Gateway::open(&config(&upstream, "")).await;
        for (model, upstreams) in [("openai", "openai"), ("openai-t", "openai-t")] {
            let reply = gateway.ask(&OPENAI.request(model, false)).await;
            assert_eq!(reply.status(), 429, "{}", reply.text());
            assert_eq!(reply.header("x-ratelimit-remaining-tokens"), Some(remaining));
            let cooldown = format!("weir_cooldown_seconds{{model=\"{upstreams}\",provider=\"openai\"}}");
            let cooldown = gateway.metric(&cooldown).await;
            assert!(cooldown > rests - 10.0 && cooldown <= rests, "{model}: {cooldown} of {rests}");
            let again = gateway.ask(&OPENAI.request(model, false)).await;
            let after: f64 = again.header("retry-after").unwrap().parse().unwrap();
            assert!(again.status() == 429 && after <= rests, "{}", again.text());
            assert_eq!(again.attempts(), Some("0"), "it is left alone");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_provider_counts_the_tokens_of_its_own_attempts() {
    let broken = Upstream::always(Answer::raw(Vec::new()).close()).await;
    let well = provider(OPENAI, Vec::new()).await;
    let one = |name: &str, upstream: &Upstream| {
        format!(
            "[[providers]]\nname = \"{name}\"\nadapter = \"openai\"\nurl = \"{}\"\napi_key = \"KEY\"\n\
             retry = {{ max_retries = 0 }}\nlimits = {{ tokens_per_minute = 1400 }}\n\
             [[models]]\nalias = \"only-{name}\"\ntarget = {{ provider = \"{name}\", model = \"m\" }}\n",
            upstream.url()
        )
    };
    let both = "[[models]]\nalias = \"both\"\ntargets = [{ provider = \"broken\", model = \"m\" }, \
                { provider = \"well\", model = \"m\" }]\n";
    let gateway = Gateway::open(&format!("{}{}{both}", one("broken", &broken), one("well", &well))).await;
    let ask = |model: &str, text: usize| {
        let message = serde_json::json!({"role": "user", "content": "x".repeat(text)});
        let body = serde_json::json!({"model": model, "messages": [message], "max_tokens": 1000});
        OPENAI.request(model, false).body(body.to_string())
    };
    let reply = gateway.ask(&ask("both", 4_000)).await;
    assert_eq!(reply.status(), 200, "{}", reply.text());
    // A thousand tokens of input were sent to the first provider, and the answer of the second reported a few.
    let reply = gateway.ask(&ask("only-well", 100)).await;
    assert_eq!(reply.status(), 200, "the second one's limit has nearly all of it left: {}", reply.text());
    let reply = gateway.ask(&ask("only-broken", 100)).await;
    assert_eq!(reply.status(), 429, "the first one's has not: {}", reply.text());
}
